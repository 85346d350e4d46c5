"""Smooths ``s(x)``: penalised splines as ``Xs bs + Zs s`` with ``s = sds z`` and z standard normal.

Xs are the columns without a penalty, such as the straight line, and Zs the others (`bayesml.smooths`). A factor ``by``
gives each of its levels a curve, with coefficients and a standard deviation of its own; of an ordered factor each level
but the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import names
from bayesml.columns import Computation, bare_name, evaluate, offset_computation, variables_of
from bayesml.errors import BayesmlError
from bayesml.formula import Predictor, SpecialCall, special_fault
from bayesml.frame import Frame
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.smooths import SmoothBasis, fit_basis
from bayesml.spec import ParameterSpec
from bayesml.supports import POSITIVE
from bayesml.terms.base import AbstractTerm, Functions
from bayesml.terms.by import By, read_by
from bayesml.terms.coefficient_rows import coefficient_rows
from bayesml.terms.effect_block import EffectBlock, SlopeColumns
from bayesml.variables import COEFFICIENTS, ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values

__all__ = ["CLAIMS", "Smooth", "collect"]

CLAIMS = {"s": "smooth"}
OPTIONS = ("bs", "k", "m", "by", "fx", "knots")


@final
@dataclass(frozen=True)
class Smooth(AbstractTerm):
    """One call of ``s()``.

    Attributes:
        call: the call.
        basis: the functions of its curve or curves.
        by: what they are multiplied by, if anything.
        spreads: typical size of each unpenalised column of each curve: its standard deviation.
        functions: the caller's own functions.
    """

    call: SpecialCall
    basis: SmoothBasis
    by: By | None
    spreads: tuple[float, ...]
    functions: Functions

    @property
    def key(self) -> str:
        """The call with uniform spaces."""
        return self.call.spelling

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns of the covariates and of ``by``."""
        by = () if self.by is None else (self.by.expression,)
        return tuple(dict.fromkeys(v for e in (*self.call.arguments, *by) for v in variables_of(e.text)))

    def computations(self) -> tuple[Computation, ...]:
        """Return the covariates."""
        return tuple(offset_computation(expression, self.functions) for expression in self.call.arguments)

    @property
    def _curves(self) -> tuple[str, ...]:
        """What each curve is multiplied by, as its label says it."""
        if self.by is None:
            return ("",)
        shown = bare_name(self.by.expression.text) or self.by.expression.text
        return tuple(f"{shown}[{level}]" if level else shown for level in self.by.levels)

    def _coefs(self) -> tuple[str, ...]:
        labels = (names.smooth_label(self.basis.names, curve) for curve in self._curves)
        return tuple(f"{label}_{i + 1}" for label in labels for i in range(self.basis.null_dimension))

    def _stems(self) -> tuple[str, ...]:
        if not self.basis.rank:
            return ()
        return tuple(f"{names.smooth_label(self.basis.names, curve, '')}_1" for curve in self._curves)

    def _name(self, kind: str, label: str) -> str:
        return names.variable(names.special_coefficient(kind, label, self.predictor))

    def _slopes(self) -> str:
        return self._name("bs", self._owner)

    @property
    def _owner(self) -> str:
        by = "" if self.by is None else self.by.expression.text
        return names.smooth_label(self.basis.names, by, "")

    def slope_columns(self) -> SlopeColumns | None:
        """Return the columns without a penalty."""
        coefs = self._coefs()
        return SlopeColumns(self._slopes(), coefs, tuple(self._name("bs", c) for c in coefs), "Xs") if coefs else None

    def effect_blocks(self) -> tuple[EffectBlock, ...]:
        """Return a block of penalised coefficients for each curve."""
        rank, free = self.basis.rank, self.basis.null_dimension
        return tuple(
            EffectBlock(
                stem.removesuffix("_1"),
                rank,
                (stem,),
                (1,),
                self._name("sds", stem),
                (self._name("sds", stem),),
                "",
                ("",),
                self._name("zs", stem),
                self._name("s", stem),
                "Zs",
                slice(i * rank, (i + 1) * rank),
                tuple(self._name("bs", coef) for coef in self._coefs()[i * free : (i + 1) * free]),
            )
            for i, stem in enumerate(self._stems())
        )

    def curve_of(self, name: str) -> int | None:
        """Return the number of the curve that ``sds`` or ``zs`` belong to; None for any other variable."""
        return next(
            (i for i, s in enumerate(self._stems()) if name in (self._name("sds", s), self._name("zs", s))), None
        )

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return ``Xs`` ``(rows, curves * null_dimension)`` and ``Zs`` ``(rows, curves * rank)``."""
        free, penalised = self.basis.columns(_covariates(self.call, frame, self.functions))
        weights = np.ones((frame.n_rows, 1)) if self.by is None else self.by.weights(frame, self.functions)
        return {"Xs": _products(weights, free), "Zs": _products(weights, penalised)}

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return the coefficients, and for each curve a standard deviation and standard normal variables."""
        coefs = self._coefs()
        slopes = ParameterSpec(
            self._slopes(), "b", (len(coefs),), self.predictor, coefs=coefs, centers=(0.0,) * len(coefs),
            scales=tuple(scale.spread / spread for spread in self.spreads),
        )  # fmt: skip
        curves = (part for stem in self._stems() for part in self._curve(stem, scale))
        return (*((slopes,) if coefs else ()), *curves)

    def _curve(self, stem: str, scale: Scale) -> tuple[ParameterSpec, ParameterSpec]:
        sds, z = (self._name(kind, stem) for kind in ("sds", "zs"))
        typical = scale.group_spread
        return (
            ParameterSpec(
                sds, "sds", predictor=self.predictor, label=self.key, support=POSITIVE,
                centers=(0.5 * typical,), scales=(typical,),
            ),
            ParameterSpec(z, "", (self.basis.rank,), self.predictor),
        )  # fmt: skip

    def prior_rows(self, defaults: DefaultPriors) -> Iterator[PriorRow]:
        """Yield the class ``b`` and each coefficient, and the class ``sds`` and the call."""
        yield from coefficient_rows(self.predictor, self._coefs(), self.spreads, defaults)
        if self.basis.rank:
            of, positive = self.predictor.target, (0.0, float("inf"))
            yield PriorRow(defaults.group_sd(self.predictor), "sds", predictor=of, bounds=positive)
            yield PriorRow(None, "sds", self.key, predictor=of, bounds=positive, source="(vectorized)")

    def reported(self) -> tuple[ReportedVariable, ...]:
        """Return ``bs``, and for each curve ``sds`` and ``s``."""
        curves = (variable for stem in self._stems() for variable in self._reported_curve(stem))
        return (*self._reported_coefs(), *curves)

    def _reported_coefs(self) -> Iterator[ReportedVariable]:
        coefs, name = self._coefs(), self._slopes()
        if coefs:
            yield ReportedVariable(
                name,
                "bs",
                (f"{name}_coef",),
                (coefs,),
                tuple(((i,), self._name("bs", coef)) for i, coef in enumerate(coefs)),
                self.predictor,
                section=COEFFICIENTS,
                printed=tuple(names.prefixed(coef, self.predictor) for coef in coefs),
            )

    def _reported_curve(self, stem: str) -> tuple[ReportedVariable, ReportedVariable]:
        sds, effects = self._name("sds", stem), self._name("s", stem)
        numbers = tuple(str(i + 1) for i in range(self.basis.rank))
        texts = tuple(((i,), f"{effects}[{number}]") for i, number in enumerate(numbers))
        return (
            ReportedVariable(
                sds,
                "sds",
                (),
                (),
                (((), sds),),
                self.predictor,
                section="Smoothing Spline Hyperparameters",
                printed=(f"sds({names.prefixed(stem, self.predictor)})",),
            ),
            ReportedVariable(effects, "s", (f"{effects}_basis",), (numbers,), texts, self.predictor),
        )

    def spellings(self) -> Iterator[tuple[str, str]]:
        """Yield the names of its coefficients and standard deviations."""
        yield self._slopes(), self.key
        yield from ((self._name("sds", stem), self.key) for stem in self._stems())

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return ``s = sds z`` of each curve."""
        return {
            self._name("s", stem): values[self._name("sds", stem)] * values[self._name("zs", stem)]
            for stem in self._stems()
        }

    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Return ``Xs bs + Zs s``."""
        total = values[self._slopes()] @ arrays["Xs"].T if self._coefs() else 0.0
        for i, stem in enumerate(self._stems()):
            columns = arrays["Zs"][:, i * self.basis.rank : (i + 1) * self.basis.rank]
            total = total + values[self._name("s", stem)] @ columns.T
        return total


