"""The Dirichlet family: shares of a whole in several columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from jax import numpy as jnp
from scipy import stats

import bayesml
from bayesml.engines.precision import double_precision
from bayesml.errors import DataError, FormulaError, ModelError
from bayesml.families import RawResponse
from bayesml.families.dirichlet import dirichlet
from bayesml.fit import describe_problem

SHARES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(3)
    n = 100
    x, g = rng.normal(size=n), rng.integers(0, 8, n)
    eta = np.stack([0 * x, 0.5 + x + rng.normal(0.0, 0.5, 8)[g], -0.5 - 0.5 * x], axis=1)
    p = np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True)
    y = np.stack([rng.dirichlet(8.0 * each) for each in p])
    return pd.DataFrame({**dict(zip(SHARES, y.T, strict=True)), "x": x, "g": g})


@pytest.fixture(scope="module")
def fit(frame):
    return bayesml.fit("cbind(a, b, c) ~ x", frame, "dirichlet", seed=1, chains=2, draws=600, progress=False)


def bound(refcat=None, link_phi="log"):
    response = RawResponse("y", np.full((1, 3), 1 / 3), columns=tuple(SHARES))
    return dirichlet(link_phi=link_phi, refcat=refcat).bind(response)


@pytest.mark.parametrize("refcat", [None, "c", "NA"])
def test_the_density_is_that_of_scipy(refcat, rng):
    likelihood, y = bound(refcat), rng.dirichlet([1.0, 2.0, 3.0], size=20)
    etas = {p.name: rng.normal(size=20) for p in likelihood.dpars[:-1]}
    every = np.stack([etas.get(f"mu{label}", np.zeros(20)) for label in SHARES], axis=1)
    mean = np.exp(every) / np.exp(every).sum(axis=1, keepdims=True)
    expected = [stats.dirichlet(4.2 * m).logpdf(each / each.sum()) for m, each in zip(mean, y, strict=True)]
    with double_precision():
        values = {name: jnp.asarray(eta) for name, eta in etas.items()} | {"phi": jnp.asarray(4.2)}
        found = likelihood.log_prob(jnp.asarray(y), values, {})
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-9)


def test_draws_have_the_stated_moments(rng):
    likelihood, n = bound(), 40_000
    values = {"mub": np.full((1, n), 0.4), "muc": np.full((1, 1), -1.0), "phi": np.full((1, 1), 0.7)}
    drawn = likelihood.draw(rng, values, {})[0]
    mean, variance = likelihood.mean(values, {})[0, 0], likelihood.variance(values, {})[0, 0]
    np.testing.assert_allclose(drawn.sum(axis=1), 1.0, rtol=1e-12)
    z = (drawn.mean(axis=0) - mean) / np.sqrt(variance / n)
    assert np.abs(z).max() < 4.5
    np.testing.assert_allclose(drawn.var(axis=0), variance, rtol=0.05)


def test_draws_of_tiny_concentrations_are_shares(rng):
    drawn = bound().draw(rng, {"mub": np.zeros((1, 50)), "muc": np.zeros((1, 1)), "phi": np.full((1, 1), 1e-3)}, {})
    np.testing.assert_allclose(drawn.sum(axis=-1), 1.0, rtol=1e-12)


def test_effects_are_recovered_under_the_names_of_brms(fit):
    table = fit.summary().to_pandas()
    for name, value in {"b_mub_x": 1.0, "b_muc_Intercept": -0.5, "b_muc_x": -0.5}.items():
        assert abs(table.loc[name, "Estimate"] - value) < 4.0 * table.loc[name, "Est.Error"]
    assert "phi" in table.index and fit.plan.startswith("preconditioned")


def test_predictions_have_a_dimension_for_the_columns(fit, frame):
    rows = frame.iloc[:4]
    expected, drawn = fit.epred(rows), fit.predict(rows[["x"]], seed=1)
    for found in (expected, drawn):
        assert found.dims == ("chain", "draw", "obs", "category") and list(found["category"].values) == SHARES
        np.testing.assert_allclose(found.sum("category").values, 1.0, rtol=1e-10)
    np.testing.assert_allclose(fit.residuals(rows).values, rows[SHARES].to_numpy() - expected.values, atol=1e-12)
    spread = fit.residuals(rows, type="pearson").values / fit.residuals(rows).values
    mean, phi = expected.values, fit["phi"].values[:, :, None, None]
    np.testing.assert_allclose(spread, np.sqrt((1 + phi) / (mean * (1 - mean))), rtol=1e-8)


def test_the_log_likelihood_is_that_of_the_rows(fit, frame):
    found = fit.log_lik(frame.iloc[:3]).values[0, 0]
    alpha = fit.epred(frame.iloc[:3]).values[0, 0] * fit["phi"].values[0, 0]
    y = frame[SHARES].to_numpy()[:3]
    expected = [stats.dirichlet(a).logpdf(each / each.sum()) for a, each in zip(alpha, y, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    assert np.isfinite(fit.loo().elpd_loo)


def test_arviz_gets_every_column(fit):
    data = fit.idata
    assert data.observed_data["cbind(a, b, c)"].dims == ("obs", "category")
    assert data.posterior_predictive["cbind(a, b, c)"].shape == (2, 600, 100, 3)


def test_pictures_show_columns(fit):
    table = fit.conditional_effects("x")["x"]
    assert list(table["cats__"].cat.categories) == SHARES
    assert fit.pp_check(column="b", seed=1).axes[0].get_xlabel() == "b"
    assert fit.pp_check(kind="stat", seed=1).axes
    with pytest.raises(ModelError, match="no column 'd'"):
        fit.pp_check(column="d")


def test_a_saved_fit_predicts_alike(fit, frame, tmp_path):
    fit.save(tmp_path / "shares.nc")
    again = bayesml.load(tmp_path / "shares.nc")
    np.testing.assert_array_equal(again.epred(frame.iloc[:3]).values, fit.epred(frame.iloc[:3]).values)
    np.testing.assert_array_equal(again.log_lik(frame.iloc[:3]).values, fit.log_lik(frame.iloc[:3]).values)


def test_two_columns_are_shares_rather_than_successes_and_failures(frame):
    two = frame.assign(b=1 - frame["a"])
    spec = describe_problem("cbind(a, b) ~ x", two, "dirichlet").description.spec
    assert {p.name for p in spec.parameters} == {"Intercept_mub", "slopes_mub", "phi"}


@pytest.mark.parametrize(
    ("formula", "family", "change", "error", "words"),
    [
        ("cbind(a, b, c) ~ x", "gaussian", {}, FormulaError, "takes one column.*dirichlet"),
        ("cbind(a, b, c) ~ x", "binomial", {}, FormulaError, "takes one column"),
        ("a ~ x", "dirichlet", {}, DataError, "two or more columns.*beta"),
        ("cbind(a, b, c) ~ x", "dirichlet", {"a": 0.9}, DataError, "sum to 1"),
        ("cbind(a, b, c) ~ x", "dirichlet", {"a": 0.0}, DataError, "`a` must lie strictly between 0 and 1"),
        ("cbind(a, b, b) ~ x", "dirichlet", {}, DataError, "letters and digits"),
        ("cbind(a, b, c) | trials(g) ~ x", "dirichlet", {}, FormulaError, "no response term `trials"),
    ],
)
def test_what_makes_no_sense_is_refused(formula, family, change, error, words, frame):
    with pytest.raises(error, match=words):
        describe_problem(formula, frame.assign(**change), family)
    with pytest.raises(ModelError, match="refcat"):
        describe_problem("cbind(a, b, c) ~ x", frame, dirichlet(refcat="d"))
