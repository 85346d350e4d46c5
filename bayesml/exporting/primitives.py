"""The expression of each operation that JAX traces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jax.extend.core import Literal

from bayesml.errors import ModelError
from bayesml.exporting.control import CONTROL
from bayesml.exporting.elementwise import ELEMENTWISE
from bayesml.exporting.gathering import gather
from bayesml.exporting.text import ATOM, PRODUCT, Text, of_type, tuple_of

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn

    from bayesml.exporting.writer import Walk

__all__ = ["PRIMITIVES", "expressions"]

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def expressions(walk: Walk, equation: JaxprEqn) -> list[Text]:
    """Return the text of each result of an operation.

    Raises:
        ModelError: the operation is not known.
    """
    name = equation.primitive.name
    if name not in PRIMITIVES:
        raise ModelError(
            f"This model cannot be exported: its density uses the operation `{name}` of JAX, which cannot be written."
        )
    return PRIMITIVES[name](walk, equation)


def _firm(walk: Walk, equation: JaxprEqn) -> list[Text]:
    return [walk.writer.firm(walk.text(v), v.aval.shape) for v in equation.invars]


def _array(code: str, equation: JaxprEqn, level: int = ATOM) -> list[Text]:
    return [Text(code, level, tuple(equation.outvars[0].aval.shape))]


def _broadcast(walk: Walk, equation: JaxprEqn) -> list[Text]:
    """Return the operand with axes of length 1 in the right places; the rest is NumPy's broadcasting."""
    x, shape = walk.text(equation.invars[0]), tuple(equation.outvars[0].aval.shape)
    places = equation.params["broadcast_dimensions"]
    if not x.shape:
        return [x]
    x = walk.writer.firm(x, equation.invars[0].aval.shape)
    wanted = tuple(shape[d] if d in places and x.shape[places.index(d)] != 1 else 1 for d in range(len(shape)))
    trailing = places == tuple(range(len(shape) - len(places), len(shape)))
    if trailing:
        return [Text(x.code, x.level, x.shape)]
    index = ", ".join(":" if d in places else "None" for d in range(len(shape)))
    return [Text(f"{x.at(ATOM)}[{index}]", ATOM, wanted)]


def _reshape(walk: Walk, equation: JaxprEqn) -> list[Text]:
    (x,), shape = _firm(walk, equation), tuple(equation.outvars[0].aval.shape)
    if x.shape == shape:
        return [x]
    if shape == (int(np.prod(x.shape, dtype=int)),):
        return _array(f"jnp.ravel({x.code})", equation)
    return _array(f"jnp.reshape({x.code}, {tuple_of(shape)})", equation)


def _transpose(walk: Walk, equation: JaxprEqn) -> list[Text]:
    (x,), order = _firm(walk, equation), tuple(equation.params["permutation"])
    if order == tuple(reversed(range(len(order)))):
        return _array(f"{x.at(ATOM)}.T", equation)
    return _array(f"jnp.transpose({x.code}, {order})", equation)


def _reduction(name: str) -> Callable[[Walk, JaxprEqn], list[Text]]:
    def expression(walk: Walk, equation: JaxprEqn) -> list[Text]:
        (x,), axes = _firm(walk, equation), tuple(equation.params["axes"])
        if len(axes) == len(x.shape):
            return _array(f"jnp.{name}({x.code})", equation)
        return _array(f"jnp.{name}({x.code}, axis={axes[0] if len(axes) == 1 else axes})", equation)

    return expression


def _cumulative(name: str) -> Callable[[Walk, JaxprEqn], list[Text]]:
    def expression(walk: Walk, equation: JaxprEqn) -> list[Text]:
        (x,), back = _firm(walk, equation), ", reverse=True" if equation.params["reverse"] else ""
        return _array(f"jax.lax.{name}({x.code}, axis={equation.params['axis']}{back})", equation)

    return expression


