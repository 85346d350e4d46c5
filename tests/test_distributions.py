"""Laws of every distribution of the prior vocabulary."""

from __future__ import annotations

import contextlib

import jax
import numpy as np
import numpyro
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax import numpy as jnp
from numpyro.infer.util import log_density as joint_density
from scipy import stats
from scipy.integrate import quad

from bayesml.distributions import (
    DISTRIBUTIONS,
    LKJ,
    Constant,
    Flat,
    Truncated,
    Uniform,
    beta,
    bounded,
    cauchy,
    constant,
    double_exponential,
    exponential,
    flat,
    format_number,
    gamma,
    half_cauchy,
    half_normal,
    half_student_t,
    inv_gamma,
    lkj,
    logistic,
    lognormal,
    normal,
    parse_distribution,
    stack,
    std_normal,
    student_t,
    uniform,
    weibull,
)
from bayesml.errors import PriorError

PROPER = [
    normal(1.5, 10),
    student_t(3, 0, 2.5),
    student_t(1.3, 288.7, 59.3),
    cauchy(-1, 2),
    logistic(0, 1),
    double_exponential(2, 0.7),
    exponential(0.3),
    gamma(2, 0.1),
    gamma(0.4, 0.3),
    inv_gamma(2.5, 0.3),
    lognormal(0.2, 0.8),
    weibull(1.7, 2),
    beta(2, 3.5),
    uniform(-1, 4),
    half_normal(2),
    half_student_t(3, 2.5),
    half_cauchy(1.2),
]
RESTRICTED = [
    *(bounded(d, lower=0) for d in PROPER[:6]),
    *(bounded(d, 0.2, 0.8) for d in PROPER),
    *(bounded(d, upper=0.9) for d in PROPER),
    bounded(gamma(2, 0.1), lower=1),
    bounded(normal(0, 1), 3, 4),
    bounded(normal(0, 1), upper=-2),
]
ALL = [*PROPER, *RESTRICTED]
every = pytest.mark.parametrize("d", ALL, ids=repr)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def inner_points(d, n=7):
    return np.asarray(d.quantile(np.linspace(0.03, 0.97, n)))


@every
def test_density_integrates_to_one(d):
    cuts = [d.support[0], *inner_points(d, 9), d.support[1]]
    pieces = zip(cuts, cuts[1:], strict=False)
    total = sum(quad(lambda x: float(np.exp(d.log_density(x))), a, b, limit=200)[0] for a, b in pieces)
    assert abs(total - 1) < 1e-6  # what quad reaches next to an integrable singularity


@every
def test_density_is_that_of_numpyro_and_keeps_the_array_kind(d):
    x = inner_points(d)
    ours = d.log_density(x)
    assert isinstance(ours, np.ndarray)
    np.testing.assert_allclose(d.numpyro().log_prob(jnp.asarray(x)), ours, rtol=1e-9, atol=1e-11)
    traced = jax.jit(d.log_density)(jnp.asarray(x))
    assert isinstance(traced, jax.Array)
    np.testing.assert_allclose(traced, ours, rtol=1e-11, atol=1e-12)


@every
def test_its_numbers_may_be_arguments_of_a_program(d):
    x = inner_points(d)
    density = jax.jit(lambda numbers, x: d.at(numbers).log_density_inside(x))
    several = tuple(np.broadcast_to(number, x.shape) for number in d.numbers())
    for numbers in (d.numbers(), several):
        np.testing.assert_allclose(density(numbers, x), d.log_density(x), rtol=1e-11, atol=1e-12)


@every
def test_slope_is_the_derivative(d):
    x = inner_points(d, 6)  # an even number, so none at the kink of the double exponential
    expected = jax.vmap(jax.grad(d.log_density))(jnp.asarray(x))
    np.testing.assert_allclose(d.log_density_derivative(x), expected, rtol=1e-9, atol=1e-12)


@every
def test_distribution_function_is_the_integral(d):
    x = inner_points(d, 5)
    below, above = d.cdf(x), d.survival(x)
    np.testing.assert_allclose(below + above, 1, atol=1e-12)
    np.testing.assert_allclose(d.quantile(below), x, rtol=1e-8)
    for a, b, mass in zip(x, x[1:], np.diff(below), strict=False):
        assert abs(quad(lambda t: float(np.exp(d.log_density(t))), a, b)[0] - mass) < 1.5e-8  # the error quad aims at


