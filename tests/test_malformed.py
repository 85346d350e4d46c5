"""Two thousand malformed formulas and data frames: nothing but a ``BayesmlError`` comes out, and no warning leaks."""

from __future__ import annotations

import datetime
import decimal
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bayesml.columns import encode, evaluate, formula_variables, replay
from bayesml.errors import BayesmlError, FitWarning
from bayesml.formula import ParsedFormula, bf, parse
from bayesml.frame import Frame, column_names, read_frame

GOOD: dict[str, Any] = {
    "y": [1.0, 2.5, 3.0, 0.5, 2.0, 1.5, 4.0, 2.25],
    "x": [0.1, -0.4, 1.2, 0.8, -1.0, 0.3, 2.0, -0.2],
    "n": [3, 5, 4, 2, 6, 3, 4, 5],
    "g": ["a", "b", "a", "c", "b", "c", "a", "b"],
    "h": [1, 1, 2, 2, 3, 3, 1, 2],
    "t": [True, False, True, True, False, False, True, False],
    "my col": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 9.0],
}
VALID = (
    "y ~ x + (x | g)",
    "log(y) ~ 0 + g*x + (1 | g/h) + offset(log(n))",
    "cbind(n, n + 1) ~ poly(x, 2) + (0 + x || g:h)",
    "y | trials(n) + weights(x) ~ (x + g + h)^2 - 1",
    "y | se(n, sigma=TRUE) ~ scale(`my col`) + C(h, contr.sum) + bs(x, df=4)",
    "y ~ . + I(x^2) + where(x > 0, x, 0) + (t | h)",
    "y ~ C(g, contr.treatment('b'), levels=['c', 'b', 'a']) / t + I((x > 0) & ~t)",
)
ALPHABET = (
    *("y", "x", "n", "g", "h", "t", "`my col`", "`", "z", "s", "Intercept", "TRUE", "None", "ü", ".", "..", "x.y"),
    *(
        "~",
        "~",
        "|",
        "||",
        "+",
        "-",
        "*",
        "/",
        ":",
        "^",
        "**",
        "%in%",
        "%",
        "(",
        ")",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
    ),
    *("=", "==", "<", ">=", "&", "!", "@", "$", ";", "\\", "#", "\0", "\n", "\t", '"', "'", "'a'", '"b', "\u202e", "∑"),
    *("0", "1", "2", "1.5", "1e999", "99999999999999999999", "1j", "0x1", "-1", "1_0"),
    *(
        "log",
        "log(",
        "I(",
        "poly(",
        "bs(",
        "scale(",
        "C(",
        "cr(",
        "offset(",
        "s(",
        "mo(",
        "gr(",
        "np.log(",
        "contr.sum",
    ),
    *(
        "trials(",
        "weights(",
        "se(",
        "cbind(",
        "cens(",
        "lambda",
        "if",
        "for",
        "and",
        "__class__",
        "x.__class__",
        "eval(",
    ),
)
formulas = st.sampled_from(VALID)
edits = st.tuples(st.integers(0, 80), st.sampled_from("dris"), st.sampled_from(ALPHABET))
common = settings(deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


def run(formula: Any, data: Any, new_data: Any = None) -> None:
    """Go through every stage that text and data pass; only refusals of our own may come out."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", FitWarning)
        try:
            parsed = parse(formula, column_names(data))
            frame = read_frame(data, formula_variables(parsed, column_names(data)))
            use(parsed, frame, new_data)
        except BayesmlError as error:
            assert 0 < len(str(error)) < 3000


def use(parsed: ParsedFormula, frame: Frame, new_data: Any) -> None:
    expressions = [parsed.response.expression]
    expressions += [argument for addition in parsed.response.additions for argument in addition.arguments]
    for predictor in parsed.predictors:
        expressions += predictor.offsets
        for part in [predictor.population, *(group.columns for group in predictor.groups)]:
            encoding, matrix = encode(part, frame)
            assert matrix.shape == (frame.n_rows, len(encoding.labels))
            assert np.isfinite(matrix).all()
            np.testing.assert_allclose(replay(encoding, frame), matrix, rtol=0, atol=1e-12)
            if new_data is not None:
                refusable(lambda encoding=encoding: replay(encoding, read_frame(new_data, encoding.variables)))
        for group in predictor.groups:
            codes, levels = frame.interaction(group.factors)
            assert len(set(levels.labels)) == len(levels) == codes.max() + 1
    for expression in expressions:
        refusable(lambda expression=expression: evaluate(expression, frame))


def refusable(action: Any) -> None:
    try:
        assert np.isfinite(action()).all()
    except BayesmlError as error:
        assert str(error)


@settings(parent=common, max_examples=600)
@given(st.lists(st.sampled_from(ALPHABET), max_size=25), st.sampled_from(["", " "]), st.booleans())
def test_token_soup(tokens: list[str], joint: str, with_response: bool) -> None:
    run(("y ~ " if with_response else "") + joint.join(tokens), GOOD)


@settings(parent=common, max_examples=600)
@given(
    formulas, st.lists(st.tuples(st.integers(0, 80), st.sampled_from("dris"), st.sampled_from(ALPHABET)), max_size=4)
)
def test_mutated_formulas(formula: str, changes: list[tuple[int, str, str]]) -> None:
    for place, kind, piece in changes:
        place %= len(formula) + 1
        tail = {"d": formula[place + 1 :], "r": piece + formula[place + 1 :], "i": piece + formula[place:]}
        formula = formula[:place] + tail.get(kind, formula[place:][::-1])
    run(formula, GOOD)


@settings(parent=common, max_examples=200)
@given(st.one_of(st.text(max_size=40), st.none(), st.integers(), st.binary(max_size=5), st.lists(st.text(max_size=3))))
def test_anything_as_a_formula(formula: Any) -> None:
    run(formula, GOOD)
    if isinstance(formula, str):
        run(f"y ~ {formula}", GOOD)
        refusable_bf(formula)


def refusable_bf(text: str) -> None:
    try:
        parsed = parse(bf("y ~ x", sigma=text))
    except BayesmlError:
        return
    assert len(parsed.predictors) == 2


cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from(["a", "b", "", " "]),
    st.decimals(),
    st.complex_numbers(),
    st.dates(),
    st.timedeltas(),
    st.binary(max_size=2),
    st.lists(st.integers(), max_size=2),
    st.sampled_from([pd.NA, pd.NaT, np.float32(1.5), np.int8(3), np.bool_(True), decimal.Decimal("sNaN"), object()]),
)
kinds = st.sampled_from(
    [
        st.integers(-2, 4),
        st.floats(allow_nan=True, allow_infinity=True),
        st.floats(-2, 2),
        st.booleans(),
        st.sampled_from(["a", "b", "c"]),
        st.one_of(st.none(), st.floats(0, 5)),
        st.one_of(st.none(), st.sampled_from(["a", "b"])),
        st.text(max_size=4),
        st.dates(),
        cells,
    ]
)
sizes = st.integers(0, 8)


def as_array(values: list[Any]) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def as_categorical(values: list[Any]) -> Any:
    return pd.Categorical([str(value) for value in values], ordered=len(values) % 2 == 0)


shapes = st.sampled_from([list, tuple, as_array, pd.Series, as_categorical, lambda values: np.zeros((len(values), 2))])


@st.composite
def columns(draw: st.DrawFn, size: int) -> Any:
    values = draw(st.lists(draw(kinds), min_size=size, max_size=size))
    return draw(shapes)(values)


@st.composite
def tables(draw: st.DrawFn) -> Any:
    size = draw(sizes)
    data = {}
    for name in GOOD:
        odd = draw(st.sampled_from(["good", "good", "good", "odd", "odd", "absent", "longer"]))
        if odd == "odd":
            data[name] = draw(columns(size))
        elif odd != "absent":
            data[name] = GOOD[name][: size + (odd == "longer" and draw(st.integers(0, 30)) == 0)]
    return contained(data, draw(st.sampled_from([dict, pd.DataFrame, pl.DataFrame, pa.table])))


def contained(data: dict[str, Any], container: Any) -> Any:
    # What a library refuses to hold never reaches us; polars panics with a BaseException.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return container(data)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return data


@settings(parent=common, max_examples=400)
@given(formulas, tables())
def test_odd_data(formula: str, data: Any) -> None:
    run(formula, data)


@settings(parent=common, max_examples=200)
@given(formulas, tables())
def test_odd_new_data(formula: str, new_data: Any) -> None:
    run(formula, GOOD, new_data)


def test_odd_things_as_data() -> None:
    for data in (
        None,
        3,
        "y",
        b"y",
        [],
        {},
        {"y": None},
        {1: [2]},
        np.zeros(3),
        GOOD.items(),
        object(),
        datetime.date.today(),
    ):
        for formula in VALID:
            run(formula, data)
