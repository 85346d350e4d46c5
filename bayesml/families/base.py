"""What a response family answers; every family is one file and one line in ``families/__init__.py``.

A family is what a user chooses before there are data. Bound to a response it is a likelihood, which is what every later
stage sees: only then are categories, components or thresholds known.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import numpy as np

from bayesml.errors import ModelError
from bayesml.families.chosen_links import links_of
from bayesml.families.curvature import AuxiliaryDerivatives, Curvature
from bayesml.families.density_values import density_values
from bayesml.families.observation import AbstractObservation
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.keys import PredictorKey
from bayesml.links import Link
from bayesml.spec import JointTarget, ParameterSpec

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Numbers, Observed, PerRow, Values

__all__ = ["AbstractFamily", "AbstractLikelihood", "AbstractSimpleFamily", "Component"]

Component: TypeAlias = "tuple[Broadcast, AbstractLikelihood, Mapping[str, Numbers]]"


@dataclass(frozen=True)
class AbstractFamily(ABC):
    """A response distribution as a user chooses it, with links and options.

    A subclass is a final frozen dataclass whose fields are its options; it sets the class variables.

    Attributes:
        links: link of each of ``dpars``, in their order. The link of a parameter that is not predicted is kept but has
            no effect.
    """

    links: tuple[Link, ...]

    name: ClassVar[str]
    dpars: ClassVar[tuple[DistributionalParameter, ...]]
    """The parameters for which a link can be chosen; those of a likelihood are one of these each, see ``role``."""
    limit_of: ClassVar[str] = ""
    """Name of the family that has this one as its limit (poisson: negbinomial at an infinite shape)."""
    takes_columns: ClassVar[bool] = False
    """Whether the response has several columns, ``cbind(a, b, c)``."""
    takes_counts: ClassVar[bool] = False
    """Whether these columns are counts, whose sum is the number of trials."""
    not_stored: ClassVar[frozenset[str]] = frozenset()
    """Fields that a file does not hold: functions of the user."""

    @property
    def user_functions(self) -> Mapping[str, str]:
        """Names of the functions of the user in it, by what they are for; empty for all other families."""
        return {}

    def link(self, dpar: str) -> Link:
        """Return the link of ``dpar``."""
        return self.links[[p.name for p in self.dpars].index(dpar)]

    @classmethod
    def with_links(cls, *names: str) -> Self:
        """Return the family with the links of those names, one for each of ``dpars``; the default for those left out.

        Raises:
            ModelError: a parameter cannot have the link; the message lists those it can have.
        """
        return cls(links_of(cls.name, cls.dpars, names))

    def checked_links(self, *names: str) -> tuple[Link, ...]:
        """Return links by name, as ``with_links`` does, for a family whose parameters are those of another."""
        return links_of(self.name, self.dpars, names)

    def of_responses(self, count: int) -> tuple[AbstractFamily, ...]:
        """Return the family of each of some responses: this one for all of them."""
        return (self,) * count

    def can_fix(self, parameter: str) -> bool:
        """Whether a formula may give a parameter a value, ``theta1=1``."""
        return False

    @abstractmethod
    def bind(self, response: RawResponse) -> AbstractLikelihood:
        """Return the likelihood of a response; it holds what depends on the response, but no rows.

        Raises:
            DataError: the response is not one for this family at all.
        """


@dataclass(frozen=True)
class AbstractLikelihood(AbstractObservation):
    """The distribution of one response given its parameters: a family bound to data.

    Frozen, hashable and without rows: it is part of the name under which compiled programs are kept.

    The methods get parameters by name. A distributional parameter is an array that broadcasts against the rows in its
    last axis, ``(..., rows)`` or ``(..., 1)`` or a number; one of ``parameters`` has its own axes behind that of the
    rows, ``(..., 1, *shape)``. ``data`` is ``ResponseData.arrays``. In ``log_prob`` and ``log_tails``
    the parameters in ``linear`` are linear predictors, which keep the tails; all others, and all in the other methods,
    are on their natural scale. ``values`` makes the one from the other.
    """

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """Further parameters of any shape and support, with their default priors; they cannot have a predictor."""
        return ()

    @property
    def linear(self) -> frozenset[str]:
        """Names of the parameters that the densities take as linear predictors."""
        return frozenset()

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of the expected response of one row: ``()`` of a number, ``(categories,)`` of a categorical one."""
        return ()

    @property
    def event_labels(self) -> tuple[str, ...]:
        """Labels along the event dimension."""
        return ()

    @property
    def response_labels(self) -> tuple[str, ...]:
        """Labels of the columns of a response of several; empty where it is one number."""
        return ()

    @property
    def first_category(self) -> int:
        """Code of the first category in a response of categories, and in draws of it."""
        return 1

    @property
    def unbounded(self) -> AbstractLikelihood:
        """The distribution of the response before it is censored or truncated, which survival curves show."""
        return self

    def data_at(self, y: float, data: DataArrays) -> DataArrays:
        """Return ``ResponseData.arrays`` for another value of the response, where they hold more of it than ``y``."""
        return data

    flat_in_brms: ClassVar[frozenset[str]] = frozenset()  # classes of ``parameters`` with a flat prior in brms

    @property
    def further(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Name and shape of what the densities take beside ``dpars``; reported variables."""
        return tuple((parameter.name, parameter.shape) for parameter in self.parameters)

    @property
    def computed(self) -> tuple[JointTarget, ...]:
        """Parameters that are computed from ``parameters`` rather than sampled."""
        return ()

    @property
    def thresholds(self) -> int:
        """Number of thresholds, which stand for the Intercept of the main predictor; 0 where it has an Intercept."""
        return 0

    @property
    def threshold_labels(self) -> tuple[str, ...]:
        """Label of each threshold."""
        return tuple(str(k + 1) for k in range(self.thresholds))

    @property
    def centres_predictors(self) -> bool:
        """Whether the thresholds are those of centred predictors where they have priors and are sampled."""
        return True

    @property
    @abstractmethod
    def family(self) -> AbstractFamily:
        """The family as the user chose it."""

    @property
    @abstractmethod
    def dpars(self) -> tuple[DistributionalParameter, ...]:
        """The parameters that may have a predictor; the first has the main formula."""

    @property
    @abstractmethod
    def traits(self) -> Traits:
        """What stages need of it."""

    def link(self, dpar: str) -> Link:
        """Return the link of ``dpar``."""
        return self.family.link(self.dpar(dpar).kind)

    def chosen_link(self, dpar: str) -> Link:
        """Return the link of ``dpar`` as the user chose it, which is printed and which default priors go by."""
        return self.family.link(self.dpar(dpar).kind)

    @property
    def ordered(self) -> tuple[str, ...]:
        """The parameters whose Intercepts increase in this order; empty for none."""
        return ()

    def traits_of(self, dpar: str) -> Traits:
        """Return the traits that the default priors of a parameter go by: in a mixture those of its component."""
        return self.traits

    def with_formula(self, predicted: frozenset[str], fixed: Mapping[str, float | str]) -> AbstractLikelihood:
        """Return the likelihood of a formula.

        Args:
            predicted: the parameters that have a formula.
            fixed: the parameters that the formula gives a value.

        Raises:
            FormulaError: these parameters cannot be predicted or fixed together.
        """
        return self

    def dpar(self, name: str) -> DistributionalParameter:
        """Return the distributional parameter of that name."""
        return next(p for p in self.dpars if p.name == name)

    def name_of(self, key: PredictorKey) -> str:
        """Return what the parameter with that predictor is called here: ``sigma``, among responses ``sigma_y1``."""
        return key.dpar

    def key_of(self, dpar: str) -> PredictorKey:
        """Return the address of a distributional parameter, the way back of ``name_of``."""
        return PredictorKey(dpar=dpar)

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Compute reported variables from ``parameters``; no leading axes. Those reported as they are are left out."""
        return {}

    def sampled(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute ``parameters`` that are not reported from draws of what is, the way back of ``derive``."""
        return {}

    def residual_correlations(self, values: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """Return the correlation matrices of the residuals of several responses, ``(..., k, k)``; None without such."""
        return None

    @property
    def also_taken(self) -> tuple[str, ...]:
        """Names of predictors that the densities take where there are such, beside those of ``dpars``."""
        return ()

    @abstractmethod
    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Check the response against the support and encode it.

        Args:
            response: the evaluated left-hand side.
            for_fit: the response is to be fitted, so that it must also vary where the family needs that; False for
                the response in new data.

        Raises:
            DataError: a value lies outside the support; names the column, the value, the row and the cure.
        """

    def encoded_additions(self, additions: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the arrays of response terms as ``encode`` gives them, for rows without a response."""
        return dict(additions)

    @property
    def without_residual_terms(self) -> AbstractLikelihood:
        """The likelihood without terms that let rows depend on each other, such as ``ar()``."""
        return self

    @abstractmethod
    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of each row, ``(..., rows)``, on JAX arrays and with all constants.

        Args:
            y: ``(rows,)``, or ``(rows, k)`` of a response of k columns.
            values: the parameters.
            data: ``ResponseData.arrays``.
        """

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y) on JAX arrays, each exact where it is tiny."""
        raise ModelError(f"The family {self.family.name} has no distribution function here.")

    def log_cdf(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log P(response <= y)."""
        return self.log_tails(y, values, data)[0]

    def log_survival(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log P(response > y)."""
        return self.log_tails(y, values, data)[1]

    @abstractmethod
    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the expected response, ``(..., rows, *event_shape)`` (for binomial the expected count)."""

    @abstractmethod
    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of the response, for Pearson residuals; infinite where it does not exist."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Return one random response for each element of the broadcast parameters, shaped like those of ``y``."""

    @property
    def components(self) -> tuple[AbstractLikelihood, ...]:
        """The likelihoods from one of which each response comes; empty for what is no mixture."""
        return ()

    def by_component(self, values: Values, data: DataArrays) -> Sequence[Component]:
        """Return log theta_k, the likelihood p_k and its own parameters, for each of ``components``."""
        return ()

    @property
    def shown_parameters(self) -> Mapping[str, tuple[str, ...]]:
        """The parameters of a row that ``shown_parameter`` gives, each with those whose predictors it depends on."""
        return {p.name: (p.name,) for p in self.dpars}

    def shown_parameter(self, name: str, parameters: Values) -> Broadcast:
        """Return one parameter of each row as users see it, from the parameters on their natural scale.

        Not all of these are probabilities or the like for themselves: mixing proportions are one softmax.
        """
        return parameters[name]

    def probe(self, data: DataArrays) -> np.ndarray | None:
        """Return numbers that tell functions of the user from others, ``(rows,)``; None where there are none."""
        return None

    def root_dispersion(self, auxiliary: Mapping[str, float]) -> float:
        """Return the square root of what R calls the dispersion; 1 where the variance follows from the mean."""
        return 1.0

    def values(self, predictors: Values, single: Values) -> dict[str, Numbers]:
        """Return the parameters as the densities take them.

        Args:
            predictors: linear predictor of each parameter that has one.
            single: the other parameters on their natural scale; one that the model does not have (``sigma`` where
                ``se()`` stands for it) may be missing and is 0.
        """
        further = {name: single[name] for name, _ in self.further}
        return further | density_values(self.dpars, self.linear, self.link, predictors, single)

    @property
    def has_expected_information(self) -> bool:
        """Whether ``curvature`` returns the expected information, rather than the observed one only."""
        return type(self).curvature is not AbstractLikelihood.curvature

    def curvature(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, Any], *, order: int = 3
    ) -> Curvature:
        """Return the log density of each row and its derivatives in the main linear predictor, on NumPy arrays.

        By automatic differentiation of ``log_prob``; a family that has closed forms overrides it, for speed.

        Args:
            eta: linear predictor of the first of ``dpars``, ``(..., rows)``.
            data: ``ResponseData.arrays``.
            auxiliary: the other parameters on their natural scale.
            order: highest derivative that is needed, 0 to 3; what lies beyond may be missing (None).
        """
        from bayesml.families.automatic import automatic_curvature

        return automatic_curvature(self, eta, data, auxiliary, order)

    def auxiliary_derivatives(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, Any]
    ) -> dict[str, AuxiliaryDerivatives]:
        """Return how ``curvature`` changes with each single distributional parameter on the scale of its first link.

        That scale is log for ``sigma``, ``shape`` and ``phi``, log(nu - 1) for ``nu``, whatever link was chosen.
        """
        from bayesml.families.automatic import automatic_auxiliary

        return automatic_auxiliary(self, eta, data, auxiliary)


@dataclass(frozen=True)
class AbstractSimpleFamily(AbstractFamily, AbstractLikelihood):
    """A family whose parameters do not depend on the response, so that it is its own likelihood."""

    traits: ClassVar[Traits] = Traits()  # type: ignore[assignment,misc]
    linear: ClassVar[frozenset[str]] = frozenset()  # type: ignore[assignment,misc]

    @property
    def family(self) -> AbstractFamily:
        """Itself."""
        return self

    def link(self, dpar: str) -> Link:
        """Return the link of ``dpar``."""
        return AbstractFamily.link(self, dpar)

    def bind(self, response: RawResponse) -> AbstractLikelihood:
        """Return itself."""
        return self
