"""The residual terms of a formula, such as ``ar``, ``cosy`` and ``sar``, which stand right of ``~``.

They say how the residuals of a response depend on each other, so that they change its likelihood rather than its
linear predictor: ``with_residual_terms`` (`calls.py`) moves them to the response terms of the formula.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, final

import numpy as np

from bayesml.errors import FormulaError
from bayesml.families import AbstractLikelihood, Traits
from bayesml.formula import Addition, SpecialCall, special_fault
from bayesml.formula.language import ResponseTerm
from bayesml.frame import Frame
from bayesml.response_terms.base import AbstractResponseTerm, Arrays, Functions
from bayesml.response_terms.residuals.columns import LABEL, SERIES, TIME, series_columns
from bayesml.response_terms.residuals.correlated import Correlated
from bayesml.response_terms.residuals.covariances import (
    AbstractCovariance,
    ArmaCovariance,
    CompoundSymmetry,
    Unstructured,
)
from bayesml.response_terms.residuals.grid import ranks
from bayesml.response_terms.residuals.known import MATRIX, KnownCorrelated, matrix_of_rows
from bayesml.response_terms.residuals.lagged import Lagged
from bayesml.response_terms.residuals.spatial import EIGENVALUES, Spatial, bounds_of, neighbours_of_rows
from bayesml.response_terms.residuals.toeplitz import Toeplitz

__all__ = ["MOST_TIMES", "AbstractResidualTerm", "checked_likelihood"]

MOST_TIMES = 60
"""Most times of ``unstr()``: 1,770 correlations."""


@dataclass(frozen=True)
class AbstractResidualTerm(AbstractResponseTerm):
    """A term that lets the residuals of a series depend on each other.

    Attributes:
        arguments: its arguments in the order in which they are given without a name.
        matrix: that of them which names a matrix of ``data2``; empty where there is none.
    """

    arguments: ClassVar[tuple[str, ...]]
    matrix: ClassVar[str] = ""

    def is_taken_by(self, traits: Traits) -> bool:
        """Decided where the call is moved, by the family alone."""
        return True

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        """Return the series and the time of each row."""
        return series_columns(addition, frame, functions)

    @abstractmethod
    def checked(self, given: Mapping[str, object], call: SpecialCall) -> None:
        """Refuse arguments that make no sense."""


@dataclass(frozen=True)
class AbstractArma(AbstractResidualTerm):
    """``ar``, ``ma`` or ``arma``; what is called ``p`` and ``q`` among its arguments are the orders of its parts."""

    def checked(self, given: Mapping[str, object], call: SpecialCall) -> None:
        """Refuse an order that is no whole number, or larger than 1 in a covariance matrix."""
        cov = given.get("cov", False)
        if not isinstance(cov, bool):
            raise special_fault(f"`cov` of `{call.name}()` is TRUE or FALSE; got {_shown(cov)}.", call)
        for name in ("p", "q"):
            order = given.get(name, 1)
            if isinstance(order, bool) or not isinstance(order, int) or order < 1:
                raise special_fault(
                    f"`{name}` of `{call.name}()` is a whole number from 1 on; got {_shown(order)}.", call
                )
            if cov and order > 1:
                raise special_fault(
                    f"`{call.name}()` with cov=TRUE has order 1; got {name}={order}. Leave `cov` out for higher ones.",
                    call,
                )

    def wrapped(self, likelihood: AbstractLikelihood, addition: Addition, arrays: Arrays) -> AbstractLikelihood:
        """Return the likelihood with lagged residuals, or with the covariance matrix of the process."""
        given = dict(addition.options)
        if given.get("cov", False):
            return _correlated(
                likelihood, addition, arrays, ArmaCovariance("p" in self.arguments, "q" in self.arguments)
            )
        return Lagged(likelihood, self._order(given, "p"), self._order(given, "q"))

    def _order(self, given: Mapping[str, object], name: str) -> int:
        order = given.get(name, 1) if name in self.arguments else 0
        assert isinstance(order, int)
        return order


@final
@dataclass(frozen=True)
class Ar(AbstractArma):
    """``ar(time, gr, p=1, cov=FALSE)``."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("ar")
    arguments: ClassVar[tuple[str, ...]] = ("time", "gr", "p", "cov")


@final
@dataclass(frozen=True)
class Ma(AbstractArma):
    """``ma(time, gr, q=1, cov=FALSE)``."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("ma")
    arguments: ClassVar[tuple[str, ...]] = ("time", "gr", "q", "cov")


@final
@dataclass(frozen=True)
class Arma(AbstractArma):
    """``arma(time, gr, p=1, q=1, cov=FALSE)``."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("arma")
    arguments: ClassVar[tuple[str, ...]] = ("time", "gr", "p", "q", "cov")


