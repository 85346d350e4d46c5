"""A form is one way to write the posterior for the sampler: its density, its starts, and the way back to the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float

__all__ = ["Form", "ValueAndGradient"]

ValueAndGradient = Callable[[np.ndarray, Any], tuple[float, np.ndarray]]
"""``(q, data) -> (log density, gradient)``, compiled."""


@final
@dataclass(frozen=True)
class Form:
    """The posterior of one problem in the coordinates the sampler moves in.

    Attributes:
        size: number of dimensions sampled.
        data: pytree of arrays handed to ``density`` and ``report``: everything that is not structure, so that one
            compilation serves every data set of the same shape.
        density: ``(q, data) -> log density`` in the sampled coordinates.
        report: ``(q, noise, data) -> reported variables``; noise, standard normal numbers, serves forms that draw what
            they integrated out.
        start: ``(rng, attempt) -> q``, overdispersed, nearer to the centre with each attempt.
        parameter_of: name of the parameter behind a dimension, for messages.
        first_step: step size that the adaptation starts from.
        tune: ``(value and gradient of density, data) -> data`` to sample with, of the same shapes: finds coordinates
            with the compiled density before the first draw. None where there is nothing to find.
        noise_sizes: how many numbers of noise a report takes, and how many more where group-level effects are asked
            for.
        rows: how many rows a gradient reads; 0 where it reads sums.
        products: about how many multiplications a gradient spends on products of dense matrices.
        structure: all that ``density`` and ``report`` depend on beside their arguments: forms of equal structure are
            the same programs. Empty where that is not known.
    """

    size: int
    data: Any
    density: Callable[[Float[Array, " size"], Any], Float[Array, ""]]
    report: Callable[[Float[Array, " size"], Float[Array, " noise"], Any], dict[str, Array]]
    start: Callable[[np.random.Generator, int], np.ndarray]
    parameter_of: Callable[[int], str]
    first_step: float
    tune: Callable[[ValueAndGradient, Any], Any] | None = None
    noise_sizes: tuple[int, int] = (0, 0)
    rows: int = 0
    products: int = 0
    structure: tuple[object, ...] = ()
