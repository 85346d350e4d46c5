"""The parameters of a family of the user: their names, bounds, links and default priors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any

import numpy as np

from bayesml.distributions import Distribution, beta, gamma, logistic, lognormal, normal, student_t, uniform
from bayesml.errors import ModelError
from bayesml.families.records import DistributionalParameter
from bayesml.links import Link, between_name, get_link

__all__ = ["OWN_DATA", "REAL", "bounds_of", "links_of", "names_of", "parameter_of"]

UNIT, POSITIVE, ABOVE_ONE, REAL = (0.0, 1.0), (0.0, inf), (1.0, inf), (-inf, inf)
_PROBABILITY = (UNIT, beta(1, 1), logistic(0, 1))
_KNOWN: Mapping[str, tuple[tuple[float, float], Distribution | None, Distribution | None]] = {
    "sigma": (POSITIVE, None, None),
    "shape": (POSITIVE, gamma(0.01, 0.01), student_t(3, 0, 2.5)),
    "phi": (POSITIVE, gamma(0.01, 0.01), student_t(3, 0, 2.5)),
    "nu": (ABOVE_ONE, gamma(2, 0.1), normal(2.7, 0.8)),
    "kappa": (POSITIVE, gamma(2, 0.01), normal(5, 0.8)),
    "beta": (POSITIVE, gamma(1, 0.1), normal(1.7, 1.3)),
    "disc": (POSITIVE, lognormal(0, 1), normal(0, 1)),
    "xi": (REAL, normal(0, 2.5), normal(0, 4)),
    "alpha": (REAL, normal(0, 4), normal(0, 4)),
    **dict.fromkeys(("zi", "hu", "zoi", "coi", "bias", "quantile"), _PROBABILITY),
}
"""Parameters whose names mean the same in all families of brms 2.23: bounds, prior, prior of the Intercept."""
_FIRST_LINKS = {REAL: "identity", POSITIVE: "log", UNIT: "logit", ABOVE_ONE: "logm1"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_TAKEN = frozenset(
    ("y", "b", "r", "L", "z", "sd", "cor", "sds", "bs", "bsp", "bcs", "simo", "delta", "theta", "hs", "rescor")
    + ("Intercept", "slopes", "coef", "chain", "draw", "obs", "prior", "lprior", "lp", "rng")
    + ("weights", "trials", "se", "rate", "cens", "vint", "vreal")
)
"""Names of variables, dimensions and data that a parameter of the same name would be confused with."""


OWN_DATA = re.compile(r"(vint|vreal)(\d+)")
"""Names of the columns that the functions get beside the parameters."""


def parameter_of(name: str, link: str, bounds: tuple[float, float]) -> DistributionalParameter:
    """Return the parameter of that name, with brms's default priors where the name is known."""
    first = _FIRST_LINKS.get(bounds, between_name(*bounds))
    links = tuple(dict.fromkeys((first, link)))
    typical = _inside(bounds)
    if name == "mu":
        return DistributionalParameter(name, links, bounds, typical=typical)
    known = _KNOWN.get(name)
    if known is not None and known[0][0] <= bounds[0] and bounds[1] <= known[0][1]:
        return DistributionalParameter(name, links, bounds, *known[1:], typical=typical)
    wide = student_t(3, 0, 2.5)
    return DistributionalParameter(name, links, bounds, _proper(bounds), wide, typical=typical, flat_in_brms=True)


def _inside(bounds: tuple[float, float]) -> float:
    lower, upper = bounds
    if np.isfinite(lower) and np.isfinite(upper):
        return 0.5 * (lower + upper)
    return lower + 1.0 if np.isfinite(lower) else (upper - 1.0 if np.isfinite(upper) else 0.0)


def _proper(bounds: tuple[float, float]) -> Distribution:
    """Return a weak prior for a parameter of which only the bounds are known."""
    lower, upper = bounds
    if np.isfinite(lower) and np.isfinite(upper):
        return uniform(lower, upper)
    return student_t(3, lower if np.isfinite(lower) else upper if np.isfinite(upper) else 0.0, 2.5)


def names_of(family: str, dpars: Any) -> tuple[str, ...]:
    """Return the names of the parameters.

    Raises:
        ModelError: they are none, the first is not ``mu``, or one is taken.
    """
    names = (dpars,) if isinstance(dpars, str) else tuple(dpars) if isinstance(dpars, Sequence) else ()
    wrong = [each for each in names if not isinstance(each, str) or not _NAME.fullmatch(each)]
    if not names or wrong:
        shown = repr(wrong[0]) if wrong else repr(dpars)
        raise ModelError(
            f"`dpars` of the custom family {family} are names of letters and digits, without `_` and `.`, such as "
            f'("mu", "phi"); got {shown}.'
        )
    if names[0] != "mu":
        raise ModelError(
            f"The first of `dpars` of the custom family {family} is `mu`, the parameter of the main formula; got "
            f"`{names[0]}`."
        )
    taken = sorted({each for each in names if each in _TAKEN or OWN_DATA.fullmatch(each)})
    if taken:
        raise ModelError(
            f"`{taken[0]}` cannot be a parameter of the custom family {family}: other parts of a model have that name."
        )
    if len(set(names)) < len(names):
        raise ModelError(f"`dpars` of the custom family {family} name a parameter twice: {', '.join(names)}.")
    return names


def _one_each(family: str, argument: str, given: Any, names: Sequence[str]) -> Iterator[Any]:
    values = list(given) if isinstance(given, (list, tuple, np.ndarray)) else [given] * len(names)
    if len(values) != len(names):
        raise ModelError(
            f"`{argument}` of the custom family {family} has one value for all parameters, or one for each of "
            f"{', '.join(names)}; got {given!r}."
        )
    return iter(values)


def _text(family: str, argument: str, given: Any) -> str:
    if not isinstance(given, str):
        raise ModelError(f"`{argument}` of the custom family {family} are names such as 'log'; got {given!r}.")
    return given


def _bounds(family: str, name: str, lower: Any, upper: Any) -> tuple[float, float]:
    pair = []
    for bound, unbounded in ((lower, -inf), (upper, inf)):
        if bound is None:
            pair.append(unbounded)
        elif isinstance(bound, bool) or not isinstance(bound, (int, float, np.number)) or np.isnan(bound):
            raise ModelError(f"A bound of `{name}` of the custom family {family} is a number or None; got {bound!r}.")
        else:
            pair.append(float(bound))
    if not pair[0] < pair[1]:
        raise ModelError(
            f"The bounds of `{name}` of the custom family {family} leave no value: lb={lower!r}, ub={upper!r}."
        )
    return pair[0], pair[1]


def links_of(family: str, names: Sequence[str], links: Any) -> tuple[Link, ...]:
    """Return the link of each parameter; there may be one for all.

    Raises:
        ModelError: there are more or fewer, or one is unknown.
    """
    return tuple(get_link(_text(family, "links", link)) for link in _one_each(family, "links", links, names))


def bounds_of(family: str, names: Sequence[str], lb: Any, ub: Any) -> tuple[tuple[float, float], ...]:
    """Return the bounds of each parameter; there may be one for all, and None for none.

    Raises:
        ModelError: there are more or fewer, or they leave no value.
    """
    lower, upper = (_one_each(family, which, given, names) for which, given in (("lb", lb), ("ub", ub)))
    return tuple(_bounds(family, *each) for each in zip(names, lower, upper, strict=True))
