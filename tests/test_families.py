"""Laws of every response family and of its links."""

from __future__ import annotations

import math
import subprocess
import sys
from math import inf

import jax
import numpy as np
import numpyro
import pytest
from jax import numpy as jnp
from numpyro.infer import Predictive
from scipy import stats
from scipy.integrate import quad
from scipy.special import digamma, gammaln

from bayesml import families
from bayesml.distributions import gamma as gamma_prior
from bayesml.distributions import inv_gamma, normal, student_t
from bayesml.errors import DataError, ModelError
from bayesml.families import RawResponse, get_family
from bayesml.families.numpyro_response import ResponseDistribution
from bayesml.families.rising import digamma_rising, log_rising
from bayesml.links import LINKS
from tests.closed_families import CLOSED

AUXILIARY = {"sigma": 1.3, "nu": 4.5, "shape": 2.2, "phi": 3.4}
TRIALS = 7.0
EVERY_LINK = [(name, link) for name, make in CLOSED.items() for link in make().dpars[0].links]
# Linear predictors at which mu is inside its bounds, whatever the family
INNER_ETA = {
    "identity": (0.2, 0.55, 0.8),
    "log": (-1.7, -0.6, -0.15),
    "inverse": (0.4, 1.3, 2.0),
    "sqrt": (0.4, 0.8, 1.7),
    "softplus": (-1.0, 0.3, 1.5),
    "squareplus": (-1.5, 0.2, 1.0),
    "logit": (-1.5, 0.2, 1.1),
    "probit": (-1.2, 0.2, 0.9),
    "cloglog": (-1.5, -0.3, 0.4),
    "cauchit": (-1.5, 0.2, 1.1),
    "probit_approx": (-1.2, 0.2, 0.9),
    "softit": (-1.5, 0.2, 1.1),
}
every_family = pytest.mark.parametrize("name", CLOSED)
every_link = pytest.mark.parametrize(("name", "link"), EVERY_LINK)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def auxiliary_of(family):
    return {d.name: AUXILIARY[d.name] for d in family.dpars[1:]}


def responses(family):
    """Values the family allows, three rows."""
    if family.name in ("bernoulli", "binomial"):
        y = np.array([0.0, 1.0, 1.0]) if family.name == "bernoulli" else np.array([0.0, 7.0, 3.0])
    elif family.traits.discrete:
        y = np.array([0.0, 4.0, 11.0])
    else:
        y = np.array([0.12, 0.43, 0.9])
    return y


def data_of(family, y):
    return {"y": y, "trials": np.full(np.shape(y), TRIALS)} if family.traits.trials else {"y": y}


def setting(name, link):
    family = get_family(name, link)
    y = responses(family)
    return family, np.array(INNER_ETA[link]), data_of(family, y), auxiliary_of(family)


def log_density(family, y, mu, auxiliary):
    data = data_of(family, np.asarray(y, float))
    return np.asarray(
        family.log_prob(jnp.asarray(y, float), family.values({}, {"mu": jnp.asarray(mu), **auxiliary}), data)
    )


def rows_of(family, eta, auxiliary, data):
    """Log density of each row at a linear predictor."""
    return family.log_prob(jnp.asarray(data["y"]), family.values({"mu": eta}, auxiliary), data)


def in_numpyro(family, eta, auxiliary, data):
    return ResponseDistribution(family, family.values({"mu": eta}, auxiliary), data)


def moments(family, mu, auxiliary):
    """Mass, mean and variance of the density by summation or quadrature."""
    powers = []
    for k in range(3):
        if family.traits.discrete:
            y = np.arange(2.0 if family.name == "bernoulli" else 8.0 if family.name == "binomial" else 600.0)
            powers.append(float(np.sum(y**k * np.exp(log_density(family, y, np.full(y.shape, mu), auxiliary)))))
        else:
            lower, upper = {"beta": (0, 1), "gamma": (0, inf), "lognormal": (0, inf)}.get(family.name, (-inf, inf))
            density = jax.jit(lambda v: jnp.exp(family.log_prob(v, family.values({}, {"mu": mu, **auxiliary}), {})))
            cuts = [lower, *(c for c in (-40.0, -4.0, 0.3, 0.8, 4.0, 40.0) if lower < c < upper), upper]
            moment = lambda v, k=k, f=density: v**k * float(f(v))  # noqa: E731
            powers.append(sum(quad(moment, a, b, limit=200)[0] for a, b in zip(cuts, cuts[1:], strict=False)))
    mass, first, second = powers
    return mass, first, second - first**2


