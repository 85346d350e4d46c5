"""What a response family answers; every family is one file and one line in ``families/__init__.py``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from bayesml.distributions import Distribution
from bayesml.errors import ModelError, did_you_mean
from bayesml.families.curvature import AuxiliaryDerivatives, Curvature
from bayesml.links import Link, get_link

if TYPE_CHECKING:
    import numpyro.distributions as dist

Array = Any  # a NumPy or JAX array: the arithmetic below is written with what both share


@dataclass(frozen=True)
class DistributionalParameter:
    """One parameter of a family, ``mu`` or an auxiliary one.

    Attributes:
        name: brms's name, ``mu``, ``sigma``, ``shape``, ...
        links: names of the links it may have when it is predicted, the default first.
        bounds: the open interval of its values.
        prior: default prior when it is a single number; None where the prior is scaled by the data (``sigma``).
        intercept_prior: default prior of its Intercept when it is predicted (link scale); None where it is
            scaled by the data (``mu``, ``sigma``).
    """

    name: str
    links: tuple[str, ...]
    bounds: tuple[float, float]
    prior: Distribution | None = None
    intercept_prior: Distribution | None = None


@dataclass(frozen=True)
class RawResponse:
    """The evaluated left-hand side, before the family has looked at it.

    Attributes:
        name: label of the response.
        values: ``(rows,)`` floats, or integer codes where ``levels`` is given.
        levels: level names of a factor response, else None.
        additions: evaluated response terms, ``{"trials": (rows,), "se": ..., "weights": ...}``.
        is_boolean: the column held truth values.
        rows: row of each value in the user's data, counting from 0, for messages; None where none were dropped.
        is_share: whether the values are shares of the trials; None where the family has to look.
    """

    name: str
    values: np.ndarray
    levels: tuple[str, ...] | None = None
    additions: Mapping[str, np.ndarray] = field(default_factory=dict)
    is_boolean: bool = False
    rows: np.ndarray | None = None
    is_share: bool | None = None


@dataclass(frozen=True)
class ResponseData:
    """The response as the density wants it.

    Attributes:
        arrays: ``{"y": (rows,)}`` plus what the family needs (``trials``, ``se``); ``weights`` is not in here.
        note: one sentence for the user where encoding chose something (``models the probability that y == 'yes'``).
        levels: for a two-level response, the labels of 0 and 1.
        is_share: whether the response was given as shares of the trials; ``y`` holds counts all the same.
    """

    arrays: Mapping[str, np.ndarray]
    note: str = ""
    levels: tuple[str, str] | None = None
    is_share: bool = False


@dataclass(frozen=True)
class AbstractFamily(ABC):
    """A response distribution with its distributional parameters and their links.

    A subclass is final, sets the class variables and implements the abstract methods. ``parameters`` in the methods
    maps each distributional parameter to an array on its natural scale that broadcasts against the rows in the
    last axis; ``data`` is ``ResponseData.arrays``.

    Attributes:
        links: link of each distributional parameter, in the order of ``dpars``. The link of a parameter that is
            not predicted is kept but has no effect.
    """

    links: tuple[Link, ...]

    name: ClassVar[str]
    dpars: ClassVar[tuple[DistributionalParameter, ...]]
    additions: ClassVar[frozenset[str]] = frozenset({"weights"})
    is_discrete: ClassVar[bool] = False
    response_on_log_scale: ClassVar[bool] = False
    """Default priors look at log(y) (lognormal)."""
    is_normal: ClassVar[bool] = False
    """The response, or log(y) where ``response_on_log_scale``, is normal with mean mu and standard deviation sigma."""
    limit_of: ClassVar[str] = ""
    """Name of the family that has this one as its limit (poisson: negbinomial at an infinite shape)."""

    def link(self, dpar: str) -> Link:
        """Return the link of ``dpar``."""
        return self.links[[p.name for p in self.dpars].index(dpar)]

    @classmethod
    def with_links(cls, *names: str) -> Self:
        """Return the family with the links of those names, one for each of ``dpars``; the default for those left out.

        Raises:
            ModelError: a parameter cannot have the link; the message lists those it can have.
        """
        given = names + tuple(dpar.links[0] for dpar in cls.dpars[len(names) :])
        return cls(tuple(_link_of(cls.name, dpar, name) for dpar, name in zip(cls.dpars, given, strict=True)))

    @abstractmethod
    def encode_response(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Check the response against the support of the family and encode it.

        Args:
            response: the evaluated left-hand side.
            for_fit: the response is to be fitted, so that it must also vary where the family needs that; False for
                the response in new data.

        Raises:
            DataError: a value lies outside the support; names the column, the value, the row and the cure.
        """

    @abstractmethod
    def distribution(self, parameters: Mapping[str, Array], data: Mapping[str, Array]) -> dist.Distribution:
        """Return the NumPyro distribution of the response, one per row."""

    def linear_distribution(
        self, eta: Array, parameters: Mapping[str, Array], data: Mapping[str, Array]
    ) -> dist.Distribution:
        """Return the NumPyro distribution from the linear predictor of mu.

        The same distribution as ``distribution`` with mu = inverse link of ``eta``, and the form that models use: a
        family overrides it where going through mu would lose the tails (a probability rounded to 0 or 1).

        Args:
            eta: linear predictor of mu, ``(..., rows)``.
            parameters: the other parameters on their natural scale.
            data: ``ResponseData.arrays``.
        """
        return self.distribution({"mu": self.link("mu").inverse(eta), **parameters}, data)

    def curvature(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float], *, order: int = 3
    ) -> Curvature:
        """Return the log density of each row and its derivatives in the linear predictor of mu, on NumPy arrays.

        Args:
            eta: linear predictor of mu, ``(rows,)``.
            data: ``ResponseData.arrays``.
            auxiliary: the other parameters on their natural scale.
            order: highest derivative that is needed, 0 to 3; what lies beyond may be missing (None).

        Raises:
            ModelError: the family has no closed form.
        """
        raise ModelError(f'The family {self.name} has no closed form for point estimates; use method="nuts".')

    def auxiliary_derivatives(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float]
    ) -> dict[str, AuxiliaryDerivatives]:
        """Return how ``curvature`` changes with each auxiliary parameter on the scale of its first link.

        That scale is log for ``sigma``, ``shape`` and ``phi``, log(nu - 1) for ``nu``, whatever link was chosen.
        """
        raise ModelError(f'The family {self.name} has no closed form for point estimates; use method="nuts".')

    @abstractmethod
    def mean(self, parameters: Mapping[str, Array], data: Mapping[str, Array]) -> Array:
        """Return the expected response (for binomial the expected count)."""

    @abstractmethod
    def draw(
        self, rng: np.random.Generator, parameters: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Return one random response for each element of the broadcast parameters."""

    def root_dispersion(self, auxiliary: Mapping[str, float]) -> float:
        """Return the square root of what R calls the dispersion; 1 where the variance follows from the mean."""
        return 1.0

    @abstractmethod
    def variance(self, parameters: Mapping[str, Array], data: Mapping[str, Array]) -> Array:
        """Return the variance of the response, for Pearson residuals; infinite where it does not exist."""


def _link_of(family: str, dpar: DistributionalParameter, name: str) -> Link:
    shown = name.name if isinstance(name, Link) else name
    if shown not in dpar.links:
        hint = did_you_mean(shown, dpar.links) if isinstance(shown, str) else ""
        raise ModelError(
            f"`{dpar.name}` of the family {family} cannot have the link {shown!r}{hint}; "
            f"possible are {', '.join(dpar.links)}."
        )
    return get_link(shown)
