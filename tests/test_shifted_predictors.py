"""A model does not depend on where a covariate has its zero: Julian days, calendar years, altitudes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import bayesml
from bayesml.linalg import orthogonalise

SHIFTS = (1e2, 1e4, 1e6, 1e8)  # in standard deviations of the covariate


def _data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(20)
    g, x = np.repeat(np.arange(12), 9), np.tile(np.arange(9.0) - 4.0, 12)
    b = rng.normal(size=(12, 2)) * [1.5, 0.6]
    eta = b[g, 0] + b[g, 1] * x
    return {
        "g": g,
        "x": x,
        "y": 3 + 0.5 * x + eta + rng.normal(size=108),
        "k": rng.poisson(np.exp(0.3 + 0.05 * x + 0.3 * eta)),
        "s": rng.binomial(5, 1 / (1 + np.exp(-0.2 * x - 0.5 * eta))),
        "five": np.full(108, 5),
    }


CASES = {
    "reml": ("y ~ x + (x | g)", "gaussian"),
    "ml": ("y ~ x + (x | g)", "gaussian"),
    "poisson": ("k ~ x + (x | g)", "poisson"),
    "binomial": ("s | trials(five) ~ x + (x | g)", "binomial"),
}


def _fit(case: str, data: dict[str, np.ndarray]) -> bayesml.PointFit:
    formula, family = CASES[case]
    return bayesml.fit(formula, data, family, method=case if case in ("reml", "ml") else "laplace")  # type: ignore[return-value]


@pytest.fixture(scope="module", params=CASES)
def centred(request: pytest.FixtureRequest) -> tuple[str, bayesml.PointFit]:
    return request.param, _fit(request.param, _data())


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_shifted_covariate_gives_the_same_fit(centred: tuple[str, bayesml.PointFit], shift: float) -> None:
    case, expected = centred
    data = _data()
    move = shift * float(data["x"].std())
    x = data["x"] + move
    data["x"] = x
    rounding = 4e-16 * shift * 108  # the data themselves are rounded by eps * shift, in standard deviations
    found = _fit(case, data)
    assert found.logLik == pytest.approx(expected.logLik, abs=1e-7 + 30 * rounding)
    if case == "reml":  # log |X'V^-1X| does not change, since the columns are only combined
        assert found.sigma == pytest.approx(expected.sigma, rel=1e-6)
    slope, before = found["b_x"], expected["b_x"]
    assert slope == pytest.approx(before, abs=1e-6)
    assert found["sd_g__x"] == pytest.approx(expected["sd_g__x"], rel=1e-4)
    np.testing.assert_allclose(found.estimate.eta, expected.estimate.eta, atol=1e-4)
    # the covariance matrix, carried to the centred coefficients: sd of the intercept where the covariate is centred
    carried = np.array([[1.0, move], [0.0, 1.0]]) @ found.estimate.factors[0]
    np.testing.assert_allclose(
        np.linalg.norm(carried, axis=1), np.linalg.norm(expected.estimate.factors[0], axis=1), rtol=1e-4
    )
    # standard errors come from differences of the gradient, in steps that lie elsewhere
    assert found.fixef().loc["x", "Std.Error"] == pytest.approx(expected.fixef().loc["x", "Std.Error"], rel=1e-3)


def test_far_julian_days_reach_the_optimum() -> None:
    rng = np.random.default_rng(4)
    site, day = np.repeat(np.arange(10), 12), np.tile(np.linspace(-10, 10, 12), 10)
    b = rng.normal(size=(10, 2)) * [2.0, 0.5]
    y = 10 + 0.3 * day + b[site, 0] + b[site, 1] * day + rng.normal(size=120)
    near = bayesml.fit("y ~ day + (day | site)", {"y": y, "day": day, "site": site}, method="ml")
    far = bayesml.fit("y ~ day + (day | site)", {"y": y, "day": day + 2459400, "site": site}, method="ml")
    assert far.logLik == pytest.approx(near.logLik, abs=1e-6)
    assert not far.is_singular


def test_profile_of_a_slope_deviation_does_not_depend_on_the_zero() -> None:
    data = _data()
    near = bayesml.fit("y ~ x + (x | g)", data, method="ml").confint("profile", parameters=["sd_g__x", "b_x"])
    moved = data | {"x": data["x"] + 2459400.0}
    far = bayesml.fit("y ~ x + (x | g)", moved, method="ml").confint("profile", parameters=["sd_g__x", "b_x"])
    np.testing.assert_allclose(far, near, rtol=1e-4)


def test_rank_does_not_depend_on_the_zero() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 60))
    for shift in (0.0, *SHIFTS):
        X = np.column_stack([np.ones(60), a + shift, 2.0 * (a + shift) - 1.0, b - shift])
        np.testing.assert_array_equal(orthogonalise(X)[1].kept, [0, 1, 3])


@pytest.mark.parametrize(("moved", "warned"), [(0.0, False), (40.0, False), (2000.0, True), (2459400.0, True)])
def test_priors_of_far_covariates_are_warned_about(moved: float, warned: bool) -> None:
    data = _data()
    data["x"] = data["x"] + moved
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bayesml.fit("y ~ x + (x | g)", data, method="map")
        bayesml.fit("y ~ x + (x | g)", data, method="ml")  # equivariant: nothing to say
        bayesml.fit("y ~ x + (1 | g)", data, method="map")
    found = [str(w.message) for w in caught if "Centre it" in str(w.message)]
    assert len(found) == int(warned), found
    assert not warned or "`I(x - " in found[0]


@pytest.mark.parametrize("case", ["ml", "poisson"])
def test_standard_errors_within_the_data_do_not_cancel(case: str) -> None:
    """Of combinations whose terms are 1e8 times their sum; from the covariance matrix alone no digit would be left."""
    near, data = _fit(case, _data()), _data()
    data["x"] = data["x"] + 1e8 * data["x"].std()
    far = _fit(case, data)
    for effects in (None, "NA"):
        ours, theirs = (f.linpred(re_formula=effects, se=True)["Std.Error"] for f in (far, near))
        np.testing.assert_allclose(ours, theirs, rtol=2e-3)
