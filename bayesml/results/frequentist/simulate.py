"""New responses from a point estimate, and the same model for another response."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

import numpy as np

from bayesml.columns import bare_name
from bayesml.design import Arrays
from bayesml.engines.point.several.estimate import SeveralEstimate
from bayesml.engines.weighting import sigma_of_rows, weights_are_precisions
from bayesml.errors import DataError, ModelError
from bayesml.families import RawResponse
from bayesml.families.drawing import draw_where_possible
from bayesml.frame import Column, Frame, column_names, positions_of, recode
from bayesml.frame.convert import RawColumn, convert
from bayesml.linalg import AbstractBlock
from bayesml.posterior import Timing
from bayesml.results.frequentist.residuals import natural_parameters
from bayesml.results.predict.point_rows import point_rows
from bayesml.results.predict.re_formula import Selection, select_groups
from bayesml.results.record.one_response import has_several
from bayesml.terms import AbstractGroupTerm

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["SimulatedLevels", "refit", "simulate"]

F = TypeVar("F", bound="AbstractPointFit")
SimulatedLevels = Literal["error", "gaussian", "zero"]


def simulate(
    fit: AbstractPointFit,
    n: int = 1,
    seed: int | None = None,
    *,
    use_u: bool = False,
    re_formula: Any = "NA",
    newdata: Any = None,
    new_levels: SimulatedLevels = "error",
) -> np.ndarray:
    """Draw responses from the fitted model at the estimated parameters.

    Args:
        fit: the fit.
        n: number of responses.
        seed: whole number; the same seed gives the same responses.
        use_u: keep the conditional modes of all group-level effects; else draw new effects.
        re_formula: the group-level effects to keep, ``"~ (1 | g)"``; the others are drawn anew.
        newdata: rows to simulate, with the grouping columns; None for the rows of the fit. Effects that are drawn anew
            are drawn for each level of the new data, whether or not the fit has seen it.
        new_levels: of effects that are kept, what those of a level get that the fit has not seen: ``"error"`` refuses
            it, ``"gaussian"`` draws them, ``"zero"`` sets them to 0 (lme4's ``allow.new.levels=TRUE``).

    Returns:
        ``(n, rows)``; counts for a binomial response. Several responses are drawn together: ``(n, rows, columns)``, the
        columns of all responses one after the other.

    Raises:
        ModelError: ``n`` is not a positive whole number, or ``new_levels`` is unknown.
        FormulaError: ``re_formula`` names what the model does not have.
        DataError: the new data lack a column, or have an unseen level that is refused.

    Example:
        >>> fit.simulate(100, seed=1).mean(axis=0)
        >>> fit.simulate(100, seed=1, newdata=data.head(), use_u=True)
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ModelError(f"`n` is a whole number of at least 1; got {n!r}.")
    if new_levels not in get_args(SimulatedLevels):
        raise ModelError(f'`new_levels` is "error", "gaussian" or "zero"; got {new_levels!r}.')
    rng, keep = np.random.default_rng(seed), None if use_u else re_formula
    if newdata is None:
        design = fit.problem.design
        groups = [group.block for group in fit.estimate.groups]
        selection = select_groups(fit, keep)
        eta = _with_group_effects(fit, fit.estimate.eta_population, groups, int(n), rng, selection, False)
        return _responses(fit, eta, rng, design.weights, design.response.arrays, design.arrays)
    rows = point_rows(fit, newdata, "NA", "zero")
    eta = _new_linear_predictors(fit, rows.eta, newdata, int(n), rng, keep, new_levels)
    drawn = _responses(fit, eta, rng, rows.weights, rows.data, rows.arrays)
    return drawn if rows.estimable.all() else np.where(rows.estimable, drawn, np.nan)


def _responses(
    fit: AbstractPointFit,
    eta: np.ndarray,
    rng: np.random.Generator,
    weights: np.ndarray | None,
    data: Mapping[str, np.ndarray],
    arrays: Arrays,
) -> np.ndarray:
    if isinstance(fit.estimate, SeveralEstimate):
        return _of_several(fit, fit.estimate, eta, rng, weights, data, arrays)
    natural = {k: np.broadcast_to(v, eta.shape) for k, v in natural_parameters(fit, eta, weights).items()}
    return np.asarray(fit.likelihood.draw(rng, natural, data), dtype=float)


def _of_several(
    fit: AbstractPointFit,
    estimate: SeveralEstimate,
    eta: np.ndarray,
    rng: np.random.Generator,
    weights: np.ndarray | None,
    data: Mapping[str, np.ndarray],
    arrays: Arrays,
) -> np.ndarray:
    """Return responses of rows with several linear predictors, from ``(n, d rows)`` of these."""
    response = estimate.model.response
    stacked = eta.reshape(len(eta), response.slots.count, -1).swapaxes(0, 1)
    natural = response.natural(stacked, estimate.fit.psi, arrays, data)
    if weights is not None and weights_are_precisions(fit.method, fit.likelihood):
        natural["sigma"] = sigma_of_rows(natural["sigma"], weights)
    return draw_where_possible(fit.likelihood, rng, natural, data, stacked.shape[1:])


def _new_linear_predictors(
    fit: AbstractPointFit,
    population: np.ndarray,
    newdata: Any,
    n: int,
    rng: np.random.Generator,
    keep: Any,
    new_levels: SimulatedLevels,
) -> np.ndarray:
    """Return ``(n, rows)`` linear predictors of new rows, from their population-level part."""
    _refuse_absent_factors(fit, newdata)
    selection = select_groups(fit, keep)
    if new_levels == "error":
        point_rows(fit, newdata, keep, "error", additions=False)
    found = point_rows(fit, newdata, None, "zero", additions=False).rows.blocks
    # None is left out, because all effects were requested.
    groups = [block for block in found[: len(fit.estimate.groups)] if block is not None]
    return _with_group_effects(fit, population, groups, n, rng, selection, new_levels == "gaussian")


def _with_group_effects(
    fit: AbstractPointFit,
    population: np.ndarray,
    groups: Sequence[AbstractBlock],
    n: int,
    rng: np.random.Generator,
    selection: Selection,
    draws_unseen: bool,
) -> np.ndarray:
    """Return ``(n, rows)`` linear predictors with group-level effects.

    Args:
        fit: the fit.
        population: ``(rows,)`` the population-level part.
        groups: the rows of each group-level term; levels that the fit has not seen come behind its own.
        n: number of draws.
        rng: random numbers.
        selection: the effects that keep their conditional modes; the others are drawn.
        draws_unseen: whether kept effects of unseen levels are drawn; else they are 0.
    """
    estimate = fit.estimate
    eta = np.tile(population, (n, 1))
    for own, rows, written in zip(estimate.groups, groups, estimate.written_groups, strict=True):
        term, factor, modes, Z, index = own.term, own.factor, own.effects, rows.Z, rows.codes
        chosen = _kept_columns(written, selection)
        known = index < len(term.levels)
        count = max(int(index.max()) + 1, len(term.levels))
        if not rows.is_factor:
            effects = rng.standard_normal((n, *modes.shape)) @ factor.T
            for k in chosen:
                effects[..., k] = modes[:, k]
            eta += rows.contribution(effects)
            continue
        effects = rng.standard_normal((n, count, Z.shape[1])) @ factor.T
        for k in range(Z.shape[1]):
            drawn = effects[:, index, k]
            if k in chosen:
                drawn = np.where(known, modes[np.where(known, index, 0), k], drawn if draws_unseen else 0.0)
            eta += Z[:, k] * drawn
    return eta


def _kept_columns(written: Iterable[tuple[AbstractGroupTerm, np.ndarray]], selection: Selection) -> set[int]:
    """Return the columns of a block whose effects are kept, given its terms with the places of their effects."""
    kept = {(group.predictor, group.key) for group in selection.groups()}
    found: set[int] = set()
    for term, places in written:
        if (term.predictor, term.key) in kept:
            dropped = selection.dropped.get((term.predictor, term.key), ())
            shown = [k for k in range(places.shape[1]) if k not in dropped]
            found |= set(places[:, shown].ravel().tolist())
    return found


def _refuse_absent_factors(fit: AbstractPointFit, newdata: Any) -> None:
    available = column_names(newdata)
    absent = [name for term in fit.estimate.arrays.terms for name in term.factors if name not in available]
    if absent:
        listed = ", ".join(f"`{name}`" for name in dict.fromkeys(absent))
        raise DataError(
            f"The new data lack the grouping column {listed}: rows of one group share its effects. A column of row "
            "numbers makes each row a group of its own."
        )


def refit(fit: F, y: Any) -> F:
    """Fit the same model to another response; of a linear mixed model the decomposed structure is used again.

    See ``PointFit.refit``.
    """
    if has_several(fit):
        raise ModelError(
            "refit() takes one new response, and the model has several; fit.update(data=...) fits the model to other "
            "data."
        )
    began = time.perf_counter()
    raw = convert(fit.parsed.response.name, _in_order(fit, y))
    if raw.missing.any():
        raise DataError(f"The new response is missing in {int(raw.missing.sum())} of {fit.nobs} rows.")
    values, levels = _coded(fit, raw)
    design = fit.problem.design
    known = {name: v for name, v in design.response.arrays.items() if name != "y"}
    encoded = fit.likelihood.encode(
        RawResponse(fit.parsed.response.name, values, levels, known, raw.is_boolean, fit.frame.rows)
    )
    problem = replace(fit.problem, design=design.with_response({**known, **encoded.arrays}, design.weights))
    estimate = fit.estimate.with_response(problem)
    outcome = replace(fit.outcome, posterior=estimate, timing=Timing(sampling=time.perf_counter() - began))
    return replace(fit, problem=problem, frame=_with_response(fit, values), outcome=outcome)


def _in_order(fit: AbstractPointFit, y: Any) -> Any:
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


def _coded(fit: AbstractPointFit, raw: RawColumn) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Return values and levels; of two categories the fit has decided which one is 1."""
    levels = fit.problem.design.response.levels
    if raw.levels is not None and levels is not None:
        codes = recode(raw.values, raw.levels, levels)
        if (codes >= 0).all():
            return codes, levels
    return raw.values, raw.levels


def _with_response(fit: AbstractPointFit, values: np.ndarray) -> Frame:
    name = bare_name(fit.parsed.response.expression.text)
    if name is None or name not in fit.frame.columns or fit.frame.columns[name].levels is not None:
        return fit.frame
    return fit.frame.replace_columns([Column(name, values)])
