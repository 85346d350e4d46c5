"""``gp(x, z, neighbours=15)``: Gaussian processes of many thousand places, each given its nearest earlier ones alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import names
from bayesml.columns import Computation
from bayesml.errors import warn_user
from bayesml.formula import Predictor
from bayesml.frame import Frame
from bayesml.namespace import array_namespace
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.processes.nearest import nearest_tables, process_at_new, process_values
from bayesml.processes.neighbours import Neighbours, find_neighbours
from bayesml.spec import ParameterSpec
from bayesml.terms.base import AbstractTerm, Functions
from bayesml.terms.gather import at_rows
from bayesml.terms.process import GaussianProcess, exact_processes
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values

__all__ = ["NearestProcess", "collect"]

TABLES = frozenset({"apart", "known", "before", "starts", "counts", "lane", "points", "new"})


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

    @property
    def key(self) -> str:
        """The call with uniform spaces, with the level that it is for."""
        return self.process.key

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns of the covariates and of ``by``."""
        return self.process.variables

    def computations(self) -> tuple[Computation, ...]:
        """Return the covariates."""
        return self.process.computations()

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

    @property
    def _points(self) -> np.ndarray:
        """The places by position, ``(n, covariates)``."""
        return self.process.positions.points[self.neighbours.order]

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return the position of each row, new places behind those of the fit, and the tables."""
        found = self.process.arrays(frame)
        n, place = len(self.neighbours.order), found["index"]
        position = np.append(self.neighbours.position, np.arange(n, n + len(found["new"])))
        own = {"index": position[place], "points": self._points, "new": found["new"]}
        by = {"by": found["by"]} if "by" in found else {}
        tables = nearest_tables(self.process.positions.points, self.neighbours, self.process.call.isotropic)
        return {**own, **by, **tables}

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return the standard deviation, the length-scales, and the standard normal variables."""
        return self.process.parameters(scale)

    def prior_rows(self, defaults: DefaultPriors) -> Iterator[PriorRow]:
        """Yield the classes ``sdgp`` and ``lscale``, and the process in them."""
        return self.process.prior_rows(defaults)

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
        return {self.values_name: found[self.neighbours.position]}

    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Return the process at the rows, times ``by``; at new places it is a draw given its nearest values."""
        at_places = values[self.values_name]
        xp = array_namespace(at_places)
        by_position = at_places[..., self.neighbours.order]
        if len(arrays["new"]):
            sd, lengthscales = (values[self.process.variable(kind)] for kind in ("sdgp", "lscale"))
            if self.process.call.isotropic:
                lengthscales = xp.asarray(lengthscales)[..., None]
            most = self.process.call.neighbours
            assert most is not None
            beyond = process_at_new(
                self.process.kernel, self._points, np.asarray(arrays["new"]), self.process.call.isotropic, most,
                sd, lengthscales, by_position,
            )  # fmt: skip
            by_position = np.concatenate([by_position, beyond], axis=-1)
        at = at_rows(by_position, arrays)
        return at * arrays["by"] if "by" in arrays else at


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Claim the calls of ``gp()`` with ``neighbours=``.

    Raises:
        FormulaError: a call cannot be understood.
        DataError: its covariates are not numbers, or are the same in all rows.
    """
    return tuple(
        NearestProcess(process.predictor, process, find_neighbours(_comparable(process), process.call.neighbours))
        for process in exact_processes(predictor, frame, functions)
        if process.call.neighbours is not None
    )


def _comparable(process: GaussianProcess) -> np.ndarray:
    """Return places among which distances are comparable: covariates with length-scales of their own by their extent."""
    points = process.positions.points
    if process.call.isotropic:
        return points
    extent = np.ptp(points, axis=0)
    return points / np.where(extent > 0.0, extent, 1.0)