@every_family
def test_density_has_mass_one_and_the_stated_moments(name):
    family = get_family(name)
    auxiliary, mu = auxiliary_of(family), 0.55
    mass, mean, variance = moments(family, mu, auxiliary)
    data = {"trials": TRIALS}
    assert abs(mass - 1) < 1e-7
    parameters = {"mu": mu, **auxiliary}
    assert np.isclose(mean, family.mean(parameters, data), rtol=1e-6)
    assert np.isclose(variance, family.variance(parameters, data), rtol=1e-5)


# scipy.stats is independent of NumPyro and fixes the parametrisation
SCIPY = {
    "gaussian": lambda y, m: stats.norm(m, 1.3).logpdf(y),
    "student": lambda y, m: stats.t(4.5, m, 1.3).logpdf(y),
    "bernoulli": lambda y, m: stats.bernoulli(m).logpmf(y),
    "binomial": lambda y, m: stats.binom(7, m).logpmf(y),
    "poisson": lambda y, m: stats.poisson(m).logpmf(y),
    "negbinomial": lambda y, m: stats.nbinom(2.2, 2.2 / (2.2 + m)).logpmf(y),
    "geometric": lambda y, m: stats.geom(1 / (1 + m), loc=-1).logpmf(y),
    "gamma": lambda y, m: stats.gamma(2.2, scale=m / 2.2).logpdf(y),
    "lognormal": lambda y, m: stats.lognorm(1.3, scale=np.exp(m)).logpdf(y),
    "beta": lambda y, m: stats.beta(m * 3.4, (1 - m) * 3.4).logpdf(y),
}


