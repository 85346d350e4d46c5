"""``fit.rhats()``: Rhat of every parameter within each imputed data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesml.convergence import convergence
from bayesml.results.record.select import elements

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["rhats"]


def rhats(fit: AbstractSampledFit) -> pd.DataFrame:
    """Return Rhat of every parameter, measured within the chains of each data set of ``fit_multiple``.

    Args:
        fit: the fit.

    Returns:
        A row for each data set, counted from 1, and a column for each parameter; a fit of one data set has one row.
        NaN where the draws do not vary, and for draws that come from no chain.

    Example:
        >>> fit.rhats().max(axis=1)
    """
    import pandas as pd

    record = fit.draws_record
    chosen = elements(record.values, fit.variables)
    parts = np.split(chosen.values, fit.outcome.data_sets)
    rows = [convergence(part).rhat if record.statistics else np.full(len(chosen.names), np.nan) for part in parts]
    index = pd.RangeIndex(1, len(rows) + 1, name="data set")
    return pd.DataFrame(np.stack(rows), index=index, columns=list(chosen.names))
