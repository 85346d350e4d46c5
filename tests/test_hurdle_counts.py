"""Hurdles of counts and the geometric family beyond what the contract of families asks: far values, rates, a fit."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from scipy import stats

import bayesml
from bayesml.engines.precision import double_precision
from bayesml.families import FAMILIES, RawResponse

COUNTS = {
    "hurdle_poisson": lambda mean: stats.poisson(mean),
    "hurdle_negbinomial": lambda mean: stats.nbinom(1.7, 1.7 / (1.7 + mean)),
}


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("mean", [1e-3, 0.4, 30.0])
def test_tails_are_those_of_the_truncated_count(name: str, mean: float) -> None:
    likelihood, y = FAMILIES[name](), np.array([0.0, 1.0, 2.0, 7.0, 40.0])
    base, values = COUNTS[name](mean), {"mu": np.log(mean), "hu": np.log(0.3 / 0.7), "shape": 1.7}
    with double_precision():
        below, above = (np.asarray(v) for v in likelihood.log_tails(jnp.asarray(y), values, {}))
        nothing = [float(v) for v in likelihood.log_tails(jnp.asarray(-1.0), values, {})]
    expected = np.log(0.7) + base.logsf(y) - base.logsf(0)
    np.testing.assert_allclose(above, expected, rtol=1e-9)
    np.testing.assert_allclose(below, np.log1p(-np.exp(expected)), rtol=1e-9, atol=1e-14)
    assert nothing == [-np.inf, 0.0]


@pytest.mark.parametrize("name", COUNTS)
def test_a_vanishing_mean_leaves_ones(name: str) -> None:
    """Where mu underflows a count above 0 is 1 with probability 1; the density keeps value and gradient."""
    likelihood = FAMILIES[name]()

    def log_prob(eta, y):
        return likelihood.log_prob(jnp.asarray(y), {"mu": eta, "hu": 0.0, "shape": 1.7}, {})

    with double_precision():
        for eta in (-900.0, -40.0):
            assert float(log_prob(jnp.asarray(eta), 1.0)) == pytest.approx(-np.log(2.0), abs=1e-10)
            slopes = [float(jax.grad(log_prob)(jnp.asarray(eta), y)) for y in (0.0, 1.0, 3.0)]
            np.testing.assert_allclose(slopes, [0.0, 0.0, 2.0], atol=1e-10)  # y - 1: the log density is y eta - eta
    natural = {"mu": np.array([0.0, 1e-300, 5.0]), "hu": np.zeros(3), "shape": np.full(3, 1.7)}
    drawn = likelihood.draw(np.random.default_rng(1), natural, {})
    assert drawn[:2].tolist() == [1.0, 1.0] and drawn[2] >= 1.0


@pytest.mark.parametrize("mean", [0.05, 3.0, 60.0])
@pytest.mark.parametrize("name", COUNTS)
def test_draws_are_those_of_the_truncated_count(name: str, mean: float) -> None:
    """Frequencies of the counts from 1: chi-square below its quantile of 0.9999, cells with 5 expected or more."""
    n, base = 20_000, COUNTS[name](mean)
    natural = {"mu": np.full(n, mean), "hu": np.zeros(n), "shape": np.full(n, 1.7)}
    drawn = FAMILIES[name]().draw(np.random.default_rng(7), natural, {})
    cuts = np.unique(base.ppf(np.linspace(base.cdf(0) + 1e-12, 0.9995, 12)).astype(int))
    edges = np.unique(np.concatenate([[0], cuts[cuts > 0]]))
    p = np.append(np.diff(base.cdf(edges)), base.sf(edges[-1])) / base.sf(0)
    found = np.append(np.histogram(drawn, edges + 0.5)[0], np.sum(drawn > edges[-1]))
    used = n * p >= 5
    assert ((found - n * p)[used] ** 2 / (n * p)[used]).sum() < stats.chi2(max(used.sum() - 1, 1)).isf(1e-4)


def test_sums_of_geometric_counts_have_a_rate() -> None:
    """n geometric counts have the negative binomial distribution of shape n."""
    rng = np.random.default_rng(2)
    n, x = np.resize([1.0, 2.0, 5.0], 60), rng.normal(size=60)
    y = rng.negative_binomial(n, 1 / (1 + np.exp(0.5 + 0.3 * x)))
    fit = bayesml.fit("y | rate(n) ~ x", {"y": y, "n": n, "x": x}, "geometric", method="laplace")
    mean = np.exp(fit["b_Intercept"] + fit["b_x"] * x)
    assert fit.logLik == pytest.approx(stats.nbinom(n, 1 / (1 + mean)).logpmf(y).sum(), abs=1e-8)
    general = bayesml.fit("y ~ x", {"y": y, "x": x}, "geometric", method="laplace")
    mean = np.exp(general["b_Intercept"] + general["b_x"] * x)
    assert general.logLik == pytest.approx(stats.nbinom(1, 1 / (1 + mean)).logpmf(y).sum(), abs=1e-8)


def test_the_two_parts_of_a_hurdle_are_estimated_apart() -> None:
    """hu is the share of zeros; mu that of the counts above 0 alone, whose mean is mu / (1 - exp(-mu))."""
    y = np.repeat([0.0, 1.0, 2.0, 3.0, 6.0], [9, 8, 7, 4, 2])
    fit = bayesml.fit("y ~ 1", {"y": y}, "hurdle_poisson", method="laplace")
    mu, positive = np.exp(fit["b_Intercept"]), y[y > 0]
    assert fit["hu"] == pytest.approx(np.mean(y == 0), abs=1e-5)
    assert mu / -np.expm1(-mu) == pytest.approx(positive.mean(), abs=1e-5)
    np.testing.assert_allclose(fit.predict(), np.mean(y), rtol=1e-5)


def test_counts_are_required() -> None:
    likelihood = FAMILIES["hurdle_negbinomial"]()
    with pytest.raises(bayesml.errors.DataError, match="whole number"):
        likelihood.encode(RawResponse("y", np.array([0.0, 1.5])))
