"""Group-level terms whose levels depend on each other, have heavier tails, or of which a row has several.

From the effects e_j of independent levels, ``diag(sd) L z_j``, follow those of the term:

    r = m^(-1/2) * (R e),    R R' = A,

with the known covariances A of the levels, ``gr(g, cov=A)``, and m_j ~ gamma(df / 2, df / 2) where they have tails,
``gr(g, dist="student")``: then r_j has Student's t distribution with df degrees of freedom. brms writes ``m^(-1/2) =
sqrt(df u)`` with u ~ inv_chi_square(df), which is the same. A row adds ``sum_m w_m x' r_j(m)``, a sum over the levels
that it belongs to, ``mm(g1, g2)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml import names
from bayesml.columns import Computation
from bayesml.delegation import delegated
from bayesml.distributions import gamma
from bayesml.frame import Frame
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.priors.conditional import LogGamma
from bayesml.spec import ParameterSpec
from bayesml.supports import Interval
from bayesml.terms.base import AbstractTerm
from bayesml.terms.effect_block import EffectBlock
from bayesml.terms.gather import at_rows, level_rows
from bayesml.terms.group import SECTION
from bayesml.terms.group_level import AbstractGroupTerm
from bayesml.terms.known_covariance import KnownCovariance
from bayesml.terms.member_strata import member_strata
from bayesml.terms.members import Members
from bayesml.terms.related_strata import RelatedStrata
from bayesml.terms.row_spread import RowSpread
from bayesml.terms.sampled import SampledBlock
from bayesml.terms.stratified_group import StratifiedGroup
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values

__all__ = ["StructuredGroup"]

LEAST_DF = 1.0
START_DF = (15.0, 10.0)
"""Where degrees of freedom start, and how far they are moved: mean and half the spread of gamma(2, 0.1)."""


@final
@dataclass(frozen=True)
class TailShape:
    """The standard deviations of the effects of levels given what divides their variances.

    Attributes:
        lengthscales: the parameter that does so, on a scale of its own.
        tails: that scale.
    """

    lengthscales: str
    tails: LogGamma

    @property
    def beside(self) -> tuple[str, ...]:
        """The degrees of freedom."""
        return (self.tails.df,)

    def factor(self, sd: Numbers, values: Mapping[str, Any]) -> Numbers:
        """Return them, ``(levels,)``."""
        return sd * self.tails.mixing(values[self.lengthscales], values) ** -0.5


@final
@dataclass(frozen=True)
class StructuredGroup(AbstractGroupTerm):
    """The group-level effects of one predictor on one factor.

    Attributes:
        base: the same effects of independent, normal levels.
        known: covariances of the levels; None where they are independent.
        is_student: whether effects have Student's t distribution.
        members: the levels that a row belongs to; None for one level.
        owns_df: whether the degrees of freedom belong to this term; terms of other predictors on the factor share them.
        new: labels of levels that the fit has not seen.
    """

    base: AbstractGroupTerm
    known: KnownCovariance | None = None
    is_student: bool = False
    members: Members | None = None
    owns_df: bool = True
    new: tuple[str, ...] = ()

    columns = delegated("base")
    eliminated = delegated("base")
    own_entries = delegated("base")
    sampled = delegated("base")
    donors = delegated("base")

    @property
    def variables(self) -> tuple[str, ...]:
        """The grouping columns, weights and those that vary."""
        return tuple(dict.fromkeys([*self.factors, *self.covariates]))

    @property
    def covariates(self) -> tuple[str, ...]:
        """Weights and the columns that vary."""
        own = () if self.members is None else self.members.variables
        return tuple(dict.fromkeys([*self.base.covariates, *own]))

    def computations(self) -> tuple[Computation, ...]:
        """Return the factors of what varies, and weights."""
        return (*self.base.computations(), *(() if self.members is None else self.members.computations()))

    @property
    def tables(self) -> frozenset[str]:
        """The root of the covariances of levels."""
        return frozenset() if self.known is None else frozenset({"root"})

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return ``Z``, ``index`` and what else ``RowSpread`` says."""
        root = {} if self.known is None else {"root": self.known.root}
        if self.members is None:
            return {**self.base.arrays(frame), **root}
        own = {"Z": self._columns(frame), "weight": self.members.row_weights(frame), **root}
        if isinstance(self.base, StratifiedGroup):
            # a vector lies in one stratum, and has no use for the columns of others: see RowSpread
            own["Z"] = np.concatenate([own["Z"]] * len(self.base.by_levels), axis=-1)
            own["stratum"] = member_strata(self.base, self.members, frame)
        return {**own, "index": self.members.index(frame, self.levels)}

    def _columns(self, frame: Frame) -> np.ndarray:
        assert self.members is not None
        return self.members.columns(frame, self.base.columns(frame))

    @property
    def peculiarity(self) -> str:
        """What its effects are other than independent between levels and normal."""
        if self.members is not None:
            return "are of several memberships of a row"
        if self.known is not None:
            return "are related between levels"
        return "have heavier tails than normal ones"

    def masked(self, arrays: Mapping[str, np.ndarray], columns: tuple[int, ...]) -> Mapping[str, np.ndarray]:
        """Return the arrays with some of the varying columns set to zero."""
        Z = np.array(arrays["Z"], dtype=float)
        if self.members is not None:
            strata = range(Z.shape[-1] // len(self.coefs))
            Z[..., [s * len(self.coefs) + column for s in strata for column in columns]] = 0.0
            return {**arrays, "Z": Z}
        return self.base.masked(arrays, columns)

    # What is sampled ------------------------------------------------------------------------------------------------

    @property
    def _df(self) -> str:
        return names.group_df_variable(self.name)

    @property
    def _mixing(self) -> str:
        return names.group_mixing_variable(self.name)

    @property
    def _tails(self) -> LogGamma:
        return LogGamma(self._df)

    def joined(self, terms: tuple[AbstractTerm, ...]) -> AbstractTerm:
        """Return the term with what it shares with those of other predictors."""
        alike = [t for t in terms if isinstance(t, StructuredGroup) and t.name == self.name]
        base = self.base.joined(tuple(t.base if isinstance(t, StructuredGroup) else t for t in terms))
        assert isinstance(base, AbstractGroupTerm)
        first = next(t for t in alike if t.is_student) if self.is_student else self
        return replace(self, base=base, owns_df=first.predictor == self.predictor)

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return those of independent levels, and the degrees of freedom with the mixing variables."""
        if not (self.is_student and self.owns_df):
            return self.base.parameters(scale)
        center, spread = START_DF
        support = Interval(LEAST_DF, float("inf"))
        df = ParameterSpec(
            self._df, "df", (), self.predictor, self.name, support=support, centers=(center,), scales=(spread,)
        )
        mixing = ParameterSpec(
            self._mixing, "", (len(self.levels),), self.predictor, self.name, conditional=self._tails
        )
        return (*self.base.parameters(scale), df, mixing)

    def prior_rows(self, defaults: DefaultPriors) -> Iterator[PriorRow]:
        """Yield the rows of independent levels, and the degrees of freedom of the group."""
        yield from self.base.prior_rows(defaults)
        if self.is_student and self.owns_df:
            yield PriorRow(gamma(2, 0.1), "df", group=self.name, bounds=(LEAST_DF, float("inf")))

    def spellings(self) -> Iterator[tuple[str, str]]:
        """Yield the names of independent levels, and of the degrees of freedom."""
        yield from self.base.spellings()
        if self.is_student:
            yield self._df, f'gr({self.name}, dist="student")'

    def reported(self) -> tuple[ReportedVariable, ...]:
        """Return those of independent levels, and the degrees of freedom."""
        found = tuple(self.base.reported())
        if not (self.is_student and self.owns_df):
            return found
        text = names.group_df(self.name)
        df = ReportedVariable(
            self._df, "df", (), (), (((), text),), self.predictor, self.name, section=SECTION, printed=("df",)
        )
        return (*(v for v in found if v.kind != "r"), df, *(v for v in found if v.kind == "r"))

    @property
    def _effects(self) -> str:
        return names.group_effect_variable(self.name, self.predictor)

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return what ``derived`` returns for levels that are independent."""
        return self._with_tails(self.base.derive(values), values)

    def derived(self, values: Values, arrays: DataArrays) -> dict[str, Numbers]:
        """Return ``r`` ``(levels, coefs)`` and the correlations."""
        if self._related_strata is not None:
            return self._with_tails(self._related_strata.derived(values, arrays["root"]), values)
        found = self.base.derive(values)
        if self.known is not None:
            found[self._effects] = arrays["root"] @ found[self._effects]
        return self._with_tails(found, values)

    @property
    def _related_strata(self) -> RelatedStrata | None:
        """Independent columns where levels of different strata are related; None for all others."""
        if self.known is None or not isinstance(self.base, StratifiedGroup):
            return None
        related = RelatedStrata(self.base, self.known)
        return related if related.across and not self.base.pairs() else None

    def _with_tails(self, found: dict[str, Numbers], values: Values) -> dict[str, Numbers]:
        if self.is_student:
            m = self._tails.mixing(values[self._mixing], values)
            found[self._effects] = m[:, None] ** -0.5 * found[self._effects]
        return found

    # What rows get ---------------------------------------------------------------------------------------------------

    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Return ``sum_k sum_m w_m Z_k r[index_m, k]``."""
        if self.members is None:
            return self.base.contribution(values, arrays)
        effects, total = values[self._effects], 0.0
        Z, weights = arrays["Z"][..., : len(self.coefs)], arrays["weight"]
        for place in range(len(self.factors)):
            tables = arrays.get(f"member_{place}", {"index": arrays["index"][:, place]})
            columns = Z if Z.ndim == 2 else Z[:, place]
            for k in range(len(self.coefs)):
                total = total + weights[:, place] * columns[:, k] * at_rows(effects[..., k], tables)
        return total

    def with_tables(self, arrays: Mapping[str, np.ndarray]) -> dict[str, object]:
        """Return the arrays with the rows of each level."""
        if self.members is None:
            return self.base.with_tables(arrays)
        index = arrays["index"].astype(np.int32)
        parts = {
            f"member_{place}": {"index": index[:, place], **level_rows(index[:, place], len(self.levels))}
            for place in range(index.shape[1])
        }
        return {**arrays, "index": index, **parts}

    @property
    def orders_rows(self) -> bool:
        """Whether each row has one level."""
        return self.members is None

    def prior_warnings(self, arrays: Mapping[str, np.ndarray]) -> Iterator[str]:
        """Return a sentence for each covariate far from zero beside a correlated intercept."""
        Z = arrays["Z"] if self.members is None else arrays["Z"][..., : len(self.coefs)]
        plain = self.base.plain if isinstance(self.base, StratifiedGroup) and self.members is not None else self.base
        yield from plain.prior_warnings({**arrays, "Z": Z.reshape(-1, Z.shape[-1])})

    # For engines ----------------------------------------------------------------------------------------------------

    def _spread(self) -> RowSpread | None:
        """Return how rows touch the vectors of effects; None where each has those of its level."""
        if self.known is None and self.members is None:
            return None
        if isinstance(self.base, StratifiedGroup):
            return RowSpread(len(self.levels), self.base.strata, len(self.coefs))
        return RowSpread(len(self.levels))

    def effect_blocks(self) -> tuple[EffectBlock, ...]:
        """Return the vectors of effects of independent levels; none with heavier tails, which are not normal."""
        if self.is_student or self._related_strata is not None:
            return ()
        spread = self._spread()
        return tuple(
            replace(block, index="" if spread else block.index, spread=spread, known=self.known)
            for block in self.base.effect_blocks()
        )

    @property
    def obstacle(self) -> str:
        """What it is, for engines that take normal effects alone."""
        if self._related_strata is not None:
            return f"effects of `{self.name}` some of which are related across strata (cov= beside by=)"
        if not self.is_student:
            return self.base.obstacle
        return f'effects of `{self.name}` with Student\'s t distribution (dist="student")'

    def sampled_blocks(self) -> tuple[SampledBlock, ...]:
        """Return the vectors of effects of independent levels. With heavier tails they are nearly those of m = 1."""
        if self._related_strata is not None:
            return ()
        spread = self._spread()
        blocks = tuple(
            replace(block, index="" if spread else block.index, spread=spread) for block in self.base.sampled_blocks()
        )
        if self.is_student and spread is None and len(self.coefs) == 1 and len(blocks) == 1:
            return (replace(blocks[0], shape=TailShape(self._mixing, self._tails)),)
        return blocks

    def narrowed(
        self, arrays: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray]
    ) -> tuple[AbstractTerm, dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return the effects of only those levels that occur."""
        used, index = np.unique(arrays["index"], return_inverse=True)
        if self._effects not in values or len(used) == len(self.levels):
            return self, dict(arrays), {}
        levels = replace(self.levels, codes=self.levels.codes[used])
        own = {**arrays, "index": index.reshape(np.shape(arrays["index"]))}
        return replace(self, levels=levels), own, {self._effects: values[self._effects][:, :, used]}

    # New levels -------------------------------------------------------------------------------------------------------

    def renumbered(
        self, arrays: Mapping[str, np.ndarray], frame: Frame
    ) -> tuple[tuple[str, ...], Mapping[str, np.ndarray]]:
        """Number new levels, and give point estimates the mean of those that have a row in A."""
        if self.members is None:
            labels, own = self.base.renumbered(arrays, frame)
        else:
            labels, index = self.members.new(frame, self.levels)
            own = {**arrays, "index": index}
        if labels and self.known is not None:
            means, _ = self.known.given(labels)
            own = {**own, "root": np.concatenate([np.asarray(arrays["root"]), means])}
        return labels, own

    def with_new_levels(self, arrays: Mapping[str, np.ndarray], labels: Sequence[str]) -> AbstractGroupTerm:
        """Return the term with what it holds about new levels."""
        return replace(self, base=self.base.with_new_levels(arrays, labels), new=tuple(labels))

    def simulated(
        self, values: Mapping[str, np.ndarray], rng: np.random.Generator, count: int, shared: dict[str, np.ndarray]
    ) -> np.ndarray:
        """Draw effects of new levels, those that have a row in A given the known levels.

        With heavier tails they are drawn without regard to the known levels, whose mixing variables are not kept.
        """
        if self._related_strata is not None and not self.is_student:
            return self._related_strata.simulated(values, rng, self.new)
        effects = self.base.simulated(values, rng, count, shared)
        if self.known is not None:
            means, root = self.known.given(self.new)
            effects = np.einsum("ij,djq->diq", root, effects)
            if not self.is_student:
                # the mean A_no A_oo^-1 r of r_new; means are A_no L^-T
                effects += np.einsum(
                    "ij,djq->diq", np.linalg.solve(self.known.root.T, means.T).T, values[self._effects]
                )
        if not self.is_student:
            return np.asarray(effects)
        df = values[self._df]
        key = f"{self._mixing} of new levels"
        if key not in shared:
            shared[key] = rng.gamma(0.5 * df[:, None], 2.0 / df[:, None], size=(len(df), count))
        return np.asarray(shared[key][:, :, None] ** -0.5 * effects)

    def informed(
        self,
        borrowed: np.ndarray,
        values: Mapping[str, np.ndarray],
        rng: np.random.Generator,
        shared: dict[str, np.ndarray],
    ) -> np.ndarray:
        """Return effects of new levels: of those that have a row in A draws given the known levels."""
        if self.known is None or self.is_student or not (inside := self.known.has(self.new)).any():
            return borrowed
        drawn = self.simulated(values, rng, len(self.new), shared)
        return np.where(inside[:, None], drawn, borrowed)
