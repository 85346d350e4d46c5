"""The pointwise log-likelihood, from the same NumPyro distribution that the model observes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.engines.weighting import log_density_of_precision, weights_are_precisions
from bayesml.families import AbstractLikelihood
from bayesml.keys import PredictorKey
from bayesml.results.predict.new_levels import NewLevels
from bayesml.results.predict.prepare import (
    Batch,
    Request,
    batches,
    choose_draws,
    natural_parameters,
    prepare_rows,
)
from bayesml.results.predict.rows import Rows
from bayesml.results.record.one_response import of_one
from bayesml.results.record.row_blocks import narrowed

if TYPE_CHECKING:
    import xarray as xr

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = [
    "at_every_draw",
    "compiled_density",
    "log_density",
    "log_lik",
    "log_lik_by_rows",
    "log_lik_of_rows",
    "parts_of_rows",
    "total_log_lik",
]

ROWS_AT_ONCE = 20_000
TIMES = 20  # a row of a series has a covariance with each of the others
NUMBERS_AT_ONCE = 1_000_000  # the density makes about ten temporaries of this length

Function = Callable[[Mapping[PredictorKey, Any], Mapping[str, Any], Mapping[str, Any]], Any]


def log_lik(
    fit: AbstractSampledFit, newdata: Any = None, *, resp: str | None = None,
    re_formula: Any = None, new_levels: NewLevels = "error", ndraws: int | None = None, seed: int | None = None,
) -> xr.DataArray:  # fmt: skip
    """Return log p(y_i | parameters) of every row at every draw.

    Likelihood weights (``y | weights(w)``) multiply it, as they do in the posterior. In ``to_normal_draws()`` of a
    gaussian or lognormal fit by REML, ML or Laplace they are precisions: the residual variance of a row is sigma^2 / w.

    Where the rows of a series depend on each other, a row is given the responses before it in a model with ``ar()``,
    ``ma()`` or ``arma()``, and all others of its series with ``cov=TRUE``, ``cosy()`` or ``unstr()``; the joint density
    of a series is then not the sum over its rows.

    Args:
        fit: the fit.
        newdata: rows with their response; those of the fit if None.
        resp: which of several responses: its own density, whatever the others are. None is the joint density of all
            responses of a row: the sum of theirs, or with correlated residuals their multivariate density.
        re_formula: which group-level effects, see ``bayesml.results.predict.predict.linpred``.
        new_levels: what unseen levels get, see ``linpred``.
        ndraws: number of draws, see ``linpred``.
        seed: seed, see ``linpred``.

    Returns:
        An array with dimensions (chain, draw, obs), or (sample, obs) where ``ndraws`` is given.

    Raises:
        DataError: see ``linpred``.
        FormulaError: see ``linpred``.
        ModelError: see ``linpred``.

    Example:
        >>> fit.log_lik().sum("obs")
    """
    fit = fit if resp is None else of_one(fit, resp)
    request = Request(newdata, re_formula, new_levels, ndraws, seed)
    rows, choice = prepare_rows(fit, request, response=True, weights=True), choose_draws(fit, request)
    density = compiled_density(fit)
    result = np.empty((choice.count, rows.count))
    for batch in batches(fit, rows, choice, request):
        result[batch.where] = log_density(fit, density, batch, rows)
    return choice.label(result, rows.labels, "log_lik")


def total_log_lik(fit: AbstractSampledFit, numbers: int = 4 * NUMBERS_AT_ONCE) -> np.ndarray:
    """Return log p(y | parameters) of all rows together at every draw, ``(draws,)``.

    Args:
        fit: the fit.
        numbers: about how many numbers are held at once.
    """
    total = np.zeros(fit.draws_record.n_chains * fit.draws_record.n_draws)
    done = 0
    for part, values in log_lik_by_rows(fit, numbers, predictive=False):
        total += values[:, part >= done].sum(axis=1)
        done = int(part[-1]) + 1
    return total


def log_lik_by_rows(
    fit: AbstractSampledFit, numbers: int, *, predictive: bool = True
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the log-likelihood of the rows of the fit, some rows at a time, so that it is never held as a whole.

    Args:
        fit: the fit.
        numbers: about how many numbers each part has.
        predictive: whether rows that depend on each other are given all others, see ``log_lik``; otherwise their sum is
            the joint density.

    Returns:
        Positions of rows and their values ``(draws, rows)``. All parts are equally long, so that the density is
        compiled once; the last may repeat earlier rows.
    """
    request = Request()
    rows, choice = prepare_rows(fit, request, response=True, weights=True), choose_draws(fit, request)
    density = compiled_density(fit, predictive)
    for part, some, values in parts_of_rows(fit, rows, numbers // choice.count):
        result = np.empty((choice.count, some.count))
        for batch in batches(fit, some, choice, request, values):
            result[batch.where] = log_density(fit, density, batch, some)
        yield part, result


def log_lik_of_rows(fit: AbstractSampledFit, chosen: np.ndarray, density: Function) -> np.ndarray:
    """Return the log-likelihood of some rows of the fit at every draw, ``(draws, rows)``.

    Args:
        fit: the fit.
        chosen: positions of the rows.
        density: what ``compiled_density`` returned.
    """
    request = Request()
    every, choice = prepare_rows(fit, request, response=True, weights=True), choose_draws(fit, request)
    whole = fit.likelihood.traits.rows_depend
    rows, values = (every, None) if whole else narrowed(every, fit.draws_record.values, chosen)
    result = np.empty((choice.count, rows.count))
    for batch in batches(fit, rows, choice, request, values):
        result[batch.where] = log_density(fit, density, batch, rows)
    return result[:, chosen] if whole else result


def parts_of_rows(
    fit: AbstractSampledFit, rows: Rows, size: int
) -> Iterator[tuple[np.ndarray, Rows, dict[str, np.ndarray] | None]]:
    """Yield some of the rows of a fit at a time: their positions, the rows, and the draws that they need.

    Rows that depend on each other come all together.

    Args:
        fit: the fit.
        rows: its rows.
        size: how many rows at a time.
    """
    if fit.likelihood.traits.rows_depend:
        yield np.arange(rows.count), rows, None
        return
    for part in _blocks(rows.count, max(1, size)):
        some, values = narrowed(rows, fit.draws_record.values, part)
        yield part, some, values


def compiled_density(fit: AbstractSampledFit, predictive: bool = True) -> Function:
    """Return the log density of rows as a function that is compiled for each shape of its arguments once.

    Args:
        fit: the fit.
        predictive: see ``log_lik_by_rows``.
    """
    return _compiled(fit.likelihood, predictive)


@lru_cache(maxsize=16)
def _compiled(likelihood: AbstractLikelihood, predictive: bool) -> Function:
    """Return the density of a likelihood; refits, which have equal ones, share it."""
    import jax

    from bayesml.compile import log_likelihood

    def density(predictors: Mapping[PredictorKey, Any], values: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        return log_likelihood(likelihood, predictors, values, data, predictive=predictive)

    return jax.jit(density)


def at_every_draw(
    fit: AbstractSampledFit, function: Function, batch: Batch, rows: Rows, shape: tuple[int, ...] = ()
) -> np.ndarray:
    """Evaluate a function of parameters and rows block by block, each of the same shape so that it is compiled once.

    Args:
        fit: the fit.
        function: takes linear predictors, further values and arrays of the response; returns ``(draws, rows, *shape)``.
        batch: the draws.
        rows: the rows.
        shape: shape of the values of one row.
    """
    from bayesml.engines.precision import double_precision

    single = {
        p.name: batch.values[p.name]
        for p in fit.likelihood.dpars
        if _is_single(p.name, fit.likelihood.key_of(p.name), batch)
    }
    further = {name: batch.values[name] for name, _ in fit.likelihood.further}
    draws, whole = batch.where.stop - batch.where.start, fit.likelihood.traits.rows_depend
    result = np.empty((draws, rows.count, *shape))
    with double_precision():
        numbers = rows.count * TIMES if whole else min(rows.count, ROWS_AT_ONCE)
        for part in _slices(draws, max(1, NUMBERS_AT_ONCE // numbers)):
            values = {name: value[part][:, None] for name, value in single.items()}
            values |= {name: value[part] for name, value in further.items()}
            for columns in _slices(rows.count, rows.count if whole else ROWS_AT_ONCE):
                predictors = {name: eta[part, columns] for name, eta in batch.predictors.items()}
                data = dict(rows.data) if whole else {name: value[columns] for name, value in rows.data.items()}
                result[part, columns] = function(predictors, values, data)
    return result


def log_density(fit: AbstractSampledFit, density: Function, batch: Batch, rows: Rows) -> np.ndarray:
    """Return the log density of rows, with their weights, ``(draws, rows)``; -inf where it is not a number."""
    result = at_every_draw(fit, density, batch, rows)
    if "subset" in rows.data:
        result[:, ~np.asarray(rows.data["subset"], dtype=bool)] = 0.0
    # Where a parameter leaves its range the density is not a number; the response is impossible there.
    result[np.isnan(result)] = -np.inf
    if rows.weights is not None and weights_are_precisions(fit.engine.method, fit.likelihood):
        sigma = natural_parameters(fit.likelihood, batch)["sigma"]
        log_y = np.log(rows.data["y"]) if fit.likelihood.traits.response_on_log_scale else 0.0
        return log_density_of_precision(result, rows.weights, sigma, log_y)
    if rows.weights is not None:
        with np.errstate(invalid="ignore"):
            result *= rows.weights
        result[:, rows.weights == 0] = 0.0
    return result


def _is_single(name: str, key: PredictorKey, batch: Batch) -> bool:
    return key not in batch.predictors and name in batch.values


def _blocks(length: int, size: int) -> list[np.ndarray]:
    """Return index blocks that cover ``range(length)``, all equally long; the last may repeat earlier positions."""
    size = min(size, length)
    starts = [*range(0, length - size, size), length - size]
    return [np.arange(start, start + size) for start in starts]


def _slices(length: int, size: int) -> list[slice]:
    """Return the blocks of ``_blocks`` as slices, which copy nothing."""
    return [slice(int(block[0]), int(block[-1]) + 1) for block in _blocks(length, size)]
