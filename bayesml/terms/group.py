"""Group-level terms ``(x | g)``: effects that vary over the levels of a grouping factor.

r_j = diag(sd) L z_j with z_j standard normal and L the Cholesky factor of the correlation matrix; columns of ``||``
and of separate terms on one factor are independent, so L is block-diagonal. All terms of one predictor on one factor
are held together: one table r of levels x columns, one gather for each evaluation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml import names
from bayesml.columns import Computation, computations, encode, replay
from bayesml.distributions import LKJ
from bayesml.distributions.lkj import cholesky_diagonal
from bayesml.errors import DataError, FormulaError
from bayesml.formula import GroupCall, Predictor, SpecialCall, quote_name, special_fault
from bayesml.frame import Frame, Levels, match_codes
from bayesml.namespace import array_namespace
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.spec import ParameterSpec
from bayesml.supports import POSITIVE, CorrCholesky
from bayesml.terms.base import Functions
from bayesml.terms.far_covariates import far_covariates
from bayesml.terms.gather import at_rows
from bayesml.terms.group_level import AbstractGroupTerm, square_roots
from bayesml.terms.left_of_bar import CATEGORY_SPECIFIC, COVARIATES_OF_MEMBERS, UNKNOWN_VALUES
from bayesml.terms.row_groups import RowGroups
from bayesml.variables import ReportedVariable, Texts

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values
    from bayesml.terms.members import Members

__all__ = ["SECTION", "Group", "cholesky_diagonal", "merged", "refuse_more"]

SECTION = "Multilevel Hyperparameters"
"""The table of the summary."""


@final
@dataclass(frozen=True)
class Group(AbstractGroupTerm):
    """All group-level effects of one predictor on one grouping factor.

    Attributes:
        spreads: typical size of each column, as for population-level columns.
    """

    spreads: tuple[float, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """The grouping columns and those that vary."""
        return tuple(dict.fromkeys([*self.factors, *self.covariates]))

    @property
    def covariates(self) -> tuple[str, ...]:
        """The columns that vary."""
        return tuple(dict.fromkeys(v for e in self.encodings for v in e.variables))

    def computations(self) -> tuple[Computation, ...]:
        """Return the factors of what varies."""
        return tuple(part for encoding in self.encodings for part in computations(encoding))

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return ``Z`` ``(rows, coefs)`` and ``index`` ``(rows,)`` of the level; -1 for a level not seen in the fit."""
        return {"Z": self.columns(frame), "index": match_codes(frame, self.factors, self.levels)}

    def columns(self, frame: Frame) -> np.ndarray:
        """Return the varying columns ``Z``, ``(rows, coefs)``."""
        return np.concatenate([replay(encoding, frame) for encoding in self.encodings], axis=1)

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return sds, one Cholesky factor for each correlated block, and the standard normal variables."""
        typical = tuple(scale.group_spread / spread for spread in self.spreads)
        sd = ParameterSpec(
            names.group_sd_variable(self.name, self.predictor),
            "sd",
            (len(self.coefs),),
            self.predictor,
            self.name,
            self.coefs,
            POSITIVE,
            centers=tuple(0.5 * t for t in typical),
            scales=typical,
        )
        factors = tuple(
            ParameterSpec(self._cholesky(i), "cor", (size, size), self.predictor, self.name, support=CorrCholesky())
            for i, size in enumerate(self.blocks)
            if size > 1
        )
        z = ParameterSpec(
            names.standardised_variable(self.name, self.predictor),
            "",
            (len(self.coefs), len(self.levels)),
            self.predictor,
            self.name,
        )
        return (sd, *factors, z)

    def _cholesky(self, block: int) -> str:
        return names.cholesky_variable(self.name, self.predictor, block)

    def prior_rows(self, defaults: DefaultPriors) -> Iterator[PriorRow]:
        """Yield the class ``sd``, the group, each coefficient, and where there are any, the correlations."""
        of, positive, inherited = self.predictor.target, (0.0, float("inf")), "(vectorized)"
        yield PriorRow(defaults.group_sd(self.predictor), "sd", predictor=of, bounds=positive)
        yield PriorRow(None, "sd", "", self.name, of, positive, inherited)
        yield from (PriorRow(None, "sd", coef, self.name, of, positive, inherited) for coef in self.coefs)
        if self.pairs():
            yield PriorRow(defaults.correlation(), "cor", whole=LKJ)
            yield PriorRow(None, "cor", "", self.name, source=inherited, whole=LKJ)

    def spellings(self) -> Iterator[tuple[str, str]]:
        """Yield the names of its standard deviations, standard normal variables and Cholesky factors."""
        of = f" of {prefix}" if (prefix := names.prefix(self.predictor)) else ""
        owner = f"{':'.join(map(quote_name, self.factors))}{of}"
        yield names.group_sd_variable(self.name, self.predictor), owner
        yield names.standardised_variable(self.name, self.predictor), owner
        yield from ((self._cholesky(i), owner) for i, size in enumerate(self.blocks) if size > 1)

    def reported(self) -> tuple[ReportedVariable, ...]:
        """Return standard deviations, correlations and effects.

        Standard deviations and effects have a dimension each, though both run over the varying columns: ArviZ 1.x
        stacks the dimensions of a whole data set in one order and labels each variable in its own, which give the same
        labels only where a dimension that variables share, such as the levels, comes first in all of them.
        """
        sds = tuple(((i,), names.group_sd(self.name, coef, self.predictor)) for i, coef in enumerate(self.coefs))
        sd = self._variable(names.group_sd_variable(self.name, self.predictor), "sd", ("sd",), (self.coefs,), sds)
        printed = tuple(f"sd({names.prefixed(coef, self.predictor)})" for coef in self.coefs)
        return (replace(sd, section=SECTION, printed=printed), *self._correlation_variable(), self._effect_variable())

    def _correlation_variable(self) -> Iterator[ReportedVariable]:
        pairs = tuple((self.coefs[i], self.coefs[j]) for i, j in self.pairs())
        if pairs:
            labels = tuple(names.correlation_label(*pair) for pair in pairs)
            texts = tuple(((k,), names.correlation(self.name, *p, self.predictor)) for k, p in enumerate(pairs))
            name = names.correlation_variable(self.name, self.predictor)
            shown = [tuple(names.prefixed(coef, self.predictor) for coef in pair) for pair in pairs]
            printed = tuple(f"cor({first},{second})" for first, second in shown)
            variable = self._variable(name, "cor", ("cor",), (labels,), texts)
            yield replace(variable, pairs=pairs, section=SECTION, printed=printed)

    def _effect_variable(self) -> ReportedVariable:
        texts = tuple(
            ((i, j), names.group_effect(self.name, level, coef, self.predictor))
            for i, level in enumerate(self.levels.labels)
            for j, coef in enumerate(self.coefs)
        )
        name = names.group_effect_variable(self.name, self.predictor)
        return self._variable(name, "r", ("", "coef"), (self.levels.labels, self.coefs), texts)

    def _variable(
        self, name: str, kind: str, over: tuple[str, ...], coords: tuple[tuple[str, ...], ...], texts: Texts
    ) -> ReportedVariable:
        dims = tuple(
            names.group_dimension(self.name, self.predictor, term) if term else names.dimension(self.name)
            for term in over
        )
        return ReportedVariable(name, kind, dims, coords, texts, self.predictor, self.name)

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return ``r`` ``(levels, coefs)`` and, with a correlated block, the correlations ``(pairs,)``."""
        sd = values[names.group_sd_variable(self.name, self.predictor)]
        z = values[names.standardised_variable(self.name, self.predictor)]
        xp = array_namespace(sd)
        rows = []
        for i, block in enumerate(self.block_slices()):
            scaled = sd[block, None]
            rows.append(scaled * z[block] if self.blocks[i] == 1 else (scaled * values[self._cholesky(i)]) @ z[block])
        derived = {names.group_effect_variable(self.name, self.predictor): xp.concatenate(rows).T}
        if any(size > 1 for size in self.blocks):
            derived[names.correlation_variable(self.name, self.predictor)] = self._correlations(values, xp)
        return derived

    def _correlations(self, values: Values, xp: Any) -> Numbers:
        parts = []
        for i, size in enumerate(self.blocks):
            if size > 1:
                cholesky = values[self._cholesky(i)]
                parts.append((cholesky @ cholesky.T)[np.triu_indices(size, 1)])
        return xp.concatenate(parts)

    def sampled(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the diagonals of the Cholesky factors, as matrices; all that their prior densities depend on."""
        if not self.pairs():
            return {}
        matrix = self.correlation_matrix(values[names.correlation_variable(self.name, self.predictor)])
        return {
            self._cholesky(i): cholesky_diagonal(matrix[..., block, block])
            for i, block in enumerate(self.block_slices())
        }

    def standardised(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return L and z with r = diag(sd) L z."""
        effects = values[names.group_effect_variable(self.name, self.predictor)]
        scaled = np.swapaxes(effects / values[names.group_sd_variable(self.name, self.predictor)][..., None, :], -1, -2)
        z, factors = np.array(scaled), {}
        if self.pairs():
            matrix = self.correlation_matrix(values[names.correlation_variable(self.name, self.predictor)])
            for i, block in enumerate(self.block_slices()):
                if self.blocks[i] > 1:
                    factors[self._cholesky(i)] = np.linalg.cholesky(matrix[..., block, block])
                    z[..., block, :] = np.linalg.solve(factors[self._cholesky(i)], scaled[..., block, :])
        return {**factors, names.standardised_variable(self.name, self.predictor): z}

    def simulated(
        self, values: Mapping[str, np.ndarray], rng: np.random.Generator, count: int, shared: dict[str, np.ndarray]
    ) -> np.ndarray:
        """Draw effects of new levels: sd times correlated standard normal numbers."""
        sd = values[names.group_sd_variable(self.name, self.predictor)]
        z = rng.standard_normal((len(sd), count, len(self.coefs)))
        if any(size > 1 for size in self.blocks):
            correlations = values[names.correlation_variable(self.name, self.predictor)]
            z = np.einsum("dij,dnj->dni", square_roots(self.correlation_matrix(correlations)), z)
        return sd[:, None, :] * z

    def narrowed(
        self, arrays: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray]
    ) -> tuple[Group, dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return the term with only those levels that occur, numbered from 0, and their effects."""
        used, index = np.unique(arrays["index"], return_inverse=True)
        name = names.group_effect_variable(self.name, self.predictor)
        if name not in values or len(used) == len(self.levels):
            return self, dict(arrays), {}
        levels = replace(self.levels, codes=self.levels.codes[used])
        return replace(self, levels=levels), {**arrays, "index": index}, {name: values[name][:, :, used]}

    def prior_warnings(self, arrays: Mapping[str, np.ndarray]) -> Iterator[str]:
        """Yield a sentence for each covariate far from zero beside a correlated intercept."""
        for block in self.block_slices():
            yield from far_covariates(self.name, self.coefs[block], arrays["Z"][:, block])

    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Return sum_k Z[:, k] r[index, k]."""
        effects = values[names.group_effect_variable(self.name, self.predictor)]
        columns = arrays["Z"]
        if isinstance(effects, np.ndarray):
            return _sum_in_place(effects, columns, arrays)
        return sum(columns[:, k] * at_rows(effects[..., k], arrays) for k in range(len(self.coefs)))

    def averaged(self, values: Values, arrays: DataArrays, groups: RowGroups) -> np.ndarray | None:
        """Return the effects times the sums of the columns over the rows of each level."""
        effects = values[names.group_effect_variable(self.name, self.predictor)]
        index, columns = arrays["index"], arrays["Z"]
        if index.ndim > 1 or (len(index) and index.min() < 0):
            return None
        levels = effects.shape[-2]
        each = [effects[..., k] @ groups.sums_by_level(columns[:, k], index, levels).T for k in range(len(self.coefs))]
        return np.asarray(sum(each))


def _sum_in_place(effects: np.ndarray, columns: np.ndarray, arrays: DataArrays) -> np.ndarray:
    """Return sum_k Z[:, k] r[index, k] with one temporary array of that size; a column of ones is not multiplied by."""
    total: np.ndarray | None = None
    for k in range(effects.shape[-1]):
        levels = effects[..., k]
        # Numbers next to each other are read faster, where copying them is not more work than reading some of them.
        levels = np.ascontiguousarray(levels) if levels.shape[-1] <= len(columns) else levels
        own = np.asarray(at_rows(levels, arrays))
        own = own if own.flags.writeable else own.copy()
        column = np.ascontiguousarray(columns[:, k])
        if not (column == 1.0).all():
            own *= column
        total = own if total is None else np.add(total, own, out=total)
    return np.zeros((*effects.shape[:-2], len(columns))) if total is None else total


def merged(
    parts: Sequence[GroupCall], frame: Frame, predictor: Predictor, functions: Functions, members: Members | None = None
) -> Group:
    """Return the term of all parts on one factor.

    Args:
        parts: the parts.
        frame: the data.
        predictor: what they are part of.
        functions: the caller's own functions.
        members: the levels that a row belongs to; None for one level.

    Raises:
        FormulaError: an effect varies in more than one of them, or there is none.
        DataError: the factor has one level only.
    """
    encoded = [encode(part.columns, frame, functions) for part in parts]
    encodings = tuple(encoding for encoding, _ in encoded)
    coefs = tuple(label for encoding in encodings for label in encoding.labels)
    of_members = () if members is None else tuple(each.label for each in members.covariates)
    coefs += of_members
    repeated = next((c for c in coefs if coefs.count(c) > 1), None)
    if repeated is not None:
        raise FormulaError(
            f"The effect `{repeated}` varies over `{':'.join(parts[0].factors)}` in more than one term: "
            f"{' + '.join(part.text for part in parts)}. Keep it in one of them."
        )
    if not coefs:
        raise FormulaError(f"`{parts[0].text}` has no column left of the bar; write for example `(1 | g)`.")
    blocks = tuple(
        size
        for part, e in zip(parts, encodings, strict=True)
        for size in _sizes(part, len(e.labels) + (len(of_members) if part is parts[-1] else 0))
    )
    levels = frame.interaction(parts[0].factors)[1] if members is None else members.levels(frame)
    _check_levels(parts[0], levels)
    matrix = np.concatenate([m for _, m in encoded], axis=1)
    if members is not None:
        matrix = members.columns(frame, matrix).reshape(-1, len(coefs))
    size = np.sqrt((matrix**2).mean(axis=0))
    spread = matrix.std(axis=0, ddof=1)
    spreads = np.where(spread > 1e-12 * np.maximum(size, 1e-300), spread, np.where(size > 0, size, 1.0))
    title = "" if members is None else members.name
    return Group(
        predictor.key, parts[0].factors, levels, coefs, blocks, encodings, tuple(spreads.tolist()), title=title
    )


def _sizes(part: GroupCall, count: int) -> tuple[int, ...]:
    """Return the sizes of the correlated sets of the columns of a part."""
    return ((count,) if part.correlated else (1,) * count) if count else ()


CURVES = {"s": 's(x, {g}, bs="fs")', "t2": 's(x, {g}, bs="fs")', "gp": "gp(x, by={g})"}
"""What to write for a curve of each level in place of a call left of a bar."""


def _curves_of_levels(call: SpecialCall, part: GroupCall) -> str:
    g = ":".join(part.factors)
    instead = CURVES[call.name].replace("{g}", g).replace("x", call.arguments[0].text if call.arguments else "x", 1)
    return (
        f"`{call.spelling}` cannot stand left of a bar. A curve for each level of {g}, alike in how much they bend, is "
        f"a term of its own: write `{instead}` beside `{call.spelling}`."
    )


def refuse_more(part: GroupCall) -> None:
    """Raise a FormulaError where a term says what this version cannot fit."""
    others = [
        call for call in part.specials if call.name not in (*COVARIATES_OF_MEMBERS, *CATEGORY_SPECIFIC, *UNKNOWN_VALUES)
    ]
    curve = next((call for call in others if call.name in CURVES), None)
    if curve is not None:
        raise special_fault(_curves_of_levels(curve, part), curve)
    said = {
        "`pw=` of `mm(...)`": part.prior_weights and part.membership is not None,
        "`mmc(...)` without `mm(...)`": part.membership is None
        and any(call.name in COVARIATES_OF_MEMBERS for call in part.specials),
        "a call of `" + "".join(call.name for call in others[:1]) + "(...)`": others,
    }
    for what, value in said.items():
        if value:
            raise FormulaError.at(
                f"In a group term {what} is not available in this version of bayesml.",
                part.columns.expression.source,
                part.start,
                part.start + len(part.text),
            )


def _check_levels(part: GroupCall, levels: Levels) -> None:
    if len(levels) < 2:
        raise DataError(
            f"The grouping factor `{':'.join(part.factors)}` of `{part.text}` has one level only "
            f"(`{levels.labels[0]}`), so that no variation between groups can be learnt. Drop the term, or check the "
            "column."
        )
