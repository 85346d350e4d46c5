"""The left-hand side: ``y``, ``log(y)``, ``cbind(s, f)``, ``mvbind(y1, y2)``, and behind a bar the response terms."""

from __future__ import annotations

from collections.abc import Sequence

from bayesml.errors import did_you_mean
from bayesml.formula.calls import Argument, expression_of, is_one_call, read_arguments, value_of
from bayesml.formula.complaints import misplaced
from bayesml.formula.language import Language, ResponseTerm
from bayesml.formula.planned import PLANNED_ADDITIONS, PLANNED_TERMS, not_available
from bayesml.formula.tokens import CONSTANTS, Token, canonical, fault, split_top_level, text_between
from bayesml.formula.types import Addition, Expression, Response, Value

__all__ = ["count_responses", "read_responses"]


def read_responses(tokens: Sequence[Token], source: str, language: Language) -> tuple[Response, ...]:
    """Read the tokens left of ``~``: one response, or those of ``mvbind``, which have the response terms in common.

    Raises:
        FormulaError: there is no response, a bar is misplaced, or a response term is unknown, wrong or repeated.
    """
    for token in tokens:
        if token.has_text("||"):
            raise fault(
                "A response takes its terms behind one bar: `y | trials(n) ~ ...`.", source, token.start, token.stop
            )
        if token.has_text("~"):
            raise fault("There is a second `~`; a formula has one.", source, token.start, token.stop)
    left, *right = split_top_level(tokens, "|")
    if len(right) > 1:
        culprit = next(t for t in reversed(tokens) if t.has_text("|"))
        message = "A second bar: several response terms are joined by `+`, as in `y | trials(n) + weights(w)`."
        raise fault(message, source, culprit.start, culprit.stop)
    if not any(token.is_name and token.name not in CONSTANTS for token in left):
        stop = left[-1].stop if left else (tokens[0].stop if tokens else 1)
        raise fault("The response is missing: a column stands left of `~`.", source, 0, stop)
    additions = _read_additions(right[0], tokens, source, language) if right else ()
    return tuple(_response(piece, additions, source) for piece in _bound(left, source))


def count_responses(tokens: Sequence[Token], source: str) -> int:
    """Return the number of responses left of ``~``."""
    return len(_bound(split_top_level(tokens, "|")[0], source))


def _bound(tokens: Sequence[Token], source: str) -> list[list[Token]]:
    """Return the responses of ``mvbind``, or the one that is written."""
    if not (is_one_call(tokens) and tokens[0].text == "mvbind"):
        return [list(tokens)]
    pieces = split_top_level(tokens[2:-1], ",")
    if len(pieces) < 2 or not all(any(token.is_name for token in piece) for piece in pieces):
        message = "`mvbind` takes two or more responses: `mvbind(y1, y2)`."
        raise fault(message, source, tokens[0].start, tokens[-1].stop)
    return pieces


def _response(tokens: Sequence[Token], additions: tuple[Addition, ...], source: str) -> Response:
    name = canonical(tokens)
    if len(tokens) == 1:
        name = tokens[0].name
    head = tokens[0]
    if is_one_call(tokens) and head.text in PLANNED_TERMS:
        raise not_available(head, source)
    error = misplaced(head, source) if is_one_call(tokens) else None
    if error is not None:
        raise error
    if not (is_one_call(tokens) and head.text == "cbind"):
        return Response(expression_of(tokens, source), additions, name)
    arguments = split_top_level(tokens[2:-1], ",")
    if len(arguments) < 2 or not all(arguments):
        raise fault("`cbind` takes successes and failures: `cbind(s, n - s)`.", source, head.start, tokens[-1].stop)
    columns = tuple(expression_of(argument, source) for argument in arguments)
    if len(arguments) > 2 or any(addition.name == "trials" for addition in additions):
        return Response(expression_of(tokens, source), additions, name, columns)
    total = Expression(_trials_text(arguments[0], arguments[1], source), source, head.start)
    trials = Addition("trials", (total,), (), head.start)
    return Response(columns[0], (trials, *additions), name, columns)


