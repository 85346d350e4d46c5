"""Sampling importance resampling around the posterior mode (Rubin 1988), for models of a few parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from bayesml.engines import AbstractEngine, Outcome, Problem
from bayesml.errors import ModelError
from bayesml.posterior import Draws, Timing


@final
@dataclass(frozen=True)
class Importance(AbstractEngine):
    """The fields are the options: number of draws, how many proposals there are for each, and the seed."""

    draws: int = 1000
    proposals: int = 20
    seed: int = 1

    method: ClassVar[str] = "importance"
    uses_priors: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if min(self.draws, self.proposals) < 1:
            raise ModelError(f"`draws` and `proposals` are at least 1; got {self.draws} and {self.proposals}.")


def run_importance(engine: Importance, problem: Problem) -> Outcome:
    """Draw from a t distribution around the mode, and from these draws by their weights."""
    import jax
    from scipy import optimize, stats

    from bayesml.engines.nuts.forms.plain import plain_form
    from bayesml.engines.precision import double_precision

    rng = np.random.default_rng(engine.seed)
    with double_precision():
        form = plain_form(problem)
        density = jax.jit(lambda q: form.density(q, form.data))
        slope = jax.jit(jax.grad(density))
        best = optimize.minimize(lambda q: -float(density(q)), np.zeros(form.size), jac=lambda q: -np.asarray(slope(q)))
        proposal = stats.multivariate_t(best.x, best.hess_inv, df=5, seed=rng)
        q = proposal.rvs(engine.draws * engine.proposals).reshape(-1, form.size)
        log_weight = np.asarray(jax.jit(jax.vmap(density))(q)) - proposal.logpdf(q)
        weight = np.exp(log_weight - log_weight.max())
        chosen = q[rng.choice(len(q), engine.draws, replace=False, p=weight / weight.sum())]
        reported = jax.jit(jax.vmap(lambda row: form.report(row, np.zeros(0), form.data)))(chosen)
    values = {name: np.asarray(value)[None] for name, value in reported.items()}
    return Outcome(Draws(values), Timing(), engine.seed, plan="importance resampling around the mode")
