"""Conditional effects with several intervals, with a line for each draw, as surfaces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import ModelError
from tests.handmade import CHAINS, DRAWS, handmade_fit

ALL = CHAINS * DRAWS


def data() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    n = 50
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "o": rng.choice(["p", "q"], n),
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "f": rng.choice(["u", "v"], n),
        }
    )


DATA = data()


@pytest.fixture(scope="module")
def fit() -> bayesml.Fit:
    return handmade_fit("y ~ x * z + x * f", DATA)


def test_intervals_within_each_other(fit: bayesml.Fit) -> None:
    several = fit.conditional_effects("x", prob=(0.95, 0.5, 0.8), resolution=7)
    table = several["x"]
    for prob, (lower, upper) in {
        0.95: ("lower__", "upper__"),
        0.5: ("lower50__", "upper50__"),
        0.8: ("lower80__", "upper80__"),
    }.items():
        one = fit.conditional_effects("x", prob=prob, resolution=7)["x"]
        np.testing.assert_allclose(table[[lower, upper]], one[["lower__", "upper__"]])
    axes = several.plot().axes[0]
    assert len(axes.collections) == 3
    points = bayesml.fit("y ~ x + f", DATA, method="laplace").conditional_effects("f", prob=(0.5, 0.9))
    assert (points["f"]["lower__"] < points["f"]["lower50__"]).all()
    points.plot()


def test_a_line_for_each_draw(fit: bayesml.Fit) -> None:
    few = fit.conditional_effects("x:f", spaghetti=True, ndraws=9, seed=1, resolution=5)
    table, draws = few["x:f"], few.draws["x:f"]
    assert draws.shape == (9, 10)
    np.testing.assert_allclose(np.median(draws, axis=0), table["estimate__"])
    axes = few.plot().axes[0]
    assert len(axes.lines) == 2 * (9 + 1)
    second = table[table["effect2__"] == "v"].index
    np.testing.assert_allclose(axes.lines[10].get_ydata(), draws[0, second])
    assert len(fit.conditional_effects("x", spaghetti=True).draws["x"]) == 100
    categories = handmade_fit("o ~ x", DATA, "categorical").conditional_effects("x", spaghetti=True, resolution=4)
    assert categories.draws["x"].shape == (100, 8)
    assert not fit.conditional_effects("f", spaghetti=True).draws


def test_surfaces(fit: bayesml.Fit) -> None:
    effects = fit.conditional_effects("x:z", surface=True, resolution=6)
    table = effects["x:z"]
    assert len(table) == 36 and effects.effects["x:z"].is_surface
    for column, name in (("effect1__", "x"), ("effect2__", "z")):
        np.testing.assert_allclose([table[column].min(), table[column].max()], [DATA[name].min(), DATA[name].max()])
    known = fit.epred(table[["x", "z"]].assign(f="u")).to_numpy().reshape(ALL, -1)
    np.testing.assert_allclose(table["estimate__"], np.median(known, axis=0), rtol=1e-10)
    figure = effects.plot(points=True)
    assert len(figure.axes) == 2 and figure.axes[0].get_ylabel() == "z"
    assert len(fit.conditional_effects("x:z", surface=True)["x:z"]) == 900
    assert len(fit.conditional_effects("x:f", surface=True, resolution=4)["x:f"]) == 8
    given = fit.conditional_effects("x:z", surface=True, int_conditions={"z": [0.0, 1.0]}, resolution=3)
    assert len(given["x:z"]) == 6


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda fit: fit.conditional_effects("x", prob=(0.5, 2)), "`prob` lies between"),
        (lambda fit: fit.conditional_effects("x", prob=()), "`prob` lies between"),
        (lambda fit: fit.conditional_effects("x", resolution=1), "`resolution` is a whole number"),
    ],
)
def test_what_cannot_be_shown(ask: Any, message: str, fit: bayesml.Fit) -> None:
    with pytest.raises(ModelError, match=message):
        ask(fit)


def test_estimates_have_no_draws_to_show() -> None:
    with pytest.raises(ModelError, match="no draws to show"):
        bayesml.fit("y ~ x", DATA, method="laplace").conditional_effects("x", spaghetti=True)
    with pytest.raises(ModelError, match="Shares of random categories"):
        handmade_fit("o ~ x", DATA, "categorical").conditional_effects("x", method="predict", spaghetti=True)
