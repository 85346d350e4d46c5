"""Numbers that follow from a fit: draws of them, or estimates that move with parameters whose covariance is known.

Functions of them are functions of each draw, or have errors by the delta method.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np

from bayesml.lazy import lazy_module
from bayesml.results.tables.statistics import center_and_error

if TYPE_CHECKING:
    from scipy import sparse, special
else:
    sparse, special = lazy_module("scipy.sparse"), lazy_module("scipy.special")

__all__ = ["AbstractNumbers", "Columns", "DrawnNumbers", "EstimatedNumbers", "JointCovariance"]

Columns = dict[str, np.ndarray]
STEP = 1e-6
NUMBERS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class AbstractNumbers(ABC):
    """Numbers side by side."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many there are."""

    @abstractmethod
    def mapped(self, function: Callable[..., np.ndarray], *others: Self) -> Self:
        """Return a function of each number and those at its place in ``others``."""

    @abstractmethod
    def combined(self, W: np.ndarray) -> Self:
        """Return weighted sums ``W x``; a number that is not known (NaN) matters where its weight is not zero."""

    @abstractmethod
    def of_all(self, function: Callable[[np.ndarray], Any]) -> Self:
        """Return a function of all numbers together, a number or an array."""

    @abstractmethod
    def followed(self, others: Sequence[Self]) -> Self:
        """Return these numbers and those behind them."""

    @abstractmethod
    def taken(self, places: np.ndarray) -> Self:
        """Return some of the numbers."""

    @abstractmethod
    def columns(self, level: float, null: float, transform: Callable[[Any], Any] | None) -> Columns:
        """Return the columns of a table.

        Args:
            level: probability of the intervals.
            null: what the numbers are under the hypothesis.
            transform: a function of estimates and ends of intervals, or of draws.
        """


@final
@dataclass(frozen=True)
class DrawnNumbers(AbstractNumbers):
    """Draws of numbers.

    Attributes:
        values: ``(draws, numbers)``.
    """

    values: np.ndarray

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.values.shape[1])

    def mapped(self, function: Callable[..., np.ndarray], *others: DrawnNumbers) -> DrawnNumbers:
        """Return the function of each draw."""
        return DrawnNumbers(np.asarray(function(self.values, *(other.values for other in others)), dtype=float))

    def combined(self, W: np.ndarray) -> DrawnNumbers:
        """Return the sums of each draw."""
        return DrawnNumbers(np.stack([self.values[:, w != 0] @ w[w != 0] for w in W], axis=1))

    def of_all(self, function: Callable[[np.ndarray], Any]) -> DrawnNumbers:
        """Return the function of each draw."""
        return DrawnNumbers(np.stack([np.atleast_1d(np.asarray(function(row), float)) for row in self.values]))

    def followed(self, others: Sequence[DrawnNumbers]) -> DrawnNumbers:
        """Return all draws side by side."""
        return DrawnNumbers(np.concatenate([self.values, *(other.values for other in others)], axis=1))

    def taken(self, places: np.ndarray) -> DrawnNumbers:
        """Return some of the columns."""
        return DrawnNumbers(self.values[:, places])

    def columns(self, level: float, null: float, transform: Callable[[Any], Any] | None) -> Columns:
        """Return mean, standard deviation and central interval of the draws."""
        values = self.values if transform is None else np.asarray(transform(self.values), dtype=float)
        with np.errstate(all="ignore"):
            center, error = center_and_error(values)
            lower, upper = np.quantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=0)
        return {"estimate": center, "std_error": error, "conf_low": lower, "conf_high": upper}


