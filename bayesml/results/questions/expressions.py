"""Expressions of named numbers, ``exp(b_x) - b_z``: names of any form, arithmetic and the functions of formulas."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.columns.nonlinear import evaluate_nonlinear
from bayesml.columns.nonlinear_functions import NONLINEAR
from bayesml.errors import FormulaError, ModelError
from bayesml.formula import Expression

__all__ = ["NamedExpression", "read_expression"]

NAME = re.compile(r"[A-Za-z_.][\w.]*")
NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
PLACEHOLDER = "value{}__"


@final
@dataclass(frozen=True)
class NamedExpression:
    """An expression that has been read.

    Attributes:
        text: as it was written.
        expression: with placeholders in place of names.
        names: the name behind each placeholder.
        spelled: how each was written.
    """

    text: str
    expression: Expression
    names: Mapping[str, str]
    spelled: Mapping[str, str]

    def value(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the expression, from the value of each name in it.

        Raises:
            ModelError: the text is no expression.
        """
        try:
            found = evaluate_nonlinear(self.expression, {p: values[name] for p, name in self.names.items()})
        except FormulaError as error:
            written = str(error).split("\n")[0]
            for placeholder, name in self.names.items():
                written = written.replace(placeholder, name)
            raise ModelError(f"`{self.text.strip()}` cannot be computed: {written}") from None
        return np.asarray(found, dtype=float)


def read_expression(text: str, spellings: Mapping[str, str], unknown: Callable[[str], Exception]) -> NamedExpression:
    """Read an expression; a name is the longest spelling that stands at a place.

    Args:
        text: the expression.
        spellings: the name meant by each spelling.
        unknown: makes the error for a word that is none of them.

    Raises:
        Exception: what ``unknown`` makes.
    """
    by_first: dict[str, list[str]] = {}
    for spelling in sorted(spellings, key=len, reverse=True):
        by_first.setdefault(spelling[:1], []).append(spelling)
    words: list[str] = []
    names: dict[str, str] = {}
    spelled: dict[str, str] = {}
    place = 0
    while place < len(text):
        found = next((s for s in by_first.get(text[place], ()) if _stands(text, place, s)), None)
        if found is not None:
            placeholder = next((p for p, n in names.items() if n == spellings[found]), PLACEHOLDER.format(len(names)))
            names[placeholder] = spellings[found]
            spelled.setdefault(placeholder, found)
            words.append(placeholder)
            place += len(found)
            continue
        match = NUMBER.match(text, place) or NAME.match(text, place)
        if match is None:
            words.append(text[place])
            place += 1
            continue
        word = match.group()
        if not word[0].isdigit() and word[0] != "." and word not in NONLINEAR:
            raise unknown(_whole_word(text, place))
        words.append(word)
        place = match.end()
    written = "".join(words)
    return NamedExpression(text, Expression(written, written, 0), names, spelled)


def _stands(text: str, place: int, spelling: str) -> bool:
    """Whether a name stands at a place and does not go on."""
    end = place + len(spelling)
    after = text[end : end + 1]
    goes_on = spelling[-1:].isalnum() or spelling[-1:] in "_."
    return text.startswith(spelling, place) and not (goes_on and (after.isalnum() or after in ("_", ":", "[", ".")))


def _whole_word(text: str, place: int) -> str:
    match = re.compile(r"[^\s+*/()=<>^-]+").match(text, place)
    return match.group() if match else text[place:]


def split_at(text: str, signs: Sequence[str]) -> tuple[str, str, str] | None:
    """Return the sides of the only sign of some in a text, and the sign between them; None where there is not one."""
    found = [(match.start(), match.group()) for match in re.finditer("|".join(map(re.escape, signs)), text)]
    if len(found) != 1:
        return None
    start, sign = found[0]
    return text[:start], sign, text[start + len(sign) :]
