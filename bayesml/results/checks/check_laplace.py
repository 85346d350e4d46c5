"""A point estimate held against the posterior: how far is each number from where NUTS puts it?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bayesml.convergence import convergence
from bayesml.engines import SAMPLER, dispatch, get_engine, with_options
from bayesml.errors import ModelError
from bayesml.results.checks.diagnostics import warn_about
from bayesml.results.fits.fit_object import Fit
from bayesml.results.questions.parameters import elements
from bayesml.results.record.fit import AbstractPointFit, AbstractSampledFit

if TYPE_CHECKING:
    import pandas as pd


__all__ = ["check_laplace"]

COLUMNS = ["estimate", "mean", "median", "sd", "distance", "below", "mcse", "sd_ratio"]


def check_laplace(
    fit: AbstractPointFit,
    draws: int = 1000,
    chains: int = 4,
    seed: int | None = None,
    progress: bool = False,
    effects: bool = False,
) -> pd.DataFrame:
    """Fit the same model by NUTS and tell how far the point estimate is from the posterior.

    The posterior holds the model's priors (weakly informative unless set) and the uncertainty of the variances, so
    small differences are no fault. A distance above about 0.3 means that the approximation or a prior matters. For
    standard deviations near zero, whose posterior is skewed, that is usual; for coefficients of binary data with few
    rows in each group it is the bias of Laplace's approximation, which ``Laplace(quadrature_points=7)`` or NUTS cures.

    Args:
        fit: a point estimate. With ``weights()``, which are powers of the densities here, a REML fit differs by that.
        draws: draws in each chain.
        chains: number of chains.
        seed: whole number; the same seed gives the same answer.
        progress: whether to show how far the run is, on one line.
        effects: whether to check the group effects too.

    Returns:
        One row for each parameter: the estimate; mean, median and sd of the posterior; ``distance``, estimate minus
        mean in posterior sds; ``below``, the posterior probability of smaller values; ``mcse``, the Monte Carlo error
        of the distance; ``sd_ratio``, standard error over posterior sd (coefficients).

    Raises:
        ModelError: the fit is no point estimate.

    Warns:
        FitWarning: the sampler had problems.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("cbpp")
        >>> fit = bayesml.fit("incidence | trials(size) ~ period + (1 | herd)", data, "binomial", method="laplace")
        >>> bayesml.check_laplace(fit, seed=1)
    """
    import pandas as pd

    if not isinstance(fit, AbstractPointFit):
        raise ModelError("check_laplace() is for point estimates; a NUTS fit is the posterior itself.")
    options = {"draws": draws, "chains": chains, "seed": seed, "progress": progress}
    engine = with_options(get_engine(SAMPLER), options)
    outcome = dispatch.run(engine, fit.problem)
    sampled = Fit(fit.problem, fit.frame, outcome, replace(fit.recipe, engine=outcome.engine or engine))
    warn_about(sampled)
    found = list(_pairs(fit, sampled, effects))
    texts, estimates = [text for text, _, _ in found], np.array([value for _, value, _ in found])
    table = pd.DataFrame(_compared(fit, texts, estimates, np.stack([d for *_, d in found], axis=2)), index=texts)
    return table[COLUMNS]


def _pairs(
    fit: AbstractPointFit, sampled: AbstractSampledFit, effects: bool
) -> Iterator[tuple[str, float, np.ndarray]]:
    """Yield name, estimate and draws ``(chains, draws)`` of everything estimated."""
    drawn, estimates = sampled.draws_record.values, fit.estimate.values
    known = {e.text for e in elements(fit)}
    for variable in fit.variables:
        wanted = effects if variable.kind == "r" else True
        if not wanted or variable.name not in drawn or variable.name not in estimates:
            continue
        for index, text in variable.texts:
            if variable.kind == "r" or text in known:
                yield (
                    text,
                    float(estimates[variable.name][index]),
                    np.moveaxis(drawn[variable.name], (0, 1), (-2, -1))[index],
                )


def _compared(
    fit: AbstractPointFit, texts: list[str], estimates: np.ndarray, drawn: np.ndarray
) -> dict[str, np.ndarray]:
    flat = drawn.reshape(-1, drawn.shape[2])
    mean, sd = flat.mean(axis=0), flat.std(axis=0, ddof=1)
    errors = dict(zip(fit.estimate.texts, fit.estimate.standard_errors, strict=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "estimate": estimates,
            "mean": mean,
            "median": np.median(flat, axis=0),
            "sd": sd,
            "distance": (estimates - mean) / sd,
            "below": np.where(np.isfinite(estimates), (flat < estimates).mean(axis=0), np.nan),
            "mcse": convergence(drawn).mcse / sd,
            "sd_ratio": np.array([errors.get(text, np.nan) for text in texts]) / sd,
        }
