"""A residual standard deviation with a formula of its own that takes few different values: sums for each of them.

The sums are linear in the precisions of the rows, so that those of all rows are the sums of the *cells*, rows of one
standard deviation, weighted by 1 / sigma^2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
from jax import numpy as jnp

from bayesml.engines.base import Problem
from bayesml.engines.nuts.forms.gaussian.rows import GaussianRows, pilot
from bayesml.engines.nuts.forms.gaussian.statistics import Arrangement, Stage, Statistics, statistics
from bayesml.keys import PredictorKey
from bayesml.terms import rows_of

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from bayesml.shapes import DataArrays, Values

__all__ = ["MOST_CELLS", "SigmaCells", "cell_statistics", "sigma_cells", "sigma_of_cells", "weighted"]

MOST_CELLS = 30


@final
@dataclass(frozen=True)
class SigmaCells:
    """The rows that share one residual standard deviation.

    Attributes:
        codes: ``(n,)`` cell of each row.
        arrays: arrays of the terms of sigma, one row for each cell.
    """

    codes: np.ndarray
    arrays: Mapping[str, Mapping[str, np.ndarray]]

    @property
    def count(self) -> int:
        """Number of cells."""
        return int(self.codes.max()) + 1


def sigma_cells(problem: Problem) -> SigmaCells | None:
    """Return the cells of the rows, or None where sigma has no formula."""
    predictor = problem.design.schema.predictor(PredictorKey(dpar="sigma"))
    if predictor is None:
        return None
    arrays = problem.design.arrays[PredictorKey(dpar="sigma")]
    by_row = [a for term in predictor.terms for n, a in arrays[term.key].items() if n not in term.tables]
    columns = [np.asarray(a, float).reshape(len(a), -1) for a in by_row]
    _, rows, codes = np.unique(np.concatenate(columns, axis=1), axis=0, return_index=True, return_inverse=True)
    one_each = {term.key: rows_of(term, arrays[term.key], rows) for term in predictor.terms}
    return SigmaCells(codes.reshape(-1), one_each)


def cell_statistics(rows: GaussianRows, arrangement: Arrangement, cells: SigmaCells) -> tuple[Statistics, np.ndarray]:
    """Return the sums of every cell along a last axis, and the sums of the weights of the log-likelihood."""
    start, parts = pilot(rows), []
    for cell in range(cells.count):
        rows_of_cell = replace(rows, weights=np.where(cells.codes == cell, rows.weights, 0.0), count=0.0)
        parts.append(statistics(rows_of_cell, arrangement, start))
    stages = tuple(_stacked([part.stages[i] for part in parts]) for i in range(len(parts[0].stages)))
    corner = np.stack([part.corner for part in parts], axis=-1)
    return Statistics(stages, corner, parts[0].center), np.bincount(cells.codes, rows.weights)


def _stacked(stages: list[Stage]) -> Stage:
    def together(*arrays: np.ndarray) -> np.ndarray:
        return np.stack(arrays, axis=-1)

    upper = tuple(together(*blocks) for blocks in zip(*(stage.upper for stage in stages), strict=True))
    return stages[0]._replace(
        diagonal=together(*(s.diagonal for s in stages)),
        upper=upper,
        design=together(*(s.design for s in stages)),
        kept=together(*(s.kept for s in stages)),
        response=together(*(s.response for s in stages)),
    )


def weighted(cells: Statistics, precision: Float[Array, " cells"]) -> Statistics:
    """Return the sums over all rows for the residual precision ``(cells,)`` of each cell."""
    stages = tuple(
        stage._replace(
            diagonal=stage.diagonal @ precision,
            upper=tuple(block @ precision for block in stage.upper),
            design=stage.design @ precision,
            kept=stage.kept @ precision,
            response=stage.response @ precision,
        )
        for stage in cells.stages
    )
    return Statistics(stages, cells.corner @ precision, cells.center)


def sigma_of_cells(problem: Problem, values: Values, arrays: DataArrays) -> Float[Array, " cells"]:
    """Return the residual standard deviation of each cell; ``values`` holds the reported variables of sigma."""
    predictor = problem.design.schema.predictor(PredictorKey(dpar="sigma"))
    assert predictor is not None
    derived = dict(values)
    for term in predictor.terms:
        derived |= term.derived(derived, arrays[term.key])
    eta = sum(term.contribution(derived, arrays[term.key]) for term in predictor.terms)
    return problem.likelihood.link("sigma").inverse(jnp.asarray(eta))
