"""Group-level effects that are correlated across predictors, ``(1 | id | g)`` in the formulas of mu and sigma.

All blocks of columns with one identifier form one vector of effects for each level, r_j = diag(sd) L z_j, with one
Cholesky factor L of a correlation matrix over the columns of every predictor. The first of the terms brings L and z
along; each term has its own standard deviations and takes its own part of r.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import names
from bayesml.delegation import delegated
from bayesml.distributions import LKJ
from bayesml.keys import MU, PredictorKey
from bayesml.namespace import array_namespace
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.spec import ParameterSpec
from bayesml.supports import CorrCholesky
from bayesml.terms.base import AbstractTerm
from bayesml.terms.effect_block import EffectBlock
from bayesml.terms.group import SECTION, Group, cholesky_diagonal
from bayesml.terms.group_level import AbstractGroupTerm, square_roots
from bayesml.terms.sampled import BlockPart, SampledBlock
from bayesml.terms.shared_effects import Share, SharedEffects
from bayesml.terms.shared_sets import CorrelatedSet, MemberColumns, correlated_sets, sharing
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import Numbers, Values

__all__ = ["Member", "SharedGroup", "rows_across"]


@final
@dataclass(frozen=True)
class Member:
    """The part of a shared vector of effects that belongs to one predictor.

    Attributes:
        predictor: the predictor.
        coefs: its columns.
        start: place of the first of them among the standard deviations of the term.
    """

    predictor: PredictorKey
    coefs: tuple[str, ...]
    start: int

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns with their predictor, ``sigma_Intercept``."""
        return tuple(names.prefixed(coef, self.predictor) for coef in self.coefs)


