"""Which data columns an expression names, and where a name stands in a formula."""

from __future__ import annotations

import keyword
from collections.abc import Sequence

from bayesml.errors import FormulaError, did_you_mean
from bayesml.formula.tokens import CONSTANTS, Kind, Token, canonical, fault, quote_name, scan
from bayesml.formula.types import Expression, ParsedFormula

__all__ = ["check_names", "formula_variables", "grouping_variables", "is_keyword_argument", "names_in", "unknown_name"]


def names_in(text: str) -> tuple[str, ...]:
    """Return the columns that an expression names, in order of appearance.

    Names of functions, of keyword arguments and of contrasts inside ``C(...)`` are not columns.
    """
    tokens = scan(text)
    names: dict[str, None] = {}
    callers: list[str] = []
    for index, token in enumerate(tokens):
        following = tokens[index + 1] if index + 1 < len(tokens) else token
        if token.has_text("("):
            callers.append(tokens[index - 1].text if index and tokens[index - 1].kind is Kind.NAME else "")
        elif token.has_text(")") and callers:
            callers.pop()
        elif token.is_name and not _is_other(tokens, index, following, callers[-1:] == ["C"]):
            names[token.name] = None
    return tuple(names)


def _is_other(tokens: Sequence[Token], index: int, following: Token, inside_contrasts: bool) -> bool:
    token = tokens[index]
    if token.kind is Kind.QUOTED:
        return False
    if following.has_text("(") or token.text in CONSTANTS or is_keyword_argument(tokens, index):
        return True
    return inside_contrasts and not tokens[index - 1].has_text("(")


def is_keyword_argument(tokens: Sequence[Token], index: int) -> bool:
    """Return whether ``tokens[index]`` is the ``name`` of ``name=value`` in a call."""
    if index == 0 or index + 1 >= len(tokens):
        return False
    return tokens[index + 1].has_text("=") and tokens[index - 1].has_text("(", ",")


def formula_variables(parsed: ParsedFormula, columns: Sequence[str] = ()) -> tuple[str, ...]:
    """Return every data column that a formula uses, grouping factors included, in order of appearance.

    Args:
        parsed: the formula.
        columns: names of the data columns; only asked whether the reserved name ``Intercept`` is one of them.
    """
    names: dict[str, None] = {}
    for text in _expressions(parsed):
        names.update(dict.fromkeys(names_in(text)))
    for predictor in parsed.predictors:
        names.update(dict.fromkeys(name for group in predictor.groups for name in group.factors))
    if "Intercept" not in columns:
        names.pop("Intercept", None)
    return tuple(names)


def grouping_variables(parsed: ParsedFormula) -> tuple[str, ...]:
    """Return the data columns that only tell groups apart."""
    computed = {name for text in _expressions(parsed) for name in names_in(text)}
    factors = [name for p in parsed.predictors for group in p.groups for name in group.factors]
    return tuple(name for name in dict.fromkeys(factors) if name not in computed)


def _expressions(parsed: ParsedFormula) -> list[str]:
    texts = [parsed.response.expression.text]
    texts += [argument.text for addition in parsed.response.additions for argument in addition.arguments]
    for predictor in parsed.predictors:
        parts = [predictor.population, *(group.columns for group in predictor.groups)]
        texts += [factor for part in parts for term in part.terms for factor in term]
        texts += [offset.text for offset in predictor.offsets]
    return texts


def check_names(parsed: ParsedFormula, columns: Sequence[str]) -> None:
    """Refuse a formula that names what is not a column of the data.

    Raises:
        FormulaError: with a caret under the first unknown name and the closest column; also where the response is
            among its own predictors.
    """
    for name in formula_variables(parsed, columns):
        if name not in columns:
            sources = [parsed.text, *(p.population.expression.source for p in parsed.predictors)]
            source = next((s for s in sources if _find(name, s) is not None), parsed.text)
            raise unknown_name(name, columns, Expression(source, source, 0))
    _refuse_response_among_predictors(parsed)


def _refuse_response_among_predictors(parsed: ParsedFormula) -> None:
    tokens = scan(parsed.response.expression.text)[:-1]
    response = quote_name(tokens[0].name) if len(tokens) == 1 else canonical(tokens)
    for predictor in parsed.predictors:
        if any(factor == response for term in predictor.population.terms for factor in term):
            raise FormulaError(
                f"The response `{parsed.response.name}` stands among the predictors of `{predictor.dpar}` too, "
                f"`{predictor.text}`, and would explain itself; take it out there."
            )


def unknown_name(name: str, columns: Sequence[str], expression: Expression) -> FormulaError:
    """Build the error for a name that is no column, with a caret where the name stands."""
    hint = _program_hint(name, columns) or did_you_mean(name, columns)
    if not hint:
        listed = ", ".join(f"`{column}`" for column in list(columns)[:12])
        hint = f"; the columns are {listed}{', ...' if len(columns) > 12 else ''}" if listed else ""
    message = f"`{name}` is not a column of the data{hint}."
    token = _find(name, expression.source, expression.start)
    if token is None:
        return FormulaError(message)
    return fault(message, expression.source, token.start, token.stop)


def _program_hint(name: str, columns: Sequence[str]) -> str:
    if name in ("and", "or", "not"):
        return "; truth values are joined by `&`, `|` and `~`"
    if keyword.iskeyword(name):
        return "; a formula is not a program: compute the column in the data first"
    stem = name.split(".")[0]
    return f"; no attribute can be taken of `{stem}` in a formula" if stem != name and stem in columns else ""


def _find(name: str, source: str, start: int = 0) -> Token | None:
    try:
        tokens = scan(source)
    except FormulaError:
        return None
    found = [token for token in tokens if token.is_name and token.name == name]
    return next((token for token in found if token.start >= start), found[0] if found else None)
