"""Rows that belong to several levels at once, ``(1 | mm(g1, g2, weights=cbind(w1, w2)))``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.columns import Computation, evaluate, offset_computation, variables_of
from bayesml.errors import DataError
from bayesml.formula import Expression, GroupCall, special_fault
from bayesml.frame import Frame, Levels, recode
from bayesml.frame.values import Value
from bayesml.terms.base import Functions

__all__ = ["MemberColumns", "Members"]


@final
@dataclass(frozen=True)
class MemberColumns:
    """``mmc(x1, x2)``: a column that varies, with values of its own for each member."""

    expressions: tuple[Expression, ...]

    @property
    def label(self) -> str:
        """How brms calls it: ``mmcx1x2``."""
        return "mmc" + "".join("".join(expression.text.split()) for expression in self.expressions)

    @property
    def spread(self) -> str:
        """The first expression, for messages."""
        return self.expressions[0].text


@final
@dataclass(frozen=True)
class Members:
    """The columns that say to which levels a row belongs, and how much.

    Attributes:
        factors: a column for each member.
        weights: their weights; empty where all count the same.
        scale: whether the weights of a row are divided by their sum.
        covariates: the columns that differ between the members.
        functions: the caller's own functions.
        text: the term as written, for messages.
        by: for each member the column with the stratum of its level; empty where there are no strata.
    """

    factors: tuple[str, ...]
    weights: tuple[Expression, ...]
    scale: bool
    covariates: tuple[MemberColumns, ...]
    functions: Functions
    text: str
    by: tuple[str, ...] = ()

    @classmethod
    def of(cls, part: GroupCall, functions: Functions) -> Members:
        """Read the term.

        Raises:
            FormulaError: ``mmc()`` has another number of columns than there are members.
        """
        assert part.membership is not None
        covariates = []
        for call in part.specials:
            if call.options or len(call.arguments) != len(part.factors) or call.factors or call.others:
                raise special_fault(
                    f"`{call.term}`: `mmc()` takes one column for each of the {len(part.factors)} members of "
                    f"`mm({', '.join(part.factors)})`, and stands alone.",
                    call,
                )
            covariates.append(MemberColumns(call.arguments))
        membership = part.membership
        return cls(
            part.factors, membership.weights, membership.scale, tuple(covariates), functions, part.text, membership.by
        )

    @property
    def strata(self) -> Members:
        """The strata as if they were levels."""
        return Members(self.by, (), True, (), self.functions, self.text)

    @property
    def name(self) -> str:
        """Name of the group as in brms, ``mmg1g2``."""
        return "mm" + "".join(self.factors)

    @property
    def expressions(self) -> Iterator[Expression]:
        """The expressions of weights and covariates."""
        yield from self.weights
        yield from (expression for each in self.covariates for expression in each.expressions)

    @property
    def variables(self) -> tuple[str, ...]:
        """Data columns of weights and covariates."""
        return tuple(dict.fromkeys(v for e in self.expressions for v in variables_of(e.text)))

    def computations(self) -> tuple[Computation, ...]:
        """Return weights and covariates."""
        return tuple(offset_computation(expression, self.functions) for expression in self.expressions)

    def levels(self, frame: Frame) -> Levels:
        """Return the levels that occur in any of the columns, in order."""
        found: dict[Value, None] = {}
        for name in self.factors:
            codes, values = frame.column(name).distinct()
            used = set(np.unique(codes).tolist())
            found.update(dict.fromkeys(value for i, value in enumerate(values) if i in used))
        values = tuple(found)
        kinds = {isinstance(value, str) for value in values}
        if len(kinds) > 1:
            raise DataError(
                f"The members of `{self.text}` share their levels, but some of the columns "
                f"{', '.join(f'`{name}`' for name in self.factors)} hold text and others numbers; convert them."
            )
        ordered = [frame.column(name).ordered for name in self.factors]
        if not any(ordered):
            values = tuple(sorted(values, key=lambda value: (value is None, value)))  # type: ignore[arg-type,return-value]
        return Levels((values,), np.arange(len(values))[:, None])

    def index(self, frame: Frame, levels: Levels) -> np.ndarray:
        """Return the level of each member of each row, ``(rows, members)``; -1 for a new one."""
        columns = []
        for name in self.factors:
            codes, values = frame.column(name).distinct()
            columns.append(recode(codes, values, levels.values[0]))
        return np.stack(columns, axis=1)

    def new(self, frame: Frame, levels: Levels) -> tuple[tuple[str, ...], np.ndarray]:
        """Return the labels of levels that ``levels`` has not, and the index with numbers for these."""
        every = self.levels(frame)
        index = self.index(frame, levels)
        own = self.index(frame, every)
        unseen = np.unique(own[index < 0])
        place = np.full(len(every), -1, dtype=np.int64)
        place[unseen] = len(levels) + np.arange(len(unseen))
        return tuple(every.labels[i] for i in unseen), np.where(index < 0, place[own], index)

    def row_weights(self, frame: Frame) -> np.ndarray:
        """Return the weights ``(rows, members)``, of which those of a row add up to 1 unless they are not scaled.

        Raises:
            DataError: weights that are to be scaled are negative, or those of a row add up to 0.
        """
        count = len(self.factors)
        if not self.weights:
            return np.full((frame.n_rows, count), 1.0 / count)
        weights = np.stack([evaluate(expression, frame, self.functions) for expression in self.weights], axis=1)
        if not self.scale:
            return weights
        negative = np.argwhere(weights < 0)
        if negative.size:
            row, member = negative[0]
            raise DataError(
                f"The weight of `{self.factors[member]}` in `{self.text}` is {weights[row, member]:g} in row "
                f"{frame.rows[row] + 1} (counting from 1); weights that are divided by their sum are not negative. "
                "Write scale=False for weights of any sign."
            )
        total = weights.sum(axis=1)
        wrong = np.flatnonzero(~(np.abs(total) > 0))
        if wrong.size:
            raise DataError(
                f"The weights in `{self.text}` add up to 0 in row {frame.rows[wrong[0]] + 1} (counting from 1), so "
                "that they cannot be divided by their sum. Give that row weights, or write scale=False."
            )
        return np.asarray(weights / total[:, None])

    def columns(self, frame: Frame, plain: np.ndarray) -> np.ndarray:
        """Return the varying columns: ``(rows, coefs)``, or ``(rows, members, coefs)`` where members have their own.

        Args:
            frame: the data.
            plain: the columns that all members share, ``(rows, coefs)``.
        """
        if not self.covariates:
            return plain
        shared = np.broadcast_to(plain[:, None, :], (len(plain), len(self.factors), plain.shape[1]))
        own = [
            np.stack([evaluate(expression, frame, self.functions) for expression in each.expressions], axis=1)
            for each in self.covariates
        ]
        return np.concatenate([shared, np.stack(own, axis=2)], axis=2)
