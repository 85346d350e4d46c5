"""What a term says of its coefficients to engines for which everything linear and Gaussian is one thing.

A term is linear where it adds ``X b + sum_j Z_j u_j`` to a predictor: columns whose coefficients are estimated one by
one, and blocks of coefficients that are normal given standard deviations and correlations. Group-level effects and the
penalised coefficients of a smooth are blocks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, combinations
from typing import TYPE_CHECKING, Any, Protocol, final

import numpy as np

from bayesml.linalg import AbstractBlock, DenseBlock, GroupBlock, SpreadBlock

if TYPE_CHECKING:
    from bayesml.shapes import Numbers
    from bayesml.terms.row_spread import RowSpread

__all__ = ["AbstractEffects", "CovarianceShape", "EffectBlock", "SlopeColumns", "block_columns"]


def block_columns(arrays: Mapping[str, np.ndarray], name: str, count: int) -> np.ndarray:
    """Return the columns of a block among the arrays of its term.

    Of a Gaussian process these say the place of each row, and the columns are 1, or what rows are multiplied by, there.
    """
    Z = np.asarray(arrays[name])
    if Z.ndim > 1:
        return Z
    columns = (Z[:, None] == np.arange(count)).astype(np.float64)
    return columns * arrays["by"][:, None] if "by" in arrays else columns


@final
@dataclass(frozen=True)
class SlopeColumns:
    """Columns of a term whose coefficients have no distribution but their priors.

    Attributes:
        variable: the reported variable that holds the coefficients.
        labels: their labels.
        texts: their text names.
        array: name of the columns ``(rows, labels)`` among the arrays of the term.
        width: number of linear predictors that take each column, each with a coefficient of its own: the thresholds of
            category specific effects. The coefficients of a column follow each other.
        center: what thresholds expect to be taken off each column; empty for nothing.
    """

    variable: str
    labels: tuple[str, ...]
    texts: tuple[str, ...]
    array: str
    width: int = 1
    center: tuple[float, ...] = ()


class Root(Protocol):
    """The linear map from standardised vectors to effects of levels or areas."""

    @property
    def root(self) -> np.ndarray:
        """``(levels, vectors)``."""


class CovarianceShape(Protocol):
    """The covariance of coefficients from a standard deviation and one further parameter."""

    @property
    def lengthscales(self) -> str:
        """The further parameter, which a pilot holds: length-scales, or the strength of a dependence."""

    @property
    def beside(self) -> tuple[str, ...]:
        """Parameters that it depends on too."""

    def factor(self, sd: Numbers, values: Mapping[str, Any]) -> Numbers:
        """Return standard deviations ``(vectors,)``, or a root of the covariance matrix ``(vectors, vectors)``."""


class AbstractEffects(ABC):
    """Independent vectors of coefficients, all normal with one covariance matrix.

    Standard deviations, and correlations inside of sets of entries, determine it.
    """

    name: str
    vectors: int
    coefs: tuple[str, ...]
    sizes: tuple[int, ...]
    sd_texts: tuple[str, ...]
    cholesky: tuple[str, ...]
    unpenalised: tuple[str, ...]
    index: str
    known: Root | None = None

    @property
    def has_levels(self) -> bool:
        """Whether the vectors belong to levels, with an entry for each varying column."""
        return bool(self.index)

    @property
    @abstractmethod
    def standard_deviations(self) -> tuple[tuple[str, int | None], ...]:
        """The variable that holds the standard deviation of each entry, and its place there; None for a number."""

    @abstractmethod
    def hyperparameters(self, sd: np.ndarray, correlation: np.ndarray) -> dict[str, np.ndarray]:
        """Return the reported variables of standard deviations and correlations.

        Args:
            sd: ``(..., q)``.
            correlation: ``(..., q, q)`` matrices.
        """

    @abstractmethod
    def coefficients(self, effects: np.ndarray) -> dict[str, np.ndarray]:
        """Return the reported variables of the coefficients; ``effects`` is ``(..., vectors, q)``."""

    @property
    def slices(self) -> tuple[slice, ...]:
        """The entries of each correlated set."""
        ends = tuple(accumulate(self.sizes))
        return tuple(slice(end - size, end) for end, size in zip(ends, self.sizes, strict=True))

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The pairs of entries whose correlation is estimated, set by set."""
        return tuple(pair for part in self.slices for pair in combinations(range(part.start, part.stop), 2))


