"""Approximate leave-one-out cross-validation (PSIS-LOO; Vehtari, Gelman & Gabry 2017)."""

from __future__ import annotations

import warnings
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.convergence import convergence
from bayesml.errors import ModelError, warn_user
from bayesml.results.checks.log_lik import log_lik_by_rows
from bayesml.results.checks.psis import LeaveOneOut, leave_one_out
from bayesml.results.record.one_response import of_one
from bayesml.results.record.row_labels import ROWS, plain_coordinates
from bayesml.results.record.select import elements, is_prior_only
from bayesml.results.storage.to_arviz import collect_groups

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["left_out", "loo"]

GOOD_K = 0.7
DRAWS_FOR_GOOD_K = 2200  # 1 - 1 / log10(2200) = 0.7
LISTED = 10
NUMBERS_AT_ONCE = 4_000_000
"""Log-likelihoods held at once, 32 MB; with the effects they need and temporary arrays about 300 MB."""


def loo(fit: AbstractSampledFit, pointwise: bool = True, *, resp: str | None = None) -> Any:
    """Estimate the expected log predictive density of new data, elpd = sum_i log p(y_i | y without y_i).

    The draws are reweighted by Pareto-smoothed importance sampling (Vehtari, Gelman & Gabry 2017, Statistics and
    Computing 27; Vehtari et al. 2024, JMLR 25(72)). Rows are taken some at a time, so that data of any length need
    about 300 MB of memory.

    Args:
        fit: the fit.
        pointwise: whether to keep the value and the Pareto k of every observation; the printed table then counts them.
        resp: which of several responses; None takes the joint density of all responses of a row, see ``log_lik``.

    Returns:
        ArviZ's ``ELPDData``: with ArviZ 0.x it has ``elpd_loo``, ``se``, ``p_loo``, ``loo_i`` and ``pareto_k``; from
        1.0 ``elpd``, ``se``, ``p``, ``elpd_i`` and ``pareto_k``. ``loo_compare()`` returns the same table with both.

    Raises:
        ModelError: the draws come from the prior alone; the log-likelihood is not finite; or the fit kept too few draws
            of its group-level effects.

    Warns:
        FitWarning: the estimate is unreliable for some observations.

    Example:
        >>> fit.loo()
    """
    fit = fit if resp is None else of_one(fit, resp)
    return _elpd_data(fit, left_out(fit), pointwise)


def left_out(fit: AbstractSampledFit, name: str = "") -> LeaveOneOut:
    """Return what each observation contributes, and warn where the estimate is unreliable.

    Args:
        fit: the fit.
        name: how warnings and errors call the fit, where there are several.
    """
    of = f" of `{name}`" if name else ""
    if is_prior_only(fit):
        raise ModelError(
            f'The draws{of} come from the prior alone (sample_prior="only"): they have not seen the response, so that '
            'there is nothing to leave out. Fit the model without sample_prior="only".'
        )
    contributions, infinite = _by_rows(fit)
    if infinite:
        raise ModelError(
            f"The log-likelihood{of} of {infinite} observations is not finite at some draws, which loo() needs."
        )
    draws = fit.draws_record.n_chains * fit.draws_record.n_draws
    _warn_about_k(contributions.pareto_k, fit.frame.labels(), draws, f"`{name}`: " if name else "")
    return contributions


def _by_rows(fit: AbstractSampledFit) -> tuple[LeaveOneOut, int]:
    """Return the result, and the number of rows whose log-likelihood is not finite at some draws."""
    efficiency = _relative_efficiency(fit)
    result = LeaveOneOut(*np.full((3, fit.nobs), np.nan))
    finite = np.ones(fit.nobs, dtype=bool)
    for part, values in log_lik_by_rows(fit, NUMBERS_AT_ONCE):
        finite[part] = np.isfinite(values).all(axis=0)
        usable = part[finite[part]]
        some = leave_one_out(np.ascontiguousarray(values[:, finite[part]].T), efficiency)
        for field in fields(LeaveOneOut):
            getattr(result, field.name)[usable] = getattr(some, field.name)
    return result, int((~finite).sum())