@every_link
def test_densities_agree_with_scipy(name, link):
    family, eta, data, auxiliary = setting(name, link)
    mu = family.link("mu").inverse(eta)
    expected = SCIPY[name](data["y"], mu)
    ours = log_density(family, data["y"], mu, auxiliary)
    np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-10)
    linear = rows_of(family, jnp.asarray(eta), auxiliary, data)
    np.testing.assert_allclose(linear, expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(family.curvature(eta, data, auxiliary).log_density, expected, rtol=1e-10, atol=1e-10)


@every_link
def test_curvature_is_the_derivative(name, link):
    family, eta, data, auxiliary = setting(name, link)

    def rows(e):
        return rows_of(family, e, auxiliary, data)

    curvature, function = family.curvature(eta, data, auxiliary), rows
    for part in ("log_density", "d1", "d2", "d3"):
        expected = jax.jit(function)(jnp.asarray(eta))
        np.testing.assert_allclose(getattr(curvature, part), expected, rtol=1e-8, atol=1e-9, err_msg=part)
        # rows are independent, so that the gradient of their sum is the derivative of each
        function = jax.grad(lambda e, f=function: f(e).sum())


@every_link
def test_fisher_is_the_expected_information(name, link):
    family, eta, _, auxiliary = setting(name, link)
    for e in eta:
        mu = float(family.link("mu").inverse(e))

        def weighted(y, e=e, mu=mu):
            y = np.atleast_1d(np.asarray(y, float))
            c = family.curvature(np.full(y.shape, e), data_of(family, y), auxiliary)
            return -c.d2 * np.exp(c.log_density), c.fisher

        if family.traits.discrete:
            y = np.arange(2.0 if name == "bernoulli" else 8.0 if name == "binomial" else 400.0)
            terms, fisher = weighted(y)
            expected = terms.sum()
        else:
            lower, upper = {"beta": (0, 1), "gamma": (0, inf), "lognormal": (0, inf)}.get(name, (-inf, inf))
            cuts = [lower, *(c for c in (-40.0, -4.0, 0.05, 0.3, 0.8, 4.0, 40.0) if lower < c < upper), upper]
            pieces = zip(cuts, cuts[1:], strict=False)
            expected = sum(quad(lambda v, f=weighted: float(f(v)[0][0]), a, b, limit=100)[0] for a, b in pieces)
            fisher = weighted(0.5)[1]
        np.testing.assert_allclose(fisher[0], expected, rtol=2e-7)


@every_link
def test_auxiliary_derivatives(name, link):
    """Against central differences in psi; the step's error is about psi'''-size times 1e-10 plus 1e-16 / 1e-5."""
    family, eta, data, auxiliary = setting(name, link)
    derivatives = family.auxiliary_derivatives(eta, data, auxiliary)
    assert set(derivatives) == set(auxiliary)
    step = 1e-5
    for parameter, found in derivatives.items():
        scale = LINKS[next(d for d in family.dpars if d.name == parameter).links[0]]
        psi = scale.forward(auxiliary[parameter])
        above, below = (
            family.curvature(eta, data, {**auxiliary, parameter: float(scale.inverse(psi + h))}) for h in (step, -step)
        )
        for part in ("log_density", "d1", "d2", "fisher"):
            expected = (getattr(above, part) - getattr(below, part)) / (2 * step)
            size = 1e-10 * np.max(np.abs(getattr(above, part)))  # rounding, magnified by the step
            np.testing.assert_allclose(getattr(found, part), expected, rtol=1e-7, atol=1e-8 + size, err_msg=part)


@pytest.mark.parametrize("make", [families.gaussian, families.student])
@pytest.mark.parametrize("sigma", [0.0, 0.8])
def test_known_standard_errors(make, sigma):
    family, se = make(), np.array([0.5, 1.0, 2.0])
    data = {"y": np.array([0.1, 1.2, -0.3]), "se": se}
    auxiliary = {"sigma": sigma, "nu": 5.0}
    scale = np.sqrt(sigma**2 + se**2)
    eta = np.array([0.0, 0.3, 0.2])
    reference = stats.norm(eta, scale) if make is families.gaussian else stats.t(5.0, eta, scale)
    expected = reference.logpdf(data["y"])
    np.testing.assert_allclose(family.curvature(eta, data, auxiliary).log_density, expected)
    found = rows_of(family, jnp.asarray(eta), auxiliary, data)
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(family.variance({"mu": eta, **auxiliary}, data), reference.var())
    if sigma:
        found = family.auxiliary_derivatives(eta, data, auxiliary)["sigma"]
        above, below = (family.curvature(eta, data, {**auxiliary, "sigma": sigma * np.exp(h)}) for h in (1e-5, -1e-5))
        for part in ("log_density", "d1", "d2", "fisher"):
            difference = (getattr(above, part) - getattr(below, part)) / 2e-5
            np.testing.assert_allclose(getattr(found, part), difference, rtol=1e-7, atol=1e-8)


@every_family
def test_draws_have_the_stated_moments(name):
    """Five Monte Carlo standard errors, from the draws themselves; leading draw axes broadcast."""
    family = get_family(name)
    auxiliary = {k: np.full((1, 1), v) for k, v in auxiliary_of(family).items()}
    mu, n = np.array([0.3, 0.55, 0.7]), 20_000
    parameters, data = {"mu": np.broadcast_to(mu, (n, 3)), **auxiliary}, data_of(family, np.zeros(3))
    draws = family.draw(np.random.default_rng(4), parameters, data)
    assert draws.shape == (n, 3) and draws.dtype == float
    mean = np.broadcast_to(family.mean(parameters, data), (n, 3))[0]
    variance = np.broadcast_to(family.variance(parameters, data), (n, 3))[0]
    assert np.all(np.abs(draws.mean(0) - mean) < 5 * draws.std(0) / np.sqrt(n))
    if name not in ("student", "lognormal"):  # their squares have no finite or only a huge variance
        squares = (draws - mean) ** 2
        assert np.all(np.abs(squares.mean(0) - variance) < 5 * squares.std(0) / np.sqrt(n))


@every_family
def test_draws_follow_the_distribution_function(name):
    family, n = get_family(name), 4000
    reference = {
        "gaussian": stats.norm(0.5, 1.3),
        "student": stats.t(4.5, 0.5, 1.3),
        "bernoulli": stats.bernoulli(0.5),
        "binomial": stats.binom(7, 0.5),
        "poisson": stats.poisson(0.5),
        "gamma": stats.gamma(2.2, scale=0.5 / 2.2),
        "negbinomial": stats.nbinom(2.2, 2.2 / 2.7),
        "geometric": stats.geom(1 / 1.5, loc=-1),
        "lognormal": stats.lognorm(1.3, scale=np.exp(0.5)),
        "beta": stats.beta(1.7, 1.7),
    }[name]
    parameters, data = {"mu": np.full(n, 0.5), **auxiliary_of(family)}, data_of(family, np.zeros(n))
    numpyro_draws = ResponseDistribution(family, family.values({}, parameters), data)
    for draws in (family.draw(np.random.default_rng(5), parameters, data), numpyro_draws.sample(jax.random.PRNGKey(1))):
        points = np.unique(np.asarray(draws)) if family.traits.discrete else np.sort(np.asarray(draws))
        empirical = np.searchsorted(np.sort(np.asarray(draws)), points, side="right") / n
        # Kolmogorov: exceeded with probability 1e-4 for a fixed seed (less for discrete draws)
        assert np.max(np.abs(empirical - reference.cdf(points))) * np.sqrt(n) < 2.23


@pytest.mark.parametrize(("name", "link"), [*((n, CLOSED[n]().links[0].name) for n in CLOSED), ("binomial", "probit")])
def test_numpyro_draws_from_the_linear_predictor(name, link):
    family, eta, data, auxiliary = setting(name, link)
    draws = in_numpyro(family, jnp.asarray(eta), auxiliary, data).sample(jax.random.PRNGKey(0), (4,))
    assert draws.shape == (4, 3)
    assert np.all(np.isfinite(draws))


EXTREME = [
    (name, link)
    for name, link in EVERY_LINK
    if link in ("logit", "probit", "probit_approx", "cloglog", "cauchit", "softit", "log", "softplus", "squareplus")
    and (name, link) not in {("bernoulli", "log"), ("binomial", "log"), ("beta", "log")}
]


@pytest.mark.parametrize(("name", "link"), EXTREME)
@pytest.mark.parametrize("e", [-40.0, 40.0])
def test_extreme_predictors_have_finite_density_and_gradient(name, link, e):
    family, _, data, auxiliary = setting(name, link)
    density = lambda x: rows_of(family, x, auxiliary, data).sum()  # noqa: E731
    value, slope = jax.jit(jax.value_and_grad(density))(jnp.full(3, e))
    assert np.isfinite(value) and np.all(np.isfinite(slope))


@pytest.mark.parametrize("name", ["bernoulli", "binomial"])
def test_logit_tails_are_exact(name):
    # log P(y = 0) at eta = 40 is -40 per trial up to e^-40; through a probability rounded to 1 it would be -inf
    family, n = get_family(name), 1.0 if name == "bernoulli" else TRIALS
    rows = rows_of(family, jnp.array([40.0]), {}, data_of(family, np.zeros(1)))
    assert np.isclose(rows[0], -40 * n, rtol=1e-14)
    assert np.isclose(family.curvature(np.array([40.0]), data_of(family, np.zeros(1)), {}).log_density[0], -40 * n)


@every_family
def test_gradient_at_zero_is_exact(name):
    """Absolute values and maxima have arbitrary slopes at 0, where every sampler starts."""
    family, _, data, auxiliary = setting(name, "log" if name == "gamma" else get_family(name).links[0].name)
    slope = jax.grad(lambda e: rows_of(family, e, auxiliary, data).sum())(jnp.zeros(3))
    np.testing.assert_allclose(slope, family.curvature(np.zeros(3), data, auxiliary).d1, rtol=1e-12)


def test_log_gamma():
    from bayesml.families.densities import log_gamma

    x = np.concatenate([10 ** np.linspace(-300, 15, 400), np.linspace(0.5, 3, 50)])
    value, slope = log_gamma(jnp.asarray(x)), jax.vmap(jax.grad(log_gamma))(jnp.asarray(x))
    np.testing.assert_allclose(value, gammaln(x), rtol=2e-14, atol=2e-14)
    np.testing.assert_allclose(slope, digamma(x), rtol=2e-14, atol=2e-14)


@pytest.mark.parametrize("s", [1e-9, 1e-3, 0.7, 30.0, 1e4, 1e8, 1e12, 1e16])
@pytest.mark.parametrize("y", [0, 1, 7, 3000])
def test_ratios_of_gamma_functions(s, y):
    """Against the sum that the ratio is for whole y, in NumPy and JAX; an error of y roundings is allowed."""
    k = np.arange(y)
    expected, slope = math.fsum(np.log1p(k / s)), -math.fsum(k / (s + k)) / s
    size = 1e-14 * max(y, 1)
    np.testing.assert_allclose(log_rising(s, float(y)), expected, rtol=1e-14, atol=size)
    np.testing.assert_allclose(s * digamma_rising(s, float(y)), s * slope, rtol=1e-14, atol=size)
    value, gradient = jax.value_and_grad(log_rising)(jnp.asarray(s), jnp.asarray(float(y)))
    np.testing.assert_allclose(value, expected, rtol=1e-14, atol=size)
    np.testing.assert_allclose(s * gradient, s * slope, rtol=1e-14, atol=size)


@pytest.mark.parametrize("name, limit, dpar", [("negbinomial", "poisson", "shape"), ("student", "gaussian", "nu")])
def test_families_reach_their_limits(name, limit, dpar):
    """At 1e15 the density is the limit's, and its derivative in the parameter vanishes."""
    wide, narrow = get_family(name), get_family(limit)
    rng = np.random.default_rng(5)
    eta, y = rng.normal(1, 0.3, 20), rng.poisson(3.0, 20) * 1.0
    auxiliary = {} if limit == "poisson" else {"sigma": 1.5}
    at_limit = {**auxiliary, dpar: 1e15}
    expected = narrow.curvature(eta, data_of(narrow, y), auxiliary)
    found = wide.curvature(eta, data_of(wide, y), at_limit)
    for part in ("log_density", "d1", "d2", "fisher"):
        np.testing.assert_allclose(getattr(found, part), getattr(expected, part), rtol=1e-12, atol=1e-12)
    slope = wide.auxiliary_derivatives(eta, data_of(wide, y), at_limit)[dpar].log_density
    np.testing.assert_allclose(slope, 0.0, atol=1e-12)


def test_counts_from_wide_priors_are_drawn():
    draws = get_family("poisson").draw(np.random.default_rng(0), {"mu": np.array([1e30, 3.0, np.inf])}, {})
    assert np.isclose(draws[0], 1e30) and draws[1] < 30 and draws[2] == inf
    parameters = {"mu": np.array([1e25]), "shape": 2.0}
    assert get_family("negbinomial").draw(np.random.default_rng(0), parameters, {})[0] > 1e23


@every_family
def test_families_in_numpyro_models(name):
    family = get_family(name)
    data, auxiliary = data_of(family, responses(family)), auxiliary_of(family)

    def model(y=None):
        b = numpyro.sample("b", numpyro.distributions.Normal(0.0, 0.5))
        with numpyro.handlers.scale(scale=jnp.array([1.0, 2.0, 0.5])):
            numpyro.sample("y", in_numpyro(family, b + jnp.zeros(3), auxiliary, data), obs=y)

    drawn = Predictive(model, num_samples=2)(jax.random.PRNGKey(0))
    assert drawn["y"].shape == (2, 3)
    value, _ = numpyro.infer.util.log_density(model, (jnp.asarray(data["y"]),), {}, {"b": 0.2})
    rows = rows_of(family, 0.2 + jnp.zeros(3), auxiliary, data)
    assert np.isclose(value, stats.norm(0, 0.5).logpdf(0.2) + rows @ np.array([1, 2, 0.5]))


def test_parameters_and_default_priors_are_those_of_brms():
    table = {
        (f, d.name): (d.links[0], d.bounds, d.prior, d.intercept_prior)
        for f, make in CLOSED.items()
        for d in make().dpars
    }
    positive = (0.0, inf)
    sigma = ("log", positive, None, None)
    assert table == {
        ("gaussian", "mu"): ("identity", (-inf, inf), None, None),
        ("gaussian", "sigma"): sigma,
        ("student", "mu"): ("identity", (-inf, inf), None, None),
        ("student", "sigma"): sigma,
        ("student", "nu"): ("logm1", (1.0, inf), gamma_prior(2, 0.1), normal(2.7, 0.8)),
        ("bernoulli", "mu"): ("logit", (0.0, 1.0), None, None),
        ("binomial", "mu"): ("logit", (0.0, 1.0), None, None),
        ("poisson", "mu"): ("log", positive, None, None),
        ("negbinomial", "mu"): ("log", positive, None, None),
        ("negbinomial", "shape"): ("log", positive, inv_gamma(0.4, 0.3), student_t(3, 0, 2.5)),
        ("geometric", "mu"): ("log", positive, None, None),
        ("gamma", "mu"): ("log", positive, None, None),
        ("gamma", "shape"): ("log", positive, gamma_prior(0.01, 0.01), student_t(3, 0, 2.5)),
        ("lognormal", "mu"): ("identity", (-inf, inf), None, None),
        ("lognormal", "sigma"): sigma,
        ("beta", "mu"): ("logit", (0.0, 1.0), None, None),
        ("beta", "phi"): ("log", positive, gamma_prior(0.01, 0.01), student_t(3, 0, 2.5)),
    }
    assert [f for f, make in CLOSED.items() if make().traits.response_on_log_scale] == ["lognormal"]
    assert [f for f, make in CLOSED.items() if make().traits.known_errors] == ["gaussian", "student"]


def test_names_and_links():
    assert get_family("Beta").name == "beta"
    assert get_family("Gamma").name == "gamma"
    assert get_family("normal") == get_family(families.gaussian) == families.gaussian()
    assert get_family("negative_binomial").name == "negbinomial"
    assert get_family("t").name == "student"
    assert get_family(families.poisson(link="sqrt")).link("mu") is LINKS["sqrt"]
    assert get_family("binomial", "probit").link("mu").name == "probit"
    assert families.student(link_nu="identity").link("nu").name == "identity"
    assert hash(families.poisson()) == hash(families.poisson())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: get_family("poison"), "no family 'poison' \\(did you mean `poisson`\\?\\); there are gaussian"),
        (lambda: families.poisson("logit"), "`mu` of the family poisson cannot have the link 'logit'.*log, identity"),
        (lambda: families.gaussian(link_sigma="lgo"), "`sigma`.*did you mean `log`"),
        (lambda: families.gaussian(None), "cannot have the link None"),
        (lambda: get_family(3), "got 3"),
        (lambda: get_family(dict), "not a family"),
        (lambda: get_family(families.poisson(), "sqrt"), 'poisson\\(link="sqrt"\\)'),
    ],
)
def test_wrong_names(call, message):
    with pytest.raises(ModelError, match=message):
        call()


