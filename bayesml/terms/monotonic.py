"""``mo(x)``: the effect of an ordered predictor that only rises or only falls (Bürkner & Charpentier 2020).

For x in 0, ..., D the effect is b D (zeta_1 + ... + zeta_x) with a simplex zeta: b is the average step between
neighbouring categories, zeta_i the share of the i-th step in the whole difference. Each coefficient, an interaction
``mo(x):z`` too, has simplexes of its own unless calls share an ``id``.

Source: Bürkner and Charpentier (2020), Modelling monotonic effects of ordinal predictors in Bayesian regression
models, British Journal of Mathematical and Statistical Psychology 73, 420-451.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import names
from bayesml.columns import Computation, Encoding, bare_name, computations, encode, evaluate, replay, variables_of
from bayesml.distributions import Dirichlet
from bayesml.errors import DataError, FormulaError
from bayesml.formula import Expression, LinearPart, Predictor, SpecialCall, bind_arguments, special_fault
from bayesml.frame import Column, Frame
from bayesml.frame.types import frozen_array
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.spec import ParameterSpec
from bayesml.supports import Simplex
from bayesml.terms.base import AbstractTerm, Functions
from bayesml.terms.coefficient_rows import coefficient_rows
from bayesml.terms.sampled import SampledSlopes
from bayesml.variables import COEFFICIENTS, ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values

__all__ = ["CLAIMS", "Monotonic", "MonotonicCall", "collect"]

CLAIMS = {"mo": "monotonic effect"}
MOST_CATEGORIES = 100


@final
@dataclass(frozen=True)
class MonotonicCall:
    """One call ``mo(x)`` as it was frozen.

    Attributes:
        spelling: the call as written, with uniform spaces.
        expression: its argument.
        levels: the categories of an ordered factor, the lowest first; empty for whole numbers.
        lowest: the lowest whole number.
        steps: D, the number of steps between categories.
        id: calls with the same ``id`` share their simplex.
        functions: the caller's own functions.
    """

    spelling: str
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


@final
@dataclass(frozen=True)
class Coefficient:
    """One coefficient: a column of what the calls are multiplied by, and the simplex of each call.

    Attributes:
        label: ``mo(x)``, ``mo(x):z``, ``mo(x):f[b]``.
        column: place of its column among ``columns``.
        calls: places of its calls.
        simplexes: variable of the simplex of each call.
    """

    label: str
    column: int
    calls: tuple[int, ...]
    simplexes: tuple[str, ...]


@final
@dataclass(frozen=True)
class Monotonic(AbstractTerm):
    """All monotonic effects of one predictor.

    Attributes:
        calls: the calls.
        encoding: how the columns that calls are multiplied by come from data; the calls themselves count as numbers.
        coefficients: the coefficients in the order of the formula.
        spreads: typical size of the effect of each, per unit of its coefficient.
    """

    calls: tuple[MonotonicCall, ...]
    encoding: Encoding
    coefficients: tuple[Coefficient, ...]
    spreads: tuple[float, ...]

    @property
    def key(self) -> str:
        """One term holds all monotonic effects."""
        return "monotonic"

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the coefficients."""
        return tuple(c.label for c in self.coefficients)

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns of the calls and of what they are multiplied by."""
        of_calls = [name for call in self.calls for name in variables_of(call.expression.text)]
        others = [name for name in self.encoding.variables if not _is_placeholder(name)]
        return tuple(dict.fromkeys([*of_calls, *others]))

    def computations(self) -> tuple[Computation, ...]:
        """Return the calls and the factors that they are multiplied by."""
        of_calls = tuple(
            Computation(call.spelling, variables_of(call.expression.text), call.categories) for call in self.calls
        )
        return of_calls + tuple(part for part in computations(self.encoding) if not _is_placeholder(part.text))

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return ``X`` ``(rows, coefs)``, and ``steps0``, ``steps1``, ... ``(rows, D)`` of each call."""
        X = replay(self.encoding, _with_placeholders(frame, self.calls))
        steps = {f"steps{i}": call.steps_taken(frame) for i, call in enumerate(self.calls)}
        return {"X": X, **steps}

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return the coefficients, class ``b``, and the simplexes, class ``simo``."""
        b = ParameterSpec(
            names.special_variable("bsp", self.predictor),
            "b",
            (len(self.coefficients),),
            self.predictor,
            coefs=self.labels,
            scales=tuple(scale.spread / spread for spread in self.spreads),
            centers=(0.0,) * len(self.coefficients),
        )
        simplexes = tuple(
            ParameterSpec(name, "simo", (self.calls[call].steps,), self.predictor, support=Simplex(), label=label)
            for name, label, call in self._simplexes()
        )
        return (b, *simplexes)

    def _simplexes(self) -> Iterator[tuple[str, str, int]]:
        """Yield variable, label (``mo(x)1``, or the shared id) and call of each simplex."""
        seen: set[str] = set()
        for coefficient in self.coefficients:
            for place, (call, name) in enumerate(zip(coefficient.calls, coefficient.simplexes, strict=True), start=1):
                if name not in seen:
                    seen.add(name)
                    yield name, self.calls[call].id or f"{coefficient.label}{place}", call

    def prior_rows(self, defaults: DefaultPriors) -> Iterator[PriorRow]:
        """Yield the coefficients and the simplexes."""
        yield from coefficient_rows(self.predictor, self.labels, self.spreads, defaults)
        for _, label, _ in self._simplexes():
            yield PriorRow(Dirichlet((1.0,)), "simo", label, predictor=self.predictor.target, whole=Dirichlet)

    def reported(self) -> tuple[ReportedVariable, ...]:
        """Return ``bsp`` and the simplexes, ``simo_mo(x)1``."""
        of = self.predictor
        texts = tuple(((i,), names.special_coefficient("bsp", c, of)) for i, c in enumerate(self.labels))
        printed = tuple(names.prefixed(c, of) for c in self.labels)
        dim = names.prefixed("bsp_coef", of)
        name = names.special_variable("bsp", of)
        b = ReportedVariable(name, "bsp", (dim,), (self.labels,), texts, of, section=COEFFICIENTS, printed=printed)
        return (b, *(self._simplex_variable(*each) for each in self._simplexes()))

    def _simplex_variable(self, name: str, label: str, call: int) -> ReportedVariable:
        of, numbers = self.predictor, tuple(str(i + 1) for i in range(self.calls[call].steps))
        texts = tuple(((i,), f"{names.special_coefficient('simo', label, of)}[{n}]") for i, n in enumerate(numbers))
        printed = tuple(f"{names.prefixed(label, of)}[{n}]" for n in numbers)
        section = "Monotonic Simplex Parameters"
        return ReportedVariable(
            name, "simo", (f"{name}_step",), (numbers,), texts, of, section=section, printed=printed
        )

    def spellings(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each coefficient."""
        for label in self.labels:
            yield names.special_coefficient("bsp", label, self.predictor), f"{label} {self.predictor}"

    def sampled_slopes(self) -> tuple[SampledSlopes, ...]:
        """Return the coefficients of the effects with equal steps, zeta = 1 / D, which are linear: X_k prod x."""
        averages = tuple(tuple(f"steps{call}" for call in c.calls) for c in self.coefficients)
        bsp = names.special_variable("bsp", self.predictor)
        return (SampledSlopes(bsp, self.predictor, self.key, "X", slice(None), averages=averages),)

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Coefficients and simplexes are reported as they are sampled."""
        return {}

    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Return sum_k b_k X_k prod over its calls of D (zeta_1 + ... + zeta_x)."""
        b = values[names.special_variable("bsp", self.predictor)]
        total: Numbers = 0.0
        for k, coefficient in enumerate(self.coefficients):
            effect = b[..., k, None] * arrays["X"][:, coefficient.column]
            for call, name in zip(coefficient.calls, coefficient.simplexes, strict=True):
                effect = effect * (values[name] @ arrays[f"steps{call}"].T)
            total = total + effect
        return total


