"""The formula stage: text in, ``ParsedFormula`` out; of the data only the names of the columns are known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bayesml.formula.groups import read_group, refuse_duplicates
from bayesml.formula.names import check_names, names_in
from bayesml.formula.response import read_response
from bayesml.formula.specify import Formula, as_formula
from bayesml.formula.terms import TermReader
from bayesml.formula.tokens import Token, fault, match_brackets, quote_name, scan, text_between
from bayesml.formula.types import Expression, LinearPart, ParsedFormula, Predictor, Response
from bayesml.keys import MU, PredictorKey

__all__ = ["parse"]

_DOT_HELP = "`.` stands for all other columns of the data, which are not known here; name the columns."
_DOT_ALONE = "`.` stands for all other columns of the data, but there is no other."


def parse(formula: str | Formula, columns: Sequence[str] | None = None) -> ParsedFormula:
    """Read a model formula.

    Args:
        formula: ``"y ~ x + (1 | g)"`` or what ``bf`` returned.
        columns: names of the data columns; ``.`` stands for those that the left-hand side does not use, and a name
            that is none of them is refused.

    Returns:
        The formula as values; ``mu`` is the first predictor.

    Raises:
        FormulaError: the text is not a formula; the message points at the culprit.

    Example:
        >>> parse("y ~ a * b").predictors[0].population.terms
        (('a',), ('b',), ('a', 'b'))
    """
    formula = as_formula(formula)
    source = _one_line(formula.text)
    tokens = scan(source)
    brackets = match_brackets(tokens, source)
    tilde = _find_tilde(tokens, source)
    response = read_response(tokens[:tilde], source)
    dot = None if columns is None else _other_columns(columns, response)
    predictors = [_read_predictor(MU, tokens, brackets, source, tilde, dot)]
    predictors += [_parse_parameter(name, text, dot) for name, text in formula.parameters]
    parsed = ParsedFormula(source, response, tuple(predictors))
    if columns is not None:
        check_names(parsed, columns)
    return parsed


def _one_line(text: str) -> str:
    # Same length, so that positions stay those of the text the user wrote.
    return re.sub(r"\s", " ", text)


def _parse_parameter(name: str, text: str, dot: Sequence[str] | None) -> Predictor:
    source = _one_line(text)
    tokens = scan(source)
    brackets = match_brackets(tokens, source)
    return _read_predictor(PredictorKey(dpar=name), tokens, brackets, source, _find_tilde(tokens, source), dot)


def _find_tilde(tokens: Sequence[Token], source: str) -> int:
    tildes, depth = [], 0
    for index, token in enumerate(tokens):
        depth += token.has_text("(", "[") - token.has_text(")", "]")
        if depth == 0 and token.has_text("~"):
            tildes.append(index)
    if not tildes:
        raise fault("There is no `~`; a formula is written `response ~ predictors`.", source, 0, len(source))
    if len(tildes) > 1:
        culprit = tokens[tildes[1]]
        raise fault("There is a second `~`; a formula has one.", source, culprit.start, culprit.stop)
    return tildes[0]


def _other_columns(columns: Sequence[str], response: Response) -> tuple[str, ...]:
    used = set(names_in(response.expression.text))
    for addition in response.additions:
        used.update(name for argument in addition.arguments for name in names_in(argument.text))
    return tuple(name for name in columns if name not in used)


def _read_predictor(
    key: PredictorKey,
    tokens: Sequence[Token],
    brackets: Mapping[int, int],
    source: str,
    tilde: int,
    dot: Sequence[str] | None,
) -> Predictor:
    start, stop = tilde + 1, len(tokens) - 1
    if start == stop:
        message = "Nothing stands right of `~`; write `1` for an intercept alone."
        raise fault(message, source, tokens[tilde].start, tokens[tilde].stop)
    quoted = _quoted(dot) if dot is not None and any(t.has_text(".") for t in tokens[start:stop]) else None
    help_text = _DOT_HELP if quoted is None else _DOT_ALONE
    reader = TermReader(tokens, brackets, source, start, stop, dot=quoted or None, dot_help=help_text, lift=True)
    terms = reader.read()
    text, begin = text_between(tokens[start:stop], source), tokens[start].start
    population = LinearPart(reader.intercept, terms, Expression(text, source, begin))
    offsets = tuple(_offset(argument, tokens[tilde], source) for argument in reader.offsets)
    groups = tuple(
        part for opening, closing in reader.groups for part in read_group(tokens, brackets, source, opening, closing)
    )
    refuse_duplicates(groups, source)
    return Predictor(key, text, population, offsets, groups)


def _quoted(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(quote_name(name) for name in names)


def _offset(argument: Sequence[Token], tilde: Token, source: str) -> Expression:
    if not argument:
        raise fault("`offset()` takes one column expression.", source, tilde.stop, len(source))
    return Expression(text_between(argument, source), source, argument[0].start)
