"""What a formula may say in R's and brms's words: factors, splines, reserved names, the response, sums of formulas."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import bayesml
from bayesml.columns import encode, replay
from bayesml.columns.contrasts import Contrast, reduced_coding
from bayesml.errors import BayesmlError, DataError, FitWarning, FormulaError, PriorError
from bayesml.fit import describe_problem
from bayesml.formula import LANGUAGE, Language, ResponseTerm, bf, formula_variables, parse
from bayesml.formula.planned import PLANNED_TERMS
from bayesml.frame import read_frame
from tests.conftest import shared_path

ROWS = 40


def make_data() -> dict[str, Any]:
    rng = np.random.default_rng(20250807)
    k = rng.permutation(np.tile([1, 2, 3, 4], 10))
    return {
        "y": rng.normal(size=ROWS),
        "x": rng.normal(size=ROWS),
        "z": rng.uniform(1.0, 3.0, ROWS),
        "k": k,
        "m": rng.permutation(np.tile([0, 1], 20)),
        "f": np.array(list("abcd"))[rng.permutation(np.tile(np.arange(4), 10))].tolist(),
        "n": rng.integers(10, 20, ROWS),
        "s": rng.integers(0, 10, ROWS),
    }


DATA = make_data()


def columns(right: str, functions: Any = None) -> tuple[tuple[str, ...], np.ndarray]:
    parsed = parse(f"y ~ {right}")
    encoding, matrix = encode(parsed.predictors[0].population, read_frame(DATA, formula_variables(parsed)), functions)
    frame = read_frame(DATA, encoding.variables)
    for row in range(3):
        alone = read_frame({name: [np.asarray(DATA[name])[row]] for name in encoding.variables}, encoding.variables)
        np.testing.assert_allclose(replay(encoding, alone)[0], matrix[row], rtol=0, atol=1e-12)
    np.testing.assert_allclose(replay(encoding, frame), matrix, rtol=0, atol=1e-12)
    return encoding.labels, matrix


FACTORS = {
    "C(k + m)": ["2", "3", "4", "5"],
    "C(2*k)": ["4", "6", "8"],
    "C(k > m)": ["True"],
    "C(k %% 2)": ["1"],
    "factor(k, contr.sum)": ["1", "2", "3"],
    "factor(k, contr=contr.helmert)": ["2", "3", "4"],
    "C(k + m, contr.sum)": ["1", "2", "3", "4"],
    "as.factor(k)": ["2", "3", "4"],
    "factor(k, levels=c(4, 2, 1, 3))": ["2", "1", "3"],
    "factor(k, c(4, 3, 2, 1), c('u', 'v', 'w', 'x'))": ["v", "w", "x"],
    "factor(k, labels=c('u', 'v', 'w', 'x'))": ["v", "w", "x"],
    "factor(f, labels=c('u', 'v', 'w', 'x'))": ["v", "w", "x"],
    "relevel(f, ref='c')": ["a", "b", "d"],
    "relevel(factor(k), 3)": ["1", "2", "4"],
    "ordered(k)": [".L", ".Q", ".C"],
    "factor(f, ordered=TRUE)": [".L", ".Q", ".C"],
    "as.ordered(f)": [".L", ".Q", ".C"],
    "factor(ordered(f), ordered=FALSE)": ["b", "c", "d"],
    "ifelse(x > 0, 'up', 'down')": ["up"],
    "where(k > 3, 'hi', ifelse(k > 1, 'mid', 'lo'))": ["lo", "mid"],
    "factor(ifelse(k == 1, 'b', 'a'))": ["b"],
}


@pytest.mark.parametrize("call", FACTORS)
def test_factors_of_expressions(call: str) -> None:
    labels, matrix = columns(call)
    assert [label.rsplit("[", 1)[1][:-1] for label in labels[1:]] == FACTORS[call]
    assert np.linalg.matrix_rank(matrix) == len(labels)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("C(k, contr.foo)", r"`contr.foo` is no coding of a factor .*contr.sum"),
        ("factor(k, foo=1)", r"`factor` has no argument `foo`; write factor\(column, levels="),
        ("factor(k, labels=c('u', 'v'))", "gives 2 names for the 4 levels"),
        ("factor(k, levels=c(1, 2))", "the data have the level '3', '4', which is none of '1', '2'"),
        ("relevel(f, ref='q')", "'q' is none of the levels 'a', 'b', 'c', 'd'"),
        ("C(k, m)", "the coding is one of `contr.treatment`"),
        ("C(k, 1, 2)", "too many arguments"),
        ("ordered(k, levels=c(1, 1, 2))", "listed twice"),
        ("as.numeric(f)", "numbers of their levels"),
        ("I(f < 'b')", "which have no order"),
        ("I(x %in% k)", r"`%in%` stands a list such as c\('a', 'b'\)"),
    ],
)
def test_factors_that_cannot_be_made(call: str, message: str) -> None:
    with pytest.raises(BayesmlError, match=message):
        columns(call)


def test_contrasts_are_no_columns_and_columns_no_contrasts() -> None:
    data = {"y": [1.0, 2.0, 4.0], "Sum": [1, 2, 3], "Poly": [3, 1, 2]}
    assert formula_variables(parse("y ~ C(Sum, Sum) + factor(Sum * Poly, contr=Poly)")) == ("y", "Sum", "Poly")
    assert list(bayesml.fit("y ~ C(Sum > 1, Sum)", data, method="laplace").fixef().index)[1:] == [
        "C(Sum > 1, Sum)[False]"
    ]


OWN = {
    "as.factor": lambda v: pd.Categorical(v),
    "cut": lambda v: pd.cut(v, [-np.inf, 1.5, 2.5, np.inf], ordered=False, labels=["lo", "mid", "hi"]),
    "texts": lambda v: ["low" if value < 2.5 else "high" for value in v],
    "series": lambda v: pl.Series(["low" if value < 2.5 else "high" for value in v]),
    "objects": lambda v: np.array(["low" if value < 2.5 else "high" for value in v], dtype=object),
    "my.truth": lambda v: [bool(value > 2) for value in v],
    "pandas_numbers": lambda v: pd.Series(v) * 2.0,
}
OWN_LABELS = [["2", "3", "4"], ["mid", "hi"], ["low"], ["low"], ["low"], ["True"], None]


@pytest.mark.parametrize(("name", "expected"), list(zip(OWN, OWN_LABELS, strict=True)))
def test_own_functions_may_return_categories_and_have_names_with_dots(name: str, expected: list[str] | None) -> None:
    labels, _ = columns(f"{name}(k)", OWN)
    assert labels[1:] == ((f"{name}(k)",) if expected is None else tuple(f"{name}(k)[{level}]" for level in expected))
    fit = bayesml.fit(f"y ~ {name}(k)", DATA, method="laplace", functions={name: OWN[name]})
    np.testing.assert_allclose(fit.predict({"k": DATA["k"][:1]}), np.asarray(fit.predict())[:1], rtol=1e-10)


def test_own_functions_that_give_new_levels_or_gaps_are_named() -> None:
    fit = bayesml.fit("y ~ text(k)", DATA, method="laplace", functions={"text": lambda v: [f"l{i:g}" for i in v]})
    with pytest.raises(DataError, match="the data have the level 'l9', which is none of 'l1', 'l2', 'l3', 'l4'"):
        fit.predict({"k": [9]})
    with pytest.raises(DataError, match="`gap` returned a missing value in row 1"):
        columns("gap(k)", {"gap": lambda v: [None, *v[1:]]})
    with pytest.raises(FormulaError, match=r"an ordinary name such as 'f' or 'my\.f'"):
        bayesml.fit("y ~ x", DATA, method="laplace", functions={"a b": abs})


# ns(z, 3), coef and predictions at -3, 0, 5 of lm(y ~ ns(z, 3)) in R 4.2
SPLINE = {
    "y": [3.1, 4.7, 2.2, 5.9, 6.1, 3.8, 4.4, 7.2, 2.9, 5.5, 6.6, 3.3],
    "z": [0.2, 1.1, -0.4, 0.9, 1.5, 0.1, 0.6, 2.0, -0.7, 1.2, 1.4, -0.2],
}


def test_natural_splines_are_those_of_r() -> None:
    fit = bayesml.fit("y ~ ns(z, 3)", SPLINE, method="laplace")
    expected = [2.6109644654, 2.8641888725, 4.6297512393, 4.1827570052]
    np.testing.assert_allclose(fit.fixef()["Estimate"], expected, rtol=1e-6)
    np.testing.assert_allclose(
        fit.predict({"z": [-3.0, 0.0, 5.0]}), [0.9178033776, 3.2636102293, 12.2307413914], rtol=1e-6
    )


def test_splines_name_the_row_and_the_range() -> None:
    fit = bayesml.fit("y ~ bs(z, df=5)", SPLINE, method="laplace")
    message = r"`bs\(z, df=5\)`: the value 2.5 in row 2 lies outside the range of the spline, -0.7 to 2\."
    with pytest.raises(DataError, match=message):
        fit.predict({"z": [0.0, 2.5, 9.0]})
    with pytest.raises(DataError, match="the value -0.4 in row 3 lies outside the range of the spline, 0 to 3"):
        bayesml.fit("y ~ bs(z, df=5, lower_bound=0, upper_bound=3)", SPLINE, method="laplace")
    with pytest.raises(DataError, match="knots"):
        bayesml.fit("y ~ ns(z, knots=c(9))", SPLINE, method="laplace")


RESERVED = {
    "0 + Intercept + f": ("Intercept", "f[b]", "f[c]", "f[d]"),
    "0 + f + Intercept": ("f[b]", "f[c]", "f[d]", "Intercept"),
    "0 + Intercept + f*x": ("Intercept", "f[b]", "f[c]", "f[d]", "x", "f[b]:x", "f[c]:x", "f[d]:x"),
    "0 + Intercept + f:x": ("Intercept", "f[a]:x", "f[b]:x", "f[c]:x", "f[d]:x"),
    "0 + Intercept + factor(m):factor(k > 2)": (
        *("Intercept", "factor(k > 2)[True]"),
        *("factor(m)[1]:factor(k > 2)[False]", "factor(m)[1]:factor(k > 2)[True]"),
    ),
    "0 + Intercept:f": ("Intercept:f[a]", "Intercept:f[b]", "Intercept:f[c]", "Intercept:f[d]"),
    "0 + f": ("f[a]", "f[b]", "f[c]", "f[d]"),
}


@pytest.mark.parametrize("right", RESERVED)
def test_the_reserved_intercept_takes_the_place_of_the_intercept(right: str) -> None:
    """Brms's coefficients of ``0 + Intercept + f`` are Intercept, fb, fc, fd."""
    labels, matrix = columns(right)
    assert set(labels) == set(RESERVED[right])
    assert np.linalg.matrix_rank(matrix) == len(labels)


