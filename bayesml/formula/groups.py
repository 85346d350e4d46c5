"""Group terms: ``(columns | factors)`` cut at its bar, its factors expanded (``a/b`` is ``a`` and ``a:b``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bayesml.errors import FormulaError
from bayesml.formula.planned import PLANNED_TERMS, not_available
from bayesml.formula.terms import TermReader
from bayesml.formula.tokens import Kind, Token, fault, quote_name, text_between
from bayesml.formula.types import Expression, GroupPart, LinearPart

__all__ = ["read_group", "refuse_duplicates"]

_DOT_HELP = "`.` has no meaning inside a group term; name the columns."
_FACTORS_HELP = "The grouping side takes column names joined by `:`, `/` or `+`"


def read_group(
    tokens: Sequence[Token], brackets: Mapping[int, int], source: str, opening: int, closing: int
) -> tuple[GroupPart, ...]:
    """Return the group terms that ``( ... | ... )`` between two brackets stands for.

    Raises:
        FormulaError: a side is empty, there is a second bar, or the factors are not names.
    """
    bar = _find_bar(tokens, source, opening, closing)
    columns = _read_columns(tokens, brackets, source, opening + 1, bar)
    start, text = tokens[opening].start, text_between(tokens[opening : closing + 1], source)
    correlated = tokens[bar].text == "|"
    factors = _read_factors(tokens[bar + 1 : closing], source, tokens[closing])
    return tuple(GroupPart(columns, names, correlated, start, text) for names in factors)


def _find_bar(tokens: Sequence[Token], source: str, opening: int, closing: int) -> int:
    bars, depth = [], 0
    for index in range(opening + 1, closing):
        depth += tokens[index].has_text("(", "[") - tokens[index].has_text(")", "]")
        if depth == 0 and tokens[index].has_text("|", "||"):
            bars.append(index)
    if len(bars) > 1:
        message = "A second bar: `(x | ID | group)` is not available in this version of bayesml."
        raise fault(message, source, tokens[bars[0]].start, tokens[bars[1]].stop)
    return bars[0]


def _read_columns(
    tokens: Sequence[Token], brackets: Mapping[int, int], source: str, start: int, stop: int
) -> LinearPart:
    if start == stop:
        message = "Nothing stands left of the bar; write `(1 | group)` for varying intercepts."
        raise fault(message, source, tokens[stop].start, tokens[stop].stop)
    reader = TermReader(tokens, brackets, source, start, stop, dot=None, dot_help=_DOT_HELP, lift=False)
    terms = reader.read()
    expression = Expression(text_between(tokens[start:stop], source), source, tokens[start].start)
    if not terms and not reader.intercept:
        message = "The group term has no column: neither an intercept nor a slope is left of the bar."
        raise fault(message, source, tokens[start].start, tokens[stop - 1].stop)
    return LinearPart(reader.intercept, terms, expression)


def _read_factors(tokens: Sequence[Token], source: str, closing: Token) -> list[tuple[str, ...]]:
    """Expand the grouping side by R's rules: ``a/b/c`` is ``a``, ``a:b`` and ``a:b:c``; ``+`` joins."""
    groups: list[tuple[str, ...]] = []
    prefix: tuple[str, ...] = ()
    current: tuple[str, ...] = ()
    names, operators = tokens[0::2], tokens[1::2]
    if len(tokens) > 64:
        raise FormulaError("A group term joins more than 32 grouping factors; the formula is too large.")
    for name, operator in zip(names, (*operators, None), strict=False):
        _check_name(name, operator, source)
        if name.name in prefix + current:
            raise fault(f"The factor {name.text} is crossed with itself.", source, name.start, name.stop)
        current = (*current, name.name)
        if operator is not None and operator.text == ":":
            continue
        groups.append(prefix + current)
        prefix = prefix + current if operator is not None and operator.text == "/" else ()
        current = ()
    if len(tokens) % 2 == 0:
        raise fault(f"A grouping factor is missing. {_FACTORS_HELP}.", source, closing.start, closing.stop)
    return groups


def _check_name(name: Token, operator: Token | None, source: str) -> None:
    if operator is not None and operator.has_text("(") and name.kind is Kind.NAME:
        if name.text in PLANNED_TERMS:
            raise not_available(name, source)
        message = f"`{name.text}(...)` cannot stand here. {_FACTORS_HELP}; compute the column in the data first."
        raise fault(message, source, name.start, operator.stop)
    if not name.is_name:
        raise fault(f"`{name.text}` is not a column name. {_FACTORS_HELP}.", source, name.start, name.stop)
    if operator is not None and not operator.has_text(":", "/", "+"):
        raise fault(f"`{operator.text}` cannot stand here. {_FACTORS_HELP}.", source, operator.start, operator.stop)


def refuse_duplicates(groups: Sequence[GroupPart], source: str) -> None:
    """Refuse two group terms that give one column an effect of the same factor twice.

    Raises:
        FormulaError: ``(1 | g) + (x | g)`` holds the intercept of ``g`` twice.
    """
    seen: set[tuple[frozenset[str], frozenset[str]]] = set()
    for group in groups:
        columns = group.columns
        effects = [frozenset(term) for term in columns.terms] + ([frozenset[str]()] if columns.intercept else [])
        for effect in effects:
            key = (frozenset(group.factors), effect)
            if key in seen:
                raise _duplicate(group, effect, source)
            seen.add(key)


def _duplicate(group: GroupPart, effect: frozenset[str], source: str) -> FormulaError:
    what = ":".join(sorted(effect)) if effect else "the intercept"
    factor = ":".join(quote_name(name) for name in group.factors)
    message = (
        f"Two group terms give {what} an effect of `{factor}`. Keep one: `(1 + x | {factor})` holds intercept and "
        f"slope, `(0 + x | {factor})` the slope alone."
    )
    return fault(message, source, group.start, group.start + len(group.text))
