"""Group-level terms with strata, ``(x | gr(g, by=f))``: the levels of each have a covariance matrix of their own.

Every level of g belongs to one level of f, its stratum. With s(j) the stratum of level j,

    r_j = diag(sd_s(j)) L_s(j) z_j.

Engines see the same as an ordinary term with a column for each stratum, Z_ks = Z_k [s = s(j)], whose blocks of columns,
one or more for each stratum, are independent of each other: the columns of other strata are zero in every row of a
level, so that they change nothing, and their z keep the standard normal distribution.

With an identifier, ``(1 | id | gr(g, by=f))``, the effects of one stratum are correlated with those that other
predictors have in the same stratum: the ordinary term is a ``SharedGroup`` whose identifiers are those of the strata.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import names
from bayesml.delegation import delegated
from bayesml.errors import DataError
from bayesml.formula import GroupCall, quote_name
from bayesml.frame import Frame, Levels, match_codes
from bayesml.namespace import array_namespace
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.spec import ParameterSpec
from bayesml.terms.base import AbstractTerm
from bayesml.terms.effect_block import AbstractEffects, EffectBlock
from bayesml.terms.gather import at_rows
from bayesml.terms.group import Group
from bayesml.terms.group_level import AbstractGroupTerm
from bayesml.terms.sampled import SampledBlock
from bayesml.terms.shared_group import SharedGroup, rows_across
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values

__all__ = ["StratifiedGroup", "stratified"]

LISTED = 5


@final
@dataclass(frozen=True)
class StratifiedGroup(AbstractGroupTerm):
    """The group-level effects of one predictor on one factor whose levels lie in strata.

    Attributes:
        spreads: typical size of each column.
        by: the column of the strata.
        by_levels: the strata.
        strata: ``(levels,)`` the stratum of each level.
        by_columns: where a row has several levels, the columns of their strata; then ``by`` is what these are called.
        ids: identifier of each block of columns; empty where none has one.
        joint: ``eliminated`` with the columns of other predictors that share effects; None where none does.
    """

    spreads: tuple[float, ...]
    by: str
    by_levels: Levels
    strata: tuple[int, ...]
    by_columns: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    joint: SharedGroup | None = None

    computations = delegated("plain")
    columns = delegated("plain")

    spellings = delegated("eliminated")
    sampled = delegated("eliminated")

    @property
    def plain(self) -> Group:
        """The effects without their strata: how columns come from data, names of effects."""
        return Group(
            self.predictor, self.factors, self.levels, self.coefs, self.blocks, self.encodings, self.spreads,
            title=self.title,
        )  # fmt: skip

    @property
    def eliminated(self) -> Group | SharedGroup:
        """The term with a column for each stratum."""
        return self._spread_out if self.joint is None else self.joint

    @property
    def _spread_out(self) -> Group:
        count = len(self.by_levels)
        labels = tuple(f"{coef}:{self.by}[{stratum}]" for stratum in self.by_levels.labels for coef in self.coefs)
        return replace(self.plain, coefs=labels, blocks=self.blocks * count, spreads=self.spreads * count)

    @property
    def variables(self) -> tuple[str, ...]:
        """The grouping columns, that of the strata and those that vary."""
        return tuple(dict.fromkeys([*self.plain.variables, *(self.by_columns or (self.by,))]))

    @property
    def covariates(self) -> tuple[str, ...]:
        """The column of the strata and those that vary."""
        return tuple(dict.fromkeys([*self.plain.covariates, *(self.by_columns or (self.by,))]))

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return ``Z`` ``(rows, strata x coefs)``, ``index`` of the level, -1 for a new one, and ``stratum``.

        Raises:
            DataError: a stratum is new, or a level lies in another one than in the data of the fit.
        """
        index = match_codes(frame, self.factors, self.levels)
        stratum = match_codes(frame, (self.by,), self.by_levels)
        if (stratum < 0).any():
            _, levels = frame.interaction((self.by,))
            known = ", ".join(f"`{label}`" for label in self.by_levels.labels)
            new = next(label for label in levels.labels if label not in self.by_levels.labels)
            raise DataError(
                f"The column `{self.by}`, by which the levels of `{self.name}` lie in strata, has the level `{new}`, "
                f"which the fit has not seen; it knows {known}."
            )
        fixed = np.append(self.strata, -1)[index]
        moved = np.flatnonzero((index >= 0) & (fixed != stratum))
        if moved.size:
            first = int(moved[0])
            names_of = self.by_levels.labels
            raise DataError(
                f"The level `{self.levels.labels[index[first]]}` of `{self.name}` has `{self.by}` = "
                f"{names_of[stratum[first]]} in row {frame.rows[first] + 1} (counting from 1), and "
                f"{names_of[fixed[first]]} in the data of the fit; a level lies in one stratum."
            )
        # each row has its stratum in "stratum", which engines do not read
        return {"Z": self._spread(self.plain.columns(frame), stratum), "index": index, "stratum": stratum}

    def _spread(self, columns: np.ndarray, stratum: np.ndarray) -> np.ndarray:
        """Return the columns of each stratum, zero in the rows of all others."""
        inside = stratum[:, None] == np.arange(len(self.by_levels))
        return np.asarray((inside[:, :, None] * columns[:, None, :]).reshape(len(columns), -1), dtype=float)

    def masked(self, arrays: Mapping[str, np.ndarray], columns: tuple[int, ...]) -> Mapping[str, np.ndarray]:
        """Set the columns of all strata to zero."""
        q = len(self.coefs)
        places = tuple(stratum * q + column for stratum in range(len(self.by_levels)) for column in columns)
        return self.plain.masked(arrays, places)

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return the parameters of ``eliminated``; a prior of standard deviations holds in all strata, as in brms."""
        sd, *others = self.eliminated.parameters(scale)
        return (replace(sd, prior_coefs=self.coefs * len(self.by_levels)), *others)

    def prior_rows(self, defaults: DefaultPriors) -> Iterator[PriorRow]:
        """Yield the rows of a term without strata."""
        return self.plain.prior_rows(defaults) if self.joint is None else rows_across(self.plain, defaults)

    @property
    def obstacle(self) -> str:
        """What it is, for engines that take the effects of single predictors alone."""
        return self.eliminated.obstacle

    def reported(self) -> tuple[ReportedVariable, ...]:
        """Return standard deviations and correlations of each stratum, and effects."""
        strata = [v for v in self.eliminated.reported() if v.kind != "r"]
        return (*strata, *(v for v in self.plain.reported() if v.kind == "r"))

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return ``r`` ``(levels, coefs)`` and, with a correlated block, the correlations."""
        derived = self.eliminated.derive(values)
        name = names.group_effect_variable(self.name, self.predictor)
        return {**derived, name: self.combined(derived[name])}

    def combined(self, effects: Numbers) -> Numbers:
        """Return the effects of each level's own stratum, ``(..., levels, coefs)``, out of those of all strata."""
        xp, q = array_namespace(effects), len(self.coefs)
        own = np.equal.outer(np.asarray(self.strata), np.arange(len(self.by_levels)))
        parts = [xp.where(own[:, s, None], effects[..., s * q : (s + 1) * q], 0.0) for s in range(len(self.by_levels))]
        return sum(parts[1:], parts[0])

    @property
    def own_entries(self) -> np.ndarray:
        """``(levels, coefs)`` the columns of the stratum of each level."""
        q = len(self.coefs)
        return np.asarray(self.strata)[:, None] * q + np.arange(q)

    def simulated(
        self, values: Mapping[str, np.ndarray], rng: np.random.Generator, count: int, shared: dict[str, np.ndarray]
    ) -> np.ndarray:
        """Draw effects of new levels, whose strata ``with_new_levels`` has found."""
        new = replace(self, strata=self.strata[-count:])
        return np.asarray(new.combined(self.eliminated.simulated(values, rng, count, shared)))

    def with_new_levels(self, arrays: Mapping[str, np.ndarray], labels: Sequence[str]) -> AbstractGroupTerm:
        """Return the term with the strata of new levels behind those of its own.

        Raises:
            DataError: a new level lies in several strata.
        """
        known, index, stratum = len(self.levels), arrays["index"], arrays["stratum"]
        strata = []
        for level in range(known, known + len(labels)):
            strata_of_level = np.unique(stratum[index == level])
            if len(strata_of_level) > 1:
                listed = ", ".join(f"`{self.by_levels.labels[s]}`" for s in strata_of_level)
                raise DataError(
                    f"A new level of `{self.name}` in the new data has several values of `{self.by}` ({listed}); a "
                    "level lies in one stratum."
                )
            strata.append(int(strata_of_level[0]))
        return replace(self, strata=(*self.strata[:known], *strata))

    def donors(self, rng: np.random.Generator, draws: int, count: int) -> np.ndarray:
        """Return for each new level random known ones of its stratum, ``(draws, count)``."""
        stratum_of_level = np.asarray(self.strata[: len(self.levels)])
        each = [np.flatnonzero(stratum_of_level == s) for s in self.strata[len(stratum_of_level) :]]
        return np.stack([places[rng.integers(len(places), size=draws)] for places in each], axis=1)

    def narrowed(
        self, arrays: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray]
    ) -> tuple[AbstractTerm, dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return the effects of only those levels that occur, see ``Group``."""
        used = np.unique(arrays["index"])
        term, own, fewer = self.plain.narrowed(arrays, values)
        if not fewer:
            return self, own, fewer
        return replace(self, levels=term.levels, strata=tuple(self.strata[j] for j in used)), own, fewer

    def prior_warnings(self, arrays: Mapping[str, np.ndarray]) -> Iterator[str]:
        """Yield a sentence for each covariate far from zero beside a correlated intercept."""
        return self.plain.prior_warnings({"Z": self.plain_columns(arrays)})

    def plain_columns(self, arrays: DataArrays) -> Numbers:
        """Return the columns of each row's own stratum, ``(rows, coefs)``."""
        q, Z = len(self.coefs), arrays["Z"]
        return sum((Z[:, s * q : (s + 1) * q] for s in range(1, len(self.by_levels))), Z[:, :q])

    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Return sum_k Z[:, k] r[index, k]."""
        effects = values[names.group_effect_variable(self.name, self.predictor)]
        columns = self.plain_columns(arrays)
        return sum(columns[:, k] * at_rows(effects[..., k], arrays) for k in range(len(self.coefs)))

    def joined(self, terms: tuple[AbstractTerm, ...]) -> AbstractTerm:
        """Return the term with the parts that other predictors have in the effects of its strata."""
        if not self.ids:
            return self
        alike = [t for t in terms if isinstance(t, StratifiedGroup) and t.ids and t.factors == self.factors]
        joint = self._with_ids().joined(tuple(t._with_ids() for t in alike))
        return replace(self, joint=joint if isinstance(joint, SharedGroup) else None)

    def _with_ids(self) -> SharedGroup:
        """Return the term with a column for each stratum, whose identifiers are those of the strata."""
        whole, labels = self._spread_out, self.by_levels.labels
        ids = tuple(f"{identity}__{label}" if identity else "" for label in labels for identity in self.ids)
        return SharedGroup(
            whole.predictor, whole.factors, whole.levels, whole.coefs, whole.blocks, whole.encodings, ids,
            whole.spreads, title=whole.title,
        )  # fmt: skip

    @property
    def is_linear_jointly(self) -> bool:
        """Whether its effects are in ``joint_effects``."""
        return True

    def joint_effects(self) -> tuple[AbstractEffects, ...]:
        """Return its block, or that of all predictors that share effects, at the first of them."""
        if self.joint is None:
            return self.effect_blocks()
        return tuple(block.in_strata(self.strata, len(self.by_levels)) for block in self.joint.joint_effects())

    def sampled_blocks(self) -> tuple[SampledBlock, ...]:
        """Return the blocks of ``eliminated``."""
        return AbstractGroupTerm.sampled_blocks(self) if self.joint is None else self.joint.sampled_blocks()

    def effect_blocks(self) -> tuple[EffectBlock, ...]:
        """Return the block of ``eliminated``, whose reported effects are those of the levels' own strata."""
        own = tuple(tuple(int(place) for place in row) for row in self.own_entries)
        return tuple(replace(block, reported=own) for block in self.eliminated.effect_blocks())


def stratified(group: Group, part: GroupCall, ids: tuple[str, ...], frame: Frame) -> StratifiedGroup:
    """Return the term with the strata of its levels.

    Args:
        group: the term without strata.
        part: the first of the calls.
        ids: identifier of each block of columns; empty where none has one.
        frame: the data.

    Raises:
        DataError: a level lies in several strata.
    """
    codes, _ = frame.interaction(group.factors)
    strata, by_levels = frame.interaction((part.by,))
    first = np.zeros(len(group.levels), dtype=int)
    first[codes[::-1]] = strata[::-1]
    wrong = np.flatnonzero(first[codes] != strata)
    if wrong.size:
        level = int(codes[wrong].min())
        strata_of_level = sorted(set(strata[codes == level].tolist()))
        listed = ", ".join(f"`{by_levels.labels[s]}`" for s in strata_of_level[:LISTED])
        raise DataError(
            f"`{part.text}` needs one value of {quote_name(part.by)} for each level of "
            f"{':'.join(map(quote_name, group.factors))}, but the level `{group.levels.labels[level]}` has {listed}. "
            "Choose a factor in which the levels lie, or let the effects vary over both: "
            f"(1 | {':'.join([*map(quote_name, group.factors), quote_name(part.by)])})."
        )
    return StratifiedGroup(
        group.predictor,
        group.factors,
        group.levels,
        group.coefs,
        group.blocks,
        group.encodings,
        group.spreads,
        part.by,
        by_levels,
        tuple(int(s) for s in first),
        ids=ids,
        title=group.title,
    )
