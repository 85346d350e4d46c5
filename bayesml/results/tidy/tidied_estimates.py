"""``tidy()``, ``glance()`` and ``augment()`` of a point estimate, in the columns of broom and broom.mixed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from bayesml.errors import ModelError
from bayesml.names import prefixed
from bayesml.results.frequentist import point_tables, residuals
from bayesml.results.frequentist.confint import confint
from bayesml.results.marginal.datagrid import given_rows
from bayesml.results.predict import point_predict
from bayesml.results.record.one_response import each_response, has_several
from bayesml.results.tidy.terms import Term, checked_effects, checked_level, key_columns, terms_of

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["augment", "glance", "tidy"]

NUMBERS = ("estimate", "std.error", "statistic", "df", "p.value", "conf.low", "conf.high")
Numbers = dict[str, float]


def tidy(
    fit: AbstractPointFit, effects: str | Sequence[str] = ("fixed", "ran_pars"), *, conf_level: float = 0.95
) -> pd.DataFrame:
    """Return the parameters as a data frame in the columns of R's broom.mixed.

    Args:
        fit: the fit.
        effects: ``"fixed"`` the population-level coefficients; ``"ran_pars"`` standard deviations and correlations of
            group-level effects, and the residual one; ``"ran_vals"`` the conditional modes of group-level effects;
            ``"other"`` every further parameter.
        conf_level: coverage of the intervals, which are those of ``confint()``.

    Returns:
        One row for each parameter: ``effect``, ``response`` where there are several, ``component``, ``group``,
        ``level`` of a group-level effect, and ``term`` as of a fit with draws; ``estimate``, ``std.error``,
        ``statistic``, ``df`` of a t statistic, ``p.value``, ``conf.low`` and ``conf.high``. What does not exist is
        missing: a standard deviation has no test, and an interval only where the fit has its curvature.

    Raises:
        ModelError: an option is impossible.

    Example:
        >>> import bayesml
        >>> fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", bayesml.load_dataset("sleepstudy"), method="reml")
        >>> fit.tidy(effects="fixed")
    """
    import pandas as pd

    asked, level = checked_effects(effects), checked_level(conf_level)
    known: dict[str, Numbers] = {}
    if "fixed" in asked:
        known |= _coefficients(fit)
    if set(asked) & {"ran_pars", "other"}:
        known |= _values(fit)
    for text, ends in _intervals(fit, level).items():
        if text in known:
            known[text] |= ends
    modes = _modes(fit, level) if "ran_vals" in asked else {}
    rows = [(term, _numbers(term, known, modes)) for term in terms_of(fit.variables, asked)]
    found = [(term, numbers) for term, numbers in rows if numbers is not None]
    columns: dict[str, Any] = dict(key_columns([term for term, _ in found]))
    for name in NUMBERS:
        columns[name] = np.array([numbers.get(name, np.nan) for _, numbers in found], dtype=float)
    if np.isnan(columns["df"]).all():
        del columns["df"]
    return pd.DataFrame(columns)


def _numbers(term: Term, known: dict[str, Numbers], modes: dict[str, Numbers]) -> Numbers | None:
    return modes.get(term.text) if term.effect == "ran_vals" else known.get(term.text)


def _coefficients(fit: AbstractPointFit) -> dict[str, Numbers]:
    table = point_tables.coefficient_table(fit)
    df = np.full(len(table.labels), np.nan) if table.df is None else table.df
    rows = zip(table.estimate, table.error, table.statistic, df, table.p, strict=True)
    return {
        text: dict(zip(NUMBERS, map(float, row), strict=False))
        for text, row in zip(fit.estimate.texts, rows, strict=True)
    }


def _values(fit: AbstractPointFit) -> dict[str, Numbers]:
    """Return the estimates of everything that is neither a coefficient nor a group-level effect."""
    values, coefficients = fit.estimate.values, set(fit.estimate.texts)
    return {
        text: {"estimate": float(values[variable.name][index])}
        for variable in fit.variables
        if not variable.is_many and values.get(variable.name) is not None
        for index, text in variable.texts
        if text not in coefficients
    }


def _intervals(fit: AbstractPointFit, level: float) -> dict[str, Numbers]:
    try:
        table = confint(fit, level=level)
    except ModelError:
        table = confint(fit, level=level, parameters="b")
    return {str(text): {"conf.low": row["lower"], "conf.high": row["upper"]} for text, row in table.iterrows()}


def _modes(fit: AbstractPointFit, level: float) -> dict[str, Numbers]:
    """Return the conditional modes with the interval mode +- z sd given the estimated variances."""
    reach = float(ndtri(0.5 + level / 2.0))
    found: dict[str, Numbers] = {}
    tables = {
        group: table.set_index(["level", "coef"])[["Estimate", "Std.Error"]].T.to_dict("list")
        for group, table in point_tables.ranef(fit).items()
    }
    for variable in fit.variables:
        if variable.kind != "r" or variable.group not in tables:
            continue
        for index, text in variable.texts:
            label = variable.coords[0][index[0]], prefixed(variable.coords[-1][index[-1]], variable.predictor)
            if label in tables[variable.group]:
                mode, error = tables[variable.group][label]
                ends = {"conf.low": mode - reach * error, "conf.high": mode + reach * error}
                found[text] = {"estimate": mode, "std.error": error, **ends}
    return found


def glance(fit: AbstractPointFit) -> pd.DataFrame:
    """Return one row about the whole model, in the columns of R's broom.mixed.

    Args:
        fit: the fit.

    Returns:
        ``nobs``; ``sigma``, missing where the model has not one; ``logLik``, ``AIC``, ``BIC``; ``REMLcrit`` after REML,
        else ``deviance``, both minus twice the log-likelihood; ``df.residual``.

    Example:
        >>> fit.glance()
    """
    import pandas as pd

    row: dict[str, Any] = {"nobs": fit.nobs, "sigma": np.nan if has_several(fit) else fit.sigma}
    row |= {"logLik": fit.logLik, "AIC": fit.aic, "BIC": fit.bic}
    row["REMLcrit" if fit.estimate.is_reml else "deviance"] = fit.criterion
    return pd.DataFrame([row | {"df.residual": fit.df_residual}])


def augment(fit: AbstractPointFit, newdata: Any = None) -> pd.DataFrame:
    """Return the rows of data with what the model says of each, in the columns of R's broom.

    Args:
        fit: the fit.
        newdata: the rows, as any data frame; None takes those of the fit.

    Returns:
        The columns of the rows; ``.fitted``, the expected response with group-level effects; for the rows of the fit
        ``.resid``, observed minus fitted. Where a row has several numbers, one for each category or response, these
        have a column each, ``.fitted_a``; categories have no residuals.

    Raises:
        DataError: see ``epred``.
        ModelError: see ``epred``.

    Example:
        >>> fit.augment()
    """
    rows = given_rows(fit, newdata)
    columns = _named(".fitted", point_predict.epred(fit, None if newdata is None else rows))
    if newdata is None and not any(one.likelihood.event_labels for one in each_response(fit).values()):
        columns |= _named(".resid", residuals.residuals(fit))
    return rows.assign(**columns)


def _named(name: str, found: Any) -> dict[str, np.ndarray]:
    """Return the numbers of each row by the name of their column."""
    if isinstance(found, dict):
        return {k: v for resp, own in found.items() for k, v in _named(f"{name}_{resp}", own).items()}
    if found.ndim == 1:
        return {name: found.to_numpy()}
    labels = ["_".join(map(str, label)) if isinstance(label, tuple) else str(label) for label in found.columns]
    return {f"{name}_{label}": found.to_numpy()[:, k] for k, label in enumerate(labels)}