def test_the_reserved_intercept_in_other_formulas() -> None:
    problem = describe_problem(bf("y ~ x + (0 + Intercept + m | f)", sigma="~ 0 + Intercept + f"), DATA)
    mu, sigma = problem.design.schema.predictors
    assert sigma.terms[0].encoding.labels == RESERVED["0 + Intercept + f"]
    assert mu.groups()[0].coefs == ("Intercept", "m")


AMONG = (
    *(
        "y ~ x + (y | f)",
        "y ~ poly(y, 2)",
        "y ~ x:y",
        "y ~ (1 | y)",
        "y ~ x + offset(y)",
        "log(z) ~ z",
        "z + 1 ~ log(z)",
    ),
    *("I(y - x) ~ x + y", "cbind(s, n - s) ~ s", "cbind(s, n) ~ n", "s | trials(n) ~ s", "y ~ (y > 0)", "y ~ ns(y, 2)"),
)


@pytest.mark.parametrize("formula", AMONG)
def test_the_response_among_its_predictors_is_refused(formula: str) -> None:
    with pytest.raises(FormulaError, match="among the predictors of `mu` too and would explain itself") as caught:
        parse(formula, list(DATA))
    carets = str(caught.value).splitlines()[-1]
    assert carets.index("^") - 4 > formula.index("~")


