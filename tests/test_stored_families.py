"""Every family, with other links and options too, comes back from the JSON that a saved fit holds."""

from __future__ import annotations

import json

import pytest

from bayesml.families import FAMILIES, cumulative, get_family, mixture
from bayesml.families.categorical import categorical
from bayesml.families.hurdle import hurdle_gamma
from bayesml.families.zero_inflated import zero_inflated_negbinomial, zero_inflated_poisson
from bayesml.results.record.encoded import family_from_json, family_to_json

OTHERS = {
    "links of a zero-inflated family": zero_inflated_poisson("identity", "probit"),
    "links of a hurdle": hurdle_gamma("inverse"),
    "equidistant thresholds": cumulative("probit", threshold="equidistant"),
    "a reference category": categorical(refcat="b"),
    "a mixture": mixture("gaussian", "student", order="none"),
    "a mixture of zero-inflated families": mixture(zero_inflated_poisson(), zero_inflated_negbinomial("identity")),
}


def restored(family):
    return family_from_json(json.loads(json.dumps(family_to_json(family))))


@pytest.mark.parametrize("name", FAMILIES)
def test_families_come_back(name):
    assert restored(get_family(name)) == get_family(name)


@pytest.mark.parametrize("family", OTHERS.values(), ids=OTHERS)
def test_links_and_options_come_back(family):
    assert restored(family) == family


def test_what_the_name_says_is_not_repeated():
    assert family_to_json(zero_inflated_poisson())["options"] == {}
    assert family_to_json(cumulative(threshold="equidistant"))["options"] == {"threshold": "equidistant"}
