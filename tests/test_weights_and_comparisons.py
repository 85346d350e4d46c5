"""What weights mean for each method, and which fits may be compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesml

# tests/facts/gaussian_weights.R made the data and the numbers of R (lm, lme4 1.1-31) quoted here.
DATA = pd.read_csv(Path(__file__).parent / "facts" / "gaussian_weights.csv", dtype={"g": str})


def _fit(formula: str, family: str = "gaussian", method: object = "laplace", data: object = DATA) -> bayesml.PointFit:
    return bayesml.fit(formula, data, family, method=method)  # type: ignore[arg-type, return-value]


@pytest.fixture(scope="module")
def plain() -> bayesml.PointFit:
    return _fit("y | weights(w) ~ x")


@pytest.fixture(scope="module")
def mixed() -> bayesml.PointFit:
    return _fit("y | weights(w) ~ x + (1 | g)", method="ml")


def test_weights_of_a_regression_are_those_of_lm(plain: bayesml.PointFit) -> None:
    # R: lm(y ~ x, weights = w): logLik, AIC, coef, first residuals(type = "pearson"); sigma by ML is 1.773 sqrt(58/60)
    assert plain.logLik == pytest.approx(-103.3224, abs=1e-4)
    assert plain.aic == pytest.approx(212.6447, abs=1e-4)
    assert plain["b_x"] == pytest.approx(0.5019785, abs=1e-6)
    assert plain.sigma == pytest.approx(1.773054 * np.sqrt(58 / 60), abs=1e-5)
    np.testing.assert_allclose(plain.residuals("pearson")[:3], [-1.4726749, -0.6116626, -1.5557113], atol=1e-5)


def test_weights_of_a_mixed_model_are_those_of_lmer(mixed: bayesml.PointFit) -> None:
    # R: lmer(y ~ x + (1 | g), weights = w, REML = FALSE)
    assert mixed.logLik == pytest.approx(-80.37466, abs=1e-5)
    np.testing.assert_allclose(mixed.residuals("pearson")[:3], [-0.6318351, 0.1292388, -0.9440526], atol=1e-5)


def test_regression_and_mixed_model_are_compared(plain: bayesml.PointFit, mixed: bayesml.PointFit) -> None:
    # R: anova(lmer, lm): Chisq 45.895 on 1
    table = bayesml.anova(mixed, plain)
    assert table["Chisq"].iloc[1] == pytest.approx(45.895, abs=1e-3)
    assert table["Df"].iloc[1] == 1
    ranked = bayesml.compare_models(plain, mixed, names=["lm", "lmer"])
    assert ranked.loc["lm", "dAIC"] == pytest.approx(212.6447 - 168.7493, abs=1e-3)


@pytest.mark.parametrize(("response", "family"), [("y", "gaussian"), ("positive", "lognormal")])
def test_every_numerical_path_means_the_same(response: str, family: str) -> None:
    """REML's engine and the general one, whose Laplace approximation is exact here, give one likelihood."""
    data = DATA.assign(positive=np.exp(DATA["y"] / 3))
    formula = f"{response} | weights(w) ~ x + (1 | g)"
    exact = _fit(formula, family, "ml", data)
    general = _fit(formula, family, bayesml.Laplace(quadrature_points=3), data)
    assert general.logLik == pytest.approx(exact.logLik, abs=1e-7)
    assert general.sigma == pytest.approx(exact.sigma, rel=1e-5)
    for kind in ("pearson", "scaled", "response"):
        np.testing.assert_allclose(general.residuals(kind), exact.residuals(kind), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(general.fitted, exact.fitted, rtol=1e-4)
    ours, theirs = (f.confint("profile", parameters=["sigma", "b_x"]) for f in (general, exact))
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)
    rows = {"x": [0.0, 0.0], "g": ["1", "1"], "w": [1.0, 4.0]}
    limits = [f.predict(rows, interval="prediction") for f in (general, exact)]
    np.testing.assert_allclose(limits[0], limits[1], rtol=1e-3, atol=1e-4)


def test_a_new_observation_has_the_variance_of_its_weight(mixed: bayesml.PointFit) -> None:
    rows = {"x": [0.0, 0.0], "g": ["1", "1"], "w": [1.0, 4.0]}
    table = mixed.predict(rows, interval="prediction", se=True)
    half = (table["Upper"] - table["Lower"]).to_numpy() / 2 / 1.959964
    expected = np.sqrt(table["Std.Error"].to_numpy() ** 2 + mixed.sigma**2 / np.array([1.0, 4.0]))
    np.testing.assert_allclose(half, expected, rtol=1e-6)
    drawn = mixed.simulate(4000, seed=1, use_u=True)
    # the standard deviation of 4,000 draws has a relative error of 1 / sqrt(8000); four of these
    np.testing.assert_allclose(drawn.std(axis=0), mixed.sigma / np.sqrt(DATA["w"]), rtol=4 / np.sqrt(8000))


