"""What every group-level term has: levels, columns that vary over them, and which of these are correlated."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, combinations

import numpy as np

from bayesml import names
from bayesml.columns import Encoding
from bayesml.frame import Frame, Levels
from bayesml.terms.base import AbstractTerm
from bayesml.terms.effect_block import EffectBlock

__all__ = ["AbstractGroupTerm", "square_roots"]


@dataclass(frozen=True)
class AbstractGroupTerm(AbstractTerm):
    """Effects that vary over the levels of a grouping factor.

    Attributes:
        factors: the columns whose observed combinations are the levels.
        levels: the levels, tuples of values; ``levels.labels`` says how they are printed.
        coefs: label of each varying column.
        blocks: sizes of the correlated blocks of columns, in order; all ones for ``||``.
        encodings: how the columns of each written term come from data.
        title: how the factor is printed; empty where its columns say so.
    """

    factors: tuple[str, ...]
    levels: Levels
    coefs: tuple[str, ...]
    blocks: tuple[int, ...]
    encodings: tuple[Encoding, ...]
    title: str = field(default="", kw_only=True)

    @property
    def name(self) -> str:
        """The grouping factor as brms prints it, ``school:class``."""
        return self.title or ":".join(self.factors)

    @property
    def key(self) -> str:
        """One group term for each factor."""
        return self.name

    @property
    def grouping(self) -> tuple[str, ...]:
        """The columns whose combinations are the levels."""
        return self.factors

    @property
    def gathered(self) -> int:
        """Number of levels."""
        return len(self.levels)

    def level_counts(self) -> tuple[tuple[str, int], ...]:
        """Return the grouping factor with its number of levels."""
        return ((self.name, len(self.levels)),)

    @abstractmethod
    def simulated(
        self, values: Mapping[str, np.ndarray], rng: np.random.Generator, count: int, shared: dict[str, np.ndarray]
    ) -> np.ndarray:
        """Draw effects of levels that the fit has not seen, ``(draws, count, coefs)``.

        Args:
            values: draws of standard deviations and correlations, ``(draws, ...)``.
            rng: source of randomness.
            count: number of levels.
            shared: what terms that share effects have drawn so far; it is filled here.
        """

    @property
    def eliminated(self) -> AbstractGroupTerm:
        """The term in the form that engines use: each column of ``Z`` with its label."""
        return self

    @property
    def peculiarity(self) -> str:
        """What its effects are other than independent between levels and normal, in words; empty where nothing."""
        return ""

    @property
    def own_entries(self) -> np.ndarray:
        """``(levels, coefs)`` which of the effects of a level in ``eliminated`` are those of ``coefs``."""
        return np.tile(np.arange(len(self.coefs)), (len(self.levels), 1))

    def masked(self, arrays: Mapping[str, np.ndarray], columns: tuple[int, ...]) -> Mapping[str, np.ndarray]:
        """Return the arrays with some of the varying columns, by number among ``coefs``, set to zero."""
        Z = np.array(arrays["Z"], dtype=float)
        Z[:, list(columns)] = 0.0
        return {**arrays, "Z": Z}

    @abstractmethod
    def columns(self, frame: Frame) -> np.ndarray:
        """Return the varying columns, ``(rows, coefs)``."""

    def renumbered(
        self, arrays: Mapping[str, np.ndarray], frame: Frame
    ) -> tuple[tuple[str, ...], Mapping[str, np.ndarray]]:
        """Give levels that the fit has not seen the numbers behind its own, each combination of columns one.

        Args:
            arrays: the arrays of the term, where such levels are -1.
            frame: the data.

        Returns:
            Their labels, and the arrays.
        """
        unseen = arrays["index"] < 0
        if not unseen.any():
            return (), arrays
        codes, levels = frame.interaction(self.factors)
        new, position = np.unique(codes[unseen], return_inverse=True)
        renumbered = np.array(arrays["index"])
        renumbered[unseen] = len(self.levels) + position
        return tuple(levels.labels[code] for code in new), {**arrays, "index": renumbered}

    def with_new_levels(self, arrays: Mapping[str, np.ndarray], labels: Sequence[str]) -> AbstractGroupTerm:
        """Return the term with what it holds about levels that the fit has not seen.

        Args:
            arrays: the arrays of the term, where such levels have the numbers behind the others.
            labels: the new levels.
        """
        return self

    def informed(
        self,
        borrowed: np.ndarray,
        values: Mapping[str, np.ndarray],
        rng: np.random.Generator,
        shared: dict[str, np.ndarray],
    ) -> np.ndarray:
        """Return effects of new levels with what is known of these.

        Args:
            borrowed: ``(draws, levels, coefs)`` effects of known levels in their place.
            values: draws of the reported variables, ``(draws, ...)``.
            rng: source of randomness.
            shared: as in ``simulated``.
        """
        return borrowed

    def donors(self, rng: np.random.Generator, draws: int, count: int) -> np.ndarray:
        """Return random known levels from which new ones may borrow their effects, ``(draws, count)``."""
        return rng.integers(len(self.levels), size=(draws, count))

    def effect_blocks(self) -> tuple[EffectBlock, ...]:
        """Return one block, a vector of effects for each level."""
        of = self.predictor
        correlated = bool(self.pairs())
        block = EffectBlock(
            self.name,
            len(self.levels),
            self.coefs,
            self.blocks,
            names.group_sd_variable(self.name, of),
            tuple(names.group_sd(self.name, coef, of) for coef in self.coefs),
            names.correlation_variable(self.name, of) if correlated else "",
            tuple(names.cholesky_variable(self.name, of, i) if n > 1 else "" for i, n in enumerate(self.blocks)),
            names.standardised_variable(self.name, of),
            names.group_effect_variable(self.name, of),
            "Z",
            index="index",
        )
        return (block,)

    def block_slices(self) -> tuple[slice, ...]:
        """Return the columns of each correlated block."""
        ends = tuple(accumulate(self.blocks))
        return tuple(slice(end - size, end) for end, size in zip(ends, self.blocks, strict=True))

    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Return the pairs of columns whose correlation is estimated, block by block."""
        return tuple(pair for b in self.block_slices() for pair in combinations(range(b.start, b.stop), 2))

    def correlation_matrix(self, correlations: np.ndarray) -> np.ndarray:
        """Return ``(..., coefs, coefs)`` matrices from the correlations of ``pairs()``, ``(..., pairs)``."""
        matrix = np.zeros((*np.shape(correlations)[:-1], len(self.coefs), len(self.coefs))) + np.eye(len(self.coefs))
        for k, (i, j) in enumerate(self.pairs()):
            matrix[..., i, j] = matrix[..., j, i] = correlations[..., k]
        return matrix

    def pairwise(self, matrix: np.ndarray) -> np.ndarray:
        """Return the correlations of ``pairs()``, ``(..., pairs)``, out of ``(..., coefs, coefs)`` matrices."""
        first, second = np.asarray(self.pairs(), dtype=int).reshape(-1, 2).T
        return matrix[..., first, second]


def square_roots(correlation: np.ndarray) -> np.ndarray:
    """Return square roots of correlation matrices ``(..., q, q)``.

    By eigenvalues: a draw may lie on the edge of the positive definite matrices, where Cholesky's factorisation fails.
    """
    eigenvalues, vectors = np.linalg.eigh(correlation)
    return np.asarray(vectors * np.sqrt(np.clip(eigenvalues, 0.0, None))[..., None, :])
