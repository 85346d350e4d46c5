"""The formula language of this version: what the registries tell the grammar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import final

from bayesml.columns import FUNCTION_NAMES
from bayesml.formula import Language, ResponseTerm
from bayesml.response_terms import RESPONSE_TERMS
from bayesml.terms import matrix_arguments, special_calls

__all__ = ["language_with"]


@final
class _Grammars(Mapping[str, ResponseTerm]):
    """How each response term is written, which its class says."""

    def __getitem__(self, name: str) -> ResponseTerm:
        return RESPONSE_TERMS[name].grammar

    def __iter__(self) -> Iterator[str]:
        return iter(RESPONSE_TERMS)

    def __len__(self) -> int:
        return len(RESPONSE_TERMS)


def language_with(functions: object = None) -> Language:
    """Return the language of formulas.

    Args:
        functions: the caller's own functions by name, which stand before term kinds of the same name. Anything else is
            left for the design stage to refuse.
    """
    names = functions if isinstance(functions, Mapping) else ()
    own = frozenset(name for name in names if isinstance(name, str))
    matrices = tuple(sorted(matrix_arguments().items()))
    return Language(special_calls() - own, _Grammars(), FUNCTION_NAMES | own, matrices)