def test_draws_around_an_estimate_keep_its_meaning(mixed: bayesml.PointFit) -> None:
    draws = mixed.to_normal_draws(40, seed=1)
    values = draws.draws()
    eta = np.asarray(draws.linpred().stack(sample=("chain", "draw")).transpose("sample", "obs"))
    sd = values["sigma"].to_numpy()[:, None] / np.sqrt(DATA["w"].to_numpy())
    y = DATA["y"].to_numpy()
    expected = -0.5 * ((y - eta) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
    found = np.asarray(draws.log_lik().stack(sample=("chain", "draw")).transpose("sample", "obs"))
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_the_posterior_mode_has_powers() -> None:
    """Whole weights of a posterior mode are replicated rows."""
    data = DATA.assign(n=1 + np.arange(len(DATA)) % 3)
    again = data.loc[data.index.repeat(data["n"])].reset_index(drop=True)
    priors = [bayesml.prior("normal(0, 2)", cls="b"), bayesml.prior("normal(0, 5)", cls="Intercept")]
    priors.append(bayesml.prior("exponential(1)", cls="sigma"))
    weighted = bayesml.fit("y | weights(n) ~ 1 + x", data.assign(x=data["x"]), method="map", priors=priors)
    copied = bayesml.fit("y ~ 1 + x", again, method="map", priors=priors)
    # the Intercept's prior is of the centred predictor, whose mean differs a little between the two
    assert weighted.sigma == pytest.approx(copied.sigma, rel=1e-4)
    assert weighted["b_x"] == pytest.approx(copied["b_x"], rel=1e-3)


def test_zero_weights_are_refused_where_they_divide() -> None:
    data = DATA.assign(w=np.where(np.arange(len(DATA)) == 3, 0.0, DATA["w"]))
    for formula in ("y | weights(w) ~ x", "y | weights(w) ~ x + (1 | g)"):
        with pytest.raises(bayesml.DataError, match="leave those rows out"):
            _fit(formula, data=data)


def test_the_dispersion_of_gamma() -> None:
    # R: residuals(glm(..., Gamma("log")), "pearson") = (y - mu) / mu; sigma of glmmTMB is 1 / sqrt(shape)
    data = DATA.assign(positive=np.exp(DATA["y"] / 3))
    fit = _fit("positive ~ x", "gamma", data=data)
    assert fit.sigma == pytest.approx(fit["shape"] ** -0.5)
    plain = (data["positive"] - np.asarray(fit.fitted)) / np.asarray(fit.fitted)
    np.testing.assert_allclose(fit.residuals("pearson"), plain, rtol=1e-10)
    np.testing.assert_allclose(fit.residuals("scaled"), plain / fit.sigma, rtol=1e-10)


def test_different_rows_are_not_compared() -> None:
    """Two rows with the same response; each fit has lost one of them."""
    data = DATA[["y", "x"]].copy()
    data.loc[5, "y"] = data.loc[2, "y"]
    data["a"], data["b"] = data["x"] ** 2, np.cos(data["x"])
    data.loc[3, "a"], data.loc[4, "b"] = np.nan, np.nan
    data.loc[4, "y"] = data.loc[3, "y"]
    for given in (data, {name: data[name].to_numpy() for name in data}):
        with pytest.warns(bayesml.FitWarning, match="missing"):
            one, other = _fit("y ~ x + a", data=given), _fit("y ~ x + b", data=given)
        for compare in (bayesml.anova, bayesml.compare_models):
            with pytest.raises(bayesml.ModelError, match="different rows"):
                compare(one, other)


def test_poisson_within_negbinomial() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=80)
    data = {"x": x, "y": rng.negative_binomial(2, 2 / (2 + np.exp(1 + 0.3 * x)))}
    small, large = _fit("y ~ x", "poisson", data=data), _fit("y ~ x", "negbinomial", data=data)
    table = bayesml.anova(small, large)
    assert table["Chisq"].iloc[1] == pytest.approx(2 * (large.logLik - small.logLik))
    assert table["Df"].iloc[1] == 1
    with pytest.raises(bayesml.ModelError, match="not nested"):
        bayesml.anova(_fit("y ~ x + I(x**2) + I(x**3)", "poisson", data=data), large)
    with pytest.raises(bayesml.ModelError, match="not nested"):
        bayesml.anova(small, _fit("y ~ x + I(x**2)", "gaussian", data=data))


def test_draws_with_other_meanings_of_weights_are_not_compared(mixed: bayesml.PointFit) -> None:
    draws = mixed.to_normal_draws(40, seed=1)
    mode = _fit("y | weights(w) ~ x + (1 | g)", method="map").to_normal_draws(40, seed=1)
    with pytest.raises(bayesml.ModelError, match="mean different things"):
        bayesml.loo_compare(draws, mode)
