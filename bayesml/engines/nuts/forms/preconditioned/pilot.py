"""A pilot: rough estimates of everything, from which the sampler's coordinates are built.

Alternates, in NumPy and SciPy on the derivatives of the rows,

1. a Newton step for all coefficients of each linear predictor (population and group effects) given the group
   covariances, on the sparse normal equations A' W A + prior precision,
2. a Newton step for the single parameters of the likelihood, each on a scale without bounds,
3. an EM step for each group covariance: the mean over levels of u_j u_j' + Var(u_j | y), with a prior weight of one
   level that keeps it off zero.

The coordinates are exact for any pilot, so that a few iterations do; nothing here needs to converge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml import names
from bayesml.describe import single_parameters
from bayesml.design import PredictorDesign
from bayesml.engines.base import Problem
from bayesml.engines.density import data_of
from bayesml.engines.nuts.forms.preconditioned.held import derived_of_others, held_values
from bayesml.engines.nuts.forms.preconditioned.rows import Evaluate, RowDerivatives, row_derivatives
from bayesml.families.coordinates import SingleCoordinates
from bayesml.keys import PredictorKey
from bayesml.lazy import lazy_module
from bayesml.spec import ParameterSpec
from bayesml.terms import AbstractGroupTerm, AbstractPopulationTerm, population_terms

if TYPE_CHECKING:
    from scipy import sparse as matrices

__all__ = ["Pilot", "WorkingRows", "find_pilot"]

sparse, factorisations = lazy_module("scipy.sparse"), lazy_module("scipy.sparse.linalg")

ITERATIONS = 25
TOLERANCE = 1e-3


@final
@dataclass(frozen=True)
class WorkingRows:
    """The likelihood near the pilot as a normal one of a linear predictor, with the pilot's coefficients.

    Attributes:
        weights: ``(n,)`` working precisions, minus the second derivatives of the rows' log-likelihoods.
        residuals: ``(n,)`` working residuals: first derivatives over ``weights``.
        population: ``(n, p)`` population-level columns, centred as in the model.
        coefficients: ``(p,)`` of these.
        effects: group effects ``(levels, q)``, by the key of their term.
    """

    weights: np.ndarray
    residuals: np.ndarray
    population: np.ndarray
    coefficients: np.ndarray
    effects: Mapping[str, np.ndarray]


@final
@dataclass(frozen=True)
class Pilot:
    """Rough estimates.

    Attributes:
        values: every sampled parameter on its natural scale; zeros for the standardised variables of group effects.
        predictors: the normal approximation of the likelihood in each linear predictor.
    """

    values: Mapping[str, np.ndarray]
    predictors: Mapping[PredictorKey, WorkingRows]


def pilot_key(predictor: PredictorKey, group: str) -> str:
    """Return the name of the pilot's covariance of one group-level term."""
    return f"{names.predictor_name(predictor)}:{group}"


@final
@dataclass
class _State:
    """The current estimates; this file's loop owns and updates it."""

    coefficients: dict[PredictorKey, np.ndarray]
    covariances: dict[str, np.ndarray]
    singles: dict[str, np.ndarray]
    held: dict[str, np.ndarray]
    derived: dict[str, np.ndarray]


@final
@dataclass(frozen=True)
class _Columns:
    """The linear predictor of one parameter as a sparse matrix: population columns, then each group's, level-major."""

    predictor: PredictorDesign
    arrays: Mapping[str, Mapping[str, np.ndarray]]
    matrix: matrices.csc_matrix
    prior_mean: np.ndarray
    prior_precision: np.ndarray
    n_population: int

    def group_slices(self) -> list[tuple[AbstractGroupTerm, slice]]:
        found, start = [], self.n_population
        for group in self.predictor.independent_groups():
            stop = start + len(group.levels) * len(group.coefs)
            found.append((group, slice(start, stop)))
            start = stop
        return found


