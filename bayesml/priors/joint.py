"""Priors of several coefficients together, with parameters of their own: shrinkage priors such as the horseshoe."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from bayesml.spec import ParameterSpec

if TYPE_CHECKING:
    from bayesml.shapes import Numbers, Values

__all__ = ["SCALES", "AbstractJointPrior"]

SCALES = frozenset({"sd", "sds", "sdgp", "sderr", "sdcar"})
"""Classes of standard deviations."""


@dataclass(frozen=True, repr=False)
class AbstractJointPrior(ABC):
    """A prior of all coefficients of a class, which are computed from parameters that the prior brings along.

    The coefficients themselves are not sampled: a non-centred form, in which the posterior has no funnel at the
    coefficients.
    """

    name: ClassVar[str]
    is_proper: ClassVar[bool] = True
    filled_in: ClassVar[frozenset[str]] = frozenset()
    """Fields that the model fills in and a user does not give."""
    gives_scales: ClassVar[bool] = False
    """Whether coefficients are normal with scales that it gives, see ``bayesml.priors.shrinkage``."""
    classes: ClassVar[frozenset[str]] = frozenset({"b"})
    """Classes whose parameters it may be the prior of."""

    @property
    def is_main(self) -> bool:
        """Whether its arguments are those of the other classes too, where it is the prior of several."""
        return False

    def in_model(self, n_rows: int, targets: Sequence[ParameterSpec], sigma: float = 1.0) -> AbstractJointPrior:
        """Return the prior with what it takes from the data.

        Args:
            n_rows: number of rows.
            targets: all parameters of a predictor that have this prior.
            sigma: the residual standard deviation where the formula fixes it.
        """
        return self

    @abstractmethod
    def parameters(self, target: ParameterSpec) -> tuple[ParameterSpec, ...]:
        """Return the sampled parameters in the place of ``target``, each with its priors."""

    @abstractmethod
    def value(self, target: ParameterSpec, values: Values) -> Numbers:
        """Return the coefficients ``(k,)`` from the sampled values; NumPy or JAX arrays.

        Args:
            target: the coefficients.
            values: all sampled parameters of the model, ``sigma`` among them where it is sampled.
        """

    @abstractmethod
    def __str__(self) -> str:
        """Return it as it is written."""

    def __repr__(self) -> str:
        return str(self)
