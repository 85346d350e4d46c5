"""``cens(c, y2)``: of some rows only a bound of the response is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, final

import numpy as np

from bayesml.columns import bare_name
from bayesml.errors import DataError
from bayesml.families.base import AbstractLikelihood, Component
from bayesml.families.records import RawResponse, ResponseData, Traits
from bayesml.families.wrapped import AbstractWrapped
from bayesml.formula import Addition, Expression
from bayesml.formula.language import ResponseTerm
from bayesml.frame import Frame
from bayesml.namespace import array_namespace
from bayesml.response_terms.base import AbstractResponseTerm, Arrays, Functions, value_of_rows

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Observed, PerRow, Values

__all__ = ["INTERVAL", "LEFT", "NONE", "RIGHT", "Censored", "Censoring", "numbers_with_gaps"]

CODES = {"left": -1.0, "none": 0.0, "right": 1.0, "interval": 2.0}
LEFT, NONE, RIGHT, INTERVAL = -1.0, 0.0, 1.0, 2.0


@final
@dataclass(frozen=True)
class Censoring(AbstractResponseTerm):
    """How each row is censored: ``left`` (-1), ``none`` (0, FALSE), ``right`` (1, TRUE) or ``interval`` (2).

    Texts may be abbreviated. Of a row that is censored on an interval the response lies in (y, y2], with y2 = inf where
    there is no upper end; other rows need no y2.
    """

    grammar: ClassVar[ResponseTerm] = ResponseTerm("cens", keywords=("y2",))
    needed: ClassVar[Literal["weights", "response", "always"]] = "response"
    sparse: ClassVar[frozenset[str]] = frozenset({"y2"})

    def is_taken_by(self, traits: Traits) -> bool:
        """A likelihood with distribution functions."""
        return traits.has_cdf

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        """Return the codes as numbers, and the upper ends of intervals."""
        codes = _codes(addition, frame, functions)
        on_interval, upper = codes == INTERVAL, dict(addition.options).get("y2")
        if upper is not None:
            return {"cens": codes, "y2": numbers_with_gaps(upper, frame, functions, on_interval)}
        if on_interval.any():
            text, row = addition.arguments[0].text, frame.rows[np.flatnonzero(on_interval)[0]] + 1
            raise DataError(
                f"`cens({text})` says 'interval' in row {row} (counting from 1), whose upper end is missing: write "
                f"`cens({text}, y2 = upper)`."
            )
        return {"cens": codes}

    def wrapped(self, likelihood: AbstractLikelihood, addition: Addition, arrays: Arrays) -> AbstractLikelihood:
        """Take distribution functions where a row is censored."""
        return Censored(likelihood, tuple(sorted({float(code) for code in arrays["cens"]})))


def numbers_with_gaps(given: object, frame: Frame, functions: Functions, needed: np.ndarray) -> np.ndarray:
    """Return an argument that some rows need, ``(rows,)``; NaN in the others."""
    numbers = np.full(frame.n_rows, np.nan)
    if needed.any():
        some = frame.select(needed)
        column = some.columns.get(bare_name(given.text) or "") if isinstance(given, Expression) else None
        # A column alone may be infinite or have gaps, which `encode` distinguishes; a computed value may not.
        if column is not None and column.levels is None:
            numbers[needed] = column.values
        else:
            numbers[needed] = value_of_rows(given, some, functions)
    return numbers


def _codes(addition: Addition, frame: Frame, functions: Functions) -> np.ndarray:
    text = addition.arguments[0].text
    name = bare_name(text)
    column = frame.columns.get(name) if name else None
    if column is not None and column.levels is not None:
        of_level = [_code_of(level) for level in column.levels]
        codes = np.array([np.nan if code is None else code for code in of_level])[np.asarray(column.values, dtype=int)]
        shown = [column.levels[int(place)] for place in column.values]
    else:
        codes = value_of_rows(addition.arguments[0], frame, functions)
        shown = [f"{value:g}" for value in codes]
    bad = np.flatnonzero(~np.isin(codes, list(CODES.values())))
    if bad.size:
        row = int(bad[0])
        raise DataError(
            f"`cens({text})` is {shown[row]!r} in row {frame.rows[row] + 1} (counting from 1); it is 'left' (-1), "
            "'none' (0 or False), 'right' (1 or True) or 'interval' (2)."
        )
    return codes.astype(float)


def _code_of(level: str) -> float | None:
    """Return the code of a text: a name or its beginning, a truth value, a number."""
    written = level.strip().lower()
    if written in ("true", "false"):
        return RIGHT if written == "true" else NONE
    codes = [code for name, code in CODES.items() if written and name.startswith(written)]
    if len(codes) == 1:
        return codes[0]
    try:
        return float(written)
    except ValueError:
        return None


@final
@dataclass(frozen=True)
class Censored(AbstractWrapped):
    """Log densities of rows that are known exactly, logarithms of probabilities of those that are censored.

    Expected responses and draws are those of the response itself, before it is censored.

    Attributes:
        codes: the codes that occur.
    """

    codes: tuple[float, ...] = (NONE,)

    @property
    def traits(self) -> Traits:
        """Without distribution functions of its own."""
        return replace(AbstractWrapped.traits.fget(self), has_cdf=False)  # type: ignore[attr-defined]

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Add the codes, the upper ends, and ``exact``: the response, or where it is censored one that is not."""
        encoded = self.base.encode(response, for_fit=for_fit)
        y, codes = encoded.arrays["y"], np.asarray(response.additions["cens"], dtype=float)
        known = y[codes == NONE]
        arrays = {"cens": codes, "exact": np.where(codes == NONE, y, known[0]) if known.size else y}
        if "y2" in response.additions:
            arrays["y2"] = self._upper_ends(response, y, codes)
        return replace(encoded, arrays={**encoded.arrays, **arrays})

    def _upper_ends(self, response: RawResponse, y: np.ndarray, codes: np.ndarray) -> np.ndarray:
        upper, on_interval = np.asarray(response.additions["y2"], dtype=float), codes == INTERVAL
        wrong = np.flatnonzero(on_interval & ~(upper > y))
        if wrong.size:
            first = int(wrong[0])
            row = first if response.rows is None else int(response.rows[first])
            what = "missing" if np.isnan(upper[first]) else f"{upper[first]:g} for {y[first]:g}"
            raise DataError(
                f"`y2` of `cens()` is the upper end of an interval and must be larger than the response "
                f"`{response.name}`; in row {row + 1} (counting from 1) it is {what}."
            )
        return np.where(on_interval, upper, y + 1.0)

    @property
    def has_costly_derivatives(self) -> bool:
        """The distribution functions of most families are found by loops."""
        return True

    @property
    def unbounded(self) -> AbstractLikelihood:
        """``base``, without censoring."""
        return self.base.unbounded

    def by_component(self, values: Values, data: DataArrays) -> Sequence[Component]:
        """Return the components of ``base``, censored."""
        return [(share, replace(self, base=each), own) for share, each, own in self.base.by_component(values, data)]

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log f(y), log P(Y <= y), log P(Y > y) or log P(y < Y <= y2), as the row is censored."""
        total = self.base.log_prob(data["exact"], values, data) if NONE in self.codes else 0.0
        for code in self.codes:
            if code != NONE:
                of_code = self._of_code(code, y, values, data)
                total = array_namespace(of_code).where(data["cens"] == code, of_code, total)
        return total

    def _of_code(self, code: float, y: Observed, values: Values, data: DataArrays) -> PerRow:
        if code == LEFT:
            return self.base.log_cdf(y, values, data)
        if code == RIGHT:
            return self.base.log_survival(y, values, data)
        from bayesml.families.between import log_between

        return log_between(self.base, y, data["y2"], values, data)
