"""Where draws are kept: all of them, in single precision, every k-th of them, or only their mean and sd."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, final

import numpy as np

from bayesml.posterior import Draws, ReducedEffects
from bayesml.variables import ReportedVariable

__all__ = ["DrawStore", "KeepEffects", "reported_kept"]

KeepEffects = bool | str | int
"""What is kept of the draws of group-level effects, see ``NUTS.keep_group_effects``."""


def reported_kept(variables: tuple[ReportedVariable, ...], keep: KeepEffects) -> tuple[ReportedVariable, ...]:
    """Return the variables that have to be computed, since something of them is kept."""
    return tuple(v for v in variables if v.kind != "r" or keep is not False)


class AbstractKept(ABC):
    """What is kept of the draws of one variable, of all chains."""

    @abstractmethod
    def write(self, chain: int, first: int, drawn: np.ndarray) -> None:
        """Add the draws ``first, first + 1, ...`` of a chain, ``(draws, *shape)``."""

    @abstractmethod
    def grow(self, draws: int) -> None:
        """Make room for that many draws of each chain."""


@final
class KeptDraws(AbstractKept):
    """Every ``step``-th draw, beginning with the first, as ``(chains, draws / step, *shape)``."""

    def __init__(self, shape: tuple[int, ...], dtype: Any, chains: int, step: int = 1) -> None:
        self.step = step
        self.values = np.empty((chains, 0, *shape), dtype)

    def write(self, chain: int, first: int, drawn: np.ndarray) -> None:
        skipped = -first % self.step
        thinned = drawn[skipped :: self.step]
        start = (first + skipped) // self.step
        self.values[chain, start : start + len(thinned)] = thinned

    def grow(self, draws: int) -> None:
        size = -(-draws // self.step)
        old = self.values
        if size > old.shape[1]:
            self.values = np.empty((old.shape[0], size, *old.shape[2:]), old.dtype)
            self.values[:, : old.shape[1]] = old

    def load(self, values: np.ndarray) -> None:
        """Begin with the draws of an earlier run."""
        self.values[:, : values.shape[1]] = values

    def first(self, draws: int) -> np.ndarray:
        """Return what is kept of the first ``draws`` draws."""
        return self.values[:, : -(-draws // self.step)]


@final
class KeptMoments(AbstractKept):
    """Mean and sum of squared deviations of the draws (Welford 1962).

    They are updated draw by draw, so that they do not depend on how a run is cut into blocks.
    """

    def __init__(self, shape: tuple[int, ...], chains: int) -> None:
        self.counts = np.zeros(chains, dtype=int)
        self.means, self.squares = np.zeros((chains, *shape)), np.zeros((chains, *shape))

    def write(self, chain: int, first: int, drawn: np.ndarray) -> None:
        mean, squares = self.means[chain], self.squares[chain]
        for value in drawn:
            self.counts[chain] += 1
            change = value - mean
            mean += change / self.counts[chain]
            squares += change * (value - mean)

    def grow(self, draws: int) -> None:
        """Do nothing, since moments need no room for further draws."""

    def load(self, reduced: ReducedEffects) -> None:
        """Begin with the moments of an earlier run."""
        self.counts = np.array(reduced.counts)
        self.means, self.squares = np.array(reduced.means), np.array(reduced.squares)


@final
class DrawStore:
    """The draws of all chains.

    Args:
        variables: those that are computed.
        keep: what is kept of group-level effects.
        chains: number of chains.
    """

    def __init__(self, variables: tuple[ReportedVariable, ...], keep: KeepEffects, chains: int) -> None:
        self._kept = {v.name: _kept(v, keep, chains) for v in variables}

    def grow(self, draws: int) -> None:
        """Make room for that many draws of each chain."""
        for kept in self._kept.values():
            kept.grow(draws)

    def write(self, chain: int, first: int, values: Mapping[str, np.ndarray]) -> None:
        """Add the draws ``first, first + 1, ...`` of a chain, each variable as ``(draws, *shape)``."""
        for name, kept in self._kept.items():
            kept.write(chain, first, values[name])

    def load(self, draws: Draws) -> None:
        """Begin with the draws of an earlier run."""
        self.grow(draws.n_draws)
        for name, kept in self._kept.items():
            if isinstance(kept, KeptMoments):
                kept.load(draws.reduced[name])
            elif isinstance(kept, KeptDraws):
                kept.load(draws.reduced[name].draws if kept.step > 1 else draws.values[name])

    def values(self, draws: int) -> dict[str, np.ndarray]:
        """Return every variable of which each draw was kept, ``(chains, draws, *shape)``."""
        whole = {n: k for n, k in self._kept.items() if isinstance(k, KeptDraws) and k.step == 1}
        return {name: kept.first(draws) for name, kept in whole.items()}

    def reduced(self, draws: int) -> dict[str, ReducedEffects]:
        """Return what was kept of the other variables."""
        reduced = {}
        for name, kept in self._kept.items():
            if isinstance(kept, KeptMoments):
                reduced[name] = ReducedEffects(counts=kept.counts, means=kept.means, squares=kept.squares)
            elif isinstance(kept, KeptDraws) and kept.step > 1:
                reduced[name] = ReducedEffects(draws=kept.first(draws))
        return reduced


def _kept(variable: ReportedVariable, keep: KeepEffects, chains: int) -> AbstractKept:
    shape = tuple(len(labels) for labels in variable.coords)
    if variable.kind != "r" or keep is True:
        return KeptDraws(shape, np.float64, chains)
    if keep == "float32":
        return KeptDraws(shape, np.float32, chains)
    return KeptMoments(shape, chains) if keep == "summary" else KeptDraws(shape, np.float64, chains, int(keep))
