"""R's language of changes to a formula: ``. ~ . - x + z``, where a dot stands for what was there.

A dot on the left is the old left-hand side, ``log(.)`` its response; a dot on the right is the sum of the old
population-level terms, and of a nonlinear formula the old expression. Group terms and offsets come along with a dot,
since they are no part of the algebra of terms; ``- (1 | g)`` and ``- offset(e)`` take them away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from bayesml.errors import FormulaError
from bayesml.formula.language import LANGUAGE, Language
from bayesml.formula.names import names_in
from bayesml.formula.parser import parse
from bayesml.formula.specify import Formula, JointFormula, ModelFormula, as_formula
from bayesml.formula.tokens import Kind, Token, canonical, match_brackets, scan, split_top_level, text_between
from bayesml.formula.types import GroupCall, LinearPart, ParsedFormula, Predictor, ResponseFormula
from bayesml.formula.write import group_text, is_bracketed, left_side, term_texts
from bayesml.keys import PredictorKey

__all__ = ["formula_of", "update_formula"]


def formula_of(parsed: ParsedFormula) -> ModelFormula:
    """Return a formula as ``bf`` makes it, from what was read."""
    formulas = tuple(_formula_of(formula) for formula in parsed.responses)
    mecor = None if parsed.mecor else False
    if len(formulas) == 1:
        return replace(formulas[0], mecor=mecor)
    return JointFormula(formulas, parsed.rescor, mecor)


def _formula_of(formula: ResponseFormula) -> Formula:
    main, *others = formula.predictors
    return Formula(
        f"{left_side(formula)} ~ {main.text}" if formula.name else formula.text,
        tuple((p.key.parameter, f"~ {p.text}") for p in others),
        tuple(p.key.parameter for p in formula.predictors if p.nonlinear is not None),
        tuple((fixed.key.parameter, fixed.value) for fixed in formula.fixed),
    )


def update_formula(old: ParsedFormula, new: str | ModelFormula, language: Language = LANGUAGE) -> ModelFormula:
    """Return a formula changed as R's ``update`` changes it.

    Args:
        old: the formula to change.
        new: ``". ~ . - x"``, or ``bf(". ~ . - x", sigma="~ . + z")``; a formula without a dot stands as it is, a
            parameter that is not named keeps its formula, one without a left-hand side the response. Of several
            responses those change that stand on the left, or all for a dot there.
        language: which calls are terms of their own.

    Raises:
        FormulaError: the change cannot be read, or takes away a group term or offset that is not there.

    Example:
        >>> update_formula(parse("y ~ x + z + (x | g)"), ". ~ . - z + (1 | h)").text
        'y ~ x + (x | g) + (1 | h)'
    """
    if not isinstance(new, (str, Formula, JointFormula)):
        raise FormulaError(f'A change of formula is a text such as ". ~ . - x", or bf(...); got {type(new).__name__}.')
    given = as_formula(new)
    changes = given.formulas if isinstance(given, JointFormula) else (given,)
    mecor = (None if old.mecor else False) if given.mecor is None else given.mecor
    if len(old.responses) == 1 and len(changes) == 1:
        return replace(_changed(old.responses[0], changes[0], language), mecor=mecor)
    formulas = [_formula_of(formula) for formula in old.responses]
    for change in changes:
        left = _sides(change.text)[0]
        places = [i for i, f in enumerate(old.responses) if left in ("", ".") or _names(left, f)]
        for i in places:
            formulas[i] = _changed(old.responses[i], change, language)
        if not places:
            formulas.append(change)
    return JointFormula(tuple(formulas), old.rescor if given.rescor is None else given.rescor, mecor)


def _names(left: str, formula: ResponseFormula) -> bool:
    """Return whether a left-hand side is that of a formula, response terms aside."""
    ours, theirs = (canonical(split_top_level(scan(text), "|")[0]) for text in (left, left_side(formula)))
    return ours == theirs


def _changed(old: ResponseFormula, given: Formula, language: Language) -> Formula:
    left, right = _sides(given.text)
    was = tuple(p.key.parameter for p in old.predictors if p.nonlinear is not None)
    texts = {"mu": right, **{name: _sides(text)[1] for name, text in given.parameters}}
    kept = {name for name in was if name not in texts or _has_dot(texts[name])}
    nonlinear = tuple(dict.fromkeys([*(name for name in was if name in kept), *given.nonlinear]))
    fixed = {f.key.parameter: f.value for f in old.fixed if f.key.parameter not in texts} | dict(given.fixed)
    empty = LinearPart(True, (), old.predictors[0].population.expression)
    changed: dict[str, str] = {}
    for predictor in old.predictors:
        name = predictor.key.parameter
        if name not in dict(given.fixed):
            changed[name] = _right(predictor, texts.get(name, "."), name in nonlinear, language)
    for name, text in texts.items():
        if name not in changed:
            changed[name] = _right(Predictor(PredictorKey(dpar=name), "1", empty), text, name in nonlinear, language)
    idle = _idle(old, changed, nonlinear)
    main = f"{_left(old, left)} ~ {changed.pop('mu')}"
    others = tuple((name, f"~ {text}") for name, text in changed.items() if name not in idle)
    return replace(given, text=main, parameters=others, nonlinear=nonlinear, fixed=tuple(fixed.items()))


def _idle(old: ResponseFormula, changed: dict[str, str], nonlinear: Sequence[str]) -> set[str]:
    """Return the old nonlinear parameters that no formula names any more."""
    named = {name for parameter in nonlinear if parameter in changed for name in names_in(changed[parameter])}
    return {p.key.nlpar for p in old.predictors if p.key.nlpar} - named


def _has_dot(text: str) -> bool:
    return any(token.has_text(".") for token in scan(text))


def _sides(text: str) -> tuple[str, str]:
    sides = split_top_level(scan(text), "~")
    if len(sides) != 2:
        raise FormulaError(f'A change of formula is written ". ~ . - x", with one `~`; got {text[:80]!r}.')
    left, right = (text_between(side, text) for side in sides)
    return left, right


def _left(old: ResponseFormula, new: str) -> str:
    written = left_side(old)
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
        return is_bracketed(self.tokens, 0) and len(split_top_level(self.tokens[1:-1], "|", "||")) > 1

    @property
    def is_offset(self) -> bool:
        """Whether it is ``offset(e)``."""
        return self.tokens[:1] != () and self.tokens[0].text == "offset" and is_bracketed(self.tokens, 1)

    @property
    def has_dot(self) -> bool:
        """Whether the old terms stand in it."""
        return any(token.has_text(".") for token in self.tokens)


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


def _right(old: Predictor, new: str, nonlinear: bool, language: Language) -> str:
    """Return the right-hand side of a predictor after a change."""
    if not new:
        raise FormulaError("Nothing stands right of `~` in the change of formula; write `~ .` to keep what is there.")
    if nonlinear:
        return old.text if new == "." else _with_dots(scan(new), new, f"({old.text})")
    pieces = _addends(new)
    if not pieces:
        raise FormulaError(f"There is no term in the change of formula `~ {new[:80]}`.")
    keeps = any(p.has_dot and p.sign == "+" for p in pieces)
    groups, offsets = (old.groups, [o.text for o in old.offsets]) if keeps else ((), [])
    groups = _without_groups(groups, [p.text for p in pieces if p.is_group and p.sign == "-"], language)
    offsets = _without_offsets(offsets, [p.text for p in pieces if p.is_offset and p.sign == "-"])
    fresh = [p.text for p in pieces if (p.is_group or p.is_offset) and p.sign == "+"]
    dots = f"({' + '.join(term_texts(old)) or ('1' if old.population.intercept else '0')})"
    algebra = [f"{p.sign} {_with_dots(scan(p.text), p.text, dots)}" for p in pieces if not (p.is_group or p.is_offset)]
    none = "- 1 " if keeps and not old.population.intercept else ""
    sides = [f"{none}{' '.join(algebra)}" or "1", *(f"+ offset({text})" for text in offsets)]
    sides += [f"+ {text}" for text in [*_group_texts(groups, language), *_new_texts(fresh, groups, language)]]
    return _tidy(" ".join(sides).removeprefix("+ "), language)


def _additive(right: str, language: Language) -> Predictor:
    return parse(f"y ~ {right}", language=language).predictors[0]


def _identity(part: GroupCall) -> tuple[object, ...]:
    """Return what makes two group terms the same, however they are written."""
    columns, membership = part.columns, part.membership
    effects = frozenset([*(frozenset(t) for t in columns.terms), *(special.parts for special in part.specials)])
    weights = (
        None if membership is None else (tuple(w.text for w in membership.weights), membership.scale, membership.by)
    )
    options = (part.correlated, part.id, part.by, part.cov, part.dist, part.prior_weights, weights)
    return part.factors, columns.intercept, effects, options


def _without_groups(groups: tuple[GroupCall, ...], removed: Sequence[str], language: Language) -> tuple[GroupCall, ...]:
    for text in removed:
        wanted = {_identity(part) for part in _additive(text, language).groups}
        missing = wanted - {_identity(part) for part in groups}
        if missing:
            listed = ", ".join(f"`{t}`" for t in _group_texts(groups, language)) or "none"
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


def _group_texts(groups: Sequence[GroupCall], language: Language) -> list[str]:
    """Return the group terms as they are written; of ``(1 | a/b)`` what is left."""
    whole = {(p.start, p.text): len(_additive(p.text, language).groups) for p in groups}
    places = [(p.start, p.text) for p in groups]
    texts = [p.text if places.count((p.start, p.text)) == whole[p.start, p.text] else group_text(p) for p in groups]
    return list(dict.fromkeys(texts))


def _new_texts(fresh: Sequence[str], groups: Sequence[GroupCall], language: Language) -> list[str]:
    """Return what is added, without group terms that are there already."""
    known = {_identity(part) for part in groups}
    added = {text: {_identity(part) for part in _additive(text, language).groups} for text in fresh}
    return [text for text in fresh if not (added[text] and added[text] <= known)]


def _tidy(right: str, language: Language) -> str:
    """Return a right-hand side with its algebra done: the terms, then offsets, then group terms."""
    read = _additive(right, language)
    terms = [*([] if read.population.intercept else ["0"]), *term_texts(read)]
    terms += [f"offset({o.text})" for o in read.offsets]
    return " + ".join([*(terms or ["1"]), *_group_texts(read.groups, language)])
