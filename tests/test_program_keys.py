"""A stored program is run for the structure that it was stored for: equal keys mean equal lowered programs, fuzzed."""

from __future__ import annotations

import random
from typing import Any

import jax
import numpy as np
import pytest

import bayesml
from bayesml.engines.nuts.forms.plan import build_form, plan_for
from bayesml.engines.nuts.programs.program import chain_program, report_program
from bayesml.engines.precision import double_precision
from bayesml.engines.programs.stored import stored_name
from bayesml.engines.programs.structure import structure_key
from bayesml.errors import BayesmlError
from bayesml.fit import describe_problem
from bayesml.reported import reported_variables

TERMS = ("x", "w", "f", "x:f", "poly(x, 2)", "offset(w)", "I(x^2)", "log(s)", "0")
GROUPS = ("(1 | g)", "(x | g)", "(x || g)", "(1 | g:h)", "(1 | g) + (1 | h)", "(0 + f | h)")
RESPONSES = {
    "gaussian": ("y", "y | weights(s)", "y | se(s, sigma=TRUE)"),
    "student": ("y", "y | weights(s)"),
    "poisson": ("k", "k | weights(s)"),
    "negbinomial": ("k",),
    "bernoulli": ("b",),
    "binomial": ("k | trials(n)",),
    "lognormal": ("s",),
    "gamma": ("s",),
    "beta": ("p",),
}
SCALES = ("exponential(1)", "exponential(2)", "student_t(3, 0, 1)", "normal(0, 1)", "gamma(2, 1)")


PERMUTED = ("response", "weights", "factor", "groups", "other groups", "rows")
CHANGED = ("prior", "predictor", "levels", "order of terms")


def columns(draw: np.random.Generator, rows: int, levels: int = 4) -> dict[str, np.ndarray]:
    number = np.arange(rows)
    return {
        "y": draw.normal(size=rows),
        "k": draw.poisson(2.0, rows).clip(0, 9),
        "b": draw.integers(0, 2, rows),
        "p": draw.uniform(0.1, 0.9, rows),
        "s": draw.uniform(0.5, 2.0, rows),
        "n": np.full(rows, 10),
        "x": draw.normal(size=rows),
        "w": draw.normal(size=rows),
        "f": np.array(["a", "b", "c"])[number % 3],
        "g": draw.permutation(number % levels),
        "h": np.array(["u", "v", "w", "z"])[number % 4],
    }


def drawn_problem(template: int, variant: int) -> Any:
    """Return a model; variants of one template differ in one way, which changes the key or does not."""
    shape, rng = random.Random(f"template {template}"), random.Random(f"{template} {variant}")
    family = shape.choice(list(RESPONSES))
    terms, priors = shape.sample(TERMS, shape.randint(1, 3)), [bayesml.prior(shape.choice(SCALES), class_="sd")]
    way = rng.choice((*PERMUTED, *CHANGED)) if variant else "none"
    if way == "order of terms":
        terms = terms[::-1]
    if way == "prior":
        priors = [bayesml.prior(rng.choice(SCALES), class_="sd")]
    formula: Any = f"{shape.choice(RESPONSES[family])} ~ {' + '.join([*terms, shape.choice(GROUPS)])}"
    if family in ("gaussian", "student") and shape.random() < 0.3 and "se(" not in formula:
        formula = bayesml.bf(formula, "sigma ~ x")
    data = columns(np.random.default_rng(template), shape.choice((24, 36)), 5 if way == "levels" else 4)
    draw = np.random.default_rng(variant)
    names = {"response": "ykbp", "weights": "s", "factor": "f", "groups": "g", "other groups": "h"}.get(way, "")
    if way == "predictor":
        data["x"] = draw.normal(size=data["x"].size)
    if way == "rows":
        order = draw.permutation(data["x"].size)
        data = {name: values[order] for name, values in data.items()}
    return describe_problem(
        formula, data | {name: draw.permutation(data[name]) for name in names}, family, prior=priors
    )


def programs_of(problem: Any, marginalize: bool | None, precondition: bool | None) -> dict[str, str]:
    """Return the lowered text of two programs of a model by the name under which it would be stored."""
    form = build_form(problem, plan_for(problem, marginalize, precondition))
    names = frozenset(v.name for v in reported_variables(problem.description.spec, problem.design.schema))
    key = structure_key(form.structure, form.first_step, 10, names)
    start = np.zeros(form.size), form.data
    report = np.zeros((2, form.size)), np.zeros((2, sum(form.noise_sizes))), form.data
    calls = {
        "start": (chain_program(form.density, 10, form.first_step).start, start),
        "report": (report_program(form, names), report),
    }
    named = {stored_name(key, name, given, (), None): (function, given) for name, (function, given) in calls.items()}
    return {name: jax.jit(function).lower(*given).as_text() for name, (function, given) in named.items() if name}


def check(templates: range, variants: int) -> tuple[int, int]:
    """Compare models of each template; return how many programs there were and how many shared a name."""
    compared = programs = 0
    for template in templates:
        found: dict[str, str] = {}
        options = random.Random(template).choice(((None, None), (None, None), (False, None), (False, False)))
        for variant in range(variants):
            try:
                named = programs_of(drawn_problem(template, variant), *options)
            except BayesmlError:  # what was drawn is no model
                continue
            for name, text in named.items():
                programs += 1
                compared += name in found
                assert found.setdefault(name, text) == text, (template, variant)
    return programs, compared


@pytest.fixture(autouse=True)
def x64():
    with double_precision():
        yield


def test_equal_keys_mean_equal_programs():
    programs, compared = check(range(5), 4)
    assert programs > 20 and compared > 5


@pytest.mark.slow
def test_equal_keys_mean_equal_programs_of_many_models():
    programs, compared = check(range(100, 160), 6)
    assert programs > 400 and compared > 100
