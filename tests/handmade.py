"""Fits with draws made by hand: the real pipeline up to the engine, then random numbers, so that no test samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bayesml.describe import describe
from bayesml.design import build_design
from bayesml.engines import NUTS, Outcome, Problem
from bayesml.formula import ModelFormula, formula_of, formula_variables, parse
from bayesml.frame import column_names, read_frame
from bayesml.language import language_with
from bayesml.posterior import Draws, Timing
from bayesml.priors import Prior
from bayesml.reported import reported_variables
from bayesml.results.fits.fit_object import Fit
from bayesml.results.record.recipe import Recipe, family_of
from bayesml.variables import ReportedVariable

CHAINS, DRAWS = 3, 60
ENGINE = NUTS(draws=DRAWS, warmup=40, chains=CHAINS, max_treedepth=5, seed=1)


def handmade_fit(
    formula: str | ModelFormula,
    data: Any,
    family: Any = "gaussian",
    *,
    priors: tuple[Prior, ...] = (),
    functions: Mapping[str, Callable[..., Any]] | None = None,
    engine: NUTS = ENGINE,
    incomplete: bool = False,
    change: Mapping[str, np.ndarray] | None = None,
    statistics: Mapping[str, np.ndarray] | None = None,
    data_name: str = "made",
) -> Fit:
    """Return a fit whose draws are random; ``change`` and ``statistics`` replace some of them."""
    parsed = parse(formula, column_names(data), language_with(functions or {}))
    frame = read_frame(data, formula_variables(parsed))
    chosen = family_of(formula_of(parsed) if isinstance(formula, str) else formula, family)
    design = build_design(parsed, frame, chosen, functions)
    problem = Problem(design, describe(design, priors))
    rng = np.random.default_rng(4)
    variables = reported_variables(problem.description.spec, design.schema)
    values = {v.name: random_values(v, rng, (engine.chains, engine.draws)) for v in variables}
    prior = {v.name: random_values(v, rng, (engine.chains, engine.draws)) for v in variables}
    own = {} if engine.sample_prior == "only" else random_statistics(rng, (engine.chains, engine.draws))
    draws = Draws(
        values | dict(change or {}), own | dict(statistics or {}), prior if engine.sample_prior == "yes" else {}
    )
    outcome = Outcome(draws, Timing(compile=1.5, sampling=0.25), 1, incomplete)
    recipe = Recipe(formula_of(parsed), chosen, engine, priors, functions=design.schema.functions, data_name=data_name)
    return Fit(problem, frame, outcome, recipe)


def random_values(variable: ReportedVariable, rng: np.random.Generator, lead: tuple[int, int]) -> np.ndarray:
    shape = tuple(len(labels) for labels in variable.coords)
    if variable.kind == "cor":
        coefs = list(dict.fromkeys(coef for pair in variable.pairs for coef in pair))
        factor = rng.normal(size=(*lead, len(coefs), len(coefs) + 2))
        factor /= np.linalg.norm(factor, axis=-1, keepdims=True)
        first, second = zip(*([coefs.index(coef) for coef in pair] for pair in variable.pairs), strict=True)
        return (factor @ factor.swapaxes(-1, -2))[..., first, second]
    values = rng.normal(size=(*lead, *shape))
    if variable.kind == "rescor":
        return np.tanh(0.3 * values)  # of up to three responses a positive definite matrix in all but rare draws
    return np.abs(values) + 0.5 if variable.kind in ("sd", "family") else values


def random_statistics(rng: np.random.Generator, lead: tuple[int, int]) -> dict[str, np.ndarray]:
    return {
        "lp": rng.normal(size=lead),
        "energy": rng.normal(size=lead),
        "acceptance_rate": rng.uniform(size=lead),
        "n_steps": np.full(lead, 7),
        "tree_depth": np.full(lead, 3),
        "diverging": np.zeros(lead, dtype=bool),
        "step_size": np.full(lead, 0.4),
    }


def sleep(rng: np.random.Generator | None = None) -> dict[str, Any]:
    """Return a small data set in the form of sleepstudy, with two more columns."""
    rng = np.random.default_rng(0) if rng is None else rng
    n = 60
    return {
        "Reaction": rng.normal(300.0, 50.0, n),
        "Days": np.tile(np.arange(10.0), 6),
        "Subject": np.repeat([f"{308 + i}" for i in range(6)], 10),
        "Dose": np.tile(["none", "low dose", "größer"], 20),
    }
