"""Reading an expression into a Python syntax tree that is checked to contain allowed operations only."""

from __future__ import annotations

import ast
import keyword
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from bayesml.columns.contrasts import CONTRASTS
from bayesml.columns.functions import NUMERIC
from bayesml.columns.precedence import with_brackets
from bayesml.columns.transforms import STATEFUL
from bayesml.errors import FormulaError, did_you_mean
from bayesml.formula.language import unknown_function
from bayesml.formula.names import FACTOR_FUNCTIONS, contrast_places, is_keyword_argument
from bayesml.formula.planned import PLANNED_TERMS, not_available
from bayesml.formula.tokens import CONSTANTS, Kind, Token, fault, match_brackets, scan
from bayesml.formula.types import Expression

__all__ = ["FUNCTION_NAMES", "Syntax", "bare_name", "expression_fault", "read_syntax"]

MAX_TOKENS = 300
VECTOR_NAME = "c"
VECTOR = f"{VECTOR_NAME}("  # marks R's c() among the callers; no function can have this name
FUNCTION_NAMES = frozenset({*NUMERIC, *STATEFUL, *CONTRASTS, *FACTOR_FUNCTIONS, "I", VECTOR_NAME})
"""What a column expression may call."""

_OPERATORS = (
    (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.BitAnd, ast.BitOr)
    + (ast.UAdd, ast.USub, ast.Invert)
    + (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In)
)
_NODES = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Name, ast.Constant, ast.List, ast.Tuple)
_ALLOWED = (*_NODES, *_OPERATORS, ast.Load, ast.keyword)
_SPELLED = {"^": "**", "%%": "%", "%/%": "//", "%in%": "in"}
_KINDS = {
    "Subscript": "taking elements with [ ]",
    "Starred": "a starred argument",
    "MatMult": "a matrix product",
    "Is": "`is`",
}


@dataclass(frozen=True)
class Syntax:
    """An expression that contains allowed operations only.

    Attributes:
        tree: its syntax tree, in which names of columns and functions are replaced by placeholders.
        columns: for each placeholder of a column its name.
        functions: for each placeholder of a function its name.
        expression: the text, and where it was written.
    """

    tree: ast.expr
    columns: dict[str, str]
    functions: dict[str, str]
    expression: Expression


def bare_name(text: str) -> str | None:
    """Return the name of the column if the expression is nothing but that, else None."""
    tokens = scan(text)
    return tokens[0].name if len(tokens) == 2 and tokens[0].is_name else None


def read_syntax(expression: Expression, functions: Collection[str] = ()) -> Syntax:
    """Read an expression and check every part of it against what is allowed.

    Args:
        expression: the text and its place in the formula.
        functions: names of the caller's own functions.

    Raises:
        FormulaError: the text is no expression, or holds something that a formula may not do.
    """
    tokens = scan(expression.text)
    match_brackets(tokens, expression.text)
    if len(tokens) > MAX_TOKENS:
        raise FormulaError(f"`{expression.text[:60]}...` is too long; compute the column in the data first.")
    columns: dict[str, str] = {}
    calls: dict[str, str] = {}
    words = []
    callers: list[str] = []
    contrasts = contrast_places(tokens)
    for index, token in enumerate(tokens[:-1]):
        if index in contrasts:
            words.append(_placeholder(_contrast(token, expression), calls, "f"))
        else:
            words.append(_word(tokens, index, callers, columns, calls, expression, functions))
        if token.has_text("("):
            named = index > 0 and tokens[index - 1].is_name
            vector = named and _is_vector(tokens, index - 1, functions)
            callers.append(VECTOR if vector else tokens[index - 1].text if named else "")
        elif token.has_text(")"):
            callers.pop()
    tree = _parse(" ".join(with_brackets(tokens[:-1], words)).strip(), expression)
    _check(tree, calls, expression)
    return Syntax(tree, columns, calls, expression)


def _word(
    tokens: Sequence[Token],
    index: int,
    callers: Sequence[str],
    columns: dict[str, str],
    calls: dict[str, str],
    expression: Expression,
    functions: Collection[str],
) -> str:
    """Return one token as Python code. Names become placeholders, so that no text of the user is a name in Python."""
    token = tokens[index]
    if token.kind is Kind.NUMBER:
        return _number(token, expression)
    if token.kind is Kind.STRING:
        return repr(re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL))
    if token.kind is Kind.OPERATOR:
        if token.has_text("||", ":", "."):
            raise expression_fault(f"`{token.text}` cannot be computed with.", expression, token.start, token.stop)
        opens_vector = token.has_text("(") and index > 0 and _is_vector(tokens, index - 1, functions)
        if opens_vector or (token.has_text(")") and callers[-1] == VECTOR):
            return "[" if opens_vector else "]"
        return _SPELLED.get(token.text, token.text)
    if token.kind is Kind.NAME:
        if is_keyword_argument(tokens, index):
            return _argument_name(token, expression)
        if token.text in CONSTANTS:
            return str(CONSTANTS[token.text])
        if _is_vector(tokens, index, functions):
            return ""
        if tokens[index + 1].has_text("("):
            return _placeholder(_function(token, expression, functions), calls, "f")
    elif tokens[index + 1].has_text("("):
        message = f"{token.text} is a column name; it cannot be called."
        raise expression_fault(message, expression, token.start, token.stop)
    return _placeholder(token.name, columns, "c")


