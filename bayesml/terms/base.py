"""What a term kind answers; every kind is one file and one line in ``terms/__init__.py``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesml.columns import Computation
from bayesml.formula import Predictor
from bayesml.frame import Frame
from bayesml.keys import PredictorKey
from bayesml.spec import ParameterSpec

Array = Any  # a NumPy or JAX array
Functions = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True)
class Scale:
    """How large effects are on the link scale of one predictor: what default priors and starts are measured by.

    Attributes:
        location: centre of the response on the link scale (Intercept).
        spread: brms's ``max(2.5, mad)`` on the link scale.
        group_spread: the same for group sds, which for other parameters than mu brms takes from the response.
    """

    location: float
    spread: float
    group_spread: float


@dataclass(frozen=True)
class AbstractTerm(ABC):
    """One encoded term of one linear predictor: its frozen encoding and everything that follows from it.

    Attributes:
        predictor: the predictor that this is part of.
    """

    predictor: PredictorKey

    @property
    @abstractmethod
    def key(self) -> str:
        """Name of the term within its predictor; addresses its arrays."""

    @property
    @abstractmethod
    def variables(self) -> tuple[str, ...]:
        """Data columns the term needs on new data."""

    @property
    def covariates(self) -> tuple[str, ...]:
        """Data columns whose values enter the term; a column that only says which group a row belongs to is not one."""
        return self.variables

    @abstractmethod
    def computations(self) -> tuple[Computation, ...]:
        """Return the expressions that the term computes from its covariates."""

    @abstractmethod
    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Encode the rows of ``frame`` with the frozen schema."""

    @abstractmethod
    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return the sampled parameters, without priors."""

    @abstractmethod
    def derive(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Compute the reported variables (``b``, ``r_Subject``) from the sampled ones; no leading axes."""

    def sampled(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute sampled variables that have a prior from the reported ones, the way back of ``derive``.

        ``values`` holds draws, ``(chains, draws, ...)``. Variables that are reported as they are sampled are left out.
        """
        return {}

    def narrowed(
        self, arrays: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray]
    ) -> tuple[AbstractTerm, dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return the term for some rows alone, with as few reported variables as these rows need.

        Args:
            arrays: the arrays of the term at these rows.
            values: draws of the reported variables, ``(chains, draws, ...)``.

        Returns:
            The term, its arrays, and those of the reported variables that become smaller.
        """
        return self, dict(arrays), {}

    def prior_warnings(self, arrays: Mapping[str, np.ndarray]) -> Iterable[str]:
        """Return a sentence for each prior that means something else for these data than a user would expect."""
        return ()

    @abstractmethod
    def contribution(self, values: Mapping[str, Array], arrays: Mapping[str, Array]) -> Array:
        """Return the addend to the linear predictor, ``(..., rows)``.

        ``values`` holds the reported variables, which may have leading axes for draws.
        """


Collect = Callable[[Predictor, Frame, Functions], tuple[AbstractTerm, ...]]