def find_pilot(problem: Problem) -> Pilot:
    """Find rough estimates of a problem.

    Raises:
        ArithmeticError: the estimates ran away; the caller falls back on another form.
    """
    predictors = problem.design.schema.predictors
    columns = {p.key: _columns(problem, p) for p in predictors if any(t.is_linear_gaussian for t in p.terms)}
    singles = _singles(problem)
    evaluate = row_derivatives(problem, singles)
    data = data_of(problem)
    state = _start(problem, columns, singles)
    rows = evaluate(_reported(columns, state), data)
    for _ in range(ITERATIONS):
        before = {name: c.copy() for name, c in state.covariances.items()}
        rows = _newton(columns, state, rows, evaluate, data)
        _step_singles(state, singles, rows)
        _update_covariances(columns, state, rows)
        rows = evaluate(_reported(columns, state), data)
        if not np.isfinite(rows.log_likelihood):
            raise ArithmeticError("the likelihood is not finite at the pilot")
        if _settled(before, state.covariances):
            break
    return _pilot(columns, state, rows)


def _settled(before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]) -> bool:
    return all(np.allclose(before[k], after[k], rtol=TOLERANCE * 10, atol=0.0) for k in before)


def _columns(problem: Problem, predictor: PredictorDesign) -> _Columns:
    arrays = problem.design.arrays[predictor.key]
    blocks, means, precisions = [], [np.zeros(0)], [np.zeros(0)]
    for term in population_terms(predictor.terms):
        X = arrays[term.key]["X"].astype(float)
        if term.has_intercept:
            X = np.concatenate([X[:, :1], X[:, 1:] - np.asarray(term.means)], axis=1)
        blocks.append(sparse.csr_matrix(X))
        mean, precision = _population_prior(problem, term)
        means.append(mean)
        precisions.append(precision)
    n_population = sum(b.shape[1] for b in blocks)
    for group in predictor.independent_groups():
        blocks.append(_group_columns(group, arrays[group.key]))
    empty = sparse.csr_matrix((problem.design.n_rows, 0))
    matrix = sparse.hstack([empty, *blocks], format="csc")
    return _Columns(predictor, arrays, matrix, np.concatenate(means), np.concatenate(precisions), n_population)


def _group_columns(group: AbstractGroupTerm, arrays: Mapping[str, np.ndarray]) -> matrices.csr_matrix:
    Z, index = arrays["Z"], arrays["index"]
    n, q = Z.shape
    columns = index[:, None] * q + np.arange(q)
    return sparse.csr_matrix(
        (Z.reshape(-1), (np.repeat(np.arange(n), q), columns.reshape(-1))), shape=(n, len(group.levels) * q)
    )


def _population_prior(problem: Problem, term: AbstractPopulationTerm) -> tuple[np.ndarray, np.ndarray]:
    spec = problem.description.spec
    found: list[ParameterSpec] = (
        [spec.parameter(names.intercept_variable(term.predictor))] if term.has_intercept else []
    )
    found += [spec.parameter(names.slopes_variable(term.predictor))] if term.slopes else []
    priors = [d for p in found for d in p.priors]
    mean = np.array([d.location for d in priors])
    scale = np.array([max(d.scale, 1e-8) if d.is_proper else 1e8 for d in priors])
    return mean, scale**-2.0


def _start(problem: Problem, columns: Mapping[PredictorKey, _Columns], singles: SingleCoordinates) -> _State:
    coefficients, covariances = {}, {}
    for predictor, c in columns.items():
        start = np.zeros(c.matrix.shape[1])
        start[: c.n_population] = _centers(problem, c)
        coefficients[predictor] = start
        for group in c.predictor.independent_groups():
            sd = problem.description.spec.parameter(names.group_sd_variable(group.name, predictor)).centers
            covariances[pilot_key(predictor, group.key)] = np.diag(
                np.broadcast_to(np.asarray(sd, float), len(group.coefs)) ** 2
            )
    held = held_values(problem, singles.names)
    return _State(coefficients, covariances, _typical(problem, singles), held, derived_of_others(problem, held))


