"""Approximate leave-one-out cross-validation (PSIS-LOO; Vehtari, Gelman & Gabry 2017) through ArviZ."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.convergence import convergence
from bayesml.engines import Problem
from bayesml.errors import ModelError, warn_user
from bayesml.results.log_lik import log_lik
from bayesml.results.select import elements
from bayesml.results.to_arviz import response_variable, with_log_likelihood

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.fit_object import Fit

__all__ = ["loo", "loo_compare"]

GOOD_K = 0.7
DRAWS_FOR_GOOD_K = 2200  # 1 - 1 / log10(2200) = 0.7
LISTED = 10


def loo(fit: Fit, pointwise: bool = True) -> Any:
    """Estimate the expected log predictive density of new data, elpd = sum_i log p(y_i | y without y_i).

    The draws are reweighted by Pareto-smoothed importance sampling (Vehtari, Gelman & Gabry 2017, Statistics and
    Computing 27; Vehtari et al. 2024, JMLR 25(72)).

    Args:
        fit: the fit.
        pointwise: whether to keep the value and the Pareto k of every observation; the printed table then counts them.

    Returns:
        ArviZ's ``ELPDData``.

    Raises:
        ModelError: the log-likelihood is not finite.

    Warns:
        FitWarning: the estimate is unreliable for some observations.

    Example:
        >>> fit.loo()
    """
    import arviz

    likelihood = log_lik(fit)
    wrong = int((~np.isfinite(likelihood.values)).any(axis=(0, 1)).sum())
    if wrong:
        raise ModelError(f"The log-likelihood of {wrong} observations is not finite at some draws, which loo() needs.")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Estimated shape parameter")
        result = arviz.loo(
            with_log_likelihood(fit, likelihood),
            pointwise=True,
            var_name=response_variable(fit),
            reff=_relative_efficiency(fit),
        )
    draws = fit.draws_record.n_chains * fit.draws_record.n_draws
    _warn_about_k(np.asarray(result.pareto_k), likelihood.obs.values, draws)
    return result if pointwise else _without_points(result)


def loo_compare(*fits: Fit | Mapping[str, Fit]) -> pd.DataFrame:
    """Compare models by their leave-one-out predictive density.

    Args:
        fits: two or more fits of the same observations, or one dict of fits by name; without names the table says
            ``fit1``, ``fit2``, ... in the order given.

    Returns:
        ArviZ's comparison table, best model first: elpd, its standard error, the difference to the best model and the
        standard error of the difference, stacking weights.

    Raises:
        ModelError: fewer than two fits, or fits of different numbers of observations.

    Warns:
        FitWarning: the observations differ between the fits.

    Example:
        >>> bayesml.loo_compare({"slopes": fit, "intercepts": other})
    """
    import arviz

    named = _named(fits)
    _check_comparable(named)
    criteria = {name: loo(fit, pointwise=True) for name, fit in named.items()}
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        # Fits that predict alike give 0 / 0 on the way to the stacking weights.
        # ArviZ 0.23 calls pandas in ways that pandas has since deprecated.
        warnings.filterwarnings("ignore", message=".*deprecat", category=Warning)
        return arviz.compare(criteria)


def _named(fits: Sequence[Fit | Mapping[str, Fit]]) -> dict[str, Fit]:
    single = fits[0] if len(fits) == 1 else None
    named: dict[str, Any] = (
        dict(single) if isinstance(single, Mapping) else {f"fit{i + 1}": fit for i, fit in enumerate(fits)}
    )
    strangers = [fit for fit in named.values() if not isinstance(getattr(fit, "problem", None), Problem)]
    if len(named) < 2 or strangers:
        found = f"; got {strangers[0]!r}" if strangers else ""
        message = "loo_compare() takes at least two fits, loo_compare(fit, other), or a dict of fits by name"
        raise ModelError(f"{message}{found}.")
    return named


def _check_comparable(fits: Mapping[str, Fit]) -> None:
    counts = {name: fit.problem.design.n_rows for name, fit in fits.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"`{name}` has {count}" for name, count in counts.items())
        raise ModelError(f"The fits have different numbers of observations: {listed}. Fit them to the same rows.")
    responses = [np.asarray(fit.problem.design.response.arrays["y"]) for fit in fits.values()]
    if any(not np.array_equal(responses[0], other) for other in responses[1:]):
        warn_user("The fits have different response values, so that their predictive densities cannot be compared.")


def _relative_efficiency(fit: Fit) -> float:
    """Return the mean effective sample size of the parameters without group effects over the number of draws."""
    single = elements(fit.draws_record.values, [v for v in fit.variables if v.kind != "r"]).values
    spread = single.reshape(-1, single.shape[2]).std(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        sizes = (spread / convergence(single).mcse) ** 2
    usable = sizes[np.isfinite(sizes)]
    return float(usable.mean() / (single.shape[0] * single.shape[1])) if usable.size else 1.0


def _without_points(result: Any) -> Any:
    import pandas as pd

    if isinstance(result, pd.Series):
        return type(result)(result.drop(["loo_i", "pareto_k"]))
    return replace(result, elpd_i=None, pareto_k=None)


def _warn_about_k(k: np.ndarray, labels: np.ndarray, draws: int) -> None:
    reliable = min(1.0 - 1.0 / np.log10(max(draws, 2)), GOOD_K)
    bad, doubtful = np.flatnonzero(k > GOOD_K), int((k > reliable).sum())
    if len(bad):
        shown = ", ".join(str(labels[i]) for i in bad[:LISTED]) + (", ..." if len(bad) > LISTED else "")
        plural = "s" if len(bad) > 1 else ""
        warn_user(
            f"{len(bad)} observation{plural} with a Pareto k above {GOOD_K} (index of the row{plural}: {shown}): "
            "the leave-one-out estimate is unreliable there. Look whether the model can explain them; a family with "
            "heavier tails, such as student or negbinomial, often can. For an exact value, refit the model without "
            "them and take log_lik() of the rows left out."
        )
    if doubtful > len(bad):
        warn_user(
            f"{doubtful} observations have a Pareto k above {reliable:.2f}, the limit for {draws} draws. Run more "
            f"iterations, to get at least about {DRAWS_FOR_GOOD_K} draws."
        )
