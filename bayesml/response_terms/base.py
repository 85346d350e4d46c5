"""What a response term answers: the kinds behind the bar of ``y | trials(n) ~ x``, one file each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from bayesml.columns import evaluate
from bayesml.errors import DataError
from bayesml.families import AbstractLikelihood, Traits
from bayesml.formula import Addition, Expression
from bayesml.formula.language import ResponseTerm
from bayesml.frame import Frame

__all__ = ["AbstractResponseTerm", "Functions", "refuse_rows", "term_texts", "value_of_rows"]

Functions = Mapping[str, Callable[..., Any]]
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class AbstractResponseTerm(ABC):
    """One kind of response term.

    Attributes:
        grammar: how it is written.
        needed: what needs it in new data: ``"weights"`` what weights rows, ``"response"`` what reads an observed
            response, ``"always"`` every prediction of the response, ``"never"`` none.
        sparse: keyword arguments that only some rows need, so that the others may lack a value.
        whole: whether its columns hold whole numbers that may stand for anything, so that they have no mean.
    """

    grammar: ClassVar[ResponseTerm]
    needed: ClassVar[Literal["weights", "response", "always", "never"]] = "always"
    sparse: ClassVar[frozenset[str]] = frozenset()
    whole: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """The function that it is written as."""
        return self.grammar.name

    @abstractmethod
    def is_taken_by(self, traits: Traits) -> bool:
        """Whether a likelihood of those traits can have the term."""

    @abstractmethod
    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        """Return what the term gives for each row, by name, ``{"trials": (rows,)}``.

        Raises:
            DataError: a value is impossible; names the row and what to write instead.
        """

    def wrapped(self, likelihood: AbstractLikelihood, addition: Addition, arrays: Arrays) -> AbstractLikelihood:
        """Return the likelihood with the term; by default the term only adds arrays that the likelihood reads."""
        return likelihood


def value_of_rows(value: object, frame: Frame, functions: Functions) -> np.ndarray:
    """Return an argument, a number or a column expression, as one float for each row."""
    numbers = evaluate(value, frame, functions) if isinstance(value, Expression) else np.asarray(value, dtype=float)
    return np.broadcast_to(np.asarray(numbers, dtype=float), (frame.n_rows,)).astype(float)


def term_texts(addition: Addition) -> list[str]:
    """Return the column expressions that a term is given."""
    texts = [argument.text for argument in addition.arguments]
    return texts + [value.text for _, value in addition.options if isinstance(value, Expression)]


def refuse_rows(frame: Frame, bad: np.ndarray, values: np.ndarray, what: str, rule: str) -> None:
    """Raise a ``DataError`` that names the first bad row.

    Args:
        frame: the data.
        bad: ``(rows,)`` truth values.
        values: ``(rows,)`` values to name.
        what: the term as written, ``weights(w)``.
        rule: what is wrong and what to do, after the value and the row.
    """
    places = np.flatnonzero(bad)
    if places.size:
        row = int(places[0])
        raise DataError(f"`{what}` is {values[row]:g} in row {frame.rows[row] + 1} (counting from 1); {rule}")
