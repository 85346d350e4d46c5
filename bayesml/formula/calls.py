"""Calls with arguments: ``s(x, k=5)``, ``gr(g, by=f)``, ``cens(c, y2=z)``."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from bayesml.errors import FormulaError, did_you_mean
from bayesml.formula.tokens import CONSTANTS, Kind, Token, canonical, fault, scan, split_top_level, text_between
from bayesml.formula.types import Expression, SpecialCall, Value

__all__ = [
    "Argument",
    "bind_arguments",
    "expression_of",
    "is_one_call",
    "read_arguments",
    "read_special",
    "special_fault",
    "value_of",
]

MAX_ARGUMENTS = 200


@final
@dataclass(frozen=True)
class Argument:
    """One argument of a call.

    Attributes:
        name: its keyword, or empty.
        tokens: its value.
        start: where it begins in the text.
        stop: where it ends.
    """

    name: str
    tokens: tuple[Token, ...]
    start: int
    stop: int


def is_one_call(tokens: Sequence[Token]) -> bool:
    """Return whether the tokens are ``name(...)`` and nothing else."""
    if len(tokens) < 3 or tokens[0].kind is not Kind.NAME or not tokens[1].has_text("("):
        return False
    depth = 0
    for index, token in enumerate(tokens):
        depth += token.has_text("(", "[") - token.has_text(")", "]")
        if index > 0 and depth == 0:
            return index == len(tokens) - 1
    return False


def read_arguments(tokens: Sequence[Token], source: str) -> tuple[Argument, ...]:
    """Return the arguments of the call that ``tokens`` are, ``name(...)``.

    Raises:
        FormulaError: an argument is empty, a keyword is given twice, or a positional argument follows a keyword.
    """
    inside = tokens[2:-1]
    if not inside:
        return ()
    pieces = split_top_level(inside, ",")
    if len(pieces) > MAX_ARGUMENTS:
        message = f"`{tokens[0].text}(...)` has more than {MAX_ARGUMENTS} arguments."
        raise fault(message, source, tokens[0].start, tokens[0].stop)
    arguments: list[Argument] = []
    for piece in pieces:
        named = len(piece) > 1 and piece[0].kind is Kind.NAME and piece[1].has_text("=")
        value = piece[2:] if named else piece
        if not value:
            raise fault(f"An argument of `{tokens[0].text}(...)` is empty.", source, tokens[0].start, tokens[-1].stop)
        culprit = next((token for token in value if token.has_text("=", "~")), None)
        if culprit is not None and _is_outside(value, culprit):
            raise fault(f"`{culprit.text}` cannot stand here.", source, culprit.start, culprit.stop)
        argument = Argument(piece[0].text if named else "", tuple(value), piece[0].start, piece[-1].stop)
        _refuse_order(arguments, argument, tokens[0], source)
        arguments.append(argument)
    return tuple(arguments)


def _is_outside(tokens: Sequence[Token], culprit: Token) -> bool:
    before = tokens[: tokens.index(culprit)]
    return sum(t.has_text("(", "[") - t.has_text(")", "]") for t in before) == 0


def _refuse_order(before: Sequence[Argument], argument: Argument, head: Token, source: str) -> None:
    if not argument.name and any(other.name for other in before):
        message = f"An argument of `{head.text}(...)` without a name stands behind one with a name."
        raise fault(message, source, argument.start, argument.stop)
    if argument.name and any(other.name == argument.name for other in before):
        message = f"`{head.text}(...)` is given `{argument.name}=` twice."
        raise fault(message, source, argument.start, argument.stop)


def expression_of(tokens: Sequence[Token], source: str) -> Expression:
    """Return tokens as an expression with its place."""
    return Expression(text_between(tokens, source), source, tokens[0].start)


def value_of(tokens: Sequence[Token], source: str) -> Value:
    """Return a literal as the value it is, anything else as an expression.

    Literals are numbers, their negatives and quotients (``5/4``), quoted texts, ``TRUE``, ``NA`` and ``c(...)`` of
    these.
    """
    literal = _literal(tokens)
    return expression_of(tokens, source) if isinstance(literal, _NoLiteral) else literal


@final
class _NoLiteral:
    """Stands for an expression, since None is a literal."""


def _literal(tokens: Sequence[Token]) -> Value | _NoLiteral:
    if len(tokens) == 1:
        return _single(tokens[0])
    if tokens[0].has_text("-", "+"):
        number = _literal(tokens[1:]) if not tokens[1].has_text("-", "+") else _NoLiteral()
        if isinstance(number, (int, float)) and not isinstance(number, bool):
            return -number if tokens[0].has_text("-") else number
        return _NoLiteral()
    if len(tokens) == 3 and tokens[1].has_text("/"):
        above, below = _single(tokens[0]), _single(tokens[2])
        if isinstance(above, (int, float)) and isinstance(below, (int, float)) and below:
            return above / below
    if is_one_call(tokens) and tokens[0].text == "c":
        elements = [_literal(piece) if piece else _NoLiteral() for piece in split_top_level(tokens[2:-1], ",")]
        values = tuple(element for element in elements if not isinstance(element, _NoLiteral))
        return values if len(values) == len(elements) else _NoLiteral()
    return _NoLiteral()


def _single(token: Token) -> Value | _NoLiteral:
    if token.kind is Kind.NUMBER:
        value = float(token.text)
        if not math.isfinite(value):
            return _NoLiteral()
        return int(value) if token.text.isdecimal() and len(token.text) <= 15 else value
    if token.kind is Kind.STRING:
        return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)
    if token.kind is Kind.NAME and token.text in CONSTANTS:
        return CONSTANTS[token.text]
    return _NoLiteral()


def read_special(tokens: Sequence[Token], source: str, matrix: str = "") -> SpecialCall:
    """Return the call that ``tokens`` are, for the term kind that claims it.

    Args:
        tokens: the call.
        source: the text that it is part of.
        matrix: the argument that names a matrix beside the table, the first of the call; empty where there is none.

    Raises:
        FormulaError: its arguments cannot be read.
    """
    arguments = read_arguments(tokens, source)
    first = arguments[0] if matrix and arguments and not arguments[0].name else None
    named = first or next((argument for argument in arguments if matrix and argument.name == matrix), None)
    if named is not None and not (len(named.tokens) == 1 and named.tokens[0].is_name):
        message = f"`{tokens[0].text}(...)` takes the name of a matrix first, which `data2` has: `{tokens[0].text}(W)`."
        raise fault(message, source, named.start, named.stop)
    return SpecialCall(
        tokens[0].text,
        tuple(expression_of(argument.tokens, source) for argument in arguments if not argument.name),
        tuple((argument.name, value_of(argument.tokens, source)) for argument in arguments if argument.name),
        expression_of(tokens, source),
        canonical(tokens),
        matrices=() if named is None else (expression_of(named.tokens, source),),
    )


def bind_arguments(call: SpecialCall, names: Sequence[str]) -> dict[str, Value]:
    """Return the arguments of a special call by name; positional ones get the names in order, as in R.

    Args:
        call: the call.
        names: the arguments that the function has.

    Raises:
        FormulaError: there are too many arguments, one has another name, or one is given twice.

    Example:
        >>> from bayesml.formula import Language, parse
        >>> call = parse("y ~ ar(day, g, p=2)", language=Language({"ar"})).predictors[0].specials[0]
        >>> bind_arguments(call, ("time", "gr", "p", "cov"))["p"]
        2
    """
    takes = f"it takes {', '.join(f'`{name}`' for name in names)}" if names else "it takes none"
    if len(call.arguments) > len(names):
        raise special_fault(f"`{call.spelling}` has too many arguments; {takes}.", call)
    bound: dict[str, Value] = {}
    for name, expression in zip(names, call.arguments, strict=False):
        bound[name] = value_of(scan(expression.text)[:-1], expression.text)
        if isinstance(bound[name], Expression):
            bound[name] = expression
    for name, value in call.options:
        if name not in names:
            raise special_fault(
                f"`{call.name}(...)` has no argument `{name}`{did_you_mean(name, names)}; {takes}.", call
            )
        if name in bound:
            raise special_fault(f"`{call.spelling}` is given `{name}` twice.", call)
        bound[name] = value
    return bound


def special_fault(message: str, call: SpecialCall) -> FormulaError:
    """Build an error that points at a special call."""
    expression = call.expression
    return fault(message, expression.source, expression.start, expression.start + len(expression.text))
