"""Spatial autoregression, ``sar(W)``: independent densities, predictions, and what is refused.

Densities of brms are in test_brms_density.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesml
from bayesml.engines.precision import double_precision
from bayesml.errors import DataError, FormulaError, ModelError
from bayesml.fit import describe_problem

SIDE = 5
N = SIDE * SIDE
KINDS = ("lag", "error")


def grid() -> np.ndarray:
    """Return the neighbours of the cells of a square grid, zeros and ones."""
    row, column = np.divmod(np.arange(N), SIDE)
    apart = np.abs(np.subtract.outer(row, row)) + np.abs(np.subtract.outer(column, column))
    return (apart == 1).astype(float)


def weights(kind: str) -> np.ndarray:
    rng = np.random.default_rng(3)
    near = grid()
    if kind == "plain":  # rows add up to 2, 3 or 4
        return near
    if kind == "directed":  # complex eigenvalues
        near = near * rng.uniform(0.1, 1.0, size=near.shape) * (rng.random(near.shape) < 0.7)
        near += np.roll(np.eye(N), 1, axis=1)
    return near / near.sum(1, keepdims=True)


def data() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    return pd.DataFrame({"x": rng.normal(size=N), "y": 2 + rng.normal(size=N)})


def formula(kind: str) -> str:
    return f'y ~ x + sar(W, type = "{kind}")'


def parameter(problem) -> object:
    return next(p for p in problem.likelihood.parameters if p.name in ("lagsar", "errorsar"))


@pytest.mark.parametrize("family", ["gaussian", "student"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("which", ["standardised", "plain", "directed"])
def test_densities_are_those_of_the_joint_distribution(which, kind, family):
    W, frame = weights(which), data()
    assert (np.abs(np.linalg.eigvals(W).imag).max() > 0.01) == (which == "directed")
    problem = describe_problem(formula(kind), frame, family, data2={"W": W})
    rng = np.random.default_rng(5)
    low, high = parameter(problem).support.bounds
    rho, mu, sigma, nu = low + 0.8 * (high - low), rng.normal(size=N), 0.7, 4.5
    inverse = np.linalg.inv(np.eye(N) - rho * W)
    mean, scale = (inverse @ mu if kind == "lag" else mu), sigma**2 * inverse @ inverse.T
    joint = stats.multivariate_normal(mean, scale) if family == "gaussian" else stats.multivariate_t(mean, scale, df=nu)
    values = {"mu": mu, "sigma": np.array([sigma]), "nu": np.array([nu]), f"{kind}sar": np.array([rho])}
    arrays, likelihood = problem.design.response.arrays, problem.likelihood
    with double_precision():
        total = float(likelihood.log_prob(arrays["y"], values, arrays).sum())
        left_out = np.asarray(likelihood.log_predictive(arrays["y"], values, arrays))
    assert total == pytest.approx(joint.logpdf(frame["y"]), rel=1e-9)
    for row in (0, 12):
        keep = np.delete(np.arange(N), row)
        others = (
            stats.multivariate_normal(mean[keep], scale[np.ix_(keep, keep)])
            if family == "gaussian"
            else stats.multivariate_t(mean[keep], scale[np.ix_(keep, keep)], df=nu)
        )
        rest = others.logpdf(frame["y"].to_numpy()[keep])
        assert left_out[row] == pytest.approx(joint.logpdf(frame["y"]) - rest, rel=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_moments_are_those_of_draws(kind):
    W, draws, nu = weights("directed"), 20_000, 60.0
    problem = describe_problem(formula(kind), data(), "student", data2={"W": W})
    rng = np.random.default_rng(6)
    mu, rho = rng.normal(size=N), 0.5
    values = {"mu": mu[None], "sigma": np.array([[0.7]]), "nu": np.array([[nu]]), f"{kind}sar": np.array([[rho]])}
    arrays, likelihood = problem.design.response.arrays, problem.likelihood
    inverse = np.linalg.inv(np.eye(N) - rho * W)
    covariance = 0.49 * inverse @ inverse.T * nu / (nu - 2)
    mean = inverse @ mu if kind == "lag" else mu
    np.testing.assert_allclose(likelihood.mean(values, arrays)[0], mean, rtol=1e-10)
    np.testing.assert_allclose(likelihood.variance(values, arrays)[0], np.diag(covariance), rtol=1e-10)
    drawn = likelihood.draw(rng, {**values, "mu": np.broadcast_to(mu, (draws, N))}, arrays)
    # Means have standard error sd / sqrt(draws); covariances that of a normal, a little more with 60 df.
    assert (np.abs(drawn.mean(0) - mean) < 5 * np.sqrt(np.diag(covariance) / draws)).all()
    sd = np.sqrt(np.diag(covariance))
    error = np.sqrt((np.outer(sd, sd) ** 2 + covariance**2) / draws)
    assert (np.abs(np.cov(drawn.T) - covariance) < 6 * error).all()


def test_bounds_are_eigenvalues_and_never_beyond_a_singular_matrix():
    def bounds(W: np.ndarray) -> tuple[float, float]:
        return parameter(describe_problem(formula("lag"), data(), "gaussian", data2={"W": W})).support.bounds

    W = weights("standardised")
    assert bounds(W) == pytest.approx((np.linalg.eigvals(W).real.min(), 1.0))
    half = np.linalg.eigvalsh(grid()) / 8
    assert bounds(grid() / 8) == pytest.approx((half.min(), half.max()))
    plain = np.linalg.eigvalsh(grid())  # up to 3.46: I - rho W is singular at 1 / 3.46
    assert bounds(grid()) == pytest.approx((1 / plain.min(), 1 / plain.max()))


@pytest.fixture(scope="module")
def fitted():
    W, frame = weights("standardised"), data()
    frame["y"] = np.linalg.solve(np.eye(N) - 0.5 * W, frame["y"])
    options = {"seed": 1, "draws": 1000, "warmup": 500, "chains": 2, "progress": False}
    return bayesml.fit("y ~ x + sar(W)", frame, data2={"W": W}, **options), frame, W


def test_predictions_of_a_fit(fitted, tmp_path):
    fit, frame, W = fitted
    draws = fit.draws()
    mu = fit.linpred().to_numpy().reshape(-1, N)
    rho = draws["lagsar"].to_numpy().reshape(-1)
    expected = np.stack([np.linalg.solve(np.eye(N) - r * W, m) for r, m in zip(rho, mu, strict=True)])
    np.testing.assert_allclose(fit.epred().to_numpy().reshape(-1, N), expected, rtol=1e-8)
    np.testing.assert_allclose(fit.epred(frame).to_numpy(), fit.epred().to_numpy(), rtol=1e-10)
    np.testing.assert_allclose(fit.log_lik(frame).to_numpy(), fit.log_lik().to_numpy(), rtol=1e-10)
    plain = fit.epred(frame.iloc[:4], incl_autocor=False).to_numpy().reshape(-1, 4)
    np.testing.assert_allclose(plain, mu[:, :4], rtol=1e-8)
    with pytest.raises(DataError, match="New data need the rows of the fit"):
        fit.predict(frame.iloc[:4])
    fit.save(tmp_path / "fit")
    again = bayesml.load(tmp_path / "fit")
    np.testing.assert_array_equal(again.predict(seed=1).to_numpy(), fit.predict(seed=1).to_numpy())


def test_a_fit_is_updated_with_its_matrix(fitted):
    fit, frame, _ = fitted
    changed = fit.update(data=frame.assign(y=frame["y"] + 1.0))
    assert "lagsar" in changed.draws()
    other = fit.update(formula="y ~ x + sar(W, type = 'error')")
    assert "errorsar" in other.draws()
    with pytest.raises(DataError, match="`W` has 25"):
        fit.update(data=frame.iloc[:20])


def test_a_row_that_is_left_out_leaves_the_matrix_too():
    frame, W = data(), weights("standardised")
    frame.loc[3, "x"] = np.nan
    with pytest.warns(bayesml.FitWarning, match="missing"):
        problem = describe_problem(formula("error"), frame, "gaussian", data2={"W": W})
    keep = np.delete(np.arange(N), 3)
    np.testing.assert_array_equal(problem.design.response.arrays["sar"], W[np.ix_(keep, keep)])


REFUSED = (
    ("y ~ x + sar()", FormulaError, "name of a matrix"),
    ("y ~ x + sar(V)", FormulaError, "`data2` has none"),
    ("y ~ x + sar(W, type = 'both')", FormulaError, '"lag" or "error"'),
    ("y ~ x + sar(small)", DataError, "`small` has 4"),
    ("y ~ x + sar(wide)", DataError, "as many rows as columns"),
    ("y ~ x + sar(gaps)", DataError, "finite|missing|NaN"),
    ("y ~ x + sar(later)", DataError, "no room"),
    ("y ~ x + sar(W) + ar(x)", FormulaError, "one residual term"),
    ("y ~ x * sar(W)", FormulaError, "multiplied by another residual term alone"),
    ("y | weights(w) ~ x + sar(W)", FormulaError, "weights"),
    ("y | cens(c) ~ x + sar(W)", FormulaError, "cens"),
    ("y | se(w, sigma = TRUE) ~ x + sar(W)", FormulaError, "standard errors"),
    ("y | mi() ~ x + sar(W)", FormulaError, "responses of all rows"),
    (bayesml.bf("y ~ x + sar(W)", sigma="~ x"), FormulaError, "formula of sigma"),
    (bayesml.bf("y ~ x", sigma="~ sar(W)"), FormulaError, "main formula only"),
)


@pytest.mark.parametrize(("written", "error", "message"), REFUSED)
def test_what_makes_no_sense_is_refused(written, error, message):
    W = weights("standardised")
    gaps = np.where(np.eye(N, k=1) > 0, np.nan, W)
    matrices = {"W": W, "small": np.eye(4), "wide": W[:4], "gaps": gaps, "later": np.eye(N, k=-1)}
    with pytest.raises(error, match=message):
        describe_problem(written, data().assign(w=1.0, c=0), "gaussian", data2=matrices)


def test_other_families_and_methods_say_what_they_lack():
    frame, given = data().assign(k=np.arange(N)), {"W": weights("standardised")}
    with pytest.raises(FormulaError, match="gaussian and student"):
        describe_problem("k ~ x + sar(W)", frame, "poisson", data2=given)
    with pytest.raises(FormulaError, match="one `nu`"):
        describe_problem(bayesml.bf("y ~ x + sar(W)", nu="~ x"), frame, "student", data2=given)
    for method in ("reml", "ml", "laplace", "map"):
        with pytest.raises(ModelError, match="residual term"):
            bayesml.fit("y ~ x + sar(W)", frame, data2=given, method=method)
