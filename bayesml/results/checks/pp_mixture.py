"""From which component of a mixture each response comes: probabilities given the response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.errors import ModelError
from bayesml.families.mixture import log_components
from bayesml.keys import PredictorKey
from bayesml.results.checks.log_lik import at_every_draw
from bayesml.results.predict.new_levels import NewLevels
from bayesml.results.predict.prepare import Request, batches, choose_draws, prepare_rows
from bayesml.results.predict.quantity import DrawnQuantity
from bayesml.results.record.one_response import of_one

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["pp_mixture"]


def pp_mixture(
    fit: AbstractSampledFit,
    newdata: Any = None,
    *,
    resp: str | None = None,
    log: bool = False,
    re_formula: Any = None,
    new_levels: NewLevels = "error",
    ndraws: int | None = None,
    seed: int | None = None,
    summary: bool = False,
) -> xr.DataArray | pd.DataFrame:
    """Return draws of the probability that each response of a mixture comes from each component.

    P(K = k | y) = theta_k p_k(y) / sum_j theta_j p_j(y), with mixing proportions theta and densities p of the
    components, at the parameters of each draw.

    Args:
        fit: a fit of a mixture.
        newdata: rows with their response; those of the fit if None.
        resp: which of several responses.
        log: whether to return logarithms, which keep their digits where a probability is tiny.
        re_formula: which group-level effects, see ``bayesml.results.predict.predict.linpred``.
        new_levels: what unseen levels get, see ``linpred``.
        ndraws: number of draws, see ``linpred``.
        seed: seed, see ``linpred``.
        summary: whether to summarise each row, see ``linpred``.

    Returns:
        As ``linpred``, with the dimension ``component`` behind that of the rows. Components are counted from 1.

    Raises:
        DataError: see ``linpred``.
        FormulaError: see ``linpred``.
        ModelError: see ``linpred``; or the family is no mixture.

    Example:
        >>> fit.pp_mixture(summary=True)
    """
    fit = of_one(fit, resp)
    request = Request(newdata, re_formula, new_levels, ndraws, seed)
    components = fit.likelihood.components
    if not components:
        raise ModelError(f"The family {fit.family.name} is no mixture, so that its responses have no components.")
    rows, choice = prepare_rows(fit, request, response=True), choose_draws(fit, request)
    values = np.empty((choice.count, rows.count, len(components)))
    function = _memberships(fit)
    for batch in batches(fit, rows, choice, request):
        values[batch.where] = at_every_draw(fit, function, batch, rows, (len(components),))
    labels = tuple(str(k + 1) for k in range(len(components)))
    shown = values if log else np.exp(values)
    return DrawnQuantity(rows.labels, shown, choice, "pp_mixture", labels, "component").shown(summary)


def _memberships(fit: AbstractSampledFit) -> Any:
    """Return the compiled function that gives log P(K = k | y) along a last axis."""
    import jax
    from jax import numpy as jnp

    from bayesml.compile import likelihood_values

    def memberships(predictors: Mapping[PredictorKey, Any], values: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        parameters = likelihood_values(fit.likelihood, predictors, values)
        # one that has the same parameters in every row of the block is as long as the others
        logs = jnp.stack(jnp.broadcast_arrays(*log_components(fit.likelihood, data["y"], parameters, data)), axis=-1)
        return logs - jax.scipy.special.logsumexp(logs, axis=-1, keepdims=True)

    return jax.jit(memberships)
