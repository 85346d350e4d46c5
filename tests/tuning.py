"""Forms as the engine samples them: their coordinates tuned with the compiled density."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from bayesml.engines.nuts.forms.base import Form, ValueAndGradient

__all__ = ["tuned_data", "value_and_gradient"]


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
