"""What an engine is given and what it answers; every engine is one package and one line in ``engines/__init__.py``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from bayesml.describe import Description
from bayesml.design import Design
from bayesml.families import AbstractFamily
from bayesml.posterior import AbstractPosterior, Timing

__all__ = ["AbstractEngine", "Continuation", "Outcome", "Problem"]


@final
@dataclass(frozen=True)
class Problem:
    """A described model with its data: all an engine needs.

    Attributes:
        design: the data, encoded.
        family: the response family.
        description: parameters and priors.
    """

    design: Design
    family: AbstractFamily
    description: Description


@final
@dataclass(frozen=True)
class Continuation:
    """Where the chains of a run stand, so that it can be extended.

    Attributes:
        iterations: number done by each chain, warm-up included.
        attempt: 0, or the number of times that the run was started again.
        states: the state of the chains by name, ``(chains, ...)``.
    """

    iterations: int
    attempt: int
    states: Mapping[str, np.ndarray]


@final
@dataclass(frozen=True)
class Outcome:
    """What an engine returns.

    Attributes:
        posterior: draws or a normal approximation.
        timing: where the time went.
        seed: the seed that reproduces the run.
        incomplete: True where the user interrupted it.
        engine: the engine with every option it left open filled in; None where it left none open.
        plan: how the posterior was sampled and why, in words.
        continuation: where the chains stand; None where there are none to extend.
        notes: what the user should know and act on, one text each.
    """

    posterior: AbstractPosterior
    timing: Timing
    seed: int
    incomplete: bool = False
    engine: AbstractEngine | None = None
    plan: str = ""
    continuation: Continuation | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AbstractEngine(ABC):
    """A way to fit; its options are its fields."""

    method: ClassVar[str]

    def anew(self) -> AbstractEngine:
        """Return the engine for a run of another model: without what a run filled in or wrote to."""
        return self

    @abstractmethod
    def run(self, problem: Problem) -> Outcome:
        """Fit the model.

        Raises:
            ModelError: this engine cannot fit this model; the message names one that can.
        """
