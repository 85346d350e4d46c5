"""``me(x, sdx)``: a predictor that was measured with error; its true values are in ``measured_variables.py``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import names
from bayesml.columns import Computation, bare_name, evaluate, variables_of
from bayesml.errors import DataError
from bayesml.formula import Expression, SpecialCall, bind_arguments, special_fault
from bayesml.frame import Frame
from bayesml.keys import PredictorKey
from bayesml.namespace import array_namespace
from bayesml.terms.base import Functions
from bayesml.terms.context import ModelContext
from bayesml.terms.special_factor import AbstractFactor

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, PerRow, Values

__all__ = ["Measured", "freeze", "true_variance"]

LEAST_SHARE = 0.1
"""Smallest share of the variance of the measured values that a start takes for that of the true ones."""


@final
@dataclass(frozen=True)
class Measured(AbstractFactor):
    """One call ``me(x, sdx)`` as it was frozen.

    Attributes:
        expression: the measured values.
        noise: their standard deviations, an expression or a number.
        group: column of the levels that have one value each; empty where each row has its own.
        functions: the caller's own functions.
    """

    expression: Expression
    noise: Expression | float
    group: str
    functions: Functions

    @property
    def label(self) -> str:
        """The variable without its standard deviations, ``me(x)``."""
        return f"me({self.expression.text})"

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns of the variable: new data say its true value."""
        return variables_of(self.expression.text)

    def measured(self, frame: Frame) -> np.ndarray:
        """Return the measured values, ``(rows,)``."""
        return evaluate(self.expression, frame, self.functions)

    def noises(self, frame: Frame) -> np.ndarray:
        """Return the standard deviations, ``(rows,)``.

        Raises:
            DataError: one is negative.
        """
        noise = self.noise
        given = noise if isinstance(noise, float) else evaluate(noise, frame, self.functions)
        numbers = np.broadcast_to(np.asarray(given, dtype=float), (frame.n_rows,))
        bad = np.flatnonzero(numbers < 0)
        if bad.size:
            row = int(bad[0])
            raise DataError(
                f"`{self.spelling}`: the standard deviation of the measurement is {numbers[row]:g} in row "
                f"{frame.rows[row] + 1} (counting from 1); it is a number of at least 0."
            )
        return numbers

    def places(self, frame: Frame) -> np.ndarray:
        """Return for each row the place of its value among all: its level, or the row itself."""
        return frame.factor(self.group)[0].astype(int) if self.group else np.arange(frame.n_rows)

    def computation(self) -> Computation:
        """Return the variable."""
        return Computation(self.spelling, self.variables, self.measured)

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return ``given``: in new data the variable is known."""
        return {"given": self.measured(frame)}

    def own_arrays(self, model: ModelContext) -> dict[str, np.ndarray]:
        """Return ``index``, the place of each row among the values, and typical values."""
        return {"index": self.places(model.frame), "typical": self.typical(model.frame)[:, None]}

    @property
    def rows_commute(self) -> bool:
        """The values of rows stand in the order of the rows."""
        return bool(self.group)

    def site(self, label: str, predictor: PredictorKey) -> str:
        """Return the variable of the true values, which all predictors share."""
        return names.variable(f"Xme_{self.label}")

    @property
    def averaged(self) -> str:
        """The mean of the true values given the measured ones, about."""
        return "typical"

    def typical(self, frame: Frame) -> np.ndarray:
        """Return measured values drawn to their mean by the share of error in their variance."""
        x, noise = self.measured(frame), self.noises(frame)
        return x.mean() + true_variance(x, noise) / (true_variance(x, noise) + noise**2) * (x - x.mean())

    def value(self, values: Values, site: str, arrays: DataArrays) -> PerRow:
        """Return the true values: those of the fit, or those that new data say."""
        if "given" in arrays:
            return arrays["given"]
        true = values[site]
        if not self.group and array_namespace(true) is not np:
            return true
        return true[..., arrays["index"]]


def true_variance(x: np.ndarray, noise: np.ndarray) -> float:
    """Return about the variance of the true values."""
    total = float(np.var(x)) or 1.0
    return max(total - float(np.mean(noise**2)), LEAST_SHARE * total)


def freeze(call: SpecialCall, frame: Frame, functions: Functions) -> Measured:
    """Freeze a call of ``me()``."""
    arguments = bind_arguments(call, ("x", "sdx", "gr"))
    expression, noise, group = arguments.get("x"), arguments.get("sdx"), arguments.get("gr")
    if not isinstance(expression, Expression):
        raise special_fault("`me(x, sdx)` takes a column of measured numbers and their standard deviations.", call)
    if isinstance(noise, bool) or not isinstance(noise, (Expression, int, float)):
        raise special_fault(
            f"`{call.spelling}` lacks the standard deviations of the measurement errors: write "
            f"`me({expression.text}, sdx)` with a column or a number.",
            call,
        )
    column = frame.columns.get(bare_name(expression.text) or "")
    if column is not None and column.levels is not None:
        raise special_fault(f"`{expression.text}` holds categories; `me()` takes numbers.", call)
    if group is not None and not isinstance(group, Expression):
        raise special_fault("`gr=` of `me()` is a column whose levels have one value each.", call)
    name = "" if group is None else bare_name(group.text) or ""
    if group is not None and not name:
        raise special_fault("`gr=` of `me()` is one column; compute it in the data first.", call)
    sd = noise if isinstance(noise, Expression) else float(noise)
    return Measured(call.spelling, expression, sd, name, functions)
