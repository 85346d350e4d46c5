"""The Cox family: proportional hazards over a baseline hazard that is a spline.

The hazard of a row is h(t) = mu h0(t). The baseline hazard h0 is a mixture of M-splines, whose weights are a simplex
``sbhaz``, so that the cumulative baseline hazard is one of I-splines and the intercept says how high both are.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions import Dirichlet
from bayesml.errors import DataError, ModelError
from bayesml.families.base import AbstractFamily, AbstractLikelihood
from bayesml.families.example import Example
from bayesml.families.m_splines import MSplines
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import numbers, require, require_variation
from bayesml.families.scales import SCALE_LINKS, mu
from bayesml.namespace import array_namespace
from bayesml.spec import ParameterSpec
from bayesml.supports import Simplex

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["DEGREE", "DF", "EXAMPLE", "GROUPS", "INTERCEPT", "KNOTS", "Cox", "CoxLikelihood", "cox"]

GROUPS, DF, KNOTS, DEGREE, INTERCEPT = "bhaz_gr", "bhaz_df", "bhaz_knots", "bhaz_degree", "bhaz_intercept"
"""What the response term ``bhaz(gr=, df=, knots=, degree=, intercept=)`` gives for each row."""
WEIGHTS = "sbhaz"
VALUES, INTEGRALS = "Zbhaz", "Zcbhaz"
"""The functions and their integrals at the responses, ``(rows, size)``."""


@final
@dataclass(frozen=True)
class Cox(AbstractFamily):
    """Proportional hazards: h(t) = mu h0(t) with a spline h0."""

    name: ClassVar[str] = "cox"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(SCALE_LINKS, 0.0, inf),)

    def bind(self, response: RawResponse) -> AbstractLikelihood:
        """Place the knots, and find the groups that have a baseline hazard of their own."""
        y = _times(response, for_fit=True)
        groups = response.additions.get(GROUPS)
        labels = () if groups is None else tuple(dict.fromkeys(sorted(map(str, groups))))
        return CoxLikelihood(self, _basis(response, y), labels)


@final
@dataclass(frozen=True)
class CoxLikelihood(AbstractLikelihood):
    """A Cox family with its knots.

    Attributes:
        chosen_family: the family as the user chose it.
        basis: the splines.
        labels: groups with a baseline hazard of their own; empty where all rows have the same.
    """

    chosen_family: Cox
    basis: MSplines
    labels: tuple[str, ...]

    dpars: ClassVar[tuple[DistributionalParameter, ...]] = Cox.dpars  # type: ignore[assignment]
    traits: ClassVar[Traits] = Traits(has_cdf=True, has_moments=False, baseline_hazard=True)  # type: ignore[assignment]
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})  # type: ignore[assignment]

    @property
    def family(self) -> AbstractFamily:
        """The family."""
        return self.chosen_family

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """Return the weights of the splines, for each group."""
        size = self.basis.size
        return tuple(
            ParameterSpec(
                name, WEIGHTS, (size,), group=label, support=Simplex(), priors=(Dirichlet((1.0,)),),
                centers=(1.0 / size,) * size, scales=(1.0,) * size,
            )
            for name, label in self._named
        )  # fmt: skip

    @property
    def _named(self) -> tuple[tuple[str, str], ...]:
        """The weights by name, each with its group."""
        if not self.labels:
            return ((WEIGHTS, ""),)
        return tuple((f"{WEIGHTS}_{number}", label) for number, label in enumerate(self.labels, 1))

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take times of 0 or later that are not all equal; compute the splines at these."""
        y = _times(response, for_fit=for_fit)
        groups = {GROUPS: self._codes(response.additions[GROUPS])} if self.labels else {}
        return ResponseData({"y": y, **self._at(y), **groups})

    def _at(self, y: np.ndarray) -> dict[str, np.ndarray]:
        return {VALUES: self.basis.values(y), INTEGRALS: self.basis.integrals(y)}

    def _codes(self, values: np.ndarray) -> np.ndarray:
        """Return the number of the group of each row, from labels or from what this returned before."""
        found = np.asarray(values)
        if found.dtype.kind in "iuf":
            return found.astype(np.int64)
        unknown = next((str(label) for label in found if str(label) not in self.labels), None)
        if unknown is not None:
            listed = ", ".join(f"`{label}`" for label in self.labels)
            raise DataError(f"`bhaz(gr=)` has the group `{unknown}`, which the fit has not seen; it has {listed}.")
        return np.array([self.labels.index(str(label)) for label in found], dtype=np.int64)

    def data_at(self, y: float, data: DataArrays) -> DataArrays:
        """Return the arrays with the splines at another time."""
        groups = {GROUPS: self._codes(data[GROUPS])} if self.labels else {}
        return {**data, **self._at(np.full(len(data["y"]), float(y))), **groups}

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log h(y) - H(y) = log mu + log h0(y) - mu H0(y)."""
        hazard = self._mixed(VALUES, y, values, data)
        log_hazard = self.link("mu").log_inverse(values["mu"]) + array_namespace(hazard).log(hazard)
        return log_hazard - self._cumulative(y, values, data)

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log(1 - exp(-H(y))) and -H(y)."""
        from bayesml.families.incomplete import log1mexp

        above = -self._cumulative(y, values, data)
        return log1mexp(above), above

    def _cumulative(self, y: Observed, values: Values, data: DataArrays) -> Broadcast:
        return self.link("mu").inverse(values["mu"]) * self._mixed(INTEGRALS, y, values, data)

    def _mixed(self, kind: str, y: Observed, values: Values, data: DataArrays) -> Broadcast:
        """Return the baseline hazard or its integral. Splines at the responses themselves have been computed before."""
        if kind in data and y is data["y"]:
            splines = data[kind]
        else:
            splines = self.basis.values(y) if kind == VALUES else self.basis.integrals(y)
        return (splines * self._weights(values, data)).sum(-1)

    def _weights(self, values: Values, data: DataArrays) -> Broadcast:
        """Return the weights of the group of each row, ``(..., rows, size)``, or those of all rows."""
        if not self.labels:
            return values[WEIGHTS]
        xp, codes = array_namespace(values["mu"], data[GROUPS]), data[GROUPS]
        inside = (xp.asarray(codes)[..., None] == np.arange(len(self.labels))) * 1.0
        return inside @ xp.concatenate([values[name] for name, _ in self._named], axis=-2)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Raise: the hazard beyond the last time is not known."""
        raise ModelError(NO_MEAN)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Raise: the hazard beyond the last time is not known."""
        raise ModelError(NO_MEAN)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Raise: the hazard beyond the last time is not known."""
        raise ModelError(NO_MEAN)


NO_MEAN = (
    "A response of the family cox has neither an expectation nor predictions: they depend on the hazard after the last "
    "time of the data. `survival()` gives the probability of surviving each time; `log_lik()` and `loo()` compare "
    "models."
)


def _times(response: RawResponse, *, for_fit: bool) -> np.ndarray:
    y = numbers(response, "cox")
    require(response, y, y >= 0, "must not be negative", "It is a time since the beginning; drop or correct such rows.")
    if for_fit:
        require_variation(response, y)
    return y


def _basis(response: RawResponse, y: np.ndarray) -> MSplines:
    """Return the splines: boundaries 2 % of the range beyond the times, knots at their quantiles.

    Raises:
        DataError: the number of functions is too small, or a knot lies outside of the boundaries.
    """
    given = {name: np.asarray(response.additions[name])[0] for name in (DF, KNOTS, DEGREE, INTERCEPT)
             if name in response.additions}  # fmt: skip
    degree, intercept = int(given.get(DEGREE, 3)), bool(given.get(INTERCEPT, True))
    margin = (y.max() - y.min()) / 50.0
    lower, upper = max(float(y.min() - margin), 0.0), float(y.max() + margin)
    if KNOTS in given:
        knots = np.sort(np.atleast_1d(given[KNOTS]))
    else:
        count = int(given.get(DF, 5)) - degree - int(intercept)
        if count < 0:
            least = degree + int(intercept)
            raise DataError(f"`df` of `bhaz()` is at least {least}, the number of splines of degree {degree}.")
        knots = np.quantile(y, np.linspace(0.0, 1.0, count + 2)[1:-1])
    if knots.size and not (lower < knots.min() and knots.max() < upper and np.all(np.diff(knots) > 0)):
        shown = ", ".join(f"{knot:g}" for knot in knots)
        raise DataError(
            f"The knots of the baseline hazard, {shown}, must increase and lie between {lower:g} and {upper:g}, the "
            f"range of `{response.name}`. Give `bhaz(knots = c(...))`, or a smaller `df`."
        )
    return MSplines(lower, upper, tuple(knots.tolist()), degree, intercept)


def cox(link: str = "log") -> Cox:
    """Return the Cox family: proportional hazards, h(t) = mu h0(t), for times until an event.

    The baseline hazard h0 is a mixture of 5 cubic M-splines, or as ``y | bhaz(df = , knots = , gr = )`` says; with
    ``gr`` each group has a baseline hazard of its own. Censored rows are said by ``cens()``. ``survival()`` of a fit
    gives survival curves.

    Args:
        link: link of the hazard ratio mu.

    Example:
        >>> cox().link("mu").name
        'log'
    """
    return Cox.with_links(link)


EXAMPLE = Example(
    cox(),
    y=(0.05, 1.0, 3.0, 6.0),
    parameters={"mu": 0.7, "sbhaz": (0.1, 0.3, 0.2, 0.25, 0.15)},
    log_density=(-1.974728919445942, -2.182009114916589, -2.594132449752101, -2.961067197803269),
    source="splines2 0.4.7: log(0.7 M s) - 0.7 I s, M and I of mSpline and iSpline(y, knots = 2, intercept = TRUE, "
    "Boundary.knots = c(0, 6.119))",
    support=(0.0, inf),
)