def test_the_response_in_other_formulas_is_refused() -> None:
    with pytest.raises(FormulaError, match="among the predictors of `sigma`"):
        parse(bf("y ~ x", sigma="~ x + y"), list(DATA))


ALLOWED = ("s | trials(n) ~ n", "y | weights(n) ~ n", "y | se(z) ~ z", "cbind(s, n - s) ~ n", "I(y - x) ~ x", "s/n ~ n")


@pytest.mark.parametrize("formula", ALLOWED)
def test_what_is_known_beside_the_response_may_be_a_predictor(formula: str) -> None:
    assert parse(formula, list(DATA)).predictors[0].population.terms


# contr.poly(4) in R 4.2
POLYNOMIALS = [
    [-0.670820393250, 0.5, -0.223606797750],
    [-0.223606797750, -0.5, 0.670820393250],
    [0.223606797750, -0.5, -0.670820393250],
    [0.670820393250, 0.5, 0.223606797750],
]
ORDERED = {
    "pandas": lambda v: pd.Categorical(v, ["s", "m", "l", "xl"], ordered=True),
    "arrow": lambda v: pd.Series(pd.Categorical(v, ["s", "m", "l", "xl"], ordered=True)),
}


@pytest.mark.parametrize("kind", ORDERED)
def test_ordered_factors_get_polynomial_contrasts(kind: str) -> None:
    """Brms's coefficients of an ordered factor are sizesize.L, size.Q, size.C; those beyond are sizeE4 there."""
    values = np.array(["s", "m", "l", "xl"])[DATA["k"] - 1]
    data = {"y": DATA["y"], "size": ORDERED[kind](values)}
    fit = bayesml.fit("y ~ size", data, method="laplace")
    assert list(fit.fixef().index) == ["Intercept", "size[.L]", "size[.Q]", "size[.C]"]
    assert fit["b_size.L"] == fit["b_size[.L]"]
    _, matrix = encode(parse("y ~ size").predictors[0].population, read_frame(data, ["y", "size"]))
    np.testing.assert_allclose(matrix[:, 1:], np.array(POLYNOMIALS)[DATA["k"] - 1], atol=1e-12)
    # Means by level follow, and new data with some of the levels.
    means = [np.mean(np.asarray(data["y"])[values == level]) for level in ("s", "m", "l", "xl")]
    np.testing.assert_allclose(fit.emmeans("size").to_pandas()["emmean"], means, atol=1e-6)
    np.testing.assert_allclose(fit.predict({"size": ["xl", "m"]}), [means[3], means[1]], atol=1e-6)


