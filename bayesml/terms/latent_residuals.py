"""``ar()``, ``cosy()`` and their kind for families whose responses have no residuals."""

from __future__ import annotations

from bayesml.formula import Predictor, special_fault
from bayesml.frame import Frame
from bayesml.response_terms import RESIDUAL_TERMS
from bayesml.terms.base import AbstractTerm, Functions

__all__ = ["CLAIMS", "collect"]

CLAIMS = {term.name: "residual term" for term in RESIDUAL_TERMS}


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Refuse the calls: those of families with residuals have become part of the likelihood."""
    for call in predictor.specials:
        if call.name in CLAIMS:
            raise special_fault(
                f"`{call.spelling}` is for the families gaussian and student, whose responses have residuals.", call
            )
    return ()
