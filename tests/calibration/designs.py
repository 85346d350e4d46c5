"""Columns of predictors and grouping factors, and priors, for the models that are calibrated."""

from __future__ import annotations

import numpy as np

import bayesml

__all__ = [
    "crossed",
    "graded",
    "grouped",
    "lattices",
    "of_coefs",
    "of_dpars",
    "of_responses",
    "priors",
    "series",
    "spread",
    "window",
    "with_observation",
    "with_second",
    "with_trials",
]


def grouped(levels: int, rows: int) -> dict[str, np.ndarray]:
    x = np.random.default_rng([levels, rows]).normal(size=levels * rows)
    return {"x": x, "g": np.repeat([f"g{i:02d}" for i in range(levels)], rows)}


def crossed(first: int, second: int) -> dict[str, np.ndarray]:
    x = np.random.default_rng([first, second]).normal(size=first * second)
    a, b = np.divmod(np.arange(first * second), second)
    return {"x": x, "a": np.char.add("a", a.astype(str)), "b": np.char.add("b", b.astype(str))}


def with_observation(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return columns | {"obs": np.array([f"o{i:03d}" for i in range(len(columns["x"]))])}


def with_second(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Add z, spread over -1 to 1."""
    return columns | {"z": np.random.default_rng(len(columns["x"])).uniform(-1.0, 1.0, len(columns["x"]))}


def with_trials(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return columns | {"n": 2.0 + np.arange(len(columns["x"])) % 9}


def graded(rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(rows)
    return {"x": rng.normal(size=rows), "grade": rng.permutation(np.arange(rows) % 4)}


def spread(low: float, high: float, groups: int, rows: int) -> dict[str, np.ndarray]:
    """Return x at the same distances in each group."""
    return grouped(groups, rows) | {"x": np.tile(np.linspace(low, high, rows), groups)}


def series(groups: int, rows: int) -> dict[str, np.ndarray]:
    """Return series of so many rows, in no order."""
    columns = grouped(groups, rows) | {"t": np.tile(np.arange(rows), groups)}
    order = np.random.default_rng(rows).permutation(groups * rows)
    return {name: column[order] for name, column in columns.items()}


def lattices(groups: int, first: int, second: int, holes: int) -> dict[str, np.ndarray]:
    """Return lattices of so many cells without some of these, in no order."""
    cells = first * second
    columns = grouped(groups, cells) | {"t": np.tile(np.repeat(np.arange(first), second), groups)}
    columns["u"] = np.tile(np.arange(second), groups * first)
    order = np.random.default_rng(cells).permutation(groups * cells)[holes:]
    return {name: column[order] for name, column in columns.items()}


def window(
    rows: int, first: float | tuple[float, float] = (0.05, 0.4), last: tuple[float, float] = (0.8, 4.0)
) -> np.ndarray:
    """Return a time before which and one after which nothing is observed, for each row, between such numbers."""
    rng = np.random.default_rng(rows)
    begins = rng.uniform(*first, rows) if isinstance(first, tuple) else np.full(rows, first)
    return np.stack([begins, rng.uniform(*last, rows)])


def priors(intercept: str, slope: str, sd: str | None = None, **others: str) -> tuple[bayesml.Prior, ...]:
    pairs = {"Intercept": intercept, "b": slope, "sd": sd} | others
    return tuple(bayesml.prior(text, class_) for class_, text in pairs.items() if text)


def of_coefs(class_: str, texts: dict[str, str]) -> tuple[bayesml.Prior, ...]:
    return tuple(bayesml.prior(text, class_, coef=coef) for coef, text in texts.items())


def of_responses(responses: tuple[str, ...], **texts: str) -> tuple[bayesml.Prior, ...]:
    return tuple(bayesml.prior(text, class_, resp=resp) for resp in responses for class_, text in texts.items())


def of_dpars(class_: str, **texts: str) -> tuple[bayesml.Prior, ...]:
    return tuple(bayesml.prior(text, class_, dpar=dpar) for dpar, text in texts.items())
