"""A model with some of the terms of the reference model, and its projections.

The projection of a draw maximises the expected log-likelihood of responses of the reference model, which for a family
of the exponential kind is the log-likelihood at their means: the smaller model is fitted, by maximum likelihood, to
expected responses in the place of the observed ones (Goutis and Robert 1998, Biometrika 85; Piironen, Paasiniemi and
Vehtari 2020, Electronic Journal of Statistics 14; with group effects Catalina, Buerkner and Vehtari 2022, AISTATS).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, final

import numpy as np

from bayesml.engines import Problem, get_engine
from bayesml.engines.point.estimate import AbstractEstimate
from bayesml.errors import FitWarning
from bayesml.families import get_family
from bayesml.formula import bf
from bayesml.frame import Column
from bayesml.results.fits.fitting import prepared_model, run_model
from bayesml.results.predict.point_rows import point_rows
from bayesml.results.projection.candidates import Candidate, right_hand_side
from bayesml.results.projection.reference import Reference, Targets
from bayesml.results.record.fit import AbstractPointFit

__all__ = ["Projected", "ProjectedFit", "Submodel", "submodel"]

LATENT = "latent__"
NO_ERROR = 1e-2
"""Residual sd, over the sd of the target, where all terms of the reference model with draws of their own are there."""


@final
@dataclass(frozen=True, repr=False)
class ProjectedFit(AbstractPointFit):
    """A smaller model whose estimates are a projection."""


@final
@dataclass(frozen=True)
class Projected:
    """Projections of several targets.

    Attributes:
        estimates: one for each target.
        eta: ``(k, rows)`` linear predictors, with group effects.
        variance: ``(k,)`` variances of a gaussian response: that of the target and the mean squared distance from it.
        distance: ``(k,)`` Kullback-Leibler divergences from the target, averaged over rows.
    """

    estimates: tuple[AbstractEstimate, ...]
    eta: np.ndarray
    variance: np.ndarray
    distance: np.ndarray


@final
@dataclass(frozen=True)
class Submodel:
    """A model with some of the terms.

    Attributes:
        candidates: its terms.
        reference: what is projected.
        fit: the model, fitted to the first target that was seen.
    """

    candidates: tuple[Candidate, ...]
    reference: Reference
    fit: ProjectedFit

    def project(self, targets: Targets) -> Projected:
        """Project each target."""
        estimates = tuple(self._refitted(mean) for mean in targets.mean)
        eta = np.array([estimate.eta for estimate in estimates])
        left = ((targets.mean - self._mean(eta)) ** 2) @ self._shares
        return Projected(estimates, eta, targets.variance + left, self._distance(targets, self._mean(eta)))

    def eta_at(self, projected: Projected, newdata: Any, re_formula: Any = None) -> np.ndarray:
        """Return the linear predictors of new rows, ``(k, rows)``; levels that the fit has not seen have no effect."""
        if self.reference.latent:
            newdata = newdata.assign(**{LATENT: 0.0})
        fits = (self.fit.with_estimate(estimate) for estimate in projected.estimates)
        return np.array([point_rows(fit, newdata, re_formula, "zero", additions=False).eta for fit in fits])

    def distance(self, targets: Targets) -> float:
        """Return the divergence averaged over the targets."""
        if self._is_least_squares:
            Q = self._basis
            shifted = targets.mean - self._offset
            found = self._distance(targets, shifted @ Q @ Q.T + self._offset)
        else:
            found = self.project(targets).distance
        return float(targets.weights @ found)

    def _refitted(self, mean: np.ndarray) -> AbstractEstimate:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FitWarning)
            return self._first.with_response(self._problem(mean))

    def _problem(self, mean: np.ndarray) -> Problem:
        design = self.fit.problem.design
        arrays = {**design.response.arrays, "y": mean}
        return replace(self.fit.problem, design=design.with_response(arrays, design.weights))

    @cached_property
    def _first(self) -> AbstractEstimate:
        """The estimate from which projections begin; with a known sigma where targets are fitted without error."""
        first = self.reference.mean[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FitWarning)
            least = NO_ERROR * float(np.std(first))
            return self.fit.estimate.for_exact_responses(self._problem(first), least)

    def _mean(self, eta: np.ndarray) -> np.ndarray:
        """Return what stands for the target at linear predictors."""
        if self.reference.latent:
            return eta
        return np.asarray(self.fit.likelihood.link("mu").inverse(eta)) * self._trials

    @property
    def _trials(self) -> np.ndarray | float:
        data = self.reference.rows.data
        return np.asarray(data["trials"], dtype=float) if self.fit.likelihood.traits.trials else 1.0

    @cached_property
    def _shares(self) -> np.ndarray:
        """``(rows,)`` weights of the rows, whose sum is 1."""
        weights = self.reference.rows.weights
        if weights is None:
            return np.full(self.fit.nobs, 1.0 / self.fit.nobs)
        return np.asarray(weights / weights.sum())

    def _distance(self, targets: Targets, mean: np.ndarray) -> np.ndarray:
        """Return the divergence of each target.

        Of a gaussian response with variances s^2 and t^2 = s^2 + d, d the mean square, it is log(t / s), since the
        other addends, (s^2 + d) / (2 t^2) - 1/2, cancel. Without a variance it is d / 2, that of unit variances.
        """
        divergence = self.fit.likelihood.traits.divergence
        assert divergence is not None
        found = divergence(targets.mean, mean, self.reference.rows.data) @ self._shares
        known = targets.variance > 0
        return np.where(known, 0.5 * np.log1p(2.0 * found / np.where(known, targets.variance, 1.0)), found)

    @property
    def _is_least_squares(self) -> bool:
        """Whether the projection is a linear map: a gaussian model without effects of groups and curves."""
        estimate = self.fit.estimate
        likelihood = self.fit.likelihood
        normal = likelihood.traits.normal and likelihood.link("mu").name == "identity"
        # columns of mo() follow those of X, and change with its parameters
        is_linear = bool(np.all(np.asarray(estimate.kept) < estimate.arrays.X.shape[1]))
        return normal and is_linear and not estimate.effects and self.reference.rows.weights is None

    @cached_property
    def _basis(self) -> np.ndarray:
        return np.linalg.qr(self.fit.estimate.arrays.X[:, self.fit.estimate.kept])[0]

    @cached_property
    def _offset(self) -> np.ndarray | float:
        offset = self.fit.estimate.arrays.offset
        return 0.0 if offset is None else np.asarray(offset)


def submodel(reference: Reference, chosen: Sequence[Candidate]) -> Submodel:
    """Return the model with some of the terms of the reference model.

    Raises:
        ModelError: the model without these terms cannot be estimated.
    """
    fit = reference.fit
    right = right_hand_side(fit, chosen)
    if reference.latent:
        text, family = f"{LATENT} ~ {right}", get_family("gaussian")
        frame = fit.frame.replace_columns([Column(LATENT, reference.mean[0])])
    else:
        left = fit.parsed.text.partition("~")[0].strip()
        text, family, frame = f"{left} ~ {right}", fit.family, fit.frame
    recipe = replace(fit.recipe, formula=bf(text), family=family, engine=get_engine("laplace"), priors=())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        made = run_model(prepared_model(recipe, frame), time.perf_counter())
    return Submodel(tuple(chosen), reference, ProjectedFit(made.problem, made.frame, made.outcome, made.recipe))
