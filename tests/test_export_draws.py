"""Exported programs without a response draw one: from the distribution whose density the program has."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from numpyro import handlers

import bayesml
from bayesml import bf
from bayesml.engines.base import Problem
from bayesml.engines.layout import layout_of
from bayesml.engines.precision import double_precision
from bayesml.exporting.exported import exported_model
from bayesml.fit import describe_problem

ROWS, REPEATS = 4, 2000
RNG = np.random.default_rng(2)
DATA = pd.DataFrame(
    {
        "x": RNG.normal(size=ROWS),
        "y": RNG.normal(size=ROWS),
        "y2": RNG.normal(size=ROWS),
        "count": [0, 3, 1, 2],
        "n": [5, 9, 7, 6],
        "positive": RNG.gamma(2.0, size=ROWS),
        "rating": pd.Categorical([1, 2, 3, 2], ordered=True),
        "kind": ["u", "v", "w", "u"],
        "w": [1.0, 2.0, 0.5, 1.0],
    }
)
MODELS: dict[str, tuple[Any, Any]] = {
    "gaussian": ("y | weights(w) ~ x", "gaussian"),
    "negbinomial": ("count ~ x", "negbinomial"),
    "binomial": ("count | trials(n) ~ x", "binomial"),
    "zero_inflated_poisson": ("count ~ x", "zero_inflated_poisson"),
    "gamma": ("positive ~ x", "gamma"),
    "weibull": ("positive ~ x", "weibull"),
    "mixture": ("y ~ x", bayesml.mixture("gaussian", "gaussian")),
    "several": (bf("mvbind(y, y2) ~ x") + bayesml.set_rescor(True), "gaussian"),
    "separate": (bf("mvbind(y, y2) ~ x") + bayesml.set_rescor(False), "gaussian"),
    "cumulative": ("rating ~ x", "cumulative"),
    "categorical": ("kind ~ x", "categorical"),
}


def drawn(problem: Problem) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Parameters, and responses that the program draws given these, ``(repeats, rows, ...)``."""
    program = exported_model(problem)
    space: dict[str, Any] = {"__name__": "exported"}
    exec(compile(program.code, "exported", "exec"), space)
    arrays = {**program.data, "y": None}

    def sites(key: Any, given: dict[str, Any]) -> dict[str, Any]:
        trace = handlers.trace(handlers.seed(handlers.substitute(space["model"], given), key)).get_trace(arrays)
        return {name: site["value"] for name, site in trace.items() if site["type"] in ("sample", "deterministic")}

    layout = layout_of(problem.description.spec)
    with double_precision():
        at = layout.center + 0.1 * np.random.default_rng(3).standard_normal(layout.size)
        given, _ = layout.constrain(at)
        found = jax.jit(jax.vmap(lambda key: sites(key, given)))(jax.random.split(jax.random.key(4), REPEATS))
    values = {name: np.asarray(value)[0] for name, value in found.items()} | given
    return values, {name: np.asarray(value) for name, value in found.items() if name.startswith("y")}


FAST = ("zero_inflated_poisson", "cumulative")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in FAST else pytest.mark.slow) for n in MODELS])
def test_means_of_drawn_responses(name: str) -> None:
    """The mean of each row over the repeats is the expected response, within 5 Monte Carlo standard errors."""
    formula, family = MODELS[name]
    problem = describe_problem(formula, DATA, family)
    values, responses = drawn(problem)
    y = responses["y"] if "y" in responses else np.stack([responses["y_y"], responses["y_y2"]], axis=-1)
    expected = expected_response(problem, values)
    if problem.likelihood.event_labels:
        first = problem.likelihood.first_category
        y = y[..., None] == first + np.arange(len(problem.likelihood.event_labels))
    error = y.std(axis=0) / np.sqrt(REPEATS) + 1e-12
    assert y.shape[1:] == expected.shape
    assert (np.abs(y.mean(axis=0) - expected) < 5.0 * error + 1e-3 * (error < 1e-6)).all()


def expected_response(problem: Problem, values: dict[str, Any]) -> np.ndarray:
    from bayesml.compile import likelihood_values, linear_predictors
    from bayesml.engines.density import data_of
    from bayesml.families.drawing import natural_values

    own = data_of(problem)
    with double_precision():
        predictors = linear_predictors(problem.design.schema, values, own["arrays"])
        parameters = natural_values(problem.likelihood, likelihood_values(problem.likelihood, predictors, values))
    arrays = {key: np.asarray(value, float) for key, value in parameters.items()}
    found = np.asarray(problem.likelihood.mean(arrays, {key: np.asarray(a) for key, a in own["response"].items()}))
    return np.broadcast_to(found, (ROWS, *found.shape[1:]))


def test_what_is_not_drawn_says_so() -> None:
    program = bayesml.export("positive ~ x", DATA, family="inverse.gaussian")
    space: dict[str, Any] = {"__name__": "exported"}
    exec(compile(program.code, "exported", "exec"), space)
    with pytest.raises(NotImplementedError, match="does not draw"):
        jax.eval_shape(lambda key: handlers.seed(space["model"], key)({**program.data, "y": None}), jax.random.key(1))
