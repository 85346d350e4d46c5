"""The hypothesis of each term in an analysis of variance of type I, II or III, as rows over the coefficients.

As row spaces, computed by orthogonal factorisations, they do not depend on the coding of the factors:

* type I: the term is added to those before it: the rows of R in X = QR that belong to it;
* type II: it is added to all terms that do not contain it: the same with the columns in that order;
* type III (SAS's definition): with D the columns of all indicators, and S(t) the estimable functions (row space of D)
  that involve the term t and those containing it only, the part of S(t) orthogonal to S of every term containing t.

A term contains another where it has the same covariates and all of its factors and more (SAS/STAT User's Guide, "The
Four Types of Estimable Functions"), whether or not all the main effects are there: in ``y ~ a + a:b`` the interaction
contains a.

Where columns were left out of the model since they depend on others, a term without columns in the model has no
hypothesis, and a term that no other contains is tested with the columns it has, in types II and III alike.

Satterthwaite's degrees of freedom of several rows depend on how the rows are written. They are written as lmerTest
shows them (Kuznetsova et al. 2017): as in Doolittle's factorisation X'X = U' D U, with 1 on the diagonal of U, in type
I, for a term that others contain in type II, and in every type where there is one term only; in type III so that a row
has weight 1 for one of the term's own coefficients and 0 for the others, all factors coded against their first level;
as the coefficients themselves for other terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.columns import encode, treatment_columns
from bayesml.errors import ModelError
from bayesml.formula import LinearPart
from bayesml.linalg import orthogonalise

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["TermHypotheses", "hypotheses"]

TOLERANCE = 1e-9
LARGEST_CONDITION = 1e8


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


def hypotheses(fit: AbstractPointFit, kind: int) -> TermHypotheses:
    """Return the hypothesis of every term.

    Args:
        fit: the fit.
        kind: 1, 2 or 3.

    Raises:
        ModelError: there is no such type.
    """
    if kind not in (1, 2, 3) or isinstance(kind, bool):
        raise ModelError(f"The type of an analysis of variance is 1, 2 or 3; got {kind!r}.")
    if fit.estimate.arrays.population is None:
        return {}
    columns = _Columns.of(fit)
    terms = {i: t for i, t in enumerate(_terms(fit)) if (columns.assign == i).any()}
    if kind == 1 or len(terms) == 1:
        return {t.name: _sequential(columns, i, columns.assign < i) for i, t in terms.items()}
    within = {i: [j for j, t in terms.items() if t.contains(own)] for i, own in terms.items()}
    found = _third(columns, terms, within) if kind == 3 and any(within.values()) else {}
    for i in terms.keys() - found.keys():
        others = ~np.isin(columns.assign, [i, *within[i]])
        found[i] = _sequential(columns, i, others) if within[i] else np.eye(len(others))[columns.assign == i]
    if kind == 3:
        levels = _LevelDifferences.of(fit, columns.X)
        found = {i: levels.rows(L, i) for i, L in found.items()}
    return {term.name: found[i] for i, term in terms.items()}


@final
@dataclass(frozen=True)
class _Columns:
    """The columns of X that are in the model.

    Attributes:
        X: ``(rows, kept)``.
        assign: ``(kept,)`` the term of each column, -1 for the intercept; a number of its own for those of smooths.
        has_intercept: whether the model has an intercept.
    """

    X: np.ndarray
    assign: np.ndarray
    has_intercept: bool

    @classmethod
    def of(cls, fit: AbstractPointFit) -> _Columns:
        population, kept = fit.estimate.arrays.population, fit.estimate.kept
        assert population is not None
        assign = _assign(fit)[kept]
        return cls(fit.estimate.arrays.X[:, kept], assign, population.encoding.has_intercept)


@final
@dataclass(frozen=True)
class _LevelDifferences:
    """The coefficients that the model would have with every factor coded against its first level.

    Attributes:
        matrix: ``(kept, kept)``; rows over the model's coefficients times it are rows over these.
        assign: the term of each of them.
    """

    matrix: np.ndarray
    assign: np.ndarray

    @classmethod
    def of(cls, fit: AbstractPointFit, X: np.ndarray) -> _LevelDifferences:
        population = fit.estimate.arrays.population
        assert population is not None
        columns = np.hstack([treatment_columns(population.encoding, fit.frame), fit.estimate.arrays.further])
        kept = orthogonalise(columns)[1].kept
        Q, R = np.linalg.qr(X)
        return cls(np.linalg.solve(R, Q.T @ columns[:, kept]), _assign(fit)[kept])

    def rows(self, L: np.ndarray, index: int) -> np.ndarray:
        """Combine rows so that each has weight 1 for one coefficient of a term only, where that is possible."""
        own = L @ self.matrix[:, self.assign == index]
        if own.shape != (len(L), len(L)):
            return L
        lengths = np.linalg.norm(own, axis=0)
        usable = (lengths > 0).all() and np.linalg.cond(own / lengths) < LARGEST_CONDITION
        return np.linalg.solve(own, L) if usable else L


def _assign(fit: AbstractPointFit) -> np.ndarray:
    population, arrays = fit.estimate.arrays.population, fit.estimate.arrays
    assert population is not None
    own = np.asarray(population.encoding.assign, dtype=int)
    return np.append(own, np.full(arrays.further.shape[1], len(population.encoding.terms)))


def _terms(fit: AbstractPointFit) -> tuple[_Term, ...]:
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


def _sequential(columns: _Columns, index: int, before: np.ndarray) -> np.ndarray:
    """Rows of U of the columns of one term, behind the columns it is adjusted for, before all others."""
    own = columns.assign == index
    order = np.concatenate([np.flatnonzero(part) for part in (before, own, ~before & ~own)])
    start = int(before.sum())
    rows = np.linalg.qr(columns.X[:, order], mode="r")[start : start + int(own.sum())]
    L = np.zeros_like(rows)
    L[:, order] = rows / np.diagonal(rows, start)[:, None]
    return L


def _third(columns: _Columns, terms: Mapping[int, _Term], within: Mapping[int, Sequence[int]]) -> dict[int, np.ndarray]:
    """Rows of type III of the terms that others contain, as far as they have estimable functions."""
    blocks = [np.ones((len(columns.X), 1))] * columns.has_intercept + [_unit(t.indicators) for t in terms.values()]
    owner = np.repeat([-1] * columns.has_intercept + list(terms), [b.shape[1] for b in blocks])
    reduced: np.ndarray = np.asarray(np.linalg.qr(np.concatenate([*blocks, columns.X], axis=1), mode="r"))
    D, X = np.hsplit(reduced, [len(owner)])
    left, values, right = np.linalg.svd(D, full_matrices=False)
    keep = values > TOLERANCE * values[0]
    basis, to_coefficients = right[keep], (left[:, keep] / values[keep]).T @ X
    spaces = {i: _involving(basis, owner, [i, *wider]) for i, wider in within.items()}
    found = {i: _orthogonal_part(spaces[i], [spaces[j] for j in wider]) for i, wider in within.items() if wider}
    return {i: part @ to_coefficients for i, part in found.items() if len(part)}


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
    inner = np.concatenate(wider) @ space.T
    _, values, right = np.linalg.svd(inner, full_matrices=True)
    rank = int((values > TOLERANCE).sum())
    return right[rank:] @ space
