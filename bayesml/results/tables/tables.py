"""Tables of estimates: fixef, ranef, coef, varcorr, vcov, prior_summary, in brms's terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.errors import ModelError
from bayesml.names import prefixed
from bayesml.results.record.levels import level_columns, population_spellings, totals
from bayesml.results.record.reduced import effect_variables, moments_table, require_effects, thinned_or_raise
from bayesml.results.record.select import draws, elements, get
from bayesml.results.tables.statistics import quantile_names, summarise
from bayesml.variables import COEFFICIENTS, ReportedVariable

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractFit, AbstractSampledFit

__all__ = ["VarCorr", "coef", "draws", "fixef", "get", "prior_summary", "ranef", "varcorr", "vcov"]

Probs = Sequence[float]
BOTH_TAILS = (0.025, 0.975)


@final
@dataclass(frozen=True)
class VarCorr:
    """Variation of the effects of one grouping factor.

    Attributes:
        sd: standard deviations, one row for each coefficient.
        cor: correlations, one row for each pair of coefficients in the columns ``coef`` and ``coef_bis``; zero by
            the model for ``||`` and between distributional parameters. None with a single coefficient.
        cov: covariances in the same form, variances among them.
    """

    sd: pd.DataFrame
    cor: pd.DataFrame | None
    cov: pd.DataFrame

    @property
    def cov_matrix(self) -> pd.DataFrame:
        """The estimated covariance matrix."""
        return _square(self.cov, list(self.sd.index))

    @property
    def cor_matrix(self) -> pd.DataFrame | None:
        """The estimated correlation matrix, or None."""
        return None if self.cor is None else _square(self.cor, list(self.sd.index))

    def __str__(self) -> str:
        parts = [f"Standard deviations:\n{self.sd.to_string(float_format='{:.4g}'.format)}"]
        if self.cor is not None:
            matrix = self.cor_matrix.to_string(float_format="{:.3f}".format)  # type: ignore[union-attr]
            parts.append(f"Correlations:\n{matrix}")
        return "\n\n".join(parts)

    __repr__ = __str__


def _square(table: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    wide = table.pivot(index="coef", columns="coef_bis", values="Estimate").reindex(index=labels, columns=labels)
    return wide.rename_axis(index=None, columns=None)


def fixef(
    fit: AbstractSampledFit, summary: bool = True, robust: bool = False, probs: Probs = BOTH_TAILS
) -> pd.DataFrame:
    """Return the population-level coefficients.

    Args:
        fit: the fit.
        summary: whether to summarise; else the draws are returned, one column for each coefficient.
        robust: median and mad in the place of mean and standard deviation.
        probs: probabilities of the quantiles (R's type 7).

    Returns:
        One row for each coefficient with the columns Estimate, Est.Error, Q2.5 and Q97.5; coefficients of other
        parameters than mu carry its name, ``sigma_Days``. As in brms, thresholds (``Intercept[1]``), category specific
        (``z[1]``) and monotonic coefficients (``mo(x)``) and the unpenalised ones of smooths (``sx_1``) are among them.

    Example:
        >>> fit.fixef().loc["Days", "Estimate"]
    """
    import pandas as pd

    names, values = _population(fit)
    if not summary:
        return pd.DataFrame(values, columns=list(names))
    return summarise(values, pd.Index(names, dtype=object), robust, probs)


def _population(fit: AbstractSampledFit) -> tuple[tuple[str, ...], np.ndarray]:
    """Return names without their class (``b_``, ``bcs_``), and draws."""
    chosen = elements(fit.draws_record.values, [v for v in fit.variables if v.section == COEFFICIENTS])
    names = tuple(name.split("_", 1)[1] for name in chosen.names)
    return names, chosen.values.reshape(-1, len(names))


def ranef(
    fit: AbstractSampledFit, summary: bool = True, robust: bool = False, probs: Probs = BOTH_TAILS
) -> dict[str, pd.DataFrame]:
    """Return the group-level effects, deviations from the population-level coefficients.

    Args:
        fit: the fit.
        summary: whether to summarise; else the draws, with one column for each (level, coefficient).
        robust: median and mad in the place of mean and standard deviation.
        probs: probabilities of the quantiles.

    Returns:
        For each grouping factor a table with the columns level, coef, Estimate, Est.Error and one for each quantile,
        which are missing where the fit kept means and standard deviations alone (``keep_group_effects="summary"``).

    Example:
        >>> fit.ranef()["Subject"].query("coef == 'Days'")
    """
    return {group: _effects_table(fit, group, summary, robust, probs) for group in _groups(fit)}


def _effects_table(fit: AbstractSampledFit, group: str, summary: bool, robust: bool, probs: Probs) -> pd.DataFrame:
    variables = effect_variables(fit, group)
    kept = [fit.draws_record.reduced[v.name] for v in variables if v.name in fit.draws_record.reduced]
    if not kept:
        return _level_table(*_effects(fit, group), summary, robust, probs)
    levels, coefs = variables[0].coords[0], tuple(c for v in variables for c in _coefs(v, 1))
    if all(each.counts.size for each in kept) and summary and not robust:
        return moments_table(levels, coefs, kept)
    drawn = np.concatenate([thinned_or_raise(fit, each) for each in kept], axis=2)
    return _level_table(levels, coefs, drawn, summary, robust, probs)


def coef(
    fit: AbstractSampledFit, summary: bool = True, robust: bool = False, probs: Probs = BOTH_TAILS
) -> dict[str, pd.DataFrame]:
    """Return the coefficients of every level: population-level plus group-level, draw by draw.

    A coefficient that does not vary over the levels of a grouping factor is the same for all of them; one that varies
    without a population-level counterpart varies around zero. Effects of other grouping factors are not added. Where
    thresholds stand for the Intercept, a level has thresholds of its own, tau_k minus the effect of the level.

    Args:
        fit: the fit.
        summary: as in ``ranef``.
        robust: as in ``ranef``.
        probs: as in ``ranef``.

    Returns:
        Tables as in ``ranef``.

    Example:
        >>> fit.coef()["Subject"].query("level == '308'")
    """
    return {group: _level_table(*_total(fit, group), summary, robust, probs) for group in _groups(fit)}


def _groups(fit: AbstractSampledFit) -> tuple[str, ...]:
    groups = tuple(name for name, _ in fit.problem.description.spec.levels)
    if not groups:
        raise ModelError(f"The model `{fit.parsed.text}` has no group-level effects; write for example `(1 | g)`.")
    return groups


def _of(fit: AbstractSampledFit, group: str, kind: str) -> list[ReportedVariable]:
    return [v for v in fit.variables if v.group == group and v.kind == kind]


def _coefs(variable: ReportedVariable, axis: int) -> tuple[str, ...]:
    return tuple(prefixed(label, variable.predictor) for label in variable.coords[axis])


def _effects(fit: AbstractSampledFit, group: str) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray]:
    """Return levels, coefficients and draws ``(draws, levels, coefs)``."""
    variables = _of(fit, group, "r")
    values = fit.draws_record.values
    parts = [values[v.name].reshape(-1, *values[v.name].shape[2:]) for v in variables]
    return variables[0].coords[0], tuple(c for v in variables for c in _coefs(v, 1)), np.concatenate(parts, axis=2)


def level_coefficients(
    fit: AbstractSampledFit, group: str, *, total: bool
) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray]:
    """Return levels, coefficients and draws ``(draws, levels, coefs)`` of the effects of a grouping factor.

    Args:
        fit: the fit.
        group: the grouping factor.
        total: with the population-level coefficients, as in ``coef``.
    """
    if total:
        return _total(fit, group)
    require_effects(fit, "`ranef()`")
    return _effects(fit, group)


def _total(fit: AbstractSampledFit, group: str) -> tuple[tuple[str, ...], tuple[str, ...], np.ndarray]:
    require_effects(fit, "`coef()`")
    levels, _, effects = _effects(fit, group)
    varying = tuple(c for v in _of(fit, group, "r") for c in _spellings(fit, v))
    names, population = _population(fit)
    return levels, *totals(names, population, *_of_thresholds(fit, varying, effects))


def _of_thresholds(
    fit: AbstractSampledFit, varying: tuple[str, ...], effects: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return varying coefficients with thresholds in the place of an Intercept that they stand for.

    An effect u moves the predictor eta. The model, F(tau_k - eta), is the same with thresholds tau_k - u. An effect on
    one threshold, of ``(cs(1) | g)``, is taken off it alone.
    """
    for variable in (v for v in fit.variables if v.kind == "thresholds"):
        intercept = prefixed("Intercept", variable.predictor)
        thresholds = tuple(text.split("_", 1)[1] for _, text in variable.texts)
        effects = np.where([name in thresholds for name in varying], -effects, effects)
        if intercept in varying:
            place = varying.index(intercept)
            moved = np.repeat(-effects[..., place : place + 1], len(thresholds), axis=-1)
            varying = (*thresholds, *varying[:place], *varying[place + 1 :])
            effects = np.concatenate([moved, np.delete(effects, place, axis=-1)], axis=-1)
    return varying, effects


def _spellings(fit: AbstractSampledFit, variable: ReportedVariable) -> tuple[str, ...]:
    own = next((v.coords[0] for v in fit.variables if v.kind == "b" and v.predictor == variable.predictor), ())
    labels = population_spellings(variable.coords[1], own)
    return _coefs(replace(variable, coords=(variable.coords[0], labels)), 1)


def _level_table(
    levels: Sequence[str], coefs: Sequence[str], values: np.ndarray, summary: bool, robust: bool, probs: Probs
) -> pd.DataFrame:
    import pandas as pd

    flat = values.reshape(len(values), -1)
    if not summary:
        return pd.DataFrame(flat, columns=pd.MultiIndex.from_product([levels, coefs], names=["level", "coef"]))
    table = summarise(flat, None, robust, probs)
    for place, (name, column) in enumerate(level_columns(levels, coefs).items()):
        table.insert(place, name, column)
    return table


def varcorr(fit: AbstractSampledFit, robust: bool = False, probs: Probs = BOTH_TAILS) -> dict[str, VarCorr]:
    """Return standard deviations, correlations and covariances of the group-level effects, and the residual sd.

    Covariances are computed draw by draw, cov = sd_i sd_j cor_ij.

    Args:
        fit: the fit.
        robust: median and mad in the place of mean and standard deviation.
        probs: probabilities of the quantiles.

    Returns:
        One ``VarCorr`` for each grouping factor; ``residual__`` holds ``sigma`` where the family has it as one number,
        of several responses that of each and their residual correlations.

    Example:
        >>> fit.varcorr()["Subject"].cor_matrix
    """
    quantile_names(probs)  # also of a model without groups
    levels = fit.problem.description.spec.levels
    found = {group: _group_variation(fit, group, robust, probs) for group, _ in levels}
    sigmas = [v for v in fit.variables if v.kind == "family" and v.predictor.dpar == "sigma"]
    if sigmas:
        found["residual__"] = _residual_variation(fit, sigmas, robust, probs)
    return found


def _residual_variation(
    fit: AbstractSampledFit, sigmas: Sequence[ReportedVariable], robust: bool, probs: Probs
) -> VarCorr:
    values, likelihood = fit.draws_record.values, fit.likelihood
    names = [v.predictor.resp for v in sigmas]
    sd = np.stack([values[v.name].reshape(-1) for v in sigmas], axis=1)
    whole = likelihood.residual_correlations(values)
    if whole is None:
        cor = np.zeros((len(sd), len(names), len(names))) + np.eye(len(names))
    else:
        places = [k for k, response in enumerate(fit.problem.design.responses) if response.name in names]
        cor = whole[..., places, :][..., places].reshape(len(sd), len(names), len(names))
    return _variation(names if names != [""] else ("sigma",), sd, cor, robust, probs)


def _group_variation(fit: AbstractSampledFit, group: str, robust: bool, probs: Probs) -> VarCorr:
    values = fit.draws_record.values
    sds = _of(fit, group, "sd")
    names = tuple(c for v in sds for c in _coefs(v, 0))
    sd = np.concatenate([values[v.name].reshape(-1, len(v.coords[0])) for v in sds], axis=1)
    cor = np.zeros((len(sd), len(names), len(names))) + np.eye(len(names))
    for variable in _of(fit, group, "cor"):
        drawn = values[variable.name].reshape(len(sd), -1)
        for k, pair in enumerate(variable.pairs):
            i, j = (names.index(prefixed(c, variable.predictor)) for c in pair)
            cor[:, i, j] = cor[:, j, i] = drawn[:, k]
    return _variation(names, sd, cor, robust, probs)


def _variation(names: Sequence[str], sd: np.ndarray, cor: np.ndarray, robust: bool, probs: Probs) -> VarCorr:
    import pandas as pd

    table = summarise(sd, pd.Index(names, dtype=object), robust, probs)
    covariance = sd[:, :, None] * cor * sd[:, None, :]
    correlations = _pair_table(names, cor, robust, probs) if len(names) > 1 else None
    return VarCorr(table, correlations, _pair_table(names, covariance, robust, probs))


def _pair_table(names: Sequence[str], values: np.ndarray, robust: bool, probs: Probs) -> pd.DataFrame:
    table = summarise(values.reshape(len(values), -1), None, robust, probs)
    table.insert(0, "coef", np.repeat(np.asarray(names, dtype=object), len(names)))
    table.insert(1, "coef_bis", np.tile(np.asarray(names, dtype=object), len(names)))
    return table


def vcov(fit: AbstractSampledFit, correlation: bool = False) -> pd.DataFrame:
    """Return the posterior covariance matrix of the population-level coefficients.

    Args:
        fit: the fit.
        correlation: whether to return correlations instead; NaN for a coefficient that does not vary.

    Raises:
        ModelError: the fit has one draw only.

    Example:
        >>> fit.vcov(correlation=True)
    """
    import pandas as pd

    names, values = _population(fit)
    if len(values) < 2:
        raise ModelError("A covariance needs at least two draws.")
    matrix = np.atleast_2d(np.cov(values, rowvar=False))
    if correlation:
        size = np.sqrt(np.diag(matrix))
        with np.errstate(divide="ignore", invalid="ignore"):
            matrix = matrix / np.outer(size, size)
    return pd.DataFrame(matrix, index=list(names), columns=list(names))


def prior_summary(fit: AbstractFit) -> pd.DataFrame:
    """Return every prior target of the model with the prior that was used, in brms's columns.

    ``source`` says where a prior came from: ``user``, ``default``, or ``(vectorized)`` for a row that inherits from
    that of its class.
    """
    return fit.problem.description.priors.to_pandas()
