"""``ranova`` and ``drop1`` against lmerTest, lme4 and R."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import ModelError

pytestmark = pytest.mark.filterwarnings("ignore::bayesml.errors.FitWarning")

# Written by facts/deletions.R with lme4 1.1-31, lmerTest 3.1-3 and pbkrtest 0.5.2.
FACTS = Path(__file__).parent / "facts"
CASES: dict[str, list[dict[str, Any]]] = json.loads((FACTS / "deletions.json").read_text())


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return pd.read_csv(FACTS / "deletions.csv")


@pytest.mark.parametrize("case", CASES["ranova"], ids=lambda case: case["group"])
def test_ranova_reduces_as_lmertest(case: dict[str, Any], data: pd.DataFrame) -> None:
    table = bayesml.fit(f"y ~ x + z + f + h + {case['group']}", data, method="reml").ranova()
    fact = case["table"]
    # lmerTest reduces a lone number too, (0 + x | s) to (1 | s), which is no smaller model: 0 degrees of freedom.
    numbers = case["group"] == "(1 | s) + (0 + x | s)"
    rows = [0] if numbers else range(len(table))
    for column in ("npar", "logLik", "LRT", "Df"):
        expected = np.array(fact[column], dtype=float)
        np.testing.assert_allclose(table[column].iloc[rows], expected[rows], rtol=1e-6, atol=1e-5, err_msg=column)


def fitted(case: dict[str, Any], data: pd.DataFrame) -> bayesml.PointFit:
    mixed, family = "|" in case["formula"], case["family"] or "gaussian"
    method = "reml" if mixed and family == "gaussian" else "laplace"
    return bayesml.fit(case["formula"], data, family, method=method)


@pytest.mark.parametrize("case", CASES["drop1"], ids=lambda case: f"{case['formula']} {case['test']} {case['ddf']}")
def test_drop1_is_that_of_lme4(case: dict[str, Any], data: pd.DataFrame) -> None:
    fit, fact = fitted(case, data), case["table"]
    if case["test"] == "F":
        table = fit.drop1(test="F", ddf=case["ddf"].lower())
        assert sorted(table.index) == sorted(fact["rows"])
        for column in ("NumDF", "DenDF", "F value", "Pr(>F)"):
            expected = pd.Series(fact[column], index=fact["rows"], dtype=float)[list(table.index)]
            # degrees of freedom of lmerTest come from numerical derivatives
            np.testing.assert_allclose(table[column], expected, rtol=2e-5, atol=1e-7, err_msg=column)
        return
    table = fit.drop1()
    assert list(table.index)[0] == "<none>" and sorted(table.index) == sorted(fact["rows"])
    expected = pd.DataFrame({k: v for k, v in fact.items() if k != "rows"}, index=fact["rows"], dtype=float)
    expected = expected.loc[list(table.index)]
    aic = table["AIC"] - table["AIC"].iloc[0] + expected["AIC"].iloc[0]  # lm's has another constant
    np.testing.assert_allclose(aic, expected["AIC"], rtol=1e-6)
    np.testing.assert_allclose(table["AIC"].iloc[0], case["AIC"], rtol=1e-6)
    np.testing.assert_allclose(table["Df"][1:], expected["Df"][1:])
    np.testing.assert_allclose(table["Pr(>Chisq)"][1:], expected["p"][1:], rtol=1e-3, atol=1e-9)
    if "LRT" in expected:
        np.testing.assert_allclose(table["LRT"][1:], expected["LRT"][1:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("formula", ["y ~ x * f + h + (1 | s)", "y ~ 0 + f + x + (1 | s)", "y ~ 0 + x + (1 | s)"])
def test_a_deletion_is_the_fit_without_the_term(formula: str, data: pd.DataFrame) -> None:
    fit = bayesml.fit(formula, data, method="reml")
    table = fit.drop1()
    for term in table.index[1:]:
        if fit.parsed.predictors[0].population.terms == ((term,),):
            continue  # no fixed part is left
        smaller = fit.update(f". ~ . - {term}", method="ml")
        np.testing.assert_allclose(table.loc[term, "logLik"], smaller.logLik, rtol=1e-7)
        assert table.loc[term, "npar"] == smaller.df
    assert np.isfinite(table["AIC"]).all()


def test_terms_may_be_chosen(data: pd.DataFrame) -> None:
    fit = bayesml.fit("y ~ x * f + z + (1 | s)", data, method="ml")
    assert list(fit.drop1("f:x").index) == ["<none>", "x:f"]
    assert list(fit.drop1(["z"], test="F").index) == ["z"]
    assert "Pr(>Chisq)" not in fit.drop1(test=None)
    own = bayesml.fit("y ~ 0 + Intercept + x + (1 | s)", data, method="ml")
    assert list(own.drop1().index) == ["<none>", "x"]
    for call, message in (
        (lambda: fit.drop1("x"), "stands in a larger term"),
        (lambda: fit.drop1(5), "`scope` is"),
        (lambda: fit.drop1("w"), "is not a term of the model"),
        (lambda: fit.drop1(test="LRT"), "`test` is"),
        (lambda: bayesml.fit("y ~ 1 + (1 | s)", data, method="ml").drop1(), "no population-level term"),
        (lambda: bayesml.fit("y ~ x + (1 | s)", data, method="map").drop1(), "compares likelihoods"),
        (lambda: bayesml.fit("count ~ x", data, "poisson", method="laplace").drop1(test="F"), "F tests"),
    ):
        with pytest.raises(ModelError, match=message):
            call()
