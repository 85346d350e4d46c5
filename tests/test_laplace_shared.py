"""Point estimates of group-level effects that several predictors share, ``(1 | p | g)``."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit, gammaln
from scipy.stats import multivariate_normal

import bayesml

LEVELS, ROWS = 25, 8


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    g, x = np.repeat(np.arange(LEVELS), ROWS), rng.normal(size=LEVELS * ROWS)
    u = rng.multivariate_normal([0, 0, 0], [[1, 0.4, 0.3], [0.4, 0.6, 0.1], [0.3, 0.1, 0.5]], size=LEVELS)[g].T
    d = pd.DataFrame({"x": x, "g": [f"g{i}" for i in g], "h": rng.integers(6, size=len(x)).astype(str)})
    d["y1"] = 1 + 0.5 * x + u[0] + u[1] * x + rng.normal(size=len(x)) * 0.7 * np.exp(0.5 * u[2])
    d["y2"] = -1 + 0.2 * x + u[2] + rng.normal(size=len(x)) * 0.4
    counts = rng.poisson(np.exp(0.8 + 0.3 * x + 0.6 * u[0]))
    d["k"] = np.where(rng.uniform(size=len(x)) < expit(-1 + u[2]), 0, counts)
    return d


@pytest.fixture(scope="module")
def two_responses(data):
    formula = bayesml.bf("y1 ~ x + (x|p|g)") + bayesml.bf("y2 ~ x + (1|p|g)") + bayesml.set_rescor(False)
    return bayesml.fit(formula, data, method="laplace")


def marginal_log_density(fit, data, covariance: np.ndarray) -> float:
    """Return the log-likelihood of two normal responses from their whole covariance matrix."""
    x, g, n = data["x"].to_numpy(), data["g"].str[1:].astype(int).to_numpy(), len(data)
    rows = np.arange(n)
    Z = np.zeros((2 * n, 3 * LEVELS))
    Z[rows, 3 * g], Z[rows, 3 * g + 1], Z[rows + n, 3 * g + 2] = 1.0, x, 1.0
    sigma = np.repeat([fit["sigma_y1"], fit["sigma_y2"]], n)
    mean = np.concatenate([fit[f"b_{y}_Intercept"] + fit[f"b_{y}_x"] * x for y in ("y1", "y2")])
    whole = Z @ np.kron(np.eye(LEVELS), covariance) @ Z.T + np.diag(sigma**2)
    return float(multivariate_normal(mean, whole).logpdf(np.concatenate([data["y1"], data["y2"]])))


def test_of_normal_responses_the_likelihood_is_that_of_the_whole_covariance_matrix(two_responses, data):
    covariance = two_responses.varcorr()["g"].cov_matrix.to_numpy()
    exact = marginal_log_density(two_responses, data, covariance)
    assert two_responses.logLik == pytest.approx(exact, rel=1e-10)
    # and it is a maximum in the covariance matrix: all moves of its Cholesky factor lower it
    root = np.linalg.cholesky(covariance)
    for i, j in zip(*np.tril_indices(3), strict=True):
        for step in (-0.03, 0.03):
            moved = root.copy()
            moved[i, j] += step
            assert marginal_log_density(two_responses, data, moved @ moved.T) < exact


def test_tables_of_effects_name_the_predictors(two_responses):
    assert list(two_responses.varcorr()["g"].sd.index) == ["y1_Intercept", "y1_x", "y2_Intercept"]
    ranef = two_responses.ranef()["g"]
    assert set(ranef["coef"]) == {"y1_Intercept", "y1_x", "y2_Intercept"}
    correlation = two_responses.varcorr()["g"].cor_matrix.loc["y2_Intercept", "y1_x"]
    assert two_responses["cor_g__y1_x__y2_Intercept"] == pytest.approx(correlation)
    at_g3 = ranef.query("level == 'g3' and coef == 'y2_Intercept'")["Estimate"].item()
    assert two_responses["r_g__y2[g3,Intercept]"] == pytest.approx(at_g3)
    text = str(two_responses.summary())
    assert "y2_Intercept" in text and "Corr" in text


def test_stored_fit_is_the_same(two_responses, tmp_path):
    two_responses.save(tmp_path / "shared.nc")
    loaded = bayesml.load(tmp_path / "shared.nc")
    assert loaded.logLik == two_responses.logLik
    pd.testing.assert_frame_equal(loaded.ranef()["g"], two_responses.ranef()["g"])


def test_predictions_leave_out_the_terms_asked_for(two_responses, data):
    new = data.head(5).assign(g=["g1", "g2", "g3", "g4", "g5"])
    both = [two_responses.predict(newdata=new, resp="y1", re_formula=f) for f in (None, "~ (1|g)", "NA")]
    effects = two_responses.ranef()["g"].set_index(["level", "coef"])["Estimate"]
    r0 = effects.loc[[(g, "y1_Intercept") for g in new["g"]]].to_numpy()
    r1 = effects.loc[[(g, "y1_x") for g in new["g"]]].to_numpy()
    np.testing.assert_allclose(both[1] - both[2], r0, rtol=1e-9)
    np.testing.assert_allclose(both[0] - both[1], r1 * new["x"], rtol=1e-9)


def test_simulated_responses_have_correlated_new_effects(two_responses, data):
    drawn = two_responses.simulate(2000, seed=4)  # rows of y1, then of y2
    n = len(data)
    means = drawn.reshape(2000, n, 2) if drawn.ndim == 3 else drawn
    covariance = np.cov(means[:, 0, 0], means[:, ROWS - 1, 1])[0, 1]  # two rows of one level
    V = two_responses.varcorr()["g"].cov_matrix.to_numpy()
    expected = V[0, 2] + V[1, 2] * data["x"].iloc[0]
    spread = means[:, 0, 0].std() * means[:, ROWS - 1, 1].std()
    assert abs(covariance - expected) < 4 * spread * np.sqrt(2 / 2000)


def test_laplace_of_zero_inflated_counts_is_that_of_each_level(data):
    fit = bayesml.fit(bayesml.bf("k ~ x + (1|p|g)", zi="~ (1|p|g)"), data, "zero_inflated_poisson", method="map")
    V = fit.varcorr()["g"].cov_matrix.to_numpy()
    x, k, g = data["x"].to_numpy(), data["k"].to_numpy(), data["g"].to_numpy()

    def negative(u: np.ndarray, own: np.ndarray) -> float:
        rate = np.exp(fit["b_Intercept"] + fit["b_x"] * x[own] + u[0])
        zi = expit(fit["b_zi_Intercept"] + u[1])
        poisson = k[own] * np.log(rate) - rate - gammaln(k[own] + 1)
        rows = np.where(k[own] == 0, np.log(zi + (1 - zi) * np.exp(poisson)), np.log1p(-zi) + poisson)
        return float(-rows.sum() - multivariate_normal([0, 0], V).logpdf(u))

    total, step = 0.0, 1e-4
    for level in np.unique(g):
        own = g == level
        mode = minimize(negative, [0.0, 0.0], args=(own,), tol=1e-12).x
        hessian = np.zeros((2, 2))
        moves = step * np.eye(2)
        for i in range(2):
            for j in range(2):
                ends = [
                    a * b * negative(mode + a * moves[i] + b * moves[j], own) for a in (1.0, -1.0) for b in (1.0, -1.0)
                ]
                hessian[i, j] = sum(ends) / (4 * step**2)
        total += -negative(mode, own) + np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(hessian)[1]
    assert fit.logLik == pytest.approx(total, abs=1e-3)  # second differences: rounding 1e-16 |f| / step^2 each


def test_posterior_mode_and_normal_draws_keep_correlations(data):
    formula = bayesml.bf("y1 ~ x + (x|p|g) + (1|h)", sigma="~ x + (1|p|g)")
    fit = bayesml.fit(formula, data, method="map")
    assert list(fit.varcorr()["g"].sd.index) == ["Intercept", "x", "sigma_Intercept"]
    draws = fit.to_normal_draws(200, seed=1)
    assert {"cor_g__Intercept__sigma_Intercept", "sd_g__sigma_Intercept", "r_g__sigma[g1,Intercept]"} <= set(
        draws.draws().columns
    )
    prior = bayesml.prior("lkj(40)", class_="cor")
    tight = bayesml.fit(formula, data, method="map", prior=[prior])
    matrices = [each.varcorr()["g"].cor_matrix.to_numpy() for each in (fit, tight)]
    assert np.abs(matrices[1] - np.eye(3)).max() < 0.5 * np.abs(matrices[0] - np.eye(3)).max()


def test_an_identifier_with_other_columns_of_the_same_factor(data):
    formula = bayesml.bf("y1 ~ x + (1|p|g) + (0 + x|g)", sigma="~ (1|p|g)")
    fit = bayesml.fit(formula, data, method="map")
    matrix = fit.varcorr()["g"].cor_matrix
    assert set(matrix.index) == {"Intercept", "x", "sigma_Intercept"}
    assert matrix.loc["x", "Intercept"] == 0 and matrix.loc["x", "sigma_Intercept"] == 0
    assert matrix.loc["Intercept", "sigma_Intercept"] != 0
    ranef = fit.ranef()["g"]
    assert list(ranef["coef"].unique()) == ["Intercept", "x", "sigma_Intercept"]
