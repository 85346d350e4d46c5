"""The reference model: what its draws say of the rows of the fit, and what a smaller model should say in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import ModelError
from bayesml.keys import MU
from bayesml.results.checks.log_lik import compiled_density, log_density
from bayesml.results.predict.drawn import natural_of_rows
from bayesml.results.predict.prepare import Batch, DrawChoice, Request, batches, generators, prepare_rows
from bayesml.results.predict.rows import Rows
from bayesml.results.record.select import is_prior_only

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["Reference", "Targets", "reference_of", "similar_draws"]

ADDITIONS = ("trials", "weights")


@final
@dataclass(frozen=True)
class Targets:
    """What smaller models are projected to, ``k`` times: once for each draw or each group of similar draws.

    Attributes:
        mean: ``(k, rows)`` expected responses (of a binomial response counts), or linear predictors.
        variance: ``(k,)`` variances of a gaussian response around them, averaged over rows; 0 for other families.
        weights: ``(k,)`` shares of the draws.
    """

    mean: np.ndarray
    variance: np.ndarray
    weights: np.ndarray


@final
@dataclass(frozen=True)
class Reference:
    """Some draws of a fit at its rows.

    Attributes:
        fit: the fit.
        rows: its rows.
        choice: which draws.
        batch: their parameters and linear predictors.
        latent: whether the linear predictor is projected rather than the expected response.
    """

    fit: AbstractSampledFit
    rows: Rows
    choice: DrawChoice
    batch: Batch
    latent: bool

    @property
    def eta(self) -> np.ndarray:
        """``(draws, rows)`` linear predictors of ``mu``."""
        return np.asarray(self.batch.predictors[MU])

    @property
    def has_variance(self) -> bool:
        """Whether responses are projected that have a variance beside their mean."""
        return not self.latent and self.fit.likelihood.traits.normal

    @cached_property
    def mean(self) -> np.ndarray:
        """``(draws, rows)`` what is projected."""
        if self.latent:
            return self.eta
        natural = natural_of_rows(self.fit, self.batch, self.rows)
        return np.broadcast_to(np.asarray(self.fit.likelihood.mean(natural, self.rows.data)), self.eta.shape)

    @cached_property
    def variance(self) -> np.ndarray:
        """``(draws,)`` variances of a gaussian response; 0 where there is none."""
        if not self.has_variance:
            return np.zeros(len(self.eta))
        natural = natural_of_rows(self.fit, self.batch, self.rows)
        return np.broadcast_to(np.asarray(natural["sigma"]) ** 2, self.eta.shape).mean(axis=1)

    @cached_property
    def log_lik(self) -> np.ndarray:
        """``(draws, rows)`` log densities of the observed responses."""
        return self.log_lik_at(self.eta, None)

    def log_lik_at(self, eta: np.ndarray, sigma: np.ndarray | None) -> np.ndarray:
        """Return the log densities with other linear predictors, and another sigma of each draw where there is one."""
        values: Mapping[str, Any] = self.batch.values
        if sigma is not None:
            values = {**{name: values[name] for name in self._needed}, "sigma": sigma}
        batch = replace(self.batch, values=values, predictors={**self.batch.predictors, MU: eta})
        return log_density(self.fit, self._density, batch, self.rows)

    @cached_property
    def _density(self) -> Any:
        return compiled_density(self.fit)

    @property
    def _needed(self) -> tuple[str, ...]:
        likelihood = self.fit.likelihood
        single = tuple(p.name for p in likelihood.dpars if p.name in self.batch.values)
        return (*single, *(name for name, _ in likelihood.further))

    def at(self, newdata: Any) -> Reference:
        """Return the same draws at other rows, with their responses; unseen levels have drawn effects."""
        return _reference(self.fit, self.choice, newdata, self.latent)

    def draw_by_draw(self) -> Targets:
        """Return every draw as a target of its own."""
        count = len(self.eta)
        return Targets(self.mean, self.variance, np.full(count, 1.0 / count))

    def grouped(self, groups: np.ndarray, weights: np.ndarray | None = None) -> Targets:
        """Return averages over groups of draws; the variance is that within draws and among their means.

        Args:
            groups: ``(draws,)`` the group of each draw.
            weights: ``(draws,)`` weights of the draws; None for equal ones.
        """
        own = np.full(len(groups), 1.0 / len(groups)) if weights is None else weights
        shares = np.zeros((int(groups.max()) + 1, len(groups)))
        shares[groups, np.arange(len(groups))] = own
        total = shares.sum(axis=1)
        kept = total > 0
        W = shares[kept] / total[kept, None]
        mean = W @ self.mean
        variance = W @ self.variance
        if self.has_variance:
            variance = variance + (W @ self.mean**2 - mean**2).mean(axis=1)
        return Targets(mean, variance, total[kept] / total.sum())


def reference_of(fit: AbstractSampledFit, ndraws: int, latent: bool | None, what: str) -> Reference:
    """Return draws of a fit as a reference, spread evenly over the posterior.

    Args:
        fit: the fit.
        ndraws: how many draws; all where there are fewer.
        latent: whether linear predictors are projected; None decides by the family.
        what: the verb, for messages.

    Raises:
        ModelError: the model cannot be projected.
    """
    _check_model(fit, what)
    if isinstance(ndraws, bool) or not isinstance(ndraws, (int, np.integer)) or ndraws < 1:
        raise ModelError(f"The number of draws is a whole number of at least 1; got {ndraws!r}.")
    usable = _projects_means(fit)
    if latent is False and not usable:
        raise ModelError(
            f"{what} projects expected responses where these alone decide the distribution (gaussian, poisson, "
            "bernoulli and binomial families), mu alone has a formula, and the response has no term but trials() and "
            "weights(). Use latent=True, which projects the linear predictor."
        )
    chains, draws = fit.draws_record.n_chains, fit.draws_record.n_draws
    chosen = np.unique(np.linspace(0, chains * draws - 1, min(int(ndraws), chains * draws)).round().astype(int))
    return _reference(fit, DrawChoice(chosen, chains, draws), None, not usable if latent is None else latent)


def _reference(fit: AbstractSampledFit, choice: DrawChoice, newdata: Any, latent: bool) -> Reference:
    request = Request(newdata, new_levels="gaussian", seed=0)
    rows = prepare_rows(fit, request, response=True, weights=True)
    return Reference(fit, rows, choice, _joined(list(batches(fit, rows, choice, request))), latent)


def _joined(parts: list[Batch]) -> Batch:
    first = parts[0]
    if len(parts) == 1:
        return first
    predictors = {key: np.concatenate([part.predictors[key] for part in parts]) for key in first.predictors}
    values = {name: np.concatenate([part.values[name] for part in parts]) for name in first.values}
    return Batch(slice(0, parts[-1].where.stop), values, predictors)


def _projects_means(fit: AbstractSampledFit) -> bool:
    alone = len(fit.parsed.responses[0].predictors) == 1
    plain = all(addition.name in ADDITIONS for addition in fit.parsed.response.additions)
    return fit.likelihood.traits.divergence is not None and alone and plain


def _check_model(fit: AbstractSampledFit, what: str) -> None:
    if is_prior_only(fit):
        raise ModelError(f'The draws come from the prior alone (sample_prior="only"); {what} projects a posterior.')
    if len(fit.parsed.responses) > 1:
        raise ModelError(f"{what} is for models of one response.")
    mains = [p.name for p in fit.likelihood.dpars if p.name == "mu"]
    if not mains or fit.likelihood.event_labels:
        raise ModelError(
            f"{what} needs one linear predictor of the response, mu; the family {fit.family.name} has others. "
            "loo_compare() compares models that are fitted one by one."
        )
    if fit.parsed.responses[0].predictors[0].nonlinear is not None:
        raise ModelError(f"{what} is for sums of terms; the formula of mu is nonlinear.")
    if fit.likelihood.traits.rows_depend:
        raise ModelError(
            f"{what} is for rows that are independent given their predictors, without residual correlation."
        )


def similar_draws(reference: Reference, count: int, seed: int | None) -> np.ndarray:
    """Return groups of draws with similar linear predictors, by k-means: ``(draws,)``."""
    from scipy.cluster.vq import kmeans2

    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
        raise ModelError(f"`nclusters` is a whole number of at least 1; got {count!r}.")
    draws = len(reference.eta)
    if count == 1:
        return np.zeros(draws, dtype=int)
    if count >= draws:
        return np.arange(draws)
    centres = generators(seed)[0].choice(draws, size=int(count), replace=False)
    _, groups = kmeans2(reference.eta, reference.eta[centres], minit="matrix", missing="warn")
    return np.unique(groups, return_inverse=True)[1]
