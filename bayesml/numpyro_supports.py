"""NumPyro's view of supports whose elements depend on each other. Imports NumPyro."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpyro.distributions as dist
from jax import numpy as jnp
from numpyro.distributions import constraints

from bayesml.distributions import Distribution
from bayesml.supports import AbstractSupport, Ordered, SumToZero

if TYPE_CHECKING:
    from bayesml.shapes import Numbers

__all__ = ["DependentElements", "dependent_elements"]

CONSTRAINTS = {Ordered: constraints.ordered_vector, SumToZero: constraints.zero_sum()}


@final
class DependentElements(dist.Distribution):
    """Elements with a prior each, restricted to vectors of a support, such as increasing ones.

    The density is the product of those of the elements, as in Stan; it is not divided by its integral over the support.

    Args:
        elements: the distribution of each element.
        support: the support of the vector.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, elements: Sequence[dist.Distribution], support: constraints.Constraint) -> None:
        """Keep the distributions."""
        self.elements, self._support = tuple(elements), support
        dist.Distribution.__init__(self, (), (len(elements),))

    @property
    def support(self) -> constraints.Constraint:
        """The support of the vector."""
        return self._support

    def log_prob(self, value: Numbers) -> Numbers:
        """Return the sum of the log densities of the elements."""
        return sum(element.log_prob(value[..., i]) for i, element in enumerate(self.elements))

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Numbers:
        """Draw elements and put them in order, which is exact where all have the same prior."""
        import jax

        keys = jax.random.split(key, len(self.elements))
        drawn = jnp.stack([d.sample(k, sample_shape) for d, k in zip(self.elements, keys, strict=True)], axis=-1)
        return (
            jnp.sort(drawn, axis=-1)
            if self._support is constraints.ordered_vector
            else drawn - drawn.mean(-1, keepdims=True)
        )


def dependent_elements(priors: Sequence[Distribution], support: AbstractSupport) -> DependentElements:
    """Return the distribution of a vector whose elements have a prior each and lie in a support together."""
    return DependentElements([prior.numpyro() for prior in priors], CONSTRAINTS[type(support)])
