"""Priors of latent variables that depend on another parameter of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Numbers, Scalar, Values

__all__ = ["LogGamma"]


@final
@dataclass(frozen=True)
class LogGamma:
    """The standardised logarithm x of m ~ gamma(df / 2, df / 2): a normal variable over sqrt(m) has a t distribution.

    With a = df / 2, log m has nearly the mean c = -1 / (2a) - 1 / (12 a^2) and the variance s^2 = 1 / a + 1 / (2 a^2),
    the first terms of the series of digamma(a) - log a and of trigamma(a). The distribution of ``x = (log m - c) / s``
    hardly depends on df, so that the sampler can move df without all x.

    Attributes:
        df: the parameter that holds the degrees of freedom.
    """

    df: str

    def numpyro(self, values: Values, shape: tuple[int, ...]) -> Any:
        """Return the distribution of independent x as NumPyro's."""
        from numpyro import distributions
        from numpyro.distributions import transforms

        half, (center, width) = 0.5 * values[self.df], self._location(values)
        standardised = [transforms.ExpTransform().inv, transforms.AffineTransform(-center / width, 1.0 / width)]
        gamma = distributions.Gamma(half, half).expand(shape)
        return distributions.TransformedDistribution(gamma, standardised).to_event(len(shape))

    def draw(self, rng: np.random.Generator, values: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
        """Return draws ``(n, *shape)``; ``values`` holds n draws of each parameter."""
        own = {self.df: np.asarray(values[self.df]).reshape(-1, *[1] * len(shape))}
        half, (center, width) = 0.5 * own[self.df], self._location(own)
        return (np.log(rng.gamma(half, 1.0 / half, size=(len(half), *shape))) - center) / width

    def mixing(self, x: Numbers, values: Values) -> Numbers:
        """Return m."""
        center, width = self._location(values)
        return array_namespace(x).exp(center + width * x)

    def _location(self, values: Values) -> tuple[Scalar, Scalar]:
        a = 0.5 * values[self.df]
        return -1.0 / (2.0 * a) - 1.0 / (12.0 * a**2), (1.0 / a + 1.0 / (2.0 * a**2)) ** 0.5
