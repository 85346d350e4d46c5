"""``mi(x)``: a predictor with missing values, which is a response of the model too; and what holds these values.

A response ``x | mi() ~ ...`` that is missing, is only known with error, or is censored, is a parameter X in that row,
with the density of its own formula. It lies between bounds, and is sampled as

    X = T(center + scale z),    z standard normal as far as the coordinates are concerned,

with T the identity, exp from a bound, or a logistic function between two. The density of z is taken off again, so that
``log_density`` is log |dX / dz| - log normal(z; 0, 1).

Where the response is normal with mean mu and standard deviation sigma and was measured with errors of precision
w = s^-2, center and scale are instead mean and standard deviation of X given its measurement y,

    X = mu + g (y - mu) + sigma sqrt(1 - g) z,    g = sigma^2 w / (1 + sigma^2 w),

so that no direction of the density narrows where sigma is small.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import log, pi
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.columns import Computation, bare_name, evaluate, variables_of
from bayesml.errors import DataError, FormulaError
from bayesml.formula import Expression, SpecialCall, bind_arguments, special_fault
from bayesml.frame import Frame
from bayesml.frame.values import value_texts
from bayesml.keys import PredictorKey
from bayesml.links.elementary import softplus
from bayesml.namespace import array_namespace
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.spec import ParameterSpec
from bayesml.terms.base import AbstractTerm, Functions
from bayesml.terms.context import ModelContext, ResponseContext
from bayesml.terms.special_factor import AbstractFactor
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values

__all__ = ["Missing", "MissingValues", "freeze"]


@final
@dataclass(frozen=True)
class Missing(AbstractFactor):
    """One call ``mi(x)`` as it was frozen.

    Attributes:
        expression: the response that it names.
        idx: the numbers of rows by which those of the response are found; None where rows are the same.
        functions: the caller's own functions.
        response: name of the response in keys; empty before the model is known.
        holder: the variable that holds its unobserved values.
    """

    expression: Expression
    idx: Expression | None
    functions: Functions
    response: str = ""
    holder: str = ""

    @property
    def variables(self) -> tuple[str, ...]:
        """The column itself: new data say its value."""
        return variables_of(self.expression.text)

    def given(self, frame: Frame) -> np.ndarray:
        """Return the values of the column, NaN where they are missing."""
        name = bare_name(self.expression.text)
        column = frame.columns.get(name) if name else None
        return (
            np.array(column.values, float) if column is not None else evaluate(self.expression, frame, self.functions)
        )

    def computation(self) -> Computation:
        """Return the column."""
        return Computation(self.spelling, self.variables, self.typical)

    def in_model(self, model: ModelContext) -> Missing:
        """Return the call with the response that it names.

        Raises:
            FormulaError: the model has no such response, or that has no ``mi()``.
        """
        text = bare_name(self.expression.text) or self.expression.text
        found = next((r for r in model.responses if text in (r.column, r.name)), None)
        if found is None or found.unobserved is None:
            what = "is no response of the model" if found is None else "is a response without `mi()`"
            raise FormulaError(
                f"`{self.spelling}` needs a formula of `{text}`, which says how missing values are distributed, but "
                f'`{text}` {what}. Write bf("... ~ {self.spelling}") + bf("{text} | mi() ~ ...") + set_rescor(False).'
            )
        if self.idx is not None and found.index is None:
            raise FormulaError(
                f"`{self.spelling}` finds the rows of `{text}` by their numbers, which its formula lacks: write "
                f'"{text} | mi() + index(id) ~ ..." with a number for each row.'
            )
        return replace(self, response=found.name, holder=found.site)

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return ``given``: in new data the variable is known.

        Raises:
            DataError: it is missing there.
        """
        given = self.given(frame)
        gaps = np.flatnonzero(np.isnan(given))
        if gaps.size:
            raise DataError(
                f"`{self.expression.text}` is missing in row {frame.rows[gaps[0]] + 1} of the new data (counting from "
                f"1), and `{self.spelling}` needs its value. Draws of it are `fit.predict(newdata, "
                f'resp="{self.response}")`.'
            )
        return {"given": given}

    def own_arrays(self, model: ModelContext) -> dict[str, np.ndarray]:
        """Return ``observed``, 0 where there is none, and ``place``: which unobserved value a row has, -1 for none.

        ``typical`` stands for both in a pilot fit.
        """
        response = model.response(self.response)
        rows, unobserved = self._rows(model.frame, response), response.unobserved
        assert unobserved is not None
        place = np.full(model.frame.n_rows, -1)
        place[unobserved.rows] = np.arange(len(unobserved.rows))
        typical = np.array(response.y, float)
        typical[unobserved.rows] = transformed(unobserved.center, unobserved.lower, unobserved.upper)[0]
        observed = np.where(place < 0, np.nan_to_num(response.y), 0.0)
        return {"observed": observed[rows], "place": place[rows], "typical": typical[rows][:, None]}

    def _rows(self, frame: Frame, response: ResponseContext) -> np.ndarray:
        """Return for each row the row of the response that it refers to.

        Raises:
            DataError: there is none, or there are several.
        """
        if self.idx is None or response.index is None:
            return np.arange(frame.n_rows)
        asked = evaluate(self.idx, frame, self.functions)
        known, first = np.unique(response.index[response.rows], return_index=True)
        places = np.clip(np.searchsorted(known, asked), 0, len(known) - 1)
        wrong = np.flatnonzero(known[places] != asked)
        if wrong.size:
            row = int(wrong[0])
            raise DataError(
                f"`{self.spelling}` asks for number {asked[row]:g} in row {frame.rows[row] + 1} (counting from 1), "
                f"which no row of `{response.column}` has in its `index()`."
            )
        return np.flatnonzero(response.rows)[first[places]]

    @property
    def rows_commute(self) -> bool:
        """Unobserved values are numbered by row, which `place` follows."""
        return True

    def site(self, label: str, predictor: PredictorKey) -> str:
        """Return the spelling; the variable itself is known with the response."""
        return self.spelling

    @property
    def reads(self) -> str:
        """The unobserved values of the response."""
        return self.holder

    @property
    def averaged(self) -> str:
        """Observed values, and about those that are not."""
        return "typical"

    def typical(self, frame: Frame) -> np.ndarray:
        """Return the values, the mean of the others where one is missing."""
        given = self.given(frame)
        if np.isnan(given).all():
            raise DataError(f"`{self.expression.text}` in `{self.spelling}` has no value at all.")
        return np.where(np.isnan(given), np.nanmean(given), given)

    def value(self, values: Values, site: str, arrays: DataArrays) -> PerRow:
        """Return the observed values and the parameters that stand for the others."""
        if "given" in arrays:
            return arrays["given"]
        return completed(values[self.holder], arrays["place"], arrays["observed"])


