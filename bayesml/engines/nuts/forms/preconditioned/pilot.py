"""A pilot: rough estimates of everything, from which the sampler's coordinates are built.

Alternates, in NumPy on the derivatives of the rows,

1. a Newton step for all coefficients of each linear predictor (slopes and effects) given the covariance matrices of
   effects (`normal_equations`),
2. a Newton step for the single parameters of the likelihood with their priors, each on a scale without bounds,
3. a step of expectation and maximisation for each covariance matrix (`covariances.covariance_step`).

The coordinates are exact for any pilot, so that a few iterations do; nothing here needs to converge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayesml.compile import summed_predictors
from bayesml.engines.base import Problem
from bayesml.engines.density import data_of
from bayesml.engines.nuts.forms.preconditioned.covariances import (
    BlockRows,
    covariance_step,
    hyperparameters,
    standardised,
)
from bayesml.engines.nuts.forms.preconditioned.held import held_values
from bayesml.engines.nuts.forms.preconditioned.linked import sampled_blocks
from bayesml.engines.nuts.forms.preconditioned.normal_equations import NormalEquations
from bayesml.engines.nuts.forms.preconditioned.rows import RowDerivatives, row_derivatives
from bayesml.engines.nuts.forms.preconditioned.singles import (
    log_prior,
    single_coordinates,
    single_step,
    typical_singles,
)
from bayesml.families.coordinates import SingleCoordinates
from bayesml.keys import PredictorKey
from bayesml.linalg import DenseBlock, GroupBlock, SpreadBlock
from bayesml.ordered import ordered_values
from bayesml.spec import ModelSpec
from bayesml.terms import SampledBlock

__all__ = ["Pilot", "WorkingRows", "find_pilot"]

ITERATIONS = 25
TOLERANCE = 1e-3
HALVINGS = 12


@final
@dataclass(frozen=True)
class WorkingRows:
    """The likelihood near the pilot as a normal one of a linear predictor.

    Attributes:
        weights: working precisions, minus the second derivatives of the rows' log-likelihoods: ``(n,)``, or ``(n,
            thresholds)``.
        residuals: working residuals: first derivatives over ``weights``.
    """

    weights: np.ndarray
    residuals: np.ndarray


@final
@dataclass(frozen=True)
class Pilot:
    """Rough estimates.

    Attributes:
        values: every sampled parameter on its natural scale, zeros for the standard normal variables of effects; by
            label too where labels are sites of their own.
        effects: ``(vectors, entries)`` the effects of each block, by its site.
        predictors: the normal approximation of the likelihood in each linear predictor.
        etas: ``(n,)`` the linear predictors that are sums of terms.
    """

    values: Mapping[str, np.ndarray]
    effects: Mapping[str, np.ndarray]
    predictors: Mapping[PredictorKey, WorkingRows]
    etas: Mapping[PredictorKey, np.ndarray]


@final
@dataclass(frozen=True)
class _Slopes:
    """One array of coefficients of columns.

    Attributes:
        name: the parameter.
        start: ``(p,)`` where they start.
        mean: ``(p,)`` of their priors.
        sd: ``(p,)`` of their priors.
    """

    name: str
    start: np.ndarray
    mean: np.ndarray
    sd: np.ndarray


@final
@dataclass(frozen=True)
class _Predictor:
    """The coefficients of one linear predictor.

    Attributes:
        key: the predictor.
        blocks: the effects that enter it, and which entries of their vectors do.
        slopes: coefficients of columns.
        equations: the columns of the blocks, then those of all slopes in units of their sds.
    """

    key: PredictorKey
    blocks: tuple[tuple[SampledBlock, np.ndarray], ...]
    slopes: tuple[_Slopes, ...]
    equations: NormalEquations


@final
@dataclass
class _State:
    """The current estimates; this file's loop owns and updates it.

    Attributes:
        slopes: coefficients of columns, ``(p,)``, by parameter.
        effects: ``(vectors, entries)`` of each block.
        covariances: ``(entries, entries)`` of each block.
        singles: the single parameters of the likelihood.
        held: all other parameters.
    """

    slopes: dict[str, np.ndarray]
    effects: dict[SampledBlock, np.ndarray]
    covariances: dict[SampledBlock, np.ndarray]
    singles: dict[str, np.ndarray]
    held: dict[str, np.ndarray]


def find_pilot(problem: Problem) -> Pilot:
    """Find rough estimates of a problem.

    Raises:
        ArithmeticError: the estimates ran away; the caller falls back on another form.
    """
    spec, singles = problem.description.spec, single_coordinates(problem)
    held = held_values(problem, singles.names)
    rows_of = _block_rows(problem, held)
    predictors = tuple(_predictors(problem, rows_of))
    evaluate, data = row_derivatives(problem, singles), data_of(problem)
    state = _start(spec, predictors, rows_of, singles, held)

    def rows_at() -> RowDerivatives:
        return evaluate(_reported(problem, state), data)

    rows = rows_at()
    for _ in range(ITERATIONS):
        before = dict(state.covariances)
        for predictor in predictors:
            rows = _newton(predictor, state, rows, rows_at)
        singles_before = state.singles
        state.singles = single_step(spec, singles, singles_before, rows)
        for block, parts in rows_of.items():
            state.covariances[block] = covariance_step(block, state.effects[block], before[block], parts, rows.weight)
        rows = _shortened(spec, state, singles, singles_before, rows.log_likelihood, rows_at)
        if not np.isfinite(rows.log_likelihood):
            raise ArithmeticError("the likelihood is not finite at the pilot")
        if _settled(before, state.covariances):
            break
    return _pilot(problem, state, rows)


def _settled(before: Mapping[SampledBlock, np.ndarray], after: Mapping[SampledBlock, np.ndarray]) -> bool:
    return all(np.allclose(before[k], after[k], rtol=TOLERANCE * 10, atol=0.0) for k in before)


def _block_rows(problem: Problem, held: Mapping[str, np.ndarray]) -> dict[SampledBlock, dict[PredictorKey, BlockRows]]:
    """Return the rows of each block in each predictor that it enters.

    Columns of coefficients that are not alike are multiplied by their covariance factor, at the length-scale that is
    held, so that those that the pilot estimates are independent and have equal standard deviations.
    """
    arrays = problem.design.arrays

    def rows(block: SampledBlock, key: PredictorKey) -> BlockRows:
        design = block.design(key, arrays)
        if block.shape is not None and not block.is_factor:
            unit = block.unit_factor(held)
            design = design * unit if unit.ndim == 1 else design @ unit
        return BlockRows(block, design, block.codes(key, arrays))

    return {block: {key: rows(block, key) for key in block.predictors} for block in sampled_blocks(problem)}


def _predictors(
    problem: Problem, rows_of: Mapping[SampledBlock, Mapping[PredictorKey, BlockRows]]
) -> Iterator[_Predictor]:
    """Yield the predictors that have coefficients."""
    for design in problem.design.schema.predictors:
        key = design.key
        blocks = tuple((block, _entries(block, key)) for block in rows_of if key in block.predictors)
        parts = [part for term in design.terms for part in term.sampled_slopes()]
        slopes = tuple(_slopes(problem.description.spec, part.name) for part in parts)
        columns: list[Any] = [_columns(rows_of[block][key], entries) for block, entries in blocks]
        if parts:
            X = [part.design(problem.design.arrays) * of_part.sd for part, of_part in zip(parts, slopes, strict=True)]
            columns.append(DenseBlock.of("population", np.concatenate(X, axis=1)))
        if columns:
            yield _Predictor(key, blocks, slopes, NormalEquations.of(columns))


def _entries(block: SampledBlock, predictor: PredictorKey) -> np.ndarray:
    """Return which entries of the vectors of a block enter a predictor."""
    if not block.has_levels:
        return np.zeros(1, np.intp)
    return np.flatnonzero([part.predictor == predictor for part in block.parts for _ in part.columns])


def _columns(rows: BlockRows, entries: np.ndarray) -> GroupBlock | DenseBlock | SpreadBlock:
    if rows.block.spread is not None:
        by_entry = rows.design.reshape(len(rows.design), rows.block.q, -1)[:, entries]
        flat = by_entry.reshape(len(by_entry), -1)
        return SpreadBlock.of(rows.block.factor, flat, rows.block.vectors, (len(entries),))
    if not rows.block.is_factor:
        return DenseBlock.of(rows.block.factor, rows.design)
    Z = rows.design[:, entries]
    return GroupBlock(rows.block.factor, rows.codes, rows.block.vectors, Z, (len(entries),))


def _slopes(spec: ModelSpec, name: str) -> _Slopes:
    parameter = spec.coefficient(name)
    sd = [max(d.scale, 1e-8) if d.is_proper else 1e8 for d in parameter.priors]
    mean = [d.location for d in parameter.priors]
    return _Slopes(name, np.asarray(parameter.centers, float), np.array(mean, float), np.array(sd, float))


def _start(
    spec: ModelSpec,
    predictors: Sequence[_Predictor],
    blocks: Iterable[SampledBlock],
    singles: SingleCoordinates,
    held: dict[str, np.ndarray],
) -> _State:
    slopes = {part.name: part.start for predictor in predictors for part in predictor.slopes}
    effects, covariances = {}, {}
    for block in blocks:
        effects[block] = np.zeros((block.vectors, block.q))
        typical = [_typical_sd(spec, name, place) for name, place in block.standard_deviations]
        covariances[block] = np.diag(np.square(typical))
    return _State(slopes, effects, covariances, typical_singles(spec, singles), held)


def _typical_sd(spec: ModelSpec, name: str, place: int | None) -> float:
    centers = spec.parameter(name).centers
    return centers[place or 0] if len(centers) > 1 else centers[0]


def _reported(problem: Problem, state: _State) -> dict[str, np.ndarray]:
    """Return the sampled parameters and what all terms derive from them."""
    spec = problem.description.spec
    values: dict[str, Any] = state.held | {name: np.asarray(v) for name, v in state.singles.items()}
    values |= hyperparameters(spec, state.covariances) | _slope_values(spec, state)
    for block, covariance in state.covariances.items():
        values[block.site] = standardised(block, state.effects[block], covariance)
    for predictor in problem.design.schema.predictors:
        for term in predictor.terms:
            values |= term.derived(values, problem.design.arrays[predictor.key][term.key])
    return values


def _slope_values(spec: ModelSpec, state: _State) -> dict[str, np.ndarray]:
    return {name: coefficients.reshape(spec.coefficient(name).shape) for name, coefficients in state.slopes.items()}


def _newton(
    predictor: _Predictor, state: _State, rows: RowDerivatives, rows_at: Callable[[], RowDerivatives]
) -> RowDerivatives:
    """One damped Newton step for the coefficients of one predictor, all others held."""
    precisions = {block: np.linalg.inv(state.covariances[block]) for block, _ in predictor.blocks}
    slopes, effects = dict(state.slopes), dict(state.effects)
    step = _step(predictor, state, precisions, rows)

    def objective(r: RowDerivatives) -> float:
        squares = sum(float((((state.slopes[s.name] - s.mean) / s.sd) ** 2).sum()) for s in predictor.slopes)
        for block, precision in precisions.items():
            squares += float(np.einsum("ja,ab,jb->", state.effects[block], precision, state.effects[block]))
        return r.log_likelihood - 0.5 * squares

    best = objective(rows)
    for halving in range(HALVINGS):
        _move(predictor, state, slopes, effects, [0.5**halving * part for part in step])
        now = rows_at()
        if np.isfinite(now.log_likelihood) and objective(now) >= best - 1e-8 * abs(best):
            return now
    state.slopes, state.effects = slopes, effects
    return rows


def _step(
    predictor: _Predictor, state: _State, precisions: Mapping[SampledBlock, np.ndarray], rows: RowDerivatives
) -> list[np.ndarray]:
    """Return the Newton step of the effects of each block, and of all slopes in units of their sds.

    Given the entries of its vectors that enter other predictors, those of this one have the precision Q_EE, the block
    of the precision matrix Q.
    """
    gradient, factors = predictor.equations.sums(rows.score[predictor.key]), []
    for number, (block, entries) in enumerate(predictor.blocks):
        precision = precisions[block]
        gradient[number] = gradient[number] - (state.effects[block] @ precision)[:, entries]
        factors.append(np.linalg.cholesky(np.linalg.inv(precision[np.ix_(entries, entries)])))
    if predictor.slopes:
        away = [(state.slopes[part.name] - part.mean) / part.sd for part in predictor.slopes]
        gradient[-1] = gradient[-1] - np.concatenate(away)[:, None]
        factors.append(np.eye(1))
    return predictor.equations.solve(rows.weight[predictor.key], factors, gradient)


def _move(
    predictor: _Predictor,
    state: _State,
    slopes: Mapping[str, np.ndarray],
    effects: Mapping[SampledBlock, np.ndarray],
    step: Sequence[np.ndarray],
) -> None:
    """Set the coefficients of a predictor to values before a step plus the step."""
    for (block, entries), part in zip(predictor.blocks, step, strict=False):
        moved = effects[block].copy()
        moved[:, entries] += part
        state.effects[block] = moved
    first = 0
    for coefficients in predictor.slopes:
        name, sd = coefficients.name, coefficients.sd
        stop = first + len(sd)
        state.slopes[name] = slopes[name] + sd * step[-1][first:stop, 0]
        first = stop


def _shortened(
    spec: ModelSpec,
    state: _State,
    singles: SingleCoordinates,
    before: dict[str, np.ndarray],
    log_likelihood: float,
    rows_at: Callable[[], RowDerivatives],
) -> RowDerivatives:
    """Halve the step of the single parameters until the density is not below that before it.

    New covariances leave the likelihood as it is: effects keep their values.
    """
    rows, least = rows_at(), log_likelihood + log_prior(spec, singles, before)
    for _ in range(HALVINGS):
        density = rows.log_likelihood + log_prior(spec, singles, state.singles)
        if not singles.size or density >= least - 1e-8 * abs(least):
            break
        step = singles.unbounded(state.singles) - singles.unbounded(before)
        state.singles = singles.moved(before, 0.5 * step)
        rows = rows_at()
    return rows


def _pilot(problem: Problem, state: _State, rows: RowDerivatives) -> Pilot:
    spec = problem.description.spec
    values: dict[str, np.ndarray] = {name: np.asarray(v) for name, v in state.singles.items()}
    values |= state.held | hyperparameters(spec, state.covariances) | _slope_values(spec, state)
    values |= {block.site: np.zeros(spec.parameter(block.site).shape) for block in state.effects}
    for parameter in spec.parameters:
        if parameter.name in values and not parameter.is_single_site:
            values |= {f"{parameter.name}[{c}]": values[parameter.name][i] for i, c in enumerate(parameter.coefs)}
    values |= _increasing(ordered_values(spec, values))
    effects = {block.site: _unscaled(block, table, state.held) for block, table in state.effects.items()}
    working = {key: WorkingRows(weight, rows.score[key] / weight) for key, weight in rows.weight.items()}
    etas = summed_predictors(problem.design.schema, _reported(problem, state), problem.design.arrays)
    return Pilot(values, effects, working, {key: np.asarray(eta) for key, eta in etas.items()})


def _increasing(vectors: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Return the increasing vectors.

    Raises:
        ArithmeticError: one does not increase.
    """
    if any(np.any(np.diff(vector) <= 0) for vector in vectors.values()):
        raise ArithmeticError("Intercepts that have an order are out of order at the pilot")
    return vectors


def _unscaled(block: SampledBlock, effects: np.ndarray, held: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the coefficients of the columns as the model has them; see ``_block_rows``."""
    if block.shape is None or block.is_factor:
        return effects
    unit = block.unit_factor(held)
    return unit[:, None] * effects if unit.ndim == 1 else unit @ effects
