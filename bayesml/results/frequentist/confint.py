"""Confidence intervals of a point estimate: Wald, profile likelihood, parametric bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from scipy.special import ndtri

from bayesml.engines.point.answers import Profile
from bayesml.engines.point.elements import Element, values_of
from bayesml.errors import BayesmlError, ModelError
from bayesml.links import get_link
from bayesml.results.frequentist.bootstrap import BootKind, bootstrap_intervals
from bayesml.results.frequentist.degrees_of_freedom import Ddf, check_level, quantile, tests_of
from bayesml.results.frequentist.submodels import require_likelihood
from bayesml.results.questions.parameters import chosen

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["confint"]

Method = Literal["wald", "profile", "boot"]
STEP = 1e-5


def confint(
    fit: AbstractPointFit,
    method: Method = "wald",
    level: float = 0.95,
    parameters: str | Sequence[str] | None = None,
    nsim: int = 500,
    seed: int | None = None,
    ddf: Ddf = "default",
    boot_type: BootKind = "percentile",
) -> pd.DataFrame:
    """Return confidence intervals.

    Args:
        fit: the fit.
        method: ``"wald"``: estimate plus or minus a t or normal quantile times the standard error; of standard
            deviations and family parameters on the log (link) scale, of correlations on the atanh scale, by the delta
            method. ``"profile"``: the values at which the deviance has risen by the normal quantile squared, all other
            parameters at their best; a REML fit is refitted by ML, as in lme4. ``"boot"``: from refits to ``nsim``
            responses drawn from the fitted model with new group effects.
        level: coverage.
        parameters: names (``"b_Days"``, ``"sd_Subject__Days"``, ``"sigma"``), or ``"sd"``, ``"cor"``, ``"b"`` for all
            of a kind; None is all.
        nsim: number of bootstrap responses.
        seed: whole number; the same seed gives the same bootstrap.
        ddf: degrees of freedom of the Wald intervals of coefficients: ``"satterthwaite"`` (the default of linear mixed
            models), ``"kenward-roger"``, or None for normal quantiles, which is what lme4's Wald intervals take.
        boot_type: ``"percentile"``, ``"basic"`` or ``"norm"`` (Davison and Hinkley 1997, chapter 5).

    Returns:
        One row for each parameter: Estimate, lower, upper. The estimate of a profile is that by maximum likelihood. A
        bound is that of the parameter (0, 1, -1) where the profile never rises enough.

    Raises:
        ModelError: an option is unknown, or the fit has no such intervals.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method="reml")
        >>> fit.confint(method="profile")
    """
    import pandas as pd

    level = check_level(level)
    if method not in get_args(Method):
        raise ModelError(f'`method` is "wald", "profile" or "boot"; got {method!r}.')
    wanted = chosen(fit, parameters)
    if method == "wald":
        found = _wald(fit, wanted, level, ddf)
    elif method == "profile":
        found = _profile(fit, wanted, level)
    else:
        found = bootstrap_intervals(fit, wanted, level, nsim, seed, boot_type)
    table = pd.DataFrame(found, columns=["Estimate", "lower", "upper"], index=pd.Index([e.text for e in wanted]))
    table.attrs["heading"] = f"{100 * level:g}% confidence intervals ({method})"
    return table


def _estimates(fit: AbstractPointFit, wanted: Sequence[Element]) -> np.ndarray:
    estimate = fit.estimate
    return values_of(wanted, estimate.factors, dict(estimate.auxiliary), estimate.beta)


def _wald(fit: AbstractPointFit, wanted: Sequence[Element], level: float, ddf: Ddf) -> np.ndarray:
    estimate = _estimates(fit, wanted)
    lower, upper = np.full(len(wanted), np.nan), np.full(len(wanted), np.nan)
    own = np.array([e.kind == "b" for e in wanted], dtype=bool)
    if own.any():
        tests = tests_of(fit, ddf)
        rows = np.eye(len(tests.beta))[[e.row for e in wanted if e.kind == "b"]]
        errors = tests.standard_errors(rows)
        reach = quantile(0.5 + level / 2.0, tests.df(rows)) * errors
        lower[own], upper[own] = estimate[own] - reach, estimate[own] + reach
    if not own.all():
        others = [e for e in wanted if e.kind != "b"]
        lower[~own], upper[~own] = _by_delta_method(fit, others, float(ndtri(0.5 + level / 2.0)))
    return np.column_stack([estimate, lower, upper])


def _by_delta_method(fit: AbstractPointFit, wanted: Sequence[Element], reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Intervals of variance and family parameters, symmetric on their unbounded scales."""
    hyper = fit.estimate.hyper_covariance()
    scales = [_scale(fit, e) for e in wanted]
    links = {p.name: get_link(p.links[0]) for p in fit.likelihood.dpars[1:]}

    def stretched(x: np.ndarray) -> np.ndarray:
        factors, unbounded = hyper.natural(x)
        auxiliary = {n: float(links[n].inverse(v)) for n, v in zip(hyper.auxiliary, unbounded, strict=True)}
        raw = values_of(wanted, factors, auxiliary, fit.estimate.beta)
        with np.errstate(all="ignore"):
            return np.array([forward(v) for (forward, _), v in zip(scales, raw, strict=True)])

    center = stretched(hyper.center)
    slopes = np.zeros((len(wanted), len(hyper.center)))
    for k in np.flatnonzero(hyper.free):
        move = np.zeros(len(hyper.center))
        move[k] = STEP * max(abs(hyper.center[k]), 1e-3)
        with np.errstate(invalid="ignore"):
            slopes[:, k] = (stretched(hyper.center + move) - stretched(hyper.center - move)) / (2.0 * move[k])
    with np.errstate(invalid="ignore"):
        error = np.sqrt(np.einsum("ek,kl,el->e", slopes, hyper.covariance, slopes))
    known = np.isfinite(center) & np.isfinite(error) & (error > 0)
    known &= np.array([e.text not in fit.estimate.at_bounds for e in wanted], dtype=bool)
    ends = []
    for sign in (-1.0, 1.0):
        at = np.where(known, center + sign * reach * np.where(known, error, 0.0), 0.0)
        ends.append(np.array([inverse(v) for (_, inverse), v in zip(scales, at, strict=True)], dtype=float))
    return np.where(known, ends[0], np.nan), np.where(known, ends[1], np.nan)


def _scale(fit: AbstractPointFit, element: Element) -> tuple[Callable[[float], float], Callable[[float], float]]:
    if element.kind == "sd":
        return np.log, np.exp
    if element.kind == "cor":
        return np.arctanh, np.tanh
    link = get_link(next(p.links[0] for p in fit.likelihood.dpars if p.name == element.text))
    return link.forward, link.inverse


def _profile(fit: AbstractPointFit, wanted: Sequence[Element], level: float) -> np.ndarray:
    require_likelihood(fit, 'method="profile"')
    profile = fit.estimate.profile()
    return np.array([_interval(profile, element, level) for element in wanted])


def _interval(profile: Profile, element: Element, level: float) -> tuple[float, float, float]:
    try:
        return (profile.estimate(element), *profile.interval(element, level))
    except BayesmlError as error:
        raise ModelError(
            f'`{element.text}` has no profile: {error} Leave it out of `parameters`, or use method="boot".'
        ) from None