def raw(values, **options):
    return RawResponse("y", np.asarray(values), **options)


def trials(values, n):
    return raw(values, additions={"trials": np.asarray(n)})


@pytest.mark.parametrize(
    ("name", "response", "message"),
    [
        ("poisson", raw([1, 2.5, 3.5]), r"must be a whole number; it is 2.5 in row 2 \(counting from 1\) and in 1"),
        ("negbinomial", raw([1, 2, -3]), "must not be negative; it is -3 in row 3"),
        ("poisson", raw([1, 2.5], rows=np.array([4, 9])), "row 10"),
        ("poisson", raw([0, 1], levels=("a", "b")), 'categories .*needs numbers; use family="bernoulli"'),
        ("gaussian", raw([0, 1, 2], levels=("a", "b", "c")), "family gaussian needs numbers"),
        ("gaussian", raw([1.0, np.nan]), "must be finite; it is nan in row 2"),
        ("gaussian", raw([1.0, np.inf]), "must be finite; it is inf in row 2"),
        ("gaussian", raw([2.0, 2.0]), "is 2 in every row"),
        ("student", raw([2.0, 2.0]), "no variation"),
        ("gaussian", raw([2.0]), "one row only"),
        ("gaussian", raw(np.zeros(0)), "column with rows"),
        ("gaussian", raw(np.zeros((2, 2))), "must be a column"),
        ("gamma", raw([1.0, 0.0]), "larger than 0; it is 0 in row 2"),
        ("lognormal", raw([1.0, -1.0]), "larger than 0; it is -1 in row 2"),
        ("beta", raw([0.5, 1.0]), "strictly between 0 and 1; it is 1 in row 2"),
        ("beta", raw([0.3, 0.3]), "no variation"),
        ("binomial", raw([1, 2]), r"write `y \| trials\(n\) ~ ...`"),
        ("binomial", trials([1, 5], [3, 4]), "must not exceed its number of trials; it is 5 in row 2"),
        ("binomial", trials([1, 2], [3, 4.5]), "whole number >= 0; it is 4.5 in row 2"),
        ("binomial", trials([1, 2], [3, -4]), "it is -4 in row 2"),
        ("binomial", trials([1.2, 2], [3, 4]), "must be a whole number"),
        ("bernoulli", raw([0, 1, 2]), "3 different value.*0, 1, 2.*binomial"),
        ("bernoulli", raw([5.0, 5.0]), "1 different value"),
        ("bernoulli", raw([0, 1, 2], levels=("a", "b", "c")), "3 level.*takes two"),
        ("bernoulli", raw([0, 0], levels=("a",)), "1 level"),
    ],
)
def test_hostile_responses(name, response, message):
    with pytest.raises(DataError, match=message):
        get_family(name).encode(response)


