"""Single parameters of a likelihood as one vector without bounds: what Newton steps and optimisers move in.

A distributional parameter moves on the scale of its first link, log for ``sigma``, log(nu - 1) for ``nu``, logit for a
probability, whatever link was chosen; a further parameter (thresholds, a simplex) as its support says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.families.records import DistributionalParameter
from bayesml.links import Link, get_link
from bayesml.spec import ParameterSpec

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, Numbers, Values

__all__ = ["SingleCoordinates"]

INSIDE = 1e-10


@final
@dataclass(frozen=True)
class SingleCoordinates:
    """The vector u of single parameters.

    Attributes:
        dpars: distributional parameters that are one number each; these come first.
        further: further parameters with their supports.
    """

    dpars: tuple[DistributionalParameter, ...]
    further: tuple[ParameterSpec, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in the order of the vector."""
        return (*(p.name for p in self.dpars), *(p.name for p in self.further))

    @property
    def size(self) -> int:
        """Length of the vector."""
        return len(self.dpars) + sum(p.support.size(p.shape) for p in self.further)

    def _links(self) -> Sequence[tuple[str, Link]]:
        return [(p.name, get_link(p.links[0])) for p in self.dpars]

    def natural(self, u: Broadcast) -> dict[str, Numbers]:
        """Return the parameters on their natural scale; of NumPy numbers without JAX unless there are further ones."""
        values = {name: link.inverse(u[i]) for i, (name, link) in enumerate(self._links())}
        start = len(self.dpars)
        for p in self.further:
            stop = start + p.support.size(p.shape)
            values[p.name] = p.support.constrain(u[start:stop], p.shape)[0]
            start = stop
        return values

    def unbounded(self, values: Values) -> np.ndarray:
        """Return the vector of parameters on their natural scale."""
        parts = [np.reshape(np.asarray(link.forward(values[name]), float), 1) for name, link in self._links()]
        parts += [p.support.unconstrain(np.asarray(values[p.name], float)) for p in self.further]
        return np.concatenate(parts) if parts else np.zeros(0)

    def moved(self, values: Values, step: np.ndarray) -> dict[str, np.ndarray]:
        """Return the parameters after a step of the vector."""
        return self.inside(self.natural(self.unbounded(values) + step))

    def inside(self, values: Values) -> dict[str, np.ndarray]:
        """Return the parameters, kept a little inside their bounds."""
        kept = {name: np.asarray(value, float) for name, value in values.items()}
        for p in self.dpars:
            lower, upper = p.bounds
            above = 0.1 * abs(lower) if np.isfinite(lower) and lower else INSIDE
            kept[p.name] = np.clip(kept[p.name], lower + above, min(upper - INSIDE, 1.0 / INSIDE))
        return kept
