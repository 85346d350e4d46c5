"""Exported programs: the density of each equals that of the model, for every family and every kind of term."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from numpyro.infer.util import log_density

import bayesml
from bayesml import bf, prior
from bayesml.compile import compile_model
from bayesml.engines.base import Problem
from bayesml.engines.density import data_of
from bayesml.engines.layout import layout_of
from bayesml.engines.precision import double_precision
from bayesml.errors import ModelError
from bayesml.exporting.exported import exported_model
from bayesml.exporting.primitives import PRIMITIVES
from bayesml.exporting.text import WIDTH, wrapped
from bayesml.fit import describe_problem

from .test_family_examples import EXAMPLES as FAMILIES

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs"))
import term_example  # noqa: E402
from term_examples import EXAMPLES as SECTIONS  # noqa: E402

TERMS = {example.title: example for examples in SECTIONS.values() for example in examples}
DATA, MATRICES = term_example.data(), term_example.matrices()


def family_problem(name: str) -> Problem:
    example = FAMILIES[name]
    terms = " + ".join(f"{term}({term})" for term in example.additions)
    left = f"cbind({', '.join(example.columns)})" if example.columns else "y"
    y = dict(zip(example.columns or ("y",), np.array(example.y).reshape(len(example.y), -1).T, strict=True))
    data = {**y, **{key: list(values) for key, values in example.additions.items()}}
    return describe_problem(f"{left} | {terms} ~ 1" if terms else f"{left} ~ 1", data, example.family)


def term_problem(name: str) -> Problem:
    example = TERMS[name]
    data2 = {each: MATRICES[each] for each in example.matrices} or None
    return describe_problem(example.model, DATA, example.of_family, data2=data2)


def both(problem: Problem, derivatives: bool = False) -> tuple[Any, Any]:
    """The log density of the model and of its program at one point, with derivatives where these are asked for."""
    program = exported_model(problem)
    space: dict[str, Any] = {"__name__": "exported"}
    exec(compile(program.code, "exported", "exec"), space)
    layout, own = layout_of(problem.description.spec), data_of(problem)
    model = compile_model(problem.description.spec, problem.design.schema, problem.likelihood)
    at = np.random.default_rng(1).standard_normal(layout.size)
    of = jax.value_and_grad if derivatives else lambda function: function
    with double_precision():
        values, _ = jax.jit(layout.constrain)(layout.center + 0.3 * layout.scale * at)
        ours = of(lambda v, data: log_density(model, (data, data["response"]["y"]), {}, v)[0])
        theirs = of(lambda v, data: log_density(space["model"], (data,), {}, v)[0])
        return jax.jit(ours)(values, own), jax.jit(theirs)(values, program.data)


def some(names: Iterable[str]) -> list[Any]:
    """Every fourth of the names, the others among the slow tests: each compiles two densities."""
    return [pytest.param(name, marks=() if i % 4 == 0 else pytest.mark.slow) for i, name in enumerate(names)]


@pytest.mark.parametrize("name", some(FAMILIES))
def test_densities_of_every_family(name: str) -> None:
    ours, theirs = both(family_problem(name))
    np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", some(TERMS))
def test_densities_of_every_term(name: str) -> None:
    ours, theirs = both(term_problem(name))
    np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "name", ["asym_laplace", *(pytest.param(n, marks=pytest.mark.slow) for n in ("beta_binomial", "compois", "xbeta"))]
)
def test_derivatives_of_families_with_derivatives_of_their_own(name: str) -> None:
    ours, theirs = both(family_problem(name), derivatives=True)
    for each, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(other, each, rtol=1e-8, atol=1e-9)


MODELS = {
    "horseshoe": partial(describe_problem, "y ~ x + z + f", DATA, prior=[prior("horseshoe(1)", class_="b")]),
    "priors of each coefficient": partial(
        describe_problem,
        "y ~ x + z + f + (z | g)",
        DATA,
        prior=[
            prior("normal(0, 3)", class_="b", coef="x"),
            prior("constant(0.5)", class_="b", coef="z"),
            prior("gamma(2, 3)", class_="sd", group="g", coef="z"),
            prior("normal(1, 2)", class_="b", coef="f[b]", lb=-1, ub=4),
            prior("constant(1.5)", class_="sigma"),
            prior("lkj(3)", class_="cor"),
        ],
    ),
    "flat priors": partial(describe_problem, "y ~ x + z", DATA, default_priors="brms"),
    "a prior far in the tail": partial(
        describe_problem, "y ~ x", DATA, prior=[prior("normal(0, 1)", class_="b", coef="x", lb=6)]
    ),
    "several responses": partial(
        describe_problem, bf("mvbind(y, y2) ~ z + (1 | p | g)") + bayesml.set_rescor(True), DATA
    ),
    "formulas of parameters": partial(
        describe_problem, bf("y ~ s(x) + (1 | p | g)", sigma="~ z + (1 | p | g)"), DATA, "student"
    ),
    "a mixture": partial(describe_problem, bf("count ~ z", theta2="~ x"), DATA, bayesml.mixture("poisson", nmix=2)),
    "weights and zero inflation": partial(
        describe_problem, bf("count | weights(w1) ~ mo(grade)", zi="~ z"), DATA, "zero_inflated_poisson"
    ),
    "ordinal effects": partial(describe_problem, bf("rating ~ z + cs(x) + (1 | g)", disc="~ f"), DATA, "acat"),
    "a smooth of each level": partial(describe_problem, "y ~ s(x, f, bs='fs', k=5) + t2(x, z)", DATA),
}


@pytest.mark.parametrize("name", MODELS)
def test_densities_of_models(name: str) -> None:
    ours, theirs = both(MODELS[name]())
    np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-9)


HOSTILE = 'a""" # \'import os'


