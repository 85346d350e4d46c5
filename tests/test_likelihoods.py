"""The contract of a likelihood, held by a toy without closed forms: a log density is enough for every engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import jax
import numpy as np
import pytest
from jax import numpy as jnp

import bayesml
from bayesml.engines.nuts.forms.preconditioned.form import preconditioned_form
from bayesml.engines.precision import double_precision
from bayesml.families import FAMILIES, RawResponse, ResponseData, Traits, get_family
from bayesml.families.automatic import automatic_auxiliary, automatic_curvature
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.response import numbers
from bayesml.families.scales import SIGMA, mu
from bayesml.fit import describe_problem

RNG = np.random.default_rng(5)
N = 60
G = np.repeat(np.arange(12), 5)
X = RNG.normal(size=N)
DATA = {"x": X, "g": [f"g{i}" for i in G], "y": 1.0 + 0.5 * X + RNG.normal(size=12)[G] + RNG.logistic(size=N) * 0.5}


@final
@dataclass(frozen=True)
class Logistic(AbstractSimpleFamily):
    """A logistic distribution around mu with scale sigma; only its log density is written down."""

    name: ClassVar[str] = "logistic_toy"
    dpars: ClassVar[Any] = (mu(("identity", "log")), SIGMA)
    traits: ClassVar[Traits] = Traits()

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        return ResponseData({"y": numbers(response, self.name)})

    def log_prob(self, y: Any, values: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        z = jnp.abs(y - values["mu"]) / values["sigma"]
        return -z - 2.0 * jnp.log1p(jnp.exp(-z)) - jnp.log(values["sigma"])

    def mean(self, parameters: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        return parameters["mu"]

    def variance(self, parameters: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        return (np.pi * parameters["sigma"]) ** 2 / 3 + 0.0 * parameters["mu"]

    def draw(self, rng: np.random.Generator, parameters: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        return rng.logistic(parameters["mu"], parameters["sigma"])


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setitem(FAMILIES, "logistic_toy", Logistic.with_links)
    yield "logistic_toy"


def test_a_density_is_enough_for_laplace(toy: str) -> None:
    """At the maximum of the likelihood the score of every coefficient is 0; scipy finds the same maximum."""
    from scipy import optimize, stats

    fit = bayesml.fit("y ~ x", DATA, family=toy, method="laplace")

    def negative(p: np.ndarray) -> float:
        return -stats.logistic(p[0] + p[1] * X, np.exp(p[2])).logpdf(DATA["y"]).sum()

    best = optimize.minimize(negative, np.zeros(3), method="BFGS", options={"gtol": 1e-8})
    np.testing.assert_allclose(fit.fixef()["Estimate"], best.x[:2], atol=1e-5)
    assert fit.sigma == pytest.approx(np.exp(best.x[2]), rel=1e-4)
    assert fit.logLik == pytest.approx(-best.fun, abs=1e-6)


@pytest.mark.parametrize("method", ["laplace", "map"])
def test_a_density_is_enough_with_group_effects(toy: str, method: str) -> None:
    fit = bayesml.fit("y ~ x + (1 | g)", DATA, family=toy, method=method)
    gaussian = bayesml.fit("y ~ x + (1 | g)", DATA, method=method)
    assert fit["b_x"] == pytest.approx(gaussian["b_x"], abs=0.1)
    assert np.isfinite(fit.predict()).all()
    assert np.isfinite(fit.residuals(type="pearson")).all()
    assert "logistic_toy" in str(fit.summary())


def test_a_density_is_enough_for_the_preconditioned_form(toy: str) -> None:
    for formula in ("y ~ x + (1 | g)", bayesml.bf("y ~ x + (1 | g)", sigma="~ x")):
        problem = describe_problem(formula, DATA, toy)
        with double_precision():
            form = preconditioned_form(problem)
            density = jax.jit(jax.value_and_grad(form.density))
            value, slope = density(jnp.zeros(form.size), jax.tree.map(jnp.asarray, form.data))
        assert np.isfinite(value) and np.isfinite(slope).all()


def test_a_density_is_enough_for_nuts(toy: str) -> None:
    options = {"draws": 1500, "warmup": 300, "chains": 2, "seed": 1, "progress": False}
    fit = bayesml.fit("y ~ x + (1 | g)", DATA, family=toy, **options)
    laplace = bayesml.fit("y ~ x + (1 | g)", DATA, family=toy, method="laplace")
    # the two are estimates of the same posterior but for the priors, which are wide: half a posterior sd at most
    assert abs(float(fit["b_x"].mean()) - laplace["b_x"]) < 0.5 * float(fit["b_x"].std())
    assert fit.predict(seed=1).shape == fit.epred().shape
    assert np.isfinite(fit.loo().elpd_loo)


ETA = np.array([0.3, 0.7, 1.2])
AUXILIARY = {"sigma": 1.3, "nu": 4.5, "shape": 2.2, "phi": 3.4}


@pytest.mark.parametrize("name", ["gaussian", "student", "negbinomial", "beta", "gamma"])
def test_automatic_derivatives_are_the_closed_ones(name: str) -> None:
    family = get_family(name)
    y = np.array([0.0, 4.0, 11.0]) if family.traits.discrete else np.array([0.12, 0.43, 0.9])
    auxiliary = {p.name: AUXILIARY[p.name] for p in family.dpars[1:]}
    ours, closed = (
        automatic_curvature(family, ETA, {"y": y}, auxiliary, 3),
        family.curvature(ETA, {"y": y}, auxiliary),
    )
    for part in ("log_density", "d1", "d2", "d3"):
        np.testing.assert_allclose(getattr(ours, part), getattr(closed, part), rtol=1e-8, atol=1e-9, err_msg=part)
    found, expected = (
        automatic_auxiliary(family, ETA, {"y": y}, auxiliary),
        family.auxiliary_derivatives(ETA, {"y": y}, auxiliary),
    )
    assert set(found) == set(expected)
    for dpar, slopes in expected.items():
        for part in ("log_density", "d1", "d2"):
            np.testing.assert_allclose(getattr(found[dpar], part), getattr(slopes, part), rtol=1e-8, atol=1e-9)
    # several points at once, as quadrature asks for them
    assert automatic_curvature(family, np.stack([ETA, ETA]), {"y": y}, auxiliary, 2).d2.shape == (2, 3)
