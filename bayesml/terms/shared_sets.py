"""Which columns of several predictors are correlated: the sets that terms on one factor form by identifiers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, combinations
from typing import final

from bayesml.keys import MU, PredictorKey

__all__ = ["CorrelatedSet", "MemberColumns", "correlated_sets", "sharing"]


@final
@dataclass(frozen=True)
class MemberColumns:
    """The columns of one predictor.

    Attributes:
        predictor: the predictor.
        coefs: the columns.
        blocks: sizes of the sets that are correlated.
        ids: identifier of each set that is correlated with others, empty for all other sets.
    """

    predictor: PredictorKey
    coefs: tuple[str, ...]
    blocks: tuple[int, ...]
    ids: tuple[str, ...]

    def sets(self) -> Iterator[tuple[str, int, range]]:
        """Yield identifier, number and columns of each set."""
        ends = accumulate(self.blocks)
        for i, (identity, size, end) in enumerate(zip(self.ids, self.blocks, ends, strict=True)):
            yield identity, i, range(end - size, end)

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The pairs of columns that no identifier has."""
        return tuple(pair for identity, _, own in self.sets() if not identity for pair in combinations(own, 2))


def sharing(every: Sequence[MemberColumns]) -> tuple[MemberColumns, ...]:
    """Return the columns of the predictors that have an identifier in common with another, less their other ones."""
    counts = Counter(identity for columns in every for identity in columns.ids if identity)
    kept = (replace(own, ids=tuple(i if counts[i] > 1 else "" for i in own.ids)) for own in every)
    return tuple(columns for columns in kept if any(columns.ids))


CorrelatedSet = tuple[str, PredictorKey, int]
"""A correlated set: its identifier, or the predictor that has it alone with its number there."""


def correlated_sets(together: Sequence[MemberColumns]) -> dict[CorrelatedSet, list[tuple[PredictorKey, int]]]:
    """Return the columns of each set, as predictor and place there."""
    found: dict[CorrelatedSet, list[tuple[PredictorKey, int]]] = {}
    for columns in together:
        for identity, i, own in columns.sets():
            key = (identity, MU, 0) if identity else ("", columns.predictor, i)
            found.setdefault(key, []).extend((columns.predictor, k) for k in own)
    return found
