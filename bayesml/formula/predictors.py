"""One right-hand side to a ``Predictor``: a sum of terms, or a nonlinear function of other predictors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from bayesml.formula.groups import read_group, refuse_duplicates
from bayesml.formula.language import Language
from bayesml.formula.names import names_in
from bayesml.formula.terms import TermReader
from bayesml.formula.tokens import Token, fault, match_brackets, quote_name, scan, text_between
from bayesml.formula.types import Expression, LinearPart, Nonlinear, Predictor
from bayesml.keys import PredictorKey

__all__ = ["Sides", "cut", "nonlinear_of", "read_additive", "read_nonlinear"]

_DOT_HELP = "`.` stands for all other columns of the data, which are not known here; name the columns."
_DOT_ALONE = "`.` stands for all other columns of the data, but there is no other."


@final
@dataclass(frozen=True)
class Sides:
    """A formula cut at its ``~``.

    Attributes:
        source: its text.
        tokens: its tokens.
        brackets: closing index of every opening bracket.
        tilde: index of the ``~``.
    """

    source: str
    tokens: Sequence[Token]
    brackets: Mapping[int, int]
    tilde: int

    @property
    def left(self) -> Sequence[Token]:
        """The tokens left of ``~``."""
        return self.tokens[: self.tilde]

    @property
    def right(self) -> Sequence[Token]:
        """The tokens right of ``~``.

        Raises:
            FormulaError: there are none.
        """
        if self.tilde + 2 == len(self.tokens):
            tilde = self.tokens[self.tilde]
            message = "Nothing stands right of `~`; write `1` for an intercept alone."
            raise fault(message, self.source, tilde.start, tilde.stop)
        return self.tokens[self.tilde + 1 : -1]


def cut(source: str) -> Sides:
    """Cut a formula at its ``~``.

    Raises:
        FormulaError: the text cannot be read, or has not one ``~``.
    """
    tokens = scan(source)
    return Sides(source, tokens, match_brackets(tokens, source), _find_tilde(tokens, source))


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


def read_additive(key: PredictorKey, sides: Sides, dot: Sequence[str] | None, language: Language) -> Predictor:
    """Read a right-hand side as a sum of terms.

    Args:
        key: the parameter.
        sides: the formula.
        dot: the columns that ``.`` stands for, or None where they are not known.
        language: which calls are terms of their own.
    """
    right, tokens, source = sides.right, sides.tokens, sides.source
    start, stop = sides.tilde + 1, len(tokens) - 1
    quoted = None
    if dot is not None and any(token.has_text(".") for token in right):
        quoted = tuple(quote_name(name) for name in dot)
    reader = TermReader(
        *(tokens, sides.brackets, source, start, stop),
        dot=quoted or None,
        dot_help=_DOT_HELP if quoted is None else _DOT_ALONE,
        lift=True,
        language=language,
    )
    terms = reader.read()
    text = text_between(right, source)
    population = LinearPart(reader.intercept, terms, Expression(text, source, right[0].start))
    offsets = tuple(_offset(argument, tokens[sides.tilde], source) for argument in reader.offsets)
    groups = tuple(
        part
        for opening, closing in reader.groups
        for part in read_group(tokens, sides.brackets, source, opening, closing, language)
    )
    refuse_duplicates(groups, source)
    return Predictor(key, text, population, offsets, groups, reader.special_terms)


def _offset(argument: Sequence[Token], tilde: Token, source: str) -> Expression:
    if not argument:
        raise fault("`offset()` takes one column expression.", source, tilde.stop, len(source))
    return Expression(text_between(argument, source), source, argument[0].start)


def read_nonlinear(key: PredictorKey, sides: Sides, parameters: Collection[str]) -> Predictor:
    """Read a right-hand side as a function of other predictors and of data.

    Args:
        key: the parameter.
        sides: the formula.
        parameters: the names that have formulas.

    Raises:
        FormulaError: a group term, a dot or nothing stands there.
    """
    nonlinear = nonlinear_of(key, sides, parameters)
    expression = nonlinear.expression
    return Predictor(key, expression.text, LinearPart(False, (), expression), nonlinear=nonlinear)


def nonlinear_of(key: PredictorKey, sides: Sides, parameters: Collection[str]) -> Nonlinear:
    """Return the function that a right-hand side is; arguments as in ``read_nonlinear``."""
    right, source = sides.right, sides.source
    for token in right:
        if token.has_text(".", "||", ":", "~"):
            message = (
                f"`{token.text}` cannot be computed with. The formula of `{key.parameter}` is nonlinear, an expression "
                "of parameters and columns; terms stand in the formulas of its parameters."
            )
            raise fault(message, source, token.start, token.stop)
    expression = Expression(text_between(right, source), source, right[0].start)
    names = names_in(expression.text)
    named = tuple(name for name in names if name in parameters)
    return Nonlinear(expression, named, tuple(name for name in names if name not in parameters))