def _products(weights: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the columns of each curve, side by side, ``(rows, curves * columns)``."""
    return (weights[:, :, None] * columns[:, None, :]).reshape(len(columns), -1)


def _covariates(call: SpecialCall, frame: Frame, functions: Functions) -> dict[str, np.ndarray]:
    return {bare_name(e.text) or e.text: evaluate(e, frame, functions) for e in call.arguments}


def _smooth(call: SpecialCall, predictor: Predictor, frame: Frame, functions: Functions) -> Smooth:
    options = dict(call.options)
    unknown = next((name for name in options if name not in OPTIONS), None)
    if unknown is not None:
        raise special_fault(f"`s(...)` has no argument `{unknown}`; it takes {', '.join(OPTIONS)}.", call)
    if not call.arguments or call.factors or call.others:
        raise special_fault(f"`{call.term}`: write s(x), and s(x, by=z) for a curve that changes with z.", call)
    by = read_by(options.get("by"), call, frame)
    covariates = _covariates(call, frame, functions)
    weights = None if by is None else by.weights(frame, functions)
    knots = options.get("knots")
    try:
        basis = fit_basis(
            covariates, options.get("bs", "tp"), options.get("k"), order=options.get("m"),  # type: ignore[arg-type]
            knots=knots if knots is None or isinstance(knots, tuple) else (knots,),  # type: ignore[arg-type]
            centred=by is None or by.factor is not None or float(np.ptp(weights)) == 0.0,  # type: ignore[arg-type]
            penalised=not options.get("fx", False), label=call.spelling,
        )  # fmt: skip
    except BayesmlError as error:
        raise type(error)(str(special_fault(str(error), call))) from None
    if weights is not None and basis.rank:
        basis = basis.multiplied_by(covariates, weights[:, 0])
    ones = np.ones((frame.n_rows, 1)) if weights is None else weights
    columns = _products(ones, basis.columns(covariates)[0])
    spreads = columns.std(axis=0, ddof=1)
    return Smooth(
        predictor.key, call, basis, by, tuple(float(s) if s > 0 else 1.0 for s in spreads), functions
    )  # fmt: skip


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Claim the calls of ``s()``.

    Raises:
        FormulaError: a call cannot be understood.
        DataError: its covariates do not determine the smooth.
    """
    return tuple(_smooth(call, predictor, frame, functions) for call in predictor.specials if call.name in CLAIMS)
