"""Data in: every container gives the same frame, and what cannot be used is refused by name."""

from __future__ import annotations

import datetime
import decimal
import json
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from bayesml.errors import DataError, FitWarning
from bayesml.frame import (
    Column,
    Frame,
    column_names,
    frame_from_arrays,
    frame_to_arrays,
    match_codes,
    match_levels,
    read_frame,
    recode,
)

DATA: dict[str, list[Any]] = {
    "y": [1.5, 2.0, None, 4.0, 5.0, 6.0],
    "n": [3, 1, 2, 10, 3, 1],
    "s": ["b", "a", "c", None, "b", "ü x"],
    "t": [True, False, True, True, False, True],
    "unused": [datetime.date(2020, 1, 1)] * 6,
}
NAMES = ("y", "n", "s", "t")

CONTAINERS: dict[str, Callable[[dict[str, list[Any]]], Any]] = {
    "dict of lists": dict,
    "dict of arrays": lambda data: {
        k: np.array(v) if k in "nt" else np.array(v, dtype=object) for k, v in data.items()
    },
    "dict of tuples": lambda data: {k: tuple(v) for k, v in data.items()},
    "dict of Series": lambda data: {k: pd.Series(v, index=range(6, 0, -1)) for k, v in data.items()},
    "dict of polars Series": lambda data: {k: pl.Series(v) for k, v in data.items()},
    "dict of arrow arrays": lambda data: {k: pa.array(v) for k, v in data.items()},
    "pandas": lambda data: pd.DataFrame(data, index=list("uvwxyz")),
    "pandas nullable": lambda data: pd.DataFrame(data).convert_dtypes(),
    "pandas arrow": lambda data: pd.DataFrame(data).convert_dtypes(dtype_backend="pyarrow"),
    "pandas object": lambda data: pd.DataFrame(data, dtype=object),
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
    "pyarrow in chunks": lambda data: pa.concat_tables([pa.table(data).slice(0, 2), pa.table(data).slice(2)]),
}


def quiet(data: Any, names: tuple[str, ...] | list[str]) -> Frame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return read_frame(data, names)


def same(one: Frame, other: Frame) -> bool:
    return (
        one.names == other.names
        and (one.n_rows, one.dropped) == (other.n_rows, other.dropped)
        and np.array_equal(one.rows, other.rows)
        and all(same_column(one.columns[name], other.columns[name]) for name in one.names)
    )


def same_column(one: Column, other: Column) -> bool:
    return (
        (one.name, one.levels, one.ordered, one.is_boolean, one.is_integer)
        == (other.name, other.levels, other.ordered, other.is_boolean, other.is_integer)
        and one.values.dtype == other.values.dtype
        and np.array_equal(one.values, other.values)
    )


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container_gives_the_same_frame(container: str) -> None:
    with pytest.warns(FitWarning, match=r"2 of 6 rows have a missing value; by column: `y` \(1\), `s` \(1\)") as caught:
        frame = read_frame(CONTAINERS[container](DATA), NAMES)
    assert len(caught) == 1
    assert frame.names == NAMES
    assert frame.rows.tolist() == [0, 1, 4, 5]
    assert (frame.n_rows, frame.dropped) == (4, 2)
    y, n, s, t = (frame.column(name) for name in NAMES)
    assert y.values.dtype == n.values.dtype == t.values.dtype == np.float64
    assert s.values.dtype == np.int64
    assert (y.values.tolist(), y.is_integer, y.levels) == ([1.5, 2.0, 5.0, 6.0], False, None)
    assert (n.values.tolist(), n.is_integer, n.is_boolean) == ([3.0, 1.0, 3.0, 1.0], True, False)
    assert (s.values.tolist(), s.levels, s.ordered) == ([1, 0, 1, 2], ("a", "b", "ü x"), False)
    assert (t.values.tolist(), t.is_boolean, t.is_integer) == ([1.0, 0.0, 0.0, 1.0], True, False)


