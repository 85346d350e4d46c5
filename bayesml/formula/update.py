"""R's language of changes to a formula: ``. ~ . - x + z``, where a dot stands for what was there.

A dot on the left is the old left-hand side, ``log(.)`` its response; a dot on the right is the sum of the old
population-level terms. Group terms and offsets come along with a dot, since they are no part of the algebra of terms;
``- (1 | g)`` and ``- offset(e)`` take them away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from bayesml.errors import FormulaError
from bayesml.formula.parser import parse
from bayesml.formula.specify import Formula
from bayesml.formula.tokens import (
    Kind,
    Token,
    canonical,
    match_brackets,
    quote_name,
    scan,
    split_top_level,
    text_between,
)
from bayesml.formula.types import GroupPart, LinearPart, ParsedFormula, Predictor
from bayesml.keys import PredictorKey

__all__ = ["formula_of", "update_formula"]


def formula_of(parsed: ParsedFormula) -> Formula:
    """Return a formula as ``bf`` makes it, from what was read."""
    others = tuple((p.key.parameter, f"~ {p.text}") for p in parsed.predictors if not p.key.is_mu)
    return Formula(parsed.text, others)


def update_formula(old: ParsedFormula, new: str | Formula) -> Formula:
    """Return a formula changed as R's ``update`` changes it.

    Args:
        old: the formula to change.
        new: ``". ~ . - x"``, or ``bf(". ~ . - x", sigma="~ . + z")``; a formula without a dot stands as it is, a
            parameter that is not named keeps its formula, one without a left-hand side the response.

    Raises:
        FormulaError: the change cannot be read, or takes away a group term or offset that is not there.

    Example:
        >>> update_formula(parse("y ~ x + z + (x | g)"), ". ~ . - z + (1 | h)").text
        'y ~ x + (x | g) + (1 | h)'
    """
    given = Formula(new) if isinstance(new, str) else new
    if not isinstance(given, Formula):
        raise FormulaError(f'A change of formula is a text such as ". ~ . - x", or bf(...); got {type(new).__name__}.')
    left, right = _sides(given.text)
    main = f"{_left(old, left)} ~ {_right(old.predictors[0], right)}"
    named = dict(given.parameters)
    kept = [p for p in old.predictors if not p.key.is_mu]
    others = [
        (p.key.parameter, f"~ {_right(p, _sides(named[p.key.parameter])[1] if p.key.parameter in named else '.')}")
        for p in kept
    ]
    known = {p.key.parameter for p in kept}
    empty = LinearPart(True, (), old.predictors[0].population.expression)
    for name, text in given.parameters:
        if name not in known:
            added = Predictor(PredictorKey(dpar=name), "1", empty, (), ())
            others.append((name, f"~ {_right(added, _sides(text)[1])}"))
    return Formula(main, tuple(others))


def _sides(text: str) -> tuple[str, str]:
    tokens = scan(text)
    tildes = [t for t in tokens if t.has_text("~")]
    if len(tildes) != 1:
        raise FormulaError(f'A change of formula is written ". ~ . - x", with one `~`; got {text[:80]!r}.')
    return text[: tildes[0].start].strip(), text[tildes[0].stop :].strip()


def _left(old: ParsedFormula, new: str) -> str:
    written = old.text[: next(t for t in scan(old.text) if t.has_text("~")).start].strip()
    if new in ("", "."):
        return written
    response, *additions = _pieces(written)
    tokens = scan(new)
    if not any(t.has_text(".") for t in tokens):
        return new
    changed = _with_dots(tokens, new, response)
    return changed if any(t.has_text("|") for t in tokens) else " | ".join([changed, *additions])


def _pieces(left: str) -> list[str]:
    return [text_between(piece, left) for piece in split_top_level(scan(left), "|")]


def _with_dots(tokens: Sequence[Token], source: str, text: str) -> str:
    """Put a text in place of every dot."""
    parts, position = [], 0
    for token in tokens:
        if token.has_text("."):
            parts += [source[position : token.start], text]
            position = token.stop
    return "".join([*parts, source[position:]])


@final
@dataclass(frozen=True)
class _Piece:
    """One addend of a right-hand side.

    Attributes:
        sign: ``+`` or ``-``.
        text: as written.
        tokens: its tokens.
    """

    sign: str
    text: str
    tokens: tuple[Token, ...]

    @property
    def is_group(self) -> bool:
        """Whether it is ``(x | g)``."""
        return _is_bracketed(self.tokens, 0) and len(split_top_level(self.tokens[1:-1], "|", "||")) > 1

    @property
    def is_offset(self) -> bool:
        """Whether it is ``offset(e)``."""
        return self.tokens[:1] != () and self.tokens[0].text == "offset" and _is_bracketed(self.tokens, 1)

    @property
    def has_dot(self) -> bool:
        """Whether the old terms stand in it."""
        return any(token.has_text(".") for token in self.tokens)


def _is_bracketed(tokens: Sequence[Token], start: int) -> bool:
    """Whether the tokens from ``start`` on are one pair of brackets with what is in it."""
    if len(tokens) < start + 2 or not tokens[start].has_text("("):
        return False
    depth = 0
    for index in range(start, len(tokens)):
        depth += tokens[index].has_text("(", "[") - tokens[index].has_text(")", "]")
        if depth == 0:
            return index == len(tokens) - 1
    return False


def _addends(text: str) -> list[_Piece]:
    tokens = scan(text)
    match_brackets(tokens, text)
    pieces: list[_Piece] = []
    sign, own, depth = "+", [], 0  # type: str, list[Token], int
    for token in tokens:
        depth += token.has_text("(", "[") - token.has_text(")", "]")
        ends = token.kind is Kind.END or (depth == 0 and token.has_text("+", "-"))
        if not ends:
            own.append(token)
            continue
        if own:
            pieces.append(_Piece(sign, text_between(own, text), tuple(own)))
            sign, own = "+", []
        if token.has_text("-"):
            sign = "-" if sign == "+" else "+"
    return pieces


def _right(old: Predictor, new: str) -> str:
    """Return the right-hand side of a predictor after a change."""
    pieces = _addends(new)
    if not pieces:
        raise FormulaError("Nothing stands right of `~` in the change of formula; write `~ .` to keep what is there.")
    keeps = any(p.has_dot and p.sign == "+" for p in pieces)
    groups, offsets = (old.groups, [o.text for o in old.offsets]) if keeps else ((), [])
    groups = _without_groups(groups, [p.text for p in pieces if p.is_group and p.sign == "-"])
    offsets = _without_offsets(offsets, [p.text for p in pieces if p.is_offset and p.sign == "-"])
    fresh = [p.text for p in pieces if (p.is_group or p.is_offset) and p.sign == "+"]
    dots = _sum_of_terms(old.population)
    algebra = [f"{p.sign} {_with_old_terms(p, dots)}" for p in pieces if not (p.is_group or p.is_offset)]
    none = "- 1 " if keeps and not old.population.intercept else ""
    sides = [f"{none}{' '.join(algebra)}" or "1", *(f"+ offset({text})" for text in offsets)]
    sides += [f"+ {text}" for text in [*_group_texts(groups), *_new_texts(fresh, groups)]]
    return _tidy(" ".join(sides).removeprefix("+ "))


def _sum_of_terms(part: LinearPart) -> str:
    terms = " + ".join(_term_text(term) for term in part.terms)
    return f"({terms or ('1' if part.intercept else '0')})"


def _term_text(term: Sequence[str]) -> str:
    return ":".join(_factor_text(factor) for factor in term)


def _factor_text(text: str) -> str:
    """Return one factor as it stands in a term: a comparison in brackets, a name or call as it is."""
    tokens = scan(text)[:-1]
    alone = len(tokens) == 1 or (tokens[0].kind is Kind.NAME and _is_bracketed(tokens, 1))
    return text if alone or _is_bracketed(tokens, 0) else f"({text})"


def _with_old_terms(piece: _Piece, terms: str) -> str:
    shifted = scan(piece.text)
    return _with_dots(shifted, piece.text, terms)


def _groups_in(text: str) -> tuple[GroupPart, ...]:
    return parse(f"y ~ {text}").predictors[0].groups


def _identity(part: GroupPart) -> tuple[object, ...]:
    columns = part.columns
    return part.factors, columns.intercept, frozenset(frozenset(t) for t in columns.terms), part.correlated


def _without_groups(groups: tuple[GroupPart, ...], removed: Sequence[str]) -> tuple[GroupPart, ...]:
    for text in removed:
        wanted = {_identity(part) for part in _groups_in(text)}
        missing = wanted - {_identity(part) for part in groups}
        if missing:
            listed = ", ".join(f"`{t}`" for t in _group_texts(groups)) or "none"
            raise FormulaError(f"There is no group term `{text}` to take away; the formula has {listed}.")
        groups = tuple(part for part in groups if _identity(part) not in wanted)
    return groups


def _without_offsets(offsets: list[str], removed: Sequence[str]) -> list[str]:
    for text in removed:
        inside = canonical(scan(text)[2:-2])
        kept = [o for o in offsets if canonical(scan(o)) != inside]
        if len(kept) == len(offsets):
            listed = ", ".join(f"`offset({o})`" for o in offsets) or "none"
            raise FormulaError(f"There is no offset `{text}` to take away; the formula has {listed}.")
        offsets = kept
    return offsets


def _group_texts(groups: Sequence[GroupPart]) -> list[str]:
    """Return the group terms as they are written; of ``(1 | a/b)`` what is left."""
    whole = {(p.start, p.text): len(_groups_in(p.text)) for p in groups}
    here = [(p.start, p.text) for p in groups]
    texts = [p.text if here.count((p.start, p.text)) == whole[p.start, p.text] else _written(p) for p in groups]
    return list(dict.fromkeys(texts))


def _written(part: GroupPart) -> str:
    bar = "|" if part.correlated else "||"
    return f"({part.columns.expression.text} {bar} {':'.join(quote_name(f) for f in part.factors)})"


def _new_texts(fresh: Sequence[str], groups: Sequence[GroupPart]) -> list[str]:
    """Return what is added, without group terms that are there already."""
    known = {_identity(part) for part in groups}
    return [text for text in fresh if not ((own := _groups_in(text)) and {_identity(p) for p in own} <= known)]


def _tidy(right: str) -> str:
    """Return a right-hand side with its algebra done: the terms, then offsets, then group terms."""
    read = parse(f"y ~ {right}").predictors[0]
    terms = [] if read.population.intercept else ["0"]
    terms += [_term_text(term) for term in read.population.terms]
    terms += [f"offset({o.text})" for o in read.offsets]
    if not terms:
        terms = ["1"]
    return " + ".join([*terms, *_group_texts(read.groups)])
