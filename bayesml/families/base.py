"""What a response family answers; every family is one file and one line in ``families/__init__.py``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bayesml.distributions import Distribution
from bayesml.links import Link

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
    """

    name: str
    values: np.ndarray
    levels: tuple[str, ...] | None = None
    additions: Mapping[str, np.ndarray] = field(default_factory=dict)
    is_boolean: bool = False


@dataclass(frozen=True)
class ResponseData:
    """The response as the density wants it.

    Attributes:
        arrays: ``{"y": (rows,)}`` plus what the family needs (``trials``, ``se``); ``weights`` is not in here.
        note: one sentence for the user where encoding chose something (``models the probability that y == 'yes'``).
        levels: for a two-level response, the labels of 0 and 1.
    """

    arrays: Mapping[str, np.ndarray]
    note: str = ""
    levels: tuple[str, str] | None = None


@dataclass(frozen=True)
class AbstractFamily(ABC):
    """A response distribution with its distributional parameters and their links.

    A subclass is final, sets the class variables and implements the four methods. ``parameters`` in the methods
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

    def link(self, dpar: str) -> Link:
        """Return the link of ``dpar``."""
        return self.links[[p.name for p in self.dpars].index(dpar)]

    @abstractmethod
    def encode_response(self, response: RawResponse) -> ResponseData:
        """Check the response against the support of the family and encode it.

        Raises:
            DataError: a value lies outside the support; names the column, the value, the row and the cure.
        """

    @abstractmethod
    def distribution(self, parameters: Mapping[str, Array], data: Mapping[str, Array]) -> dist.Distribution:
        """Return the NumPyro distribution of the response, one per row."""

    @abstractmethod
    def mean(self, parameters: Mapping[str, Array], data: Mapping[str, Array]) -> Array:
        """Return the expected response (for binomial the expected count)."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, parameters: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return one random response for each element of the broadcast parameters."""

    @abstractmethod
    def variance(self, parameters: Mapping[str, Array], data: Mapping[str, Array]) -> Array:
        """Return the variance of the response, for Pearson residuals; infinite where it does not exist."""
