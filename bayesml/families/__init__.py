"""Response families: one file each, listed here.

``get_family("poisson")`` or ``get_family(poisson(link="sqrt"))`` gives the ``AbstractFamily`` that the other stages
ask. A new family is one file and one line in ``FAMILIES``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, final

from bayesml.distributions import Distribution
from bayesml.errors import ModelError, did_you_mean
from bayesml.families.base import AbstractFamily, AbstractLikelihood
from bayesml.families.curvature import AuxiliaryDerivatives, Curvature
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.foreign import FAMILY_ADVICE, FAMILY_ALIASES, PLANNED_FAMILIES
from bayesml.lazy import LazyRegistry

if TYPE_CHECKING:
    from bayesml.families.acat import acat
    from bayesml.families.asym_laplace import asym_laplace, zero_inflated_asym_laplace
    from bayesml.families.bernoulli import bernoulli
    from bayesml.families.beta import beta
    from bayesml.families.beta_binomial import beta_binomial
    from bayesml.families.binomial import binomial
    from bayesml.families.categorical import categorical
    from bayesml.families.com_poisson import com_poisson
    from bayesml.families.compois import compois
    from bayesml.families.cox import cox
    from bayesml.families.cumulative import cumulative
    from bayesml.families.custom import custom_family
    from bayesml.families.dirichlet import dirichlet
    from bayesml.families.dirichlet2 import dirichlet2
    from bayesml.families.dirichlet_multinomial import dirichlet_multinomial
    from bayesml.families.discrete_weibull import discrete_weibull
    from bayesml.families.exgaussian import exgaussian
    from bayesml.families.exponential import exponential
    from bayesml.families.fixed import with_fixed
    from bayesml.families.frechet import frechet
    from bayesml.families.gamma import gamma
    from bayesml.families.gaussian import gaussian
    from bayesml.families.gen_extreme_value import gen_extreme_value
    from bayesml.families.genpois import genpois
    from bayesml.families.geometric import geometric
    from bayesml.families.hurdle import hurdle_gamma, hurdle_lognormal, hurdle_negbinomial, hurdle_poisson
    from bayesml.families.hurdle_cumulative import hurdle_cumulative
    from bayesml.families.inflated_beta import zero_inflated_beta, zero_one_inflated_beta
    from bayesml.families.inverse_gaussian import inverse_gaussian
    from bayesml.families.joining import joint_likelihood
    from bayesml.families.joint import JointLikelihood
    from bayesml.families.logistic_normal import logistic_normal
    from bayesml.families.loglogistic import loglogistic
    from bayesml.families.lognormal import lognormal
    from bayesml.families.multinomial import multinomial
    from bayesml.families.nbinom1 import nbinom1
    from bayesml.families.negbinomial import negbinomial
    from bayesml.families.negbinomial2 import negbinomial2
    from bayesml.families.ordered_beta import ordered_beta
    from bayesml.families.poisson import poisson
    from bayesml.families.sequential import cratio, sratio
    from bayesml.families.several import several
    from bayesml.families.shifted_lognormal import shifted_lognormal
    from bayesml.families.skew_normal import skew_normal
    from bayesml.families.student import student
    from bayesml.families.tweedie import tweedie
    from bayesml.families.von_mises import von_mises
    from bayesml.families.weibull import weibull
    from bayesml.families.wiener import wiener
    from bayesml.families.xbeta import xbeta
    from bayesml.families.zero_inflated import (
        zero_inflated_beta_binomial,
        zero_inflated_binomial,
        zero_inflated_negbinomial,
        zero_inflated_poisson,
    )

__all__ = [
    "FAMILIES",
    "FAMILIES_OF_FAMILIES",
    "FAMILIES_OF_RESPONSES",
    "AbstractFamily",
    "AbstractLikelihood",
    "AuxiliaryDerivatives",
    "Curvature",
    "DistributionalParameter",
    "JointLikelihood",
    "RawResponse",
    "ResponseData",
    "Traits",
    "acat",
    "asym_laplace",
    "bernoulli",
    "beta",
    "beta_binomial",
    "binomial",
    "categorical",
    "cox",
    "cratio",
    "com_poisson",
    "compois",
    "cumulative",
    "custom_family",
    "dirichlet",
    "dirichlet2",
    "dirichlet_multinomial",
    "discrete_weibull",
    "exgaussian",
    "exponential",
    "frechet",
    "gamma",
    "gaussian",
    "gen_extreme_value",
    "genpois",
    "geometric",
    "get_family",
    "hurdle_cumulative",
    "hurdle_gamma",
    "hurdle_lognormal",
    "hurdle_negbinomial",
    "hurdle_poisson",
    "inverse_gaussian",
    "joint_likelihood",
    "logistic_normal",
    "loglogistic",
    "lognormal",
    "mixture",
    "multinomial",
    "nbinom1",
    "negbinomial",
    "negbinomial2",
    "ordered_beta",
    "poisson",
    "several",
    "shifted_lognormal",
    "skew_normal",
    "sratio",
    "student",
    "tweedie",
    "von_mises",
    "weibull",
    "wiener",
    "with_fixed",
    "xbeta",
    "zero_inflated_asym_laplace",
    "zero_inflated_beta",
    "zero_inflated_beta_binomial",
    "zero_inflated_binomial",
    "zero_inflated_negbinomial",
    "zero_inflated_poisson",
    "zero_one_inflated_beta",
]

FAMILIES: MutableMapping[str, Callable[..., AbstractFamily]] = LazyRegistry(
    __name__,
    {
        "gaussian": "gaussian",
        "student": "student",
        "bernoulli": "bernoulli",
        "binomial": "binomial",
        "poisson": "poisson",
        "negbinomial": "negbinomial",
        "gamma": "gamma",
        "lognormal": "lognormal",
        "geometric": "geometric",
        "negbinomial2": "negbinomial2",
        "nbinom1": "nbinom1",
        "com_poisson": "com_poisson",
        "compois": "compois",
        "discrete_weibull": "discrete_weibull",
        "genpois": "genpois",
        "beta_binomial": "beta_binomial",
        "beta": "beta",
        "exponential": "exponential",
        "weibull": "weibull",
        "skew_normal": "skew_normal",
        "inverse_gaussian": "inverse_gaussian",
        "exgaussian": "exgaussian",
        "asym_laplace": "asym_laplace",
        "zero_inflated_asym_laplace": "asym_laplace",
        "von_mises": "von_mises",
        "frechet": "frechet",
        "gen_extreme_value": "gen_extreme_value",
        "shifted_lognormal": "shifted_lognormal",
        "tweedie": "tweedie",
        "wiener": "wiener",
        "loglogistic": "loglogistic",
        "zero_inflated_poisson": "zero_inflated",
        "zero_inflated_negbinomial": "zero_inflated",
        "zero_inflated_binomial": "zero_inflated",
        "zero_inflated_beta_binomial": "zero_inflated",
        "hurdle_gamma": "hurdle",
        "hurdle_lognormal": "hurdle",
        "hurdle_poisson": "hurdle",
        "hurdle_negbinomial": "hurdle",
        "cumulative": "cumulative",
        "sratio": "sequential",
        "cratio": "sequential",
        "acat": "acat",
        "hurdle_cumulative": "hurdle_cumulative",
        "cox": "cox",
        "zero_inflated_beta": "inflated_beta",
        "zero_one_inflated_beta": "inflated_beta",
        "ordered_beta": "ordered_beta",
        "xbeta": "xbeta",
        "categorical": "categorical",
        "multinomial": "multinomial",
        "dirichlet_multinomial": "dirichlet_multinomial",
        "dirichlet": "dirichlet",
        "dirichlet2": "dirichlet2",
        "logistic_normal": "logistic_normal",
    },
)
"""Name of each family and the module here that defines it, which is imported when the family is used."""
FAMILIES_OF_FAMILIES: MutableMapping[str, Callable[..., AbstractFamily]] = LazyRegistry(
    __name__, {"mixture": "mixture:Mixture"}
)
"""Families of a response that are made of others, by the name before their parentheses."""
FAMILIES_OF_RESPONSES: MutableMapping[str, Callable[..., AbstractFamily]] = LazyRegistry(
    __name__, {"MV": "several:Several"}
)
"""The families of several responses, by that name."""
_OTHERS: LazyRegistry[Any] = LazyRegistry(
    __name__,
    {
        "JointLikelihood": "joint",
        "custom_family": "custom",
        "joint_likelihood": "joining",
        "several": "several",
        "with_fixed": "fixed",
    },
)
"""What else is here and few models need."""


@final
class _Package(ModuleType):
    """This package: ``bayesml.families.poisson`` is the family, not the module of that name which defines it."""

    def __setattr__(self, name: str, value: object) -> None:
        # Python's import sets every submodule as an attribute of its package once it has run.
        if isinstance(value, ModuleType) and name in __all__:
            value = vars(self).get(name) or getattr(value, name)
        ModuleType.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        for registry in (FAMILIES, _OTHERS):
            if name in registry:
                return registry[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *__all__})


sys.modules[__name__].__class__ = _Package


def get_family(
    family: str | AbstractFamily | Callable[..., AbstractFamily] | Sequence[Any] = "gaussian", link: str | None = None
) -> AbstractFamily:
    """Return a family from its name, its constructor or itself.

    Args:
        family: ``"poisson"``, ``poisson(link="sqrt")`` or ``poisson``; names as in brms, in any case. A list of these
            is a family for each of several responses.
        link: link of mu where ``family`` is a name or a constructor; None for the family's default.

    Raises:
        ModelError: there is no such family, or it cannot have the link; says what there is.

    Example:
        >>> get_family("poisson").link("mu").name
        'log'
    """
    if isinstance(family, (list, tuple)):
        made: AbstractFamily = _OTHERS["several"]([get_family(each, link) for each in family])
        return made
    if isinstance(family, AbstractFamily):
        if link is not None:
            raise ModelError(f'The family is already made; give it the link itself: {family.name}(link="{link}").')
        return family
    constructor = _constructor(family)
    try:
        made = constructor() if link is None else constructor(link)
    except TypeError as error:
        raise ModelError(
            f"`family` is {family!r:.80}, which cannot be called as a family: {error}. {_there_are()}"
        ) from None
    if not isinstance(made, AbstractFamily):
        raise ModelError(f"`family` gave {made!r:.80}, which is not a family. {_there_are()}")
    return made


def mixture(
    *components: str | AbstractFamily | Callable[..., AbstractFamily],
    nmix: int | Sequence[int] = 1,
    order: str | bool | None = None,
) -> AbstractFamily:
    """Return a mixture of families: p(y) = sum_k theta_k p_k(y), with its parameters numbered, ``mu1``, ``sigma1``.

    The main formula is that of every ``mu`` without a formula of its own. The mixing proportions theta have a Dirichlet
    prior; ``bf(y ~ x, theta1=1, theta2=2)`` fixes them, and ``bf(y ~ x, theta2="~ z")`` predicts them by a softmax, in
    which the one without a formula is the reference.

    Args:
        components: two or more families, by name or with links: ``mixture("gaussian", student())``.
        nmix: how often each component is repeated, one number for all or one for each.
        order: ``"mu"`` makes the Intercepts of the components increase, so that the components cannot change places;
            ``"none"`` does not. None orders components that are all of the same family.

    Raises:
        ModelError: a component is no family, or an option is impossible.

    Example:
        >>> mixture("gaussian", nmix=2).name
        'mixture(gaussian, gaussian)'
    """
    families = [get_family(component) for component in components]
    counts = [nmix] * len(families) if isinstance(nmix, int) else list(nmix)
    whole = all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in counts)
    if len(counts) != len(families) or not whole:
        raise ModelError(f"`nmix` is a whole number, or one for each of the {len(families)} components; got {nmix!r}.")
    every = [family for family, count in zip(families, counts, strict=True) for _ in range(count)]
    from bayesml.families.mixture import mixture_of

    return mixture_of(every, order)


def _constructor(family: object) -> Callable[..., AbstractFamily]:
    if isinstance(family, str):
        return _named(family)
    _refuse_prior(family)
    if callable(family):
        return family
    raise ModelError(f'`family` is a name such as "poisson" or a family such as poisson(link="sqrt"); got {family!r}.')


def _named(family: str) -> Callable[..., AbstractFamily]:
    text, _, link = family.strip().removesuffix("()").partition("(")
    name = text.strip().lower().replace(".", "_").replace("-", "_").replace(" ", "_")
    known = {_joined(spelling): ours for spelling, ours in (*FAMILY_ALIASES.items(), *((f, f) for f in FAMILIES))}
    family_name = FAMILY_ALIASES.get(name, name if name in PLANNED_FAMILIES else known.get(_joined(name), name))
    if family_name in FAMILIES and not link:
        return FAMILIES[family_name]
    if family_name in FAMILIES:
        link = link.rstrip(") ").rpartition("=")[2].strip("\"' ")
        raise ModelError(f'{family!r} has a link: write it as family=bayesml.families.{family_name}(link="{link}").')
    if _joined(name) in map(_joined, PLANNED_FAMILIES):
        raise ModelError(f"The family {family!r} is not there yet. {_there_are()}")
    if name in FAMILY_ADVICE:
        raise ModelError(f"{family!r} is no family. {FAMILY_ADVICE[name]}")
    hint = did_you_mean(name, _near(name, FAMILIES)) or did_you_mean(name, _near(name, FAMILY_ALIASES))
    raise ModelError(f"There is no family {family!r}{hint}; there are {', '.join(FAMILIES)}.")


def _joined(name: str) -> str:
    """Return a name as Bambi's classes write it, in lower case: ``zeroinflatedpoisson``."""
    return name.replace("_", "")


