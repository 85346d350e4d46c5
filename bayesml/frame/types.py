"""``Frame``: the used columns of the data, typed, without missing values; nothing in it can be changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bayesml.errors import DataError, did_you_mean
from bayesml.frame.values import Levels, Value, combine, value_texts
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
        levels: labels of a factor in order, each of them present; None for numbers and truth values.
        ordered: whether the order of the levels means something (an ordered pandas or Arrow categorical).
        is_boolean: the column held truth values; they are the numbers 0 and 1 here.
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
        """The values of the levels: text, or what ``categories`` says."""
        return self.categories or self.levels or ()

    @property
    def is_factor(self) -> bool:
        """Whether the column holds categories."""
        return self.levels is not None

    def distinct(self) -> tuple[np.ndarray, tuple[Value, ...]]:
        """Return the code of each row ``(rows,)`` into the distinct values, and these in order."""
        if self.levels is not None:
            return self.values, self.level_values
        values, codes = np.unique(self.values, return_inverse=True)
        return codes.astype(np.int64), tuple((values.astype(bool) if self.is_boolean else values).tolist())


@dataclass(frozen=True, eq=False)
class Frame:
    """The used columns of the data, rows with a missing value left out.

    Attributes:
        columns: the columns by name.
        n_rows: number of rows kept.
        rows: ``(n_rows,)`` positions of the kept rows in the data given.
        dropped: number of rows left out.
        index: the labels of the kept rows in pandas data; None where rows have none but their positions.
    """

    columns: Mapping[str, Column]
    n_rows: int
    rows: np.ndarray
    dropped: int = 0
    index: pd.Index | None = None

    def __post_init__(self) -> None:
        """Close the mapping to changes."""
        object.__setattr__(self, "columns", FrozenMapping(self.columns))

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
        found = [self.column(name).distinct() for name in names]
        combinations, codes = combine([own for own, _ in found], [len(values) for _, values in found])
        return codes, Levels(tuple(values for _, values in found), frozen_array(combinations))

    def select(self, index: np.ndarray) -> Frame:
        """Return the rows ``index`` (positions or a mask) with all levels kept."""
        columns = {
            name: replace(column, values=frozen_array(column.values[index])) for name, column in self.columns.items()
        }
        rows = frozen_array(self.rows[index])
        labels = None if self.index is None else self.index[index]
        return Frame(columns, len(rows), rows, self.dropped, labels)

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


def frozen_array(values: np.ndarray) -> np.ndarray:
    """Return ``values`` closed to changes."""
    values = np.ascontiguousarray(values)
    values.setflags(write=False)
    return values
