"""Levels of grouping factors are tuples of values: what they are, and that text never takes their place."""

from __future__ import annotations

import datetime
import json
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import bayesml
from bayesml.errors import DataError
from bayesml.frame import frame_from_arrays, frame_to_arrays, match_codes, match_levels, read_frame
from bayesml.frame.values import recode, value_texts

TEXTS = [
    "a",
    "b",
    "a_b",
    "a:b",
    "b_a",
    "_",
    ":",
    "(missing)",
    "NA",
    "None",
    "1",
    "1.0",
    "a b",
    " ",
    "ü_ß",
    "[a,b]",
    "a/b",
]
NUMBERS = [1.0, 0.1 + 0.2, 0.3, -0.5, 1e300, 1234567890123456.0, 1234567890123457.0, 308.0]
IDENTIFIERS = [2**63 - 1, 2**63 - 2, 2**53 + 1, 2**53, -(2**62) - 1, -(2**62), 7]
MOMENTS = [datetime.datetime(2024, 5, 1), datetime.datetime(2024, 5, 1, 12, 30), datetime.datetime(1999, 12, 31)]
KINDS: dict[str, list[Any]] = {
    "text": TEXTS,
    "numbers": NUMBERS,
    "identifiers": IDENTIFIERS,
    "truth values": [True, False],
    "moments": MOMENTS,
}


def random_columns(rng: np.random.Generator, kinds: list[str], rows: int) -> dict[str, list[Any]]:
    return {f"c{i}": [KINDS[k][j] for j in rng.integers(len(KINDS[k]), size=rows)] for i, k in enumerate(kinds)}


def frame_of(columns: dict[str, Any]) -> Any:
    return read_frame(columns, list(columns), grouping=list(columns))


