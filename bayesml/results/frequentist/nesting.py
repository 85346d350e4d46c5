"""Which factors of a model are nested in others: their levels mean something within a level of the others only.

As in Lenth's emmeans, two things show it:

* the formula: in ``region/A``, which is ``region + region:A``, ``A`` has no term of its own, and all its terms contain
  ``region``;
* the data: both factors have terms of their own, and each level of one occurs with a single level of the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.columns import variables_of
from bayesml.errors import ModelError, did_you_mean
from bayesml.formula import effect_factors

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractFit

__all__ = ["Nesting", "average_weights", "existing", "nesting_of", "with_nests"]

Nesting = Mapping[str, tuple[str, ...]]
"""The factors that each nested factor is nested in."""

_NESTED = re.compile(r"\s*(\S+)\s+%in%\s+(\([^()]*\)|[^\s(),]+)\s*")


def nesting_of(fit: AbstractFit, factors: Sequence[str], given: Any) -> Nesting:
    """Return what is nested in what.

    Args:
        fit: the fit.
        factors: the categorical predictors.
        given: ``"auto"`` finds out, None is no nesting; else a text ``"A %in% region"``, ``"A %in% (region*t)"``, or
            a dict ``{"A": "region"}``.

    Raises:
        ModelError: ``given`` cannot be read or names what is no factor of the model.
    """
    if given is None:
        return {}
    if given == "auto":
        return _detected(fit, factors)
    read = _read_text(given) if isinstance(given, str) else given
    if not isinstance(read, Mapping) or not all(isinstance(outer, (str, Sequence)) for outer in read.values()):
        raise _unreadable(given)
    nests = {name: (outer,) if isinstance(outer, str) else tuple(outer) for name, outer in read.items()}
    for name in (*nests, *(outer for outers in nests.values() for outer in outers)):
        if name not in factors:
            listed = ", ".join(f"`{f}`" for f in factors) or "none"
            hint = did_you_mean(str(name), factors)
            raise ModelError(f"`{name}` in `nesting` is not a factor of the model{hint}; it has {listed}.")
    return _closed(nests)


def _read_text(text: str) -> dict[str, tuple[str, ...]]:
    found, position = {}, 0
    while position < len(text):
        match = _NESTED.match(text, position)
        if match is None or (match.end() < len(text) and text[match.end()] not in ",;"):
            raise _unreadable(text)
        found[match[1]] = tuple(part.strip() for part in re.split(r"[*:+,]", match[2].strip("()")))
        position = match.end() + 1
    return found


def _unreadable(given: Any) -> ModelError:
    return ModelError(
        f'`nesting` is "auto", None, a text such as "A %in% region" or a dict such as {{"A": "region"}}; got {given!r}.'
    )


def _closed(nests: Nesting) -> Nesting:
    """Add what the outer factors are nested in themselves.

    Raises:
        ModelError: a factor is nested in itself.
    """
    closed = {name: list(outer) for name, outer in nests.items()}
    for outer in closed.values():
        for name in outer:
            outer.extend(n for n in closed.get(name, ()) if n not in outer)
    if circular := [name for name, outer in closed.items() if name in outer]:
        raise ModelError(f"`nesting` nests `{circular[0]}` in itself.")
    return {name: tuple(outer) for name, outer in closed.items() if outer}


def _detected(fit: AbstractFit, factors: Sequence[str]) -> Nesting:
    terms = [
        frozenset(v for text in term for v in variables_of(text) if v in factors)
        for predictor in fit.parsed.predictors
        for term in effect_factors(predictor)
    ]
    alone = [f for f in factors if frozenset([f]) in terms]
    nests: dict[str, tuple[str, ...]] = {}
    for _ in factors:  # what is nested may hold others, so that one more can be found in each round
        for factor in factors:
            if factor in alone or factor in nests or not any(factor in t for t in terms):
                continue
            common = frozenset.intersection(*[t for t in terms if factor in t]) - {factor}
            if common and all(outer in alone or outer in nests for outer in common):
                nests[factor] = tuple(f for f in factors if f in common)
    for factor in alone:
        outer = [f for f in alone if f != factor and factor not in nests.get(f, ()) and _occurs_within(fit, factor, f)]
        if outer:
            nests[factor] = tuple(outer)
    return _closed(nests)


def _occurs_within(fit: AbstractFit, inner: str, outer: str) -> bool:
    """Whether each level of one factor occurs with a single level of another."""
    pairs = set(zip(_codes(fit, inner), _codes(fit, outer), strict=True))
    levels = len(set(_codes(fit, outer)))
    return levels > 1 and len(pairs) == len({i for i, _ in pairs})


def _codes(fit: AbstractFit, name: str) -> list[float]:
    return list(fit.frame.columns[name].values.tolist())


def existing(fit: AbstractFit, nesting: Nesting, values: Mapping[str, Sequence[Any]], count: int) -> np.ndarray:
    """Return which rows of a grid combine levels of nested factors that the data combine, ``(rows,)``.

    Args:
        fit: the fit.
        nesting: what is nested in what.
        values: value of each predictor in each row, factors as codes.
        count: number of rows.
    """
    kept = np.ones(count, dtype=bool)
    for inner, outer in nesting.items():
        names = (inner, *outer)
        observed = set(zip(*(_codes(fit, name) for name in names), strict=True))
        kept &= [row in observed for row in zip(*(values[name] for name in names), strict=True)]
    return kept


def with_nests(names: Sequence[str], nesting: Nesting, known: Sequence[str] = ()) -> tuple[str, ...]:
    """Return names with what each is nested in behind it, but for those known already."""
    both = (n for name in names for n in (name, *nesting.get(name, ())))
    return tuple(dict.fromkeys(n for n in both if n in names or n not in known))


def average_weights(values: Mapping[str, Sequence[Any]], nesting: Nesting, rows: int) -> np.ndarray:
    """Return the weights of rows of a grid in an average with equal weights, ``(rows,)``.

    A nested factor is averaged within each combination of those it is nested in, before these are averaged themselves:
    a row has the product over the factors of 1 / (number of levels within the row's levels of the outer ones).

    Args:
        values: value of each factor in each row.
        nesting: what is nested in what.
        rows: number of rows.
    """
    weights = np.ones(rows)
    for name, own in values.items():
        outer = [values[n] for n in nesting.get(name, ()) if n in values]
        within = list(zip(*outer, strict=True)) if outer else [()] * len(own)
        levels: dict[Any, set[Any]] = {}
        for place, value in zip(within, own, strict=True):
            levels.setdefault(place, set()).add(value)
        weights /= [len(levels[place]) for place in within]
    return weights / weights.sum()
