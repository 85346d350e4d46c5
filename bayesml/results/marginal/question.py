"""What is evaluated, and which rows are averaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from bayesml.results.predict.prepare import Request
from bayesml.results.predict.quantity import What

__all__ = ["Averages", "Groups", "Question"]

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
        """Return what a prediction of rows is to give."""
        re_formula = None if self.groups == "conditional" else "NA"
        return Request(rows, re_formula, self.new_levels, self.ndraws, self.seed)