def _trials_text(successes: Sequence[Token], failures: Sequence[Token], source: str) -> str:
    """Return successes + failures; of ``cbind(s, n - s)`` that is ``n``, which new data have without a response."""
    single = len(successes) == 1 or is_one_call(successes)
    rest = failures[: len(failures) - len(successes)]
    if single and len(rest) > 1 and canonical(failures[len(rest) :]) == canonical(successes):
        depth = sum(token.has_text("(", "[") - token.has_text(")", "]") for token in rest)
        if depth == 0 and rest[-1].has_text("-"):
            return text_between(rest[:-1], source)
    return f"({text_between(successes, source)}) + ({text_between(failures, source)})"


def _read_additions(
    tokens: Sequence[Token], everything: Sequence[Token], source: str, language: Language
) -> tuple[Addition, ...]:
    additions: list[Addition] = []
    for piece in split_top_level(tokens, "+"):
        if not piece:
            end = everything[-1]
            message = f"A response term is missing; possible are {_listed(language)}."
            raise fault(message, source, end.start, end.stop)
        addition = _read_addition(piece, source, language)
        if any(addition.name == other.name for other in additions):
            raise fault(f"`{addition.name}(...)` is given twice.", source, piece[0].start, piece[-1].stop)
        additions.append(addition)
    return tuple(additions)


def _read_addition(tokens: Sequence[Token], source: str, language: Language) -> Addition:
    head = tokens[0]
    name = head.text.removeprefix("resp_")
    term = language.response_term(name)
    if term is None and name == "cat" and len(tokens) > 1:
        message = "`cat(n)`, the number of categories, is `thres(n - 1)`, the number of thresholds between them."
        raise fault(message, source, head.start, tokens[-1].stop)
    if term is None and name in PLANNED_ADDITIONS and len(tokens) > 1:
        raise not_available(head, source)
    if not is_one_call(tokens) or term is None:
        written = text_between(tokens, source)[:40]
        hint = did_you_mean(name, language.response_terms)
        message = f"`{written}` is not a response term{hint}; possible are {_listed(language)}."
        raise fault(message, source, head.start, tokens[-1].stop)
    arguments = read_arguments(tokens, source)
    positional = [argument for argument in arguments if not argument.name]
    most = len(positional) if term.most is None else term.most
    extra = positional[most:]
    if len(positional) < term.least or len(extra) > len(term.keywords):
        message = f"`{name}(...)` takes {_argument_text(term)}."
        raise fault(message, source, head.start, tokens[-1].stop)
    pairs = [*zip(term.keywords, extra, strict=False), *((a.name, a) for a in arguments if a.name)]
    options = [(key, _option(term, key, argument, source)) for key, argument in pairs]
    if len(options) > len(dict(options)):
        raise fault(f"`{name}(...)` is given an argument twice.", source, head.start, tokens[-1].stop)
    return Addition(name, tuple(expression_of(a.tokens, source) for a in positional[:most]), tuple(options), head.start)


def _option(term: ResponseTerm, key: str, argument: Argument, source: str) -> Value:
    if key not in term.keywords:
        hint = did_you_mean(key, term.keywords)
        message = f"`{term.name}(...)` has no option `{key}` in this version{hint}; it takes {_argument_text(term)}."
        raise fault(message, source, argument.start, argument.stop)
    value = value_of(argument.tokens, source)
    if key in term.truths and not isinstance(value, bool):
        raise fault(f"`{key}=` is TRUE or FALSE.", source, argument.start, argument.stop)
    return value


def _argument_text(term: ResponseTerm) -> str:
    """Return ``one column and `sigma=TRUE` or `FALSE` ``."""
    if term.most is None:
        first = f"{_NUMBERS[term.least]} or more columns" if term.least != 1 else "one column or more"
    elif term.least == term.most:
        first = f"{_NUMBERS[term.most]} column{'s' * (term.most != 1)}"
    else:
        first = f"{_NUMBERS[term.least]} to {_NUMBERS[term.most]} columns"
    keywords = [f"`{key}=TRUE` or `FALSE`" if key in term.truths else f"`{key}=`" for key in term.keywords]
    return " and ".join([first, *keywords] if term.most != 0 else keywords)


_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def _listed(language: Language) -> str:
    return ", ".join(f"`{name}(...)`" for name in sorted(language.response_terms))
