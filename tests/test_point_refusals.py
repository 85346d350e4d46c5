"""What point estimates cannot fit is said in words that a user wrote."""

from __future__ import annotations

import numpy as np
import pytest

import bayesml
from bayesml.errors import ModelError

ROWS = 30
FRAME = {"y": np.sin(np.arange(ROWS)), "x": np.cos(np.arange(ROWS)), "g": np.arange(ROWS) % 5}


@pytest.mark.parametrize(("family", "said"), [("gaussian", "`sigma` has a formula"), ("student", "nuts")])
def test_maximum_likelihood_of_linear_models_has_one_formula(family, said):
    with pytest.raises(ModelError, match=said):
        bayesml.fit(bayesml.bf("y ~ x", sigma="~ x"), FRAME, family, method="ml")


@pytest.mark.parametrize("formula", ["y ~ x", "y ~ x + (1 | g)"])
def test_the_mode_has_no_horseshoe(formula):
    with pytest.raises(ModelError, match=r"no form for horseshoe\(1\)"):
        bayesml.fit(formula, FRAME, prior=bayesml.prior("horseshoe(1)"), method="map")
