"""Text to tokens: the one scanner behind formulas and column expressions, so that every error can point at its text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from bayesml.errors import FormulaError

__all__ = [
    "CONSTANTS",
    "LOGIC",
    "Kind",
    "Token",
    "canonical",
    "fault",
    "is_simple_name",
    "match_brackets",
    "quote_name",
    "scan",
    "split_top_level",
    "text_between",
]

MAX_LENGTH = 200_000
MAX_DEPTH = 40
CONSTANTS = {"TRUE": True, "FALSE": False, "True": True, "False": False, "NULL": None, "None": None, "NA": None}
LOGIC = ("==", "!=", "<", ">", "<=", ">=", "&", "!")
"""Operators whose result is a truth value."""

_WINDOW = 160
_NAME = r"(?:[^\W\d]|\.(?=[^\W\d]))[\w.]*"
_SCANNER = re.compile(
    rf"""(?P<SPACE>\s+)
    |(?P<NUMBER>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<NAME>{_NAME})
    |(?P<QUOTED>`[^`]+`)
    |(?P<STRING>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<OPERATOR>%in%|%%|%/%|\*\*|\|\||==|!=|<=|>=|//|[-+*/:^()\[\],=~|&<>%.!])
    """,
    re.VERBOSE | re.DOTALL,
)
_SIMPLE_NAME = re.compile(_NAME)
_SPACED = {"+", "-", "*", "==", "!=", "<", ">", "<=", ">=", "&", "|", "%", "//", "%%", "%/%", "%in%"}
_CLOSES = {"(": ")", "[": "]"}


class Kind(Enum):
    """What a token is; ``QUOTED`` is a name in backticks, ``END`` stands behind the last token."""

    NAME = "name"
    QUOTED = "quoted name"
    NUMBER = "number"
    STRING = "string"
    OPERATOR = "operator"
    END = "end"


@dataclass(frozen=True)
class Token:
    """One piece of formula text, ``source[start:stop]``."""

    kind: Kind
    text: str
    start: int
    stop: int

    @property
    def is_name(self) -> bool:
        """Whether the token names something, in backticks or not."""
        return self.kind is Kind.NAME or self.kind is Kind.QUOTED

    @property
    def name(self) -> str:
        """The name without its backticks."""
        return self.text[1:-1] if self.kind is Kind.QUOTED else self.text

    def has_text(self, *texts: str) -> bool:
        """Return whether this is one of the operators ``texts``."""
        return self.kind is Kind.OPERATOR and self.text in texts


def fault(message: str, source: str, start: int, stop: int) -> FormulaError:
    """Build a FormulaError with carets, showing only the neighbourhood of the culprit in a long formula."""
    stop = min(max(stop, start + 1), start + 60)
    if len(source) <= _WINDOW:
        return FormulaError.at(message, _printable(source), start, stop)
    left = max(0, start - _WINDOW // 2)
    shown, lead = source[left : left + _WINDOW], "... " if left else ""
    return FormulaError.at(message, lead + _printable(shown), len(lead) + start - left, len(lead) + stop - left)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def scan(source: str) -> tuple[Token, ...]:
    """Cut ``source`` into tokens, the last of kind ``END``.

    Raises:
        FormulaError: a character or an unfinished quotation has no place in a formula.
    """
    if len(source) > MAX_LENGTH:
        raise FormulaError(f"The formula has {len(source):,} characters; at most {MAX_LENGTH:,} are read.")
    tokens: list[Token] = []
    position = 0
    while position < len(source):
        match = _SCANNER.match(source, position)
        if match is None:
            raise _unreadable(source, position)
        if match.lastgroup != "SPACE":
            tokens.append(Token(Kind[match.lastgroup or ""], match.group(), position, match.end()))
            _refuse_glued(tokens, source)
        position = match.end()
    return (*tokens, Token(Kind.END, "", len(source), len(source)))


def _refuse_glued(tokens: Sequence[Token], source: str) -> None:
    if len(tokens) < 2 or tokens[-1].kind is Kind.OPERATOR:
        return
    left, right = tokens[-2], tokens[-1]
    if left.stop == right.start and left.kind is not Kind.OPERATOR:
        tip = " A column name that starts with a digit needs backticks." if left.kind is Kind.NUMBER else ""
        message = f"`{_printable(left.text + right.text)}` cannot be read; an operator is missing.{tip}"
        raise fault(message, source, left.start, right.stop)


def _unreadable(source: str, position: int) -> FormulaError:
    character = source[position]
    if character in "\"'`":
        return fault(f"The quotation that opens with {character} is never closed.", source, position, position + 1)
    tip = {
        "$": " Write the column name alone; the data are given apart.",
        "{": " Write I(...) around arithmetic.",
    }.get(character, " Column names with such characters are written in backticks.")
    return fault(f"The character {character!r} has no meaning in a formula.{tip}", source, position, position + 1)


