"""What every point estimate answers, whichever numerics found it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from bayesml.engines.base import Problem
from bayesml.engines.point.answers import Approximation, LinearTests, NormalRows, Profile
from bayesml.engines.point.arrays import PointArrays
from bayesml.engines.point.elements import deviations
from bayesml.engines.point.hyper import HyperCovariance
from bayesml.engines.point.joint import JointEffects, NewRows
from bayesml.engines.point.submodel import Submodel
from bayesml.engines.point.unbounded import combination_errors
from bayesml.linalg import AbstractBlock
from bayesml.posterior import AbstractPosterior, StoredEstimate
from bayesml.terms import AbstractGroupTerm, EffectBlock, group_terms

__all__ = ["AbstractEstimate", "GroupEstimate", "LevelEffects", "SmoothEstimate"]


@final
@dataclass(frozen=True)
class GroupEstimate:
    """What is estimated of one group-level term.

    Attributes:
        term: the term, with the columns of its block.
        block: its rows.
        factor: lower-triangular Lambda, ``(q, q)``.
        effects: conditional modes, ``(levels, q)``.
        variances: their conditional covariances, ``(levels, q, q)``.
    """

    term: AbstractGroupTerm
    block: AbstractBlock
    factor: np.ndarray
    effects: np.ndarray
    variances: np.ndarray


@final
@dataclass(frozen=True)
class LevelEffects:
    """The effects of one group-level term as users see them.

    Attributes:
        term: the term.
        effects: conditional modes, ``(levels, coefs)``.
        variances: their conditional covariances, ``(levels, coefs, coefs)``.
    """

    term: AbstractGroupTerm
    effects: np.ndarray
    variances: np.ndarray


@final
@dataclass(frozen=True)
class SmoothEstimate:
    """What is estimated of one curve, beside its coefficients.

    Attributes:
        effects: its block.
        sd: standard deviation of the penalised coefficients.
        degrees: effective degrees of freedom, those of the columns without a penalty included.
    """

    effects: EffectBlock
    sd: float
    degrees: float


@dataclass(frozen=True)
class AbstractEstimate(AbstractPosterior):
    """Estimates of a model with one linear predictor, eta = offset + X beta + Z b, b = Lambda u, u ~ N(0, I).

    Attributes:
        problem: the described model with its data.
        arrays: its arrays.
        method: ``reml``, ``ml``, ``laplace`` or ``map``.
    """

    problem: Problem
    arrays: PointArrays
    method: str

    @property
    @abstractmethod
    def kept(self) -> np.ndarray:
        """Columns of X that are in the model; the others are linear combinations of earlier ones."""

    @property
    def kept_columns(self) -> np.ndarray:
        """Columns of X that are in the model, where other coefficients stand beside those of X."""
        return self.kept

    @property
    def column_places(self) -> np.ndarray:
        """Places of the columns of X among ``labels``."""
        return np.arange(len(self.labels))

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of all coefficients, those without a column in the model among them."""
        return self.arrays.coefs

    @property
    def has_one_predictor(self) -> bool:
        """Whether the linear predictor of mu is all that has a formula, and every other parameter is one number."""
        return True

    @property
    @abstractmethod
    def beta(self) -> np.ndarray:
        """``(kept,)`` coefficients."""

    @property
    @abstractmethod
    def vcov(self) -> np.ndarray:
        """``(kept, kept)`` their covariance matrix; of combinations that ``unbounded`` does not touch."""

    @property
    @abstractmethod
    def vcov_root(self) -> np.ndarray:
        """``(kept, kept)`` B with ``B B' = vcov``: a combination c of coefficients has variance ``|c B|^2``."""

    @property
    @abstractmethod
    def unbounded(self) -> np.ndarray:
        """``(kept, r)`` directions of the coefficients without a finite estimate (separation); mostly none."""

    @property
    def at_bounds(self) -> frozenset[str]:
        """Names of the parameters that lie at a bound of their priors; none but for a posterior mode."""
        return frozenset()

    @property
    def held(self) -> np.ndarray:
        """``(r, kept)`` combinations of the coefficients that lie at a bound."""
        return np.zeros((0, len(self.kept)))

    @property
    @abstractmethod
    def factors(self) -> tuple[np.ndarray, ...]:
        """Lower-triangular Lambda of each block, ``(q, q)``, on the scale of eta."""

    @property
    @abstractmethod
    def effects(self) -> tuple[np.ndarray, ...]:
        """Conditional modes b of each block, ``(vectors, q)``."""

    @property
    @abstractmethod
    def variances(self) -> tuple[np.ndarray, ...]:
        """Conditional covariances of the vectors of each block, ``(vectors, q, q)``."""

    @property
    @abstractmethod
    def auxiliary(self) -> Mapping[str, float]:
        """Estimated family parameters (``sigma``, ``shape``, ...) on their natural scale."""

    @property
    @abstractmethod
    def log_likelihood(self) -> float:
        """Marginal log-likelihood with all constants; the REML log-likelihood for REML."""

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """Number of estimated parameters: coefficients, variances and covariances, family parameters."""

    @property
    @abstractmethod
    def singular(self) -> tuple[str, ...]:
        """One sentence for each component of variance that is estimated as zero."""

    @property
    @abstractmethod
    def messages(self) -> tuple[str, ...]:
        """What else the user should know, one sentence each."""

    @property
    @abstractmethod
    def row_information(self) -> np.ndarray:
        """``(rows,)`` minus the second derivative of each row's log density in eta, at the estimate."""

    @abstractmethod
    def hyper_covariance(self) -> HyperCovariance:
        """Return the covariance of variance and family parameters, and of these with the coefficients."""

    @abstractmethod
    def with_response(self, problem: Problem) -> AbstractEstimate:
        """Return the estimate for the same model with another response."""

    @abstractmethod
    def stored(self) -> StoredEstimate:
        """Return what a file needs to hold so that the estimate can be restored with its problem."""

    def for_exact_responses(self, problem: Problem, least: float) -> AbstractEstimate:
        """Return an estimate from which to refit to responses that the model may fit without error.

        Args:
            problem: the model with such a response.
            least: the smallest residual sd that is estimated.
        """
        return self

    @abstractmethod
    def refit_columns(self, X: np.ndarray, blocks: Sequence[AbstractBlock]) -> Submodel:
        """Fit the response to other columns by the same method.

        Args:
            X: ``(rows, coefs)`` population-level columns.
            blocks: group-level terms, possibly none.
        """

    @abstractmethod
    def profile(self) -> Profile:
        """Return what profiles the likelihood; of a REML estimate that of maximum likelihood."""

    def by_maximum_likelihood(self) -> AbstractEstimate:
        """Return the estimate by maximum likelihood; itself but for REML."""
        return self

    @property
    def is_reml(self) -> bool:
        """Whether the REML criterion was minimised."""
        return False

    @property
    def t_tests(self) -> LinearTests | None:
        """Tests with finite degrees of freedom; None where statistics are normal."""
        return None

    @property
    def normal_rows(self) -> NormalRows | None:
        """The rows of a response that is normal around the linear predictor; None for all other models."""
        return None

    @property
    def approximation(self) -> Approximation | None:
        """How the likelihood is approximated; None where it is exact."""
        return None

    @property
    def log_prior(self) -> float | None:
        """Log density of the prior at the estimate; None for a maximum of the likelihood."""
        return None

    @property
    def runaway(self) -> np.ndarray:
        """``(2, kept)`` whether each coefficient may go to minus and to plus infinity without loss of likelihood."""
        return np.zeros((2, len(self.kept)), dtype=bool)

    @property
    def leverages(self) -> np.ndarray:
        """``(rows,)`` derivative of each fitted value in its own working response, group effects included."""
        rows = NewRows(self.arrays.X, self.arrays.blocks)
        with np.errstate(invalid="ignore"):  # NaN where separation leaves neither information nor a finite error
            return np.clip(self.row_information * self.joint.standard_errors(rows) ** 2, 0.0, 1.0)

    @property
    def standard_errors(self) -> np.ndarray:
        """``(kept,)`` of the coefficients."""
        return combination_errors(np.eye(len(self.beta)), self.vcov, self.unbounded, self.held)

    @cached_property
    def eta_population(self) -> np.ndarray:
        """``(rows,)`` linear predictor without group effects."""
        eta = self.arrays.X[:, self.kept] @ self.beta
        for own, block, effects in zip(self.arrays.effects, self.arrays.blocks, self.effects, strict=True):
            eta = eta if own.has_levels else eta + block.contribution(effects)
        return eta if self.arrays.offset is None else eta + self.arrays.offset

    @cached_property
    def eta(self) -> np.ndarray:
        """``(rows,)`` linear predictor with group effects."""
        total = self.eta_population
        for own, block, effects in zip(self.arrays.effects, self.arrays.blocks, self.effects, strict=True):
            total = total + block.contribution(effects) if own.has_levels else total
        return total

    @property
    def groups(self) -> tuple[GroupEstimate, ...]:
        """The group-level terms, in the order of the formula."""
        arrays, count = self.arrays, len(self.arrays.terms)
        parts = (arrays.blocks[:count], self.factors[:count], self.effects[:count], self.variances[:count])
        return tuple(GroupEstimate(*each) for each in zip(arrays.terms, *parts, strict=True))

    @property
    def written_groups(self) -> tuple[tuple[tuple[AbstractGroupTerm, np.ndarray], ...], ...]:
        """For each of ``groups`` its terms as they are written, with ``(levels, coefs)`` places of their effects."""
        return tuple(((t, t.own_entries),) for t in group_terms(self.problem.design.schema.predictors[0].terms))

    @property
    def level_effects(self) -> tuple[LevelEffects, ...]:
        """The effects of the group-level terms, in the order of the formula; of strata those of the level's own."""
        found = []
        for place, (written, group) in enumerate(zip(self.written_groups, self.groups, strict=True)):
            known = self.arrays.effects[place].known
            for term, own in written:
                places, effects, spread = own, np.take_along_axis(group.effects, own, axis=1), group.variances
                if known is not None:
                    effects, spread = known.root @ effects, self.mixed_variances(place, known.root, own)
                    places = np.tile(np.arange(own.shape[1]), (len(own), 1))
                rows = np.take_along_axis(spread, places[:, :, None], axis=1)
                found.append(LevelEffects(term, effects, np.take_along_axis(rows, places[:, None, :], axis=2)))
        return tuple(found)

    def mixed_variances(self, place: int, root: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Return the conditional covariances of effects of levels with known covariances."""
        return self.joint.mixed_variances(place, root, own)

    @property
    def smooths(self) -> tuple[SmoothEstimate, ...]:
        """The curves, in the order of the formula."""
        arrays, first = self.arrays, len(self.arrays.terms)
        kept = {arrays.texts[j] for j in self.kept}
        return tuple(
            SmoothEstimate(
                own,
                float(self.factors[place][0, 0]),
                self.joint.effective_degrees(place) + sum(text in kept for text in own.unpenalised),
            )
            for place, own in enumerate(arrays.smooths, start=first)
        )

    @property
    def dropped(self) -> tuple[str, ...]:
        """Labels of the columns of X that were left out."""
        kept = set(self.kept.tolist())
        return tuple(label for j, label in enumerate(self.arrays.coefs) if j not in kept)

    @property
    def coefs(self) -> tuple[str, ...]:
        """Labels of ``beta``."""
        return tuple(self.labels[j] for j in self.kept)

    @property
    def texts(self) -> tuple[str, ...]:
        """Text names of ``beta``."""
        return tuple(self.arrays.texts[j] for j in self.kept)

    @property
    def full_beta(self) -> np.ndarray:
        """Coefficients of all columns of X, 0 for those left out."""
        full = np.zeros(len(self.arrays.coefs))
        full[self.kept] = self.beta
        return full

    @cached_property
    def joint(self) -> JointEffects:
        """The joint normal approximation of coefficients and group effects given the variance parameters."""
        return JointEffects.of(
            self.arrays, self.factors, self.row_information, self.kept, self.vcov, self.vcov_root, self.unbounded
        )

    @property
    def values(self) -> dict[str, np.ndarray]:
        """Every reported variable at the estimate: ``b``, ``sd_Subject``, ``cor_Subject``, ``r_Subject``, ``sigma``."""
        found = self.arrays.by_variable(self.full_beta)
        for own, factor, effects in zip(self.arrays.effects, self.factors, self.effects, strict=True):
            found |= own.hyperparameters(*deviations(factor)) | own.coefficients(effects)
        return found | {name: np.asarray(value) for name, value in self.auxiliary.items()}
