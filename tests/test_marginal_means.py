"""Marginal means against emmeans: response scales, offsets, nesting, and factors that the formula makes of numbers."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import FitWarning, ModelError
from bayesml.results.frequentist.nesting import nesting_of
from bayesml.results.questions.grid import grid_reference, predictors

# Nested models have columns that are combinations of others, and small data variances of zero: no concern here.
pytestmark = pytest.mark.filterwarnings("ignore::bayesml.errors.FitWarning")

# Written by facts/marginal_means.R with emmeans 1.8.4, lme4 1.1-31 and lmerTest 3.1-3.
FACTS = Path(__file__).parent / "facts"
CASES: list[dict[str, Any]] = json.loads((FACTS / "marginal_means.json").read_text())


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return pd.read_csv(FACTS / "marginal_means.csv")


@pytest.fixture(scope="module")
def fits(data: pd.DataFrame) -> dict[tuple[str, str | None], bayesml.PointFit]:
    found = {}
    for formula, family in dict.fromkeys((c["formula"], c["family"]) for c in CASES):
        method = "reml" if family is None else "laplace"
        found[formula, family] = bayesml.fit(formula, data, family or "gaussian", method=method)
    return found


def identifier(case: dict[str, Any]) -> str:
    return f"{case['formula']} : {case['specs']} {case['by'] or ''} {case['arguments'] or ''}"


@pytest.mark.parametrize("case", CASES, ids=identifier)
def test_means_are_those_of_emmeans(case: dict[str, Any], fits: dict[Any, bayesml.PointFit]) -> None:
    fit = fits[case["formula"], case["family"]]
    specs = case["specs"] if isinstance(case["specs"], list) else [case["specs"]]
    means = fit.emmeans(specs, by=case["by"], **(case["arguments"] or {}))
    table = means.to_pandas()
    keys = list(case["keys"])
    assert set(keys) == set(table.columns[: len(keys)])
    theirs = {
        tuple(label.upper() for label in row): i for i, row in enumerate(zip(*case["keys"].values(), strict=True))
    }
    order = [theirs[tuple(_label(v) for v in row)] for row in table[keys].itertuples(index=False)]
    assert sorted(order) == list(range(len(theirs)))
    # lme4's optimum is flat: estimates and errors agree to about the square root of its tolerance.
    shown = table.columns[len(keys)]
    for column, fact in ((shown, "estimate"), ("Std.Error", "SE"), ("lower", "lower"), ("upper", "upper")):
        expected = np.array(case[fact], dtype=float)[order]
        np.testing.assert_allclose(table[column], expected, rtol=5e-5, atol=1e-6, err_msg=fact)
    if "pairs" in case and case["by"] is None and order == sorted(order):
        pairs = means.contrasts(adjust="none")
        value = next(c for c in ("estimate", "ratio", "odds ratio") if c in pairs)
        for column, fact in ((value, "estimate"), ("Std.Error", "SE"), ("p", "p")):
            np.testing.assert_allclose(pairs[column], case["pairs"][fact], rtol=1e-4, atol=1e-6, err_msg=fact)


def _label(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).upper()


# The way back to the response ----------------------------------------------------------------------------------------

TRANSFORMED = {
    "log(y)": np.exp,
    "log2(y)": np.exp2,
    "log10(y)": lambda v: 10.0**v,
    "log1p(y)": np.expm1,
    "log(y + 0.5)": lambda v: np.exp(v) - 0.5,
    "log(1 + y)": lambda v: np.exp(v) - 1,
    "log(y / 2)": lambda v: 2 * np.exp(v),
    "-log(y)": lambda v: np.exp(-v),
    "2 * sqrt(y)": lambda v: (v / 2) ** 2,
    "I(sqrt(y))": np.square,
    "I(y^0.5)": np.square,
    "y^(1/3)": lambda v: v**3,
    "I(y**2)": np.sqrt,
    "square(y)": np.sqrt,
    "1 / y": lambda v: 1 / v,
    "I(y - 8)": lambda v: v + 8,
    "I(8 - y)": lambda v: 8 - v,
    "exp(y / 10)": lambda v: 10 * np.log(v),
    "expm1(y / 10)": lambda v: 10 * np.log1p(v),
    "asin(sqrt(p))": lambda v: np.sin(v) ** 2,
    "logit(p)": lambda v: 1 / (1 + np.exp(-v)),
    "qlogis(p)": lambda v: 1 / (1 + np.exp(-v)),
    "log(p / (1 - p))": lambda v: 1 / (1 + np.exp(-v)),
    "log(log(y))": lambda v: np.exp(np.exp(v)),
}


@pytest.mark.parametrize("response", TRANSFORMED)
def test_transformations_are_undone(response: str, data: pd.DataFrame) -> None:
    fit = bayesml.fit(f"{response} ~ A + x + (1 | g)", data, method="ml")
    link, back = fit.emmeans("A").to_pandas(), fit.emmeans("A", type="response").to_pandas()
    inverse = TRANSFORMED[response]
    np.testing.assert_allclose(back["response"], inverse(link["emmean"]), rtol=1e-10)
    ends = np.sort([inverse(link["lower"]), inverse(link["upper"])], axis=0)
    np.testing.assert_allclose(back[["lower", "upper"]].T, ends, rtol=1e-10)
    step = 1e-5  # central differences: error of order step^2
    slope = (inverse(link["emmean"] + step) - inverse(link["emmean"] - step)) / (2 * step)
    np.testing.assert_allclose(back["Std.Error"], link["Std.Error"] * np.abs(slope), rtol=1e-6)


@pytest.mark.parametrize("response", ["y + x", "sin(y)", "y * p", "twice(y)", "I((y - 9)^2)", "abs(y)"])
def test_what_cannot_be_undone_stays_and_says_so(response: str, data: pd.DataFrame) -> None:
    fit = bayesml.fit(f"{response} ~ A + (1 | g)", data, method="ml", functions={"twice": lambda v: 2 * v})
    with pytest.warns(FitWarning, match="cannot be undone"):
        back = fit.emmeans("A", type="response").to_pandas()
    np.testing.assert_allclose(back["response"], fit.emmeans("A").to_pandas()["emmean"])


def test_truth_values_and_shares_are_no_transformations(data: pd.DataFrame) -> None:
    frame = data.assign(n=20)
    for response, family in (("I(y > 10)", "bernoulli"), ("cbind(count, n + count - count)", "binomial")):
        fit = bayesml.fit(f"{response} ~ A + (1 | g)", frame, family, method="laplace")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table = fit.emmeans("A", type="response").to_pandas()
        assert table["response"].between(0, 1).all()
        assert "odds ratio" in fit.emmeans("A", type="response").contrasts()


def test_lognormal_means_are_medians_as_of_the_logarithm(data: pd.DataFrame) -> None:
    # log(y) ~ normal is y ~ lognormal: the same coefficients, so the same means and ratios.
    own = bayesml.fit("y ~ A + x + (1 | g)", data, "lognormal", method="ml").emmeans("A", type="response")
    logs = bayesml.fit("log(y) ~ A + x + (1 | g)", data, method="ml").emmeans("A", type="response")
    np.testing.assert_allclose(own.to_pandas().iloc[:, 1:], logs.to_pandas().iloc[:, 1:], rtol=1e-6)
    np.testing.assert_allclose(own.contrasts()["ratio"], logs.contrasts()["ratio"], rtol=1e-6)


def test_ratios_of_two_logarithms_are_no_ratios(data: pd.DataFrame) -> None:
    fit = bayesml.fit("log(y) ~ A", data, bayesml.Gamma(link="log"), method="laplace")
    assert "estimate" in fit.emmeans("A", type="response").contrasts()


def test_offset_stands_at_its_mean_or_where_it_is_asked_for(data: pd.DataFrame) -> None:
    fit = bayesml.fit("count ~ A + offset(log(e)) + (1 | g)", data, "poisson", method="laplace")
    base = fit.emmeans("A", offset=0).to_pandas()["emmean"]
    for asked, expected in (
        ({}, np.log(data["e"]).mean()),
        ({"at": {"e": 1}}, 0.0),
        ({"at": {"e": 4}}, np.log(4.0)),
        ({"offset": 2.5}, 2.5),
    ):
        found = fit.emmeans("A", **asked).to_pandas()["emmean"]
        np.testing.assert_allclose(found - base, expected, rtol=1e-10, atol=1e-12)
    with pytest.raises(ModelError, match="`offset` is a number"):
        fit.emmeans("A", offset="log(e)")  # type: ignore[arg-type]


def test_slope_of_an_offset_counts(data: pd.DataFrame) -> None:
    fit = bayesml.fit("count ~ x + offset(0.5 * x + log(e)) + (1 | g)", data, "poisson", method="laplace")
    found = fit.emtrends("x").to_pandas()["x.trend"]
    np.testing.assert_allclose(found, fit["b_x"] + 0.5, rtol=1e-6)


# Nesting -------------------------------------------------------------------------------------------------------------

# R: ref_grid(lm(formula, d))@model.info$nesting
NESTED = {
    "region/A": {"A": ("region",)},
    "region + region:A": {"A": ("region",)},
    "region:A": {},
    "t + region:A": {},
    "t * region/A": {"A": ("region", "t")},
    "region/A/t": {"A": ("region",), "t": ("region", "A")},
    "region/A + t": {"A": ("region",)},
    "region/A * t": {"A": ("region",)},
    "region + city": {"city": ("region",)},
    "city": {},
    "t * region:A": {},
    "t + t:region:A": {},
    "region/x": {},
    "A + region:A": {"region": ("A",)},
    "region * A": {},
    "t + region:x": {},
    "region + A:t": {},
    "t * city + region": {"city": ("region",)},
    "city:t + region": {},
    "t + region/city": {"city": ("region",)},
    "region:city": {},
    "0 + region/A": {"A": ("region",)},
    "region + A + region:A:t": {"t": ("region", "A")},
    "t / (region * A)": {"region": ("t",), "A": ("t",)},
    "region + rr": {"region": ("rr",)},
    "region + rr + city": {"region": ("rr",), "city": ("rr", "region")},
    "region/factor(k)": {"k": ("region",)},
}


@pytest.mark.parametrize("formula", NESTED)
def test_nesting_is_found_as_emmeans_finds_it(formula: str, data: pd.DataFrame) -> None:
    frame = data.assign(rr=data["region"].str.upper())
    fit = bayesml.fit(f"y ~ {formula} + (1 | g)", frame, method="ml")
    found = nesting_of(fit, [n for n in predictors(fit) if grid_reference(fit).is_categorical(n)], "auto")
    assert {name: set(outer) for name, outer in found.items()} == {n: set(o) for n, o in NESTED[formula].items()}


def test_nesting_may_be_said(data: pd.DataFrame) -> None:
    fit = bayesml.fit("y ~ region * A + t + (1 | g)", data, method="ml")
    tables = [
        fit.emmeans("A", nesting=nesting).to_pandas()
        for nesting in ("A %in% region", {"A": "region"}, {"A": ["region"]}, "A %in% (region)")
    ]
    assert len(tables[0]) == 8 and list(tables[0].columns[:2]) == ["A", "region"]
    for other in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], other)
    assert len(fit.emmeans("A").to_pandas()) == 3
    assert "A is nested in region" in str(fit.emmeans("A", nesting="A %in% region"))
    for wrong, message in (
        ("A in region", "nesting"),
        ("A %in% regoin", "did you mean"),
        ({"A": "A"}, "in itself"),
        ({"A": 3}, "nesting"),
    ):
        with pytest.raises(ModelError, match=message):
            fit.emmeans("A", nesting=wrong)


def test_specs_that_are_no_names(data: pd.DataFrame) -> None:
    fit = bayesml.fit("y ~ A + (1 | g)", data, method="ml")
    with pytest.raises(ModelError, match="a name or a list of names"):
        fit.emmeans(3)  # type: ignore[arg-type]


def test_slopes_stand_within_nests(data: pd.DataFrame) -> None:
    fit = bayesml.fit("y ~ region/A * x + (1 | g)", data, method="ml")
    table = fit.emtrends("x", by="A").to_pandas()
    assert len(table) == 8 and np.isfinite(table["x.trend"]).all()
