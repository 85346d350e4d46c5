"""Products of residual terms: ``ar(row):ar(column, field)``, correlations along one axis times those along another."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import ClassVar, final

import numpy as np

from bayesml.columns import bare_name
from bayesml.errors import DataError, FormulaError
from bayesml.families import AbstractLikelihood, Traits
from bayesml.formula import Addition, Expression, SpecialCall, Value, bind_arguments, special_fault
from bayesml.formula.language import ResponseTerm
from bayesml.frame import Frame
from bayesml.response_terms.base import AbstractResponseTerm, Arrays, Functions
from bayesml.response_terms.residuals.columns import SERIES, codes_and_labels
from bayesml.response_terms.residuals.covariances import (
    AbstractCovariance,
    ArmaCovariance,
    CompoundSymmetry,
    Unstructured,
)
from bayesml.response_terms.residuals.kinds import MOST_TIMES, checked_likelihood
from bayesml.response_terms.residuals.lattice import Axis, fit_axis
from bayesml.response_terms.residuals.registry import SEPARABLE
from bayesml.response_terms.residuals.separable import Separable, axis_codes, axis_labels
from bayesml.response_terms.residuals.toeplitz import Toeplitz

__all__ = ["SeparableResiduals", "product_addition"]

KINDS, GROUP = "kinds", "gr"
FACTORS = {
    "ar": ("time", "gr", "p", "cov"),
    "ma": ("time", "gr", "q", "cov"),
    "arma": ("time", "gr", "p", "q", "cov"),
    "cosy": ("time", "gr"),
    "unstr": ("time", "gr"),
    "toep": ("time", "gr"),
}
"""The terms that can be multiplied, with their arguments."""


@final
@dataclass(frozen=True)
class SeparableResiduals(AbstractResponseTerm):
    """A product, whose arguments are the columns of its axes; ``kinds`` says what stands along each."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm(SEPARABLE)

    def is_taken_by(self, traits: Traits) -> bool:
        """Decided where the call is moved, by the family alone."""
        return True

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        """Return for each row the code of its lattice, and its values along each axis as text."""
        group = dict(addition.options).get(GROUP)
        series = np.zeros(frame.n_rows, np.int64)
        if group is not None:
            series = codes_and_labels(group, frame, functions, GROUP)[0]
        found, codes = {SERIES: series}, [series]
        for k, column in enumerate(addition.arguments):
            code, labels = codes_and_labels(column, frame, functions, "time")
            found |= {axis_labels(k): labels, axis_codes(k): np.asarray(code)}
            codes.append(code)
        _refuse_ties(addition, frame, np.column_stack(codes), found)
        return found

    def wrapped(self, likelihood: AbstractLikelihood, addition: Addition, arrays: Arrays) -> AbstractLikelihood:
        """Return the likelihood with correlated residuals."""
        if "se" in arrays:
            raise FormulaError(
                "A product of residual terms takes no standard errors beside it; leave `se()` out, or let each row "
                "have an effect of its own, `(1 | row)`."
            )
        kinds = dict(addition.options)[KINDS]
        assert isinstance(kinds, tuple)
        axes, covariances = [], []
        for k, (kind, column) in enumerate(zip(kinds, addition.arguments, strict=True)):
            axis = _axis(str(kind), column, arrays[axis_labels(k)], arrays[axis_codes(k)])
            axes.append(axis)
            covariances.append(_covariance(str(kind), axis, arrays[axis_labels(k)]))
        base = checked_likelihood(likelihood, addition, arrays)
        return Separable(base, tuple(axes), tuple(covariances), likelihood.traits.residuals)


def _axis(kind: str, column: Expression, labels: np.ndarray, codes: np.ndarray) -> Axis:
    """Return the axis of a column; numbers are places by their distances, but where each place is its own."""
    _, first = np.unique(codes, return_index=True)
    distinct = tuple(labels[first].tolist())
    numbers = kind != "unstr" and all(map(_is_number, distinct))
    if numbers:  # also those of a factor, whose levels may stand in any order
        distinct = tuple(sorted(distinct, key=float))
    return fit_axis(_name(column), distinct, numbers=numbers)


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _name(column: Expression) -> str:
    return bare_name(column.text) or column.text


