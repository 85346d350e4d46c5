"""The calls whose coefficients stand in one vector, ``bsp``: ``mo()``, ``me()``, ``mi()``."""

from __future__ import annotations

from bayesml.formula import Predictor
from bayesml.frame import Frame
from bayesml.terms import measured, measured_variables, missing, monotonic
from bayesml.terms.base import AbstractTerm, Functions
from bayesml.terms.special_effects import Freeze, special_effects

__all__ = ["collect"]

FREEZE: dict[str, Freeze] = {"mo": monotonic.freeze, "me": measured.freeze, "mi": missing.freeze}


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Claim the terms with these calls; variables that are measured with error have a term of their own beside them."""
    effects = special_effects(predictor, frame, functions, FREEZE)
    if effects is None:
        return ()
    monotonic.check_ids(effects.calls)
    return (effects, *measured_variables.variables_of_calls(predictor.key, effects.calls))
