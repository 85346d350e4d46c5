"""``bf``: a main formula together with formulas of further distributional parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from bayesml.errors import FormulaError
from bayesml.formula.planned import PLANNED_BF_OPTIONS

__all__ = ["Formula", "as_formula", "bf"]

_PARAMETER = re.compile(r"\s*([^\W\d]\w*)\s*~(.*)", re.DOTALL)


@dataclass(frozen=True)
class Formula:
    """What ``bf`` returns. ``str(formula)`` shows one formula a line.

    Attributes:
        text: the main formula.
        parameters: ``(name, formula)`` of each further parameter; the formula starts with ``~``.
    """

    text: str
    parameters: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return "\n".join([self.text, *(f"{name} {formula}" for name, formula in self.parameters)])

    def __add__(self, other: object) -> NoReturn:
        """Refuse brms's sums of formulas, and say what to write.

        Raises:
            FormulaError: always.
        """
        raise _no_sum(other)

    def __radd__(self, other: object) -> NoReturn:
        """Refuse, as ``__add__``."""
        raise _no_sum(other)


def as_formula(formula: str | Formula) -> Formula:
    """Return a formula text as ``bf`` would, and what ``bf`` made as it is.

    Raises:
        FormulaError: it is neither.
    """
    if isinstance(formula, str):
        return Formula(formula)
    if not isinstance(formula, Formula):
        raise FormulaError(f"A formula is a text such as 'y ~ x + (1 | g)', not {type(formula).__name__}.")
    return formula


def _no_sum(other: object) -> FormulaError:
    if isinstance(other, Formula):
        message = "Models of several responses, bf(...) + bf(...), are not available in this version of bayesml; "
        return FormulaError(f"{message}fit one model for each response.")
    if isinstance(other, str) and "~" in other:
        return FormulaError(f'Formulas of parameters are arguments: write bf("y ~ x", {other!r}).')
    return FormulaError("Nothing can be added to bf(...): formulas of parameters and the family are arguments.")


def bf(formula: str, *parameters: str, **formulas: str) -> Formula:
    """Join a model formula with formulas for further distributional parameters.

    Args:
        formula: the main formula, ``"y ~ x + (1 | g)"``.
        parameters: formulas with the parameter on the left, ``"sigma ~ x"``.
        formulas: the same by keyword, ``sigma="~ x"``; the left-hand side may be repeated.

    Returns:
        A Formula, to be used wherever a formula text is.

    Raises:
        FormulaError: something is not a text, a parameter is given twice or has no ``~``.

    Example:
        >>> print(bf("y ~ x + (1 | g)", sigma="~ x"))
        y ~ x + (1 | g)
        sigma ~ x
    """
    if not isinstance(formula, str):
        raise FormulaError(f"bf() takes the formula as a text, not as {type(formula).__name__}.")
    pairs = [_split(text) for text in parameters]
    pairs += [(name, _right_side(name, text)) for name, text in formulas.items()]
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise FormulaError(f"The parameter `{name}` is given two formulas; keep one.")
        if name == "mu":
            raise FormulaError("The main formula is the formula of `mu`; leave the second one out.")
        seen.add(name)
    return Formula(formula, tuple(pairs))


def _split(text: object) -> tuple[str, str]:
    match = _PARAMETER.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise FormulaError(f"{str(text)[:80]!r} is not the formula of a parameter; write it as `sigma ~ x`.")
    return match[1], "~" + match[2]


def _right_side(name: str, text: object) -> str:
    if name in PLANNED_BF_OPTIONS and not (isinstance(text, str) and "~" in text):
        raise FormulaError(f"The option `{name}` of bf() is not available in this version of bayesml.")
    if isinstance(text, (int, float)):
        raise FormulaError(f"Fixing a parameter, {name}={text!r}, is not available in this version of bayesml.")
    if not isinstance(text, str) or "~" not in text:
        raise FormulaError(
            f"The formula of `{name}` must be a text with `~`, such as {name}='~ x'; got {str(text)[:80]!r}."
        )
    if text.lstrip().startswith("~"):
        return text.strip()
    left, right = _split(text)
    if left != name:
        raise FormulaError(f"The formula {text[:80]!r} is given for the parameter `{name}` but says `{left}`.")
    return right
