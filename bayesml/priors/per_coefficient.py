"""A prior for each coefficient of a class: ``prior("normal(0, s)", values={"s": [1, 2.5]})``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from bayesml.distributions import Distribution
from bayesml.errors import PriorError

__all__ = ["PerCoefficient"]


@final
@dataclass(frozen=True, repr=False)
class PerCoefficient:
    """Distributions of the coefficients of a class, in the order in which the model has them.

    Attributes:
        distributions: one for each.
    """

    distributions: tuple[Distribution, ...]

    def __str__(self) -> str:
        return f"[{', '.join(map(repr, self.distributions))}]"

    def __repr__(self) -> str:
        return str(self)

    def check_length(self, where: str, coefs: Sequence[str]) -> None:
        """Raise a PriorError unless there is one for each coefficient."""
        if len(coefs) != len(self.distributions):
            listed = ", ".join(f"`{coef}`" for coef in coefs) or "none"
            raise PriorError(
                f"{where}: it has {len(self.distributions)} priors, and the class has {len(coefs)} "
                f"coefficient{'s' if len(coefs) != 1 else ''}: {listed}."
            )
