"""Densities with kinks: rounded where a mode is sought, sharp where the sampler moves."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from jax import numpy as jnp

import bayesml
from bayesml.engines.nuts.forms.preconditioned.form import preconditioned_form
from bayesml.engines.precision import double_precision
from bayesml.errors import ModelError
from bayesml.families.check_loss import check_loss
from bayesml.fit import describe_problem
from tests.tuning import value_and_gradient

Q = np.array([[0.01], [0.3], [0.9]])


def test_the_check_loss_is_sharp_at_width_0() -> None:
    z = np.array([-40.0, -1e-9, 0.0, 1e-9, 0.3, 40.0])
    with double_precision():
        np.testing.assert_allclose(check_loss(z, Q), np.where(z < 0, Q - 1, Q) * z, rtol=1e-12, atol=1e-29)
        slope = jax.vmap(jax.grad(lambda z: check_loss(z, 0.3, 0.0)))(jnp.asarray(z))
    np.testing.assert_allclose(slope, [-0.7, -0.7, -0.2, 0.3, 0.3, 0.3], rtol=1e-12)


def test_rounding_spreads_the_point_mass_of_the_curvature() -> None:
    """Its integral is 1, and far from the kink loss and slope are the sharp ones up to width^2 / 4 |z|."""
    z = np.linspace(-200.0, 200.0, 40_001)
    with double_precision():
        curvature = np.asarray(jax.vmap(jax.grad(jax.grad(lambda z: check_loss(z, 0.3, 1.5))))(jnp.asarray(z)))
        far = np.asarray(check_loss(np.array([-200.0, 200.0]), 0.3, 1.5))
    assert np.all(curvature > 0)
    # what lies beyond 200 is width^2 / (2 * 200^2) of it
    np.testing.assert_allclose(np.trapezoid(curvature, z), 1 - 1.5**2 / (2 * 200**2), rtol=1e-6)
    np.testing.assert_allclose(far, [140 + 1.5**2 / 800, 60 + 1.5**2 / 800], rtol=1e-6)


def rows(rng: np.random.Generator) -> dict[str, np.ndarray]:
    g = np.arange(200) % 10
    x = rng.normal(size=200)
    y = 1 + 0.5 * x + rng.normal(size=10)[g] + rng.standard_t(4, size=200)
    return {"y": y, "x": x, "g": g, "z": np.where(rng.random(200) < 0.2, 0.0, y), "n": rng.poisson(2.0, 200)}


TWO = bayesml.bf("y ~ x + (1 | g)", quantile=0.3, family="asym_laplace") + bayesml.bf("n ~ x", family="poisson")


@pytest.mark.parametrize(
    ("formula", "family", "name"),
    [
        pytest.param(
            bayesml.bf("z ~ x + (1 | g)", quantile=0.8),
            "zero_inflated_asym_laplace",
            "rounding",
            marks=pytest.mark.slow,
        ),
        (TWO, "gaussian", "rounding_y"),
    ],
)
def test_a_mode_is_found_with_rounded_kinks_and_left_with_sharp_ones(
    formula: object, family: str, name: str, rng: np.random.Generator
) -> None:
    problem = describe_problem(formula, rows(rng), family)
    with double_precision():
        form = preconditioned_form(problem)
        evaluate = value_and_gradient(form.density)
        assert form.tune is not None
        data = form.tune(evaluate, form.data)
        assert (form.data["response"][name], data["response"][name]) == (1.0, 0.0)
        at_mode = np.zeros(form.size)
        rounded = data | {"response": {**data["response"], name: np.asarray(1.0)}}
        assert np.linalg.norm(evaluate(at_mode, rounded)[1]) < 0.1
        # The origin is about as high as any point that the sampler starts from: a kink for each row lies in between.
        away = np.random.default_rng(1).normal(size=(20, form.size))
        assert all(evaluate(at_mode, data)[0] > evaluate(q, data)[0] for q in away)


def test_a_kink_of_one_of_several_responses_leaves_no_laplace_approximation(rng: np.random.Generator) -> None:
    with pytest.raises(ModelError, match="has a kink"):
        bayesml.fit(TWO, rows(rng), method="laplace")
