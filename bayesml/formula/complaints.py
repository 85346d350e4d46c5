"""What to say of a token or a call that stands in the wrong place."""

from __future__ import annotations

from bayesml.errors import FormulaError
from bayesml.formula.tokens import LOGIC, Kind, Token, fault

__all__ = ["complaint", "misplaced"]

_PLACES = {
    "gr": "right of the bar of a group term: `(1 | gr(g))`",
    "mm": "right of the bar of a group term: `(1 | mm(g1, g2))`",
    "mvbind": "left of `~` around the responses: `mvbind(y1, y2) ~ x`",
    "offset": "in the sum right of `~`: `y ~ x + offset(z)`",
}


def misplaced(token: Token, source: str) -> FormulaError | None:
    """Build the error for a call that the grammar has in another place; None for any other call."""
    place = _PLACES.get(token.text)
    return None if place is None else fault(f"`{token.text}(...)` stands {place}.", source, token.start, token.stop)


def complaint(token: Token) -> str:
    """Return what to say of a token that no term can begin or go on with."""
    if token.kind is Kind.END or token.has_text(")"):
        return "A term is missing here."
    if token.has_text("|", "||"):
        return (
            f"`{token.text}` cannot stand here; a group term is written in brackets of its own: `x + (1 | group)`, "
            "`(1 + x | group)`."
        )
    if token.has_text("["):
        return "Brackets [ ] cannot stand here; make the column in the data first."
    if token.has_text(*LOGIC):
        return f"`{token.text}` cannot stand here; a comparison stands in brackets of its own: `z + (x > 5)`."
    if token.has_text("//", "%", "%%", "%/%"):
        return f"`{token.text}` cannot stand here; write arithmetic inside I(...)."
    if token.kind is Kind.STRING:
        return "A quoted string cannot stand here; column names with odd characters are written in backticks."
    if token.has_text("~"):
        return "A second `~` cannot stand here; write `!x` for the opposite of a truth value."
    return f"`{token.text}` is not expected here; an operator or a term is missing."
