"""Draws from the prior by forward simulation: no Markov chain, so that they are independent."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesml.distributions import LKJ
from bayesml.engines.base import Problem
from bayesml.errors import PriorError
from bayesml.reported import reported_names
from bayesml.spec import ParameterSpec

__all__ = ["prior_draws"]


def prior_draws(problem: Problem, seed: int, chains: int, draws: int) -> dict[str, np.ndarray]:
    """Draw every reported variable from the prior, ``(chains, draws, *shape)``.

    Raises:
        PriorError: a prior is improper.
    """
    spec = problem.description.spec
    improper = spec.improper()
    if improper:
        named = ", ".join(f'class "{p.prior_class}"' + (f' of group "{p.group}"' if p.group else "") for p in improper)
        raise PriorError(
            f"Drawing from the prior needs proper priors, but that of {named} is flat. Set one with "
            'prior("normal(0, 10)", class_=...), or use default_priors="bayesml", where all are proper.'
        )
    rng = np.random.default_rng([seed, 2])
    n = chains * draws
    sampled = {p.name: _draw(p, rng, n) for p in spec.parameters}
    reported = frozenset(reported_names(spec, problem.design.schema))
    kept = [_reported(problem, {k: v[i] for k, v in sampled.items()}, reported) for i in range(n)]
    return {
        name: np.stack([each[name] for each in kept]).reshape(chains, draws, *kept[0][name].shape) for name in kept[0]
    }


def _draw(parameter: ParameterSpec, rng: np.random.Generator, n: int) -> np.ndarray:
    if not parameter.prior_class:
        return rng.standard_normal((n, *parameter.shape))
    first = parameter.priors[0]
    if isinstance(first, LKJ):
        return first.draw_cholesky(rng, parameter.shape[0], n)
    columns = [prior.draw(rng, n) for prior in parameter.priors]
    return np.stack(columns, axis=1) if parameter.coefs else columns[0]


def _reported(problem: Problem, values: dict[str, Any], reported: frozenset[str]) -> dict[str, np.ndarray]:
    for predictor in problem.design.schema.predictors:
        for term in predictor.terms:
            values |= term.derive(values)
    return {name: np.asarray(values[name]) for name in reported}
