"""A call of ``s()`` or ``t2()``, read, checked and made into a basis."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml.columns import bare_name, evaluate
from bayesml.errors import BayesmlError, FormulaError, did_you_mean
from bayesml.formula import Expression, SpecialCall, Value, special_fault
from bayesml.frame import Column, Frame, match_levels
from bayesml.smooths import FittedBasis, Request, fit_curves, fit_effects, fit_tensor, fitted_basis, known_kind
from bayesml.terms.base import Functions
from bayesml.terms.by import By, read_by, refuse_repeated

__all__ = ["SmoothCall", "read_smooth"]

OPTIONS = {
    "s": ("bs", "k", "m", "by", "fx", "knots", "xt", "pc"),
    "t2": ("bs", "k", "m", "d", "by", "fx", "full"),
}
OTHERS = {
    "id": "Smooths that share a standard deviation are not available (brms takes `id` and ignores it); leave it out.",
    "sp": "Smoothing parameters are estimated; a prior of class sds says what is known of them.",
    "xt": 'It is for curves of levels, s(x, g, bs="fs", xt="cr").',
    "pc": "A tensor product sums to zero over the rows; a smooth that is 0 at a point is s(x, z, pc=c(0, 0)).",
    "full": "It is for tensor products, t2(x, z, full=True).",
    "ord": "All sets of products are part of the smooth.",
}
OF_FACTORS = {"re": fit_effects, "fs": fit_curves}
MARGIN_KIND, MARGIN_K = "cr", 5


@final
@dataclass(frozen=True)
class SmoothCall:
    """What a call says, with its factors as they were in the fit.

    Attributes:
        written: the call.
        factors: of each covariate the factor without its rows, None for numbers.
        by: what the smooth is multiplied by.
        margins: the request of each margin of a tensor product; empty for ``s()``.
        functions: the caller's own functions.
    """

    written: SpecialCall
    factors: tuple[Column | None, ...]
    by: By | None
    margins: tuple[Request, ...]
    functions: Functions

    @property
    def numbers(self) -> tuple[Expression, ...]:
        """The covariates that are numbers."""
        return tuple(e for e, f in zip(self.written.arguments, self.factors, strict=True) if f is None)

    @property
    def names(self) -> tuple[str, ...]:
        """The covariates in labels."""
        return _names(self.written)

    @property
    def levels(self) -> tuple[int, ...]:
        """Number of levels of each covariate, 0 for numbers."""
        return _counts(self.factors)

    def covariates(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return the covariates; of a factor the number of the level.

        Raises:
            DataError: a level was not there in the fit.
        """
        found = {}
        for name, expression, factor in zip(self.names, self.written.arguments, self.factors, strict=True):
            if factor is None:
                found[name] = evaluate(expression, frame, self.functions)
            else:
                matched = match_levels(frame, {factor.name: factor}, (factor.name,))
                found[name] = np.asarray(matched.columns[factor.name].values, float)
        return found

    def fitted(self, frame: Frame) -> FittedBasis:
        """Find the functions on the rows of the fit, and the columns there.

        Raises:
            FormulaError: an argument is impossible.
            DataError: the covariates do not determine the smooth.
        """
        try:
            return self._fitted(frame)
        except BayesmlError as error:
            raise type(error)(str(special_fault(str(error), self.written))) from None

    def _fitted(self, frame: Frame) -> FittedBasis:
        options, covariates = dict(self.written.options), self.covariates(frame)
        weights = None if self.by is None else self.by.weights(frame, self.functions)
        centred = (
            self.by is None or self.by.factor is not None or (weights is not None and float(np.ptp(weights)) == 0.0)
        )
        penalised = not options.get("fx", False)
        if self.margins:
            label = self.written.spelling
            full = bool(options.get("full", False))
            tensor = fit_tensor(covariates, self.margins, label, centred=centred, penalised=penalised, full=full)
            return FittedBasis(tensor, *tensor.columns(covariates))
        kind, k, m, knots = (options.get(name) for name in ("bs", "k", "m", "knots"))
        if isinstance(kind, str) and kind in OF_FACTORS:
            request = Request(
                self.written.spelling, self.names, kind, k, m, None, self.levels, base=self._base(options),  # type: ignore[arg-type]
            )  # fmt: skip
            of_factors = OF_FACTORS[kind](covariates, request)
            return FittedBasis(of_factors, *of_factors.columns(covariates))
        request = Request(
            self.written.spelling, self.names, known_kind(kind or "tp", self.written.spelling), k, m,  # type: ignore[arg-type]
            knots if knots is None or isinstance(knots, tuple) else (knots,),  # type: ignore[arg-type]
            point=self._point(options.get("pc")),
        )  # fmt: skip
        fitted = fitted_basis(covariates, request, centred=centred, penalised=penalised)
        return fitted.multiplied_by(weights[:, 0]) if weights is not None and fitted.basis.rank else fitted

    def _base(self, options: Mapping[str, Value]) -> str:
        """Return the spline of each level of ``bs="fs"``: ``xt="cr"`` or ``xt=list(bs="cr")``."""
        given = options.get("xt", "tp")
        if isinstance(given, Expression):
            match = re.fullmatch(r"list\(\s*(?:bs\s*=\s*)?[\"'](\w+)[\"']\s*\)", given.text)
            given = match[1] if match else None
        if not isinstance(given, str):
            raise FormulaError(f"`xt` of `{self.written.spelling}`: {OTHERS['xt']}")
        return known_kind(given, self.written.spelling)

    def _point(self, given: Value) -> tuple[float, ...] | None:
        """Return where the smooth is 0, a number for each covariate."""
        if given is None:
            return None
        point = given if isinstance(given, tuple) else (given,)
        numbers = [float(v) for v in point if isinstance(v, (int, float)) and not isinstance(v, bool)]
        if len(numbers) != len(self.names) or len(point) != len(numbers) or not np.isfinite(numbers).all():
            example = "pc=0" if len(self.names) == 1 else f"pc=c({', '.join('0' * len(self.names))})"
            raise FormulaError(
                f"`pc` of `{self.written.spelling}` is where the smooth is 0: a number for each covariate, {example}."
            )
        return tuple(numbers)


