"""Distributions of NumPyro as priors: those that have a name here under that name, all others by their ``log_prob``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints

from bayesml.distributions.base import Distribution
from bayesml.distributions.degenerate import Constant, Flat
from bayesml.distributions.dirichlet import Dirichlet
from bayesml.distributions.from_numpyro import FromNumPyro
from bayesml.distributions.half import HalfCauchy, HalfNormal
from bayesml.distributions.interval import Beta, Uniform
from bayesml.distributions.lkj import LKJ
from bayesml.distributions.positive import Exponential, Gamma, InvGamma, LogNormal, Weibull
from bayesml.distributions.real import Cauchy, DoubleExponential, Logistic, Normal, StudentT
from bayesml.distributions.truncated import bounded
from bayesml.errors import PriorError, did_you_mean

__all__ = ["from_numpyro", "named_distribution"]

Build = Callable[..., Distribution]

KNOWN: Mapping[type, tuple[tuple[str, ...], Build]] = {
    dist.Normal: (("loc", "scale"), Normal),
    dist.StudentT: (("df", "loc", "scale"), StudentT),
    dist.Cauchy: (("loc", "scale"), Cauchy),
    dist.Logistic: (("loc", "scale"), Logistic),
    dist.Laplace: (("loc", "scale"), DoubleExponential),
    dist.Exponential: (("rate",), Exponential),
    dist.Gamma: (("concentration", "rate"), Gamma),
    dist.Chi2: (("df",), lambda df: Gamma(0.5 * df, 0.5)),
    dist.InverseGamma: (("concentration", "rate"), InvGamma),
    dist.LogNormal: (("loc", "scale"), LogNormal),
    dist.Weibull: (("concentration", "scale"), Weibull),
    dist.Beta: (("concentration1", "concentration0"), Beta),
    dist.Uniform: (("low", "high"), Uniform),
    dist.HalfNormal: (("scale",), HalfNormal),
    dist.HalfCauchy: (("scale",), HalfCauchy),
    dist.Delta: (("v",), Constant),
}
"""Classes of NumPyro with the names of their arguments in the order of ours."""
WHOLE: Mapping[type, tuple[str, Build]] = {
    dist.LKJ: ("concentration", LKJ),
    dist.LKJCholesky: ("concentration", LKJ),
    dist.Dirichlet: ("concentration", lambda *alpha: Dirichlet(alpha)),
}
TRUNCATED = (dist.LeftTruncatedDistribution, dist.RightTruncatedDistribution, dist.TwoSidedTruncatedDistribution)


def from_numpyro(value: Any) -> Distribution | tuple[Distribution, ...]:
    """Return the prior that a distribution of NumPyro is; one for each element of a vector of distributions.

    Raises:
        PriorError: it is one of whole numbers, vectors or matrices that are no correlations or shares, or no
            distribution.
    """
    if not isinstance(value, dist.Distribution):
        raise PriorError(f"A prior is a distribution with its arguments, such as dist.Normal(0, 1); got {value!r:.80}.")
    inner, shape = _unwrapped(value)
    if type(inner) in WHOLE:
        name, build = WHOLE[type(inner)]
        return build(*np.ravel(getattr(inner, name)).tolist())
    if inner.event_shape or getattr(inner.support, "is_discrete", False):
        what = "whole numbers" if not inner.event_shape else "vectors or matrices"
        raise PriorError(
            f"{type(inner).__name__} is a distribution of {what}; a prior is one of a real number, or LKJ, Dirichlet."
        )
    if not shape:
        return _single(inner)
    if len(shape) > 1:
        raise PriorError(f"The prior {type(inner).__name__} has the shape {shape}; give one for each coefficient.")
    alone = _elements(inner, shape[0])
    return tuple(_single(each) for each in alone)


def _unwrapped(value: Any) -> tuple[Any, tuple[int, ...]]:
    """Return a distribution without ``expand`` and ``to_event``, and the shape of the array it is of."""
    shape = (*value.batch_shape, *value.event_shape)
    while isinstance(value, (dist.ExpandedDistribution, dist.Independent)):
        value = value.base_dist
    return value, shape[: len(shape) - len(value.event_shape)]


def _elements(value: Any, count: int) -> list[Any]:
    """Return the distribution of each element of a vector."""
    if not value.batch_shape:
        return [value] * count
    if not value.arg_constraints:
        raise PriorError(
            f"The prior {type(value).__name__} is one of {count} numbers; give a list with a distribution for each."
        )
    columns = {n: np.broadcast_to(np.asarray(getattr(value, n)), (count,)) for n in value.arg_constraints}
    return [type(value)(**{n: column[i].item() for n, column in columns.items()}) for i in range(count)]


def _single(value: Any) -> Distribution:
    """Return the prior that a distribution of one number is."""
    if type(value) in KNOWN:
        names, build = KNOWN[type(value)]
        return build(*(number(getattr(value, name)) for name in names))
    if isinstance(value, dist.ImproperUniform):
        return bounded(Flat(), *interval_of(value))
    if isinstance(value, TRUNCATED):
        base, (lower, upper) = _single(value.base_dist), interval_of(value)
        return bounded(base, lower, upper)
    return FromNumPyro(value, *interval_of(value))


def number(value: Any) -> float:
    """Return an argument as a float; one in single precision as it was written."""
    array = np.asarray(value)
    return float(str(array)) if array.dtype == np.float32 else float(array)


def interval_of(value: Any) -> tuple[float, float]:
    """Return the bounds of the support.

    Raises:
        PriorError: the support is no interval.
    """
    support = value.support
    if support is constraints.real:
        return -inf, inf
    lower, upper = getattr(support, "lower_bound", None), getattr(support, "upper_bound", None)
    if lower is None and upper is None:
        raise PriorError(f"The support of {type(value).__name__} is no interval of real numbers: {support}.")
    return -inf if lower is None else number(lower), inf if upper is None else number(upper)


def named_distribution(name: str, positional: Sequence[float], named: Mapping[str, float]) -> Distribution:
    """Return NumPyro's distribution of that name with numbers as arguments.

    Raises:
        PriorError: there is none, or it takes other arguments.
    """
    known = [each for each in dist.__all__ if isinstance(getattr(dist, each), type)]
    kind = getattr(dist, name, None) if name in known else None
    if kind is None or not issubclass(kind, dist.Distribution) or not kind.arg_constraints:
        raise PriorError(f"NumPyro has no distribution `{name}` with numbers as arguments{did_you_mean(name, known)}.")
    arguments = list(kind.arg_constraints)
    try:
        found = from_numpyro(kind(*positional, **named, validate_args=True))
    except (TypeError, ValueError) as error:
        raise PriorError(f"numpyro.{name} takes {', '.join(arguments)}: {str(error):.200}") from None
    assert isinstance(found, Distribution)
    return found
