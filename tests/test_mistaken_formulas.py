"""Mistakes that are easy to make with nonlinear, smooth and categorical models, and what their errors say."""

from __future__ import annotations

import re

import numpy as np
import pytest

from bayesml import bf, prior
from bayesml.errors import DataError, FormulaError, PriorError
from bayesml.fit import describe_problem

N = 40
DATA = {
    "x": np.linspace(0.1, 2.0, N),
    "y": np.linspace(0.1, 2.0, N)[::-1] ** 2,
    "count": np.arange(N) % 4,
    "k": np.arange(N) % 3 + 1,
}


@pytest.mark.parametrize(
    ("formula", "family", "said"),
    [
        (bf("y ~ a * x", a="~ 1"), "gaussian", "`a` is not a column of the data, but has a formula. Say that"),
        (bf("y ~ a * x", a="~ b", b="~ 1", nonlinear=True), "gaussian", "`b` is not a column of the data, but has a"),
        (bf("y ~ a * x", nonlinear=True), "gaussian", '`a` is neither a column of the data nor a parameter with a'),
        (bf("count ~ x", hu="~ x"), "zero_inflated_poisson", "poisson; it has `mu`, `zi`."),
        ("y ~ s(x, k=x)", "gaussian", "In `s(x, k=x)`, `k` is a whole number, not `x`."),
    ],
)  # fmt: skip
def test_formulas(formula, family, said):
    with pytest.raises(FormulaError, match=re.escape(said)):
        describe_problem(formula, DATA, family)


def test_measurements_are_no_categories():
    with pytest.raises(DataError, match=r"`y` must be a category or a whole number; it is "):
        describe_problem("y ~ x", DATA, "categorical")
    assert describe_problem("k ~ x", DATA, "categorical").likelihood.event_labels == ("1", "2", "3")


@pytest.mark.parametrize("coef", ["", "1"])
def test_single_thresholds_cannot_be_constant(coef):
    with pytest.raises(PriorError, match="cannot be constant"):
        describe_problem("k ~ x", DATA, "cumulative", prior=[prior("constant(-1)", "Intercept", coef=coef)])
