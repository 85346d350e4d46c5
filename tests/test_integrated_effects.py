"""``groups="integrate"`` against 10^6 simulated groups, for draws and for estimates, and against what is exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import bayesml

GROUPS, SIZE, SIMULATED = 60, 12, 10**6
ROWS = {"x": [-1.0, 0.0, 0.5, 2.0]}
FORMULA = "{response} ~ x + (1 + x | g)"
INVERSE = {"bernoulli": expit, "poisson": np.exp}


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(GROUPS), SIZE)
    x = rng.standard_normal(len(g))
    effects = rng.multivariate_normal([0.0, 0.0], [[0.8, 0.25], [0.25, 0.3]], GROUPS)[g]
    eta = 0.2 + 0.4 * x + effects[:, 0] + effects[:, 1] * x
    return pd.DataFrame({"g": g, "x": x, "b": rng.binomial(1, expit(eta)), "k": rng.poisson(np.exp(eta))})


@pytest.fixture(scope="module", params=["bernoulli", "poisson"])
def fit(request: pytest.FixtureRequest, data: pd.DataFrame) -> Any:
    response = {"bernoulli": "b", "poisson": "k"}[request.param]
    return bayesml.fit(FORMULA.format(response=response), data, request.param, method="laplace")


def parameters(fit: Any, place: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients and the covariance matrix of the effects, at one draw."""
    values = fit.draws_record.values
    sd, correlation = values["sd_g"][place], values["cor_g"][place][0]
    matrix = np.outer(sd, sd) * np.array([[1.0, correlation], [correlation, 1.0]])
    return values["b"][place], matrix


@pytest.mark.slow
def test_integrated_predictions_equal_those_of_a_million_groups(fit: Any) -> None:
    """Within four and a half standard errors of the simulation, at four draws and four rows."""
    normal = fit.to_normal_draws(4, seed=1)
    found = normal.predictions(ROWS, groups="integrate").draws
    change = normal.avg_comparisons("x", ROWS, groups="integrate").draws[:, 0]
    rng, inverse, x = np.random.default_rng(6), INVERSE[fit.family.name], np.array(ROWS["x"])
    chains, draws = normal.draws_record.n_chains, normal.draws_record.n_draws
    for k, place in enumerate(np.ndindex(chains, draws)):
        b, covariance = parameters(normal, place)
        u = rng.multivariate_normal([0.0, 0.0], covariance, SIMULATED)
        at = [inverse(b[0] + b[1] * each + u[:, 0] + u[:, 1] * each) for each in (*x, *(x + 1.0))]
        here, moved = at[: len(x)], at[len(x) :]
        for j, mean in enumerate(here):
            assert abs(found[k, j] - mean.mean()) < 4.5 * mean.std() / SIMULATED**0.5
        changes = np.mean([after - before for before, after in zip(here, moved, strict=True)], axis=0)
        assert abs(change[k] - changes.mean()) < 4.5 * changes.std() / SIMULATED**0.5
        if fit.family.name == "poisson":
            variance = covariance[0, 0] + 2.0 * covariance[0, 1] * x + covariance[1, 1] * x**2
            np.testing.assert_allclose(found[k], np.exp(b[0] + b[1] * x + 0.5 * variance), rtol=1e-6)


def test_integrated_predictions_of_an_estimate_equal_those_of_a_million_groups(fit: Any) -> None:
    found = fit.predictions(ROWS, groups="integrate")["estimate"]
    sd, correlation = np.array([fit["sd_g__Intercept"], fit["sd_g__x"]]), fit["cor_g__Intercept__x"]
    covariance = np.outer(sd, sd) * np.array([[1.0, correlation], [correlation, 1.0]])
    u = np.random.default_rng(7).multivariate_normal([0.0, 0.0], covariance, SIMULATED)
    for row, x in enumerate(ROWS["x"]):
        means = INVERSE[fit.family.name](fit["b_Intercept"] + fit["b_x"] * x + u[:, 0] + u[:, 1] * x)
        assert abs(found[row] - means.mean()) < 4.5 * means.std() / SIMULATED**0.5
