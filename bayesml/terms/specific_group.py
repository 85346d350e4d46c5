"""``(cs(x) | g)``: category specific effects that vary over the levels of a grouping factor.

Each column has an effect for every threshold: the k-th threshold of a row of level j becomes tau_k - x r_jk. The
effects of all thresholds are correlated, as those of any columns of one term. Ordinary terms on the same factor stand
in the same table; they move all thresholds alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import names
from bayesml.delegation import delegated
from bayesml.errors import FormulaError
from bayesml.families import AbstractLikelihood
from bayesml.formula import GroupCall, LinearPart, SpecialCall, parse, special_fault
from bayesml.frame import Frame
from bayesml.keys import PredictorKey
from bayesml.namespace import array_namespace
from bayesml.terms.effect_block import EffectBlock
from bayesml.terms.gather import at_rows
from bayesml.terms.group import Group
from bayesml.terms.group_level import AbstractGroupTerm
from bayesml.terms.left_of_bar import CATEGORY_SPECIFIC, has_specific
from bayesml.terms.sampled import SampledBlock, ThresholdBlock

if TYPE_CHECKING:
    from jaxtyping import ArrayLike, Float

    from bayesml.shapes import DataArrays, Values

__all__ = ["SpecificGroup", "ordinary_parts"]

EVERY = -1
"""The place of an effect that moves all thresholds."""


@final
@dataclass(frozen=True)
class SpecificGroup(AbstractGroupTerm):
    """The group-level effects of one factor of which some differ between thresholds.

    Attributes:
        base: the same effects as those of ordinary columns.
        text: the terms as written, for messages.
        specific: of each written term whether its effects differ between thresholds.
        correlated: of each written term whether its effects are correlated.
        sources: of each effect the written column that it multiplies.
        places: of each effect the threshold that it moves, ``EVERY`` for all.
        thresholds: number of thresholds; 0 before it is known.
    """

    base: Group
    text: str
    specific: tuple[bool, ...]
    correlated: tuple[bool, ...]
    sources: tuple[int, ...] = ()
    places: tuple[int, ...] = ()
    thresholds: int = 0

    variables = delegated("base")
    covariates = delegated("base")
    computations = delegated("base")
    parameters = delegated("base")
    prior_rows = delegated("base")
    spellings = delegated("base")
    reported = delegated("base")
    derive = delegated("base")
    sampled = delegated("base")
    simulated = delegated("base")

    @classmethod
    def of(cls, group: Group, parts: Sequence[GroupCall], specific: Sequence[bool]) -> SpecificGroup:
        """Return the term of a group's columns; how many thresholds there are is not known yet."""
        return cls(
            group.predictor, group.factors, group.levels, group.coefs, group.blocks, group.encodings, group,
            " + ".join(part.text for part in parts), tuple(specific), tuple(part.correlated for part in parts),
        )  # fmt: skip

    @property
    def place(self) -> PredictorKey:
        """They move the thresholds rather than mu."""
        return replace(self.predictor, dpar="cs")

    def bound(self, likelihood: AbstractLikelihood) -> SpecificGroup:
        """Return the term with an effect for each threshold.

        Raises:
            FormulaError: the response has none, or groups of rows have their own.
        """
        count = likelihood.thresholds
        if not count or not self.predictor.is_mu:
            raise FormulaError(
                f"`{self.text}`: category specific effects belong to the main formula of an ordinal family such as "
                f"sratio; the family is {likelihood.family.name}."
            )
        if likelihood.threshold_labels != tuple(str(k + 1) for k in range(count)):
            raise FormulaError(
                f"`{self.text}`: category specific effects need the same thresholds in all rows; leave `thres(gr=)` "
                "out."
            )
        sources, places, blocks, start = [], [], [], 0
        for encoding, specific, correlated in zip(self.encodings, self.specific, self.correlated, strict=True):
            own = range(start, start + len(encoding.labels))
            start = own.stop
            cells = [(c, k) for c in own for k in (range(count) if specific else (EVERY,))]
            sources += [c for c, _ in cells]
            places += [k for _, k in cells]
            blocks += [len(cells)] if correlated else [1] * len(cells)
        labels, spreads = self.base.coefs, self.base.spreads
        pairs = list(zip(sources, places, strict=True))
        coefs = tuple(labels[c] if k == EVERY else f"{labels[c]}[{k + 1}]" for c, k in pairs)
        base = replace(self.base, coefs=coefs, blocks=tuple(blocks), spreads=tuple(spreads[c] for c in sources))
        return replace(
            self, base=base, coefs=coefs, blocks=tuple(blocks), sources=tuple(sources), places=tuple(places),
            thresholds=count,
        )  # fmt: skip

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return ``Z``, ``(rows, coefs)``, and ``index`` of the level; -1 for a level not seen in the fit."""
        return {**self.base.arrays(frame), "Z": self.columns(frame)}

    def columns(self, frame: Frame) -> np.ndarray:
        """Return the column of each effect, ``(rows, coefs)``."""
        return self.base.columns(frame)[:, list(self.sources)]

    def effect_blocks(self) -> tuple[EffectBlock, ...]:
        """Return nothing: a row has as many predictors as thresholds, and no engine has such blocks."""
        return ()

    def threshold_block(self) -> ThresholdBlock | None:
        """Return the effects; none where their distribution is another one than a normal of one covariance matrix."""
        blocks = self.base.effect_blocks()
        if len(blocks) != 1 or blocks[0].spread is not None or not blocks[0].index:
            return None
        return ThresholdBlock(SampledBlock.of(blocks[0], self.place, self.key), self.places, self.predictor)

    @property
    def obstacle(self) -> str:
        """What engines have no form for."""
        return f"category specific effects that vary over `{self.name}`"

    def narrowed(
        self, arrays: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray]
    ) -> tuple[SpecificGroup, dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return the term with only those levels that occur, and their effects."""
        base, own, fewer = self.base.narrowed(arrays, values)
        return replace(self, base=base, levels=base.levels), own, fewer

    def contribution(self, values: Values, arrays: DataArrays) -> Float[ArrayLike, "*draws rows thresholds"]:
        """Return sum_c Z[:, c] r[index, c] of the effects on each threshold, ``(..., rows, thresholds)``."""
        effects = values[names.group_effect_variable(self.name, self.predictor)]
        each = [arrays["Z"][:, c] * at_rows(effects[..., c], arrays) for c in range(len(self.coefs))]
        sums = [
            sum(part for part, place in zip(each, self.places, strict=True) if place in (EVERY, k))
            for k in range(self.thresholds)
        ]
        return array_namespace(*each).stack(sums, axis=-1)