def completed(unobserved: Numbers, place: Numbers, observed: Numbers) -> PerRow:
    """Return observed values with unobserved ones in their places.

    Args:
        unobserved: ``(..., values)``.
        place: ``(rows,)`` which of them a row has, -1 for none.
        observed: ``(rows,)``; any finite number where there is none.
    """
    xp = array_namespace(unobserved, place, observed)
    if not unobserved.shape[-1]:
        return observed
    return xp.where(place < 0, observed, unobserved[..., xp.maximum(place, 0)])


def transformed(w: Numbers, lower: Numbers, upper: Numbers) -> tuple[Numbers, Numbers]:
    """Map real numbers between bounds, and return the logarithms of the derivatives too."""
    xp = array_namespace(w, lower, upper)
    below, above = xp.isfinite(lower), xp.isfinite(upper)
    both, low, high = below & above, xp.where(below, lower, 0.0), xp.where(above, upper, 0.0)
    width = xp.where(both, high - low, 1.0)
    away = xp.exp(xp.where(below ^ above, w, 0.0))
    share = xp.exp(-softplus(-w))
    value = xp.where(both, low + width * share, xp.where(below, low + away, xp.where(above, high - away, w)))
    between = xp.log(width) - softplus(w) - softplus(-w)
    return value, xp.where(both, between, xp.where(below | above, w, 0.0))


