"""The effects of one grouping factor on several predictors as one block, for engines that integrate them together.

All terms on the factor that share an identifier with another have their columns in one vector for each level. Its
covariance matrix has a block for each correlated set: those of each identifier, and those that a term has alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml import names
from bayesml.keys import PredictorKey
from bayesml.terms.effect_block import AbstractEffects
from bayesml.terms.group_level import AbstractGroupTerm

__all__ = ["Share", "SharedEffects"]


@final
@dataclass(frozen=True)
class Share:
    """What one predictor has of the vector of a level.

    Attributes:
        predictor: the predictor.
        key: its term.
        coefs: the columns of the term.
        entries: their places in the vector.
        pairs: pairs of columns whose correlation is reported with the term.
        reported: of each level those of ``entries`` that are its effects; empty where all are.
    """

    predictor: PredictorKey
    key: str
    coefs: tuple[str, ...]
    entries: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    reported: tuple[tuple[int, ...], ...] = ()

    @property
    def places(self) -> np.ndarray:
        """``(1, coefs)`` or ``(levels, coefs)`` places of the effects of a level in its vector."""
        return np.array(self.reported or (self.entries,))

    def in_strata(self, strata: Sequence[int], count: int) -> Share:
        """Return the share where each level has the effects of its stratum, one of ``count``, alone."""
        by_stratum = np.reshape(self.entries, (count, -1))[list(strata)]
        return replace(self, reported=tuple(tuple(int(entry) for entry in row) for row in by_stratum))


@final
@dataclass(frozen=True)
class SharedEffects(AbstractEffects):
    """Vectors of effects that several predictors have parts of, one for each level.

    Attributes:
        name: the grouping factor.
        vectors: number of levels.
        coefs: labels of the entries of a vector, with their predictors: ``Intercept``, ``sigma_Intercept``.
        sizes: sizes of the correlated sets of entries, in order.
        sd_texts: text name of the standard deviation of each entry.
        cholesky: sampled variable of the Cholesky factor of each set; empty for sets of one.
        shares: what each predictor has of it.
        across: variable of the correlations of each identifier, with its entries.
        estimated: the columns of all predictors as one group-level term.
        unpenalised: no slopes belong to it.
        index: name of the level of each row among the arrays.
    """

    name: str
    vectors: int
    coefs: tuple[str, ...]
    sizes: tuple[int, ...]
    sd_texts: tuple[str, ...]
    cholesky: tuple[str, ...]
    shares: tuple[Share, ...]
    across: tuple[tuple[str, tuple[int, ...]], ...]
    estimated: AbstractGroupTerm
    unpenalised: tuple[str, ...] = ()
    index: str = "index"

    @property
    def standard_deviations(self) -> tuple[tuple[str, int | None], ...]:
        """The variable that holds the standard deviation of each entry, and its place there."""
        places: dict[int, tuple[str, int | None]] = {}
        for share in self.shares:
            variable = names.group_sd_variable(self.name, share.predictor)
            places |= {entry: (variable, place) for place, entry in enumerate(share.entries)}
        return tuple(places[entry] for entry in range(len(self.coefs)))

    def hyperparameters(self, sd: np.ndarray, correlation: np.ndarray) -> dict[str, np.ndarray]:
        """Return the reported variables of standard deviations and correlations, see ``EffectBlock``."""
        variables = {}
        for share in self.shares:
            entries = np.array(share.entries)
            variables[names.group_sd_variable(self.name, share.predictor)] = sd[..., entries]
            if share.pairs:
                first, second = entries[np.array(share.pairs).T]
                variables[names.correlation_variable(self.name, share.predictor)] = correlation[..., first, second]
        for variable, places in self.across:
            rows, columns = np.triu_indices(len(places), 1)
            entries = np.array(places)
            variables[variable] = correlation[..., entries[rows], entries[columns]]
        return variables

    def coefficients(self, effects: np.ndarray) -> dict[str, np.ndarray]:
        """Return the reported variables of the coefficients; ``effects`` is ``(..., vectors, q)``."""
        found = {}
        for share in self.shares:
            places = np.broadcast_to(share.places, (*effects.shape[:-1], share.places.shape[1]))
            found[names.group_effect_variable(self.name, share.predictor)] = np.take_along_axis(effects, places, -1)
        return found

    def in_strata(self, strata: Sequence[int], count: int) -> SharedEffects:
        """Return the effects where each level has those of its stratum, one of ``count``, alone."""
        return replace(self, shares=tuple(share.in_strata(strata, count) for share in self.shares))
