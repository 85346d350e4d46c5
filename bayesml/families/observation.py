"""What a likelihood answers about responses that were not observed as they are; most have none."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Observed, PerRow, Values

__all__ = ["AbstractObservation"]


class AbstractObservation(ABC):
    """A distribution of responses, some of which may be parameters: the response term ``mi()``."""

    @abstractmethod
    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of each row, see ``AbstractLikelihood``."""

    def with_unobserved(self, count: int) -> Self:
        """Return the likelihood where so many responses are parameters; those without ``mi()`` have none."""
        return self

    @property
    def is_observed(self) -> bool:
        """Whether no response is a parameter."""
        return True

    @property
    def signed(self) -> Self:
        """The likelihood whose random times are negative where the answer was the lower one; itself without answers."""
        return self

    def on_components(self, change: Callable[[Any], Any]) -> Any:
        """Return the likelihood with each of its components changed; itself changed where it is no mixture."""
        return change(self)

    @property
    def has_costly_derivatives(self) -> bool:
        """Whether the density calls distribution functions, whose third derivatives take minutes to compile."""
        return False

    @property
    def is_normal(self) -> bool:
        """Whether responses that are parameters are normal given their predictors, and measured with normal errors."""
        return False

    def completed(self, y: Observed, values: Values, data: DataArrays) -> Observed:
        """Return the responses with parameters in the places of those that were not observed."""
        return y

    def log_measured(self, y: Observed, complete: Observed, data: DataArrays) -> PerRow:
        """Return the log density of the measurements of what ``completed`` returned; 0 without measurement error."""
        return 0.0

    def log_predictive(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of what was observed of each row given all others, for leave-one-out comparisons."""
        return self.log_prob(y, values, data)
