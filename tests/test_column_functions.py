"""Columns made in formulas: group means, within-between decomposition, splines; numbers of R (facts/group_means.R)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.design import redesign
from bayesml.errors import BayesmlError, DataError, FormulaError
from bayesml.fit import describe_problem
from bayesml.frame import finish_frame, read_columns
from bayesml.keys import MU

FACTS = json.loads((Path(__file__).parent / "facts" / "group_means.json").read_text())
DATA = pd.DataFrame({"x": FACTS["x"], "g": FACTS["g"]}).assign(y=lambda d: np.arange(len(d)) % 5 + d["x"])


def columns(term: str, new: pd.DataFrame | None = None) -> tuple[tuple[str, ...], np.ndarray]:
    """Return labels and columns of a term, those of new rows with the encoding of the fit."""
    problem = describe_problem(f"y ~ 0 + {term}", DATA, "gaussian")
    (predictor,) = problem.design.schema.predictors
    arrays = problem.design.arrays
    if new is not None:
        arrays = redesign(problem.design.schema, finish_frame(read_columns(new, list(new.columns))))
    return predictor.terms[0].coefs, arrays[MU][predictor.terms[0].key]["X"]


@pytest.mark.parametrize("name", ["gmean", "ave"])
def test_group_means_are_those_of_ave(name):
    _, found = columns(f"{name}(x, g)")
    np.testing.assert_allclose(found[:, 0], FACTS["ave"], atol=1e-9)


def test_within_and_between_add_up_to_the_column():
    labels, found = columns("wb(x, g)")
    assert labels == ("wb(x, g)[within]", "wb(x, g)[between]")
    np.testing.assert_allclose(found, np.column_stack([FACTS["within"], FACTS["ave"]]), atol=1e-9)


def test_new_rows_have_the_means_of_the_fit():
    means = dict(zip(FACTS["g"], FACTS["ave"], strict=True))
    new = pd.DataFrame({"x": [5.0, -3.0], "g": ["b", "a"]})
    _, found = columns("wb(x, g)", new)
    expected = [[5.0 - means["b"], means["b"]], [-3.0 - means["a"], means["a"]]]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    with pytest.raises(DataError, match="unknown to the model"):
        columns("gmean(x, g)", pd.DataFrame({"x": [1.0], "g": ["z"]}))
    with pytest.raises(DataError, match="the group 7 has no mean"):
        columns("gmean(x, round(x))", pd.DataFrame({"x": [7.0]}))


@pytest.mark.parametrize("term", ["gmean(x)", "wb(x, g, g)", "wb(g, x)", "gmean(x, 3 * nothing)"])
def test_what_is_no_column_and_factor_is_refused(term):
    with pytest.raises(BayesmlError):
        columns(term)


@pytest.mark.parametrize(
    ("term", "fact"), [("ns(x, df=3)", "ns3"), ("bs(x, df=5)", "bs5"), ("bs(x, df=4, degree=2)", "bs4")]
)
def test_splines_are_those_of_r_on_old_and_new_rows(term, fact):
    labels, found = columns(f"1 + {term}")
    keep = [i for i, label in enumerate(labels) if label != "Intercept"]
    expected, new = np.array(FACTS[fact]), pd.DataFrame({"x": FACTS["new"]})
    _, later = columns(f"1 + {term}", new)
    ours, theirs = found[:, keep], expected
    # The columns of a natural spline are determined up to a rotation; what they span, old rows and new, is not.
    weights = np.linalg.lstsq(ours, theirs, rcond=None)[0]
    np.testing.assert_allclose(ours @ weights, theirs, atol=1e-8)
    np.testing.assert_allclose(later[:, keep] @ weights, np.array(FACTS[f"{fact}_new"]), atol=1e-8)
    if fact != "ns3":
        np.testing.assert_allclose(ours, theirs, atol=1e-8)


def test_smallest_and_largest_of_rows():
    for name, call in (("pmax", "pmax(x, 0.1)"), ("pmin", "pmin(x, 0.1, 0.5)")):
        np.testing.assert_allclose(columns(call)[1][:, 0], FACTS[name], atol=1e-9)


def test_a_decomposition_is_fitted_and_predicts():
    data = DATA.assign(y=DATA["y"] + DATA["g"].map({"a": 0.0, "b": 4.0, "c": -3.0}))
    fit = bayesml.fit("y ~ wb(x, g) + (1 | g)", data, method="reml")
    assert {"wb(x, g)[within]", "wb(x, g)[between]"} <= set(fit.fixef().index)
    found = fit.predict(DATA.iloc[:3])
    assert np.isfinite(np.asarray(found)).all()


def matrix(terms: str, data: pd.DataFrame) -> np.ndarray:
    """Return the columns of a formula."""
    problem = describe_problem(f"y ~ {terms}", data, "gaussian")
    (predictor,) = problem.design.schema.predictors
    return problem.design.arrays[MU][predictor.terms[0].key]["X"]


def test_tensor_products_of_splines_are_columns():
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"x": rng.uniform(size=50), "z": rng.uniform(size=50), "f": np.repeat(["a", "b"], 25)})
    data["y"] = rng.normal(size=50)
    x, z = (matrix(f"0 + cr({name}, df={df})", data) for name, df in (("x", 4), ("z", 3)))
    products = (x[:, :, None] * z[:, None, :]).reshape(50, -1)
    np.testing.assert_allclose(matrix("0 + te(cr(x, df=4), cr(z, df=3))", data), products, atol=1e-12)
    with pytest.warns(bayesml.FitWarning, match="without a penalty"):
        np.testing.assert_allclose(matrix("0 + te(x, z, k=c(4, 3))", data), products, atol=1e-12)
    assert matrix("0 + te(x, z, k=3, fx=TRUE)", data).shape == (50, 9)
    # beside an intercept one of the columns, which add up to it, is left out
    assert np.linalg.matrix_rank(matrix("te(x, z, k=3, fx=TRUE)", data)) == 9


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("te(x, z)", r"write `t2\(x, z\)`"),
        ("te(x, k=3)", "two or more columns"),
        ("te(x, z, k=c(3, 3, 3), fx=TRUE)", "3 values for 2 columns"),
        ("te(f, z, k=3)", "column of categories"),
        ("te(x, z, k=40, fx=TRUE)", "1600 columns"),
    ],
)
def test_tensor_products_that_make_no_sense_are_refused(term, message):
    rng = np.random.default_rng(6)
    data = pd.DataFrame({"x": rng.uniform(size=90), "z": rng.uniform(size=90), "f": np.resize(["a", "b"], 90)})
    data["y"] = rng.normal(size=90)
    with pytest.raises(FormulaError, match=message):
        matrix(f"0 + {term}", data)
