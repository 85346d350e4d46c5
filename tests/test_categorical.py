"""The categorical family: categories without an order, each with its linear predictor."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from jax import numpy as jnp

import bayesml
from bayesml.engines.precision import double_precision
from bayesml.errors import DataError, FormulaError, ModelError, PriorError
from bayesml.families import RawResponse, get_family
from bayesml.families.categorical import categorical
from bayesml.fit import describe_problem

LABELS = ("north", "east", "south")


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(3)
    n = 240
    x, g = rng.normal(size=n), rng.integers(0, 8, n)
    eta = np.stack([0 * x, 0.5 + x + rng.normal(0.0, 0.5, 8)[g], -0.5 - 0.5 * x], axis=1)
    p = np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True)
    k = (rng.random((n, 1)) > p.cumsum(axis=1)[:, :2]).sum(axis=1)
    side = pd.Categorical(np.array(LABELS)[k], LABELS)
    return pd.DataFrame({"side": side, "k": k, "x": x, "z": rng.normal(size=n), "g": g})


@pytest.fixture(scope="module")
def fit(frame):
    return bayesml.fit("side ~ x + (1 | g)", frame, "categorical", seed=1, chains=2, draws=1000, progress=False)


def bound(labels, refcat=None):
    codes = np.arange(len(labels))
    return categorical(refcat=refcat).bind(RawResponse("y", codes, tuple(labels)))


@pytest.mark.parametrize("refcat", [None, "c", "NA"])
def test_the_density_is_that_of_the_softmax(refcat, rng):
    likelihood, y = bound("abc", refcat), rng.integers(1, 4, 30).astype(float)
    etas = {p.name: rng.normal(size=30) for p in likelihood.dpars}
    assert set(etas) == {"mua", "mub", "muc"} - {{None: "mua", "c": "muc"}.get(refcat)}
    every = np.stack([etas.get(f"mu{label}", np.zeros(30)) for label in "abc"], axis=1)
    expected = every[np.arange(30), y.astype(int) - 1] - np.log(np.exp(every).sum(axis=1))
    with double_precision():
        found = likelihood.log_prob(jnp.asarray(y), {k: jnp.asarray(v) for k, v in etas.items()}, {})
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-12)
    np.testing.assert_allclose(likelihood.mean(etas, {}).sum(axis=-1), 1.0, rtol=1e-12)


def test_large_linear_predictors_do_not_overflow():
    likelihood = bound("abc")
    with double_precision():
        values = {"mub": jnp.array([800.0, -800.0]), "muc": jnp.array([0.0, -900.0])}
        found = likelihood.log_prob(jnp.array([1.0, 3.0]), values, {})
    np.testing.assert_allclose(np.asarray(found), [-800.0, -900.0], rtol=1e-12)


def test_draws_follow_the_probabilities(rng):
    likelihood, n = bound("abc"), 20_000
    values = {"mub": np.full((1, n), 0.4), "muc": np.full((1, 1), -1.0)}
    p, drawn = likelihood.mean(values, {})[0, 0], likelihood.draw(rng, values, {})
    counts = np.bincount(drawn.astype(int).ravel(), minlength=4)[1:]
    # chi-square with 2 degrees of freedom, 0.9999 quantile
    assert ((counts - n * p) ** 2 / (n * p)).sum() < 18.5


def test_effects_are_recovered_under_the_names_of_brms(fit):
    table = fit.summary().to_pandas()
    truth = {"b_mueast_Intercept": 0.5, "b_musouth_Intercept": -0.5, "b_mueast_x": 1.0, "b_musouth_x": -0.5}
    for name, value in truth.items():
        assert abs(table.loc[name, "Estimate"] - value) < 4.0 * table.loc[name, "Est.Error"]
    assert {"sd_g__mueast_Intercept", "sd_g__musouth_Intercept"} <= set(table.index)
    assert fit.plan.startswith("preconditioned")
    assert "relative to 'north'" in str(fit.summary())


@pytest.mark.filterwarnings("ignore:.*Pareto k")
def test_expectations_and_log_likelihood_are_those_of_the_categories(fit, frame):
    rows = frame.iloc[:12]
    expected = fit.epred(rows)
    assert expected.dims == ("chain", "draw", "obs", "category") and tuple(expected["category"].values) == LABELS
    observed = np.take_along_axis(expected.values, rows["k"].to_numpy()[None, None, :, None], axis=-1)[..., 0]
    np.testing.assert_allclose(fit.log_lik(rows).values, np.log(observed), rtol=1e-6, atol=1e-9)
    assert len(fit.epred(rows, summary=True)) == 12 * 3
    assert fit.linpred(rows, dpar="musouth").dims == ("chain", "draw", "obs")
    assert np.isfinite(fit.loo().elpd_loo)


def test_new_rows_keep_the_categories_of_the_fit(fit, frame):
    some = frame[frame["side"] != "east"].iloc[:10]
    lacking = some.assign(side=some["side"].astype(str))
    np.testing.assert_array_equal(fit.log_lik(lacking).values, fit.log_lik(some).values)
    assert set(np.unique(fit.predict(some, seed=1).values)) <= {1.0, 2.0, 3.0}
    with pytest.raises(DataError, match="west"):
        fit.log_lik(lacking.assign(side="west"))


def test_effects_are_shown_by_category(fit):
    table = fit.conditional_effects("x", robust=False)["x"]
    np.testing.assert_allclose(table.groupby("x")["estimate__"].sum(), 1.0, rtol=1e-10)
    assert len(fit.conditional_effects("x", dpar="mueast")["x"]) * 3 == len(table)
    assert [label.get_text() for label in fit.pp_check(seed=1).axes[0].get_xticklabels()] == list(LABELS)


def test_a_saved_fit_predicts_alike(fit, frame, tmp_path):
    fit.save(tmp_path / "sides.nc")
    again = bayesml.load(tmp_path / "sides.nc")
    np.testing.assert_array_equal(again.epred(frame.iloc[:3]).values, fit.epred(frame.iloc[:3]).values)


def test_what_needs_a_number_is_refused(fit):
    with pytest.raises(ModelError, match="no residuals"):
        fit.residuals()
    with pytest.raises(ModelError, match="dpar='mueast'"):
        fit.linpred()
    with pytest.raises(ModelError, match="nuts"):
        bayesml.fit("k ~ x", {"k": [1, 2, 3, 1], "x": [0.1, 0.2, 0.5, 0.4]}, "categorical", method="ml")
    with pytest.warns(bayesml.FitWarning, match="separation"):
        bayesml.fit("k ~ x", {"k": [1, 2, 3, 3], "x": [0.1, 0.2, 0.5, 0.4]}, "categorical", method="laplace")


def parameters_of(*arguments, **options):
    return {p.name for p in describe_problem(*arguments, **options).description.spec.parameters}


def test_the_main_formula_is_that_of_every_category_without_its_own(frame):
    formula = bayesml.bf("side ~ x", musouth="~ 1 + (1 | g)")
    found = parameters_of(formula, frame, "categorical")
    assert "slopes_mueast" in found and "slopes_musouth" not in found and "sd_g__musouth" in found
    with pytest.raises(FormulaError, match="are not used"):
        parameters_of(bayesml.bf("side ~ x", mueast="~ 1", musouth="~ z"), frame, "categorical")
    with pytest.raises(FormulaError, match="muwest"):
        parameters_of(bayesml.bf("side ~ x", muwest="~ 1"), frame, "categorical")


def test_numbers_and_truth_values_are_categories(frame):
    assert "Intercept_mu1" in parameters_of("k ~ x", frame, "categorical")
    assert "Intercept_muTrue" in parameters_of("flag ~ x", frame.assign(flag=frame["x"] > 0), "categorical")
    assert "Intercept_mu0" in parameters_of("k ~ x", frame, categorical(refcat=2))


def test_a_prior_without_a_parameter_is_meant_for_every_category(frame):
    priors = [bayesml.prior("normal(0, 1)", class_="b"), bayesml.prior("normal(0, 3)", class_="b", dpar="mueast")]
    spec = describe_problem("side ~ x", frame, "categorical", prior=priors).description.spec
    assert str(spec.parameter("slopes_mueast").priors[0]) == "normal(0, 3)"
    assert str(spec.parameter("slopes_musouth").priors[0]) == "normal(0, 1)"
    with pytest.raises(PriorError, match="matches no parameter"):
        describe_problem("side ~ x", frame, "categorical", prior=[bayesml.prior("normal(0, 1)", coef="w")])


def test_what_makes_no_sense_is_refused(frame):
    with pytest.raises(DataError, match="one category only"):
        describe_problem("k ~ x", frame.assign(k=1), "categorical")
    with pytest.raises(DataError, match="too many categories"):
        describe_problem("x ~ z", frame.assign(x=np.arange(len(frame))), "categorical")
    with pytest.raises(DataError, match="letters and digits"):
        describe_problem("s ~ x", frame.assign(s=np.where(frame["x"] > 0, "a b", "ab")), "categorical")
    with pytest.raises(ModelError, match="refcat.*did you mean `north`"):
        describe_problem("side ~ x", frame, categorical(refcat="nort"))
    with pytest.raises(ModelError, match="refcat"):
        categorical(refcat=1.5)
    assert get_family("categorical").name == "categorical"
