"""Other numbers in priors are data: they do not compile again, and the program of one prior is that of the others."""

from __future__ import annotations

import warnings

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest

import bayesml
from bayesml import prior
from bayesml.engines.layout import layout_of
from bayesml.engines.log_prior import constant_sites, log_prior, parameter_values
from bayesml.engines.nuts.forms.plan import build_form, plan_for
from bayesml.engines.precision import double_precision
from bayesml.engines.programs.structure import structure_key
from bayesml.fit import describe_problem

ROWS = 40
RNG = np.random.default_rng(8)
DATA = pd.DataFrame(
    {
        "y": np.sin(np.arange(ROWS)) + 2.0,
        "x": np.cos(np.arange(ROWS)),
        "z": np.cos(3.0 * np.arange(ROWS)),
        "k": 1 + np.arange(ROWS) % 4,
        "o": 1 + np.arange(ROWS) % 3,
        "g": np.arange(ROWS) % 8,
        "h": np.arange(ROWS) % 5,
    }
)
GAUSSIAN, POISSON = ("y ~ x + z + (x | g)", "gaussian"), ("k ~ x + z + (x | g)", "poisson")


def kinds(text, *others, **where):
    """Return pairs of priors of one kind with other numbers."""
    return [([prior(text, **where)], [prior(other, **where)]) for other in others]


PAIRS = {
    "normal": kinds("normal(0, 2)", "normal(0.5, 3)"),
    "student_t": kinds("student_t(4, 0, 2)", "student_t(7, 1, 3)"),
    "cauchy": kinds("cauchy(0, 1)", "cauchy(1, 2)"),
    "logistic": kinds("logistic(0, 1)", "logistic(1, 2)"),
    "laplace": kinds("double_exponential(0, 1)", "double_exponential(1, 2)"),
    "uniform": kinds("uniform(-5, 5)", "uniform(-4, 9)"),
    "bounded": [([prior("normal(0, 2)", lb=-3)], [prior("normal(0, 3)", lb=-2)])],
    "an interval": [([prior("student_t(3, 0, 2)", lb=-3, ub=4)], [prior("student_t(4, 1, 3)", lb=-5, ub=2)])],
    "one coefficient": kinds("student_t(4, 0, 2)", "student_t(5, 1, 1)", coef="x"),
    "one bounded": [([prior("cauchy(0, 2)", coef="x", lb=-3)], [prior("cauchy(1, 3)", coef="x", lb=-2)])],
    "constant": kinds("constant(0.3)", "constant(-1)", coef="x"),
    "constants": kinds("constant(0.3)", "constant(-1)"),
    "constant sd": kinds("constant(0.3)", "constant(2)", class_="sd", coef="x", group="g"),
    "constant sds": kinds("constant(0.3)", "constant(2)", class_="sd"),
    "constant cor": kinds("constant(0.3)", "constant(-0.5)", class_="cor"),
    "lkj": kinds("lkj(2)", "lkj(3.5)", class_="cor"),
    "Intercept": kinds("student_t(3, 0, 2.5)", "student_t(3, 2, 5)", class_="Intercept"),
    "numpyro": [([prior(dist.SoftLaplace(0.0, 2.0))], [prior(dist.SoftLaplace(1.0, 3.0))])],
    "list": [([prior("normal(0, s)", values={"s": [1, 2]})], [prior("normal(0, s)", values={"s": [3, 0.5]})])],
    "tag": [([prior("normal(0, 1)", tag="a")], [prior("normal(0, 1)", tag="b")])],
    "horseshoe": kinds("horseshoe(1)", "horseshoe(3, 0.3, 2, 1, 5)", "horseshoe(2, par_ratio = 0.2)"),
    "R2D2": kinds("R2D2(0.5, 2, 0.7)", "R2D2(0.3, 4, 2)"),
    "R2D2 over classes": [
        tuple([prior(f"R2D2({a}, main = TRUE)"), prior("R2D2()", "sd")] for a in ("0.5", "0.3, 4, 0.7")),
    ],
    **{
        f"{one}, sd": kinds(one, other, class_="sd")
        for one, other in {
            "half_normal(2)": "half_normal(1)",
            "half_cauchy(1)": "half_cauchy(2)",
            "half_student_t(3, 2)": "half_student_t(4, 1)",
            "student_t(3, 0, 2)": "student_t(4, 0, 1)",
            "normal(1, 2)": "normal(2, 1)",
            "exponential(1)": "exponential(2)",
            "gamma(2, 1)": "gamma(3, 2)",
            "inv_gamma(3, 2)": "inv_gamma(2, 3)",
            "lognormal(0, 1)": "lognormal(1, 0.5)",
            "weibull(2, 1)": "weibull(3, 2)",
            "uniform(0, 9)": "uniform(0, 5)",
        }.items()
    },
}
DENSITIES = [(name, *GAUSSIAN, None) for name in ("one bounded", "constant sd", "R2D2 over classes")]
DENSITIES += [(name, *POISSON, True) for name in ("an interval", "constant cor")] + [("lkj", *POISSON, False)]


