"""``evaluate``: the linear predictor, the expected response or a random response of some rows, from any fit."""

from __future__ import annotations

from bayesml.results.predict.drawn import evaluate_draws
from bayesml.results.predict.prepare import Request
from bayesml.results.predict.quantity import AbstractQuantity, What
from bayesml.results.record.fit import AbstractFit, AbstractPointFit, AbstractSampledFit

__all__ = ["evaluate"]


def evaluate(fit: AbstractFit, request: Request, what: What) -> AbstractQuantity:
    """Return what is known of a number of each row: draws of it, or an estimate with an error by the delta method.

    The one place that distinguishes fits with draws from point estimates: tables, effects and comparisons of rows are
    written against the quantity.

    Args:
        fit: the fit.
        request: the rows, which group-level effects they have, and which draws are used.
        what: what is evaluated.

    Raises:
        DataError: the new data lack something, or have an unseen level that ``new_levels`` refuses.
        FormulaError: ``re_formula`` names what the model does not have.
        ModelError: an option is impossible.
    """
    if isinstance(fit, AbstractPointFit):
        from bayesml.results.predict.estimated import evaluate_estimates

        return evaluate_estimates(fit, request, what)
    assert isinstance(fit, AbstractSampledFit)
    return evaluate_draws(fit, request, what)
