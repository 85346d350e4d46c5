"""REML smooths are those of mgcv's gamm() and bam(): ``facts/gamm_bam.R``; gam() is in test_more_smooths.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesml

FOLDER = Path(__file__).parent / "facts"
FACTS = json.loads((FOLDER / "gamm_bam.json").read_text())
DATA = json.loads((FOLDER / "more_smooths.json").read_text())["data"]


@pytest.mark.parametrize("fact", FACTS, ids=lambda f: f"{f['kind']} of {f['data']}")
def test_fitted_values_and_degrees_of_freedom(fact):
    fit = bayesml.fit(fact["formula"], pd.DataFrame(DATA[fact["data"]]), method="reml")
    fitted = np.asarray(fact["fitted"])
    np.testing.assert_allclose(fit.estimate.eta, fitted, rtol=0, atol=1e-4 * fitted.std())
    degrees = [curve.degrees for curve in fit.estimate.smooths]
    np.testing.assert_allclose(degrees, fact["edf"], rtol=0, atol=1e-4)