def _is_vector(tokens: Sequence[Token], index: int, functions: Collection[str]) -> bool:
    """Return whether ``tokens[index]`` is the ``c`` of R's ``c(1, 2)``, which is read as a list."""
    token = tokens[index]
    return token.kind is Kind.NAME and token.text == "c" and "c" not in functions and tokens[index + 1].has_text("(")


def _placeholder(name: str, table: dict[str, str], prefix: str) -> str:
    existing = next((placeholder for placeholder, other in table.items() if other == name), None)
    placeholder = existing or f"{prefix}{len(table)}"
    table[placeholder] = name
    return placeholder


def _number(token: Token, expression: Expression) -> str:
    if token.text.isdecimal() and len(token.text) <= 15:
        return str(int(token.text))
    value = float(token.text)
    if not math.isfinite(value):
        raise expression_fault("The number is too large.", expression, token.start, token.stop)
    return repr(value)


def _argument_name(token: Token, expression: Expression) -> str:
    if not token.text.isidentifier() or keyword.iskeyword(token.text) or "__" in token.text or not token.text.isascii():
        raise expression_fault(f"`{token.text}` is not the name of an argument.", expression, token.start, token.stop)
    return token.text


def _contrast(token: Token, expression: Expression) -> str:
    if token.text in CONTRASTS:
        return token.text
    possible = ", ".join(f"`{name}`" for name in CONTRASTS if name.startswith("contr"))
    message = f"`{token.text}` is no coding of a factor{did_you_mean(token.text, CONTRASTS)}; there are {possible}."
    raise expression_fault(message, expression, token.start, token.stop)


def _function(token: Token, expression: Expression, functions: Collection[str]) -> str:
    if token.text in functions:
        return token.text
    name = re.sub(r"^(np|numpy)\.", "", token.text)
    if name in NUMERIC:
        return name
    known = FUNCTION_NAMES - {VECTOR_NAME}
    if token.text in known:
        return token.text
    if token.text in PLANNED_TERMS:
        raise _planned(token, expression)
    raise expression_fault(unknown_function(token.text, {*known, *functions}), expression, token.start, token.stop)


def _parse(code: str, expression: Expression) -> ast.expr:
    try:
        return ast.parse(code, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        message = (
            f"`{expression.text}` cannot be read as an expression. Arithmetic, comparisons and `& | !` on them, and "
            "calls of functions are possible."
        )
        raise expression_fault(message, expression, 0, len(expression.text)) from None


def _check(tree: ast.expr, calls: dict[str, str], expression: Expression) -> None:
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            raise _forbidden(_KINDS.get(type(node).__name__, type(node).__name__), expression)
        if isinstance(node, ast.Call):
            if not (isinstance(node.func, ast.Name) and node.func.id in calls):
                raise _forbidden("calling the result of a call", expression)
            if any(argument.arg is None for argument in node.keywords):
                raise _forbidden("a starred argument", expression)
        if isinstance(node, (ast.List, ast.Tuple)) and not all(_is_literal(element) for element in node.elts):
            raise _forbidden("a list of anything but numbers and texts", expression)


def _is_literal(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, (ast.USub, ast.UAdd)) and isinstance(node.operand, ast.Constant)
    return isinstance(node, ast.Constant)


def _planned(token: Token, expression: Expression) -> FormulaError:
    offset = _offset(expression)
    if offset is None:
        return not_available(token, expression.text)
    return not_available(replace(token, start=token.start + offset, stop=token.stop + offset), expression.source)


def expression_fault(message: str, expression: Expression, start: int, stop: int) -> FormulaError:
    """Build an error that points at a part of an expression, in the formula where it was written."""
    offset = _offset(expression)
    if offset is None:
        return fault(message, expression.text, start, stop)
    return fault(message, expression.source, start + offset, stop + offset)


def _offset(expression: Expression) -> int | None:
    """Return the position of the expression in its formula, or None if it was written there with other spaces."""
    place = expression.source.find(expression.text, expression.start)
    return place if place >= 0 else None


def _forbidden(what: str, expression: Expression) -> FormulaError:
    message = f"`{expression.text}`: {what} is not possible in a formula. Compute the column in the data first."
    return expression_fault(message, expression, 0, len(expression.text))
