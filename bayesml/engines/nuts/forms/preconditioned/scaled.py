r"""Posterior-scaled coordinates of effects and coefficients: each centred and scaled by what the data say of it.

Near a pilot the likelihood of a linear predictor is nearly normal: working responses of working precisions W. Stack the
effects of group-level terms and smooths, ``u = Lambda z`` with z standard normal, and the coefficients b, standardised
by their priors (approximately normal), and let D hold the columns of both. Given the covariance matrices of the
effects, z and b are then normal with precision ``K = I + [Lambda 0; 0 I]' D' W D [Lambda 0; 0 I]`` and a mean m that
follows from the working responses. Where effects of several predictors are correlated, the rows of D are those of one
predictor after the other, and W has the working precisions of each. Sampling moves in zeta,

    (z, b) = m + C^-T zeta,    K = C C',    log |d(z, b) / d zeta| = -1/2 log |K|,

an exact change of variables whatever the pilot: non-centred where a level has no data, centred where it has much. K is
that of all terms together. Scaled one by one, terms would compete: what one explains the others need not, and how they
share depends on the sds, so that no linear map takes it out. The same holds for coefficients, whose distribution is as
wide as the sds of few levels allow. In this form sd = 0 is an ordinary point.

K is factored as in the collapsed form: a chain of nested factors level by level, then a dense remainder of factors that
cross the chain, the coefficients of smooths, and population-level coefficients (``gaussian.elimination``).

Related: Kleppe (2019, dynamically rescaled HMC), Osmundsen, Kleppe & Liesenfeld (2021, transport maps).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from jax import numpy as jnp

from bayesml.engines.log_prior import parameter_values
from bayesml.engines.nuts.forms.gaussian.algebra import (
    gaussian_point,
    lower_times,
)
from bayesml.engines.nuts.forms.gaussian.coefficients import joined, separated
from bayesml.engines.nuts.forms.gaussian.covariances import covariance_factor
from bayesml.engines.nuts.forms.gaussian.elimination import Corner, Parameters, eliminate
from bayesml.engines.nuts.forms.gaussian.statistics import Arrangement, Statistics
from bayesml.engines.nuts.forms.gaussian.substitution import stage_point
from bayesml.keys import PredictorKey
from bayesml.processes.exact import PlaceCovariance
from bayesml.spec import ParameterSpec
from bayesml.terms import SampledBlock
from bayesml.terms.sampled import PROCESS

if TYPE_CHECKING:
    from bayesml.engines.nuts.forms.gaussian.shapes import Matrix, Rows, Tail
    from bayesml.shapes import Numbers, Scalar, Values

__all__ = ["ScaledBlocks", "in_own_basis", "process_bases", "with_values"]

FEW = 4
"""Sums of up to so many rows are written out."""


@final
@dataclass(frozen=True)
class ScaledBlocks:
    """The change of variables of effects and coefficients.

    Attributes:
        blocks: the effects; of those in the tail, blocks without levels come last.
        arrangement: the order of their elimination. A block without levels has one entry for each of its vectors.
        hyperparameters: standard deviations and Cholesky factors of correlations.
        turned: the block whose coefficients are rotated, see ``gaussian.rotation``; None for none.
        standardised: population-level coefficients that change with them.
        followed: population-level coefficients that stay as they are, and that the effects follow.
    """

    blocks: tuple[SampledBlock, ...]
    arrangement: Arrangement
    hyperparameters: tuple[ParameterSpec, ...]
    turned: int | None = None
    standardised: tuple[ParameterSpec, ...] = ()
    followed: tuple[ParameterSpec, ...] = ()

    @property
    def key(self) -> str:
        """Name of the sums of these blocks among the data."""
        return "+".join(block.site for block in self.blocks)

    @property
    def structure(self) -> tuple[object, ...]:
        """What a program depends on: all but the numbers of priors."""
        parts = (self.hyperparameters, self.standardised, self.followed)
        return (self.blocks, self.arrangement, self.turned, *(tuple(p.structure for p in part) for part in parts))

    @property
    def predictors(self) -> tuple[PredictorKey, ...]:
        """The predictors that these effects and coefficients enter."""
        keys = [key for block in self.blocks for key in block.predictors]
        return tuple(dict.fromkeys([*keys, *(p.predictor for p in self.standardised + self.followed)]))

    def transform(
        self, values: Values, sums: Statistics, turn: Matrix | None = None, bases: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Numbers], Scalar]:
        """Return z of each block and the coefficients, and the log Jacobian determinant.

        Args:
            values: every site, zeta in the place of z and of the standardised coefficients.
            sums: of the working responses.
            turn: U of the rotated block.
            bases: of the roots of covariance matrices, see ``process_bases``. z is then in that of its block.
        """
        scales = {**parameter_values(self.hyperparameters, values), **(bases or {})}
        factors = tuple(covariance_factor(block, scales) for block in self.blocks)
        parameters = Parameters(factors, None, joined(self.followed, values))
        _, solved, corner = eliminate(sums, self.arrangement, parameters)
        changed, beside, log_jacobian = self._remainder(values, factors, corner, sums)
        above: list[Rows] = []
        for place in reversed(range(len(solved))):
            number = self.arrangement.chain[place]
            name = self.blocks[number].site
            block = self.blocks[number]
            zeta = jnp.reshape(values[name], (block.q, block.vectors))
            z = stage_point(zeta, solved[place], sums.stages[place], above, beside, None)
            above.insert(0, lower_times(factors[number], z))
            changed[name] = jnp.stack(z) if number != self.turned else jnp.reshape(turn @ z[0], values[name].shape)
        return changed, log_jacobian - corner.halves

    def _remainder(
        self, values: Values, factors: Sequence[Matrix], corner: Corner, sums: Statistics
    ) -> tuple[dict[str, Numbers], Tail, Scalar]:
        """Return the values of tail and coefficients, what multiplies their columns, and the log Jacobian."""
        tail = [(self.blocks[i], factors[i]) for i in self.arrangement.tail]
        parts = [jnp.reshape(values[block.site], (-1,)) for block, _ in tail]
        zeta = jnp.concatenate([*parts, joined(self.standardised, values)])
        if not zeta.shape[0]:
            return {}, zeta, jnp.zeros(())
        point, _, halves = gaussian_point(corner.precision, corner.linear, zeta)
        changed: dict[str, Numbers] = {}
        multipliers, first = [], 0
        for block, factor in tail:
            z = point[first : first + block.size].reshape(block.q, block.vectors)
            changed[block.site] = z if block.has_levels else z[0]
            if jnp.ndim(factor[0][0]) < 2:
                multipliers += lower_times(factor, z)
            else:
                multipliers.append(factor[0][0] @ z[0])
                changed[_values_of(block)] = multipliers[-1]
            first += block.size
        coefficients = sums.center.base + sums.center.scale * point[first:]
        return (
            changed | separated(self.standardised, coefficients),
            jnp.concatenate([*multipliers, point[first:]]),
            -halves,
        )


def _values_of(block: SampledBlock) -> str:
    return f"values of {block.site}"


def process_bases(scaled: Iterable[ScaledBlocks], values: Values) -> dict[str, np.ndarray]:
    """Return a basis for the root of the covariance matrix of each exact process at some values of the parameters."""
    blocks = (block for together in scaled for block in together.blocks)
    shapes = [block.shape for block in blocks if isinstance(block.shape, PlaceCovariance)]
    return {shape.basis: shape.basis_at(values) for shape in shapes}


def in_own_basis(values: Values, scaled: Iterable[ScaledBlocks]) -> dict[str, Any]:
    """Return the values with the variables z of exact processes as the model has them, from their values C z.

    The density has no need of them: z has the same prior in any basis.
    """
    own = dict(values)
    for together in scaled:
        for block in together.blocks:
            if isinstance(block.shape, PlaceCovariance):
                ((name, _),) = block.standard_deviations
                scales = parameter_values(together.hyperparameters, values)
                own[block.site] = block.shape.standardised(scales[name], scales, values[_values_of(block)])
    return own


def with_values(data: Mapping[str, Any], values: Values, scaled: Iterable[ScaledBlocks]) -> Mapping[str, Any]:
    """Return the data of the model with the values of exact processes among the arrays of their terms.

    The factor C of their covariance matrix K is computed once, and not for z and then for C z anew. Where K is as good
    as singular another order of the same operations gives another C: only C C' is determined within rounding error.
    """
    arrays = data["arrays"]
    for block in (block for together in scaled for block in together.blocks):
        if _values_of(block) in values:
            (part,) = block.parts
            of_term = {**arrays[part.predictor][part.term], PROCESS: values[_values_of(block)]}
            arrays = {**arrays, part.predictor: {**arrays[part.predictor], part.term: of_term}}
    return {**data, "arrays": arrays}
