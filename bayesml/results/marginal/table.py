"""The answer to a question about predictions: a table with the draws behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import ModelError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Effects"]


@final
@dataclass(frozen=True, repr=False)
class Effects:
    """Predictions, comparisons or slopes: ``effects.to_pandas()``, ``effects["estimate"]``, ``effects.draws``.

    Attributes:
        table: one row for each number: what it is about, estimate, std_error, of estimates statistic and p_value, and
            conf_low and conf_high.
        values: draws of the numbers, ``(draws, rows of the table)``; None where there are none.
        note: why there are none.
    """

    table: pd.DataFrame
    values: np.ndarray | None
    note: str = ""

    def to_pandas(self) -> pd.DataFrame:
        """Return the table."""
        return self.table

    @property
    def draws(self) -> np.ndarray:
        """Draws of the numbers, ``(draws, rows of the table)``, before ``transform``.

        Raises:
            ModelError: the fit has no draws, or there are too many to be kept.
        """
        if self.values is None:
            raise ModelError(self.note)
        return self.values

    @property
    def columns(self) -> pd.Index:
        """Names of the columns of the table."""
        return self.table.columns

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the table."""
        return self.table.shape

    def __getitem__(self, name: str) -> Any:
        if name not in self.table:
            hint = did_you_mean(str(name), [str(column) for column in self.table])
            raise ModelError(f"There is no column {name!r}{hint}; there are {', '.join(map(str, self.table))}.")
        return self.table[name]

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return self.table.to_string(index=False, float_format=lambda value: f"{value:.4g}", max_rows=40)

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, float_format=lambda value: f"{value:.4g}", max_rows=40))
