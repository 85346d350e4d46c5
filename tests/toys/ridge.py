"""``ridge(scale)``: all coefficients are normal with one standard deviation, which is estimated.

b_j = tau z_j with z_j ~ normal(0, 1) and tau ~ half normal(0, scale).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, final

from bayesml.distributions import HalfNormal, format_number
from bayesml.errors import PriorError
from bayesml.names import special_variable
from bayesml.priors.joint import AbstractJointPrior
from bayesml.spec import ParameterSpec
from bayesml.supports import POSITIVE


@final
@dataclass(frozen=True, repr=False)
class Ridge(AbstractJointPrior):
    """``ridge(scale)``; the fields are the arguments."""

    scale: float = 1.0

    name: ClassVar[str] = "ridge"

    def __post_init__(self) -> None:
        if isinstance(self.scale, bool) or not isinstance(self.scale, Real) or not 0 < self.scale < float("inf"):
            raise PriorError(f"`scale` of ridge() is a number larger than 0; got {self.scale!r}.")

    def __str__(self) -> str:
        return f"ridge({format_number(self.scale)})"

    def parameters(self, target: ParameterSpec) -> tuple[ParameterSpec, ...]:
        z, tau = self._names(target)
        prior = HalfNormal(float(self.scale))
        return (
            ParameterSpec(z, "", target.shape, target.predictor),
            ParameterSpec(
                tau, "ridge", (), target.predictor, support=POSITIVE, priors=(prior,), centers=(0.5 * self.scale,)
            ),
        )

    def value(self, target: ParameterSpec, values: Mapping[str, Any]) -> Any:
        z, tau = self._names(target)
        return values[tau] * values[z]

    def _names(self, target: ParameterSpec) -> tuple[str, str]:
        of = target.predictor
        return special_variable(f"z_{target.name}", of), special_variable(f"tau_{target.name}", of)
