"""Families of counts beyond what the contract of families asks: far values, sums over a grid, glmmTMB's estimates."""

from __future__ import annotations

import json
from functools import cache

import jax
import numpy as np
import pandas as pd
import pytest
from jax import numpy as jnp

import bayesml
from bayesml.engines.precision import double_precision
from bayesml.errors import DataError, FormulaError
from bayesml.families import FAMILIES, RawResponse
from bayesml.families.com_poisson_series import LEAST_INFORMATION, LEAST_VARIANCE
from bayesml.fit import describe_problem
from tests.brms_models import FACTS

DENSITIES = json.loads((FACTS / "count_densities.json").read_text())
GLMMTMB = json.loads((FACTS / "count_families.json").read_text())


def values_of(name: str, parameters: dict, rows: int) -> dict[str, np.ndarray]:
    family = FAMILIES[name]()
    natural = {key: np.full(rows, value) for key, value in parameters.items()}
    return family.values({p.name: family.link(p.name).forward(natural[p.name]) for p in family.dpars}, natural)


@cache
def programs(name: str):
    """Log density and both log tails, and the gradient of the sum of those that are finite."""
    family = FAMILIES[name]()

    def all_three(values, y, data):
        return jnp.stack([family.log_prob(y, values, data), *family.log_tails(y, values, data)])

    def finite(values, y, data):
        found = all_three(values, y, data)
        return jnp.where(jnp.isfinite(found), found, 0.0).sum()

    return jax.jit(all_three), jax.jit(jax.grad(finite))


@pytest.mark.parametrize(
    "record", DENSITIES, ids=lambda r: f"{r['family']}-{'-'.join(map(str, r['parameters'].values()))}"
)
def test_densities_and_tails_are_those_of_exact_arithmetic(record) -> None:
    """40 digits of mpmath; a tail of nearly 1 is known to rounding of 1."""
    rows = np.resize(np.array(record["rows"]), (5, 4))
    y, expected, trials = rows[:, 0], rows[:, 1:].T, record["trials"]
    values = values_of(record["family"], record["parameters"], len(y))
    data = {} if trials is None else {"trials": np.full(len(y), float(trials))}
    with double_precision():
        found, slopes = (of(values, y, data) for of in programs(record["family"]))
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-9, atol=1e-12)
    for mine, exact in zip(np.asarray(found)[1:], expected[1:], strict=True):
        possible = exact > -1e300
        np.testing.assert_allclose(mine[possible], exact[possible], rtol=1e-8, atol=1e-12)
        assert np.isneginf(mine[~possible]).all()
    assert all(np.isfinite(np.asarray(slope)).all() for slope in slopes.values())


GRID = {
    "com_poisson": [(m, s) for m in (1e-3, 0.7, 2.0, 9.0, 70.0) for s in (0.15, 0.9, 1.0, 3.0, 30.0)],
    "compois": [(m, s) for m in (1e-3, 0.7, 9.0, 70.0) for s in (0.05, 0.7, 1.0, 6.0)],
    "genpois": [(m, s) for m in (1e-3, 0.7, 9.0, 70.0) for s in (1.0001, 1.5, 6.0)],
    "nbinom1": [(m, s) for m in (1e-3, 0.7, 9.0, 70.0) for s in (1e-6, 0.5, 6.0)],
    "negbinomial2": [(m, s) for m in (1e-3, 0.7, 9.0, 70.0) for s in (1e-6, 0.5, 2.0)],
    "discrete_weibull": [(m, s) for m in (0.01, 0.5, 0.95) for s in (0.7, 1.0, 3.0)],
    "beta_binomial": [(m, s) for m in (1e-4, 0.3, 0.9) for s in (0.05, 2.0, 1e5)],
    "zero_inflated_beta_binomial": [(0.3, 2.0), (0.9, 0.1)],
    "zero_inflated_binomial": [(0.3,), (0.9,)],
}


@pytest.mark.parametrize("name", GRID)
def test_probabilities_sum_to_one_with_the_stated_moments(name: str) -> None:
    """Over a grid of parameters; where mu and shape of com_poisson are on both sides of what the series takes."""
    family = FAMILIES[name]()
    trials = {"trials": np.full((1, 1), 60.0)} if family.traits.trials else {}
    y = np.arange(61.0 if trials else 12_000.0)[:, None]
    names = [p.name for p in family.dpars]
    points = [point if "zi" not in names else (*point, 0.4) for point in GRID[name]]
    natural = dict(zip(names, np.array(points).T, strict=True))
    with double_precision():
        values = family.values({p: family.link(p).forward(natural[p]) for p in names}, natural)
        log_p = np.asarray(jax.jit(lambda y: family.log_prob(y, values, trials))(y))
    p = np.exp(log_p)
    np.testing.assert_allclose(p.sum(axis=0), 1.0, atol=1e-8)
    mean, square = (y * p).sum(axis=0), (y**2 * p).sum(axis=0)
    np.testing.assert_allclose(family.mean(natural, trials).ravel(), mean, rtol=1e-6)
    np.testing.assert_allclose(family.variance(natural, trials).ravel(), square - mean**2, rtol=1e-5)


