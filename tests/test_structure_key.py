"""The name of a structure: different values never share one, and what cannot be told apart has none."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np
import pytest

import bayesml
from bayesml.design import PredictorDesign
from bayesml.distributions import Normal
from bayesml.engines.base import Problem
from bayesml.engines.nuts.sampler.chain_state import Stage, Statistics
from bayesml.engines.precision import double_precision
from bayesml.engines.programs import structure
from bayesml.engines.programs.structure import package_key, structure_key
from bayesml.families import FAMILIES, get_family
from bayesml.fit import describe_problem
from bayesml.frozen import FrozenMapping
from bayesml.links import get_link
from bayesml.links.elementary import exp, log
from tests.closed_families import CLOSED

STATISTICS = Statistics(1, 2, 3, 4, 5, 6, 7)
VALUES = {
    "none": None,
    "false": False,
    "zero": 0,
    "minus": -1,
    "large": 10**5000,
    "float zero": 0.0,
    "negative zero": -0.0,
    "nan": float("nan"),
    "infinity": float("inf"),
    "tenth": 0.1,
    "next to a tenth": np.nextafter(0.1, 1).item(),
    "numpy zero": np.float64(0.0),
    "numpy single": np.float32(0.0),
    "array zero": np.zeros(()),
    "array of one": np.zeros(1),
    "row": np.zeros((1, 4)),
    "column": np.zeros((4, 1)),
    "whole": np.zeros((4, 1), np.int64),
    "labels": np.array(["ab", "c"]),
    "other labels": np.array(["a", "bc"]),
    "text": "12",
    "bytes": b"12",
    "empty": "",
    "surrogate": "\ud800",
    "pair": (1, 2),
    "pair in a list": [1, 2],
    "list of texts": ["1", "2"],
    "nested": ((1,), 2),
    "nested otherwise": (1, (2,)),
    "nothing": (),
    "no list": [],
    "no mapping": {},
    "no set": frozenset(),
    "set": frozenset({1, 2}),
    "mapping": {1: 2},
    "the other way round": {2: 1},
    "pairs": [(1, 2)],
    "stage": Stage.FAST,
    "stage's number": int(Stage.FAST),
    "statistics": STATISTICS,
    "statistics, bare": tuple(STATISTICS),
    "prior": Normal(0.0, 1.0),
    "wider prior": Normal(0.0, 1.5),
    "prior's numbers": (0.0, 1.0),
    "class": Normal,
    "class by name": ("bayesml.distributions.real", "Normal"),
    "function": exp,
    "another function": log,
}


def test_no_two_values_share_a_key():
    keys = {name: structure_key(value) for name, value in VALUES.items()}
    assert [name for name, key in keys.items() if key is None] == []
    for (first, one), (second, other) in combinations(keys.items(), 2):
        assert one != other, f"{first} and {second}"


def test_parts_do_not_run_into_each_other():
    keys = [structure_key(*parts) for parts in ((1, 2), ((1, 2),), ((1,), 2), ("ab", "c"), ("a", "bc"), (), ((),))]
    assert len(set(keys)) == len(keys)


def test_the_order_of_mappings_and_sets_does_not_count():
    assert structure_key({"a": 1, "b": 2}) == structure_key(FrozenMapping({"b": 2, "a": 1}))
    assert structure_key(frozenset("abc")) == structure_key(frozenset("cba"))


@dataclass(frozen=True)
class Own:
    """A user's class: under the same name there may be other code tomorrow."""

    value: int = 0


def own(x):
    return x


