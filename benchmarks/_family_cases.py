"""Ten response models of 2,000 rows and 100 groups, in bayesml's words and in brms's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from _data import Columns, labels

__all__ = ["FAMILY_CASES", "FamilyCase"]

ROWS, GROUPS = 2000, 100


@dataclass(frozen=True)
class FamilyCase:
    """One model with its data.

    Attributes:
        name: its name.
        formula: main formula, or the main formulas of two responses.
        family: its family, as ``fit`` takes it and as R writes it.
        data: makes the columns with a source of random numbers.
        further: formulas of further parameters.
        priors: priors of coefficients, rows that bayesml's ``prior`` and brms's ``set_prior`` share. A mixture needs
            them: with flat ones its posterior is improper.
        is_nonlinear: whether the main formula is a function of parameters.
        matrices: makes each matrix of ``data2``, named by the levels of its rows.
    """

    name: str
    formula: str | tuple[str, str]
    family: tuple[str, str]
    data: Callable[[np.random.Generator], Columns]
    further: Mapping[str, str] = field(default_factory=dict)
    priors: tuple[Mapping[str, str], ...] = ()
    is_nonlinear: bool = False
    matrices: Mapping[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = field(default_factory=dict)


def _design(rng: np.random.Generator, sd: float = 0.6) -> tuple[Columns, np.ndarray]:
    """Return x and g with a linear predictor 0.5 x + u_g."""
    x, g = np.round(rng.normal(size=ROWS), 4), np.arange(ROWS) % GROUPS
    return {"x": x, "g": labels("g", g)}, 0.5 * x + sd * rng.normal(size=GROUPS)[g]


def _ordinal(rng: np.random.Generator) -> Columns:
    columns, eta = _design(rng)
    return {**columns, "y": 1 + np.digitize(eta + rng.logistic(size=ROWS), [-1.5, -0.2, 0.8, 2.0])}


def _categorical(rng: np.random.Generator) -> Columns:
    columns, eta = _design(rng)
    scores = np.stack([np.zeros(ROWS), 0.3 + eta, -0.4 - 0.5 * eta]) + rng.gumbel(size=(3, ROWS))
    return {**columns, "y": np.array(["a", "b", "c"])[scores.argmax(axis=0)]}


def _zero_inflated(rng: np.random.Generator) -> Columns:
    columns, eta = _design(rng)
    return {**columns, "y": np.where(rng.uniform(size=ROWS) < 0.3, 0, rng.poisson(np.exp(1.0 + eta)))}


def _hurdle(rng: np.random.Generator) -> Columns:
    columns, eta = _design(rng)
    y = np.round(rng.gamma(2.0, np.exp(0.5 + eta) / 2.0), 5) + 1e-5
    return {**columns, "y": np.where(rng.uniform(size=ROWS) < 0.25, 0.0, y)}


def _beta(rng: np.random.Generator) -> Columns:
    columns, eta = _design(rng)
    mu = 1 / (1 + np.exp(-eta))
    return {**columns, "y": np.clip(np.round(rng.beta(8 * mu, 8 * (1 - mu)), 6), 1e-6, 1 - 1e-6)}


def _censored(rng: np.random.Generator) -> Columns:
    columns, eta = _design(rng)
    time, end = np.exp(eta) * rng.weibull(1.4, size=ROWS), rng.exponential(2.5, size=ROWS)
    return {**columns, "y": np.round(np.minimum(time, end), 5) + 1e-5, "c": (time > end).astype(int)}


def _two_responses(rng: np.random.Generator) -> Columns:
    columns, eta = _design(rng)
    noise = rng.multivariate_normal([0, 0], [[1.0, 0.4], [0.4, 1.0]], size=ROWS)
    return {**columns, "y1": np.round(eta + noise[:, 0], 4), "y2": np.round(0.5 - 0.6 * eta + noise[:, 1], 4)}


def _mixture(rng: np.random.Generator) -> Columns:
    columns, eta = _design(rng)
    center = np.where(rng.uniform(size=ROWS) < 0.35, -3.0, 2.0)
    return {**columns, "y": np.round(eta + center + rng.normal(size=ROWS), 4)}


def _nonlinear(rng: np.random.Generator) -> Columns:
    columns, _ = _design(rng)
    g, t = np.arange(ROWS) % GROUPS, np.round(rng.uniform(0.0, 4.0, size=ROWS), 4)
    a = 5.0 + 0.8 * rng.normal(size=GROUPS)[g]
    return {**columns, "x": t, "y": np.round(a * np.exp(-0.7 * t) + 0.3 * rng.normal(size=ROWS), 4)}


def _distributional(rng: np.random.Generator) -> Columns:
    columns, eta = _design(rng)
    spread = np.exp(-0.3 + 0.3 * np.asarray(columns["x"]) + 0.3 * rng.normal(size=GROUPS)[np.arange(ROWS) % GROUPS])
    return {**columns, "y": np.round(eta + spread * rng.normal(size=ROWS), 4)}


ONE = "y ~ x + (1 | g)"
FAMILY_CASES = (
    FamilyCase("ordinal", ONE, ("cumulative", "cumulative()"), _ordinal),
    FamilyCase("categorical", ONE, ("categorical", "categorical()"), _categorical),
    FamilyCase("zero_inflated", ONE, ("zero_inflated_poisson", "zero_inflated_poisson()"), _zero_inflated),
    FamilyCase("hurdle", ONE, ("hurdle_gamma", "hurdle_gamma()"), _hurdle),
    FamilyCase("beta", ONE, ("beta", "Beta()"), _beta),
    FamilyCase("weibull_censored", "y | cens(c) ~ x + (1 | g)", ("weibull", "weibull()"), _censored),
    FamilyCase(
        "multivariate", ("y1 ~ x + (1 | p | g)", "y2 ~ x + (1 | p | g)"), ("gaussian", "gaussian()"), _two_responses
    ),
    FamilyCase(
        "mixture", ONE, ("mixture", "mixture(gaussian, gaussian)"), _mixture,
        priors=({"prior": "normal(0, 3)", "dpar": "mu1"}, {"prior": "normal(0, 3)", "dpar": "mu2"}),
    ),
    FamilyCase(
        "nonlinear", "y ~ a * exp(-b * x)", ("gaussian", "gaussian()"), _nonlinear, {"a": "~ 1 + (1 | g)", "b": "~ 1"},
        ({"prior": "normal(5, 3)", "nlpar": "a"}, {"prior": "normal(1, 1)", "nlpar": "b"}), True,
    ),
    FamilyCase(
        "distributional", ONE, ("gaussian", "gaussian()"), _distributional, {"sigma": "~ x + (1 | g)"}
    ),
)  # fmt: skip
