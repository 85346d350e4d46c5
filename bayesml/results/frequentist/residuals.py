"""Fitted values and residuals of the rows of the fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from bayesml.engines.point.answers import NormalRows
from bayesml.engines.point.several.estimate import SeveralEstimate
from bayesml.engines.point.several.response import SeveralResponse
from bayesml.engines.weighting import sigma_of_rows, weights_are_precisions
from bayesml.errors import ModelError
from bayesml.families import Curvature
from bayesml.results.record.one_response import answers, has_several, of_one

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractPointFit

__all__ = [
    "ResidualType",
    "expected",
    "fitted",
    "natural_parameters",
    "residual_values",
    "residuals",
    "several_parameters",
    "shown_response",
]

ResidualType = Literal["response", "pearson", "deviance", "working", "scaled"]
SATURATED_STEPS = 100


def natural_parameters(
    fit: AbstractPointFit, eta: np.ndarray, weights: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Return every distributional parameter on its own scale at a linear predictor; ``sigma`` is 0 if not estimated.

    With weights that are precisions ``sigma`` is that of each row, sigma / sqrt(weight).
    """
    auxiliary = {p.name: np.asarray(fit.estimate.auxiliary.get(p.name, 0.0)) for p in fit.likelihood.dpars[1:]}
    if weights is not None and weights_are_precisions(fit.method, fit.likelihood):
        auxiliary["sigma"] = sigma_of_rows(auxiliary["sigma"], weights)
    return {"mu": fit.likelihood.link("mu").inverse(eta), **auxiliary}


def expected(
    fit: AbstractPointFit, eta: np.ndarray, data: dict[str, np.ndarray], weights: np.ndarray | None = None
) -> np.ndarray:
    """Return the expected response at a linear predictor; of a lognormal response it depends on precision weights."""
    mean = np.asarray(fit.likelihood.mean(natural_parameters(fit, eta, weights), data), dtype=float)
    return np.zeros(np.shape(eta)) + mean


def fitted(fit: AbstractPointFit) -> np.ndarray:
    """Return the expected response of the rows of the fit; of categories the probability of each."""
    if isinstance(fit.estimate, SeveralEstimate):
        natural, data = several_parameters(fit, fit.estimate), dict(fit.problem.design.response.arrays)
        mean = np.asarray(fit.likelihood.mean(natural, data), dtype=float)
        return np.broadcast_to(mean, (fit.nobs, *fit.likelihood.event_shape))
    design = fit.problem.design
    return expected(fit, fit.estimate.eta, dict(design.response.arrays), design.weights)


def shown_response(fit: AbstractPointFit, estimate: SeveralEstimate) -> SeveralResponse:
    """Return the rows of the model; where the fit is shown as that of one of several responses, its own."""
    response, names = estimate.model.response, [each.name for each in fit.problem.design.responses]
    is_part = len(names) < len(estimate.problem.design.responses)
    return response.seen_by(names[0]) if is_part else response


def several_parameters(fit: AbstractPointFit, estimate: SeveralEstimate) -> dict[str, np.ndarray]:
    """Return every parameter of the rows of the fit on its natural scale, where rows have several linear predictors."""
    design, response = fit.problem.design, shown_response(fit, estimate)
    eta = estimate.eta.reshape(estimate.model.response.slots.count, -1)
    natural = response.natural(eta, estimate.fit.psi, design.arrays, design.response.arrays)
    if design.weights is not None and response.precisions:
        natural["sigma"] = sigma_of_rows(natural["sigma"], design.weights)
    return natural


def residuals(
    fit: AbstractPointFit, type: ResidualType = "response", *, resp: str | None = None
) -> pd.Series | pd.DataFrame:
    """Return the residuals of the rows of the fit at the conditional modes.

    Args:
        fit: the fit.
        type: ``"response"`` is y minus the expected response. ``"pearson"`` divides by the standard deviation of the
            response relative to the dispersion, as R does: of a gaussian model 1 / sqrt(weight), of a Gamma model
            mu / sqrt(weight). ``"scaled"`` divides by the whole standard deviation. ``"deviance"`` is the signed square
            root of each row's part of the deviance. ``"working"`` is the residual on the scale of the linear predictor.
        resp: which of several responses; None takes all of them.

    Returns:
        One value for each row, with the index of the data; of several responses a column for each.

    Raises:
        ModelError: the type is unknown, or there is no such response.

    Example:
        >>> fit.residuals("pearson")
    """
    import pandas as pd

    def of(one: AbstractPointFit) -> pd.Series:
        return pd.Series(residual_values(one, type), index=fit.frame.labels())

    if resp is not None or not has_several(fit):
        return of(of_one(fit, resp))
    return pd.DataFrame(answers(fit, of))


