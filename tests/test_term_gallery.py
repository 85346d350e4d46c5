"""The page of all terms: every kind is shown, the models can be described, the pictures are not empty."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image

from bayesml.response_terms import RESIDUAL_TERMS, RESPONSE_TERMS
from bayesml.response_terms.residuals.registry import SEPARABLE
from bayesml.terms import TERMS, special_calls
from bayesml.terms.smooth import NOT_TAKEN

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
import term_examples  # noqa: E402
import term_gallery  # noqa: E402
import term_pictures  # noqa: E402

SHOWN = [example for examples in term_examples.EXAMPLES.values() for example in examples]


def test_every_kind_and_every_call_has_a_section():
    assert {example.kind for example in SHOWN} - {""} == set(TERMS)
    shown = {call for example in SHOWN for call in example.calls}
    assert special_calls() - set(NOT_TAKEN) | {*RESPONSE_TERMS, SEPARABLE} == shown


@pytest.mark.parametrize("example", SHOWN, ids=lambda example: example.name)
def test_the_model_that_is_shown_can_be_described(example):
    for call in example.calls:
        assert f"{call}(" in example.formula or call in ("cse", SEPARABLE)
    # An offset and a known matrix have no parameter; response terms add data, or parameters with priors of others.
    series = {*RESIDUAL_TERMS} - {"fcor"} | {SEPARABLE}
    brings = example.kind not in ("", "offset") or bool(series & set(example.calls))
    rows = term_gallery.brought(example)
    assert bool(rows) == brings
    assert all(prior for _, prior in rows)


def test_names_of_examples_differ_and_each_picture_belongs_to_one():
    names = [example.name for example in SHOWN]
    assert len(set(names)) == len(names)
    assert {example.name for example in SHOWN if example.picture} == set(term_pictures.PICTURES)


@pytest.mark.parametrize("name", term_pictures.PICTURES)
def test_pictures_show_something(name, tmp_path):
    term_pictures.save_picture(term_pictures.PICTURES[name], tmp_path / "picture.png")
    pixels = image.imread(tmp_path / "picture.png")[..., :3]
    assert np.mean(pixels.min(axis=-1) < 0.9) > 0.01


def test_a_section_has_the_parameters_and_the_model():
    example = next(e for e in SHOWN if e.calls == ("mo",))
    text = term_gallery.section(example, "picture.png")
    assert text.startswith("### Monotonic effects: `mo(grade)`\n")
    assert "simo" in text and "dirichlet(1)" in text
    assert "fit = bayesml.fit(formula, data, seed=1)" in text
