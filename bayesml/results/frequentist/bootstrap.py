"""The parametric bootstrap: refits to responses drawn from the fitted model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from scipy.special import ndtri

from bayesml.engines.point.elements import Element, values_of
from bayesml.engines.point.estimate import AbstractEstimate
from bayesml.errors import BayesmlError, ModelError, warn_user
from bayesml.results.frequentist.simulate import refit, simulate
from bayesml.results.record.one_response import has_several

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["BootKind", "bootstrap", "bootstrap_intervals"]

BootKind = Literal["percentile", "basic", "norm"]


def bootstrap(fit: AbstractPointFit, wanted: Sequence[Element], nsim: int, seed: int | None) -> np.ndarray:
    """Return the parameters of refits to drawn responses, ``(refits, parameters)``; failed refits are left out.

    Args:
        fit: the fit.
        wanted: the parameters.
        nsim: number of responses.
        seed: whole number, or None.

    Raises:
        ModelError: ``nsim`` is out of range, or most refits fail.
    """
    if isinstance(nsim, bool) or not isinstance(nsim, int) or nsim < 2:
        raise ModelError(f"`nsim` is a whole number of at least 2; got {nsim!r}.")
    if has_several(fit):
        raise ModelError(
            'The bootstrap is for models of one response; method="wald" has intervals, and fit.to_normal_draws() draws.'
        )
    found = [values_of(wanted, e.factors, dict(e.auxiliary), _coefficients(e)) for e in _refits(fit, nsim, seed)]
    if len(found) < max(2, nsim // 2):
        raise ModelError(f"Only {len(found)} of {nsim} bootstrap refits succeeded: the data do not carry this model.")
    if len(found) < nsim:
        warn_user(f"{nsim - len(found)} of {nsim} bootstrap refits failed and were left out.")
    return np.array(found)


def _coefficients(estimate: AbstractEstimate) -> np.ndarray:
    """Return the coefficients, infinite where the likelihood of the drawn responses rises without end (separation)."""
    falls, rises = estimate.runaway
    return np.where(falls & rises, np.nan, np.where(falls, -np.inf, np.where(rises, np.inf, estimate.beta)))


def _refits(fit: AbstractPointFit, nsim: int, seed: int | None) -> Iterator[AbstractEstimate]:
    responses = np.random.SeedSequence(seed).spawn(nsim)
    for own in responses:
        y = simulate(fit, 1, int(own.generate_state(1)[0]))[0]
        try:
            estimate = refit(fit, y).estimate
        except BayesmlError:
            continue
        if len(estimate.kept) == len(fit.estimate.kept):
            yield estimate


def bootstrap_intervals(
    fit: AbstractPointFit, wanted: Sequence[Element], level: float, nsim: int, seed: int | None, kind: BootKind
) -> np.ndarray:
    """Return estimates and intervals, ``(parameters, 3)``.

    A coefficient without a finite estimate may be anything: responses drawn with the value at which the search stopped
    say nothing about it. Where some drawn responses have none, they count as infinite.
    """
    if kind not in get_args(BootKind):
        raise ModelError(f'`boot_type` is "percentile", "basic" or "norm"; got {kind!r}.')
    estimate = values_of(wanted, fit.estimate.factors, dict(fit.estimate.auxiliary), fit.estimate.beta)
    drawn = bootstrap(fit, wanted, nsim, seed)
    low, high = (1.0 - level) / 2.0, (1.0 + level) / 2.0
    with np.errstate(invalid="ignore"):
        lower, upper = (_quantile(drawn, q) for q in (low, high))
        if kind == "basic":
            lower, upper = 2.0 * estimate - upper, 2.0 * estimate - lower
        elif kind == "norm":
            middle = 2.0 * estimate - np.nanmean(drawn, axis=0)
            reach = float(ndtri(high)) * np.nanstd(drawn, axis=0, ddof=1)
            lower, upper = middle - reach, middle + reach
            infinite = np.isinf(drawn).any(axis=0)
            lower, upper = np.where(infinite, -np.inf, lower), np.where(infinite, np.inf, upper)
    if (unknown := _without_estimate(fit, wanted)).any():
        lower, upper = np.where(unknown, -np.inf, lower), np.where(unknown, np.inf, upper)
        warn_user(
            f"The bootstrap says nothing about {', '.join(e.text for e, u in zip(wanted, unknown, strict=True) if u)}: "
            'there is no finite estimate to draw responses with (separation). Use confint(method="profile").'
        )
    return np.column_stack([estimate, lower, upper])


def _without_estimate(fit: AbstractPointFit, wanted: Sequence[Element]) -> np.ndarray:
    touched = np.any(fit.estimate.unbounded != 0.0, axis=1)
    return np.array([e.kind == "b" and bool(touched[e.row]) for e in wanted], dtype=bool)


def _quantile(drawn: np.ndarray, probability: float) -> np.ndarray:
    """Quantiles over the refits, one of the values where some are infinite.

    Correlations of singular refits, which do not exist, are left out.
    """
    out = np.full(drawn.shape[1], np.nan)
    for k, column in enumerate(drawn.T):
        known = column[~np.isnan(column)]
        if len(known) >= 2:
            out[k] = np.quantile(known, probability, method="nearest" if np.isinf(known).any() else "linear")
    return out
