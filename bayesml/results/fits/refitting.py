"""A fit without some of its rows, and the density that it gives to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar, final

import numpy as np

from bayesml.engines import SamplerOptions
from bayesml.errors import BayesmlError, ModelError
from bayesml.posterior import Draws
from bayesml.results.checks.log_lik import log_lik
from bayesml.results.fits.updating import updated
from bayesml.results.frequentist.normal_draws import normal_outcome
from bayesml.results.predict.new_levels import NewLevels
from bayesml.results.record.fit import AbstractPointFit, AbstractSampledFit

__all__ = ["LeftOut", "density_of_left_out", "without_rows"]

F = TypeVar("F", bound=AbstractSampledFit)


@final
@dataclass(frozen=True, repr=False)
class Estimated(AbstractPointFit):
    """A point estimate on its way to draws."""


@final
@dataclass(frozen=True)
class LeftOut:
    """What a refit says of the rows that it has not seen.

    Attributes:
        log_density: log p(y_i | draw), ``(draws, rows)``.
        problems: what is wrong with the draws of the refit.
    """

    log_density: np.ndarray
    problems: tuple[str, ...]


def without_rows(fit: F, rows: np.ndarray) -> F:
    """Fit the same model, with the same settings, without some rows.

    A compiled program serves again where the remaining rows and levels are as many as before. Draws around a point
    estimate are drawn anew around the estimate of the remaining rows.

    Args:
        fit: the fit.
        rows: positions of the rows to leave out.
    """
    kept = np.setdiff1d(np.arange(fit.nobs), rows)
    silent: SamplerOptions = {} if fit.engine.sampling is None else {"progress": False}
    fitted = updated(fit, data=fit.frame.select(kept), data_name=fit.data_name, options=silent)
    outcome = fitted.outcome
    if not isinstance(outcome.posterior, Draws):
        estimated = Estimated(fitted.problem, fitted.frame, outcome, fitted.recipe)
        outcome = normal_outcome(estimated, fit.draws_record.n_chains * fit.draws_record.n_draws, fit.seed)
    return replace(fit, problem=fitted.problem, frame=fitted.frame, outcome=outcome, recipe=fitted.recipe)


def density_of_left_out(fit: AbstractSampledFit, new_levels: NewLevels, rows: np.ndarray) -> LeftOut:
    """Fit the model without some rows and return their log densities.

    Args:
        fit: the fit.
        new_levels: what levels get that the remaining rows lack, see ``linpred``.
        rows: positions of the rows to leave out.

    Raises:
        ModelError: the model cannot be fitted without the rows, or says nothing of them.
    """
    try:
        refit = without_rows(fit, rows)
        newdata = fit.frame.select(rows).to_pandas()
        values = log_lik(refit, newdata, new_levels=new_levels, seed=fit.seed).to_numpy()
    except BayesmlError as error:
        labels = ", ".join(str(label) for label in fit.frame.labels()[rows[:3]])
        more = ", ..." if len(rows) > 3 else ""
        raise ModelError(f"Without the rows {labels}{more}: {error}") from error
    return LeftOut(values.reshape(-1, len(rows)), tuple(refit.diagnostics.problems))