def test_both_ways_to_the_normalising_constant_agree() -> None:
    """Where the series of the Conway-Maxwell-Poisson constant begins, value and derivatives are those of the sum."""
    from bayesml.families.com_poisson_series import log_constant
    from bayesml.families.com_poisson_sums import _log_sum

    nu = np.array([0.05, 0.3, 1.0, 2.0, 4.0, 8.0])
    log_mu = np.log(np.maximum(LEAST_INFORMATION / nu, LEAST_VARIANCE * nu)) + 1e-9
    with double_precision():
        for of in (
            lambda f: f,
            lambda f: jax.grad(lambda a, b: f(a, b).sum(), 0),
            lambda f: jax.grad(lambda a, b: f(a, b).sum(), 1),
        ):
            series, summed = (np.asarray(of(f)(jnp.asarray(log_mu), jnp.asarray(nu))) for f in (log_constant, _log_sum))
            np.testing.assert_allclose(series, summed, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", GRID)
def test_far_linear_predictors_have_finite_densities_and_gradients(name: str) -> None:
    family = FAMILIES[name]()
    names = [p.name for p in family.dpars]
    data = {"trials": np.full(3, 9.0)} if family.traits.trials else {}
    single = {"shape": 0.7, "phi": 1.6, "sigma": 0.7, "zi": 0.3}

    def density(eta):
        values = family.values({"mu": jnp.full(3, eta)}, {n: single[n] for n in names if n != "mu"})
        return family.log_prob(jnp.asarray([0.0, 2.0, 9.0]), values, data).sum()

    with double_precision():
        both = jax.jit(jax.value_and_grad(density))
        for eta in (-40.0, 40.0):
            value, slope = both(eta)
            assert np.isfinite(value) and np.isfinite(slope)


@pytest.mark.parametrize("mu", [0.3, 4.0, 200.0])
@pytest.mark.parametrize("shape", [0.05, 0.6, 1.0, 4.0, 60.0])
def test_draws_by_rejection_have_the_moments(mu: float, shape: float) -> None:
    """Mean within five standard errors of 20,000 draws, the variance likewise or within a hundredth."""
    family, n = FAMILIES["com_poisson"](), 20_000
    natural = {"mu": np.full(n, mu), "shape": np.full(n, shape)}
    drawn = family.draw(np.random.default_rng(4), natural, {})
    mean, variance = family.mean(natural, {})[0], family.variance(natural, {})[0]
    assert abs(drawn.mean() - mean) < 5 * np.sqrt(variance / n)
    error = ((drawn - mean) ** 2).std() / np.sqrt(n)
    assert abs(drawn.var() - variance) < 5 * error + 0.01 * variance + 1e-12


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.read_csv(FACTS / "count_families.csv")


# glmmTMB's parameter of each family, and ours
CALLS = {
    "beta_binomial": ("k | trials(n) ~ x + (1 | g)", "beta_binomial", {}, "phi"),
    "beta_binomial_disp": ("k | trials(n) ~ x", FAMILIES["beta_binomial"]("probit"), {"phi": "~ z"}, None),
    "zero_inflated_binomial": ("kz | trials(n) ~ x + (1 | g)", "zero_inflated_binomial", {"zi": "~ z"}, None),
    "zero_inflated_beta_binomial": ("kzz | trials(n) ~ x + (1 | g)", "zero_inflated_beta_binomial", {}, "phi"),
    "nbinom1": ("c1 ~ x + (1 | g)", "nbinom1", {}, "phi"),
    "nbinom1_disp": ("c1 ~ x", "nbinom1", {"phi": "~ z"}, None),
    "genpois": ("c1 ~ x + (1 | g)", "genpois", {}, "phi"),
    "compois": ("c1 ~ x + (1 | g)", "compois", {}, "phi"),
    "compois_under": ("cu ~ x + (1 | g)", "compois", {}, "phi"),
    "genpois_plain": ("c1 ~ x + z", "genpois", {}, "phi"),
}


SLOW = ("compois", "compois_under", "zero_inflated_beta_binomial")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in CALLS])
def test_estimates_are_those_of_glmmtmb(name: str, frame: pd.DataFrame) -> None:
    formula, family, others, dispersion = CALLS[name]
    fit = bayesml.fit(bayesml.bf(formula, **others), frame, family, method="laplace")
    theirs = GLMMTMB[name]
    assert fit.logLik == pytest.approx(theirs["logLik"], rel=1e-5)
    table = fit.fixef()
    for part, prefix in (("cond", ""), ("zi", "zi_"), ("disp", "phi_")):
        estimates = theirs["estimates"].get(part, {})
        for label in estimates if isinstance(estimates, dict) else ():
            ours = prefix + label.replace("(Intercept)", "Intercept")
            assert table.loc[ours, "Estimate"] == pytest.approx(estimates[label], rel=1e-3, abs=2e-4)
            assert table.loc[ours, "Std.Error"] == pytest.approx(theirs["errors"][part][label], rel=2e-3)
    if dispersion:
        assert fit[dispersion] == pytest.approx(theirs["sigma"], rel=1e-3)
    if theirs["sd"] is not None:
        assert fit["sd_g__Intercept"] == pytest.approx(theirs["sd"], rel=1e-3)


