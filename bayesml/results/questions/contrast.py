"""Linear combinations of the population-level coefficients, and tests of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.engines.point.estimability import estimable
from bayesml.errors import ModelError
from bayesml.results.frequentist.degrees_of_freedom import (
    Ddf,
    NormalTests,
    check_level,
    check_no_ddf,
    quantile,
    statistic_name,
    tests_of,
    two_sided,
    wald_statistic,
)
from bayesml.results.questions.linear_text import coefficient_index, read_combination
from bayesml.results.questions.means import drawn_columns, probability_above
from bayesml.results.record.fit import AbstractFit, AbstractPointFit, AbstractSampledFit
from bayesml.results.tables.tables import fixef

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["contrast"]


def contrast(
    fit: AbstractFit,
    L: Any,
    rhs: float | Sequence[float] = 0.0,
    ddf: Ddf = "default",
    joint: bool = False,
    level: float = 0.95,
) -> pd.DataFrame:
    """Estimate and test linear combinations ``L b`` of the population-level coefficients.

    Args:
        fit: the fit.
        L: a text ``"b_x - b_z"`` (or ``"b_x = 2 * b_z"``), a dict ``{"x": 1, "z": -1}`` of weights, a vector of one
            weight for each coefficient, or a list of any of these; a matrix has one combination in each row. Of a fit
            with draws the coefficients are all those of ``fixef()``, those of other parameters too: ``b_sigma_x``.
        rhs: what each combination is under the hypothesis.
        ddf: ``"satterthwaite"`` (the default of linear mixed models), ``"kenward-roger"``, or None for normal tests; of
            estimates only.
        joint: test all combinations at once instead of each by itself; of estimates only.
        level: coverage of the intervals.

    Returns:
        One row for each combination: Estimate, Std.Error, df, t value (or z value), p, lower, upper. The estimate is
        that of the combination, of a text with ``=`` its left side minus its right one; the test is that it equals
        ``rhs``. With ``joint`` one row: NumDF, DenDF, F value, Pr(>F), or Chisq, Df, Pr(>Chisq). Of a fit with draws
        Estimate, Std.Error, Post.Prob, lower, upper: mean and standard deviation of the draws, the posterior
        probability that the combination is larger than ``rhs``, and the central interval.

    Raises:
        ModelError: a combination cannot be read or cannot be estimated, or names what is no coefficient.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method="reml")
        >>> fit.contrast("b_Intercept + 9 * b_Days")
    """
    if isinstance(fit, AbstractSampledFit):
        return _of_draws(fit, L, rhs, ddf, joint, check_level(level))
    assert isinstance(fit, AbstractPointFit)
    labels, weights, constants = _rows(fit.estimate.labels, L, fit.estimate.kept)
    value = _values(rhs, len(weights)) - constants
    kept = _estimable(fit, weights, labels)
    tests = tests_of(fit, ddf)
    if joint:
        return _joint(kept, value, tests)
    return _single(labels, kept, value, constants, tests, check_level(level))


def _of_draws(fit: AbstractSampledFit, L: Any, rhs: Any, ddf: Ddf, joint: bool, level: float) -> pd.DataFrame:
    import pandas as pd

    check_no_ddf(ddf)
    if joint:
        raise ModelError("`joint=True` is a test of estimates; draws answer by the probability of each combination.")
    drawn = fixef(fit, summary=False)
    if drawn.empty:
        raise ModelError("The model has no population-level coefficients, so that there is nothing to combine.")
    coefs = tuple(drawn.columns)
    labels, weights, constants = _rows(coefs, L, np.arange(len(coefs)))
    _refuse_zeros(weights, labels)
    values = drawn.to_numpy() @ weights.T + constants
    probability = {"Post.Prob": probability_above(values, _values(rhs, len(weights)))}
    return pd.DataFrame(drawn_columns("Estimate", values, level, probability), index=pd.Index(labels, dtype=object))


def _values(rhs: Any, count: int) -> np.ndarray:
    try:
        found = np.broadcast_to(np.asarray(rhs, dtype=float), (count,))
    except (TypeError, ValueError):
        found = np.full(1, np.nan)
    if not np.isfinite(found).all():
        raise ModelError(f"`rhs` is a number, or one for each of the {count} combinations; got {rhs!r}.")
    return found


def _single(
    labels: list[str], L: np.ndarray, value: np.ndarray, constants: np.ndarray, tests: Any, level: float
) -> pd.DataFrame:
    import pandas as pd

    estimate, error = L @ tests.beta, tests.standard_errors(L)
    df = tests.df(L)
    statistic = wald_statistic(estimate - value, error)
    reach = quantile(0.5 + level / 2.0, df) * error
    shown = estimate + constants
    columns = {"Estimate": shown, "Std.Error": error}
    columns |= {} if isinstance(tests, NormalTests) else {"df": df}
    columns |= {statistic_name(tests): statistic, "p": two_sided(statistic, df)}
    columns |= {"lower": shown - reach, "upper": shown + reach}
    return pd.DataFrame(columns, index=pd.Index(labels, dtype=object))


def _joint(L: np.ndarray, value: np.ndarray, tests: Any) -> pd.DataFrame:
    import pandas as pd

    if np.any(value):
        shift, *_ = np.linalg.lstsq(L, value, rcond=None)
        if not np.allclose(L @ shift, value, rtol=1e-8, atol=1e-10 * np.abs(value).max()):
            raise ModelError("The combinations contradict each other: no coefficients meet all of them at once.")
        tests = replace(tests, beta=tests.beta - shift)
    found = tests.f_test(L)
    if isinstance(tests, NormalTests):
        row = {"Chisq": found.F * found.numerator_df, "Df": found.numerator_df, "Pr(>Chisq)": found.p_value}
    else:
        row = {"NumDF": found.numerator_df, "DenDF": found.denominator_df, "F value": found.F, "Pr(>F)": found.p_value}
    return pd.DataFrame([row], index=["joint"])


def _rows(coefs: Sequence[str], L: Any, kept: np.ndarray) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return labels, weights of all coefficients, and constants.

    Args:
        coefs: the coefficients.
        L: as in ``contrast``.
        kept: places of those that have an estimate; a vector may have a weight for each of these alone.
    """
    rows = L if isinstance(L, (list, tuple)) and not _is_vector(L) else _as_list(L)
    read = [_row(coefs, row, kept) for row in rows]
    if not read:
        raise ModelError("`L` holds no combination.")
    return [r[0] for r in read], np.array([r[1] for r in read]), np.array([r[2] for r in read])


