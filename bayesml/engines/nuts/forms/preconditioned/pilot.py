"""A pilot: rough estimates of everything, from which the sampler's coordinates are built.

Alternates, in NumPy and SciPy on the derivatives of the rows,

1. a Newton step for all coefficients of each linear predictor (slopes and effects) given the covariance matrices of
   effects, on the sparse normal equations A' W A + prior precision,
2. a Newton step for the single parameters of the likelihood, each on a scale without bounds,
3. a step of expectation and maximisation for each covariance matrix (`covariances.covariance_step`).

The coordinates are exact for any pilot, so that a few iterations do; nothing here needs to converge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.describe import single_parameters
from bayesml.engines.base import Problem
from bayesml.engines.density import data_of
from bayesml.engines.nuts.forms.preconditioned.covariances import (
    BlockRows,
    covariance_step,
    hyperparameters,
    standardised,
)
from bayesml.engines.nuts.forms.preconditioned.held import held_values
from bayesml.engines.nuts.forms.preconditioned.linked import LinkedPredictors, linked_predictors
from bayesml.engines.nuts.forms.preconditioned.rows import RowDerivatives, row_derivatives
from bayesml.families.coordinates import SingleCoordinates
from bayesml.keys import PredictorKey
from bayesml.lazy import lazy_module
from bayesml.spec import ModelSpec
from bayesml.terms import SampledBlock, SampledSlopes

if TYPE_CHECKING:
    from scipy import sparse as matrices

__all__ = ["Pilot", "WorkingRows", "find_pilot"]

sparse, factorisations = lazy_module("scipy.sparse"), lazy_module("scipy.sparse.linalg")

ITERATIONS = 25
TOLERANCE = 1e-3


@final
@dataclass(frozen=True)
class WorkingRows:
    """The likelihood near the pilot as a normal one of a linear predictor.

    Attributes:
        weights: ``(n,)`` working precisions, minus the second derivatives of the rows' log-likelihoods.
        residuals: ``(n,)`` working residuals: first derivatives over ``weights``.
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
    """

    values: Mapping[str, np.ndarray]
    effects: Mapping[str, np.ndarray]
    predictors: Mapping[PredictorKey, WorkingRows]


@final
@dataclass(frozen=True)
class _Equations:
    """The coefficients of linked predictors in one vector: slopes, then the effects of each block, vector by vector.

    Attributes:
        linked: the predictors.
        slopes: place of each array of slopes.
        blocks: place of each block.
        rows: of each block in each predictor that it enters.
        matrices: ``(rows, own coefficients)`` of each predictor.
        own: which coefficients enter each predictor.
        mean: ``(coefficients,)`` prior means.
        precision: ``(slopes,)`` prior precisions of the slopes.
    """

    linked: LinkedPredictors
    slopes: tuple[tuple[SampledSlopes, slice], ...]
    blocks: tuple[tuple[SampledBlock, slice], ...]
    rows: Mapping[str, Mapping[PredictorKey, BlockRows]]
    matrices: Mapping[PredictorKey, matrices.csc_matrix]
    own: Mapping[PredictorKey, np.ndarray]
    mean: np.ndarray
    precision: np.ndarray


@final
@dataclass
class _State:
    """The current estimates; this file's loop owns and updates it."""

    coefficients: list[np.ndarray]
    covariances: dict[SampledBlock, np.ndarray]
    singles: dict[str, np.ndarray]
    held: dict[str, np.ndarray]


def find_pilot(problem: Problem) -> Pilot:
    """Find rough estimates of a problem.

    Raises:
        ArithmeticError: the estimates ran away; the caller falls back on another form.
    """
    systems = [_equations(problem, linked) for linked in linked_predictors(problem) if not linked.is_empty]
    singles = _singles(problem)
    evaluate, data = row_derivatives(problem, singles), data_of(problem)
    state = _start(problem.description.spec, systems, singles, held_values(problem, singles.names))

    def rows_at() -> RowDerivatives:
        return evaluate(_reported(problem, systems, state), data)

    rows = rows_at()
    for _ in range(ITERATIONS):
        before = {block: covariance.copy() for block, covariance in state.covariances.items()}
        for number, equations in enumerate(systems):
            for predictor in equations.linked.predictors:
                rows = _newton(equations, number, predictor, state, rows, rows_at)
        _step_singles(state, singles, rows)
        _update_covariances(systems, state, rows)
        rows = rows_at()
        if not np.isfinite(rows.log_likelihood):
            raise ArithmeticError("the likelihood is not finite at the pilot")
        if _settled(before, state.covariances):
            break
    return _pilot(problem.description.spec, systems, state, rows)


