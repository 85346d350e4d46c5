"""Moment matching: the way back from reported draws to unconstrained ones, and densities against exact ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import bayesml
from bayesml.engines.unconstrained import UnconstrainedModel, unconstrained_draws
from bayesml.errors import ModelError
from bayesml.results.checks.moment_match import _Affine, _after, matched_rows
from tests.handmade import handmade_fit

N = 16


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    return {
        "y": rng.normal(size=N),
        "x": rng.normal(size=N),
        "c": rng.poisson(2.0, N),
        "g": np.resize(["a", "b", "c", "d"], N),
        "h": np.repeat(["u", "v"], N // 2),
        "f": np.resize(["p", "q", "q", "p"], N),
    }


MODELS = {
    "groups": ("y ~ x + (x | g) + (1 | h)", "gaussian", True),
    "shared": (bayesml.bf("y ~ x + (1 | p | g)", sigma="~ 1 + (1 | p | g)"), "gaussian", True),
    "smooth": ("c ~ s(x, k = 4)", "poisson", True),
    "strata": ("y ~ x + (1 | gr(g, by = f))", "gaussian", False),  # z of other strata are in no effect
}


@pytest.mark.parametrize("kind", MODELS)
def test_reported_draws_lead_back_to_unconstrained_ones(data, kind: str) -> None:
    formula, family, known = MODELS[kind]
    fit = handmade_fit(formula, data, family)
    positive = {name: np.abs(v) for name, v in fit.draws_record.values.items() if name.startswith("sds")}
    fit = handmade_fit(formula, data, family, change=positive)
    model = UnconstrainedModel.of(fit.problem)
    points = unconstrained_draws(fit.problem, model, fit.draws_record.values)
    assert (points is not None) is known
    if points is not None:
        assert points.shape == (180, model.layout.size)
        again = model.reported(points[:5])
        for name, value in fit.draws_record.values.items():
            np.testing.assert_allclose(again[name], value[0, :5], rtol=1e-8, atol=1e-8)


def test_a_row_that_is_left_out_takes_its_density_along(data) -> None:
    fit = handmade_fit("c ~ x + (1 | g)", data, "poisson")
    model = UnconstrainedModel.of(fit.problem)
    points = unconstrained_draws(fit.problem, model, fit.draws_record.values)
    assert points is not None
    difference = model.log_density(points) - model.log_density(points, 3)
    np.testing.assert_allclose(difference, fit.log_lik().to_numpy().reshape(-1, N)[:, 3], rtol=1e-6, atol=1e-8)


def test_maps_follow_each_other(rng: np.random.Generator) -> None:
    x = rng.normal(size=(5, 3))
    first = _Affine(np.array([2.0, 0.5, 1.5]), rng.normal(size=3), rng.normal(size=3))
    second = _Affine(np.eye(3) + 0.2 * rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=3))
    both = _after(second, first)
    np.testing.assert_allclose(both(x), second(first(x)), rtol=1e-12)
    np.testing.assert_allclose(both.inverse(both(x)), x, rtol=1e-10)
    assert both.log_determinant == pytest.approx(first.log_determinant + second.log_determinant)


def leverage(formula: str) -> tuple[bayesml.Fit, np.ndarray]:
    """Return a regression with a row that decides the slope, and exact log p(y_i | y without y_i)."""
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.normal(size=N - 1), [8.0]])
    y = 0.5 * x + rng.normal(size=N)
    y[-1] += 5.0
    priors = [bayesml.prior("normal(0, 2)", "b"), bayesml.prior("normal(0, 5)", "Intercept")]
    priors.append(bayesml.prior("constant(1)", "sigma"))
    data = {"y": y, "x": x, "g": np.resize(["a", "b", "c", "d"], N)}
    if "(1 | g)" in formula:
        priors.append(bayesml.prior("constant(0.7)", "sd"))
    fit = bayesml.fit(formula, data, prior=priors, chains=2, draws=2000, seed=1, progress=False)
    centred = x - x.mean()
    V = 25.0 + 4.0 * np.outer(centred, centred) + np.eye(N)
    if "(1 | g)" in formula:
        V = V + 0.49 * (data["g"][:, None] == data["g"])
    precision = np.linalg.inv(V)
    q = np.diag(precision)
    return fit, stats.norm.logpdf(precision @ y / np.sqrt(q)) + 0.5 * np.log(q)


@pytest.mark.parametrize("formula", ["y ~ x", "y ~ x + (1 | g)"])
def test_densities_are_exact_where_importance_sampling_fails(formula: str) -> None:
    """The slope is integrated out by the sampler, which reports it all the same."""
    fit, exact = leverage(formula)
    with pytest.warns(bayesml.FitWarning, match="`moment_match=True`"):
        plain = fit.loo()
    assert float(plain.pareto_k[-1]) > 0.7
    found = fit.loo(moment_match=True)
    elpd, k = found.evidence.found.elpd, found.evidence.found.pareto_k
    assert (k <= 0.7).all()
    # Over the posterior without the row its density varies by some 3 times itself: 4,000 draws tell its mean to .05.
    assert elpd[-1] == pytest.approx(exact[-1], abs=0.15)
    assert abs(plain.evidence.found.elpd[-1] - exact[-1]) > abs(elpd[-1] - exact[-1])
    others = np.arange(N - 1)
    matched = matched_rows(fit, others, 1.0)  # all of them are moved
    np.testing.assert_allclose(matched.elpd, exact[others], atol=0.06)


@pytest.mark.filterwarnings("ignore:.*effective sample size", "ignore:The chains do not agree", "ignore:.*Pareto k")
@pytest.mark.slow
def test_what_was_not_reported_is_sampled_anew(data) -> None:
    priors = [bayesml.prior("constant(1)", "sigma")]
    formula = "y ~ x + (1 | gr(g, by = f))"
    fit = bayesml.fit(formula, data, prior=priors, chains=2, draws=300, seed=1, progress=False)
    own = fit.loo(k_threshold=5.0).evidence.found
    found = matched_rows(fit, np.arange(3), 1.0)
    # other draws of the same posterior: densities vary by a quarter over it, and some 300 draws are independent
    np.testing.assert_allclose(found.elpd, own.elpd[:3], atol=0.1)


def test_impossible_matching_is_refused(data) -> None:
    drawn = bayesml.fit("y ~ x", data, method="laplace").to_normal_draws(100, seed=1)
    with pytest.raises(ModelError, match="drawn around an estimate"):
        drawn.loo(moment_match=True, k_threshold=0.0)
    with pytest.raises(ModelError, match="True or False; got 'yes'"):
        drawn.loo(moment_match="yes")
    grouped = handmade_fit("y ~ x + (1 | g)", data)
    with pytest.raises(ModelError, match="leave one of them out"):
        grouped.loo(moment_match=True, groups="integrate")
    several = handmade_fit(bayesml.bf("y ~ x") + bayesml.bf("c ~ x", family="poisson"), data)
    with pytest.raises(ModelError, match="leave `resp=` out"):
        several.loo(moment_match=True, resp="y")
