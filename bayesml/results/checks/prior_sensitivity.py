"""Sensitivity of the posterior to the prior and to the likelihood, by power scaling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.convergence import convergence
from bayesml.errors import ModelError, did_you_mean, warn_user
from bayesml.priors.joint import AbstractJointPrior
from bayesml.results.checks.log_lik import total_log_lik
from bayesml.results.checks.log_prior import log_prior, without_log_prior
from bayesml.results.checks.power_scaling import sensitivities
from bayesml.results.record.select import Elements, chosen_texts, each_of, elements, is_prior_only
from bayesml.results.tables.of_table import AbstractTableResult

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["PriorSensitivity", "prior_sensitivity"]

GOOD_K = 0.7
CONFLICT = "potential prior-data conflict"
STRONG = "potential strong prior / weak likelihood"
NOTHING = "-"


@final
@dataclass(frozen=True, repr=False)
class PriorSensitivity(AbstractTableResult):
    """How far the marginal posterior of each parameter moves with the prior and with the likelihood.

    Attributes:
        table: one row for each parameter: ``prior`` and ``likelihood``, their sensitivities, and ``diagnosis``.
        threshold: the sensitivity from which on it counts.
        alphas: the powers behind the table.
        classes: the classes, or tags, of priors that were scaled.
        joint: the classes whose coefficients have a joint prior, of which the global parameters alone are scaled.
        left_out: the parameters whose priors are not scaled: scales of single coefficients under a joint prior, and
            ``raw_Intercept`` of thresholds that sum to zero.
        draws: the draws of the parameters.
        log_prior: log density of the priors that were scaled at each draw.
        log_likelihood: log density of the response at each draw.
    """

    table: pd.DataFrame
    threshold: float
    alphas: tuple[float, float]
    classes: tuple[str, ...]
    joint: tuple[str, ...]
    left_out: tuple[str, ...]
    draws: Elements
    log_prior: np.ndarray
    log_likelihood: np.ndarray

    def __repr__(self) -> str:
        lower, upper = self.alphas
        joint = f"; not scaled: {', '.join(self.left_out)}" if self.left_out else ""
        shown = self.table.to_string(float_format=lambda value: f"{value:.3f}", na_rep="NA", max_rows=80)
        return "\n".join(
            [
                "Sensitivity to power-scaling of the prior and of the likelihood",
                f"(gradient of the cumulative Jensen-Shannon distance, powers {lower:g} and {upper:g};",
                f"{self.threshold:g} and more counts; priors: {', '.join(self.classes)}{joint}):",
                "",
                shown,
            ]
        )

    def _repr_html_(self) -> str:
        return str(self.table.to_html(float_format=lambda value: f"{value:.3f}", na_rep="NA", max_rows=80))

    def plot(
        self, variables: Sequence[str] | str | None = None, *, alphas: tuple[float, float] = (0.8, 1.25)
    ) -> Figure:
        """Draw the posterior densities with the prior, and with the likelihood, raised to powers.

        Args:
            variables: names of parameters of the table; None takes those with a diagnosis, or else the first four.
            alphas: the powers beside 1.

        Raises:
            ModelError: a name is not in the table, there are too many, or a power is impossible.
        """
        from bayesml.results.plots.prior_sensitivity import draw_scaled

        names = _shown(self.table, variables)
        places = [self.draws.names.index(name) for name in names]
        values = self.draws.values.reshape(-1, self.draws.values.shape[-1])[:, places]
        scaled = {"prior": self.log_prior, "likelihood": self.log_likelihood}
        return draw_scaled(names, values, scaled, _powers(alphas))


def prior_sensitivity(
    fit: AbstractSampledFit,
    variables: str | Sequence[str] | None = None,
    *,
    priors: str | Sequence[str] | None = None,
    alphas: tuple[float, float] = (0.99, 1.01),
    threshold: float = 0.05,
) -> PriorSensitivity:
    """Measure how sensitive the posterior is to the prior and to the likelihood, without fitting again.

    The prior, or the likelihood, is raised to powers near 1, and the draws are reweighted by Pareto-smoothed importance
    sampling. A sensitivity is the change of the distance between the marginal posterior and the reweighted one,
    measured by the cumulative Jensen-Shannon distance, when log2 of the power changes by 1. Where both are at least
    ``threshold`` the prior may conflict with the data; where that of the prior alone is, the prior is strong or the
    data say little. As in the paper the distributions of group-level effects given their standard deviations are no
    prior here, nor are the scales of single coefficients under joint priors such as ``horseshoe()``: of these the
    global parameters are scaled, in the classes ``horseshoe`` and ``R2D2``.

    Kallioinen, Paananen, Buerkner and Vehtari (2024), Detecting and diagnosing prior and likelihood sensitivity with
    power-scaling, Statistics and Computing 34, 57; in R the package priorsense.

    Args:
        fit: the fit.
        variables: names of parameters or of whole variables (``r_Subject``); None takes those of the summary.
        priors: the classes of priors to scale, such as ``"b"`` or ``["Intercept", "sigma"]``, or their tags
            (``prior(..., tag="effects")``), which stand in the place of their class; None takes all of them.
        alphas: a power below 1 and one above.
        threshold: the sensitivity from which on it counts; 0.05 corresponds to moving the mean of a normal posterior by
            about a quarter of its standard deviation when the power doubles.

    Returns:
        ``to_pandas()``, a table with ``prior``, ``likelihood`` and ``diagnosis`` of each parameter, and ``plot()``.

    Raises:
        ModelError: the draws come from the prior alone, a name matches nothing, or an option is impossible.

    Warns:
        FitWarning: the importance ratios have a heavy tail (Pareto k above 0.7), so that the values are unreliable.

    Example:
        >>> fit.prior_sensitivity()
        >>> fit.prior_sensitivity(priors="b").plot("b_Days")
    """
    import pandas as pd

    _check(fit, threshold)
    powers = _powers(alphas)
    record = fit.draws_record
    of_prior, classes = _scaled_priors(fit, priors)
    of_likelihood = total_log_lik(fit)
    _check_finite(of_likelihood)
    chosen = elements(
        record.values,
        [v for v in fit.variables if variables is not None or not v.is_many],
        chosen_texts(fit.variables, variables),
    )
    values = chosen.values.reshape(-1, len(chosen.names))
    scaled = {"prior": of_prior, "likelihood": of_likelihood}
    shape = (record.n_chains, record.n_draws, 1)
    found = {
        name: sensitivities(values, each, powers, _efficiency(each.reshape(shape))) for name, each in scaled.items()
    }
    for name, (_, k) in found.items():
        _warn_about_k(name, k)
    table = pd.DataFrame({name: gradient for name, (gradient, _) in found.items()}, index=list(chosen.names))
    table["diagnosis"] = [
        _diagnosis(prior, likelihood, threshold)
        for prior, likelihood in zip(table["prior"], table["likelihood"], strict=True)
    ]
    return PriorSensitivity(
        table, threshold, powers, classes, _joint(fit), without_log_prior(fit), chosen, of_prior, of_likelihood
    )


def _diagnosis(prior: float, likelihood: float, threshold: float) -> str:
    if not prior >= threshold:
        return NOTHING
    return CONFLICT if likelihood >= threshold else STRONG


def _check(fit: AbstractSampledFit, threshold: Any) -> None:
    if is_prior_only(fit):
        raise ModelError(
            'The draws come from the prior alone (sample_prior="only"): there is no likelihood to scale. Fit the model '
            'without sample_prior="only".'
        )
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not threshold > 0.0:
        raise ModelError(f"`threshold` is a number larger than 0; got {threshold!r}.")


def _powers(alphas: Any) -> tuple[float, float]:
    pair = tuple(alphas) if isinstance(alphas, (list, tuple)) else ()
    numbers = all(isinstance(a, (int, float)) and not isinstance(a, bool) and isfinite(a) for a in pair)
    if len(pair) != 2 or not numbers or not 0.0 < pair[0] < 1.0 < pair[1]:
        raise ModelError(
            f"`alphas` is a pair of a power between 0 and 1 and one above 1, (0.99, 1.01); got {alphas!r}."
        )
    return float(pair[0]), float(pair[1])


def _scaled_priors(fit: AbstractSampledFit, asked: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the log prior density of some classes at each draw, and their names."""
    every = log_prior(fit)
    wanted = tuple(every) if asked is None else each_of(asked)
    unknown = [name for name in wanted if name not in every]
    if unknown or not wanted:
        there = ", ".join(f'"{name}"' for name in every)
        hint = did_you_mean(str(unknown[0]), every) if unknown else ""
        what = (
            f"There is no class or tag of priors {unknown[0]!r} here{hint}" if unknown else "There is no prior to scale"
        )
        raise ModelError(f"{what}; it has {there or 'none'}.")
    total = np.sum([every[name] for name in wanted], axis=0).reshape(-1)
    _check_finite(total)
    return total, wanted


