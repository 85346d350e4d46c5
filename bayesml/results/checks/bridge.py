"""Marginal likelihoods by bridge sampling, and Bayes factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.convergence import convergence
from bayesml.engines.base import Coordinates
from bayesml.engines.dispatch import sample_coordinates
from bayesml.errors import ModelError, warn_user
from bayesml.results.checks.loo_compare import check_same_observations
from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["MarginalLikelihood", "bayes_factor", "bridge_sampler", "bridge"]

MOST_STEPS = 1000
TOLERANCE = 1e-10
UNRELIABLE = 0.1


@final
@dataclass(frozen=True)
class MarginalLikelihood:
    """The logarithm of p(y), the likelihood averaged over the prior.

    Attributes:
        logml: the estimate.
        error: its approximate standard error (Frühwirth-Schnatter 2004).
        iterations: of the fixed point.
    """

    logml: float
    error: float
    iterations: int

    def __repr__(self) -> str:
        return f"Bridge sampling estimate of the log marginal likelihood: {self.logml:.5f} (error {self.error:.2g})"


def bridge_sampler(
    fit: AbstractSampledFit, draws: int | None = None, seed: int | None = None
) -> MarginalLikelihood:  # fmt: skip
    """Estimate the marginal likelihood, p(y), by bridge sampling with a normal proposal.

    The bridge of Meng and Wong (1996), iterated as in Gronau et al. (2017), A tutorial on bridge sampling, Journal of
    Mathematical Psychology 81: half of the draws fit the proposal, on unconstrained scales, the other half is compared
    with it. The model is sampled anew as it is written, since a fit keeps its parameters alone.

    Args:
        fit: a fit by NUTS whose priors are all proper.
        draws: draws of each chain; None takes twice those of the fit. The error falls with their square root.
        seed: whole number; the same seed gives the same result. None takes that of the fit.

    Raises:
        ModelError: a prior is flat, so that there is no marginal likelihood; the draws come from the prior; or an
            option is impossible.

    Warns:
        FitWarning: the estimate is not reliable.

    Example:
        >>> fit.bridge_sampler(draws=4000)
    """
    _check_priors(fit)
    if draws is not None and (isinstance(draws, bool) or not isinstance(draws, int) or draws < 100):
        raise ModelError(f"`draws` is a whole number of at least 100; got {draws!r}.")
    if fit.engine.samples_prior_only:
        raise ModelError('The draws come from the prior alone (sample_prior="only"); fit the model to its response.')
    chosen = fit.seed if seed is None else seed
    found = bridge(sample_coordinates(fit.engine, fit.problem, draws, chosen), np.random.default_rng(chosen))
    if not found.error < UNRELIABLE:
        warn_user(
            f"The marginal likelihood has an error of {found.error:.2g}: the posterior is far from normal on its "
            "unconstrained scales, or the draws are few. Ask for more, `draws=10000`."
        )
    return found


def bridge(coordinates: Coordinates, rng: np.random.Generator) -> MarginalLikelihood:
    """Estimate the integral of a density from draws.

    With p the density without its constant, g the normal proposal, s1 = n1 / (n1 + n2) and s2 likewise, the integral is
    the fixed point of r = mean_g[p / (s1 p + s2 r g)] / mean_p[g / (s1 p + s2 r g)].

    Args:
        coordinates: draws and their density.
        rng: draws from the proposal.
    """
    half = coordinates.values.shape[1] // 2
    first, second = coordinates.values[:, :half], coordinates.values[:, half:]
    fitted = first.reshape(-1, first.shape[2])
    mean, root = fitted.mean(axis=0), np.linalg.cholesky(_covariance(fitted))
    own = second.reshape(-1, second.shape[2])
    proposed = mean + rng.standard_normal((len(own), len(mean))) @ root.T
    # log p - log g at draws of either
    at_draws, at_proposed = (coordinates.log_density(x) - _log_normal(x, mean, root) for x in (own, proposed))
    at_proposed = np.where(np.isnan(at_proposed), -np.inf, at_proposed)
    size = float(np.median(convergence(second).bulk_ess)) if np.isfinite(second).all() else float(len(own))
    return _fixed_point(at_draws, at_proposed, min(size, float(len(own))), second)


def _covariance(draws: np.ndarray) -> np.ndarray:
    found = np.atleast_2d(np.cov(draws.T))
    return found + 1e-10 * np.diag(np.diag(found))


def _log_normal(x: np.ndarray, mean: np.ndarray, root: np.ndarray) -> np.ndarray:
    from scipy.linalg import solve_triangular

    z = solve_triangular(root, (x - mean).T, lower=True)
    constant = np.log(np.diag(root)).sum() + 0.5 * len(mean) * np.log(2.0 * np.pi)
    return np.asarray(-0.5 * (z**2).sum(axis=0) - constant)


def _fixed_point(at_draws: np.ndarray, at_proposed: np.ndarray, size: float, second: np.ndarray) -> MarginalLikelihood:
    from scipy.special import logsumexp

    log_s1 = np.log(size / (size + len(at_proposed)))
    log_s2 = np.log(len(at_proposed) / (size + len(at_proposed)))
    log_r = float(np.median(at_draws))
    steps, moved = 0, np.inf
    while steps < MOST_STEPS and moved > TOLERANCE:
        upper = at_proposed - np.logaddexp(log_s1 + at_proposed, log_s2 + log_r)
        lower = -np.logaddexp(log_s1 + at_draws, log_s2 + log_r)
        new = float(logsumexp(upper) - np.log(len(upper)) - logsumexp(lower) + np.log(len(lower)))
        moved, log_r, steps = abs(new - log_r), new, steps + 1
    # relative variances of numerator and denominator, that of the draws with their autocorrelation
    f1 = np.exp(at_proposed - np.logaddexp(log_s1 + at_proposed, log_s2 + log_r))
    f2 = np.exp(log_r - np.logaddexp(log_s1 + at_draws, log_s2 + log_r))
    by_chain = f2.reshape(second.shape[0], -1)[..., None]
    of_draws = float(convergence(by_chain).bulk_ess[0])
    effective = of_draws if np.isfinite(of_draws) else size
    variance = f1.var() / f1.mean() ** 2 / len(f1) + f2.var() / f2.mean() ** 2 / effective
    return MarginalLikelihood(log_r, float(np.sqrt(variance)), steps)


def _check_priors(fit: AbstractSampledFit) -> None:
    flat = [
        parameter.name
        for parameter in fit.problem.description.spec.parameters
        if parameter.prior_class and any(prior.name == "flat" for prior in parameter.priors)
    ]
    if flat:
        listed = ", ".join(f"`{name}`" for name in flat)
        raise ModelError(
            f"The prior of {listed} is flat, so that the likelihood has no average over it. Give a proper prior, for "
            'example prior("normal(0, 1)", class_="b"), or leave the default priors of bayesml as they are.'
        )


def bayes_factor(
    fit: AbstractSampledFit, other: AbstractSampledFit, log: bool = False, draws: int | None = None,
    seed: int | None = None,
) -> float:  # fmt: skip
    """Return the Bayes factor p(y | fit) / p(y | other), by bridge sampling of both.

    It depends on the priors of all parameters, however wide they are: see whether they say what you believe.

    Args:
        fit: the fit.
        other: another fit to the same response.
        log: whether to return its logarithm.
        draws: draws of each chain, see ``bridge_sampler``.
        seed: seed, see ``bridge_sampler``.

    Raises:
        ModelError: see ``bridge_sampler``; or the fits have different responses.

    Example:
        >>> fit.bayes_factor(fit.update(". ~ . - x"))
    """
    if not isinstance(other, AbstractSampledFit):
        raise ModelError(f"`other` is another fit with draws; got {other!r:.200}.")
    check_same_observations("`fit` and `other`", fit, other)
    difference = bridge_sampler(fit, draws, seed).logml - bridge_sampler(other, draws, seed).logml
    return difference if log else float(np.exp(difference))
