"""Response terms that wrap a likelihood: censoring, truncation, rates. Reference densities are of SciPy."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from scipy import integrate, stats

import bayesml
from bayesml.engines.density import data_of
from bayesml.engines.precision import double_precision
from bayesml.errors import DataError, FormulaError
from bayesml.families import FAMILIES, get_family
from bayesml.fit import describe_problem
from bayesml.lazy import LazyRegistry
from bayesml.response_terms import RESIDUAL_TERMS, RESPONSE_TERMS, AbstractResponseTerm
from bayesml.response_terms.residuals.registry import PRODUCTS
from bayesml.response_terms.trunc import Truncated

RNG = np.random.default_rng(3)
N = 40
X = RNG.normal(size=N)
DATA = {"x": X, "y": np.exp(0.4 * X + RNG.normal(size=N) * 0.7) + 0.05, "k": RNG.poisson(np.exp(1 + 0.3 * X)) + 0.0}
PARAMETERS = {"sigma": 1.3, "nu": 4.5, "shape": 2.2, "phi": 3.4}
SCIPY = {
    "gaussian": lambda m: stats.norm(m, 1.3),
    "student": lambda m: stats.t(4.5, m, 1.3),
    "lognormal": lambda m: stats.lognorm(1.3, scale=np.exp(m)),
    "gamma": lambda m: stats.gamma(2.2, scale=m / 2.2),
    "beta": lambda m: stats.beta(m * 3.4, (1 - m) * 3.4),
    "poisson": lambda m: stats.poisson(m),
    "negbinomial": lambda m: stats.nbinom(2.2, 2.2 / (2.2 + m)),
    "binomial": lambda m: stats.binom(7, m),
}


def points(name: str) -> np.ndarray:
    if FAMILIES[name]().traits.discrete:
        return np.array([0.0, 1.0, 3.0, 7.0])
    return np.array([0.02, 0.4, 0.93]) if name == "beta" else np.array([0.1, 0.6, 2.5, 7.0])


def values_of(likelihood, mean):
    return likelihood.values({}, {"mu": mean, **{p.name: PARAMETERS[p.name] for p in likelihood.dpars[1:]}})


@pytest.mark.parametrize("name", SCIPY)
def test_distribution_functions_in_both_tails(name: str) -> None:
    family, y, mean = get_family(name), points(name), 0.55
    data = {"trials": np.full(y.shape, 7.0)}
    with double_precision():
        found = [f(jnp.asarray(y), values_of(family, mean), data) for f in (family.log_cdf, family.log_survival)]
    for ours, theirs in zip(found, (SCIPY[name](mean).logcdf(y), SCIPY[name](mean).logsf(y)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", SCIPY)
def test_gradients_of_distribution_functions(name: str) -> None:
    """In every parameter, against central differences whose error is about 1e-10."""
    family = get_family(name)
    single = {"mu": 0.55, **{p.name: PARAMETERS[p.name] for p in family.dpars[1:]}}
    with double_precision():
        y = jnp.asarray(points(name))
        data = {"trials": jnp.full(y.shape, 7.0)}

        @jax.jit
        def total(single):
            values = family.values({}, single)
            return jnp.where(y < 7, family.log_cdf(y, values, data) + family.log_survival(y, values, data), 0.0).sum()

        slopes = jax.jit(jax.grad(total))({k: jnp.asarray(v) for k, v in single.items()})
        for dpar, value in single.items():
            above, below = (float(total({**single, dpar: value + h})) for h in (1e-5, -1e-5))
            assert float(slopes[dpar]) == pytest.approx((above - below) / 2e-5, rel=1e-5, abs=1e-6), dpar


def test_tails_neither_underflow_nor_cancel() -> None:
    """Far out, where a probability is 1e-500, with finite gradients (brms issue 1899)."""
    with double_precision():
        gamma, poisson, binomial = get_family("gamma"), get_family("poisson"), get_family("negbinomial")
        for family, y in ((gamma, 3000.0), (poisson, 900.0), (binomial, 60_000.0)):
            for f in (family.log_cdf, family.log_survival):
                at = jax.jit(jax.value_and_grad(lambda m, f=f, s=family, y=y: f(y, values_of(s, m), {}).sum()))
                value, slope = at(0.5)
                assert np.isfinite(value) and np.isfinite(slope)
        far = float(gamma.log_survival(3000.0, values_of(gamma, 0.5), {}))
        rate = 2.2 / 0.5
        # Q(a, z) ~ z^(a-1) e^-z / Gamma(a) (1 + (a - 1) / z + ...)
        z = rate * 3000.0
        series = (1.2 * np.log(z) - z - stats.gamma(1).logpdf(1) - 1.0) - float(jax.scipy.special.gammaln(2.2))
        assert far == pytest.approx(series + np.log1p(1.2 / z), rel=1e-9)


def density_at(formula: str, family: str, data: dict, values: dict) -> np.ndarray:
    from bayesml.compile import linear_predictors, log_likelihood

    problem = describe_problem(formula, data, family)
    with double_precision():
        predictors = linear_predictors(problem.design.schema, values, problem.design.arrays)
        return np.asarray(log_likelihood(problem.likelihood, predictors, values, data_of(problem)["response"]))


def test_censored_rows() -> None:
    kinds = np.resize(["none", "left", "right", "interval"], N)
    data = {**DATA, "c": kinds.tolist(), "u": DATA["y"] + 0.5}
    values = {"b": np.array([0.2, 0.4]), "sigma": 0.9}
    found = density_at("y | cens(c, y2 = u) ~ x", "lognormal", data, values)
    reference = stats.lognorm(0.9, scale=np.exp(0.2 + 0.4 * X))
    y = DATA["y"]
    expected = np.select(
        [kinds == "none", kinds == "left", kinds == "right"],
        [reference.logpdf(y), reference.logcdf(y), reference.logsf(y)],
        np.log(reference.cdf(y + 0.5) - reference.cdf(y)),
    )
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    numbers = {**data, "c": np.select([kinds == "none", kinds == "left", kinds == "right"], [0, -1, 1], 2)}
    np.testing.assert_allclose(density_at("y | cens(c, u) ~ x", "lognormal", numbers, values), expected, rtol=1e-10)
    truth = {**DATA, "c": kinds == "right"}
    found = density_at("y | cens(c) ~ x", "lognormal", truth, values)
    np.testing.assert_allclose(found, np.where(kinds == "right", reference.logsf(y), reference.logpdf(y)), rtol=1e-10)


def test_truncated_rows() -> None:
    values = {"b": np.array([0.2, 0.4]), "sigma": 0.9}
    reference = stats.norm(0.2 + 0.4 * X, 0.9)
    low = np.where(X > 0, 0.0, -np.inf)
    data = {**DATA, "low": DATA["y"] - 0.3}
    expected = reference.logpdf(DATA["y"]) - np.log(reference.cdf(9) - reference.cdf(0))
    np.testing.assert_allclose(density_at("y | trunc(lb = 0, ub = 9) ~ x", "gaussian", data, values), expected)
    expected = reference.logpdf(DATA["y"]) - reference.logsf(data["low"])
    np.testing.assert_allclose(density_at("y | trunc(lb = low) ~ x", "gaussian", data, values), expected)
    counts = stats.poisson(np.exp(0.2 + 0.4 * X))
    some = {**DATA, "k": np.maximum(DATA["k"], 1.0)}
    expected = counts.logpmf(some["k"]) - counts.logsf(0)
    np.testing.assert_allclose(density_at("k | trunc(lb = 1) ~ x", "poisson", some, values), expected)
    del low


def test_rates() -> None:
    """A negative binomial count over n units is the sum of n: mean and shape grow with n, unlike with an offset."""
    n = np.resize([1.0, 2.0, 5.0], N)
    values = {"b": np.array([0.2, 0.4]), "shape": 1.7}
    mean, shape = np.exp(0.2 + 0.4 * X) * n, 1.7 * n
    expected = stats.nbinom(shape, shape / (shape + mean)).logpmf(DATA["k"])
    found = density_at("k | rate(n) ~ x", "negbinomial", {**DATA, "n": n}, values)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    poisson = bayesml.fit("k | rate(n) ~ x", {**DATA, "n": n}, family="poisson", method="laplace")
    offset = bayesml.fit("k ~ x + offset(log(n))", {**DATA, "n": n}, family="poisson", method="laplace")
    np.testing.assert_allclose(poisson.fixef()["Estimate"], offset.fixef()["Estimate"], rtol=1e-5)
    assert poisson.logLik == pytest.approx(offset.logLik, abs=1e-6)
    new = {"x": [0.3], "n": [4.0]}
    assert poisson.predict(new)[0] == pytest.approx(offset.predict(new)[0], rel=1e-5)


@pytest.mark.parametrize(("name", "low", "high"), [
    ("gaussian", 0.9, np.inf), ("gaussian", 6.0, 9.0), ("student", -np.inf, 0.2), ("gamma", 0.3, 0.9),
    ("lognormal", 0.5, np.inf), ("beta", 0.6, 0.8), ("poisson", 1.0, np.inf), ("negbinomial", 2.0, 5.0),
])  # fmt: skip
def test_moments_and_draws_of_a_truncated_response(name: str, low: float, high: float) -> None:
    """Against SciPy's integrals; draws within 5 Monte Carlo standard errors."""
    family, reference = get_family(name), SCIPY[name](0.55)
    truncated = Truncated(family, bool(np.isfinite(low)), bool(np.isfinite(high)))
    shape = (4000, 1)
    parameters = {"mu": np.full(shape, 0.55), **{p.name: PARAMETERS[p.name] for p in family.dpars[1:]}}
    data = {"lb": np.array([low]), "ub": np.array([high])}
    if family.traits.discrete:
        k = np.arange(low, min(high, 400.0) + 1)
        p = reference.pmf(k)
        mean, square = (p @ k) / p.sum(), (p @ k**2) / p.sum()
    else:
        a, b = max(low, reference.ppf(1e-13)), min(high, reference.isf(1e-13))
        scale = reference.logpdf(np.clip(reference.median(), a, b))
        parts = [
            integrate.quad(lambda v, m=m: v**m * np.exp(reference.logpdf(v) - scale), a, b, limit=400)[0]
            for m in (0, 1, 2)
        ]
        mean, square = parts[1] / parts[0], parts[2] / parts[0]
    found = truncated.mean(parameters, data)[0, 0], truncated.variance(parameters, data)[0, 0]
    # Beyond the quantile of 1e-10 squares still count where tails are long: by 1e-4 for the lognormal, 1e-3 for the t.
    tail = 1e-3 if name in ("student", "lognormal") else 1e-6
    assert found == (pytest.approx(mean, rel=1e-6), pytest.approx(square - mean**2, rel=tail))
    drawn = truncated.draw(np.random.default_rng(1), parameters, data)
    assert drawn.shape == shape and np.all((drawn >= low) & (drawn <= high))
    assert abs(drawn.mean() - mean) < 5 * drawn.std() / np.sqrt(len(drawn))


