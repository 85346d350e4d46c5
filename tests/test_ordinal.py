"""Ordinal responses: the cumulative family, its thresholds, category specific effects."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest
from jax import numpy as jnp
from scipy import stats

import bayesml
from bayesml.engines.precision import double_precision
from bayesml.errors import DataError, FormulaError, ModelError
from bayesml.families import RawResponse, cumulative, get_family
from bayesml.fit import describe_problem

# Where category specific effects make thresholds cross the density is 0: a border at which a step may diverge.
pytestmark = pytest.mark.filterwarnings("ignore::bayesml.errors.FitWarning")

DISTRIBUTIONS = {"logit": stats.logistic, "probit": stats.norm, "cauchit": stats.cauchy}
LABELS = ("low", "middle", "high", "top")


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(11)
    n = 300
    x, g = rng.normal(size=n), rng.integers(0, 12, n)
    latent = x + rng.normal(0.0, 0.7, 12)[g] + rng.logistic(size=n)
    code = np.digitize(latent, [-1.0, 0.5, 2.0])
    grade = pd.Categorical(np.array(LABELS)[code], LABELS, ordered=True)
    return pd.DataFrame({"grade": grade, "k": code + 1, "x": x, "z": rng.normal(size=n), "g": g})


@pytest.fixture(scope="module")
def fit(frame):
    return bayesml.fit("grade ~ x + cs(z) + (1 | g)", frame, "cumulative", seed=2, progress=False)


def log_prob(link, y, eta, tau, disc=1.0, specific=None):
    likelihood = cumulative(link).bind(RawResponse("y", np.array([1.0, len(tau) + 1.0])))
    data = likelihood.encode(RawResponse("y", y)).arrays
    values = {"mu": jnp.asarray(eta), "disc": disc, "b_Intercept": jnp.asarray(tau)[None]}
    if specific is not None:
        values["cs"] = jnp.asarray(specific)
    return likelihood.log_prob(jnp.asarray(y), values, data)


@pytest.mark.parametrize("link", DISTRIBUTIONS)
def test_the_density_is_a_difference_of_distribution_functions(link, rng):
    tau, eta, y = np.array([-1.2, 0.1, 1.7]), rng.normal(size=40), rng.integers(1, 5, 40).astype(float)
    F = DISTRIBUTIONS[link].cdf
    edges = np.concatenate([[-np.inf], tau, [np.inf]])
    upper, lower = edges[y.astype(int)], edges[y.astype(int) - 1]
    expected = np.log(F(1.3 * (upper - eta)) - F(1.3 * (lower - eta)))
    with double_precision():
        np.testing.assert_allclose(np.asarray(log_prob(link, y, eta, tau, 1.3)), expected, rtol=1e-9)


@pytest.mark.parametrize(("link", "expected"), [("logit", -60.0), ("probit", None)])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_tails_keep_their_digits(link, expected, sign):
    # far in a tail F(u) - F(l) is 0 in double precision; of the logistic log(F(u) - F(l)) = u + log(1 - e^-1) there
    eta, tau = np.array([60.0 * sign]), np.array([-0.5, 0.5])
    with double_precision():
        value = float(log_prob(link, np.array([2.0]), eta, tau)[0])
        slope = jax.grad(lambda e: log_prob(link, np.array([2.0]), e[None], tau)[0])(jnp.asarray(eta[0]))
    if link == "logit":
        np.testing.assert_allclose(value, -59.5 + np.log(-np.expm1(-1.0)), rtol=1e-12)
    else:
        np.testing.assert_allclose(value, stats.norm.logsf(59.5) + np.log1p(-np.exp(-60.0)), rtol=1e-10)
    assert np.isfinite(float(slope))


def test_category_specific_effects_move_the_thresholds(rng):
    tau, eta, y = np.array([-1.0, 1.0]), rng.normal(size=9), np.tile([1.0, 2.0, 3.0], 3)
    specific = 0.2 * rng.normal(size=(9, 2))
    with double_precision():
        together = np.asarray(log_prob("logit", y, eta, tau, specific=specific))
        each = [log_prob("logit", y[[i]], eta[[i]], tau - specific[i])[0] for i in range(9)]
    np.testing.assert_allclose(together, np.asarray(each), rtol=1e-12)


def test_thresholds_that_cross_are_impossible():
    with double_precision():
        assert np.isneginf(log_prob("logit", np.array([2.0]), np.zeros(1), np.array([1.0, -1.0]))[0])


@pytest.mark.parametrize("link", DISTRIBUTIONS)
def test_probabilities_sum_to_one_and_draws_follow_them(link, rng):
    likelihood = cumulative(link).bind(RawResponse("y", np.arange(1.0, 5.0)))
    values = {"mu": np.zeros((1, 1)), "disc": np.full((1, 1), 1.5), "b_Intercept": np.array([[[-1.0, 0.2, 1.0]]])}
    p = likelihood.mean(values, {})
    np.testing.assert_allclose(p.sum(-1), 1.0, rtol=1e-12)
    many = {**values, "mu": np.zeros((1, 20_000))}
    drawn = likelihood.draw(rng, many, {})
    counts = np.bincount(drawn.astype(int).ravel(), minlength=5)[1:]
    # chi-square with 3 degrees of freedom, 0.9999 quantile
    assert ((counts - 20_000 * p.ravel()) ** 2 / (20_000 * p.ravel())).sum() < 21.1


def test_effects_are_recovered(fit):
    table = fit.summary().to_pandas()
    for name, truth in {"b_Intercept[1]": -1.0, "b_Intercept[2]": 0.5, "b_Intercept[3]": 2.0, "b_x": 1.0}.items():
        assert abs(table.loc[name, "Estimate"] - truth) < 4.0 * table.loc[name, "Est.Error"]
    assert {"bcs_z[1]", "bcs_z[2]", "bcs_z[3]"} <= set(table.index)


def test_expectations_are_labelled_probabilities(fit, frame):
    expected = fit.epred(frame.iloc[:3])
    assert expected.dims == ("chain", "draw", "obs", "category")
    assert tuple(expected["category"].values) == LABELS
    np.testing.assert_allclose(expected.sum("category").values, 1.0, rtol=1e-10)
    table = fit.epred(frame.iloc[:3], summary=True)
    assert table.index.names == ["obs", "category"] and len(table) == 12
    np.testing.assert_allclose(table["Estimate"].to_numpy(), expected.mean(("chain", "draw")).values.ravel())


def test_log_likelihood_is_that_of_the_probabilities(fit, frame):
    rows = frame.iloc[:20]
    log_lik = fit.log_lik(rows).values
    p = fit.epred(rows).values
    observed = np.take_along_axis(p, (rows["k"].to_numpy() - 1)[None, None, :, None], axis=-1)[..., 0]
    np.testing.assert_allclose(log_lik, np.log(observed), rtol=1e-6, atol=1e-9)


def test_predictions_are_categories(fit, frame):
    drawn = fit.predict(frame.iloc[:5], seed=1).values
    assert set(np.unique(drawn)) <= {1.0, 2.0, 3.0, 4.0}


def test_conditional_effects_show_each_category(fit):
    table = fit.conditional_effects("x", robust=False)["x"]
    assert list(table["cats__"].cat.categories) == list(LABELS)
    sums = table.groupby("x")["estimate__"].sum()
    np.testing.assert_allclose(sums, 1.0, rtol=1e-10)


def test_a_saved_fit_predicts_alike(fit, frame, tmp_path):
    fit.save(tmp_path / "ordinal.nc")
    again = bayesml.load(tmp_path / "ordinal.nc")
    np.testing.assert_array_equal(again.epred(frame.iloc[:3]).values, fit.epred(frame.iloc[:3]).values)


def test_equidistant_thresholds_have_one_distance(frame):
    family = cumulative(threshold="equidistant")
    fit = bayesml.fit("k ~ x", frame, family, seed=2, progress=False)
    steps = np.diff(np.stack([fit[f"b_Intercept[{k}]"].values.ravel() for k in (1, 2, 3)], axis=1), axis=1)
    np.testing.assert_allclose(steps, fit["delta"].values.ravel()[:, None] * np.ones(2), rtol=1e-8)


def test_disc_may_have_a_formula(frame):
    spec = describe_problem(bayesml.bf("k ~ x", disc="~ z"), frame, "cumulative").description.spec
    assert {p.name for p in spec.parameters} == {"slopes", "Intercept", "Intercept_disc", "slopes_disc"}
    assert "disc" not in {p.name for p in describe_problem("k ~ x", frame, "cumulative").description.spec.parameters}


@pytest.mark.parametrize(
    ("formula", "family", "error", "words"),
    [
        ("k ~ 0 + x", "cumulative", FormulaError, "stand for the intercept"),
        ("k ~ x + cs(z)", "poisson", FormulaError, "ordinal family"),
        ("k ~ cs(x):z", "cumulative", FormulaError, "inside it"),
        ("k ~ cs(x, z)", "cumulative", FormulaError, "one column"),
        ("x ~ z", "cumulative", DataError, "whole number"),
    ],
)
def test_what_makes_no_sense_is_refused(formula, family, error, words, frame):
    with pytest.raises(error, match=words):
        describe_problem(formula, frame, family)


def test_impossible_options_are_refused(frame):
    with pytest.raises(ModelError, match="threshold"):
        cumulative(threshold="even")
    with pytest.raises(ModelError, match="link"):
        cumulative("log")
    with pytest.raises(ModelError, match="nuts"):
        bayesml.fit("k ~ x", frame, "cumulative", method="ml")
    with pytest.raises(DataError, match="one category"):
        describe_problem("k ~ x", frame.assign(k=1), "cumulative")


def test_it_is_listed():
    assert get_family("cumulative").name == "cumulative"
