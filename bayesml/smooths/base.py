"""What each kind of spline answers, and what a user asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

__all__ = ["AbstractSpline", "Request"]


@dataclass(frozen=True)
class Request:
    """The arguments of ``s()`` that shape its basis.

    Attributes:
        label: the call as it is named in messages, such as ``s(x, k=20)``.
        names: the covariates.
        kind: mgcv's ``bs``.
        k: number of basis functions before constraints, or None for the default of the kind.
        order: mgcv's ``m``: a thin plate spline penalises its derivatives of this order; None for the default.
        knots: where the pieces of a cubic spline join, or None for quantiles.
    """

    label: str
    names: tuple[str, ...]
    kind: str
    k: int | None = None
    order: int | None = None
    knots: tuple[float, ...] | None = None


@dataclass(frozen=True, eq=False)
class AbstractSpline(ABC):
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
    def evaluate(self, values: np.ndarray) -> np.ndarray:
        """Return the basis functions, ``(rows, k)``, at ``values``, ``(rows, covariates)``."""

    @abstractmethod
    def scaled(self, factors: np.ndarray) -> AbstractSpline:
        """Return the spline whose functions are these, each multiplied by a factor; ``(k,)``."""
