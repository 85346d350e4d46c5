"""What a table needs of a fit of either kind: its parameters and what is said of the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bayesml.errors import ModelError
from bayesml.results.record.fit import AbstractFit, AbstractPointFit, AbstractSampledFit
from bayesml.results.tidy import tidied_draws, tidied_estimates

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["about", "parameters"]


def parameters(fit: Any, effects: tuple[str, ...], conf_level: float) -> pd.DataFrame:
    """Return the parameters in broom's columns.

    Raises:
        ModelError: it is no fit.
    """
    if isinstance(fit, AbstractSampledFit):
        return tidied_draws.tidy(fit, effects, conf_level=conf_level)
    return tidied_estimates.tidy(_estimated(fit), effects, conf_level=conf_level)


def about(fit: AbstractFit) -> dict[str, Any]:
    """Return the one row about the whole model."""
    table = (
        tidied_draws.glance(fit) if isinstance(fit, AbstractSampledFit) else tidied_estimates.glance(_estimated(fit))
    )
    return {str(name): table[name].iloc[0] for name in table}


def _estimated(fit: Any) -> AbstractPointFit:
    if not isinstance(fit, AbstractPointFit):
        raise ModelError(f"A fit is needed, as `bayesml.fit(...)` returns it; got {type(fit).__name__}.")
    return fit
