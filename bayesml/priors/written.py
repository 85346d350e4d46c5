"""What a user may give as a prior: text, numbers, distributions of this package, of NumPyro and of PreliZ, lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np

from bayesml.distributions import DISTRIBUTIONS, Constant, ConstantArray, Distribution, distribution_of
from bayesml.errors import PriorError
from bayesml.families import FAMILIES, AbstractFamily
from bayesml.priors.joint import AbstractJointPrior
from bayesml.priors.parse import parse_prior
from bayesml.priors.per_coefficient import PerCoefficient

__all__ = ["as_distribution", "refuse_family"]

Written = Distribution | AbstractJointPrior | PerCoefficient


def as_distribution(value: Any, values: Mapping[str, Any] | None = None) -> Written:
    """Return what ``prior(value, values=values)`` means.

    Raises:
        PriorError: it is no prior.
    """
    if values is not None and not isinstance(value, str):
        raise PriorError(f"`values` are for names in the text of a prior; the prior is {value!r:.80}.")
    if isinstance(value, (Distribution, AbstractJointPrior, PerCoefficient)):
        return value
    if isinstance(value, str):
        return _from_text(value, values or {})
    refuse_family(value)
    if isinstance(value, Real) and not isinstance(value, (bool, np.bool_)):
        return Constant(value)  # type: ignore[arg-type]
    if isinstance(value, np.ndarray) and value.ndim != 1:
        return _matrix(value)
    if isinstance(value, (list, tuple, np.ndarray)):
        return _listed(value)
    found = distribution_of(value)
    if found is not None:
        return found if isinstance(found, Distribution) else PerCoefficient(found)
    raise PriorError(
        'A prior is text such as "normal(0, 10)", an object such as normal(0, 10), or a distribution of NumPyro or '
        f"PreliZ; got {value!r:.80}."
    )


def _matrix(value: np.ndarray) -> Written:
    if value.ndim == 0:
        return as_distribution(value.item())
    return ConstantArray.of(value)


def _listed(value: Iterable[Any]) -> Written:
    """Return a prior for each coefficient; a list of lists is a matrix."""
    members = list(value)
    if members and all(isinstance(each, (list, tuple, np.ndarray)) for each in members):
        return ConstantArray.of(members)
    found = [as_distribution(each) for each in members]
    alone = tuple(each for each in found if isinstance(each, Distribution))
    if not alone or len(alone) < len(found):
        raise PriorError(f"A list of priors has one of a single number for each coefficient; got {value!r:.80}.")
    return PerCoefficient(alone)


def _from_text(text: str, values: Mapping[str, Any]) -> Written:
    """Read a text; a name that stands for an array gives a prior for each of its elements."""
    if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
        raise PriorError(f'`values` is a mapping of names, such as {{"s": 2.5}}; got {values!r:.80}.')
    arrays = {name: _numbers(name, given) for name, given in values.items()}
    lengths = {len(array) for array in arrays.values() if array.ndim}
    if len(lengths) > 1:
        listed = ", ".join(f"`{name}` {len(array)}" for name, array in arrays.items() if array.ndim)
        raise PriorError(f"The arrays in `values` have different lengths: {listed}.")
    if not lengths:
        return _read(text, {name: float(array) for name, array in arrays.items()})
    each = [
        _read(text, {name: float(array[i] if array.ndim else array) for name, array in arrays.items()})
        for i in range(lengths.pop())
    ]
    alone = tuple(d for d in each if isinstance(d, Distribution))
    if len(alone) < len(each):
        raise PriorError(f"The prior `{text}` is one of all coefficients together; its `values` are numbers.")
    return PerCoefficient(alone)


def _read(text: str, values: Mapping[str, float]) -> Written:
    found = parse_prior(text, values)
    return PerCoefficient(found) if isinstance(found, tuple) else found


def _numbers(name: str, given: Any) -> np.ndarray:
    try:
        array = np.asarray(given)
        wrong = array.dtype.kind not in "iuf"
        array = array.astype(float) if not wrong else array
    except (TypeError, ValueError):
        wrong, array = True, np.zeros(0)
    if wrong or array.ndim > 1 or not array.size or not np.all(np.isfinite(array)):
        raise PriorError(
            f"`{name}` in `values` is a finite number, or an array with one for each coefficient; got {given!r:.80}."
        )
    return array


def refuse_family(value: object) -> None:
    """Refuse a family of responses; some priors have the same name."""
    name = value.name if isinstance(value, AbstractFamily) else next((n for n, f in FAMILIES.items() if f is value), "")
    if name:
        own = f"; the prior is bayesml.{name}(...)" if name in DISTRIBUTIONS else ""
        raise PriorError(f"A prior got the family {name}, which is for `family=`{own}.")
