from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest

from bayesml.datasets import DATASETS, list_datasets, load_dataset
from bayesml.errors import DataError
from tests.conftest import shared_path

pytestmark = pytest.mark.smoke


@pytest.mark.parametrize("name", list_datasets())
def test_frame_is_as_described(name: str) -> None:
    dataset, frame = DATASETS[name], load_dataset(name)
    assert frame.shape == (dataset.rows, len(dataset.columns))
    assert list(frame.columns) == [column.name for column in dataset.columns]
    assert not frame.isna().to_numpy().any()
    for column in dataset.columns:
        assert isinstance(frame[column.name].dtype, pd.CategoricalDtype) == column.is_factor
        if not column.is_factor:
            assert pd.api.types.is_numeric_dtype(frame[column.name])


@pytest.mark.parametrize("name", list_datasets())
def test_every_level_occurs(name: str) -> None:
    frame = load_dataset(name)
    for column in frame.select_dtypes("category"):
        assert set(frame[column].cat.categories) == set(frame[column])


@pytest.mark.parametrize("name", list_datasets())
def test_rows_are_the_published_ones(name: str) -> None:
    frame = load_dataset(name)
    with shared_path("data", f"{name}.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert list(frame.columns) == header
    for position, column in enumerate(frame):
        published = [row[position] for row in rows]
        if isinstance(frame[column].dtype, pd.CategoricalDtype):
            assert list(frame[column]) == published
        else:
            # Readers of pandas before 3 are not exact in the last digits.
            np.testing.assert_allclose(frame[column].astype(float), [float(value) for value in published], rtol=1e-13)


@pytest.mark.parametrize(
    ("name", "column", "levels"),
    [
        # R> levels(lme4::cbpp$herd); levels(lme4::Pastes$sample); levels(brms::kidney$disease)
        ("cbpp", "herd", [str(herd) for herd in range(1, 16)]),
        ("Pastes", "sample", [f"{batch}:{cask}" for batch in "ABCDEFGHIJ" for cask in "abc"]),
        ("kidney", "disease", ["other", "GN", "AN", "PKD"]),
        ("kidney", "sex", ["male", "female"]),
    ],
)
def test_levels_have_the_order_of_r(name: str, column: str, levels: list[str]) -> None:
    assert list(load_dataset(name)[column].cat.categories) == levels


def test_a_loaded_frame_is_the_callers_own() -> None:
    changed = load_dataset("Dyestuff")
    changed["Yield"] = 0
    # R> mean(lme4::Dyestuff$Yield)
    assert load_dataset("Dyestuff")["Yield"].mean() == 1527.5


def test_unknown_name_says_what_there_is() -> None:
    with pytest.raises(DataError, match=r"`sleepstudie` is not a shipped data set \(did you mean `sleepstudy`\?\)"):
        load_dataset("sleepstudie")
    with pytest.raises(DataError, match="there are: cbpp, Dyestuff"):
        load_dataset("zzz")