def test_unordered_categories_keep_treatment_contrasts() -> None:
    values = np.array(["s", "m", "l", "xl"])[DATA["k"] - 1]
    enum = pl.Series(values.tolist(), dtype=pl.Enum(["s", "m", "l", "xl"]))
    fit = bayesml.fit("y ~ size", pl.DataFrame({"y": DATA["y"], "size": enum}), method="laplace")
    assert list(fit.fixef().index) == ["Intercept", "size[m]", "size[l]", "size[xl]"]
    ordered = bayesml.fit("y ~ ordered(size)", pl.DataFrame({"y": DATA["y"], "size": enum}), method="laplace")
    assert list(ordered.fixef().index)[1:] == ["ordered(size)[.L]", "ordered(size)[.Q]", "ordered(size)[.C]"]
    np.testing.assert_allclose(ordered.predict(), fit.predict(), atol=1e-6)


def test_names_of_high_degrees() -> None:
    assert reduced_coding("g", Contrast("poly"), tuple("abcdefg"))[1] == (".L", ".Q", ".C", "^4", "^5", "^6")


def test_ordered_factors_can_be_compared() -> None:
    sizes = pd.Categorical(["s", "m", "l", "s"], ["s", "m", "l"], ordered=True)
    frame = read_frame({"y": np.zeros(4), "size": sizes}, ["y", "size"])
    matrix = encode(parse("y ~ (size >= 'm')").predictors[0].population, frame)[1]
    np.testing.assert_array_equal(matrix[:, 1], [0, 1, 1, 0])
    matrix = encode(parse("y ~ ('m' < size)").predictors[0].population, frame)[1]
    np.testing.assert_array_equal(matrix[:, 1], [0, 0, 1, 0])


def test_a_group_term_without_brackets_shows_what_to_write() -> None:
    with pytest.raises(FormulaError, match=r"in brackets of its own: `\(x \+ 1 \| f\)`"):
        parse("y ~ x + 1|f")


