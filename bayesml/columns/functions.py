"""The numeric functions a formula may call, each with how many arguments it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["NUMERIC"]


def _round(values: Any, decimals: Any = 0) -> Any:
    return np.round(values, int(decimals))


def _where(condition: Any, yes: Any, no: Any) -> Any:
    return np.where(np.asarray(condition, dtype=bool), yes, no)


def _logit(p: Any) -> Any:
    return np.log(p) - np.log1p(-p)


NUMERIC: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    **{
        name: (getattr(np, name), (1,))
        for name in ("log", "log2", "log10", "log1p", "exp", "expm1", "sqrt", "abs", "sign")
        + ("sin", "cos", "tan", "sinh", "cosh", "tanh", "floor", "ceil", "square")
    },
    **{name: (_logit, (1,)) for name in ("logit", "qlogis")},
    "asin": (np.arcsin, (1,)),
    "ceiling": (np.ceil, (1,)),
    "round": (_round, (1, 2)),
    "minimum": (np.minimum, (2,)),
    "maximum": (np.maximum, (2,)),
    "power": (np.power, (2,)),
    "where": (_where, (3,)),
}
