"""What every term has that is a function of covariates with a picture of its own: a smooth, of one or more curves."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayesml.frame import Frame
from bayesml.terms.base import AbstractTerm

__all__ = ["AbstractCurveTerm"]


@dataclass(frozen=True)
class AbstractCurveTerm(AbstractTerm):
    """A function of covariates, or one for each level of a factor ``by``."""

    @property
    @abstractmethod
    def curves(self) -> tuple[str, ...]:
        """The label of each curve; its blocks of coefficients have this name."""

    @property
    @abstractmethod
    def inputs(self) -> Mapping[str, tuple[str, ...]]:
        """The covariates, each with its levels; none for numbers."""

    @property
    @abstractmethod
    def curve_size(self) -> int:
        """Number of coefficients of a curve."""

    @property
    @abstractmethod
    def is_multiplied(self) -> bool:
        """Whether rows multiply the curve by numbers."""

    @abstractmethod
    def input_values(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return the covariates as the curve takes them; of a factor the number of the level."""

    @abstractmethod
    def rows_of_curve(self, frame: Frame, curve: int) -> np.ndarray:
        """Return the rows that a curve is for."""

    @abstractmethod
    def at(self, curve: int, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the arrays of rows of one curve, multiplied by 1.

        Args:
            curve: its number.
            values: the covariates, see ``input_values``.
        """
