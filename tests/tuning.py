"""Forms as the engine samples them: their coordinates tuned with the compiled density."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from bayesml.engines.nuts.forms.base import Form, ValueAndGradient

__all__ = ["hessian_at", "tuned_data", "value_and_gradient"]

STEP = 1e-4
"""Of central differences in coordinates of unit scale: they err by about 1e-8 times the fourth derivatives."""


def value_and_gradient(density: Callable[[Any, Any], Any]) -> ValueAndGradient:
    """Return the compiled density with its gradient, in NumPy."""
    compiled = jax.jit(jax.value_and_grad(density))

    def evaluate(q: np.ndarray, data: Any) -> tuple[float, np.ndarray]:
        value, gradient = compiled(q, data)
        return float(value), np.asarray(gradient)

    return evaluate


def tuned_data(form: Form, evaluate: ValueAndGradient | None = None) -> Any:
    """Return the data that a form is sampled with, on the device."""
    data = jax.tree.map(jnp.asarray, form.data)
    if form.tune is None:
        return data
    return jax.tree.map(jnp.asarray, form.tune(evaluate or value_and_gradient(form.density), data))


def hessian_at(evaluate: ValueAndGradient, x: np.ndarray, data: Any) -> np.ndarray:
    """Return the Hessian by differences of the gradient; to compile the exact one takes many times as long."""
    columns = [evaluate(x + e, data)[1] - evaluate(x - e, data)[1] for e in STEP * np.eye(len(x))]
    hessian = np.array(columns) / (2 * STEP)
    return (hessian + hessian.T) / 2
