"""How much each row decides: leverage and Cook's distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesml.results.frequentist.residuals import fitted, residual_values
from bayesml.results.frequentist.submodels import require_one_predictor

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["influence"]


def influence(fit: AbstractPointFit) -> pd.DataFrame:
    """Return leverage and influence of every row, given the estimated variances.

    The leverage h is the derivative of a fitted value in its own response (diagonal of the matrix that maps responses
    to fitted values, group effects included); for other than linear mixed models that of the working responses at the
    mode. Cook's distance is ``(r / (1 - h))^2 h / p`` with the scaled residual r and p coefficients: how far the fitted
    values move when the row is left out.

    Args:
        fit: the fit.

    Returns:
        One row for each observation: fitted, residual (scaled Pearson), studentised ``r / sqrt(1 - h)``, leverage,
        cooks_distance. The index is that of the pandas data, or the position of the row in other data.

    Example:
        >>> fit.influence().nlargest(5, "cooks_distance")
    """
    import pandas as pd

    require_one_predictor(fit, "influence()")
    scaled = residual_values(fit, "scaled")
    leverage = fit.estimate.leverages
    left = np.maximum(1.0 - leverage, np.finfo(float).tiny)
    p = max(len(fit.estimate.kept), 1)
    return pd.DataFrame(
        {
            "fitted": fitted(fit),
            "residual": scaled,
            "studentised": scaled / np.sqrt(left),
            "leverage": leverage,
            "cooks_distance": (scaled / left) ** 2 * leverage / p,
        },
        index=fit.frame.labels(),
    )