def match_brackets(tokens: Sequence[Token], source: str) -> dict[int, int]:
    """Return the index of the closing token of every opening bracket.

    Raises:
        FormulaError: a bracket has no partner, or brackets are nested deeper than anyone writes.
    """
    partners: dict[int, int] = {}
    open_indices: list[int] = []
    for index, token in enumerate(tokens):
        if token.has_text("(", "["):
            open_indices.append(index)
            if len(open_indices) > MAX_DEPTH:
                raise fault(f"Brackets are nested more than {MAX_DEPTH} deep.", source, token.start, token.stop)
        elif token.has_text(")", "]"):
            if not open_indices or _CLOSES[tokens[open_indices[-1]].text] != token.text:
                raise fault(f"`{token.text}` closes nothing.", source, token.start, token.stop)
            partners[open_indices.pop()] = index
    if open_indices:
        culprit = tokens[open_indices[-1]]
        raise fault(f"`{culprit.text}` is never closed.", source, culprit.start, culprit.stop)
    return partners


def split_top_level(tokens: Sequence[Token], *separators: str) -> list[list[Token]]:
    """Split balanced ``tokens`` at the separators that stand outside all brackets."""
    pieces: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += token.has_text("(", "[") - token.has_text(")", "]")
        if depth == 0 and token.has_text(*separators):
            pieces.append([])
        elif token.kind is not Kind.END:
            pieces[-1].append(token)
    return pieces


def text_between(tokens: Sequence[Token], source: str) -> str:
    """Return the text that ``tokens`` cover, as written."""
    return source[tokens[0].start : tokens[-1].stop] if tokens else ""


def canonical(tokens: Sequence[Token]) -> str:
    """Spell an expression with uniform spaces, so that ``poly(x,2)`` and ``poly( x, 2 )`` are one factor."""
    parts: list[str] = []
    previous: Token | None = None
    for token in tokens:
        if token.kind is Kind.END:
            continue
        if token.has_text(","):
            parts.append(", ")
        elif token.has_text(*_SPACED) and _ends_operand(previous):
            parts.append(f" {token.text} ")
        else:
            glued = previous is not None and _is_word(previous) and _is_word(token)
            parts.append(f" {token.text}" if glued else token.text)
        previous = token
    return "".join(parts)


def _is_word(token: Token) -> bool:
    """Return whether a token next to another such one would be read as one with it."""
    return token.kind is not Kind.OPERATOR or token.has_text(".")


def _ends_operand(token: Token | None) -> bool:
    return token is not None and (token.kind is not Kind.OPERATOR or token.has_text(")", "]"))


def is_simple_name(name: str) -> bool:
    """Return whether ``name`` is a plain word that stands in a formula without backticks."""
    return _SIMPLE_NAME.fullmatch(name) is not None and name not in CONSTANTS


def quote_name(name: str) -> str:
    """Return ``name`` as it is written in a formula: in backticks unless it is a plain word.

    Raises:
        FormulaError: the name contains a backtick or is empty, so that no formula can name it.
    """
    if is_simple_name(name):
        return name
    if "`" in name or not name:
        raise FormulaError(f"The column name {name!r} cannot be written in a formula; rename the column.")
    return f"`{name}`"
