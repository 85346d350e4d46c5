"""The coordinates in which the parameters left by the elimination are sampled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.engines.layout import Layout
from bayesml.engines.nuts.forms.base import ValueAndGradient
from bayesml.engines.nuts.forms.plain import first_step
from bayesml.engines.nuts.forms.preconditioned.arrow import apply_arrow, unit_arrow
from bayesml.engines.nuts.forms.preconditioned.form import start_around_mode, whitened, whitened_step

if TYPE_CHECKING:
    from bayesml.shapes import Numbers, Position, Scalar

    ValuesAt = Callable[[Position, Any], tuple[dict[str, Numbers], Scalar]]

__all__ = ["Coordinates", "plain_coordinates", "whitened_coordinates"]


@final
@dataclass(frozen=True)
class Coordinates:
    """The coordinates of a form.

    Attributes:
        values_at: ``(q, data) -> (values of the sites, log Jacobian)``.
        data: what ``values_at`` needs of the data.
        start: ``(rng, attempt) -> q``.
        first_step: step size that the adaptation starts from.
        parameter_of: name of the parameter behind a dimension.
        tune: as in ``Form``.
    """

    values_at: ValuesAt
    data: dict[str, Any]
    start: Callable[[np.random.Generator, int], np.ndarray]
    first_step: float
    parameter_of: Callable[[int], str]
    tune: Callable[[ValueAndGradient, Any], Any] | None = None


def plain_coordinates(layout: Layout) -> Coordinates:
    """Return the layout's own coordinates, in typical distances from its centre."""
    return Coordinates(
        values_at=lambda q, data: layout.constrain(data["center"] + data["scale"] * q, bounds=data["bounds"]),
        data={"center": layout.center, "scale": layout.scale},
        start=lambda rng, attempt: rng.uniform(-2.0, 2.0, layout.size) * 0.95**attempt,
        first_step=first_step(layout),
        parameter_of=layout.parameter_of,
    )


def whitened_coordinates(
    layout: Layout, start: np.ndarray, values_at: ValuesAt, extra: dict[str, Any] | None = None
) -> Coordinates:
    """Return coordinates that tuning whitens at the mode of the collapsed density, by a dense Hessian.

    With a million rows a residual sd is known to a thousandth of its prior scale: coordinates in which every direction
    has unit size spare the warm-up the search for these scales, and correlations with it.

    Args:
        layout: the sampled parameters.
        start: ``(d,)`` where the search for the mode begins.
        values_at: from the layout's vector to values and the log Jacobian.
        extra: what ``values_at`` needs of the data.
    """
    return Coordinates(
        values_at=lambda x, data: values_at(apply_arrow(x, data["white"], ()), data),
        data={**(extra or {}), "white": unit_arrow(start, layout.scale, (), ())},
        start=start_around_mode(layout.size),
        first_step=whitened_step(layout.size),
        parameter_of=lambda index: "the whitened coordinates",
        tune=whitened,
    )
