"""The special calls that may stand left of the bar of a group term: ``(cs(x) | g)``, ``(mo(x) | g)``, ``mmc(x)``."""

from __future__ import annotations

from bayesml.formula import GroupCall

__all__ = ["CATEGORY_SPECIFIC", "COVARIATES_OF_MEMBERS", "UNKNOWN_VALUES", "has_calls", "has_specific"]

CATEGORY_SPECIFIC = ("cs", "cse")
COVARIATES_OF_MEMBERS = ("mmc",)
UNKNOWN_VALUES = ("mo", "me", "mi")
"""Calls whose values depend on parameters; the population has coefficients of the same products."""


def has_specific(part: GroupCall) -> bool:
    """Whether a term has category specific effects."""
    return any(call.name in CATEGORY_SPECIFIC for call in part.specials)


def has_calls(part: GroupCall) -> bool:
    """Whether a term has effects of calls such as ``mo(x)``."""
    return any(call.name in UNKNOWN_VALUES for call in part.specials)
