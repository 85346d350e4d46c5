"""The grouping side of a group term: names joined by ``: / +``, and brms's ``gr(g, by=f)`` and ``mm(g1, g2)``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

from bayesml.errors import FormulaError, did_you_mean
from bayesml.formula.calls import Argument, expression_of, is_one_call, read_arguments, value_of
from bayesml.formula.planned import PLANNED_TERMS, not_available
from bayesml.formula.tokens import Kind, Token, fault, split_top_level
from bayesml.formula.types import Expression, Membership

__all__ = ["Grouping", "read_grouping"]

_FACTORS_HELP = "The grouping side takes column names joined by `:`, `/` or `+`"
_DISTRIBUTIONS = ("gaussian", "student")
_GR = ("by", "cor", "id", "pw", "cov", "dist")
_MM = ("weights", "scale", *_GR)


@final
@dataclass(frozen=True)
class Grouping:
    """The levels over which columns vary; attributes as in ``GroupCall``."""

    factors: tuple[str, ...]
    correlated: bool = True
    id: str = ""
    by: str = ""
    cov: str = ""
    dist: str = "gaussian"
    prior_weights: str = ""
    membership: Membership | None = None


def read_grouping(tokens: Sequence[Token], source: str, closing: Token) -> list[Grouping]:
    """Return what stands right of the bar, ``a/b/c`` as ``a``, ``a:b`` and ``a:b:c``; ``+`` joins.

    Raises:
        FormulaError: it is neither names nor ``gr(...)`` or ``mm(...)``, or an argument of these is wrong.
    """
    if len(tokens) > 64 and not is_one_call(tokens):
        raise FormulaError("A group term joins more than 32 grouping factors; the formula is too large.")
    groupings: list[Grouping] = []
    place = 0
    for piece in split_top_level(tokens, "+"):
        place += len(piece) + 1
        behind = tokens[place - 1] if place <= len(tokens) else closing
        if is_one_call(piece) and piece[0].text == "gr":
            groupings.append(_gr(piece, source))
        elif is_one_call(piece) and piece[0].text == "mm":
            groupings.append(_mm(piece, source))
        else:
            groupings += [Grouping(names) for names in _read_factors(piece, source, behind)]
    return groupings


def _read_factors(tokens: Sequence[Token], source: str, behind: Token) -> list[tuple[str, ...]]:
    groups: list[tuple[str, ...]] = []
    prefix: tuple[str, ...] = ()
    current: tuple[str, ...] = ()
    names, operators = tokens[0::2], tokens[1::2]
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
        raise fault(f"A grouping factor is missing. {_FACTORS_HELP}.", source, behind.start, behind.stop)
    return groups


def _check_name(name: Token, operator: Token | None, source: str) -> None:
    if operator is not None and operator.has_text("(") and name.kind is Kind.NAME:
        if name.text in ("gr", "mm"):
            message = f"`{name.text}(...)` stands alone right of the bar; other factors are joined to it by `+`."
            raise fault(message, source, name.start, name.stop)
        if name.text in PLANNED_TERMS:
            raise not_available(name, source)
        message = f"`{name.text}(...)` cannot stand here. {_FACTORS_HELP}; compute the column in the data first."
        raise fault(message, source, name.start, operator.stop)
    if not name.is_name:
        raise fault(f"`{name.text}` is not a column name. {_FACTORS_HELP}.", source, name.start, name.stop)
    if operator is not None and not operator.has_text(":", "/"):
        raise fault(f"`{operator.text}` cannot stand here. {_FACTORS_HELP}.", source, operator.start, operator.stop)


def _gr(tokens: Sequence[Token], source: str) -> Grouping:
    arguments = read_arguments(tokens, source)
    given = [argument for argument in arguments if not argument.name]
    if not given or len(given) > 1 + len(_GR):
        raise fault(
            "`gr(...)` takes one grouping factor first: `gr(g, by=f)`.", source, tokens[0].start, tokens[-1].stop
        )
    factors = _read_factors(given[0].tokens, source, tokens[-1])
    if len(factors) != 1:
        message = "`gr(...)` takes one grouping factor, `gr(g)` or `gr(g:h)`; write a term for each."
        raise fault(message, source, given[0].start, given[0].stop)
    options = dict(zip(_GR, given[1:], strict=False))
    _add_keywords(options, arguments, _GR, tokens[0], source)
    return _grouping(factors[0], options, source, None)


def _mm(tokens: Sequence[Token], source: str) -> Grouping:
    arguments = read_arguments(tokens, source)
    members = [argument for argument in arguments if not argument.name]
    if len(members) < 2:
        message = "`mm(...)` takes two or more columns, one for each member: `mm(g1, g2)`."
        raise fault(message, source, tokens[0].start, tokens[-1].stop)
    names = tuple(_name(member, "The members of `mm(...)` are columns", source) for member in members)
    options: dict[str, Argument] = {}
    _add_keywords(options, arguments, _MM, tokens[0], source)
    weights = _weights(options["weights"], len(members), source) if "weights" in options else ()
    scale = _truth(options["scale"], source) if "scale" in options else True
    by = options.pop("by", None)
    strata = () if by is None or _is_default(by) else _member_strata(by, len(members), source)
    return _grouping(names, options, source, Membership(weights, scale, strata))


def _add_keywords(
    options: dict[str, Argument], arguments: Sequence[Argument], known: Sequence[str], head: Token, source: str
) -> None:
    for argument in arguments:
        if argument.name and argument.name not in known:
            listed = ", ".join(f"`{name}`" for name in known)
            hint = did_you_mean(argument.name, known)
            message = f"`{head.text}(...)` has no argument `{argument.name}`{hint}; there are {listed}."
            raise fault(message, source, argument.start, argument.stop)
        if argument.name in options:
            message = f"`{head.text}(...)` is given `{argument.name}` twice."
            raise fault(message, source, argument.start, argument.stop)
        if argument.name:
            options[argument.name] = argument


def _grouping(
    factors: tuple[str, ...], options: dict[str, Argument], source: str, membership: Membership | None
) -> Grouping:
    def text(name: str, read: Callable[[Argument, str, str], str], what: str) -> str:
        return "" if name not in options or _is_default(options[name]) else read(options[name], what, source)

    dist = text("dist", _word, "`dist=` is the name of a distribution") or "gaussian"
    if dist not in _DISTRIBUTIONS:
        argument = options["dist"]
        message = f"`dist=` is 'gaussian' or 'student', not '{dist}'."
        raise fault(message, source, argument.start, argument.stop)
    return Grouping(
        factors,
        _truth(options["cor"], source) if "cor" in options else True,
        text("id", _word, "`id=` is a name that terms share"),
        text("by", _name, "`by=` is a column"),
        text("cov", _name, "`cov=` is the name of a matrix"),
        dist,
        text("pw", _name, "`pw=` is a column"),
        membership,
    )


def _is_default(argument: Argument) -> bool:
    return len(argument.tokens) == 1 and argument.tokens[0].text in ("NA", "NULL", "None")


def _name(argument: Argument, what: str, source: str) -> str:
    if len(argument.tokens) == 1 and argument.tokens[0].is_name:
        return argument.tokens[0].name
    raise fault(f"{what}, and is given by name.", source, argument.start, argument.stop)


def _word(argument: Argument, what: str, source: str) -> str:
    """Return a text with or without quotation marks."""
    value = value_of(argument.tokens, source)
    if isinstance(value, Expression) and len(argument.tokens) == 1:
        return argument.tokens[0].name
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise fault(f"{what}.", source, argument.start, argument.stop)


def _truth(argument: Argument, source: str) -> bool:
    value = value_of(argument.tokens, source)
    if not isinstance(value, bool):
        raise fault(f"`{argument.name}=` is TRUE or FALSE.", source, argument.start, argument.stop)
    return value


def _member_strata(argument: Argument, members: int, source: str) -> tuple[str, ...]:
    pieces = _pieces(argument)
    if len(pieces) != members or not all(len(piece) == 1 and piece[0].is_name for piece in pieces):
        message = f"`by=` of `mm(...)` gives one column for each of the {members} members: `by=cbind(f1, f2)`."
        raise fault(message, source, argument.start, argument.stop)
    return tuple(piece[0].name for piece in pieces)


def _pieces(argument: Argument) -> list[Sequence[Token]]:
    """Return the arguments of ``cbind(...)``; none of anything else."""
    tokens = argument.tokens
    return list(split_top_level(tokens[2:-1], ",")) if is_one_call(tokens) and tokens[0].text == "cbind" else []


def _weights(argument: Argument, members: int, source: str) -> tuple[Expression, ...]:
    pieces = _pieces(argument)
    if len(pieces) != members or not all(pieces):
        message = f"`weights=` gives one column for each of the {members} members: `weights=cbind(w1, w2)`."
        raise fault(message, source, argument.start, argument.stop)
    return tuple(expression_of(piece, source) for piece in pieces)
