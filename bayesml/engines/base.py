"""What an engine is given and what it answers; every engine is one package and one line in ``engines/__init__.py``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

from bayesml.describe import Description
from bayesml.design import Design
from bayesml.families import AbstractFamily
from bayesml.posterior import AbstractPosterior, Timing

__all__ = ["AbstractEngine", "Outcome", "Problem"]


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
class Outcome:
    """What an engine returns.

    Attributes:
        posterior: draws or a normal approximation.
        timing: where the time went.
        seed: the seed that reproduces the run.
        incomplete: True where the user interrupted it.
        engine: the engine with every option it left open filled in; None where it left none open.
        plan: how the posterior was sampled and why, in words.
    """

    posterior: AbstractPosterior
    timing: Timing
    seed: int
    incomplete: bool = False
    engine: AbstractEngine | None = None
    plan: str = ""


@dataclass(frozen=True)
class AbstractEngine(ABC):
    """A way to fit; its options are its fields."""

    method: ClassVar[str]

    @abstractmethod
    def run(self, problem: Problem) -> Outcome:
        """Fit the model.

        Raises:
            ModelError: this engine cannot fit this model; the message names one that can.
        """
