"""Functions in functions: what is inlined, loops, branches, and functions with derivatives of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax import numpy as jnp
from jax.extend.core import ClosedJaxpr

from bayesml.exporting.text import Text, tuple_of

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn

    from bayesml.exporting.writer import Walk

__all__ = ["CONTROL"]

LIBRARY = {
    "logaddexp": "jnp.logaddexp",
    "logit": "jax.scipy.special.logit",
    "log_ndtr": "jax.scipy.special.log_ndtr",
    "xlogy": "jax.scipy.special.xlogy",
    "xlog1py": "jax.scipy.special.xlog1py",
}
"""Functions of JAX with derivatives of their own."""

ITS_OWN = ("relu", "silu")
"""Functions whose derivative is that of their operations but for one point."""


def _closed(jaxpr: Any) -> ClosedJaxpr:
    return jaxpr if isinstance(jaxpr, ClosedJaxpr) else ClosedJaxpr(jaxpr, ())


def _inlined(parameter: str) -> Callable[[Walk, JaxprEqn], list[Text]]:
    return lambda walk, equation: walk.inlined(_closed(equation.params[parameter]), equation.invars)


def _operands(walk: Walk, variables: Any) -> list[str]:
    return [walk.writer.firm(walk.text(v), v.aval.shape).code for v in variables]


def _one_or_more(walk: Walk, equation: JaxprEqn, code: str, name: str) -> list[Text]:
    if len(equation.outvars) == 1:
        return [Text(code, shape=tuple(equation.outvars[0].aval.shape))]
    return walk.unpacked(code, equation.outvars, name)


def _with_derivative(walk: Walk, equation: JaxprEqn) -> list[Text]:
    """Write a call of a function that has a derivative of its own, ``jax.custom_jvp``."""
    closed, program = _closed(equation.params["call_jaxpr"]), walk.writer.program
    name = str(closed.jaxpr.debug_info.func_name).split(".")[-1].strip("<>")
    if name in ITS_OWN:
        return walk.inlined(closed, equation.invars)
    if name in LIBRARY and "/jax/" in str(closed.jaxpr.debug_info.func_src_info):
        code = f"{LIBRARY[name]}({', '.join(walk.text(v).code for v in equation.invars)})"
        return [Text(code, shape=np.broadcast_shapes(*(walk.text(v).shape for v in equation.invars)))]
    key = (name, str(closed), *(np.asarray(c).tobytes() for c in closed.consts))
    if key not in program.known:
        own = walk.writer.function(name, closed, nested=False)
        program.known[key] = own  # its derivative may call it
        _write_derivative(walk, equation, own)
    code = f"{program.known[key]}({', '.join(_operands(walk, equation.invars))})"
    return _one_or_more(walk, equation, code, name)


def _write_derivative(walk: Walk, equation: JaxprEqn, own: str) -> None:
    """Write the derivative of a function that has one of its own, behind the function."""

    def both(*arguments: Any) -> Any:
        found = equation.primitive.get_bind_params(equation.params)
        functions, settings = found if isinstance(found, tuple) else ((), found)  # a pair up to JAX 0.9
        half = len(arguments) // 2
        at, changes = arguments[:half], tuple(map(_change, arguments[:half], arguments[half:]))
        return jax.jvp(lambda *x: equation.primitive.bind(*functions, *x, **settings), at, changes)

    helpers = walk.writer.program.helpers
    place = max(k for k, line in enumerate(helpers) if line.startswith(f"def {own}("))
    helpers.insert(place, "@jax.custom_jvp")
    shapes = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in equation.invars]
    derivative = walk.writer.function(f"{own}_derivative", jax.make_jaxpr(both)(*shapes, *shapes), nested=False)
    count = len(equation.outvars)
    answer = "found" if count == 1 else f"found[:{count}], found[{count}:]"
    helpers += [f"@{own}.defjvp", f"def {own}_jvp(values, changes):"]
    helpers += [f"    found = {derivative}(*values, *changes)", f"    return {answer}", "", ""]


def _change(value: Any, change: Any) -> Any:
    """Return the change of a value; whole numbers, such as an index, have none."""
    return change if jnp.issubdtype(value.dtype, jnp.inexact) else np.zeros(value.shape, jax.dtypes.float0)


def _while(walk: Walk, equation: JaxprEqn) -> list[Text]:
    p = equation.params
    n, m = p["cond_nconsts"], p["body_nconsts"]
    carried, count = equation.invars[n + m :], len(equation.outvars)
    goes_on = walk.writer.loop("goes_on", p["cond_jaxpr"], walk.fixed(equation.invars[:n]), {"carried": count}, ())
    fixed = walk.fixed(equation.invars[n : n + m])
    step = walk.writer.loop("step", p["body_jaxpr"], fixed, {"carried": count}, (count,))
    code = f"jax.lax.while_loop({goes_on}, {step}, {tuple_of(_operands(walk, carried))})"
    return walk.unpacked(code, equation.outvars, "found")


def _scan(walk: Walk, equation: JaxprEqn) -> list[Text]:
    p = equation.params
    n, carried = p["num_consts"], p["num_carry"]
    start, each = (_operands(walk, v) for v in (equation.invars[n : n + carried], equation.invars[n + carried :]))
    kept = len(equation.outvars) - carried
    fixed = walk.fixed(equation.invars[:n])
    step = walk.writer.loop("step", p["jaxpr"], fixed, {"carried": carried, "each": len(each)}, (carried, kept))
    settings = f", length={p['length']}" + (", reverse=True" if p["reverse"] else "")
    along = tuple_of(each) if each else "None"
    code = f"jax.lax.scan({step}, {tuple_of(start) if start else 'None'}, {along}{settings})"
    return walk.unpacked(code, equation.outvars, "found", (carried, kept))


def _cond(walk: Walk, equation: JaxprEqn) -> list[Text]:
    which, *texts = _operands(walk, equation.invars)
    branches = [walk.writer.function("branch", branch, nested=True) for branch in equation.params["branches"]]
    code = f"jax.lax.switch({which}, [{', '.join(branches)}]{''.join(f', {t}' for t in texts)})"
    return _one_or_more(walk, equation, code, "chosen")


CONTROL: dict[str, Callable[[Walk, JaxprEqn], list[Text]]] = {
    "jit": _inlined("jaxpr"),
    "pjit": _inlined("jaxpr"),
    "closed_call": _inlined("call_jaxpr"),
    "core_call": _inlined("call_jaxpr"),
    "checkpoint": _inlined("jaxpr"),
    "remat2": _inlined("jaxpr"),
    "remat": _inlined("jaxpr"),
    "custom_vjp_call": _inlined("call_jaxpr"),
    "custom_vjp_call_jaxpr": _inlined("fun_jaxpr"),
    "custom_jvp_call": _with_derivative,
    "while": _while,
    "scan": _scan,
    "cond": _cond,
}
