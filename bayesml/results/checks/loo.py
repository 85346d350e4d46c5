"""Approximate leave-one-out cross-validation (PSIS-LOO; Vehtari, Gelman & Gabry 2017)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.convergence import convergence
from bayesml.errors import ModelError
from bayesml.results.checks.integrated import integrated, integration_of
from bayesml.results.checks.log_lik import log_lik_by_rows
from bayesml.results.checks.loo_options import Groups, LooOptions, Unit
from bayesml.results.checks.loo_result import GOOD_K, Evidence, LooResult, loo_result
from bayesml.results.checks.loo_subsample import Approximation, loo_of_sample
from bayesml.results.checks.moment_match import matched_rows
from bayesml.results.checks.pareto_advice import warn_about_k
from bayesml.results.checks.psis import LeaveOneOut, leave_one_out
from bayesml.results.checks.refits import refitted
from bayesml.results.record.one_response import has_several, of_one
from bayesml.results.record.select import elements, is_prior_only

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["left_out", "loo", "relative_efficiency", "reloo"]

NUMBERS_AT_ONCE = 4_000_000
"""Log-likelihoods held at once, 32 MB; with the effects they need and temporary arrays about 300 MB."""

DEFAULT = LooOptions()


def loo(
    fit: AbstractSampledFit, pointwise: bool = True, *, resp: str | None = None, groups: Groups = "conditional",
    group: str | None = None, unit: Unit = "obs", moment_match: bool = False, reloo: bool = False,
    subsample: int | Sequence[int] | None = None, approximation: Approximation = "plpd", k_threshold: float = GOOD_K,
    executor: Any = None, seed: int = 1,
) -> Any:  # fmt: skip
    """Estimate the expected log predictive density of new data, elpd = sum_i log p(y_i | y without y_i).

    The draws are reweighted by Pareto-smoothed importance sampling (Vehtari, Gelman & Gabry 2017, Statistics and
    Computing 27; Vehtari et al. 2024, JMLR 25(72)). Rows are taken some at a time, so that data of any length need
    about 300 MB of memory.

    Args:
        fit: the fit.
        pointwise: whether to keep the value and the Pareto k of every observation; the printed table then counts them.
        resp: which of several responses; None takes the joint density of all responses of a row, see ``log_lik``.
        groups: ``"conditional"`` takes the density of a row given the drawn effects of its group. ``"integrate"`` takes
            it given the other rows of its group, averaged over these effects, by exact integrals or quadrature: the
            same elpd with far smaller importance ratios, where a group has few rows.
        group: over whose effects to average, where the model has several grouping factors.
        unit: what is left out at a time with ``groups="integrate"``: ``"obs"`` each row, ``"group"`` all rows of a
            group together, which says how well new groups are predicted.
        moment_match: whether to move the draws, for each row whose Pareto k is above ``k_threshold``, to where the
            posterior without it is (Paananen, Piironen, Bürkner & Vehtari 2021, Statistics and Computing 31). That
            takes some hundred evaluations of the density for each draw, and no refit.
        reloo: whether to fit the model again without each row whose Pareto k is above ``k_threshold``, which gives its
            density without importance sampling; its k is then 0.
        subsample: number of rows, chosen at random, whose densities are computed, or their positions: of all others a
            cheap approximation serves (Magnusson, Vehtari, Jonasson & Andersen 2020). None takes all rows.
        approximation: with ``subsample``, ``"plpd"`` the density at the posterior mean of the parameters, one
            evaluation for each row; ``"lpd"`` averaged over the draws, which takes as long as all densities do.
        k_threshold: the largest Pareto k that counts as reliable.
        executor: anything with a method ``map`` as ``concurrent.futures`` has; it is handed the refits. None does them
            one after the other.
        seed: of the choice of rows of ``subsample``.

    Returns:
        ArviZ's ``ELPDData``: with ArviZ 0.x it has ``elpd_loo``, ``se``, ``p_loo``, ``loo_i`` and ``pareto_k``; from
        1.0 ``elpd``, ``se``, ``p``, ``elpd_i`` and ``pareto_k``. ``loo_compare()`` takes it in the place of the fit,
        and returns the same table with both versions. With ``subsample`` a value with ``elpd_loo``, ``se``,
        ``subsampling_se`` (what all rows would change), ``p_loo``, ``estimates`` and ``pointwise``.

    Raises:
        ModelError: the draws come from the prior alone; the log-likelihood is not finite; the fit kept too few draws
            of its group-level effects; or an option is impossible.

    Warns:
        FitWarning: the estimate is unreliable for some observations; it says which, and what helps.

    Example:
        >>> fit.loo()
    """
    if moment_match is True and resp is not None and has_several(fit):
        raise ModelError("Moment matching takes the joint density of all responses: leave `resp=` out.")
    options = LooOptions(groups, group, unit, moment_match, reloo, k_threshold, executor, seed)
    fit = fit if resp is None else of_one(fit, resp)
    if subsample is not None:
        return _of_sample(fit, subsample, approximation, options)
    return loo_result(left_out(fit, options=options), pointwise)


def reloo(
    fit: AbstractSampledFit, loo: Any = None, *, k_threshold: float = GOOD_K, rows: Any = None, executor: Any = None
) -> Any:  # fmt: skip
    """Fit the model again without each row whose Pareto k is high, and put the exact densities into a result of loo().

    The refits have the settings of the fit; all of them run one compiled program. A level of a grouping factor whose
    only row is left out stays in the model, with effects from their distribution.

    Args:
        fit: the fit.
        loo: what ``fit.loo()`` returned; None calls it.
        k_threshold: rows with a larger Pareto k are left out in turn.
        rows: positions of the rows to leave out, in the place of ``k_threshold``.
        executor: see ``loo``.

    Returns:
        As ``loo``; the Pareto k of these rows is 0.

    Raises:
        ModelError: ``loo`` is of another fit; a position is impossible; or the model cannot be fitted without a row.

    Warns:
        FitWarning: the sampler had problems in some refits; or the estimate is unreliable for other rows.

    Example:
        >>> fit.reloo(fit.loo())
        >>> fit.reloo(rows=[0])
    """
    options = LooOptions(k_threshold=k_threshold, executor=executor)
    if loo is None:
        evidence = _approximated(fit, "", options)
    elif isinstance(loo, LooResult) and loo.evidence.fit.outcome is fit.outcome and loo.evidence.unit == "obs":
        evidence = loo.evidence
    else:
        raise ModelError(
            "`loo` is what fit.loo() returned, with the densities of rows, for the same fit, or None; got "
            f"{loo!r:.200}."
        )
    chosen = np.flatnonzero(evidence.found.pareto_k > k_threshold) if rows is None else _positions(fit, rows)
    evidence = _with_refits(evidence, chosen, executor)
    warn_about_k(evidence, "", options)
    return loo_result(evidence, True)


def _of_sample(fit: AbstractSampledFit, subsample: Any, approximation: Approximation, options: LooOptions) -> Any:
    if options.groups != "conditional" or options.moment_match or options.reloo:
        raise ModelError('`subsample` takes none of groups="integrate", moment_match=True and reloo=True.')
    _refuse_prior(fit, "")
    sample, found = loo_of_sample(fit, subsample, approximation, options.seed, relative_efficiency(fit))
    warn_about_k(Evidence(fit, found, fit.frame.labels()[sample.rows]), "", options)
    return sample


def left_out(fit: AbstractSampledFit, name: str = "", options: LooOptions = DEFAULT) -> Evidence:
    """Return what each observation contributes, and warn where the estimate is unreliable.

    Args:
        fit: the fit.
        name: how warnings and errors call the fit, where there are several.
        options: how rows are left out.
    """
    evidence = _approximated(fit, name, options)
    if options.moment_match:
        bad = np.flatnonzero(evidence.found.pareto_k > options.k_threshold)
        evidence = _with_matches(evidence, bad)
    if options.reloo:
        if evidence.unit != "obs":
            raise ModelError('reloo=True leaves out rows; `kfold(group=..., K=None, joint="group")` leaves out groups.')
        bad = np.flatnonzero(evidence.found.pareto_k > options.k_threshold)
        evidence = _with_refits(evidence, bad, options.executor)
    warn_about_k(evidence, name, options)
    return evidence


def _approximated(fit: AbstractSampledFit, name: str, options: LooOptions) -> Evidence:
    of = f" of `{name}`" if name else ""
    _refuse_prior(fit, of)
    evidence, infinite = _integrated(fit, options) if options.groups == "integrate" else _conditional(fit)
    if infinite:
        raise ModelError(
            f"The log-likelihood{of} of {infinite} observations is not finite at some draws, which loo() needs."
        )
    return evidence


def _refuse_prior(fit: AbstractSampledFit, of: str) -> None:
    if is_prior_only(fit):
        raise ModelError(
            f'The draws{of} come from the prior alone (sample_prior="only"): they have not seen the response, so that '
            'there is nothing to leave out. Fit the model without sample_prior="only".'
        )


def _conditional(fit: AbstractSampledFit) -> tuple[Evidence, int]:
    found, infinite = _by_parts(fit, log_lik_by_rows(fit, NUMBERS_AT_ONCE), fit.nobs)
    return Evidence(fit, found, fit.frame.labels()), infinite


def _integrated(fit: AbstractSampledFit, options: LooOptions) -> tuple[Evidence, int]:
    import pandas as pd

    integration = integration_of(fit, options.group)
    values = integrated(fit, integration, options.unit)
    if options.unit == "obs":
        found, infinite = _by_parts(fit, values, fit.nobs)
        return Evidence(fit, found, fit.frame.labels()), infinite
    levels = integration.occurring
    found, infinite = _by_parts(fit, values, len(levels))
    labels = pd.Index([integration.labels[level] for level in levels], dtype=object)
    return Evidence(fit, found, labels, integration.name), infinite


def _with_matches(evidence: Evidence, rows: np.ndarray) -> Evidence:
    """Return the evidence with densities of some rows by moment matching."""
    if not len(rows):
        return evidence
    moved = matched_rows(evidence.fit, rows, relative_efficiency(evidence.fit))
    elpd, k = evidence.found.elpd.copy(), evidence.found.pareto_k.copy()
    elpd[rows], k[rows] = moved.elpd, moved.pareto_k
    return replace(evidence, found=replace(evidence.found, elpd=elpd, pareto_k=k))


def _with_refits(evidence: Evidence, rows: np.ndarray, executor: Any) -> Evidence:
    """Return the evidence with exact densities of some rows."""
    if not len(rows):
        return evidence
    elpd, k = evidence.found.elpd.copy(), evidence.found.pareto_k.copy()
    elpd[rows], k[rows] = refitted(evidence.fit, rows, executor), 0.0
    return replace(evidence, found=replace(evidence.found, elpd=elpd, pareto_k=k))


def _positions(fit: AbstractSampledFit, rows: Any) -> np.ndarray:
    given = np.atleast_1d(np.asarray(rows))
    if given.ndim != 1 or given.dtype.kind not in "iu" or ((given < 0) | (given >= fit.nobs)).any():
        raise ModelError(f"`rows` holds positions of rows, whole numbers from 0 to {fit.nobs - 1}; got {rows!r:.200}.")
    return np.unique(given)


def _by_parts(
    fit: AbstractSampledFit, log_lik: Iterable[tuple[np.ndarray, np.ndarray]], count: int
) -> tuple[LeaveOneOut, int]:
    """Return the result, and the number of rows whose log-likelihood is not finite at some draws.

    Args:
        fit: the fit.
        log_lik: positions of rows and their log-likelihoods ``(draws, rows)``, some at a time.
        count: number of rows.
    """
    efficiency = relative_efficiency(fit)
    result = LeaveOneOut(*np.full((3, count), np.nan))
    finite = np.ones(count, dtype=bool)
    for part, values in log_lik:
        finite[part] = np.isfinite(values).all(axis=0)
        usable = part[finite[part]]
        kept = values if finite[part].all() else values[:, finite[part]]
        some = leave_one_out(np.ascontiguousarray(kept.T), efficiency)
        for field in fields(LeaveOneOut):
            getattr(result, field.name)[usable] = getattr(some, field.name)
    return result, int((~finite).sum())


def relative_efficiency(fit: AbstractSampledFit) -> float:
    """Return the mean effective sample size of the parameters without group effects over the number of draws."""
    single = elements(fit.draws_record.values, [v for v in fit.variables if not v.is_many]).values
    spread = single.reshape(-1, single.shape[2]).std(axis=0, ddof=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        sizes = (spread / convergence(single).mcse) ** 2
    usable = sizes[np.isfinite(sizes)]
    return float(usable.mean() / (single.shape[0] * single.shape[1])) if usable.size else 1.0