@every
def test_draws_follow_the_density(d):
    n = 2000
    # Kolmogorov's distribution: P(sqrt(n) D > 2.23) = 2 exp(-2 * 2.23^2) = 1e-4 for each fixed seed
    for draws in (d.draw(np.random.default_rng(1), n), d.numpyro().sample(jax.random.PRNGKey(2), (n,))):
        draws = np.asarray(draws)
        assert draws.shape == (n,)
        assert np.all((draws >= d.support[0]) & (draws <= d.support[1]))
        assert stats.kstest(draws, d.cdf).statistic * np.sqrt(n) < 2.23


@every
def test_density_is_zero_outside(d):
    lower, upper = d.support
    outside = [b + s for b, s in ((lower, -0.1), (upper, 0.1)) if np.isfinite(b)]
    assert all(d.log_density(x) == -np.inf for x in outside)
    assert all(float(jax.jit(d.log_density)(x)) == -np.inf for x in outside)


@every
def test_typical_value_is_inside_and_numpyro_agrees_on_support(d):
    lower, upper = d.support
    assert lower < d.location < upper
    assert 0 < d.scale < np.inf
    assert d.is_proper
    constraint = d.numpyro().support
    points = np.array([*inner_points(d, 3), lower - 1, upper + 1])
    points = points[np.isfinite(points)]
    np.testing.assert_array_equal(constraint(points), (points > lower) & (points < upper))


# scipy.stats, independent of NumPyro, pins the parametrisation
@pytest.mark.parametrize(
    ("d", "reference"),
    [
        (normal(1, 2), stats.norm(1, 2)),
        (student_t(3, 1, 2), stats.t(3, 1, 2)),
        (cauchy(1, 2), stats.cauchy(1, 2)),
        (logistic(1, 2), stats.logistic(1, 2)),
        (double_exponential(1, 2), stats.laplace(1, 2)),
        (exponential(4), stats.expon(scale=1 / 4)),
        (gamma(2, 3), stats.gamma(2, scale=1 / 3)),
        (inv_gamma(2, 3), stats.invgamma(2, scale=3)),
        (lognormal(1, 2), stats.lognorm(2, scale=np.e)),
        (weibull(2, 3), stats.weibull_min(2, scale=3)),
        (beta(2, 3), stats.beta(2, 3)),
        (uniform(-1, 3), stats.uniform(-1, 4)),
        (half_normal(3), stats.halfnorm(scale=3)),
        (half_cauchy(3), stats.halfcauchy(scale=3)),
        (bounded(normal(1, 2), 0, 5), stats.truncnorm(-0.5, 2, 1, 2)),
    ],
    ids=lambda value: repr(value) if not hasattr(value, "dist") else "",
)
def test_parametrisation(d, reference):
    x = inner_points(d)
    np.testing.assert_allclose(d.log_density(x), reference.logpdf(x), rtol=1e-12, atol=1e-13)


def test_half_t_from_a_bound_has_twice_the_density():
    x = np.array([0.1, 3.0])
    expected = np.log(2) + stats.t(3, 0, 2.5).logpdf(x)
    np.testing.assert_allclose(bounded(student_t(3, 0, 2.5), 0).log_density(x), expected)
    np.testing.assert_allclose(half_student_t(3, 2.5).log_density(x), expected)


@pytest.mark.parametrize("d", [*PROPER, lkj(2), flat(), constant(-1.4), normal(1 / 3, 1e-5)], ids=repr)
def test_text_reads_back(d):
    assert parse_distribution(str(d)) == d
    assert parse_distribution(repr(d)) == d
    assert hash(parse_distribution(str(d))) == hash(d)


