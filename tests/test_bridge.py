"""Marginal likelihoods by bridge sampling, against exact integrals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import bayesml
from bayesml import prior
from bayesml.engines.base import Coordinates
from bayesml.errors import ModelError
from bayesml.results.checks.bridge import bridge
from tests.handmade import handmade_fit


def data() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    group = np.repeat(np.arange(8), 5)
    own = pd.DataFrame({"x": rng.normal(size=40), "g": [f"g{k}" for k in group]})
    return own.assign(y=1 + 0.5 * own["x"] + 0.7 * rng.normal(size=8)[group] + rng.normal(size=40))


DATA = data()
NORMAL = (
    prior("normal(0, 2)", class_="Intercept"),
    prior("normal(0, 1)", class_="b"),
    prior("constant(0.7)", class_="sd"),
    prior("constant(1)", class_="sigma"),
)


def fitted(formula: str, *priors: Any) -> bayesml.Fit:
    return bayesml.fit(formula, DATA, prior=list(priors), draws=300, seed=1, progress=False)


def exact(formula: str) -> float:
    """With all variances known y is normal; the prior of the Intercept is that of centred predictors."""
    g, x = DATA["g"].to_numpy(dtype=str), DATA["x"] - DATA["x"].mean()
    covariance = np.eye(40) + 4.0 + (np.outer(x, x) if "x" in formula else 0.0)
    covariance = covariance + (0.49 * (g[:, None] == g[None]) if "g" in formula else 0.0)
    return float(stats.multivariate_normal(np.zeros(40), covariance).logpdf(DATA["y"]))


def test_the_integral_of_a_density_with_heavy_shoulders(rng: np.random.Generator) -> None:
    """log gamma variables, whose density of constant Gamma(a) is far from normal; four errors."""
    shape = np.array([1.5, 3.0])
    values = np.log(rng.gamma(shape, size=(4, 4000, 2)))
    found = bridge(Coordinates(values, lambda u: (shape * u - np.exp(u)).sum(axis=1) + 7.0), rng)
    known = 7.0 + float(np.log([0.8862269254527579, 2.0]).sum())
    assert abs(found.logml - known) < 4 * found.error < 0.04


def test_marginal_likelihoods_of_a_conjugate_model_are_exact() -> None:
    both, without = fitted("y ~ x + (1 | g)", *NORMAL), fitted("y ~ 1 + (1 | g)", *(NORMAL[0], *NORMAL[2:]))
    found = both.bridge_sampler(draws=3000, seed=2)
    assert found.logml == pytest.approx(exact("x + g"), abs=0.01) and found.error < 0.005
    log = both.bayes_factor(without, log=True, draws=3000, seed=3)
    assert log == pytest.approx(exact("x + g") - exact("g"), abs=0.015)
    with pytest.raises(ModelError, match="different responses"):
        both.bayes_factor(fitted("x ~ 1", NORMAL[0], NORMAL[3]))


@pytest.mark.slow
def test_an_unknown_standard_deviation_has_the_constant_of_its_prior() -> None:
    fit = fitted("y ~ 1", NORMAL[0], prior("student_t(3, 0, 2.5)", class_="sigma"))
    y = DATA["y"].to_numpy()

    def density(mu: float, sigma: float) -> float:
        own = stats.norm.logpdf(y, mu, sigma).sum() + stats.norm.logpdf(mu, 0, 2)
        return float(np.exp(own + np.log(2) + stats.t.logpdf(sigma, 3, 0, 2.5) + 60))

    known = np.log(integrate.dblquad(density, 0.4, 5.0, -2.0, 4.0)[0]) - 60
    assert fit.bridge_sampler(draws=3000, seed=2).logml == pytest.approx(known, abs=0.01)


def test_what_has_no_marginal_likelihood() -> None:
    flat = handmade_fit("y ~ x", DATA, priors=(prior("flat()", class_="b"),))
    with pytest.raises(ModelError, match="prior of .* is flat"):
        flat.bridge_sampler()
    proper = handmade_fit("y ~ x", DATA)
    with pytest.raises(ModelError, match="`draws` is a whole number"):
        proper.bridge_sampler(draws=3)
    with pytest.raises(ModelError, match="`other` is another fit"):
        proper.bayes_factor(3)
