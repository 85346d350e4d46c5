"""Tests of the group-level terms: each left out or reduced in turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.columns import Encoding
from bayesml.engines.point.linear import LinearEstimate
from bayesml.errors import ModelError
from bayesml.results.inference.likelihood_ratio import chi_square_p
from bayesml.results.inference.submodels import refit_arrays, require_likelihood, without_columns

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.point.fit_object import PointFit
    from bayesml.terms import Group

__all__ = ["ranova"]


def ranova(fit: PointFit) -> pd.DataFrame:
    """Test every group-level term by leaving it out, with the columns of lmerTest's ``ranova``.

    A term ``(x | g)`` is reduced to ``(1 | g)``, a term of one column dropped; both models are fitted by the method of
    the fit (REML likelihoods, which are comparable since the population-level part stays). The chi-square distribution
    is conservative: a variance cannot be negative, so p values are up to twice too large (Self and Liang 1987).

    Args:
        fit: the fit.

    Returns:
        A row ``<none>`` and one for each reduction: npar, logLik, AIC, LRT, Df, Pr(>Chisq).

    Raises:
        ModelError: the model has no group-level terms, or is a posterior mode.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method="reml").ranova()
    """
    import pandas as pd

    require_likelihood(fit, "ranova()")
    arrays = fit.estimate.arrays
    if not arrays.blocks:
        raise ModelError("The model has no group-level terms to test.")
    rows = [(fit.df, fit.logLik, fit.aic, np.nan, np.nan, np.nan)]
    labels = ["<none>"]
    for reduction in _reductions(fit):
        found = refit_arrays(fit, arrays.X, without_columns(arrays.blocks, reduction.term, reduction.dropped))
        rise, df = 2.0 * (fit.logLik - found.log_likelihood), fit.df - found.n_parameters
        aic = -2.0 * found.log_likelihood + 2.0 * found.n_parameters
        rows.append((found.n_parameters, found.log_likelihood, aic, max(rise, 0.0), df, chi_square_p(rise, df)))
        labels.append(reduction.label)
    columns = ["npar", "logLik", "AIC", "LRT", "Df", "Pr(>Chisq)"]
    table = pd.DataFrame(rows, columns=columns, index=pd.Index(labels, dtype=object))
    method = "REML" if isinstance(fit.estimate, LinearEstimate) and fit.estimate.fit.reml else "ML"
    table.attrs["heading"] = f"Single term deletions of group-level effects ({method} likelihood)"
    return table


@final
@dataclass(frozen=True)
class _Reduction:
    """Columns of one group-level term that are left out.

    Attributes:
        label: how the row is called.
        term: place of the term.
        dropped: columns.
    """

    label: str
    term: int
    dropped: tuple[int, ...]


def _reductions(fit: PointFit) -> Iterator[_Reduction]:
    for place, term in enumerate(fit.estimate.arrays.terms):
        parts = _parts(fit, term)
        ends = tuple(accumulate(len(e.labels) for e in term.encodings))
        for (text, correlated), encoding, end in zip(parts, term.encodings, ends, strict=True):
            start = end - len(encoding.labels)
            for name, columns in _droppable(encoding, correlated):
                inside = f"{name} in {text}" if name else text
                yield _Reduction(inside, place, tuple(start + c for c in columns))


def _parts(fit: PointFit, term: Group) -> list[tuple[str, bool]]:
    """The terms as written that were merged into one factor, with whether their columns are correlated."""
    groups = fit.parsed.predictors[0].groups
    return [(_text(g.text, term.name), g.correlated) for g in groups if g.factors == term.factors]


def _text(written: str, name: str) -> str:
    """``(1 | a/b)`` was two terms: each is shown with its own factor."""
    left, bar, _ = written.strip().strip("()").rpartition("||" if "||" in written else "|")
    return f"({left.strip()} {bar} {name})"


def _droppable(encoding: Encoding, correlated: bool) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the terms left of the bar that can go by themselves; the empty name is a lone intercept."""
    assign = np.asarray(encoding.assign)
    terms = [tuple(f for f in name.split(":")) for name in encoding.terms]
    if len(encoding.terms) == 0:
        yield "", (0,)
        return
    for i, name in enumerate(encoding.terms):
        if not any(set(terms[i]) < set(other) for other in terms):
            yield name, tuple(np.flatnonzero(assign == i).tolist())
    if not correlated and encoding.has_intercept:
        yield "Intercept", (0,)
