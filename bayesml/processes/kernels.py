"""Covariance functions of Gaussian processes, their correlations and their spectral densities.

With r the distance over the length-scale, the correlations are

    exp_quad     exp(-r^2 / 2)
    matern52     (1 + sqrt(5) r + 5 r^2 / 3) exp(-sqrt(5) r)
    matern32     (1 + sqrt(3) r) exp(-sqrt(3) r)
    exponential  exp(-r)

The last three are those of Matérn with smoothness nu = 5/2, 3/2 and 1/2.

Source: Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, section 4.2.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gamma, inf, pi, sqrt
from typing import TYPE_CHECKING, final

from bayesml.errors import FormulaError, did_you_mean
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Numbers

__all__ = ["KERNELS", "Kernel", "kernel_named"]


@final
@dataclass(frozen=True)
class Kernel:
    """One covariance function.

    Attributes:
        name: as brms spells it.
        smoothness: Matérn's nu; infinite for ``exp_quad``.
    """

    name: str
    smoothness: float

    def correlation(self, distances: Numbers, lengthscales: Numbers) -> Numbers:
        """Return the correlations ``(..., n, m)`` of the process at n places with that at m others.

        With a length-scale for each covariate it is the product of the correlations along each of them, as in brms.

        Args:
            distances: ``(k, n, m)``: between places, or with several length-scales along each covariate.
            lengthscales: ``(..., k)``.
        """
        xp = array_namespace(distances, lengthscales)
        r = distances / lengthscales[..., None, None]
        if self.smoothness == inf:
            return xp.exp(-0.5 * xp.sum(r * r, axis=-3))
        r = sqrt(2.0 * self.smoothness) * r
        decay = xp.exp(-xp.sum(r, axis=-3))
        if self.smoothness == 0.5:
            return decay
        return xp.prod(1.0 + r if self.smoothness == 1.5 else 1.0 + r * (1.0 + r / 3.0), axis=-3) * decay

    def root_spectral_density(self, frequencies: Numbers, lengthscales: Numbers) -> Numbers:
        """Return the square roots ``(..., n)`` of the spectral density of the correlation at n frequencies.

        In d dimensions, with q the sum of squares of length-scale times frequency, the density is

            exp_quad   (2 pi)^(d/2) l_1 ... l_d exp(-q / 2),
            Matérn     2^d pi^(d/2) Gamma(nu + d/2) (2 nu)^nu / Gamma(nu) l_1 ... l_d (2 nu + q)^(-nu - d/2).

        Args:
            frequencies: ``(n, d)``.
            lengthscales: ``(..., 1)``, or ``(..., d)`` for one along each covariate.
        """
        xp = array_namespace(frequencies, lengthscales)
        d, isotropic = frequencies.shape[-1], lengthscales.shape[-1] == 1
        volume = lengthscales[..., 0] ** d if isotropic else xp.prod(lengthscales, axis=-1)
        q = xp.sum((lengthscales[..., None, :] * frequencies) ** 2, axis=-1)
        nu = self.smoothness
        if nu == inf:
            return (2.0 * pi) ** (d / 4) * xp.sqrt(volume)[..., None] * xp.exp(-0.25 * q)
        constant = sqrt(2.0**d * pi ** (d / 2) * gamma(nu + d / 2) * (2.0 * nu) ** nu / gamma(nu))
        return constant * xp.sqrt(volume)[..., None] * (2.0 * nu + q) ** (-0.5 * nu - 0.25 * d)


KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel("exp_quad", inf),
        Kernel("matern52", 2.5),
        Kernel("matern32", 1.5),
        Kernel("exponential", 0.5),
    )
}
ALIASES = {"matern25": "matern52", "matern15": "matern32", "matern12": "exponential", "matern05": "exponential"}
"""Other spellings: twice the smoothness over two, or its decimal."""


def kernel_named(name: object, call: str) -> Kernel:
    """Return the covariance function of that name.

    Raises:
        FormulaError: there is none.
    """
    found = KERNELS.get(ALIASES.get(name, name)) if isinstance(name, str) else None
    if found is None:
        guess = did_you_mean(name, KERNELS) if isinstance(name, str) else ""
        listing = ", ".join(f'"{known}"' for known in KERNELS)
        shown = repr(name) if isinstance(name, str) else f"`{name}`"
        raise FormulaError(
            f'`{call}`: cov={shown} is not known{guess}; cov is one of {listing}. ("matern15" and "matern25" are '
            'understood as "matern32" and "matern52", "matern12" as "exponential".)'
        )
    return found
