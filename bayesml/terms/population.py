"""Population-level terms: ``X b`` with an Intercept that belongs to centred predictors.

With column means m the sampled Intercept is that of the centred columns, the one with the prior:
eta = Intercept + (X - m) slopes, so the reported intercept is Intercept - m' slopes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import names
from bayesml.columns import Computation, computations, encode, replay
from bayesml.errors import FormulaError
from bayesml.families import AbstractLikelihood
from bayesml.formula import Predictor
from bayesml.frame import Frame
from bayesml.namespace import array_namespace
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.spec import ModelSpec, ParameterSpec
from bayesml.terms.base import AbstractTerm, Functions
from bayesml.terms.coefficient_rows import coefficient_rows
from bayesml.terms.identified import Columns, check_identified
from bayesml.terms.population_level import AbstractPopulationTerm, threshold_variables
from bayesml.terms.row_groups import RowGroups
from bayesml.variables import COEFFICIENTS, ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values

__all__ = ["Population", "collect"]


@final
@dataclass(frozen=True)
class Population(AbstractPopulationTerm):
    """All population-level coefficients of one predictor.

    Attributes:
        spreads: typical size of each such column: its standard deviation (n - 1), its root mean square where that is 0.
    """

    spreads: tuple[float, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns inside the terms."""
        return self.encoding.variables

    def computations(self) -> tuple[Computation, ...]:
        """Return the factors of the terms."""
        return computations(self.encoding)

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return ``X``, ``(rows, coefs)``, not centred."""
        columns = replay(self.encoding, frame)
        return {"X": columns[:, 1:] if self.thresholds else columns}

    def bound(self, likelihood: AbstractLikelihood) -> Population:
        """Leave the Intercept of the main predictor to the thresholds, where the response has such.

        Raises:
            FormulaError: there are thresholds, and the formula has no intercept.
        """
        if not (self.predictor.is_mu and likelihood.thresholds):
            return self
        if not self.encoding.has_intercept:
            raise FormulaError(
                f"The thresholds of the family {likelihood.family.name} stand for the intercept, which cannot be left "
                "out: write the formula without `0 +` and `- 1`."
            )
        means = self.means if likelihood.centres_predictors else (0.0,) * len(self.means)
        return replace(self, threshold_labels=likelihood.threshold_labels, means=means)

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return the Intercept of centred predictors and the slopes."""
        intercept = ParameterSpec(
            names.intercept_variable(self.predictor),
            "Intercept",
            predictor=self.predictor,
            centers=(scale.typical,),
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

    def prior_rows(self, defaults: DefaultPriors) -> Iterator[PriorRow]:
        """Yield the Intercept, the class ``b`` and each coefficient."""
        of = self.predictor.target
        if self.has_intercept:
            yield PriorRow(defaults.intercept(self.predictor), "Intercept", predictor=of)
        yield from coefficient_rows(self.predictor, self.slopes, self.spreads, defaults)

    def reported(self) -> tuple[ReportedVariable, ...]:
        """Return ``b``."""
        if not self.coefs:
            return threshold_variables(self.predictor, self.threshold_labels)
        dim = names.coefficient_dimension(self.predictor)
        texts = tuple(((i,), names.coefficient(coef, self.predictor)) for i, coef in enumerate(self.coefs))
        name = names.population_variable(self.predictor)
        printed, section = tuple(names.prefixed(coef, self.predictor) for coef in self.coefs), COEFFICIENTS
        of = self.predictor
        b = ReportedVariable(name, "b", (dim,), (self.coefs,), texts, of, section=section, printed=printed)
        return (*threshold_variables(self.predictor, self.threshold_labels), b)

    def spellings(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each coefficient."""
        of = f" of {prefix}" if (prefix := names.prefix(self.predictor)) else ""
        yield from ((names.coefficient(coef, self.predictor), f"{coef}{of}") for coef in self.coefs)

    def check_identified(self, spec: ModelSpec, arrays: Mapping[str, np.ndarray]) -> None:
        """Look for columns that are linear combinations of others."""
        if self.slopes:
            columns = arrays["X"]
            centred = columns[:, 1:] - np.asarray(self.means) if self.has_intercept else columns
            shift = columns[:, 1:] if self.has_intercept else columns
            priors = spec.priors_of(names.slopes_variable(self.predictor))
            if priors:
                check_identified(Columns(self.slopes, centred, shift, self.predictor), priors)

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return ``b``, all coefficients on the user's scale."""
        name = names.population_variable(self.predictor)
        slopes = values[names.slopes_variable(self.predictor)] if self.slopes else None
        if self.thresholds:
            return self._thresholds(values, slopes)
        if not self.has_intercept:
            return {name: slopes}
        intercept = values[names.intercept_variable(self.predictor)]
        xp = array_namespace(intercept)
        if slopes is None:
            return {name: xp.reshape(intercept, (1,))}
        uncentred = intercept - xp.asarray(self.means) @ slopes
        return {name: xp.concatenate([xp.reshape(uncentred, (1,)), slopes])}

    def _thresholds(self, values: Values, slopes: Numbers | None) -> dict[str, Numbers]:
        """Return the slopes and the thresholds of predictors that are not centred.

        With column means m, tau_k - (x - m)' b = (tau_k + m' b) - x' b.
        """
        tau = values[names.intercept_variable(self.predictor)]
        variable = names.thresholds_variable(self.predictor)
        if slopes is None:
            return {variable: tau + 0.0}
        xp = array_namespace(tau)
        return {names.population_variable(self.predictor): slopes, variable: tau + xp.asarray(self.means) @ slopes}

    def sampled(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the slopes and the Intercept of centred predictors."""
        if self.thresholds:
            return self._sampled_thresholds(values)
        b = values[names.population_variable(self.predictor)]
        slopes = b[..., 1:] if self.has_intercept else b
        of_sites = {names.slopes_variable(self.predictor): slopes}
        if self.has_intercept:
            of_sites[names.intercept_variable(self.predictor)] = b[..., 0] + slopes @ np.asarray(self.means)
        return of_sites

    def _sampled_thresholds(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        intercept, tau = names.intercept_variable(self.predictor), values[names.thresholds_variable(self.predictor)]
        if not self.slopes:
            return {intercept: tau}
        slopes = values[names.population_variable(self.predictor)]
        centred = tau - (slopes @ np.asarray(self.means))[..., None]
        return {names.slopes_variable(self.predictor): slopes, intercept: centred}

    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Return ``X b``."""
        if not self.coefs:
            return np.zeros(len(arrays["X"]))
        return values[names.population_variable(self.predictor)] @ arrays["X"].T

    def averaged(self, values: Values, arrays: DataArrays, groups: RowGroups) -> np.ndarray | None:
        """Return the coefficients times the sums of the columns."""
        if not self.coefs or self.thresholds:
            return None
        return np.asarray(values[names.population_variable(self.predictor)] @ groups.sums(arrays["X"]).T)


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Claim every term that formulaic understands."""
    if not (predictor.population.intercept or predictor.population.terms):
        return ()
    encoding, matrix = encode(predictor.population, frame, functions)
    is_ordinary = bool(predictor.key.nlpar)
    centred = encoding.has_intercept and not is_ordinary
    columns = matrix[:, 1:] if centred else matrix
    spreads = columns.std(axis=0, ddof=1) if len(columns) > 1 else np.zeros(columns.shape[1])
    means = columns.mean(axis=0) if centred else np.zeros(columns.shape[1])
    constant = spreads <= 1e-12 * np.abs(columns).max(axis=0, initial=0.0)
    size = np.sqrt((columns**2).mean(axis=0))
    spreads = np.where(constant, np.where(size > 0, size, 1.0), spreads)
    numbers = tuple(means.tolist()), tuple(spreads.tolist())
    return (Population(predictor.key, encoding, *numbers, is_ordinary=is_ordinary),)
