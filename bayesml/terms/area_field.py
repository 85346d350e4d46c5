"""Effects of many areas for the sampler: latent variables whose prior costs a number for each pair of neighbours.

In the basis B of ``areas`` the prior is the simplest, and going to the areas and back costs the square of their number
at each gradient. Here the latent variables are effects themselves, in units of ``sdcar``. With W and D as there, u is
normal with the precision matrix

- ``escar``: M = D - c W, and r = s u.
- ``esicar``, ``icar``: M = D - W + a e e' with e the constant vector of length 1. It leaves the mean of u alone, whose
  variance is 1 / (a n), so that ``r = s (u - (1 - t) mean(u))`` has a mean of 0 with t = 0, and one with the standard
  deviation 0.001 s with t = 0.001 (a n)^(1/2).
- ``bym2``: M as there, and v of independent effects beside u:
  ``r = s ((1 - p)^(1/2) v + (p / k)^(1/2) (u - (1 - t) mean(u)))``.

Products with W are sums over neighbours, and the determinants follow from the eigenvalues, which are found once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.lazy import lazy_module
from bayesml.terms.areas import SOFT, AreaGraph
from bayesml.terms.gather import neighbour_sums, neighbour_tables

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, Scalar, Values

__all__ = ["AreaField"]

jnp = lazy_module("jax.numpy")


@final
@dataclass(frozen=True, eq=False)
class AreaField:
    """The latent variables of the effects of areas.

    Attributes:
        graph: the areas.
        sd: the parameter that holds their standard deviation.
        further: the further parameter; empty where there is none.
    """

    graph: AreaGraph
    sd: str
    further: str

    @property
    def count(self) -> int:
        """Number of areas."""
        return len(self.graph.labels)

    @property
    def size(self) -> int:
        """Number of latent variables."""
        return 2 * self.count if self.graph.kind == "bym2" else self.count

    @property
    def joins_all(self) -> bool:
        """Whether the mean of all effects has a prior of its own."""
        return self.graph.kind != "escar"

    @property
    def degree(self) -> np.ndarray:
        """Number of neighbours of each area."""
        return np.asarray(self.graph.neighbours.sum(axis=0))

    @property
    def constant(self) -> float:
        """a, of the size of the other variances."""
        return float(self.degree.mean()) if self.joins_all else 0.0

    @property
    def share_of_mean(self) -> float:
        """1 - t: how much of their mean is taken off u."""
        if not self.joins_all:
            return 0.0
        return 1.0 if self.graph.kind == "esicar" else 1.0 - SOFT * float(np.sqrt(self.constant * self.count))

    def tables(self) -> dict[str, Any]:
        """Return the arrays that the density reads: neighbours, their numbers, and eigenvalues of escar."""
        spectrum = self.graph.spectrum if self.graph.kind == "escar" else np.zeros(0)
        return {"neighbours": neighbour_tables(self.graph.neighbours), "degree": self.degree, "spectrum": spectrum}

    def strength(self, values: Mapping[str, Any]) -> Any:
        """Return c, what multiplies W in M."""
        return 1.0 if self.joins_all else values[self.further]

    def scales(self, values: Mapping[str, Any]) -> tuple[Any, Any]:
        """Return what multiplies u and v in the effects."""
        s = values[self.sd]
        if self.graph.kind != "bym2":
            return s, 0.0 * s
        p = values[self.further]
        return s * (p / self.graph.scale) ** 0.5, s * (1.0 - p) ** 0.5

    def centred(self, u: Numbers) -> Numbers:
        """Return u without the share of its mean."""
        return u - self.share_of_mean * u.mean() if self.joins_all else u

    def effects(self, values: Values, latent: Numbers) -> Numbers:
        """Return r ``(areas,)``."""
        of_u, of_v = self.scales(values)
        r = of_u * self.centred(latent[: self.count])
        return r + of_v * latent[self.count :] if self.size > self.count else r

    def log_ratio(self, values: Values, latent: Numbers, arrays: DataArrays) -> Scalar:
        """Return the log prior density of the latent variables over that of independent standard normal ones."""
        u, c = latent[: self.count], self.strength(values)
        quadratic = (arrays["degree"] - 1.0) @ (u * u) - c * (u @ neighbour_sums(u, arrays["neighbours"]))
        if self.joins_all:  # the determinant is a constant
            return -0.5 * (quadratic + self.constant / self.count * jnp.sum(u) ** 2)
        return 0.5 * (jnp.sum(jnp.log(1.0 - c * arrays["spectrum"])) - quadratic)
