"""Links of every family: those of brms are there, and each is the same distribution seen through another function."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from bayesml.engines.precision import double_precision
from bayesml.families import AbstractFamily, AbstractLikelihood, RawResponse, get_family
from bayesml.families.example import Example
from bayesml.links import get_link
from bayesml.response_terms import terms_taken
from tests.test_family_examples import EXAMPLES, bound, natural

FACTS = json.loads((Path(__file__).parent / "facts" / "brms_links.json").read_text())
NAMES = {"inverse.gaussian": "inverse_gaussian"}
WITH_LINKS = {name: example for name, example in EXAMPLES.items() if example.family.links}
CASES = [
    (name, place, link)
    for name, example in WITH_LINKS.items()
    for place, dpar in enumerate(example.family.dpars)
    for link in dpar.links
]


def with_link(family: AbstractFamily, place: int, link: str) -> AbstractFamily:
    """The family with another link of one of its parameters."""
    return replace(family, links=(*family.links[:place], get_link(link), *family.links[place + 1 :]))


def density(example: Example, likelihood: AbstractLikelihood, values: dict[str, np.ndarray]) -> np.ndarray:
    data = bound(example, np.array(example.y))[1]
    with double_precision():
        return np.asarray(jax.jit(likelihood.log_prob)(data["y"], values, data))


@pytest.mark.parametrize(("name", "place", "link"), CASES)
def test_a_link_changes_the_scale_and_not_the_distribution(name: str, place: int, link: str) -> None:
    """Densities get the same natural values; where they take predictors, they are those of the default links."""
    example = EXAMPLES[name]
    default = bound(example, np.array(example.y))[0]
    other = bound(replace(example, family=with_link(example.family, place, link)), np.array(example.y))[0]
    changed = [p.name for p in default.dpars if p.kind == example.family.dpars[place].name]
    if other.event_labels and other.link(changed[0]).name == "identity":
        return  # of categories the link names a softmax, or the distribution between thresholds
    known = natural(example)
    values = {p.name: np.asarray(known.get(p.name, p.typical), float) for p in default.dpars}
    low, high = get_link(link).support
    for dpar in changed:
        assert other.link(dpar).name == link
        if not (low < values[dpar].min() and values[dpar].max() < high):
            values[dpar] = np.array([0.4]) if np.isfinite(high - low) else np.array([low + 1.3])
    found, expected = (
        likelihood.values({p.name: likelihood.link(p.name).forward(values[p.name]) for p in default.dpars}, known)
        for likelihood in (other, default)
    )
    for dpar in set(changed) - other.linear:
        np.testing.assert_allclose(found[dpar], values[dpar], rtol=1e-12, atol=1e-12)
    if set(changed) & other.linear:
        ours = density(example, other, found)
        np.testing.assert_allclose(ours, density(example, default, expected), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", sorted(FACTS["families"]))
def test_links_and_response_terms_of_brms_are_there(name: str) -> None:
    family, facts = get_family(NAMES.get(name, name)), FACTS["families"][name]
    links = {dpar.name: set(dpar.links) for dpar in family.dpars}
    assert set(facts["links"]) <= links["mu"]
    for dpar, of_brms in FACTS["parameters"].items():
        assert set(of_brms) <= links.get(dpar, set(of_brms)), dpar
    example = EXAMPLES[family.name]
    additions = {term: np.asarray(values) for term, values in example.additions.items()}
    likelihood = family.bind(RawResponse("y", np.array(example.y), additions=additions, columns=example.columns))
    ours = set(terms_taken(likelihood))
    # brms 2.23 has taken mi() from shifted_lognormal, whose support ends at a parameter
    gone = {"cat", "mi"} if name == "shifted_lognormal" else {"cat"}
    assert ours >= set(facts["terms"]) - gone