def _settled(before: Mapping[SampledBlock, np.ndarray], after: Mapping[SampledBlock, np.ndarray]) -> bool:
    return all(np.allclose(before[k], after[k], rtol=TOLERANCE * 10, atol=0.0) for k in before)


def _equations(problem: Problem, linked: LinkedPredictors) -> _Equations:
    arrays, spec = problem.design.arrays, problem.description.spec
    designs = [part.design(arrays) for part in linked.slopes]
    sizes = [*(X.shape[1] for X in designs), *(block.size for block in linked.blocks)]
    ends = np.cumsum([0, *sizes]).tolist()
    places = [slice(start, stop) for start, stop in zip(ends, ends[1:], strict=False)]
    slopes = tuple(zip(linked.slopes, places, strict=False))
    blocks = tuple(zip(linked.blocks, places[len(designs) :], strict=True))
    rows = {
        block.site: {
            key: BlockRows(block, block.design(key, arrays), block.codes(key, arrays)) for key in block.predictors
        }
        for block in linked.blocks
    }
    matrices, own = {}, {}
    for key in linked.predictors:
        parts = [sparse.csr_matrix((problem.design.n_rows, 0))]
        entering: list[np.ndarray] = [np.zeros(0, np.intp)]
        for (part, place), X in zip(slopes, designs, strict=True):
            if part.predictor == key:
                parts.append(sparse.csr_matrix(X))
                entering.append(np.arange(place.start, place.stop))
        for block, place in blocks:
            if key in block.predictors:
                Z, used = _block_columns(rows[block.site][key], key)
                parts.append(Z)
                entering.append(place.start + used)
        matrices[key], own[key] = sparse.hstack(parts, format="csc"), np.concatenate(entering)
    priors = [d for part in linked.slopes for d in spec.parameter(part.name).priors]
    mean = np.zeros(ends[-1])
    mean[: len(priors)] = [d.location for d in priors]
    scale = np.array([max(d.scale, 1e-8) if d.is_proper else 1e8 for d in priors])
    return _Equations(linked, slopes, blocks, rows, matrices, own, mean, scale**-2.0)


def _block_columns(rows: BlockRows, predictor: PredictorKey) -> tuple[matrices.csr_matrix, np.ndarray]:
    """Return the columns of the effects of a block that enter a predictor, and their numbers in the block."""
    block, Z = rows.block, rows.design
    if not block.is_factor:
        return sparse.csr_matrix(Z), np.arange(block.size)
    entries = np.flatnonzero([part.predictor == predictor for part in block.parts for _ in part.columns])
    n, width = len(Z), len(entries)
    columns = rows.codes[:, None] * width + np.arange(width)
    places = (np.repeat(np.arange(n), width), columns.reshape(-1))
    matrix = sparse.csr_matrix((Z[:, entries].reshape(-1), places), shape=(n, block.vectors * width))
    return matrix, (np.arange(block.vectors)[:, None] * block.q + entries).reshape(-1)


def _start(
    spec: ModelSpec, systems: list[_Equations], singles: SingleCoordinates, held: dict[str, np.ndarray]
) -> _State:
    coefficients, covariances = [], {}
    for equations in systems:
        start = np.zeros(len(equations.mean))
        for part, place in equations.slopes:
            start[place] = spec.parameter(part.name).centers
        coefficients.append(start)
        for block, _ in equations.blocks:
            typical = [_typical_sd(spec, name, place) for name, place in block.standard_deviations]
            covariances[block] = np.diag(np.square(typical))
    return _State(coefficients, covariances, _typical(spec, singles), held)


def _typical_sd(spec: ModelSpec, name: str, place: int | None) -> float:
    centers = spec.parameter(name).centers
    return centers[place or 0] if len(centers) > 1 else centers[0]


def _effects(block: SampledBlock, coefficients: np.ndarray) -> np.ndarray:
    return coefficients.reshape(block.vectors, block.q)


def _reported(problem: Problem, systems: list[_Equations], state: _State) -> dict[str, np.ndarray]:
    """Return the sampled parameters and what all terms derive from them."""
    values: dict[str, Any] = state.held | {name: np.asarray(v) for name, v in state.singles.items()}
    values |= hyperparameters(problem.description.spec, state.covariances)
    for equations, coefficients in zip(systems, state.coefficients, strict=True):
        values |= _slope_values(problem.description.spec, equations, coefficients)
        for block, place in equations.blocks:
            effects = _effects(block, coefficients[place])
            values[block.site] = standardised(block, effects, state.covariances[block])
    for predictor in problem.design.schema.predictors:
        for term in predictor.terms:
            values |= term.derive(values)
    return values


def _slope_values(spec: ModelSpec, equations: _Equations, coefficients: np.ndarray) -> dict[str, np.ndarray]:
    return {part.name: coefficients[place].reshape(spec.parameter(part.name).shape) for part, place in equations.slopes}


