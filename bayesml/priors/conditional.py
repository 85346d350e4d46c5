"""Priors of latent variables that depend on another parameter of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

if TYPE_CHECKING:
    from bayesml.shapes import Values

__all__ = ["GammaOfMeanOne"]


@final
@dataclass(frozen=True)
class GammaOfMeanOne:
    """m ~ gamma(df / 2, df / 2): a normal variable over sqrt(m) has Student's t distribution.

    Attributes:
        df: the parameter that holds the degrees of freedom.
    """

    df: str

    def numpyro(self, values: Values, shape: tuple[int, ...]) -> Any:
        """Return the distribution of independent variables as NumPyro's."""
        from numpyro import distributions

        half = 0.5 * values[self.df]
        return distributions.Gamma(half, half).expand(shape).to_event(len(shape))

    def draw(self, rng: np.random.Generator, values: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
        """Return draws ``(n, *shape)``; ``values`` holds n draws of each parameter."""
        half = 0.5 * values[self.df].reshape(-1, *[1] * len(shape))
        return rng.gamma(half, 1.0 / half, size=(len(half), *shape))
