"""A fit without some of its rows, and the density that it gives to them."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TypeVar, final

import numpy as np

from bayesml.describe import Description, describe
from bayesml.design import redesign
from bayesml.engines import Problem, SamplerOptions, with_options
from bayesml.errors import BayesmlError, ModelError
from bayesml.posterior import Draws
from bayesml.results.checks.log_lik import log_lik
from bayesml.results.fits.fitting import encode_data, run_model
from bayesml.results.fits.updating import updated
from bayesml.results.frequentist.normal_draws import normal_outcome
from bayesml.results.predict.new_levels import NewLevels
from bayesml.results.record.fit import AbstractPointFit, AbstractSampledFit
from bayesml.results.record.recipe import PreparedModel, Recipe

__all__ = ["LeftOut", "density_of_left_out", "without_rows"]

POLICY_OF_MODEL: NewLevels = "gaussian"
"""New levels whose effects are drawn as the model draws those of levels without rows."""

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


def without_rows(fit: F, rows: np.ndarray, *, keep_levels: bool = False) -> F:
    """Fit the same model, with the same settings, without some rows.

    Encodings and priors are those of the fit, so that a compiled program serves again where as many rows remain as
    before; of several responses, and where a level has no row any more, they are made for the remaining rows. Draws
    around a point estimate are drawn anew around the estimate of the remaining rows.

    Args:
        fit: the fit.
        rows: positions of the rows to leave out.
        keep_levels: whether levels stay that have no row any more, whose effects then come from their distribution.
    """
    kept = np.setdiff1d(np.arange(fit.nobs), rows)
    silent: SamplerOptions = {} if fit.engine.sampling is None else {"progress": False}
    if _is_the_same_model(fit, kept, keep_levels):
        recipe = replace(fit.recipe, engine=with_options(fit.engine.anew(), silent))
        fitted = run_model(_of_rows(fit, kept, recipe), time.perf_counter())
    else:
        fitted = updated(fit, data=fit.frame.select(kept), data_name=fit.data_name, options=silent)
    outcome = fitted.outcome
    if not isinstance(outcome.posterior, Draws):
        estimated = Estimated(fitted.problem, fitted.frame, outcome, fitted.recipe)
        outcome = normal_outcome(estimated, fit.draws_record.n_chains * fit.draws_record.n_draws, fit.seed)
    return replace(fit, problem=fitted.problem, frame=fitted.frame, outcome=outcome, recipe=fitted.recipe)


def _is_the_same_model(fit: AbstractSampledFit, kept: np.ndarray, keep_levels: bool) -> bool:
    """Whether one response is left whose model has the same parameters, each of the same shape."""
    design = fit.problem.design
    one = design.responses[0]
    if len(design.responses) > 1 or one.data.unobserved is not None or one.index is not None or fit.frame.matrices:
        return False
    if any(array.shape[:1] != (fit.nobs,) for array in one.data.arrays.values()):
        return False
    _, fresh = encode_data(fit.recipe, fit.frame.select(kept), fit.parsed)
    described = describe(fresh, fit.recipe.priors, fit.recipe.default_priors)
    return _shapes(described, keep_levels) == _shapes(fit.problem.description, keep_levels)


def _shapes(description: Description, keep_levels: bool) -> object:
    """Return names and shapes of all parameters; with ``keep_levels`` those of standard normal variables may differ."""
    spec = description.spec
    shapes = [(p.name, () if keep_levels and not p.prior_class else p.shape) for p in spec.parameters]
    return None if keep_levels else spec.levels, shapes


def _of_rows(fit: AbstractSampledFit, kept: np.ndarray, recipe: Recipe) -> PreparedModel:
    """Return the model of some rows with the encodings and priors of the fit."""
    frame, design = fit.frame.select(kept), fit.problem.design
    response = {name: array[kept] for name, array in design.response.arrays.items()}
    weights = None if design.weights is None else design.weights[kept]
    fewer = replace(design, arrays=redesign(design.schema, frame)).with_response(response, weights)
    return PreparedModel(Problem(fewer, fit.problem.description), frame, recipe)


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
        sampled = fit.engine.sampling is not None  # around an estimate, standard deviations would not vary
        refit = without_rows(fit, rows, keep_levels=sampled and new_levels == POLICY_OF_MODEL)
        newdata = fit.frame.select(rows).to_pandas()
        values = log_lik(refit, newdata, new_levels=new_levels, seed=fit.seed).to_numpy()
    except BayesmlError as error:
        labels = ", ".join(str(label) for label in fit.frame.labels()[rows[:3]])
        more = ", ..." if len(rows) > 3 else ""
        raise ModelError(f"Without the rows {labels}{more}: {error}") from error
    return LeftOut(values.reshape(-1, len(rows)), tuple(refit.diagnostics.problems))
