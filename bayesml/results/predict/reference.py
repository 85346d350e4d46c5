"""Where effects and marginal means stand: which columns are categories, and the values at which others are held.

Numbers are held at their mean, categories at their first level. A number that the formula makes into a factor as it
is, ``factor(k)``, counts as categories; a number inside another expression, ``C(x > 5)`` or ``log(x)``, stays a number.
Where an expression cannot be computed at the mean (``C(round(x))`` has no level there), the observed values nearest to
it stand in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from bayesml.columns import Computation, made_factors
from bayesml.design import PredictorDesign, Schema
from bayesml.errors import DataError
from bayesml.formula import Predictor
from bayesml.frame import Frame, read_frame

__all__ = ["Reference", "reference"]


@final
@dataclass(frozen=True)
class Reference:
    """What is known of the columns of a model.

    Attributes:
        frame: the data of the fit.
        made: numbers that the formula makes into factors.
        computations: what is computed from the columns.
    """

    frame: Frame
    made: frozenset[str]
    computations: tuple[Computation, ...]

    def is_categorical(self, name: str) -> bool:
        """Whether a column counts as categories: a factor, truth values, or numbers made into a factor."""
        column = self.frame.columns[name]
        return column.is_factor or column.is_boolean or name in self.made

    def categories(self, name: str) -> list[Any]:
        """Return the levels of a categorical column; of numbers and truth values those observed."""
        column = self.frame.columns[name]
        if column.levels is not None:
            return list(column.levels)
        distinct = np.unique(column.values)
        return distinct.astype(bool).tolist() if column.is_boolean else distinct.tolist()

    def held(self, names: Iterable[str]) -> dict[str, Any]:
        """Return the value at which each column is held."""
        values = {name: self.categories(name)[0] if self.is_categorical(name) else self._mean(name) for name in names}
        return self.observed_for(values, {name: [value] for name, value in values.items()}, 1)

    def observed_for(
        self, held: Mapping[str, Any], grid: Mapping[str, Sequence[Any]], count: int, moved: Collection[str] = ()
    ) -> dict[str, Any]:
        """Return held values with observed numbers where the grid has rows at which something cannot be computed.

        Args:
            held: value at which each column is held.
            grid: the rows.
            count: number of rows.
            moved: the columns that go along in the grid.
        """
        stuck = {
            name
            for part in self.computations
            if grid.keys() >= set(part.columns) and not _possible(part, grid, count).all()
            for name in part.columns
            if name in held and name not in moved and not self.is_categorical(name)
        }
        return {**held, **self._nearest_row(sorted(stuck), held)}

    def possible(self, values: Mapping[str, Sequence[Any]], count: int) -> np.ndarray:
        """Return at which rows of a grid all is computable, ``(rows,)``; columns that are absent are left out."""
        found = np.ones(count, dtype=bool)
        for part in self.computations:
            if values.keys() >= set(part.columns):
                found &= _possible(part, values, count)
        return found

    def around(self, name: str, held: Mapping[str, Any]) -> list[float]:
        """Return a number's mean and one standard deviation to either side; observed values where these cannot be."""
        values = self.frame.columns[name].values
        mean, sd = float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0
        three = [mean - sd, mean, mean + sd]
        rows = {column: [value] * len(three) for column, value in held.items()}
        return three if self.possible({**rows, name: three}, len(three)).all() else self.nearest_observed(name, three)

    def nearest_observed(self, name: str, values: Iterable[float]) -> list[float]:
        """Return the observed number nearest to each value, each once."""
        distinct = np.unique(self.frame.columns[name].values)
        return list(dict.fromkeys(float(distinct[np.argmin(np.abs(distinct - value))]) for value in values))

    def _mean(self, name: str) -> float:
        return float(self.frame.columns[name].values.mean())

    def _nearest_row(self, names: Sequence[str], values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the numbers of the observed row that is nearest to the means, in standard deviations."""
        if not names:
            return {}
        table = np.column_stack([self.frame.columns[name].values for name in names])
        spread = np.maximum(table.std(axis=0), np.finfo(float).tiny)
        distance = (((table - [values[name] for name in names]) / spread) ** 2).sum(axis=1)
        return dict(zip(names, table[int(np.argmin(distance))].tolist(), strict=True))


def reference(frame: Frame, schema: Schema, predictors: Sequence[PredictorDesign]) -> Reference:
    """Return what is known of the columns of some predictors of a model."""
    made = {
        name
        for predictor in predictors
        # category specific effects have no formula of their own: their terms are among those of mu
        if (written := schema.written(predictor.key)) is not None
        for text in _texts(written, predictor)
        for name in made_factors(text, schema.functions)
    }
    parts = tuple(part for predictor in predictors for term in predictor.terms for part in term.computations())
    return Reference(_without_gaps(frame), frozenset(made), parts)


def _without_gaps(frame: Frame) -> Frame:
    """Return the frame with the mean of the others where a number is missing, as predictors in ``mi()`` may be."""
    gaps = [c for c in frame.columns.values() if c.levels is None and np.isnan(c.values).any()]
    filled = (replace(c, values=np.where(np.isnan(c.values), np.nanmean(c.values), c.values)) for c in gaps)
    return frame.replace_columns(filled)


def _texts(parsed: Predictor, design: PredictorDesign) -> Iterator[str]:
    keys = {group.key for group in design.groups()}
    groups = [group.columns for group in parsed.groups if ":".join(group.factors) in keys]
    for part in (parsed.population, *groups):
        yield from (factor for term in part.terms for factor in term)


def _possible(part: Computation, values: Mapping[str, Sequence[Any]], count: int) -> np.ndarray:
    """Return at which rows of a grid one expression can be computed; each combination of values is tried once."""
    rows = list(zip(*(values[name] for name in part.columns), strict=True)) if part.columns else [()] * count
    distinct = list(dict.fromkeys(rows))
    columns = {name: [row[i] for row in distinct] for i, name in enumerate(part.columns)}
    try:
        frame = read_frame(columns, part.columns) if columns else Frame({}, 1, np.zeros(1, dtype=np.int64))
    except DataError:  # ``newdata`` is no data at all: the prediction says so
        return np.ones(count, dtype=bool)
    known = dict(zip(distinct, part.possible(frame).tolist(), strict=True))
    return np.array([known[row] for row in rows], dtype=bool)
