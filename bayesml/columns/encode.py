"""From terms to a design matrix, and the encoding with which new data get the same columns."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesml.columns.coding import Product, choose_codings
from bayesml.columns.contrasts import Contrast, full_coding, reduced_coding
from bayesml.columns.factors import FactorValue, truth_factor
from bayesml.columns.interpret import interpret
from bayesml.columns.syntax import Syntax, bare_name, read_syntax
from bayesml.columns.transforms import Basis
from bayesml.errors import DataError, FormulaError
from bayesml.formula.names import names_in
from bayesml.formula.types import Expression, LinearPart
from bayesml.frame import Column, Frame, match_levels
from bayesml.frozen import FrozenMapping

__all__ = ["Encoding", "encode", "evaluate", "replay", "treatment_columns"]

Functions = Mapping[str, Callable[..., Any]]
INTERCEPT = "Intercept"
MAX_ELEMENTS = 200_000_000
LARGEST = 1e150  # squares of larger numbers overflow in double precision


@dataclass(frozen=True, eq=False)
class Encoding:
    """How the columns of a design matrix are computed from data.

    Attributes:
        labels: name of each column, ``Intercept``, ``Days``, ``funding[state]``, ``poly(x, 2)[1]``.
        terms: name of each term but the intercept, ``a:b``.
        assign: for each column the position of its term in ``terms``, -1 for the intercept.
        variables: the data columns needed.
        has_intercept: whether the first column is the model's intercept.
        products: for each term the products of factors that give its columns, see `Product`.
        schema: kind and levels of the data columns of the fit, without values.
        states: what transforms have computed from the data of the fit, by call.
        functions: the caller's own functions.
        expression: the text the terms came from.
    """

    labels: tuple[str, ...]
    terms: tuple[str, ...]
    assign: tuple[int, ...]
    variables: tuple[str, ...]
    has_intercept: bool
    products: tuple[tuple[Product, ...], ...]
    schema: Mapping[str, Column]
    states: Mapping[str, Mapping[str, Any]]
    functions: Functions
    expression: Expression


def encode(part: LinearPart, frame: Frame, functions: Functions | None = None) -> tuple[Encoding, np.ndarray]:
    """Build the design matrix of some terms, and the encoding that describes how it was built.

    A categorical column has treatment contrasts (an ordered one polynomial contrasts, as in R) if its mean is spanned
    by an intercept or an earlier term, and else one column for each level. Truth values, also those of comparisons, are
    factors with the levels False and True; in arithmetic they are 0 and 1.

    Args:
        part: the terms.
        frame: the data.
        functions: functions of the caller that the terms may call.

    Returns:
        The encoding, and the matrix ``(rows, columns)`` in float64, the intercept first.

    Raises:
        FormulaError: a term names an unknown column or does what a formula may not.
        DataError: a term cannot be computed on these data or is not finite; names row and value.
    """
    functions = FrozenMapping(functions or {})
    states: dict[str, dict[str, Any]] = {}
    factors = evaluate_factors(part.terms, part.expression, frame, functions, states)
    if part.intercept and INTERCEPT in factors and INTERCEPT not in frame.columns:
        raise FormulaError(
            "The reserved variable `Intercept` stands beside the intercept; write `0 + Intercept + ...`."
        )
    spanning = {text for text, value in factors.items() if isinstance(value, FactorValue) or value.spans_intercept}
    constants = {INTERCEPT} if INTERCEPT in factors and INTERCEPT not in frame.columns else set()
    products = choose_codings(part.terms, spanning, constants, intercept=part.intercept)
    variables = tuple(dict.fromkeys(n for text in factors for n in names_in(text) if n in frame.columns))
    schema = {name: replace(frame.columns[name], values=np.zeros(0)) for name in variables}
    labels, assign, matrix = _assemble(products, factors, frame.n_rows, part.intercept)
    _refuse_repeated(labels)
    terms = tuple(":".join(_display(text) for text in term) for term in part.terms)
    encoding = Encoding(
        labels, terms, assign, variables, part.intercept, products, FrozenMapping(schema),
        FrozenMapping(copy.deepcopy(states)), functions, part.expression,
    )  # fmt: skip
    return encoding, matrix


def replay(encoding: Encoding, frame: Frame) -> np.ndarray:
    """Return the same columns for other data, with the levels, contrasts, means and knots of the fit.

    Args:
        encoding: what ``encode`` returned.
        frame: the other data.

    Returns:
        The matrix ``(rows, columns)``.

    Raises:
        DataError: a column is missing or of another kind, a level is unknown, or a value cannot be computed.
    """
    factors = _frozen_factors(encoding, frame)
    labels, _, matrix = _assemble(encoding.products, factors, frame.n_rows, encoding.has_intercept)
    if labels != encoding.labels:
        raise DataError(f"`{encoding.expression.text}` gives other columns on the new data: {labels[:10]}.")
    return matrix


def treatment_columns(encoding: Encoding, frame: Frame) -> np.ndarray:
    """Return the columns of the same terms with treatment contrasts, against the first level, for every factor.

    Args:
        encoding: what ``encode`` returned.
        frame: the data.

    Returns:
        The matrix ``(rows, columns)``; each column belongs to the same term as in the design matrix.
    """
    factors = {
        text: replace(value, contrast=Contrast()) if isinstance(value, FactorValue) else value
        for text, value in _frozen_factors(encoding, frame).items()
    }
    return _assemble(encoding.products, factors, frame.n_rows, encoding.has_intercept)[2]


def _frozen_factors(encoding: Encoding, frame: Frame) -> dict[str, FactorValue | Basis]:
    """Evaluate the factors of all terms with the levels, means and knots of the fit."""
    for name in encoding.variables:
        frame.column(name)
    frame = match_levels(frame, encoding.schema, encoding.variables)
    states = {call: copy.deepcopy(dict(state)) for call, state in encoding.states.items()}
    texts = dict.fromkeys(factor for term in encoding.products for product in term for factor, _ in product)
    return evaluate_factors([tuple(texts)], encoding.expression, frame, encoding.functions, states)


def evaluate(expression: Expression, frame: Frame, functions: Functions | None = None) -> np.ndarray:
    """Return the values of one expression, ``(rows,)`` in float64; a number stands for every row.

    Transforms that depend on the data of the fit (``scale``, ``poly``, ...) are refused, since no state is kept.

    Raises:
        FormulaError: the expression is not allowed, or is no single column of numbers.
        DataError: it cannot be computed or is not finite; names row and value.
    """
    return evaluate_syntax(read_syntax(expression, functions or {}), frame, functions or {})


def evaluate_syntax(syntax: Syntax, frame: Frame, functions: Functions) -> np.ndarray:
    """Return the values of an expression that was read; as ``evaluate``."""
    expression = syntax.expression
    value = _columns(interpret(syntax, frame, functions, None), expression, frame)
    if isinstance(value, FactorValue):
        levels = ", ".join(repr(level) for level in value.levels[:5])
        raise FormulaError(f"`{expression.text}` holds categories ({levels}), where numbers are needed.")
    if value.matrix.shape[1] != 1:
        raise FormulaError(f"`{expression.text}` gives {value.matrix.shape[1]} columns, where one is needed.")
    return np.ascontiguousarray(value.matrix[:, 0])


def evaluate_factors(
    terms: Sequence[tuple[str, ...]],
    source: Expression,
    frame: Frame,
    functions: Functions,
    states: dict[str, dict[str, Any]],
) -> dict[str, FactorValue | Basis]:
    factors: dict[str, FactorValue | Basis] = {}
    for text in dict.fromkeys(factor for term in terms for factor in term):
        if text == INTERCEPT and INTERCEPT not in frame.columns:
            factors[text] = Basis(np.ones((frame.n_rows, 1)), ())
            continue
        expression = Expression(text, source.source, source.start)
        value = interpret(read_syntax(expression, functions), frame, functions, states)
        is_truth = isinstance(value, np.ndarray) and value.dtype.kind == "b" and value.shape == (frame.n_rows,)
        factors[text] = truth_factor(value) if is_truth else _columns(value, expression, frame)
    return factors


def _columns(value: Any, expression: Expression, frame: Frame) -> FactorValue | Basis:
    """Return the value of an expression as columns of finite numbers; a factor is returned as it is."""
    if isinstance(value, FactorValue):
        return value
    if not isinstance(value, (Basis, np.ndarray, np.generic, int, float)):
        listed = (
            f" A test of membership is written I(f %in% {expression.text})." if isinstance(value, (list, tuple)) else ""
        )
        raise FormulaError(f"`{expression.text}` is not a column of numbers or categories.{listed}")
    basis = value if isinstance(value, Basis) else _basis(np.asarray(value, dtype=np.float64), frame.n_rows)
    if len(basis.matrix) != frame.n_rows:
        rows = f"{len(basis.matrix)} values for {frame.n_rows} rows"
        raise DataError(f"`{expression.text}` gives {rows}; it must give one a row.")
    _refuse_infinite(basis.matrix, expression, frame)
    return basis


def _basis(values: np.ndarray, n_rows: int) -> Basis:
    if values.ndim == 0:
        return Basis(np.full((n_rows, 1), float(values)), ())
    if values.ndim == 1:
        return Basis(values[:, None], ())
    return Basis(values, tuple(str(i + 1) for i in range(values.shape[1])))


def _refuse_infinite(matrix: np.ndarray, expression: Expression, frame: Frame) -> None:
    with np.errstate(invalid="ignore"):
        finite = np.abs(matrix) <= LARGEST
    if finite.all():
        return
    row, column = (int(position[0]) for position in np.nonzero(~finite))
    used = [frame.columns[name] for name in names_in(expression.text) if name in frame.columns]
    where = ", ".join(f"`{c.name}` = {c.values[row]:g}" for c in used if c.levels is None)
    message = f"`{expression.text}` is {matrix[row, column]:.6g} in row {frame.rows[row] + 1}"
    raise DataError(f"{message}{f', where {where}' if where else ''}; leave such rows out or change the expression.")


def _display(text: str) -> str:
    return bare_name(text) or text


def _assemble(
    products: Sequence[tuple[Product, ...]],
    factors: Mapping[str, FactorValue | Basis],
    n_rows: int,
    intercept: bool,
) -> tuple[tuple[str, ...], tuple[int, ...], np.ndarray]:
    planned = [(i, product) for i, term in enumerate(products) for product in term]
    widths = [math.prod(_width(factors[text], in_full) for text, in_full in product) for _, product in planned]
    if (sum(widths) + intercept) * n_rows > MAX_ELEMENTS:
        largest = planned[int(np.argmax(widths))][1]
        text = ":".join(_display(factor) for factor, _ in largest)
        message = f"`{text}` would take {max(widths):,} columns of {n_rows:,} rows, more than can be held"
        raise DataError(f"{message}; a factor with many levels is better a group term, `(1 | factor)`.")
    coded = [[_code(text, factors[text], in_full) for text, in_full in product] for _, product in planned]
    labels, assign = [INTERCEPT] * intercept, [-1] * intercept
    matrix = np.empty((n_rows, sum(widths) + intercept))
    matrix[:, :intercept] = 1.0
    position = int(intercept)
    for (i, _), factor_columns, width in zip(planned, coded, widths, strict=True):
        names, block = _multiply(factor_columns, n_rows)
        if len(factor_columns) > 1 and not (np.abs(block) <= LARGEST).all():
            raise DataError(f"A product of columns in `{names[0]}` is too large for double precision; rescale them.")
        matrix[:, position : position + width] = block
        labels += names
        assign += [i] * width
        position += width
    return tuple(labels), tuple(assign), matrix


Coded = tuple[np.ndarray, "np.ndarray | None", tuple[str, ...]]


def _width(value: FactorValue | Basis, in_full: bool) -> int:
    if isinstance(value, FactorValue):
        return len(value.levels) - (not in_full)
    return value.matrix.shape[1] - (value.spans_intercept and not in_full)


def _code(text: str, value: FactorValue | Basis, in_full: bool) -> Coded:
    """Return the coding of a factor.

    Returns:
        A table of columns; the row of the table for each row of data, or None if they correspond one to one; and labels
        of the columns.
    """
    shown = _display(text)
    if isinstance(value, FactorValue):
        coding, names = full_coding(value.levels) if in_full else reduced_coding(shown, value.contrast, value.levels)
        return coding, value.codes, tuple(f"{shown}[{name}]" for name in names)
    if not value.names:
        return value.matrix, None, (shown,)
    start = int(value.spans_intercept and not in_full)
    return value.matrix[:, start:], None, tuple(f"{shown}[{name}]" for name in value.names[start:])


def _multiply(factors: Sequence[Coded], n_rows: int) -> tuple[list[str], np.ndarray]:
    """Return all products of one column from each factor; the first factor's column changes fastest, as in R."""
    labels: list[str] = []
    block = np.ones((n_rows, 1))
    for i, (table, codes, names) in enumerate(factors):
        columns = table if codes is None else table[codes]
        with np.errstate(over="ignore"):
            block = (columns[:, :, None] * block[:, None, :]).reshape(n_rows, -1) if i else columns
        labels = [f"{label}:{name}" for name in names for label in labels] if i else list(names)
    return labels, block


def _refuse_repeated(labels: Sequence[str]) -> None:
    counts = Counter(labels)
    if len(counts) < len(labels):
        repeated = counts.most_common(1)[0][0]
        raise FormulaError(f"Two columns of the model would both be called `{repeated}`; rename a column or a level.")
