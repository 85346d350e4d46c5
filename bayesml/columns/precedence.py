"""Brackets that make Python read ``|``, ``&``, ``!`` and comparisons in R's order of precedence.

R reads ``!a & x > 0 | b`` as ``((!a) & (x > 0)) | b``. In Python ``&`` and ``|`` have a higher precedence than
comparisons, and there is no ``!``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bayesml.formula.tokens import Token

__all__ = ["with_brackets"]


def with_brackets(tokens: Sequence[Token], words: Sequence[str]) -> list[str]:
    """Return the Python spellings ``words`` of ``tokens``, with brackets around what R joins first."""
    out = list(words)
    for start, stop in _arguments(tokens):
        _group(tokens, out, start, stop)
    return out


def _arguments(tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Yield the range of the whole text and of every argument between two brackets."""
    starts = [0]
    for index, token in enumerate(tokens):
        if token.has_text("(", "["):
            starts.append(index + 1)
        elif token.has_text(")", "]", ","):
            yield starts[-1], index
            if token.has_text(","):
                starts[-1] = index + 1
            else:
                starts.pop()
        elif token.has_text("="):
            starts[-1] = index + 1
    yield starts[-1], len(tokens)


def _group(tokens: Sequence[Token], out: list[str], start: int, stop: int) -> None:
    """Put brackets around the operands of ``|``, of ``&`` and of ``!`` in a range of tokens, in this order."""
    for operator in ("|", "&"):
        places = _places(tokens, start, stop, operator)
        if places:
            ends = [*places, stop]
            for first, last in zip([start, *(place + 1 for place in places)], ends, strict=True):
                _group(tokens, out, first, last)
                _wrap(out, first, last)
            return
    if start < stop and tokens[start].has_text("!"):
        out[start] = "~"
        _group(tokens, out, start + 1, stop)
        _wrap(out, start + 1, stop)


def _places(tokens: Sequence[Token], start: int, stop: int, operator: str) -> list[int]:
    """Return where an operator stands in a range of tokens, outside of all brackets."""
    places, depth = [], 0
    for index in range(start, stop):
        depth += tokens[index].has_text("(", "[") - tokens[index].has_text(")", "]")
        if depth == 0 and tokens[index].has_text(operator):
            places.append(index)
    return places


def _wrap(out: list[str], start: int, stop: int) -> None:
    """Put a pair of brackets around a range of words."""
    if start < stop:
        out[start] = f"({out[start]}"
        out[stop - 1] = f"{out[stop - 1]})"