@pytest.mark.parametrize(
    ("response", "y", "note", "levels"),
    [
        (raw([0, 1, 1]), [0, 1, 1], "", ("0", "1")),
        (raw([1, 1]), [1, 1], "", ("0", "1")),
        (raw([False, True], is_boolean=True), [0, 1], "models the probability that y is True", ("False", "True")),
        (raw([1, 0], levels=("no", "yes")), [1, 0], "models the probability that y == 'yes'", ("no", "yes")),
        (raw([1.0, 2.0, 1.0]), [0, 1, 0], "models the probability that y == 2 (rather than 1)", ("1", "2")),
    ],
)
def test_binary_responses(response, y, note, levels):
    encoded = get_family("bernoulli").encode(response)
    assert encoded.arrays["y"].tolist() == y
    assert (encoded.note, encoded.levels) == (note, levels)


def test_accepted_responses():
    assert get_family("poisson").encode(raw([3, 3, 3])).arrays["y"].tolist() == [3, 3, 3]
    encoded = get_family("binomial").encode(trials([0, 2], 5)).arrays
    assert encoded["trials"].tolist() == [5, 5]
    se = get_family("gaussian").encode(raw([1.0, 1.0], additions={"se": np.array([0.1, 0.2])}))
    assert se.arrays["se"].tolist() == [0.1, 0.2]
    assert (
        "weights"
        not in get_family("gaussian").encode(raw([1.0, 2.0], additions={"weights": np.array([1.0, 2.0])})).arrays
    )
    assert get_family("gaussian").encode(raw([1.0]), for_fit=False).arrays["y"].tolist() == [1.0]


def test_families_are_imported_when_asked_for() -> None:
    """A family stands in the package under its name, though a module has the same name, whoever imported that first."""
    script = (
        "import sys, bayesml\n"
        "assert 'bayesml.families.acat' not in sys.modules\n"
        "import bayesml.families.acat, bayesml.families.weibull\n"
        "from bayesml.families import FAMILIES, acat\n"
        "assert acat().name == 'acat' and bayesml.families.weibull().name == 'weibull'\n"
        "assert bayesml.wiener is bayesml.families.wiener is FAMILIES['wiener']\n"
        "assert not hasattr(bayesml.families, 'no_such_family')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