def _covariance(kind: str, axis: Axis, labels: np.ndarray) -> AbstractCovariance:
    """Return the structure along an axis."""
    if kind in ("ar", "ma", "arma"):
        return ArmaCovariance(kind != "ma", kind != "ar")
    if kind == "cosy":
        return CompoundSymmetry()
    places = len(axis.labels) or int(axis.places(labels).max()) + 1
    if places > MOST_TIMES:
        raise FormulaError(
            f"`{kind}({axis.name})` has 2 to {MOST_TIMES} places; here are {places}. `ar({axis.name})` has one "
            "parameter for any number of them."
        )
    return Unstructured(axis.labels) if kind == "unstr" else Toeplitz(places - 1)


def _refuse_ties(addition: Addition, frame: Frame, codes: np.ndarray, found: Arrays) -> None:
    """Refuse two rows in one cell."""
    order = np.lexsort(codes.T[::-1])
    same = (np.diff(codes[order], axis=0) == 0).all(axis=1)
    if not same.any():
        return
    place = int(np.flatnonzero(same)[0])
    rows = sorted(int(order[i]) for i in (place, place + 1))
    cell = ", ".join(f"{_name(c)} {found[axis_labels(k)][rows[0]]}" for k, c in enumerate(addition.arguments))
    first, second = (int(frame.rows[row]) + 1 for row in rows)
    has_group = dict(addition.options).get(GROUP) is not None
    cure = "Give each lattice its own level of `gr`" if has_group else "Say which rows form a lattice, `gr=`"
    raise DataError(
        f"A product of residual terms has one row for each cell of a lattice; {cell} occurs twice, in rows {first} and "
        f"{second} (counting from 1). {cure}, or keep one row for each cell."
    )


def product_addition(call: SpecialCall) -> Addition:
    """Return a product of residual calls as one response term.

    Raises:
        FormulaError: one of them cannot be multiplied, has no column, or has the column or another group of an earlier.
    """
    spelled = {part.spelling: part for part in (call, *call.others)}
    parts = [spelled[text] for text in call.ordered]
    times: list[Expression] = []
    groups: dict[str, Value] = {}
    for part in parts:
        given = _checked(part)
        time = given["time"]
        assert isinstance(time, Expression)
        if any(_name(time) == _name(other) for other in times):
            raise special_fault(
                f"`{call.term}` has two factors along `{_name(time)}`; each has a column of its own.", part
            )
        times.append(time)
        group = given.get("gr")
        if group is not None:
            groups[str(getattr(group, "text", group))] = group
    if len(groups) > 1:
        first, second = list(groups)[:2]
        raise special_fault(
            f"The factors of `{call.term}` have different groups, `{first}` and `{second}`. Each level of one `gr` "
            "has a lattice; write it once.",
            call,
        )
    options: list[tuple[str, Value]] = [(KINDS, tuple(part.name for part in parts))]
    options += [(GROUP, group) for group in groups.values()]
    return Addition(SEPARABLE, tuple(times), tuple(options), call.expression.start)


def _checked(part: SpecialCall) -> dict[str, Value]:
    if part.name not in FACTORS:
        listed = ", ".join(f"`{name}()`" for name in FACTORS)
        raise special_fault(f"`{part.spelling}` cannot be multiplied; {listed} can.", part)
    given = bind_arguments(part, FACTORS[part.name])
    if not isinstance(given.get("time"), Expression):
        raise special_fault(
            f"`{part.spelling}` is the factor of a product along a column, which it has to name: "
            f"`{part.name}(row):{part.name}(column, field)`.",
            part,
        )
    for name, least in (("p", 1), ("q", 1), ("cov", True)):
        if given.get(name, least) is not least and given.get(name, least) != least:
            raise special_fault(
                f"`{part.spelling}` is a factor of a product of correlation matrices, which has order 1 and cov=TRUE; "
                f"leave `{name}` out.",
                part,
            )
    return given
