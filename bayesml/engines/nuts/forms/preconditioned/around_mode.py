"""Where chains start in coordinates that are whitened at the mode, and with which step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesml.engines.nuts.forms.base import ValueAndGradient
from bayesml.engines.nuts.forms.preconditioned.arrow import arrow_whitening

__all__ = ["start_around_mode", "whitened", "whitened_step"]

START_SPREAD = 1.5
"""Standard deviation of the starts around the mode; 1 would be that of the posterior, were it normal."""


def start_around_mode(size: int) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Return starts in whitened coordinates: overdispersed, nearer to the mode with each attempt."""
    return lambda rng, attempt: START_SPREAD * 0.9**attempt * rng.standard_normal(size)


def whitened_step(size: int) -> float:
    """Return a first step size for whitened coordinates."""
    return min(1.0, 1.5 * size**-0.25)


def whitened(value_and_gradient: ValueAndGradient, data: Any) -> Any:
    """Return the data of a form, its ``white`` replaced by the map that whitens at the mode.

    Raises:
        ArithmeticError: no usable mode was found.
    """
    return data | {"white": arrow_whitening(lambda x: value_and_gradient(x, data), data["white"])}