def _newton(
    equations: _Equations, number: int, predictor: PredictorKey, state: _State, rows: RowDerivatives, rows_at: Any
) -> RowDerivatives:
    """One damped Newton step for the coefficients of one predictor, all others held."""
    own, matrix = equations.own[predictor], equations.matrices[predictor]
    if not len(own):
        return rows
    precision, old = _precision(equations, state), state.coefficients[number]
    weighted = matrix.T @ sparse.diags_array(rows.weight[predictor])
    gradient = matrix.T @ rows.score[predictor] - (precision @ (old - equations.mean))[own]
    step = np.zeros(len(old))
    step[own] = _solve(weighted @ matrix + precision[own][:, own], gradient)

    def objective(theta: np.ndarray, r: RowDerivatives) -> float:
        away = theta - equations.mean
        return r.log_likelihood - 0.5 * float(away @ (precision @ away))

    best = objective(old, rows)
    for halving in range(12):
        tried = state.coefficients[number] = old + 0.5**halving * step
        now = rows_at()
        if np.isfinite(now.log_likelihood) and objective(tried, now) >= best - 1e-8 * abs(best):
            return now
    state.coefficients[number] = old
    return rows


def _solve(normal: Any, right: np.ndarray) -> np.ndarray:
    """Solve with a positive definite matrix: pivots on the diagonal, in an order that looks at its pattern alone."""
    factor = factorisations.splu(
        sparse.csc_matrix(normal), "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    return factor.solve(right)


def _precision(equations: _Equations, state: _State) -> matrices.csr_matrix:
    """Return the prior precision of all coefficients given the covariance matrices."""
    parts = [sparse.diags_array(equations.precision)] if len(equations.precision) else []
    for block, _ in equations.blocks:
        parts.append(sparse.kron(sparse.eye_array(block.vectors), np.linalg.inv(state.covariances[block])))
    return sparse.block_diag(parts, format="csr")


def _singles(problem: Problem) -> SingleCoordinates:
    spec, taken = problem.description.spec, dict(problem.likelihood.further)
    # What densities take after it has been computed, such as thresholds of centred predictors, is held at its start.
    further = tuple(spec.parameter(p.name) for p in problem.likelihood.parameters if p.name in taken)
    return SingleCoordinates(single_parameters(problem.design), further)


def _typical(spec: ModelSpec, singles: SingleCoordinates) -> dict[str, np.ndarray]:
    values = {}
    for name in (p.name for p in singles.dpars):
        values[name] = np.asarray(spec.parameter(name).centers[0])
    for p in singles.further:
        start = p.support.start(p.shape, np.asarray(p.centers), np.asarray(p.scales))[0]
        values[p.name] = np.asarray(p.support.constrain(start, p.shape)[0])
    return singles.inside(values)


def _step_singles(state: _State, singles: SingleCoordinates, rows: RowDerivatives) -> None:
    if not singles.size:
        return
    curvature = rows.single_curvature + 1e-3 * np.eye(singles.size)
    values, vectors = np.linalg.eigh(curvature)
    step = vectors @ ((vectors.T @ rows.single_gradient) / np.maximum(np.abs(values), 1e-3))
    state.singles = singles.moved(state.singles, np.clip(step, -1.0, 1.0))


def _update_covariances(systems: list[_Equations], state: _State, rows: RowDerivatives) -> None:
    for equations, coefficients in zip(systems, state.coefficients, strict=True):
        for block, place in equations.blocks:
            effects, before = _effects(block, coefficients[place]), state.covariances[block]
            step = covariance_step(block, effects, before, equations.rows[block.site], rows.weight)
            state.covariances[block] = step


def _pilot(spec: ModelSpec, systems: list[_Equations], state: _State, rows: RowDerivatives) -> Pilot:
    values: dict[str, np.ndarray] = {name: np.asarray(v) for name, v in state.singles.items()}
    values |= state.held | hyperparameters(spec, state.covariances)
    effects = {}
    for equations, coefficients in zip(systems, state.coefficients, strict=True):
        values |= _slope_values(spec, equations, coefficients)
        for block, place in equations.blocks:
            effects[block.site] = _effects(block, coefficients[place])
            values[block.site] = np.zeros(spec.parameter(block.site).shape)
    for parameter in spec.parameters:
        if parameter.name in values and not parameter.is_single_site:
            values |= {f"{parameter.name}[{c}]": values[parameter.name][i] for i, c in enumerate(parameter.coefs)}
    working = {
        key: WorkingRows(weight, rows.score[key] / weight)
        for key, weight in rows.weight.items()
        if np.ndim(weight) == 1
    }
    return Pilot(values, effects, working)
