"""``mo(x)``: the effect of an ordered predictor that only rises or only falls (Bürkner & Charpentier 2020).

For x in 0, ..., D the effect is b D (zeta_1 + ... + zeta_x) with a simplex zeta: b is the average step between
neighbouring categories, zeta_i the share of the i-th step in the whole difference. Each coefficient, an interaction
``mo(x):z`` too, has simplexes of its own unless calls share an ``id``.

Source: Bürkner and Charpentier (2020), Modelling monotonic effects of ordinal predictors in Bayesian regression
models, British Journal of Mathematical and Statistical Psychology 73, 420-451.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import names
from bayesml.columns import Computation, bare_name, evaluate, variables_of
from bayesml.distributions import Dirichlet
from bayesml.errors import DataError, FormulaError
from bayesml.formula import Expression, SpecialCall, bind_arguments, special_fault
from bayesml.frame import Frame
from bayesml.keys import PredictorKey
from bayesml.priors import PriorRow
from bayesml.spec import ParameterSpec
from bayesml.supports import Simplex
from bayesml.terms.base import Functions
from bayesml.terms.special_factor import AbstractFactor
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, PerRow, Values

__all__ = ["Monotonic", "check_ids", "freeze"]

MOST_CATEGORIES = 100


@final
@dataclass(frozen=True)
class Monotonic(AbstractFactor):
    """One call ``mo(x)`` as it was frozen.

    Attributes:
        expression: its argument.
        levels: the categories of an ordered factor, the lowest first; empty for whole numbers.
        lowest: the lowest whole number.
        steps: D, the number of steps between categories.
        id: calls with the same ``id`` share their simplex.
        functions: the caller's own functions.
    """

    expression: Expression
    levels: tuple[str, ...]
    lowest: int
    steps: int
    id: str
    functions: Functions

    def categories(self, frame: Frame) -> np.ndarray:
        """Return 0, ..., D for each row.

        Raises:
            DataError: a value is none of the categories of the fit.
        """
        values, levels = _values(self.expression, frame, self.functions)
        if self.levels:
            unknown = [level for level in levels if level not in self.levels]
            if not levels or unknown:
                what = f"`{unknown[0]}`" if unknown else "numbers"
                raise DataError(
                    f"`{self.spelling}`: {what} among the new data; the categories of the fit are "
                    f"{', '.join(f'`{level}`' for level in self.levels)}."
                )
            return np.array([self.levels.index(level) for level in levels])[values.astype(int)]
        steps = values - self.lowest
        wrong = np.flatnonzero((steps < 0) | (steps > self.steps) | (steps != np.round(steps)))
        if wrong.size or levels:
            row = 0 if not wrong.size else int(wrong[0])
            raise DataError(
                f"`{self.spelling}` is {values[row]:g} in row {frame.rows[row] + 1}; a monotonic effect is known at "
                f"the whole numbers from {self.lowest} to {self.lowest + self.steps}, the range of the fit."
            )
        return steps.astype(int)

    def steps_taken(self, frame: Frame) -> np.ndarray:
        """Return ``(rows, D)``: 1 for each step up to the category of the row, times D."""
        return self.steps * (self.categories(frame)[:, None] > np.arange(self.steps)).astype(float)

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns of its argument."""
        return variables_of(self.expression.text)

    def computation(self) -> Computation:
        """Return the categories."""
        return Computation(self.spelling, self.variables, self.categories)

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return ``steps``, ``(rows, D)``."""
        return {"steps": self.steps_taken(frame)}

    def site(self, label: str, predictor: PredictorKey) -> str:
        """Return the variable of its simplex; calls with the same ``id`` have one."""
        return names.variable(names.special_coefficient("simo", self.shown(label), predictor))

    def shown(self, label: str) -> str:
        """Return the shared id, or ``mo(x)1``."""
        return self.id or label

    def parameters(self, site: str, label: str, predictor: PredictorKey) -> tuple[ParameterSpec, ...]:
        """Return the simplex, class ``simo``."""
        return (ParameterSpec(site, "simo", (self.steps,), predictor, support=Simplex(), label=label),)

    def prior_rows(self, label: str, predictor: PredictorKey) -> Iterator[PriorRow]:
        """Yield the simplex."""
        yield PriorRow(Dirichlet((1.0,)), "simo", label, predictor=predictor.target, whole=Dirichlet)

    def reported(self, site: str, label: str, predictor: PredictorKey) -> tuple[ReportedVariable, ...]:
        """Return the simplex, ``simo_mo(x)1``."""
        numbers = tuple(str(i + 1) for i in range(self.steps))
        name = names.special_coefficient("simo", label, predictor)
        texts = tuple(((i,), f"{name}[{n}]") for i, n in enumerate(numbers))
        printed = tuple(f"{names.prefixed(label, predictor)}[{n}]" for n in numbers)
        section = "Monotonic Simplex Parameters"
        return (
            ReportedVariable(
                site, "simo", (f"{site}_step",), (numbers,), texts, predictor, section=section, printed=printed
            ),
        )

    @property
    def averaged(self) -> str:
        """With equal steps, zeta = 1 / D, the effect is linear."""
        return "steps"

    def typical(self, frame: Frame) -> np.ndarray:
        """Return the categories: the value with equal steps."""
        return self.categories(frame)

    def value(self, values: Values, site: str, arrays: DataArrays) -> PerRow:
        """Return D (zeta_1 + ... + zeta_x)."""
        return values[site] @ arrays["steps"].T


def _values(expression: Expression, frame: Frame, functions: Functions) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return codes and levels of a factor, or numbers and no levels."""
    column = frame.columns.get(bare_name(expression.text) or "")
    if column is not None and column.levels is not None:
        return column.values, column.levels
    return evaluate(expression, frame, functions), ()


