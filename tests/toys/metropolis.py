"""Random-walk Metropolis: the simplest sampler of a posterior (Metropolis et al. 1953)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from bayesml.engines import AbstractEngine, Outcome, Problem
from bayesml.engines.base import Sampling
from bayesml.errors import ModelError
from bayesml.posterior import Draws, Timing


@final
@dataclass(frozen=True)
class Metropolis(AbstractEngine):
    """Options: chains, draws kept of each, steps between two of them, standard deviation of a step, seed."""

    chains: int = 2
    draws: int = 200
    thin: int = 10
    step: float = 0.1
    seed: int = 1

    method: ClassVar[str] = "metropolis"
    uses_priors: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if min(self.chains, self.draws, self.thin) < 1 or not self.step > 0:
            raise ModelError(f"`chains`, `draws` and `thin` are at least 1 and `step` is larger than 0; got {self}.")

    @property
    def sampling(self) -> Sampling:
        return Sampling(self.chains, self.draws, self.draws)


def run_metropolis(engine: Metropolis, problem: Problem) -> Outcome:
    """Sample; as many draws again are warm-up. JAX is imported here, not with the options."""
    import jax

    from bayesml.engines.nuts.forms.plain import plain_form
    from bayesml.engines.precision import double_precision

    rng = np.random.default_rng(engine.seed)
    with double_precision():
        form = plain_form(problem)
        density = jax.jit(form.density)
        chains = [_chain(rng, engine, form.size, lambda q: float(density(q, form.data))) for _ in range(engine.chains)]
        report = jax.jit(jax.vmap(lambda q: form.report(q, np.zeros(0), form.data)))
        draws = [report(chain) for chain in chains]
    values = {name: np.stack([np.asarray(each[name]) for each in draws]) for name in draws[0]}
    return Outcome(Draws(values), Timing(), engine.seed, plan="random-walk Metropolis")


def _chain(rng: np.random.Generator, engine: Metropolis, size: int, density) -> np.ndarray:
    q = 0.1 * rng.standard_normal(size)
    height, kept = density(q), []
    for i in range(2 * engine.draws * engine.thin):
        proposal = q + engine.step * rng.standard_normal(size)
        there = density(proposal)
        if np.log(rng.random()) < there - height:
            q, height = proposal, there
        if i >= engine.draws * engine.thin and i % engine.thin == 0:
            kept.append(q)
    return np.array(kept)