@final
@dataclass(frozen=True)
class MissingValues(AbstractTerm):
    """The unobserved values of one response: its parameters; they add nothing to a predictor themselves.

    Attributes:
        response: the response as written, for messages.
        name: the variable that holds the values, ``Ymi_x``.
        rows: the number of each row in the data, counting from 1.
        are_most: whether most responses are not observed.
        follows_mean: whether they are sampled as deviations from their means given the measurements.
    """

    response: str
    name: str
    rows: tuple[str, ...]
    are_most: bool = False
    follows_mean: bool = False  # type: ignore[assignment]

    @classmethod
    def of(cls, predictor: PredictorKey, response: ResponseContext, frame: Frame, follows_mean: bool) -> MissingValues:
        """Return the term of a response that has unobserved values."""
        assert response.unobserved is not None
        rows = value_texts((frame.rows[response.unobserved.rows] + 1).tolist())
        return cls(
            predictor, response.column, response.site, rows, 2 * len(rows) > int(response.rows.sum()), follows_mean
        )

    @property
    def key(self) -> str:
        """One term for each response."""
        return "missing values"

    @property
    def variables(self) -> tuple[str, ...]:
        """New data need nothing for it."""
        return ()

    def computations(self) -> tuple[Computation, ...]:
        """Nothing is computed from new data."""
        return ()

    @property
    def tables(self) -> frozenset[str]:
        """What is known of the values is not indexed by row."""
        return frozenset({"lower", "upper", "center", "scale", "measured", "precision"})

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """New data have no values to estimate."""
        return {}

    def own_arrays(self, model: ModelContext) -> dict[str, np.ndarray]:
        """Return bounds, centres and scales, ``(values,)`` each."""
        known = model.response(self.predictor.resp).unobserved
        assert known is not None
        if self.follows_mean:
            assert known.measured is not None and known.precision is not None
            return {"measured": known.measured, "precision": known.precision}
        return {"lower": known.lower, "upper": known.upper, "center": known.center, "scale": known.scale}

    @property
    def holds(self) -> str:
        """The unobserved values of the response."""
        return f"the unobserved values of `{self.response}`"

    @property
    def unobserved_responses(self) -> str:
        """The values."""
        return self.name

    @property
    def without_mode(self) -> str:
        """Values that are not observed may all equal their means, and the density grow without bound as sigma falls."""
        return f"the density has no mode in the unobserved values of {self.response}" if self.are_most else ""

    @property
    def _site(self) -> str:
        return f"z{self.name}"

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return the variables behind the values."""
        return (ParameterSpec(self._site, "", (len(self.rows),), self.predictor),)

    def prior_rows(self, defaults: DefaultPriors) -> tuple[PriorRow, ...]:
        """Their distribution is that of the response."""
        return ()

    def reported(self) -> tuple[ReportedVariable, ...]:
        """Return the values, ``Ymi_x[3]``."""
        texts = tuple(((i,), f"{self.name}[{row}]") for i, row in enumerate(self.rows))
        return (ReportedVariable(self.name, "latent", (f"{self.name}_row",), (self.rows,), texts, self.predictor),)

    def derive(self, values: Values) -> dict[str, Numbers]:
        """The values depend on data too, see ``derived``."""
        return {}

    def derived(self, values: Values, arrays: DataArrays) -> dict[str, Numbers]:
        """Return T(center + scale z)."""
        if self.follows_mean:
            return {}
        w = arrays["center"] + arrays["scale"] * values[self._site]
        return {self.name: transformed(w, arrays["lower"], arrays["upper"])[0]}

    def around(self, values: Values, mean: Numbers, sd: Numbers, arrays: DataArrays) -> tuple[str, Numbers, Numbers]:
        """Return mu + g (y - mu) + sigma sqrt(1 - g) z, and log |dX / dz| - log normal(z; 0, 1), summed."""
        z = values[self._site]
        xp = array_namespace(z, mean, sd)
        signal = sd**2 * arrays["precision"]
        scale = sd / xp.sqrt(1.0 + signal) + 0.0 * z
        value = mean + signal / (1.0 + signal) * (arrays["measured"] - mean) + scale * z
        return self.name, value, xp.sum(xp.log(scale) + 0.5 * z**2) + 0.5 * log(2 * pi) * len(self.rows)

    def log_density(self, values: Values, arrays: DataArrays) -> Numbers | None:
        """Return log |dX / dz| - log normal(z; 0, 1), summed."""
        if self.follows_mean:
            return None
        z = values[self._site]
        xp = array_namespace(z)
        w = arrays["center"] + arrays["scale"] * z
        slopes = transformed(w, arrays["lower"], arrays["upper"])[1] + xp.log(arrays["scale"])
        return xp.sum(slopes + 0.5 * z**2) + 0.5 * log(2 * pi) * len(self.rows)

    def spellings(self) -> Iterator[tuple[str, str]]:
        """Yield the name of its variable."""
        yield self.name, f"the missing values of {self.response}"

    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Nothing: the response and ``mi()`` take the values from where they are."""
        return 0.0


def freeze(call: SpecialCall, frame: Frame, functions: Functions) -> Missing:
    """Freeze a call of ``mi()``."""
    arguments = bind_arguments(call, ("x", "idx"))
    expression, idx = arguments.get("x"), arguments.get("idx")
    if not isinstance(expression, Expression):
        raise special_fault("`mi(x)` takes a column that has a formula of its own, `x | mi() ~ ...`.", call)
    if idx is not None and not isinstance(idx, Expression):
        raise special_fault("`idx=` of `mi()` is a column with the number of a row of the other response.", call)
    column = frame.columns.get(bare_name(expression.text) or "")
    if column is not None and column.levels is not None:
        raise special_fault(
            f"`{expression.text}` holds categories; `mi()` takes numbers, as missing categories cannot be estimated.",
            call,
        )
    return Missing(call.spelling, expression, idx, functions)
