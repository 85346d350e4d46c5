"""Values that nobody observed, in coordinates that follow what the responses say of them.

The true value of a predictor that was measured with error is known from two sides: from the measurement, and from the
responses of its rows. Where the second side says more, standard normal variables z behind the first are confined to a
range that is narrow, and that moves with the coefficients and the residual standard deviation.

Let z be the k variables of one place, mu_i(z) the means of the rows there, near to linear, with derivatives a_i at
z = 0, and v_i the variances of the responses. If mu_i is linear and y_i normal, z is normal given all else, with

    K = I + sum_i a_i a_i' / v_i,    m = K^-1 sum_i a_i (y_i - mu_i(0)) / v_i

for precision and mean. Sampling moves in zeta, with K = C C',

    z = m + C^-T zeta,    log |dz / dzeta| = -1/2 log |K|,

an exact change of variables whatever the means and the family; zeta is then standard normal and independent of all
else, whose density is the one with z integrated out. Without information from a response it is z itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import jax
import numpy as np
from jax import numpy as jnp

from bayesml.compile import Data, derived_values, likelihood_values, linear_predictors
from bayesml.design import Schema
from bayesml.engines.base import Problem
from bayesml.engines.log_prior import constant_sites, parameter_values
from bayesml.engines.nuts.forms.gaussian.algebra import (
    cholesky,
    half_solve,
    inner,
    log_diagonal,
    transposed_half_solve,
)
from bayesml.families import AbstractLikelihood
from bayesml.families.gaussian import total_scale
from bayesml.families.joint import JointLikelihood
from bayesml.keys import PredictorKey
from bayesml.spec import ModelSpec
from bayesml.terms import LatentValues
from bayesml.terms.gather import level_rows, level_sums

if TYPE_CHECKING:
    from bayesml.shapes import Numbers, PerRow, Scalar, Values

__all__ = ["FollowedLatents", "followed_latents"]


@final
@dataclass(frozen=True)
class FollowedLatents:
    """The change of variables.

    Attributes:
        latents: what follows the responses.
        spec: the parameters.
        schema: the terms.
        likelihood: the distribution of the responses.
    """

    latents: tuple[LatentValues, ...]
    spec: ModelSpec
    schema: Schema
    likelihood: AbstractLikelihood

    def transform(self, sites: Values, data: Data) -> tuple[dict[str, Numbers], Scalar]:
        """Return the values of the sites, given zeta in the place of each z, and the log Jacobian determinant."""
        changed, log_jacobian = dict(sites), jnp.zeros(())
        for latent in self.latents:
            zeta = changed[latent.site]
            changed[latent.site] = jnp.zeros_like(zeta)
            responses = tuple(self._responses(changed, latent, data))
            sums = _Sums(data["followed"].get(latent.site))
            scaled = [[slope * root for slope in slopes] for slopes, _, root in responses]
            k = range(latent.kinds)
            K = [
                [sums.over_rows(inner(*_of_all(scaled, i, j))) + (1.0 if i == j else 0.0) for j in range(i + 1)]
                for i in k
            ]
            right = [
                sums.over_rows(
                    inner([slopes[i] for slopes in scaled], [residual * root for _, residual, root in responses])
                )
                for i in k
            ]
            factor = cholesky(K)
            half = half_solve(factor, right)
            changed[latent.site] = jnp.stack(transposed_half_solve(factor, [half[i] + zeta[i] for i in k]))
            log_jacobian = log_jacobian - jnp.sum(log_diagonal(factor))
        return changed, log_jacobian

    def _responses(
        self, sites: Values, latent: LatentValues, data: Data
    ) -> Iterator[tuple[list[PerRow], PerRow, PerRow]]:
        """Yield of each response the slopes in each kind, residuals and roots of the precisions, all at z = 0."""
        known = constant_sites(self.spec.parameters, data["priors"])
        parameters = parameter_values(self.spec.parameters, {**sites, **known})

        def predictors_at(z: Numbers) -> tuple[Any, Any]:
            values, _ = derived_values(
                self.spec, self.schema, self.likelihood, {**parameters, latent.site: z}, data["arrays"], data["joint"]
            )
            return linear_predictors(self.schema, values, data["arrays"]), values

        z = sites[latent.site]
        steps = [jnp.zeros_like(z).at[i].set(1.0) for i in range(latent.kinds)]
        (predictors, values), move = jax.linearize(predictors_at, z)
        slopes = [move(step)[0] for step in steps]
        of_rows = likelihood_values(self.likelihood, predictors, values)
        for resp, residual, root in _residuals(self.likelihood, of_rows, data):
            yield [np.zeros(1) + each[PredictorKey(resp)] for each in slopes], residual, root


@final
@dataclass(frozen=True)
class _Sums:
    """Sums over the rows of each place; None where the places are the rows."""

    tables: Any

    def over_rows(self, values: PerRow) -> PerRow:
        return values if self.tables is None else level_sums(values, self.tables)


def _of_all(scaled: list[list[PerRow]], i: int, j: int) -> tuple[list[PerRow], list[PerRow]]:
    return [slopes[i] for slopes in scaled], [slopes[j] for slopes in scaled]


def _residuals(likelihood: AbstractLikelihood, values: Values, data: Data) -> Iterator[tuple[str, PerRow, PerRow]]:
    """Yield name, residuals and roots of the precisions of each response that is near to normal around its mean."""
    for resp, part in _parts(likelihood):
        if not _is_followed(part):
            continue
        own, arrays = values, {**data["response"], "weights": data.get("weights")}
        if isinstance(likelihood, JointLikelihood):
            own, arrays = likelihood.own_values(resp, values), likelihood.own_data(resp, data["response"])
        y = arrays.get("filled", arrays["y"])
        precision = 1.0 / total_scale(own, arrays) ** 2
        if part.traits.residuals == "student_t":  # the information that a response has of its location
            precision = precision * (own["nu"] + 1.0) / (own["nu"] + 3.0)
        if arrays.get("weights") is not None:
            precision = precision * arrays["weights"]
        if "subset" in arrays:
            precision = jnp.where(arrays["subset"], precision, 0.0)
        residual = (jnp.log(y) if part.traits.response_on_log_scale else y) - own["mu"]
        yield resp, residual, jnp.sqrt(precision)


def _parts(likelihood: AbstractLikelihood) -> tuple[tuple[str, AbstractLikelihood], ...]:
    return likelihood.parts if isinstance(likelihood, JointLikelihood) else (("", likelihood),)


def _is_followed(part: AbstractLikelihood) -> bool:
    """Whether the density is that of a location, normal or nearly so, and the location is the linear predictor."""
    traits = part.traits
    return (
        (traits.normal or traits.residuals == "student_t") and part.is_observed and part.link("mu").name == "identity"
    )


def followed_latents(problem: Problem) -> tuple[FollowedLatents | None, dict[str, Any]]:
    """Return the change of variables, and the rows of each place by site; None where nothing follows a response."""
    if not any(_is_followed(part) for _, part in _parts(problem.likelihood)):
        return None, {}
    schema, tables = problem.design.schema, {}
    found = []
    for predictor in schema.predictors:
        for term in predictor.terms:
            latent = term.latent_values()
            if latent is None:
                continue
            found.append(latent)
            if latent.index:
                index = problem.design.arrays[predictor.key][term.key][latent.index]
                shape = problem.description.spec.parameter(latent.site).shape
                tables[latent.site] = {"index": index.astype(np.int32), **level_rows(index, shape[-1])}
    if not found:
        return None, {}
    return FollowedLatents(tuple(found), problem.description.spec, schema, problem.likelihood), tables