def ordinary_parts(parts: Sequence[GroupCall]) -> list[GroupCall]:
    """Return the terms with what is inside ``cs()`` as their columns.

    Raises:
        FormulaError: a term has more than one ``cs()``, or says more about its levels.
    """
    return [_ordinary(part) if has_specific(part) else _plain(part) for part in parts]


def _plain(part: GroupCall) -> GroupCall:
    if part.id or part.by or part.cov or part.has_tails or part.membership is not None:
        raise FormulaError.at(
            f"`{part.text}` stands beside category specific effects of the same factor, which take no identifier, "
            "by=, cov=, dist= or mm(). Give one of them a copy of the column.",
            part.columns.expression.source,
            part.start,
            part.start + len(part.text),
        )
    return part


def _ordinary(part: GroupCall) -> GroupCall:
    call = next(call for call in part.specials if call.name in CATEGORY_SPECIFIC)
    alone = len(part.specials) == 1 and not part.columns.terms and part.columns.intercept
    if not alone:
        raise special_fault(
            f"`{part.text}`: category specific effects stand alone left of the bar, `(cs(0 + x) | g)`; write all "
            "others in a term of their own.",
            call,
        )
    return replace(_plain(part), columns=_inside(call), specials=())


def _inside(call: SpecialCall) -> LinearPart:
    if call.others or call.factors or len(call.arguments) != 1 or call.options:
        raise special_fault("`cs(x)` takes one column, or a sum of columns.", call)
    inside = parse(f"y ~ {call.arguments[0].text}").predictors[0]
    if inside.groups or inside.offsets:
        raise special_fault("`cs()` takes columns, such as `cs(x)`.", call)
    return inside.population
