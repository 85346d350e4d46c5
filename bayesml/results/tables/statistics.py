"""The statistics of tables: estimate, error and quantiles of draws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from bayesml.errors import ModelError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["center_and_error", "quantile_names", "summarise"]


def center_and_error(draws: np.ndarray, robust: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation over the first axis, or median and 1.4826 times the mad."""
    if robust:
        center = np.median(draws, axis=0)
        return center, 1.4826 * np.median(np.abs(draws - center), axis=0)
    error = draws.std(axis=0, ddof=1) if len(draws) > 1 else np.full(draws.shape[1:], np.nan)
    # A constant must not show the rounding error of its own mean.
    return draws.mean(axis=0), np.where(np.ptp(draws, axis=0) == 0, 0.0, error)


def quantile_names(probs: Sequence[float]) -> list[str]:
    """Return brms's column names, ``Q2.5`` and ``Q97.5``.

    Raises:
        ModelError: something in ``probs`` is not a probability.
    """
    given = list(probs) if isinstance(probs, Iterable) else [probs]
    wrong = [p for p in given if isinstance(p, bool) or not isinstance(p, Real) or not 0.0 <= p <= 1.0]
    if wrong or not isinstance(probs, Iterable):
        culprit = wrong[0] if wrong else probs
        raise ModelError(f"`probs` holds numbers between 0 and 1, for example (0.025, 0.975); got {culprit!r}.")
    return [f"Q{100 * float(p):g}" for p in probs]


def summarise(
    draws: np.ndarray, index: pd.Index | None = None, robust: bool = False, probs: Sequence[float] = (0.025, 0.975)
) -> pd.DataFrame:
    """Return the columns Estimate, Est.Error and one for each quantile (R's type 7).

    Args:
        draws: ``(draws, rows)``.
        index: label of each row.
        robust: median and mad in the place of mean and standard deviation.
        probs: probabilities of the quantiles.
    """
    import pandas as pd

    names = quantile_names(probs)
    with np.errstate(all="ignore"):
        center, error = center_and_error(draws, robust)
        quantiles = np.quantile(draws, list(probs), axis=0) if names else np.empty((0, draws.shape[1]))
    columns = dict(zip(["Estimate", "Est.Error", *names], [center, error, *quantiles], strict=True))
    return pd.DataFrame(columns, index=index)
