"""Conditional effects as data: one table for each effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.errors import ModelError

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.predict.asked_effects import Effect

__all__ = ["AbstractConditionalEffects", "inner_columns"]


def inner_columns(prob: float) -> tuple[str, str]:
    """Return the columns of the ends of an interval within the widest: ``lower50__`` and ``upper50__``."""
    return f"lower{100 * prob:g}__", f"upper{100 * prob:g}__"


@dataclass(frozen=True, repr=False)
class AbstractConditionalEffects(Mapping[str, "pd.DataFrame"]):
    """What pictures read of conditional effects; ``results.tables.effects.ConditionalEffects`` says what it all is."""

    tables: Mapping[str, pd.DataFrame]
    effects: Mapping[str, Effect]
    response: str
    observed: pd.DataFrame | None
    prob: float
    note: str = ""
    inner: tuple[float, ...] = ()
    draws: Mapping[str, np.ndarray] = field(default_factory=dict)
    rows: pd.DataFrame | None = None
    conditions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self.tables:
            raise ModelError(f"There is no effect `{name}` here; there are {', '.join(f'`{n}`' for n in self.tables)}.")
        return self.tables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)

    def __repr__(self) -> str:
        listed = ", ".join(f"{name} ({len(table)} rows)" for name, table in self.tables.items())
        note = f"; {self.note}" if self.note else ""
        return f"Conditional effects on {self.response}: {listed}{note}. Draw them with .plot()."
