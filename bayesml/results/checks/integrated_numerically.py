"""Densities with the effects of a group integrated out by adaptive Gauss-Hermite quadrature.

For each group and draw the mode of log prod_j p(y_j | z) - |z|^2 / 2 is found by Newton's method, and the rule is
centred there and scaled by the curvature (Liu & Pierce 1994, Biometrika 81; Pinheiro & Bates 1995). With more than five
standard normal numbers to a group the rule has a single node: Laplace's approximation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.engines.weighting import log_density_of_precision, weights_are_precisions
from bayesml.families import AbstractLikelihood
from bayesml.keys import PredictorKey
from bayesml.results.checks.loo_options import Unit
from bayesml.results.checks.quadrature_programs import Function, integrator, mode_finder, rule, without_each_row
from bayesml.results.marginal.spread import Spread
from bayesml.results.predict.prepare import Batch
from bayesml.results.predict.rows import Rows
from bayesml.terms import AbstractTerm, combine, rows_of

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["Quadrature"]

POINTS = {1: 25, 2: 11, 3: 7, 4: 5, 5: 3}
"""Points of the rule in each direction, by the number of standard normal numbers of a group."""
WIDER_POINTS = {1: 41, 2: 15, 3: 9, 4: 5, 5: 3}
"""Of a rule that serves a group with each of its rows left out in turn."""
FEW = 8
"""Groups of so many rows get a rule of their own for each row that is left out."""
EDGE = 1e-4
"""A wider rule is not trusted for a row where its outermost nodes have a larger share."""
DRAWS_AT_ONCE = 250_000


@final
@dataclass(frozen=True)
class Quadrature:
    """The rows of a fit, and how their densities depend on the effects of a group.

    Attributes:
        fit: the fit.
        keys: the predictors with effects.
    """

    fit: AbstractSampledFit
    keys: tuple[PredictorKey, ...]

    @classmethod
    def of(cls, fit: AbstractSampledFit, spread: Spread) -> Quadrature:
        """Return the quadrature over the effects of ``spread``."""
        return cls(fit, spread.keys)

    def densities(
        self, batch: Batch, rows: Rows, loadings: Mapping[PredictorKey, np.ndarray], starts: np.ndarray, unit: Unit
    ) -> np.ndarray:
        """Return log densities of groups, or of rows given the others of their group; see ``integrated``."""
        from bayesml.engines.precision import double_precision

        with double_precision():
            problem = _Problem(self, batch, rows, loadings)
            groups = [np.arange(a, b) for a, b in zip(starts[:-1], starts[1:], strict=True)]
            if unit == "group":
                return problem.integrals(groups)
            return _rows_given_others(problem, groups)

    @cached_property
    def programs(self) -> tuple[Function, Function, Function]:
        """The compiled parts: the mode with its scale, the integral, and the integrals without each row."""
        precisions = weights_are_precisions(self.fit.engine.method, self.fit.likelihood)
        if not any(key.nlpar for key in self.keys):
            return _programs(self.fit.likelihood, self.keys, precisions)
        predictors = tuple((p.key, p.terms) for p in self.fit.problem.design.schema.predictors)
        return _compiled(_density(self.fit.likelihood, self.keys, precisions, predictors))


@lru_cache(maxsize=16)
def _programs(
    likelihood: AbstractLikelihood, keys: tuple[PredictorKey, ...], precisions: bool
) -> tuple[Function, Function, Function]:
    """Return the programs of a likelihood, which calls share."""
    return _compiled(_density(likelihood, keys, precisions, ()))


def _compiled(density: Function) -> tuple[Function, Function, Function]:
    import jax

    return jax.jit(mode_finder(density)), jax.jit(integrator(density)), jax.jit(without_each_row(density))


def _density(
    likelihood: AbstractLikelihood, keys: tuple[PredictorKey, ...], precisions: bool,
    predictors: tuple[tuple[PredictorKey, tuple[AbstractTerm, ...]], ...],
) -> Function:  # fmt: skip
    """Return the function ``(z, given) -> log densities of rows``, ``(draws, groups, rows of a group)``.

    Args:
        likelihood: the distribution of the response.
        keys: the predictors with effects.
        precisions: whether weights divide the residual variance.
        predictors: all predictors, where nonlinear ones are to be computed anew.
    """
    from jax import numpy as jnp

    from bayesml.compile import log_likelihood

    def density(z: Any, given: Mapping[str, Any]) -> Any:
        draws, groups, _ = z.shape
        moved = dict(given["predictors"])
        for key in keys:
            own = key if key in moved else replace(key, resp="")
            loading = given["loadings"][key].reshape(draws, groups, -1, z.shape[2])
            moved[own] = moved[own] + (loading * z[:, :, None]).sum(-1).reshape(draws, -1)
        if predictors:
            named = [(key if key in moved else replace(key, resp=""), terms) for key, terms in predictors]
            moved = combine(named, moved, given["arrays"])
        found = log_likelihood(likelihood, moved, given["values"], given["data"])
        if precisions:
            log_y = jnp.log(given["data"]["y"]) if likelihood.traits.response_on_log_scale else 0.0
            found = log_density_of_precision(found, given["precisions"], given["values"]["sigma"], log_y)
        weights = given["weights"]
        return jnp.where(weights > 0, found * weights, 0.0).reshape(draws, groups, -1)

    return density


@final
@dataclass(frozen=True)
class _Problem:
    """Some rows at some draws."""

    quadrature: Quadrature
    batch: Batch
    rows: Rows
    loadings: Mapping[PredictorKey, np.ndarray]

    @property
    def draws(self) -> int:
        return self.batch.where.stop - self.batch.where.start

    @property
    def size(self) -> int:
        """Number of standard normal numbers of a group."""
        return int(next(iter(self.loadings.values())).shape[2])

    def integrals(self, groups: Sequence[np.ndarray]) -> np.ndarray:
        """Return log int prod_j p(y_j | z) p(z) dz of groups of rows, ``(draws, groups)``; 0 of an empty one."""
        out = np.zeros((self.draws, len(groups)))
        nodes, log_weights, _ = rule(POINTS.get(self.size, 1), self.size)
        find, integrate, _ = self.quadrature.programs
        for part, table, counts in _padded(groups):
            for where, given in self._given(table, counts):
                z, root = find(np.zeros((len(where), len(table), self.size)), given)
                out[np.ix_(where, part)] = integrate(z, root, given, nodes, log_weights)[:, : len(part)]
        return out

    def without_each(self, groups: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return log ratios of the integral to that without each row, ``(draws, rows)``, and shares of the edge."""
        out, edge = np.zeros((self.draws, self.rows.count)), np.zeros(self.rows.count)
        nodes, log_weights, outermost = rule(WIDER_POINTS.get(self.size, 1), self.size)
        find, _, each = self.quadrature.programs
        for _, table, counts in _padded(groups):
            real = np.arange(table.shape[1]) < counts[:, None]
            for where, given in self._given(table, counts):
                z, root = find(np.zeros((len(where), len(table), self.size)), given)
                ratio, share = each(z, root, given, nodes, log_weights, outermost.astype(float))
                out[np.ix_(where, table[real])] = np.asarray(ratio)[:, real]
                edge[table[real]] = np.maximum(edge[table[real]], np.asarray(share).max(axis=0)[real])
        return out, edge

    def _given(self, table: np.ndarray, counts: np.ndarray) -> Any:
        """Yield some draws at a time and what the density is given of rows ``(groups, n)``; the last repeat others."""
        flat, batch, rows = table.ravel(), self.batch, self.rows
        fit = self.quadrature.fit
        weights = np.ones(rows.count) if rows.weights is None else np.asarray(rows.weights, dtype=float)
        precisions = weights_are_precisions(fit.engine.method, fit.likelihood) and rows.weights is not None
        used = np.ones(rows.count) if precisions else weights
        if "subset" in rows.data:
            used = used * np.asarray(rows.data["subset"], dtype=float)
        of_rows = {
            "data": {name: np.asarray(value)[flat] for name, value in rows.data.items()},
            "weights": used[flat] * (np.arange(table.shape[1]) < counts[:, None]).ravel(),
            "precisions": weights[flat] if precisions else np.ones(len(flat)),
            "arrays": {
                (p.key if p.key in batch.predictors else replace(p.key, resp="")): {
                    t.key: rows_of(t, rows.arrays[p.key][t.key], flat) for t in p.terms
                }
                for p in rows.selection.predictors
                if any(key.nlpar for key in self.quadrature.keys)
            },
        }
        single = _single_values(fit, batch)
        step = max(1, min(self.draws, DRAWS_AT_ONCE // max(len(flat), 1)))
        for start in [*range(0, self.draws - step, step), self.draws - step]:
            where = np.arange(start, start + step)
            yield (
                where,
                {
                    **of_rows,
                    "predictors": {key: eta[np.ix_(where, flat)] for key, eta in batch.predictors.items()},
                    "loadings": {key: A[where][:, flat] for key, A in self.loadings.items()},
                    "values": {name: value[where] for name, value in single.items()},
                },
            )


def _single_values(fit: AbstractSampledFit, batch: Batch) -> dict[str, np.ndarray]:
    """Return the parameters without predictors, ``(draws, 1)``, and further values of the likelihood."""
    likelihood = fit.likelihood
    alone = [p.name for p in likelihood.dpars if likelihood.key_of(p.name) not in batch.predictors]
    values = {name: batch.values[name][:, None] for name in alone if name in batch.values}
    return values | {name: batch.values[name] for name, _ in likelihood.further}


def _padded(groups: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return groups of like size: their numbers, tables of rows with the same width, and how many of these are real.

    Widths and lengths of the tables are powers of 2, so that few shapes are compiled; the last groups may be empty.
    """
    widths = np.array([1 << int(np.ceil(np.log2(max(len(rows), 1)))) for rows in groups])
    found = []
    for width in np.unique(widths).tolist():
        part = np.flatnonzero(widths == width).tolist()
        more = (1 << int(np.ceil(np.log2(len(part))))) - len(part)
        counts = np.array([len(groups[k]) for k in part] + [0] * more)
        table = np.stack([np.resize(groups[k] if len(groups[k]) else [0], width) for k in (*part, *[part[0]] * more)])
        found.append((np.array(part), table, counts))
    return found


def _rows_given_others(problem: _Problem, groups: Sequence[np.ndarray]) -> np.ndarray:
    """Return log p(y_i | other rows of its group), ``(draws, rows)``.

    Groups with few rows get a rule of their own for each row that is left out, since the others may say much less
    about the effects. With many rows one wider rule serves all, but for rows where its edge counts.
    """
    out = np.zeros((problem.draws, problem.rows.count))
    few = [rows for rows in groups if len(rows) <= FEW]
    many = [rows for rows in groups if len(rows) > FEW]
    alone = [(row, np.setdiff1d(rows, [row])) for rows in few for row in rows]
    if few:
        whole = problem.integrals(few)
        for k, rows in enumerate(few):
            out[:, rows] = whole[:, [k]]
    if many:
        ratio, edge = problem.without_each(many)
        members = np.concatenate(many)
        out[:, members] = ratio[:, members]
        poor = [(rows, rows[edge[rows] > EDGE]) for rows in many]
        poor = [(rows, bad) for rows, bad in poor if len(bad)]
        if poor:
            whole = problem.integrals([rows for rows, _ in poor])
            for k, (rows, bad) in enumerate(poor):
                out[:, bad] = whole[:, [k]]
                alone += [(row, np.setdiff1d(rows, [row])) for row in bad]
    if alone:
        out[:, [row for row, _ in alone]] -= problem.integrals([others for _, others in alone])
    return out
