"""``step(x, at=0)``: the predictor rises by b where x is larger than ``at``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayesml import names
from bayesml.columns import Computation, evaluate, offset_computation, variables_of
from bayesml.distributions import normal
from bayesml.formula import Expression, Predictor, SpecialCall, bind_arguments, special_fault
from bayesml.frame import Frame
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.spec import ParameterSpec
from bayesml.terms import AbstractTerm, Functions
from bayesml.variables import ReportedVariable

CLAIMS = ("step",)


@final
@dataclass(frozen=True)
class Step(AbstractTerm):
    """The steps of one predictor; step k adds b_k where x_k > at_k."""

    labels: tuple[str, ...]
    expressions: tuple[Expression, ...]
    at: tuple[float, ...]
    functions: Functions

    @property
    def key(self) -> str:
        return "step"

    @property
    def name(self) -> str:
        return names.special_variable("bstep", self.predictor)

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for e in self.expressions for name in variables_of(e.text)))

    def computations(self) -> tuple[Computation, ...]:
        return tuple(offset_computation(e, self.functions) for e in self.expressions)

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        columns = [evaluate(e, frame, self.functions) > at for e, at in zip(self.expressions, self.at, strict=True)]
        return {"X": np.stack(columns, axis=1).astype(float)}

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        k = len(self.labels)
        spec = ParameterSpec(
            self.name, "step", (k,), self.predictor, coefs=self.labels, centers=(0.0,) * k, scales=(scale.spread,) * k
        )
        return (spec,)

    def prior_rows(self, defaults: DefaultPriors) -> tuple[PriorRow, ...]:
        of, prior = self.predictor.target, normal(0, 2 * defaults.scales[self.predictor].spread)
        return (
            PriorRow(prior, "step", predictor=of),
            *(PriorRow(None, "step", label, predictor=of, source="(vectorized)") for label in self.labels),
        )

    def reported(self) -> tuple[ReportedVariable, ...]:
        of = self.predictor
        texts = tuple(((i,), names.special_coefficient("bstep", c, of)) for i, c in enumerate(self.labels))
        dim, printed = names.prefixed("step_coef", of), tuple(names.prefixed(c, of) for c in self.labels)
        variable = ReportedVariable(
            self.name, "step", (dim,), (self.labels,), texts, of, section="Regression Coefficients", printed=printed
        )
        return (variable,)

    def derive(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def contribution(self, values: Mapping[str, Any], arrays: Mapping[str, Any]) -> Any:
        return values[self.name] @ arrays["X"].T


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Claim the calls of ``step()``."""
    calls = tuple(call for call in predictor.specials if call.name in CLAIMS)
    if not calls:
        return ()
    read = [_read(call) for call in calls]
    labels = tuple(call.spelling for call in calls)
    return (Step(predictor.key, labels, tuple(x for x, _ in read), tuple(at for _, at in read), functions),)


def _read(call: SpecialCall) -> tuple[Expression, float]:
    given = bind_arguments(call, ("x", "at"))
    x, at = given.get("x"), given.get("at", 0)
    if call.factors or call.others:
        raise special_fault("`step()` cannot be multiplied.", call)
    if not isinstance(x, Expression) or isinstance(at, bool) or not isinstance(at, (int, float)):
        raise special_fault("`step()` takes a column of numbers and the place of the step, `step(x, at=2)`.", call)
    return x, float(at)
