"""``loo_model_weights(...)``: weights for averages of models (Yao, Vehtari, Simpson & Gelman 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.checks.elpd import AbstractElpd
from bayesml.results.checks.loo_compare import compared_models, kind_of, named_models, stacking_weights
from bayesml.results.checks.loo_result import LooResult
from bayesml.results.record.fit import AbstractSampledFit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["loo_model_weights", "pseudo_bma_weights"]

FEW = (
    "loo_model_weights() takes at least two fits, loo_model_weights([fit, other]), or a dict of fits by name; or what "
    "loo(), waic() or kfold() returned in their place"
)


def loo_model_weights(
    *fits: AbstractSampledFit | AbstractElpd | LooResult | Mapping[str, Any] | Sequence[Any],
    method: Literal["stacking", "pseudobma"] = "stacking", BB: bool = True, BB_n: int = 1000, seed: int = 1,
) -> pd.Series:  # fmt: skip
    """Return weights for averages of the predictive distributions of models.

    ``"stacking"`` maximises ``sum_i log sum_k w_k p_k(y_i | y without y_i)``. ``"pseudobma"`` takes
    ``w_k = exp(elpd_k) / sum_j exp(elpd_j)``; with ``BB`` (pseudo-BMA+) it averages them over the Bayesian bootstrap
    ``elpd_k = n sum_i a_i elpd_ik`` with a ~ Dirichlet(1, ..., 1), which allows for the uncertainty of the densities.

    Args:
        fits: two or more fits of the same observations, a list of them, or a dict of fits by name; what ``loo()``
            returned may stand in the place of a fit, what ``waic()`` or ``kfold()`` returned in that of all.
        method: ``"stacking"`` or ``"pseudobma"``.
        BB: whether pseudo-BMA uses the Bayesian bootstrap.
        BB_n: number of its replications.
        seed: its seed.

    Returns:
        One weight for each model, in the order given; their sum is 1.

    Raises:
        ModelError: an argument is impossible, or the models cannot be compared, see ``loo_compare``.

    Warns:
        FitWarning: see ``loo_compare``.

    Example:
        >>> bayesml.loo_model_weights({"slopes": fit, "intercepts": other})
    """
    import pandas as pd

    if method not in ("stacking", "pseudobma"):
        raise ModelError(f'`method` is "stacking" or "pseudobma"; got {method!r}.')
    if not isinstance(BB, bool):
        raise ModelError(f"`BB` is True or False; got {BB!r}.")
    if isinstance(BB_n, bool) or not isinstance(BB_n, int) or BB_n < 1:
        raise ModelError(f"`BB_n` is a whole number of at least 1; got {BB_n!r}.")
    named = named_models(fits, FEW)
    kind_of(named)
    found = compared_models(named)
    densities = np.stack([one.elpd for one in found.values()], axis=1)
    if method == "stacking":
        weights = stacking_weights(densities)
    else:
        weights = pseudo_bma_weights(densities, BB_n if BB else 0, seed)
    return pd.Series(weights, index=pd.Index(list(found), dtype=object), name="weight")


def pseudo_bma_weights(log_densities: np.ndarray, replications: int, seed: int) -> np.ndarray:
    """Return pseudo-BMA weights.

    Args:
        log_densities: ``(rows, models)`` leave-one-out log densities.
        replications: of the Bayesian bootstrap; 0 for the sums as they are.
        seed: its seed.
    """
    if not replications:
        return _softmax(log_densities.sum(axis=0))
    rng, n = np.random.default_rng(seed), len(log_densities)
    found = (_softmax(n * rng.dirichlet(np.ones(n)) @ log_densities) for _ in range(replications))
    return np.asarray(sum(found) / replications)


def _softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max())
    return np.asarray(powers / powers.sum())
