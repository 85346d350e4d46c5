"""The left-hand side: ``y``, ``log(y)``, ``cbind(s, f)``, and behind a bar the response terms ``y | trials(n)``."""

from __future__ import annotations

from collections.abc import Sequence

from bayesml.errors import did_you_mean
from bayesml.formula.planned import PLANNED_ADDITIONS, PLANNED_TERMS, not_available
from bayesml.formula.tokens import CONSTANTS, Kind, Token, canonical, fault, split_top_level, text_between
from bayesml.formula.types import Addition, Expression, Response

__all__ = ["ADDITIONS", "read_response"]

ADDITIONS: dict[str, tuple[str, ...]] = {"se": ("sigma",), "trials": (), "weights": ()}
"""The response terms of this version with the options each takes."""


def read_response(tokens: Sequence[Token], source: str) -> Response:
    """Read the tokens left of ``~``.

    Raises:
        FormulaError: there is no response, a bar is misplaced, or a response term is unknown, wrong or repeated.
    """
    for token in tokens:
        if token.has_text("||"):
            raise fault(
                "A response takes its terms behind one bar: `y | trials(n) ~ ...`.", source, token.start, token.stop
            )
    left, *right = split_top_level(tokens, "|")
    if len(right) > 1:
        culprit = next(t for t in reversed(tokens) if t.has_text("|"))
        message = "A second bar: several response terms are joined by `+`, as in `y | trials(n) + weights(w)`."
        raise fault(message, source, culprit.start, culprit.stop)
    if not any(token.is_name and token.name not in CONSTANTS for token in left):
        stop = left[-1].stop if left else (tokens[0].stop if tokens else 1)
        raise fault("The response is missing: a column stands left of `~`.", source, 0, stop)
    additions = _read_additions(right[0], tokens, source) if right else ()
    return _response(left, additions, source)


def _response(tokens: Sequence[Token], additions: tuple[Addition, ...], source: str) -> Response:
    name = canonical(tokens)
    if len(tokens) == 1:
        name = tokens[0].name
    head = tokens[0]
    if _is_one_call(tokens) and head.text in PLANNED_TERMS:
        raise not_available(head, source)
    if not (_is_one_call(tokens) and head.text == "cbind"):
        return Response(_expression(tokens, source), additions, name)
    arguments = split_top_level(tokens[2:-1], ",")
    if len(arguments) != 2 or not all(arguments):
        raise fault("`cbind` takes successes and failures: `cbind(s, n - s)`.", source, head.start, tokens[-1].stop)
    if any(addition.name == "trials" for addition in additions):
        message = "`cbind(s, f)` already says how many trials there were; leave `trials(...)` out."
        raise fault(message, source, head.start, tokens[-1].stop)
    total = Expression(_trials_text(arguments[0], arguments[1], source), source, head.start)
    trials = Addition("trials", (total,), (), head.start)
    return Response(_expression(arguments[0], source), (trials, *additions), name, _expression(arguments[1], source))


def _trials_text(successes: Sequence[Token], failures: Sequence[Token], source: str) -> str:
    """Return successes + failures; of ``cbind(s, n - s)`` that is ``n``, which new data have without a response."""
    single = len(successes) == 1 or _is_one_call(successes)
    rest = failures[: len(failures) - len(successes)]
    if single and len(rest) > 1 and canonical(failures[len(rest) :]) == canonical(successes):
        depth = sum(token.has_text("(", "[") - token.has_text(")", "]") for token in rest)
        if depth == 0 and rest[-1].has_text("-"):
            return text_between(rest[:-1], source)
    return f"({text_between(successes, source)}) + ({text_between(failures, source)})"


def _is_one_call(tokens: Sequence[Token]) -> bool:
    if len(tokens) < 3 or tokens[0].kind is not Kind.NAME or not tokens[1].has_text("("):
        return False
    depth = 0
    for index, token in enumerate(tokens):
        depth += token.has_text("(", "[") - token.has_text(")", "]")
        if index > 0 and depth == 0:
            return index == len(tokens) - 1
    return False


def _read_additions(tokens: Sequence[Token], everything: Sequence[Token], source: str) -> tuple[Addition, ...]:
    additions: list[Addition] = []
    for piece in split_top_level(tokens, "+"):
        if not piece:
            end = everything[-1]
            raise fault(f"A response term is missing; possible are {_listed()}.", source, end.start, end.stop)
        addition = _read_addition(piece, source)
        if any(addition.name == other.name for other in additions):
            raise fault(f"`{addition.name}(...)` is given twice.", source, piece[0].start, piece[-1].stop)
        additions.append(addition)
    return tuple(additions)


def _read_addition(tokens: Sequence[Token], source: str) -> Addition:
    head = tokens[0]
    name = head.text.removeprefix("resp_")
    if name in PLANNED_ADDITIONS and len(tokens) > 1:
        raise not_available(head, source)
    if not _is_one_call(tokens) or name not in ADDITIONS:
        written = text_between(tokens, source)[:40]
        message = f"`{written}` is not a response term{did_you_mean(name, ADDITIONS)}; possible are {_listed()}."
        raise fault(message, source, head.start, tokens[-1].stop)
    positional: list[Expression] = []
    options: list[tuple[str, object]] = []
    for argument in split_top_level(tokens[2:-1], ","):
        if len(argument) > 2 and argument[0].kind is Kind.NAME and argument[1].has_text("="):
            options.append(_option(name, argument, source))
        elif name == "se" and len(positional) == 1 and len(argument) == 1 and argument[0].text in CONSTANTS:
            options.append(("sigma", CONSTANTS[argument[0].text]))
        elif argument:
            positional.append(_expression(argument, source))
    if len(positional) != 1 or len(options) > len(dict(options)):
        raise fault(f"`{name}(...)` takes one column{_options_text(name)}.", source, head.start, tokens[-1].stop)
    return Addition(name, tuple(positional), tuple(options), head.start)


def _option(name: str, argument: Sequence[Token], source: str) -> tuple[str, object]:
    key, value = argument[0], argument[2]
    if key.text not in ADDITIONS[name]:
        message = f"`{name}(...)` has no option `{key.text}` in this version{_options_text(name)}."
        raise fault(message, source, key.start, argument[-1].stop)
    if len(argument) != 3 or not isinstance(CONSTANTS.get(value.text), bool):
        raise fault(f"`{key.text}=` is TRUE or FALSE.", source, key.start, argument[-1].stop)
    return key.text, CONSTANTS[value.text]


def _expression(tokens: Sequence[Token], source: str) -> Expression:
    return Expression(text_between(tokens, source), source, tokens[0].start)


def _options_text(name: str) -> str:
    return "".join(f" and `{option}=TRUE` or `FALSE`" for option in ADDITIONS[name])


def _listed() -> str:
    return ", ".join(f"`{name}(...)`" for name in sorted(ADDITIONS))