@pytest.mark.parametrize("container", CONTAINERS)
def test_column_names(container: str) -> None:
    assert column_names(CONTAINERS[container](DATA)) == tuple(DATA)


CATEGORIES: dict[str, tuple[Any, tuple[str, ...], bool]] = {
    "pandas": (pd.Series(pd.Categorical(["z", "a", "z"], ["z", "q", "a"])), ("z", "a"), False),
    "pandas Categorical": (pd.Categorical(["z", "a", "z"], ["z", "q", "a"]), ("z", "a"), False),
    "pandas ordered": (pd.Series(pd.Categorical(["z", "a", "z"], ["z", "q", "a"], ordered=True)), ("z", "a"), True),
    "polars Enum": (pl.Series(["z", "a", "z"], dtype=pl.Enum(["z", "q", "a"])), ("z", "a"), False),
    # Most dictionaries of Arrow are in order of first appearance, which says nothing.
    "arrow dictionary": (pa.DictionaryArray.from_arrays([0, 2, 0], ["z", "q", "a"]), ("a", "z"), False),
    "arrow chunks": (
        pa.chunked_array(
            [pa.DictionaryArray.from_arrays([0], ["z"]), pa.DictionaryArray.from_arrays([0, 1], ["a", "z"])]
        ),
        ("a", "z"),
        False,
    ),
    "arrow ordered": (
        pa.DictionaryArray.from_arrays([0, 2, 0], ["z", "q", "a"], ordered=True),
        ("z", "a"),
        True,
    ),
    # The order in which polars numbers a Categorical depends on what the process has seen before.
    "polars Categorical": (pl.Series(["z", "a", "z"], dtype=pl.Categorical), ("a", "z"), False),
    "text": (["z", "a", "z"], ("a", "z"), False),
}


@pytest.mark.parametrize("kind", CATEGORIES)
def test_categories_keep_their_order_and_lose_unused_levels(kind: str) -> None:
    values, levels, ordered = CATEGORIES[kind]
    column = quiet({"c": values}, ["c"]).column("c")
    assert (column.levels, column.ordered) == (levels, ordered)
    assert [levels[code] for code in column.values] == ["z", "a", "z"]


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (pd.Categorical([308, 309]), ("308", "309")),
        (pd.Categorical([0.5, 1.0]), ("0.5", "1")),
        (pd.cut(pd.Series([1.0, 5.0]), [0, 2, 6]), ("(0, 2]", "(2, 6]")),
    ],
)
def test_categories_of_other_things_are_labelled(values: Any, labels: tuple[str, ...]) -> None:
    assert quiet({"c": values}, ["c"]).column("c").levels == labels


def test_missing_categories_are_missing_rows() -> None:
    for values in (
        pd.Categorical(["b", None, "a"], ["b", "a"]),
        pl.Series(["b", None, "a"], dtype=pl.Enum(["b", "a"])),
        pa.array(["b", None, "a"]).dictionary_encode(),
    ):
        frame = quiet({"c": values}, ["c"])
        assert frame.rows.tolist() == [0, 2]
        assert set(frame.column("c").levels or ()) == {"b", "a"}


def test_levels_that_only_dropped_rows_had_are_gone() -> None:
    frame = quiet({"y": [1.0, None, 2.0], "g": ["a", "b", "c"]}, ["y", "g"])
    assert frame.column("g").levels == ("a", "c")
    assert frame.column("g").values.tolist() == [0, 1]


def test_other_number_types() -> None:
    data = {
        "decimal": [decimal.Decimal("1.5"), decimal.Decimal("2")],
        "half": np.array([1.5, 2.0], dtype=np.float16),
        "small": np.array([1, 2], dtype=np.uint8),
        "range": range(2),
        "masked": np.ma.masked_array([1, 2], mask=[False, False]),
    }
    frame = read_frame(data, list(data))
    assert {name: frame.column(name).values.tolist() for name in data} == {
        "decimal": [1.5, 2.0],
        "half": [1.5, 2.0],
        "small": [1.0, 2.0],
        "range": [0.0, 1.0],
        "masked": [1.0, 2.0],
    }
    assert quiet({"m": np.ma.masked_array([1, 2], mask=[False, True])}, ["m"]).rows.tolist() == [0]


