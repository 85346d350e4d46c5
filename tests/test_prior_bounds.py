"""The mode of the posterior where a prior ends at a bound: on either side of it, and with the maximum beyond."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import bayesml
from bayesml import FitWarning, PointFit, prior


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(20), 10)
    x, z = rng.normal(size=(2, 200))
    eta = -0.5 * x + 0.3 * z + rng.normal(size=20)[g] * 0.7
    return pd.DataFrame(
        {
            "y": 1.0 + eta + rng.normal(size=200),
            "count": rng.poisson(np.exp(0.3 + eta)),
            "yes": (rng.random(200) < 1.0 / (1.0 + np.exp(-eta))).astype(int),
            "x": x,
            "z": z,
            "g": [f"g{i}" for i in g],
        }
    )


def quiet(formula: str, data: pd.DataFrame, family: str = "gaussian", **options: object) -> PointFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        fit = bayesml.fit(formula, data, family, method="map", **options)  # type: ignore[arg-type]
    assert isinstance(fit, PointFit)
    return fit


# The maximum of the likelihood is at b_x = -0.54, b_z = 0.15, sd = 0.8, sigma = 1.0: each prior ends before it.
BEYOND = {
    "b_x at its lower bound": (prior("exponential(1)", coef="x", lb=0), "b_x", 0.0),
    "b_x, uniform": (prior("uniform(0, 1)", coef="x"), "b_x", 0.0),
    "b_x, flat": (prior("", coef="x", lb=-0.2), "b_x", -0.2),
    "b_z at its upper bound": (prior("normal(0, 1)", coef="z", ub=-0.1), "b_z", -0.1),
    "b_x, between far bounds": (prior("normal(0, 5)", coef="x", lb=5, ub=6), "b_x", 5.0),
    "sd, uniform": (prior("uniform(0, 0.3)", class_="sd"), "sd_g__Intercept", 0.3),
    "sd at its lower bound": (prior("normal(0, 1)", class_="sd", lb=2), "sd_g__Intercept", 2.0),
}


@pytest.mark.parametrize("case", BEYOND)
@pytest.mark.parametrize(("response", "family"), [("y", "gaussian"), ("count", "poisson"), ("yes", "bernoulli")])
def test_the_mode_is_at_the_bound_and_said_to_be(data: pd.DataFrame, case: str, response: str, family: str) -> None:
    one, name, bound = BEYOND[case]
    fit = quiet(f"{response} ~ x + z + (1 | g)", data, family, prior=one)
    assert fit[name] == pytest.approx(bound, abs=1e-4)
    assert (fit[name] >= bound) == ("lower" in case or "b_x" in case)  # on the right side of it
    assert [f"{name} is at the bound {bound:g}" in text for text in fit.estimate.messages] == [True]


def test_a_family_parameter_at_its_bound(data: pd.DataFrame) -> None:
    assert quiet("y ~ x + (1 | g)", data, prior=prior("uniform(2, 3)", class_="sigma")).sigma == pytest.approx(2.0)
    low = quiet("y ~ x + (1 | g)", data, prior=prior("normal(0, 1)", class_="sigma", ub=0.5))
    assert low.sigma == pytest.approx(0.5, abs=1e-6)


def test_the_others_are_those_of_the_model_with_that_value_held(data: pd.DataFrame) -> None:
    held = quiet("y ~ 0 + Intercept + z + offset(-0.2 * x) + (1 | g)", data)
    bound = quiet("y ~ 0 + Intercept + z + x + (1 | g)", data, prior=prior("normal(0, 1000)", coef="x", lb=-0.2))
    for name in ("b_Intercept", "b_z", "sd_g__Intercept"):
        assert bound[name] == pytest.approx(held[name], abs=1e-5), name
    assert bound.sigma == pytest.approx(held.sigma, abs=1e-5)
    for name in ("Intercept", "z"):
        assert bound.fixef().loc[name, "Std.Error"] == pytest.approx(held.fixef().loc[name, "Std.Error"], rel=1e-4)


@pytest.mark.parametrize("text", ["gamma(2, 2)", "beta(2, 2)", "exponential(3)"])
def test_a_prior_that_the_start_lies_outside_of(data: pd.DataFrame, text: str) -> None:
    # the same mode from the density by hand: normal likelihood with sigma profiled over a flat log scale
    flat = [prior("normal(0, 1000000)", class_="Intercept"), prior("gamma(0.0000001, 0.0000001)", class_="sigma")]
    fit = quiet("y ~ x", data, prior=[*flat, prior(text, coef="x", lb=0)])
    x, y = data["x"] - data["x"].mean(), data["y"] - data["y"].mean()
    density = prior(text, coef="x", lb=0).distribution.log_density

    def minus(b: np.ndarray) -> float:
        return 0.5 * len(y) * float(np.log(((y - b[0] * x) ** 2).sum())) - float(density(b[0]))

    right = minimize(minus, [0.01], bounds=[(1e-9, 0.999)], tol=1e-14).x[0]
    assert fit["b_x"] == pytest.approx(right, abs=1e-4)


def test_a_bound_far_away_changes_nothing(data: pd.DataFrame) -> None:
    free = quiet("y ~ x + z + (1 | g)", data, prior=prior("normal(0, 2)"))
    fit = quiet("y ~ x + z + (1 | g)", data, prior=prior("normal(0, 2)", lb=-1000))
    assert fit.estimate.messages == ()
    np.testing.assert_allclose(fit.fixef()["Estimate"], free.fixef()["Estimate"], atol=1e-6)
    np.testing.assert_allclose(fit.vcov(), free.vcov(), atol=1e-6)
    wide = quiet("y ~ z", data, prior=prior("exponential(0.0001)", coef="z", lb=0))
    assert wide.estimate.messages == ()
    assert wide["b_z"] > 0.1


def test_a_start_that_would_overflow(data: pd.DataFrame) -> None:
    far = data.assign(x=data["x"] * 1000)
    fit = quiet("count ~ x", far, "poisson", prior=prior("exponential(1)", coef="x", lb=0))
    assert 0.0 < fit["b_x"] < 1e-6


def test_what_lies_at_a_bound_has_no_wald_test(data: pd.DataFrame) -> None:
    fit = quiet("y ~ x + z + (1 | g)", data, prior=prior("exponential(1)", coef="x", lb=0))
    table = fit.fixef()
    assert table.loc["x", ["Std.Error", "z value", "p"]].isna().all()
    assert np.isfinite(table.drop(index="x").to_numpy()).all()
    assert fit.confint().loc["b_x", ["lower", "upper"]].isna().all()
    assert np.isnan(fit.anova().loc["x", "Chisq"]) and np.isfinite(fit.anova().loc["z", "Chisq"])
    assert np.isfinite(fit.linpred(data.head(3), se=True).to_numpy()).all()  # given the value at the bound
    assert np.isfinite(fit.emmeans("z").to_pandas().to_numpy()).all()
    assert "NaN" in str(fit.summary())
    other = quiet("y ~ z + (1 | g)", data, prior=prior("uniform(0, 0.3)", class_="sd"))
    assert other.confint().loc["sd_g__Intercept", ["lower", "upper"]].isna().all()
    assert np.isfinite(other.confint().drop(index="sd_g__Intercept").to_numpy()).all()
