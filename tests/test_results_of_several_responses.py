"""What is asked of models of several responses: of all together, and of one by ``resp=``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesml
from bayesml import bf, set_rescor
from bayesml.errors import DataError, ModelError
from bayesml.results.checks.psis import leave_one_out
from tests.handmade import CHAINS, DRAWS, handmade_fit

ALL = CHAINS * DRAWS
ROWS = 40


def data() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    return pd.DataFrame(
        {
            "y.1": rng.normal(1.0, 1.0, ROWS),
            "y2": rng.normal(0.0, 2.0, ROWS),
            "k": rng.poisson(2.0, ROWS),
            "o": rng.choice(["a", "b", "c"], ROWS),
            "x": rng.normal(size=ROWS),
            "z": rng.normal(size=ROWS),
            "f": rng.choice(["u", "v"], ROWS),
            "g": rng.choice(["g1", "g2", "g3", "g4", "g5"], ROWS),
            "w": rng.uniform(0.5, 2.0, ROWS),
        },
        index=[f"row {i}" for i in range(ROWS)],
    )


DATA = data()
RESCOR = bf("y.1 ~ x + (1 | p | g)", sigma="~ z") + bf("y2 ~ f + (1 | p | g)") + set_rescor(True)
MIXED = bf("y.1 | weights(w) ~ x + (1 | g)") + bf("k ~ z", family="poisson") + bf("o ~ x", family="categorical")


@pytest.fixture(scope="module")
def fit() -> bayesml.Fit:
    return handmade_fit(RESCOR, DATA)


@pytest.fixture(scope="module")
def mixed() -> bayesml.Fit:
    return handmade_fit(MIXED, DATA)


def alone(formula: str, family: str, joint: bayesml.Fit, names: dict[str, str]) -> bayesml.Fit:
    """Return the model of one response with the draws that it has among several."""
    own = {single: joint.draws_record.values[several] for single, several in names.items()}
    return handmade_fit(formula, DATA, family, change=own)


def singles(mixed: bayesml.Fit) -> dict[str, bayesml.Fit]:
    first = {"b": "b_y1", "sigma": "sigma_y1", "sd_g": "sd_g__y1", "r_g": "r_g__y1"}
    return {
        "y1": alone("y.1 | weights(w) ~ x + (1 | g)", "gaussian", mixed, first),
        "k": alone("k ~ z", "poisson", mixed, {"b": "b_k"}),
        "o": alone("o ~ x", "categorical", mixed, {"b_mub": "b_mub_o", "b_muc": "b_muc_o"}),
    }


def flat(array: Any) -> np.ndarray:
    return array.to_numpy().reshape(ALL, *array.shape[2:])


# One of several ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resp", ["y1", "k", "o"])
def test_one_response_is_answered_as_in_a_model_of_it_alone(resp: str, mixed: bayesml.Fit) -> None:
    single = singles(mixed)[resp]
    rows = {"x": [0.0, 1.0], "z": [1.0, -1.0], "g": ["g1", "g3"]}
    for newdata in (None, rows):
        np.testing.assert_allclose(mixed.epred(newdata, resp=resp), single.epred(newdata), rtol=1e-12)
        drawn = [f.predict(newdata, seed=1, **of) for f, of in ((mixed, {"resp": resp}), (single, {}))]
        np.testing.assert_array_equal(*drawn)
    np.testing.assert_allclose(mixed.log_lik(resp=resp), single.log_lik(), rtol=1e-10)
    dpar = "mub" if resp == "o" else "mu"
    np.testing.assert_allclose(mixed.linpred(resp=resp, dpar=dpar), single.linpred(dpar=dpar), rtol=1e-12)
    ours, theirs = mixed.conditional_effects(resp=resp, seed=1), single.conditional_effects(seed=1)
    assert list(ours) == list(theirs)
    for name in ours:
        pd.testing.assert_frame_equal(ours[name], theirs[name])
    if resp != "o":
        np.testing.assert_allclose(mixed.residuals(resp=resp, type="pearson"), single.residuals(type="pearson"))
        variable = "x" if resp == "y1" else "z"
        pd.testing.assert_frame_equal(
            mixed.emtrends(variable, resp=resp).to_pandas(), single.emtrends(variable).to_pandas()
        )


def test_new_data_need_the_columns_of_the_response_alone(mixed: bayesml.Fit) -> None:
    assert mixed.epred({"z": [0.0, 1.0]}, resp="k").shape == (CHAINS, DRAWS, 2)
    with pytest.raises(DataError, match="`z`.*one alone, `resp=`"):
        mixed.epred({"x": [0.0], "g": ["g1"]})
    with pytest.raises(DataError, match="`k`"):
        mixed.log_lik({"z": [0.0]}, resp="k")


def test_a_response_has_two_names(fit: bayesml.Fit) -> None:
    np.testing.assert_array_equal(fit.epred(resp="y.1"), fit.epred(resp="y1"))
    single = handmade_fit("y.1 ~ x", DATA)
    np.testing.assert_array_equal(single.epred(resp="y.1"), single.epred())


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda fit: fit.epred(resp="y3"), "no response 'y3'.*it has `y1`, `y2`"),
        (lambda fit: fit.epred(resp=3), "no response 3"),
        (lambda fit: fit.pp_check(), "say which is meant, resp='y1'; it has `y1`, `y2`"),
        (lambda fit: fit.emmeans("f"), "say which is meant"),
        (lambda fit: fit.emmeans("f", resp="y1"), "`f` in `specs` is not a population-level predictor"),
        (lambda fit: fit.linpred(dpar="sigma"), "`sigma` has no formula.*about `y2`; ask for another response alone"),
        (lambda fit: fit.epred(dpar="nu"), "no parameter `nu`"),
        (lambda fit: fit.conditional_effects("w"), "`w` is not an effect"),
        (lambda fit: fit.loo(resp="y"), "no response 'y'"),
    ],
)
def test_what_cannot_be_asked(fit: bayesml.Fit, ask: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        ask(fit)


# All together --------------------------------------------------------------------------------------------------------


def test_all_responses_have_a_dimension(fit: bayesml.Fit) -> None:
    for found in (fit.epred(), fit.linpred(), fit.predict(seed=1), fit.residuals(), fit.epred(ndraws=7, seed=1)):
        assert found.dims[-2:] == ("obs", "resp")
        assert list(found["resp"].to_numpy()) == ["y1", "y2"]
        assert list(found["obs"].to_numpy()) == list(DATA.index)
    for resp in ("y1", "y2"):
        np.testing.assert_allclose(fit.epred().sel(resp=resp), fit.epred(resp=resp), rtol=1e-12)
        np.testing.assert_allclose(fit.epred(dpar="sigma").sel(resp=resp), fit.epred(dpar="sigma", resp=resp))
        np.testing.assert_allclose(fit.residuals().sel(resp=resp), fit.residuals(resp=resp), rtol=1e-12)
    table = fit.epred(summary=True)
    assert list(table.index.names) == ["obs", "resp"] and len(table) == 2 * ROWS
    one = fit.epred(resp="y2", summary=True)
    np.testing.assert_allclose(table.xs("y2", level="resp"), one, rtol=1e-12)


def test_responses_with_categories_are_listed_by_name(mixed: bayesml.Fit) -> None:
    found = mixed.epred()
    assert list(found) == ["y1", "k", "o"]
    assert found["o"].dims == ("chain", "draw", "obs", "category")
    np.testing.assert_allclose(found["o"], mixed.epred(resp="o"), rtol=1e-12)
    assert mixed.epred(summary=True)["k"].shape == (ROWS, 4)
    drawn = mixed.predict(seed=1)
    assert drawn.dims[-1] == "resp"
    assert set(np.unique(drawn.sel(resp="o"))) <= {1.0, 2.0, 3.0}


@pytest.mark.parametrize("family", ["gaussian", "student"])
def test_random_responses_of_a_row_have_correlated_residuals(family: str) -> None:
    change = {"rescor": np.full((CHAINS, DRAWS, 1), -0.8), "nu": np.full((CHAINS, DRAWS), 30.0)}
    fit = handmade_fit("mvbind(y.1, y2) ~ x", DATA, family, change=change)
    residuals = fit.predict(seed=3) - fit.epred()
    scaled = flat(residuals / fit.epred(dpar="sigma")).reshape(-1, 2)
    # 7,200 pairs: the standard error of a correlation of -0.8 is (1 - 0.64) / sqrt(7200) = 0.004
    assert np.corrcoef(scaled.T)[0, 1] == pytest.approx(-0.8, abs=0.02)
    sd = 1.0 if family == "gaussian" else np.sqrt(30 / 28)
    assert scaled.std(axis=0) == pytest.approx([sd, sd], rel=0.05)


def test_new_levels_have_effects_in_common(fit: bayesml.Fit) -> None:
    """The effects of an unseen level on both responses have the correlation of the model."""
    rows = {"x": [0.0], "z": [0.0], "f": ["u"], "g": ["new"]}
    values = fit.draws_record.values
    change = {"cor_g": np.full_like(values["cor_g"], 0.9)} if "cor_g" in values else {}
    (name,) = [n for n in values if n.startswith("cor_g")]
    change = {name: np.full_like(values[name], 0.9)}
    fixed = handmade_fit(RESCOR, DATA, change=change)
    both = fixed.linpred(rows, new_levels="gaussian", seed=2) - fixed.linpred(rows, re_formula="NA")
    sds = np.stack([fixed.draws_record.values[f"sd_g__{r}"].ravel() for r in ("y1", "y2")], axis=1)
    effects = flat(both)[:, 0] / sds
    # 180 pairs: standard error of a correlation of 0.9 is 0.19 / sqrt(180) = 0.014
    assert np.corrcoef(effects.T)[0, 1] == pytest.approx(0.9, abs=0.06)


def test_the_joint_density_is_that_of_the_multivariate_normal(fit: bayesml.Fit) -> None:
    found, mean, sd = flat(fit.log_lik()), flat(fit.epred()), flat(fit.epred(dpar="sigma"))
    rho = fit.draws()["rescor__y1__y2"].to_numpy()
    for draw, row in ((0, 0), (17, 5), (ALL - 1, ROWS - 1)):
        scale = np.outer(sd[draw, row], sd[draw, row]) * [[1.0, rho[draw]], [rho[draw], 1.0]]
        expected = stats.multivariate_normal(mean[draw, row], scale).logpdf(DATA[["y.1", "y2"]].iloc[row])
        assert found[draw, row] == pytest.approx(expected, rel=1e-10)
    marginal = stats.norm(mean[..., 0], sd[..., 0]).logpdf(DATA["y.1"])
    np.testing.assert_allclose(flat(fit.log_lik(resp="y1")), marginal, rtol=1e-9)
    again = fit.log_lik(DATA)
    np.testing.assert_allclose(flat(again), found, rtol=1e-12)


def test_independent_responses_add_up(mixed: bayesml.Fit) -> None:
    parts = sum(flat(mixed.log_lik(resp=resp)) for resp in ("y1", "k", "o"))
    np.testing.assert_allclose(flat(mixed.log_lik()), parts, rtol=1e-10)
    np.testing.assert_allclose(flat(mixed.log_lik(DATA)), parts, rtol=1e-10)


@pytest.mark.filterwarnings("ignore::bayesml.errors.FitWarning")
def test_loo_is_of_all_or_of_one(mixed: bayesml.Fit) -> None:
    for options in ({}, {"resp": "k"}):
        values = flat(mixed.log_lik(**options))
        expected = leave_one_out(np.ascontiguousarray(values.T), 1.0).elpd.sum()
        found = mixed.loo(**options)
        elpd = found["elpd_loo"] if "elpd_loo" in dir(found) else found.elpd
        # the smoothing depends a little on the relative efficiency
        assert float(elpd) == pytest.approx(float(expected), rel=0.05)


# Pictures, marginal means, ArviZ -------------------------------------------------------------------------------------


def test_effects_on_every_response(fit: bayesml.Fit, mixed: bayesml.Fit) -> None:
    effects = fit.conditional_effects()
    assert list(effects) == ["y1", "y2"]
    assert list(effects["y1"]) == ["x", "z"] and list(effects["y2"]) == ["f"]
    assert "y2" not in effects["y1"]["x"].columns
    figure = effects.plot(points=True)
    assert [axes.get_ylabel() for axes in figure.axes] == ["y.1", "y.1", "y2"]
    assert list(fit.conditional_effects("f")) == ["y2"]
    with pytest.raises(ModelError, match="effects on `y1`, `y2`"):
        effects["x"]
    every = mixed.conditional_effects()
    assert [axes.get_ylabel() for axes in every.plot().figure.axes if axes.get_ylabel()] == ["y.1", "k", "P(o)"]
    (sigma,) = fit.conditional_effects("z", dpar="sigma", resp="y1").plot().axes
    assert sigma.get_ylabel() == "sigma of y.1"


def test_means_of_one_response(fit: bayesml.Fit) -> None:
    means = fit.emmeans("f", resp="y2").to_pandas()
    b = fit.draws()
    expected = [b["b_y2_Intercept"].mean(), (b["b_y2_Intercept"] + b["b_y2_f[v]"]).mean()]
    np.testing.assert_allclose(means["emmean"], expected)
    table = fit.contrast("b_y1_x - b_y2_f[v]")
    np.testing.assert_allclose(table["Estimate"], (b["b_y1_x"] - b["b_y2_f[v]"]).mean())


def test_the_share_of_variance_of_each_response(fit: bayesml.Fit, mixed: bayesml.Fit) -> None:
    mean = flat(fit.epred())
    rest = DATA[["y.1", "y2"]].to_numpy() - mean
    expected = mean.var(axis=1, ddof=1) / (mean.var(axis=1, ddof=1) + rest.var(axis=1, ddof=1))
    drawn = fit.bayes_R2(summary=False)
    assert list(drawn.columns) == ["R2y1", "R2y2"]
    np.testing.assert_allclose(drawn, expected, rtol=1e-10)
    table = fit.bayes_R2(resp="y2")
    np.testing.assert_allclose(table.loc["R2y2", "Estimate"], expected[:, 1].mean())
    assert list(handmade_fit("y2 ~ x", DATA).bayes_R2().index) == ["R2"]
    with pytest.raises(ModelError, match="`o` has categories.*about `o`; ask for another response alone"):
        mixed.bayes_R2()


def test_components_of_one_response() -> None:
    formula = bf("y2 ~ x", family=bayesml.families.mixture("gaussian", "gaussian")) + bf("k ~ z", family="poisson")
    both = handmade_fit(formula, DATA)
    found = both.pp_mixture(resp="y2")
    assert found.dims[-1] == "component"
    np.testing.assert_allclose(found.sum("component"), 1.0)
    with pytest.raises(ModelError, match="poisson is no mixture"):
        both.pp_mixture(resp="k")


def test_a_picture_of_one_response(mixed: bayesml.Fit) -> None:
    for resp, label in (("y1", "y.1"), ("k", "k"), ("o", "o")):
        figure = mixed.pp_check(resp=resp, ndraws=5, seed=1)
        assert figure.axes[0].get_xlabel() == label


def test_arviz_has_a_variable_for_each_response(fit: bayesml.Fit, mixed: bayesml.Fit, tmp_path: Path) -> None:
    groups = mixed.idata
    for name in ("observed_data", "posterior_predictive", "log_likelihood"):
        assert set(groups[name].data_vars) == {"y.1", "k", "o"}
    np.testing.assert_allclose(flat(groups["log_likelihood"]["k"]), flat(mixed.log_lik(resp="k")))
    assert groups["posterior_predictive"]["k"].dtype == np.int64
    assert set(fit.idata["log_likelihood"].data_vars) == {"y1_y2"}
    np.testing.assert_allclose(flat(fit.idata["log_likelihood"]["y1_y2"]), flat(fit.log_lik()))
    drawn = fit.to_arviz(posterior_predictive=True, seed=1)["posterior_predictive"]
    np.testing.assert_array_equal(drawn["y2"], fit.predict(seed=1).sel(resp="y2"))
    fit.save(tmp_path / "fit.nc")
    loaded = bayesml.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(loaded.predict(seed=5), fit.predict(seed=5))
    np.testing.assert_array_equal(loaded.epred(resp="y2"), fit.epred(resp="y2"))
