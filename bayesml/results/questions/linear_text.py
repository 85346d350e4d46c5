"""Linear combinations of coefficients as text: ``"b_x - 2 * b_z = 1"``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.errors import ModelError, did_you_mean
from bayesml.keys import MU
from bayesml.names import brms_alias, coefficient, reorderings

__all__ = ["Combination", "coefficient_index", "read_combination"]

NUMBER = re.compile(r"\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?")
WORD = re.compile(r"[^\s+*/()=-][^\s+*/=-]*")


@final
@dataclass(frozen=True)
class Combination:
    """``weights' b + constant``.

    Attributes:
        weights: ``(coefs,)``.
        constant: what is added.
    """

    weights: np.ndarray
    constant: float

    def plus(self, other: Combination, sign: float) -> Combination:
        """Return the sum, or the difference where ``sign`` is -1."""
        return Combination(self.weights + sign * other.weights, self.constant + sign * other.constant)

    def times(self, factor: float) -> Combination:
        """Return the multiple."""
        return Combination(factor * self.weights, factor * self.constant)


def coefficient_index(name: str, coefs: Sequence[str]) -> int:
    """Return the place of a coefficient written as ``x``, ``b_x``, or in brms's spelling.

    Raises:
        ModelError: there is none of that name.
    """
    names = _spellings(coefs)
    for spelling in (name, brms_alias(name)) if isinstance(name, str) else ():
        if spelling in names:
            return names[spelling]
    listed = ", ".join(f"`{coefficient(c, MU)}`" for c in coefs[:12])
    hint = did_you_mean(name, names) if isinstance(name, str) else ""
    raise ModelError(f"The model has no population-level coefficient {name!r}{hint}; it has {listed}.")


def _spellings(coefs: Sequence[str]) -> dict[str, int]:
    """Every way to write each coefficient, factors in any order; the exact ones win, what fits two is none."""
    found: dict[str, int] = {}
    labels = [(i, c) for i, c in enumerate(coefs)]
    for each in (labels, [(i, other) for i, c in labels for other in reorderings(c)]):
        for write in (lambda c: coefficient(c, MU), str):
            for spell in (str, brms_alias):
                written = [(spell(write(c)), i) for i, c in each]
                counts = Counter(name for name, _ in written)
                for name, i in written:
                    if counts[name] == 1:
                        found.setdefault(name, i)
    return found


def read_combination(text: str, coefs: Sequence[str]) -> Combination:
    """Read a linear combination; with ``=`` the left side minus the right one.

    Args:
        text: sums, differences and multiples of coefficients and numbers.
        coefs: labels of the coefficients.

    Raises:
        ModelError: the text is not a linear combination, or names what is no coefficient.
    """
    combination = _Reader(text, tuple(coefs)).whole()
    if not np.any(combination.weights):
        raise ModelError(f"`{text}` has no coefficient with a weight other than zero.")
    return combination


class _Reader:
    """Reads a text by descent; a name is the longest spelling of a coefficient that stands at a place."""

    def __init__(self, text: str, coefs: tuple[str, ...]) -> None:
        self.text, self.coefs, self.place = text, coefs, 0
        self.names = _spellings(coefs)
        self.by_length = sorted(self.names, key=len, reverse=True)

    def whole(self) -> Combination:
        value = self._sum()
        if self._take("="):
            value = value.plus(self._sum(), -1.0)
        if self._take("="):
            raise ModelError(f"`{self.text}` is not a combination such as `b_x - b_z` or `b_x = 2 * b_z`.")
        self._skip()
        if self.place < len(self.text):
            raise self._error(f"`{self.text[self.place :].strip()}` cannot be read")
        return value

    def _error(self, reason: str) -> ModelError:
        return ModelError(f"`{self.text.strip()}` is not a linear combination of coefficients: {reason}.")

    def _skip(self) -> None:
        while self.place < len(self.text) and self.text[self.place].isspace():
            self.place += 1

    def _take(self, symbols: str) -> str:
        self._skip()
        if self.place < len(self.text) and self.text[self.place] in symbols:
            self.place += 1
            return self.text[self.place - 1]
        return ""

    def _sum(self) -> Combination:
        value = self._product()
        while symbol := self._take("+-"):
            value = value.plus(self._product(), 1.0 if symbol == "+" else -1.0)
        return value

    def _product(self) -> Combination:
        value = self._atom()
        while symbol := self._take("*/"):
            other = self._atom()
            if symbol == "*" and np.any(value.weights) and np.any(other.weights):
                raise self._error("two coefficients are multiplied")
            if symbol == "/" and (np.any(other.weights) or other.constant == 0.0):
                raise self._error("it divides by a coefficient or by zero")
            if symbol == "/":
                value = value.times(1.0 / other.constant)
            else:
                value = other.times(value.constant) if np.any(other.weights) else value.times(other.constant)
        return value

    def _atom(self) -> Combination:
        if symbol := self._take("+-"):
            return self._atom().times(1.0 if symbol == "+" else -1.0)
        name = next((n for n in self.by_length if self._stands_here(n)), None)
        if name is not None:
            return self._coefficient(name, self.names[name])
        if number := NUMBER.match(self.text, self.place):
            self.place = number.end()
            return Combination(np.zeros(len(self.coefs)), float(number.group()))
        if self._take("("):
            value = self._sum()
            if not self._take(")"):
                raise self._error("a bracket is not closed")
            return value
        if word := WORD.match(self.text, self.place):
            name = word.group()
            while name.endswith(")") and name.count(")") > name.count("("):
                name = name[:-1]
            return self._coefficient(name, coefficient_index(name, self.coefs))
        raise self._error("something is missing" if self.place >= len(self.text) else f"at {self.text[self.place]!r}")

    def _coefficient(self, name: str, index: int) -> Combination:
        """Step over the name of a coefficient."""
        self.place += len(name)
        weights = np.zeros(len(self.coefs))
        weights[index] = 1.0
        return Combination(weights, 0.0)

    def _stands_here(self, name: str) -> bool:
        """Whether a name stands here and does not go on."""
        end = self.place + len(name)
        after = self.text[end : end + 1]
        return self.text.startswith(name, self.place) and not (after.isalnum() or after in ("_", ":", "[", "."))
