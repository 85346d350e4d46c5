"""Which data columns an expression names, and where a name stands in a formula."""

from __future__ import annotations

import keyword
from collections.abc import Collection, Iterator, Sequence

from bayesml.errors import FormulaError, did_you_mean
from bayesml.formula.tokens import CONSTANTS, Kind, Token, fault, quote_name, scan
from bayesml.formula.types import (
    Addition,
    Expression,
    Nonlinear,
    ParsedFormula,
    Predictor,
    Response,
    ResponseFormula,
    SpecialCall,
)

__all__ = [
    "argument_texts",
    "CONTRAST_NAMES",
    "FACTOR_FUNCTIONS",
    "check_matrices",
    "check_names",
    "contrast_places",
    "formula_variables",
    "grouping_variables",
    "hidden_columns",
    "is_keyword_argument",
    "matrix_names",
    "names_in",
    "unknown_name",
]

FACTOR_FUNCTIONS = frozenset({"C", "factor", "as.factor", "ordered", "as.ordered", "relevel"})
CONTRAST_NAMES = ("treatment", "sum", "helmert", "poly", "diff", "SAS")
_CONTRAST_WORDS = frozenset(name.capitalize() for name in CONTRAST_NAMES if name.islower())


def names_in(text: str) -> tuple[str, ...]:
    """Return the columns that an expression names, in order of appearance.

    Names of functions, of keyword arguments and of contrasts inside ``C(...)`` are not columns.
    """
    tokens = scan(text)
    contrasts = contrast_places(tokens)
    return tuple(
        dict.fromkeys(
            token.name
            for index, token in enumerate(tokens)
            if token.is_name and index not in contrasts and not _is_other(tokens, index)
        )
    )


def _is_other(tokens: Sequence[Token], index: int) -> bool:
    token = tokens[index]
    if token.kind is Kind.QUOTED:
        return False
    return tokens[index + 1].has_text("(") or token.text in CONSTANTS or is_keyword_argument(tokens, index)


def contrast_places(tokens: Sequence[Token]) -> frozenset[int]:
    """Return where a name stands for a coding: the later arguments of ``C(x, contr.sum)`` and of ``factor``."""
    places: set[int] = set()
    calls: list[tuple[str, int]] = []  # caller and number of arguments behind us, for every open bracket
    for index, token in enumerate(tokens):
        if token.has_text("(", "["):
            named = index > 0 and tokens[index - 1].kind is Kind.NAME
            calls.append((tokens[index - 1].text if named else "", 0))
        elif token.has_text(")", "]") and calls:
            calls.pop()
        elif token.has_text(",") and calls:
            calls[-1] = (calls[-1][0], calls[-1][1] + 1)
        elif calls and calls[-1][0] in FACTOR_FUNCTIONS and calls[-1][1] and _is_contrast(tokens, index):
            places.add(index)
    return frozenset(places)


def _is_contrast(tokens: Sequence[Token], index: int) -> bool:
    """Return whether a token is the name of a coding and all of its argument."""
    token = tokens[index]
    known = token.text.startswith("contr.") or token.text in _CONTRAST_WORDS
    alone = tokens[index - 1].has_text(",", "=") and tokens[index + 1].has_text(",", ")")
    return token.kind is Kind.NAME and known and alone


def is_keyword_argument(tokens: Sequence[Token], index: int) -> bool:
    """Return whether ``tokens[index]`` is the ``name`` of ``name=value`` in a call."""
    if index == 0 or index + 1 >= len(tokens):
        return False
    return tokens[index + 1].has_text("=") and tokens[index - 1].has_text("(", ",")


def formula_variables(parsed: ParsedFormula, columns: Sequence[str] = ()) -> tuple[str, ...]:
    """Return every data column that a formula uses, grouping factors included, in order of appearance.

    Args:
        parsed: the formula.
        columns: names of the data columns; read only to see whether the reserved name ``Intercept`` is one of them.
    """
    names: dict[str, None] = {}
    for text in _expressions(parsed):
        names.update(dict.fromkeys(names_in(text)))
    for predictor in parsed.predictors:
        names.update(dict.fromkeys(_group_columns(predictor)))
    if "Intercept" not in columns:
        names.pop("Intercept", None)
    return tuple(names)


