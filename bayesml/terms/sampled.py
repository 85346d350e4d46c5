"""What a term says of its parameters to an engine that samples them in coordinates of its own.

A term that is linear in what is sampled adds ``X b + Z u`` to a predictor. The coefficients b are sampled as they are.
The effects are ``u = Lambda z`` with z standard normal and sampled, and Lambda = diag(sd) L the factor of their
covariance matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.keys import PredictorKey
from bayesml.terms.effect_block import CovarianceShape, EffectBlock, block_columns

if TYPE_CHECKING:
    from bayesml.terms.area_field import AreaField
    from bayesml.terms.row_spread import RowSpread

__all__ = ["PROCESS", "BlockPart", "LatentValues", "SampledBlock", "SampledSlopes", "SeriesShape", "ThresholdBlock"]

Arrays = Mapping[PredictorKey, Mapping[str, Mapping[str, np.ndarray]]]

PROCESS = "process"
"""The array of a term that holds the values of its process at the places of the fit where they are known already."""


@final
@dataclass(frozen=True)
class LatentValues:
    """Standard normal variables behind values that nobody observed, each of which enters the rows of one place alone.

    Attributes:
        site: the variables, ``(kinds, places)``.
        kinds: how many of them belong to each place.
        index: name of the place of each row among the arrays of the term; empty where the places are the rows.
    """

    site: str
    kinds: int
    index: str = ""


@final
@dataclass(frozen=True)
class SampledSlopes:
    """A sampled array of coefficients of columns.

    Attributes:
        name: the parameter.
        predictor: the predictor to which the columns belong.
        term: key of the term.
        array: name of the columns among its arrays.
        columns: which of these are meant.
        means: what is subtracted from each of them; empty where nothing is.
        averages: for each coefficient the arrays whose averages over columns multiply its column; empty for none.
    """

    name: str
    predictor: PredictorKey
    term: str
    array: str
    columns: slice
    means: tuple[float, ...] = ()
    averages: tuple[tuple[str, ...], ...] = ()

    def design(self, arrays: Arrays) -> np.ndarray:
        """Return the columns ``(rows, coefficients)``."""
        of_term = arrays[self.predictor][self.term]
        X = np.array(of_term[self.array], float)[:, self.columns]
        for column, factors in zip(X.T, self.averages, strict=False):
            for factor in factors:
                column *= np.asarray(of_term[factor]).mean(axis=1)
        return X - np.asarray(self.means) if self.means else X


@final
@dataclass(frozen=True)
class BlockPart:
    """Neighbouring entries of the vectors of a block that enter one predictor by way of one term.

    Attributes:
        predictor: the predictor.
        term: key of the term.
        array: name of the columns among its arrays.
        columns: the columns that the entries multiply; of a block without levels those that its vectors multiply.
        sd: the parameter that holds the standard deviations of the entries.
        places: where in it they are; empty where it is one number.
    """

    predictor: PredictorKey
    term: str
    array: str
    columns: tuple[int, ...]
    sd: str
    places: tuple[int, ...]


@final
@dataclass(frozen=True, eq=False)
class SeriesShape:
    """How variables of rows reach into later rows of their series: ``e_t = sd (z_t + sum theta z_(t - lag))``, or L z.

    Attributes:
        lags: parameter, place in it, and lag of each theta.
        tables: the grid of times and series, see ``response_terms.residuals.grid``.
        root: returns L ``(times, times)``, lower triangular, of the values of all parameters; None where lags say it.
    """

    lags: tuple[tuple[str, int, int], ...]
    tables: Mapping[str, np.ndarray]
    root: Callable[[Mapping[str, Any]], Any] | None = None

    @property
    def reach(self) -> int:
        """The largest lag."""
        return max(lag for _, _, lag in self.lags)


@final
@dataclass(frozen=True)
class SampledBlock:
    """Effects ``u = Lambda z``: independent vectors that all have the covariance matrix ``Lambda Lambda'``.

    Attributes:
        site: the standard normal variables z, of shape ``(entries, vectors)``, or ``(vectors,)`` without levels.
        factor: the grouping factor or the smooth.
        vectors: number of vectors: the levels of a factor, or the coefficients of a spline.
        sizes: sizes of the correlated sets of entries, in order.
        cholesky: the parameter that holds the Cholesky factor of the correlations of each set; empty for sets of one.
        parts: the entries, in order, by the predictor that they enter.
        index: name of the level of each row among the arrays; empty where every row touches all vectors.
        shape: without levels, the covariance of the vectors from their sd; None where they are independent and alike.
        spread: how a row touches the vectors of several levels; None where it touches those of ``index``, or has
            columns for all.
        field: the effects of many areas, which are sampled as those of neighbours; None for all others.
        series: how effects reach into later rows of a series; None where they do not.
    """

    site: str
    factor: str
    vectors: int
    sizes: tuple[int, ...]
    cholesky: tuple[str, ...]
    parts: tuple[BlockPart, ...]
    index: str = ""
    shape: CovarianceShape | None = None
    spread: RowSpread | None = None
    field: AreaField | None = None
    series: SeriesShape | None = None

    @classmethod
    def of(cls, block: EffectBlock, predictor: PredictorKey, term: str) -> SampledBlock:
        """Return what is sampled of a block of one term of one predictor."""
        q, first = sum(block.sizes), block.columns.start or 0 if block.columns else 0
        count, places = (q, tuple(range(q))) if block.has_levels else (block.vectors, ())
        count = 1 if block.spread is not None and not block.has_levels else count  # one column, of ones
        part = BlockPart(predictor, term, block.array, tuple(range(first, first + count)), block.sd, places)
        return cls(
            block.standardised,
            block.name,
            block.vectors,
            block.sizes,
            block.cholesky,
            (part,),
            block.index,
            block.shape,
            block.spread,
        )

    @property
    def q(self) -> int:
        """Number of entries of a vector."""
        return sum(self.sizes)

    @property
    def size(self) -> int:
        """Number of effects."""
        return self.q * self.vectors

    @property
    def is_factor(self) -> bool:
        """Whether the vectors belong to the levels of a factor, of which each row has one."""
        return bool(self.index)

    @property
    def has_levels(self) -> bool:
        """Whether the vectors belong to levels, with an entry for each varying column."""
        return bool(self.index) or (self.spread is not None and self.spread.of_levels)

    @property
    def slices(self) -> tuple[slice, ...]:
        """The entries of each correlated set."""
        ends = tuple(accumulate(self.sizes))
        return tuple(slice(end - size, end) for end, size in zip(ends, self.sizes, strict=True))

    @property
    def standard_deviations(self) -> tuple[tuple[str, int | None], ...]:
        """The parameter that holds the standard deviation of each entry, and its place there; None for a number."""
        return tuple((part.sd, place) for part in self.parts for place in part.places or (None,))

    @property
    def hyperparameters(self) -> tuple[str, ...]:
        """The parameters from which the covariance matrix follows."""
        lengthscales = () if self.shape is None else (self.shape.lengthscales, *self.shape.beside)
        return tuple(dict.fromkeys([*(part.sd for part in self.parts), *filter(None, self.cholesky), *lengthscales]))

    @property
    def scales(self) -> tuple[str, ...]:
        """Those of them that a covariance matrix of the vectors determines: all but a length-scale."""
        held = () if self.shape is None else (self.shape.lengthscales, *self.shape.beside)
        return tuple(name for name in self.hyperparameters if name not in held)

    def unit_factor(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the covariance factor of the vectors for an sd of 1: a number of each, or a matrix."""
        return np.ones(self.vectors) if self.shape is None else np.asarray(self.shape.factor(1.0, values))

    @property
    def predictors(self) -> tuple[PredictorKey, ...]:
        """The predictors that it enters."""
        return tuple(dict.fromkeys(part.predictor for part in self.parts))

    def codes(self, predictor: PredictorKey, arrays: Arrays) -> np.ndarray:
        """Return the level of each row of a predictor; zeros where there are no levels."""
        part = next((p for p in self.parts if p.predictor == predictor), self.parts[0])
        of_term = arrays[part.predictor][part.term]
        return np.asarray(of_term[self.index]) if self.index else np.zeros(len(of_term[part.array]), np.intp)

    def design(self, predictor: PredictorKey, arrays: Arrays) -> np.ndarray:
        """Return what the rows of a predictor multiply effects with.

        Returns:
            ``(rows, entries)``, times the effects of the row's level; without levels ``(rows, vectors)``, and where a
            row touches several ``(rows, entries * vectors)``. Zero in the columns of entries that do not enter the
            predictor.
        """
        columns = []
        for part in self.parts:
            of_term = arrays[part.predictor][part.term]
            if self.spread is not None:
                Z = self.spread.columns(of_term, part.columns)
                columns.append(Z if part.predictor == predictor else np.zeros_like(Z))
                continue
            Z = np.asarray(block_columns(of_term, part.array, self.vectors), float)[:, list(part.columns)]
            columns.append(Z if part.predictor == predictor else np.zeros_like(Z))
        return np.concatenate(columns, axis=1)

    def contribution(self, predictor: PredictorKey, arrays: Arrays, effects: np.ndarray) -> np.ndarray:
        """Return what the effects ``(vectors, entries)`` add to the rows of a predictor, ``(rows,)``."""
        Z = self.design(predictor, arrays)
        if not self.is_factor:
            return Z @ effects.T.ravel()
        return np.einsum("nq,nq->n", Z, effects[self.codes(predictor, arrays)])


@final
@dataclass(frozen=True)
class ThresholdBlock:
    """Effects of levels of which some differ between the thresholds of a row.

    Attributes:
        block: the effects; its predictor has a column for each threshold.
        places: of each entry the threshold that it moves, -1 for all.
        beside: the predictor that moves all thresholds.
    """

    block: SampledBlock
    places: tuple[int, ...]
    beside: PredictorKey
