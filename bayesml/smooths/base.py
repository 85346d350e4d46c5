"""The interface of each kind of spline, and the request of a user."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

__all__ = ["AbstractFunctions", "AbstractSpline", "Request"]


@dataclass(frozen=True)
class Request:
    """The arguments of ``s()`` that shape its basis.

    Attributes:
        label: the call as it is named in messages, such as ``s(x, k=20)``.
        names: the covariates.
        kind: mgcv's ``bs``.
        k: number of basis functions before constraints, or None for the default of the kind.
        order: mgcv's ``m``: a thin plate spline penalises its derivatives of this order; two numbers for P-splines and
            Duchon splines; None for the default.
        knots: where the pieces of a cubic spline join, or None for quantiles.
        levels: of each covariate the number of its levels, 0 for numbers; empty where all are numbers.
        point: where the smooth is 0, mgcv's ``pc``; None where it sums to zero over the rows of the fit.
        base: the spline of each level with ``bs="fs"``, mgcv's ``xt``.
    """

    label: str
    names: tuple[str, ...]
    kind: str
    k: int | None = None
    order: int | tuple[float, ...] | None = None
    knots: tuple[float, ...] | None = None
    levels: tuple[int, ...] = ()
    point: tuple[float, ...] | None = None
    base: str = "tp"


@dataclass(frozen=True, eq=False)
class AbstractFunctions(ABC):
    """Functions of some covariates, found on the rows of the fit and the same on any others."""

    @abstractmethod
    def evaluate(self, values: np.ndarray) -> np.ndarray:
        """Return the functions, ``(rows, k)``, at ``values``, ``(rows, covariates)``."""


@dataclass(frozen=True, eq=False)
class AbstractSpline(AbstractFunctions):
    """Functions of some covariates and a penalty on how much a combination of them bends.

    A spline is ``f(x) = evaluate(x) @ c`` with the penalty ``c' S c``, where ``S = penalty``. It is frozen: on new data
    it gives the same functions.

    Attributes:
        penalty: ``S``, ``(k, k)``.
        polynomials: coefficients ``c`` of the functions that are not penalised, ``(k, functions)``; the last is the
            constant 1.
    """

    penalty: np.ndarray
    polynomials: np.ndarray

    @abstractmethod
    def scaled(self, factors: np.ndarray) -> AbstractSpline:
        """Return the spline whose functions are these, each multiplied by a factor; ``(k,)``."""
