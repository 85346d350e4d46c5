"""Questions about one response, which a model of several does not answer yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesml.errors import ModelError

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractFit

__all__ = ["require_one_response"]


def require_one_response(fit: AbstractFit) -> None:
    """Refuse a model of several responses.

    Raises:
        ModelError: the model has several responses.
    """
    responses = fit.problem.design.responses
    if len(responses) > 1:
        listed = ", ".join(f"`{response.name}`" for response in responses)
        raise ModelError(
            f"The model has several responses ({listed}). Predictions, effects, residuals and log-likelihoods of such "
            "models are not available in this version of bayesml; the summary, draws and plots of parameters are."
        )
