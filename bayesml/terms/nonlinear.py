"""A nonlinear formula: a predictor that is a function of other predictors and of data, ``a * exp(-b * x)``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml import names
from bayesml.columns import Computation, NonlinearFunction, nonlinear_function
from bayesml.families import AbstractLikelihood
from bayesml.formula import Predictor
from bayesml.frame import Frame
from bayesml.keys import PredictorKey
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.spec import ParameterSpec
from bayesml.terms.base import AbstractTerm, Functions
from bayesml.terms.population_level import threshold_variables
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values

__all__ = ["NonlinearPredictor", "collect"]


@final
@dataclass(frozen=True)
class NonlinearPredictor(AbstractTerm):
    """The whole of a nonlinear predictor.

    Attributes:
        function: the checked formula.
        columns: the data columns that it names.
        threshold_labels: labels of the thresholds of an ordinal response, which are compared with it.
    """

    function: NonlinearFunction
    columns: tuple[str, ...]
    threshold_labels: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """It is the only one of its predictor."""
        return "nonlinear"

    def bound(self, likelihood: AbstractLikelihood) -> NonlinearPredictor:
        """Take the thresholds of the main predictor, where the response has such."""
        return replace(self, threshold_labels=likelihood.threshold_labels) if self.predictor.is_mu else self

    @property
    def rows_commute(self) -> bool:
        """Whether rows may be put into another order: a function of the user may look at all of them at once."""
        return not self.function.own_functions

    @property
    def variables(self) -> tuple[str, ...]:
        """Data columns in the formula."""
        return self.columns

    @property
    def is_function(self) -> bool:
        """It computes its predictor from others."""
        return True

    @property
    def takes(self) -> tuple[PredictorKey, ...]:
        """The predictors that it is a function of."""
        parameters = self.function.nonlinear.parameters
        return tuple(PredictorKey(self.predictor.resp, nlpar=name) for name in parameters)

    def computations(self) -> tuple[Computation, ...]:
        """Return the parts that are computed from data."""
        text = self.function.nonlinear.expression.text
        return (Computation(text, self.columns, self.function.arrays),) if self.columns else ()

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return each part of the formula that data determine, ``(rows,)``."""
        return {name: np.asarray(part, dtype=float) for name, part in self.function.arrays(frame).items()}

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Its parameters have predictors of their own."""
        return ()

    def prior_rows(self, defaults: DefaultPriors) -> tuple[PriorRow, ...]:
        """It has no priors."""
        return ()

    def reported(self) -> tuple[ReportedVariable, ...]:
        """Return the thresholds."""
        return threshold_variables(self.predictor, self.threshold_labels)

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return the thresholds, which are those that are sampled: no column is centred."""
        if not self.threshold_labels:
            return {}
        return {names.thresholds_variable(self.predictor): values[names.intercept_variable(self.predictor)] + 0.0}

    def sampled(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the thresholds under the name that has the prior."""
        if not self.threshold_labels:
            return {}
        return {names.intercept_variable(self.predictor): values[names.thresholds_variable(self.predictor)]}

    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Return 0: it is no addend; ``computed`` gives it from the other predictors."""
        return 0.0

    def computed(self, predictors: Mapping[PredictorKey, Numbers], arrays: DataArrays) -> PerRow:
        """Return the function, ``(..., rows)``, from the predictors that it takes."""
        return self.function.value({key.nlpar: predictors[key] for key in self.takes}, arrays)


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Claim a nonlinear formula."""
    if predictor.nonlinear is None:
        return ()
    function = nonlinear_function(predictor.nonlinear, functions)
    return (NonlinearPredictor(predictor.key, function, predictor.nonlinear.covariates),)
