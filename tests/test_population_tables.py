"""Population-level tables of models whose coefficients are not all of class b: thresholds, cs(), mo(), s()."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesml

N = 80
pytestmark = pytest.mark.filterwarnings("ignore::bayesml.errors.FitWarning")


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(4)
    x, dose, g = rng.normal(size=N), rng.integers(0, 3, N), np.arange(N) % 5
    r = 1 + np.digitize(0.5 * x + 0.5 * dose + rng.logistic(size=N), [-1.0, 1.5])
    return pd.DataFrame({"r": r, "x": x, "z": rng.uniform(-1, 1, N), "dose": dose, "g": g, "y": x + rng.normal(size=N)})


@pytest.fixture(scope="module")
def ordinal(frame):
    formula = "r ~ x + mo(dose) + cs(z) + (x | g)"
    return bayesml.fit(formula, frame, "cumulative", chains=2, draws=30, warmup=50, seed=1, progress=False)


def test_fixef_has_the_coefficients_of_every_class_under_the_names_of_brms(ordinal):
    # names(fixef(...)) in brms 2.18, whose "modose" is our "mo(dose)"
    names = ["Intercept[1]", "Intercept[2]", "x", "z[1]", "z[2]", "mo(dose)"]
    table = ordinal.fixef()
    assert list(table.index) == names
    assert list(ordinal.fixef(summary=False).columns) == list(ordinal.vcov().index) == names
    for name, text in {"Intercept[2]": "b_Intercept[2]", "z[1]": "bcs_z[1]", "mo(dose)": "bsp_mo(dose)"}.items():
        assert table.loc[name, "Estimate"] == pytest.approx(ordinal[text].values.mean())


def test_levels_have_thresholds_of_their_own(ordinal):
    drawn = ordinal.coef(summary=False)["g"]
    assert list(drawn["2"].columns) == ["Intercept[1]", "Intercept[2]", "x", "z[1]", "z[2]", "mo(dose)"]
    effect, slope = (ordinal[f"r_g[2,{name}]"].values.ravel() for name in ("Intercept", "x"))
    for k in (1, 2):  # F(tau_k - (x b + r)) = F((tau_k - r) - x b)
        tau = ordinal[f"b_Intercept[{k}]"].values.ravel()
        np.testing.assert_allclose(drawn["2", f"Intercept[{k}]"], tau - effect, rtol=1e-12)
    np.testing.assert_allclose(drawn["2", "x"], ordinal["b_x"].values.ravel() + slope, rtol=1e-12)
    np.testing.assert_array_equal(drawn["2", "z[1]"], drawn["4", "z[1]"])


def test_fixef_has_the_unpenalised_coefficients_of_smooths(frame):
    fit = bayesml.fit("y ~ s(x, k = 5)", frame, chains=1, draws=20, warmup=20, seed=1, progress=False)
    assert list(fit.fixef().index) == ["Intercept", "sx_1"]
    assert fit.fixef().loc["sx_1", "Estimate"] == pytest.approx(fit["bs_sx_1"].values.mean())
