"""The coordinates in which the parameters left by the elimination are sampled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.engines.layout import Layout
from bayesml.engines.nuts.forms.base import ValueAndGradient
from bayesml.engines.nuts.forms.collapsed.normal_scores import from_scores, in_layout, learned_scores, no_scores
from bayesml.engines.nuts.forms.plain import first_step
from bayesml.engines.nuts.forms.preconditioned.around_mode import start_around_mode, whitened, whitened_step
from bayesml.engines.nuts.forms.preconditioned.arrow import apply_arrow, unit_arrow

if TYPE_CHECKING:
    from bayesml.shapes import Numbers, Position, Scalar

    ValuesAt = Callable[[Position, Any], tuple[dict[str, Numbers], Scalar]]

__all__ = ["Coordinates", "plain_coordinates", "scored_coordinates", "whitened_coordinates"]


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


def scored_coordinates(layout: Layout, places: tuple[int, ...]) -> Coordinates:
    """Return whitened coordinates in which length-scales are normal scores, see ``normal_scores``.

    Args:
        layout: the sampled parameters.
        places: of the length-scales in the flat vector.
    """

    def values_at(q: Position, data: Any) -> tuple[dict[str, Numbers], Scalar]:
        u, log_jacobian = from_scores(q, places, data["scores"])
        values, own = layout.constrain(u, bounds=data["bounds"])
        return values, own + log_jacobian

    identity = {"scores": no_scores(layout.size, places)}
    return replace(whitened_coordinates(layout, layout.center, values_at, identity), tune=_tuned_scores(places))


def _tuned_scores(places: tuple[int, ...]) -> Callable[[ValueAndGradient, Any], Any]:
    """Return the function that whitens at the mode, learns the scores from there, and whitens in them again."""

    def tune(value_and_gradient: ValueAndGradient, data: Any) -> Any:
        first = whitened(value_and_gradient, data)
        mode, root = np.asarray(first["white"]["rest"]), np.asarray(first["white"]["root"])
        distances = np.sqrt((root**2).sum(axis=1))
        unit = data | {"white": unit_arrow(mode, distances, (), ())}
        try:
            tables = learned_scores(lambda y: value_and_gradient(y, unit), np.zeros(len(mode)), places)
        except ArithmeticError:  # the mode is good enough
            return first
        scores = in_layout(tables, mode, distances, places)
        around = np.where(np.isin(np.arange(len(mode)), places), 1.0, distances)
        scored = data | {"scores": scores, "white": unit_arrow(np.zeros(len(mode)), around, (), ())}
        return whitened(value_and_gradient, scored)

    return tune
