"""New responses from a point estimate, and the same model for another response."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.columns import bare_name
from bayesml.engines.point.linear import LinearEstimate
from bayesml.errors import DataError, ModelError
from bayesml.families import RawResponse
from bayesml.frame import Column, Frame, positions_of, recode
from bayesml.frame.convert import RawColumn, convert
from bayesml.posterior import Timing
from bayesml.results.point.residuals import natural_parameters
from bayesml.results.re_formula import select_groups

if TYPE_CHECKING:
    from bayesml.results.point.fit_object import PointFit

__all__ = ["refit", "simulate"]


def simulate(
    fit: PointFit, n: int = 1, seed: int | None = None, *, use_u: bool = False, re_formula: Any = "NA"
) -> np.ndarray:
    """Draw responses from the fitted model at the estimated parameters, for the rows of the fit.

    Args:
        fit: the fit.
        n: number of responses.
        seed: whole number; the same seed gives the same responses.
        use_u: keep the conditional modes of all group-level effects; else draw new effects.
        re_formula: the group-level effects to keep, ``"~ (1 | g)"``; the others are drawn anew.

    Returns:
        ``(n, rows)``; counts for a binomial response.

    Raises:
        ModelError: ``n`` is not a positive whole number.
        FormulaError: ``re_formula`` asks for what the model does not have.

    Example:
        >>> fit.simulate(100, seed=1).mean(axis=0)
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ModelError(f"`n` is a whole number of at least 1; got {n!r}.")
    rng = np.random.default_rng(seed)
    eta = _linear_predictors(fit, int(n), rng, None if use_u else re_formula)
    natural = {k: np.broadcast_to(v, eta.shape) for k, v in natural_parameters(fit, eta).items()}
    weights = fit.problem.design.weights
    if isinstance(fit.estimate, LinearEstimate) and weights is not None:
        natural["sigma"] = natural["sigma"] / np.sqrt(weights)  # precision weights
    return np.asarray(fit.family.draw(rng, natural, fit.problem.design.response.arrays), dtype=float)


def _linear_predictors(fit: PointFit, n: int, rng: np.random.Generator, keep: Any) -> np.ndarray:
    estimate = fit.estimate
    selection = select_groups(fit, keep)  # type: ignore[arg-type]
    kept = {group.key for group in selection.groups()}
    eta = np.tile(estimate.eta_population, (n, 1))
    parts = zip(estimate.arrays.terms, estimate.arrays.blocks, estimate.factors, estimate.effects, strict=True)
    for term, block, factor, modes in parts:
        effects = rng.standard_normal((n, block.n_levels, block.q)) @ factor.T
        dropped = selection.dropped.get(("mu", term.key), ())
        for k in range(block.q):
            fixed = term.key in kept and k not in dropped
            eta += block.Z[:, k] * (modes[block.codes, k] if fixed else effects[:, block.codes, k])
    return eta


def refit(fit: PointFit, y: Any) -> PointFit:
    """Fit the same model to another response; of a linear mixed model the decomposed structure is used again.

    Args:
        fit: the fit.
        y: a response for each row used by the fit, in their order; for a binomial response counts. A pandas Series is
            brought into the order of the fit by its index, and may hold the rows that were left out too.

    Raises:
        DataError: the length or the index does not fit, or a value is missing or impossible for the family.

    Example:
        >>> fit.refit(fit.simulate(1, seed=1)[0])["b_Days"]
    """
    began = time.perf_counter()
    raw = convert(fit.parsed.response.name, _in_order(fit, y))
    if raw.missing.any():
        raise DataError(f"The new response is missing in {int(raw.missing.sum())} of {fit.nobs} rows.")
    values, levels = _coded(fit, raw)
    design = fit.problem.design
    known = {name: v for name, v in design.response.arrays.items() if name != "y"}
    encoded = fit.family.encode_response(
        RawResponse(fit.parsed.response.name, values, levels, known, raw.is_boolean, fit.frame.rows)
    )
    response = replace(design.response, arrays={**encoded.arrays, **known})
    problem = replace(fit.problem, design=replace(design, response=response))
    estimate = fit.estimate.with_response(problem)
    timing = Timing(sampling=time.perf_counter() - began)
    return replace(fit, problem=problem, frame=_with_response(fit, values), estimate=estimate, timing=timing)


def _in_order(fit: PointFit, y: Any) -> Any:
    """Return the response in the order of the rows of the fit."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(y, (pandas.Series, pandas.DataFrame)):
        try:
            values = np.asarray(y).reshape(-1)
        except ValueError:
            raise DataError("The new response is no column: its rows differ in length.") from None
        if len(values) != fit.nobs:
            raise DataError(f"The new response has {len(values)} values; the fit used {fit.nobs} rows.")
        return values
    if y.ndim == 2 and y.shape[1] != 1:
        raise DataError(f"The new response has {y.shape[1]} columns; give one.")
    series = y.iloc[:, 0] if y.ndim == 2 else y
    positions = positions_of(fit.frame.labels(), series.index)
    if positions is None or len(series) not in (fit.nobs, fit.nobs + fit.frame.dropped):
        raise DataError(
            f"The new response has {len(series)} rows whose index is not that of the {fit.nobs} rows of the fit. Give "
            "`.to_numpy()` of a response in their order."
        )
    return series.iloc[positions]


def _coded(fit: PointFit, raw: RawColumn) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Return values and levels; of two categories the fit has decided which one is 1."""
    levels = fit.problem.design.response.levels
    if raw.levels is not None and levels is not None:
        codes = recode(raw.values, raw.levels, levels)
        if (codes >= 0).all():
            return codes, levels
    return raw.values, raw.levels


def _with_response(fit: PointFit, values: np.ndarray) -> Frame:
    name = bare_name(fit.parsed.response.expression.text)
    if name is None or name not in fit.frame.columns or fit.frame.columns[name].levels is not None:
        return fit.frame
    return fit.frame.replace_columns([Column(name, values)])
