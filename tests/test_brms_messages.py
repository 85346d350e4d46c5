"""The messages of brms's validation (``shared/reference/brms.md``, section 8): each mistake is told before the engine.

Every case says what the message has to hold: what was written, what was found, and what to write instead. Numbers are
those of the list there.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import bayesml
from bayesml import bf, prior, set_rescor
from bayesml.engines import dispatch
from bayesml.errors import BayesmlError, DataError, FormulaError, ModelError, PriorError

N = 24
RNG = np.random.default_rng(1)
DATA: dict[str, Any] = {
    "y": RNG.normal(size=N).round(2), "x": np.linspace(-1, 1, N), "z": RNG.normal(size=N).round(2),
    "n": np.full(N, 5), "k": np.arange(N) % 4, "b": np.arange(N) % 2, "o": np.arange(N) % 4 + 1,
    "f": np.array(["a", "b", "c"])[np.arange(N) % 3], "h": np.array(["p", "q"])[np.arange(N) // 12],
    "g": np.array(list("uvwxyz"))[np.arange(N) % 6], "u": np.linspace(0.1, 0.9, N), "s": np.full(N, 0.3),
    "t": np.linspace(0.3, 2, N), "c": np.array(["none", "left", "right"])[np.arange(N) % 3],
    "p1": np.full(N, 0.2), "p2": np.full(N, 0.3), "p3": np.full(N, 0.5), "time": np.arange(N) // 6,
    "one": np.ones(N, int), "dec": np.array(["upper", "lower"])[np.arange(N) % 2],
}  # fmt: skip
IDENTITY = np.eye(6)
Formula = str | Callable[[], Any]


def put(name: str, row: int, value: Any) -> dict[str, Any]:
    """A column with another value in one row, counted from 0."""
    column = np.array(DATA[name], dtype=object if isinstance(value, str) else float)
    column[row] = value
    return {name: column}


@dataclass(frozen=True)
class Case:
    """A mistake.

    Attributes:
        number: of the message in the list.
        formula: the formula, or a function that makes it.
        family: the family.
        said: what the message holds.
        data: columns that differ; None where ``options`` have other data.
        options: further arguments of ``fit``.
        error: its class.
    """

    number: int
    formula: Formula
    family: str | Callable[[], Any]
    said: tuple[str, ...]
    error: type[BayesmlError] = DataError
    data: dict[str, Any] = field(default_factory=dict)
    options: Callable[[], dict[str, Any]] = dict


ROW = "(counting from 1)"
GAUSSIAN = "gaussian"
CASES = (
    # Data
    Case(1, "y ~ x", GAUSSIAN, ("NoneType", "a pandas or polars DataFrame"), options=lambda: {"data": None}),
    Case(2, "y ~ x", GAUSSIAN, ("of type int", "a pandas or polars DataFrame"), options=lambda: {"data": 7}),
    Case(3, "y ~ x", GAUSSIAN, ("no rows",), options=lambda: {"data": {"y": [], "x": []}}),
    Case(4, "y ~ x + nothere", GAUSSIAN, ("`nothere` is not a column", "the columns are `y`"), FormulaError),
    Case(4, "y ~ (1|gr(g, cov=B))", GAUSSIAN, ("`B`", 'data2={"B": B}'), FormulaError),
    Case(6, "y ~ x", GAUSSIAN, ("No row of the data is complete", "`x` (24)"), data={"x": np.full(N, np.nan)}),
    Case(8, "y ~ x", GAUSSIAN, ("`x` is infinite in row 3", "replace"), data=put("x", 2, np.inf)),
    Case(11, lambda: bf("y ~ sigma_x", sigma="~ x"), GAUSSIAN, ("`sigma_x`", "`b_sigma_x`", "rename a column"),
         FormulaError, {"sigma_x": np.arange(N)}),
    Case(13, "y ~ ar(time, g)", GAUSSIAN, ("time 0 occurs twice", "rows 1 and 7", "`gr`"), data={"time": np.zeros(N)}),
    Case(14, "y ~ (1|gr(g, cov=B))", GAUSSIAN, ("`data2` is a dict", "got a list"), ModelError,
         options=lambda: {"data2": [1]}),
    Case(15, "y | subset(b) ~ x", GAUSSIAN, ("`subset(b)` is False in all rows", "`y`"), data={"b": np.zeros(N)}),
    Case(15, "y | subset(b) ~ x", GAUSSIAN, ("`b`", "missing in row 3", "Write False"), data=put("b", 2, np.nan)),
    Case(15, "y | subset(x) ~ x", GAUSSIAN, ("`subset(x)`", "-1 in row 1", "True (1) or False (0)")),
    # Responses
    Case(16, "f ~ x", GAUSSIAN, ("`f` has categories (`a`, `b`, `c`)", "needs numbers", "turn it into numbers")),
    Case(16, "f ~ x", "poisson", ("`f` has categories", "poisson needs numbers")),
    Case(17, "o ~ x", "bernoulli", ("`o`", "4 different value", "it takes 0 and 1", "trials(n)")),
    Case(17, "f ~ x", "bernoulli", ("3 level(s) (`a`, `b`, `c`)", "it takes two", "(f == 'a')")),
    Case(18, "k ~ x", "poisson", ("`k` must be a whole number", "1.5 in row 5", ROW, "round them"),
         data=put("k", 4, 1.5)),
    Case(18, "k | trials(n) ~ x", "binomial", ("whole number", "1.5 in row 5", "round them"), data=put("k", 4, 1.5)),
    Case(19, "t ~ x", "gamma", ("`t` must be larger than 0", "0 in row 3", ROW, "another family"),
         data=put("t", 2, 0.0)),
    Case(19, "k ~ x", "negbinomial", ("`k` must not be negative", "-1 in row 3"), data=put("k", 2, -1.0)),
    Case(19, "u ~ x", "beta", ("strictly between 0 and 1", "1 in row 3", "zero_one_inflated_beta"),
         data=put("u", 2, 1.0)),
    Case(19, "u ~ x", "zero_one_inflated_beta", ("between 0 and 1", "1.5 in row 3", "divide by 100"),
         data=put("u", 2, 1.5)),
    Case(19, "x ~ z", "von_mises", ("between -pi and pi", "4 in row 3", "subtract 2 pi"), data=put("x", 2, 4.0)),
    Case(20, "o ~ x", "cumulative", ("whole number or an ordered factor", "1.5 in row 3", "Number the categories"),
         data=put("o", 2, 1.5)),
    Case(20, "o ~ x", "cumulative", ("at least 1", "0 in row 3", "Number the categories from 1"), data=put("o", 2, 0)),
    Case(20, "f ~ x", "sratio", ("without an order (`a`, `b`, `c`)", "ordered=True", '"categorical"')),
    Case(20, "o | thres(2) ~ x", "cumulative", ("categories up to 3", "4 in row 4", "Use thres(n)")),
    Case(20, "o | thres(2.5) ~ x", "cumulative", ("`thres(2.5)`", "row 1", "whole number of at least 1")),
    Case(20, "o | cat(4) ~ x", "cumulative", ("`cat(n)`", "`thres(n - 1)`"), FormulaError),
    Case(21, "k ~ x", "binomial", ("number of trials", "`k | trials(n) ~ ...`")),
    Case(21, "k | trials(f) ~ x", "binomial", ("`f` holds categories", "numbers are needed"), FormulaError),
    Case(21, "k | trials(n) ~ x", "binomial", ("not a whole number >= 0", "-2 in row 4", "Correct the column"),
         data=put("n", 3, -2.0)),
    Case(21, "k | trials(n) ~ x", "beta_binomial", ("must not exceed", "3 in row 4", "exchange the two"),
         data=put("n", 3, 1.0)),
    Case(21, "cbind(k, b, o) | trials(n) ~ x", "multinomial", ("must sum to the number of trials", "row 1", "leave")),
    Case(23, "y ~ x", "dirichlet", ("two or more columns", "`cbind(a, b, c) ~ ...`", "beta")),
    Case(23, "cbind(p1, p2, p3) ~ x", "logistic_normal", ("do not sum to 1", "1.1 in row 4", "Divide each row"),
         data=put("p3", 3, 0.6)),
    Case(24, "one ~ x", "categorical", ("one category only (`1`)", "two or more")),
    Case(24, "f ~ x", lambda: bayesml.families.categorical(refcat="zz"), ("one of `a`, `b`, `c`", "'zz'"), ModelError),
    Case(25, "y | se(f) ~ x", GAUSSIAN, ("`f` holds categories", "numbers are needed"), FormulaError),
    Case(25, "y | se(s) ~ x", GAUSSIAN, ("`se(s)` is negative (-1) in row 4", ROW, "0 or larger"),
         data=put("s", 3, -1.0)),
    Case(25, "y | weights(s) ~ x", GAUSSIAN, ("`weights(s)` is negative (-1) in row 4", ROW, "0 or larger"),
         data=put("s", 3, -1.0)),
    Case(25, "k | rate(s) ~ x", "poisson", ("`rate(s)` is 0 in row 4", ROW, "larger than 0"), data=put("s", 3, 0.0)),
    Case(26, "t | dec(dec) ~ x", "wiener", ("'up' in row 4", "'upper' (1 or True)"), data=put("dec", 3, "up")),
    Case(27, "y | cens(c) ~ x", GAUSSIAN, ("'odd' in row 4", "'left' (-1)", "'interval' (2)"), data=put("c", 3, "odd")),
    Case(27, "y | cens(c) ~ x", GAUSSIAN, ("'interval' in row 4", "y2 = upper"), data=put("c", 3, "interval")),
    Case(27, "y | cens(c, y2 = z) ~ x", GAUSSIAN, ("larger than the response `y`", "row 4"),
         data={**put("c", 3, "interval"), "z": DATA["y"] - 1}),
    Case(28, "y | trunc(lb = 2, ub = 1) ~ x", GAUSSIAN, ("smaller than the upper one", "row 1", "2 and 1")),
    Case(28, "y | trunc(lb = 0) ~ x", GAUSSIAN, ("`y` lies outside of its bounds", "-1.3 in row 4", "0 and inf")),
    Case(29, "y | mi(z) ~ x", GAUSSIAN, ("measurement error of `y`", "-2.71 in row 1", "larger than 0")),
    Case(29, "y | vint(x) ~ x", GAUSSIAN, ("`vint(x)` is -0.913043 in row 2", "Write vreal()")),
    # Formulas
    Case(30, "~ x", GAUSSIAN, ("The response is missing",), FormulaError),
    Case(30, "y | x ~ x", GAUSSIAN, ("`x` is not a response term", "possible are"), FormulaError),
    Case(31, "y | foo(x) ~ x", GAUSSIAN, ("`foo(x)` is not a response term", "`weights(...)`"), FormulaError),
    Case(31, "y | trials(n) ~ x", GAUSSIAN, ("gaussian has no response term `trials()`", "`se()`"), FormulaError),
    Case(31, "y | weights(s) + weights(s) ~ x", GAUSSIAN, ("`weights(...)` is given twice",), FormulaError),
    Case(32, "t ~ x", "wiener", ("the decision beside each response time", "`t | dec(choice) ~ ...`")),
    Case(33, lambda: bf("y ~ a * x", a="~ 1"), GAUSSIAN, ("`a`", "nonlinear=True"), FormulaError),
    Case(33, lambda: bf("y ~ x", zi="~ 1"), GAUSSIAN, ("`zi` is not a parameter", "`mu`, `sigma`"), FormulaError),
    Case(34, lambda: bf("y ~ x^2", nonlinear=True), GAUSSIAN, ("no parameters", "leave `nonlinear` out"), FormulaError),
    Case(35, lambda: bf("y ~ x", sigma=-1), GAUSSIAN, ("`sigma=-1` is impossible", "larger than 0"), FormulaError),
    Case(35, lambda: bf("k ~ x", zi=2), "zero_inflated_poisson", ("`zi=2`", "between 0 and 1"), FormulaError),
    Case(35, lambda: bf("y ~ x", sigma="sigma"), GAUSSIAN, ("a text with `~`", "a number that fixes"), FormulaError),
    Case(36, lambda: bf("y | se(s) ~ x", sigma="~ x"), GAUSSIAN, ("`se()` replaces", "sigma=True"), FormulaError),
    Case(36, lambda: bf("y | se(s) ~ x", sigma=1), GAUSSIAN, ("`se()` replaces", "sigma=True"), FormulaError),
    Case(38, "y ~ log(s(x))", GAUSSIAN, ("`s(...)` is a term of its own", "inside a function"), FormulaError),
    Case(39, "y ~ lf(x)", GAUSSIAN, ("`lf(...)` stands outside", 'sigma="~ z"'), FormulaError),
    Case(39, "y ~ x + set_rescor(TRUE)", GAUSSIAN, ("`set_rescor(...)` stands outside", "bf(...) + bf"), FormulaError),
    Case(40, "y ~ cs(x)", GAUSSIAN, ("`cs(x)`", "ordinal family", "gaussian"), FormulaError),
    Case(40, lambda: bf("o ~ x", disc="~ cs(x)"), "cumulative", ("`cs(x)`", "main formula"), FormulaError),
    Case(41, "o ~ 0 + x", "cumulative", ("stand for the intercept", "without `0 +`"), FormulaError),
    Case(42, lambda: bf("y ~ x") + bf("y ~ z"), GAUSSIAN, ("`y` and `y`", "name `y` once"), FormulaError),
    Case(42, lambda: bf("y ~ x") + bf("k ~ z", family="poisson") + set_rescor(True), GAUSSIAN,
         ("Residuals cannot be correlated", "`k` is poisson", "set_rescor(False)"), FormulaError),
    Case(43, "y ~ (1 | log(g))", GAUSSIAN, ("`log(...)` cannot stand here", "compute the column"), FormulaError),
    Case(44, "y ~ (1 | g) + (1 | g)", GAUSSIAN, ("Two group terms", "Keep one"), FormulaError),
    Case(45, "y ~ (1 | gr(f, by = h))", GAUSSIAN, ("one value of h for each level of f", "`p`, `q`", "(1 | f:h)")),
    Case(46, lambda: bf("y ~ (1 | p | g)", sigma="~ (1 | p | h)"), GAUSSIAN, ("identifier `p`", "differ"),
         FormulaError),
    Case(47, "y ~ (1 | mm(g))", GAUSSIAN, ("two or more columns", "`mm(g1, g2)`"), FormulaError),
    Case(47, "y ~ (1 | mm(g, h, weights = cbind(s)))", GAUSSIAN, ("each of the 2 members", "cbind(w1, w2)"),
         FormulaError),
    Case(48, "y ~ (1 | gr(g, cov = B))", GAUSSIAN, ("no names", "pandas.DataFrame(B"),
         options=lambda: {"data2": {"B": IDENTITY}}),
    Case(48, "y ~ (1 | gr(g, cov = B))", GAUSSIAN, ("positive definite", "-1"),
         options=lambda: {"data2": {"B": (-IDENTITY, list("uvwxyz"))}}),
    Case(48, "y ~ (1 | gr(g, cov = B))", GAUSSIAN, ("no row for the level `z`",),
         options=lambda: {"data2": {"B": (IDENTITY, list("uvwxyq"))}}),
    Case(49, "y ~ mo(x)", GAUSSIAN, ("whole numbers or an ordered factor", "-0.913043 in row 2")),
    Case(49, "y ~ mo(f)", GAUSSIAN, ("categories without an order", "ordered categorical"), FormulaError),
    Case(50, "y ~ mi(x)", GAUSSIAN, ("needs a formula of `x`", 'bf("x | mi() ~ ...")'), FormulaError),
    Case(51, "y ~ gp(f)", GAUSSIAN, ("function of numbers", "gp(x, by=f)")),
    Case(51, "y ~ gp(x, k = -1)", GAUSSIAN, ("`k`", "at least 1", "-1"), FormulaError),
    Case(51, "y ~ gp(x, cov = 'foo')", GAUSSIAN, ("cov='foo'", '"exp_quad"'), FormulaError),
    Case(52, "y ~ ar(time, g, p = 0)", GAUSSIAN, ("`p` of `ar()`", "got 0"), FormulaError),
    Case(52, "y ~ ar(time, g) + ma(time, g)", GAUSSIAN, ("one residual term", "`arma(time, gr, p, q)`"), FormulaError),
    Case(52, "y ~ ar(time, g, p = 2, cov = TRUE)", GAUSSIAN, ("order 1", "Leave `cov` out"), FormulaError),
    # Families and priors
    Case(54, "y ~ x", "gausian", ("no family 'gausian'", "did you mean `gaussian`", "there are"), ModelError),
    Case(54, "y ~ x", lambda: bayesml.families.poisson(link="logit"), ("cannot have the link 'logit'", "possible are"),
         ModelError),
    Case(55, "y ~ x", GAUSSIAN, ("matches no parameter", 'class_="Intercept"', "default_prior"), PriorError,
         options=lambda: {"prior": prior("normal(0, 1)", class_="sd")}),
    Case(56, "y ~ x", GAUSSIAN, ("Two priors for the same parameters", "Keep one"), PriorError,
         options=lambda: {"prior": [prior("normal(0, 1)", class_="b"), prior("normal(0, 2)", class_="b")]}),
    Case(56, "y ~ (x | g)", GAUSSIAN, ("takes an LKJ prior", '"lkj(2)"'), PriorError,
         options=lambda: {"prior": prior("normal(0, 1)", class_="cor")}),
    Case(58, "y ~ x", GAUSSIAN, ("`df` of horseshoe()", "larger than 0"), PriorError,
         options=lambda: {"prior": prior("horseshoe(df=-1)", class_="b")}),
)  # fmt: skip
ALLOWED = {
    5: ("y ~ x__", {"x__": DATA["x"]}),
    10: ("y ~ `my x`", {"my x": DATA["x"]}),
    12: ("y ~ I(x^2) + I(x^2)", {}),
}
"""What brms refuses and is no mistake here: names that its programs could not hold."""


class EngineReached(Exception):
    """Nothing was refused."""


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop where the engine would start, so that whatever is raised comes before any compilation."""

    def reached(*arguments: Any) -> None:
        raise EngineReached

    monkeypatch.setattr(dispatch, "run", reached)


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize("place", range(len(CASES)), ids=lambda place: f"{CASES[place].number}-{place}")
def test_a_mistake_is_told_with_its_place_and_its_cure(place: int) -> None:
    case = CASES[place]
    with pytest.raises(case.error) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        formula = case.formula if isinstance(case.formula, str) else case.formula()
        family = case.family if isinstance(case.family, str) else case.family()
        options = case.options()
        data = options.pop("data") if "data" in options else {**DATA, **case.data}
        bayesml.fit(formula, data, family, **options)
    message = re.sub(r"\s+", " ", str(caught.value))
    for part in case.said:
        assert part in message, message


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize("number", ALLOWED)
def test_names_that_brms_cannot_have_are_no_mistake(number: int) -> None:
    formula, data = ALLOWED[number]
    with pytest.raises(EngineReached):
        bayesml.fit(formula, {**DATA, **data})


@pytest.mark.usefixtures("no_engine")
def test_rows_with_missing_values_are_counted() -> None:
    with pytest.warns(UserWarning, match=r"1 of 24 rows.*`x` \(1\)"), pytest.raises(EngineReached):
        bayesml.fit("y ~ x", {**DATA, **put("x", 2, np.nan)})
