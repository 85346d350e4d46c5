"""Hypotheses as text, ``"b_x > 2 * b_z"``: two expressions and the sign between them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml.errors import ModelError
from bayesml.formula import Expression
from bayesml.results.questions.expressions import NamedExpression, read_expression

__all__ = ["HypothesisText", "read_hypothesis"]

SIGN = re.compile(r"<=|>=|==|[<>=]")
PLAIN = {"<=": "<", ">=": ">", "==": "="}


@final
@dataclass(frozen=True)
class HypothesisText:
    """A hypothesis that has been read.

    Attributes:
        text: as it was written.
        label: as brms shows it, ``(x)-(z) > 0``.
        left: the left side.
        sign: ``>``, ``<`` or ``=``.
        right: the right side.
    """

    text: str
    label: str
    left: NamedExpression
    sign: str
    right: NamedExpression

    @property
    def names(self) -> tuple[str, ...]:
        """The names of both sides."""
        return tuple(dict.fromkeys(self.left.names.values()))

    def value(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return left minus right side."""
        return self.left.value(values) - self.right.value(values)


def read_hypothesis(text: str, spellings: Mapping[str, str], unknown: Callable[[str], Exception]) -> HypothesisText:
    """Read a hypothesis, see ``read_expression``.

    Raises:
        ModelError: it is no comparison of two expressions.
    """
    whole = read_expression(text, spellings, unknown)
    signs = list(SIGN.finditer(whole.expression.text))
    if len(signs) != 1:
        raise ModelError(f'A hypothesis has one of >, < and =, as in "x > 0" or "x = 2 * z"; got {text!r}.')
    (sign,) = signs
    sides = whole.expression.text[: sign.start()], whole.expression.text[sign.end() :]
    if not all(side.strip() for side in sides):
        raise ModelError(f"The hypothesis {text!r} has two sides; one of them is empty.")
    left, right = (replace(whole, expression=Expression(side, side, 0)) for side in sides)
    plain = PLAIN.get(sign.group(), sign.group())
    shown = [_as_written(side, whole) for side in sides]
    label = f"({shown[0]}) {plain} 0" if shown[1] == "0" else f"({shown[0]})-({shown[1]}) {plain} 0"
    return HypothesisText(text, label, left, plain, right)


def _as_written(side: str, whole: NamedExpression) -> str:
    """Return one side with the names that the user wrote."""
    for placeholder, spelling in whole.spelled.items():
        side = side.replace(placeholder, spelling)
    return side.strip()
