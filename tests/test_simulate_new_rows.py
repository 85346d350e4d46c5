"""``simulate(newdata=)`` of point estimates: moments in closed form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import DataError, ModelError

pytestmark = pytest.mark.filterwarnings("ignore::bayesml.errors.FitWarning")
N = 4000


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    n = 120
    frame = pd.DataFrame({"x": rng.normal(size=n), "g": np.repeat(np.arange(12), 10), "h": np.tile(list("abcdef"), 20)})
    frame["w"], frame["n"] = rng.uniform(0.5, 4, n), rng.integers(3, 12, n)
    effects = rng.normal(size=12)[frame["g"]]
    frame["y"] = 1 + frame["x"] * (0.5 + effects / 2) + effects + rng.normal(size=n) / 2
    frame["s"] = rng.binomial(frame["n"], 1 / (1 + np.exp(-effects)))
    return frame


def check_moments(drawn: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> None:
    """Means and variances within five Monte Carlo standard errors, sd / sqrt(N) and variance sqrt(2 / N)."""
    assert np.all(np.abs(drawn.mean(axis=0) - mean) < 5 * np.sqrt(variance / N))
    assert np.all(np.abs(drawn.var(axis=0) - variance) < 5 * variance * np.sqrt(2 / N))


def test_new_rows_have_the_moments_of_the_model(data: pd.DataFrame) -> None:
    fit = bayesml.fit("y ~ x + (x | g) + (1 | h)", data, method="ml")
    new = pd.DataFrame({"x": [0.0, 1.0, -2.0, 3.0], "g": [3, 3, 99, 98], "h": ["a", "b", "a", "z"]})
    drawn = fit.simulate(N, seed=1, newdata=new)
    design = np.column_stack([np.ones(4), new["x"]])
    covariance = fit.estimate.factors[0] @ fit.estimate.factors[0].T
    sd_h = fit["sd_h__Intercept"]
    between = np.einsum("np,pq,nq->n", design, covariance, design) + sd_h**2
    check_moments(drawn, fit.linpred(new, re_formula="NA"), between + fit.sigma**2)
    # rows of one level share its effects
    expected = design[0] @ covariance @ design[1]
    size = np.sqrt((between + fit.sigma**2)[0] * (between + fit.sigma**2)[1] * 2 / N)
    assert abs(np.cov(drawn[:, 0], drawn[:, 1])[0, 1] - expected) < 5 * size
    kept = fit.simulate(N, seed=1, newdata=new.iloc[:2], use_u=True)
    check_moments(kept, fit.linpred(new.iloc[:2]), np.full(2, fit.sigma**2))
    zero = fit.simulate(N, seed=2, newdata=new, use_u=True, new_levels="zero")
    check_moments(zero, fit.linpred(new, new_levels="zero"), np.full(4, fit.sigma**2))
    drawn = fit.simulate(N, seed=3, newdata=new, use_u=True, new_levels="gaussian")
    extra = np.array([0, 0, between[2] - sd_h**2, between[3]])
    check_moments(drawn, fit.linpred(new, new_levels="zero"), extra + fit.sigma**2)
    some = fit.simulate(N, seed=4, newdata=new.iloc[:2], re_formula="~ (1 | h)")
    mean = fit.linpred(new.iloc[:2], re_formula="~ (1 | h)")
    check_moments(some, mean, between[:2] - sd_h**2 + fit.sigma**2)


def test_the_rows_of_the_fit_as_new_data(data: pd.DataFrame) -> None:
    fit = bayesml.fit("y | weights(w) ~ x + (1 | g)", data, method="reml")
    np.testing.assert_allclose(fit.simulate(3, seed=5, newdata=data), fit.simulate(3, seed=5), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        fit.simulate(3, seed=5, newdata=data, use_u=True), fit.simulate(3, seed=5, use_u=True), rtol=1e-9, atol=1e-9
    )
    wide = fit.simulate(N, seed=6, newdata=data.head(2).assign(w=[1.0, 100.0]), use_u=True)
    np.testing.assert_allclose(wide.std(axis=0), fit.sigma / np.sqrt([1.0, 100.0]), rtol=0.06)


def test_counts_of_new_trials(data: pd.DataFrame) -> None:
    fit = bayesml.fit("s | trials(n) ~ x + (1 | g)", data, "binomial", method="laplace")
    new = data.head(3).assign(n=[1, 10, 1000])
    drawn = fit.simulate(N, seed=7, newdata=new, use_u=True)
    assert (drawn <= new["n"].to_numpy()).all() and (drawn == np.round(drawn)).all()
    mean = fit.epred(new)
    p = mean / new["n"].to_numpy()
    assert np.all(np.abs(drawn.mean(axis=0) - mean) < 5 * np.sqrt(new["n"] * p * (1 - p) / N))


def test_models_without_groups(data: pd.DataFrame) -> None:
    fit = bayesml.fit("y ~ x", data, method="laplace")
    drawn = fit.simulate(N, seed=8, newdata={"x": [0.0, 2.0]})
    check_moments(drawn, fit.linpred({"x": [0.0, 2.0]}), np.full(2, fit.sigma**2))


def test_refusals(data: pd.DataFrame) -> None:
    fit = bayesml.fit("y ~ x + (1 | g)", data, method="ml")
    new = pd.DataFrame({"x": [1.0], "g": [99]})
    with pytest.raises(DataError, match="has not seen: `99`"):
        fit.simulate(newdata=new, use_u=True)
    with pytest.raises(DataError, match="lack the grouping column `g`"):
        fit.simulate(newdata={"x": [1.0]})
    with pytest.raises(DataError, match="lack the column `x`"):
        fit.simulate(newdata={"g": [1]})
    with pytest.raises(ModelError, match="`new_levels` is"):
        fit.simulate(newdata=new, new_levels="old")  # type: ignore[arg-type]
    assert fit.simulate(2, seed=1, newdata=new).shape == (2, 1)