def _relative_efficiency(fit: AbstractSampledFit) -> float:
    """Return the mean effective sample size of the parameters without group effects over the number of draws."""
    single = elements(fit.draws_record.values, [v for v in fit.variables if not v.is_many]).values
    spread = single.reshape(-1, single.shape[2]).std(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        sizes = (spread / convergence(single).mcse) ** 2
    usable = sizes[np.isfinite(sizes)]
    return float(usable.mean() / (single.shape[0] * single.shape[1])) if usable.size else 1.0


def _elpd_data(fit: AbstractSampledFit, found: LeaveOneOut, pointwise: bool) -> Any:
    """Return the result as an object of the installed ArviZ.

    Its class differs between the versions of ArviZ: an object made by ArviZ from one observation gets our numbers.
    """
    import arviz
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = arviz.loo(_one_observation(), pointwise=True, var_name="y", reff=1.0)
    draws, rows = fit.draws_record.n_chains * fit.draws_record.n_draws, len(found.elpd)
    good_k = _reliable_k(draws)
    elpd = float(found.elpd.sum())
    old = isinstance(made, pd.Series)
    values = {
        "elpd_loo" if old else "elpd": elpd,
        "se": float(np.sqrt(rows * found.elpd.var())),
        "p_loo" if old else "p": float(found.lppd.sum()) - elpd,
        "n_samples": draws,
        "n_data_points": rows,
        "warning": bool((found.pareto_k > good_k).any()),
        "good_k": good_k,
        "loo_i" if old else "elpd_i": _labelled(fit, found.elpd, "loo_i") if pointwise else None,
        "pareto_k": _labelled(fit, found.pareto_k, "pareto_shape") if pointwise else None,
        "scale": "log",
        "log_weights": None,
    }
    if old:
        kept = [key for key in made.index if values[key] is not None]
        return type(made)(data=[values[key] for key in kept], index=kept)
    known = {field.name for field in fields(made)}
    return replace(made, **{key: value for key, value in values.items() if key in known})


def _one_observation() -> Any:
    """Return draws of one log-likelihood in a form that every version of ArviZ reads."""
    import xarray as xr

    draws = xr.Dataset({"y": (("chain", "draw", ROWS), np.linspace(-2.0, -1.0, 50).reshape(2, 25, 1))})
    return collect_groups({"log_likelihood": draws}, {})


def _labelled(fit: AbstractSampledFit, values: np.ndarray, name: str) -> xr.DataArray:
    import xarray as xr

    return xr.DataArray(values, plain_coordinates(fit.frame.labels()), (ROWS,), name=name)


def _reliable_k(draws: int) -> float:
    return min(1.0 - 1.0 / float(np.log10(max(draws, 2))), GOOD_K)


def _warn_about_k(k: np.ndarray, labels: pd.Index, draws: int, prefix: str) -> None:
    reliable = _reliable_k(draws)
    bad, doubtful = np.flatnonzero(k > GOOD_K), int((k > reliable).sum())
    if len(bad):
        shown = ", ".join(str(labels[i]) for i in bad[:LISTED]) + (", ..." if len(bad) > LISTED else "")
        plural = "s" if len(bad) > 1 else ""
        warn_user(
            f"{prefix}{len(bad)} observation{plural} with a Pareto k above {GOOD_K} (index of the row{plural}: "
            f"{shown}): the leave-one-out estimate is unreliable there. Look whether the model can explain them; a "
            "family with heavier tails, such as student or negbinomial, often can. For an exact value, refit the model "
            "without them and take log_lik() of the rows left out."
        )
    if doubtful > len(bad):
        warn_user(
            f"{prefix}{doubtful} observations have a Pareto k above {reliable:.2f}, the limit for {draws} draws. Run "
            f"more iterations, to get at least about {DRAWS_FOR_GOOD_K} draws."
        )
