"""Input that no kind of term can use, which each of them refuses before anything is compiled."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import BayesmlError, DataError
from bayesml.fit import describe_problem

N = 40
LEVELS = [f"l{i}" for i in range(8)]


def table() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=N), "z": rng.normal(size=N), "one": 1.0, "few": np.arange(N) % 3.0})
    data["g"], data["t"] = np.resize(LEVELS, N), np.arange(N) // 8
    data["twice"], data["gap"], data["up"] = np.arange(N) // 16, data["x"].where(data["x"] < 1), np.arange(N) % 4
    return data.assign(y=rng.normal(size=N), k=rng.poisson(3, N), inf=data["x"].where(data["x"] < 1, np.inf))


def ring(size: int) -> np.ndarray:
    near = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    return ((near == 1) | (near == size - 1)).astype(float)


def named(matrix: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(matrix, LEVELS, LEVELS)


A = 0.5 * np.eye(8) + 0.5
NAN = np.where(np.eye(8, k=1) > 0, np.nan, A)
ISLAND = ring(8) * np.outer(np.arange(8) > 0, np.arange(8) > 0)
APART = np.kron(np.eye(2), ring(4))


# the term, the matrix, what is said
MATRICES = (
    ("(1 | gr(g, cov=M))", None, "`data2` has none of that name"),
    ("(1 | gr(g, cov=M))", named(A).iloc[:, :7], "8 rows and 7 columns"),
    ("(1 | gr(g, cov=M))", named(NAN), r"missing value \(NaN\)"),
    ("(1 | gr(g, cov=M))", A, "have no names"),
    ("(1 | gr(g, cov=M))", named(A).rename(index={"l3": "q"}, columns={"l3": "q"}), "no row for the level `l3`"),
    ("(1 | gr(g, cov=M))", named(A + 1e-3 * np.eye(8, k=1)), "symmetric"),
    ("(1 | gr(g, cov=M))", named(A - 0.9 * np.eye(8)), "positive definite"),
    ("(1 | gr(g, cov=M))", named(np.ones((8, 8))), "positive definite"),
    ("(1 | gr(g, cov=M))", named(A * np.inf), "infinite|missing value"),
    ("(1 | gr(g, cov=M))", "A", "not a matrix of numbers"),
    ("(1 | mm(g, g2, cov=M))", named(A - 0.9 * np.eye(8)), "positive definite"),
    ("car(M, gr=g)", None, "`data2` has none of that name"),
    ("car(M, gr=g)", named(ring(8)).iloc[:6], "6 rows and 8 columns"),
    ("car(M, gr=g)", named(np.where(np.isnan(NAN), np.nan, ring(8))), r"missing value \(NaN\)"),
    ("car(M, gr=g)", named(ring(8) + 1e-3 * np.eye(8, k=2)), "symmetric|0 and 1|only"),
    ("car(M, gr=g)", named(ring(8)).rename(index={"l3": "q"}, columns={"l3": "q"}), "l3"),
    ("car(M, gr=g)", named(ISLAND), "l0"),
    ("car(M, gr=g, type='bym2')", named(ISLAND), "l0"),
    ("car(M, gr=g, type='icar')", named(APART), "fall into 2 parts"),
    ("fcor(M)", None, "`data2` has none of that name"),
    ("fcor(M)", np.eye(N - 1), f"each of the {N} rows"),
    ("fcor(M)", np.eye(N)[:, :9], f"{N} rows and 9 columns"),
    ("fcor(M)", np.eye(N) + 1e-3 * np.eye(N, k=1), "symmetric"),
    ("fcor(M)", np.eye(N) - 2 * np.diag(np.arange(N) == 4), "positive definite"),
    ("fcor(M)", np.where(np.eye(N, k=2) > 0, np.nan, np.eye(N)), r"missing value \(NaN\)"),
    ("sar(M)", None, "`data2` has none of that name"),
    ("sar(M)", ring(N)[:, :5], f"{N} rows and 5 columns"),
    ("sar(M)", np.where(np.eye(N, k=2) > 0, np.nan, ring(N)), r"missing value \(NaN\)"),
    ("sar(M)", ring(N - 2), f"{N} rows"),
    ("sar(M)", np.zeros((N, N)), "M"),
)


@pytest.mark.parametrize(("term", "matrix", "message"), MATRICES)
def test_matrices_that_a_term_cannot_use_are_refused(term, matrix, message):
    data = table().assign(g2=np.resize(LEVELS[::-1], N))
    with pytest.raises(BayesmlError, match=message):
        describe_problem(f"y ~ x + {term}", data, "gaussian", data2=None if matrix is None else {"M": matrix})


@pytest.mark.parametrize(
    ("term", "matrix"),
    [
        ("(1 | gr(g, cov=M))", named(A + 1e-12 * np.eye(8, k=1))),
        ("fcor(M)", np.eye(N) + 1e-12 * np.eye(N, k=1)),
        ("car(M, gr=g)", named(APART)),
    ],
)
def test_rounding_and_separate_parts_are_taken(term, matrix):
    describe_problem(f"y ~ x + {term}", table(), "gaussian", data2={"M": matrix})


TERMS = (
    ("s(one)", "one"),
    ("s(few)", "k=10|k=|3 different"),
    ("s(x, k=60)", "60"),
    ("s(g)", "g"),
    ("s(inf)", "inf"),
    ("s(x, by=nothing)", "nothing"),
    ("t2(x, one)", "one"),
    ("t2(few, x)", "few|k=5"),
    ("te(x, z)", r"t2\(x, z\)"),
    ("ti(x, z)", r"t2\(x, z\)"),
    ('s(x, bs="ad")', "is not known"),
    ("(s(z) | g)", r"write `s\(z, g, bs=\"fs\"\)`"),
    ("(gp(z) | g)", r"write `gp\(z, by=g\)`"),
    ("gp(one)", "same values"),
    ("gp(inf)", "inf"),
    ("gp(g)", "categories"),
    ("gp(x, neighbours=0)", "neighbours"),
    ("mo(x)", "whole"),
    ("mo(one)", "one"),
    ("me(x, one0)", "one0"),
    ("ar(twice, up)", "occurs twice"),
    ("cosy(twice, up)", "occurs twice"),
    ("unstr(twice, up)", "occurs twice"),
    ("toep(twice, up)", "occurs twice"),
    ("ar(twice):cosy(up)", "occurs twice"),
    ("car(g)", "data2|matrix"),
    ("(1 | one)", "one level only"),
    ("(1 | mm(g, one))", "text and others numbers"),
    ("(1 | gr(g, by=t))", "one value of"),
    ("(1 | gr(g, pw=x))", "larger than 0"),
    ("offset(inf)", "inf"),
    ("poly(few, 5)", "different values|5"),
    ("ns(one, 3)", "one"),
    ("scale(one)", "one"),
)


@pytest.mark.parametrize(("term", "message"), TERMS)
def test_columns_that_a_term_cannot_use_are_refused(term, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)
        with pytest.raises(BayesmlError, match=message):
            describe_problem(f"y ~ x + {term}" if term != "s(x, k=60)" else f"y ~ {term}", table(), "gaussian")


@pytest.mark.parametrize("term", ["ar(t, g)", "ma(t, g)", "cosy(t, g)", "unstr(t, g)", "toep(t, g)", "ar(t):cosy(g)"])
def test_series_may_stand_in_any_order(term):
    problem = describe_problem(f"y ~ x + {term}", table().sample(frac=1, random_state=2), "gaussian")
    assert problem.design.n_rows == N


def test_a_matrix_of_the_rows_does_not_outlive_rows_that_were_left_out():
    data = table()
    with pytest.warns(bayesml.FitWarning, match="missing"):
        fit = bayesml.fit("y ~ gap", data, method="laplace")
    with pytest.raises(BayesmlError, match="hand in the data again"):
        fit.update("~ . + fcor(V)", data2={"V": np.eye(N)})


def test_levels_that_the_fit_has_not_seen_are_named():
    data = table()
    levels = named(A)
    for formula, matrices in (("y ~ x + (1 | g)", None), ("y ~ x + (1 | gr(g, cov=M))", {"M": levels})):
        fit = bayesml.fit(formula, data, method="reml", data2=matrices)
        with pytest.raises(DataError, match="new"):
            fit.predict(data.iloc[:1].assign(g="new"))
