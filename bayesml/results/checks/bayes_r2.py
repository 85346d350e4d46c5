"""The Bayesian R2: the share of the variance that a model expects, at each draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.predict.drawn import has_precisions, natural_of_rows
from bayesml.results.predict.new_levels import NewLevels
from bayesml.results.predict.prepare import Request, batches, choose_draws, prepare_rows
from bayesml.results.record.one_response import answers, of_one
from bayesml.results.tables.statistics import summarise

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["bayes_R2", "r2_of_responses"]


def bayes_R2(
    fit: AbstractSampledFit, newdata: Any = None, *,
    resp: str | None = None, re_formula: Any = None, new_levels: NewLevels = "error",
    ndraws: int | None = None, seed: int | None = None,
    summary: bool = True, robust: bool = False, probs: tuple[float, ...] = (0.025, 0.975),
) -> pd.DataFrame:  # fmt: skip
    """Return R2 = var(mu) / (var(mu) + var(y - mu)) at each draw: mu is the expected response, variances are over rows.

    Gelman, Goodrich, Gabry and Vehtari (2019), R-squared for Bayesian regression models, The American Statistician 73;
    with residual variances of the data, as in brms.

    Args:
        fit: the fit.
        newdata: rows with their response; those of the fit if None.
        resp: which of several responses; None takes all, a row for each.
        re_formula: which group-level effects, see ``linpred``.
        new_levels: what unseen levels get, see ``linpred``.
        ndraws: number of draws, see ``linpred``.
        seed: seed, see ``linpred``.
        summary: whether to summarise; else the draws are returned, one column for each response.
        robust: median and mad in the place of mean and standard deviation.
        probs: probabilities of the quantiles.

    Returns:
        The columns Estimate, Est.Error, Q2.5 and Q97.5; the row is called ``R2``, of several responses ``R2y1``, ...

    Raises:
        DataError: see ``linpred``.
        FormulaError: see ``linpred``.
        ModelError: see ``linpred``; or a response is one of several categories.

    Example:
        >>> fit.bayes_R2()
    """
    request = Request(newdata, re_formula, new_levels, ndraws, seed)
    return r2_of_responses(fit, resp, lambda one: _shares(one, request), summary, robust, probs)


def r2_of_responses(
    fit: AbstractSampledFit, resp: str | None, shares_of: Callable[[AbstractSampledFit], np.ndarray],
    summary: bool, robust: bool, probs: tuple[float, ...],
) -> pd.DataFrame:  # fmt: skip
    """Return R2 of each response, summarised or a column of draws.

    Args:
        fit: the fit.
        resp: which of several responses; None takes all.
        shares_of: returns draws of R2 of a fit of one response.
        summary: whether to summarise.
        robust: median and mad in the place of mean and standard deviation.
        probs: probabilities of the quantiles.

    Raises:
        ModelError: a response is one of several categories.
    """
    import pandas as pd

    def checked(one: AbstractSampledFit) -> np.ndarray:
        if one.likelihood.event_labels:
            raise ModelError(
                f"`{one.parsed.response.name}` has categories or several columns, and R2 is of a response that is one "
                "number. `loo()` measures how well the model predicts."
            )
        return shares_of(one)

    shares = answers(fit, checked) if resp is None else {resp: checked(of_one(fit, resp))}
    drawn = {f"R2{name}": values for name, values in shares.items()}
    if not summary:
        return pd.DataFrame(drawn)
    return summarise(np.stack(list(drawn.values()), axis=1), pd.Index(list(drawn), dtype=object), robust, probs)


def _shares(fit: AbstractSampledFit, request: Request) -> np.ndarray:
    """Return R2 of one response at each draw."""
    rows = prepare_rows(fit, request, response=True, weights=has_precisions(fit, request.newdata))
    choice = choose_draws(fit, request)
    shares = np.empty(choice.count)
    for batch in batches(fit, rows, choice, request):
        with np.errstate(all="ignore"):
            expected = np.asarray(fit.likelihood.mean(natural_of_rows(fit, batch, rows), rows.data))
            expected = np.broadcast_to(expected, (batch.where.stop - batch.where.start, rows.count))
            known = ~np.isnan(rows.data["y"])
            expected, y = expected[:, known], rows.data["y"][known]
            explained, left = expected.var(axis=1, ddof=1), (y - expected).var(axis=1, ddof=1)
            shares[batch.where] = explained / (explained + left)
    return shares
