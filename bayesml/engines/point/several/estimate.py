"""Estimates of models whose rows have several linear predictors, thresholds, simplexes or nonlinear formulas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn, final

import numpy as np

from bayesml.delegation import delegated
from bayesml.engines.base import Problem
from bayesml.engines.generalised_mixed import GeneralisedMixedFit, Penalty
from bayesml.engines.point.answers import Approximation, Profile
from bayesml.engines.point.elements import deviations
from bayesml.engines.point.estimate import SmoothEstimate
from bayesml.engines.point.hyper import HyperCovariance
from bayesml.engines.point.mixed_estimate import AbstractMixedEstimate
from bayesml.engines.point.several.joint import SeveralJoint, square_root
from bayesml.engines.point.several.model import SeveralModel
from bayesml.engines.point.submodel import Submodel
from bayesml.errors import ModelError
from bayesml.linalg import AbstractBlock
from bayesml.names import intercept_variable, slopes_variable
from bayesml.reported import reported_variables
from bayesml.terms import AbstractGroupTerm, AbstractPopulationTerm
from bayesml.variables import ReportedVariable

__all__ = ["SeveralEstimate"]

SECTION = "Regression Coefficients"
STEP = 1e-5
UNCERTAIN, MOST_NAMED = 20.0, 5


@final
@dataclass(frozen=True)
class SeveralEstimate(AbstractMixedEstimate):
    """A model by Laplace's approximation, its group effects integrated out.

    The coefficients are all numbers of the table of regression coefficients: thresholds and the coefficients of terms
    that are not linear stand beside those of the columns of X; ``fit.beta`` has those of the columns of X alone.

    Attributes:
        model: the model.
        penalty: minus twice the log prior of a posterior mode, else None.
        of_start: the same without the group-level terms.
    """

    model: SeveralModel
    penalty: Penalty | None = None
    of_start: Penalty | None = None

    eta = delegated("fit")

    @classmethod
    def of(
        cls,
        model: SeveralModel,
        method: str,
        fit: GeneralisedMixedFit,
        penalty: Penalty | None = None,
        of_start: Penalty | None = None,
    ) -> SeveralEstimate:
        """Return the estimate of a fit."""
        return cls(model.problem, model.arrays, method, fit, model, penalty, of_start)

    @property
    def has_one_predictor(self) -> bool:
        """It has more than that."""
        return False

    # The coefficients ------------------------------------------------------------------------------------------------

    @cached_property
    def _coefficient_variables(self) -> tuple[ReportedVariable, ...]:
        variables = reported_variables(self.problem.description.spec, self.problem.design.schema)
        return tuple(v for v in variables if v.section == SECTION)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Labels of all coefficients."""
        return tuple(label for v in self._coefficient_variables for label in v.printed)

    @cached_property
    def _all_texts(self) -> tuple[str, ...]:
        return tuple(text for v in self._coefficient_variables for _, text in v.texts)

    @property
    def kept_columns(self) -> np.ndarray:
        """Columns of X in the model."""
        return self.fit.kept

    @cached_property
    def column_places(self) -> np.ndarray:
        """Place of each column of X among all coefficients."""
        return np.array([self._all_texts.index(text) for text in self.arrays.texts], dtype=int)

    @cached_property
    def kept(self) -> np.ndarray:
        """Places of the coefficients that are in the model."""
        return np.setdiff1d(np.arange(len(self.labels)), self.column_places[self.fit.dropped])

    @property
    def texts(self) -> tuple[str, ...]:
        """Text names of ``beta``."""
        return tuple(self._all_texts[j] for j in self.kept)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Labels of the coefficients that were left out."""
        return tuple(self.arrays.coefs[j] for j in self.fit.dropped)

    @property
    def full_beta(self) -> np.ndarray:
        """All coefficients, 0 for those left out."""
        return self._coefficients(self.column_coefficients(self.fit.beta), self.fit.psi)

    @property
    def beta(self) -> np.ndarray:
        """``(kept,)`` coefficients."""
        return self.full_beta[self.kept]

    def column_coefficients(self, beta: np.ndarray) -> np.ndarray:
        """Return coefficients of all columns of X, 0 for those left out."""
        full = np.zeros((*beta.shape[:-1], len(self.arrays.coefs)))
        full[..., self.fit.kept] = beta
        return full

    def _coefficients(self, columns: np.ndarray, psi: np.ndarray) -> np.ndarray:
        values = self.reported(columns, self.model.response.singles.natural(psi))
        return np.concatenate([np.zeros(0), *(np.ravel(values[v.name]) for v in self._coefficient_variables)])

    def reported(self, columns: np.ndarray, singles: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the reported variables but those of group effects.

        Args:
            columns: coefficients of all columns of X.
            singles: the parameters in psi on their natural scale.
        """
        values = dict(singles)
        for each in self.problem.likelihood.computed:
            values[each.target.name] = np.asarray(each.prior.value(each.target, values))
        values |= self.arrays.by_variable(columns)
        for part in self.model.response.slots.columns():
            term = part.term
            if isinstance(term, AbstractPopulationTerm) and term.thresholds:
                slopes = values.get(part.part.variable, np.zeros(0))
                intercept = intercept_variable(term.predictor)
                sampled = {slopes_variable(term.predictor): slopes, intercept: values[intercept]}
                values |= term.derive(sampled)
        for _, function in self.model.response.model.functions:
            values |= function.derive(values)  # the thresholds
        for slot, other in self.model.response.slots.others():
            values |= other.derived(values, self.problem.design.arrays[slot.key][other.key])
        values |= self.problem.likelihood.derive(values)
        return {name: np.asarray(value, dtype=float) for name, value in values.items()}

    @cached_property
    def _jacobian(self) -> np.ndarray:
        """``(coefs, p + m)`` derivatives of the kept coefficients in beta and psi, by central differences."""
        p, m = len(self.fit.beta), len(self.fit.psi)
        out = np.zeros((len(self.kept), p + m))
        singles, natural = self.model.response.singles, self.natural

        def at(beta: np.ndarray, values: Mapping[str, np.ndarray]) -> np.ndarray:
            found = self.reported(self.column_coefficients(beta), values)
            every = np.concatenate([np.zeros(0), *(np.ravel(found[v.name]) for v in self._coefficient_variables)])
            return every[self.kept]

        zero = at(np.zeros(p), natural)
        for j in range(p):  # linear in beta
            out[:, j] = at(np.eye(p)[j], natural) - zero
        for k in range(m):
            step = STEP * np.eye(m)[k]
            ends = [at(self.fit.beta, singles.natural(self.fit.psi + sign * step)) for sign in (1.0, -1.0)]
            out[:, p + k] = (ends[0] - ends[1]) / (2.0 * STEP)
        return out

    @cached_property
    def parameter_covariance(self) -> np.ndarray:
        """``(p + m, p + m)`` covariance matrix of the coefficients of X and psi."""
        own = slice(len(self.fit.theta), None)
        return np.nan_to_num(self.fit.covariance[own, own])

    @cached_property
    def vcov(self) -> np.ndarray:
        """Covariance matrix of the coefficients; NaN for those that depend on what has no standard error."""
        matrix = self._jacobian @ self.parameter_covariance @ self._jacobian.T
        own = np.diagonal(self.fit.covariance)[len(self.fit.theta) :]
        unknown = self._jacobian[:, np.isnan(own)].any(axis=1)
        return np.where(np.logical_or.outer(unknown, unknown), np.nan, matrix)

    @property
    def vcov_root(self) -> np.ndarray:
        """A square root of it."""
        return self._jacobian @ square_root(self.parameter_covariance)

    @property
    def unbounded(self) -> np.ndarray:
        """None are looked for."""
        return np.zeros((len(self.kept), 0))

    # The effects -----------------------------------------------------------------------------------------------------

    @property
    def written_groups(self) -> tuple[tuple[tuple[AbstractGroupTerm, np.ndarray], ...], ...]:
        """The group-level terms of all predictors, by the blocks of ``groups``."""
        return tuple(entries for block in self.model.response.slots.blocks() if (entries := block.entries))

    def mixed_variances(self, place: int, root: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Return the conditional covariances of effects of levels with known covariances."""
        return self.several_joint.mixed_variances(place, root, own)

    @property
    def smooths(self) -> tuple[SmoothEstimate, ...]:
        """The curves."""
        first, X = len(self.arrays.terms), self.arrays.X[:, self.fit.kept]
        kept = {self.arrays.texts[j] for j in self.fit.kept}
        return tuple(
            SmoothEstimate(
                own,
                float(self.factors[place][0, 0]),
                self.several_joint.effective_degrees(place, X) + sum(text in kept for text in own.unpenalised),
            )
            for place, own in enumerate(self.arrays.smooths, start=first)
        )

    @cached_property
    def eta_population(self) -> np.ndarray:
        """``(d rows,)`` linear predictors without group effects, for thresholds of centred predictors."""
        eta = self.arrays.X @ self.column_coefficients(self.fit.beta)
        for own, block, effects in zip(self.arrays.effects, self.arrays.blocks, self.effects, strict=True):
            eta = eta if own.has_levels else eta + block.contribution(effects)
        return eta if self.arrays.offset is None else eta + self.arrays.offset

    @cached_property
    def several_joint(self) -> SeveralJoint:
        """The joint normal approximation of coefficients, psi and effects."""
        density = self.model.response.derivatives(self.fit.eta, self.fit.psi)
        X = self.arrays.X[:, self.fit.kept]
        slopes = np.concatenate([density.information.times(X.T), -density.mixed])
        covariance = self.parameter_covariance
        return SeveralJoint(
            self.arrays.blocks, self.factors, density.information, slopes, covariance, square_root(covariance)
        )

    @cached_property
    def natural(self) -> dict[str, np.ndarray]:
        """The parameters in psi on their natural scale."""
        return self.model.response.singles.natural(self.fit.psi)

    @cached_property
    def auxiliary(self) -> Mapping[str, float]:
        """Family parameters that are single numbers."""
        own = {v.name for v in reported_variables(self.problem.description.spec, self.problem.design.schema)
               if v.kind == "family"}  # fmt: skip
        return {name: float(value) for name, value in self.natural.items() if name in own and np.ndim(value) == 0}

    @property
    def values(self) -> dict[str, np.ndarray]:
        """Every reported variable at the estimate."""
        found = self.reported(self.column_coefficients(self.fit.beta), self.natural)
        for own, factor, effects in zip(self.arrays.effects, self.factors, self.effects, strict=True):
            found |= own.hyperparameters(*deviations(factor)) | own.coefficients(effects)
        return found

    @property
    def messages(self) -> tuple[str, ...]:
        """Everything else."""
        found = list(AbstractMixedEstimate.messages.fget(self))  # type: ignore[attr-defined]
        if self.penalty is None and (uncertain := self._uncertain()):
            found.append(
                f"the likelihood hardly falls as the coefficients of {', '.join(uncertain)} go to infinity "
                "(separation): they may have no maximum-likelihood estimate, the numbers shown are where the search "
                'stopped. Give them a prior (method="map"), or leave them out'
            )
        if self.problem.likelihood.traits.several_modes:
            found.append(
                "the likelihood of a mixture has several maxima: this is the highest that was found from many starts, "
                'and standard errors describe it alone; method="nuts" looks at the whole posterior'
            )
        return tuple(found)

    def _uncertain(self) -> list[str]:
        """Return the coefficients whose errors are far beyond what a link tells apart, at most a few."""
        likelihood, names, start = self.problem.likelihood, [], 0
        errors = np.zeros(len(self.arrays.coefs))
        errors[self.fit.kept] = np.sqrt(np.nan_to_num(np.maximum(np.diagonal(self.fit.vcov), 0.0)))
        size = np.sqrt((self.arrays.X**2).sum(axis=0) / self.problem.design.n_rows)
        for part in self.model.response.slots.columns():
            own = part.term.predictor
            linked = not own.nlpar and likelihood.chosen_link(likelihood.name_of(own)).name != "identity"
            for label in part.labels:
                if linked and errors[start] * size[start] > UNCERTAIN:
                    names.append(f"`{label}`")
                start += 1
        return names[:MOST_NAMED]

    @property
    def log_prior(self) -> float | None:
        """Log density of the prior at the mode."""
        return None if self.penalty is None else -0.5 * self.fit.penalty

    @property
    def approximation(self) -> Approximation | None:
        """Laplace's; None without group effects."""
        return Approximation(1, "observed") if self.arrays.blocks else None

    def hyper_covariance(self) -> HyperCovariance:
        """Return the covariance of theta and of the single distributional parameters on the scale of their links."""
        singles = self.model.response.singles
        names = tuple(p.name for p in singles.coordinates.dpars)
        at = singles.center[: len(names)] + self.fit.psi[: len(names)]
        return self.covariance_of(np.concatenate([self.fit.theta, at]), names)

    def with_response(self, problem: Problem) -> SeveralEstimate:
        """Fit the same model to another response."""
        model = self.model.for_response(problem)
        found = model.fitted(self.penalty, self.of_start)
        return SeveralEstimate.of(model, self.method, found, self.penalty, self.of_start)

    @property
    def row_information(self) -> np.ndarray:
        """Not one number for each row."""
        self._refuse("The information of a row")

    def refit_columns(self, X: np.ndarray, blocks: Sequence[AbstractBlock]) -> Submodel:
        """Not available: terms are left out by ``fit.update``."""
        self._refuse("Leaving out terms")

    def profile(self) -> Profile:
        """Not available."""
        self._refuse("A profile of the likelihood")

    def _refuse(self, what: str) -> NoReturn:
        raise ModelError(f"{what} is for models in which mu alone has a formula.")
