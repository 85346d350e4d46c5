"""Truth values are two-level factors where columns are coded, as in R and brms; arithmetic takes them as 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import bayesml
from bayesml.columns import encode
from bayesml.errors import BayesmlError, DataError, FormulaError
from bayesml.fit import describe_problem
from bayesml.formula import bf, formula_variables, parse
from bayesml.frame import read_frame
from bayesml.keys import PredictorKey

DATA: dict[str, Any] = {
    "y": [3.1, 4.7, 2.2, 5.9, 6.1, 3.8, 4.4, 7.2, 2.9, 5.5, 6.6, 3.3],
    "z": [0.2, 1.1, -0.4, 0.9, 1.5, 0.1, 0.6, 2.0, -0.7, 1.2, 1.4, -0.2],
    "flag": [False, True, False, True, True, False, False, True, False, True, False, True],
    "f": list("abcabcbaccab"),
    "g": list("uvuvwuvwuwvw"),
}

# coef(lm(formula, d)) in R 4.2 with the same data
R_COEFFICIENTS = {
    "flag/z": {
        "Intercept": 3.4470023981,
        "flag[True]": 0.1849976019,
        "flag[False]:z": 1.9316546763,
        "flag[True]:z": 1.6781538462,
    },
    "0 + flag": {"flag[False]": 3.8333333333, "flag[True]": 5.45},
    "I(z > 0.5):z": {
        "Intercept": 3.2711987377,
        "I(z > 0.5)[False]:z": 0.9475658617,
        "I(z > 0.5)[True]:z": 1.9992162080,
    },
    "flag * f": {
        "Intercept": 4.85,
        "flag[True]": 1.7,
        "f[b]": -0.45,
        "f[c]": -1.8833333333,
        "flag[True]:f[b]": -1.4,
        "flag[True]:f[c]": 0.8333333333,
    },
    "0 + flag:z": {"flag[False]:z": 3.3013245033, "flag[True]:z": 4.0994871795},
    "(z > 0.5) & f == 'a'": {"Intercept": 4.0, "(z > 0.5) & f == 'a'[True]": 2.5666666667},
    "I(2 * flag) + I(flag + (z > 1))": {
        "Intercept": 3.4897435897,
        "I(2 * flag)": -0.7378205128,
        "I(flag + (z > 1))": 2.0615384615,
    },
}


@pytest.mark.parametrize("right", R_COEFFICIENTS)
def test_coefficients_are_those_of_r(right: str) -> None:
    fit = bayesml.fit(f"y ~ {right}", DATA, method="laplace")
    found = fit.fixef()["Estimate"]
    expected = R_COEFFICIENTS[right]
    assert list(found.index) == list(expected)
    np.testing.assert_allclose(found, list(expected.values()), atol=1e-6)


CONTAINERS = {
    "dict": dict,
    "numpy": lambda d: {name: np.array(values) for name, values in d.items()},
    "pandas": pd.DataFrame,
    "pandas nullable": lambda d: pd.DataFrame(d).assign(flag=pd.array(d["flag"], dtype="boolean")),
    "pandas objects": lambda d: pd.DataFrame(d).assign(flag=pd.Series(d["flag"], dtype=object)),
    "polars": pl.DataFrame,
    "arrow": pa.table,
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_every_container_has_them(kind: str) -> None:
    fit = bayesml.fit("y ~ flag", CONTAINERS[kind](DATA), method="laplace")
    assert list(fit.fixef().index) == ["Intercept", "flag[True]"]


@pytest.mark.parametrize("flag", [[1, 0], [1.0, 0.0], [True, False], np.array([True, False]), ["TRUE", "FALSE"]])
@pytest.mark.parametrize("right", ["flag*z", "0 + flag + z", "(!flag):z", "I(2 * flag) + z"])
def test_new_data_give_numbers_truth_values_or_their_names(right: str, flag: Any) -> None:
    fit = bayesml.fit(f"y ~ {right}", DATA, method="laplace")
    rows = {"z": [DATA["z"][1], DATA["z"][2]], "flag": flag}
    np.testing.assert_allclose(fit.predict(rows), np.asarray(fit.predict())[1:3], rtol=1e-12)
    # One value alone does not change the coding.
    alone = {"z": rows["z"][:1], "flag": flag[:1]}
    np.testing.assert_allclose(fit.predict(alone), np.asarray(fit.predict())[1:2], rtol=1e-12)


@pytest.mark.parametrize("flag", [[2.0], [0.5], ["maybe"], ["1"]])
def test_other_new_values_are_refused(flag: list[Any]) -> None:
    fit = bayesml.fit("y ~ flag", DATA, method="laplace")
    with pytest.raises(DataError, match="`flag` held truth values .* give True and False"):
        fit.predict({"flag": flag})


def test_numbers_of_the_fit_stay_numbers_in_new_data() -> None:
    numbers = {**DATA, "flag": [float(value) for value in DATA["flag"]]}
    fit = bayesml.fit("y ~ flag", numbers, method="laplace")
    assert list(fit.fixef().index) == ["Intercept", "flag"]
    np.testing.assert_allclose(fit.predict({"flag": [True, False]}), fit.predict({"flag": [1.0, 0.0]}))


def labels(formula: Any, dpar: str = "mu") -> tuple[str, ...]:
    parsed = parse(formula)
    frame = read_frame(DATA, formula_variables(parsed))
    predictor = parsed.predictor(PredictorKey(dpar=dpar))
    assert predictor is not None
    return encode(predictor.population, frame)[0].labels


def test_group_terms_and_other_parameters_have_them() -> None:
    problem = describe_problem(bf("y ~ z + (0 + flag | g) + (z > 0.5 || f)", sigma="~ 0 + flag"), DATA)
    mu, sigma = problem.design.schema.predictors
    assert [group.coefs for group in mu.groups()] == [
        ("flag[False]", "flag[True]"),
        ("Intercept", "z > 0.5[True]"),
    ]
    assert sigma.terms[0].encoding.labels == ("flag[False]", "flag[True]")


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        ("scale(flag)", ("Intercept", "scale(flag)")),
        ("as.numeric(flag)", ("Intercept", "as.numeric(flag)")),
        ("I(flag * z)", ("Intercept", "I(flag * z)")),
        ("abs(z > 1)", ("Intercept", "abs(z > 1)")),
        ("I(-flag)", ("Intercept", "I(-flag)")),
        ("where(flag, z, 0)", ("Intercept", "where(flag, z, 0)")),
        ("I(flag)", ("Intercept", "I(flag)[True]")),
        ("as.logical(z)", ("Intercept", "as.logical(z)[True]")),
        ("0 + ifelse(flag, z > 1, TRUE)", ("ifelse(flag, z > 1, TRUE)[False]", "ifelse(flag, z > 1, TRUE)[True]")),
        ("!flag", ("Intercept", "!flag[True]")),
        ("I(~flag)", ("Intercept", "I(~flag)[True]")),
        ("z + (z > 0 & !flag)", ("Intercept", "z", "z > 0 & !flag[True]")),
        ("C(flag, contr.sum)", ("Intercept", "C(flag, contr.sum)[False]")),
        ("I(f %in% c('a', 'b'))", ("Intercept", "I(f %in% c('a', 'b'))[True]")),
    ],
)
def test_arithmetic_gives_numbers_and_comparisons_give_factors(right: str, expected: tuple[str, ...]) -> None:
    assert labels(f"y ~ {right}") == expected


def test_operators_are_read_in_the_order_of_r() -> None:
    def column(text: str) -> np.ndarray:
        frame = read_frame(DATA, ["y", "z", "flag", "f"])
        return encode(parse(f"y ~ I({text})").predictors[0].population, frame)[1][:, 1]

    z, flag, f = np.array(DATA["z"]), np.array(DATA["flag"]), np.array(DATA["f"])
    np.testing.assert_array_equal(column("z > 0 & z < 1"), (z > 0) & (z < 1))
    np.testing.assert_array_equal(column("!flag & z > 0"), ~flag & (z > 0))
    np.testing.assert_array_equal(column("!z > 0"), ~(z > 0))
    np.testing.assert_array_equal(column("!(flag | z > 1) | f == 'b'"), ~(flag | (z > 1)) | (f == "b"))
    np.testing.assert_array_equal(column("flag & z > 0 | f != 'a'"), (flag & (z > 0)) | (f != "a"))
    np.testing.assert_array_equal(column("flag == TRUE & !!flag"), flag)
    np.testing.assert_array_equal(column("flag == 'TRUE'"), flag)
    np.testing.assert_array_equal(column("10 * z %/% 2 + 7 %% 4 > 3"), 10 * z // 2 + 3 > 3)


@pytest.mark.parametrize("formula", ["y ~ f + z > 0", "y ~ z > 0 + (1 | g)", "y ~ !flag * z", "y ~ z:flag == 1"])
def test_a_comparison_beside_other_terms_needs_brackets(formula: str) -> None:
    with pytest.raises(FormulaError, match=r"brackets of its own: `z \+ \(x > 5\)`"):
        parse(formula)


def test_a_response_of_truth_values_is_that_of_bernoulli() -> None:
    fit = bayesml.fit("flag ~ z", DATA, family="bernoulli", method="laplace")
    numbers = {**DATA, "flag": [int(value) for value in DATA["flag"]]}
    other = bayesml.fit("flag ~ z", numbers, family="bernoulli", method="laplace")
    np.testing.assert_allclose(fit.fixef()["Estimate"], other.fixef()["Estimate"])


def test_names_are_understood_as_r_writes_them() -> None:
    fit = bayesml.fit("y ~ flag*z", DATA, method="laplace")
    assert fit["b_flagTRUE"] == fit["b_flag[True]"]
    assert fit["b_z:flagTRUE"] == fit["b_flagTRUE:z"] == fit["b_flag[True]:z"]
    table = fit.contrast(["b_flagTRUE = 0", "flag[True] = 0"])
    np.testing.assert_array_equal(table["Estimate"], fit["b_flagTRUE"])
    other = fit.contrast(["flag[TRUE] = 0", "2 * (b_flagTrue) = 0", "(z + b_flag[TRUE]) - z = 0"])["Estimate"]
    np.testing.assert_allclose(other, fit["b_flagTRUE"] * np.array([1, 2, 1]))
    problem = describe_problem("y ~ flag*z", DATA, prior=[bayesml.prior("normal(0, 7)", coef="z:flagTRUE")])
    rows = {row.coef: str(row.distribution) for row in problem.description.priors.rows if row.prior_class == "b"}
    assert rows["flag[True]:z"] == "normal(0, 7)"


def test_emmeans_has_both_values() -> None:
    table = bayesml.fit("y ~ flag + z", DATA, method="laplace").emmeans("flag").to_pandas()
    assert list(table["flag"]) == [False, True]


def test_a_constant_truth_value_is_not_an_error_of_the_coding() -> None:
    constant = {**DATA, "flag": [True] * 12}
    assert labels("y ~ flag") == ("Intercept", "flag[True]")
    frame = read_frame(constant, ["y", "flag"])
    np.testing.assert_array_equal(encode(parse("y ~ flag").predictors[0].population, frame)[1], np.ones((12, 2)))
    with pytest.raises(BayesmlError, match="single level 'True'"):
        encode(parse("y ~ factor(flag)").predictors[0].population, frame)


@pytest.mark.parametrize(
    ("right", "message"),
    [
        ("z & flag", r"`&` is for truth values such as comparisons, \(x > 0\) & \(z > 0\)"),
        ("!z", r"`!` is for truth values such as comparisons, !\(x > 0\)"),
        ("flag == 'yes'", "the text 'yes'"),
        ("f == 'zz'", "none of the levels 'a', 'b', 'c'"),
        ("z >", "stands beside `>`"),
        ("flag && flag", "cannot be read"),
    ],
)
def test_logic_that_cannot_be_computed(right: str, message: str) -> None:
    with pytest.raises(BayesmlError, match=message):
        labels(f"y ~ {right}")
