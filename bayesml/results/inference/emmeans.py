"""Estimated marginal means, simple slopes, and comparisons among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np

from bayesml.errors import ModelError, did_you_mean
from bayesml.frame import Column
from bayesml.frame.types import frozen_array
from bayesml.links import Link
from bayesml.results.inference.adjust import Adjustment, adjusted_p, check_adjustment, critical_values
from bayesml.results.inference.contrast import estimable
from bayesml.results.inference.degrees_of_freedom import (
    Ddf,
    NormalTests,
    Tests,
    check_level,
    quantile,
    statistic_name,
    tests_of,
)
from bayesml.results.inference.grid import Grid, check_predictors, grid_of, is_categorical, reference_grid

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.point.fit_object import PointFit

__all__ = ["MarginalMeans", "emmeans", "slopes"]

Scale = Literal["link", "response"]
RATIOS = {"log": "ratio", "logit": "odds ratio"}
STEP = 1e-4


@final
@dataclass(frozen=True, repr=False)
class MarginalMeans:
    """Estimates on the linear predictor, one for each combination of some predictors; ``print`` shows the table.

    Attributes:
        keys: the predictors that tell the rows apart, with their values; those after ``by`` included.
        by: the predictors within whose values comparisons are made.
        L: ``(rows, coefs)`` weights of the estimated coefficients; NaN where a row cannot be estimated.
        offset: ``(rows,)`` what is added.
        tests: coefficients, their covariance matrix and degrees of freedom.
        name: heading of the estimates.
        link: the link where the response scale was asked for.
        level: coverage of the intervals.
    """

    keys: Mapping[str, tuple[Any, ...]]
    by: tuple[str, ...]
    L: np.ndarray
    offset: np.ndarray
    tests: Tests
    name: str
    link: Link | None
    level: float

    def __repr__(self) -> str:
        return self.to_pandas().to_string(index=False)

    def _repr_html_(self) -> str:
        return self.to_pandas().to_html(index=False)

    def to_pandas(self) -> pd.DataFrame:
        """Return the table: the predictors, the estimate, Std.Error, df where finite, lower, upper."""
        import pandas as pd

        estimate, error, df = _estimates(self.L, self.offset, self.tests)
        reach = quantile(0.5 + self.level / 2.0, df) * error
        columns: dict[str, Any] = {name: list(values) for name, values in self.keys.items()}
        lower, upper = estimate - reach, estimate + reach
        if self.link is not None:
            error = error * np.abs(self.link.inverse_derivative(estimate))
            ends = self.link.inverse(lower), self.link.inverse(upper)
            estimate, lower, upper = self.link.inverse(estimate), np.minimum(*ends), np.maximum(*ends)
        columns |= {self.name: estimate, "Std.Error": error}
        columns |= {} if isinstance(self.tests, NormalTests) else {"df": df}
        return pd.DataFrame(columns | {"lower": lower, "upper": upper})

    def contrasts(
        self,
        method: str | Mapping[str, Sequence[float]] = "pairwise",
        adjust: Adjustment | None = None,
        reference: int = 0,
    ) -> pd.DataFrame:
        """Compare the estimates with each other, within each value of ``by``.

        Args:
            method: ``"pairwise"`` all differences; ``"revpairwise"`` the other way round; ``"trt.vs.ctrl"`` each minus
                the reference; ``"eff"`` each minus the mean of all; ``"consec"`` each minus the one before;
                ``"poly"`` linear, quadratic, ... trend of equally spaced levels; or weights by name.
            adjust: ``"none"``, ``"tukey"`` (pairwise only), ``"holm"``, ``"bonferroni"``, ``"sidak"`` or ``"fdr"``.
                None is Tukey's for pairwise comparisons of three or more, Holm's for ``"trt.vs.ctrl"``, else none.
            reference: row of the reference in ``"trt.vs.ctrl"``, counting from 0.

        Returns:
            One row for each comparison: contrast, the values of ``by``, estimate, Std.Error, df, t value (or z value),
            p, lower, upper; p and intervals are adjusted within each value of ``by``. On the response scale of a log or
            logit link the estimates are ratios or odds ratios; tests are always made on the link scale.

        Raises:
            ModelError: method or adjustment is unknown, or there are fewer than two estimates to compare.
        """
        import pandas as pd

        chosen = _default_adjustment(method) if adjust is None else adjust
        check_adjustment(chosen)
        if chosen == "tukey" and method not in ("pairwise", "revpairwise"):
            raise ModelError('Tukey\'s adjustment is for pairwise comparisons; use adjust="holm".')
        tables = [self._family(rows, method, chosen, reference) for rows in self._families()]
        table = pd.concat(tables, ignore_index=True)
        table.attrs["adjust"] = chosen
        return table

    def _families(self) -> list[np.ndarray]:
        """Rows of each combination of the values of ``by``."""
        own = list(zip(*(self.keys[name] for name in self.by), strict=True)) if self.by else [()] * len(self.L)
        return [np.array([i for i, o in enumerate(own) if o == key]) for key in dict.fromkeys(own)]

    def _labels(self, rows: np.ndarray) -> list[str]:
        names = [n for n in self.keys if n not in self.by]
        return [" ".join(_text(self.keys[n][i]) for n in names) for i in rows]

    def _family(self, rows: np.ndarray, method: Any, adjust: Adjustment, reference: int) -> pd.DataFrame:
        import pandas as pd

        weights = _weights(self._labels(rows), method, reference)
        W = np.array(list(weights.values()))
        L = np.array([_combine(w, self.L[rows]) for w in W])
        estimate, error, df = _estimates(L, W @ self.offset[rows], self.tests)
        with np.errstate(invalid="ignore", divide="ignore"):
            statistic = estimate / error
        p = adjusted_p(statistic, df, adjust, len(rows))
        reach = critical_values(df, self.level, adjust, len(rows)) * error
        columns: dict[str, Any] = {"contrast": list(weights)}
        columns |= {name: [self.keys[name][rows[0]]] * len(W) for name in self.by}
        columns |= _scaled(self.link, estimate, error, reach, df, isinstance(self.tests, NormalTests))
        table = pd.DataFrame(columns | {statistic_name(self.tests): statistic, "p": p})
        last = ["lower", "upper"]
        return table[[c for c in table.columns if c not in last] + last]


def _scaled(
    link: Link | None, estimate: np.ndarray, error: np.ndarray, reach: np.ndarray, df: np.ndarray, normal: bool
) -> dict[str, np.ndarray]:
    """Columns of a comparison, as ratios where the response scale has them."""
    ratio = RATIOS.get(link.name) if link is not None else None
    df_column = {} if normal else {"df": df}
    if ratio is None:
        ends = {"lower": estimate - reach, "upper": estimate + reach}
        return {"estimate": estimate, "Std.Error": error, **df_column, **ends}
    value = np.exp(estimate)
    ends = {"lower": np.exp(estimate - reach), "upper": np.exp(estimate + reach)}
    return {ratio: value, "Std.Error": value * error, **df_column, **ends}


def _combine(weights: np.ndarray, L: np.ndarray) -> np.ndarray:
    """Rows that cannot be estimated count where they have weight only."""
    used = weights != 0
    return weights[used] @ L[used]


def _estimates(L: np.ndarray, offset: np.ndarray, tests: Tests) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return estimates, standard errors and degrees of freedom; NaN where a row cannot be estimated."""
    known = np.isfinite(L).all(axis=1)
    estimate, error, df = (np.full(len(L), np.nan) for _ in range(3))
    estimate[known] = L[known] @ tests.beta + offset[known]
    error[known] = np.sqrt(np.einsum("rp,pq,rq->r", L[known], tests.vcov, L[known]))
    moving = known & np.any(L != 0, axis=1)
    if moving.any():
        df[moving] = tests.df(L[moving])
    return estimate, error, df


