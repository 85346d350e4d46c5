"""Response families: one file each, listed here.

``get_family("poisson")`` or ``get_family(poisson(link="sqrt"))`` gives the ``AbstractFamily`` that the other stages
ask. A new family is one file and one line in ``FAMILIES``.
"""

from __future__ import annotations

from collections.abc import Callable

from bayesml.errors import ModelError, did_you_mean
from bayesml.families.base import AbstractFamily, DistributionalParameter, RawResponse, ResponseData
from bayesml.families.bernoulli import bernoulli
from bayesml.families.beta import beta
from bayesml.families.binomial import binomial
from bayesml.families.curvature import AuxiliaryDerivatives, Curvature
from bayesml.families.gamma import gamma
from bayesml.families.gaussian import gaussian
from bayesml.families.lognormal import lognormal
from bayesml.families.negbinomial import negbinomial
from bayesml.families.poisson import poisson
from bayesml.families.student import student

__all__ = [
    "FAMILIES",
    "AbstractFamily",
    "AuxiliaryDerivatives",
    "Curvature",
    "DistributionalParameter",
    "RawResponse",
    "ResponseData",
    "bernoulli",
    "beta",
    "binomial",
    "gamma",
    "gaussian",
    "get_family",
    "lognormal",
    "negbinomial",
    "poisson",
    "student",
]

FAMILIES: dict[str, Callable[..., AbstractFamily]] = {
    "gaussian": gaussian,
    "student": student,
    "bernoulli": bernoulli,
    "binomial": binomial,
    "poisson": poisson,
    "negbinomial": negbinomial,
    "gamma": gamma,
    "lognormal": lognormal,
    "beta": beta,
}
ALIASES = {
    "normal": "gaussian",
    "t": "student",
    "student_t": "student",
    "negative_binomial": "negbinomial",
    "negbin": "negbinomial",
    "nbinom2": "negbinomial",
}


def get_family(
    family: str | AbstractFamily | Callable[..., AbstractFamily] = "gaussian", link: str | None = None
) -> AbstractFamily:
    """Return a family from its name, its constructor or itself.

    Args:
        family: ``"poisson"``, ``poisson(link="sqrt")`` or ``poisson``; names as in brms, in any case.
        link: link of mu where ``family`` is a name or a constructor; None for the family's default.

    Raises:
        ModelError: there is no such family, or it cannot have the link; says what there is.

    Example:
        >>> get_family("poisson").link("mu").name
        'log'
    """
    if isinstance(family, AbstractFamily):
        if link is not None:
            raise ModelError(f'The family is already made; give it the link itself: {family.name}(link="{link}").')
        return family
    constructor = _constructor(family)
    made = constructor() if link is None else constructor(link)
    if not isinstance(made, AbstractFamily):
        raise ModelError(f"`family` gave {made!r}, which is not a family; there are {', '.join(FAMILIES)}.")
    return made


def _constructor(family: object) -> Callable[..., AbstractFamily]:
    if isinstance(family, str):
        name = family.strip().lower()
        found = FAMILIES.get(ALIASES.get(name, name))
        if found is not None:
            return found
        hint = did_you_mean(name, [*FAMILIES, *ALIASES])
        raise ModelError(f"There is no family {family!r}{hint}; there are {', '.join(FAMILIES)}.")
    if callable(family):
        return family
    raise ModelError(f'`family` is a name such as "poisson" or a family such as poisson(link="sqrt"); got {family!r}.')
