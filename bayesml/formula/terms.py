"""One right-hand side, read: the algebra of ``+ - * / : ^ %in% .`` over factor expressions, as in R's formulas.

The value of an expression is an ordered set of terms, a term an unordered set of factors. ``(... | g)`` and
``offset(...)`` are no part of the algebra; they are lifted out where they stand in a sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import final

from bayesml.errors import FormulaError
from bayesml.formula.calls import read_special
from bayesml.formula.complaints import complaint, misplaced
from bayesml.formula.language import Language
from bayesml.formula.planned import PLANNED_TERMS, not_available
from bayesml.formula.tokens import LOGIC, Kind, Token, canonical, fault, quote_name, split_top_level, text_between
from bayesml.formula.types import SpecialCall

__all__ = ["Terms", "TermReader"]

Terms = dict[frozenset[str], tuple[str, ...]]

MAX_TERMS = 10_000
MAX_DEGREE = 30


@final
class TermReader:
    """Reads ``tokens[start:stop]`` once, by recursive descent.

    Args:
        tokens: all tokens of the formula.
        brackets: closing index of every opening bracket.
        source: the formula text.
        start: first token to read.
        stop: the token behind the last.
        dot: factors that ``.`` stands for, None where it has no meaning.
        dot_help: what to say about a ``.`` without meaning.
        lift: whether group terms and offsets may stand here.
        language: which calls are terms of their own.

    Attributes:
        intercept: whether ``1`` is in the model; the last ``1``, ``0``, ``+ 1`` or ``- 1`` decides, as in R.
        offsets: argument tokens of each ``offset()``.
        groups: token range (first inside, closing bracket) of each ``( ... | ... )``.
        special_terms: the terms with special calls, in the order of ``read``.
    """

    def __init__(
        self,
        tokens: Sequence[Token],
        brackets: Mapping[int, int],
        source: str,
        start: int,
        stop: int,
        *,
        dot: Sequence[str] | None,
        dot_help: str,
        lift: bool,
        language: Language,
    ) -> None:
        self.tokens, self.brackets, self.source = tokens, brackets, source
        self.position, self.stop = start, stop
        self.dot, self.dot_help, self.lift, self.language = dot, dot_help, lift, language
        self.intercept = True
        self.offsets: list[list[Token]] = []
        self.groups: list[tuple[int, int]] = []
        self.special_terms: tuple[SpecialCall, ...] = ()
        self._specials: dict[str, SpecialCall] = {}
        self._lifted: list[Token] = []
        self._appearance: dict[str, int] = {}

    def read(self) -> tuple[tuple[str, ...], ...]:
        """Return the terms by degree, then as written; inside a term factors stand in order of appearance.

        Terms with special calls are in ``special_terms`` instead.
        """
        if self.lift:
            self._refuse_bare_bar()
        terms = self._comparison(self.stop, bare=True) or self._sum()
        if self.position < self.stop:
            raise self._unexpected(self._peek())
        order = self._appearance
        ordered = [tuple(sorted(factors, key=order.__getitem__)) for factors in terms.values()]
        ordered.sort(key=len)
        plain = tuple(term for term in ordered if self._specials.keys().isdisjoint(term))
        self.special_terms = tuple(
            self._special_term(term) for term in ordered if not self._specials.keys().isdisjoint(term)
        )
        return plain

    def _special_term(self, term: tuple[str, ...]) -> SpecialCall:
        first, *others = (self._specials[factor] for factor in term if factor in self._specials)
        factors = tuple(factor for factor in term if factor not in self._specials)
        return replace(first, factors=factors, others=tuple(others), written=term)

    # grammar, loosest operator first -----------------------------------------------------------------------------

    def _refuse_bare_bar(self) -> None:
        inside = self.tokens[self.position : self.stop]
        bar = next((i for i in _outside_brackets(inside) if inside[i].has_text("|", "||")), None)
        if bar is not None:
            left, right = text_between(inside[:bar], self.source), text_between(inside[bar + 1 :], self.source)
            message = (
                f"A group term stands in brackets of its own: `({left} {inside[bar].text} {right})`. What does not "
                "vary stands outside of them, `x + (1 | group)`."
            )
            raise fault(message, self.source, inside[bar].start, inside[bar].stop)

    def _comparison(self, stop: int, *, bare: bool) -> Terms:
        """Read a comparison such as ``x > 5`` up to ``stop``, one factor of the model; nothing where there is none.

        In R comparisons bind looser than ``+``: ``z + x > 5`` compares ``z + x``, which nobody means where the
        comparison stands without brackets.
        """
        inside = self.tokens[self.position : stop]
        places = _outside_brackets(inside)
        if not any(inside[i].has_text(*LOGIC) for i in places):
            return {}
        for i in places if bare else ():
            joins = inside[i].has_text("+", "-", "*", "/", ":", "^", "**", "%in%", "|", "||")
            if joins and not (inside[i].has_text("+", "-") and (i == 0 or inside[i - 1].has_text(*LOGIC))):
                message = "A comparison beside other terms stands in brackets of its own: `z + (x > 5)`."
                raise fault(message, self.source, inside[i].start, inside[i].stop)
        for token in (inside[-1], *(() if inside[0].has_text("!") else inside[:1])):
            if token.has_text(*LOGIC):
                message = f"Nothing stands beside `{token.text}`, which compares two things: `(x > 5)`."
                raise fault(message, self.source, token.start, token.stop)
        self.position = stop
        return self._term(canonical(inside))

    def _sum(self) -> Terms:
        terms: Terms = {}
        sign = self._signs()
        while True:
            lifted = len(self._lifted)
            if not self._is_intercept(sign):
                operand = self._product()
                if sign == "-":
                    self._refuse_lifted(lifted, "be removed with `-`")
                    for key in operand:
                        terms.pop(key, None)
                else:
                    terms.update((key, term) for key, term in operand.items() if key not in terms)
                    self._limit(len(terms))
            if not self._peek().has_text("+", "-"):
                return terms
            sign = self._signs()

    def _signs(self) -> str:
        minus = False
        while self._peek().has_text("+", "-"):
            minus ^= self._take().text == "-"
        return "-" if minus else "+"

    def _is_intercept(self, sign: str) -> bool:
        token = self._peek()
        if token.kind is not Kind.NUMBER:
            return False
        self._take()
        follower = self._peek()
        if token.text not in ("0", "1") or not (follower.kind is Kind.END or follower.has_text("+", "-", ")")):
            raise self._number(token)
        self.intercept = (token.text == "1") == (sign == "+")
        return True

    def _product(self) -> Terms:
        lifted = len(self._lifted)
        terms = self._within()
        while self._peek().has_text("*", "/"):
            operator = self._take()
            right = self._within()
            self._refuse_lifted(lifted, f"stand beside `{operator.text}`")
            if operator.text == "*":
                terms = {**terms, **_without(right, terms), **_without(self._cross(terms, right), terms, right)}
            else:
                common = self._union(terms)
                terms = {**terms, **_without(self._cross(common, right), terms)}
            self._limit(len(terms))
        return terms

    def _within(self) -> Terms:
        lifted = len(self._lifted)
        terms = self._interaction()
        while self._peek().has_text("%in%"):
            self._take()
            terms = self._cross(terms, self._union(self._interaction()))
            self._refuse_lifted(lifted, "stand beside `%in%`")
        return terms

    def _interaction(self) -> Terms:
        lifted = len(self._lifted)
        terms = self._power()
        while self._peek().has_text(":"):
            self._take()
            terms = self._cross(terms, self._power())
            self._refuse_lifted(lifted, "be part of an interaction")
        return terms

    def _power(self) -> Terms:
        lifted = len(self._lifted)
        terms = self._primary()
        while self._peek().has_text("^", "**"):
            operator = self._take()
            exponent = self._take()
            self._refuse_lifted(lifted, "be raised to a power")
            if exponent.kind is not Kind.NUMBER or not exponent.text.isdecimal() or exponent.text.strip("0") == "":
                message = f"`{operator.text}` wants a positive whole number behind it; for a square write I(x^2)."
                raise fault(message, self.source, operator.start, exponent.stop)
            base, total = terms, terms
            for _ in range(min(int(exponent.text[:6]), len(base)) - 1):
                total = self._cross(total, base)  # a:a is a, so that lower powers are in it, in R's order
                self._limit(len(total))
            terms = total
        return terms

    def _primary(self) -> Terms:
        token = self._peek()
        if token.has_text("("):
            return self._parenthesis()
        if token.is_name:
            return self._factor()
        if token.has_text("."):
            self._take()
            return self._everything(token)
        if token.kind is Kind.NUMBER:
            raise self._number(token)
        raise self._unexpected(token)

    def _parenthesis(self) -> Terms:
        opening, closing = self.position, self.brackets[self.position]
        inside = self.tokens[opening + 1 : closing]
        if len(split_top_level(inside, "|", "||")) > 1:
            self._lift(self.tokens[opening], "A group term")
            self.groups.append((opening, closing))
            self.position = closing + 1
            return {}
        self._take()
        if not inside:
            raise fault("There is nothing between the brackets.", self.source, self.tokens[opening].start,
                        self.tokens[closing].stop)  # fmt: skip
        terms = self._comparison(closing, bare=False) or self._sum()
        if self.position != closing:
            raise self._unexpected(self._peek())
        self._take()
        return terms

    def _factor(self) -> Terms:
        start, token = self.position, self._take()
        if self._peek().has_text("("):
            if token.kind is Kind.QUOTED:
                raise fault(
                    f"{token.text} is a column name; it cannot be called.", self.source, token.start, token.stop
                )
            closing = self.brackets[self.position]
            if token.text in self.language.specials:
                return self._special(start, closing)
            if token.text in PLANNED_TERMS:
                raise not_available(token, self.source)
            if token.text == "offset":
                self._lift(token, "An offset")
                self.offsets.append(list(self.tokens[self.position + 1 : closing]))
                self.position = closing + 1
                return {}
            error = misplaced(token, self.source)
            if error is not None:
                raise error
            self.language.check_function(token, self.source)
            self._refuse_group_inside(closing)
            self.position = closing + 1
        if self.position == start + 1:
            return self._term(quote_name(token.name))
        return self._term(canonical(self.tokens[start : self.position]))

    def _special(self, start: int, closing: int) -> Terms:
        self.position = closing + 1
        tokens = self.tokens[start : closing + 1]
        call = read_special(tokens, self.source, self.language.matrix_argument(tokens[0].text))
        self._specials.setdefault(call.spelling, call)
        return self._term(call.spelling)

    def _refuse_group_inside(self, closing: int) -> None:
        for index in range(self.position, closing):
            token = self.tokens[index]
            if token.text in self.language.specials and self.tokens[index + 1].has_text("("):
                message = f"`{token.text}(...)` is a term of its own and cannot stand inside a function."
                raise fault(message, self.source, token.start, token.stop)
            inner = token.has_text("(") and self.tokens[index + 1].kind is Kind.NUMBER
            if token.has_text("||") or (inner and self.tokens[index + 2].has_text("|")):
                message = "A group term cannot stand inside a function; it can only be added to the other terms."
                raise fault(message, self.source, token.start, token.stop)

    def _everything(self, token: Token) -> Terms:
        if self.dot is None:
            raise fault(self.dot_help, self.source, token.start, token.stop)
        terms: Terms = {}
        for name in self.dot:
            terms.update(self._term(name))
        return terms

    # sets of terms -----------------------------------------------------------------------------------------------

    def _term(self, text: str) -> Terms:
        self._appearance.setdefault(text, len(self._appearance))
        return {frozenset((text,)): (text,)}

    def _cross(self, left: Terms, right: Terms) -> Terms:
        self._limit(len(left) * len(right) // 100)
        product: Terms = {}
        for left_key, left_term in left.items():
            for right_key, right_term in right.items():
                if len(left_key | right_key) > MAX_DEGREE:
                    raise FormulaError(f"A term joins more than {MAX_DEGREE} factors; the formula is too large.")
                extra = tuple(factor for factor in right_term if factor not in left_key)
                product.setdefault(left_key | right_key, left_term + extra)
        return product

    def _union(self, terms: Terms) -> Terms:
        factors = tuple(dict.fromkeys(factor for term in terms.values() for factor in term))
        if len(factors) > MAX_DEGREE:
            raise FormulaError(f"A term joins more than {MAX_DEGREE} factors; the formula is too large.")
        return {frozenset(factors): factors}

    def _limit(self, size: int) -> None:
        if size > MAX_TERMS:
            raise FormulaError(f"The formula expands to more than {MAX_TERMS:,} terms; write fewer interactions.")

    # tokens and faults -------------------------------------------------------------------------------------------

    def _peek(self) -> Token:
        if self.position < self.stop:
            return self.tokens[self.position]
        end = self.tokens[self.stop].start
        return Token(Kind.END, "", end, end)

    def _take(self) -> Token:
        token = self._peek()
        self.position += 1
        return token

    def _lift(self, token: Token, what: str) -> None:
        if not self.lift:
            message = f"{what} cannot stand inside a group term."
            raise fault(message, self.source, token.start, token.stop)
        self._lifted.append(token)

    def _refuse_lifted(self, before: int, what: str) -> None:
        if len(self._lifted) > before:
            token = self._lifted[before]
            message = f"A group term or offset cannot {what}; it can only be added to the other terms."
            raise fault(message, self.source, token.start, token.stop)

    def _number(self, token: Token) -> FormulaError:
        message = (
            f"The number `{token.text}` cannot stand here: `1` and `0` add and remove the intercept, "
            "any other arithmetic is written inside I(...)."
        )
        return fault(message, self.source, token.start, token.stop)

    def _unexpected(self, token: Token) -> FormulaError:
        return fault(complaint(token), self.source, token.start, token.stop)


def _outside_brackets(tokens: Sequence[Token]) -> list[int]:
    places, depth = [], 0
    for i, token in enumerate(tokens):
        depth += token.has_text("(", "[")
        if depth == 0:
            places.append(i)
        depth -= token.has_text(")", "]")
    return places


def _without(terms: Terms, *known: Terms) -> Terms:
    return {key: term for key, term in terms.items() if not any(key in other for other in known)}
