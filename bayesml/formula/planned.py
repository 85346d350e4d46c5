"""What the formula language will have and this version has not: the user is told so instead of `unknown`."""

from __future__ import annotations

from bayesml.errors import FormulaError
from bayesml.formula.tokens import Token, fault

__all__ = ["PLANNED_ADDITIONS", "PLANNED_BF_OPTIONS", "PLANNED_TERMS", "not_available"]

PLANNED_TERMS = frozenset(("nlf", "lf"))
PLANNED_ADDITIONS: frozenset[str] = frozenset()
PLANNED_BF_OPTIONS = frozenset(("center", "cmc", "sparse", "decomp", "unused", "flist", "autocor"))


def not_available(token: Token, source: str) -> FormulaError:
    """Build the error for a call to a planned term."""
    message = f"`{token.text}(...)` is not available in this version of bayesml."
    return fault(message, source, token.start, token.stop)