def _default_adjustment(method: object) -> Adjustment:
    if method in ("pairwise", "revpairwise"):
        return "tukey"
    return "holm" if method == "trt.vs.ctrl" else "none"


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _weights(labels: list[str], method: Any, reference: int) -> dict[str, np.ndarray]:
    """Return the weights of each comparison over the estimates."""
    count = len(labels)
    if isinstance(method, Mapping):
        return {str(name): _own_weights(name, w, count) for name, w in method.items()}
    if count < 2:
        raise ModelError("There is one estimate only, so that there is nothing to compare.")
    unit = np.eye(count)
    match method:
        case "pairwise":
            return {f"{labels[i]} - {labels[j]}": unit[i] - unit[j] for i, j in combinations(range(count), 2)}
        case "revpairwise":
            return {f"{labels[j]} - {labels[i]}": unit[j] - unit[i] for j in range(count) for i in range(j)}
        case "trt.vs.ctrl":
            if not isinstance(reference, int) or not -count <= reference < count:
                raise ModelError(f"`reference` is a row from 0 to {count - 1}; got {reference!r}.")
            base = reference % count
            return {f"{labels[i]} - {labels[base]}": unit[i] - unit[base] for i in range(count) if i != base}
        case "eff":
            return {f"{labels[i]} effect": unit[i] - 1.0 / count for i in range(count)}
        case "consec":
            return {f"{labels[i]} - {labels[i - 1]}": unit[i] - unit[i - 1] for i in range(1, count)}
        case "poly":
            return _trends(count)
    known = ("pairwise", "revpairwise", "trt.vs.ctrl", "eff", "consec", "poly")
    listed = ", ".join(f'"{k}"' for k in known)
    hint = did_you_mean(str(method), known)
    raise ModelError(f"`method` is one of {listed}, or weights by name; got {method!r}{hint}.")


