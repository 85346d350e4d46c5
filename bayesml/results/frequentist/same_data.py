"""Whether fits are of the same rows of the same data, without which their likelihoods cannot be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesml.engines.weighting import weights_are_precisions
from bayesml.errors import ModelError
from bayesml.frame import Frame
from bayesml.results.record.same_values import same_column, same_numbers

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["check_same_data"]


def check_same_data(first: AbstractPointFit, other: AbstractPointFit) -> None:
    """Raise a ModelError unless two fits have the same rows, response, weights and meaning of the weights."""
    if first.nobs != other.nobs:
        raise ModelError(
            f"The fits have {first.nobs} and {other.nobs} observations; models can be compared on the same rows only "
            "(missing values in a predictor drop rows)."
        )
    ours, theirs = first.problem.design.response.arrays, other.problem.design.response.arrays
    names = [n for n in ours if n in theirs and n in ("y", "trials", "se")]
    weights = first.problem.design.weights
    same_weights = same_numbers(weights, other.problem.design.weights)
    if not same_weights or not all(same_numbers(ours[n], theirs[n]) for n in names) or set(ours) != set(theirs):
        raise ModelError("The fits have different responses or weights; models are compared on the same data only.")
    if different := _different_rows(first.frame, other.frame):
        raise ModelError(
            f"The fits are of different rows, although their responses agree: {different}. Models are compared on the "
            "same rows only: leave out the rows with a missing value in any of the predictors before fitting."
        )
    meanings = {weights_are_precisions(f.method, f.likelihood) for f in (first, other)}
    if weights is not None and len(meanings) > 1:
        raise ModelError(
            "The weights of the fits mean different things: of a gaussian or lognormal response they divide the "
            "residual variance (as in lme4), of the other they are powers of the densities. Such likelihoods cannot be "
            "compared; fit without weights()."
        )


def _different_rows(ours: Frame, theirs: Frame) -> str:
    """Say how the rows of two frames differ; nothing where they are the same as far as can be known."""
    if ours.index is not None and theirs.index is not None and not ours.index.equals(theirs.index):
        return "their index differs"
    if ours.n_rows + ours.dropped == theirs.n_rows + theirs.dropped and not np.array_equal(ours.rows, theirs.rows):
        return "other rows were left out for missing values"
    for name in ours.columns:
        if name in theirs.columns and not same_column(ours.columns[name], theirs.columns[name]):
            return f"`{name}` differs"
    return ""
