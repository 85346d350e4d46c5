"""The functions of numbers that a formula may call, and how many arguments each takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

__all__ = ["NUMERIC"]


def _round(values: Any, decimals: Any = 0) -> Any:
    return np.round(values, int(decimals))


def _where(condition: Any, yes: Any, no: Any) -> Any:
    return np.where(np.asarray(condition, dtype=bool), yes, no)


def _logit(p: Any) -> Any:
    return np.log(p) - np.log1p(-p)


def _smallest(*values: Any) -> Any:
    return reduce(np.minimum, values)


def _largest(*values: Any) -> Any:
    return reduce(np.maximum, values)


def _truth(values: Any) -> Any:
    return np.asarray(values) != 0.0


def _same(values: Any) -> Any:
    return values


NUMERIC: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    **{
        name: (getattr(np, name), (1,))
        for name in ("log", "log2", "log10", "log1p", "exp", "expm1", "sqrt", "abs", "sign")
        + ("sin", "cos", "tan", "sinh", "cosh", "tanh", "floor", "ceil", "trunc", "square")
    },
    **{name: (_logit, (1,)) for name in ("logit", "qlogis")},
    **{name: (getattr(np, f"arc{name[1:]}"), (1,)) for name in ("asin", "acos", "atan")},
    "ceiling": (np.ceil, (1,)),
    "as.numeric": (_same, (1,)),
    "as.double": (_same, (1,)),
    "as.integer": (np.trunc, (1,)),
    "as.logical": (_truth, (1,)),
    "pmin": (_smallest, (2, 3, 4, 5)),
    "pmax": (_largest, (2, 3, 4, 5)),
    "round": (_round, (1, 2)),
    "minimum": (np.minimum, (2,)),
    "maximum": (np.maximum, (2,)),
    "power": (np.power, (2,)),
    "where": (_where, (3,)),
    "ifelse": (_where, (3,)),
}
