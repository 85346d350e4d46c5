"""What a fit expects at the rows of a reference grid: draws, or linear combinations of estimated coefficients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self, final

import numpy as np
from scipy import sparse

from bayesml.engines.point.estimability import estimable
from bayesml.errors import BayesmlError, ModelError
from bayesml.frame import Frame
from bayesml.keys import MU, PredictorKey
from bayesml.results.frequentist.degrees_of_freedom import Ddf, NormalTests, check_no_ddf, tests_of
from bayesml.results.marginal.estimated import estimated_sets
from bayesml.results.marginal.numbers import EstimatedNumbers
from bayesml.results.marginal.question import Question
from bayesml.results.predict.drawn import evaluate_rows
from bayesml.results.predict.new_levels import UnseenLevels
from bayesml.results.predict.prepare import Request
from bayesml.results.predict.quantity import What
from bayesml.results.predict.re_formula import select_groups
from bayesml.results.predict.rows import Rows
from bayesml.results.questions.grid import Grid, grid_reference, offsets_at
from bayesml.results.questions.means import AbstractMeans, DrawnMeans, EstimatedMeans
from bayesml.results.record.fit import AbstractFit, AbstractPointFit, AbstractSampledFit
from bayesml.terms import AbstractPopulationTerm, group_terms, known_addend, population_term, population_terms

__all__ = ["AbstractGridRows", "rows_at"]


@dataclass(frozen=True)
class AbstractGridRows(ABC):
    """Numbers at the rows of a grid, all group-level effects at zero."""

    @property
    def categories(self) -> tuple[str, ...]:
        """Labels of the numbers of each row, where it has several."""
        return ()

    @abstractmethod
    def slopes_from(self, other: Self, step: float) -> Self:
        """Return how fast the numbers rise from those of other rows, ``step`` away."""

    @abstractmethod
    def averaged(self, W: np.ndarray) -> AbstractMeans:
        """Return weighted sums of the rows; those of categories follow each other within each sum."""


@final
@dataclass(frozen=True)
class EstimatedRows(AbstractGridRows):
    """Linear predictors at estimated coefficients.

    Attributes:
        fit: the fit.
        ddf: degrees of freedom.
        X: ``(rows, coefs)`` all columns; NaN where they cannot be computed.
        offset: ``(rows,)``.
    """

    fit: AbstractPointFit
    ddf: Ddf
    X: np.ndarray
    offset: np.ndarray

    def slopes_from(self, other: EstimatedRows, step: float) -> EstimatedRows:
        """Return slopes, with zeros in the place of rounding errors."""
        X = (self.X - other.X) / step
        X[np.abs(X) < 1e-9 * np.nanmax(np.abs(X), initial=0.0)] = 0.0
        return replace(self, X=X, offset=(self.offset - other.offset) / step)

    def averaged(self, W: np.ndarray) -> EstimatedMeans:
        """Return weighted sums; NaN where they cannot be computed or estimated."""
        L, estimate = W @ np.where(np.isnan(self.X), 0.0, self.X), self.fit.estimate
        known = ~(W != 0)[:, np.isnan(self.X).any(axis=1)].any(axis=1)
        known[known] = estimable(estimate, L[known])
        kept = np.where(known[:, None], L[:, estimate.kept], np.nan)
        return EstimatedMeans(kept, W @ self.offset, tests_of(self.fit, self.ddf))


@final
@dataclass(frozen=True)
class CurvedRows(AbstractGridRows):
    """Linear predictors that smooths are part of, with their derivatives in coefficients and effects.

    Attributes:
        numbers: of the rows; NaN where they cannot be computed or estimated.
    """

    numbers: EstimatedNumbers

    def slopes_from(self, other: CurvedRows, step: float) -> CurvedRows:
        """Return slopes."""
        own, away = self.numbers, other.numbers
        jacobian = (own.jacobian - away.jacobian) / step
        return CurvedRows(replace(own, value=(own.value - away.value) / step, jacobian=jacobian))

    def averaged(self, W: np.ndarray) -> EstimatedMeans:
        """Return weighted sums, which stand as coefficients of their own with the covariance matrix of all of them.

        NaN where a row with weight is not known.
        """
        known = ~np.isnan(self.numbers.combined(W).value)
        sums = replace(self.numbers, value=np.nan_to_num(self.numbers.value)).combined(W)
        vcov, unbounded = sums.spread()
        tests = NormalTests(sums.value, vcov, 1.0, unbounded)
        return EstimatedMeans(np.where(known[:, None], np.eye(sums.count), np.nan), np.zeros(sums.count), tests)


@final
@dataclass(frozen=True)
class DrawnRows(AbstractGridRows):
    """Draws of the numbers.

    Attributes:
        values: ``(draws, rows)``, or ``(draws, rows, categories)``; NaN where they cannot be computed.
        labels: of the categories.
    """

    values: np.ndarray
    labels: tuple[str, ...]

    @property
    def categories(self) -> tuple[str, ...]:
        """Labels of the numbers of each row, where it has several."""
        return self.labels

    def slopes_from(self, other: DrawnRows, step: float) -> DrawnRows:
        """Return draws of the slopes."""
        return replace(self, values=(self.values - other.values) / step)

    def averaged(self, W: np.ndarray) -> DrawnMeans:
        """Return draws of the weighted sums."""
        values = self.values.reshape(*self.values.shape[:2], -1)
        return DrawnMeans(np.einsum("kr,drc->dkc", W, values).reshape(len(values), -1))


def rows_at(fit: AbstractFit, grid: Grid, frame: Frame, what: What, ddf: Ddf) -> AbstractGridRows:
    """Return what a fit expects at rows.

    Args:
        fit: the fit.
        grid: the reference grid.
        frame: its rows, or as many others.
        what: what is evaluated.
        ddf: degrees of freedom, of estimates.

    Raises:
        ModelError: the fit cannot evaluate this.
        DataError: no row can be computed.
    """
    offsets = offsets_at(fit, grid, frame)
    if isinstance(fit, AbstractSampledFit):
        check_no_ddf(ddf)
        return _drawn(fit, grid, frame, what, offsets)
    assert isinstance(fit, AbstractPointFit)
    key = MU if grid.keys is None else grid.keys[0]
    if what.kind != "linpred":
        raise ModelError(
            "Averages of expected responses need draws: fit.to_normal_draws() makes some. A point estimate has the "
            'linear predictor, type="link".'
        )
    offset = offsets.get(key, np.zeros(frame.n_rows))
    if _has_more(fit, key):
        _check_normal(ddf)
        return _with_curves(fit, grid, frame, what, offset)
    return EstimatedRows(fit, ddf, _design(fit, grid, frame, key), offset)


def _check_normal(ddf: Ddf) -> None:
    if ddf not in (None, "default"):
        raise ModelError(f"`ddf={ddf!r}` is for linear mixed models without smooths; use ddf=None.")


def _with_curves(fit: AbstractPointFit, grid: Grid, frame: Frame, what: What, offset: np.ndarray) -> CurvedRows:
    possible = _computable(fit, grid, frame)
    if not possible.any():
        possible[:] = True  # the error of what cannot be computed says what is wrong
    chosen = frame if possible.all() else frame.select(possible)
    question = Question(what, "population", "error", None, None)
    [found] = estimated_sets(fit, [chosen.to_pandas()], question, None)
    own = _own_offset(_encoded(fit, grid, chosen), MU if grid.keys is None else grid.keys[0])
    value = np.full(frame.n_rows, np.nan)
    value[possible] = found.value + offset[possible] - own
    places = np.flatnonzero(possible)
    put = sparse.csr_array((np.ones(len(places)), (places, np.arange(len(places)))), (frame.n_rows, len(places)))
    return CurvedRows(EstimatedNumbers(value, put @ found.jacobian, found.covariance))


def _has_more(fit: AbstractPointFit, key: PredictorKey) -> bool:
    """Whether a predictor has more than population-level coefficients, group-level effects and known addends."""
    predictor = fit.problem.design.schema.predictor(key)
    assert predictor is not None
    known = (*population_terms(predictor.terms), *group_terms(predictor.terms))
    return any(term.is_estimated and term not in known for term in predictor.terms)


def _computable(fit: AbstractFit, grid: Grid, frame: Frame) -> np.ndarray:
    """Return at which rows everything can be computed, ``(rows,)``."""
    possible = np.ones(frame.n_rows, dtype=bool)
    for part in grid_reference(fit, grid.keys).computations:
        possible &= part.possible(frame)
    return possible


def _design(fit: AbstractPointFit, grid: Grid, frame: Frame, key: PredictorKey) -> np.ndarray:
    """Return the weights of all coefficients at each row."""
    predictor = fit.problem.design.schema.predictor(key)
    population = None if predictor is None else population_term(predictor.terms)
    weights = np.zeros((frame.n_rows, len(fit.estimate.labels)))
    if population is None:
        return weights
    texts = fit.estimate.arrays.texts
    own = [texts.index(text) for text in population.slope_columns().texts]
    weights[:, fit.estimate.column_places[own]] = _columns(fit, grid, frame, population)
    return weights


def _columns(fit: AbstractPointFit, grid: Grid, frame: Frame, population: AbstractPopulationTerm) -> np.ndarray:
    try:
        return np.array(population.arrays(frame)["X"])
    except BayesmlError:
        possible = _computable(fit, grid, frame)
        if not possible.any():
            raise
    X = np.full((frame.n_rows, len(population.coefs)), np.nan)
    X[possible] = population.arrays(frame.select(possible))["X"]
    return X


def _drawn(
    fit: AbstractSampledFit, grid: Grid, frame: Frame, what: What, offsets: Mapping[PredictorKey, np.ndarray]
) -> DrawnRows:
    possible = _computable(fit, grid, frame)
    if not possible.any():
        possible[:] = True  # the error of what cannot be computed says what is wrong
    rows = _encoded(fit, grid, frame if possible.all() else frame.select(possible))
    shifts = {key: offset[possible] - _own_offset(rows, key) for key, offset in offsets.items()}
    found = evaluate_rows(fit, rows, Request(), what, shifts)
    values = np.full((len(found.values), frame.n_rows, *found.values.shape[2:]), np.nan)
    values[:, possible] = found.values
    return DrawnRows(values, found.categories)


def _encoded(fit: AbstractFit, grid: Grid, frame: Frame) -> Rows:
    """Return the rows without group-level terms, one trial each."""
    selection = select_groups(fit, "NA")
    selection = selection if grid.keys is None else selection.only(grid.keys)
    arrays = {p.key: {term.key: term.arrays(frame) for term in p.terms} for p in selection.predictors}
    return Rows(selection, arrays, {"trials": np.ones(frame.n_rows)}, None, frame.labels(), UnseenLevels({}))


def _own_offset(rows: Rows, key: PredictorKey) -> np.ndarray | float:
    terms = next(p.terms for p in rows.selection.predictors if p.key == key)
    offset = known_addend(terms, rows.arrays[key])
    return 0.0 if offset is None else offset
