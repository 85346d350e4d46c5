"""Numbers of several sets of rows, from draws or estimates, row by row or averaged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np

from bayesml.results.marginal.numbers import AbstractNumbers
from bayesml.results.predict.prepare import Request
from bayesml.results.predict.quantity import What
from bayesml.results.record.fit import AbstractFit, AbstractPointFit, AbstractSampledFit

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["Averages", "Groups", "Question", "evaluate_sets"]

Groups = Literal["population", "conditional", "integrate"]


@final
@dataclass(frozen=True)
class Averages:
    """Which rows are averaged.

    Attributes:
        count: number of groups.
        members: ``(rows,)`` group of each row.
        weights: ``(rows,)`` which sum to 1 in each group.
    """

    count: int
    members: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, members: np.ndarray, count: int, weights: np.ndarray | None) -> Averages:
        """Scale weights; None weighs all rows of a group alike."""
        own = np.ones(len(members)) if weights is None else weights
        return cls(count, members, own / np.bincount(members, own, count)[members])

    def matrix(self, part: np.ndarray) -> np.ndarray:
        """Return the weights of some rows in each group, ``(groups, rows)``."""
        out = np.zeros((self.count, len(part)))
        out[self.members[part], np.arange(len(part))] = self.weights[part]
        return out


@final
@dataclass(frozen=True)
class Question:
    """What is evaluated.

    Attributes:
        what: linear predictor or expected response.
        groups: which group-level effects.
        new_levels: what unseen levels get.
        ndraws: number of draws; None for all.
        seed: of what is random.
    """

    what: What
    groups: Groups
    new_levels: str
    ndraws: int | None
    seed: int | None

    def request(self, rows: Any) -> Request:
        """Return what a prediction of rows is asked for."""
        re_formula = None if self.groups == "conditional" else "NA"
        return Request(rows, re_formula, self.new_levels, self.ndraws, self.seed)


def evaluate_sets(
    fit: AbstractFit, sets: Sequence[pd.DataFrame], question: Question, averages: Averages | None
) -> list[AbstractNumbers]:
    """Return the numbers of each set of rows: those of the first row for all categories, then those of the second.

    Args:
        fit: the fit.
        sets: equally many rows each.
        question: what is evaluated.
        averages: which rows are averaged; None keeps each.
    """
    if isinstance(fit, AbstractPointFit):
        from bayesml.results.marginal.estimated import estimated_sets

        return list(estimated_sets(fit, sets, question, averages))
    from bayesml.results.marginal.drawn import drawn_sets

    assert isinstance(fit, AbstractSampledFit)
    if question.seed is None:  # all sets have the same draws, and the same effects of unseen levels
        question = replace(question, seed=int(np.random.SeedSequence().generate_state(1)[0]))
    return list(drawn_sets(fit, sets, question, averages))
