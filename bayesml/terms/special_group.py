"""``(mo(x) | g)``, ``(me(x, sdx) | g)``, ``(mi(x) | g)``: coefficients of special calls that vary over groups.

A row of level j adds ``sum_k Z_k m_k r_jk``, where m_k is the product of the values of the calls of the k-th column, 1
for ordinary columns. The calls are those of the population-level term of the same name, whose coefficient the effects
move: they share its simplex, or its true values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import names
from bayesml.columns import Computation
from bayesml.delegation import delegated
from bayesml.errors import FormulaError
from bayesml.formula import GroupCall, LinearPart, special_fault
from bayesml.frame import Frame
from bayesml.terms.base import AbstractTerm
from bayesml.terms.context import ModelContext
from bayesml.terms.effect_block import EffectBlock
from bayesml.terms.gather import at_rows
from bayesml.terms.group import Group
from bayesml.terms.group_level import AbstractGroupTerm
from bayesml.terms.sampled import SampledBlock
from bayesml.terms.special_effects import Coefficient, SpecialEffects, is_placeholder, placeholder, with_placeholders
from bayesml.terms.special_factor import numbered, of_place

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values

__all__ = ["SpecialGroup", "columns_of_calls", "labelled", "of_calls"]

NEAR = "near"
"""The array of columns times what their calls are about: the sampler's coordinates need no more."""


