"""The hypothesis of each term in an analysis of variance of type I, II or III, as rows over the coefficients.

All three are row spaces, computed by orthogonal factorisations, and do not depend on the coding of the factors:

* type I: the term is added to those before it: the rows of R in X = QR that belong to it;
* type II: it is added to all terms that do not contain it: the same with the columns in that order;
* type III (SAS's definition): with D the columns of all indicators, and S(t) the estimable functions (row space of D)
  that involve the term t and those containing it only, the part of S(t) orthogonal to S of every term containing t.

A term contains another where it has the same covariates and all of its factors and more (SAS/STAT User's Guide, "The
Four Types of Estimable Functions"), whether or not all the main effects are there: in ``y ~ a + a:b`` the interaction
contains a. The rows of types I and II are scaled as in Doolittle's factorisation of X'X; degrees of freedom of terms
with several rows depend a little on that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.columns import encode
from bayesml.errors import ModelError
from bayesml.formula import LinearPart

if TYPE_CHECKING:
    from bayesml.results.point.fit_object import PointFit

__all__ = ["TermHypotheses", "hypotheses"]

TOLERANCE = 1e-9


@final
@dataclass(frozen=True)
class _Term:
    """One term of the population-level formula.

    Attributes:
        name: as it is shown.
        factors: its categorical factors.
        covariates: its numerical ones.
        indicators: ``(rows, columns)`` its columns with every factor coded in full.
    """

    name: str
    factors: frozenset[str]
    covariates: frozenset[str]
    indicators: np.ndarray

    def contains(self, other: _Term) -> bool:
        """Whether this term contains the other one."""
        return self.covariates == other.covariates and self.factors > other.factors


TermHypotheses = Mapping[str, np.ndarray]
"""Rows over the estimated coefficients, by term; a term without estimable hypothesis is left out."""


def hypotheses(fit: PointFit, kind: int) -> TermHypotheses:
    """Return the hypothesis of every term.

    Args:
        fit: the fit.
        kind: 1, 2 or 3.

    Raises:
        ModelError: there is no such type.
    """
    if kind not in (1, 2, 3) or isinstance(kind, bool):
        raise ModelError(f"The type of an analysis of variance is 1, 2 or 3; got {kind!r}.")
    population = fit.estimate.arrays.population
    if population is None:
        return {}
    kept = fit.estimate.kept
    X = fit.estimate.arrays.X[:, kept]
    scales = np.sqrt(np.maximum((X**2).mean(axis=0), np.finfo(float).tiny))
    assign = np.asarray(population.encoding.assign)[kept]
    terms = _terms(fit)
    if kind == 3:
        found = _third(X / scales, terms, population.encoding.has_intercept)
        found = {t.name: _by_own_columns(found[t.name], assign == i) for i, t in enumerate(terms)}
    else:
        found = {t.name: _sequential(X / scales, assign, i, terms, kind) for i, t in enumerate(terms)}
    return {name: L * scales for name, L in found.items() if len(L)}


def _terms(fit: PointFit) -> tuple[_Term, ...]:
    population = fit.estimate.arrays.population
    assert population is not None
    part = fit.parsed.predictors[0].population
    functions = population.encoding.functions
    out = []
    for name, factors in zip(population.encoding.terms, part.terms, strict=True):
        encoding, columns = encode(LinearPart(False, (factors,), part.expression), fit.frame, functions)
        (product,) = encoding.products[0]
        categorical = frozenset(text for text, in_full in product if in_full)
        out.append(_Term(name, categorical, frozenset(factors) - categorical, columns))
    return tuple(out)


def _sequential(X: np.ndarray, assign: np.ndarray, index: int, terms: tuple[_Term, ...], kind: int) -> np.ndarray:
    """Rows of R of the columns of one term, behind the columns it is adjusted for, before all others."""
    own = np.flatnonzero(assign == index)
    if kind == 1:
        first = np.flatnonzero(assign < index)
    else:
        within = [i for i, t in enumerate(terms) if t.contains(terms[index])]
        first = np.flatnonzero((assign != index) & ~np.isin(assign, within))
    last = np.setdiff1d(np.arange(len(assign)), np.append(first, own))
    order = np.concatenate([first, own, last])
    rows = np.linalg.qr(X[:, order], mode="r")[len(first) : len(first) + len(own)]
    L = np.zeros_like(rows)
    L[:, order] = rows / np.diagonal(rows, len(first))[:, None]
    return L


def _third(X: np.ndarray, terms: tuple[_Term, ...], intercept: bool) -> dict[str, np.ndarray]:
    blocks = [np.ones((len(X), 1))] * intercept + [_unit(t.indicators) for t in terms]
    owner = np.repeat(np.arange(len(blocks)) - intercept, [b.shape[1] for b in blocks])
    D = np.concatenate(blocks, axis=1)
    reduced: np.ndarray = np.asarray(np.linalg.qr(np.concatenate([D, X], axis=1), mode="r"))
    D, X = np.hsplit(reduced, [D.shape[1]])
    left, values, right = np.linalg.svd(D, full_matrices=False)
    keep = values > TOLERANCE * values[0]
    basis = right[keep]
    to_coefficients = (left[:, keep] / values[keep]).T @ X
    allowed = [[i for i, t in enumerate(terms) if t is own or t.contains(own)] for own in terms]
    spaces = [_involving(basis, owner, places) for places in allowed]
    found = {}
    for own, space in zip(terms, spaces, strict=True):
        wider = [s for s, t in zip(spaces, terms, strict=True) if t.contains(own)]
        found[own.name] = _orthogonal_part(space, wider) @ to_coefficients
    return found


def _by_own_columns(L: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Combine the rows so that each has one of the term's own columns with weight 1, where that is possible."""
    square = L[:, own]
    usable = square.shape == (len(L), len(L)) and len(L) > 0 and np.linalg.cond(square) < 1e8
    return np.linalg.solve(square, L) if usable else L


def _unit(columns: np.ndarray) -> np.ndarray:
    """Columns over the size of the covariates, the same in terms that can contain one another."""
    return columns / np.sqrt(max(float((columns**2).sum()) / len(columns), np.finfo(float).tiny))


def _involving(basis: np.ndarray, owner: np.ndarray, allowed: list[int]) -> np.ndarray:
    """Orthonormal combinations of the basis that are zero in all columns but those of the terms allowed."""
    others = basis[:, ~np.isin(owner, allowed)]
    left, values, _ = np.linalg.svd(others, full_matrices=True)
    rank = int((values > TOLERANCE).sum())
    return left[:, rank:].T


def _orthogonal_part(space: np.ndarray, wider: list[np.ndarray]) -> np.ndarray:
    """The part of a space orthogonal to those within it."""
    if not wider or not len(space):
        return space
    inner = np.concatenate(wider) @ space.T
    _, values, right = np.linalg.svd(inner, full_matrices=True)
    rank = int((values > TOLERANCE).sum())
    return right[rank:] @ space
