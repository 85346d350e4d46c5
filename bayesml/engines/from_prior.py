"""Draws from the prior by forward simulation. There is no Markov chain, so that the draws are independent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayesml.compile import likelihood_values, linear_predictors, values_around_means
from bayesml.describe import refuse_improper
from bayesml.distributions import WholeDistribution
from bayesml.engines.base import Problem
from bayesml.errors import PriorError
from bayesml.families import JointLikelihood
from bayesml.families.drawing import draw_where_possible, natural_values
from bayesml.reported import reported_names
from bayesml.spec import ParameterSpec
from bayesml.supports import Ordered

__all__ = ["prior_draws"]

MOST_ATTEMPTS = 10_000


def prior_draws(problem: Problem, seed: int, chains: int, draws: int, *, partly: bool = False) -> dict[str, np.ndarray]:
    """Draw every reported variable from the prior, ``(chains, draws, *shape)``.

    Args:
        problem: the model.
        seed: the seed.
        chains: length of the first axis.
        draws: length of the second axis.
        partly: whether improper priors are allowed: parameters that have one are NaN, and so is what is computed from
            them.

    Raises:
        PriorError: a prior is improper.
    """
    spec = problem.description.spec
    if not partly:
        refuse_improper(spec)
    rng = np.random.default_rng([seed, 2])
    n = chains * draws
    sampled: dict[str, np.ndarray] = {}
    for parameter in spec.parameters:
        given = parameter.conditional
        own = _draw(parameter, rng, n) if given is None else given.draw(rng, sampled, parameter.shape)
        sampled[parameter.name] = own
    reported = frozenset(reported_names(spec, problem.design.schema))
    drawn = [_reported(problem, {k: v[i] for k, v in sampled.items()}, reported, [seed, 3, i]) for i in range(n)]
    stacked = {name: np.stack([values[name] for values in drawn]) for name in drawn[0]}
    return {name: values.reshape(chains, draws, *values.shape[1:]) for name, values in stacked.items()}


def _draw(parameter: ParameterSpec, rng: np.random.Generator, n: int) -> np.ndarray:
    if not parameter.prior_class:
        return rng.standard_normal((n, *parameter.shape))
    first = parameter.priors[0]
    if isinstance(first, WholeDistribution):
        return first.draw_whole(rng, parameter.shape, n)
    if isinstance(parameter.support, Ordered):
        return _increasing(parameter, rng, n)
    columns = _columns(parameter, rng, n)
    return np.stack(columns, axis=1) if parameter.coefs else columns[0]


def _columns(parameter: ParameterSpec, rng: np.random.Generator, n: int) -> list[np.ndarray]:
    """Return draws of each element; those of an improper prior are NaN."""
    return [prior.draw(rng, n) if prior.is_proper else np.full(n, np.nan) for prior in parameter.priors]


def _increasing(parameter: ParameterSpec, rng: np.random.Generator, n: int) -> np.ndarray:
    """Return vectors with independent elements given that they increase, ``(n, k)``.

    Elements with the same prior are exchangeable, so that sorting the draws puts them in order without changing their
    joint distribution given the order. Otherwise vectors are drawn again until they increase.

    Raises:
        PriorError: they hardly ever do.
    """
    columns = np.stack(_columns(parameter, rng, n), axis=1)
    if len(set(parameter.priors)) == 1:
        return np.sort(columns, axis=1)
    for _ in range(MOST_ATTEMPTS):
        wrong = np.flatnonzero((np.diff(columns, axis=1) <= 0).any(axis=1))
        if not wrong.size:
            return columns
        columns[wrong] = np.stack([prior.draw(rng, wrong.size) for prior in parameter.priors], axis=1)
    raise PriorError(
        f'The priors of class "{parameter.prior_class}" are hardly ever in increasing order, as the parameters '
        "are; set priors whose centres increase."
    )


def _reported(
    problem: Problem, values: dict[str, Any], reported: frozenset[str], seed: Sequence[int]
) -> dict[str, np.ndarray]:
    values |= problem.description.spec.computed(values)
    values |= problem.likelihood.derive(values)
    for predictor in problem.design.schema.predictors:
        for term in predictor.terms:
            values |= term.derived(values, problem.design.arrays[predictor.key][term.key])
    around = values_around_means(problem.design.schema, problem.likelihood, values, problem.design.arrays)
    values |= {name: value for name, value, _ in around}
    values = _with_unobserved(problem, values, seed)
    return {name: np.asarray(values[name]) for name in reported}


def _with_unobserved(problem: Problem, values: dict[str, Any], seed: Sequence[int]) -> dict[str, Any]:
    """Return the values with responses that are not observed drawn from their distributions.

    One of them may be a predictor of another. Each pass uses the same random numbers, so that after as many passes as
    there are such responses each was drawn with the last values of those that it depends on.
    """
    design, likelihood = problem.design, problem.likelihood
    unobserved = {
        term.unobserved_responses: (each.name, each.data.unobserved.rows)
        for each in design.responses
        if each.data.unobserved is not None
        for predictor in design.schema.predictors
        for term in predictor.terms
        if term.unobserved_responses and predictor.key.resp == each.name
    }
    data = design.response.arrays
    for _ in unobserved:
        predictors = linear_predictors(design.schema, values, design.arrays)
        natural = natural_values(likelihood, likelihood_values(likelihood, predictors, values))
        rng = np.random.default_rng(seed)
        drawn = draw_where_possible(likelihood, rng, natural, data, (design.n_rows,))
        for name, (resp, rows) in unobserved.items():
            own = likelihood.own_data(resp, {"y": drawn})["y"] if isinstance(likelihood, JointLikelihood) else drawn
            values = values | {name: own[rows]}
    return values