def _joint(fit: AbstractSampledFit) -> tuple[str, ...]:
    """Return the classes whose coefficients have a joint prior."""
    every = fit.problem.description.spec.joint
    return tuple(dict.fromkeys(e.target.prior_class for e in every if isinstance(e.prior, AbstractJointPrior)))


def _check_finite(log_density: np.ndarray) -> None:
    infinite = int((~np.isfinite(log_density)).sum())
    if infinite:
        raise ModelError(
            f"The log density is not finite at {infinite} of {log_density.size} draws, so that it cannot be scaled."
        )


def _efficiency(log_density: np.ndarray) -> float:
    """Return the effective sample size of ``(chains, draws, 1)`` over the number of draws."""
    if np.ptp(log_density) == 0.0:
        return 1.0
    share = float(convergence(log_density).bulk_ess[0]) / log_density.size
    return min(share, 1.0) if isfinite(share) and share > 0.0 else 1.0


def _warn_about_k(name: str, k: float) -> None:
    if k > GOOD_K:
        warn_user(
            f"The importance ratios for scaling the {name} have a Pareto k of {k:.2f}, above {GOOD_K}: the "
            "sensitivities are unreliable. Take powers closer to 1, or more draws."
        )


def _shown(table: pd.DataFrame, variables: Sequence[str] | str | None) -> list[str]:
    if variables is None:
        told = list(table.index[table["diagnosis"] != NOTHING])
        return (told or list(table.index))[:4]
    names = [variables] if isinstance(variables, str) else list(variables)
    unknown = [name for name in names if name not in table.index]
    if unknown or not 1 <= len(names) <= 12:
        there = ", ".join(f"`{name}`" for name in table.index[:12]) + (", ..." if len(table) > 12 else "")
        hint = did_you_mean(str(unknown[0]), table.index) if unknown else ""
        what = f"`{unknown[0]}` is not in the table{hint}" if unknown else "A picture has 1 to 12 parameters"
        raise ModelError(f"{what}; there are {there}.")
    return names
