r"""Posterior-scaled coordinates of group effects and coefficients: each centred and scaled by what the data say of it.

Near a pilot the likelihood of a linear predictor is nearly normal: working responses of working precisions W. With the
effects of several group terms stacked, ``u = Lambda z`` and z standard normal, the coefficients b standardised by their
priors (approximately normal), and D the columns of both, z and b are then normal given the group covariances, with
precision ``K = I + [Lambda 0; 0 I]' D' W D [Lambda 0; 0 I]`` and a mean m that follows from the working responses.
Sampling moves in zeta,

    (z, b) = m + C^-T zeta,    K = C C',    log |d(z, b) / d zeta| = -1/2 log |K|,

an exact change of variables whatever the pilot: non-centred where a level has no data, centred where it has much. K is
that of all terms together. Each for itself they would compete: what one factor explains the other need not, and how
they share depends on the sds, so that no linear map takes it out. The same holds for coefficients, whose distribution
is as wide as the sds of few levels allow. In this form sd = 0 is an ordinary point.

K is factored as in the collapsed form: a chain of nested factors level by level, then a dense remainder of factors that
cross the chain, and coefficients (``gaussian.elimination``).

Related: Kleppe (2019, dynamically rescaled HMC), Osmundsen, Kleppe & Liesenfeld (2021, transport maps).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from jax import numpy as jnp

from bayesml import names
from bayesml.engines.nuts.forms.gaussian.algebra import (
    Matrix,
    gaussian_point,
    inner,
    lower_times,
    transposed_half_solve,
)
from bayesml.engines.nuts.forms.gaussian.coefficients import joined, separated
from bayesml.engines.nuts.forms.gaussian.covariances import covariance_factor
from bayesml.engines.nuts.forms.gaussian.elimination import Corner, Parameters, Solved, eliminate
from bayesml.engines.nuts.forms.gaussian.statistics import Arrangement, Stage, Statistics
from bayesml.spec import ParameterSpec
from bayesml.terms import AbstractGroupTerm
from bayesml.terms.gather import at_rows

__all__ = ["ScaledTerms"]

Array = Any
FEW = 4
"""Sums of up to so many rows are written out."""


@final
@dataclass(frozen=True)
class ScaledTerms:
    """The change of variables of group terms and coefficients of one linear predictor.

    Attributes:
        terms: the group terms.
        arrangement: the order of their elimination.
        standardised: population-level coefficients that change with them.
        followed: population-level coefficients that stay as they are, and that the effects follow.
    """

    terms: tuple[AbstractGroupTerm, ...]
    arrangement: Arrangement
    standardised: tuple[ParameterSpec, ...] = ()
    followed: tuple[ParameterSpec, ...] = ()

    @property
    def key(self) -> str:
        """Name of the sums of these terms among the data."""
        return f"{names.predictor_name(self.terms[0].predictor)}:{'+'.join(term.key for term in self.terms)}"

    def transform(self, values: Mapping[str, Array], sums: Statistics) -> tuple[dict[str, Array], Array]:
        """Return z ``(q, levels)`` of each term and the coefficients, and the log Jacobian determinant.

        Args:
            values: every site, zeta in the place of z and of the standardised coefficients.
            sums: of the working responses.
        """
        factors = tuple(covariance_factor(term.effect_blocks()[0], values) for term in self.terms)
        parameters = Parameters(factors, None, joined(self.followed, values))
        _, solved, corner = eliminate(sums, self.arrangement, parameters)
        changed, beside, log_jacobian = self._remainder(values, factors, corner, sums)
        above: list[list[Array]] = []
        for place in reversed(range(len(solved))):
            number = self.arrangement.chain[place]
            name = _z_name(self.terms[number])
            z = _stage_point(values[name], solved[place], sums.stages[place], above, beside)
            above.insert(0, lower_times(factors[number], z))
            changed[name] = jnp.stack(z)
        return changed, log_jacobian - corner.halves

    def _remainder(
        self, values: Mapping[str, Array], factors: Sequence[Matrix], corner: Corner, sums: Statistics
    ) -> tuple[dict[str, Array], Array, Array]:
        """Return the values of tail and coefficients, what multiplies their columns, and the log Jacobian."""
        tail = [(self.terms[i], factors[i]) for i in self.arrangement.tail]
        parts = [jnp.reshape(values[_z_name(term)], (-1,)) for term, _ in tail]
        zeta = jnp.concatenate([*parts, joined(self.standardised, values)])
        if not zeta.shape[0]:
            return {}, zeta, jnp.zeros(())
        point, _, halves = gaussian_point(corner.precision, corner.linear, zeta)
        changed: dict[str, Array] = {}
        multipliers, first = [], 0
        for term, factor in tail:
            shape = values[_z_name(term)].shape
            z = point[first : first + shape[0] * shape[1]].reshape(shape)
            changed[_z_name(term)] = z
            multipliers += lower_times(factor, z)
            first += shape[0] * shape[1]
        coefficients = sums.center.base + sums.center.scale * point[first:]
        return (
            changed | separated(self.standardised, coefficients),
            jnp.concatenate([*multipliers, point[first:]]),
            -halves,
        )


def _z_name(term: AbstractGroupTerm) -> str:
    return names.standardised_variable(term.name, term.predictor)


def _stage_point(
    zeta: Array, solved: Solved, stage: Stage, above: Sequence[Sequence[Array]], beside: Array
) -> list[Array]:
    """Return z of one factor: ``C^-T (C^-1 Lambda' [response - upper u - design v] + zeta)``."""
    rest = [solved.response[a] + zeta[a] for a in range(zeta.shape[0])]
    if beside.shape[0]:
        rest = [r - _weighted(beside, rows) for r, rows in zip(rest, solved.design, strict=True)]
    for upper, parents, effects in zip(solved.upper, stage.parents, above, strict=True):
        here = [at_rows(effect, parents) for effect in effects]
        rest = [r - inner(rows, here) for r, rows in zip(rest, upper, strict=True)]
    return transposed_half_solve(solved.factor, rest)


def _weighted(numbers: Array, rows: Array) -> Array:
    """Return the sum of rows ``(d, J)``, each times a number."""
    d = numbers.shape[0]
    return inner([numbers[i] for i in range(d)], [rows[i] for i in range(d)]) if d <= FEW else numbers @ rows
