"""Which code runs which engine: an engine object is options only, and this table names the functions behind it.

Adding an engine is one package and one line here. The functions import their numerics when they are called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from bayesml.engines.base import AbstractEngine, Continuation, Coordinates, Outcome, Problem
from bayesml.engines.nuts import NUTS
from bayesml.engines.nuts.entry import extend_nuts, nuts_coordinates, run_nuts
from bayesml.engines.point import MAP, ML, REML, Laplace
from bayesml.engines.point.entry import (
    restore_laplace_engine,
    restore_linear_engine,
    restore_map_engine,
    run_laplace_engine,
    run_map_engine,
    run_ml_engine,
    run_reml_engine,
)
from bayesml.errors import ModelError
from bayesml.posterior import AbstractPosterior, Draws, StoredEstimate

__all__ = ["ENGINES", "EngineEntry", "can_extend", "extend", "restore", "run", "sample_coordinates"]


@final
@dataclass(frozen=True)
class EngineEntry:
    """An engine and the code that runs it.

    Attributes:
        default: the engine with its default options.
        run: ``(engine, problem) -> outcome``.
        extend: ``(engine, problem, draws, continuation, more) -> outcome``, which goes on with a run: ``more`` further
            draws of each chain behind ``draws``. None where there are no chains to go on with.
        restore: ``(engine, problem, stored) -> estimate``, which takes an estimate from a file. None where there are
            draws instead.
        coordinates: ``(engine, problem, draws, seed) -> coordinates``, which draws unconstrained parameters anew. None
            where there is no way to.
    """

    default: AbstractEngine
    run: Callable[[Any, Problem], Outcome]
    extend: Callable[[Any, Problem, Draws, Continuation, int], Outcome] | None = None
    restore: Callable[[Any, Problem, StoredEstimate], AbstractPosterior] | None = None
    coordinates: Callable[[Any, Problem, int | None, int], Coordinates] | None = None


ENGINES: dict[str, EngineEntry] = {
    entry.default.method: entry
    for entry in (
        EngineEntry(NUTS(), run_nuts, extend_nuts, coordinates=nuts_coordinates),
        EngineEntry(REML(), run_reml_engine, restore=restore_linear_engine),
        EngineEntry(ML(), run_ml_engine, restore=restore_linear_engine),
        EngineEntry(Laplace(), run_laplace_engine, restore=restore_laplace_engine),
        EngineEntry(MAP(), run_map_engine, restore=restore_map_engine),
    )
}


def run(engine: AbstractEngine, problem: Problem) -> Outcome:
    """Fit the model.

    Raises:
        ModelError: this engine cannot fit this model; the message names one that can.
    """
    return _entry(engine).run(engine, problem)


def can_extend(engine: AbstractEngine) -> bool:
    """Whether there is a way to go on with the chains of this engine."""
    return _entry(engine).extend is not None


def extend(engine: AbstractEngine, problem: Problem, draws: Draws, continuation: Continuation, more: int) -> Outcome:
    """Go on with a run of an engine that has chains.

    Args:
        engine: the engine, with the options of the run.
        problem: the model with its data.
        draws: the draws there are.
        continuation: where the chains stand.
        more: further draws of each chain.

    Raises:
        ModelError: the engine has no chains.
    """
    continued = _entry(engine).extend
    if continued is None:
        raise ModelError(f'method="{engine.method}" has no chains to extend.')
    return continued(engine, problem, draws, continuation, more)


def restore(engine: AbstractEngine, problem: Problem, stored: StoredEstimate) -> AbstractPosterior:
    """Return the estimate of an engine from a file, with its problem.

    Raises:
        ValueError: the estimate does not belong to the model, or the engine has none.
    """
    known = _entry(engine).restore
    if known is None:
        raise ValueError(f'method="{engine.method}" has draws, no estimate')
    return known(engine, problem, stored)


def sample_coordinates(engine: AbstractEngine, problem: Problem, draws: int | None, seed: int) -> Coordinates:
    """Draw unconstrained parameters of a model anew, with the density of these.

    Args:
        engine: the engine, with the options of the run.
        problem: the model with its data.
        draws: draws of each chain; None takes twice those of the engine.
        seed: whole number.

    Raises:
        ModelError: the engine has no chains.
    """
    drawn = _entry(engine).coordinates
    if drawn is None:
        raise ModelError(f'method="{engine.method}" has no chains; fit.update(method="nuts") has.')
    return drawn(engine, problem, draws, seed)


def _entry(engine: AbstractEngine) -> EngineEntry:
    entry = ENGINES.get(engine.method)
    if entry is None or type(entry.default) is not type(engine):
        raise ModelError(f"{type(engine).__name__} is not in the table of engines, `bayesml.engines.dispatch.ENGINES`.")
    return entry