@final
@dataclass(frozen=True)
class JointCovariance:
    """The covariance of what estimates are functions of: coefficients and other parameters, and group effects.

    Standardised group effects have the covariance K^-1 given the others, and move with them by -T.

    Attributes:
        root: ``(p, r)`` B with B B' the covariance of coefficients and other parameters.
        shift: ``(effects, p)`` T.
        solve: multiplies columns ``(effects, c)`` by K^-1.
        unbounded: ``(coefficients, r)`` directions of the coefficients without a finite estimate.
    """

    root: np.ndarray
    shift: np.ndarray
    solve: Callable[[np.ndarray], np.ndarray]
    unbounded: np.ndarray

    def errors(self, jacobian: Any) -> np.ndarray:
        """Return standard errors of functions with these derivatives, ``(numbers, p + effects)``."""
        out, width = np.empty(jacobian.shape[0]), max(NUMBERS_AT_ONCE // max(jacobian.shape[1], 1), 1)
        for start in range(0, len(out), width):
            part = jacobian[start : start + width]
            out[start : start + width] = self._errors(np.asarray(part.toarray()))
        return out

    def spread(self, jacobian: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the covariance matrix of functions with these derivatives, and their directions without an estimate.

        Args:
            jacobian: ``(numbers, p + effects)``.

        Returns:
            ``(numbers, numbers)`` and ``(numbers, r)``.
        """
        fixed, effects = np.split(np.asarray(jacobian.toarray()), [self.root.shape[0]], axis=1)
        own = effects @ self.solve(np.ascontiguousarray(effects.T)) if effects.shape[1] else 0.0
        moved = (fixed - effects @ self.shift if effects.shape[1] else fixed) @ self.root
        return own + moved @ moved.T, fixed[:, : len(self.unbounded)] @ self.unbounded

    def _errors(self, jacobian: np.ndarray) -> np.ndarray:
        from bayesml.engines.point.unbounded import is_unbounded

        fixed, effects = np.split(jacobian, [self.root.shape[0]], axis=1)
        if effects.shape[1]:
            variance = np.einsum("ne,en->n", effects, self.solve(np.ascontiguousarray(effects.T)))
            fixed = fixed - effects @ self.shift
        else:
            variance = np.zeros(len(fixed))
        variance = variance + ((fixed @ self.root) ** 2).sum(axis=1)
        infinite = is_unbounded(fixed[:, : len(self.unbounded)], self.unbounded)
        return np.where(infinite, np.inf, np.sqrt(np.maximum(variance, 0.0)))


@final
@dataclass(frozen=True)
class EstimatedNumbers(AbstractNumbers):
    """Estimates with errors by the delta method.

    Attributes:
        value: ``(numbers,)``; NaN where the data do not determine one.
        jacobian: ``(numbers, parameters)`` derivatives, a sparse matrix.
        covariance: of the parameters.
    """

    value: np.ndarray
    jacobian: Any
    covariance: JointCovariance

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.value)

    def spread(self) -> tuple[np.ndarray, np.ndarray]:
        """Return their covariance matrix and their directions without a finite estimate; see ``JointCovariance``."""
        return self.covariance.spread(self.jacobian)

    def mapped(self, function: Callable[..., np.ndarray], *others: EstimatedNumbers) -> EstimatedNumbers:
        """Return the function, with derivatives by central differences and the chain rule."""
        every = (self, *others)
        at = [each.value for each in every]
        found = np.asarray(function(*at), dtype=float)
        jacobian = None
        for i, each in enumerate(every):
            step = STEP * np.maximum(np.abs(at[i]), STEP)
            with np.errstate(all="ignore"):
                up, down = (function(*at[:i], at[i] + s, *at[i + 1 :]) for s in (step, -step))
                slope = np.nan_to_num((np.asarray(up, float) - np.asarray(down, float)) / (2.0 * step))
            own = sparse.diags(np.broadcast_to(slope, found.shape)) @ each.jacobian
            jacobian = own if jacobian is None else jacobian + own
        return replace(self, value=np.broadcast_to(found, at[0].shape), jacobian=sparse.csr_array(jacobian))

    def combined(self, W: np.ndarray) -> EstimatedNumbers:
        """Return the sums."""
        value = np.array([self.value[w != 0] @ w[w != 0] for w in W])
        return replace(self, value=value, jacobian=sparse.csr_array(sparse.csr_array(W) @ self.jacobian))

    def of_all(self, function: Callable[[np.ndarray], Any]) -> EstimatedNumbers:
        """Return the function, with derivatives by central differences."""
        value = np.atleast_1d(np.asarray(function(self.value), dtype=float))
        slopes = np.empty((len(value), self.count))
        for j in range(self.count):
            move = np.zeros(self.count)
            move[j] = STEP * max(abs(self.value[j]), STEP)
            up, down = (np.asarray(function(self.value + sign * move), dtype=float) for sign in (1.0, -1.0))
            slopes[:, j] = (np.atleast_1d(up) - np.atleast_1d(down)) / (2.0 * move[j])
        return replace(self, value=value, jacobian=sparse.csr_array(sparse.csr_array(slopes) @ self.jacobian))

    def followed(self, others: Sequence[EstimatedNumbers]) -> EstimatedNumbers:
        """Return all one after the other."""
        value = np.concatenate([self.value, *(other.value for other in others)])
        rows = sparse.vstack([self.jacobian, *(other.jacobian for other in others)], format="csr")
        return replace(self, value=value, jacobian=rows)

    def taken(self, places: np.ndarray) -> EstimatedNumbers:
        """Return some of them."""
        return replace(self, value=self.value[places], jacobian=self.jacobian[places])

    def columns(self, level: float, null: float, transform: Callable[[Any], Any] | None) -> Columns:
        """Return estimates, standard errors, tests and intervals by the normal distribution.

        What is transformed has its interval from the ends of that of the number, and no standard error.
        """
        error = np.where(np.isnan(self.value), np.nan, self.covariance.errors(self.jacobian))
        reach = float(special.ndtri((1.0 + level) / 2.0)) * error
        with np.errstate(all="ignore"):
            statistic = np.where(np.isinf(error), np.nan, (self.value - null) / error)
            ends = self.value - reach, self.value + reach
            p = 2.0 * special.ndtr(-np.abs(statistic))
        if transform is not None:
            moved = np.sort([np.asarray(transform(end), dtype=float) for end in ends], axis=0)
            found = np.asarray(transform(self.value), dtype=float)
            return {"estimate": found, "p_value": p, "conf_low": moved[0], "conf_high": moved[1]}
        shown = {"estimate": self.value, "std_error": error, "statistic": statistic, "p_value": p}
        return {**shown, "conf_low": ends[0], "conf_high": ends[1]}
