"""Matrices beside the table, ``data2={"A": A}``: what is accepted, what is refused, how a formula names them."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import bayesml
from bayesml.errors import DataError, FormulaError, ModelError
from bayesml.formula import Language, check_matrices, formula_variables, matrix_names, parse
from bayesml.frame import KnownMatrix, frame_from_arrays, frame_to_arrays, read_frame, read_matrices

A = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.25], [0.0, 0.25, 3.0]])
NAMES = ("x", "y", "z")
LANGUAGE = Language({"car", "fcor"}, matrices=(("car", "M"), ("fcor", "M")))
DATA = {"y": [1.0, 2.0, 3.0, 4.0], "g": ["x", "y", "z", "x"], "x": [0.0, 1.0, 0.0, 2.0]}


def read(value: Any) -> KnownMatrix:
    return read_matrices({"A": value}, ["A"])["A"]


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        (A, None),
        (A.tolist(), None),
        (A.astype(np.float32), None),
        (scipy.sparse.csc_matrix(A), None),
        (scipy.sparse.coo_array(A), None),
        ((A, NAMES), NAMES),
        ((scipy.sparse.csr_array(A), np.array(NAMES)), NAMES),
        ((A, pd.Index(NAMES)), NAMES),
        (pd.DataFrame(A, NAMES, NAMES), NAMES),
        (pd.DataFrame(A, NAMES), NAMES),
        (pd.DataFrame(A, columns=list(NAMES)), NAMES),
        (pd.DataFrame(A), None),
        (pd.DataFrame(A, [3, 1, 2], [3, 1, 2]), ("3", "1", "2")),
        (pd.DataFrame.sparse.from_spmatrix(scipy.sparse.csr_matrix(A), NAMES, NAMES), NAMES),
    ],
)
def test_every_kind_of_matrix_is_read(given: Any, labels: tuple[str, ...] | None) -> None:
    matrix = read(given)
    np.testing.assert_array_equal(matrix.dense, A)
    assert matrix.labels == labels
    rows, columns, values = matrix.entries
    np.testing.assert_array_equal(scipy.sparse.coo_array((values, (rows, columns)), (3, 3)).toarray(), A)
    matrix.check_symmetric("gr(g, cov=A)")
    matrix.check_positive_definite("gr(g, cov=A)")
    np.testing.assert_array_equal(matrix.selected(np.array([2, 0])).dense, A[np.ix_([2, 0], [2, 0])])
    assert pickle.loads(pickle.dumps(matrix)).labels == labels


@pytest.mark.parametrize("values", [[[1, 0], [0, 1]], np.eye(2, dtype=int), np.eye(2, dtype=bool), ([1, 0], [0, 1])])
def test_whole_numbers_and_pairs_of_rows_are_matrices(values: Any) -> None:
    np.testing.assert_array_equal(read(values).dense, np.eye(2))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3.0, "not a matrix of numbers but float"),
        ("A", "not a matrix of numbers but str"),
        (None, "not a matrix of numbers but NoneType"),
        ([1.0, 2.0], "not a matrix of numbers but list"),
        ([["a", "b"], ["c", "d"]], "not a matrix of numbers"),
        (A * 1j, "not a matrix of numbers"),
        (A[:, :2], "3 rows and 2 columns"),
        (np.zeros((0, 0)), "0 rows and 0 columns"),
        (scipy.sparse.csr_array(A[:2]), "2 rows and 3 columns"),
        (np.where(A == 0.25, np.nan, A), r"missing value \(NaN\) at row 2, column 3 \(counting from 1\)"),
        (np.where(A == 3, np.inf, A), "infinite entry at row 3, column 3"),
        (scipy.sparse.csr_array(np.where(A == 3, np.nan, A)), r"missing value \(NaN\) at row 3, column 3"),
        ((A, ("x", "y")), "3 rows and 2 names"),
        ((A, ("x", "y", "x")), "the same name: `x`"),
        ((A, 3), "are a list; got 3"),
        (pd.DataFrame(A, NAMES, ("x", "z", "y")), "row 2 is `y`, column 2 is `z`"),
    ],
)
def test_what_is_no_matrix_is_refused(given: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(given)


@pytest.mark.parametrize("kind", [np.array, scipy.sparse.csr_array])
def test_a_matrix_that_is_not_symmetric_is_refused_with_the_place(kind: Any) -> None:
    lopsided = A.copy()
    lopsided[0, 2] = 0.1
    with pytest.raises(DataError, match=r"has 0.1 at \[x, z\] and 0 at \[z, x\]"):
        read((kind(lopsided), NAMES)).check_symmetric("car(W)")
    rounded = A + np.array([[0, 1e-12, 0], [0, 0, 0], [0, 0, 0]])
    read(kind(rounded)).check_symmetric("car(W)")


@pytest.mark.parametrize("least", [-0.5, 0.0])
def test_a_matrix_that_is_not_positive_definite_is_refused_with_its_eigenvalue(least: float) -> None:
    vectors = np.linalg.qr(np.arange(9.0).reshape(3, 3) + np.eye(3))[0]
    indefinite = vectors @ np.diag([least, 1.0, 2.0]) @ vectors.T
    with pytest.raises(DataError, match="not one: its smallest eigenvalue is"):
        read((indefinite + indefinite.T) / 2).check_positive_definite("gr(g, cov=A)")


def test_names_are_asked_for_where_levels_are_matched() -> None:
    with pytest.raises(DataError, match=r"have no names.*pair \(A, names\)"):
        read(A).check_names("the levels of `g`")
    read((A, NAMES)).check_names("the levels of `g`")
    np.testing.assert_array_equal(read((A, NAMES)).positions(["z", "w", "x"]), [2, -1, 0])


def test_a_formula_says_which_names_are_matrices() -> None:
    parsed = parse("y ~ x + car(W, gr=g) + fcor(M=V) + (1 | gr(g, cov=A))", list(DATA), LANGUAGE)
    assert set(matrix_names(parsed)) == {"W", "V", "A"}
    assert set(formula_variables(parsed)) == {"y", "x", "g"}
    check_matrices(parsed, {"A", "W", "V", "unused"})
    with pytest.raises(FormulaError, match=r"`V` of `fcor\(M=V\)` is a matrix, and `data2` has none"):
        check_matrices(parsed, {"A", "W"})
    with pytest.raises(FormulaError, match=r"did you mean `V2`(?s:.*)\n +\^$"):
        check_matrices(parsed, {"A", "W", "V2"})


def test_a_column_and_a_matrix_may_have_one_name() -> None:
    parsed = parse("y ~ x + car(g, gr=g)", list(DATA), LANGUAGE)
    assert matrix_names(parsed) == ("g",)
    assert set(formula_variables(parsed)) == {"y", "x", "g"}


@pytest.mark.parametrize("formula", ["y ~ car(2 * W)", "y ~ car(M=c(1, 2))", "y ~ car('W')"])
def test_a_matrix_is_named(formula: str) -> None:
    with pytest.raises(FormulaError, match="takes the name of a matrix first"):
        parse(formula, list(DATA), LANGUAGE)


def test_data2_is_a_dict() -> None:
    for wrong in ([A], A, {1: A}):
        with pytest.raises(ModelError, match="`data2` is a dict of matrices by name"):
            bayesml.fit("y ~ x", DATA, data2=wrong, method="ml")
    with pytest.raises(FormulaError, match=r"`A` of `\(1 \| gr\(g, cov=A\)\)` is a matrix, and `data2` has none"):
        bayesml.fit("y ~ x + (1 | gr(g, cov=A))", DATA, data2={}, method="ml")


def test_what_the_formula_does_not_name_is_not_read() -> None:
    fit = bayesml.fit("y ~ x", DATA, data2={"A": "anything"}, method="laplace")
    assert dict(fit.recipe.data2) == {}


@pytest.mark.parametrize("matrix", [(A, NAMES), A, (scipy.sparse.csr_array(A), NAMES), scipy.sparse.csr_array((3, 3))])
def test_matrices_are_stored_with_the_frame(matrix: Any) -> None:
    from dataclasses import replace

    frame = replace(read_frame(DATA, ["y"]), matrices=read_matrices({"A": matrix}, ["A"]))
    arrays, metadata = frame_to_arrays(frame)
    again = frame_from_arrays(arrays, metadata).matrices["A"]
    first = frame.matrices["A"]
    np.testing.assert_array_equal(again.dense, first.dense)
    assert (again.labels, again.is_sparse) == (first.labels, first.is_sparse)
    assert frame.select(np.array([0, 2])).matrices["A"] is first


@pytest.mark.parametrize("damage", [{"size": 2}, {"labels": ["x"]}])
def test_a_damaged_matrix_is_noticed(damage: dict[str, Any]) -> None:
    from dataclasses import replace

    for matrix in (A, scipy.sparse.csr_array(A)):
        frame = replace(read_frame(DATA, ["y"]), matrices=read_matrices({"A": (matrix, NAMES)}, ["A"]))
        arrays, metadata = frame_to_arrays(frame)
        metadata["matrices"][0].update(damage)
        with pytest.raises(ValueError, match="matrix 'A'"):
            frame_from_arrays(arrays, metadata)
