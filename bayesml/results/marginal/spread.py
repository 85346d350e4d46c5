"""How linear predictors of new groups spread: the distribution over which effects are averaged.

The effects of a new group are normal, and so is their sum in a row: with independent standard normal numbers z,

    shift_a = sum_j A_aj z_j in the linear predictor a,

where A holds standard deviations and roots of correlation matrices, times the columns that vary. The average of a
function of the linear predictors is its integral over the normal distribution with covariances A A'.

The integral is a sum over equally spaced nodes (Trefethen and Weideman 2014, SIAM Review 56): for a function that is
analytic within a distance a of the real line its error is about exp(-2 pi a / h) at the spacing h. The logistic
function of sd z has its poles at a = pi / sd, so that h = 2 pi^2 / (sd log(1 / eps)) has the error eps; other links are
at least as smooth. For more than three linear predictors quasi-random points take the place of the nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any, NoReturn, final

import numpy as np

from bayesml.errors import ModelError
from bayesml.keys import PredictorKey
from bayesml.results.predict.re_formula import select_groups
from bayesml.results.predict.rows import encoded_rows

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractFit
    from bayesml.terms import AbstractGroupTerm

__all__ = ["Spread", "nodes", "spread_of"]

RULES = {1: (1e-9, 6.5, 8.0, 200), 2: (1e-7, 5.6, 4.0, 40), 3: (1e-5, 4.8, 2.0, 14)}
"""By the number of linear predictors: error, end of the nodes, how far it moves at most, most nodes to a side of 0.

The integral of e^(sd z) has its mass around z = sd, so that the nodes end that much further away."""

WIDEST = 0.5
"""The largest spacing: the error for the normal density itself is then below 1e-30."""

POINTS = 4096


@final
@dataclass(frozen=True)
class Spread:
    """The group-level terms of some rows.

    Attributes:
        terms: each term with the columns that vary, ``(rows, columns)``.
    """

    terms: tuple[tuple[AbstractGroupTerm, np.ndarray], ...]

    @property
    def keys(self) -> tuple[PredictorKey, ...]:
        """The predictors with group-level effects."""
        return tuple(dict.fromkeys(term.predictor for term, _ in self.terms))

    def taken(self, part: np.ndarray) -> Spread:
        """Return some of the rows."""
        return Spread(tuple((term, Z[part]) for term, Z in self.terms))

    def shifts(self, values: Mapping[str, np.ndarray]) -> Iterator[tuple[float, dict[PredictorKey, np.ndarray]]]:
        """Yield the weight and the shift of each predictor, ``(draws, rows)``, at every node of the quadrature.

        Args:
            values: standard deviations and correlations, ``(draws, ...)``.
        """
        root = self._root(values)
        largest = float(np.sqrt((root**2).sum(axis=-1)).max(initial=0.0))
        for weight, node in zip(*nodes(len(self.keys), largest), strict=True):
            yield float(weight), dict(zip(self.keys, np.einsum("...ab,b->a...", root, node), strict=True))

    def _root(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return roots of the covariance matrices of the predictors, ``(draws, rows, d, d)``."""
        d, loadings = len(self.keys), self.loadings(values)
        A = np.stack([loadings[key] for key in self.keys], axis=2)
        covariance = np.einsum("dnaj,dnbj->dnab", A, A)
        if d == 1:
            return np.sqrt(covariance)
        eigenvalues, vectors = np.linalg.eigh(covariance)
        return np.asarray(vectors * np.sqrt(np.maximum(eigenvalues, 0.0))[..., None, :])

    def loadings(self, values: Mapping[str, np.ndarray]) -> dict[PredictorKey, np.ndarray]:
        """Return A of each predictor, ``(draws, rows, J)``: what J standard normal numbers of a group add to it.

        Args:
            values: standard deviations and correlations, ``(draws, ...)``.
        """
        size = self._coordinates(values)
        shared: dict[str, np.ndarray] = {}
        basis, found = _UnitVectors(size), {key: 0.0 for key in self.keys}
        for term, Z in self.terms:
            matrix = term.simulated(values, basis, size, shared)  # type: ignore[arg-type]
            found[term.predictor] = found[term.predictor] + np.einsum("nk,djk->dnj", Z, matrix)
        return {key: np.asarray(each) for key, each in found.items()}

    def _coordinates(self, values: Mapping[str, np.ndarray]) -> int:
        """Return of how many standard normal numbers the effects of a group are made."""
        counted, shared = _UnitVectors(0), {}  # type: ignore[var-annotated]
        for term, _ in self.terms:
            term.simulated(values, counted, 1, shared)  # type: ignore[arg-type]
        return counted.used


@final
@dataclass
class _UnitVectors:
    """In the place of random numbers: effects are linear in them, and unit vectors give the matrix of that map.

    Attributes:
        size: number of coordinates; 0 counts them.
        used: how many there were so far.
    """

    size: int
    used: int = field(default=0)

    def standard_normal(self, shape: Sequence[int]) -> np.ndarray:
        """Return ``(draws, size, q)`` in which the k-th number of the j-th level is 1 where j is its coordinate."""
        out = np.zeros(shape)
        if self.size:
            places = np.arange(shape[-1])
            out[:, self.used + places, places] = 1.0
        self.used += shape[-1]
        return out

    def __getattr__(self, name: str) -> NoReturn:
        raise ModelError('groups="integrate" averages over normal effects, and those of the model are not normal.')


def spread_of(fit: AbstractFit, rows: Any) -> Spread:
    """Return the group-level terms of rows.

    Raises:
        ModelError: the effects of a row are not those of one independent group.
    """
    selection = select_groups(fit, None)
    encoded = encoded_rows(fit, rows, selection, (), "gaussian", True)
    terms = []
    for group in selection.groups():
        own = encoded.arrays[group.place][group.key]
        if group.place != group.predictor:
            raise ModelError(
                f'groups="integrate" averages over effects on a predictor, and those of `{group.name}` differ between '
                'thresholds. Use groups="population" or "conditional".'
            )
        if group.peculiarity:
            raise ModelError(
                f'groups="integrate" averages over independent groups with normal effects, and those of `{group.name}` '
                f'{group.peculiarity}. Use groups="population" or "conditional".'
            )
        terms.append((group.eliminated, np.asarray(own["Z"], dtype=float)))
    if not terms:
        raise ModelError('The model has no group-level effects to integrate over; use groups="population".')
    return Spread(tuple(terms))


def nodes(d: int, sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Return weights ``(k,)`` and standard normal nodes ``(k, d)`` for linear predictors of this standard deviation."""
    if d in RULES:
        error, end, furthest, most = RULES[d]
        end += min(sd, furthest)
        spacing = min(WIDEST, 2.0 * np.pi**2 / (max(sd, 1e-3) * -np.log(error)))
        count = min(int(np.ceil(end / spacing)), most)
        x = np.linspace(-end, end, 2 * count + 1)
        grid = np.array(list(product(x, repeat=d)))
        weights = np.exp(-0.5 * (grid**2).sum(axis=1))
        kept = weights >= np.exp(-0.5 * end**2)
        return weights[kept] / weights[kept].sum(), grid[kept]
    from scipy.special import ndtri
    from scipy.stats import qmc

    points = qmc.Sobol(d, scramble=False).random(POINTS) + 0.5 / POINTS  # none of them is 0
    return np.full(POINTS, 1.0 / POINTS), ndtri(points)
