"""Results that are a table, and more beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AbstractTableResult"]


class AbstractTableResult:
    """A result with a table, whose columns are its items."""

    table: pd.DataFrame

    def to_pandas(self) -> pd.DataFrame:
        """Return the table."""
        return self.table

    def __getitem__(self, name: str) -> pd.Series:
        return self.table[name]

    def __len__(self) -> int:
        return len(self.table)