def _own_weights(name: str, weights: Sequence[float], count: int) -> np.ndarray:
    w = np.asarray(weights, dtype=float)
    if w.shape != (count,) or not np.isfinite(w).all() or not w.any():
        raise ModelError(f"The comparison {name!r} needs {count} weights, not all zero; got {list(np.ravel(w))}.")
    return w


def _trends(count: int) -> dict[str, np.ndarray]:
    """Orthogonal polynomials of equally spaced levels, orthonormal."""
    scores = np.arange(count) - (count - 1) / 2.0
    Q, R = np.linalg.qr(np.vander(scores, min(count, 6), increasing=True))
    Q = Q * np.sign(np.diagonal(R))
    names = ("linear", "quadratic", "cubic", "quartic", "degree 5")
    return {names[k - 1]: Q[:, k] for k in range(1, Q.shape[1])}


def emmeans(
    fit: PointFit,
    specs: str | Sequence[str],
    by: str | Sequence[str] | None = None,
    at: Mapping[str, Any] | None = None,
    type: Scale = "link",
    ddf: Ddf = "default",
    level: float = 0.95,
) -> MarginalMeans:
    """Estimate marginal means: the linear predictor averaged with equal weights over the levels of all other factors.

    Numbers are held at their means, group effects at zero (Searle, Speed and Milliken 1980; Lenth's emmeans).

    Args:
        fit: the fit.
        specs: the predictors whose combinations are the rows.
        by: more of them, within whose values ``contrasts()`` compares.
        at: values for some predictors, ``{"x": [0, 1]}``, instead of all levels or the mean.
        type: ``"link"``, or ``"response"`` for the inverse link of the estimates and of the ends of their intervals.
        ddf: ``"satterthwaite"`` (the default of linear mixed models), ``"kenward-roger"``, or None for normal
            intervals.
        level: coverage of the intervals.

    Raises:
        ModelError: a name is not a population-level predictor, or a value does not exist.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("cbpp")
        >>> fit = bayesml.fit("incidence | trials(size) ~ period + (1 | herd)", data, "binomial", method="laplace")
        >>> means = fit.emmeans("period", type="response")
        >>> print(means)
        >>> means.contrasts("pairwise")
    """
    targets, within = _names(specs), _names(by)
    _check_targets(fit, targets, within)
    grid = reference_grid(fit, at)
    return _averaged(fit, grid, grid.X, grid.offset, targets, within, ("emmean", type, ddf, level))


