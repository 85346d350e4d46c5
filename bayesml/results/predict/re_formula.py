"""Which group-level effects a prediction uses: all, none, or the subset that a formula names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.columns import encode
from bayesml.design import Arrays, PredictorDesign
from bayesml.errors import FormulaError
from bayesml.formula import GroupCall, Predictor, parse
from bayesml.keys import PredictorKey
from bayesml.language import language_with
from bayesml.names import find_coefficient
from bayesml.terms import AbstractGroupTerm

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractFit

__all__ = ["Selection", "select_groups"]

NONE_TEXTS = frozenset({"NA", "~0", "~1", "~-1"})


@final
@dataclass(frozen=True)
class Selection:
    """The predictors with the group-level terms that are requested.

    Attributes:
        predictors: the encoded predictors, unwanted group-level terms left out.
        dropped: ``{(predictor, term key): columns}`` of the varying columns that are left out of a term that stays.
    """

    predictors: tuple[PredictorDesign, ...]
    dropped: Mapping[tuple[PredictorKey, str], tuple[int, ...]]

    def only(self, keys: tuple[PredictorKey, ...], *, nonlinear: bool = True) -> Selection:
        """Return the selection with the predictors of ``keys``, and those of nonlinear parameters behind them."""
        kept = (p for p in self.predictors if p.key in keys or (nonlinear and p.key.nlpar))
        return replace(self, predictors=tuple(kept))

    def groups(self) -> tuple[AbstractGroupTerm, ...]:
        """Return the group-level terms of all predictors."""
        return tuple(group for p in self.predictors for group in p.groups())

    def mask(self, arrays: Arrays) -> Arrays:
        """Return ``arrays`` of the wanted terms, with dropped columns set to zero."""
        return {p.key: {t.key: self._masked(p, t.key, arrays[p.key][t.key]) for t in p.terms} for p in self.predictors}

    def _masked(
        self, predictor: PredictorDesign, key: str, arrays: Mapping[str, np.ndarray]
    ) -> Mapping[str, np.ndarray]:
        dropped = self.dropped.get((predictor.key, key))
        if not dropped:
            return arrays
        (group,) = (group for group in predictor.groups() if group.key == key)
        return group.masked(arrays, dropped)


def select_groups(fit: AbstractFit, re_formula: Any) -> Selection:
    """Choose group-level effects.

    Args:
        fit: the fit.
        re_formula: ``None`` for all; ``"NA"``, ``"~0"``, ``False`` or a float nan for none; a formula such as
            ``"~ (1 | g)"`` for those it names, in every predictor that has them.

    Raises:
        FormulaError: the formula cannot be read, or names an effect that the model does not have.
    """
    predictors = fit.problem.design.schema.predictors
    if re_formula is None:
        return Selection(predictors, {})
    if _means_none(re_formula):
        return Selection(tuple(p.without_groups() for p in predictors), {})
    if not isinstance(re_formula, str):
        raise _error(fit, f'`re_formula` is None, "NA" or a formula text; got {re_formula!r}.')
    wanted = _wanted_effects(fit, re_formula)
    return _subset(predictors, wanted)


def _means_none(re_formula: Any) -> bool:
    if isinstance(re_formula, str):
        return "".join(re_formula.split()) in NONE_TEXTS
    is_nan = isinstance(re_formula, float) and np.isnan(re_formula)
    return re_formula is False or is_nan or type(re_formula).__name__ == "NAType"


def _wanted_effects(fit: AbstractFit, text: str) -> dict[frozenset[str], set[str]]:
    """Return the labels of the varying columns in the formula, by grouping factor."""
    wanted: dict[frozenset[str], set[str]] = {}
    available = _available_effects(fit)
    for part in _read(fit, text).groups:
        factors = frozenset(part.factors)
        own = available.get(factors, ())
        places = {label: find_coefficient(label, own) for label in _labels(fit, part)}
        unknown = [label for label, place in places.items() if place is None]
        if factors not in available or unknown:
            what = (
                f" has no effect {', '.join(f'`{u}`' for u in unknown)} that varies"
                if factors in available
                else (" has no group-level effects")
            )
            raise _error(fit, f"`{part.text}` in `re_formula`: the model{what} over `{':'.join(part.factors)}`.")
        wanted.setdefault(factors, set()).update(own[place] for place in places.values() if place is not None)
    return wanted


def _read(fit: AbstractFit, text: str) -> Predictor:
    stripped = text.strip()
    if not stripped.startswith("~"):
        raise _error(fit, f'`re_formula` is a formula without a response, such as "~ (1 | g)"; got {text!r}.')
    language = language_with(fit.problem.design.schema.functions)
    predictor = parse(f"{fit.parsed.responses[0].response.expression.text} {stripped}", language=language).predictors[0]
    if predictor.population.terms or predictor.offsets:
        raise _error(fit, f"`re_formula` holds group-level terms only; got {text!r}.")
    return predictor


def _labels(fit: AbstractFit, part: GroupCall) -> tuple[str, ...]:
    unknown = [name for name in part.factors if name not in fit.frame.columns]
    if unknown:
        name = ":".join(part.factors)
        raise _error(fit, f"`{part.text}` in `re_formula`: the model has no grouping factor `{name}`.")
    try:
        encoding, _ = encode(part.columns, fit.frame, fit.problem.design.schema.functions)
    except FormulaError as error:
        raise _error(fit, f"`{part.text}` in `re_formula`: {error}") from None
    return encoding.labels


def _available_effects(fit: AbstractFit) -> dict[frozenset[str], tuple[str, ...]]:
    available: dict[frozenset[str], tuple[str, ...]] = {}
    for predictor in fit.problem.design.schema.predictors:
        for group in predictor.groups():
            factors = frozenset(group.factors)
            available[factors] = tuple(dict.fromkeys([*available.get(factors, ()), *group.coefs]))
    return available


def _subset(predictors: tuple[PredictorDesign, ...], wanted: Mapping[frozenset[str], set[str]]) -> Selection:
    dropped: dict[tuple[PredictorKey, str], tuple[int, ...]] = {}
    kept = []
    for predictor in predictors:
        left_out = set()
        for group in predictor.groups():
            out = _dropped_columns(group, wanted)
            if len(out) == len(group.coefs):
                left_out.add(group.key)
            elif out:
                dropped[predictor.key, group.key] = out
        kept.append(replace(predictor, terms=tuple(t for t in predictor.terms if t.key not in left_out)))
    return Selection(tuple(kept), dropped)


def _dropped_columns(group: AbstractGroupTerm, wanted: Mapping[frozenset[str], set[str]]) -> tuple[int, ...]:
    labels = tuple(wanted.get(frozenset(group.factors), ()))
    return tuple(i for i, coef in enumerate(group.coefs) if find_coefficient(coef, labels) is None)


def _error(fit: AbstractFit, problem: str) -> FormulaError:
    listed = ", ".join(f"`{text}`" for text in _group_texts(fit))
    possible = f"The group-level terms of the model are {listed}." if listed else "The model has no group-level terms."
    return FormulaError(f"{problem} {possible}")


def _group_texts(fit: AbstractFit) -> Iterator[str]:
    yield from dict.fromkeys(part.text for predictor in fit.parsed.predictors for part in predictor.groups)