def test_spelling():
    assert str(student_t(3, 288.7, 59.3)) == "student_t(3, 288.7, 59.3)"
    assert str(normal(-0.0, 2.50)) == "normal(0, 2.5)"
    assert (str(flat()), repr(flat())) == ("", "flat()")
    assert str(bounded(student_t(3, 0, 2.5), lower=0)) == "student_t(3, 0, 2.5) T[0, ]"
    assert format_number(-1.4) == "-1.4"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("normal(0, 10)", normal(0, 10)),
        (" student_t( 3,0 , 2.5 ) ", student_t(3, 0, 2.5)),
        ("lkj(2)", lkj(2)),
        ("lkj_corr_cholesky(1)", lkj(1)),
        ("flat", flat()),
        ("", flat()),
        ("(flat)", flat()),
        ("flat()", flat()),
        ("std_normal()", normal(0, 1)),
        ("constant(1)", constant(1)),
        ("laplace(0, 1)", double_exponential(0, 1)),
        ("normal(-1/3, 2 * 10 ** 2)", normal(-1 / 3, 200)),
    ],
)
def test_reading(text, expected):
    assert parse_distribution(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("norml(0, 1)", "no distribution `norml` \\(did you mean `normal`\\?\\).*There are normal, student_t"),
        ("normal(0)", "write `normal\\(mu, sigma\\)`; 1 argument"),
        ("std_normal(1)", "write `std_normal\\(\\)`"),
        ("normal(0, 0)", "`sigma` of normal\\(\\) is larger than 0; got 0"),
        ("student_t(-1, 0, 1)", "`df` of student_t"),
        ("uniform(2, 1)", "a < b; got a = 2, b = 1"),
        ("normal(0, 1/0)", "`1 / 0` is not a finite number"),
        ("normal(0, 1e999)", "not a finite number"),
        ("normal(0, x)", "`x` is not a finite number"),
        ("normal(0, True)", "not a finite number"),
        ("normal(0, 9**9**9)", "not a finite number"),
        ("normal(mu=0, sigma=)", "cannot be read"),
        ("normal(0, 1", "cannot be read"),
        ("__import__('os').system('true')", "cannot be read"),
        ("normal", "cannot be read"),
        ("(" * 500 + ")" * 500, "cannot be read"),
        ("normal(0, " + "-" * 900 + "1)", None),
    ],
)
def test_unreadable(text, message):
    if message is None:
        assert isinstance(parse_distribution(text).sigma, float)
        return
    with pytest.raises(PriorError, match=message):
        parse_distribution(text)


@given(st.text(alphabet="normalstudent_t(),.-+*/ 0123456789e[]'", max_size=40))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(PriorError):
        parse_distribution(text)


@pytest.mark.parametrize("arguments", [(0, -1), (float("nan"), 1), (0, float("inf")), ("0", 1), (True, 1), (None, 1)])
def test_impossible_arguments(arguments):
    with pytest.raises(PriorError, match=r"of normal\(\) is"):
        normal(*arguments)


def test_bounds():
    assert bounded(half_normal(1), lower=0) == half_normal(1)
    assert bounded(gamma(1, 1), -np.inf, np.inf) == gamma(1, 1)
    assert bounded(bounded(normal(0, 1), lower=-1), upper=2) == Truncated(normal(0, 1), -1, 2)
    assert bounded(flat(), 0, 2) == Uniform(0, 2)
    assert bounded(constant(1), lower=0) == constant(1)
    with pytest.raises(PriorError, match="outside the possible values"):
        bounded(constant(-1), lower=0)
    with pytest.raises(PriorError, match="no mass between -5 and 0"):
        bounded(exponential(1), -5, 0)
    with pytest.raises(PriorError, match="practically no mass between 50 and inf"):
        bounded(normal(0, 1), lower=50)


@pytest.mark.parametrize("d", [flat(), bounded(flat(), lower=0), bounded(flat(), upper=3)], ids=repr)
def test_flat(d):
    assert not d.is_proper
    assert np.all(np.asarray(d.log_density(np.array([0.5, 2.0]))) == 0)
    assert d.support[0] < d.location < d.support[1]
    np.testing.assert_array_equal(d.numpyro().log_prob(jnp.array([0.5, 2.0])), [0, 0])
    np.testing.assert_array_equal(stack([d, d]).log_prob(jnp.array([0.5, 2.0])), [0, 0])
    assert stack([d, d]).batch_shape == (2,)
    with pytest.raises(PriorError, match="proper prior"):
        d.draw(np.random.default_rng(1))


def test_constant():
    d = constant(2)
    assert isinstance(d, Constant)
    assert d.draw(np.random.default_rng(1), (2, 3)).tolist() == [[2.0] * 3] * 2
    assert (d.log_density(2.0), d.log_density(1.0)) == (0, -np.inf)