def freeze(call: SpecialCall, frame: Frame, functions: Functions) -> Monotonic:
    """Freeze a call of ``mo()``."""
    arguments = bind_arguments(call, ("x", "id"))
    expression, identity = arguments.get("x"), arguments.get("id")
    if not isinstance(expression, Expression):
        raise special_fault("`mo(x)` takes an ordered factor or a column of whole numbers.", call)
    shared = identity.text if isinstance(identity, Expression) else str(identity or "")
    values, levels = _values(expression, frame, functions)
    column = frame.columns.get(bare_name(expression.text) or "")
    if levels:
        if column is None or not column.ordered:
            raise special_fault(
                f"`{expression.text}` has categories without an order. Make it an ordered categorical, or whole "
                "numbers, before it stands in `mo()`.",
                call,
            )
        lowest, steps = 0, len(levels) - 1
    else:
        wrong = np.flatnonzero(values != np.round(values))
        if wrong.size:
            row = int(wrong[0])
            raise DataError(
                f"`{call.spelling}` needs whole numbers or an ordered factor; it is {values[row]:g} in row "
                f"{frame.rows[row] + 1}."
            )
        lowest, steps = int(values.min()), int(values.max() - values.min())
    if not 1 <= steps <= MOST_CATEGORIES:
        what = "has one category only" if steps < 1 else f"has {steps + 1} categories; mo() is for a few ordered ones"
        raise DataError(f"`{call.spelling}`: `{expression.text}` {what}.")
    return Monotonic(call.spelling, expression, levels, lowest, steps, shared, functions)


def check_ids(calls: tuple[AbstractFactor, ...]) -> None:
    """Refuse calls with one ``id`` and different numbers of categories."""
    monotonic = [call for call in calls if isinstance(call, Monotonic)]
    for a in monotonic:
        for b in monotonic:
            if a.id and a.id == b.id and a.steps != b.steps:
                raise FormulaError(
                    f"`{a.spelling}` and `{b.spelling}` share the id `{a.id}`, but have {a.steps + 1} and "
                    f"{b.steps + 1} categories; a simplex can be shared among equally many."
                )