def _centers(problem: Problem, c: _Columns) -> np.ndarray:
    spec, found = problem.description.spec, []
    for term in population_terms(c.predictor.terms):
        if term.has_intercept:
            found += list(spec.parameter(names.intercept_variable(term.predictor)).centers)
        if term.slopes:
            found += list(spec.parameter(names.slopes_variable(term.predictor)).centers)
    return np.asarray(found)


def _reported(columns: Mapping[PredictorKey, _Columns], state: _State) -> dict[str, np.ndarray]:
    values: dict[str, Any] = {name: np.asarray(v) for name, v in state.singles.items()}
    values |= state.held | state.derived
    for predictor, c in columns.items():
        theta = state.coefficients[predictor]
        for term in population_terms(c.predictor.terms):
            values |= term.derive(state.held | _population_values(term, theta[: c.n_population]))
        for group, place in c.group_slices():
            effects = theta[place].reshape(len(group.levels), len(group.coefs))
            values[names.group_effect_variable(group.name, predictor)] = effects
    return values


def _population_values(term: AbstractPopulationTerm, theta: np.ndarray) -> dict[str, np.ndarray]:
    values = {names.slopes_variable(term.predictor): theta[1:] if term.has_intercept else theta}
    if term.has_intercept:
        values[names.intercept_variable(term.predictor)] = theta[0]
    return values


def _newton(
    columns: Mapping[PredictorKey, _Columns], state: _State, rows: RowDerivatives, evaluate: Evaluate, data: Any
) -> RowDerivatives:
    """One damped Newton step for each predictor in turn."""
    for predictor, c in columns.items():
        old = state.coefficients[predictor]
        precision, mean = _precision(c, state, predictor), np.zeros(len(old))
        mean[: c.n_population] = c.prior_mean
        normal = c.matrix.T @ sparse.diags_array(rows.weight[predictor]) @ c.matrix + precision
        gradient = c.matrix.T @ rows.score[predictor] - precision @ (old - mean)
        step = _solve(normal, gradient)
        rows = _line_search(columns, state, predictor, step, precision, mean, rows, evaluate, data)
    return rows


def _solve(normal: Any, right: np.ndarray) -> np.ndarray:
    """Solve with a positive definite matrix: pivots on the diagonal, in an order that looks at its pattern alone."""
    factor = factorisations.splu(
        sparse.csc_matrix(normal), "MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
    )
    return factor.solve(right)


def _line_search(
    columns: Mapping[PredictorKey, _Columns],
    state: _State,
    predictor: PredictorKey,
    step: np.ndarray,
    precision: Any,
    mean: np.ndarray,
    rows: RowDerivatives,
    evaluate: Evaluate,
    data: Any,
) -> RowDerivatives:
    old = state.coefficients[predictor]

    def objective(theta: np.ndarray, r: RowDerivatives) -> float:
        return r.log_likelihood - 0.5 * float((theta - mean) @ (precision @ (theta - mean)))

    best = objective(old, rows)
    for halving in range(12):
        state.coefficients[predictor] = old + 0.5**halving * step
        now = evaluate(_reported(columns, state), data)
        if np.isfinite(now.log_likelihood) and objective(state.coefficients[predictor], now) >= best - 1e-8 * abs(best):
            return now
    state.coefficients[predictor] = old
    return rows


def _precision(c: _Columns, state: _State, predictor: PredictorKey) -> matrices.csc_matrix:
    blocks = [sparse.diags_array(c.prior_precision)] if c.n_population else []
    for group in c.predictor.independent_groups():
        inverse = np.linalg.inv(state.covariances[pilot_key(predictor, group.key)])
        blocks.append(sparse.kron(sparse.eye_array(len(group.levels)), inverse))
    return sparse.block_diag(blocks, format="csc")


def _singles(problem: Problem) -> SingleCoordinates:
    spec, taken = problem.description.spec, dict(problem.likelihood.further)
    # What densities take after it has been computed, such as thresholds of centred predictors, is held at its start.
    further = tuple(spec.parameter(p.name) for p in problem.likelihood.parameters if p.name in taken)
    return SingleCoordinates(single_parameters(problem.design), further)