def test_what_cannot_be_added_to_a_formula() -> None:
    with pytest.raises(FormulaError, match=r'bf\("y ~ x", \'sigma ~ x\'\)'):
        bf("y ~ x") + "sigma ~ x"
    with pytest.raises(FormulaError, match="Nothing but bf"):
        bf("y ~ x") + 1
    with pytest.raises(FormulaError, match="are arguments"):
        "sigma ~ x" + bf("y ~ x")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("normal(mu=0, sigma=1)", "normal(0, 1)"),
        ("normal(sigma=2, mu=1)", "normal(1, 2)"),
        ("normal(0, sd=3)", "normal(0, 3)"),
        ("normal(mean=1, sd=3)", "normal(1, 3)"),
        ("student_t(nu=3, mu=0, sigma=2.5)", "student_t(3, 0, 2.5)"),
        ("gamma(shape=2, rate=1)", "gamma(2, 1)"),
        ("gamma(2, beta=1/2)", "gamma(2, 0.5)"),
        ("exponential(rate=3)", "exponential(3)"),
        ("beta(alpha=1, beta=2)", "beta(1, 2)"),
        ("uniform(lower=-1, upper=2)", "uniform(-1, 2)"),
        ("lkj(eta=2)", "lkj(2)"),
    ],
)
def test_priors_take_arguments_by_name(text: str, expected: str) -> None:
    assert str(bayesml.prior(text).distribution) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("normal(0, mu=2)", r"`mu` is given twice; write `normal\(mu, sigma\)`"),
        ("normal(0, foo=2)", "no argument `foo`"),
        ("normal(mu=0)", r"write `normal\(mu, sigma\)`; 1 argument"),
        ("normal(0, 1, sigma=2)", "given twice"),
        ("normal(**x)", "cannot be read"),
        ("std_normal(mu=0)", "no argument `mu`"),
        ("gamma(2, scale=1)", "no argument `scale`"),
    ],
)
def test_priors_with_wrong_names_are_refused(text: str, message: str) -> None:
    with pytest.raises(PriorError, match=message):
        bayesml.prior(text)


def prior_problem(*priors: Any) -> None:
    describe_problem("y ~ x + f", DATA, prior=list(priors))


@pytest.mark.parametrize("text", ["exponential(1)", "gamma(2, 1)", "half_normal(1)", "beta(2, 2)"])
def test_a_prior_that_cuts_off_values_unasked_is_warned_of(text: str) -> None:
    with pytest.warns(FitWarning, match="allows only values above 0.* Say so with lb=0"):
        prior_problem(bayesml.prior(text))
    with pytest.warns(FitWarning, match='coef="x".*allows only values above 0'):
        prior_problem(bayesml.prior(text, coef="x"))


QUIET: dict[str, Callable[[], Any]] = {
    "a bound": lambda: bayesml.prior("exponential(1)", lb=0),
    "bounds": lambda: bayesml.prior("beta(2, 2)", lb=0, ub=1),
    "its own limit": lambda: bayesml.prior("exponential(1)", class_="sigma"),
    "a uniform says its limits": lambda: bayesml.prior("uniform(-1, 1)"),
    "a constant": lambda: bayesml.prior("constant(1)", coef="x"),
}


@pytest.mark.parametrize("kind", QUIET)
def test_limits_that_are_meant_are_not_warned_of(kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prior_problem(QUIET[kind]())


def test_published_formulas_are_read(shared_formulas: list[str]) -> None:
    """What is not read is no formula: words beside it, other programs' calls. Or planned, and the error says so."""
    language = Language(PLANNED_TERMS, {**LANGUAGE.response_terms, "cens": ResponseTerm("cens", keywords=("y2",))})
    for text in shared_formulas:
        try:
            parse(text)
        except FormulaError as error:
            assert len(str(error)) > 20
    refused = []
    for text in shared_formulas:
        try:
            parse(text, language=language)
        except FormulaError as error:
            assert "not available" not in str(error), text
            refused.append(text)
    prose = ("), ", "weighted by", "lme(", "(linear mixed model)", "$", "##", "<alt>", "beta_0k", "-94", "rendered as")
    other = (
        "SSlogis(",
        ", ul(1.9)",
        "phylogenetically",
        "prcomp(",
        ", shared gamma",
        ", fitted",
        ", animal",
        ", binomial",
    )
    unexplained = [text for text in refused if not any(word in text for word in prose + other)]
    assert not unexplained, unexplained
    assert len(refused) <= 25


@pytest.fixture(scope="module")
def shared_formulas() -> list[str]:
    entries = json.loads(shared_path("reference", "formulas.json").read_text("utf-8"))["formulas"]
    return [entry["formula"] for entry in entries]


@pytest.mark.parametrize("right", ['f %in% c("u", "v")', '(f %in% c("u", "v")) * x', 'c("u", "v")'])
def test_a_list_among_the_terms_leads_to_a_test_of_membership(right: str) -> None:
    data = {"y": [1.0, 2.0, 4.0, 3.0, 5.0, 7.0], "f": list("uvwuvw"), "x": [0.0, 1.0, 3.0, 2.0, 5.0, 4.0]}
    with pytest.raises(FormulaError, match=r"written I\(f %in% c"):
        bayesml.fit(f"y ~ {right}", data, method="laplace")
    assert list(bayesml.fit('y ~ I(f %in% c("u", "v"))', data, method="laplace").fixef().index)[1].endswith("[True]")
