"""Simulated data with fixed seeds, as columns of numbers and labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

__all__ = [
    "Columns",
    "crossed_linear",
    "crossed_logistic",
    "labels",
    "nested_linear",
    "slopes_by_group",
    "write_csv",
]

Columns = Mapping[str, np.ndarray]


def labels(prefix: str, codes: np.ndarray) -> np.ndarray:
    """Return labels that no program takes for numbers and that sort in the order of the codes."""
    width = len(str(int(codes.max())))
    return np.char.add(prefix, np.char.zfill(codes.astype(str), width))


def slopes_by_group(rows: int, groups: int, seed: int) -> Columns:
    """Return a linear model with correlated intercepts and slopes of groups of equal size."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), rows // groups)
    x = rng.normal(size=rows)
    effects = rng.normal(size=(groups, 2)) @ np.array([[1.0, 0.3 * 0.7], [0.0, np.sqrt(1 - 0.3**2) * 0.7]])
    y = 2.0 + 0.5 * x + effects[group, 0] + effects[group, 1] * x + rng.normal(size=rows)
    return {"y": y, "x": x, "g": labels("g", group)}


def crossed_linear(rows: int, sizes: Mapping[str, int], sds: Mapping[str, float], sigma: float, seed: int) -> Columns:
    """Return a linear model with crossed factors whose levels are drawn at random for every row."""
    rng = np.random.default_rng(seed)
    codes = {name: rng.permutation(np.arange(rows) % size) for name, size in sizes.items()}
    x = rng.integers(0, 2, rows).astype(float)
    y = 3.0 - 0.1 * x + sigma * rng.normal(size=rows)
    for name, size in sizes.items():
        y += sds[name] * rng.normal(size=size)[codes[name]]
    return {"y": y, "x": x, **{name: labels(name, code) for name, code in codes.items()}}


def nested_linear(rows: int, schools: int, classes: int, seed: int) -> Columns:
    """Return pupils in classes in schools, of the sizes of the classroom data (West, Welch & Galecki 2007)."""
    rng = np.random.default_rng(seed)
    school_of = np.concatenate([np.arange(schools), rng.integers(0, schools, classes - schools)])
    class_of = np.concatenate([np.arange(classes), rng.integers(0, classes, rows - classes)])
    school = school_of[class_of]
    ses = rng.normal(0, 0.7, rows)
    y = 520 + 10 * ses + rng.normal(0, 15, schools)[school] + rng.normal(0, 10, classes)[class_of]
    return {
        "mathscore": y + rng.normal(0, 35, rows),
        "ses": ses,
        "school": labels("s", school),
        "class": labels("c", class_of),
    }


def crossed_logistic(persons: int, items: int, seed: int) -> Columns:
    """Return yes or no of every person to every item, of the sizes of the VerbAgg data (316 x 24)."""
    rng = np.random.default_rng(seed)
    person, item = (index.reshape(-1) for index in np.indices((persons, items)))
    anger = rng.normal(size=persons)[person]
    mode = (np.arange(items) % 2).astype(float)[item]
    eta = -0.3 + 0.3 * anger - 0.7 * mode + 1.3 * rng.normal(size=persons)[person] + 0.8 * rng.normal(size=items)[item]
    y = (rng.random(person.size) < 1 / (1 + np.exp(-eta))).astype(float)
    return {"y": y, "anger": anger, "mode": mode, "person": labels("p", person), "item": labels("i", item)}


def write_csv(columns: Columns, path: Path) -> None:
    """Write the columns with all digits."""
    import pandas as pd

    pd.DataFrame({name: np.asarray(values) for name, values in columns.items()}).to_csv(path, index=False)
