"""Tables of a point estimate: fixef, ranef, coef, varcorr, vcov, and any single number by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, final

import numpy as np
from scipy.linalg import block_diag
from scipy.special import ndtr, stdtr

from bayesml.engines.point.elements import deviations
from bayesml.engines.point.estimate import GroupEstimate, LevelEffects
from bayesml.errors import ModelError, did_you_mean
from bayesml.names import of_response, prefixed
from bayesml.results.frequentist.submodels import require_one_predictor
from bayesml.results.record.levels import level_columns, population_spellings, totals
from bayesml.results.record.one_response import has_several
from bayesml.terms import blocks_of
from bayesml.variables import find_text

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractPointFit

__all__ = [
    "CoefficientTable",
    "VarCorr",
    "coef",
    "coefficient_frame",
    "coefficient_table",
    "fixef",
    "get",
    "ranef",
    "varcorr",
    "vcov",
]


Part = TypeVar("Part", LevelEffects, GroupEstimate)


@final
@dataclass(frozen=True)
class CoefficientTable:
    """Tests of the population-level coefficients.

    Attributes:
        labels: their names.
        estimate: ``(p,)``.
        error: ``(p,)`` standard errors.
        df: ``(p,)`` Satterthwaite's degrees of freedom; None where the statistic is normal.
        statistic: ``(p,)`` t or z.
        p: ``(p,)`` two-sided p values.
    """

    labels: tuple[str, ...]
    estimate: np.ndarray
    error: np.ndarray
    df: np.ndarray | None
    statistic: np.ndarray
    p: np.ndarray


def coefficient_table(fit: AbstractPointFit) -> CoefficientTable:
    """Return estimates, standard errors and tests that each coefficient is 0."""
    estimate = fit.estimate
    error = estimate.standard_errors
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(np.isinf(error), np.nan, estimate.beta / error)
    df = None
    if estimate.t_tests is not None and len(error):
        df = estimate.t_tests.satterthwaite.df(np.eye(len(error)))
    p = 2.0 * (ndtr(-np.abs(statistic)) if df is None else stdtr(np.minimum(df, 1e15), -np.abs(statistic)))
    return CoefficientTable(estimate.coefs, estimate.beta, error, df, statistic, p)


def fixef(fit: AbstractPointFit) -> pd.DataFrame:
    """Return the population-level coefficients with their tests.

    Returns:
        One row for each estimated coefficient with the columns Estimate, Std.Error, then df, t value and p with
        Satterthwaite's degrees of freedom (linear mixed models), or z value and p.

    Example:
        >>> fit.fixef().loc["Days", "Estimate"]
    """
    return coefficient_frame(coefficient_table(fit))


def coefficient_frame(table: CoefficientTable) -> pd.DataFrame:
    """Return a table of coefficients as a data frame, see ``fixef``."""
    import pandas as pd

    found = {"Estimate": table.estimate, "Std.Error": table.error}
    found |= {"z value": table.statistic} if table.df is None else {"df": table.df, "t value": table.statistic}
    return pd.DataFrame(found | {"p": table.p}, index=pd.Index(table.labels, dtype=object))


def ranef(fit: AbstractPointFit) -> dict[str, pd.DataFrame]:
    """Return the conditional modes of the group-level effects.

    Returns:
        For each grouping factor a table with the columns level, coef, Estimate and Std.Error, the conditional standard
        deviation given the estimated coefficients and variances.

    Example:
        >>> fit.ranef()["Subject"].query("coef == 'Days'")
    """
    import pandas as pd

    found = {}
    for name, parts in _by_factor(fit.estimate.level_effects).items():
        effects = np.concatenate([part.effects for part in parts], axis=1)
        errors = np.concatenate([np.sqrt(np.maximum(np.einsum("jqq->jq", p.variances), 0.0)) for p in parts], axis=1)
        columns = level_columns(parts[0].term.levels.labels, _varying(parts))
        found[name] = pd.DataFrame({**columns, "Estimate": effects.ravel(), "Std.Error": errors.ravel()})
    return found


def _by_factor(parts: Iterable[Part]) -> dict[str, list[Part]]:
    """Return what belongs to group-level terms by grouping factor, that of all predictors together."""
    found: dict[str, list[Part]] = {}
    for part in parts:
        found.setdefault(part.term.name, []).append(part)
    return found


def _varying(parts: Sequence[LevelEffects | GroupEstimate]) -> tuple[str, ...]:
    """Return the labels of the coefficients that vary, with their predictors: ``x``, ``zi_Intercept``."""
    return tuple(prefixed(coef, part.term.predictor) for part in parts for coef in part.term.coefs)


def coef(fit: AbstractPointFit) -> dict[str, pd.DataFrame]:
    """Return the coefficients of every level: population-level plus conditional modes.

    Returns:
        For each grouping factor a table with one row for each level and one column for each coefficient.

    Example:
        >>> fit.coef()["Subject"].loc["308", "Days"]
    """
    import pandas as pd

    estimate, found = fit.estimate, {}
    for name, parts in _by_factor(estimate.level_effects).items():
        varying = population_spellings(_varying(parts), estimate.coefs)
        effects = np.concatenate([part.effects for part in parts], axis=1)
        labels, total = totals(estimate.coefs, estimate.beta, varying, effects)
        index = pd.Index(parts[0].term.levels.labels, dtype=object)
        found[name] = pd.DataFrame(total, index=index, columns=list(labels))
    return found


@final
@dataclass(frozen=True)
class VarCorr:
    """Estimated variation of the effects of one grouping factor.

    Attributes:
        sd: standard deviations by coefficient.
        cor_matrix: correlations; 0 by the model for ``||``, NaN where a standard deviation is 0.
        cov_matrix: covariances.
    """

    sd: pd.Series
    cor_matrix: pd.DataFrame
    cov_matrix: pd.DataFrame


def varcorr(fit: AbstractPointFit) -> dict[str, VarCorr]:
    """Return standard deviations, correlations and covariances by grouping factor.

    A smooth has an entry under the name of its standard deviation, ``sds_sx_1``. ``residual__`` holds the residual
    standard deviation where the model has one; of several responses that of each, and their residual correlations.

    Example:
        >>> fit.varcorr()["Subject"].sd["Days"]
    """
    estimate = fit.estimate
    found = {
        name: _variation(_varying(parts), block_diag(*(part.factor for part in parts)))
        for name, parts in _by_factor(estimate.groups).items()
    }
    found |= {own.effects.sd: _variation(own.effects.coefs, np.array([[own.sd]])) for own in estimate.smooths}
    if "sigma" in estimate.auxiliary:
        found["residual__"] = _variation(("sigma",), np.array([[estimate.auxiliary["sigma"]]]))
    if sigmas := residual_deviations(fit):
        correlations = fit.likelihood.residual_correlations(estimate.values)
        root = np.eye(len(sigmas)) if correlations is None else np.linalg.cholesky(correlations)
        found["residual__"] = _variation(tuple(sigmas), np.array(list(sigmas.values()))[:, None] * root)
    return found


def residual_deviations(fit: AbstractPointFit) -> dict[str, float]:
    """Return the residual standard deviation of each of several responses that has one, by its name."""
    own = [each.name for each in fit.problem.design.responses if has_several(fit)]
    found = {resp: fit.estimate.auxiliary.get(of_response("sigma", resp)) for resp in own}
    return {resp: value for resp, value in found.items() if value is not None}


def _variation(labels: tuple[str, ...], factor: np.ndarray) -> VarCorr:
    import pandas as pd

    sd, correlation = deviations(factor)
    index = pd.Index(labels, dtype=object)
    return VarCorr(
        pd.Series(sd, index=index),
        pd.DataFrame(correlation, index=index, columns=index),
        pd.DataFrame(factor @ factor.T, index=index, columns=index),
    )


def vcov(fit: AbstractPointFit, full: bool = False) -> pd.DataFrame:
    """Return the covariance matrix of the population-level coefficients.

    Args:
        fit: the fit.
        full: whether to add the group-level effects, as deviations of the true effects from their conditional modes.

    The variance of a coefficient without a finite estimate (separation) is infinite, its covariances are NaN.

    Example:
        >>> fit.vcov().loc["Days", "Days"] ** 0.5
    """
    import pandas as pd

    estimate = fit.estimate
    if full:
        require_one_predictor(fit, "vcov(full=True)")
    if not full:
        labels = list(estimate.coefs)
        touched = np.asarray(np.any(estimate.unbounded, axis=1))
        matrix = np.where(np.logical_or.outer(touched, touched), np.nan, estimate.vcov)
        matrix[np.diag(touched)] = np.inf
        return pd.DataFrame(matrix, index=labels, columns=labels)
    known = {variable.name: [text for _, text in variable.texts] for variable in fit.variables}
    blocks = blocks_of(fit.problem.design.schema.predictors[0].terms)
    texts = [text for _, own in blocks for text in known[own.effects]]
    labels = list(estimate.texts) + texts
    return pd.DataFrame(estimate.joint.covariance(), index=labels, columns=labels)


def get(fit: AbstractPointFit, name: str) -> float:
    """Return one number by its text name: ``b_Days``, ``sd_Subject__Days``, ``r_Subject[308,Days]``, ``sigma``.

    Raises:
        ModelError: nothing has that name.
    """
    values = fit.estimate.values
    found: dict[str, float] = {}
    known = [variable for variable in fit.variables if values.get(variable.name) is not None]
    for variable in known:
        found |= {text: float(values[variable.name][index]) for index, text in variable.texts}
    place = find_text(known, name) if isinstance(name, str) else None
    if place is not None:
        return found[place[1]]
    hint = did_you_mean(name, found) if isinstance(name, str) else ""
    listed = ", ".join(f"`{text}`" for text in list(found)[:8])
    raise ModelError(f"The fit has no parameter {name!r}{hint}; it has {listed}, ...")
