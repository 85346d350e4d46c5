"""``fit.equation()``: LaTeX that can be set, with every coefficient, group and prior of the model."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.mathtext import MathTextParser

import bayesml
from bayesml.fit import describe_problem
from bayesml.formula import as_formula, bf
from bayesml.results.fits.fit_object import Fit
from bayesml.results.record.recipe import Recipe
from bayesml.results.tables.equation import equation
from tests.handmade import ENGINE, handmade_fit, sleep

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
import term_examples  # noqa: E402
import term_gallery  # noqa: E402

PARSER = MathTextParser("agg")
ODD = "50% of_$x & {y}"


def many_kinds():
    rng = np.random.default_rng(3)
    return sleep() | {
        "count": rng.poisson(3, 60),
        "yes": np.tile([0, 1], 30),
        "rating": np.tile([1, 2, 3], 20),
        "w": np.full(60, 2.0),
        "level": np.tile([1, 2, 3, 4], 15),
        "x": rng.normal(size=60),
        "z": rng.normal(size=60),
        ODD: rng.normal(size=60),
    }


MODELS = [
    ("Reaction ~ Days + (Days | Subject)", "gaussian"),
    (f"Reaction ~ `{ODD}` + (1 | Subject)", "student"),
    ("Reaction ~ Dose * x + s(z, k=5) + offset(x) + (Days || Subject)", "gaussian"),
    (bf("Reaction ~ x + (1 | p | Subject)", sigma="~ z + (1 | p | Subject)"), "gaussian"),
    (bf("Reaction ~ a + b * exp(x)", "a + b ~ 1 + (1 | Subject)", nl=True), "gaussian"),
    (bf("Reaction ~ x + (1 | q | Subject)") + bf("z ~ 1 + (1 | q | Subject)") + bayesml.set_rescor(True), "gaussian"),
    ("rating ~ x + mo(level) + (1 | gr(Subject, dist='student'))", "cumulative"),
    ("count ~ 1 + (1 | Subject:Dose)", "zero_inflated_poisson"),
    ("count | weights(z^2) ~ 0 + Dose + gp(x)", "negbinomial"),
]


@pytest.mark.parametrize(("formula", "family"), MODELS, ids=[str(formula) for formula, _ in MODELS])
def test_it_can_be_set(formula, family):
    fit = handmade_fit(formula, many_kinds(), family)
    made = equation(fit)
    for line in made.lines:
        assert line.count("&") - line.count(r"\&") == 1
        PARSER.parse(f"${line.replace('&', '') if ODD not in str(formula) else line.replace(' &', ' ')}$")
    text = str(made)
    for group in fit.ngrps():
        assert rf"r_{{\text{{{group}}}[j]" in text
        assert rf"r_{{\text{{{group}}}[i]" in text
    assert made._repr_latex_() == f"$$\n{text}\n$$"


def test_a_model_line_by_line():
    data = bayesml.load_dataset("sleepstudy")
    point = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method="reml")
    effects = r"r_{\text{Subject}[i],\text{Intercept}} + r_{\text{Subject}[i],\text{Days}}\,\text{Days}_i"
    scales = r"\operatorname{diag}(\sigma_{\text{Subject}})"
    group = rf"{scales}\,R_{{\text{{Subject}}}}\,{scales}"
    model = (
        r"\text{Reaction}_i &\sim \operatorname{\text{gaussian}}(\mu_{i}, \sigma)",
        r"\mu_{i} &= \beta_{\text{Intercept}} + \beta_{\text{Days}}\,\text{Days}_i + " + effects,
        r"(r_{\text{Subject}[j],k})_{k = \text{Intercept},\;\text{Days}} &\sim \operatorname{Normal}(\mathbf{0}, "
        + group
        + ")",
    )
    assert point.equation().lines == model
    priors = (
        r"\beta^{c}_{\text{Intercept}} &\sim \text{student\_t(3, 288.7, 59.3)}",
        r"\beta_{\text{Days}} &\sim \text{normal(0, 51.47)}",
        r"\sigma_{\text{Subject, Intercept}} &\sim \text{student\_t(3, 0, 59.3) T[0, ]}",
        r"\sigma_{\text{Subject, Days}} &\sim \text{student\_t(3, 0, 59.3) T[0, ]}",
        r"R_{\text{Subject}} &\sim \text{lkj(1)}",
        r"\sigma &\sim \text{student\_t(3, 0, 59.3) T[0, ]}",
    )
    assert point.update(method="map").equation().lines == (*model, *priors)
    assert str(point.equation()) == "\\begin{aligned}\n" + " \\\\\n".join(model) + "\n\\end{aligned}"


def test_uncorrelated_effects_and_links():
    fit = handmade_fit("count ~ x + (Days || Subject)", many_kinds(), "poisson")
    lines = equation(fit).lines
    assert lines[1].startswith(r"\operatorname{\text{log}}(\mu_{i}) &= \beta_{\text{Intercept}}")
    assert (
        r"r_{\text{Subject}[j],\text{Days}} &\sim \operatorname{Normal}(0, \sigma_{\text{Subject},\text{Days}}^2)"
        in lines
    )


def lines_of(formula, family="gaussian"):
    return equation(handmade_fit(formula, many_kinds(), family)).lines


def test_effects_correlated_across_parameters_stand_in_one_line():
    line = next(line for line in lines_of(MODELS[3][0]) if line.startswith("(r_"))
    assert r"_{k = \text{Intercept},\;\text{sigma, Intercept}} &\sim \operatorname{Normal}(\mathbf{0}" in line
    line = next(line for line in lines_of(MODELS[5][0]) if line.startswith("(r_"))
    assert r"_{k = \text{Reaction, Intercept},\;\text{z, Intercept}} &" in line


def test_thresholds_fixed_parameters_and_residual_correlations():
    assert r"\operatorname{\text{cumulative(logit)}}(\mu_{i}, \tau)" in lines_of(MODELS[6][0], "cumulative")[0]
    assert lines_of(bf("Reaction ~ x", sigma=2.5))[0].endswith(r"(\mu_{i}, \sigma = 2.5)")
    assert lines_of("Reaction | se(w) ~ 1")[0].endswith(r"\mid \text{se} &\sim \operatorname{\text{gaussian}}(\mu_{i})")
    assert r"\operatorname{cor}(\text{Reaction, z}) &= R_{\text{residual}}" in lines_of(MODELS[5][0])


@pytest.mark.parametrize(
    "example", [e for examples in term_examples.EXAMPLES.values() for e in examples], ids=lambda example: example.name
)
def test_every_term_of_the_gallery_can_be_set(example):
    data2 = {name: term_gallery.matrices()[name] for name in example.matrices} or None
    problem = describe_problem(example.model, term_gallery.data(), example.of_family, data2=data2)
    recipe = Recipe(as_formula(example.model), problem.family, ENGINE)
    made = equation(Fit(problem, None, None, recipe))
    for line in made.lines:
        PARSER.parse(f"${line.replace(' &', ' ')}$")
    assert sum(r"\sim" in line for line in made.lines) >= len(problem.description.spec.predictors)