def test_names_of_the_user_are_no_code() -> None:
    """Names that end texts, comments and lines stay names."""
    data = pd.DataFrame({HOSTILE: DATA["x"], "y": DATA["y"], "g": DATA["g"] + '"\n\\\u2028'})
    ours, theirs = both(describe_problem(f"y ~ `{HOSTILE}` + (1 | g)", data))
    np.testing.assert_allclose(theirs, ours, rtol=1e-9)


def test_the_program_runs_alone(tmp_path: Path) -> None:
    data = bayesml.load_dataset("sleepstudy")
    program = bayesml.export("Reaction ~ Days + (Days | Subject)", data, path=tmp_path / "sleep.py")
    assert "import bayesml" not in program.code and "from bayesml" not in program.code
    assert max(map(len, program.code.splitlines())) <= WIDTH + 10
    assert repr(program).startswith("ExportedModel(")
    script = (
        "import sys, numpy as np, sleep\nfrom numpyro import handlers\n"
        "t = handlers.trace(handlers.seed(sleep.model, 1)).get_trace(sleep.load_data())\n"
        "print(sorted(n for n in t if n in ('b', 'sd_Subject', 'r_Subject', 'cor_Subject', 'sigma')))\n"
        "print('bayesml' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["['b', 'cor_Subject', 'r_Subject', 'sd_Subject', 'sigma']", "False"]


def test_fits_of_both_kinds_are_exported(tmp_path: Path) -> None:
    data = bayesml.load_dataset("sleepstudy")
    fit = bayesml.fit("Reaction ~ Days + (1 | Subject)", data, method="reml")
    note = "which knows no priors"
    assert note in fit.export().code and note not in bayesml.export(fit.formula, data).code
    for wrong in ({"language": "stan"}, {"path": tmp_path / "model.txt"}, {"path": tmp_path / "no" / "model.py"}):
        with pytest.raises(ModelError):
            fit.export(**wrong)
    assert not list(tmp_path.iterdir())


def test_an_operation_without_a_text_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delitem(PRIMITIVES, "log")
    with pytest.raises(ModelError, match="operation `log`"):
        bayesml.export("y ~ x", DATA, "skew_normal", path=tmp_path / "model.py")
    assert not list(tmp_path.iterdir())


def test_lines_are_broken_inside_brackets_only() -> None:
    line = "    value = f(" + ", ".join(f"'a, b' + {k}" for k in range(40)) + ")"
    pieces = wrapped(line)
    assert len(pieces) > 1 and max(map(len, pieces)) <= WIDTH
    compile("if True:\n" + "\n".join(pieces), "line", "exec")
