"""Tests of the group-level terms: each left out or reduced in turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.columns import Encoding, encode
from bayesml.errors import ModelError
from bayesml.formula import GroupCall
from bayesml.linalg import AbstractBlock
from bayesml.results.frequentist.deletion_table import deletion_table
from bayesml.results.frequentist.drop1 import droppable
from bayesml.results.frequentist.submodels import (
    require_likelihood,
    require_one_predictor,
    with_columns,
    without_columns,
)

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractPointFit
    from bayesml.terms import AbstractGroupTerm

__all__ = ["ranova"]

TOLERANCE = 1e-8


def ranova(fit: AbstractPointFit) -> pd.DataFrame:
    """Test every group-level term by leaving it out, with the columns of lmerTest's ``ranova``.

    A term ``(x | g)`` is reduced to ``(1 | g)``, and so is ``(0 + f | g)`` with a factor f, whose columns add up to the
    intercept's; ``(x + f | g)`` to ``(f | g)`` and to ``(x | g)``. A term of one column is dropped. Both models are
    fitted by the method of the fit (REML likelihoods, which are comparable since the population-level part stays). The
    chi-square distribution is conservative: a variance cannot be negative, so p values are up to twice too large (Self
    and Liang 1987).

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
    require_likelihood(fit, "ranova()")
    require_one_predictor(fit, "ranova()")
    X = fit.estimate.arrays.X
    if not fit.estimate.arrays.terms:
        raise ModelError("The model has no group-level terms to test.")
    smaller = [(reduction.label, fit.estimate.refit_columns(X, reduction.blocks)) for reduction in _reductions(fit)]
    method = "REML" if fit.estimate.is_reml else "ML"
    return deletion_table(fit, smaller, f"Single term deletions of group-level effects ({method} likelihood)")


@final
@dataclass(frozen=True)
class _Reduction:
    """The group-level terms with one of them left out or reduced.

    Attributes:
        label: how the row is called.
        blocks: what stays.
    """

    label: str
    blocks: list[AbstractBlock]


def _reductions(fit: AbstractPointFit) -> Iterator[_Reduction]:
    for place, term in enumerate(fit.estimate.arrays.terms):
        ends = tuple(accumulate(len(e.labels) for e in term.encodings))
        for part, encoding, end in zip(_parts(fit, term), term.encodings, ends, strict=True):
            columns = range(end - len(encoding.labels), end)
            text = _text(part.text, term.name)
            reduce = _reduced if part.correlated else _without
            for name, blocks in reduce(fit, place, part, encoding, columns):
                yield _Reduction(f"{name} in {text}" if name else text, blocks)


def _parts(fit: AbstractPointFit, term: AbstractGroupTerm) -> list[GroupCall]:
    """The terms as written that were merged into one factor."""
    return [g for g in fit.parsed.predictors[0].groups if g.factors == term.factors]


def _text(written: str, name: str) -> str:
    """``(1 | a/b)`` was two terms: each is shown with its own factor."""
    left, bar, _ = written.strip().strip("()").rpartition("||" if "||" in written else "|")
    return f"({left.strip()} {bar} {name})"


def _without(
    fit: AbstractPointFit, place: int, part: GroupCall, encoding: Encoding, columns: range
) -> Iterator[tuple[str, list[AbstractBlock]]]:
    """Yield what is left without each term of ``(x || g)``, whose columns are independent."""
    assign, blocks = np.asarray(encoding.assign), fit.estimate.arrays.blocks
    for i in droppable(part.columns):
        dropped = np.asarray(columns)[assign == i].tolist()
        yield encoding.terms[i], without_columns(blocks, place, dropped)
    if encoding.has_intercept:
        yield "Intercept" if encoding.terms else "", without_columns(blocks, place, [columns[0]])


def _reduced(
    fit: AbstractPointFit, place: int, part: GroupCall, encoding: Encoding, columns: range
) -> Iterator[tuple[str, list[AbstractBlock]]]:
    """Yield what is left of ``(x + f | g)`` without each term, the others coded anew: f in full beside no intercept."""
    blocks = fit.estimate.arrays.blocks
    if not encoding.terms:
        yield "", without_columns(blocks, place, columns)
    for i in droppable(part.columns):
        rest = replace(part.columns, terms=tuple(t for j, t in enumerate(part.columns.terms) if j != i))
        if rest.intercept or rest.terms:
            kept, Z = encode(rest, fit.frame, encoding.functions)
            yield encoding.terms[i], with_columns(blocks, place, columns, Z, kept.labels)
        elif _reduces_to_intercept(fit.estimate.arrays.terms[place], blocks[place].Z[:, columns]):
            ones = np.ones((len(fit.frame.rows), 1))
            yield encoding.terms[i], with_columns(blocks, place, columns, ones, ("Intercept",))
        else:
            yield encoding.terms[i], without_columns(blocks, place, columns)


def _reduces_to_intercept(term: AbstractGroupTerm, Z: np.ndarray) -> bool:
    """Whether the columns of a term of its own add up to a constant that no other term on the factor has."""
    ones = np.ones(len(Z))
    constant = np.abs(Z @ np.linalg.lstsq(Z, ones, rcond=None)[0] - ones).max() < TOLERANCE
    return bool(constant) and Z.shape[1] > 1 and not any(e.has_intercept for e in term.encodings)
