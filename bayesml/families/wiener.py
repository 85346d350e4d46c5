"""The Wiener family: response times of a choice between two answers, by a diffusion process (Ratcliff 1978)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions import beta, gamma, logistic, normal
from bayesml.errors import DataError
from bayesml.families.example import Example
from bayesml.families.first_passage import draw_passages, log_first_passage, time_moments
from bayesml.families.non_decision import NDT, AbstractShifted, AbstractShiftedFamily
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import positive_numbers
from bayesml.families.scales import SCALE_LINKS, mu

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, PerRow, Values

__all__ = ["EXAMPLE", "Wiener", "WienerLikelihood", "wiener"]

DRIFT_LINKS = ("identity", "log", "softplus", "squareplus")
SEPARATION = DistributionalParameter("bs", SCALE_LINKS, (0.0, inf), gamma(1, 1), normal(-0.6, 1.3))
BIAS = DistributionalParameter("bias", ("logit", "identity"), (0.0, 1.0), beta(1, 1), logistic(0, 1), typical=0.5)


@final
@dataclass(frozen=True)
class Wiener(AbstractShiftedFamily):
    """y - ndt is the time at which a Wiener process with drift mu reaches 0 or bs, from bias times bs.

    ``dec()`` says which: 1 is the upper boundary bs.
    """

    name: ClassVar[str] = "wiener"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(DRIFT_LINKS), SEPARATION, NDT, BIAS)

    def shifted(self, smallest: float) -> AbstractShifted:
        """Return the likelihood."""
        return WienerLikelihood(self, smallest)


@final
@dataclass(frozen=True)
class WienerLikelihood(AbstractShifted):
    """The family with the bound of the shift. Means and draws are of the time, whichever boundary is reached.

    Attributes:
        negative: whether draws are negative where the lower boundary is reached.
    """

    negative: bool = False

    @property
    def signed(self) -> WienerLikelihood:
        """The likelihood with draws that are negative where the lower boundary is reached."""
        return replace(self, negative=True)

    @property
    def traits(self) -> Traits:
        """Decisions."""
        return Traits(decisions=True)

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take positive numbers that are not all equal, and decisions.

        Raises:
            DataError: a time is not larger than 0, or there are no decisions.
        """
        y = positive_numbers(response, self.family.name, for_fit=for_fit)
        decisions = response.additions.get("dec")
        if decisions is None:
            raise DataError(
                f"The family wiener needs the decision beside each response time: write `{response.name} | dec(choice) "
                "~ ...` with a column of 'upper' (1) and 'lower' (0)."
            )
        return ResponseData({"y": y, "dec": np.asarray(decisions, dtype=float)})

    def log_prob_of_time(self, time: PerRow, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of the time and the decision; the upper boundary is the lower one seen from above."""
        from jax import numpy as jnp

        upper = data["dec"] == 1
        drift = jnp.where(upper, -values["mu"], values["mu"])
        start = jnp.where(upper, 1.0 - values["bias"], values["bias"])
        return log_first_passage(time, drift, values["bs"], start)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return ndt and the mean time to either boundary."""
        return parameters["ndt"] + time_moments(*_process(parameters))[0]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of the time to either boundary."""
        return time_moments(*_process(parameters))[1] + 0.0 * parameters["ndt"]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw ndt and a time to either boundary, with its sign where that says which it was."""
        shape = np.broadcast_shapes(*(np.shape(parameters[p.name]) for p in self.dpars))
        drift, separation, start = (np.broadcast_to(each, shape) for each in _process(parameters))
        times, upper = draw_passages(rng, drift, separation, start)
        times = parameters["ndt"] + times
        return np.where(upper, times, -times) if self.negative else times


def _process(parameters: Values) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return drift, separation and start, inside their bounds by more than rounding."""
    separation = np.maximum(np.asarray(parameters["bs"], dtype=float), 1e-100)
    start = np.clip(np.asarray(parameters["bias"], dtype=float), 1e-12, 1.0 - 1e-12)
    return np.asarray(parameters["mu"], dtype=float), separation, start


def wiener(link: str = "identity", link_bs: str = "log", link_ndt: str = "log", link_bias: str = "logit") -> Wiener:
    """Return the Wiener family (diffusion model), for times and answers of two: ``rt | dec(answer) ~ x``.

    Args:
        link: link of the drift mu, how fast evidence for the upper answer comes in.
        link_bs: link of the separation bs of the boundaries, where it has a formula.
        link_ndt: link of the non-decision time ndt, where it has a formula. Without one it lies between 0 and the
            smallest response time.
        link_bias: link of the relative start bias, where it has a formula; 1/2 favours neither answer.
    """
    return Wiener.with_links(link, link_bs, link_ndt, link_bias)


EXAMPLE = Example(
    wiener(),
    y=(0.35, 0.8, 3.0),
    parameters={"mu": 0.7, "bs": 1.6, "ndt": 0.2, "bias": 0.4},
    log_density=(-0.55083329456005723, -1.5594751278306075, -5.2568991841738551),
    source="mpmath 1.3.0, 30 digits: both series of first_passage.py with 60 terms",
    additions={"dec": (1.0, 0.0, 1.0)},
    support=(0.2, inf),
    answers={"dec": (0.0, 1.0)},
)
