"""Lists of priors, ``prior("normal(0, s)", values={"s": [1, 2.5]})``, as priors of single coefficients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bayesml.distributions import Constant, ConstantArray
from bayesml.errors import PriorError
from bayesml.names import same_interaction
from bayesml.priors.language import Prior
from bayesml.priors.per_coefficient import PerCoefficient
from bayesml.priors.table import Target
from bayesml.spec import ParameterSpec

__all__ = ["with_each_coefficient"]


def with_each_coefficient(priors: Sequence[Prior], parameters: Sequence[ParameterSpec]) -> tuple[Prior, ...]:
    """Return the priors with one of each coefficient in the place of a list.

    Another prior of one of the coefficients stands before that of the list. For a simplex a list of numbers is its
    value.

    Raises:
        PriorError: a list has not one prior for each coefficient of its class.
    """
    given = {each.target for each in priors if isinstance(each, Prior)}
    return tuple(single for each in priors for single in _singles(each, parameters, given))


def _singles(each: Prior, parameters: Sequence[ParameterSpec], given: set[Target]) -> Iterator[Prior]:
    listed = each.distribution if isinstance(each, Prior) else None
    if not isinstance(listed, PerCoefficient):
        yield each
        return
    if all(isinstance(d, Constant) for d in listed.distributions) and _is_simplex(each, parameters):
        yield replace(each, distribution=ConstantArray.of([d.location for d in listed.distributions]))
        return
    if each.coef:
        raise PriorError(f"{each}: a list has a prior for each coefficient of a class; write it without `coef`.")
    coefs = _coefficients(each, parameters)
    listed.check_length(str(each), coefs)
    for coef, distribution in zip(coefs, listed.distributions, strict=True):
        single = replace(each, distribution=distribution, coef=coef)
        if single.target not in given:
            yield single


def _own(each: Prior, parameters: Sequence[ParameterSpec]) -> list[ParameterSpec]:
    found = [p for p in parameters if (p.prior_class, p.predictor.target) == each.target[:2]]
    return [p for p in found if not each.group or same_interaction(p.group) == same_interaction(each.group)]


def _is_simplex(each: Prior, parameters: Sequence[ParameterSpec]) -> bool:
    return any(p.is_whole and len(p.shape) == 1 for p in _own(each, parameters))


def _coefficients(each: Prior, parameters: Sequence[ParameterSpec]) -> list[str]:
    """Return the coefficients of the class in the order of the model."""
    own = _own(each, parameters)
    groups = list(dict.fromkeys(p.group for p in own))
    if len(groups) > 1:
        raise PriorError(
            f"{each}: a list of priors is for the coefficients of one grouping factor; say which, "
            f'group="{groups[0]}". There are {", ".join(groups)}.'
        )
    return list(dict.fromkeys(target for p in own for target in p.targets if target))
