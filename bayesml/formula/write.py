"""Values back to text: terms, group terms and responses as they are written in a formula."""

from __future__ import annotations

from collections.abc import Sequence

from bayesml.formula.tokens import Kind, Token, quote_name, scan, split_top_level, text_between
from bayesml.formula.types import GroupCall, Predictor, ResponseFormula

__all__ = ["group_text", "is_bracketed", "left_side", "term_texts"]


def is_bracketed(tokens: Sequence[Token], start: int) -> bool:
    """Return whether the tokens from ``start`` on are one pair of brackets with what is in it."""
    if len(tokens) < start + 2 or not tokens[start].has_text("("):
        return False
    depth = 0
    for index in range(start, len(tokens)):
        depth += tokens[index].has_text("(", "[") - tokens[index].has_text(")", "]")
        if depth == 0:
            return index == len(tokens) - 1
    return False


def term_texts(predictor: Predictor) -> list[str]:
    """Return the terms of a predictor that are no group terms or offsets, one text for each."""
    terms = [*predictor.population.terms, *(special.ordered for special in predictor.specials)]
    return [":".join(_factor_text(factor) for factor in term) for term in terms]


def _factor_text(text: str) -> str:
    """Return one factor as it stands in a term: a comparison in brackets, a name or call as it is."""
    tokens = scan(text)[:-1]
    alone = len(tokens) == 1 or (tokens[0].kind is Kind.NAME and is_bracketed(tokens, 1))
    return text if alone or is_bracketed(tokens, 0) else f"({text})"


def group_text(part: GroupCall) -> str:
    """Return a group term: ``(x | g:h)``, ``(1 | p | gr(g, by=f))``."""
    bar = "|" if part.correlated or _says_more(part) else "||"
    names = [quote_name(name) for name in part.factors]
    if part.membership is not None:
        side = f"mm({', '.join([*names, *_membership(part), *_keywords(part)])})"
    elif _says_more(part):
        side = f"gr({', '.join([':'.join(names), *_keywords(part)])})"
    else:
        side = ":".join(names)
    shared = f"{quote_name(part.id) if not part.id.isdecimal() else part.id} {bar} " if part.id else ""
    return f"({part.columns.expression.text} {bar} {shared}{side})"


def _says_more(part: GroupCall) -> bool:
    return bool(part.by or part.cov or part.prior_weights or part.dist != "gaussian" or part.membership is not None)


def _keywords(part: GroupCall) -> list[str]:
    given = {"by": part.by, "cov": part.cov, "pw": part.prior_weights}
    words = [f"{name}={quote_name(value)}" for name, value in given.items() if value]
    words += [] if part.correlated else ["cor=FALSE"]
    return words + ([] if part.dist == "gaussian" else [f"dist='{part.dist}'"])


def _membership(part: GroupCall) -> list[str]:
    assert part.membership is not None
    weights = ", ".join(weight.text for weight in part.membership.weights)
    words = [f"weights=cbind({weights})"] if weights else []
    words += [f"by=cbind({', '.join(map(quote_name, part.membership.by))})"] if part.membership.by else []
    return words if part.membership.scale else [*words, "scale=FALSE"]


def left_side(formula: ResponseFormula) -> str:
    """Return the left-hand side of a formula as written; of ``mvbind(y1, y2)`` the response that is meant."""
    pieces = split_top_level(split_top_level(scan(formula.text), "~")[0], "|")
    response, *additions = (text_between(piece, formula.text) for piece in pieces)
    if pieces[0][0].text == "mvbind" and is_bracketed(pieces[0], 1):
        response = formula.response.expression.text
        if formula.response.columns:
            response = f"cbind({', '.join(column.text for column in formula.response.columns)})"
        elif len(split_top_level(scan(response), "|")) > 1:
            response = f"({response})"
    return " | ".join([response, *additions])