def _placeholder(place: int) -> str:
    return f"monotonic_call_{place}_"


def _is_placeholder(name: str) -> bool:
    return name.startswith("monotonic_call_")


def _with_placeholders(frame: Frame, calls: tuple[MonotonicCall, ...]) -> Frame:
    """Return the frame with a column for each call that is 1 in some rows and 2 in others: a number to the coding."""
    ones = frozen_array(np.ones(frame.n_rows))
    return frame.replace_columns(Column(_placeholder(i), ones) for i in range(len(calls)))


def _values(expression: Expression, frame: Frame, functions: Functions) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return codes and levels of a factor, or numbers and no levels."""
    column = frame.columns.get(bare_name(expression.text) or "")
    if column is not None and column.levels is not None:
        return column.values, column.levels
    return evaluate(expression, frame, functions), ()


def _freeze(call: SpecialCall, frame: Frame, functions: Functions) -> MonotonicCall:
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
    return MonotonicCall(call.spelling, expression, levels, lowest, steps, shared, functions)


def _check_ids(calls: tuple[MonotonicCall, ...]) -> None:
    for a in calls:
        for b in calls:
            if a.id and a.id == b.id and a.steps != b.steps:
                raise FormulaError(
                    f"`{a.spelling}` and `{b.spelling}` share the id `{a.id}`, but have {a.steps + 1} and "
                    f"{b.steps + 1} categories; a simplex can be shared among equally many."
                )


def _linear_part(specials: tuple[SpecialCall, ...], places: Mapping[str, int]) -> LinearPart:
    """Return the terms as columns alone: calls are numbers."""
    terms = tuple(
        tuple(_placeholder(places[part]) if part in places else part for part in call.ordered) for call in specials
    )
    first = specials[0].expression
    return LinearPart(False, terms, Expression(" + ".join(":".join(term) for term in terms), first.source, 0))


def _coefficients(
    encoding: Encoding, specials: tuple[SpecialCall, ...], calls: tuple[MonotonicCall, ...], of: Predictor
) -> tuple[Coefficient, ...]:
    places = {call.spelling: i for i, call in enumerate(calls)}
    coefficients = []
    for column, (label, term) in enumerate(zip(encoding.labels, encoding.assign, strict=True)):
        calls_of_term = (specials[term], *specials[term].others)
        spelled = label
        for i, call in enumerate(calls):
            spelled = spelled.replace(_placeholder(i), call.spelling)
        numbers = tuple(places[call.spelling] for call in calls_of_term)
        simplexes = []
        for place, number in enumerate(numbers, start=1):
            name = names.variable(names.special_coefficient("simo", f"{spelled}{place}", of.key))
            identity = calls[number].id
            shared_name = names.variable(names.special_coefficient("simo", identity, of.key))
            simplexes.append(shared_name if identity else name)
        coefficients.append(Coefficient(spelled, column, numbers, tuple(simplexes)))
    return tuple(coefficients)


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Claim the terms with ``mo()``."""
    specials = tuple(call for call in predictor.specials if call.name in CLAIMS)
    if not specials:
        return ()
    for call in specials:
        foreign = next((other for other in call.others if other.name not in CLAIMS), None)
        if foreign is not None:
            raise special_fault(f"`mo()` and `{foreign.name}()` cannot be multiplied by each other.", foreign)
    written = {c.spelling: c for call in specials for c in (call, *call.others)}
    calls = tuple(_freeze(call, frame, functions) for call in written.values())
    _check_ids(calls)
    places = {call.spelling: i for i, call in enumerate(calls)}
    encoding, X = encode(_linear_part(specials, places), _with_placeholders(frame, calls), functions)
    coefficients = _coefficients(encoding, specials, calls, predictor)
    term = Monotonic(predictor.key, calls, encoding, coefficients, (1.0,) * len(coefficients))
    return (replace(term, spreads=tuple(_spread(c, X, calls, frame) for c in coefficients)),)


def _spread(coefficient: Coefficient, X: np.ndarray, calls: tuple[MonotonicCall, ...], frame: Frame) -> float:
    """Return the standard deviation of the effect with equal steps, per unit of the coefficient."""
    effect = X[:, coefficient.column].astype(float)
    for call in coefficient.calls:
        effect = effect * calls[call].categories(frame)
    spread = float(effect.std(ddof=1)) if len(effect) > 1 else 0.0
    return spread if spread > 0 else max(float(np.sqrt((effect**2).mean())), 1.0)
