"""What an engine has learnt: draws, or estimates with their covariances (``engines/point/estimate.py``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

__all__ = ["AbstractPosterior", "Draws", "ReducedEffects", "StoredEstimate", "Timing"]


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
        prior: draws from the prior, in the form of ``values``, where they were requested.
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


@final
@dataclass(frozen=True)
class StoredEstimate:
    """An estimate as plain data, for a file; what comes from a file is checked when it is read.

    Attributes:
        arrays: arrays by name; those without any number may be absent.
        facts: numbers, texts, truth values and lists of them by name, as JSON has them.
    """

    arrays: Mapping[str, np.ndarray]
    facts: Mapping[str, Any]

    def check_method(self, method: str) -> None:
        """Raise a ValueError unless the estimate was found by a method."""
        if self.text("method") != method:
            raise ValueError(f"the estimate was found by {self.text('method')!r:.50}, not {method}")

    def array(self, name: str, shape: tuple[int, ...], kind: str = "f") -> np.ndarray:
        """Return an array.

        Args:
            name: its name.
            shape: the shape that it must have.
            kind: ``"f"`` for numbers, ``"i"`` for whole numbers, ``"b"`` for truth values.

        Raises:
            ValueError: there is none of this shape and kind.
        """
        absent = np.zeros(shape, dtype=kind) if 0 in shape else None
        found = self.arrays.get(name, absent)
        if found is None or found.shape != shape or found.dtype.kind != kind:
            what = "missing" if found is None else f"of the shape {found.shape} and type {found.dtype}"
            raise ValueError(f"`{name}` is {what}, not of the shape {shape}")
        return found

    def number(self, name: str) -> float:
        """Return a number.

        Raises:
            ValueError: it is none.
        """
        return float(self._fact(name, (int, float)))

    def whole(self, name: str) -> int:
        """Return a whole number.

        Raises:
            ValueError: it is none.
        """
        return int(self._fact(name, (int,)))

    def flag(self, name: str) -> bool:
        """Return a truth value.

        Raises:
            ValueError: it is none.
        """
        found = self.facts.get(name)
        if not isinstance(found, bool):
            raise ValueError(f"`{name}` is {found!r:.50}, no truth value")
        return found

    def text(self, name: str) -> str:
        """Return a text.

        Raises:
            ValueError: it is none.
        """
        found = self.facts.get(name)
        if not isinstance(found, str):
            raise ValueError(f"`{name}` is {found!r:.50}, no text")
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts.

        Raises:
            ValueError: it is none.
        """
        found = self.facts.get(name)
        if not isinstance(found, (list, tuple)) or not all(isinstance(each, str) for each in found):
            raise ValueError(f"`{name}` is {found!r:.50}, no list of texts")
        return tuple(found)

    def _fact(self, name: str, kinds: tuple[type, ...]) -> Any:
        found = self.facts.get(name)
        if isinstance(found, bool) or not isinstance(found, kinds):
            raise ValueError(f"`{name}` is {found!r:.50}, no number")
        return found