def residual_values(fit: AbstractPointFit, type: ResidualType) -> np.ndarray:
    """Return the residuals of the rows of the fit, see ``residuals``."""
    if type not in get_args(ResidualType):
        raise ModelError(f"`type` is one of {', '.join(repr(t) for t in get_args(ResidualType))}; got {type!r}.")
    if not fit.estimate.has_one_predictor:
        return _of_several(fit, type)
    rows = fit.estimate.normal_rows
    if rows is not None and not fit.likelihood.traits.response_on_log_scale:
        return _normal(rows, type)
    y = np.asarray(fit.problem.design.response.arrays["y"], dtype=float)
    if type == "response":
        return y - fitted(fit)
    if type in ("pearson", "scaled"):
        data = fit.problem.design.response.arrays
        weights = fit.problem.design.weights
        variance = fit.likelihood.variance(natural_parameters(fit, fit.estimate.eta, weights), data)
        root = 1.0 if weights_are_precisions(fit.method, fit.likelihood) else _root_weights(fit)
        root = root * (fit.likelihood.root_dispersion(fit.estimate.auxiliary) if type == "pearson" else 1.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            plain = y - fitted(fit)
            return np.where(plain == 0.0, 0.0, root * plain / np.sqrt(variance))
    return _working(fit) if type == "working" else _deviance(fit)


def _of_several(fit: AbstractPointFit, type: ResidualType) -> np.ndarray:
    if fit.likelihood.event_shape or type in ("deviance", "working"):
        has_categories = "the response has categories." if fit.likelihood.event_shape else ""
        raise ModelError(
            f"There are no residuals of type {type!r} for this model: "
            + (has_categories or "a row has more linear predictors than that of `mu`.")
        )
    plain = np.asarray(fit.problem.design.response.arrays["y"], dtype=float) - fitted(fit)
    if type == "response":
        return plain
    assert isinstance(fit.estimate, SeveralEstimate)
    natural = several_parameters(fit, fit.estimate)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = fit.likelihood.variance(natural, fit.problem.design.response.arrays)
        root = 1.0 if shown_response(fit, fit.estimate).precisions else _root_weights(fit)
        return np.where(plain == 0.0, 0.0, root * plain / np.sqrt(variance))


def _normal(rows: NormalRows, type: ResidualType) -> np.ndarray:
    if type in ("response", "working"):
        return rows.residuals
    return rows.weighted / rows.sigma if type == "scaled" else rows.weighted


def _root_weights(fit: AbstractPointFit) -> np.ndarray | float:
    weights = fit.problem.design.weights
    return 1.0 if weights is None else np.sqrt(weights)


def _curve(fit: AbstractPointFit, eta: np.ndarray, order: int) -> Curvature:
    auxiliary = {name: float(v) for name, v in natural_parameters(fit, np.zeros(1)).items() if name != "mu"}
    return fit.likelihood.curvature(eta, fit.problem.design.response.arrays, auxiliary, order=order)


def _working(fit: AbstractPointFit) -> np.ndarray:
    """Score over expected information: (y - mu) d eta / d mu for exponential families."""
    curve = _curve(fit, fit.estimate.eta, 2)
    assert curve.d1 is not None and curve.fisher is not None
    return curve.d1 / curve.fisher


def _deviance(fit: AbstractPointFit) -> np.ndarray:
    """Signed root of twice the rise of each row's log density from the fit to its own best linear predictor."""
    eta = np.array(fit.estimate.eta)
    here = _curve(fit, eta, 1)
    best = _best_log_density(fit, eta)
    assert here.d1 is not None
    return _root_weights(fit) * np.sign(here.d1) * np.sqrt(2.0 * np.maximum(best - here.log_density, 0.0))


def _best_log_density(fit: AbstractPointFit, eta: np.ndarray) -> np.ndarray:
    """Climb each row's log density by Fisher scoring, one row never held up by another."""
    first = _curve(fit, eta, 2)
    value, step = first.log_density, _scoring_step(first)
    for _ in range(SATURATED_STEPS):
        moved = eta + np.clip(step, -2.0, 2.0)
        new = _curve(fit, moved, 2)
        better = new.log_density >= value
        gain = float(np.max(np.where(better, new.log_density - value, 0.0), initial=0.0))
        eta, value = np.where(better, moved, eta), np.where(better, new.log_density, value)
        step = np.where(better, _scoring_step(new), step / 4.0)
        if gain < 1e-13 and float(np.max(np.abs(step), initial=0.0)) < 1e-7:
            break
    return value


def _scoring_step(curve: Curvature) -> np.ndarray:
    assert curve.d1 is not None and curve.fisher is not None
    return curve.d1 / np.maximum(curve.fisher, 1e-12)
