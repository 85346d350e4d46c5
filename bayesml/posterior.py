"""What an engine has learnt: draws, or estimates with their covariances (``engines/point/estimate.py``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np

__all__ = ["AbstractPosterior", "Draws", "ReducedEffects", "Timing"]


@final
@dataclass(frozen=True)
class Timing:
    """Seconds spent in each part of a fit; ``total`` is the sum, ``str`` one line."""

    imports: float = 0.0
    design: float = 0.0
    trace: float = 0.0
    compile: float = 0.0
    warmup: float = 0.0
    sampling: float = 0.0
    reporting: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return self.imports + self.design + self.trace + self.compile + self.warmup + self.sampling + self.reporting

    def __str__(self) -> str:
        parts = ("imports", "design", "trace", "compile", "warmup", "sampling", "reporting")
        return f"{self.total:.2f} s: " + ", ".join(f"{p} {getattr(self, p):.2f}" for p in parts)


@dataclass(frozen=True)
class AbstractPosterior:
    """What was learnt about the reported variables (``b``, ``sd_Subject``, ``r_Subject``, ``sigma``, ...)."""


@final
@dataclass(frozen=True)
class ReducedEffects:
    """Group-level effects of which not every draw was kept: some draws, their moments, or (all empty) nothing.

    Attributes:
        draws: every k-th draw of each chain, ``(chains, draws / k, levels, coefs)``.
        counts: number of draws of each chain behind the moments.
        means: their means, ``(chains, levels, coefs)``.
        squares: sums of squared deviations from them.
    """

    draws: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))
    means: np.ndarray = field(default_factory=lambda: np.zeros(0))
    squares: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def mean(self) -> np.ndarray:
        """Return the mean over all chains, ``(levels, coefs)``."""
        return np.tensordot(self.counts / self.counts.sum(), self.means, axes=1)

    def sd(self) -> np.ndarray:
        """Return the standard deviation over all chains, ``(levels, coefs)``."""
        between = np.tensordot(self.counts, (self.means - self.mean()) ** 2, axes=1)
        return np.sqrt((self.squares.sum(axis=0) + between) / max(self.counts.sum() - 1, 1))


@final
@dataclass(frozen=True)
class Draws(AbstractPosterior):
    """Draws of the reported variables.

    Attributes:
        values: each variable as ``(chains, draws, *shape)``, on the user's scale.
        statistics: sampler statistics as ``(chains, draws)`` under ArviZ's names.
        prior: draws from the prior, in the form of ``values``, where they were asked for.
        reduced: the group-level effects of which not every draw was kept; they are not among ``values``.
    """

    values: Mapping[str, np.ndarray]
    statistics: Mapping[str, np.ndarray] = field(default_factory=dict)
    prior: Mapping[str, np.ndarray] = field(default_factory=dict)
    reduced: Mapping[str, ReducedEffects] = field(default_factory=dict)

    @property
    def n_chains(self) -> int:
        """Number of chains."""
        return next(iter(self.values.values())).shape[0]

    @property
    def n_draws(self) -> int:
        """Draws kept in each chain."""
        return next(iter(self.values.values())).shape[1]

    def stacked(self, indices: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Return each variable as ``(draws, *shape)``, chains one after the other; only ``indices`` where given."""
        flat = {name: v.reshape(-1, *v.shape[2:]) for name, v in self.values.items()}
        return flat if indices is None else {name: v[indices] for name, v in flat.items()}
