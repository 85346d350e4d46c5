"""Numbers of several sets of rows, from draws or estimates, row by row or averaged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bayesml.results.marginal.numbers import AbstractNumbers
from bayesml.results.marginal.question import Averages, Question
from bayesml.results.record.fit import AbstractFit, AbstractPointFit, AbstractSampledFit

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["evaluate_sets"]


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
