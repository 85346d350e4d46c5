"""Which predictor is meant: of which response, of which distributional or nonlinear parameter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

__all__ = ["MU", "PredictorKey"]


@final
@dataclass(frozen=True, order=True)
class PredictorKey:
    """The address of one predictor of a model.

    ``bayesml.names`` turns it into text. Keys have an order, so that they can be the keys of a JAX pytree.

    Attributes:
        resp: name of the response in a model of several responses, else empty.
        dpar: the distributional parameter.
        nlpar: the nonlinear parameter that stands in a formula of ``dpar``, or empty.

    Example:
        >>> PredictorKey(dpar="sigma").is_mu
        False
    """

    resp: str = ""
    dpar: str = "mu"
    nlpar: str = ""

    @property
    def is_mu(self) -> bool:
        """Whether it is the main predictor of its response."""
        return self.dpar == "mu" and not self.nlpar

    @property
    def parameter(self) -> str:
        """The parameter that a formula is written for: ``mu``, ``sigma``, or the nonlinear parameter ``a``."""
        return self.nlpar or self.dpar

    @property
    def target(self) -> tuple[str, str, str]:
        """Response, distributional and nonlinear parameter as in a table of priors, where ``mu`` is left out."""
        return self.resp, "" if self.dpar == "mu" else self.dpar, self.nlpar


MU = PredictorKey()
"""The main predictor of a model of one response."""
