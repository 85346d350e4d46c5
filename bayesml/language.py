"""The formula language of this version: what the registries tell the grammar."""

from __future__ import annotations

from collections.abc import Collection

from bayesml.columns import FUNCTION_NAMES
from bayesml.formula import Language
from bayesml.terms import CLAIMS

__all__ = ["language_with"]


def language_with(functions: Collection[str] | None = None) -> Language:
    """Return the language of formulas.

    Args:
        functions: names of the caller's own functions, which stand before term kinds of the same name.
    """
    own = frozenset(functions or ())
    return Language(frozenset(CLAIMS) - own, functions=FUNCTION_NAMES | own)
