"""``describe_posterior()``: intervals of highest density, the probability of a direction, practical equivalence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from bayesml.convergence import convergence
from bayesml.errors import ModelError
from bayesml.results.plots.style import chosen_parameters
from bayesml.results.record.one_response import has_several

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["describe_posterior", "highest_density", "rope_of"]

Interval = Literal["hdi", "eti"]
Centrality = Literal["median", "mean"]
MOST = 100_000


def describe_posterior(
    fit: AbstractSampledFit, variable: str | Sequence[str] | None = None, *, ci: float = 0.95,
    ci_method: Interval = "hdi", centrality: Centrality = "median",
    rope: tuple[float, float] | Literal["default"] | None = "default", rope_ci: float = 0.95,
) -> pd.DataFrame:  # fmt: skip
    """Describe the posterior of each parameter, as R's bayestestR does (Makowski, Ben-Shachar and Lüdecke 2019).

    Args:
        fit: the fit.
        variable: names of parameters or of whole variables; None takes those of the summary.
        ci: probability of the interval.
        ci_method: ``"hdi"`` the shortest interval, ``"eti"`` the one with equal tails.
        centrality: ``"median"`` or ``"mean"``.
        rope: the region of practical equivalence, two numbers: effects within it are too small to matter. ``"default"``
            is that of Kruschke (2018): 0.1 standard deviations of a gaussian, student or lognormal response to either
            side of 0 (0.01 for lognormal), 0.1 pi / sqrt(3) for a logit link, else 0.1. None leaves it out.
        rope_ci: which part of the posterior is compared with it: the share of the draws within the shortest interval of
            this probability; 1 takes all draws.

    Returns:
        One row for each parameter: the center, CI_low and CI_high, ``pd``, the probability that it has the sign of its
        median, ROPE_low, ROPE_high, ROPE_Percentage, and Rhat and ESS.

    Raises:
        ModelError: a name is no parameter, or an option is impossible.

    Example:
        >>> fit.describe_posterior()
        >>> fit.describe_posterior("b_Days", rope=(-1, 1), rope_ci=1)
    """
    import pandas as pd

    for name, value in (("ci", ci), ("rope_ci", rope_ci)):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value <= 1.0:
            raise ModelError(f"`{name}` lies between 0 and 1; got {value!r}.")
    _check_choice("ci_method", ci_method, get_args(Interval))
    _check_choice("centrality", centrality, get_args(Centrality))
    chosen = chosen_parameters(fit, variable, MOST)
    flat = chosen.values.reshape(-1, len(chosen.names))
    center = np.median(flat, axis=0) if centrality == "median" else flat.mean(axis=0)
    low, high = highest_density(flat, ci) if ci_method == "hdi" else np.quantile(flat, [(1 - ci) / 2, (1 + ci) / 2], 0)
    columns: dict[str, Any] = {centrality.capitalize(): center, "CI": ci, "CI_low": low, "CI_high": high}
    columns["pd"] = np.maximum((flat > 0).mean(axis=0), (flat < 0).mean(axis=0))
    if rope is not None:
        lower, upper = _region(fit, rope)
        ends = highest_density(flat, rope_ci)
        inside = (flat >= ends[0]) & (flat <= ends[1])
        within = inside & (flat >= lower) & (flat <= upper)
        columns |= {"ROPE_low": lower, "ROPE_high": upper, "ROPE_Percentage": within.sum(axis=0) / inside.sum(axis=0)}
    if fit.draws_record.statistics:
        measured = convergence(chosen.values, fit.outcome.data_sets)
        columns |= {"Rhat": measured.rhat, "ESS": measured.bulk_ess}
    return pd.DataFrame(columns, index=pd.Index(chosen.names, name="Parameter"))


def _check_choice(option: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ModelError(f"`{option}` is {' or '.join(map(repr, choices))}; got {value!r}.")


def highest_density(values: np.ndarray, probability: float) -> np.ndarray:
    """Return the ends of the shortest interval that holds a share of the draws, ``(2, columns)``.

    Args:
        values: ``(draws, columns)``.
        probability: the share.
    """
    ordered = np.sort(values, axis=0)
    size = min(int(np.ceil(probability * len(ordered))), len(ordered))
    widths = ordered[size - 1 :] - ordered[: len(ordered) - size + 1]
    start = np.argmin(widths, axis=0)
    columns = np.arange(ordered.shape[1])
    return np.stack([ordered[start, columns], ordered[start + size - 1, columns]])


def _region(fit: AbstractSampledFit, rope: Any) -> tuple[float, float]:
    if isinstance(rope, str):
        _check_choice("rope", rope, ("default",))
        return rope_of(fit)
    try:
        lower, upper = (float(end) for end in rope)
    except (TypeError, ValueError):
        raise ModelError(f'`rope` is two numbers, "default" or None; got {rope!r}.') from None
    if not lower <= upper:
        raise ModelError(f"The lower end of `rope` comes first; got {rope!r}.")
    return lower, upper


def rope_of(fit: AbstractSampledFit) -> tuple[float, float]:
    """Return the default region of practical equivalence.

    Raises:
        ModelError: the model has several responses, each with a region of its own.
    """
    if has_several(fit):
        raise ModelError(
            "The model has several responses on scales of their own: give `rope=(low, high)`, or rope=None."
        )
    traits, y = fit.likelihood.traits, fit.problem.design.response.arrays["y"]
    main = fit.likelihood.dpars[0]
    link = fit.likelihood.chosen_link(main.name).name
    if traits.response_on_log_scale:
        half = 0.01
    elif link == "logit":
        half = 0.1 * np.pi / np.sqrt(3.0)
    elif link == "identity" and np.ndim(y) == 1 and not fit.likelihood.event_labels:
        half = 0.1 * float(np.std(y, ddof=1))
    else:
        half = 0.1
    return -half, half