@final
@dataclass(frozen=True)
class SpecialGroup(AbstractGroupTerm):
    """The group-level effects of one predictor on one factor, some of which multiply calls such as ``mo(x)``.

    Attributes:
        base: the same effects, of ordinary columns.
        effects: the coefficients of calls in the population, whose calls these are.
        moved: of each effect the coefficient that it moves; None for an ordinary column.
    """

    base: AbstractGroupTerm
    effects: SpecialEffects
    moved: tuple[Coefficient | None, ...]

    tables = delegated("base")
    masked = delegated("base")
    peculiarity = delegated("base")
    parameters = delegated("base")
    prior_rows = delegated("base")
    spellings = delegated("base")
    reported = delegated("base")
    derive = delegated("base")
    derived = delegated("base")
    sampled = delegated("base")
    simulated = delegated("base")
    informed = delegated("base")

    @property
    def variables(self) -> tuple[str, ...]:
        """The grouping columns, those that vary, and those of calls."""
        return tuple(dict.fromkeys([*self.factors, *self.covariates]))

    @property
    def covariates(self) -> tuple[str, ...]:
        """The columns that vary and those of calls."""
        own = [name for name in self.base.covariates if not is_placeholder(name)]
        return tuple(dict.fromkeys([*own, *self.effects.variables]))

    def computations(self) -> tuple[Computation, ...]:
        """Return the factors of what varies, and the calls."""
        own = tuple(part for part in self.base.computations() if not is_placeholder(part.text))
        return (*own, *(call.computation() for call in self.effects.calls))

    @property
    def rows_commute(self) -> bool:
        """Where those of all calls may."""
        return self.effects.rows_commute

    @property
    def reads(self) -> frozenset[str]:
        """Those of its calls."""
        return self.effects.reads

    def in_model(self, model: ModelContext) -> SpecialGroup:
        """Return the term whose calls know the responses."""
        return replace(self, effects=self.effects.in_model(model))

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return ``Z`` and ``index`` as of ordinary columns, and the arrays of the calls."""
        return self._with_calls(frame, [call.arrays(frame) for call in self.effects.calls])

    def own_arrays(self, model: ModelContext) -> dict[str, np.ndarray]:
        """Return the same of the rows of the fit."""
        return self._with_calls(model.frame, [call.own_arrays(model) for call in self.effects.calls])

    def _with_calls(self, frame: Frame, of_calls: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        every = self.base.arrays(with_placeholders(frame, len(of_calls)))
        near = np.array(every["Z"], dtype=float)
        for k, coefficient in enumerate(self.moved):
            for number in () if coefficient is None else coefficient.calls:
                near[:, k] *= np.asarray(of_calls[number][self.effects.calls[number].averaged]).mean(axis=1)
        for place, arrays in enumerate(of_calls):
            every |= numbered(arrays, place)
        return {**every, NEAR: near}

    def columns(self, frame: Frame) -> np.ndarray:
        """Return the varying columns, without their calls."""
        return self.base.columns(with_placeholders(frame, len(self.effects.calls)))

    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Return sum_k Z[:, k] m_k r[index, k]."""
        effects = values[names.group_effect_variable(self.name, self.predictor)]
        total: Numbers = 0.0
        for k, coefficient in enumerate(self.moved):
            own = arrays["Z"][:, k] * at_rows(effects[..., k], arrays)
            if coefficient is not None:
                for number, site in zip(coefficient.calls, coefficient.sites, strict=True):
                    own = own * self.effects.calls[number].value(values, site, of_place(arrays, number))
            total = total + own
        return total

    # For engines ------------------------------------------------------------------------------------------------------

    def effect_blocks(self) -> tuple[EffectBlock, ...]:
        """Return nothing: what the effects multiply depends on parameters."""
        return ()

    @property
    def obstacle(self) -> str:
        """What engines have no form for."""
        calls = [self.effects.calls[i].spelling for c in self.moved if c is not None for i in c.calls]
        return f"effects of `{calls[0]}` that vary over `{self.name}`"

    def sampled_blocks(self) -> tuple[SampledBlock, ...]:
        """Return the effects as those of columns that are near to the product with their calls."""
        return tuple(
            replace(block, parts=tuple(replace(part, array=NEAR) for part in block.parts))
            for block in self.base.sampled_blocks()
        )

    # All others are those of ordinary columns -------------------------------------------------------------------------

    def joined(self, terms: tuple[AbstractTerm, ...]) -> AbstractTerm:
        """Return the term with what it shares with those of other predictors: degrees of freedom of its factor."""
        base = self.base.joined(tuple(t.base if isinstance(t, SpecialGroup) else t for t in terms))
        assert isinstance(base, AbstractGroupTerm)
        return replace(self, base=base)

    def renumbered(
        self, arrays: Mapping[str, np.ndarray], frame: Frame
    ) -> tuple[tuple[str, ...], Mapping[str, np.ndarray]]:
        """Number new levels."""
        return self.base.renumbered(arrays, frame)

    def with_new_levels(self, arrays: Mapping[str, np.ndarray], labels: Sequence[str]) -> AbstractGroupTerm:
        """Return the term with what it knows of new levels."""
        return replace(self, base=self.base.with_new_levels(arrays, labels))

    def narrowed(
        self, arrays: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray]
    ) -> tuple[AbstractTerm, dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return the term with only those levels that occur, and their effects."""
        base, own, fewer = self.base.narrowed(arrays, values)
        assert isinstance(base, AbstractGroupTerm)
        return replace(self, base=base, levels=base.levels), own, fewer


def columns_of_calls(part: GroupCall, effects: SpecialEffects) -> GroupCall:
    """Return the term with placeholders for its calls, behind its ordinary columns.

    Raises:
        FormulaError: a call is no part of the population-level terms, or the term says more about its levels.
    """
    if not part.specials:
        return part
    if part.id or part.by or part.membership is not None or part.prior_weights:
        said = "mm()" if part.membership is not None else "an identifier" if part.id else "by=" if part.by else "pw="
        raise FormulaError.at(
            f"`{part.text}`: `{part.specials[0].spelling}` and {said} are not available in one group term; write the "
            "call in a term of its own, for a copy of the grouping column.",
            part.columns.expression.source,
            part.start,
            part.start + len(part.text),
        )
    places = {call.spelling: i for i, call in enumerate(effects.calls)}
    terms = []
    for call in part.specials:
        for each in (call, *call.others):
            if each.spelling not in places:
                raise special_fault(
                    f"`{part.text}` moves the coefficient of `{call.term}`, which is not there; write `{call.term}` "
                    "among the terms without a bar too.",
                    call,
                )
        terms.append(tuple(placeholder(places[p]) if p in places else p for p in call.ordered))
    columns = part.columns
    return replace(
        part, columns=LinearPart(columns.intercept, (*columns.terms, *terms), columns.expression), specials=()
    )


def labelled(group: Group, effects: SpecialEffects) -> Group:
    """Return the columns with the labels of the calls in them."""
    return replace(group, coefs=tuple(effects.spelled(label) for label in group.coefs))


def of_calls(base: AbstractGroupTerm, effects: SpecialEffects, parts: Sequence[GroupCall]) -> AbstractGroupTerm:
    """Return the term some of whose columns are products with calls.

    Raises:
        FormulaError: such a product has no coefficient in the population.
    """
    known = {coefficient.label: coefficient for coefficient in effects.coefficients}
    encoded = [label for encoding in base.encodings for label in encoding.labels]
    for label, column in zip(base.coefs, encoded, strict=True):
        if label != column and label not in known:
            raise FormulaError(
                f"`{' + '.join(part.text for part in parts)}` moves the coefficient `{label}`, which is not there; the "
                f"population has {', '.join(f'`{each}`' for each in known)}. Write the same products on both sides."
            )
    moved = tuple(known.get(label) for label in base.coefs)
    return SpecialGroup(
        base.predictor, base.factors, base.levels, base.coefs, base.blocks, base.encodings, base, effects, moved,
        title=base.title,
    )  # fmt: skip