def grouping_variables(parsed: ParsedFormula) -> tuple[str, ...]:
    """Return the data columns that only tell groups apart."""
    computed = {name for text in _expressions(parsed) for name in names_in(text)}
    factors = [name for predictor in parsed.predictors for name in _group_columns(predictor, weights=False)]
    return tuple(name for name in dict.fromkeys(factors) if name not in computed)


def _group_columns(predictor: Predictor, *, weights: bool = True) -> list[str]:
    names: list[str] = []
    for group in predictor.groups:
        names += [*group.factors, *([group.by] if group.by else [])]
        names += [] if group.membership is None else group.membership.by
        names += [group.prior_weights] if group.prior_weights and weights else []
    return names


def _expressions(parsed: ParsedFormula) -> list[str]:
    texts: list[str] = []
    for formula in parsed.responses:
        texts.append(formula.response.expression.text)
        texts += [text for addition in formula.response.additions for text in argument_texts(addition)]
        texts += [text for predictor in formula.predictors for text in _predictor_expressions(predictor)]
    return texts


def argument_texts(call: Addition | SpecialCall) -> list[str]:
    """Return the expressions of columns that a call is given, keyword arguments too."""
    beside = call.matrices if isinstance(call, SpecialCall) else ()
    given = [*call.arguments, *(value for _, value in call.options if isinstance(value, Expression))]
    return [expression.text for expression in given if expression not in beside]


def _predictor_expressions(predictor: Predictor) -> list[str]:
    if predictor.nonlinear is not None:
        return [quote_name(name) for name in predictor.nonlinear.covariates]
    parts = [predictor.population, *(group.columns for group in predictor.groups)]
    texts = [factor for part in parts for term in part.terms for factor in term]
    texts += [offset.text for offset in predictor.offsets]
    for special in (*predictor.specials, *(special for group in predictor.groups for special in group.specials)):
        texts += [text for call in (special, *special.others) for text in argument_texts(call)]
        texts += special.factors
    members = [group.membership for group in predictor.groups if group.membership is not None]
    return texts + [weight.text for membership in members for weight in membership.weights]


def matrix_names(parsed: ParsedFormula) -> tuple[str, ...]:
    """Return the names of the matrices beside the table that a formula uses, in order of appearance."""
    return tuple(dict.fromkeys(name for predictor in parsed.predictors for name, _, _ in _matrices(predictor)))


def check_matrices(parsed: ParsedFormula, known: Collection[str]) -> None:
    """Refuse a formula that names a matrix which is not there.

    Args:
        parsed: the formula.
        known: names of the entries of ``data2``.

    Raises:
        FormulaError: with a caret under the name.
    """
    for predictor in parsed.predictors:
        for name, written, place in _matrices(predictor):
            if name not in known:
                token = _find(name, place.source, place.start)
                message = (
                    f"`{name}` of `{written}` is a matrix, and `data2` has none of that name"
                    f'{did_you_mean(name, known)}. Hand it in beside the data: data2={{"{name}": {name}}}.'
                )
                if token is None:
                    raise FormulaError(message)
                raise fault(message, place.source, token.start, token.stop)


def _matrices(predictor: Predictor) -> Iterator[tuple[str, str, Expression]]:
    """Yield the name of each matrix, the call that names it, and where that stands."""
    for group in predictor.groups:
        if group.cov:
            source = group.columns.expression.source
            yield group.cov, group.text, Expression(group.text, source, group.start + group.text.rfind("|"))
    specials = (*predictor.specials, *(special for group in predictor.groups for special in group.specials))
    for call in (each for special in specials for each in (special, *special.others)):
        for matrix in call.matrices:
            yield names_in(matrix.text)[0], call.spelling, matrix


def effect_factors(predictor: Predictor) -> tuple[tuple[str, ...], ...]:
    """Return the column expressions of each population-level term: ``("x", "z")`` of ``x:z`` and of ``mo(x):z``.

    Covariates of a nonlinear function stand for a term each.
    """
    if predictor.nonlinear is not None:
        return tuple((quote_name(name),) for name in predictor.nonlinear.covariates)
    of_calls = tuple(
        (*(text for call in (special, *special.others) for text in _varied_texts(call)), *special.factors)
        for special in predictor.specials
    )
    return (*predictor.population.terms, *of_calls)


