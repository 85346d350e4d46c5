"""Response terms of mixtures: censoring, truncation, exposures, missing responses; which component a row is from."""

from __future__ import annotations

import numpy as np
import pytest
from jax import numpy as jnp
from scipy import stats

import bayesml
from bayesml.engines.density import data_of
from bayesml.engines.precision import double_precision
from bayesml.families import mixture
from bayesml.families.mixture import log_components
from bayesml.fit import describe_problem

N = 24
RNG = np.random.default_rng(5)
KINDS = np.resize(["none", "left", "right", "interval"], N)
DATA = {
    "y": RNG.normal(size=N).round(2),
    "upper": RNG.normal(size=N) + 5.0,
    "c": KINDS.tolist(),
    "k": RNG.poisson(3.0, N),
    "n": np.resize([1.0, 2.0, 5.0], N),
    "x": RNG.normal(size=N),
}
CONTINUOUS = mixture("gaussian", "student")
PARTS = (stats.norm(-0.4, 1.2), stats.t(4.0, 0.9, 0.6))
VALUES = {"mu1": -0.4, "sigma1": 1.2, "mu2": 0.9, "sigma2": 0.6, "nu2": 4.0, "theta": np.array([[0.3, 0.7]])}
SHARES = np.array([0.3, 0.7])


def rows_of(formula: str, family: object, values: dict) -> tuple[np.ndarray, np.ndarray]:
    """Log densities, and memberships ``(components, rows)``."""
    problem = describe_problem(formula, DATA, family)
    data = data_of(problem)["response"]
    likelihood = problem.likelihood
    with double_precision():
        own = {name: jnp.asarray(value, float) for name, value in values.items()}
        density = np.broadcast_to(np.asarray(likelihood.log_prob(data["y"], own, data)), (N,))
        parts = np.stack(np.broadcast_arrays(*log_components(likelihood, data["y"], own, data)))
    return density, parts


def by_kind(part: stats.rv_continuous) -> np.ndarray:
    """Densities or probabilities of each row, as it is censored."""
    y, upper = DATA["y"], DATA["upper"]
    choices = [part.pdf(y), part.cdf(y), part.sf(y)]
    return np.select([KINDS == "none", KINDS == "left", KINDS == "right"], choices, part.cdf(upper) - part.cdf(y))


def test_censored_rows_are_from_components_that_may_lie_there() -> None:
    density, parts = rows_of("y | cens(c, y2 = upper) ~ 1", CONTINUOUS, VALUES)
    each = np.stack([share * by_kind(part) for share, part in zip(SHARES, PARTS, strict=True)])
    np.testing.assert_allclose(density, np.log(each.sum(axis=0)), rtol=1e-9)
    np.testing.assert_allclose(parts, np.log(each), rtol=1e-9)


@pytest.mark.slow
def test_truncation_is_of_each_component() -> None:
    """As in brms: mixing proportions are shares of the responses within the bounds."""
    density, parts = rows_of("y | trunc(lb = -4, ub = 3.5) ~ 1", CONTINUOUS, VALUES)
    within = [part.cdf(3.5) - part.cdf(-4) for part in PARTS]
    each = np.stack([w * part.pdf(DATA["y"]) / p for w, part, p in zip(SHARES, PARTS, within, strict=True)])
    np.testing.assert_allclose(density, np.log(each.sum(axis=0)), rtol=1e-9)
    np.testing.assert_allclose(parts, np.log(each), rtol=1e-9)
    both, _ = rows_of("y | cens(c, y2 = upper) + trunc(lb = -4) ~ 1", CONTINUOUS, VALUES)
    above = [by_kind(part) - np.where(KINDS == "left", part.cdf(-4), 0.0) for part in PARTS]
    each = np.stack([w * p / part.sf(-4) for w, p, part in zip(SHARES, above, PARTS, strict=True)])
    np.testing.assert_allclose(both, np.log(each.sum(axis=0)), rtol=1e-9)