@pytest.mark.parametrize("kind", [k for k in DISTRIBUTIONS.values() if k not in (LKJ, Flat)])
def test_stacks_hold_each_distribution(kind):
    own = [d for d in ALL if type(d) is kind] or [d for d in ALL if isinstance(d, Truncated)][:1]
    others = [type(own[0])(*(a * 1.5 for a in d.arguments)) if not isinstance(d, Truncated) else d for d in own]
    members = [*own, *others]
    stacked = stack(members)
    x = np.array([float(d.quantile(0.4)) for d in members])
    assert stacked.batch_shape == (len(members),)
    expected = [float(d.log_density(v)) for d, v in zip(members, x, strict=True)]
    np.testing.assert_allclose(stacked.log_prob(x), expected, rtol=1e-9)
    assert stacked.sample(jax.random.PRNGKey(0)).shape == (len(members),)


def test_stacks_of_truncated():
    members = [bounded(student_t(3, 0, s), lower=b) for s, b in ((2.5, 0), (1, 0.5))]
    stacked = stack(members)
    expected = [members[0].log_density(1.0), members[1].log_density(2.0)]
    np.testing.assert_allclose(stacked.log_prob(jnp.array([1.0, 2.0])), expected)
    draws = stacked.sample(jax.random.PRNGKey(0), (50,))
    assert draws.shape == (50, 2) and np.all(draws[:, 1] > 0.5) and np.any(draws[:, 0] < 0.5)
    assert stack([members[0], bounded(student_t(3, 0, 1), upper=0)]) is None
    assert stack([members[0], bounded(normal(0, 1), lower=0)]) is None
    assert stack([normal(0, 1), cauchy(0, 1)]) is None


def test_bounded_prior_in_a_numpyro_model():
    d = bounded(gamma(2, 0.1), lower=1)

    def model():
        numpyro.sample("nu", d.numpyro())
        numpyro.sample("sd", stack([bounded(student_t(3, 0, 2.5), 0)] * 2).to_event(1))

    value, _ = joint_density(model, (), {}, {"nu": 3.0, "sd": jnp.array([1.0, 2.0])})
    half = half_student_t(3, 2.5)
    assert np.isclose(value, d.log_density(3.0) + half.log_density(1.0) + half.log_density(2.0))
    draws = numpyro.infer.Predictive(model, num_samples=5)(jax.random.PRNGKey(0))
    assert draws["sd"].shape == (5, 2) and np.all(draws["nu"] > 1)


@pytest.mark.parametrize("dimension", [2, 3, 5])
@pytest.mark.parametrize("eta", [0.7, 1.0, 4.0])
def test_lkj_density_is_that_of_numpyro(dimension, eta):
    factor = lkj(eta).draw_cholesky(np.random.default_rng(0), dimension, 6)
    np.testing.assert_allclose(factor @ factor.swapaxes(-1, -2), (factor @ factor.swapaxes(-1, -2)).swapaxes(-1, -2))
    np.testing.assert_allclose((factor**2).sum(-1), 1)
    ours = lkj(eta).cholesky_log_density(factor)
    np.testing.assert_allclose(lkj(eta).cholesky(dimension).log_prob(jnp.asarray(factor)), ours, rtol=1e-10)
    np.testing.assert_allclose(jax.jit(lkj(eta).cholesky_log_density)(jnp.asarray(factor)), ours, rtol=1e-12)


@pytest.mark.parametrize("dimension", [2, 4])
def test_lkj_correlations(dimension):
    # each correlation r of a K x K matrix has (1 + r) / 2 ~ beta(a, a), a = eta + K / 2 - 1 (LKJ 2009)
    eta, n = 1.5, 2000
    factor = lkj(eta).draw_cholesky(np.random.default_rng(3), dimension, n)
    correlation = factor @ factor.swapaxes(-1, -2)
    a = eta + dimension / 2 - 1
    for i, j in [(1, 0), (dimension - 1, dimension - 2)]:
        draws = (1 + correlation[:, i, j]) / 2
        assert stats.kstest(draws, stats.beta(a, a).cdf).statistic * np.sqrt(n) < 2.23
    if dimension == 2:
        np.testing.assert_allclose(lkj(eta).cdf(0.3), stats.beta(eta, eta).cdf(0.65))
        assert abs(quad(lambda r: float(np.exp(lkj(eta).log_density(r))), -1, 1)[0] - 1) < 1e-8


def test_lkj_kind():
    with pytest.raises(PriorError, match="number of correlated columns"):
        lkj(1).numpyro()
    with pytest.raises(PriorError, match="`eta` of lkj"):
        lkj(0)
    assert std_normal() == normal(0, 1)