def circle() -> list:
    values: list = []
    values.append(values)
    return values


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        bytearray(b"a"),
        np.array([object()]),
        np.zeros(2, [("a", float)]),
        np.ma.zeros(2),
        Own(),
        Own,
        own,
        lambda x: x,
        partial(exp, 1),
        Normal(0.0, 1.0).log_density,
        iter([]),
        circle(),
        Statistics(*range(6), Own()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_told_apart_has_no_key(value):
    assert structure_key(value) is None
    assert structure_key({"deep": [(value,)]}) is None


# Models ------------------------------------------------------------------------------------------------------------

ROWS = 96


def data(family: str = "gaussian", seed: int = 1) -> dict[str, np.ndarray]:
    """Return data whose response is the same numbers in another order for every seed."""
    rng, number = np.random.default_rng(0), np.arange(ROWS)
    drawn = {
        "bernoulli": rng.integers(0, 2, ROWS),
        "binomial": rng.integers(0, 10, ROWS),
        "poisson": rng.poisson(3.0, ROWS),
        "negbinomial": rng.poisson(3.0, ROWS),
        "geometric": rng.poisson(3.0, ROWS),
        "beta": rng.beta(2, 3, ROWS),
    }.get(family, rng.gamma(2.0, size=ROWS))
    columns = {name: rng.normal(size=ROWS) for name in ("x", "w")}
    columns |= {"g": np.array([f"g{i % 8}" for i in number]), "h": np.array([f"h{i % 5}" for i in number])}
    columns |= {"f": np.array(["a", "b", "c"])[number % 3], "n": np.full(ROWS, 10.0), "se": rng.uniform(0.5, 1, ROWS)}
    return {"y": np.random.default_rng(seed).permutation(drawn), **columns}


def key_of(problem: Problem) -> str | None:
    return structure_key(problem.description.spec.structure, problem.design.schema, problem.likelihood)


MODELS = [
    *((("y | trials(n)" if f == "binomial" else "y") + " ~ x * f + (x | g)", f) for f in CLOSED),
    ("y ~ x + (1 | g)", "weibull"),
    ("y ~ x + (1 | g)", "hurdle_gamma"),
    ("y | trunc(lb = 0) ~ x", "gaussian"),
    ("y ~ poly(x, 2) + bs(w, df=4) + C(f) + offset(w) + log(se) + (1 | g:h) + (x || g)", "gaussian"),
    ("y | se(se, sigma=TRUE) + weights(n) ~ center(x) + (1 | g) + (1 | h)", "gaussian"),
    (bayesml.bf("y ~ x + (1 | g)", "sigma ~ f + (1 | h)"), "student"),
    (bayesml.bf("y ~ x + (1 | g)", "phi ~ w"), "beta"),
    ("y ~ 1", "gaussian"),
    ("y ~ 0 + f", "poisson"),
    *(("y ~ x + (1 | g)", FAMILIES["bernoulli"](link=link)) for link in ("probit", "cloglog", "cauchit")),
    *(("y ~ x", FAMILIES["gamma"](link=link)) for link in ("inverse", "softplus", "squareplus", "identity")),
    ("y ~ x", FAMILIES["poisson"](link="sqrt")),
]


@pytest.mark.parametrize(("formula", "family"), MODELS, ids=str)
def test_a_model_has_a_key_which_does_not_depend_on_what_the_data_say(formula, family):
    name = get_family(family).name
    # The order of the response changes neither its median nor anything else that is a constant of the model.
    keys = {key_of(describe_problem(formula, data(name, seed), family)) for seed in (1, 2)}
    assert len(keys) == 1 and None not in keys


PRIORS = (
    "normal(0, 2)",
    "student_t(4, 0, 2.5)",
    "cauchy(0, 1)",
    "laplace(0, 1)",
    "uniform(-5, 5)",
    "constant(0.5)",
)


def test_every_kind_of_prior_is_in_the_key():
    keys = [None, *PRIORS[1:]]  # the default is normal
    found = {key_of(with_prior(text)) for text in keys}
    assert len(found) == len(keys) and None not in found


def test_numbers_of_priors_are_not_in_the_key():
    assert len({key_of(with_prior(text)) for text in (None, "normal(0, 2)", "normal(0, 2.5)", "normal(1, 2)")}) == 1


def with_prior(text: str | None) -> Problem:
    prior = [] if text is None else [bayesml.prior(text, class_="b", coef="x")]
    return describe_problem("y ~ x + w + (1 | g)", data(), prior=prior)


BASE = ("y ~ bs(x, df=4) + f + (x | g)", "negbinomial")


def changed(part: str) -> Problem:
    """Return a model that differs from the base in one part."""
    columns = data("negbinomial")
    if part == "level":
        columns["g"] = np.where(columns["g"] == "g7", "g8", columns["g"])
    if part == "number of levels":
        columns["g"] = np.where(np.arange(ROWS) == 5, "g8", columns["g"])
    if part == "knots":
        columns["x"] = columns["x"] * (1 + 1e-12)
    if part == "rows":
        columns = {name: values[:-1] for name, values in columns.items()}
    formula = "y ~ f + bs(x, df=4) + (x | g)" if part == "order of terms" else BASE[0]
    family = {"family": "poisson", "link": FAMILIES["negbinomial"](link="sqrt")}.get(part, BASE[1])
    problem = describe_problem(formula, columns, family)
    return with_other_constant(problem) if part == "constant" else problem


def with_other_constant(problem: Problem) -> Problem:
    """Move one number deep within the schema by one unit in the last place."""
    schema = problem.design.schema
    mu, *others = schema.predictors
    term, *rest = mu.terms
    means = term.means  # type: ignore[attr-defined]
    moved = replace(term, means=(np.nextafter(means[0], np.inf).item(), *means[1:]))  # type: ignore[call-arg]
    predictors = (PredictorDesign(mu.key, (moved, *rest)), *others)
    return replace(problem, design=replace(problem.design, schema=replace(schema, predictors=predictors)))


@pytest.mark.parametrize(
    "part", ["level", "number of levels", "knots", "rows", "order of terms", "family", "link", "constant"]
)
def test_a_change_of_one_part_changes_the_key(part):
    base = key_of(changed("nothing"))
    assert base is not None
    assert key_of(changed("nothing")) == base
    assert key_of(changed(part)) not in (base, None)


def test_a_users_own_link_or_function_has_no_key():
    assert key_of(describe_problem("y ~ x", data())) is not None
    link = replace(get_link("log"), _inverse=lambda eta: eta)
    assert structure_key(link) is None
    assert structure_key({"double": own}) is None


# The package -------------------------------------------------------------------------------------------------------


def test_other_source_text_has_another_key(tmp_path, monkeypatch):
    here = package_key()
    monkeypatch.setattr(structure, "PACKAGE", tmp_path)
    keys = {here}
    for path, text in (("a.py", "x = 1\n"), ("a.py", "x = 2\n"), ("b.py", "x = 1\n")):
        (tmp_path / path).write_text(text)
        structure._sources.cache_clear()
        keys.add(package_key())
    assert len(keys) == 4 and None not in keys
    monkeypatch.undo()
    structure._sources.cache_clear()
    assert package_key() == here


def test_without_source_text_there_is_no_key(tmp_path, monkeypatch):
    monkeypatch.setattr(structure, "PACKAGE", tmp_path / "nowhere")
    structure._sources.cache_clear()
    assert package_key() is None
    structure._sources.cache_clear()


def test_precision_is_in_the_key_of_the_package():
    single = package_key()
    with double_precision():
        assert package_key() != single


def test_another_process_finds_the_same_key():
    # Not the whole key of the package: its text may be edited while the tests run.
    told = "key_of(changed('nothing')), structure_key(frozenset('abc')), structure_key(structure._versions())"
    done = subprocess.run(
        [sys.executable, "-c", f"from tests.test_structure_key import *\nprint({told})"],
        capture_output=True,
        text=True,
        check=True,
        cwd=structure.PACKAGE.parent,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert done.stdout.split() == list(eval(told))
