"""A call of ``gp()``, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.columns import bare_name, evaluate
from bayesml.errors import DataError, FormulaError, did_you_mean
from bayesml.formula import Expression, SpecialCall, Value, special_fault
from bayesml.frame import Frame
from bayesml.processes import Kernel, kernel_named
from bayesml.terms.base import Functions
from bayesml.terms.by import By, read_by, refuse_repeated

__all__ = ["ProcessCall", "read_call"]

OPTIONS = ("by", "k", "cov", "iso", "gr", "cmc", "scale", "c", "neighbours")
MOST_NEIGHBOURS = 60
MOST_FUNCTIONS = 2000
WIDTH = 5 / 4


@final
@dataclass(frozen=True)
class ProcessCall:
    """What a call of ``gp()`` says.

    Attributes:
        written: the call.
        by: what the process is multiplied by.
        kernel: the covariance function, ``cov``.
        isotropic: whether there is one length-scale for all covariates, ``iso``.
        grouped: whether rows of equal covariates share a value, ``gr``.
        cell_means: whether each level of ``by`` has a process, rather than the difference from the first, ``cmc``.
        scaled: whether covariates are divided by the largest distance between two rows, ``scale``.
        k: functions of the approximation along each covariate; None for the exact process.
        c: how much wider than the data the interval of the approximation is.
        neighbours: of a process by nearest neighbours the number of these; None for all others.
    """

    written: SpecialCall
    by: By | None
    kernel: Kernel
    isotropic: bool
    grouped: bool
    cell_means: bool
    scaled: bool
    k: int | None
    c: float
    neighbours: int | None = None

    @property
    def covariates(self) -> tuple[Expression, ...]:
        """The covariates as written."""
        return self.written.arguments

    @property
    def names(self) -> tuple[str, ...]:
        """The covariates in labels."""
        return tuple(bare_name(e.text) or e.text for e in self.covariates)

    def values(self, frame: Frame, functions: Functions) -> np.ndarray:
        """Return the covariates, ``(rows, covariates)``.

        Raises:
            DataError: one is not a column of finite numbers.
        """
        return np.column_stack([self._column(e, frame, functions) for e in self.covariates])

    def _column(self, expression: Expression, frame: Frame, functions: Functions) -> np.ndarray:
        name = bare_name(expression.text)
        column = frame.columns.get(name) if name else None
        if column is not None and (column.levels is not None or column.is_boolean):
            raise DataError(
                f"`{self.written.spelling}`: a Gaussian process is a function of numbers; `{name}` holds categories. "
                f"For a process for each of them write gp(x, by={name}), for an effect of each (1 | {name})."
            )
        values = np.asarray(evaluate(expression, frame, functions), float)
        wrong = np.flatnonzero(~np.isfinite(values))
        if wrong.size:
            raise DataError(
                f"`{self.written.spelling}`: `{expression.text}` is {values[wrong[0]]} in row "
                f"{frame.rows[wrong[0]] + 1}; a Gaussian process needs finite numbers."
            )
        return values


def read_call(call: SpecialCall, frame: Frame) -> ProcessCall:
    """Read a call.

    Raises:
        FormulaError: an argument is unknown or impossible, or the call is multiplied.
    """
    options = dict(call.options)
    unknown = next((name for name in options if name not in OPTIONS), None)
    if unknown is not None:
        takes = ", ".join(OPTIONS)
        raise special_fault(
            f"`gp(...)` has no argument `{unknown}`{did_you_mean(unknown, OPTIONS)}; it takes {takes}.", call
        )
    if not call.arguments or call.factors or call.others:
        raise special_fault(f"`{call.term}`: write gp(x), and gp(x, by=z) for a process that changes with z.", call)
    refuse_repeated(call)
    flags = [_flag(options, name, call) for name in ("iso", "gr", "cmc", "scale")]
    isotropic, grouped, cell_means, scaled = flags
    k = _functions(options.get("k"), call)
    try:
        kernel = kernel_named(options.get("cov", "exp_quad"), call.spelling)
    except FormulaError as error:
        raise special_fault(str(error), call) from None
    return ProcessCall(
        call, read_by(options.get("by"), call, frame), kernel, isotropic or len(call.arguments) == 1, grouped,
        cell_means, scaled, k, _width(options.get("c", WIDTH), k, call), _neighbours(options, call),
    )  # fmt: skip


def _flag(options: dict[str, Value], name: str, call: SpecialCall) -> bool:
    value = options.get(name, True)
    if not isinstance(value, bool):
        shown = value.text if isinstance(value, Expression) else repr(value)
        raise special_fault(f"`{name}` of `{call.spelling}` is TRUE or FALSE, not {shown}.", call)
    return value


def _functions(k: Value, call: SpecialCall) -> int | None:
    if k is None:
        return None
    if isinstance(k, bool) or not isinstance(k, (int, float)) or k != int(k) or k < 1:
        shown = k.text if isinstance(k, Expression) else repr(k)
        raise special_fault(f"`k` of `{call.spelling}` is a whole number, at least 1, not {shown}.", call)
    total = int(k) ** len(call.arguments)
    if total > MOST_FUNCTIONS:
        raise special_fault(
            f"`{call.spelling}` has {int(k)}^{len(call.arguments)} = {total} functions, more than {MOST_FUNCTIONS}: "
            "write a smaller k.",
            call,
        )
    return int(k)


def _neighbours(options: dict[str, Value], call: SpecialCall) -> int | None:
    count = options.get("neighbours")
    if count is None:
        return None
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_NEIGHBOURS:
        shown = count.text if isinstance(count, Expression) else repr(count)
        raise special_fault(
            f"`neighbours` of `{call.spelling}` is a whole number from 1 to {MOST_NEIGHBOURS}, such as 15, "
            f"not {shown}.",
            call,
        )
    if options.get("k") is not None or options.get("gr", True) is not True:
        other = "gr" if options.get("k") is None else "k"
        reason = "rows of equal covariates share a value" if other == "gr" else "both are approximations"
        raise special_fault(f"`{call.spelling}`: leave out `{other}` beside `neighbours`; {reason}.", call)
    return count


def _width(c: Value, k: int | None, call: SpecialCall) -> float:
    if isinstance(c, bool) or not isinstance(c, (int, float)) or not c > 0.0:
        shown = c.text if isinstance(c, Expression) else repr(c)
        raise special_fault(f"`c` of `{call.spelling}` is a number above 0, such as 5/4, not {shown}.", call)
    return float(c)