def form_of(formula, family, given, precondition):
    problem = describe_problem(formula, DATA, family, prior=given)
    shrinks = bool(problem.description.spec.joint)
    return build_form(problem, plan_for(problem, None, None if shrinks else precondition))


@pytest.mark.parametrize("name", PAIRS)
def test_priors_of_one_kind_have_one_density_with_other_numbers(name):
    """The log prior of one, with the numbers of the other, is that of the other."""
    for given in PAIRS[name]:
        one, other = (describe_problem(*GAUSSIAN[:1], DATA, prior=each).description.spec for each in given)
        assert structure_key(one.structure) == structure_key(other.structure) is not None
        layout = layout_of(other)
        with double_precision():
            sites, _ = layout.constrain(layout.center + 0.3 * RNG.normal(size=layout.size))
            moved, _ = layout_of(one).constrain(layout.center, bounds=layout.bounds)
            theirs, _ = layout.constrain(layout.center)
            jax.tree.map(np.testing.assert_array_equal, moved, theirs)
            sites |= constant_sites(other.parameters, other.prior_numbers)
            values = parameter_values(other.parameters, sites)
            expected = float(log_prior(other.parameters, values))
            assert np.isfinite(expected)
            assert float(log_prior(one.parameters, values, other.prior_numbers)) == pytest.approx(expected, rel=1e-12)
            theirs, ours = (spec.computed(values, other.joint_numbers) for spec in (other, one))
            jax.tree.map(np.testing.assert_array_equal, theirs, ours)


@pytest.mark.parametrize(("name", "formula", "family", "precondition"), DENSITIES)
def test_the_program_of_one_prior_is_that_of_the_other(name, formula, family, precondition):
    """In all three forms: the density of one form with the data of another is that of the other."""
    one, other = PAIRS[name][0]
    with double_precision():
        first, second = (form_of(formula, family, given, precondition) for given in (one, other))
        assert structure_key(first.structure) == structure_key(second.structure) is not None
        shapes = [jax.tree.map(np.shape, form.data) for form in (first, second)]
        assert jax.tree.structure(first.data) == jax.tree.structure(second.data) and shapes[0] == shapes[1]
        q = 0.3 * RNG.normal(size=first.size)
        density, expected = jax.jit(first.density), float(jax.jit(second.density)(q, second.data))
        assert float(density(q, second.data)) == pytest.approx(expected, rel=1e-11)
        assert float(density(q, first.data)) != pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("normal(0, 1)", "student_t(3, 0, 1)"),
        ("normal(0, 1)", "constant(1)"),
        ("normal(0, 1)", "uniform(-1, 1)"),
        ("horseshoe(1)", "R2D2()"),
        ("horseshoe(1)", "horseshoe(1, autoscale = FALSE)"),
    ],
)
def test_another_kind_is_another_program(one, other):
    found = {structure_key(form_of(*GAUSSIAN, [prior(text)], None).structure) for text in (one, other)}
    assert len(found) == 2


def test_a_bound_more_is_another_program():
    texts = [prior("normal(0, 1)"), prior("normal(0, 1)", lb=0), prior("normal(0, 1)", lb=0, ub=2)]
    assert len({structure_key(form_of(*GAUSSIAN, [given], None).structure) for given in texts}) == 3


@pytest.mark.parametrize(
    ("formula", "family", "texts", "where"),
    [
        ("o ~ x", "cumulative", ("normal(0, 2)", "normal(1, 3)"), {"class_": "Intercept"}),
        ("y ~ mo(k)", "gaussian", ("dirichlet(2, 1, 3)", "dirichlet(4)"), {"class_": "simo", "coef": "mo(k)1"}),
    ],
)
def test_thresholds_and_simplexes(formula, family, texts, where):
    one, other = (
        describe_problem(formula, DATA, family, prior=[prior(text, **where)]).description.spec for text in texts
    )
    assert structure_key(one.structure) == structure_key(other.structure) is not None
    with double_precision():
        sites, _ = layout_of(other).constrain(layout_of(other).center)
        values = parameter_values(other.parameters, sites)
        expected = float(log_prior(other.parameters, values))
        assert float(log_prior(one.parameters, values, other.prior_numbers)) == pytest.approx(expected, rel=1e-12)


def test_a_fit_with_other_numbers_compiles_nothing(tmp_path, monkeypatch):
    """Programs are read from the folder of the first fit; the draws are those of the other prior."""
    monkeypatch.setenv("BAYESML_CACHE_DIR", str(tmp_path))
    (tmp_path).chmod(0o700)
    options = {"chains": 1, "draws": 200, "warmup": 100, "seed": 1, "progress": False}

    def fit(scale):
        given = [prior(f"normal(0, {scale})"), prior("gamma(2, 1)", "sigma")]
        return bayesml.fit("y ~ x + z", DATA, prior=given, **options)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)
        wide = fit(10)
    stored = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)
        narrow = fit(0.001)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == stored
    assert narrow.draws()["b_x"].std() < 0.002 < wide.draws()["b_x"].std()
