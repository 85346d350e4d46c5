"""Matrices of correlations and simplexes that a constant prior holds at a value."""

from __future__ import annotations

import numpy as np

from bayesml.distributions import Constant, ConstantArray
from bayesml.errors import PriorError
from bayesml.spec import ParameterSpec

__all__ = ["held_array"]

TOLERANCE = 1e-8
"""Of the symmetry of a matrix and of sums that are to be 1, as a user writes them."""


def held_array(parameter: ParameterSpec, prior: Constant | ConstantArray) -> ConstantArray:
    """Return the value of a correlation matrix, as its Cholesky factor, or of a simplex.

    Args:
        parameter: the Cholesky factor of the matrix, or the simplex.
        prior: the matrix or simplex; a single number is each correlation, or each element.

    Raises:
        PriorError: the value is no correlation matrix or simplex of that size.
    """
    size = parameter.shape[0]
    is_matrix = len(parameter.shape) == 2
    if isinstance(prior, Constant):
        value = np.full(parameter.shape, prior.location)
        if is_matrix:
            np.fill_diagonal(value, 1.0)
    else:
        value = prior.array
    where = f'The prior {prior} of class "{parameter.prior_class}"' + (
        f" ({parameter.group})" if parameter.group else ""
    )
    if value.shape != parameter.shape:
        rows = f"{size} rows and columns" if is_matrix else f"{size} elements"
        raise PriorError(f"{where} has the shape {value.shape}, where there are {rows}.")
    if not is_matrix:
        _check_simplex(where, value)
        return ConstantArray(tuple(value.tolist()), 0, str(prior))
    return ConstantArray(tuple(_factor(where, value).ravel().tolist()), size, str(prior))


def _check_simplex(where: str, value: np.ndarray) -> None:
    if np.any(value <= 0) or abs(value.sum() - 1.0) > TOLERANCE:
        raise PriorError(
            f"{where} is no simplex: its elements are positive and sum to 1; these sum to {value.sum():g}."
        )


def _factor(where: str, value: np.ndarray) -> np.ndarray:
    if np.any(np.abs(np.diagonal(value) - 1.0) > TOLERANCE) or np.any(np.abs(value - value.T) > TOLERANCE):
        raise PriorError(f"{where} is no correlation matrix: it is symmetric with ones on the diagonal.")
    try:
        return np.linalg.cholesky(value)
    except np.linalg.LinAlgError:
        raise PriorError(f"{where} is no correlation matrix: it is not positive definite.") from None
