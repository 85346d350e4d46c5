"""What an engine is given and what it answers; every engine is one package and one line in ``engines/__init__.py``."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from bayesml.errors import ModelError
from bayesml.posterior import AbstractPosterior, Timing

if TYPE_CHECKING:  # options are there before a model is
    from bayesml.describe import Description
    from bayesml.design import Design
    from bayesml.families import AbstractFamily, AbstractLikelihood

__all__ = ["AbstractEngine", "Continuation", "Coordinates", "Outcome", "Problem", "Sampling"]


@final
@dataclass(frozen=True)
class Problem:
    """A described model with its data: all an engine needs.

    Attributes:
        design: the data, encoded, with the likelihood of the response.
        description: parameters and priors.
    """

    design: Design
    description: Description

    @property
    def likelihood(self) -> AbstractLikelihood:
        """The likelihood of the response."""
        return self.design.likelihood

    @property
    def family(self) -> AbstractFamily:
        """The family as the user chose it."""
        return self.likelihood.family

    @property
    def rows_commute(self) -> bool:
        """Whether the rows may stand in any order: neither likelihood nor term lets a row depend on others."""
        if self.likelihood.traits.rows_depend:
            return False
        return all(term.rows_commute for predictor in self.design.schema.predictors for term in predictor.terms)


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
        data_sets: number of imputed data sets whose chains stand one after the other, as many of each.
    """

    posterior: AbstractPosterior
    timing: Timing
    seed: int
    incomplete: bool = False
    engine: AbstractEngine | None = None
    plan: str = ""
    continuation: Continuation | None = None
    notes: tuple[str, ...] = ()
    data_sets: int = 1


@final
@dataclass(frozen=True)
class Sampling:
    """How much an engine that draws from the posterior was to draw.

    Attributes:
        chains: number of chains.
        draws: draws kept in each chain.
        warmup: warm-up iterations of each chain; 0 where that is not decided yet.
        max_treedepth: a trajectory has at most 2^max_treedepth leapfrog steps.
        target_accept: the acceptance rate that the step size aims at.
        keep_group_effects: what is kept of the draws of group-level effects, see ``NUTS``.
    """

    chains: int
    draws: int
    warmup: int = 0
    max_treedepth: int = 10
    target_accept: float = 0.8
    keep_group_effects: bool | int | str = True


@dataclass(frozen=True)
class AbstractEngine(ABC):
    """A way to fit; its options are its fields. ``engines/dispatch.py`` finds the code that runs it.

    What the rest of the package needs of an engine is here; the values below are those of a point estimate
    without priors.

    Attributes:
        method: the name, as in ``fit(method="nuts")``.
        uses_priors: whether the result depends on the priors.
    """

    method: ClassVar[str]
    uses_priors: ClassVar[bool] = False

    @property
    def sampling(self) -> Sampling | None:
        """How many draws were requested, and how; None for an engine that does not draw."""
        return None

    @property
    def samples_prior_only(self) -> bool:
        """Whether the draws come from the prior and the response has no influence."""
        return False

    @property
    def needs_identified_slopes(self) -> bool:
        """Whether columns that are linear combinations of others are refused where flat priors do not tell them apart.

        A point estimate finds such columns itself and leaves them out.
        """
        return False

    @property
    def checkpoint_folder(self) -> str | None:
        """Folder that the run is written to as it goes on; None where it is not."""
        return None

    def attributes(self) -> dict[str, Any]:
        """Return what the groups of ``fit.idata`` say about the engine."""
        return {}

    def anew(self) -> AbstractEngine:
        """Return the engine for a run of another model: without what a run filled in or wrote to."""
        return self

    def seeded(self) -> AbstractEngine:
        """Return the engine with a seed, drawn from the system where it takes one and has none."""
        return self

    def resumed(self, checkpoint: str, progress: bool | None) -> AbstractEngine:
        """Return the engine that goes on with a run from its checkpoint.

        Args:
            checkpoint: the folder.
            progress: whether to show how far the run is; None does as the run did.

        Raises:
            ModelError: the engine writes no checkpoints.
        """
        raise ModelError(f'The checkpoint is of method="{self.method}"; only draws of NUTS are resumed.')


@final
@dataclass(frozen=True)
class Coordinates:
    """Draws of unconstrained parameters.

    Attributes:
        values: ``(chains, draws, d)``.
        log_density: ``(n, d) -> (n,)`` log of likelihood times prior, with all constants, as a density of them.
    """

    values: np.ndarray
    log_density: Callable[[np.ndarray], np.ndarray]