@final
@dataclass(frozen=True)
class EffectBlock(AbstractEffects):
    """Coefficients that are normal given hyperparameters: ``vectors`` independent vectors with one covariance matrix.

    Attributes:
        name: the grouping factor or smooth.
        vectors: number of vectors: the levels of a factor, or the coefficients of a spline.
        coefs: labels of the entries of one vector.
        sizes: sizes of the correlated sets of entries, in order.
        sd: variable of the standard deviations.
        sd_texts: text name of each.
        cor: variable of the correlations; empty where there are none.
        cholesky: sampled variable of the Cholesky factor of each set; empty for sets of one.
        standardised: sampled variable of the coefficients in units of their covariance, standard normal a priori.
        effects: variable of the coefficients.
        array: name of its columns among the arrays of the term.
        columns: which of these are its own; None takes all.
        unpenalised: text names of the slopes that belong to it: those of a curve's columns without a penalty.
        index: name of the level of each row among the arrays; empty where every row touches all coefficients.
        spread: how a row touches the vectors of several levels; None where it touches those of ``index``, or has
            columns for all.
        known: covariances of the levels, whose root the vectors are multiplied by to give the reported effects; None
            where vectors are effects.
        reported: of each vector the entries that are reported; empty where all are.
        shape: without levels, the covariance of the coefficients from their sd; None where they are independent.
    """

    name: str
    vectors: int
    coefs: tuple[str, ...]
    sizes: tuple[int, ...]
    sd: str
    sd_texts: tuple[str, ...]
    cor: str
    cholesky: tuple[str, ...]
    standardised: str
    effects: str
    array: str
    columns: slice | None = None
    unpenalised: tuple[str, ...] = ()
    index: str = ""
    reported: tuple[tuple[int, ...], ...] = ()
    shape: CovarianceShape | None = None
    spread: RowSpread | None = None
    known: Root | None = None

    @property
    def has_levels(self) -> bool:
        """Whether the vectors belong to levels, with an entry for each varying column."""
        return bool(self.index) or (self.spread is not None and self.spread.of_levels)

    def design(self, arrays: Mapping[str, np.ndarray]) -> AbstractBlock:
        """Return the block at some rows.

        Args:
            arrays: the arrays of the term at these rows.
        """
        if self.spread is not None:
            return SpreadBlock.of(self.name, self.spread.columns(arrays), self.vectors, self.sizes, self.coefs)
        Z = block_columns(arrays, self.array, self.vectors)
        Z = Z if self.columns is None else Z[:, self.columns]
        if self.index:
            return GroupBlock(self.name, arrays[self.index], self.vectors, Z, self.sizes, self.coefs)
        return DenseBlock.of(self.name, Z, self.sd_texts[0])

    @property
    def standard_deviations(self) -> tuple[tuple[str, int | None], ...]:
        """The variable that holds the standard deviation of each entry, and its place there; None for a number."""
        return tuple((self.sd, i) for i in range(sum(self.sizes))) if self.has_levels else ((self.sd, None),)

    def hyperparameters(self, sd: np.ndarray, correlation: np.ndarray) -> dict[str, np.ndarray]:
        """Return the reported variables of standard deviations and correlations.

        Args:
            sd: ``(..., q)``.
            correlation: ``(..., q, q)`` matrices.
        """
        variables = {self.sd: sd if self.has_levels else sd[..., 0]}
        if self.cor:
            first, second = np.asarray(self.pairs, dtype=int).reshape(-1, 2).T
            variables[self.cor] = correlation[..., first, second]
        return variables

    def coefficients(self, effects: np.ndarray) -> dict[str, np.ndarray]:
        """Return the reported variable of the coefficients; ``effects`` is ``(..., vectors, q)``."""
        if self.reported:
            entries = np.broadcast_to(np.asarray(self.reported), (*effects.shape[:-1], len(self.reported[0])))
            effects = np.take_along_axis(effects, entries, axis=-1)
        if self.known is not None:
            effects = self.known.root @ effects
        return {self.effects: effects if self.has_levels else effects[..., 0]}
