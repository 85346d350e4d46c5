"""Whether the smooths of a fit have enough functions: mgcv's ``k.check``.

If a curve is too stiff, residuals of neighbouring rows are alike. Half the mean square of their differences, over the
mean square of the residuals, is the k-index: near 1 where neighbours are not alike, below 1 where they are. Its
p-value is the share of random orders of the residuals that have a smaller one.

Source: Wood (2017), Generalized Additive Models, 2nd edition, section 5.9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesml.errors import ModelError
from bayesml.lazy import lazy_module
from bayesml.results.frequentist.residuals import residual_values
from bayesml.results.record.one_response import has_several
from bayesml.terms.curves import AbstractCurveTerm

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["k_check"]

spatial = lazy_module("scipy.spatial")

NEIGHBOURS = 3
MOST_ROWS = 5000


def k_check(fit: AbstractPointFit, repeats: int = 400, seed: int = 1) -> pd.DataFrame:
    """Return for each smooth of numbers whether it has enough functions.

    Args:
        fit: the fit.
        repeats: number of random orders of the residuals.
        seed: of these orders, and of the 5,000 rows that are used of more.

    Returns:
        A table with a row for each smooth: ``k'``, the number of its coefficients; ``edf``, the degrees of freedom that
        they take; the ``k-index``; and its p-value. A low p-value together with an edf near k' says that k is too
        small: fit with twice as many and look whether the edf grows.

    Raises:
        ModelError: the model has no smooth of numbers.

    Example:
        >>> fit = bayesml.fit("accel ~ s(times)", mcycle, method="reml")
        >>> fit.k_check()
    """
    import pandas as pd

    if has_several(fit):
        raise ModelError("`k_check` is for models with one response.")
    terms = [t for p in fit.problem.design.schema.predictors for t in p.terms if isinstance(t, AbstractCurveTerm)]
    if not terms:
        raise ModelError("`k_check` is for models with smooths, s(x) or t2(x, z); this one has none.")
    rng = np.random.default_rng(seed)
    residuals = residual_values(fit, "response" if fit.likelihood.traits.normal else "deviance")
    rows = np.arange(len(residuals))
    if len(rows) > MOST_ROWS:
        rows = np.sort(rng.choice(rows, MOST_ROWS, replace=False))
    degrees: dict[str, float] = {}
    for curve in fit.estimate.smooths:
        degrees[curve.effects.name] = degrees.get(curve.effects.name, 0.0) + curve.degrees
    found: dict[str, tuple[float, ...]] = {}
    for term in terms:
        covariates = np.column_stack(list(term.input_values(fit.frame).values()))[rows]
        has_factor = any(term.inputs.values())
        index, p = (np.nan, np.nan) if has_factor else _index(covariates, residuals[rows], rng, repeats)
        found |= {name: (term.curve_size, degrees.get(name, float(term.curve_size)), index, p) for name in term.curves}
    return pd.DataFrame.from_dict(found, orient="index", columns=["k'", "edf", "k-index", "p-value"])


def _index(
    covariates: np.ndarray, residuals: np.ndarray, rng: np.random.Generator, repeats: int
) -> tuple[float, float]:
    """Return the k-index and the share of random orders with a smaller one."""
    first, second = _neighbours(covariates)

    def half_square(values: np.ndarray) -> float:
        return float(np.mean((values[first] - values[second]) ** 2) / 2.0)

    observed = half_square(residuals)
    p = np.mean([half_square(rng.permutation(residuals)) < observed for _ in range(repeats)])
    return observed / float(np.mean(residuals**2)), float(p)


def _neighbours(covariates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of rows: those next to each other in order, or the three nearest in several dimensions."""
    if covariates.shape[1] == 1:
        order = np.argsort(covariates[:, 0], kind="stable")
        return order[1:], order[:-1]
    scaled = covariates / covariates.std(axis=0)
    count = min(NEIGHBOURS + 1, len(scaled))
    nearest = spatial.cKDTree(scaled).query(scaled, count)[1][:, 1:]
    return np.repeat(np.arange(len(scaled)), nearest.shape[1]), nearest.ravel()
