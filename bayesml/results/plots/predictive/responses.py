"""What a predictive check compares: y and y_rep of the rows, with what its kind needs beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import ModelError, did_you_mean
from bayesml.results.checks.kaplan_meier import Observed, right_censoring
from bayesml.results.checks.log_lik import log_lik
from bayesml.results.checks.psis import smoothed_weights
from bayesml.results.plots.predictive.compared import Compared
from bayesml.results.plots.predictive.kinds import ALL, Kind
from bayesml.results.plots.predictive.rows import group_masks, numbers_of_rows
from bayesml.results.predict.new_levels import NewLevels
from bayesml.results.predict.predict import epred, predict
from bayesml.results.predict.prepare import Request, prepare_rows

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["CheckedRows", "compared_parts"]


@final
@dataclass(frozen=True)
class CheckedRows:
    """Which rows and draws are looked at.

    Attributes:
        ndraws: number of draws; None takes as many as the kind does.
        seed: of the draws.
        newdata: see ``pp_check``.
        re_formula: see ``pp_check``.
        new_levels: see ``pp_check``.
        column: see ``pp_check``.
        group: see ``pp_check``.
        x: see ``pp_check``.
    """

    ndraws: int | None
    seed: int
    newdata: Any = None
    re_formula: Any = None
    new_levels: NewLevels = "error"
    column: str | None = None
    group: Any = None
    x: Any = None

    def draws_of(self, fit: AbstractSampledFit, kind: Kind) -> int | None:
        """Return the number of draws; None for all."""
        if self.ndraws is not None or kind.ndraws == ALL:
            return self.ndraws
        return min(kind.ndraws, fit.draws_record.n_chains * fit.draws_record.n_draws)


def compared_parts(fit: AbstractSampledFit, kind: Kind, asked: CheckedRows) -> list[tuple[str, Compared]]:
    """Return what is compared in each group, and of probabilities of categories in each category, with a label.

    Raises:
        ModelError: an option is impossible.
    """
    whole, known = _replicated(fit, kind, asked)
    if "weights" in kind.needs:
        whole = replace(whole, log_weights=_log_weights(fit, kind, asked)[:, known])
    if "observed" in kind.needs:
        whole = replace(whole, observed=_right_censored(fit).rows(known))
    count = len(known)
    if asked.x is not None:
        x, name = numbers_of_rows(fit, asked.newdata, asked.x, count)
        whole = replace(whole, x=x[known], x_name=name)
    groups = [("", np.ones(count, dtype=bool))]
    if asked.group is not None:
        groups = group_masks(fit, asked.newdata, asked.group, count)
    parts = [(label, whole.rows(rows[known])) for label, rows in groups if rows[known].any()]
    if "expected" not in kind.needs:
        return parts
    return [
        (label, part)
        for category, each in _with_expected(fit, whole, known, kind, asked)
        for label, part in ((_joined(group, category), each.rows(rows[known])) for group, rows in groups)
        if len(part.y)
    ]


def _joined(*labels: str) -> str:
    return ", ".join(label for label in labels if label)


def _replicated(fit: AbstractSampledFit, kind: Kind, asked: CheckedRows) -> tuple[Compared, np.ndarray]:
    """Return the responses of the rows whose response is known, and which rows these are."""
    drawn: Any = predict(
        fit, asked.newdata, re_formula=asked.re_formula, new_levels=asked.new_levels,
        ndraws=asked.draws_of(fit, kind), seed=asked.seed,
    )  # fmt: skip
    y, name = _observed(fit, asked), fit.parsed.response.name
    labels = fit.likelihood.response_labels
    replicated = _by_draw(drawn, 2 if labels else 1)
    if asked.column is not None or labels:
        place, name = _column(labels, asked.column)
        y, replicated = y[..., place], replicated[..., place]
    known = ~np.isnan(y)
    discrete = fit.likelihood.traits.discrete
    found = Compared(y[known], replicated[:, known].astype(float), name, discrete, _ticks(fit), seed=asked.seed)
    return found, known


def _by_draw(drawn: Any, behind: int) -> np.ndarray:
    values = np.asarray(drawn.to_numpy(), dtype=float)
    return values.reshape(-1, *values.shape[values.ndim - behind :])


def _observed(fit: AbstractSampledFit, asked: CheckedRows) -> np.ndarray:
    if asked.newdata is None:
        return np.asarray(fit.problem.design.response.arrays["y"], dtype=float)
    request = Request(asked.newdata, asked.re_formula, asked.new_levels)
    return np.asarray(prepare_rows(fit, request, response=True).data["y"], dtype=float)


def _ticks(fit: AbstractSampledFit) -> dict[float, str]:
    levels = fit.problem.design.response.levels
    if levels is None:
        return {}
    first = 0 if fit.likelihood.traits.two_levels else fit.likelihood.first_category
    return {float(first + k): str(level) for k, level in enumerate(levels)}


def _column(labels: tuple[str, ...], column: str | None) -> tuple[int, str]:
    """Return the place and the label of a column of the response."""
    if column is None:
        return 0, labels[0]
    if column not in labels:
        there = f"it has {', '.join(f'`{label}`' for label in labels)}" if labels else "it is one column"
        raise ModelError(f"The response has no column {column!r}{did_you_mean(str(column), labels)}; {there}.")
    return labels.index(column), column


def _log_weights(fit: AbstractSampledFit, kind: Kind, asked: CheckedRows) -> np.ndarray:
    """Return logarithms of Pareto-smoothed weights that leave each row out, ``(draws, rows)``."""
    found: Any = log_lik(fit, ndraws=asked.draws_of(fit, kind), seed=asked.seed)
    density = _by_draw(found, 1)
    infinite = int((~np.isfinite(density)).any(axis=0).sum())
    if infinite:
        raise ModelError(
            f"The log-likelihood of {infinite} rows is not finite at some draws, so that they cannot be left out by "
            "reweighting the draws. A kind without `loo_` shows them."
        )
    return smoothed_weights(-density.T)[0].T


def _right_censored(fit: AbstractSampledFit) -> Observed:
    """Return the observed times, of which survival curves are estimated.

    Raises:
        ModelError: the response has categories or several columns, or is censored on the left or on intervals.
    """
    if fit.likelihood.event_labels:
        raise ModelError('Survival curves are of a response that is one number; kind="bars" shows categories.')
    observed = right_censoring(fit)
    if observed is None:
        raise ModelError(
            'kind="km_overlay" is for responses that are observed or censored on the right; some are censored on the '
            'left or on intervals. kind="ecdf_overlay" shows the bounds that were observed.'
        )
    return observed


def _with_expected(
    fit: AbstractSampledFit, whole: Compared, known: np.ndarray, kind: Kind, asked: CheckedRows
) -> Iterator[tuple[str, Compared]]:
    """Yield the comparison with expected responses; of categories one for each, whether it occurs."""
    means: Any = epred(
        fit, asked.newdata, re_formula=asked.re_formula, new_levels=asked.new_levels,
        ndraws=asked.draws_of(fit, kind), seed=asked.seed,
    )  # fmt: skip
    labels, columns = fit.likelihood.event_labels, fit.likelihood.response_labels
    expected = _by_draw(means, 2 if labels else 1)[:, known]
    if not np.isfinite(expected).all():
        raise ModelError("Some expected responses are not finite, so that nothing can be compared with them.")
    if not labels:
        yield "", replace(whole, expected=expected)
    elif columns:
        yield "", replace(whole, expected=expected[..., _column(columns, asked.column)[0]])
    else:
        for k, label in enumerate(labels):
            code = fit.likelihood.first_category + k
            own = replace(
                whole, y=(whole.y == code).astype(float), replicated=(whole.replicated == code).astype(float), ticks={},
                expected=expected[..., k],
            )  # fmt: skip
            yield f"{whole.name} = {label}", own
