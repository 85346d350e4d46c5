"""The linear predictors of a model: what each row's density is a function of, and the columns and blocks behind them.

A row has one linear predictor for each parameter with a formula, and one for each threshold of category specific
effects; they stand one after the other, those of the first parameter in all rows first. A nonlinear formula is no
linear predictor but a function of those of its parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml import names
from bayesml.design import PredictorDesign
from bayesml.keys import PredictorKey
from bayesml.linalg import AbstractBlock, GroupBlock
from bayesml.terms import (
    AbstractEffects,
    AbstractGroupTerm,
    AbstractTerm,
    EffectBlock,
    SlopeColumns,
    group_terms,
    known_addend,
)
from bayesml.terms.shared_effects import SharedEffects

__all__ = ["SharedSlotBlock", "Slot", "SlotBlock", "SlotColumns", "Slots", "TermArrays"]

TermArrays = Mapping[PredictorKey, Mapping[str, Mapping[str, np.ndarray]]]
"""Arrays of the terms of every predictor."""


@final
@dataclass(frozen=True)
class Slot:
    """The linear predictors of one parameter.

    Attributes:
        key: the parameter.
        start: place of the first of them.
        width: how many there are: 1, or the number of thresholds.
    """

    key: PredictorKey
    start: int
    width: int


@final
@dataclass(frozen=True)
class SlotColumns:
    """Columns of one term, whose coefficients are estimated one by one.

    Attributes:
        slot: the linear predictors that they belong to.
        term: the term.
        part: what the term says of them.
    """

    slot: Slot
    term: AbstractTerm
    part: SlopeColumns

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the coefficients among those of the whole model: ``x``, ``sigma_x``."""
        return tuple(names.prefixed(label, self.term.predictor) for label in self.part.labels)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the reported variable."""
        count, width = len(self.part.labels), self.part.width
        return (count,) if width == 1 else (count // width, width)

    def stacked(self, arrays: TermArrays, count: int, rows: int, centred: bool) -> np.ndarray:
        """Return the columns over ``count`` linear predictors of each row, ``(count * rows, coefs)``.

        They are 0 where the arrays are those of another of several responses.
        """
        if self.slot.key not in arrays:
            return np.zeros((count * rows, len(self.part.labels)))
        X = np.asarray(arrays[self.slot.key][self.term.key][self.part.array], dtype=float)
        X = X - np.asarray(self.part.center) if centred and self.part.center else X
        out = np.zeros((count, len(X), len(self.part.labels)))
        for k in range(self.part.width):
            out[self.slot.start + k, :, k :: self.part.width] = X
        return out.reshape(count * len(X), -1)


@final
@dataclass(frozen=True)
class SlotBlock:
    """A block of effects of one term.

    Attributes:
        slot: the linear predictor that it belongs to.
        term: the term.
        effects: what the block is.
    """

    slot: Slot
    term: AbstractTerm
    effects: EffectBlock

    @property
    def estimated(self) -> AbstractTerm:
        """The term in the form that the numerics use."""
        return self.term.eliminated if isinstance(self.term, AbstractGroupTerm) else self.term

    @property
    def entries(self) -> tuple[tuple[AbstractGroupTerm, np.ndarray], ...]:
        """The term, where it is group-level, with the places of its effects in the vector of their level."""
        return ((self.term, self.term.own_entries),) if isinstance(self.term, AbstractGroupTerm) else ()

    def stacked(self, arrays: TermArrays, count: int) -> AbstractBlock | None:
        """Return the block over ``count`` linear predictors of each row; its columns are 0 in all but its own.

        None where the arrays do not have the term.
        """
        if self.term.key not in arrays.get(self.slot.key, {}):
            return None
        own = self.effects.design(arrays[self.slot.key][self.term.key])
        Z = np.zeros((count, *own.Z.shape))
        Z[self.slot.start] = own.Z
        labels = tuple(names.prefixed(label, self.term.predictor) for label in own.labels())
        labels = labels if self.effects.has_levels else ()
        return replace(
            own, codes=np.tile(own.codes, count), Z=Z.reshape(-1, own.Z.shape[1]), columns=labels or own.columns
        )


@final
@dataclass(frozen=True)
class SharedSlotBlock:
    """A block of effects that several predictors have parts of.

    Attributes:
        slots: the linear predictor of each part.
        term: the first of the terms.
        others: the other ones.
        effects: what the block is.
    """

    slots: tuple[Slot, ...]
    term: AbstractGroupTerm
    others: tuple[AbstractGroupTerm, ...]
    effects: SharedEffects

    @property
    def estimated(self) -> AbstractGroupTerm:
        """The term in the form that the numerics use: the columns of all predictors, each with its label."""
        return self.effects.estimated

    @property
    def entries(self) -> tuple[tuple[AbstractGroupTerm, np.ndarray], ...]:
        """Each term with ``(levels, coefs)`` the places of its effects in the vector of their level."""
        vectors = self.effects.vectors
        own = (np.broadcast_to(s.places, (vectors, s.places.shape[1])) for s in self.effects.shares)
        return tuple(zip((self.term, *self.others), own, strict=True))

    def stacked(self, arrays: TermArrays, count: int) -> AbstractBlock | None:
        """Return the block over ``count`` linear predictors of each row; None where the arrays have none of its terms.

        Its columns are 0 in all linear predictors but their own, and for terms that the arrays do not have.
        """
        own = [
            (slot, share, arrays[share.predictor][share.key])
            for slot, share in zip(self.slots, self.effects.shares, strict=True)
            if share.key in arrays.get(share.predictor, {})
        ]
        if not own:
            return None
        codes = own[0][2][self.effects.index]
        Z = np.zeros((count, len(codes), len(self.effects.coefs)))
        for slot, share, part in own:
            Z[slot.start][:, list(share.entries)] = part["Z"]
        of, columns = self.effects, Z.reshape(-1, Z.shape[2])
        return GroupBlock(of.name, np.tile(codes, count), of.vectors, columns, of.sizes, of.coefs)


@final
@dataclass(frozen=True)
class Slots:
    """The linear predictors of a model.

    Attributes:
        predictors: the predictors of the model, or those of them that are requested.
        slots: the linear predictors.
    """

    predictors: tuple[PredictorDesign, ...]
    slots: tuple[Slot, ...]

    @classmethod
    def of(cls, predictors: Sequence[PredictorDesign]) -> Slots:
        """Give each predictor that is a sum of terms its place."""
        slots, start = [], 0
        for predictor in predictors:
            if any(term.is_function for term in predictor.terms):
                continue
            width = max((part.width for term in predictor.terms if (part := term.slope_columns())), default=1)
            slots.append(Slot(predictor.key, start, width))
            start += width
        return cls(tuple(predictors), tuple(slots))

    def of_response(self, resp: str) -> Slots:
        """Return the linear predictors of one of several responses, at the places that they have among all."""
        predictors = tuple(p for p in self.predictors if p.key.resp == resp)
        return Slots(predictors, tuple(slot for slot in self.slots if slot.key.resp == resp))

    @property
    def count(self) -> int:
        """Number of linear predictors of a row."""
        return sum(slot.width for slot in self.slots)

    def terms(self) -> Iterator[tuple[Slot, AbstractTerm]]:
        """Yield every term of a sum with its place."""
        by_key = {slot.key: slot for slot in self.slots}
        yield from ((by_key[p.key], term) for p in self.predictors if p.key in by_key for term in p.terms)

    def columns(self) -> tuple[SlotColumns, ...]:
        """Return the columns of all terms."""
        return tuple(SlotColumns(slot, term, part) for slot, term in self.terms() if (part := term.slope_columns()))

    def blocks(self) -> tuple[SlotBlock | SharedSlotBlock, ...]:
        """Return the blocks of all terms, those over the levels of factors first."""
        every = [self._block(slot, term, own) for slot, term in self.terms() for own in term.joint_effects()]
        return tuple(sorted(every, key=lambda block: not block.effects.has_levels))

    def _block(self, slot: Slot, term: AbstractTerm, effects: AbstractEffects) -> SlotBlock | SharedSlotBlock:
        if isinstance(effects, EffectBlock):
            return SlotBlock(slot, term, effects)
        assert isinstance(effects, SharedEffects)
        places = {(slot.key, term.key): (slot, term) for slot, term in self.terms()}
        parts = [places[share.predictor, share.key] for share in effects.shares]
        first, *others = group_terms(own for _, own in parts)
        return SharedSlotBlock(tuple(own for own, _ in parts), first, tuple(others), effects)

    def others(self) -> tuple[tuple[Slot, AbstractTerm], ...]:
        """Return the terms that are not linear in coefficients."""
        return tuple((slot, term) for slot, term in self.terms() if not term.is_linear_jointly)

    def X(self, arrays: TermArrays, rows: int, *, centred: bool) -> np.ndarray:
        """Return all columns, ``(count * rows, coefs)``.

        Args:
            arrays: arrays of the terms.
            rows: number of rows.
            centred: whether columns are those for thresholds of centred predictors.
        """
        parts = [part.stacked(arrays, self.count, rows, centred) for part in self.columns()]
        return np.concatenate([np.zeros((self.count * rows, 0)), *parts], axis=1)

    def offset(self, arrays: TermArrays, rows: int) -> np.ndarray | None:
        """Return what is added without any parameter, ``(count * rows,)``; None where that is nothing."""
        out, found = np.zeros((self.count, rows)), False
        terms = {p.key: p.terms for p in self.predictors}
        for slot in self.slots:
            if slot.key not in arrays:
                continue
            own = arrays[slot.key]  # without group effects, where these were left out
            addend = known_addend((term for term in terms[slot.key] if term.key in own), own)
            if addend is not None:
                out[slot.start] = addend
                found = True
        return out.ravel() if found else None
