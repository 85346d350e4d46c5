"""The table of single term deletions: a fit and smaller models, each with its likelihood-ratio test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesml.engines.point.submodel import Submodel
from bayesml.results.frequentist.likelihood_ratio import chi_square_p

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["deletion_table"]


def deletion_table(full: AbstractPointFit, smaller: Sequence[tuple[str, Submodel]], heading: str) -> pd.DataFrame:
    """Return a row ``<none>`` for the fit and one for each smaller model: npar, logLik, AIC, LRT, Df, Pr(>Chisq).

    Args:
        full: the fit, by the same criterion as the smaller models.
        smaller: the models in which a term is left out, with the names of their rows.
        heading: what stands above the table.
    """
    import pandas as pd

    rows = [(full.df, full.logLik, full.aic, np.nan, np.nan, np.nan)]
    for _, model in smaller:
        rise, df = 2.0 * (full.logLik - model.log_likelihood), full.df - model.n_parameters
        aic = -2.0 * model.log_likelihood + 2.0 * model.n_parameters
        rows.append((model.n_parameters, model.log_likelihood, aic, max(rise, 0.0), df, chi_square_p(rise, df)))
    columns = ["npar", "logLik", "AIC", "LRT", "Df", "Pr(>Chisq)"]
    table = pd.DataFrame(
        rows, columns=columns, index=pd.Index(["<none>", *(name for name, _ in smaller)], dtype=object)
    )
    table.attrs["heading"] = heading
    return table
