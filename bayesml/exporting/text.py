"""Expressions of Python as text, with what is needed to put them together: precedence and shape."""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import final

import numpy as np

__all__ = ["ATOM", "Text", "identifier", "number", "numbers", "of_type", "one_line", "quoted", "tuple_of", "wrapped"]

COMPARISON, OR, AND, SUM, PRODUCT, SIGN, POWER, ATOM = range(8)
WIDTH = 110


@final
@dataclass(frozen=True)
class Text:
    """An expression.

    Attributes:
        code: its text.
        level: precedence of its outermost operator.
        shape: shape of its value; where the array it stands for is larger, it is to be broadcast to that.
    """

    code: str
    level: int = ATOM
    shape: tuple[int, ...] = ()

    def at(self, level: int) -> str:
        """Return the text as an operand of an operator of that precedence."""
        return self.code if self.level >= level else f"({self.code})"


def number(value: float | bool | complex) -> Text:
    """Return a number."""
    if isinstance(value, (bool, np.bool_)):
        return Text(str(bool(value)))
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and not np.isfinite(plain):
        code = "jnp.nan" if np.isnan(plain) else "jnp.inf" if plain > 0 else "-jnp.inf"
    else:
        code = repr(plain)
    return Text(code, SIGN if code.startswith("-") else ATOM)


def numbers(values: np.ndarray) -> str:
    """Return nested lists of numbers."""
    if values.ndim == 0:
        return number(values.item()).code
    return "[" + ", ".join(numbers(value) for value in values) + "]"


def of_type(dtype: np.dtype) -> str:
    """Return what a type of numbers is called; double precision is switched on in the program."""
    names = {"float64": "float", "int64": "int", "bool": "bool"}
    return names.get(str(dtype), f"jnp.{dtype}")


def tuple_of(values: Sequence[object]) -> str:
    """Return a tuple."""
    return f"({', '.join(map(str, values))}{',' if len(values) == 1 else ''})"


def quoted(text: str) -> str:
    """Return a text as Python has it, between double quotes where nothing in it needs others."""
    plain = repr(text)
    return f'"{plain[1:-1]}"' if plain.startswith("'") and '"' not in plain and "\\" not in plain else plain


def one_line(text: str) -> str:
    """Return a text of the user on one line, as a comment may hold it."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def identifier(name: str, taken: set[str], others: Set[str] = frozenset()) -> str:
    """Return a name for a variable that is neither taken yet nor among others, and take it."""
    base = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "value"
    base = f"v_{base}" if base[0].isdigit() or keyword.iskeyword(base) else base
    found, count = base, 1
    while found in taken or found in others:
        count += 1
        found = f"{base}_{count}"
    taken.add(found)
    return found


def wrapped(line: str) -> list[str]:
    """Return a line of a program in pieces that are not too long: it is broken inside brackets only."""
    indent = line[: len(line) - len(line.lstrip())]
    if line.lstrip().startswith("#"):
        return [f"{indent}{part}" for part in textwrap.wrap(line.strip(), WIDTH, subsequent_indent="#   ")]
    pieces: list[str] = []
    rest, inner = line, f"{indent}    "
    while len(rest) > WIDTH:
        places = [place for place in _places(rest, start=bool(pieces)) if len(indent) + 4 < place <= WIDTH]
        if not places:
            break
        pieces.append(rest[: places[-1]].rstrip())
        rest = inner + rest[places[-1] :].lstrip()
    return [*pieces, rest]


def _places(line: str, *, start: bool) -> list[int]:
    """Return where a line may be broken: behind commas and before operators, inside brackets and outside of texts.

    Args:
        line: the line.
        start: whether it begins inside brackets already.
    """
    depth, quote, found = int(start), "", []
    for place, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote and line[place - 1] != "\\" else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif depth > 0 and letter == " " and _may_break(line, place):
            found.append(place + 1)
    return found


def _may_break(line: str, place: int) -> bool:
    """Whether a line may go on behind a blank: not within ``x[:, 1]``, nor behind an operator."""
    if line[place - 1] == ",":
        return line[place - 2] != ":"
    return line[place + 1 : place + 3] in ("+ ", "- ", "* ", "/ ", "@ ")
