"""What ``y | weights(w)`` means: one meaning for each method.

Draws (``"nuts"``) and the mode of the same posterior (``"map"``) raise the density of a row to the power of its
weight, as brms does. ``"reml"``, ``"ml"`` and ``"laplace"`` take the weights of a gaussian or lognormal response for
precisions, as lm and lme4 do: the residual variance of a row is sigma^2 / w. Other families have powers everywhere,
which for binomial and poisson responses is what lme4 does too.
"""

from __future__ import annotations

import numpy as np

from bayesml.errors import DataError, ModelError
from bayesml.families import AbstractLikelihood
from bayesml.namespace import array_namespace

__all__ = ["check_precisions", "log_density_of_precision", "sigma_of_rows", "weights_are_precisions"]

METHODS = ("reml", "ml", "laplace")


def weights_are_precisions(method: str, likelihood: AbstractLikelihood) -> bool:
    """Whether the weights of a fit divide the residual variance; else they are powers of the densities."""
    return method in METHODS and likelihood.traits.normal


def sigma_of_rows(sigma: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Return the residual standard deviation of each row, sigma / sqrt(w); infinite for a weight of 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(sigma / np.sqrt(precision))


def log_density_of_precision(
    log_density: np.ndarray, precision: np.ndarray, sigma: np.ndarray | float, log_y: np.ndarray | float = 0.0
) -> np.ndarray:
    """Return the log density with variance sigma^2 / w from that with sigma^2.

    ``log N(y; mu, sigma^2 / w) = w log N(y; mu, sigma^2) + (w - 1) log(sqrt(2 pi) sigma) + log(w) / 2``. The density
    of a lognormal response is that of its logarithm divided by y, whose w - 1 additional powers ``log_y`` undoes.
    """
    log = array_namespace(log_density).log
    extra = (precision - 1.0) * (0.5 * np.log(2.0 * np.pi) + log(sigma) + log_y)
    return precision * log_density + extra + 0.5 * log(precision)


def check_precisions(weights: np.ndarray, has_known_errors: bool) -> None:
    """Raise where precision weights are zero, or stand beside known standard errors."""
    if has_known_errors:
        raise ModelError('`weights()` and `se()` together are for method="nuts" and "map"; keep one of them.')
    bad = int((weights <= 0).sum())
    if bad:
        raise DataError(
            f"{bad} of the {len(weights)} weights are zero, but a weight divides the residual variance here: leave "
            "those rows out"
        )
