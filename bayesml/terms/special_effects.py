"""Coefficients of products with calls such as ``mo(x)``, ``me(x, sdx)`` and ``mi(x)``, all in one vector as in brms.

A coefficient adds b_k X_k times the product of its calls, where X_k is an ordinary column. What a call is worth in a
row depends on parameters; each kind of call says how (``special_factor.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import names
from bayesml.columns import Computation, Encoding, computations, encode, replay
from bayesml.formula import Expression, LinearPart, Predictor, SpecialCall, special_fault
from bayesml.frame import Column, Frame
from bayesml.frame.types import frozen_array
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.spec import ParameterSpec
from bayesml.terms.base import AbstractTerm, Functions
from bayesml.terms.coefficient_rows import coefficient_rows
from bayesml.terms.context import ModelContext
from bayesml.terms.sampled import SampledSlopes
from bayesml.terms.special_factor import AbstractFactor, numbered, of_place
from bayesml.variables import COEFFICIENTS, ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values

__all__ = [
    "Coefficient",
    "Freeze",
    "SpecialEffects",
    "is_placeholder",
    "placeholder",
    "special_effects",
    "with_placeholders",
]

Freeze = Callable[[SpecialCall, Frame, Functions], AbstractFactor]
"""Takes a call and the data and returns the call as it is frozen."""


@final
@dataclass(frozen=True)
class Coefficient:
    """One coefficient: a column of what the calls are multiplied by, and the unknown of each call.

    Attributes:
        label: ``mo(x)``, ``mo(x):z``, ``me(x, s):f[b]``.
        column: place of its column among ``columns``.
        calls: places of its calls.
        sites: the variable with what is unknown about each call.
    """

    label: str
    column: int
    calls: tuple[int, ...]
    sites: tuple[str, ...]


@final
@dataclass(frozen=True)
class SpecialEffects(AbstractTerm):
    """All coefficients of products with calls of one predictor.

    Attributes:
        calls: the calls.
        encoding: how the columns that calls are multiplied by come from data; the calls themselves count as numbers.
        coefficients: the coefficients in the order of the formula.
        spreads: typical size of the effect of each, per unit of its coefficient.
    """

    calls: tuple[AbstractFactor, ...]
    encoding: Encoding
    coefficients: tuple[Coefficient, ...]
    spreads: tuple[float, ...]

    @property
    def key(self) -> str:
        """One term holds all of them."""
        return "special"

    @property
    def obstacle(self) -> str:
        """What engines that take linear terms alone have no form for."""
        return ", ".join(f"`{call.spelling}`" for call in self.calls)

    def spelled(self, label: str) -> str:
        """Return the label of a column with its calls as they are written in the place of what stands for them."""
        for i, call in enumerate(self.calls):
            label = label.replace(placeholder(i), call.spelling)
        return label

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the coefficients."""
        return tuple(c.label for c in self.coefficients)

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns of the calls and of what they are multiplied by."""
        of_calls = [name for call in self.calls for name in call.variables]
        others = [name for name in self.encoding.variables if not is_placeholder(name)]
        return tuple(dict.fromkeys([*of_calls, *others]))

    @property
    def rows_commute(self) -> bool:
        """Where those of all calls may."""
        return all(call.rows_commute for call in self.calls)

    @property
    def reads(self) -> frozenset[str]:
        """Those of its calls."""
        return frozenset(call.reads for call in self.calls if call.reads)

    def computations(self) -> tuple[Computation, ...]:
        """Return the calls and the factors that they are multiplied by."""
        of_calls = tuple(call.computation() for call in self.calls)
        return of_calls + tuple(part for part in computations(self.encoding) if not is_placeholder(part.text))

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return ``X`` ``(rows, coefs)``, and the arrays of each call with its place behind their names."""
        return self._with_calls(frame, [call.arrays(frame) for call in self.calls])

    def own_arrays(self, model: ModelContext) -> dict[str, np.ndarray]:
        """Return the same of the rows of the fit."""
        return self._with_calls(model.frame, [call.own_arrays(model) for call in self.calls])

    def _with_calls(self, frame: Frame, of_calls: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        every = {"X": replay(self.encoding, with_placeholders(frame, len(self.calls)))}
        for place, arrays in enumerate(of_calls):
            every |= numbered(arrays, place)
        return every

    def in_model(self, model: ModelContext) -> SpecialEffects:
        """Return the term whose calls have the responses."""
        return replace(self, calls=tuple(call.in_model(model) for call in self.calls))

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return the coefficients, class ``b``, and the parameters of the calls."""
        b = ParameterSpec(
            names.special_variable("bsp", self.predictor),
            "b",
            (len(self.coefficients),),
            self.predictor,
            coefs=self.labels,
            scales=tuple(scale.spread / spread for spread in self.spreads),
            centers=(0.0,) * len(self.coefficients),
        )
        return (b, *(p for site, label, call in self._sites() for p in call.parameters(site, label, self.predictor)))

    def _sites(self) -> Iterator[tuple[str, str, AbstractFactor]]:
        """Yield the variable of what is unknown, its label and its call, each once."""
        seen: set[str] = set()
        for coefficient in self.coefficients:
            for place, (number, site) in enumerate(zip(coefficient.calls, coefficient.sites, strict=True), start=1):
                if site not in seen:
                    seen.add(site)
                    call = self.calls[number]
                    yield site, call.shown(f"{coefficient.label}{place}"), call

    def prior_rows(self, defaults: DefaultPriors) -> Iterator[PriorRow]:
        """Yield the coefficients and the parameters of the calls."""
        yield from coefficient_rows(self.predictor, self.labels, self.spreads, defaults)
        for _, label, call in self._sites():
            yield from call.prior_rows(label, self.predictor)

    def reported(self) -> tuple[ReportedVariable, ...]:
        """Return ``bsp`` and what the calls report."""
        of = self.predictor
        texts = tuple(((i,), names.special_coefficient("bsp", c, of)) for i, c in enumerate(self.labels))
        printed = tuple(names.prefixed(c, of) for c in self.labels)
        dim = names.prefixed("bsp_coef", of)
        name = names.special_variable("bsp", of)
        b = ReportedVariable(name, "bsp", (dim,), (self.labels,), texts, of, section=COEFFICIENTS, printed=printed)
        return (b, *(v for site, label, call in self._sites() for v in call.reported(site, label, of)))

    def spellings(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each coefficient."""
        for label in self.labels:
            yield names.special_coefficient("bsp", label, self.predictor), f"{label} {self.predictor}"

    def sampled_slopes(self) -> tuple[SampledSlopes, ...]:
        """Return the coefficients of effects that are linear and near to these: calls at their typical values."""
        averages = tuple(tuple(f"{self.calls[i].averaged}{i}" for i in c.calls) for c in self.coefficients)
        bsp = names.special_variable("bsp", self.predictor)
        return (SampledSlopes(bsp, self.predictor, self.key, "X", slice(None), averages=averages),)

    def derive(self, values: Values) -> dict[str, Numbers]:
        """All are reported as they are sampled."""
        return {}

    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Return sum_k b_k X_k prod over its calls of their values."""
        b = values[names.special_variable("bsp", self.predictor)]
        total: Numbers = 0.0
        for k, coefficient in enumerate(self.coefficients):
            effect = b[..., k, None] * arrays["X"][:, coefficient.column]
            for call, site in zip(coefficient.calls, coefficient.sites, strict=True):
                effect = effect * self.calls[call].value(values, site, of_place(arrays, call))
            total = total + effect
        return total


def placeholder(place: int) -> str:
    """Return the column that stands for a call in the coding of columns."""
    return f"special_call_{place}_"


def is_placeholder(name: str) -> bool:
    """Whether a column stands for a call."""
    return name.startswith("special_call_")


def with_placeholders(frame: Frame, calls: int) -> Frame:
    """Return the frame with a column for each call that is 1 in some rows and 2 in others: a number to the coding."""
    ones = frozen_array(np.ones(frame.n_rows))
    return frame.replace_columns(Column(placeholder(i), ones) for i in range(calls))


def _linear_part(specials: tuple[SpecialCall, ...], places: Mapping[str, int]) -> LinearPart:
    """Return the terms as columns alone: calls are numbers."""
    terms = tuple(
        tuple(placeholder(places[part]) if part in places else part for part in call.ordered) for call in specials
    )
    first = specials[0].expression
    return LinearPart(False, terms, Expression(" + ".join(":".join(term) for term in terms), first.source, 0))


def _coefficients(
    encoding: Encoding, specials: tuple[SpecialCall, ...], calls: tuple[AbstractFactor, ...], of: Predictor
) -> tuple[Coefficient, ...]:
    places = {call.spelling: i for i, call in enumerate(calls)}
    coefficients = []
    for column, (label, term) in enumerate(zip(encoding.labels, encoding.assign, strict=True)):
        calls_of_term = (specials[term], *specials[term].others)
        spelled = label
        for i, call in enumerate(calls):
            spelled = spelled.replace(placeholder(i), call.spelling)
        numbers = tuple(places[call.spelling] for call in calls_of_term)
        sites = tuple(calls[i].site(f"{spelled}{place}", of.key) for place, i in enumerate(numbers, start=1))
        coefficients.append(Coefficient(spelled, column, numbers, sites))
    return tuple(coefficients)


def special_effects(
    predictor: Predictor, frame: Frame, functions: Functions, kinds: Mapping[str, Freeze]
) -> SpecialEffects | None:
    """Claim the terms with calls of some kinds; None where there are none.

    Args:
        predictor: the parsed predictor.
        frame: the data.
        functions: the caller's own functions.
        kinds: how the calls of each name are frozen.
    """
    specials = tuple(call for call in predictor.specials if call.name in kinds)
    if not specials:
        return None
    for call in specials:
        foreign = next((other for other in call.others if other.name not in kinds), None)
        if foreign is not None:
            message = f"`{call.name}()` and `{foreign.name}()` cannot be multiplied by each other."
            raise special_fault(message, foreign)
    written = {c.spelling: c for call in specials for c in (call, *call.others)}
    calls = tuple(kinds[call.name](call, frame, functions) for call in written.values())
    places = {call.spelling: i for i, call in enumerate(calls)}
    encoding, X = encode(_linear_part(specials, places), with_placeholders(frame, len(calls)), functions)
    coefficients = _coefficients(encoding, specials, calls, predictor)
    spreads = tuple(_spread(c, X, calls, frame) for c in coefficients)
    return SpecialEffects(predictor.key, calls, encoding, coefficients, spreads)


def _spread(coefficient: Coefficient, X: np.ndarray, calls: Iterable[AbstractFactor], frame: Frame) -> float:
    """Return the standard deviation of the effect at typical values, per unit of the coefficient."""
    effect, every = X[:, coefficient.column].astype(float), tuple(calls)
    for call in coefficient.calls:
        effect = effect * every[call].typical(frame)
    spread = float(effect.std(ddof=1)) if len(effect) > 1 else 0.0
    return spread if spread > 0 else max(float(np.sqrt((effect**2).mean())), 1.0)