def _near(name: str, candidates: Iterable[str]) -> list[str]:
    """Leave out what ``name`` only contains, or shares its ending with: ``bellpoisson`` would be another family."""

    def is_near(family: str) -> bool:
        if name in family and not family.startswith(name):
            return False
        beginning, _, ending = family.rpartition("_")
        if not beginning:  # exgaussian begins with ex
            ending = max((each for each in FAMILIES if family.endswith(each) and each != family), key=len, default="")
            beginning = family.removesuffix(ending) if ending else ""
        if beginning and name.endswith(ending):
            return bool(did_you_mean(name.removesuffix(ending).rstrip("_"), [beginning]))
        return family not in name or len(name) <= len(family) + 1

    return [family for family in candidates if is_near(family)]


def _refuse_prior(family: object) -> None:
    """Refuse a distribution that is meant for parameters; some families have the same name."""
    kind = family if isinstance(family, type) else type(family)
    if not issubclass(kind, Distribution):
        return
    name = kind.__name__.lower()
    namesake = FAMILY_ALIASES.get(name, name)
    cure = _there_are()
    if namesake in FAMILIES:
        cure = f'The family is family="{namesake}", or bayesml.families.{namesake}(link=...) with another link.'
    elif namesake in PLANNED_FAMILIES:
        cure = f"The family {namesake} is not there yet. {cure}"
    raise ModelError(f"`family` got {name}, the prior distribution. {cure}")


def _there_are() -> str:
    return f"There are {', '.join(FAMILIES)}."
