"""The calls whose coefficients stand in one vector, ``bsp``: ``mo()``, ``me()``, ``mi()``."""

from __future__ import annotations

from bayesml.formula import Predictor
from bayesml.frame import Frame
from bayesml.terms import measured, measured_variables, missing, monotonic
from bayesml.terms.base import AbstractTerm, Functions
from bayesml.terms.special_effects import Freeze, SpecialEffects, special_effects

__all__ = ["collect", "effects_of"]

FREEZE: dict[str, Freeze] = {"mo": monotonic.freeze, "me": measured.freeze, "mi": missing.freeze}


def effects_of(predictor: Predictor, frame: Frame, functions: Functions) -> SpecialEffects | None:
    """Return the coefficients of products with these calls; None where there are none."""
    return special_effects(predictor, frame, functions, FREEZE)


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Claim the terms with these calls; variables that are measured with error have a term of their own beside them."""
    effects = effects_of(predictor, frame, functions)
    if effects is None:
        return ()
    monotonic.check_ids(effects.calls)
    return (effects, *measured_variables.variables_of_calls(predictor.key, effects.calls))
