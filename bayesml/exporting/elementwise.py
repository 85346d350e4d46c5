"""Operations on each element as expressions: arithmetic, comparisons, functions of one number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.exporting.text import (
    AND,
    ATOM,
    COMPARISON,
    OR,
    POWER,
    PRODUCT,
    SIGN,
    SUM,
    Text,
    of_type,
)

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn

    from bayesml.exporting.writer import Walk

__all__ = ["ELEMENTWISE"]

COMMUTATIVE = frozenset(["add", "add_any", "mul"])
NEUTRAL = {
    **dict.fromkeys(("add", "add_any", "sub"), ("0.0", "0")),
    **dict.fromkeys(("mul", "div"), ("1.0", "1")),
}
"""Numbers that change nothing."""

Make = Callable[[Sequence[Text], Mapping[str, Any]], Text]


def _call(name: str) -> Make:
    return lambda x, _: Text(f"{name}({', '.join(each.code for each in x)})")


def _infix(operator: str, level: int, right: int) -> Make:
    return lambda x, _: Text(f"{x[0].at(level)} {operator} {x[1].at(right)}", level)


def _difference(x: Sequence[Text], _: Mapping[str, Any]) -> Text:
    """Return a - b, and a + b where b is written with a sign."""
    a, b = x
    if b.level == SIGN:
        return Text(f"{a.at(SUM)} + {b.code[1:]}", SUM)
    return Text(f"{a.at(SUM)} - {b.at(PRODUCT)}", SUM)


def _sum(x: Sequence[Text], _: Mapping[str, Any]) -> Text:
    """Return a + b, and a - b where b is written with a sign."""
    a, b = x if not x[0].code.startswith("-") or x[1].code.startswith("-") else (x[1], x[0])
    if b.level == SIGN:
        return Text(f"{a.at(SUM)} - {b.code[1:]}", SUM)
    return Text(f"{a.at(SUM)} + {b.at(SUM)}", SUM)


def _power(x: Sequence[Text], parameters: Mapping[str, Any]) -> Text:
    exponent = Text(str(parameters["y"]), SIGN if parameters["y"] < 0 else ATOM) if "y" in parameters else x[1]
    return Text(f"{x[0].at(ATOM)} ** {exponent.at(POWER)}", POWER)


def _type(x: Sequence[Text], parameters: Mapping[str, Any]) -> Text:
    """Return a number of another type; Python's own numbers take the type of the other operand."""
    dtype = np.dtype(parameters["new_dtype"])
    if not x[0].shape and x[0].code.lstrip("-").replace(".", "", 1).isdigit() and dtype.kind == "f":
        return Text(x[0].code if "." in x[0].code else f"{x[0].code}.0", x[0].level)
    return Text(f"jnp.asarray({x[0].code}, {of_type(dtype)})")


def _where(x: Sequence[Text], _: Mapping[str, Any]) -> Text:
    return Text(f"jnp.where({x[0].code}, {x[2].code}, {x[1].code})")


def _clip(x: Sequence[Text], _: Mapping[str, Any]) -> Text:
    return Text(f"jnp.clip({x[1].code}, {x[0].code}, {x[2].code})")


def _not(x: Sequence[Text], _: Mapping[str, Any]) -> Text:
    return Text(f"~{x[0].at(SIGN)}", SIGN)


_MAKERS: dict[str, Make] = {
    "add": _sum,
    "add_any": _sum,
    "sub": _difference,
    "mul": _infix("*", PRODUCT, SIGN),
    "div": _infix("/", PRODUCT, SIGN),
    "rem": _call("jax.lax.rem"),
    "pow": _power,
    "integer_pow": _power,
    "square": lambda x, _: Text(f"{x[0].at(ATOM)} ** 2", POWER),
    "neg": lambda x, _: Text(f"-{x[0].at(POWER)}", SIGN),
    "not": _not,
    "select_n": _where,
    "clamp": _clip,
    "convert_element_type": _type,
    **{
        name: _infix(sign, COMPARISON, OR)
        for name, sign in {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}.items()
    },
    "and": _infix("&", AND, SUM),
    "or": _infix("|", OR, AND),
    "xor": _infix("^", OR, AND),
    "max": _call("jnp.maximum"),
    "min": _call("jnp.minimum"),
    "logistic": _call("jax.nn.sigmoid"),
    "is_finite": _call("jnp.isfinite"),
    "regularized_incomplete_beta": _call("jax.lax.betainc"),
    "round": _call("jnp.round"),
    **{
        name: _call(f"jnp.{name}")
        for name in (
            "exp",
            "exp2",
            "log",
            "log1p",
            "expm1",
            "sqrt",
            "cbrt",
            "abs",
            "sign",
            "floor",
            "ceil",
            "sin",
            "cos",
            "tan",
            "sinh",
            "cosh",
            "tanh",
            "nextafter",
        )
    },
    "atan2": _call("jnp.arctan2"),
    "atan": _call("jnp.arctan"),
    "asin": _call("jnp.arcsin"),
    "acos": _call("jnp.arccos"),
    "asinh": _call("jnp.arcsinh"),
    "acosh": _call("jnp.arccosh"),
    "atanh": _call("jnp.arctanh"),
    **{
        name: _call(f"jax.lax.{name}")
        for name in (
            "rsqrt",
            "lgamma",
            "digamma",
            "polygamma",
            "erf",
            "erfc",
            "erf_inv",
            "igamma",
            "igammac",
            "bessel_i0e",
            "bessel_i1e",
            "stop_gradient",
        )
    },
    "zeta": _call("jax.lax.zeta"),
}


def _elementwise(make: Make) -> Callable[[Walk, JaxprEqn], list[Text]]:
    def expression(walk: Walk, equation: JaxprEqn) -> list[Text]:
        operands = [walk.text(v) for v in equation.invars]
        neutral = NEUTRAL.get(equation.primitive.name)
        if neutral is not None and operands[1].code in neutral:
            return operands[:1]
        if neutral is not None and equation.primitive.name in COMMUTATIVE and operands[0].code in neutral:
            return operands[1:]
        text = make(operands, equation.params)
        return [Text(text.code, text.level, np.broadcast_shapes(*(x.shape for x in operands)))]

    return expression


ELEMENTWISE = {name: _elementwise(make) for name, make in _MAKERS.items()}
"""The expression of each operation on elements, whose operands are broadcast."""
