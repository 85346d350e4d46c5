"""The Student t family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, pi
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.curvature import AuxiliaryDerivatives, Curvature
from bayesml.families.example import Example
from bayesml.families.gaussian import encode_real, total_scale
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.rising import digamma_rising, log_rising
from bayesml.families.scales import NU, REAL_LINKS, SIGMA, mu
from bayesml.links import Jet
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "Student", "student"]


@final
@dataclass(frozen=True)
class Student(AbstractSimpleFamily):
    """y = mu + sigma t with t of nu > 1 degrees of freedom: sigma is the scale, not the standard deviation."""

    name: ClassVar[str] = "student"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(REAL_LINKS), SIGMA, NU)
    traits: ClassVar[Traits] = Traits(continuous=(-inf, inf), has_cdf=True, known_errors=True, residuals="student_t")

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take finite numbers that are not all equal."""
        return encode_real(response, self.name, for_fit)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of mu + scale t."""
        from bayesml.families.densities import student_t

        return student_t(y, values["nu"], values["mu"], total_scale(values, data))

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y)."""
        from bayesml.families.tails import student_tails

        return student_tails((y - values["mu"]) / total_scale(values, data), values["nu"])

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu, which is the mean because nu > 1."""
        return parameters["mu"]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw mu + scale t."""
        scale = total_scale(parameters, data)
        shape = np.broadcast_shapes(*(np.shape(a) for a in (parameters["mu"], parameters["nu"], scale)))
        return parameters["mu"] + scale * rng.standard_t(parameters["nu"], size=shape)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return scale^2 nu / (nu - 2), infinite for nu <= 2."""
        nu = parameters["nu"] + 0.0 * parameters["mu"]
        xp = array_namespace(nu)
        above = xp.where(nu > 2, nu, 3.0)
        return xp.where(nu > 2, total_scale(parameters, data) ** 2 * above / (above - 2), np.inf)

    def curvature(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float], *, order: int = 3
    ) -> Curvature:
        """Return the derivatives; with e = y - mu, w = nu scale^2 and a = w + e^2, d1 = (nu + 1) e / a."""
        mean, nu = self.link("mu").jet(eta), auxiliary["nu"]
        variance = total_scale(auxiliary, data) ** 2
        e, w = data["y"] - mean.value, nu * variance
        a = w + e**2
        constant = log_rising(nu / 2, 0.5) - 0.5 * np.log(2 * pi * variance)
        outer = Jet(
            constant - (nu + 1) / 2 * np.log1p(e**2 / w),
            (nu + 1) * e / a,
            (nu + 1) * (e**2 - w) / a**2,
            (nu + 1) * 2 * e * (e**2 - 3 * w) / a**3,
        )
        inner = None if self.link("mu").name == "identity" else mean
        return Curvature.through(outer, np.broadcast_to((nu + 1) / ((nu + 3) * variance), e.shape), inner)

    def auxiliary_derivatives(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float]
    ) -> dict[str, AuxiliaryDerivatives]:
        """Return the derivatives in log sigma and log(nu - 1)."""
        inner, nu, sigma = self.link("mu").jet(eta), auxiliary["nu"], auxiliary["sigma"]
        e, v = data["y"] - inner.value, np.broadcast_to(total_scale(auxiliary, data) ** 2, np.shape(eta))
        derivatives = {"sigma": _in_variance(e, v, nu, 2 * sigma**2), "nu": _in_nu(e, v, nu, nu - 1)}
        return {name: d.through(inner) for name, d in derivatives.items()}


def _in_variance(e: np.ndarray, v: np.ndarray, nu: float, dv: float) -> AuxiliaryDerivatives:
    """Return the derivatives in the squared scale v, times ``dv``."""
    w, a = nu * v, nu * v + e**2
    return AuxiliaryDerivatives(
        dv * 0.5 * ((nu + 1) * e**2 / a - 1) / v,
        -dv * (nu + 1) * nu * e / a**2,
        dv * (nu + 1) * nu * (w - 3 * e**2) / a**3,
        -dv * (nu + 1) / ((nu + 3) * v**2),
    )


def _in_nu(e: np.ndarray, v: np.ndarray, nu: float, dnu: float) -> AuxiliaryDerivatives:
    """Return the derivatives in nu, times ``dnu``."""
    w, a = nu * v, nu * v + e**2
    constant = 0.5 * digamma_rising(nu / 2, 0.5)
    return AuxiliaryDerivatives(
        dnu * (constant - 0.5 * np.log1p(e**2 / w) + (nu + 1) / (2 * nu) * e**2 / a),
        dnu * e * (a - (nu + 1) * v) / a**2,
        dnu * ((e**2 - w) / a**2 + (nu + 1) * v * (w - 3 * e**2) / a**3),
        dnu * 2 / ((nu + 3) ** 2 * v),
    )


def student(link: str = "identity", link_sigma: str = "log", link_nu: str = "logm1") -> Student:
    """Return the Student t family, for responses with outliers.

    Args:
        link: link of mu.
        link_sigma: link of the scale sigma, where it has a formula.
        link_nu: link of the degrees of freedom nu > 1, where they have a formula.
    """
    return Student.with_links(link, link_sigma, link_nu)


EXAMPLE = Example(
    student(),
    y=(-2.0, 0.1, 40.0),
    parameters={"mu": 0.55, "sigma": 1.3, "nu": 4.5},
    log_density=(-2.9356517279200176, -1.3086918860333487, -15.883301292419565),
    source="SciPy 1.17.1: t(4.5, 0.55, 1.3).logpdf(y)",
    support=(-inf, inf),
)
