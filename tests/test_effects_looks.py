"""Conditional effects with several intervals, with a line for each draw, as surfaces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import ModelError
from tests.handmade import CHAINS, DRAWS, handmade_fit
from tests.pictures import assert_shows, panels

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
        (lambda fit: fit.conditional_effects("x", too_far=-1), "`too_far` is a share"),
        (lambda fit: fit.conditional_effects("x", categorical=True), "what is shown here has none"),
        (lambda fit: fit.conditional_effects("x", categorical="yes"), "`categorical` is True or False, or None"),
        (lambda fit: fit.conditional_effects("x", conditions=["zz"]), "`zz` in `conditions`"),
        (lambda fit: fit.conditional_effects("x", int_conditions=[1]), "`int_conditions` is a dict"),
        (lambda fit: fit.conditional_effects("x:z", int_conditions={"z": []}), "gives no value for `z`"),
        (lambda fit: fit.conditional_effects("x").plot(select_points="a"), "`select_points` is a share"),
    ],
)
def test_what_cannot_be_shown(ask: Any, message: str, fit: bayesml.Fit) -> None:
    with pytest.raises(ModelError, match=message):
        ask(fit)


def test_panels_show_the_rows_of_their_condition(fit: bayesml.Fit) -> None:
    effects = fit.conditional_effects("x", conditions=["f"], resolution=5)
    figure = effects.plot(points=True, rug=True)
    assert_shows(figure, 2)
    for axes, level in zip(panels(figure), ("u", "v"), strict=True):
        rows = DATA[DATA["f"] == level]
        assert axes.get_title(loc="left") == f"f = {level}"
        np.testing.assert_allclose(np.asarray(axes.collections[0].get_offsets()), rows[["x", "y"]])
        marks = next(line for line in axes.lines if line.get_marker() == "|")
        np.testing.assert_allclose(marks.get_xdata(), rows["x"])
    near = fit.conditional_effects("x", conditions={"z": [0.0, 1.0]}, resolution=5).plot(points=True, select_points=0.1)
    reach = 0.1 * (DATA["z"].max() - DATA["z"].min())
    offsets = [len(axes.collections[0].get_offsets()) for axes in panels(near)]
    assert offsets == [int((np.abs(DATA["z"] - value) <= reach).sum()) for value in (0.0, 1.0)]


def test_conditions_by_name_are_combined(fit: bayesml.Fit) -> None:
    table = fit.conditional_effects("x", conditions=["f", "z"], resolution=3)["x"]
    mean, sd = DATA["z"].mean(), DATA["z"].std()
    assert len(table) == 18
    shown = table.drop_duplicates("cond__")
    assert list(shown["f"].astype(str)) == ["u"] * 3 + ["v"] * 3
    np.testing.assert_allclose(shown["z"], [mean - sd, mean, mean + sd] * 2)
    alone = fit.conditional_effects("x", conditions="f", resolution=3)["x"]
    assert list(dict.fromkeys(alone["cond__"])) == ["f = u", "f = v"]


def test_values_that_a_function_computes(fit: bayesml.Fit) -> None:
    given = {"z": lambda z: np.quantile(z, [0.1, 0.9])}
    table = fit.conditional_effects("x:z", int_conditions=given, resolution=3)["x:z"]
    np.testing.assert_allclose(sorted(set(table["effect2__"])), DATA["z"].quantile([0.1, 0.9]))


def test_points_of_a_surface_that_are_far_from_the_data(fit: bayesml.Fit) -> None:
    effects = fit.conditional_effects("x:z", surface=True, resolution=12, too_far=0.1, conditions=["f"])
    table, whole = effects["x:z"], fit.conditional_effects("x:z", surface=True, resolution=12, conditions=["f"])["x:z"]
    scaled = [
        np.subtract.outer(table[name].to_numpy(), DATA[name].to_numpy()) / np.ptp(DATA[name]) for name in ("x", "z")
    ]
    near = np.hypot(*scaled).min(axis=1) <= 0.1
    assert 0 < near.sum() < len(table)
    np.testing.assert_array_equal(table["estimate__"].notna(), near)
    np.testing.assert_allclose(table.loc[near, "lower__"], whole.loc[near, "lower__"])
    figure = effects.plot(rug=True)
    assert_shows(figure, 2)
    colours = [axes.collections[0].get_clim() for axes in panels(figure)]
    assert colours[0] == colours[1]


def test_codes_of_categories_in_an_order() -> None:
    fit = handmade_fit("o ~ x * f", DATA.assign(o=pd.Categorical(DATA["o"], ["p", "q"], ordered=True)), "cumulative")
    effects = fit.conditional_effects("x:f", categorical=False, resolution=4)
    table = effects["x:f"]
    probabilities = np.asarray(fit.epred(table[["x", "f"]])).reshape(ALL, len(table), 2)
    np.testing.assert_allclose(table["estimate__"], np.median(probabilities @ [1.0, 2.0], axis=0))
    figure = effects.plot(points=True)
    assert panels(figure)[0].get_ylabel() == "code of o"
    drawn = fit.conditional_effects("x", categorical=False, method="predict", seed=1, resolution=4)["x"]
    assert drawn[["lower__", "upper__"]].isin([1.0, 2.0]).all(axis=None)
    with pytest.raises(ModelError, match="have no order"):
        handmade_fit("o ~ x", DATA, "categorical").conditional_effects("x", categorical=False)


def test_estimates_have_no_draws_to_show() -> None:
    with pytest.raises(ModelError, match="no draws to show"):
        bayesml.fit("y ~ x", DATA, method="laplace").conditional_effects("x", spaghetti=True)
    with pytest.raises(ModelError, match="Shares of random categories"):
        handmade_fit("o ~ x", DATA, "categorical").conditional_effects("x", method="predict", spaghetti=True)
