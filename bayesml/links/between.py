"""The link of a parameter between two bounds of its own, such as a correlation: named ``between(-1, 1)``.

It is log of the distance from a single bound, and logit of the place between two.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, final

from bayesml.links.elementary import exp_jet, identity, identity_jet
from bayesml.links.jet import Jet
from bayesml.links.link import Link
from bayesml.links.probability import logit_jet
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Elements

__all__ = ["between", "between_name"]

PATTERN = re.compile(r"between\((\S+), (\S+)\)")


def between_name(lower: float, upper: float) -> str:
    """Return the name of the link of a parameter with these bounds."""
    return f"between({lower!r}, {upper!r})"


@final
@dataclass(frozen=True)
class _Between:
    """One function of a link with its bounds; a copy equals it, unlike that of a ``functools.partial``."""

    function: Callable[[float, float, Any], Any]
    lower: float
    upper: float

    def __call__(self, x: Any) -> Any:
        return self.function(self.lower, self.upper, x)


@lru_cache(maxsize=64)
def between(name: str) -> Link | None:
    """Return the link of a name that ``between_name`` made; None of another name."""
    found = PATTERN.fullmatch(name)
    if found is None:
        return None
    lower, upper = (float(bound) for bound in found.groups())
    if isfinite(lower) and isfinite(upper):
        parts = (_place, _from_place, _place_jet)
    elif isfinite(lower):
        parts = (_above, _from_above, _above_jet)
    elif isfinite(upper):
        parts = (_below, _from_below, _below_jet)
    else:
        return Link(name, (-inf, inf), identity, identity, identity_jet)
    return Link(name, (lower, upper), *(_Between(part, lower, upper) for part in parts))


def _place(lower: float, upper: float, mu: Elements) -> Elements:
    xp = array_namespace(mu)
    return xp.log(mu - lower) - xp.log(upper - mu)


def _from_place(lower: float, upper: float, eta: Elements) -> Elements:
    return lower + (upper - lower) * logit_jet(eta).value


def _place_jet(lower: float, upper: float, eta: Elements) -> Jet:
    unit, width = logit_jet(eta), upper - lower
    return Jet(lower + width * unit.value, width * unit.d1, width * unit.d2, width * unit.d3)


def _above(lower: float, upper: float, mu: Elements) -> Elements:
    return array_namespace(mu).log(mu - lower)


def _from_above(lower: float, upper: float, eta: Elements) -> Elements:
    return lower + array_namespace(eta).exp(eta)


def _above_jet(lower: float, upper: float, eta: Elements) -> Jet:
    e = exp_jet(eta)
    return Jet(lower + e.value, e.d1, e.d2, e.d3)


def _below(lower: float, upper: float, mu: Elements) -> Elements:
    return -array_namespace(mu).log(upper - mu)


def _from_below(lower: float, upper: float, eta: Elements) -> Elements:
    return upper - array_namespace(eta).exp(-eta)


def _below_jet(lower: float, upper: float, eta: Elements) -> Jet:
    e = exp_jet(-eta)
    return Jet(upper - e.value, e.d1, -e.d2, e.d3)
