"""A likelihood as a NumPyro distribution. Imported only where a NumPyro model is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from numpyro.distributions import Distribution, constraints

from bayesml.families.base import AbstractLikelihood
from bayesml.families.drawing import draw_where_possible, natural_values

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Observed, PerRow, Values

__all__ = ["ResponseDistribution"]


@final
class ResponseDistribution(Distribution):
    """The response of every row given its parameters: the density of a likelihood, and its draws.

    The log density of a row is multiplied by its weight; draws have nothing to do with weights.
    """

    support = constraints.real
    pytree_data_fields = ("values", "data", "weights")
    pytree_aux_fields = ("likelihood",)

    def __init__(
        self,
        likelihood: AbstractLikelihood,
        values: Values,
        data: DataArrays,
        weights: PerRow | None = None,
    ) -> None:
        """Take parameters as ``log_prob`` of the likelihood takes them, and the arrays of the response."""
        self.likelihood, self.weights = likelihood, weights
        self.values, self.data = dict(values), dict(data)
        shapes = [jnp.shape(self.values[p.name]) for p in likelihood.dpars]
        y = jnp.shape(self.data["y"])
        Distribution.__init__(self, lax.broadcast_shapes(y[:1], *shapes), y[1:], validate_args=False)

    def log_prob(self, value: Observed) -> PerRow:
        """Return the log density of each row times its weight; a row without weight may have any density."""
        rows = self.likelihood.log_prob(value, self.values, self.data)
        return rows if self.weights is None else jnp.where(self.weights > 0, rows, 0.0) * self.weights

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Drawn:
        """Draw responses by the NumPy code of the likelihood."""
        shape = (*sample_shape, *self.batch_shape, *self.event_shape)
        dtype = jnp.result_type(float)

        def drawn(seed: Any, values: Values, data: DataArrays) -> Drawn:
            rng = np.random.default_rng([int(word) for word in np.asarray(seed).reshape(-1)])
            return np.asarray(self._drawn(rng, values, data, sample_shape), dtype).reshape(shape)

        seed = jax.random.key_data(key) if jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else key
        result = jax.ShapeDtypeStruct(shape, dtype)
        return jax.pure_callback(drawn, result, seed, self.values, self.data, vmap_method="sequential")

    def _drawn(
        self, rng: np.random.Generator, values: Values, data: DataArrays, leading: tuple[int, ...]
    ) -> np.ndarray:
        parameters = natural_values(self.likelihood, {name: np.asarray(v, float) for name, v in values.items()})
        arrays = {name: np.asarray(value) for name, value in data.items()}
        if self.likelihood.traits.reads_past:
            arrays["y"] = np.full(arrays["y"].shape, np.nan)  # all responses are drawn anew, none is past
        return draw_where_possible(self.likelihood, rng, parameters, arrays, (*leading, *self.batch_shape))
