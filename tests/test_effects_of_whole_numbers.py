"""Conditional effects of predictors that take whole numbers or levels alone, and their pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from bayesml.errors import FitWarning
from tests.handmade import handmade_fit

pytest.importorskip("matplotlib")


def data() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    n = 80
    return pd.DataFrame(
        {
            "k": rng.choice([2, 3, 5, 6], n),  # no 4: an effect is known there all the same
            "size": pd.Categorical(rng.choice(["s", "m", "l"], n), ["s", "m", "l"], ordered=True),
            "f": rng.choice(["a", "b"], n),
            "z": rng.normal(size=n),
            "y": rng.normal(size=n),
            "censored": rng.integers(0, 2, n),
            "c": rng.choice(["u", "v", "w"], n),
        }
    )


DATA = data()


def lines_and_intervals(fit: Any, effect: str, **options: Any) -> tuple[int, int, Any]:
    """Return how many ribbons and how many rows of points with intervals a picture has, and its axes."""
    figure = fit.conditional_effects(effect, **options).plot()
    (axes,) = figure.axes
    ribbons = [c for c in axes.collections if type(c).__name__ in ("PolyCollection", "FillBetweenPolyCollection")]
    return len(ribbons), len(axes.containers), axes


def test_a_monotonic_effect_stands_at_whole_numbers() -> None:
    fit = handmade_fit("y ~ mo(k) * z + f", DATA)
    effects = fit.conditional_effects()
    table = effects["k"]
    assert list(table["k"]) == [2, 3, 4, 5, 6] and effects.note == ""
    rows = pd.DataFrame({"k": [2, 3, 4, 5, 6], "z": DATA["z"].mean(), "f": "a"})
    np.testing.assert_allclose(table["estimate__"], fit.epred(rows).median(("chain", "draw")), rtol=1e-10)
    assert len(effects["k:z"]) == 15 and len(effects["z"]) == 100
    ribbons, points, axes = lines_and_intervals(fit, "k")
    assert (ribbons, points) == (0, 1)
    np.testing.assert_allclose(axes.get_xticks(), [2, 3, 4, 5, 6])
    assert axes.get_xlabel() == "k" and axes.get_ylabel() == "y"
    assert lines_and_intervals(fit, "k:z")[:2] == (0, 3)
    assert lines_and_intervals(fit, "k", int_conditions={"k": [2, 6]})[:2] == (0, 1)
    assert lines_and_intervals(fit, "z")[:2] == (1, 0)
    assert lines_and_intervals(fit, "z:k")[:2] == (3, 0)


def test_an_ordinary_whole_number_keeps_its_line() -> None:
    fit = handmade_fit("y ~ k + mo(size)", DATA)
    assert lines_and_intervals(fit, "k")[:2] == (1, 0)
    assert len(fit.conditional_effects("k")["k"]) == 100
    ribbons, points, axes = lines_and_intervals(fit, "size")
    assert (ribbons, points) == (0, 1)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["s", "m", "l"]


def test_observed_points_stand_beside_whole_numbers() -> None:
    figure = handmade_fit("y ~ mo(k)", DATA).conditional_effects().plot(points=True)
    (cloud,) = [c for c in figure.axes[0].collections if type(c).__name__ == "PathCollection"]
    x = np.asarray(cloud.get_offsets())[:, 0]
    assert np.abs(x - DATA["k"]).max() < 0.13 and np.ptp(x - DATA["k"]) > 0.1


def test_colours_of_categories_are_headed_by_the_response() -> None:
    figure = handmade_fit("c ~ z", DATA, "categorical").conditional_effects().plot()
    legend = figure.axes[0].get_legend()
    assert legend is not None and legend.get_title().get_text() == "c"
    assert [text.get_text() for text in legend.get_texts()] == ["u", "v", "w"]


def test_a_picture_of_censored_responses_says_so() -> None:
    fit = handmade_fit("y | cens(censored) ~ z", DATA)
    with pytest.warns(FitWarning, match="Censored"):
        fit.pp_check(kind="dens_overlay", seed=1)
