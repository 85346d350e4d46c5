"""``ar(time, g, p=1)``, ``ma(time, g, q=1)``, ``arma()``: residuals of earlier times shift the mean of later ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.distributions import Normal
from bayesml.families import AbstractLikelihood, Traits
from bayesml.families.wrapped import kept_traits
from bayesml.response_terms.residuals.columns import SERIES_COLUMNS, ranked_tables
from bayesml.response_terms.residuals.dependent import AbstractOnGrid
from bayesml.response_terms.residuals.grid import BY_SERIES, IN_SERIES, TABLES, to_grid, to_rows
from bayesml.response_terms.residuals.recursions import lagged_means, predicted_means
from bayesml.spec import ParameterSpec
from bayesml.supports import UNBOUNDED

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["Lagged", "coefficients"]


def coefficients(name: str, order: int) -> tuple[ParameterSpec, ...]:
    """Return the parameter ``ar`` or ``ma`` of an order, a number for each lag; none for order 0."""
    if not order:
        return ()
    lags = tuple(str(lag) for lag in range(1, order + 1))
    prior = Normal(0.0, 1.0)
    spec = ParameterSpec(
        name, name, (order,), coefs=lags, prior_coefs=("",) * order, support=UNBOUNDED,
        priors=(prior,) * order, centers=(0.0,) * order, scales=(0.3,) * order,
    )  # fmt: skip
    return (spec,)


@final
@dataclass(frozen=True)
class Lagged(AbstractOnGrid):
    """A likelihood whose mean depends on earlier residuals of the same series.

    Attributes:
        ar: order of the autoregressive part.
        ma: order of the moving average.
    """

    ar: int
    ma: int

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """Those of ``base``, and the coefficients of the lags."""
        return (*self.base.parameters, *coefficients("ar", self.ar), *coefficients("ma", self.ma))

    @property
    def flat_in_brms(self) -> frozenset[str]:  # type: ignore[override]
        """The coefficients have flat priors in brms."""
        return self.base.flat_in_brms | {"ar", "ma"}

    @property
    def traits(self) -> Traits:
        """Rows depend on those before them, whose responses predictions read."""
        return replace(kept_traits(self.base.traits), rows_depend=True, reads_past=True)

    @property
    def columns(self) -> frozenset[str]:
        """Those of the series and their times."""
        return SERIES_COLUMNS

    def tables(self, additions: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the tables of the series."""
        return ranked_tables(additions)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of each row given those before it."""
        ar, ma = self._coefficients(values)
        shift = to_rows(lagged_means(to_grid(y - values["mu"], data), ar, ma), data)
        return self.base.log_prob(y, {**values, "mu": values["mu"] + shift}, data)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the mean of each row given the responses before it; those that are not known are at their means."""
        return self.base.mean(self._given_past(parameters, data, None), data)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of each row given those before it."""
        return self.base.variance(self._given_past(parameters, data, None), data)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw each response given those before it, which are drawn too where they are not known."""
        if "y" in data and np.isfinite(np.asarray(data["y"], float)).all():
            return self.base.draw(rng, self._given_past(parameters, data, None), data)
        drawing = _Drawing.of(self.base, rng, self._flattened(parameters, data), data)
        located = self._given_past(parameters, data, drawing)
        known = np.isfinite(np.asarray(data["y"], float)) if "y" in data else False
        drawn = drawing.drawn.reshape(np.shape(located["mu"]))
        return np.where(known, self.base.draw(rng, located, data), drawn)

    def _coefficients(self, values: Values) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return tuple(values["ar"][..., k] for k in range(self.ar)), tuple(values["ma"][..., k] for k in range(self.ma))

    def _leading(self, parameters: Values) -> tuple[int, ...]:
        """Return the shape of the draws."""
        ar, ma = self._coefficients(parameters)
        arrays = [*(parameters[p.name] for p in self.base.dpars), *ar, *ma]
        return np.broadcast_shapes(*(np.shape(a)[:-1] for a in arrays))

    def _flattened(self, parameters: Values, data: DataArrays) -> dict[str, np.ndarray]:
        """Return the distributional parameters with one axis for all draws, and the mean of every row."""
        lead, count = self._leading(parameters), len(data[IN_SERIES])
        found = {}
        for name in (p.name for p in self.base.dpars):
            value = np.atleast_1d(np.asarray(parameters[name], float))
            last = count if name == "mu" else value.shape[-1]
            found[name] = np.broadcast_to(value, (*lead, last)).reshape(-1, last)
        return found

    def _given_past(self, parameters: Values, data: DataArrays, drawing: _Drawing | None) -> dict[str, Any]:
        """Return the parameters with the mean of each row given those before it."""
        lead, eta = self._leading(parameters), self._flattened(parameters, data)["mu"]
        y = np.asarray(data["y"], float) if "y" in data else np.full(eta.shape[-1], np.nan)
        # No row stands in places without one: a number there is as good as known, and no later row reads it.
        on_grid = np.where(data[BY_SERIES] < len(y), to_grid(y, data), 0.0)
        ar, ma = (
            tuple(np.broadcast_to(c, (*lead, 1)).reshape(-1, 1) for c in kind)
            for kind in self._coefficients(parameters)
        )
        means = predicted_means(on_grid, to_grid(eta, data), ar, ma, drawing or (lambda time, mean: mean))
        return {**parameters, "mu": to_rows(means, data).reshape(*lead, -1)}


@final
@dataclass(frozen=True)
class _Drawing:
    """Draws the responses of one time given their means, and writes them down.

    Attributes:
        base: the likelihood that they are drawn from.
        rng: source of randomness.
        parameters: its distributional parameters, ``(draws, rows)`` or ``(draws, 1)``.
        data: its data.
        drawn: ``(draws, rows)``, which the draws are written into.
    """

    base: AbstractLikelihood
    rng: np.random.Generator
    parameters: Values
    data: DataArrays
    drawn: np.ndarray

    @classmethod
    def of(
        cls, base: AbstractLikelihood, rng: np.random.Generator, parameters: dict[str, np.ndarray], data: DataArrays
    ) -> _Drawing:
        """Begin with nothing drawn."""
        return cls(base, rng, parameters, data, np.full(parameters["mu"].shape, np.nan))

    def __call__(self, time: int, means: np.ndarray) -> np.ndarray:
        """Return draws of the responses of a time, ``(draws, series)``."""
        count = len(self.data[IN_SERIES])
        by_series = np.asarray(self.data[BY_SERIES])[time]
        places = np.flatnonzero(by_series < count)
        rows = by_series[places]
        parameters = {n: v[:, rows] if v.shape[-1] == count else v for n, v in self.parameters.items()}
        data = {n: np.asarray(v)[rows] for n, v in self.data.items() if n not in TABLES}
        self.drawn[:, rows] = self.base.draw(self.rng, {**parameters, "mu": means[:, places]}, data)
        filled = means.copy()
        filled[:, places] = self.drawn[:, rows]
        return filled
