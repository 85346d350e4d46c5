"""The binomial family, and the closed forms that bernoulli shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.errors import DataError
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.curvature import AuxiliaryDerivatives, Curvature, log_factorial
from bayesml.families.divergences import binomial_divergence
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import counts, numbers, require
from bayesml.families.scales import PROBABILITY_LINKS, mu
from bayesml.links import Link

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "Binomial", "binomial", "binomial_curvature", "successes"]

ROUNDING = 1e-12
SHARE_ROUNDING = 1e-3
FLOAT32_ROUNDING = 1e-6
DECIMALS = range(2, 7)


def binomial_curvature(link: Link, eta: np.ndarray, y: np.ndarray, trials: Broadcast) -> Curvature:
    """Return the derivatives of y log(mu) + (n - y) log(1 - mu), without the binomial coefficient."""
    if link.name == "logit":
        return _logit_curvature(eta, y, trials)
    success, failure = link.log_jet(eta), link.log_complement_jet(eta)
    total = success.scaled(y) + failure.scaled(trials - y)
    outside = (success.value > ROUNDING) | (failure.value > ROUNDING)  # the links log and identity allow it
    value = np.where(outside, -np.inf, total.value)
    return Curvature(value, total.d1, total.d2, total.d3, -trials * success.d1 * failure.d1)


def _logit_curvature(eta: np.ndarray, y: np.ndarray, trials: Broadcast) -> Curvature:
    """Return the same for the logit link, on one exponential."""
    small = np.exp(-np.abs(eta))
    p = np.where(eta >= 0, 1.0, small) / (1 + small)
    information = trials * small / (1 + small) ** 2
    value = y * eta - trials * (np.maximum(eta, 0) + np.log1p(small))
    return Curvature(value, y - trials * p, -information, information * (2 * p - 1), information)


@final
@dataclass(frozen=True)
class Binomial(AbstractSimpleFamily):
    """y successes in n ``trials`` of probability mu; the expected response is n mu."""

    name: ClassVar[str] = "binomial"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(PROBABILITY_LINKS, 0.0, 1.0),)
    traits: ClassVar[Traits] = Traits(
        has_cdf=True,
        discrete=True,
        rows_repeat=True,
        latent_threshold=True,
        trials=True,
        divergence=binomial_divergence,
    )
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take whole numbers from 0 to the number of trials, or shares of the trials from 0 to 1."""
        return successes(response, self.name, for_fit=for_fit)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log P(y) from log(mu) and log(1 - mu), each exact in its tail."""
        from bayesml.families import densities

        link, n = self.link("mu"), data["trials"]
        choose = densities.log_choose(n, y)
        if link.name == "logit":
            return choose + densities.logit_binomial(y, values["mu"], n)
        return choose + densities.binomial(y, link.log_inverse(values["mu"]), link.log_complement(values["mu"]), n)

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y)."""
        from bayesml.families.tails import binomial_tails

        link, eta = self.link("mu"), values["mu"]
        return binomial_tails(y, data["trials"], link.inverse(eta), link.complement(eta))

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the expected count, n mu."""
        return data["trials"] * parameters["mu"]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw counts."""
        probability = np.clip(parameters["mu"], 0.0, 1.0)
        return rng.binomial(np.asarray(data["trials"]).astype(np.int64), probability).astype(float)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return n mu (1 - mu)."""
        return data["trials"] * parameters["mu"] * (1 - parameters["mu"])

    def curvature(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float], *, order: int = 3
    ) -> Curvature:
        """Return the derivatives in eta."""
        y, n = data["y"], data["trials"]
        c = binomial_curvature(self.link("mu"), eta, y, n)
        choose = log_factorial(n) - log_factorial(y) - log_factorial(n - y)
        return Curvature(c.log_density + choose, c.d1, c.d2, c.d3, c.fisher)

    def auxiliary_derivatives(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float]
    ) -> dict[str, AuxiliaryDerivatives]:
        """Return nothing: there is no other parameter."""
        return {}


def successes(response: RawResponse, family: str, *, for_fit: bool) -> ResponseData:
    """Return numbers of successes and of trials, from whole numbers or from shares of the trials.

    Args:
        response: the response, with its trials.
        family: name of the family, for messages.
        for_fit: the response is to be fitted, so that there must be trials.

    Raises:
        DataError: there are no trials, or a number is none of successes in them.
    """
    if "trials" not in response.additions:
        raise _without_trials(response, family)
    values = numbers(response, family)
    trials = np.broadcast_to(np.asarray(response.additions["trials"], dtype=float), values.shape)
    whole = (trials >= 0) & (trials == np.round(trials))
    rule = "has a number of trials that is not a whole number >= 0"
    require(response, trials, whole, rule, "Correct the column of trials.")
    if for_fit and not trials.any():
        raise DataError(f"The number of trials of `{response.name}` is 0 in every row: there is nothing to learn.")
    if response.is_share or (response.is_share is None and _are_shares(values)):
        note = f"models the number of successes, {response.name} times its trials"
        return ResponseData({"y": _counts_of_shares(response, values, trials), "trials": trials}, note, None, True)
    y = counts(response, family)
    require(
        response,
        y,
        y <= trials,
        "must not exceed its number of trials",
        "The response is the number of successes; exchange the two if they are the wrong way round.",
    )
    return ResponseData({"y": y, "trials": trials})


def _without_trials(response: RawResponse, family: str) -> DataError:
    name = response.name
    if response.levels is None and _are_shares(np.asarray(response.values, dtype=float)):
        return DataError(
            f"The response `{name}` holds shares between 0 and 1, of which the family {family} needs the number of "
            f"trials: write `{name} | trials(n) ~ ...` with the column of trials, which R gives as `weights = n`. "
            'Shares that are no counts out of trials are for family="beta".'
        )
    return DataError(
        f"The family {family} needs the number of trials: write `{name} | trials(n) ~ ...`, where n is a column or a "
        f"number, or `cbind({name}, failures) ~ ...`. For a response of 0 and 1 use "
        'family="bernoulli".'
    )


def _are_shares(values: np.ndarray) -> bool:
    """Whether all values lie between 0 and 1, and not all are 0 or 1, which are counts."""
    inside = (values >= 0) & (values <= 1)
    return bool(inside.all() and (values != np.round(values)).any())


def _counts_of_shares(response: RawResponse, shares: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """Return shares times trials, which are whole up to rounding of the shares."""
    cure = "Write the number of successes, `s | trials(n) ~ ...`."
    require(response, shares, (shares >= 0) & (shares <= 1), "must be a share between 0 and 1", cure)
    exact = shares * trials
    y = np.round(exact)
    error = _decimal_rounding(shares) * trials
    # Half a trial or more would leave open which count was meant. 0.001 is the limit of R's glm.
    allowed = np.maximum(np.where(error < 0.5, error, 0.0), np.maximum(SHARE_ROUNDING, FLOAT32_ROUNDING * trials))
    wrong = np.flatnonzero(np.abs(exact - y) > allowed)
    if wrong.size:
        first = int(wrong[0])
        row = first if response.rows is None else int(response.rows[first])
        raise DataError(
            f"The response `{response.name}` must be a whole number of successes, or a share that is whole times its "
            f"number of trials; in row {row + 1} (counting from 1) {shares[first]:g} of {trials[first]:g} trials are "
            f"{exact[first]:g} successes. Check the column of trials, or write the number of successes, "
            '`s | trials(n) ~ ...`; shares that are no counts out of trials are for family="beta".'
        )
    return y


def _decimal_rounding(shares: np.ndarray) -> float:
    """Return the largest error of shares that were rounded to few decimals; 0 where they have more."""
    for digits in DECIMALS:
        if np.allclose(shares, np.round(shares, digits), rtol=0.0, atol=ROUNDING):
            return 0.5 * 10.0**-digits
    return 0.0


def binomial(link: str = "logit") -> Binomial:
    """Return the binomial family, for ``y | trials(n) ~ ...``.

    Args:
        link: link of the probability mu.
    """
    return Binomial.with_links(link)


EXAMPLE = Example(
    binomial(),
    y=(0.0, 3.0, 7.0),
    parameters={"mu": 0.55},
    log_density=(-5.589553873524402, -1.4321937256485342, -4.184859005289343),
    source="SciPy 1.17.1: binom(7, 0.55).logpmf(y)",
    additions={"trials": (7.0, 7.0, 7.0)},
)
