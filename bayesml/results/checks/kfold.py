"""K-fold cross-validation: the model is fitted without each fold in turn, and gives the density of that fold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.checks.elpd import KFold, log_mean_exp
from bayesml.results.checks.folds import FoldKind, fold_of_rows, group_of_rows
from bayesml.results.checks.log_lik import log_lik_by_rows
from bayesml.results.checks.refits import check_rows, mapper, warn_about_refits
from bayesml.results.fits.refitting import LeftOut, density_of_left_out
from bayesml.results.predict.new_levels import NewLevels, check_policy
from bayesml.results.record.select import is_prior_only

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["kfold"]

Joint = Literal["obs", "fold", "group"]
NUMBERS_AT_ONCE = 4_000_000


def kfold(
    fit: AbstractSampledFit, K: int | None = 10, folds: FoldKind | Sequence[int] | None = None, *,
    group: str | Sequence[Any] | None = None, joint: bool | Joint = False, new_levels: NewLevels = "uncertainty",
    executor: Any = None, seed: int = 1,
) -> KFold:  # fmt: skip
    """Estimate the expected log predictive density by K-fold cross-validation.

    The rows are divided into K folds. For each the model is fitted to the other rows, with the settings of the fit, and
    ``elpd_kfold = sum_i log mean_s p(y_i | draw s of the refit without the fold of i)``. Priors are those of the fit,
    as in brms, and a refit compiles again only where fewer or more rows remain than before. Of several responses, and
    where a level of a grouping factor has no row any more (but with ``new_levels="gaussian"``), default priors are
    scaled by the rows that remain, and the refits compile.

    Args:
        fit: the fit.
        K: number of folds; None with ``group`` leaves out one group after the other.
        folds: how rows are divided: ``"random"``; ``"stratified"``, so that each fold has its share of every level of
            ``group``; ``"grouped"``, so that a level of ``group`` is in one fold as a whole; ``"loo"``, each row on its
            own; or a whole number for each row, its fold. None is ``"grouped"`` where ``group`` is given, else
            ``"random"``.
        group: the name of a column of the fit, or a value for each of its rows.
        joint: ``"fold"`` (or True) takes the joint density of all rows of a fold, ``"group"`` that of the rows of a
            group within a fold; ``"obs"`` (or False) that of each row, as ``loo()`` does.
        new_levels: what group-level effects get whose levels are all in the fold, see ``linpred``.
        executor: anything with a method ``map`` as ``concurrent.futures`` has; it is handed the refits. None does them
            one after the other.
        seed: seed of the random division. It does not depend on the fit, so that models of the same rows are compared
            on the same folds.

    Returns:
        A value with ``elpd_kfold``, ``se``, ``p_kfold``, ``estimates`` (a table of all with their standard errors),
        ``pointwise`` (a row for each density), ``K`` and ``folds``, the fold of each row.

    Raises:
        ModelError: an argument is impossible; the draws come from the prior alone; rows depend on rows of other folds;
            a fold has all rows of a level of a predictor; or the model cannot be fitted without a fold.

    Warns:
        FitWarning: the sampler had problems in some refits.

    Example:
        >>> fit.kfold(K=5)
        >>> fit.kfold(group="Subject", K=None)
    """
    if is_prior_only(fit):
        raise ModelError(
            'The draws come from the prior alone (sample_prior="only"). Fit the model without sample_prior="only".'
        )
    levels = None if group is None else group_of_rows(fit, group)
    of_rows = fold_of_rows(fit.nobs, K, folds, levels, seed)
    unit = _unit(joint, levels)
    parts = [np.flatnonzero(of_rows == k) for k in range(of_rows.max() + 1)]
    called = [f"Fold {k}" for k in range(len(parts))]
    check_rows(fit, parts, called, 'Write folds="stratified", group="{name}", or fewer folds.')
    one = partial(density_of_left_out, fit, check_policy(new_levels))
    found = list(mapper(executor)(one, parts))
    warn_about_refits(found, [f"fold {k}" for k in range(len(parts))])
    return KFold(fit, _pointwise(fit, found, parts, unit, levels), of_rows, unit)


def _unit(joint: bool | str, levels: np.ndarray | None) -> Joint:
    units: dict[Any, Joint] = {False: "obs", True: "fold", "obs": "obs", "fold": "fold", "group": "group"}
    if not isinstance(joint, (bool, str)) or joint not in units:
        raise ModelError(f'`joint` is "obs" (or False), "fold" (or True) or "group"; got {joint!r}.')
    if units[joint] == "group" and levels is None:
        raise ModelError('joint="group" needs `group=`, the name of a column or a value for each row.')
    return units[joint]


def _pointwise(
    fit: AbstractSampledFit, found: Sequence[LeftOut], parts: Sequence[np.ndarray], unit: Joint,
    levels: np.ndarray | None,
) -> pd.DataFrame:  # fmt: skip
    import pandas as pd

    if unit == "obs":
        elpd = np.empty(fit.nobs)
        for rows, left_out in zip(parts, found, strict=True):
            elpd[rows] = log_mean_exp(left_out.log_density)
        frame = {"elpd_kfold": elpd, "p_kfold": _lppd(fit) - elpd, "kfoldic": -2.0 * elpd}
        return pd.DataFrame(frame, index=fit.frame.labels())
    sums: Iterable[tuple[Any, np.ndarray]]
    if unit == "fold" or levels is None:
        sums = [(k, each.log_density.sum(axis=1)) for k, each in enumerate(found)]
    else:
        sums = [
            ((k, level), each.log_density[:, levels[rows] == level].sum(axis=1))
            for k, (rows, each) in enumerate(zip(parts, found, strict=True))
            for level in np.unique(levels[rows])
        ]
    labels = [label for label, _ in sums]
    elpd = np.array([log_mean_exp(values) for _, values in sums])
    index = (
        pd.Index(labels, name="fold") if unit == "fold" else pd.MultiIndex.from_tuples(labels, names=["fold", "group"])
    )
    return pd.DataFrame({"elpd_kfold": elpd, "p_kfold": np.nan, "kfoldic": -2.0 * elpd}, index=index)


def _lppd(fit: AbstractSampledFit) -> np.ndarray:
    result = np.empty(fit.nobs)
    for rows, values in log_lik_by_rows(fit, NUMBERS_AT_ONCE):
        result[rows] = log_mean_exp(values)
    return result