@final
@dataclass(frozen=True)
class SharedGroup(AbstractGroupTerm):
    """The group-level effects of one predictor on one factor, some of them correlated with those of other predictors.

    Attributes:
        ids: identifier of each block of columns, empty where it is not shared.
        spreads: typical size of each column.
        members: for each identifier the parts of all predictors, in their order.
        together: the columns of every predictor that shares effects over the factor, this one's too, in their order.
    """

    ids: tuple[str, ...]
    spreads: tuple[float, ...]
    members: tuple[tuple[str, tuple[Member, ...]], ...] = field(default=())
    together: tuple[MemberColumns, ...] = field(default=())

    variables = delegated("plain")
    covariates = delegated("plain")
    computations = delegated("plain")
    arrays = delegated("plain")
    columns = delegated("plain")
    prior_warnings = delegated("plain")
    contribution = delegated("plain")
    narrowed = delegated("plain")

    def effect_blocks(self) -> tuple[EffectBlock, ...]:
        """Return nothing: the vectors of effects are not those of one predictor."""
        return ()

    @property
    def is_linear_jointly(self) -> bool:
        """Its effects are in ``joint_effects`` of the first of the predictors."""
        return True

    def joint_effects(self) -> tuple[SharedEffects, ...]:
        """Return the effects of all predictors over the factor as one block, at the first of them."""
        if self.together[0].predictor != self.predictor:
            return ()
        sets, by_predictor = correlated_sets(self.together), {c.predictor: c for c in self.together}
        places = {column: entry for entry, column in enumerate(c for own in sets.values() for c in own)}
        labels = [(by_predictor[predictor].coefs[k], predictor) for predictor, k in places]
        shares = (
            Share(c.predictor, self.key, c.coefs, tuple(places[c.predictor, k] for k in range(len(c.coefs))), c.pairs)
            for c in self.together
        )
        coefs, sizes = tuple(names.prefixed(*label) for label in labels), tuple(map(len, sets.values()))
        block = SharedEffects(
            self.name,
            len(self.levels),
            coefs,
            sizes,
            tuple(names.group_sd(self.name, *label) for label in labels),
            tuple(self._factor_of(which, len(own)) for which, own in sets.items()),
            tuple(shares),
            tuple((self._site("cor", i), tuple(places[c] for c in own)) for (i, *_), own in sets.items() if i),
            replace(self.plain, predictor=MU, coefs=coefs, blocks=sizes),
        )
        return (block,)

    def _factor_of(self, which: CorrelatedSet, size: int) -> str:
        """Return the sampled variable of the Cholesky factor of a correlated set; empty where it is one column."""
        identity, predictor, number = which
        if identity:
            return self._site("L", identity)
        return names.cholesky_variable(self.name, predictor, number) if size > 1 else ""

    def sampled_blocks(self) -> tuple[SampledBlock, ...]:
        """Return a block for each identifier, the same from each of its terms, and one for what is not shared."""
        return (*self._own_block(), *(self._shared_block(*each) for each in self.members))

    @property
    def obstacle(self) -> str:
        """What it is, for engines that take the effects of single predictors alone."""
        return f"effects of `{self.name}` that are correlated across predictors (an identifier between bars)"

    def _own_block(self) -> Iterator[SampledBlock]:
        free = [i for i, identity in enumerate(self.ids) if not identity]
        slices = self.block_slices()
        columns = tuple(k for i in free for k in range(slices[i].start, slices[i].stop))
        if columns:
            of = self.predictor
            part = BlockPart(of, self.key, "Z", columns, names.group_sd_variable(self.name, of), columns)
            sizes = tuple(self.blocks[i] for i in free)
            cholesky = tuple(names.cholesky_variable(self.name, of, i) if self.blocks[i] > 1 else "" for i in free)
            site = names.standardised_variable(self.name, of)
            yield SampledBlock(site, self.name, len(self.levels), sizes, cholesky, (part,), "index")

    def _shared_block(self, identity: str, members: tuple[Member, ...]) -> SampledBlock:
        parts = []
        for member in members:
            columns = tuple(range(member.start, member.start + len(member.coefs)))
            sd = names.group_sd_variable(self.name, member.predictor)
            parts.append(BlockPart(member.predictor, self.key, "Z", columns, sd, columns))
        size = sum(len(member.coefs) for member in members)
        site, factor = self._site("z", identity), self._site("L", identity)
        return SampledBlock(site, self.name, len(self.levels), (size,), (factor,), tuple(parts), "index")

    @property
    def plain(self) -> Group:
        """The same effects without any that are shared: how columns come from data, names, what rows get."""
        return Group(
            self.predictor, self.factors, self.levels, self.coefs, self.blocks, self.encodings, self.spreads,
            title=self.title,
        )  # fmt: skip

    def spellings(self) -> Iterator[tuple[str, str]]:
        """Yield the names of ``Group``, and those of the standard normal variables of each vector."""
        yield from self.plain.spellings()
        for identity, _ in self.members:
            yield self._site("z", identity), f"(... | {identity} | {self.name})"

    def joined(self, terms: tuple[AbstractTerm, ...]) -> AbstractTerm:
        """Return the term with the parts that other predictors have in its vectors of effects.

        An identifier that no other predictor has means nothing.
        """
        alike = [t for t in terms if isinstance(t, SharedGroup) and t.factors == self.factors]
        shared = []
        for identity in dict.fromkeys(i for i in self.ids if i):
            members = tuple(member for term in alike for member in term.own_members(identity))
            if len(members) > 1:
                shared.append((identity, members))
        if not shared:
            return self.plain
        together = sharing([MemberColumns(t.predictor, t.coefs, t.blocks, t.ids) for t in alike])
        (own,) = (columns for columns in together if columns.predictor == self.predictor)
        return replace(self, ids=own.ids, members=tuple(shared), together=together)

    def own_members(self, identity: str) -> Iterator[Member]:
        """Yield its own blocks with an identifier."""
        for block, of_block in zip(self.block_slices(), self.ids, strict=True):
            if of_block == identity:
                yield Member(self.predictor, self.coefs[block], block.start)

    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Return the pairs of columns whose correlation belongs to this predictor alone."""
        return MemberColumns(self.predictor, self.coefs, self.blocks, self.ids).pairs

    def _owned(self) -> Iterator[tuple[str, tuple[Member, ...]]]:
        """Yield the vectors of effects that this term brings along: it has their first part."""
        for identity, members in self.members:
            if members[0].predictor == self.predictor:
                yield identity, members

    def _site(self, kind: str, identity: str) -> str:
        return names.variable(f"{kind}_{self.name}__{identity}")

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return the standard deviations, and Cholesky factors and standard normal variables of each vector."""
        sd, *factors, z = self.plain.parameters(scale)
        free = [i for i, identity in enumerate(self.ids) if not identity]
        kept = {names.cholesky_variable(self.name, self.predictor, i) for i in free}
        specs = [sd, *(f for f in factors if f.name in kept)]
        rows = sum(self.blocks[i] for i in free)
        if rows:
            specs.append(replace(z, shape=(rows, len(self.levels))))
        for identity, members in self._owned():
            q = sum(len(m.coefs) for m in members)
            name, of = self._site("L", identity), self.predictor
            specs.append(ParameterSpec(name, "cor", (q, q), of, self.name, support=CorrCholesky()))
            specs.append(ParameterSpec(self._site("z", identity), "", (q, len(self.levels)), of, self.name))
        return tuple(specs)

    def prior_rows(self, defaults: DefaultPriors) -> Iterator[PriorRow]:
        """Yield the rows of ``rows_across``."""
        return rows_across(self.plain, defaults)

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return ``r``, the correlations of this predictor, and those of the vectors that it brings along."""
        sd = values[names.group_sd_variable(self.name, self.predictor)]
        xp = array_namespace(sd)
        rows, used = [], 0
        for i, block in enumerate(self.block_slices()):
            if self.ids[i]:
                rows.append(self._shared_rows(values, self.ids[i], block, xp))
                continue
            z = values[names.standardised_variable(self.name, self.predictor)][used : used + self.blocks[i]]
            used += self.blocks[i]
            scaled = sd[block, None]
            factor = names.cholesky_variable(self.name, self.predictor, i)
            rows.append(scaled * z if self.blocks[i] == 1 else (scaled * values[factor]) @ z)
        derived = {names.group_effect_variable(self.name, self.predictor): xp.concatenate(rows).T}
        if self.pairs():
            factors = [values[names.cholesky_variable(self.name, self.predictor, i)] for i in self._correlated()]
            name = names.correlation_variable(self.name, self.predictor)
            derived[name] = xp.concatenate([(f @ f.T)[np.triu_indices(f.shape[0], 1)] for f in factors])
        for identity, _ in self._owned():
            factor = values[self._site("L", identity)]
            derived[self._site("cor", identity)] = (factor @ factor.T)[np.triu_indices(factor.shape[0], 1)]
        return derived

    def _correlated(self) -> list[int]:
        return [i for i, size in enumerate(self.blocks) if size > 1 and not self.ids[i]]

    def _shared_rows(self, values: Values, identity: str, block: slice, xp: object) -> Numbers:
        """Return this predictor's rows of diag(sd) L z, ``(columns of the block, levels)``."""
        start = self._start(identity, block)
        size = block.stop - block.start
        sd = values[names.group_sd_variable(self.name, self.predictor)][block, None]
        factor, z = values[self._site("L", identity)], values[self._site("z", identity)]
        return (sd * factor[start : start + size]) @ z

    def sampled(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the diagonals of the Cholesky factors, as matrices."""
        sites = {}
        if self.pairs():
            matrix = self.correlation_matrix(values[names.correlation_variable(self.name, self.predictor)])
            for i in self._correlated():
                block = self.block_slices()[i]
                site = names.cholesky_variable(self.name, self.predictor, i)
                sites[site] = cholesky_diagonal(matrix[..., block, block])
        for identity, _ in self._owned():
            matrix = self._joint_matrix(identity, values[self._site("cor", identity)])
            sites[self._site("L", identity)] = cholesky_diagonal(matrix)
        return sites

    def standardised(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return L and z of the vectors that the term brings along; those of one predictor alone are left out."""
        if any(not identity for identity in self.ids):
            return {}
        found = {}
        for identity, members in self._owned():
            scaled = []
            for member in members:
                columns = slice(member.start, member.start + len(member.coefs))
                effects = values[names.group_effect_variable(self.name, member.predictor)][..., columns]
                sd = values[names.group_sd_variable(self.name, member.predictor)][..., None, columns]
                scaled.append(np.swapaxes(effects / sd, -1, -2))
            matrix = self._joint_matrix(identity, values[self._site("cor", identity)])
            factor = np.linalg.cholesky(matrix)
            found[self._site("L", identity)] = factor
            found[self._site("z", identity)] = np.linalg.solve(factor, np.concatenate(scaled, axis=-2))
        return found

    def reported(self) -> tuple[ReportedVariable, ...]:
        """Return standard deviations, correlations and effects; those across predictors at the first of them."""
        sd, *others = self.plain.reported()
        correlations = []
        if self.pairs():
            matching = replace(self.plain, blocks=tuple(
                size for i, b in enumerate(self.blocks) for size in ((1,) * b if self.ids[i] else (b,))
            ))  # fmt: skip
            correlations = [v for v in matching.reported() if v.kind == "cor"]
        shared = [self._shared_correlations(*each) for each in self._owned()]
        return (sd, *correlations, *shared, *(v for v in others if v.kind == "r"))

    def _shared_correlations(self, identity: str, members: tuple[Member, ...]) -> ReportedVariable:
        labels = [label for member in members for label in member.labels]
        pairs = tuple(combinations(labels, 2))
        name = self._site("cor", identity)
        texts = tuple(((k,), names.correlation(self.name, *pair, MU)) for k, pair in enumerate(pairs))
        printed = tuple(f"cor({first},{second})" for first, second in pairs)
        coords = (tuple(names.correlation_label(*pair) for pair in pairs),)
        dims = (f"{name}_pair",)
        return ReportedVariable(
            name, "cor", dims, coords, texts, MU, self.name, pairs, section=SECTION, printed=printed
        )

    def simulated(
        self, values: Mapping[str, np.ndarray], rng: np.random.Generator, count: int, shared: dict[str, np.ndarray]
    ) -> np.ndarray:
        """Draw effects of new levels, correlated with those that other terms get."""
        sd = values[names.group_sd_variable(self.name, self.predictor)]
        z = rng.standard_normal((len(sd), count, len(self.coefs)))
        if self.pairs():
            matrix = self.correlation_matrix(values[names.correlation_variable(self.name, self.predictor)])
            z = np.einsum("dij,dnj->dni", square_roots(matrix), z)
        for block, identity in zip(self.block_slices(), self.ids, strict=True):
            if identity:
                start, site = self._start(identity, block), self._site("cor", identity)
                if site not in shared:
                    matrix = self._joint_matrix(identity, values[site])
                    drawn = rng.standard_normal((len(sd), count, matrix.shape[-1]))
                    shared[site] = np.einsum("dij,dnj->dni", square_roots(matrix), drawn)
                z[..., block] = shared[site][..., start : start + block.stop - block.start]
        return sd[:, None, :] * z

    def _start(self, identity: str, block: slice) -> int:
        """Return the place of a block of this term in the shared vector of effects."""
        start = 0
        for member in dict(self.members)[identity]:
            if member.predictor == self.predictor and member.start == block.start:
                break
            start += len(member.coefs)
        return start

    def _joint_matrix(self, identity: str, pairs: np.ndarray) -> np.ndarray:
        """Return the correlation matrices of a shared vector, ``(..., q, q)``."""
        q = sum(len(member.coefs) for member in dict(self.members)[identity])
        matrix = np.zeros((*pairs.shape[:-1], q, q)) + np.eye(q)
        rows, columns = np.triu_indices(q, 1)
        matrix[..., rows, columns] = matrix[..., columns, rows] = pairs
        return matrix


def rows_across(group: Group, defaults: DefaultPriors) -> Iterator[PriorRow]:
    """Yield the rows of a term; correlations across predictors have the class ``cor`` too."""
    yield from (row for row in group.prior_rows(defaults) if row.prior_class != "cor")
    yield PriorRow(defaults.correlation(), "cor", whole=LKJ)
    yield PriorRow(None, "cor", "", group.name, source="(vectorized)", whole=LKJ)
