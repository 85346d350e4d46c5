"""What point estimates cannot fit is said in words that a user wrote."""

from __future__ import annotations

import numpy as np
import pytest

import bayesml
from bayesml.errors import ModelError

ROWS = 30
FRAME = {"y": np.sin(np.arange(ROWS)), "x": np.cos(np.arange(ROWS)), "g": np.arange(ROWS) % 5}


@pytest.mark.parametrize(
    ("formulas", "said"),
    [({"sigma": "~ x"}, "`sigma` has a formula"), ({"sigma": "~ x", "nu": "~ 1"}, "`sigma` and `nu` have a formula")],
)
def test_further_predictors_are_named(formulas, said):
    with pytest.raises(ModelError, match=said):
        bayesml.fit(bayesml.bf("y ~ x", **formulas), FRAME, "student", method="ml")


@pytest.mark.parametrize("formula", ["y ~ x", "y ~ x + (1 | g)"])
def test_the_mode_has_no_horseshoe(formula):
    with pytest.raises(ModelError, match=r"no form for horseshoe\(1\)"):
        bayesml.fit(formula, FRAME, prior=bayesml.prior("horseshoe(1)"), method="map")
