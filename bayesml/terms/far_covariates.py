"""Group-level slopes of covariates far from zero, beside which the prior of the intercepts has an unintended effect."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["far_covariates"]

FAR = 50.0  # standard deviations: the sd of the intercepts is then some 50 times what the slopes do within the data


def far_covariates(group: str, coefs: tuple[str, ...], columns: np.ndarray) -> Iterator[str]:
    """Yield one sentence for each covariate far from zero, beside a constant column, in a correlated block.

    The effects at covariate 0 are then as large as the distance times the slopes and correlated with them to nearly 1
    or -1. A prior on sd(Intercept), which is meant for effects within the data, all but rules that out, and a sampler
    may settle where there are no slopes.

    Args:
        group: the grouping factor.
        coefs: label of each column.
        columns: ``(rows, coefs)``.
    """
    spread = np.ptp(columns, axis=0)
    if not np.any((spread == 0.0) & (columns[0] != 0.0)):
        return
    mean, sd = columns.mean(axis=0), columns.std(axis=0)
    for place in np.flatnonzero((spread > 0.0) & (np.abs(mean) > FAR * sd)):
        name = coefs[place]
        yield (
            f"`{name}` lies {abs(mean[place]) / sd[place]:.0f} standard deviations from 0 and has an effect for each "
            f"level of `{group}` beside an intercept. The prior on the standard deviation of the intercepts is of "
            f"effects at `{name}` = 0, far outside the data, and sampling may end without the slopes. Centre it: "
            f"`I({name} - {mean[place]:.6g})` in the formula, or a column of differences from the mean"
        )