def test_missing_can_be_refused() -> None:
    with pytest.raises(DataError, match=r"1 of 3 rows .*`x` \(1\)"):
        read_frame({"x": [1.0, float("nan"), 2.0]}, ["x"], missing="error")
    assert read_frame({"x": [1.0, 2.0]}, ["x"], missing="error").dropped == 0
    with pytest.raises(DataError, match="'drop' or 'error'"):
        read_frame({"x": [1.0]}, ["x"], missing="ignore")  # type: ignore[arg-type]


def test_infinite_values_are_named_by_their_row_in_the_data() -> None:
    with pytest.raises(DataError, match="`x` is infinite in row 3"):
        quiet({"x": [None, 1.0, float("inf")]}, ["x"])
    # in a row that goes anyway it does no harm
    assert quiet({"x": [1.0, float("-inf")], "z": [1.0, None]}, ["x", "z"]).n_rows == 1


class Strange:
    """Something no array library knows."""


HOSTILE: dict[str, tuple[Any, str]] = {
    "unknown column": ({"xx": [1]}, r"`x` is not a column of the data \(did you mean `xx`\?\)"),
    "text and numbers": ({"x": [1, "a"]}, "`x` mixes numbers and text"),
    "truth and numbers": ({"x": [True, 2]}, "`x` mixes numbers and truth values"),
    "complex": ({"x": [1j]}, "`x`.*complex"),
    "complex array": ({"x": np.array([1j])}, "`x`.*complex"),
    "complex pandas": (pd.DataFrame({"x": [1j]}), "`x`.*complex"),
    "date": ({"x": [datetime.date(2020, 1, 1)]}, "`x`.*date.*days since"),
    "datetime pandas": (pd.DataFrame({"x": pd.to_datetime(["2020-01-01"])}), "`x`.*days since"),
    "datetime polars": (pl.DataFrame({"x": [datetime.datetime(2020, 1, 1)]}), "`x`.*days since"),
    "duration": (pl.DataFrame({"x": [datetime.timedelta(1)]}), "`x`.*days since"),
    "datetime array": ({"x": np.array(["2020-01-01"], dtype="M8[D]")}, "`x`.*days since"),
    "lists": ({"x": [[1], [2]]}, "`x`.*list.*column of its own"),
    "lists polars": (pl.DataFrame({"x": [[1]]}), "`x`.*column of its own"),
    "struct": (pl.DataFrame({"x": [{"a": 1}]}), "`x`.*column of its own"),
    "matrix": ({"x": np.zeros((2, 2))}, "`x` is an array of 2 dimensions"),
    "scalar": ({"x": 3}, "`x` is a single value"),
    "string": ({"x": "abc"}, "`x` is a str"),
    "set": ({"x": {1, 2}}, "`x` is a set"),
    "bytes": ({"x": [b"a"]}, "`x`.*bytes"),
    "objects": ({"x": [Strange()]}, "`x`.*Strange"),
    "too large": ({"x": [10**400]}, "`x`.*too large"),
    "beyond 2^53": ({"x": np.array([2**53 + 1])}, "`x`.*2\\^53.*make them text"),
    "unequal lengths": ({"x": [1], "y": [1, 2]}, "`x` has 1, `y` has 2"),
    "no rows": ({"x": []}, "no rows"),
    "no rows pandas": (pd.DataFrame({"x": []}), "no rows"),
    "all missing": ({"x": [None, None]}, "No row of the data is complete: 2 of 2.*`x`"),
    "all null": (pa.table({"x": pa.nulls(2)}), "No row"),
    "none": (None, "pandas or polars"),
    "number": (3, "pandas or polars"),
    "list": ([1, 2], "pandas or polars"),
    "array": (np.zeros((2, 2)), "pandas or polars"),
    "series": (pd.Series([1], name="x"), "pandas or polars"),
    "lazy": (pl.LazyFrame({"x": [1]}), "collect"),
    "same name twice": (pd.DataFrame([[1, 2]], columns=["x", "x"]), "same name.*x"),
    "same name twice arrow": (pa.table([[1], [2]], names=["x", "x"]), "same name.*x"),
    "categories that read the same": ({"x": pd.Categorical([1, "1"])}, "`x` has two categories that read the same"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_cannot_be_used_is_refused_by_name(case: str) -> None:
    data, message = HOSTILE[case]
    names = ["x", "y"] if isinstance(data, dict) and "y" in data else ["x"]
    with pytest.raises(DataError, match=message) as caught:
        read_frame(data, names)
    assert "\n" not in str(caught.value)


def test_columns_that_are_not_used_do_no_harm() -> None:
    data = {"x": [1.0, 2.0], "bad": [object()], 3: [1], "nan": [None, None, None]}
    assert read_frame(data, ["x"]).n_rows == 2
    assert column_names(data) == ("x", "bad", "nan")
    assert read_frame(pd.DataFrame({"x": [1.0], 0: [2.0]}), ["x"]).n_rows == 1
    assert read_frame({"x": [1.0, 2.0]}, []).n_rows == 2


def test_any_column_is_a_grouping_factor() -> None:
    data = {"i": [310, 308, 310, 9], "f": [1.0, 0.5, 1.0, -0.0], "t": [True, False, True, True], "s": list("baba")}
    frame = read_frame(data, list(data))
    assert frame.factor("i")[1] == ("9", "308", "310")
    assert frame.factor("i")[0].tolist() == [2, 1, 2, 0]
    assert frame.factor("f")[1] == ("0", "0.5", "1")
    assert frame.factor("t")[1] == ("False", "True")
    assert frame.factor("s")[1] == ("a", "b")
    with pytest.raises(DataError, match="`j`"):
        frame.factor("j")


def test_numbers_that_are_close_stay_apart() -> None:
    frame = read_frame({"x": [0.1 + 0.2, 0.3]}, ["x"])
    assert frame.factor("x")[1] == ("0.3", "0.30000000000000004")


def test_interactions_are_the_combinations_that_occur() -> None:
    frame = read_frame({"a": ["q", "p", "p", "q"], "b": [10, 9, 10, 10], "c": list("xxyx")}, ["a", "b", "c"])
    codes, levels = frame.interaction(["a", "b"])
    assert levels.labels == ("p_9", "p_10", "q_10")
    assert codes.tolist() == [2, 0, 1, 2]
    assert frame.interaction(["b", "a"])[1].labels == ("9_p", "10_p", "10_q")
    assert frame.interaction(["a", "b", "c"])[1].labels == ("p_9_x", "p_10_y", "q_10_x")
    assert frame.interaction(["a"])[1].labels == ("p", "q")


def test_pasted_labels_stay_unique() -> None:
    frame = read_frame({"a": ["x_y", "x", "q"], "b": ["z", "y_z", "r"]}, ["a", "b"])
    codes, levels = frame.interaction(["a", "b"])
    assert set(levels.labels) == {"x_y:z", "x:y_z", "q_r"}
    for row in range(3):
        part = frame.select(np.array([row]))
        assert match_codes(part, ["a", "b"], levels).tolist() == [codes[row]]


def test_match_codes_marks_what_was_never_seen() -> None:
    _, levels = read_frame({"a": ["p", "q"], "b": [1, 2]}, ["a", "b"]).interaction(["a", "b"])
    new = read_frame({"a": ["q", "p", "r"], "b": [2, 2, 1]}, ["a", "b"])
    assert match_codes(new, ["a", "b"], levels).tolist() == [1, -1, -1]
    assert recode(np.array([1, 0, 1]), ("a", "z"), ("b", "a")).tolist() == [-1, 1, -1]


def test_match_levels_recodes_to_the_levels_of_the_fit() -> None:
    old = read_frame({"g": ["c", "a", "b"], "x": [1.0, 2.0, 3.0], "t": [True, False, True]}, ["g", "x", "t"])
    new = match_levels(read_frame({"g": ["b", "c"], "x": [1, 2], "t": [1, 0]}, ["g", "x", "t"]), old.columns)
    assert new.column("g").values.tolist() == [1, 2]
    assert new.column("g").levels == ("a", "b", "c")
    assert new.column("t").is_boolean
    with pytest.raises(DataError, match="level 'z', unknown to the model; it knows 'a', 'b', 'c'"):
        match_levels(read_frame({"g": ["z", "a"]}, ["g"]), old.columns)
    with pytest.raises(DataError, match="`g` held categories .* holds numbers"):
        match_levels(read_frame({"g": [1]}, ["g"]), old.columns)
    with pytest.raises(DataError, match="`x` held numbers .* holds categories"):
        match_levels(read_frame({"x": ["1"]}, ["x"]), old.columns)
    other = read_frame({"g": ["z"], "x": [1.0]}, ["g", "x"])
    assert match_levels(other, old.columns, ["x"]).column("g").levels == ("z",)


def test_select_keeps_levels_and_positions() -> None:
    frame = quiet({"x": [None, 1.0, 2.0, 3.0], "g": ["a", "b", "c", "b"]}, ["x", "g"])
    part = frame.select(np.array([2, 0]))
    assert part.rows.tolist() == [3, 1]
    assert part.column("x").values.tolist() == [3.0, 1.0]
    assert part.column("g").levels == frame.column("g").levels == ("b", "c")
    assert frame.select(frame.column("x").values > 1.5).n_rows == 2


def test_frame_survives_arrays_and_json() -> None:
    data = {**{name: DATA[name] for name in NAMES}, "o": pd.Categorical(list("zazaza"), ["z", "a"], ordered=True)}
    frame = quiet(data, [*NAMES, "o"])
    arrays, metadata = frame_to_arrays(frame)
    assert all(array.dtype.kind in "if" for array in arrays.values())
    assert same(frame_from_arrays(arrays, json.loads(json.dumps(metadata))), frame)


def test_to_pandas() -> None:
    frame = quiet(DATA, NAMES)
    table = frame.to_pandas()
    assert list(table.columns) == list(NAMES)
    assert table["t"].dtype == bool
    assert table["s"].tolist() == ["b", "a", "b", "ü x"]
    assert table["s"].cat.categories.tolist() == ["a", "b", "ü x"]
    assert table["y"].tolist() == [1.5, 2.0, 5.0, 6.0]


def test_frame_cannot_be_changed() -> None:
    frame = quiet(DATA, NAMES)
    with pytest.raises(ValueError, match="read-only"):
        frame.column("y").values[0] = 3.0
    with pytest.raises(TypeError):
        frame.columns["y"] = frame.columns["n"]  # type: ignore[index]


def test_the_data_given_stay_as_they_are() -> None:
    values = np.array([1.0, 2.0])
    frame = read_frame({"x": values}, ["x"])
    values[0] = 5.0
    assert frame.column("x").values.tolist() == [1.0, 2.0]


def test_many_rows_and_levels(rng: np.random.Generator) -> None:
    ids = rng.permutation(np.repeat(np.arange(100_000), 3))
    frame = read_frame({"g": [f"id {i}" for i in ids], "i": ids}, ["g", "i"])
    codes, levels = frame.interaction(["g", "i"])
    assert len(levels) == 100_000
    assert np.array_equal(np.bincount(codes), np.full(100_000, 3))