@final
@dataclass(frozen=True)
class Cosy(AbstractResidualTerm):
    """``cosy(time, gr)``."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("cosy")
    arguments: ClassVar[tuple[str, ...]] = ("time", "gr")

    def checked(self, given: Mapping[str, object], call: SpecialCall) -> None:
        """There is nothing else to check."""

    def wrapped(self, likelihood: AbstractLikelihood, addition: Addition, arrays: Arrays) -> AbstractLikelihood:
        """Return the likelihood with correlated residuals."""
        return _correlated(likelihood, addition, arrays, CompoundSymmetry())


@final
@dataclass(frozen=True)
class Unstr(AbstractResidualTerm):
    """``unstr(time, gr)``."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("unstr")
    arguments: ClassVar[tuple[str, ...]] = ("time", "gr")

    def checked(self, given: Mapping[str, object], call: SpecialCall) -> None:
        """Refuse a call without a time or a group."""
        missing = [name for name in self.arguments if given.get(name) is None]
        if missing:
            raise special_fault(f"`unstr(time, gr)` needs `{missing[0]}`, a column.", call)

    def wrapped(self, likelihood: AbstractLikelihood, addition: Addition, arrays: Arrays) -> AbstractLikelihood:
        """Return the likelihood with a correlation for every two times."""
        _, first = np.unique(arrays[TIME], return_index=True)
        times = tuple(arrays[LABEL][first].tolist())
        if not 2 <= len(times) <= MOST_TIMES:
            raise FormulaError(
                f"`unstr()` has a correlation for every two times, of 2 to {MOST_TIMES} times; here are {len(times)}."
            )
        return _correlated(likelihood, addition, arrays, Unstructured(times))


@final
@dataclass(frozen=True)
class Toep(AbstractResidualTerm):
    """``toep(time, gr)``, which brms does not have."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("toep")
    arguments: ClassVar[tuple[str, ...]] = ("time", "gr")

    def checked(self, given: Mapping[str, object], call: SpecialCall) -> None:
        """There is nothing else to check."""

    def wrapped(self, likelihood: AbstractLikelihood, addition: Addition, arrays: Arrays) -> AbstractLikelihood:
        """Return the likelihood with a correlation for every distance."""
        times = int(ranks(arrays[SERIES], arrays[TIME]).max(initial=0)) + 1
        if not 2 <= times <= MOST_TIMES:
            raise FormulaError(
                f"`toep()` has a correlation for every distance, in series of 2 to {MOST_TIMES} times; the longest "
                f"here has {times}."
            )
        return _correlated(likelihood, addition, arrays, Toeplitz(times - 1))


@final
@dataclass(frozen=True)
class Fcor(AbstractResidualTerm):
    """``fcor(M)``."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("fcor")
    arguments: ClassVar[tuple[str, ...]] = ("M",)
    matrix: ClassVar[str] = "M"
    needed: ClassVar[Literal["weights", "response", "always"]] = "response"

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        """Return the matrix of the rows."""
        name = str(dict(addition.options)["M"])
        return {MATRIX: matrix_of_rows(name, frame, f"fcor({name})")}

    def checked(self, given: Mapping[str, object], call: SpecialCall) -> None:
        """Refuse a call without a matrix."""
        if not call.matrices:
            raise special_fault("`fcor(M)` takes the name of a matrix of `data2`.", call)

    def wrapped(self, likelihood: AbstractLikelihood, addition: Addition, arrays: Arrays) -> AbstractLikelihood:
        """Return the likelihood with correlated residuals."""
        if "se" in arrays:
            raise FormulaError("`fcor()` takes no standard errors beside it; add their squares to the matrix.")
        return KnownCorrelated(checked_likelihood(likelihood, addition, arrays), likelihood.traits.residuals)


@final
@dataclass(frozen=True)
class Sar(AbstractResidualTerm):
    """``sar(M, type="lag")``."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("sar")
    arguments: ClassVar[tuple[str, ...]] = ("M", "type")
    matrix: ClassVar[str] = "M"

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        """Return the matrix of the rows, and its eigenvalues."""
        return neighbours_of_rows(str(dict(addition.options)["M"]), frame, _as_written(addition))

    def checked(self, given: Mapping[str, object], call: SpecialCall) -> None:
        """Refuse a call without a matrix, and another type."""
        if not call.matrices:
            raise special_fault("`sar(M)` takes the name of a matrix of `data2`.", call)
        kind = given.get("type", "lag")
        if kind not in ("lag", "error"):
            raise special_fault(f'`type` of `sar()` is "lag" or "error"; got {_shown(kind)}.', call)

    def wrapped(self, likelihood: AbstractLikelihood, addition: Addition, arrays: Arrays) -> AbstractLikelihood:
        """Return the likelihood of responses that depend on their neighbours."""
        if "se" in arrays:
            raise FormulaError("`sar()` takes no standard errors beside it; leave `se()` out.")
        lower, upper = bounds_of(arrays[EIGENVALUES], _as_written(addition))
        kind: Literal["lag", "error"] = "error" if dict(addition.options).get("type") == "error" else "lag"
        base = checked_likelihood(likelihood, addition, arrays)
        return Spatial(base, kind, lower, upper, likelihood.traits.residuals)


def _as_written(addition: Addition) -> str:
    return f"{addition.name}({dict(addition.options)['M']})"


def _correlated(
    likelihood: AbstractLikelihood, addition: Addition, arrays: Arrays, covariance: AbstractCovariance
) -> AbstractLikelihood:
    return Correlated(checked_likelihood(likelihood, addition, arrays), covariance, likelihood.traits.residuals)


def checked_likelihood(likelihood: AbstractLikelihood, addition: Addition, arrays: Arrays) -> AbstractLikelihood:
    """Refuse response terms that a covariance matrix has no meaning for."""
    what = f"`{addition.name}()` with a covariance matrix"
    if not likelihood.traits.residuals:
        raise FormulaError(f"{what} takes neither `cens()` and `trunc()` nor fixed parameters; leave them out.")
    if "weights" in arrays:
        raise FormulaError(f"{what} has no weights of single rows: a series counts as a whole. Leave `weights()` out.")
    return likelihood


def _shown(value: object) -> str:
    return str(getattr(value, "text", value))
