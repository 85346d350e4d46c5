"""A nonlinear formula: a predictor that is a function of other predictors and of data, ``a * exp(-b * x)``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.columns import Computation, NonlinearFunction, nonlinear_function
from bayesml.errors import FormulaError
from bayesml.families import AbstractLikelihood
from bayesml.formula import Predictor
from bayesml.frame import Frame
from bayesml.keys import PredictorKey
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.spec import ParameterSpec
from bayesml.terms.base import AbstractTerm, Functions
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
    """

    function: NonlinearFunction
    columns: tuple[str, ...]

    @property
    def key(self) -> str:
        """It is the only one of its predictor."""
        return "nonlinear"

    def bound(self, likelihood: AbstractLikelihood) -> AbstractTerm:
        """Refuse what has thresholds, which belong to a predictor that is a sum of terms."""
        if likelihood.thresholds and self.predictor.is_mu:
            raise FormulaError(
                f"The main formula of the family {likelihood.family.name} cannot be nonlinear in this version of "
                "bayesml: its thresholds need a sum of terms."
            )
        return self

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
        names = self.function.nonlinear.parameters
        return tuple(PredictorKey(self.predictor.resp, nlpar=name) for name in names)

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
        """It reports nothing."""
        return ()

    def derive(self, values: Values) -> dict[str, Numbers]:
        """It derives nothing."""
        return {}

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