def test_a_mean_for_each_group_is_estimated_in_either_parameter(frame: pd.DataFrame) -> None:
    """glmmTMB's compois is about the mean; with a mean for every group the likelihood is that of mu."""
    fit = bayesml.fit("cu ~ g", frame, "com_poisson", method="laplace")
    theirs = GLMMTMB["compois_groups"]
    assert fit.logLik == pytest.approx(theirs["logLik"], rel=1e-6)
    assert 1 / fit["shape"] == pytest.approx(theirs["sigma"], rel=1e-3)
    expected = np.exp(theirs["estimates"]["cond"]["(Intercept)"])
    assert float(np.ravel(fit.predict({"g": ["a"]}))[0]) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("name", ["nbinom1", "genpois", "negbinomial2"])
def test_sums_of_counts_have_a_rate(name: str) -> None:
    """``rate(n)`` is the distribution of the sum of n counts: a convolution."""
    parameters = {"mu": 2.3, "phi": 1.7, "sigma": 0.4}
    family = FAMILIES[name]()
    natural = {p.name: np.full(40, parameters[p.name]) for p in family.dpars}
    problem = describe_problem("y | rate(n) ~ 1", {"y": np.arange(40), "n": np.full(40, 3.0)}, family)
    likelihood, data = problem.likelihood, problem.design.response.arrays
    with double_precision():
        values = family.values({"mu": np.log(natural["mu"])}, natural)
        one = np.exp(np.asarray(family.log_prob(np.arange(40.0), values, {})))
        three = np.exp(np.asarray(likelihood.log_prob(data["y"], values, data)))
    np.testing.assert_allclose(three, np.convolve(np.convolve(one, one), one)[:40], rtol=1e-9)


@pytest.mark.parametrize("name", ["com_poisson", "discrete_weibull", "genpois", "nbinom1", "negbinomial2"])
def test_counts_are_censored_and_truncated(name: str) -> None:
    """Rows with intervals that divide all counts have probabilities that sum to 1; a truncated density does too."""
    y, upper = np.array([2, 2, 6, 7]), np.array([2, 6, 6, 9])
    data = {"y": y, "u": upper, "c": ["left", "interval", "right", "none"]}
    family = FAMILIES[name]()
    single = {"mu": 0.8 if name == "discrete_weibull" else 4.0, "shape": 1.4, "phi": 1.6, "sigma": 0.4}
    eta = {"mu": np.full(4, float(family.link("mu").forward(single["mu"])))}
    others = {p.name: single[p.name] for p in family.dpars[1:]}
    with double_precision():
        problem = describe_problem("y | cens(c, u) ~ 1", data, family)
        likelihood, arrays = problem.likelihood, problem.design.response.arrays
        rows = np.exp(np.asarray(likelihood.log_prob(arrays["y"], family.values(eta, others), arrays)))
        assert rows[:3].sum() == pytest.approx(1.0, abs=1e-10)
        k = np.arange(1, 9)
        problem = describe_problem("y | trunc(lb = 1, ub = 8) ~ 1", {"y": k}, family)
        likelihood, arrays = problem.likelihood, problem.design.response.arrays
        cut = family.values({"mu": np.full(8, eta["mu"][0])}, others)
        assert np.exp(np.asarray(likelihood.log_prob(arrays["y"], cut, arrays))).sum() == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize(
    ("formula", "family", "change", "error", "words"),
    [
        ("k ~ x", "beta_binomial", {}, DataError, "The family beta_binomial needs the number of trials"),
        ("k | trials(n) ~ x", "beta_binomial", {"n": 1}, DataError, "must not exceed its number of trials"),
        ("k | trials(n) ~ x", "zero_inflated_binomial", {"n": 2.5}, DataError, "not a whole number"),
        ("c1 ~ x", "com_poisson", {"c1": -1}, DataError, "`c1` must not be negative.*row 1"),
        ("c1 ~ x", "genpois", {"c1": 0.5}, DataError, "`c1` must be a whole number.*row 1"),
        ("c1 ~ x", "discrete_weibull", {"c1": "many"}, DataError, "needs numbers"),
        ("c1 | rate(n) ~ x", "com_poisson", {}, FormulaError, "no response term `rate"),
        ("c1 | trials(n) ~ x", "nbinom1", {}, FormulaError, "no response term `trials"),
    ],
)
def test_what_makes_no_sense_is_refused(formula, family, change, error, words, frame: pd.DataFrame) -> None:
    with pytest.raises(error, match=words):
        describe_problem(formula, frame.assign(**change), family)


def test_shares_of_trials_are_counts() -> None:
    response = RawResponse("y", np.array([0.25, 0.5]), additions={"trials": np.array([4.0, 8.0])})
    encoded = FAMILIES["zero_inflated_beta_binomial"]().encode(response)
    assert encoded.is_share and encoded.arrays["y"].tolist() == [1.0, 4.0]
