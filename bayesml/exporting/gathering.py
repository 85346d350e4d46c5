"""Elements by their index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bayesml.exporting.text import ATOM, Text, tuple_of

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn

    from bayesml.exporting.writer import Walk

__all__ = ["gather"]


def gather(walk: Walk, equation: JaxprEqn) -> list[Text]:
    """Return ``x[index]`` where whole slices along one axis are taken, else the operation with all its settings."""
    source, index = equation.invars
    x = walk.writer.firm(walk.text(source), source.aval.shape)
    numbers, sizes = equation.params["dimension_numbers"], tuple(equation.params["slice_sizes"])
    shape = tuple(equation.outvars[0].aval.shape)
    plain = (
        not numbers.operand_batching_dims
        and index.aval.ndim == 2
        and index.aval.shape[1] == len(numbers.start_index_map)
    )
    axes = tuple(numbers.start_index_map)
    whole = all(sizes[d] == (1 if d in axes else n) for d, n in enumerate(x.shape))
    if plain and whole and tuple(numbers.collapsed_slice_dims) == axes == tuple(range(axes[0], axes[0] + len(axes))):
        of_rows = [d for d in range(len(shape)) if d not in numbers.offset_dims]
        if of_rows == [axes[0]]:
            position = ", ".join([":"] * axes[0] + _columns(walk, index))
            return [Text(f"{x.at(ATOM)}[{position}]", ATOM, shape)]
    places = walk.writer.firm(walk.text(index), index.aval.shape)
    settings = ", ".join(f"{name}={tuple_of(getattr(numbers, name))}" for name in numbers._fields)
    code = (
        f"jax.lax.gather({x.code}, {places.code}, jax.lax.GatherDimensionNumbers({settings}), "
        f"slice_sizes={tuple_of(sizes)}, mode={str(equation.params['mode'].name).lower()!r})"
    )
    return [Text(code, ATOM, shape)]


def _columns(walk: Walk, index: Any) -> list[str]:
    """Return the positions along each axis, which stand in the columns of a matrix."""
    count, known = index.aval.shape[1], walk.constant(index)
    if known is not None:
        return [walk.writer.list_of(column) for column in known.T]
    made = walk.made.get(index)
    if count == 1 and made is not None and made.primitive.name in ("broadcast_in_dim", "reshape"):
        (inner,) = made.invars
        if inner.aval.ndim == 1:
            inner = _before_conversion(walk, inner)
            return [walk.writer.firm(walk.text(inner), inner.aval.shape).code]
    text = walk.writer.firm(walk.text(index), index.aval.shape)
    return [f"{text.at(ATOM)}[:, {k}]" for k in range(count)]


def _before_conversion(walk: Walk, index: Any) -> Any:
    """Return whole numbers of the type that they had before they were made shorter."""
    made = walk.made.get(index)
    while made is not None and made.primitive.name == "convert_element_type" and made.invars[0].aval.dtype.kind in "iu":
        index = made.invars[0]
        made = walk.made.get(index)
    return index
