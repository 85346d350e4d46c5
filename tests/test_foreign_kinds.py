"""What other packages call a feature that is there is not answered with "not there yet"."""

from __future__ import annotations

import pytest

import bayesml
from bayesml.errors import UnknownNameError
from bayesml.families import FAMILIES, FAMILIES_OF_FAMILIES
from bayesml.foreign.arguments import FIT_ARGUMENTS
from bayesml.foreign.functions import MODULE
from bayesml.terms import special_calls


@pytest.mark.parametrize("name", [*FAMILIES, *FAMILIES_OF_FAMILIES])
def test_every_family_is_reached_by_its_name(name):
    assert callable(getattr(bayesml.families, name))
    assert callable(getattr(bayesml, name))  # a prior distribution where that has the same name


@pytest.mark.parametrize("name", sorted(special_calls()))
def test_terms_of_formulas_are_said_to_stand_there(name):
    with pytest.raises(UnknownNameError, match="text of a formula: ") as caught:
        getattr(bayesml, name)
    assert "not there yet" not in str(caught.value)


def test_smooths_and_zero_inflation_are_not_called_missing():
    answers = {word.word: word.here for word in (*MODULE, *FIT_ARGUMENTS)}
    for name in ("gam", "gamm4", "ziformula"):
        assert "not there yet" not in answers[name]
