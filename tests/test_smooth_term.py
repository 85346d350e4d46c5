"""``s(x)`` as a term: names of brms, priors, new data, storage, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import BayesmlError
from tests.smooths import facts

pytestmark = pytest.mark.filterwarnings("ignore:.*beyond the range of the fit:bayesml.FitWarning")

MCYCLE = pd.DataFrame(facts()["data"]["mcycle"])
BYFAC = pd.DataFrame(facts()["data"]["byfac"])


@pytest.fixture(scope="module")
def fit() -> bayesml.Fit:
    return bayesml.fit("accel ~ s(times)", MCYCLE, chains=2, draws=1000, seed=3)


def test_names_are_those_of_brms(fit: bayesml.Fit) -> None:
    # brms::brm(accel ~ s(times), MASS::mcycle)
    names = list(fit.draws().columns)
    expected = ["b_Intercept", "bs_stimes_1", "sds_stimes_1", "sigma", *(f"s_stimes_1[{i}]" for i in range(1, 9))]
    assert [name for name in names if name in expected] == expected
    printed = str(fit)
    for text in ("Smoothing Spline Hyperparameters:", "sds(stimes_1)", "\nstimes_1 "):
        assert text in printed


def test_posterior_mean_is_near_the_reml_estimate(fit: bayesml.Fit) -> None:
    # The posterior averages over smoothing parameters, which move the curve by less than its standard error.
    fact = next(f for f in facts()["fits"] if f["formula"] == "accel ~ s(times)")
    new = pd.DataFrame(facts()["new"]["mcycle"])
    mean = np.asarray(fit.epred(new)).reshape(-1, len(new)).mean(axis=0)
    assert np.abs((mean - fact["new"]) / np.asarray(fact["new_se"])).max() < 0.5
    again = np.asarray(fit.epred(MCYCLE)).reshape(-1, len(MCYCLE))
    np.testing.assert_allclose(again[:, :7], np.asarray(fit.epred(MCYCLE.head(7))).reshape(-1, 7), rtol=1e-10)


def test_saved_fits_predict_the_same(fit: bayesml.Fit, tmp_path: Path) -> None:
    fit.save(tmp_path / "fit.nc")
    loaded = bayesml.load(tmp_path / "fit.nc")
    new = pd.DataFrame(facts()["new"]["mcycle"])
    np.testing.assert_allclose(np.asarray(loaded.epred(new)), np.asarray(fit.epred(new)), rtol=1e-10)


def test_prior_table_is_that_of_brms() -> None:
    # brms::get_prior(y ~ fac + s(x2, by = fac, k = 5), byfac)
    table = bayesml.default_prior("y ~ fac + s(x2, by=fac, k=5)", BYFAC, default_priors="brms")
    coefs = {(row["class"], row["coef"]) for _, row in pd.DataFrame(table).iterrows()}
    assert {("sds", ""), ("sds", "s(x2, by = fac, k = 5)")} <= coefs or {("sds", "s(x2, by=fac, k=5)")} <= coefs
    assert {("b", f"sx2:fac[{level}]_1") for level in (1, 2, 3)} <= coefs


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ s(x2, k=2)", "Write k=3 or more"),
        ("y ~ s(x2, bs='qq')", 'bs is one of "tp"'),
        ("y ~ s(fac)", "categories"),
        ("y ~ s(x2, by=3)", "`by` of"),
        ("y ~ s(x2, wobble=3)", "no argument `wobble`"),
        ("y ~ s()", "write s"),
        ("y ~ s(nowhere)", "nowhere"),
        ("y ~ s(x2):fac", "s\\(x, by=z\\)"),
    ],
)
def test_impossible_calls_are_refused_with_a_caret(formula: str, message: str) -> None:
    with pytest.raises(BayesmlError, match=message):
        bayesml.default_prior(formula, BYFAC)


def test_an_ordered_factor_has_no_curve_for_its_first_level() -> None:
    # brms::get_prior(y ~ fac + s(x2, by = fac), transform(byfac, fac = ordered(fac)))
    data = BYFAC.assign(fac=pd.Categorical(BYFAC["fac"].astype(str), ["1", "2", "3"], ordered=True))
    table = bayesml.default_prior("y ~ s(x2) + s(x2, by=fac)", data, default_priors="brms")
    coefs = set(table["coef"])
    assert {"sx2_1", "sx2:fac[2]_1", "sx2:fac[3]_1"} <= coefs
    assert "sx2:fac[1]_1" not in coefs
    fit = bayesml.fit("y ~ fac + s(x2, by=fac)", data, method="reml")
    first = fit.predict(data[data["fac"] == "1"])
    assert np.ptp(first) < 1e-9
    assert np.ptp(fit.predict(data[data["fac"] == "3"])) > 0.1


@pytest.mark.parametrize("formula", ["y ~ fac + s(x2, by=fac)", "y ~ s(x2, by=x2)", "y ~ s(x2, bs='cc', k=6)"])
def test_new_levels_and_kinds(formula: str) -> None:
    found: Any = bayesml.default_prior(formula, BYFAC)
    assert len(found)
