"""Intraclass correlations and the variance explained (Nakagawa, Johnson and Schielzeth 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.engines.point.unbounded import is_unbounded
from bayesml.engines.weighting import weights_are_precisions
from bayesml.errors import ModelError
from bayesml.results.frequentist.submodels import require_one_predictor

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["VarianceParts", "icc", "r2", "variance_parts"]

LATENT = {"logit": np.pi**2 / 3.0, "probit": 1.0, "cloglog": np.pi**2 / 6.0}


@final
@dataclass(frozen=True)
class VarianceParts:
    """Where the variance of the linear predictor and of the response around it comes from.

    Attributes:
        fixed: variance of X b over the rows; NaN where X b has no finite estimate (separation).
        groups: mean over the rows of z' Sigma z, by grouping factor.
        dispersion: the same of factors with one level for each row, which stand for the residual.
        distribution: of the response around the linear predictor, on the scale of the link.
    """

    fixed: float
    groups: dict[str, float]
    dispersion: float
    distribution: float

    @property
    def residual(self) -> float:
        """What neither predictors nor groups explain."""
        return self.dispersion + self.distribution

    @property
    def total(self) -> float:
        """Everything."""
        return self.fixed + sum(self.groups.values()) + self.residual


def variance_parts(fit: AbstractPointFit) -> VarianceParts:
    """Return the parts of the variance.

    The distribution's own part is sigma^2 (gaussian, lognormal), sigma^2 nu / (nu - 2) (student), pi^2/3, 1 or pi^2/6
    (binomial with logit, probit, cloglog), log(1 + 1/lambda) (poisson with log), log(1 + 1/lambda + 1/shape)
    (negbinomial), log(1 + 1/shape) (Gamma with log), lambda the mean response; else the variance of the response
    carried to the link scale by the delta method.
    """
    require_one_predictor(fit, "A share of explained variance")
    estimate = fit.estimate
    X, offset = estimate.arrays.X[:, estimate.kept], estimate.arrays.offset
    explained = estimate.eta_population - (0.0 if offset is None else offset)
    fixed = float(np.var(explained, ddof=1)) if X.shape[1] or estimate.smooths else 0.0
    if is_unbounded(X, estimate.unbounded).any():
        fixed = float("nan")
    groups, dispersion, spread = {}, 0.0, np.zeros(fit.nobs)
    for group in estimate.groups:
        term, block, factor = group.term, group.block, group.factor
        rows = np.einsum("nq,nq->n", block.Z @ factor, block.Z @ factor)
        spread += rows
        if block.n_levels == fit.nobs:
            dispersion += float(rows.mean())
        else:
            groups[term.name] = float(rows.mean())
    return VarianceParts(fixed, groups, dispersion, _distribution(fit, estimate.eta_population, spread))


def _distribution(fit: AbstractPointFit, eta: np.ndarray, spread: np.ndarray) -> float:
    traits, link, auxiliary = fit.likelihood.traits, fit.likelihood.link("mu").name, fit.estimate.auxiliary
    if fit.estimate.normal_rows is not None:
        return fit.estimate.normal_rows.variance
    if traits.normal and "se" not in fit.problem.design.response.arrays:
        weights = fit.problem.design.weights
        variance = float(auxiliary["sigma"]) ** 2
        if weights is None or not weights_are_precisions(fit.method, fit.likelihood):
            return variance
        return variance * float(np.mean(1.0 / weights))
    if traits.latent_threshold and link in LATENT:
        return LATENT[link]
    if link == "log" and traits.lognormal_variance:
        mean = np.exp(eta + spread / 2.0).mean()
        return float(np.log1p(fit.likelihood.variance({**auxiliary, "mu": mean}, {}) / mean**2))
    return _by_delta_method(fit, eta)


def _by_delta_method(fit: AbstractPointFit, eta: np.ndarray) -> float:
    from bayesml.results.frequentist.residuals import natural_parameters

    data = dict(fit.problem.design.response.arrays)
    variance = np.asarray(fit.likelihood.variance(natural_parameters(fit, eta), data), dtype=float) + 0.0 * eta
    slope = np.asarray(fit.likelihood.link("mu").inverse_derivative(eta), dtype=float) * data.get("trials", 1.0)
    if fit.likelihood.traits.response_on_log_scale:
        slope = np.ones_like(eta)
    return float(np.mean(variance / slope**2))


def icc(fit: AbstractPointFit) -> pd.Series:
    """Return the intraclass correlations: of what predictors do not explain, the share that lies between groups.

    Args:
        fit: the fit.

    Returns:
        ``adjusted``: groups over groups plus residual; ``unadjusted``: groups over everything, predictors included; and
        each grouping factor by name, adjusted. With varying slopes the variance between groups is its mean over the
        rows (Johnson 2014).

    Raises:
        ModelError: the model has no group-level terms.

    Example:
        >>> fit.icc()["adjusted"]
    """
    import pandas as pd

    parts = variance_parts(fit)
    if not parts.groups:
        raise ModelError("The model has no grouping factor with more than one row for each level.")
    between = sum(parts.groups.values())
    rest = between + parts.residual
    own = {name: value / rest for name, value in parts.groups.items()}
    return pd.Series({"adjusted": between / rest, "unadjusted": between / parts.total} | own, name="ICC")


def r2(fit: AbstractPointFit, by_level: bool = False) -> pd.Series:
    """Return marginal and conditional R2: the share of the variance explained by predictors, and by groups as well.

    Nakagawa and Schielzeth (2013), with Johnson's (2014) mean variance of varying slopes and the distribution's own
    variance of Nakagawa, Johnson and Schielzeth (2017); lambda is the mean expected response.

    Args:
        fit: the fit.
        by_level: whether to return R2 of each level instead: the share of its variance that the predictors take away
            (Raudenbush and Bryk 2002) from that of a model with the same group-level terms and an intercept only; the
            variances between groups are means over the rows. A share can be negative where predictors unmask variance
            between groups.

    Returns:
        ``marginal`` and ``conditional``; by level one value for each grouping factor, and ``residual`` where the family
        has its own residual variance.

    Example:
        >>> fit.r2()["conditional"]
        >>> fit.r2(by_level=True)["residual"]
    """
    import pandas as pd

    if by_level:
        return _level_r2(fit)

    parts = variance_parts(fit)
    explained = {"marginal": parts.fixed, "conditional": parts.fixed + sum(parts.groups.values())}
    return pd.Series({name: value / parts.total for name, value in explained.items()}, name="R2")


def _level_r2(fit: AbstractPointFit) -> pd.Series:
    """Return R2 of each level, see ``r2``."""
    import pandas as pd

    arrays = fit.estimate.arrays
    null = fit.estimate.refit_columns(np.ones((fit.nobs, 1)), arrays.blocks[: len(arrays.terms)])
    own = _between(fit, fit.estimate.factors)
    before = _between(fit, null.factors)
    found = {name: 1.0 - own[name] / before[name] if before[name] > 0 else np.nan for name in own}
    if "sigma" in null.auxiliary and null.auxiliary["sigma"] > 0 and "sigma" in fit.estimate.auxiliary:
        found["residual"] = 1.0 - (fit.sigma / null.auxiliary["sigma"]) ** 2
    return pd.Series(found, name="R2 by level")


def _between(fit: AbstractPointFit, factors: tuple[np.ndarray, ...]) -> dict[str, float]:
    groups = fit.estimate.groups
    return {
        group.term.name: float(((group.block.Z @ factor) ** 2).sum(axis=1).mean())
        for group, factor in zip(groups, factors[: len(groups)], strict=True)
    }
