"""Group-level effects of which not every draw was kept (``keep_group_effects=``): what is left, and what needs more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesml.errors import ModelError
from bayesml.posterior import ReducedEffects
from bayesml.reported import reported_variables
from bayesml.results.record.levels import level_columns
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["effect_variables", "moments_table", "require_effects", "thinned_or_raise"]


def effect_variables(fit: AbstractSampledFit, group: str) -> list[ReportedVariable]:
    """Return the group-level effects of a grouping factor, kept or not."""
    every = reported_variables(fit.problem.description.spec, fit.problem.design.schema)
    return [v for v in every if v.kind == "r" and v.group == group]


def require_effects(fit: AbstractSampledFit, what: str) -> None:
    """Raise a ModelError where group-level effects were not kept draw by draw, and ``what`` needs them."""
    if fit.draws_record.reduced:
        raise ModelError(
            f"{what} needs every draw of the group-level effects, and the fit kept fewer "
            f'(keep_group_effects={_option(fit)!r}). Fit with keep_group_effects=True or "float32", or leave the '
            'effects out with re_formula="NA" where that is an option.'
        )


def _option(fit: AbstractSampledFit) -> object:
    return fit.engine.sampling.keep_group_effects if fit.engine.sampling else False


def thinned_or_raise(fit: AbstractSampledFit, kept: ReducedEffects) -> np.ndarray:
    """Return the draws that were kept, ``(draws, levels, coefs)``.

    Raises:
        ModelError: none were.
    """
    if kept.draws.size:
        return kept.draws.reshape(-1, *kept.draws.shape[2:])
    left = "only their means and standard deviations" if kept.counts.size else "nothing"
    raise ModelError(
        f"Of the group-level effects the fit kept {left} (keep_group_effects={_option(fit)!r}). Fit with "
        'keep_group_effects=True, "float32" or a whole number k (every k-th draw).'
    )


def moments_table(levels: Sequence[str], coefs: Sequence[str], kept: Sequence[ReducedEffects]) -> pd.DataFrame:
    """Return mean and standard deviation of each effect; there are no quantiles."""
    import pandas as pd

    mean = np.concatenate([each.mean() for each in kept], axis=1).reshape(-1)
    sd = np.concatenate([each.sd() for each in kept], axis=1).reshape(-1)
    return pd.DataFrame({**level_columns(levels, coefs), "Estimate": mean, "Est.Error": sd})
