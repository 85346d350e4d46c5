"""Gaussian processes ``gp()``: kernels, factor, approximation, priors, predictions at new places, and refusals."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import inf

import arviz as az
import jax
import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import bayesml
from bayesml.engines.layout import layout_of
from bayesml.engines.nuts.forms.collapsed import collapsed_form
from bayesml.engines.nuts.forms.collapsed.model import split_of
from bayesml.engines.nuts.forms.plan import plan_for
from bayesml.engines.precision import double_precision
from bayesml.errors import BayesmlError, FitWarning
from bayesml.fit import describe_problem
from bayesml.frame import read_frame
from bayesml.processes import (
    KERNELS,
    at_new_points,
    at_points,
    default_prior,
    fit_hilbert,
    fit_positions,
    kernel_named,
)
from bayesml.processes.factor import NUGGET, covariance_root
from bayesml.processes.positions import distances, largest_distance
from bayesml.terms.effect_block import block_columns

PRIORS = [bayesml.prior("normal(0, 1)", class_="Intercept")]


def table() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    x = np.round(rng.uniform(0, 10, 60), 0)
    f = np.where(rng.uniform(size=60) < 0.5, "a", "b")
    y = np.sin(x) + rng.normal(0, 0.3, 60)
    return pd.DataFrame({"x": x, "z": rng.normal(size=60), "f": f, "y": y, "k": rng.poisson(2, 60), "c": 1.0})


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=str)
def test_the_spectral_density_is_the_transform_of_the_correlation(kernel):
    # k(r) = (1 / pi) int_0^inf S(w) cos(w r) dw
    for r in (0.0, 0.4, 1.1):
        density = lambda w: float(kernel.root_spectral_density(np.array([[w]]), np.array([0.7]))[0] ** 2)  # noqa: E731
        value = (
            integrate.quad(density, 0, inf)[0]
            if r == 0
            else integrate.quad(density, 0, inf, weight="cos", wvar=r, limlst=200)[0]
        )
        expected = kernel.correlation(np.array([[[r]]]), np.array([0.7]))[0, 0]
        assert value / np.pi == pytest.approx(expected, abs=2e-4 if kernel.smoothness < 1 else 1e-6)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=str)
def test_spectral_density_of_a_surface_holds_the_variance(kernel):
    # k(0) = (2 pi)^-2 int S(w) dw = (2 pi)^-1 int_0^inf S(w) w dw in two dimensions, whatever the length-scales
    density = lambda w: w * float(kernel.root_spectral_density(np.array([[w, 0.0]]), np.array([0.7]))[0] ** 2)  # noqa: E731
    assert integrate.quad(density, 0, inf, limit=500)[0] / (2 * np.pi) == pytest.approx(1.0, abs=1e-6)
    stretched = kernel.root_spectral_density(np.array([[2.0, 0.5]]), np.array([0.7, 0.7]))
    assert stretched == pytest.approx(kernel.root_spectral_density(np.array([[2.0, 0.5]]), np.array([0.7])))


def test_spellings_of_kernels():
    assert kernel_named("matern15", "gp(x)") is KERNELS["matern32"]
    assert kernel_named("matern25", "gp(x)") is KERNELS["matern52"]
    assert kernel_named("matern12", "gp(x)") is KERNELS["exponential"]


@pytest.mark.parametrize("places", [1, 15, 16, 40])
def test_factor_without_lapack_is_that_of_lapack(places):
    x = np.random.default_rng(1).uniform(size=(places, 2))
    kernel = KERNELS["matern32"]
    for isotropic, lengthscales in ((True, [0.4]), (False, [0.3, 0.9])):
        apart = distances(x, x, isotropic)
        expected = np.linalg.cholesky(
            1.7**2 * kernel.correlation(apart, np.array(lengthscales)) + NUGGET * np.eye(places)
        )
        with double_precision():
            found = jax.jit(partial(covariance_root, kernel))(1.7, np.array(lengthscales), apart)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)


def test_gradient_is_that_of_finite_differences():
    x = np.random.default_rng(1).uniform(size=(20, 2))
    z, w = np.random.default_rng(2).normal(size=(2, 20))
    kernel = KERNELS["matern52"]

    def value(sd, lengthscales, z):
        return w @ at_points(kernel, x, False, sd, lengthscales, z)

    at = [np.array(1.3), np.array([0.4, 0.8]), z]
    with double_precision():
        gradient = jax.jit(jax.grad(value, (0, 1, 2)))(*at)
    for place, (own, of_own) in enumerate(zip(at, gradient, strict=True)):
        for i in np.ndindex(own.shape):
            moved = []
            for step in (1e-6, -1e-6):
                changed = [np.array(v) for v in at]
                changed[place][i] += step
                moved.append(value(*changed))
            assert (moved[0] - moved[1]) / 2e-6 == pytest.approx(float(np.asarray(of_own)[i]), abs=2e-7, rel=2e-6)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=str)
def test_approximation_has_the_covariances_of_the_process(kernel):
    x = np.linspace(0, 1, 30)[:, None]
    positions = fit_positions(x, grouped=True, scaled=True, label="gp(x)")
    basis = fit_hilbert(positions, 600, 2.0)
    functions = basis.evaluate(positions.points)
    roots = kernel.root_spectral_density(np.asarray(basis.frequencies), np.array([0.3]))
    exact = kernel.correlation(distances(positions.points, positions.points, True), np.array([0.3]))
    # the neglected frequencies hold a share of about 1 / (3 w) of the variance of the roughest process, w = 150 pi
    np.testing.assert_allclose(
        (functions * roots**2) @ functions.T, exact, atol=6e-3 if kernel.smoothness < 1 else 1e-3
    )


# brms::get_prior(y ~ gp(x, scale = FALSE), data.frame(y = rnorm(3), x = c(0, 1, 1 + 1 / r))) of brms 2.18
@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(1.5, "inv_gamma(26.356545, 26.497118)"), (5, "inv_gamma(7.301236, 3.000864)")],
)
def test_prior_of_a_length_scale_has_one_percent_beyond_the_distances(ratio, expected):
    points = np.array([[0.0], [1.0], [1 + 1 / ratio]])
    prior = default_prior(points)
    assert str(prior) == expected
    assert prior.cdf(1 / ratio) == pytest.approx(0.01, rel=1e-4)
    assert prior.survival(1 + 1 / ratio) == pytest.approx(0.01, rel=1e-4)


def test_prior_of_two_places():
    # brms: normal(0, 0.5), since no distribution has 1% below and 1% above the one distance
    assert str(default_prior(np.array([[0.0], [1.0]]))) == "normal(0, 0.5)"


def test_largest_distance_of_a_cloud():
    points = np.random.default_rng(4).normal(size=(500, 3))
    assert largest_distance(points) == pytest.approx(distances(points, points, True).max(), rel=1e-14)


def test_values_at_new_places_have_the_conditional_distribution():
    rng = np.random.default_rng(5)
    kernel, x, new = KERNELS["matern32"], np.array([[0.0], [0.4], [1.0]]), np.array([[0.2], [0.5], [3.0], [0.4 + 1e-9]])
    draws = 40_000
    z = np.repeat(rng.normal(size=(1, 3)), draws, axis=0) + 1e-12 * rng.normal(size=(draws, 3))
    sd, lengthscales = np.full(draws, 1.5), np.full((draws, 1), 0.6)
    found = at_new_points(kernel, x, new, True, sd, lengthscales, z)
    K, k, own = (
        1.5**2 * kernel.correlation(distances(a, b, True), np.array([0.6])) for a, b in ((x, x), (x, new), (new, new))
    )
    f = np.linalg.cholesky(K) @ z[0]
    mean, covariance = k.T @ np.linalg.solve(K, f), own - k.T @ np.linalg.solve(K, k)
    error = np.sqrt(np.diag(covariance) / draws)
    assert (np.abs(found.mean(axis=0) - mean) < 4 * error + 1e-4).all()
    # the entries of the sample covariance have standard deviations of at most sqrt(2 / draws) of the largest variance
    assert np.abs(np.cov(found.T) - covariance).max() < 4 * np.sqrt(2 / draws) * covariance.max()
    np.testing.assert_array_equal(found, at_new_points(kernel, x, new, True, sd, lengthscales, z))


@pytest.fixture(scope="module")
def fit() -> bayesml.Fit:
    return bayesml.fit("y ~ f + gp(x, by=f)", table(), draws=500, chains=2, seed=1, target_accept=0.95, progress=False)


def test_names_are_those_of_brms(fit):
    # brms::brm(y ~ f + gp(x, by = f)): sdgp_gpxfa, lscale_gpxfa, zgp_gpxfa[1]
    draws = fit.draws()
    for name in ("sdgp_gpxfa", "sdgp_gpxfb", "lscale_gpxfa", "lscale_gpxfb", "zgp_gpxfb[2]"):
        assert np.isfinite(fit[name].values).all()
    assert "sdgp_gpxf[a]" in draws.columns
    assert "Gaussian Process Hyperparameters:" in str(fit)
    assert "lscale(gpxf[a])" in str(fit)


def test_places_of_the_fit_keep_their_values(fit):
    d = table()
    np.testing.assert_allclose(fit.epred(d).values, fit.epred().values, atol=1e-9)
    # one row alone has the value that it has among others, also beside places that are new
    some = pd.concat([d.iloc[[7]], d.iloc[[7]].assign(x=3.7)])
    found = np.asarray(fit.epred(some).values)
    np.testing.assert_allclose(found[..., 0], np.asarray(fit.epred().values)[..., 7], atol=1e-9)


def test_far_from_the_data_the_process_has_its_own_distribution(fit):
    far = pd.DataFrame({"x": [1e6], "f": ["a"]})
    beyond = np.asarray(fit.linpred(far).values).reshape(-1) - fit["b_Intercept"].values.reshape(-1)
    sd = fit["sdgp_gpxfa"].values.reshape(-1)
    scaled = beyond / sd
    assert abs(scaled.mean()) < 4 / np.sqrt(len(scaled))
    assert abs(scaled.std() - 1) < 4 / np.sqrt(2 * len(scaled))


def test_saved_fit_predicts_the_same(fit, tmp_path):
    fit.save(tmp_path / "fit.nc")
    new = pd.DataFrame({"x": [2.5, 11.0], "f": ["a", "b"]})
    loaded = bayesml.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(loaded.epred(new).values, fit.epred(new).values)


def test_a_value_beyond_the_interval_of_the_approximation_is_said():
    term = describe_problem("y ~ gp(x, k=5)", table()).design.schema.predictors[0].terms[-1]
    with pytest.warns(FitWarning, match=r"1 row lies beyond the interval.*larger `c`"):
        term.arrays(read_frame(pd.DataFrame({"x": [3.0, 40.0]}), ["x"]))


def test_gaussian_models_integrate_the_process():
    for formula in ("y ~ gp(x)", "y ~ gp(x, k=10)", "y ~ gp(x, by=z) + gp(z, k=5) + (1 | f)"):
        assert plan_for(describe_problem(formula, table())).form == "collapsed"
    assert plan_for(describe_problem("k ~ gp(x)", table(), "poisson")).form == "preconditioned"


@pytest.mark.parametrize("formula", ["y ~ gp(x)", "y ~ gp(x, k=6)"])
def test_the_integral_over_the_process_is_that_of_a_normal_distribution(formula):
    # Of two responses at the same parameters the log densities differ by those of y ~ N(Intercept, K + sigma^2 I).
    responses = table()["y"].to_numpy(), table()["z"].to_numpy()
    found, expected = [], []
    for y in responses:
        problem = describe_problem(formula, table().assign(y=y), prior=PRIORS)
        (term,) = (t for t in problem.design.schema.predictors[0].terms if hasattr(t, "positions"))
        block, arrays = term.integrated_blocks()[0], problem.design.arrays[term.predictor][term.key]
        with double_precision():
            form = collapsed_form(problem, scaled=False)
            q = np.linspace(-0.4, 0.5, form.size)
            found.append(float(form.density(q, form.data)))
            layout = layout_of(replace(problem.description.spec, parameters=split_of(problem).parameters))
            values, _ = layout.constrain(layout.center + layout.scale * q)
        values = {name: np.asarray(v) for name, v in values.items()}
        root = block.shape.factor(values["sdgp_gpx"], values)
        Z = block_columns(arrays, block.array, block.vectors)
        root = Z * root if root.ndim == 1 else Z @ root
        covariance = root @ root.T + values["sigma"] ** 2 * np.eye(len(y))
        expected.append(stats.multivariate_normal(np.full(len(y), values["Intercept"]), covariance).logpdf(y))
    assert found[0] - found[1] == pytest.approx(expected[0] - expected[1], rel=1e-8)


@pytest.mark.slow
def test_integrated_and_sampled_processes_agree():
    runs = [
        bayesml.fit("y ~ z + gp(x)", table(), draws=2000, seed=4, marginalize=m, target_accept=0.95, progress=False)
        for m in (True, False)
    ]
    for name in ("sdgp_gpx", "lscale_gpx", "sigma"):
        logs = [np.log(np.asarray(run[name].values)) for run in runs]
        errors = [v.std() / np.sqrt(float(az.ess(v))) for v in logs]
        assert abs(logs[0].mean() - logs[1].mean()) < 4 * np.hypot(*errors)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ gp(c)", "same values in all of its rows"),
        ("y ~ gp(f)", "function of numbers; `f` holds categories"),
        ("y ~ gp(x, k=0)", "`k` of `gp.x, k=0.` is a whole number"),
        ("y ~ gp(x, z, k=60)", "3600 functions"),
        ('y ~ gp(x, cov="mattern32")', "did you mean `matern32`"),
        ("y ~ gp(x, iso=2)", "`iso` of .* is TRUE or FALSE"),
        ("y ~ gp(x, c=-1)", "`c` of .* is a number above 0"),
        ("y ~ gp(x, m=2)", "no argument `m`"),
        ("y ~ gp(x):z", "write gp.x., and gp.x, by=z."),
        ('y ~ gp(x, by="z")', "`by` of .* is a column"),
        ("y ~ gp()", "write gp.x."),
        ("y ~ gp(x, x)", "`x` twice"),
    ],
)
def test_what_cannot_be_is_said_before_the_fit(formula, message):
    with pytest.raises(BayesmlError, match=message):
        describe_problem(formula, table())


@pytest.mark.parametrize("method", ["reml", "ml", "laplace", "map"])
def test_point_estimates_refuse_length_scales(method):
    with pytest.raises(BayesmlError, match=r"no form for `gp\(x, k=5\)`.*s\(x\)"):
        bayesml.fit("y ~ gp(x, k=5)", table(), method=method)


def test_too_many_places_for_an_exact_process():
    d = pd.DataFrame({"x": np.linspace(0, 1, 1001), "y": 0.0})
    d["y"] = np.sin(9 * d.x)
    with pytest.raises(BayesmlError, match="1001 different places.*k=20"):
        describe_problem("y ~ gp(x)", d)


def test_rows_of_equal_covariates_may_have_values_of_their_own():
    problem = describe_problem("y ~ gp(x, gr=FALSE)", table())
    term = problem.design.schema.predictors[0].terms[-1]
    arrays = problem.design.arrays[term.predictor][term.key]
    np.testing.assert_array_equal(arrays["index"], np.arange(60))
