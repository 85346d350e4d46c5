"""The page of all families: the models that it shows can be fitted, the pictures are not empty."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from matplotlib import image

import bayesml
from bayesml.families import FAMILIES

ROWS = 40


def gallery() -> ModuleType:
    """Return the module that writes the page; it is no part of the package."""
    path = Path(__file__).parents[1] / "docs" / "family_gallery.py"
    spec = importlib.util.spec_from_file_location("family_gallery", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GALLERY = gallery()
EXAMPLES = GALLERY.examples()


def test_every_family_has_a_section():
    assert set(FAMILIES) <= set(EXAMPLES)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_model_that_is_shown_can_be_described(name):
    example = EXAMPLES[name]
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=ROWS), "g": np.tile(list("abcdefgh"), ROWS // 8)})
    likelihood, _ = GALLERY.bound(example, np.array(example.y))
    moments = likelihood.traits.has_moments
    drawn = GALLERY.draws(example)[:ROWS] if moments else np.resize(example.y, ROWS)
    columns = example.columns or ("y",)
    data[list(columns)] = drawn.reshape(ROWS, -1)[:, : len(columns)]
    for term, values in example.additions.items():
        data["n" if term == "trials" else term] = np.resize(values[:1] if term == "trials" else values, ROWS)
    main, others = GALLERY.formula(example, likelihood)
    table = bayesml.default_prior(bayesml.bf(main, **others), data, family=name)
    assert len(table)


@pytest.mark.parametrize("name", ["ordered_beta", "dirichlet", "cumulative", "cox"])
def test_pictures_show_something(name, tmp_path):
    GALLERY.draw_picture(EXAMPLES[name], tmp_path / "picture.png")
    pixels = image.imread(tmp_path / "picture.png")[..., :3]
    assert np.mean(pixels.min(axis=-1) < 0.9) > 0.02
    text = GALLERY.section(name, EXAMPLES[name], "picture.png")
    assert text.startswith(f"## {name}") and "| `mu" in text