def test_point_estimates_and_predictions_of_wrapped_likelihoods() -> None:
    observed = np.minimum(DATA["y"], 2.0)
    data = {**DATA, "t": observed, "c": DATA["y"] > 2.0}
    fit = bayesml.fit("t | cens(c) ~ x", data, family="lognormal", method="laplace")
    naive = bayesml.fit("t ~ x", data, family="lognormal", method="laplace")
    assert fit["b_Intercept"] > naive["b_Intercept"]
    assert np.isfinite(fit.predict({"x": [0.0, 1.0]})).all()  # cens() belongs to observed responses only
    above = {**DATA, "y": np.maximum(DATA["y"], 0.2)}
    trunc = bayesml.fit("y | trunc(lb = 0.2) ~ x", above, family="gaussian", method="laplace")
    expected = trunc.predict({"x": [0.0]})
    assert expected[0] > trunc["b_Intercept"]


@pytest.mark.parametrize(("formula", "family", "data", "error", "text"), [
    ("y | trunc() ~ x", "gaussian", {}, FormulaError, "takes a bound"),
    ("y | trunc(lb = 1, ub = 0) ~ x", "gaussian", {}, DataError, "smaller than the upper one"),
    ("y | trunc(lb = 1) ~ x", "gaussian", {}, DataError, "outside of its bounds"),
    ("y | cens(c) ~ x", "gaussian", {"c": ["odd"] * N}, DataError, "'odd'"),
    ("y | cens(c) ~ x", "gaussian", {"c": np.full(N, 2)}, DataError, "y2 = upper"),
    ("y | cens(c, y2 = y) ~ x", "gaussian", {"c": np.full(N, 2)}, DataError, "larger than the response"),
    ("b | cens(c) ~ x", "bernoulli", {"b": np.resize([0, 1], N), "c": np.zeros(N)}, FormulaError, "no response term"),
    ("y | rate(k) ~ x", "gaussian", {"k": np.ones(N)}, FormulaError, "no response term"),
    ("k | rate(x) ~ x", "poisson", {}, DataError, "larger than 0"),
])  # fmt: skip
def test_refusals(formula: str, family: str, data: dict, error: type, text: str) -> None:
    with pytest.raises(error, match=text):
        describe_problem(formula, {**DATA, **data}, family)


@pytest.mark.parametrize("kinds", [RESPONSE_TERMS, RESIDUAL_TERMS, PRODUCTS])
def test_the_registry_names_each_kind_as_it_is_written(kinds: LazyRegistry[type[AbstractResponseTerm]]) -> None:
    assert {name: kind().name for name, kind in kinds.items()} == {name: name for name in kinds}


def test_a_truncated_fit_is_saved_with_its_infinite_bounds(tmp_path) -> None:
    above = {**DATA, "y": np.maximum(DATA["y"], 0.2)}
    fit = bayesml.fit("y | trunc(lb = 0.2) ~ x", above, family="gaussian", method="laplace")
    fit.save(tmp_path / "fit.nc")
    assert bayesml.load(tmp_path / "fit.nc")["b_x"] == fit["b_x"]
