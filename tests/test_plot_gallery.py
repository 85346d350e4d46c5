"""Every picture of the gallery: it is not blank, its panels are labelled, there are as many as there should be."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import pytest
from matplotlib import pyplot as plt

from bayesml.results.plots.predictive.kinds import KINDS
from tests.pictures import assert_shows

DOCS = Path(__file__).parents[1] / "docs"
sys.path.insert(0, str(DOCS))
import plot_examples  # noqa: E402
import plot_gallery  # noqa: E402

PICTURES = [picture for pictures in plot_examples.PICTURES.values() for picture in pictures]
PLOTS = {"plot", "pairs", "forest", "ranef_plot", "plot_smooths", "plot_prior_posterior", "pp_check", "check_model"}
PLOTS |= {"conditional_effects", "survival", "hypothesis", "prior_sensitivity"}


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_pictures_show_what_they_should(picture: plot_examples.Picture) -> None:
    assert_shows(picture.draw(), picture.panels)


def test_every_verb_and_every_kind_is_shown() -> None:
    calls = [node for picture in PICTURES for node in ast.walk(ast.parse(picture.code)) if isinstance(node, ast.Call)]
    assert {call.func.attr for call in calls if isinstance(call.func, ast.Attribute)} - {"plot"} == PLOTS - {"plot"}
    kinds = {
        word.value.value.removesuffix("_grouped") for call in calls for word in call.keywords if word.arg == "kind"
    }
    assert kinds == set(KINDS)


def test_names_of_files_differ() -> None:
    names = [picture.name for picture in PICTURES]
    assert len(set(names)) == len(names)


def test_a_section_has_code_and_picture() -> None:
    text = plot_gallery.section(PICTURES[0], "plots/picture.png")
    assert "```python\nfit.plot()\n```" in text and "{image} plots/picture.png" in text
    assert "`Reaction ~ Days + (Days | Subject)` of `sleepstudy`" in text