def _product(walk: Walk, equation: JaxprEqn) -> list[Text]:
    """Return ``a @ b`` where that is what is computed, else an Einstein sum."""
    a, b = _firm(walk, equation)
    (left, right), (batch_a, batch_b) = equation.params["dimension_numbers"]
    if not batch_a and len(left) == 1 and len(a.shape) <= 2 and len(b.shape) <= 2:
        first = a if left[0] == len(a.shape) - 1 else Text(f"{a.at(ATOM)}.T")
        second = b if right[0] == 0 else Text(f"{b.at(ATOM)}.T")
        return _array(f"{first.at(ATOM)} @ {second.at(ATOM)}", equation, PRODUCT)
    letters = iter(LETTERS)
    of_a, of_b = [""] * len(a.shape), [""] * len(b.shape)
    for i, j in [*zip(batch_a, batch_b, strict=True), *zip(left, right, strict=True)]:
        of_a[i] = of_b[j] = next(letters)
    of_a, of_b = [x or next(letters) for x in of_a], [x or next(letters) for x in of_b]
    kept_a = [x for k, x in enumerate(of_a) if k not in left and k not in batch_a]
    kept_b = [x for k, x in enumerate(of_b) if k not in right and k not in batch_b]
    result = [of_a[i] for i in batch_a] + kept_a + kept_b
    return _array(f'jnp.einsum("{"".join(of_a)},{"".join(of_b)}->{"".join(result)}", {a.code}, {b.code})', equation)


def _range(start: int, stop: int, step: int, size: int) -> str:
    before = "" if start == 0 else str(start)
    after = "" if stop >= size else str(stop)
    return f"{before}:{after}" + (f":{step}" if step != 1 else "")


def _slice(walk: Walk, equation: JaxprEqn) -> list[Text]:
    (x,), p = _firm(walk, equation), equation.params
    strides = p["strides"] or [1] * len(x.shape)
    parts = [_range(*each) for each in zip(p["start_indices"], p["limit_indices"], strides, x.shape, strict=True)]
    while parts and parts[-1] == ":":
        parts.pop()
    return _array(f"{x.at(ATOM)}[{', '.join(parts)}]", equation) if parts else [x]


def _squeeze(walk: Walk, equation: JaxprEqn) -> list[Text]:
    """Return an array without some axes of length 1; of a slice the number in the place of the range."""
    dimensions, before = set(equation.params["dimensions"]), walk.made.get(equation.invars[0])
    if before is not None and before.primitive.name == "slice" and walk.uses[equation.invars[0]] == 1:
        x, p = walk.writer.firm(walk.text(before.invars[0]), before.invars[0].aval.shape), before.params
        strides = p["strides"] or [1] * len(x.shape)
        each = zip(p["start_indices"], p["limit_indices"], strides, x.shape, strict=True)
        parts = [str(s) if d in dimensions else _range(s, e, t, n) for d, (s, e, t, n) in enumerate(each)]
        while parts and parts[-1] == ":":
            parts.pop()
        return _array(f"{x.at(ATOM)}[{', '.join(parts)}]", equation)
    (x,) = _firm(walk, equation)
    index = ["0" if d in dimensions else ":" for d in range(len(x.shape))]
    while index and index[-1] == ":":
        index.pop()
    return _array(f"{x.at(ATOM)}[{', '.join(index)}]", equation) if index else [x]


def _concatenate(walk: Walk, equation: JaxprEqn) -> list[Text]:
    axis, parts = equation.params["dimension"], ", ".join(x.code for x in _firm(walk, equation))
    return _array(f"jnp.concatenate([{parts}]{f', axis={axis}' if axis else ''})", equation)


def _stack(walk: Walk, equation: JaxprEqn) -> list[Text]:
    axis, parts = equation.params["axis"], ", ".join(x.code for x in _firm(walk, equation))
    return _array(f"jnp.stack([{parts}]{f', axis={axis}' if axis else ''})", equation)


def _unstack(walk: Walk, equation: JaxprEqn) -> list[Text]:
    (x,), axis = walk.fixed(equation.invars), equation.params["axis"]
    shape = tuple(equation.outvars[0].aval.shape)
    return [
        Text(f"{x.at(ATOM)}[{', '.join([':'] * axis + [str(k)])}]", ATOM, shape) for k in range(len(equation.outvars))
    ]


def _iota(walk: Walk, equation: JaxprEqn) -> list[Text]:
    dtype, shape, axis = (equation.params[name] for name in ("dtype", "shape", "dimension"))
    if len(shape) == 1:
        kind = "" if np.dtype(dtype) == np.dtype("int64") else f", dtype={of_type(np.dtype(dtype))}"
        return _array(f"jnp.arange({shape[0]}{kind})", equation)
    return _array(f"jax.lax.broadcasted_iota({of_type(np.dtype(dtype))}, {tuple_of(shape)}, {axis})", equation)


