"""Running NUTS. JAX and the sampler are imported when one of these functions is called, not before."""

from __future__ import annotations

import time
from dataclasses import replace
from types import ModuleType

from bayesml.engines.base import Continuation, Coordinates, Outcome, Problem
from bayesml.engines.nuts.options import NUTS
from bayesml.garbage_collection import garbage_collection_paused
from bayesml.notebook import without_tqdm_warning
from bayesml.posterior import Draws

__all__ = ["extend_nuts", "nuts_coordinates", "run_nuts"]


def run_nuts(engine: NUTS, problem: Problem) -> Outcome:
    """Sample the posterior."""
    began = time.perf_counter()
    driver = _imported_driver()
    imported = time.perf_counter() - began
    outcome: Outcome = driver.run(engine, problem)
    return replace(outcome, timing=replace(outcome.timing, imports=imported))


def extend_nuts(engine: NUTS, problem: Problem, draws: Draws, continuation: Continuation, more: int) -> Outcome:
    """Go on with a run: ``more`` further draws of each chain behind ``draws``."""
    outcome: Outcome = _imported_driver().extend(engine, problem, draws, continuation, more)
    return outcome


def nuts_coordinates(engine: NUTS, problem: Problem, draws: int | None, seed: int) -> Coordinates:
    """Sample unconstrained parameters of the model as written."""
    _imported_driver()
    from bayesml.engines.nuts.driver.coordinates import sample_coordinates

    return sample_coordinates(engine, problem, draws, seed)


def _imported_driver() -> ModuleType:
    """Return the module that runs the sampler, which imports JAX."""
    from bayesml.engines.nuts.driver.background import imported_whole

    with garbage_collection_paused():
        without_tqdm_warning()
        return imported_whole(_driver)


def _driver() -> ModuleType:
    from bayesml.engines.nuts.driver import run

    return run
