"""What the registry holds about a kind of terms before the module of that kind is imported."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, final

from bayesml.formula import Predictor
from bayesml.frame import Frame
from bayesml.terms.base import AbstractTerm, Functions

__all__ = ["Collect", "TermKind"]

Collect = Callable[[Predictor, Frame, Functions], tuple[AbstractTerm, ...]]


@final
@dataclass(frozen=True, eq=False)
class TermKind:
    """A kind of terms: what it claims of a predictor, and the module that makes its terms.

    Attributes:
        module: has the function ``collect``; a `lazy_module` is imported when a formula has something for the kind.
        part: what it claims of a `Predictor` beside special calls, an attribute such as ``"groups"``; empty where that
            is nothing.
        calls: the special calls that it claims, such as ``mo``; the grammar reads them as terms of their own.
        matrices: of each of these that takes a matrix of ``data2`` the name of that argument, the first of the call.
        of_all_rows: whether it reads all rows of the data, also where a response has some of them alone.

    Example:
        >>> from bayesml.formula import parse
        >>> from bayesml.lazy import lazy_module
        >>> kind = TermKind(lazy_module("bayesml.terms.offset"), part="offsets")
        >>> kind.is_in(parse("y ~ x + offset(w)").predictors[0]), kind.is_in(parse("y ~ x").predictors[0])
        (True, False)
    """

    module: Any
    part: str = ""
    calls: Collection[str] = ()
    matrices: Mapping[str, str] = field(default_factory=dict)
    of_all_rows: bool = False

    @property
    def collect(self) -> Collect:
        """The function that takes a parsed predictor and the data and returns the encoded terms of the kind."""
        collect: Collect = self.module.collect
        return collect

    def is_in(self, predictor: Predictor) -> bool:
        """Whether a predictor has something that the kind claims."""
        has_part = bool(self.part and getattr(predictor, self.part))
        return has_part or any(call.name in self.calls for call in predictor.specials)