def _call(text: Callable[[Sequence[Text], dict[str, Any]], str]) -> Callable[[Walk, JaxprEqn], list[Text]]:
    return lambda walk, equation: _array(text(_firm(walk, equation), equation.params), equation)


def _several(text: Callable[[Sequence[Text], dict[str, Any]], str]) -> Callable[[Walk, JaxprEqn], list[Text]]:
    """An operation with several results: they get names together."""

    def expression(walk: Walk, equation: JaxprEqn) -> list[Text]:
        code = text(_firm(walk, equation), equation.params)
        return walk.unpacked(code, equation.outvars, "part")

    return expression


def _select(walk: Walk, equation: JaxprEqn) -> list[Text]:
    """Return ``where``; of more than two cases ``select_n``. An index counted from the end needs no repair."""
    which, *cases = equation.invars
    if len(cases) != 2:
        codes = ", ".join(x.code for x in _firm(walk, equation))
        return _array(f"jax.lax.select_n({codes})", equation)
    test, shifted = walk.made.get(which), walk.made.get(cases[1])
    if test is not None and test.primitive.name == "lt" and shifted is not None and shifted.primitive.name == "add":
        zero = test.invars[1]
        if (
            test.invars[0] is cases[0] is shifted.invars[0]
            and isinstance(zero, Literal)
            and not np.any(zero.val)
            and cases[0].aval.dtype.kind == "i"
        ):
            return [walk.text(cases[0])]
    return ELEMENTWISE["select_n"](walk, equation)


def _places(texts: Sequence[Text]) -> str:
    """Return indices as whole numbers of one kind: some are computed, and others are literal."""
    return f"({', '.join(f'jnp.asarray({text.code}, int)' for text in texts)},)"


def _codes(texts: Sequence[Text]) -> str:
    return tuple_of([text.code for text in texts])


def _same(walk: Walk, equation: JaxprEqn) -> list[Text]:
    return [walk.text(v) for v in equation.invars]


PRIMITIVES: dict[str, Callable[[Walk, JaxprEqn], list[Text]]] = {
    **ELEMENTWISE,
    **CONTROL,
    "select_n": _select,
    "gather": gather,
    "broadcast_in_dim": _broadcast,
    "reshape": _reshape,
    "transpose": _transpose,
    "reduce_sum": _reduction("sum"),
    "reduce_max": _reduction("max"),
    "reduce_min": _reduction("min"),
    "reduce_prod": _reduction("prod"),
    "reduce_and": _reduction("all"),
    "reduce_or": _reduction("any"),
    **{name: _cumulative(name) for name in ("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp")},
    "dot_general": _product,
    "slice": _slice,
    "squeeze": _squeeze,
    "concatenate": _concatenate,
    "stack": _stack,
    "unstack": _unstack,
    "iota": _iota,
    "rev": _call(lambda x, p: f"jnp.flip({x[0].code}, {tuple_of(p['dimensions'])})"),
    "pad": _call(lambda x, p: f"jax.lax.pad({x[0].code}, {x[1].code}, {list(p['padding_config'])})"),
    "dynamic_slice": _call(
        lambda x, p: f"jax.lax.dynamic_slice({x[0].code}, {_places(x[1:])}, {tuple_of(p['slice_sizes'])})"
    ),
    "dynamic_update_slice": _call(
        lambda x, p: f"jax.lax.dynamic_update_slice({x[0].code}, {x[1].code}, {_places(x[2:])})"
    ),
    "cholesky": _call(lambda x, p: f"jax.lax.linalg.cholesky({x[0].code})"),
    "triangular_solve": _call(
        lambda x, p: (
            f"jax.lax.linalg.triangular_solve({x[0].code}, {x[1].code}, "
            + ", ".join(f"{name}={p[name]}" for name in ("left_side", "lower", "transpose_a", "unit_diagonal"))
            + ")"
        )
    ),
    "split": _several(lambda x, p: f"jax.lax.split({x[0].code}, {tuple_of(p['sizes'])}, axis={p['axis']})"),
    "copy": _same,
    "copy_p": _same,
    "optimization_barrier": _same,
    "reduce_precision": _same,
}
"""The expression of each operation, by JAX's name of it."""
