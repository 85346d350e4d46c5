"""The models that are calibrated: fixed designs, proper priors that do not look at the response."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import bayesml

__all__ = ["MODELS", "Form", "Model"]


@dataclass(frozen=True)
class Form:
    """One way to sample a posterior.

    Attributes:
        name: of the form that the plan must choose.
        marginalize: as in ``fit``.
        precondition: as in ``fit``.
        largest_only: of crossed factors, integrate out the one with the most effects only.
    """

    name: str
    marginalize: bool | None = None
    precondition: bool | None = None
    largest_only: bool = False


@dataclass(frozen=True)
class Model:
    """A model and the columns of its data but the response.

    Attributes:
        name: for messages and test ids.
        formula: its response is ``y``.
        family: its family.
        columns: predictors and grouping factors.
        priors: one for every class of parameter.
        forms: the forms that are calibrated.
    """

    name: str
    formula: str
    family: str
    columns: dict[str, np.ndarray]
    priors: tuple[bayesml.Prior, ...]
    forms: tuple[Form, ...]


COLLAPSED = Form("collapsed", marginalize=True)
PRECONDITIONED = Form("preconditioned", precondition=True)


def _grouped(levels: int, rows: int) -> dict[str, np.ndarray]:
    x = np.random.default_rng([levels, rows]).normal(size=levels * rows)
    return {"x": x, "g": np.repeat([f"g{i:02d}" for i in range(levels)], rows)}


def _crossed(first: int, second: int) -> dict[str, np.ndarray]:
    x = np.random.default_rng([first, second]).normal(size=first * second)
    a, b = np.divmod(np.arange(first * second), second)
    return {"x": x, "a": np.char.add("a", a.astype(str)), "b": np.char.add("b", b.astype(str))}


def _with_observation(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return columns | {"obs": np.array([f"o{i:03d}" for i in range(len(columns["x"]))])}


def _priors(intercept: str, slope: str, sd: str, **others: str) -> tuple[bayesml.Prior, ...]:
    pairs = {"Intercept": intercept, "b": slope, "sd": sd} | others
    return tuple(bayesml.prior(text, class_) for class_, text in pairs.items())


MODELS = (
    Model(
        "random-slope gaussian",
        "y ~ x + (x | g)",
        "gaussian",
        _grouped(10, 5),
        _priors("normal(1, 2)", "normal(0, 1)", "normal(0, 1)", sigma="normal(0, 1)", cor="lkj(2)"),
        (COLLAPSED, PRECONDITIONED),
    ),
    Model(
        "crossed gaussian",
        "y ~ x + (1 | a) + (1 | b)",
        "gaussian",
        _crossed(10, 6),
        _priors("student_t(4, 0, 2)", "normal(0, 1)", "exponential(1)", sigma="exponential(1)"),
        (COLLAPSED, Form("collapsed", marginalize=True, largest_only=True), PRECONDITIONED),
    ),
    Model(
        "random-intercept bernoulli",
        "y ~ x + (1 | g)",
        "bernoulli",
        _grouped(24, 5),
        _priors("normal(0, 1.5)", "normal(0, 1)", "normal(0, 1.5)"),
        (PRECONDITIONED,),
    ),
    Model(
        "poisson with observation-level effects",
        "y ~ x + (1 | g) + (1 | obs)",
        "poisson",
        _with_observation(_grouped(8, 5)),
        _priors("normal(1, 1)", "normal(0, 0.5)", "normal(0, 0.7)"),
        (PRECONDITIONED,),
    ),
    Model(
        "negbinomial",
        "y ~ x + (1 | g)",
        "negbinomial",
        _grouped(12, 5),
        _priors("normal(1, 1)", "normal(0, 0.5)", "normal(0, 0.7)", shape="gamma(3, 1)"),
        (PRECONDITIONED,),
    ),
)
