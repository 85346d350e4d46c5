"""Random responses wherever the parameters allow one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bayesml.families.base import AbstractLikelihood

if TYPE_CHECKING:
    from bayesml.shapes import Numbers, Values

__all__ = ["draw_where_possible", "further_values", "natural_values"]

ROUNDING = 1e-9  # a parameter this far outside its range is rounding error


def draw_where_possible(
    likelihood: AbstractLikelihood,
    rng: np.random.Generator,
    parameters: Mapping[str, np.ndarray],
    data: Mapping[str, np.ndarray],
    shape: tuple[int, ...],
) -> np.ndarray:
    """Draw one response for each element of ``shape``, whose last axis is that of the rows.

    It is NaN where a parameter lies outside its range, as some links let it: there is no response to draw.

    Args:
        likelihood: the distribution.
        rng: source of randomness.
        parameters: every parameter on its natural scale.
        data: ``ResponseData.arrays``; ``y`` is not needed.
        shape: shape of the parameters when they are broadcast.
    """
    legal, outside = dict(parameters), np.zeros(shape, dtype=bool)
    with np.errstate(all="ignore"):
        for parameter in likelihood.dpars:
            value = np.broadcast_to(parameters[parameter.name], shape)
            lower, upper = parameter.bounds
            legal[parameter.name] = inside = np.clip(np.where(np.isnan(value), lower, value), lower, upper)
            outside |= np.isnan(value) | (np.abs(value - inside) > ROUNDING)
        drawn = likelihood.draw(rng, legal, data)
        return np.where(outside.reshape(*shape, *[1] * (drawn.ndim - len(shape))), np.nan, drawn)


def further_values(likelihood: AbstractLikelihood, values: Values) -> dict[str, Numbers]:
    """Return the further parameters of a likelihood with an axis for the rows before their own axes."""
    with_rows = {}
    for name, shape in likelihood.further:
        value = values[name]
        place = len(value.shape) - len(shape)
        with_rows[name] = value.reshape(*value.shape[:place], 1, *value.shape[place:])
    return with_rows


def natural_values(likelihood: AbstractLikelihood, values: Values) -> dict[str, Numbers]:
    """Return the parameters of ``log_prob`` all on their natural scale, as ``mean`` and ``draw`` take them."""
    return {
        name: likelihood.link(name).inverse(value) if name in likelihood.linear else value
        for name, value in values.items()
    }
