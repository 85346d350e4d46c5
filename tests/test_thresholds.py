"""Thresholds of groups of rows, ``thres(gr=)``, their number, and thresholds whose sum is zero.

That the joint densities are those of brms is among the models of test_brms_density.py.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import bayesml
from bayesml.errors import DataError, FormulaError, ModelError
from bayesml.families import cumulative
from bayesml.fit import describe_problem
from tests.brms_models import FACTS

DATA = pd.read_csv(FACTS / "brms_density_more.csv")
GROUPED = "ot | thres(gr = h) ~ x"
NEW = {"x": [0.3, 0.3], "h": ["u", "v"]}


def fitted(formula: str, **options: Any) -> bayesml.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)  # a short run
        return bayesml.fit(formula, DATA, cumulative(**options), seed=1, draws=200, chains=2, progress=False)


@pytest.fixture(scope="module")
def grouped() -> bayesml.Fit:
    return fitted(GROUPED)


def probabilities(tau: np.ndarray, eta: np.ndarray) -> np.ndarray:
    """Return P(Y = k), ``(..., categories)``, of thresholds ``(..., K - 1)``."""
    below = expit(tau - eta[..., None])
    return np.diff(np.concatenate([0 * below[..., :1], below, 0 * below[..., :1] + 1], axis=-1), axis=-1)


def test_each_group_has_thresholds_in_order(grouped: bayesml.Fit) -> None:
    names = [f"b_Intercept[{label}]" for label in ("u,1", "u,2", "u,3", "v,1", "v,2")]
    assert names == [name for name in grouped.draws().columns if name.startswith("b_Intercept")]
    tau = grouped.idata.posterior["b_Intercept"].to_numpy()
    assert (np.diff(tau, axis=-1) > 0)[..., [0, 1, 3]].all()
    assert "Intercept[v,2]" in str(grouped)


def test_probabilities_are_those_of_the_thresholds_of_the_group(grouped: bayesml.Fit) -> None:
    tau = grouped.idata.posterior["b_Intercept"].to_numpy()
    eta = grouped["b_x"].to_numpy() * 0.3
    found = grouped.epred(NEW).to_numpy()
    np.testing.assert_allclose(found[:, :, 0], probabilities(tau[..., :3], eta), rtol=1e-9)
    np.testing.assert_allclose(found[:, :, 1, :3], probabilities(tau[..., 3:], eta), rtol=1e-9)
    assert np.all(found[:, :, 1, 3] == 0)
    log_lik = grouped.log_lik({**NEW, "ot": [4, 3]}).to_numpy()
    np.testing.assert_allclose(log_lik[..., 0], np.log(found[:, :, 0, 3]), rtol=1e-9)
    np.testing.assert_allclose(log_lik[..., 1], np.log(found[:, :, 1, 2]), rtol=1e-9)
    drawn = grouped.predict(NEW, seed=1).to_numpy()
    assert drawn[..., 0].max() == 4 and drawn[..., 1].max() == 3
    table = grouped.conditional_effects("x", resolution=2)["x"]
    assert set(table["h"]) == {"u"} and len(table) == 8


def test_a_saved_fit_keeps_its_groups(grouped: bayesml.Fit, tmp_path: Path) -> None:
    grouped.save(tmp_path / "fit.nc")
    again = bayesml.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.epred(NEW), grouped.epred(NEW))
    np.testing.assert_array_equal(again.log_lik(), grouped.log_lik())


def test_new_groups_and_categories_of_other_groups_are_refused(grouped: bayesml.Fit) -> None:
    with pytest.raises(DataError, match="the group `w`, which the fit has not seen; it has `u`, `v`"):
        grouped.epred({"x": [0.0], "h": ["w"]})
    with pytest.raises(DataError, match="category beyond the thresholds of its group; it is 4 in row 1"):
        grouped.log_lik({"x": [0.0], "h": ["v"], "ot": [4]})
    with pytest.raises(DataError, match="lack the column `h`"):
        grouped.epred({"x": [0.0]})


def test_a_prior_reaches_one_threshold_one_group_or_all() -> None:
    priors = [
        bayesml.prior("normal(0, 1)", class_="Intercept"),
        bayesml.prior("normal(0, 2)", class_="Intercept", group="v"),
        bayesml.prior("normal(0, 3)", class_="Intercept", group="u", coef="2"),
    ]
    spec = describe_problem(GROUPED, DATA, cumulative(), prior=priors).description.spec
    found = {p.group: [str(prior) for prior in p.priors] for p in spec.parameters if p.prior_class == "Intercept"}
    assert found == {
        "u": ["normal(0, 1)", "normal(0, 3)", "normal(0, 1)"],
        "v": ["normal(0, 2)"] * 2,
    }


def test_more_categories_than_occur(tmp_path: Path) -> None:
    likelihood = describe_problem("o | thres(5) ~ x", DATA, cumulative()).likelihood
    assert (likelihood.thresholds, likelihood.event_labels) == (5, ("1", "2", "3", "4", "5", "6"))
    by_group = describe_problem("ot | thres(3, gr = h) ~ x", DATA, cumulative()).likelihood
    assert by_group.threshold_labels == ("u,1", "u,2", "u,3", "v,1", "v,2", "v,3")


def test_groups_of_numbers_are_sorted_as_numbers() -> None:
    frame = DATA.assign(item=np.where(DATA["h"] == "u", 10, 9))
    likelihood = describe_problem("ot | thres(gr = item) ~ x", frame, cumulative()).likelihood
    assert likelihood.threshold_labels == ("9,1", "9,2", "10,1", "10,2", "10,3")


def test_thresholds_whose_sum_is_zero() -> None:
    fit = fitted("o ~ x", threshold="sum_to_zero")
    tau = fit.idata.posterior["b_Intercept"].to_numpy()
    np.testing.assert_allclose(tau.sum(-1), 0, atol=1e-12)
    eta = fit["b_x"].to_numpy() * 0.7
    np.testing.assert_allclose(fit.epred({"x": [0.7]}).to_numpy()[:, :, 0], probabilities(tau, eta), rtol=1e-9)


REFUSED: dict[str, tuple[str, dict[str, Any], Any, str]] = {
    "too few": ("o | thres(2) ~ x", {}, DataError, "Use thres\\(n\\) for more categories"),
    "no whole number": ("o | thres(1.5) ~ x", {}, DataError, r"`thres\(1\.5\)` is 1\.5 in row 1"),
    "several numbers": ("o | thres(oi) ~ x", {}, DataError, "one number of thresholds for all rows; got 1, 2, 3, 4"),
    "within a group": ("ot | thres(oi, gr = h) ~ x", {}, DataError, "one number of thresholds in the group `u`"),
    "no column": ("o | thres(gr = log(x)) ~ x", {}, FormulaError, r"`gr=log\(x\)` of `thres\(\)` is no column"),
    "cs": ("ot | thres(gr = h) ~ cs(x)", {}, FormulaError, "same thresholds in all rows"),
    "spaced": (GROUPED, {"threshold": "equidistant"}, ModelError, "Thresholds of groups.*are flexible"),
    "one category": ("one | thres(gr = h) ~ x", {}, DataError, "one category only in the group `u`"),
    "unknown": ("o ~ x", {"threshold": "sumtozero"}, ModelError, "'sum_to_zero'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_impossible_thresholds_are_refused(case: str) -> None:
    formula, options, kind, message = REFUSED[case]
    frame = DATA.assign(one=np.where(DATA["h"] == "u", 1, DATA["ot"]))
    with pytest.raises(kind, match=f"(?s){message}"):
        describe_problem(formula, frame, cumulative(**options))


def test_other_families_have_no_thresholds() -> None:
    with pytest.raises(FormulaError, match=r"gaussian has no response term `thres\(\)`"):
        describe_problem("y | thres(3) ~ x", DATA)


def test_levels_of_a_factor_for_every_category() -> None:
    frame = DATA.assign(o=pd.Categorical(DATA["o"].astype(str), ordered=True))
    with pytest.raises(DataError, match="5 categories, and the column has 4 levels"):
        describe_problem("o | thres(4) ~ x", frame, cumulative())