def slopes(
    fit: PointFit,
    variable: str,
    by: str | Sequence[str] | None = None,
    at: Mapping[str, Any] | None = None,
    ddf: Ddf = "default",
    level: float = 0.95,
) -> MarginalMeans:
    """Estimate simple slopes: the derivative of the linear predictor in a number, for each value of other predictors.

    Averaged with equal weights over the levels of all other factors; other numbers are held at their means.

    Args:
        fit: the fit.
        variable: the number.
        by: the predictors whose combinations are the rows; a number stands at its mean and one standard deviation to
            either side, unless ``at`` says otherwise.
        at: values for some predictors.
        ddf: as in ``emmeans``.
        level: coverage of the intervals.

    Raises:
        ModelError: a name is not a population-level predictor, or ``variable`` is not a number.

    Example:
        >>> fit = bayesml.fit("post_qol ~ months * reason + base_qol + (months | clinic)", data, method="reml")
        >>> fit.slopes("months", by="reason")
    """
    targets = _names(by)
    check_predictors(fit, [variable], "variable")
    check_predictors(fit, targets, "by")
    if is_categorical(fit, variable):
        raise ModelError(f"`{variable}` is categorical and has no slope; use emmeans() and its contrasts.")
    free = [n for n in targets if not is_categorical(fit, n) and n not in (at or {}) and n != variable]
    grid = reference_grid(fit, at, free)
    step = STEP * max(float(np.ptp(fit.frame.columns[variable].values)), np.finfo(float).tiny)
    up, down = (_shifted(fit, grid, variable, sign * step) for sign in (1.0, -1.0))
    X, offset = (up.X - down.X) / (2.0 * step), (up.offset - down.offset) / (2.0 * step)
    X[np.abs(X) < 1e-9 * np.abs(X).max(initial=0.0)] = 0.0
    return _averaged(fit, grid, X, offset, targets, (), (f"{variable}.trend", "link", ddf, level))


def _shifted(fit: PointFit, grid: Grid, variable: str, step: float) -> Grid:
    column = grid.frame.column(variable)
    moved: Column = replace(column, values=frozen_array(column.values + step))
    return grid_of(fit, grid.frame.replace_columns([moved]), {})


def _names(given: str | Sequence[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(dict.fromkeys(given))


def _check_targets(fit: PointFit, targets: tuple[str, ...], within: tuple[str, ...]) -> None:
    check_predictors(fit, targets, "specs")
    check_predictors(fit, within, "by")
    if both := set(targets) & set(within):
        raise ModelError(f"`{both.pop()}` stands in `specs` and in `by`; keep it in one of them.")


def _averaged(
    fit: PointFit,
    grid: Grid,
    X: np.ndarray,
    offset: np.ndarray,
    targets: tuple[str, ...],
    within: tuple[str, ...],
    options: tuple[str, Scale, Ddf, float],
) -> MarginalMeans:
    """Average the rows of the grid that share the values of the chosen predictors."""
    name, scale, ddf, level = options
    if scale not in ("link", "response"):
        raise ModelError(f'`type` is "link" or "response"; got {scale!r}.')
    chosen = (*targets, *within)
    rows = list(zip(*(grid.values[n] for n in chosen), strict=True)) if chosen else [()] * len(X)
    ordered = _sorted(list(dict.fromkeys(rows)), grid, chosen, within)
    members = [np.array([i for i, r in enumerate(rows) if r == key]) for key in ordered]
    L = np.array([X[m].mean(axis=0) for m in members])
    kept = np.where(estimable(fit, L)[:, None], L[:, fit.estimate.kept], np.nan)
    keys = {n: tuple(grid.values[n][m[0]] for m in members) for n in chosen}
    shift = np.array([offset[m].mean() for m in members])
    link = fit.family.link("mu") if scale == "response" else None
    shown = "response" if link is not None else name
    return MarginalMeans(keys, within, kept, shift, tests_of(fit, ddf), shown, link, check_level(level))


def _sorted(
    rows: list[tuple[Any, ...]], grid: Grid, chosen: tuple[str, ...], within: tuple[str, ...]
) -> list[tuple[Any, ...]]:
    """Order rows by the values of ``by``, then with the first predictor changing fastest."""
    places = [{v: i for i, v in enumerate(dict.fromkeys(grid.values[n]))} for n in chosen]
    targets = len(chosen) - len(within)

    def place(row: tuple[Any, ...]) -> list[int]:
        own = [p[v] for p, v in zip(places, row, strict=True)]
        return [*own[targets:], *reversed(own[:targets])]

    return sorted(rows, key=place)
