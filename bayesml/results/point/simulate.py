"""New responses from a point estimate, and the same model for another response."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.columns import bare_name
from bayesml.engines.point.linear import LinearEstimate
from bayesml.errors import DataError, ModelError
from bayesml.families import RawResponse, ResponseData
from bayesml.frame import Column, Frame
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
        y: ``(rows,)`` responses in the order of the rows used by the fit; for a binomial response counts.

    Raises:
        DataError: the length does not fit, or a value is impossible for the family.

    Example:
        >>> fit.refit(fit.simulate(1, seed=1)[0])["b_Days"]
    """
    began = time.perf_counter()
    values = np.asarray(y, dtype=float).reshape(-1)
    if len(values) != fit.nobs:
        raise DataError(f"The new response has {len(values)} values; the fit used {fit.nobs} rows.")
    design = fit.problem.design
    known = {name: v for name, v in design.response.arrays.items() if name != "y"}
    encoded = fit.family.encode_response(
        RawResponse(fit.parsed.response.name, values, None, known, rows=fit.frame.rows)
    )
    response = ResponseData({**encoded.arrays, **known}, design.response.note, design.response.levels)
    problem = replace(fit.problem, design=replace(design, response=response))
    estimate = fit.estimate.with_response(problem)
    timing = Timing(sampling=time.perf_counter() - began)
    return replace(fit, problem=problem, frame=_with_response(fit, values), estimate=estimate, timing=timing)


def _with_response(fit: PointFit, values: np.ndarray) -> Frame:
    name = bare_name(fit.parsed.response.expression.text)
    if name is None or name not in fit.frame.columns or fit.frame.columns[name].levels is not None:
        return fit.frame
    return fit.frame.replace_columns([Column(name, values)])