def read_smooth(call: SpecialCall, frame: Frame, functions: Functions) -> SmoothCall:
    """Read a call.

    Raises:
        FormulaError: an argument is unknown, or the call is multiplied.
    """
    options, known = dict(call.options), OPTIONS[call.name]
    unknown = next((name for name in options if name not in known), None)
    if unknown is not None:
        reason = OTHERS.get(unknown, "")
        tip = f" {reason}" if reason else f"{did_you_mean(unknown, known)}; it takes {', '.join(known)}."
        raise special_fault(f"`{call.name}(...)` has no argument `{unknown}`{'.' if reason else ''}{tip}", call)
    if options.get("xt") is not None and options.get("bs") != "fs":
        raise special_fault(f'`{call.name}(...)` takes `xt` with bs="fs" only. {OTHERS["xt"]}', call)
    if options.get("pc") is not None and options.get("bs") in OF_FACTORS:
        raise special_fault(f"Effects of levels, as in `{call.spelling}`, are 0 on average; leave out `pc`.", call)
    example = "t2(x, z)" if call.name == "t2" else "s(x)"
    if not call.arguments or call.factors or call.others:
        changes = example.replace(")", ", by=z)" if call.name == "s" else ", by=w)")
        raise special_fault(f"`{call.term}`: write {example}, and {changes} for a curve that changes with it.", call)
    refuse_repeated(call)
    of_levels = _of_levels(call, options)
    factors = tuple(_factor(e, frame) if own else None for e, own in zip(call.arguments, of_levels, strict=True))
    margins = _margins(call, options, factors) if call.name == "t2" else ()
    return SmoothCall(call, factors, read_by(options.get("by"), call, frame), margins, functions)


def _counts(factors: tuple[Column | None, ...]) -> tuple[int, ...]:
    return tuple(0 if f is None else len(f.levels or (False, True)) for f in factors)


def _factor(expression: Expression, frame: Frame) -> Column | None:
    column = frame.columns.get(bare_name(expression.text) or "")
    if column is None or (column.levels is None and not column.is_boolean):
        return None
    return replace(column, values=np.zeros(0))


def _names(call: SpecialCall) -> tuple[str, ...]:
    return tuple(bare_name(e.text) or e.text for e in call.arguments)


def _of_levels(call: SpecialCall, options: Mapping[str, Value]) -> tuple[bool, ...]:
    """Return of each covariate whether it may be a factor."""
    if call.name == "s":
        return (options.get("bs") in OF_FACTORS,) * len(call.arguments)
    sizes = _sizes(call, len(call.arguments), options.get("d"))
    kinds = _each(call, options.get("bs"), "bs", len(sizes))
    return tuple(kind == "re" for size, kind in zip(sizes, kinds, strict=True) for _ in range(size))


def _margins(
    call: SpecialCall, options: Mapping[str, Value], factors: tuple[Column | None, ...]
) -> tuple[Request, ...]:
    """Return the request of each margin of a tensor product."""
    names = _names(call)
    sizes = _sizes(call, len(names), options.get("d"))
    count = len(sizes)
    kinds, ks, orders = (_each(call, options.get(name), name, count) for name in ("bs", "k", "m"))
    margins, first = [], 0
    for size, kind, k, order in zip(sizes, kinds, ks, orders, strict=True):
        own = tuple(names[first : first + size])
        levels = _counts(factors[first : first + size])
        first += size
        if kind == "re":
            margins.append(Request(call.spelling, own, "re", levels=levels))
            continue
        try:
            chosen = known_kind(kind or (MARGIN_KIND if size == 1 else "tp"), call.spelling)
        except FormulaError as error:
            raise special_fault(str(error), call) from None
        margins.append(
            Request(call.spelling, own, chosen, MARGIN_K**size if k is None else k, order)  # type: ignore[arg-type]
        )
    return tuple(margins)


def _sizes(call: SpecialCall, count: int, d: Value) -> tuple[int, ...]:
    """Return the number of covariates of each margin."""
    if d is None:
        sizes: tuple[int, ...] = (1,) * count
    else:
        given = d if isinstance(d, tuple) else (d,)
        whole = all(isinstance(v, int) and not isinstance(v, bool) and v > 0 for v in given)
        if not whole or sum(given) != count:  # type: ignore[arg-type]
            raise special_fault(
                f"`d` of `{call.spelling}` says how many covariates each margin has, such as d=c(2, 1); they sum to "
                f"{count}.",
                call,
            )
        sizes = tuple(int(v) for v in given)  # type: ignore[arg-type]
    if len(sizes) < 2:
        raise special_fault(f"`{call.spelling}` has one margin; a smooth of one covariate is s(x).", call)
    return sizes


def _each(call: SpecialCall, value: Value, name: str, count: int) -> tuple[Value, ...]:
    """Return one value for each margin."""
    if not isinstance(value, tuple):
        return (value,) * count
    if len(value) != count:
        raise special_fault(
            f"`{name}` of `{call.spelling}` has {len(value)} values for {count} margins; write one, or one for each.",
            call,
        )
    return value
