"""``gp(x, z, neighbours=15)``: Gaussian processes of many places, each given its nearest earlier ones alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import names
from bayesml.delegation import delegated
from bayesml.formula import Predictor
from bayesml.frame import Frame
from bayesml.processes.nearest import nearest_tables, process_at_new, process_values
from bayesml.processes.neighbours import Neighbours, find_neighbours
from bayesml.terms.base import AbstractTerm, Functions
from bayesml.terms.gather import at_rows
from bayesml.terms.process import GaussianProcess, processes
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values

__all__ = ["NearestProcess", "collect"]

TABLES = frozenset({"apart", "known", "before", "starts", "counts", "lane", "position", "points", "new"})


@final
@dataclass(frozen=True)
class NearestProcess(AbstractTerm):
    """One process.

    Attributes:
        process: the exact process with the same places, covariance function and priors.
        neighbours: the places in order, with the nearest earlier ones of each.
    """

    process: GaussianProcess
    neighbours: Neighbours

    key = delegated("process")
    variables = delegated("process")
    computations = delegated("process")
    parameters = delegated("process")
    prior_rows = delegated("process")

    @property
    def tables(self) -> frozenset[str]:
        """What the values are computed from."""
        return TABLES

    @property
    def gathered(self) -> int:
        """Number of places."""
        return len(self.neighbours.order)

    @property
    def obstacle(self) -> str:
        """What it is."""
        return "nearest-neighbour Gaussian processes"

    @property
    def values_name(self) -> str:
        """The variable of the values of the process at its places."""
        return self.process.variable("vgp")

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return those of the exact process, the place of each row among them, and the tables."""
        tables = nearest_tables(self.process.positions.points, self.neighbours, self.process.call.isotropic)
        return {**self.process.arrays(frame), **tables, "position": self.neighbours.position}

    def reported(self) -> tuple[ReportedVariable, ...]:
        """Return ``sdgp``, ``lscale``, and the values of the process by place, in the order of their first rows."""
        sd, lengthscale, _ = self.process.reported()
        name, of = self.values_name, self.predictor
        text = names.special_coefficient("vgp", self.process.label, of)
        numbers = tuple(str(place + 1) for place in range(len(self.neighbours.order)))
        texts = tuple(((i,), f"{text}[{number}]") for i, number in enumerate(numbers))
        return sd, lengthscale, ReportedVariable(name, "zgp", (f"{name}_place",), (numbers,), texts, of)

    def spellings(self) -> Iterator[tuple[str, str]]:
        """Yield the names of its variables."""
        yield from self.process.spellings()

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Everything it reports depends on its tables."""
        raise NotImplementedError("The values of a nearest-neighbour process are computed by `derived`.")

    def derived(self, values: Values, arrays: DataArrays) -> dict[str, Numbers]:
        """Return the values of the process by place."""
        from jax import numpy as jnp

        sd, lengthscales, z = (jnp.asarray(values[self.process.variable(kind)]) for kind in ("sdgp", "lscale", "zgp"))
        found = process_values(self.process.kernel, sd, jnp.reshape(lengthscales, (-1,)), z, arrays)
        return {self.values_name: found[arrays["position"]]}

    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Return the process at the rows, times ``by``; at new places it is a draw given its nearest values."""
        found = values[self.values_name]
        if len(arrays["new"]):
            sd, lengthscales = (values[self.process.variable(kind)] for kind in ("sdgp", "lscale"))
            if self.process.call.isotropic:
                lengthscales = np.asarray(lengthscales)[..., None]
            most = self.neighbours.before.shape[1]
            of_process = self.process.kernel, self.process.positions.points, arrays["new"], self.process.call.isotropic
            beyond = process_at_new(*of_process, most, sd, lengthscales, found)
            found = np.concatenate([found, beyond], axis=-1)
        at = at_rows(found, arrays)
        return at * arrays["by"] if "by" in arrays else at


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Claim the calls of ``gp()`` with ``neighbours=``.

    Raises:
        FormulaError: a call cannot be understood.
        DataError: its covariates are not numbers, or are the same in all rows.
    """
    found = []
    for process in processes(predictor, frame, functions, nearest=True):
        assert process.call.neighbours is not None
        neighbours = find_neighbours(_comparable(process), process.call.neighbours)
        found.append(NearestProcess(process.predictor, process, neighbours))
    return tuple(found)


def _comparable(process: GaussianProcess) -> np.ndarray:
    """Return the places, each covariate that has a length-scale of its own in units of its extent."""
    points = process.positions.points
    if process.call.isotropic:
        return points
    extent = np.ptp(points, axis=0)
    return points / np.where(extent > 0.0, extent, 1.0)
