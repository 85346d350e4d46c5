"""Mixtures of families: components, ordered Intercepts, mixing proportions."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest
from jax import numpy as jnp
from scipy import stats

import bayesml
from bayesml.engines.nuts.forms.plain import plain_form
from bayesml.engines.precision import double_precision
from bayesml.errors import FormulaError, ModelError
from bayesml.families import RawResponse, mixture
from bayesml.fit import describe_problem


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(5)
    n = 200
    x, second = rng.normal(size=n), rng.random(n) < 0.4
    y = np.where(second, 3.0 + 0.5 * x, -2.0) + np.where(second, 0.7, 1.0) * rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "z": rng.normal(size=n), "g": np.arange(n) % 5, "k": rng.poisson(3.0, n)})


TWO = mixture("gaussian", "gaussian")


@pytest.fixture(scope="module")
def fit(frame):
    return bayesml.fit(
        "y ~ x", frame, mixture("gaussian", "gaussian"), seed=1, chains=2, warmup=500, draws=600, progress=False
    )


VALUES = {"mu1": -0.4, "sigma1": 1.2, "mu2": 0.9, "sigma2": 0.6, "nu2": 4.0}


def test_the_density_is_the_weighted_sum_and_draws_follow_it(rng):
    likelihood = mixture("gaussian", "student").bind(RawResponse("y", np.array([0.1, 0.7])))
    y, theta = np.linspace(-3.0, 3.0, 9), np.array([0.3, 0.7])
    expected = 0.3 * stats.norm(-0.4, 1.2).pdf(y) + 0.7 * stats.t(4.0, 0.9, 0.6).pdf(y)
    with double_precision():
        found = likelihood.log_prob(jnp.asarray(y), {**VALUES, "theta": jnp.asarray(theta)[None]}, {})
    np.testing.assert_allclose(np.asarray(found), np.log(expected), rtol=1e-10)
    n = 40_000
    natural = {name: np.full((1, 1), v) for name, v in VALUES.items()} | {"theta": theta[None, None]}
    natural["mu1"] = np.full((1, n), -0.4)
    drawn = likelihood.draw(rng, natural, {})[0]
    mean, variance = 0.3 * -0.4 + 0.7 * 0.9, np.ravel(likelihood.variance(natural, {}))[0]
    np.testing.assert_allclose(likelihood.mean(natural, {})[0, 0], mean, rtol=1e-12)
    assert abs(drawn.mean() - mean) < 5 * np.sqrt(variance / n)
    share = 0.3 * stats.norm(-0.4, 1.2).cdf(0.0) + 0.7 * stats.t(4.0, 0.9, 0.6).cdf(0.0)
    assert abs((drawn < 0).mean() - share) < 5 * np.sqrt(0.25 / n)


def test_components_are_recovered_in_order(fit):
    table = fit.summary().to_pandas()
    truth = {"b_mu1_Intercept": -2.0, "b_mu2_Intercept": 3.0, "b_mu2_x": 0.5, "sigma2": 0.7, "theta2": 0.4}
    for name, value in truth.items():
        assert abs(table.loc[name, "Estimate"] - value) < 4.0 * table.loc[name, "Est.Error"]
    np.testing.assert_allclose(fit["theta1"] + fit["theta2"], 1.0, rtol=1e-10)
    assert "mixture(gaussian, gaussian)" in str(fit.summary())
    assert fit.plan.startswith("preconditioned")


def test_results_are_there(fit, frame, tmp_path):
    rows = frame.iloc[:5]
    draws = {name: fit[name].values for name in ("theta1", "b_mu1_Intercept", "b_mu1_x", "b_mu2_Intercept", "b_mu2_x")}
    x = rows["x"].to_numpy()
    means = [draws[f"b_mu{k}_Intercept"][..., None] + draws[f"b_mu{k}_x"][..., None] * x for k in (1, 2)]
    share = draws["theta1"][..., None]
    np.testing.assert_allclose(fit.epred(rows).values, share * means[0] + (1 - share) * means[1], rtol=1e-8)
    assert fit.predict(rows, seed=1).shape == (2, 600, 5)
    assert np.isfinite(fit.residuals(rows, type="pearson")).all() and np.isfinite(fit.loo().elpd_loo)
    assert len(fit.conditional_effects("x", dpar="mu2")["x"]) == len(fit.conditional_effects("x")["x"])
    assert fit.pp_check(seed=1).axes
    fit.save(tmp_path / "mixture.nc")
    again = bayesml.load(tmp_path / "mixture.nc")
    np.testing.assert_array_equal(again.epred(rows).values, fit.epred(rows).values)
    np.testing.assert_array_equal(again.log_lik(rows).values, fit.log_lik(rows).values)


def memberships(fit, frame):
    """P(K = k | y) by Bayes's theorem from SciPy's densities at the draws of the parameters."""
    x, y = frame["x"].to_numpy(), frame["y"].to_numpy()
    densities = []
    for k in (1, 2):
        mean = fit[f"b_mu{k}_Intercept"].values[..., None] + fit[f"b_mu{k}_x"].values[..., None] * x
        density = stats.norm(mean, fit[f"sigma{k}"].values[..., None]).pdf(y)
        densities.append(fit[f"theta{k}"].values[..., None] * density)
    return np.stack(densities, axis=-1) / sum(densities)[..., None]


def test_memberships_follow_from_the_theorem_of_bayes(fit, frame):
    expected, found = memberships(fit, frame), fit.pp_mixture()
    assert found.dims == ("chain", "draw", "obs", "component") and list(found["component"].values) == ["1", "2"]
    np.testing.assert_allclose(found.values, expected, rtol=1e-7, atol=1e-12)
    rows = frame.iloc[:7]
    logs = fit.pp_mixture(rows, log=True)
    np.testing.assert_allclose(np.exp(logs.values), expected[:, :, :7], rtol=1e-7, atol=1e-12)
    table = fit.pp_mixture(rows, summary=True)
    assert table.index.names == ["obs", "component"] and len(table) == 14
    np.testing.assert_allclose(table["Estimate"], expected[:, :, :7].mean(axis=(0, 1)).ravel(), rtol=1e-7, atol=1e-12)
    far = fit.pp_mixture(
        rows.assign(y=-200.0), log=True
    )  # the density of the second component is 0 in double precision
    assert np.isfinite(far.values).all()
    with pytest.raises(bayesml.errors.DataError, match="`y`"):
        fit.pp_mixture(rows.drop(columns="y"))


def test_proportions_are_parameters_of_each_row(fit, frame):
    np.testing.assert_allclose(fit.epred(frame[:3], dpar="theta2").values[..., 1], fit["theta2"].values, rtol=1e-12)
    with pytest.raises(ModelError, match="`theta3`.*it has `mu1`"):
        fit.epred(dpar="theta3")


@pytest.mark.filterwarnings("ignore::bayesml.errors.FitWarning")  # a short chain
def test_predicted_proportions_are_the_softmax(frame):
    formula = bayesml.bf("y ~ 1", theta2="~ z")
    fit = bayesml.fit(formula, frame, TWO, chains=1, warmup=150, draws=20, seed=3, progress=False)
    rows = frame[["z"]].iloc[:4]
    eta = fit.linpred(rows, dpar="theta2").values
    expected = 1 / (1 + np.exp(-eta))
    np.testing.assert_allclose(fit.epred(rows, dpar="theta2").values, expected, rtol=1e-12)
    np.testing.assert_allclose(fit.epred(rows, dpar="theta1").values, 1 - expected, rtol=1e-10)
    shown = fit.conditional_effects("z", dpar="theta2")["z"]
    assert shown["estimate__"].between(0.0, 1.0).all()
    found = fit.pp_mixture().values
    np.testing.assert_allclose(found.sum(axis=-1), 1.0, rtol=1e-10)


def test_what_is_no_mixture_has_no_components(frame):
    single = bayesml.fit("y ~ x", frame, method="laplace")
    with pytest.raises(ModelError, match="no mixture"):
        single.to_normal_draws(ndraws=8, seed=1).pp_mixture()


def spec_of(formula, frame, family, **options):
    return describe_problem(formula, frame, family, **options).description.spec


def test_parameters_follow_the_formula(frame):
    two = mixture("gaussian", nmix=2)
    assert {p.name for p in spec_of("y ~ 1", frame, two).parameters} == {
        "ordered_Intercept",
        "sigma1",
        "sigma2",
        "theta",
    }
    free = spec_of(bayesml.bf("y ~ 1 + (1 | g)", mu2="~ x"), frame, mixture("gaussian", "student"))
    names = {p.name for p in free.parameters}
    assert {"Intercept_mu1", "Intercept_mu2", "slopes_mu2", "nu2", "sd_g__mu1"} <= names
    fixed = {p.name for p in spec_of(bayesml.bf("y ~ 1", theta1=1, theta2=3), frame, two).parameters}
    assert not any(name.startswith("theta") for name in fixed)
    predicted = {p.name for p in spec_of(bayesml.bf("y ~ 1", theta2="~ x"), frame, two).parameters}
    assert {"Intercept_theta2", "slopes_theta2"} <= predicted and "theta" not in predicted


PREDICTED, FIXED = bayesml.bf("y ~ x", theta2="~ z + (1 | g)"), bayesml.bf("y ~ x", theta1=1, theta2=2)


@pytest.mark.parametrize("formula", [PREDICTED, FIXED], ids=str)
def test_predicted_and_fixed_proportions_have_a_density_with_a_gradient(formula, frame):
    problem = describe_problem(formula, frame, mixture("gaussian", "gaussian"))
    with double_precision():
        form = plain_form(problem)
        value, slope = jax.jit(jax.value_and_grad(form.density))(jnp.zeros(form.size), form.data)
    assert np.isfinite(value) and np.isfinite(slope).all()


@pytest.mark.parametrize(
    ("formula", "family", "error", "words"),
    [
        (bayesml.bf("y ~ x", theta1=1), mixture("gaussian", nmix=2), FormulaError, "positive numbers for all"),
        (bayesml.bf("y ~ x", theta1=1, theta2=0), mixture("gaussian", nmix=2), FormulaError, "positive numbers"),
        (bayesml.bf("y ~ x", theta1=1, theta2="~ x"), mixture("gaussian", nmix=2), FormulaError, "not both"),
        (bayesml.bf("y ~ x", theta2="~ x"), mixture("gaussian", nmix=3), FormulaError, "all but one"),
        (bayesml.bf("y ~ x", theta3="~ x"), mixture("gaussian", nmix=2), FormulaError, "theta3"),
        (bayesml.bf("y ~ x", mu3="~ x"), mixture("gaussian", nmix=2), FormulaError, "mu3"),
        (bayesml.bf("y ~ x", sigma1=-1), mixture("gaussian", nmix=2), FormulaError, "is larger than 0"),
        ("y ~ 0 + x", mixture("gaussian", nmix=2), ModelError, "ordered by the Intercepts"),
        ("k ~ x", mixture("poisson", "gaussian"), ModelError, "no common density"),
        ("k ~ x", mixture("cumulative", nmix=2), ModelError, "cannot be a component"),
        ("y ~ x", "mixture", ModelError, "components are named"),
    ],
)
def test_what_makes_no_sense_is_refused(formula, family, error, words, frame):
    data = frame.assign(k=frame["k"] + 1) if family != "mixture" else frame
    with pytest.raises(error, match=words):
        describe_problem(formula, data, family)


def test_impossible_options_are_refused():
    with pytest.raises(ModelError, match="two components"):
        mixture("gaussian")
    with pytest.raises(ModelError, match="order"):
        mixture("gaussian", "gaussian", order="sigma")
    with pytest.raises(ModelError, match="nmix"):
        mixture("gaussian", nmix=0)
    with pytest.raises(ModelError, match="did you mean `gaussian`"):
        mixture("gausian", "gaussian")
