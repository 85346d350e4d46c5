"""Correlation matrices of the residuals of a series, and residuals as independent innovations.

An innovation is what a residual adds to its expectation given those before it, divided by its standard deviation: with
R = L L' and L lower triangular, L e = r, and the log density of r is that of the independent e minus sum_t log L_tt.
Each structure finds them by its own recursion rather than by a Cholesky factorisation. All act on standardised
residuals r = (y - mu) / sigma on a grid, ``(..., times, series)``; places behind the end of a series do no harm, since
no earlier one reads them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from bayesml.distributions import Uniform, lkj
from bayesml.namespace import array_namespace
from bayesml.response_terms.residuals.dense import dense_factor
from bayesml.spec import ParameterSpec
from bayesml.supports import CorrCholesky, Interval

if TYPE_CHECKING:
    from jaxtyping import Array, ArrayLike, Float

    from bayesml.shapes import Numbers, Values

    Grid = Float[Array, "*draws times series"]
    Innovations = tuple[Grid, Float[Array, "*draws times #series"]]
    Matrices = Float[ArrayLike, "*draws times times"]

__all__ = ["AbstractCovariance", "ArmaCovariance", "CompoundSymmetry", "Unstructured", "bounded_parameter"]


@dataclass(frozen=True)
class AbstractCovariance(ABC):
    """A structure of the residual correlations within a series.

    Values of parameters have an axis for the rows before their own, ``(..., 1, *shape)``.
    """

    flat_in_brms: ClassVar[frozenset[str]] = frozenset()

    @property
    @abstractmethod
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The parameters of the correlations, with default priors."""

    @abstractmethod
    def matrix(self, values: Values, size: int) -> Matrices:
        """Return the covariance matrix of ``size`` consecutive standardised residuals, on NumPy or JAX arrays."""

    @abstractmethod
    def innovations(self, residuals: Grid, values: Values) -> Innovations:
        """Return the innovations and the logarithm of their standard deviations, on JAX arrays."""

    @property
    def most_times(self) -> int | None:
        """Most times that a series may have; None for any number."""
        return None

    def factor(self, values: Values, size: int) -> Matrices:
        """Return the lower Cholesky factor of ``matrix``, on NumPy or JAX arrays."""
        matrix = self.matrix(values, size)
        return np.linalg.cholesky(matrix) if array_namespace(matrix) is np else dense_factor(matrix)

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return what is reported of parameters that are not reported themselves; no leading axes."""
        return {}

    def sampled(self, values: Values) -> dict[str, np.ndarray]:
        """Return the parameters that are not reported from draws of what is."""
        return {}


def bounded_parameter(
    name: str, lower: float, upper: float, center: float, shape: tuple[int, ...] = ()
) -> ParameterSpec:
    """Return a parameter, or one for each lag, with a uniform prior between two bounds."""
    lags, prior = tuple(str(k + 1) for k in range(shape[0])) if shape else (), Uniform(lower, upper)
    return ParameterSpec(
        name, name, shape, coefs=lags, prior_coefs=("",) * len(lags), support=Interval(lower, upper),
        priors=(prior,), centers=(center,), scales=(0.3,),
    )  # fmt: skip


@final
@dataclass(frozen=True)
class ArmaCovariance(AbstractCovariance):
    """A stationary process r_t = ar r_(t-1) + u_t + ma u_(t-1), where u has standard deviation 1.

    sigma is thus the standard deviation of the innovations; that of the residuals is larger.

    Attributes:
        ar: whether there is an autoregressive part.
        ma: whether there is a moving average.
    """

    ar: bool
    ma: bool

    flat_in_brms: ClassVar[frozenset[str]] = frozenset({"ar", "ma"})

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """``ar`` and ``ma`` between -1 and 1."""
        names = [*(["ar"] if self.ar else []), *(["ma"] if self.ma else [])]
        return tuple(bounded_parameter(name, -1.0, 1.0, 0.0, (1,)) for name in names)

    def _values(self, values: Values) -> tuple[Any, Any]:
        """Return both coefficients, ``(..., 1)``; 0 for a part that is not there."""
        return values["ar"][..., 0] if self.ar else 0.0, values["ma"][..., 0] if self.ma else 0.0

    def matrix(self, values: Values, size: int) -> Matrices:
        """Return the autocovariances: g_0 = (1 + 2 ar ma + ma^2) / (1 - ar^2), g_k = ar^(k-1) g_1 behind g_1."""
        ar, ma = (value[..., None] if np.ndim(value) else value for value in self._values(values))
        lag = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
        xp = array_namespace(ar, ma)
        first = (1 + ar * ma) * (ar + ma) / (1 - ar**2)
        variance = (1 + 2 * ar * ma + ma**2) / (1 - ar**2)
        power = ar ** np.maximum(lag - 1, 0) if self.ar else np.where(lag <= 1, 1.0, 0.0)
        return xp.where(lag == 0, variance, first * power)

    def factor(self, values: Values, size: int) -> Matrices:
        """Return it in closed form without a moving average: ar^(t-s), of the first column over sqrt(1 - ar^2)."""
        if self.ma:
            return AbstractCovariance.factor(self, values, size)
        ar = values["ar"][..., 0, None]
        xp, lag = array_namespace(ar), np.subtract.outer(np.arange(size), np.arange(size))
        first = xp.where(np.arange(size) == 0, 1 / xp.sqrt(1 - ar**2), 1.0)
        return xp.where(lag >= 0, ar ** np.maximum(lag, 0), 0.0) * first

    def innovations(self, residuals: Grid, values: Values) -> Innovations:
        """Return them by the innovations algorithm (Brockwell and Davis 1991, section 5.3).

        w_1 = r_1 and w_t = r_t - ar r_(t-1) have correlations at lag 1 alone: their innovations are
        u_t = w_t - ma / v_(t-1) u_(t-1), of variance v_t = 1 + ma^2 - ma^2 / v_(t-1), and v_1 is the variance of r_1.
        """
        from jax import lax
        from jax import numpy as jnp

        ar, ma = self._values(values)
        first = (1 + 2 * ar * ma + ma**2) / (1 - ar**2) + jnp.zeros((1,))
        r = jnp.moveaxis(residuals, -2, 0)
        w = jnp.concatenate([r[:1], r[1:] - ar * r[:-1]]) if self.ar else r
        if not self.ma:
            log_first = 0.5 * jnp.log(first)
            u = jnp.concatenate([w[:1] * jnp.exp(-log_first), w[1:]])
            rest = jnp.zeros((len(w) - 1, *log_first.shape))
            return jnp.moveaxis(u, 0, -2), jnp.moveaxis(jnp.concatenate([log_first[None], rest]), 0, -2)

        def step(last: tuple[Any, Any], now: Grid) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
            before, variance = last
            u, v = now - ma / variance * before, 1 + ma**2 - ma**2 / variance
            return (u, v), (u, v)

        shape = jnp.broadcast_shapes(w.shape[1:], first.shape)
        start = jnp.broadcast_to(w[0], shape)
        _, (u, v) = lax.scan(step, (start, first), w[1:])
        u, v = jnp.concatenate([start[None], u]), jnp.concatenate([first[None], v])
        return jnp.moveaxis(u / jnp.sqrt(v), 0, -2), jnp.moveaxis(0.5 * jnp.log(v), 0, -2)


@final
@dataclass(frozen=True)
class CompoundSymmetry(AbstractCovariance):
    """Every two residuals of a series have the same correlation, which is not negative."""

    flat_in_brms: ClassVar[frozenset[str]] = frozenset({"cosy"})

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """``cosy`` between 0 and 1."""
        return (bounded_parameter("cosy", 0.0, 1.0, 0.5),)

    def matrix(self, values: Values, size: int) -> Matrices:
        """Return cosy beside ones on the diagonal."""
        cosy = values["cosy"][..., None] if np.ndim(values["cosy"]) else values["cosy"]
        return array_namespace(cosy).where(np.eye(size, dtype=bool), 1.0, cosy)

    def innovations(self, residuals: Grid, values: Values) -> Innovations:
        """Return them from sums: given k residuals of sum S, the next has mean c S / (1 + (k-1) c).

        Its variance is (1 - c) (1 + k c) / (1 + (k-1) c).
        """
        from jax import numpy as jnp

        c = jnp.asarray(values["cosy"])
        c = c[..., None] if c.ndim else c
        k = np.arange(residuals.shape[-2], dtype=float)[:, None]
        sums = jnp.cumsum(residuals, axis=-2) - residuals
        below = 1 + (k - 1) * c
        log_scale = 0.5 * (jnp.log1p(-c) + jnp.log1p(k * c) - jnp.log(below))
        return (residuals - c * sums / below) * jnp.exp(-log_scale), log_scale


@final
@dataclass(frozen=True)
class Unstructured(AbstractCovariance):
    """A correlation for every two times.

    Attributes:
        times: the times as text, in order.
    """

    times: tuple[str, ...]

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The Cholesky factor of the correlations."""
        size = len(self.times)
        return (
            ParameterSpec(
                "Lcortime", "cortime", (size, size), support=CorrCholesky(), priors=(lkj(1),), correlated=self.times
            ),
        )  # fmt: skip

    def matrix(self, values: Values, size: int) -> Matrices:
        """Return L L'."""
        factor = values["Lcortime"][..., 0, :, :]
        return factor @ array_namespace(factor).swapaxes(factor, -1, -2)

    def factor(self, values: Values, size: int) -> Matrices:
        """Return it; it is a parameter."""
        return values["Lcortime"][..., 0, :, :]

    def innovations(self, residuals: Grid, values: Values) -> Innovations:
        """Return them by substitution: e_t = (r_t - sum_(s<t) L_ts e_s) / L_tt."""
        from jax import numpy as jnp

        factor = values["Lcortime"][..., 0, :, :]
        found: list[Any] = []
        for t in range(len(self.times)):
            rest = residuals[..., t, :]
            for s, earlier in enumerate(found):
                rest = rest - factor[..., t, s, None] * earlier
            found.append(rest / factor[..., t, t, None])
        diagonal = jnp.diagonal(factor, axis1=-2, axis2=-1)
        return jnp.stack(found, axis=-2), jnp.log(diagonal)[..., None]

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return the correlations, row by row of the upper triangle."""
        factor = values["Lcortime"]
        return {"cortime": (factor @ factor.T)[np.triu_indices(len(self.times), 1)]}

    def sampled(self, values: Values) -> dict[str, np.ndarray]:
        """Return the factor."""
        from bayesml.distributions.lkj import cholesky_factor

        pairs, size = np.asarray(values["cortime"]), len(self.times)
        matrix = np.zeros((*pairs.shape[:-1], size, size)) + np.eye(size)
        rows, columns = np.triu_indices(size, 1)
        matrix[..., rows, columns] = matrix[..., columns, rows] = pairs
        return {"Lcortime": cholesky_factor(matrix)}
