"""Smooths of factors: effects of levels, ``bs="re"``, and a curve for each level of a factor, ``bs="fs"``.

Source: Wood (2017), sections 5.8 and 7.7.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml.errors import FormulaError
from bayesml.smooths.base import AbstractFunctions, Request
from bayesml.smooths.basis import SMOOTHS, SmoothBasis
from bayesml.smooths.checks import covariate_matrix
from bayesml.smooths.natural import orthonormal

__all__ = ["LevelEffects", "fit_curves", "fit_effects"]

MOST_COLUMNS = 2000


@final
@dataclass(frozen=True, eq=False)
class LevelEffects(AbstractFunctions):
    """A column for each combination of levels, times the covariates that are numbers.

    Attributes:
        levels: number of levels of each covariate, 0 for numbers.
    """

    levels: tuple[int, ...]

    def evaluate(self, values: np.ndarray) -> np.ndarray:
        """Return the columns, the level of the first factor running slowest, ``(rows, combinations)``."""
        columns = np.ones((len(values), 1))
        for column, count in zip(values.T, self.levels, strict=True):
            own = (column[:, None] == np.arange(count)).astype(np.float64) if count else column[:, None]
            columns = (columns[:, :, None] * own[:, None, :]).reshape(len(values), -1)
        return columns


@final
@dataclass(frozen=True, eq=False)
class LevelCurves(AbstractFunctions):
    """The functions of a spline for each level of a factor.

    Attributes:
        spline: the spline.
        place: of the factor among the covariates.
        levels: number of its levels.
        coefficients: of the functions that are used, ``(k, k)``.
    """

    spline: AbstractFunctions
    place: int
    levels: int
    coefficients: np.ndarray

    def evaluate(self, values: np.ndarray) -> np.ndarray:
        """Return the functions of each level, function after function, ``(rows, k * levels)``."""
        functions = self.spline.evaluate(np.delete(values, self.place, axis=1)) @ self.coefficients
        cells = (values[:, self.place, None] == np.arange(self.levels)).astype(np.float64)
        return (functions[:, :, None] * cells[:, None, :]).reshape(len(values), -1)


def fit_effects(covariates: Mapping[str, np.ndarray], request: Request) -> SmoothBasis:
    """Return independent effects with one standard deviation, ``s(g, bs="re")``; with numbers slopes of each level."""
    functions = LevelEffects(request.levels)
    columns = functions.evaluate(covariate_matrix(covariates, request.names))
    _check_width(columns.shape[1], request)
    size = float(np.abs(columns).sum(axis=1).max()) or 1.0
    identity = np.eye(columns.shape[1])
    return SmoothBasis(request, functions, identity[:, :0], identity / size, size**-2, (len(identity),), ())


def fit_curves(covariates: Mapping[str, np.ndarray], request: Request) -> SmoothBasis:
    """Return a curve for each level of a factor, ``s(x, g, bs="fs")``: alike in how much they bend, rise and differ.

    One standard deviation is that of the functions with a penalty, and each function without one has its own: the
    level and the slope of a thin plate spline, in the mixture that `bayesml.smooths.natural` describes.

    Raises:
        FormulaError: there is not one factor, and numbers beside it.
    """
    factors = [place for place, count in enumerate(request.levels) if count]
    if len(factors) != 1 or len(request.names) < 2:
        raise FormulaError(
            f'`{request.label}`: bs="fs" takes one factor and one or more columns of numbers, s(x, g, bs="fs"); '
            f"{len(factors)} of its {len(request.names)} covariates are factors."
        )
    (place,) = factors
    values = covariate_matrix(covariates, request.names)
    own = replace(request, names=tuple(np.delete(request.names, place).tolist()), kind=request.base, levels=())
    numbers = np.delete(values, place, axis=1)
    spline = SMOOTHS[request.base](numbers, own)
    at_rows = spline.evaluate(numbers)
    coefficients = orthonormal(at_rows, spline.penalty, spline.polynomials)
    levels, free = request.levels[place], spline.polynomials.shape[1]
    functions = LevelCurves(spline, place, levels, coefficients)
    _check_width(coefficients.shape[1] * levels, request)
    size = float(np.abs(at_rows @ coefficients).sum(axis=1).max())
    identity = np.eye(coefficients.shape[1] * levels)
    ranks = ((coefficients.shape[1] - free) * levels, *(levels,) * free)
    return SmoothBasis(request, functions, identity[:, :0], identity / size, size**-2, ranks, ())


def _check_width(columns: int, request: Request) -> None:
    if columns > MOST_COLUMNS:
        tip = "write (1 | g)" if request.kind == "re" else "write a smaller k, or s(x) + (x | g)"
        raise FormulaError(f"`{request.label}` has {columns} coefficients, more than {MOST_COLUMNS}: {tip}.")
