"""1,500 random formulas: our columns span the space of R's model.matrix (facts/model_matrix.R made the facts)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bayesml.columns import encode, replay
from bayesml.formula import parse
from bayesml.frame import Frame, read_frame

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "facts" / "model_matrix.json").read_text("utf-8"))
SIZES = ["s", "m", "l", "xl"]
PARTS = 10


def make_frame() -> Frame:
    data = {**FACTS["data"], "size": pd.Categorical(FACTS["data"]["size"], SIZES, ordered=True)}
    data |= {"y": np.zeros(len(data["x"])), "g": ["1", "2"] * (len(data["x"]) // 2)}
    return read_frame(data, list(data))


FRAME = make_frame()
V, W = np.array(FACTS["v"]).T, np.array(FACTS["w"]).T


def orthonormal(matrix: np.ndarray) -> np.ndarray:
    size = np.sqrt((matrix**2).sum(axis=0))
    left, values, _ = np.linalg.svd(matrix / np.where(size > 0, size, 1.0), full_matrices=False)
    # R's script keeps only formulas without singular values between 1e-10 and 1e-5 of the largest.
    return left[:, values > 1e-7 * values[0]]


@pytest.mark.parametrize("part", range(PARTS))
def test_columns_span_the_space_of_r(part: int) -> None:
    wrong = []
    for i in range(part, len(FACTS["formulas"]), PARTS):
        text, rank, columns = FACTS["formulas"][i], FACTS["rank"][i], FACTS["columns"][i]
        predictor = parse(f"y ~ {text}", FRAME.names).predictors[0]
        encoding, matrix = encode(predictor.population, FRAME)
        basis = orthonormal(matrix)
        numbers = ((basis.T @ V) * (basis.T @ W)).sum(axis=0)
        # |w' (P - P') v| <= |w| |v| |P - P'|, about 72 times the error of a basis whose condition is below 1e5.
        same = basis.shape[1] == rank and np.allclose(numbers, FACTS["numbers"][i], rtol=0, atol=1e-8)
        # Where R's columns are independent there are as many of ours; R adds redundant ones in other places, `a:b`.
        if not same or matrix.shape[1] > columns or (rank == columns and matrix.shape[1] != columns):
            wrong.append((text, rank, columns, encoding.labels))
    assert not wrong, (len(wrong), wrong[:3])


@pytest.mark.parametrize("part", range(PARTS))
def test_columns_of_group_terms_and_of_new_data_are_the_same(part: int) -> None:
    some = np.arange(5, 9)
    for text in FACTS["formulas"][part :: 4 * PARTS]:
        encoding, matrix = encode(parse(f"y ~ {text}", FRAME.names).predictors[0].population, FRAME)
        (group,) = parse(f"y ~ 1 + ({text} | g)", FRAME.names).predictors[0].groups
        varying, columns = encode(group.columns, FRAME)
        assert varying.labels == encoding.labels
        np.testing.assert_array_equal(columns, matrix)
        np.testing.assert_allclose(replay(encoding, FRAME.select(some)), matrix[some], rtol=0, atol=1e-10)
