"""``fit.update``: R's language of changes to formulas, and fits with the same settings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml import bf, prior
from bayesml.errors import FitWarning, FormulaError, ModelError
from bayesml.formula import parse, update_formula
from tests.handmade import handmade_fit

# Those without group terms as R writes them: update(y ~ x + z, . ~ .^2), but for `- 1`, here `0 +`.
CHANGES = [
    ("y ~ x + z + (x | g)", ". ~ . - x", "y ~ z + (x | g)"),
    ("y ~ x + z + (x | g)", ". ~ . + w", "y ~ x + z + w + (x | g)"),
    ("y ~ x * z + (x | g)", ". ~ . - x:z", "y ~ x + z + (x | g)"),
    ("y ~ x + z + (x | g)", "~ . - (x|g) + (1 | g)", "y ~ x + z + (1 | g)"),
    ("y ~ x + z", ". ~ .^2", "y ~ x + z + x:z"),
    ("y ~ x + z", ". ~ . * w", "y ~ x + z + w + x:w + z:w"),
    ("y ~ x + z", ". ~ w:.", "y ~ w:x + w:z"),
    ("y ~ a + b + a:b", ". ~ . - a", "y ~ b + a:b"),
    ("y ~ a / b", ". ~ . - a:b", "y ~ a"),
    ("y ~ x + z + (1 | g)", ". ~ (. - z) * w", "y ~ x + w + x:w + (1 | g)"),
    ("y ~ 0 + x", ". ~ . + z", "y ~ 0 + x + z"),
    ("y ~ 0 + x", ". ~ . + 1", "y ~ x"),
    ("y ~ x", ". ~ . - 1", "y ~ 0 + x"),
    ("y ~ x", ". ~ 1", "y ~ 1"),
    ("y ~ x", ". ~ . - x", "y ~ 1"),
    ("y ~ 1", ". ~ . * w", "y ~ w"),
    ("y ~ 0 + (1 | g)", ". ~ . + x", "y ~ 0 + x + (1 | g)"),
    ("y ~ x + (1 | g)", ". ~ z", "y ~ z"),
    ("y ~ x + (1 | g)", "y ~ x + z", "y ~ x + z"),
    ("y ~ x + (1 | g)", ". ~ . + (1|g)", "y ~ x + (1 | g)"),
    ("y ~ x + (1 | a/b)", ". ~ . - (1|a:b)", "y ~ x + (1 | a)"),
    ("y ~ x + (1 | a/b)", ". ~ . - (1 | a/b) + (x | a)", "y ~ x + (x | a)"),
    ("y ~ x + (x || g)", ". ~ . - (x || g)", "y ~ x"),
    ("y ~ x + offset(log(e))", ". ~ . - offset(log( e ))", "y ~ x"),
    ("y ~ x + offset(log(e))", ". ~ . + offset(f)", "y ~ x + offset(log(e)) + offset(f)"),
    ("y ~ `my x` + poly(x,2)", ". ~ . - poly(x, 2)", "y ~ `my x`"),
    ("y | trials(n) ~ x + (1 | g)", ". ~ . + w", "y | trials(n) ~ x + w + (1 | g)"),
    ("cbind(s, n - s) ~ x", ". ~ . + w", "cbind(s, n - s) ~ x + w"),
    ("y ~ x", "log(.) ~ .", "log(y) ~ x"),
    ("y | weights(w) ~ x", "log(.) ~ .", "log(y) | weights(w) ~ x"),
    ("y | weights(w) ~ x", ". | weights(v) ~ .", "y | weights(v) ~ x"),
    ("y ~ x", "z ~ .", "z ~ x"),
]


@pytest.mark.parametrize(("old", "change", "expected"), CHANGES)
def test_changes_of_a_formula(old: str, change: str, expected: str) -> None:
    assert str(update_formula(parse(old), change)) == expected


def test_a_dot_for_all_other_columns_is_what_it_stood_for() -> None:
    parsed = parse("y ~ .", ["y", "x", "z", "my w"])
    assert str(update_formula(parsed, ". ~ . - x")) == "y ~ z + `my w`"


def test_formulas_of_parameters_change_by_name() -> None:
    old = parse(bf("y ~ x + (1 | g)", sigma="~ z"))
    assert str(update_formula(old, ". ~ . + w")) == "y ~ x + w + (1 | g)\nsigma ~ z"
    assert str(update_formula(old, bf(". ~ .", sigma="~ . + x"))) == "y ~ x + (1 | g)\nsigma ~ z + x"
    assert str(update_formula(parse("y ~ x"), bf(". ~ .", sigma="~ . + x"))) == "y ~ x\nsigma ~ x"


@pytest.mark.parametrize("old", sorted({old for old, _, _ in CHANGES}))
def test_no_change_is_the_same_model(old: str) -> None:
    again = parse(update_formula(parse(old), ". ~ ."))
    for one, other in zip(parse(old).predictors, again.predictors, strict=True):
        assert (one.population.intercept, one.population.terms) == (other.population.intercept, other.population.terms)
        assert [o.text for o in one.offsets] == [o.text for o in other.offsets]
        assert [(g.factors, g.columns.terms, g.correlated) for g in one.groups] == [
            (g.factors, g.columns.terms, g.correlated) for g in other.groups
        ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (". ~ . - (1 | h)", "no group term `\\(1 \\| h\\)` to take away; the formula has `\\(1 \\| g\\)`"),
        (". ~ . - offset(e)", "no offset"),
        ("x", "one `~`"),
        ("y ~ x ~ z", "one `~`"),
        (". ~ ", "Nothing stands right"),
        (3, "got int"),
        (". ~ . + (. | g)", "`.`"),
        (". ~ . +* z", "operator or a term|missing"),
    ],
)
def test_changes_that_are_none(change: object, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        update_formula(parse("y ~ x + (1 | g)"), change)  # type: ignore[arg-type]


# Fits ----------------------------------------------------------------------------------------------------------------


pytestmark = pytest.mark.filterwarnings("ignore::bayesml.errors.FitWarning")


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 80
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "f": np.array(["a", "b"])[rng.integers(0, 2, n)],
            "g": np.repeat([10, 2, 33, 4, 5, 6, 7, 8], n // 8),
            "n": rng.integers(5, 20, n),
        }
    )
    frame["y"] = np.exp(frame["x"] / 3 + np.repeat(rng.normal(size=8), n // 8) + rng.normal(size=n) / 2)
    frame["s"] = rng.binomial(frame["n"], 1 / (1 + np.exp(-frame["x"])))
    return frame


def same(a: bayesml.PointFit, b: bayesml.PointFit) -> None:
    assert a.formula == b.formula
    assert a.method == b.method and a.family == b.family and a.engine == b.engine
    np.testing.assert_allclose(a.logLik, b.logLik, rtol=1e-12)
    pd.testing.assert_frame_equal(a.fixef(), b.fixef())


def test_point_estimates_are_those_of_a_new_fit(data: pd.DataFrame) -> None:
    fit = bayesml.fit("log(y) ~ x + z + f + (1 | g)", data, method="reml", data_name="mine")
    changed = fit.update(". ~ . - z")
    same(changed, bayesml.fit("log(y) ~ x + f + (1 | g)", data, method="reml"))
    assert changed.data_name == "mine"
    same(fit.update(), fit)
    same(fit.update(". ~ . * f"), bayesml.fit("log(y) ~ x + z + f + x:f + z:f + (1 | g)", data, method="reml"))
    half = data.iloc[:60]
    same(fit.update(data=half), bayesml.fit("log(y) ~ x + z + f + (1 | g)", half, method="reml"))
    same(fit.update(method="ml"), bayesml.fit("log(y) ~ x + z + f + (1 | g)", data, method="ml"))
    new = fit.update("y ~ .", family="lognormal", method="ml")
    same(new, bayesml.fit("y ~ x + z + f + (1 | g)", data, "lognormal", method="ml"))


def test_response_terms_and_options_stay(data: pd.DataFrame) -> None:
    method = bayesml.Laplace(quadrature_points=5)
    fit = bayesml.fit("s | trials(n) ~ x + z + (1 | g)", data, "binomial", method=method)
    same(fit.update(". ~ . - z"), bayesml.fit("s | trials(n) ~ x + (1 | g)", data, "binomial", method=method))
    logit = fit.update(family=bayesml.binomial(link="probit"))
    assert logit.family.link("mu").name == "probit" and logit.engine == method


def test_functions_stay(data: pd.DataFrame) -> None:
    fit = bayesml.fit("y ~ twice(x) + z + (1 | g)", data, method="ml", functions={"twice": lambda v: 2 * v})
    assert fit.update(". ~ . - z").fixef().index.tolist() == ["Intercept", "twice(x)"]


def test_new_columns_come_with_the_data(data: pd.DataFrame) -> None:
    fit = bayesml.fit("y ~ x + (1 | g)", data, method="ml")
    with pytest.raises(FormulaError, match=r"has not used `z` and keeps only the columns that it used \(y, x, g\)"):
        fit.update(". ~ . + z")
    same(fit.update(". ~ . + z", data=data), bayesml.fit("y ~ x + z + (1 | g)", data, method="ml"))
    with pytest.raises(FormulaError, match="`w` is not a column"):
        fit.update(". ~ . + w", data=data)
    with pytest.raises(ModelError, match="`method` is"):
        fit.update(method="nonsense")


def test_levels_of_numbers_stay_numbers(data: pd.DataFrame) -> None:
    fit = bayesml.fit("y ~ x + z + (1 | g)", data, method="ml").update(". ~ . - z")
    np.testing.assert_allclose(fit.predict(data), fit.fitted)


def test_priors_without_a_target_are_left_out(data: pd.DataFrame) -> None:
    priors = [prior("normal(0, 1)", coef="z"), prior("normal(0, 2)", coef="x"), prior("exponential(1)", class_="sd")]
    fit = bayesml.fit("y ~ x + z + (1 | g)", data, method="map", prior=priors)
    with pytest.warns(FitWarning, match='coef="z".* is left out'):
        changed = fit.update(". ~ . - z")
    assert changed.priors == tuple(priors[1:])
    assert fit.update(prior=prior("normal(0, 5)")).priors == (prior("normal(0, 5)"),)
    assert fit.update(prior=[]).priors == ()


def test_draws_with_the_same_settings(data: pd.DataFrame) -> None:
    engine = bayesml.NUTS(draws=30, warmup=150, chains=1, seed=3, progress=False)
    fit = handmade_fit("y ~ x + z", data, priors=(prior("normal(0, 3)"),), engine=engine)
    changed = fit.update(". ~ . - z", draws=20)
    assert isinstance(changed, bayesml.Fit) and changed.formula == "y ~ x" and changed["b_x"].size == 20
    assert (changed.engine.warmup, changed.engine.chains, changed.seed, changed.priors) == (150, 1, 3, fit.priors)
    point = fit.update(method="map")
    assert isinstance(point, bayesml.PointFit) and point.priors == fit.priors
    with pytest.raises(ModelError, match="`draws` is"):
        fit.update(draws=0)


def test_a_warm_up_that_the_run_chose_is_chosen_anew() -> None:
    assert bayesml.NUTS(warmup=300, target_accept=0.8).anew() == bayesml.NUTS()
    assert bayesml.NUTS(warmup=50, checkpoint="run").anew() == bayesml.NUTS(warmup=50)
