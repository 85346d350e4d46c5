"""The formula language of this version: what the registries tell the grammar."""

from __future__ import annotations

from collections.abc import Mapping

from bayesml.columns import FUNCTION_NAMES
from bayesml.formula import Language
from bayesml.response_terms import RESPONSE_TERMS
from bayesml.terms import CLAIMS, MATRICES

__all__ = ["language_with"]


def language_with(functions: object = None) -> Language:
    """Return the language of formulas.

    Args:
        functions: the caller's own functions by name, which stand before term kinds of the same name. Anything else is
            left for the design stage to refuse.
    """
    names = functions if isinstance(functions, Mapping) else ()
    own = frozenset(name for name in names if isinstance(name, str))
    left = (term.grammar for term in RESPONSE_TERMS if not term.stands_right)
    kinds = tuple(sorted(left, key=lambda grammar: grammar.name))
    return Language(frozenset(CLAIMS) - own, kinds, FUNCTION_NAMES | own, tuple(sorted(MATRICES.items())))
