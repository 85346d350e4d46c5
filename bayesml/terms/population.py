"""Population-level terms: ``X b`` with an Intercept that belongs to centred predictors.

With column means m the sampled Intercept is that of the centred columns, the one with the prior:
eta = Intercept + (X - m) slopes, so the reported intercept is Intercept - m' slopes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml import names
from bayesml.columns import Computation, Encoding, computations, encode, replay
from bayesml.formula import Predictor
from bayesml.frame import Frame
from bayesml.namespace import array_namespace
from bayesml.spec import ParameterSpec
from bayesml.terms.base import AbstractTerm, Array, Functions, Scale

__all__ = ["Population", "collect"]


@final
@dataclass(frozen=True)
class Population(AbstractTerm):
    """All population-level coefficients of one predictor.

    Attributes:
        encoding: how columns come from data.
        means: mean of each column without the Intercept, over the rows of the fit; zeros without an Intercept.
        spreads: typical size of each such column: its standard deviation (n - 1), its root mean square where that is 0.
    """

    encoding: Encoding
    means: tuple[float, ...]
    spreads: tuple[float, ...]

    @property
    def key(self) -> str:
        """One population term for each predictor."""
        return "population"

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns inside the terms."""
        return self.encoding.variables

    @property
    def coefs(self) -> tuple[str, ...]:
        """Labels of all coefficients, ``Intercept`` first where there is one."""
        return self.encoding.labels

    @property
    def has_intercept(self) -> bool:
        """Whether the model itself has an Intercept (not the reserved variable of ``0 + Intercept``)."""
        return self.encoding.has_intercept

    @property
    def slopes(self) -> tuple[str, ...]:
        """Labels without the Intercept."""
        return self.coefs[1:] if self.has_intercept else self.coefs

    def computations(self) -> tuple[Computation, ...]:
        """Return the factors of the terms."""
        return computations(self.encoding)

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return ``X``, ``(rows, coefs)``, not centred."""
        return {"X": replay(self.encoding, frame)}

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return the Intercept of centred predictors and the slopes."""
        intercept = ParameterSpec(
            names.intercept_variable(self.predictor),
            "Intercept",
            predictor=self.predictor,
            centers=(scale.location,),
            scales=(scale.spread,),
        )
        slopes = ParameterSpec(
            names.slopes_variable(self.predictor),
            "b",
            shape=(len(self.slopes),),
            predictor=self.predictor,
            coefs=self.slopes,
            centers=(0.0,) * len(self.slopes),
            scales=tuple(scale.spread / s for s in self.spreads),
        )
        return ((intercept,) if self.has_intercept else ()) + ((slopes,) if self.slopes else ())

    def derive(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Return ``b``, all coefficients on the user's scale."""
        name = names.population_variable(self.predictor)
        slopes = values[names.slopes_variable(self.predictor)] if self.slopes else None
        if not self.has_intercept:
            return {name: slopes}
        intercept = values[names.intercept_variable(self.predictor)]
        xp = array_namespace(intercept)
        if slopes is None:
            return {name: xp.reshape(intercept, (1,))}
        uncentred = intercept - xp.asarray(self.means) @ slopes
        return {name: xp.concatenate([xp.reshape(uncentred, (1,)), slopes])}

    def sampled(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the slopes and the Intercept of centred predictors."""
        b = values[names.population_variable(self.predictor)]
        slopes = b[..., 1:] if self.has_intercept else b
        found = {names.slopes_variable(self.predictor): slopes}
        if self.has_intercept:
            found[names.intercept_variable(self.predictor)] = b[..., 0] + slopes @ np.asarray(self.means)
        return found

    def contribution(self, values: Mapping[str, Array], arrays: Mapping[str, Array]) -> Array:
        """Return ``X b``."""
        return values[names.population_variable(self.predictor)] @ arrays["X"].T


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Claim every term that formulaic understands."""
    if not (predictor.population.intercept or predictor.population.terms):
        return ()
    encoding, matrix = encode(predictor.population, frame, functions)
    columns = matrix[:, 1:] if encoding.has_intercept else matrix
    spreads = columns.std(axis=0, ddof=1) if len(columns) > 1 else np.zeros(columns.shape[1])
    means = columns.mean(axis=0) if encoding.has_intercept else np.zeros(columns.shape[1])
    constant = spreads <= 1e-12 * np.abs(columns).max(axis=0, initial=0.0)
    size = np.sqrt((columns**2).mean(axis=0))
    spreads = np.where(constant, np.where(size > 0, size, 1.0), spreads)
    return (Population(predictor.key, encoding, tuple(means.tolist()), tuple(spreads.tolist())),)