def _typical(problem: Problem, singles: SingleCoordinates) -> dict[str, np.ndarray]:
    spec, values = problem.description.spec, {}
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


def level_information(group: AbstractGroupTerm, arrays: Mapping[str, np.ndarray], weight: np.ndarray) -> np.ndarray:
    """Return sum_i w_i x_i x_i' of each level, ``(levels, q, q)``."""
    Z, index, q = arrays["Z"], arrays["index"], len(group.coefs)
    information = np.empty((len(group.levels), q, q))
    for i in range(q):
        for j in range(i + 1):
            sums = np.bincount(index, weight * Z[:, i] * Z[:, j], len(group.levels))
            information[:, i, j] = information[:, j, i] = sums
    return information


def _update_covariances(columns: Mapping[PredictorKey, _Columns], state: _State, rows: RowDerivatives) -> None:
    for predictor, c in columns.items():
        for group, place in c.group_slices():
            key = pilot_key(predictor, group.key)
            old = state.covariances[key]
            information = level_information(group, c.arrays[group.key], rows.weight[predictor])
            effects = state.coefficients[predictor][place].reshape(len(group.levels), len(group.coefs))
            conditional = np.linalg.inv(information + np.linalg.inv(old))
            moment = np.einsum("ji,jk->ik", effects, effects) + conditional.sum(axis=0) + old
            state.covariances[key] = _restricted(moment / (len(group.levels) + 1), group)


def _restricted(covariance: np.ndarray, group: AbstractGroupTerm) -> np.ndarray:
    """Keep the correlated blocks only, and correlations within 0.95 so that the factor is well conditioned."""
    kept = np.zeros_like(covariance)
    for block in group.block_slices():
        kept[block, block] = covariance[block, block]
    sd = np.sqrt(np.diag(kept))
    correlation = kept / np.outer(sd, sd)
    off = correlation - np.diag(np.diag(correlation))
    largest = np.abs(off).sum(axis=1).max(initial=0.0)
    return np.outer(sd, sd) * (np.eye(len(sd)) + off * min(1.0, 0.95 / max(largest, 1e-12)))


def _pilot(columns: Mapping[PredictorKey, _Columns], state: _State, rows: RowDerivatives) -> Pilot:
    values: dict[str, np.ndarray] = {name: np.asarray(v) for name, v in state.singles.items()}
    values |= state.held
    predictors = {}
    for predictor, c in columns.items():
        coefficients = state.coefficients[predictor]
        for term in population_terms(c.predictor.terms):
            values |= _population_values(term, coefficients[: c.n_population])
        effects = {}
        for group, place in c.group_slices():
            effects[group.key] = coefficients[place].reshape(len(group.levels), len(group.coefs))
            values |= _group_values(group, predictor, state.covariances[pilot_key(predictor, group.key)])
        predictors[predictor] = WorkingRows(
            rows.weight[predictor],
            rows.score[predictor] / rows.weight[predictor],
            c.matrix[:, : c.n_population].toarray(),
            coefficients[: c.n_population],
            effects,
        )
    return Pilot(values, predictors)


def _group_values(group: AbstractGroupTerm, predictor: PredictorKey, covariance: np.ndarray) -> dict[str, np.ndarray]:
    """Return sd, Cholesky factors, and zeros in the place of z."""
    sd = np.sqrt(np.diag(covariance))
    values = {
        names.group_sd_variable(group.name, predictor): sd,
        names.standardised_variable(group.name, predictor): np.zeros((len(group.coefs), len(group.levels))),
    }
    for number, block in enumerate(group.block_slices()):
        if group.blocks[number] > 1:
            correlation = covariance[block, block] / np.outer(sd[block], sd[block])
            values[names.cholesky_variable(group.name, predictor, number)] = np.linalg.cholesky(correlation)
    return values
