"""``Frame``: the columns of the data that a model uses, typed and without missing values. It cannot be changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from bayesml.errors import DataError, did_you_mean
from bayesml.frame.known_matrix import KnownMatrix
from bayesml.frame.values import Levels, Value, combine, frozen_array, value_texts
from bayesml.frozen import FrozenMapping

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Column", "Frame", "frozen_array"]


@dataclass(frozen=True, eq=False)
class Column:
    """One column of the data.

    Attributes:
        name: its name.
        values: ``(rows,)``: float64 numbers, or int64 codes into ``levels``.
        levels: labels of a factor in order, without unused ones; None for numbers and truth values.
        ordered: whether the order of the levels has a meaning (an ordered categorical of pandas or Arrow).
        is_boolean: whether the column held truth values, which are the numbers 0 and 1 in ``values``.
        is_integer: every value is a whole number. Decided by the values, since a missing value turns a pandas
            column of integers into floats but not a polars one.
        categories: the values behind ``levels``, where they are not text.
    """

    name: str
    values: np.ndarray
    levels: tuple[str, ...] | None = None
    ordered: bool = False
    is_boolean: bool = False
    is_integer: bool = False
    categories: tuple[Value, ...] | None = None

    @property
    def level_values(self) -> tuple[Value, ...]:
        """The values of the levels: ``categories``, or their labels where they are text."""
        return self.categories or self.levels or ()

    @property
    def is_factor(self) -> bool:
        """Whether the column holds categories."""
        return self.levels is not None

    def distinct(self) -> tuple[np.ndarray, tuple[Value, ...]]:
        """Return a code for each row, ``(rows,)``, and the distinct values in order that the codes stand for."""
        if self.levels is not None:
            return self.values, self.level_values
        values, codes = np.unique(self.values, return_inverse=True)
        return codes.astype(np.int64), tuple((values.astype(bool) if self.is_boolean else values).tolist())


@dataclass(frozen=True, eq=False)
class Frame:
    """The columns of the data that a model uses, without the rows that have a missing value in one of them.

    Attributes:
        columns: the columns by name.
        n_rows: number of rows kept.
        rows: positions of the kept rows in the data that were given, ``(n_rows,)``.
        dropped: number of rows left out.
        index: labels of the kept rows, from the index of pandas data; None for other data and for the default index.
        matrices: the matrices beside the table that a model uses, ``data2``, by name.
    """

    columns: Mapping[str, Column]
    n_rows: int
    rows: np.ndarray
    dropped: int = 0
    index: pd.Index | None = None
    matrices: Mapping[str, KnownMatrix] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the mappings immutable."""
        object.__setattr__(self, "columns", FrozenMapping(self.columns))
        object.__setattr__(self, "matrices", FrozenMapping(self.matrices))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.columns)

    def labels(self) -> pd.Index:
        """Return a label for each row: the index of the pandas data that was given, else positions in the data."""
        import pandas as pd

        return pd.Index(self.rows, name="obs") if self.index is None else self.index

    def column(self, name: str) -> Column:
        """Return the column ``name``.

        Raises:
            DataError: there is no such column.
        """
        if name not in self.columns:
            raise DataError(f"`{name}` is not a column of the data{did_you_mean(name, self.columns)}.")
        return self.columns[name]

    def factor(self, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return any column as a factor: integer codes ``(rows,)`` and the labels of the levels.

        Numbers sort as numbers and are labelled ``308``, ``0.5``; truth values are ``False`` and ``True``.
        """
        column = self.column(name)
        if column.levels is not None:
            return column.values, column.levels
        codes, values = column.distinct()
        return codes, value_texts(values)

    def interaction(self, names: Sequence[str]) -> tuple[np.ndarray, Levels]:
        """Return the factor of all combinations of values that occur: codes ``(rows,)`` and levels.

        Levels are ordered by the first factor, then the second, and so on.
        """
        columns = [self.column(name).distinct() for name in names]
        combinations, codes = combine([codes for codes, _ in columns], [len(values) for _, values in columns])
        return codes, Levels(tuple(values for _, values in columns), frozen_array(combinations))

    def select(self, index: np.ndarray) -> Frame:
        """Return the rows ``index`` (positions or a mask) with all levels kept."""
        columns = {
            name: replace(column, values=frozen_array(column.values[index])) for name, column in self.columns.items()
        }
        rows = frozen_array(self.rows[index])
        labels = None if self.index is None else self.index[index]
        return Frame(columns, len(rows), rows, self.dropped, labels, self.matrices)

    def replace_columns(self, columns: Iterable[Column]) -> Frame:
        """Return the frame with these columns put in place of those of the same name."""
        return replace(self, columns={**self.columns, **{column.name: column for column in columns}})

    def to_pandas(self) -> pd.DataFrame:
        """Return a pandas DataFrame with the index of the data: floats, booleans, Categoricals of the same levels."""
        import pandas as pd

        content = {}
        for name, column in self.columns.items():
            if column.levels is not None:
                content[name] = pd.Categorical.from_codes(column.values, list(column.levels), ordered=column.ordered)
            else:
                content[name] = column.values.astype(bool) if column.is_boolean else column.values
        return pd.DataFrame(content, index=pd.RangeIndex(self.n_rows) if self.index is None else self.index)