def _is_vector(L: Sequence[Any]) -> bool:
    return bool(L) and all(isinstance(v, (int, float, np.number)) for v in L)


def _as_list(L: Any) -> list[Any]:
    if isinstance(L, (str, Mapping)):
        return [L]
    try:
        return list(np.atleast_2d(np.asarray(L, dtype=float)))
    except (TypeError, ValueError):
        raise ModelError(f"`L` is a text, a dict of weights, a vector or a matrix; got {type(L).__name__}.") from None


def _row(coefs: Sequence[str], row: Any, kept: np.ndarray) -> tuple[str, np.ndarray, float]:
    if isinstance(row, str):
        combination = read_combination(row, coefs)
        return row, combination.weights, combination.constant
    if isinstance(row, Mapping):
        weights = np.zeros(len(coefs))
        for name, weight in row.items():
            weights[coefficient_index(name, coefs)] += _number(weight)
        return _label(coefs, weights), weights, 0.0
    values = np.asarray([_number(v) for v in np.ravel(row)])
    if len(values) == len(kept) != len(coefs):
        full = np.zeros(len(coefs))
        full[kept] = values
        values = full
    if len(values) != len(coefs):
        listed = ", ".join(f"`{c}`" for c in coefs)
        raise ModelError(f"A combination of {len(values)} weights does not fit the {len(coefs)} coefficients {listed}.")
    return _label(coefs, values), values, 0.0


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
        raise ModelError(f"A weight of a combination is a number; got {value!r}.")
    return float(value)


def _label(coefs: Sequence[str], weights: np.ndarray) -> str:
    parts = []
    for c, w in zip(coefs, weights, strict=True):
        if w:
            size = "" if abs(w) == 1 else f"{abs(w):.4g} * "
            parts.append(("-" if w < 0 else "+", f"{size}b_{c}"))
    text = " ".join(f"{sign} {part}" for sign, part in parts)
    return text.removeprefix("+ ").replace("- ", "-", 1) if text.startswith("- ") else text.removeprefix("+ ")


def _estimable(fit: AbstractPointFit, weights: np.ndarray, labels: list[str]) -> np.ndarray:
    """Return the weights of the kept columns.

    Raises:
        ModelError: a combination needs a column that was left out of the model.
    """
    lost = ~estimable(fit.estimate, weights)
    if lost.any():
        dropped = ", ".join(f"`{d}`" for d in fit.estimate.dropped)
        raise ModelError(f"`{labels[int(np.argmax(lost))]}` cannot be estimated: {dropped} was left out of the model.")
    kept = weights[:, fit.estimate.kept]
    _refuse_zeros(kept, labels)
    return kept


def _refuse_zeros(weights: np.ndarray, labels: list[str]) -> None:
    zero = ~weights.any(axis=1)
    if zero.any():
        raise ModelError(f"`{labels[int(np.argmax(zero))]}` has no coefficient with a weight other than zero.")
