"""NumPyro distributions of count responses in the form that keeps the tails. Imported only when a form is asked for.

Each is parametrised by logarithms of its mean, so that neither the density nor its gradient turns into inf or NaN at
linear predictors far from 0, and leaves out no constant.
"""

from __future__ import annotations

from typing import Any, ClassVar, final

import jax
import numpyro.distributions as dist
from jax import lax, random
from jax import numpy as jnp
from jax.scipy.special import gammaln
from numpyro.distributions import constraints

from bayesml.families.rising import log_rising, stirling
from bayesml.links.elementary import softplus

__all__ = [
    "BetaShapes",
    "LogBernoulli",
    "LogBinomial",
    "LogNegativeBinomial",
    "LogPoisson",
    "LogitBernoulli",
    "LogitBinomial",
    "log_gamma",
]

Array = Any
ROUNDING = 1e-12
HALF_LOG_2_PI = 0.9189385332046727


def log_gamma(x: Array) -> Array:
    """Return log Gamma(x) for x > 0, with value and gradient several times faster than ``gammaln`` and ``digamma``.

    Stirling's series at z = x + 8, where its first term left out is below 1e-14, and the recurrence back to x:
    log Gamma(x) = log Gamma(z) - log(x (x + 1) ... (x + 7)), with the product taken of ratios to z so that it cannot
    overflow (Abramowitz and Stegun 6.1.15 and 6.1.41).
    """
    z = x + 8.0
    inverse = 1.0 / z
    ratios = x * inverse
    for k in range(1, 8):
        ratios = ratios * ((x + k) * inverse)
    return (x - 0.5) * jnp.log(z) - z + HALF_LOG_2_PI + stirling(z) - jnp.log(ratios)


def _log_choose(n: Array, k: Array) -> Array:
    return gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)


def _possible(log_success: Array, log_failure: Array, log_prob: Array) -> Array:
    """Return ``log_prob``, -inf where a probability exceeds 1, as the links log and identity let it."""
    outside = (log_success > ROUNDING) | (log_failure > ROUNDING)
    return jnp.where(outside, -jnp.inf, log_prob)


def _times(weight: Array, log_value: Array) -> Array:
    """Return weight * log_value, 0 where weight is 0 even if the log is -inf; its gradient likewise."""
    return jnp.where(weight == 0, 0.0, weight * jnp.where(weight == 0, 0.0, log_value))


@final
class LogitBernoulli(dist.Distribution):
    """One success or none, from the log odds; NumPyro's has a wrong gradient where they are exactly 0."""

    arg_constraints: ClassVar[dict[str, Any]] = {"logit": constraints.real}
    support = constraints.boolean

    def __init__(self, logit: Array, *, validate_args: Any = None) -> None:
        """Take the log odds."""
        self.logit = logit
        dist.Distribution.__init__(self, jnp.shape(logit), validate_args=validate_args)

    def log_prob(self, value: Array) -> Array:
        """Return y eta - log(1 + e^eta)."""
        return value * self.logit - softplus(self.logit)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw zeros and ones."""
        return random.bernoulli(key, jax.nn.sigmoid(self.logit), sample_shape + self.batch_shape).astype(int)


@final
class LogitBinomial(dist.Distribution):
    """Successes in ``trials``, from the log odds of success."""

    arg_constraints: ClassVar[dict[str, Any]] = {"logit": constraints.real, "trials": constraints.nonnegative}
    support = constraints.nonnegative_integer

    def __init__(self, logit: Array, trials: Array, *, validate_args: Any = None) -> None:
        """Take the log odds and the numbers of trials."""
        self.logit, self.trials = logit, trials
        shape = lax.broadcast_shapes(jnp.shape(logit), jnp.shape(trials))
        dist.Distribution.__init__(self, shape, validate_args=validate_args)

    def log_prob(self, value: Array) -> Array:
        """Return log C(n, y) + y eta - n log(1 + e^eta)."""
        return _log_choose(self.trials, value) + value * self.logit - self.trials * softplus(self.logit)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw counts."""
        return random.binomial(key, self.trials, jax.nn.sigmoid(self.logit), sample_shape + self.batch_shape)


@final
class LogBernoulli(dist.Distribution):
    """One success or none, from log P(success) and log P(failure)."""

    arg_constraints: ClassVar[dict[str, Any]] = {}
    support = constraints.boolean
    pytree_data_fields = ("log_success", "log_failure")

    def __init__(self, log_success: Array, log_failure: Array, *, validate_args: Any = None) -> None:
        """Take the two log probabilities, of equal shape."""
        self.log_success, self.log_failure = log_success, log_failure
        dist.Distribution.__init__(self, jnp.shape(log_success), validate_args=validate_args)

    def log_prob(self, value: Array) -> Array:
        """Return the log of the probability of ``value``."""
        log_prob = jnp.where(value > 0, self.log_success, self.log_failure)
        return _possible(self.log_success, self.log_failure, log_prob)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw zeros and ones."""
        return random.bernoulli(key, jnp.exp(self.log_success), sample_shape + self.batch_shape).astype(int)


@final
class LogBinomial(dist.Distribution):
    """Successes in ``trials``, from log P(success) and log P(failure)."""

    arg_constraints: ClassVar[dict[str, Any]] = {}
    support = constraints.nonnegative_integer
    pytree_data_fields = ("log_success", "log_failure", "trials")

    def __init__(self, log_success: Array, log_failure: Array, trials: Array, *, validate_args: Any = None) -> None:
        """Take the two log probabilities and the numbers of trials."""
        self.log_success, self.log_failure, self.trials = log_success, log_failure, trials
        shape = lax.broadcast_shapes(jnp.shape(log_success), jnp.shape(trials))
        dist.Distribution.__init__(self, shape, validate_args=validate_args)

    def log_prob(self, value: Array) -> Array:
        """Return log C(n, y) + y log p + (n - y) log(1 - p)."""
        failures = self.trials - value
        log_prob = _times(value, self.log_success) + _times(failures, self.log_failure)
        return _possible(self.log_success, self.log_failure, _log_choose(self.trials, value) + log_prob)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw counts."""
        return random.binomial(key, self.trials, jnp.exp(self.log_success), sample_shape + self.batch_shape)


