"""The functions that a nonlinear formula may call with parameters, on NumPy and JAX arrays alike.

Names are those of R and of Stan: ``plogis`` is ``inv_logit``, ``pnorm`` is ``Phi``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.links import get_link, special_functions
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Operand

__all__ = ["NONLINEAR", "NonlinearCall"]


@final
@dataclass(frozen=True)
class NonlinearCall:
    """A function of numbers.

    Attributes:
        compute: the function.
        counts: how many arguments it may have.
    """

    compute: Callable[..., Operand]
    counts: tuple[int, ...] = (1,)


def _elementwise(name: str) -> Callable[[Operand], Operand]:
    def compute(x: Operand) -> Operand:
        return getattr(array_namespace(x), name)(x)

    return compute


def _special(name: str) -> Callable[[Operand], Operand]:
    def compute(x: Operand) -> Operand:
        return getattr(special_functions(x), name)(x)

    return compute


def _power(base: Operand, exponent: Operand) -> Operand:
    if isinstance(exponent, float) and exponent.is_integer() and abs(exponent) <= 64:
        # A whole power is a product, with a gradient at 0 and for negative bases.
        xp = array_namespace(base)
        return xp.power(xp.asarray(base), int(exponent)) if exponent >= 0 else 1 / xp.power(base, int(-exponent))
    return array_namespace(base, exponent).power(base, exponent)


def _log1m(x: Operand) -> Operand:
    return array_namespace(x).log1p(-x)


def _log1p_exp(x: Operand) -> Operand:
    return get_link("softplus").inverse(x)


def _log1m_exp(x: Operand) -> Operand:
    """Return log(1 - exp(x)) of a negative x, by the form that loses nothing (Maechler 2012)."""
    xp = array_namespace(x)
    near = x > -np.log(2.0)
    # Each branch gets an argument at which it is finite, so that its gradient is where the other one is taken.
    from_expm1 = xp.log(-xp.expm1(xp.where(near, x, -1.0)))
    return xp.where(near, from_expm1, xp.log1p(-xp.exp(xp.where(near, -1.0, x))))


def _inv(x: Operand) -> Operand:
    return 1.0 / x


def _step(x: Operand) -> Operand:
    return array_namespace(x).where(x >= 0, 1.0, 0.0)


def _where(condition: Operand, yes: Operand, no: Operand) -> Operand:
    return array_namespace(condition, yes, no).where(condition != 0, yes, no)


def _smallest(*values: Operand) -> Operand:
    return reduce(array_namespace(*values).minimum, values)


def _largest(*values: Operand) -> Operand:
    return reduce(array_namespace(*values).maximum, values)


def _hypot(x: Operand, y: Operand) -> Operand:
    return array_namespace(x, y).hypot(x, y)


def _atan2(y: Operand, x: Operand) -> Operand:
    return array_namespace(x, y).arctan2(y, x)


def _same(x: Operand) -> Operand:
    return x


def _one(compute: Callable[[Operand], Operand]) -> NonlinearCall:
    return NonlinearCall(compute)


_SEVERAL = (2, 3, 4, 5, 6, 7, 8)

NONLINEAR: dict[str, NonlinearCall] = {
    **{
        name: _one(_elementwise(name))
        for name in ("exp", "expm1", "exp2", "log", "log2", "log10", "log1p", "sqrt", "cbrt", "square", "abs", "sign")
        + ("sin", "cos", "tan", "sinh", "cosh", "tanh", "floor", "ceil", "round", "trunc")
    },
    **{f"a{name}": _one(_elementwise(f"arc{name}")) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "fabs": _one(_elementwise("abs")),
    "ceiling": _one(_elementwise("ceil")),
    "inv": _one(_inv),
    "log1m": _one(_log1m),
    "log1p_exp": _one(_log1p_exp),
    "softplus": _one(_log1p_exp),
    "log1m_exp": _one(_log1m_exp),
    **{name: _one(get_link("logit").inverse) for name in ("inv_logit", "plogis", "expit")},
    **{name: _one(get_link("logit").forward) for name in ("logit", "qlogis")},
    "inv_cloglog": _one(get_link("cloglog").inverse),
    "cloglog": _one(get_link("cloglog").forward),
    **{name: _one(get_link("probit").inverse) for name in ("Phi", "pnorm")},
    **{name: _one(get_link("probit").forward) for name in ("inv_Phi", "qnorm")},
    **{name: _one(_special("gammaln")) for name in ("lgamma", "gammaln")},
    "erf": _one(_special("erf")),
    "erfc": _one(_special("erfc")),
    "step": _one(_step),
    "I": _one(_same),
    **{name: NonlinearCall(_power, (2,)) for name in ("pow", "power")},
    "hypot": NonlinearCall(_hypot, (2,)),
    "atan2": NonlinearCall(_atan2, (2,)),
    **{name: NonlinearCall(_where, (3,)) for name in ("ifelse", "where")},
    **{name: NonlinearCall(_smallest, _SEVERAL) for name in ("pmin", "fmin", "minimum")},
    **{name: NonlinearCall(_largest, _SEVERAL) for name in ("pmax", "fmax", "maximum")},
}