ABOUT_ROWS = frozenset({"me", "mi"})
"""Calls whose first argument alone is a predictor; the others say how it was measured, or where it is found."""


def _varied_texts(call: SpecialCall) -> list[str]:
    """Return the arguments of a call that are predictors."""
    return [call.arguments[0].text] if call.name in ABOUT_ROWS and call.arguments else argument_texts(call)


def check_names(parsed: ParsedFormula, columns: Sequence[str]) -> None:
    """Refuse a formula that names what is not a column of the data.

    Raises:
        FormulaError: with a caret under the first unknown name and the closest column; also where the response is
            among its own predictors.
    """
    known = set(columns)
    for name in formula_variables(parsed, columns):
        if name not in known:
            raise _unknown_in(parsed, name, columns)
    for formula in parsed.responses:
        _refuse_response_among_predictors(formula)


def hidden_columns(parsed: ParsedFormula, columns: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each nonlinear parameter that is called as a column of the data is, which it hides."""
    for name in dict.fromkeys(predictor.key.nlpar for predictor in parsed.predictors if predictor.key.nlpar):
        if name in columns:
            yield (
                f"`{name}` is a parameter with a formula, and a column of the data is called `{name}` too. The "
                "nonlinear formula means the parameter; give the parameter another name if it should be the column"
            )


def _unknown_in(parsed: ParsedFormula, name: str, columns: Sequence[str]) -> FormulaError:
    for predictor in parsed.predictors:
        if predictor.nonlinear is not None and name in predictor.nonlinear.covariates:
            return _neither(name, predictor.nonlinear, columns)
    sources = [formula.text for formula in parsed.responses]
    sources += [predictor.population.expression.source for predictor in parsed.predictors]
    source = next((s for s in sources if _find(name, s) is not None), sources[0])
    expression = Expression(source, source, 0)
    if any(predictor.key.parameter == name for predictor in parsed.predictors):
        return _not_nonlinear(name, expression)
    return unknown_name(name, columns, expression)


def _not_nonlinear(name: str, expression: Expression) -> FormulaError:
    message = (
        f"`{name}` is not a column of the data, but has a formula. Say that the formula which it stands in is "
        "nonlinear: nonlinear=True for the main one, else the names of all, nonlinear=['mu', 'a']."
    )
    token = _find(name, expression.source, expression.start)
    return FormulaError(message) if token is None else fault(message, expression.source, token.start, token.stop)


def _neither(name: str, nonlinear: Nonlinear, columns: Sequence[str]) -> FormulaError:
    hint = did_you_mean(name, (*columns, *nonlinear.parameters))
    message = (
        f"`{name}` is neither a column of the data nor a parameter with a formula{hint}. Give a parameter its formula, "
        f'{name}="~ 1".'
    )
    token = _find(name, nonlinear.expression.source, nonlinear.expression.start)
    if token is None:
        return FormulaError(message)
    return fault(message, nonlinear.expression.source, token.start, token.stop)


def _refuse_response_among_predictors(formula: ResponseFormula) -> None:
    """Refuse predictors that determine the response.

    That is so where all columns of the response stand among them. One of several may: a change on its baseline,
    ``I(after - before) ~ before``, is a model. Columns of response terms, ``y | trials(n) ~ n``, are no response.
    """
    response = formula.response
    computed_from = [names for part in response.columns or (response.expression,) if (names := names_in(part.text))]
    for predictor in formula.predictors:
        used = {name for text in _predictor_expressions(predictor) for name in names_in(text)}
        used.update(_group_columns(predictor))
        for columns in computed_from:
            if used.issuperset(columns):
                raise _explains_itself(response, predictor, columns)


def _explains_itself(response: Response, predictor: Predictor, used: tuple[str, ...]) -> FormulaError:
    which = f"The response `{response.name}`"
    if used != (response.name,):
        columns = " and ".join(f"`{column}`" for column in used)
        which = f"{which} is computed from {columns}, which"
    message = (
        f"{which} stand{'s' * (len(used) == 1)} among the predictors of `{predictor.key.parameter}` too and would "
        f"explain itself. Take `{used[0]}` out there; an earlier value of the response is a column of its own in "
        "the data."
    )
    source, start = predictor.population.expression.source, predictor.population.expression.start
    token = _find(used[0], source, start)
    return FormulaError(message) if token is None else fault(message, source, token.start, token.stop)


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