@pytest.mark.parametrize("seed", range(60))
def test_levels_are_the_distinct_tuples(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kinds = rng.choice(list(KINDS), size=rng.integers(1, 4)).tolist()
    known, new = random_columns(rng, kinds, 40), random_columns(rng, kinds, 40)
    tuples, others = list(zip(*known.values(), strict=True)), list(zip(*new.values(), strict=True))
    codes, levels = frame_of(known).interaction(list(known))
    assert len(levels) == len(set(levels.labels)) == len(set(tuples)) == codes.max() + 1
    assert len(set(zip(codes.tolist(), tuples, strict=True))) == len(levels)
    place = {row: code for row, code in zip(tuples, codes.tolist(), strict=True)}
    found = match_codes(frame_of(new), list(new), levels)
    assert found.tolist() == [place.get(row, -1) for row in others]


def test_order_of_levels_is_that_of_the_first_factor_then_the_second() -> None:
    _, levels = frame_of({"a": [10, 9, 9, 10], "b": list("xyxy")}).interaction(["a", "b"])
    assert levels.labels == ("9_x", "9_y", "10_x", "10_y")


def test_levels_that_would_print_the_same_print_differently() -> None:
    rows = [("a_b", "c"), ("a", "b_c"), ("x_y:z", "w"), ("x", "y:z_w"), ("x:y", "z"), ("x", "y:z"), ("p", "q")]
    _, levels = frame_of({"f": [f for f, _ in rows], "g": [g for _, g in rows]}).interaction(["f", "g"])
    assert set(levels.labels) == {"a_b:c", "a:b_c", "x_y:z:w", "x:y:z_w", "x:y_z", "x_y:z", "p_q"}
    rows = [("a_b", "c_d"), ("a", "b_c_d"), ("a_b_c", "d"), ("a:b_c:d", "e"), ("a", "b:c_d"), ("a:b_c", "d")]
    rows += [("a", "b_c:d"), ("a:b", "c_d"), ("a:b_c", "d_")]
    _, levels = frame_of({"f": [f for f, _ in rows], "g": [g for _, g in rows]}).interaction(["f", "g"])
    assert len(set(levels.labels)) == len(rows)


def test_labels_of_numbers_are_their_own() -> None:
    assert value_texts((0.1 + 0.2, 0.3, 308.0, -0.0, 1e16)) == ("0.30000000000000004", "0.3", "308", "0", "1e+16")
    assert value_texts((1234567890123457.0, 2**63 - 1)) == ("1234567890123457", "9223372036854775807")
    assert value_texts((True, None, "x")) == ("True", "(missing)", "x")


SAME = {
    "int and float": ([1, 2, 3], [2.0]),
    "int and text": ([1, 2, 3], ["2"]),
    "text and int": (["1", "2", "3"], [2]),
    "text and float": (["1", "2", "3"], [2.0]),
    "numpy and Python": (np.array([1, 2, 3], dtype=np.int16), [2]),
    "big Python": (np.array([1, 2**63 - 2, 2**63 - 1]), [2**63 - 2]),
    "big pandas": ([1, 2**63 - 2, 2**63 - 1], pd.Series([2**63 - 2])),
    "big nullable": ([1, 2**63 - 2, 2**63 - 1], pd.Series([2**63 - 2], dtype="Int64")),
    "big polars": ([1, 2**63 - 2, 2**63 - 1], pl.Series([2**63 - 2])),
    "big arrow": ([1, 2**63 - 2, 2**63 - 1], pa.array([2**63 - 2])),
    "big text": ([1, 2**63 - 2, 2**63 - 1], [str(2**63 - 2)]),
    "big decimal": ([1, 2**63 - 2, 2**63 - 1], [Decimal(2**63 - 2)]),
    "unsigned": (np.array([1, 2**64 - 2, 2**64 - 1], dtype=np.uint64), pd.Series([2**64 - 2], dtype="UInt64")),
    "more than 64 bits": ([1, 10**30, 10**30 + 1], [10**30]),
    "categorical of ints": (pd.Categorical([1, 2, 3]), [2]),
    "categorical of ints and text": (pd.Categorical([1, 2, 3]), ["2"]),
    "categorical of big ints": (pd.Categorical([1, 2**60, 2**60 + 1]), [2**60]),
    "ints and categorical": ([1, 2, 3], pd.Categorical([2])),
    "categorical of text": (pd.Categorical(list("abc")), ["b"]),
    "arrow dictionary": (pa.array([1, 2, 3]).dictionary_encode(), [2]),
    "truth values": ([False, True, False], [True]),
    "truth values and numbers": ([False, True, False], [1]),
    "truth values and text": ([False, True, False], ["True"]),
    "truth values nullable": ([False, True, False], pd.Series([True], dtype="boolean")),
    "dates": (pd.date_range("2024-05-01", periods=3), [datetime.date(2024, 5, 2)]),
    "dates polars": (pd.date_range("2024-05-01", periods=3), pl.Series([datetime.date(2024, 5, 2)])),
    "dates arrow": (pd.date_range("2024-05-01", periods=3), pa.array([datetime.date(2024, 5, 2)])),
    "dates numpy": (pd.date_range("2024-05-01", periods=3), np.array(["2024-05-02"], dtype="M8[D]")),
    "dates and text": (pd.date_range("2024-05-01", periods=3), ["2024-05-02"]),
    "nanoseconds": (pd.to_datetime([1, 2, 3]), [pd.Timestamp(2)]),
    "zones": (pd.date_range("2024-05-01", periods=3, tz="UTC"), [pd.Timestamp("2024-05-02 02:00", tz="Europe/Berlin")]),
    "pandas string": (list("abc"), pd.Series(["b"], dtype="string")),
}


@pytest.mark.parametrize("case", SAME)
def test_one_value_in_two_types_is_one_level(case: str) -> None:
    known, new = SAME[case]
    _, levels = frame_of({"g": known}).interaction(["g"])
    assert match_codes(frame_of({"g": new}), ["g"], levels).tolist() == [1]


OTHER = {
    "next id": ([1234567890123456, 1234567890123458], [1234567890123457]),
    "next big id": ([2**63 - 1, 2**63 - 3], [2**63 - 2]),
    "nearly": ([0.1, 0.3], [0.1 + 0.2]),
    "leading zero": (["01", "02"], [1]),
    "written otherwise": ([1, 2], ["1.0"]),
    "zone": (pd.date_range("2024-05-01", periods=2, tz="UTC"), [datetime.datetime(2024, 5, 1)]),
    "moment of the day": (pd.date_range("2024-05-01", periods=2), [datetime.datetime(2024, 5, 1, 1)]),
}


@pytest.mark.parametrize("case", OTHER)
def test_other_values_are_never_seen(case: str) -> None:
    known, new = OTHER[case]
    _, levels = frame_of({"g": known}).interaction(["g"])
    assert match_codes(frame_of({"g": new}), ["g"], levels).tolist() == [-1]


def test_recode_knows_no_missing_value() -> None:
    assert recode(np.array([0, 1, 1]), ("a", None), ("(missing)", "a")).tolist() == [1, -1, -1]
    assert recode(np.array([0, 1]), (1, None), ("(missing)", "1")).tolist() == [1, -1]


def test_dates_and_identifiers_are_for_groups_only() -> None:
    data = {"d": [datetime.date(2024, 5, 1)], "i": [2**53 + 1]}
    for name in data:
        assert read_frame(data, [name], grouping=[name]).n_rows == 1
        with pytest.raises(DataError, match=f"`{name}` holds"):
            read_frame(data, [name])
    many = {"y": [1.0, 2.0, 4.0, 3.5], "g": pd.date_range("2024-05-01", periods=2).repeat(2)}
    with pytest.raises(DataError, match="`g` holds values of type datetime64"):
        bayesml.fit("y ~ g + (1 | g)", many, method="reml")


def test_identifiers_that_became_floats_are_refused() -> None:
    for values in ([2.0**60, 1.0], pd.Series([2**60, None]), np.array([2.0**53])):
        with pytest.raises(DataError, match=r"`g` holds whole numbers beyond 2\^53 as floating-point.*Int64"):
            frame_of({"g": values})
    for fine in ([2.0**53 - 1, 1.0], [1e300, 1.0], [2.0**60, 0.5], pd.Series([2**60, None], dtype="Int64")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert len(frame_of({"g": fine}).interaction(["g"])[1]) >= 1


def test_categories_that_are_numbers_match_numbers() -> None:
    frame = read_frame({"f": pd.Categorical([1, 2, 2**60])}, ["f"])
    new = match_levels(read_frame({"f": [2, 1]}, ["f"]), frame.columns)
    assert new.column("f").values.tolist() == [1, 0]
    with pytest.raises(DataError, match=r"level '3', unknown to the model; it knows '1', '2', '1152921504606846976'"):
        match_levels(read_frame({"f": [3]}, ["f"]), frame.columns)


def test_stored_columns_keep_their_values() -> None:
    known = {
        "i": [2**63 - 1, 2**63 - 2, 5],
        "c": pd.Categorical([1, 2, 3]),
        "f": pd.Categorical([0.5, 0.1 + 0.2, 0.3]),
        "t": ["1", "(missing)", "a_b"],
        "d": pd.date_range("2024-05-01", periods=3),
    }
    frame = frame_of(known)
    arrays, metadata = frame_to_arrays(frame)
    back = frame_from_arrays(arrays, json.loads(json.dumps(metadata)))
    for name in known:
        assert back.column(name).level_values == frame.column(name).level_values
        assert list(map(type, back.column(name).level_values)) == list(map(type, frame.column(name).level_values))
    for entry in metadata["columns"]:
        del entry["categories"]  # as the first files were
    first = frame_from_arrays(arrays, metadata)
    _, levels = first.interaction(["c"])
    assert match_codes(frame_of({"c": [3, 1]}), ["c"], levels).tolist() == [2, 0]


def nested_data(seed: int) -> tuple[dict[str, Any], np.ndarray]:
    """Return columns a, b, c with a response, and the number of each row's combination of a and b."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(["text", "numbers", "identifiers"], size=2).tolist()
    data: dict[str, Any] = random_columns(rng, kinds, 240)
    pairs = list(zip(*data.values(), strict=True))
    numbered = {pair: i for i, pair in enumerate(dict.fromkeys(pairs))}
    joint = np.array([numbered[pair] for pair in pairs])
    own = {value: rng.normal() for value in dict.fromkeys(data["c0"])}
    data["x"] = rng.normal(size=240)
    effect = rng.normal(size=len(numbered))[joint] + np.array([own[value] for value in data["c0"]])
    data["y"] = effect + 0.5 * data["x"] + rng.normal(size=240) * 0.5
    return data, joint


@pytest.mark.parametrize("seed", range(8))
def test_nested_factors_are_an_explicit_column(seed: int) -> None:
    data, joint = nested_data(seed)
    nested = bayesml.fit("y ~ x + (1 | c0 / c1)", data, method="reml")
    explicit = bayesml.fit("y ~ x + (1 | c0) + (1 | j)", {**data, "j": joint}, method="reml")
    assert nested.logLik == pytest.approx(explicit.logLik, abs=1e-6)
    np.testing.assert_allclose(nested.predict(data), explicit.predict(), atol=1e-4)
    np.testing.assert_allclose(nested.predict(data), nested.predict(), rtol=1e-12)
    single = bayesml.fit("y ~ x + (1 | c0:c1)", data, method="reml")
    order = np.random.default_rng(seed).permutation(240)
    shuffled = {name: np.asarray(values, dtype=object)[order].tolist() for name, values in data.items()}
    np.testing.assert_allclose(single.predict(shuffled), single.predict()[order], rtol=1e-12)


@pytest.mark.parametrize("kind", ["dict", "nullable", "polars", "arrow", "categorical"])
def test_new_data_of_any_container_give_the_fits_own_predictions(kind: str) -> None:
    data, _ = nested_data(11)
    data["c1"] = [IDENTIFIERS[i % len(IDENTIFIERS)] for i in range(240)]
    fit = bayesml.fit("y ~ x + (1 | c0:c1)", data, method="reml")
    table = pd.DataFrame(data).assign(c1=pd.array(data["c1"], dtype="Int64"))
    containers = {
        "dict": data,
        "nullable": table.convert_dtypes(),
        "polars": pl.DataFrame(data),
        "arrow": pa.table(data),
        "categorical": table.assign(c1=pd.Categorical(data["c1"]), c0=pd.Categorical(data["c0"])),
    }
    np.testing.assert_allclose(fit.predict(containers[kind]), fit.predict(), rtol=1e-12)


def test_columns_are_not_confused_across_the_joint() -> None:
    rng = np.random.default_rng(5)
    site, plot = ["north_east", "north", "south"] * 20, ["1", "east_1", "1"] * 20
    data = {"y": rng.normal(size=60) + np.tile([2.0, 0.0, -2.0], 20), "site": site, "plot": plot}
    fit = bayesml.fit("y ~ 1 + (1 | site:plot)", data, method="reml")
    assert fit.ranef()["site:plot"]["level"].tolist() == ["north:east_1", "north_east:1", "south_1"]
    first, second = fit.predict({"site": ["north_east", "north"], "plot": ["1", "east_1"]})
    assert first - second > 1.0
    with pytest.raises(DataError, match="`north_1`"):
        fit.predict({"site": ["north"], "plot": ["1"]})


def test_a_row_without_a_group_is_no_level_called_missing() -> None:
    rng = np.random.default_rng(6)
    labels = ["(missing)", "a", "b"] * 20
    data = {"y": rng.normal(size=60) + np.tile([3.0, 0.0, -3.0], 20), "g": labels}
    fit = bayesml.fit("y ~ 1 + (1 | g)", data, method="reml")
    population = fit.fixef()["Estimate"].iloc[0]
    known, none = fit.predict({"g": ["(missing)", None]}, new_levels="zero")
    assert known - population > 1.5
    assert none == pytest.approx(population)
    with pytest.raises(DataError, match="not seen"):
        fit.predict({"g": ["a", None]})


@pytest.fixture(scope="module")
def sampled() -> tuple[Any, dict[str, Any]]:
    rng = np.random.default_rng(8)
    ids = [2**63 - 1, 2**63 - 2, 1234567890123457, 1234567890123459, 5, 6]
    data = {"y": np.zeros(60), "id": ids * 10, "part": ["a_b", "a"] * 30, "x": rng.normal(size=60)}
    data["y"] = data["x"] + np.tile(rng.normal(size=6) * 2, 10) + rng.normal(size=60)
    fit = bayesml.fit("y ~ x + (1 | id:part)", data, chains=2, warmup=500, draws=500, seed=1, progress=False)
    return fit, data


def test_sampled_fits_and_their_files_keep_the_levels(sampled: tuple[Any, dict[str, Any]], tmp_path: Path) -> None:
    fit, data = sampled
    fit.save(tmp_path / "fit.nc")
    for each in (fit, bayesml.load(tmp_path / "fit.nc")):
        np.testing.assert_allclose(each.epred(data), fit.epred(), rtol=1e-10)
        np.testing.assert_allclose(each.epred(pd.DataFrame(data)), fit.epred(), rtol=1e-10)
        with pytest.raises(DataError, match="1234567890123458_a_b"):
            each.epred({"x": [0.0], "id": [1234567890123458], "part": ["a_b"]})
        with pytest.raises(DataError, match="5_b"):
            each.epred({"x": [0.0], "id": [5], "part": ["b"]})
        new = each.epred({"x": [0.0, 0.0], "id": [7, 7], "part": ["a", None]}, new_levels="gaussian", seed=1)
        assert np.isfinite(np.asarray(new)).all()
    assert "r_id:part[9223372036854775807_a_b,Intercept]" in fit.draws()
    assert "9223372036854775806_a" in fit.coef()["id:part"]["level"].tolist()
