"""The special calls that may stand left of the bar of a group term: ``(cs(x) | g)`` and ``(mmc(x, z) | mm(g, h))``."""

from __future__ import annotations

from bayesml.formula import GroupCall

__all__ = ["CATEGORY_SPECIFIC", "COVARIATES_OF_MEMBERS", "has_specific"]

CATEGORY_SPECIFIC = ("cs", "cse")
COVARIATES_OF_MEMBERS = ("mmc",)


def has_specific(part: GroupCall) -> bool:
    """Whether a term has category specific effects."""
    return any(call.name in CATEGORY_SPECIFIC for call in part.specials)