def test_exposures_are_those_of_every_component() -> None:
    family = mixture("poisson", "negbinomial")
    likelihood = describe_problem("k | rate(n) ~ 1", DATA, family).likelihood
    assert likelihood.linear == {"mu1", "mu2"}
    values = {"mu1": np.log(0.8), "mu2": np.log(2.5), "shape2": 1.7, "theta": VALUES["theta"]}
    density, parts = rows_of("k | rate(n) ~ 1", family, values)
    k, n = DATA["k"], DATA["n"]
    second = stats.nbinom(1.7 * n, 1.7 / (1.7 + 2.5))
    each = np.stack([0.3 * stats.poisson(0.8 * n).pmf(k), 0.7 * second.pmf(k)])
    np.testing.assert_allclose(density, np.log(each.sum(axis=0)), rtol=1e-9)
    np.testing.assert_allclose(parts, np.log(each), rtol=1e-9)


def test_means_of_truncated_mixtures() -> None:
    """Against numerical integration."""
    likelihood = describe_problem("y | trunc(lb = -4, ub = 3.5) ~ 1", DATA, CONTINUOUS).likelihood
    natural = {name: np.full((1, 1), v) for name, v in VALUES.items() if name != "theta"}
    natural["theta"] = VALUES["theta"][None]
    grid = np.linspace(-4, 3.5, 20_001)
    inside = [part.pdf(grid) / (part.cdf(3.5) - part.cdf(-4)) for part in PARTS]
    weight = sum(share * density for share, density in zip(SHARES, inside, strict=True))
    data = {"lb": np.array([-4.0]), "ub": np.array([3.5])}
    expected = np.trapezoid(weight * grid, grid) / np.trapezoid(weight, grid)
    np.testing.assert_allclose(np.ravel(likelihood.mean(natural, data)), expected, rtol=1e-6)
    drawn = likelihood.draw(np.random.default_rng(1), {**natural, "mu1": np.full((1, 400), -0.4)}, data)
    assert drawn.min() >= -4 and drawn.max() <= 3.5


@pytest.mark.parametrize("terms", ["trunc(lb = -4)", "cens(c, y2 = upper)", "mi()"])
def test_formulas_of_all_parameters_stand_beside_terms(terms: str) -> None:
    formula = bayesml.bf(f"y | {terms} ~ 1", mu2="~ x", theta2="~ x", sigma1="sigma2")
    spec = describe_problem(formula, DATA, mixture("gaussian", "gaussian", order="none")).description.spec
    assert {p.name for p in spec.parameters} >= {"b_mu1", "b_mu2", "b_theta2", "sigma2"} or spec.parameters


def test_signs_of_response_times_say_which_answer(rng: np.random.Generator) -> None:
    """Shares of negative times are those of the lower answer, and times are the same: P(upper) by optional stopping."""
    from bayesml.families import RawResponse, wiener

    times = RawResponse("rt", np.array([0.5, 0.9]), additions={"dec": np.array([1.0, 0.0])})
    for likelihood in (wiener().bind(times), mixture("wiener", "wiener").bind(times).components[1]):
        natural = {"mu": np.full((1, 20_000), 0.7), "bs": 1.6, "ndt": 0.2, "bias": 0.4}
        drawn = likelihood.signed.draw(rng, natural, {})
        upper = (1 - np.exp(-2 * 0.7 * 0.4 * 1.6)) / (1 - np.exp(-2 * 0.7 * 1.6))
        assert abs((drawn > 0).mean() - upper) < 5 * np.sqrt(0.25 / 20_000)
        assert np.abs(drawn).min() > 0.2 and (likelihood.draw(rng, natural, {}) > 0).all()


def test_families_that_one_class_makes_are_not_alike() -> None:
    """Intercepts are in order where all components are of one family, which the class of a combinator does not say."""
    assert mixture("zero_inflated_poisson", "zero_inflated_poisson").order == "mu"
    assert mixture("zero_inflated_poisson", "zero_inflated_negbinomial").order == "none"
    assert mixture("hurdle_gamma", "hurdle_lognormal").order == "none"
