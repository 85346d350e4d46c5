"""Smooths ``s(x)`` and ``t2(x, z)``: penalised splines as ``Xs bs + Zs s`` with ``s = sds z`` and z standard normal.

Xs are the columns without a penalty, such as the straight line, and Zs the others (`bayesml.smooths`), in one set or in
several that have a standard deviation each. A factor ``by`` gives each of its levels a curve, with coefficients and
standard deviations of its own; of an ordered factor each level but the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import names
from bayesml.columns import Computation, bare_name, offset_computation, variables_of
from bayesml.errors import warn_user
from bayesml.formula import Predictor, SpecialCall, special_fault
from bayesml.frame import Frame
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.smooths import SmoothBasis
from bayesml.spec import ParameterSpec
from bayesml.supports import POSITIVE
from bayesml.terms.base import AbstractTerm, Functions, ModelContext
from bayesml.terms.by import By
from bayesml.terms.coefficient_rows import coefficient_rows
from bayesml.terms.curves import AbstractCurveTerm
from bayesml.terms.effect_block import EffectBlock, SlopeColumns
from bayesml.terms.smooth_call import SmoothCall, read_smooth
from bayesml.variables import COEFFICIENTS, ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values

__all__ = ["CLAIMS", "Smooth", "collect"]

CLAIMS = ("s", "t2", "ti")
NOT_TAKEN = ("ti",)


@final
@dataclass(frozen=True, eq=False)
class AtFit:
    """The arrays of a smooth at the rows of one frame."""

    frame: Frame
    arrays: dict[str, np.ndarray]


@final
@dataclass(frozen=True)
class Smooth(AbstractCurveTerm):
    """One call of ``s()`` or ``t2()``.

    Attributes:
        call: the call.
        basis: the functions of its curve or curves.
        spreads: typical size of each unpenalised column of each curve: its standard deviation.
        ranges: of each covariate the smallest and the largest value of the fit; None where nothing lies beyond.
        at_fit: the columns at the rows of the fit until the design holds them.
    """

    call: SmoothCall
    basis: SmoothBasis
    spreads: tuple[float, ...]
    ranges: tuple[tuple[float, float] | None, ...]
    at_fit: AtFit | None = field(default=None, compare=False, repr=False)

    @property
    def by(self) -> By | None:
        """What the curves are multiplied by, if anything."""
        return self.call.by

    @property
    def key(self) -> str:
        """The call with uniform spaces."""
        return self.call.written.spelling

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns of the covariates and of ``by``."""
        by = () if self.by is None else (self.by.expression,)
        return tuple(dict.fromkeys(v for e in (*self.call.written.arguments, *by) for v in variables_of(e.text)))

    def computations(self) -> tuple[Computation, ...]:
        """Return the covariates that are numbers."""
        return tuple(offset_computation(expression, self.call.functions) for expression in self.call.numbers)

    @property
    def _curves(self) -> tuple[str, ...]:
        """What each curve is multiplied by, as its label says it."""
        if self.by is None:
            return ("",)
        shown = bare_name(self.by.expression.text) or self.by.expression.text
        return tuple(f"{shown}[{level}]" if level else shown for level in self.by.levels)

    def _coefs(self) -> tuple[str, ...]:
        labels = (self._label(curve, ":") for curve in self._curves)
        return tuple(f"{label}_{i + 1}" for label in labels for i in range(self.basis.null_dimension))

    def _label(self, by: str, joint: str = "") -> str:
        return names.smooth_label(self.basis.names, by, joint, self.call.written.name)

    def _sets(self) -> tuple[tuple[int, str, slice], ...]:
        """Number of the curve, stem of the names, and columns of each set of coefficients with one sd."""
        return tuple(
            (i, f"{self._label(curve)}_{j + 1}", slice(i * self.basis.rank + own.start, i * self.basis.rank + own.stop))
            for i, curve in enumerate(self._curves)
            for j, own in enumerate(self.basis.sets)
        )

    def _stems(self) -> tuple[str, ...]:
        return tuple(stem for _, stem, _ in self._sets())

    def _name(self, kind: str, label: str) -> str:
        return names.variable(names.special_coefficient(kind, label, self.predictor))

    def _slopes(self) -> str:
        return self._name("bs", self._owner)

    @property
    def _owner(self) -> str:
        return self._label("" if self.by is None else self.by.expression.text)

    def slope_columns(self) -> SlopeColumns | None:
        """Return the columns without a penalty."""
        coefs = self._coefs()
        return SlopeColumns(self._slopes(), coefs, tuple(self._name("bs", c) for c in coefs), "Xs") if coefs else None

    def effect_blocks(self) -> tuple[EffectBlock, ...]:
        """Return a block of penalised coefficients for each set of each curve; the first owns what is unpenalised."""
        free, curves = self.basis.null_dimension, self._curves
        return tuple(
            EffectBlock(
                self._label(curves[i]),
                columns.stop - columns.start,
                (stem,),
                (1,),
                self._name("sds", stem),
                (self._name("sds", stem),),
                "",
                ("",),
                self._name("zs", stem),
                self._name("s", stem),
                "Zs",
                columns,
                tuple(self._name("bs", coef) for coef in self._coefs()[i * free : (i + 1) * free])
                if columns.start == i * self.basis.rank
                else (),
            )
            for i, stem, columns in self._sets()
        )

    @property
    def curves(self) -> tuple[str, ...]:
        """The label of each curve; its blocks have this name."""
        return tuple(self._label(curve) for curve in self._curves)

    @property
    def inputs(self) -> dict[str, tuple[str, ...]]:
        """The covariates, each with its levels."""
        pairs = zip(self.basis.names, self.call.factors, strict=True)
        return {name: () if factor is None else factor.levels or ("False", "True") for name, factor in pairs}

    @property
    def curve_size(self) -> int:
        """Number of columns."""
        return self.basis.null_dimension + self.basis.rank

    @property
    def is_multiplied(self) -> bool:
        """Whether ``by`` holds numbers."""
        return self.by is not None and self.by.factor is None

    def input_values(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return the covariates."""
        return self.call.covariates(frame)

    def rows_of_curve(self, frame: Frame, curve: int) -> np.ndarray:
        """Return the rows of the level that a curve is for."""
        if self.by is None or self.is_multiplied:
            return np.arange(frame.n_rows)
        return np.flatnonzero(self.by.weights(frame, self.call.functions)[:, curve])

    def at(self, curve: int, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the columns of one curve, with zeros in those of the others."""
        free, penalised = self.basis.columns(values)
        weights = np.zeros((len(free), len(self._curves)))
        weights[:, curve] = 1.0
        return {"Xs": _products(weights, free), "Zs": _products(weights, penalised)}

    def columns_of(self, name: str) -> slice | None:
        """Return the columns of ``Zs`` that ``sds`` or ``zs`` belong to; None for any other variable."""
        found = (c for _, s, c in self._sets() if name in (self._name("sds", s), self._name("zs", s)))
        return next(found, None)

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return ``Xs`` ``(rows, curves * null_dimension)`` and ``Zs`` ``(rows, curves * rank)``."""
        covariates = self.call.covariates(frame)
        self._warn_outside(covariates)
        return _arrays(self.call, frame, *self.basis.columns(covariates))

    def own_arrays(self, model: ModelContext) -> dict[str, np.ndarray]:
        """Return what was computed when the basis was found, where that was of the same rows."""
        if self.at_fit is not None and self.at_fit.frame is model.frame:
            return self.at_fit.arrays
        return self.arrays(model.frame)

    def without_rows(self) -> Smooth:
        """Return the term without the columns at the rows of the fit."""
        return replace(self, at_fit=None)

    def _warn_outside(self, covariates: Mapping[str, np.ndarray]) -> None:
        for name, limits in zip(self.basis.names, self.ranges, strict=True):
            if limits is None:
                continue
            beyond = (covariates[name] < limits[0]) | (covariates[name] > limits[1])
            if beyond.any():
                count = int(beyond.sum())
                warn_user(
                    f"`{self.key}`: `{name}` lies beyond the range of the fit, {limits[0]:g} to {limits[1]:g}, in "
                    f"{count} row{'s' if count > 1 else ''}. What the smooth says there is extrapolated from its ends."
                )

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return the coefficients, and for each curve a standard deviation and standard normal variables."""
        coefs = self._coefs()
        slopes = ParameterSpec(
            self._slopes(), "b", (len(coefs),), self.predictor, coefs=coefs, centers=(0.0,) * len(coefs),
            scales=tuple(scale.spread / spread for spread in self.spreads),
        )  # fmt: skip
        curves = (part for _, stem, own in self._sets() for part in self._curve(stem, own.stop - own.start, scale))
        return (*((slopes,) if coefs else ()), *curves)

    def _curve(self, stem: str, rank: int, scale: Scale) -> tuple[ParameterSpec, ParameterSpec]:
        sds, z = (self._name(kind, stem) for kind in ("sds", "zs"))
        typical = scale.group_spread
        return (
            ParameterSpec(
                sds, "sds", predictor=self.predictor, label=self.key, support=POSITIVE,
                centers=(0.5 * typical,), scales=(typical,),
            ),
            ParameterSpec(z, "", (rank,), self.predictor),
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
        sets = self._sets()
        curves = (v for _, stem, own in sets for v in self._reported_curve(stem, own.stop - own.start))
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

    def _reported_curve(self, stem: str, rank: int) -> tuple[ReportedVariable, ReportedVariable]:
        sds, effects = self._name("sds", stem), self._name("s", stem)
        numbers = tuple(str(i + 1) for i in range(rank))
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

    def standardised(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return ``zs = s / sds``."""
        return {
            self._name("zs", stem): values[self._name("s", stem)] / values[self._name("sds", stem)][..., None]
            for stem in self._stems()
        }

    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Return ``Xs bs + Zs s``."""
        total = values[self._slopes()] @ arrays["Xs"].T if self._coefs() else 0.0
        for _, stem, columns in self._sets():
            total = total + values[self._name("s", stem)] @ arrays["Zs"][:, columns].T
        return total


def _arrays(call: SmoothCall, frame: Frame, free: np.ndarray, penalised: np.ndarray) -> dict[str, np.ndarray]:
    """Return ``Xs`` and ``Zs`` from the columns of one curve."""
    if call.by is None:
        return {"Xs": free, "Zs": penalised}
    weights = call.by.weights(frame, call.functions)
    return {"Xs": _products(weights, free), "Zs": _products(weights, penalised)}


def _products(weights: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the columns of each curve, side by side, ``(rows, curves * columns)``."""
    return (weights[:, :, None] * columns[:, None, :]).reshape(len(columns), -1)


def _smooth(call: SpecialCall, predictor: Predictor, frame: Frame, functions: Functions) -> Smooth:
    if call.name in NOT_TAKEN:
        raise special_fault(
            f"`{call.name}(...)` has no form with independent coefficients, which brms and this package need; write "
            f"`t2({', '.join(e.text for e in call.arguments)})`, whose functions are the same.",
            call,
        )
    read = read_smooth(call, frame, functions)
    fitted, covariates = read.fitted(frame), read.covariates(frame)
    arrays = _arrays(read, frame, fitted.free, fitted.penalised)
    spreads = np.array(fitted.basis.spreads) if read.by is None else arrays["Xs"].std(axis=0, ddof=1)
    typical = tuple(float(s) if s > 0 else 1.0 for s in spreads)
    return Smooth(predictor.key, read, fitted.basis, typical, _ranges(read, covariates), AtFit(frame, arrays))


def _ranges(call: SmoothCall, covariates: Mapping[str, np.ndarray]) -> tuple[tuple[float, float] | None, ...]:
    """Return the range of each covariate; none of a factor, of effects, and of a curve that begins again."""
    kind = dict(call.written.options).get("bs", "tp")
    of_margins = kind if isinstance(kind, tuple) else (kind,) * len(call.factors)
    kinds = of_margins if len(of_margins) == len(call.factors) else ("tp",) * len(call.factors)
    return tuple(
        None if factor is not None or own in ("cc", "re") else (float(values.min()), float(values.max()))
        for values, factor, own in zip(covariates.values(), call.factors, kinds, strict=True)
    )


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Claim the calls of ``s()`` and ``t2()``.

    Raises:
        FormulaError: a call cannot be understood.
        DataError: its covariates do not determine the smooth.
    """
    return tuple(_smooth(call, predictor, frame, functions) for call in predictor.specials if call.name in CLAIMS)
