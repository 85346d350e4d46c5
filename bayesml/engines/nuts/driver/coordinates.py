"""Draws in the unconstrained coordinates of the model as written, with its density: what marginal likelihoods need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.engines.base import Coordinates, Problem
from bayesml.engines.nuts.defaults import WARMUP
from bayesml.engines.nuts.driver.methods import chain_method
from bayesml.engines.nuts.driver.retry import sample_with_retry
from bayesml.engines.nuts.driver.session import Session
from bayesml.engines.nuts.forms.plain import plain_form
from bayesml.engines.nuts.options import NUTS
from bayesml.engines.nuts.programs.compiled import compile_form
from bayesml.engines.precision import double_precision
from bayesml.engines.progress import Progress
from bayesml.keys import MU
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from jaxtyping import Array

__all__ = ["sample_coordinates"]

POSITION = "position"
ROWS_AT_ONCE = 500


def sample_coordinates(own: NUTS, problem: Problem, draws: int | None, seed: int) -> Coordinates:
    """Sample the model as written.

    Args:
        own: the engine, whose chains, warm-up and draws are taken.
        problem: the model with its data.
        draws: draws of each chain; None takes twice those of the engine.
        seed: whole number.
    """
    options = replace(own, draws=draws or 2 * own.draws, warmup=own.warmup or WARMUP, seed=seed, progress=False)
    options = replace(options, checkpoint=None, target_ess=None, max_seconds=None)
    form = plain_form(problem)
    labels = tuple(str(k) for k in range(form.size))
    variable = ReportedVariable(POSITION, "b", (POSITION,), (labels,), (), MU)

    def report(q: Array, noise: Array, data: Any) -> dict[str, Array]:
        return {POSITION: q}

    with double_precision(), Progress(options.progress) as progress:
        moved = replace(form, report=report, structure=())
        compiled = compile_form(moved, options.max_treedepth, (variable,), None, progress)
        session = Session(options, problem, compiled, (variable,), chain_method(), None, progress)
        attempt, _ = sample_with_retry(session)
        values = session.draws(attempt, {}).values[POSITION]
        progress.finish(len(attempt.chains), attempt.kept, attempt.divergences())
    data = compiled.data  # a form may have moved its coordinates
    volume = float(np.log(np.asarray(data["scale"], dtype=float)).sum())
    return Coordinates(np.asarray(values, dtype=float), _density(form.density, data, volume))


def _density(density: Callable[..., Any], data: Any, volume: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return the density of many points; coordinates are q with u = center + scale q, du = scale dq."""
    import jax

    compiled = jax.jit(jax.vmap(density, in_axes=(0, None)))

    def evaluate(points: np.ndarray) -> np.ndarray:
        found = []
        with double_precision():
            for start in range(0, len(points), ROWS_AT_ONCE):
                part = points[start : start + ROWS_AT_ONCE]
                padded = np.concatenate([part, np.repeat(part[:1], ROWS_AT_ONCE - len(part), axis=0)])
                found.append(np.asarray(compiled(padded, data))[: len(part)])
        return np.concatenate(found) + volume

    return evaluate
