"""What refits without some rows have in common: who does them, which rows they may lack, what they warn about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.errors import ModelError, warn_user
from bayesml.formula import grouping_variables
from bayesml.results.checks.elpd import log_mean_exp
from bayesml.results.fits.refitting import LeftOut, density_of_left_out

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["check_rows", "mapper", "refitted", "warn_about_refits"]


def mapper(executor: Any) -> Callable[..., Iterable[Any]]:
    """Return what maps a function over refits: the method ``map`` of an executor, or Python's own.

    Raises:
        ModelError: there is no such method.
    """
    if executor is None:
        return map
    if not callable(getattr(executor, "map", None)):
        raise ModelError(
            "`executor` has a method `map`, as concurrent.futures.ProcessPoolExecutor() has, or is None; got "
            f"{executor!r:.100}."
        )
    found: Callable[..., Iterable[Any]] = executor.map
    return found


def check_rows(fit: AbstractSampledFit, parts: Sequence[np.ndarray], called: Sequence[str], advice: str) -> None:
    """Refuse parts of the rows without which the model is another one.

    Args:
        fit: the fit.
        parts: positions of the rows that are left out at a time.
        called: what each part is called.
        advice: what to write instead, where a level of a predictor is lost; ``{name}`` stands for its column.

    Raises:
        ModelError: rows depend on each other, or a part has all rows of a level of a predictor.
    """
    if fit.likelihood.traits.rows_depend:
        raise ModelError(
            "Rows of this model depend on each other (ar(), cosy() and their relatives), so that leaving some out "
            "changes the distribution of the others. loo() takes each row given the others."
        )
    grouping = grouping_variables(fit.parsed)
    for name, column in fit.frame.columns.items():
        if not column.is_factor or name in grouping:
            continue
        for k, rows in enumerate(parts):
            lost = np.setdiff1d(column.values[rows], np.delete(column.values, rows))
            if len(lost) and column.levels is not None:
                raise ModelError(
                    f"{called[k]} has all rows of the level {column.levels[lost[0]]!r} of `{name}`, without which the "
                    f"model says nothing of it. {advice.format(name=name)}"
                )


def warn_about_refits(found: Sequence[LeftOut], without: Sequence[object]) -> None:
    """Warn where the sampler had problems.

    Args:
        found: the refits.
        without: what each of them lacks, for the warning.
    """
    troubled = [(which, each.problems) for which, each in zip(without, found, strict=True) if each.problems]
    if troubled:
        which, problems = troubled[0]
        warn_user(f"{len(troubled)} of {len(found)} refits had problems. Without {which}: {problems[0]}")


def refitted(fit: AbstractSampledFit, rows: np.ndarray, executor: Any) -> np.ndarray:
    """Return log p(y_i | y without y_i) of some rows, from a refit without each of them.

    A group-level effect whose only row is left out is drawn from its distribution.

    Args:
        fit: the fit.
        rows: positions of the rows.
        executor: see ``mapper``.
    """
    parts = [np.array([row]) for row in rows]
    called = [f"row {label}" for label in fit.frame.labels()[rows]]
    advice = "Merge it with another level of the column; loo() without `reloo` takes it as it is."
    check_rows(fit, parts, [f"The {each}" for each in called], advice)
    found = list(mapper(executor)(partial(density_of_left_out, fit, "gaussian"), parts))
    warn_about_refits(found, [f"the {each}" for each in called])
    return np.array([log_mean_exp(each.log_density)[0] for each in found])
