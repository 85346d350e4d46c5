"""Point estimates of models of several responses: Laplace's approximation and posterior modes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import bayesml
from bayesml import bf, prior, set_rescor
from bayesml.errors import DataError, FormulaError, ModelError

ROWS, GROUPS = 120, 20


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """Numbers with correlated residuals, a count, and categories in order."""
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(GROUPS), ROWS // GROUPS), rng.normal(size=ROWS)
    u, e = rng.normal(size=(GROUPS, 2))[g], rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], ROWS)
    heavy = e / np.sqrt(rng.chisquare(4, size=ROWS) / 4)[:, None]
    y = 1 + 0.5 * x + 0.7 * u[:, 0] + e[:, 0]
    return pd.DataFrame(
        {
            "y": y,
            "z": 2 - x + 1.5 * u[:, 1] + 2 * e[:, 1],
            "t1": 1 + x + heavy[:, 0],
            "t2": 2 - x + 2 * heavy[:, 1],
            "c": rng.poisson(np.exp(0.3 + 0.4 * x + 0.4 * u[:, 1])),
            "o": np.digitize(y, [0.0, 1.0, 2.0]) + 1,
            "k": rng.binomial(4, 0.4, size=ROWS),
            "n": 4,
            "x": x,
            "v": rng.normal(size=ROWS),
            "g": [f"g{j}" for j in g],
        }
    )


@pytest.fixture(scope="module")
def independent(data):
    return bayesml.fit(bf("y ~ x + (1 | g)") + bf("c ~ v + (1 | g)", family="poisson"), data, method="laplace")


@pytest.fixture(scope="module")
def single(data):
    """The responses of ``independent`` one by one; sigma has a formula, so that all errors are of the same kind."""
    return {
        "y": bayesml.fit(bf("y ~ x + (1 | g)", sigma="~ 1"), data, method="laplace"),
        "c": bayesml.fit("c ~ v + (1 | g)", data, "poisson", method="laplace"),
    }


@pytest.fixture(scope="module")
def correlated(data):
    return bayesml.fit(bf("y ~ x") + bf("z ~ x") + set_rescor(True), data, method="laplace")


# Independent responses -----------------------------------------------------------------------------------------------


def test_independent_responses_are_two_fits(independent, single, data):
    # the search stops where the gradient is 1e-6 or so; logLik is flat there
    assert independent.logLik == pytest.approx(sum(fit.logLik for fit in single.values()), abs=1e-8)
    linear = bayesml.fit("y ~ x + (1 | g)", data, method="ml")
    assert independent.logLik == pytest.approx(linear.logLik + single["c"].logLik, abs=1e-8)
    assert independent.df == linear.df + single["c"].df
    table, own = independent.fixef(), {resp: fit.fixef() for resp, fit in single.items()}
    for resp, coefs in (("y", ["Intercept", "x"]), ("c", ["Intercept", "v"])):
        rows = table.loc[[f"{resp}_{coef}" for coef in coefs], ["Estimate", "Std.Error"]]
        np.testing.assert_allclose(rows, own[resp].loc[coefs, ["Estimate", "Std.Error"]], rtol=1e-5, atol=1e-7)
        sd = independent.varcorr()["g"].sd[f"{resp}_Intercept"]
        assert sd == pytest.approx(single[resp].varcorr()["g"].sd["Intercept"], rel=1e-5)
    assert independent["sigma_y"] == pytest.approx(linear.sigma, rel=1e-6)
    np.testing.assert_allclose(independent.vcov().loc[["y_Intercept", "y_x"], ["c_Intercept", "c_v"]], 0, atol=1e-12)


@pytest.mark.parametrize("resp", ["y", "c"])
@pytest.mark.parametrize("re_formula", [None, "NA"])
def test_predictions_of_a_response_are_those_of_its_own_fit(independent, single, resp, re_formula):
    covariate = {"y": "x", "c": "v"}[resp]
    newdata = {covariate: [0.0, 1.0], "g": ["g1", "g7"]}  # the column of the other formula is not needed
    for rows in (None, newdata):
        for verb in ("epred", "linpred", "predict"):
            options = {"re_formula": re_formula, "se": True, "interval": "confidence"}
            ours = getattr(independent, verb)(rows, resp=resp, **options)
            theirs = getattr(single[resp], verb)(rows, **options)
            pd.testing.assert_frame_equal(ours, theirs, rtol=1e-5, atol=1e-6)
    ours = independent.predict(newdata, resp=resp, interval="prediction", seed=1)
    theirs = single[resp].predict(newdata, interval="prediction", seed=1)
    # the 2.5% quantile of 4,000 normal numbers has the error sqrt(0.025 * 0.975 / 4000) / 0.058 = 0.043 sd
    np.testing.assert_allclose(ours, theirs, atol={"y": 0.25, "c": 1.0}[resp])


def test_rows_of_all_responses(independent, single, data):
    for found in (independent.epred(), independent.fitted, independent.predict(type="response")):
        assert list(found.columns) == ["y", "c"]
        np.testing.assert_allclose(found["c"], single["c"].fitted, rtol=1e-5)
    tables = independent.epred(se=True)
    assert list(tables) == ["y", "c"] and list(tables["c"].columns) == ["Estimate", "Std.Error"]
    residuals = independent.residuals()
    np.testing.assert_allclose(residuals, data[["y", "c"]] - independent.fitted, atol=1e-12)
    for kind in ("pearson", "scaled"):
        own = independent.residuals(kind, resp="c")
        np.testing.assert_allclose(own, single["c"].residuals(kind), rtol=1e-5, atol=1e-7)
    assert independent.simulate(3, seed=1).shape == (3, ROWS, 2)
    with pytest.raises(DataError, match="lack the column `x`"):
        independent.epred({"v": [0.0], "g": ["g1"]})
    with pytest.raises(ModelError, match="no response 'q'"):
        independent.epred(resp="q")


def test_thresholds_of_one_of_several_responses(data):
    fit = bayesml.fit(bf("y ~ x") + bf("o ~ x + (1 | g)", family="cumulative"), data, method="laplace")
    alone = bayesml.fit("o ~ x + (1 | g)", data, "cumulative", method="laplace")
    linear = bayesml.fit("y ~ x", data, method="laplace")
    assert fit.logLik == pytest.approx(alone.logLik + linear.logLik, abs=1e-8)
    own = fit.fixef()
    for name, row in alone.fixef().iterrows():
        np.testing.assert_allclose(own.loc[f"o_{name}", ["Estimate", "Std.Error"]], row.iloc[:2], rtol=1e-5)
    rows = {"x": [-1.0, 1.0], "g": ["g1", "g2"]}
    np.testing.assert_allclose(fit.epred(rows, resp="o"), alone.epred(rows), rtol=1e-5)
    assert isinstance(fit.fitted.columns, pd.MultiIndex)


def test_trials_of_one_of_several_responses(data):
    fit = bayesml.fit(bf("k | trials(n) ~ x", family="binomial") + bf("y ~ v"), data, method="laplace")
    alone = bayesml.fit("k | trials(n) ~ x", data, "binomial", method="laplace")
    np.testing.assert_allclose(fit.epred({"x": [0.0], "n": [4]}, resp="k"), alone.epred({"x": [0.0], "n": [4]}))
    np.testing.assert_allclose(
        fit.predict({"x": [0.0]}, resp="k", type="response"), alone.predict({"x": [0.0]}, type="response")
    )


# Correlated residuals ------------------------------------------------------------------------------------------------


def test_correlated_residuals_equal_the_multivariate_regression(correlated, data):
    # With the same predictors for all responses the estimates are those of least squares, and S = E'E / n
    X, Y = np.column_stack([np.ones(ROWS), data["x"]]), data[["y", "z"]].to_numpy()
    B = np.linalg.lstsq(X, Y, rcond=None)[0]
    S = (Y - X @ B).T @ (Y - X @ B) / ROWS
    expected = -0.5 * ROWS * (2 * np.log(2 * np.pi) + np.linalg.slogdet(S)[1] + 2)
    assert correlated.logLik == pytest.approx(expected, abs=1e-8)
    # the search leaves the correlation uncertain by about 1e-6
    table = correlated.fixef()
    np.testing.assert_allclose(table["Estimate"], B.T.ravel(), rtol=1e-6)
    np.testing.assert_allclose(correlated.vcov(), np.kron(S, np.linalg.inv(X.T @ X)), rtol=1e-5, atol=1e-7)
    residual = correlated.varcorr()["residual__"]
    np.testing.assert_allclose(residual.cov_matrix.loc[["y", "z"], ["y", "z"]], S, rtol=1e-5, atol=1e-5)
    assert correlated["rescor__y__z"] == pytest.approx(S[0, 1] / np.sqrt(S[0, 0] * S[1, 1]), abs=5e-6)
    draws = correlated.to_normal_draws(400, seed=1)
    # error of a mean of 400 draws, whose deviation is about (1 - r^2) / sqrt(n)
    assert float(draws["rescor__y__z"].mean()) == pytest.approx(correlated["rescor__y__z"], abs=0.02)


def test_correlated_residuals_and_groups_equal_the_stacked_normal_model(data):
    fit = bayesml.fit(bf("y ~ x + (1 | g)") + bf("z ~ v + (1 | g)"), data, method="laplace")
    group = data["g"].to_numpy().astype(str)
    Z = (group[:, None] == np.unique(group)).astype(float)
    K, n = Z @ Z.T, ROWS
    X = np.zeros((2 * n, 4))
    X[:n, 0] = X[n:, 2] = 1.0
    X[:n, 1], X[n:, 3] = data["x"], data["v"]
    y = np.concatenate([data["y"], data["z"]])

    def minus_log_likelihood(p: np.ndarray) -> float:
        sd, sigma, r = np.exp(p[4:6]), np.exp(p[6:8]), np.tanh(p[8])
        residual = np.outer(sigma, sigma) * np.array([[1, r], [r, 1]])
        return -stats.multivariate_normal(X @ p[:4], np.kron(np.diag(sd**2), K) + np.kron(residual, np.eye(n))).logpdf(
            y
        )

    ours = fit.estimate.beta
    variation = fit.varcorr()
    found = np.concatenate(
        [ours, np.log(variation["g"].sd), np.log(variation["residual__"].sd), [np.arctanh(fit["rescor__y__z"])]]
    )
    here = minus_log_likelihood(found)
    assert fit.logLik == pytest.approx(-here, abs=1e-7)
    # a maximum: the likelihood falls in all directions, and its slope is 0 as far as differences can tell
    gradient = optimize.approx_fprime(found, minus_log_likelihood, 1e-5)
    np.testing.assert_allclose(gradient, 0.0, atol=5e-3)


def test_student_responses_share_their_degrees_of_freedom(data):
    fit = bayesml.fit(bf("t1 ~ x") + bf("t2 ~ x"), data, "student", method="laplace")
    X = np.column_stack([np.ones(ROWS), data["x"]])
    Y = data[["t1", "t2"]].to_numpy()

    def minus_log_likelihood(p: np.ndarray) -> float:
        sigma, r, nu = np.exp(p[4:6]), np.tanh(p[6]), 1 + np.exp(p[7])
        scale = np.outer(sigma, sigma) * np.array([[1, r], [r, 1]])
        return -stats.multivariate_t([0, 0], scale, nu).logpdf(Y - X @ p[:4].reshape(2, 2).T).sum()

    best = optimize.minimize(minus_log_likelihood, [1, 1, 2, -1, 0, 0.5, 0.5, 1], method="BFGS")
    assert fit.logLik == pytest.approx(-best.fun, abs=1e-6)
    np.testing.assert_allclose(fit.fixef()["Estimate"], best.x[:4], rtol=1e-3)
    assert fit["nu"] == pytest.approx(1 + np.exp(best.x[7]), rel=1e-3)
    assert np.isfinite(fit.confint()).all(axis=None)


# Priors, tables, files -----------------------------------------------------------------------------------------------


def test_a_posterior_mode_obeys_the_priors_of_each_response(data):
    tight = prior("normal(0, 0.001)", class_="b", resp="z")
    fit = bayesml.fit(bf("y ~ x + (1 | g)") + bf("z ~ x"), data, method="map", prior=[tight])
    assert abs(fit["b_z_x"]) < 0.01 < fit["b_y_x"]
    assert fit.estimate.log_prior is not None and -1 < fit["rescor__y__z"] < 1


def test_the_summary_shows_every_response(independent, correlated):
    text = str(independent.summary())
    for line in ("MV(gaussian, poisson)  ( identity, log )", "y_Intercept", "c_v", "sigma_y"):
        assert line in text
    assert "Residual correlations" not in text
    assert f"z {correlated['rescor__y__z']:.3f}" in str(correlated.summary())


def test_a_file_keeps_everything(correlated, tmp_path):
    correlated.save(tmp_path / "fit.bayesml")
    again = bayesml.load(tmp_path / "fit.bayesml")
    pd.testing.assert_frame_equal(again.fixef(), correlated.fixef())
    assert again["rescor__y__z"] == correlated["rescor__y__z"]
    pd.testing.assert_frame_equal(again.epred({"x": [0.0]}), correlated.epred({"x": [0.0]}))


def test_fits_with_and_without_a_term_are_compared(independent, data):
    smaller = bayesml.fit(bf("y ~ x + (1 | g)") + bf("c ~ 1 + (1 | g)", family="poisson"), data, method="laplace")
    table = bayesml.anova(smaller, independent)
    assert table["Df"].iloc[1] == 1


def test_questions_about_one_response(independent, single):
    ours = independent.emmeans("v", at={"v": [0.0]}, resp="c")
    theirs = single["c"].emmeans("v", at={"v": [0.0]})
    np.testing.assert_allclose(ours.to_pandas()["emmean"], theirs.to_pandas()["emmean"], rtol=1e-5)
    assert set(independent.conditional_effects().parts) == {"y", "c"}


def test_what_there_is_no_form_for_is_refused(independent, data):
    for method in ("reml", "ml"):
        with pytest.raises(ModelError, match="is for models of one response"):
            bayesml.fit(bf("y ~ x") + bf("z ~ x"), data, method=method)
    two_parts = bayesml.families.mixture(bayesml.families.gaussian(), bayesml.families.gaussian())
    with pytest.raises(ModelError, match="mixtures of one response; `y` is one of several"):
        bayesml.fit(bf("y ~ x", family=two_parts) + bf("z ~ x"), data, method="map")
    with pytest.raises(ModelError, match="takes the weights of `y` for precisions"):
        bayesml.fit(bf("y | weights(n) ~ x") + bf("z | weights(n) ~ x"), data, method="laplace")
    for ask in (
        lambda: independent.refit(data["y"]),
        lambda: independent.sigma,
        lambda: independent.confint(method="boot", nsim=2),
        lambda: independent.confint(method="profile"),
        lambda: independent.icc(),
        lambda: independent.influence(),
        lambda: independent.emmeans("x"),
    ):
        with pytest.raises((ModelError, FormulaError)):
            ask()
