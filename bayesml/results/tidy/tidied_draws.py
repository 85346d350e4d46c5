"""``tidy()``, ``glance()`` and ``augment()`` of a fit with draws, in the columns of broom.mixed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.checks.loo import left_out
from bayesml.results.marginal.datagrid import given_rows
from bayesml.results.predict import predict
from bayesml.results.questions.describe_posterior import highest_density
from bayesml.results.record.one_response import each_response
from bayesml.results.record.reduced import require_effects
from bayesml.results.record.select import elements
from bayesml.results.tables.statistics import center_and_error
from bayesml.results.tidy.terms import checked_effects, checked_level, key_columns, terms_of

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["augment", "glance", "tidy"]

NUMBERS = ("estimate", "std.error", "conf.low", "conf.high")


def tidy(
    fit: AbstractSampledFit,
    effects: str | Sequence[str] = ("fixed", "ran_pars"),
    *,
    conf_level: float = 0.95,
    conf_method: Literal["quantile", "hdi"] = "quantile",
    robust: bool = False,
) -> pd.DataFrame:
    """Return the parameters as a data frame in the columns of R's broom.mixed.

    Args:
        fit: the fit.
        effects: ``"fixed"`` the population-level coefficients; ``"ran_pars"`` standard deviations and correlations of
            group-level effects, and the residual one; ``"ran_vals"`` the group-level effects; ``"other"`` every further
            parameter of the summary.
        conf_level: probability of the intervals.
        conf_method: ``"quantile"`` with equal tails, or ``"hdi"`` the shortest.
        robust: median and mad in the place of mean and standard deviation.

    Returns:
        One row for each parameter: ``effect``; ``response`` where there are several; ``component``, ``"cond"`` or the
        name of another parameter than mu; ``group``; ``level`` of a group-level effect; ``term``, where broom writes
        ``(Intercept)``, ``sd__Days``, ``cor__(Intercept).Days`` and ``sd__Observation``; ``estimate``, ``std.error``,
        ``conf.low`` and ``conf.high``.

    Raises:
        ModelError: an option is impossible.

    Example:
        >>> fit.tidy(effects="fixed", conf_level=0.9)
    """
    import pandas as pd

    level = checked_level(conf_level)
    if conf_method not in ("quantile", "hdi"):
        raise ModelError(f'`conf_method` is "quantile" or "hdi"; got {conf_method!r}.')
    asked = checked_effects(effects)
    if "ran_vals" in asked:
        require_effects(fit, '`tidy("ran_vals")`')
    terms = terms_of(fit.variables, asked)
    names = [term.text for term in terms]
    if not names:
        return pd.DataFrame({**key_columns(terms), **{name: np.zeros(0) for name in NUMBERS}})
    found = elements(fit.draws_record.values, fit.variables, frozenset(names))
    places = {name: place for place, name in enumerate(found.names)}
    drawn = found.values.reshape(-1, len(found.names))[:, [places[name] for name in names]]
    center, error = center_and_error(drawn, robust)
    if conf_method == "hdi":
        low, high = highest_density(drawn, level)
    else:
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    numbers = zip(NUMBERS, (center, error, low, high), strict=True)
    return pd.DataFrame({**key_columns(terms), **dict(numbers)})


def glance(fit: AbstractSampledFit, *, looic: bool = False) -> pd.DataFrame:
    """Return one row about the whole model, in the columns of R's broom.mixed.

    Args:
        fit: the fit.
        looic: whether to add leave-one-out cross-validation, see ``loo``.

    Returns:
        ``algorithm``; ``pss``, the number of draws; ``nobs``; ``sigma``, the mean of the residual standard deviation,
        missing where the model has not one number for it; with ``looic`` also ``looic``, ``elpd.loo``, ``se.elpd.loo``
        and ``p.loo``.

    Raises:
        ModelError: see ``loo``.

    Example:
        >>> fit.glance()
    """
    import pandas as pd

    record = fit.draws_record
    sigma = record.values.get("sigma")
    row: dict[str, Any] = {"algorithm": "sampling", "pss": record.n_chains * record.n_draws, "nobs": fit.nobs}
    row["sigma"] = np.nan if sigma is None or sigma.ndim > 2 else float(sigma.mean())
    if looic:
        rows = left_out(fit).found
        elpd = float(rows.elpd.sum())
        row |= {"looic": -2.0 * elpd, "elpd.loo": elpd, "se.elpd.loo": float(np.sqrt(len(rows.elpd) * rows.elpd.var()))}
        row["p.loo"] = float((rows.lppd - rows.elpd).sum())
    return pd.DataFrame([row])


def augment(fit: AbstractSampledFit, newdata: Any = None) -> pd.DataFrame:
    """Return the rows of data with what the model says of each, in the columns of R's broom.mixed.

    Args:
        fit: the fit.
        newdata: the rows, as any data frame; None takes those of the fit.

    Returns:
        The columns of the rows; ``.fitted`` and ``.se.fit``, mean and standard deviation of the expected response; for
        the rows of the fit ``.resid``, observed minus fitted. Where a row has several numbers, one for each category or
        response, these have a column each, ``.fitted_a``; categories have no residuals.

    Raises:
        DataError: see ``epred``.
        ModelError: see ``epred``.

    Example:
        >>> fit.augment()
    """
    rows = given_rows(fit, newdata)
    columns: dict[str, np.ndarray] = {}
    expected = predict.epred(fit, None if newdata is None else rows)
    for end, drawn in _each(expected):
        center, error = center_and_error(drawn)
        columns |= {f".fitted{end}": center, f".se.fit{end}": error}
    if newdata is None and not _has_categories(fit):
        columns |= {f".resid{end}": drawn.mean(axis=0) for end, drawn in _each(predict.residuals(fit))}
    return rows.assign(**columns)


def _has_categories(fit: AbstractSampledFit) -> bool:
    return any(one.likelihood.event_labels for one in each_response(fit).values())


def _each(found: Any) -> list[tuple[str, np.ndarray]]:
    """Return ``(draws, rows)`` of each number of a row, with what its name ends in."""
    if isinstance(found, dict):
        return [(f"_{resp}{end}", drawn) for resp, own in found.items() for end, drawn in _each(own)]
    flat = found.to_numpy().reshape(-1, *found.shape[2:])
    if flat.ndim == 2:
        return [("", flat)]
    return [(f"_{label}", flat[..., k]) for k, label in enumerate(found.coords[found.dims[-1]].to_numpy())]
