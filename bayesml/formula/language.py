"""What the registries tell the grammar: which calls are terms of their own, which response terms there are."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import final

from bayesml.errors import did_you_mean
from bayesml.formula.tokens import Token, fault

__all__ = ["LANGUAGE", "Language", "ResponseTerm", "unknown_function"]


@final
@dataclass(frozen=True)
class ResponseTerm:
    """How a response term is written.

    Attributes:
        name: ``cens`` of ``y | cens(c, y2=z)``.
        least: smallest number of positional arguments.
        most: largest number of them, or None for any number. What is written beyond them goes to the keywords.
        keywords: names of the further arguments, in the order in which they are given without a name.
        truths: those of the keywords that are TRUE or FALSE.
    """

    name: str
    least: int = 1
    most: int | None = 1
    keywords: tuple[str, ...] = ()
    truths: frozenset[str] = frozenset()


def _common_terms() -> dict[str, ResponseTerm]:
    kinds = (
        ResponseTerm("se", keywords=("sigma",), truths=frozenset({"sigma"})),
        ResponseTerm("trials"),
        ResponseTerm("weights", keywords=("scale",), truths=frozenset({"scale"})),
    )
    return {kind.name: kind for kind in kinds}


@final
@dataclass(frozen=True)
class Language:
    """The names that mean something in a formula beside its columns and operators.

    Attributes:
        specials: the calls that term kinds claim, such as ``mo`` and ``s``.
        response_terms: how each response term is written; the kind is looked up when its name stands in a formula.
        functions: the functions of columns that may be called; None where they are not known here.
        matrices: of each special call that takes a matrix beside the table, ``car(W)``, the name of that argument,
            which is the first.
    """

    specials: Collection[str] = frozenset()
    response_terms: Mapping[str, ResponseTerm] = field(default_factory=_common_terms)
    functions: Collection[str] | None = None
    matrices: tuple[tuple[str, str], ...] = ()

    def response_term(self, name: str) -> ResponseTerm | None:
        """Return the response term of that name, or None."""
        return self.response_terms.get(name)

    def matrix_argument(self, name: str) -> str:
        """Return the argument of a special call that names a matrix beside the table; empty where it has none."""
        return dict(self.matrices).get(name, "")

    def check_function(self, token: Token, source: str) -> None:
        """Refuse the call of a name that is neither a function of columns nor a term.

        Raises:
            FormulaError: with what may be called.
        """
        if self.functions is not None and re.sub(r"^(np|numpy)\.", "", token.text) not in self.functions:
            raise fault(unknown_function(token.text, self.functions, self.specials), source, token.start, token.stop)


def unknown_function(name: str, functions: Collection[str], specials: Collection[str] = ()) -> str:
    """Return what to say about the call of a name that nothing answers to."""
    listed = ", ".join(f"`{special}(...)`" for special in sorted(specials))
    terms = f" Terms of their own are {listed}." if listed else ""
    hint = did_you_mean(name, {*functions, *specials})
    return (
        f"`{name}(...)` is not a function that a formula may call{hint}. Compute the column in the data first, or hand "
        f'in your own function: functions={{"{name}": f}}.{terms}'
    )


LANGUAGE = Language()
"""A language without special terms."""