@final
class LogPoisson(dist.Distribution):
    """Poisson counts from the log of their mean."""

    arg_constraints: ClassVar[dict[str, Any]] = {"log_mean": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(self, log_mean: Array, *, validate_args: Any = None) -> None:
        """Take the log of the mean."""
        self.log_mean = log_mean
        dist.Distribution.__init__(self, jnp.shape(log_mean), validate_args=validate_args)

    def log_prob(self, value: Array) -> Array:
        """Return y log(mu) - mu - log(y!)."""
        return value * self.log_mean - jnp.exp(self.log_mean) - gammaln(value + 1.0)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw counts."""
        return random.poisson(key, jnp.exp(self.log_mean), sample_shape + self.batch_shape)


@jax.custom_jvp
def _rising_at(shape: Array, distinct: Array, place: Array) -> Array:
    """Return ``log_rising(shape, distinct)[place]``, whose gradient in shape is a scalar product, without a scatter."""
    return log_rising(shape, distinct)[place]


@_rising_at.defjvp
def _rising_at_jvp(at: tuple[Array, ...], along: tuple[Array, ...]) -> tuple[Array, Array]:
    shape, distinct, place = at
    values, slopes = jax.jvp(lambda s: log_rising(s, distinct), (shape,), (jnp.ones_like(shape),))
    return values[place], slopes[place] * along[0]


@final
class LogNegativeBinomial(dist.Distribution):
    """Counts with mean mu and variance mu + mu^2 / shape, from log(mu)."""

    arg_constraints: ClassVar[dict[str, Any]] = {"log_mean": constraints.real, "concentration": constraints.positive}
    support = constraints.nonnegative_integer
    pytree_data_fields = ("distinct", "place")

    def __init__(
        self,
        log_mean: Array,
        shape: Array,
        distinct: Array | None = None,
        place: Array | None = None,
        *,
        validate_args: Any = None,
    ) -> None:
        """Take the log of the mean, the shape, and what may be known of the one response it will be evaluated at.

        Args:
            log_mean: log of the mean.
            shape: the shape.
            distinct: the distinct counts; used where the shape is a single number.
            place: place of each row's count among them. At another response the density is wrong.
            validate_args: as in NumPyro.
        """
        self.log_mean, self.concentration = log_mean, shape
        self.distinct, self.place = distinct, place
        batch = lax.broadcast_shapes(jnp.shape(log_mean), jnp.shape(shape))
        dist.Distribution.__init__(self, batch, validate_args=validate_args)

    def log_prob(self, value: Array) -> Array:
        """Return the log density; see ``NegativeBinomial.curvature`` for the form."""
        s = self.concentration
        choose = self._log_rising(value) - gammaln(value + 1.0)
        return choose + value * self.log_mean - (value + s) * softplus(self.log_mean - jnp.log(s))

    def _log_rising(self, value: Array) -> Array:
        if self.distinct is None or jnp.ndim(self.concentration):
            return log_rising(self.concentration, value)
        return _rising_at(self.concentration, self.distinct, self.place)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw a Poisson count whose mean is gamma distributed."""
        shape = sample_shape + self.batch_shape
        first, second = random.split(key)
        s = jnp.broadcast_to(self.concentration, shape)
        return random.poisson(second, jnp.exp(self.log_mean) * random.gamma(first, s) / s, shape)


@final
class BetaShapes(dist.Distribution):
    """The beta distribution of y in (0, 1), without the detour over two-column Dirichlet arrays."""

    arg_constraints: ClassVar[dict[str, Any]] = {"a": constraints.positive, "b": constraints.positive}
    support = constraints.unit_interval

    def __init__(self, a: Array, b: Array, *, validate_args: Any = None) -> None:
        """Take the two shapes."""
        self.a, self.b = a, b
        shape = lax.broadcast_shapes(jnp.shape(a), jnp.shape(b))
        dist.Distribution.__init__(self, shape, validate_args=validate_args)

    def log_prob(self, value: Array) -> Array:
        """Return (a - 1) log y + (b - 1) log(1 - y) - log B(a, b)."""
        constant = log_gamma(self.a + self.b) - log_gamma(self.a) - log_gamma(self.b)
        return constant + (self.a - 1) * jnp.log(value) + (self.b - 1) * jnp.log1p(-value)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        """Draw proportions."""
        return random.beta(key, self.a, self.b, sample_shape + self.batch_shape)
