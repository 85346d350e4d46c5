"""Mixtures: each response comes from one of several components, and it is not known from which."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions import dirichlet, logistic
from bayesml.errors import FormulaError, ModelError
from bayesml.families.base import AbstractFamily, AbstractLikelihood, Component
from bayesml.families.categories import draw_categories
from bayesml.families.example import Example
from bayesml.families.gaussian import gaussian
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.softmax import log_softmax
from bayesml.families.student import student
from bayesml.links import Link, get_link
from bayesml.namespace import array_namespace
from bayesml.spec import ParameterSpec
from bayesml.supports import Simplex

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "Mixture", "MixtureLikelihood", "log_components", "mixture_of"]

ORDERS = ("mu", "none")
THETA = DistributionalParameter("theta", ("identity",), (-inf, inf), intercept_prior=logistic(0, 1), unpredicted=0.0)


@final
@dataclass(frozen=True)
class Mixture(AbstractFamily):
    """p(y) = sum_k theta_k p_k(y) with components p_k and mixing proportions theta_k.

    Attributes:
        components: the families of the components.
        order: ``mu`` where the Intercepts of the components increase, which distinguishes them, else ``none``.
    """

    components: tuple[AbstractFamily, ...] = ()
    order: str = "none"

    dpars: ClassVar[tuple[DistributionalParameter, ...]] = ()

    @property
    def name(self) -> str:  # type: ignore[override]
        """The components: ``mixture(gaussian, student)``."""
        return f"mixture({', '.join(component.name for component in self.components)})"

    @property
    def user_functions(self) -> Mapping[str, str]:
        """Those of the components."""
        return {role: name for component in self.components for role, name in component.user_functions.items()}

    def can_fix(self, parameter: str) -> bool:
        """Mixing proportions."""
        return parameter in {f"theta{k + 1}" for k in range(len(self.components))}

    def bind(self, response: RawResponse) -> AbstractLikelihood:
        """Bind each component.

        Raises:
            ModelError: a component has categories, or some are counts and others continuous.
        """
        components = tuple(family.bind(response) for family in self.components)
        for component in components:
            if component.event_shape or component.parameters or component.thresholds:
                raise ModelError(f"The family {component.family.name} cannot be a component of a mixture.")
        if len({component.traits.discrete for component in components}) > 1:
            raise ModelError(f"{self.name} mixes counts with continuous responses, which have no common density.")
        return MixtureLikelihood(self, components)


@final
@dataclass(frozen=True)
class MixtureLikelihood(AbstractLikelihood):
    """A mixture of likelihoods.

    Attributes:
        chosen_family: the family as the user chose it.
        likelihoods: the likelihoods of the components.
        proportions: the mixing proportions where they are fixed; empty where they are estimated.
        predicted: the mixing proportions with a formula, all but one; empty for none.
    """

    chosen_family: Mixture
    likelihoods: tuple[AbstractLikelihood, ...]
    proportions: tuple[float, ...] = ()
    predicted: frozenset[str] = frozenset()

    @property
    def family(self) -> AbstractFamily:
        """The family."""
        return self.chosen_family

    @property
    def components(self) -> tuple[AbstractLikelihood, ...]:
        """The likelihoods of the components."""
        return self.likelihoods

    @property
    def thetas(self) -> tuple[str, ...]:
        """Names of the mixing proportions."""
        return tuple(f"theta{k + 1}" for k in range(len(self.components)))

    @property
    def dpars(self) -> tuple[DistributionalParameter, ...]:
        """The parameters of every component with its number, ``mu1``, ``sigma1``, and predicted proportions."""
        of_components = tuple(
            replace(dpar, name=f"{dpar.name}{k + 1}", role=dpar.kind)
            for k, component in enumerate(self.components)
            for dpar in component.dpars
        )
        return of_components + tuple(replace(THETA, name=name, role="theta") for name in self.thetas if self.predicted)

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The mixing proportions where they have neither values nor formulas."""
        if self.proportions or self.predicted:
            return ()
        shape = (len(self.components),)
        return (ParameterSpec("theta", "theta", shape, support=Simplex(), priors=(dirichlet(1),)),)

    @property
    def signed(self) -> MixtureLikelihood:
        """The mixture with draws of signed components."""
        return replace(self, likelihoods=tuple(component.signed for component in self.likelihoods))

    def on_components(self, change: Callable[[AbstractLikelihood], AbstractLikelihood]) -> MixtureLikelihood:
        """Return the mixture with each of its components changed."""
        return replace(self, likelihoods=tuple(map(change, self.likelihoods)))

    @property
    def unbounded(self) -> MixtureLikelihood:
        """The mixture of components without bounds."""
        return self.on_components(lambda component: component.unbounded)

    @property
    def has_costly_derivatives(self) -> bool:
        """Whether those of a component are."""
        return any(component.has_costly_derivatives for component in self.likelihoods)

    @property
    def ordered(self) -> tuple[str, ...]:
        """The parameters whose Intercepts increase."""
        return tuple(f"mu{k + 1}" for k in range(len(self.components))) if self.chosen_family.order == "mu" else ()

    @property
    def linear(self) -> frozenset[str]:
        """Those of the components."""
        return frozenset(f"{name}{k + 1}" for k, component in enumerate(self.components) for name in component.linear)

    @property
    def traits(self) -> Traits:
        """What all components share."""
        every = [component.traits for component in self.components]
        return Traits(
            discrete=every[0].discrete,
            rows_repeat=all(traits.rows_repeat for traits in every),
            trials=any(traits.trials for traits in every),
            decisions=any(traits.decisions for traits in every),
            own_data=any(traits.own_data for traits in every),
            has_cdf=all(traits.has_cdf for traits in every),
            rate=frozenset(f"{name}{k + 1}" for k, traits in enumerate(every) for name in traits.rate)
            if all(traits.rate for traits in every)
            else frozenset(),
            has_moments=all(traits.has_moments for traits in every),
            continuous=every[0].continuous if len({traits.continuous for traits in every}) == 1 else None,
            kinked=any(traits.kinked for traits in every),
            several_modes=True,
        )

    def _component(self, dpar: str) -> tuple[AbstractLikelihood, str] | None:
        """Return the component of ``sigma2`` and its name there; None for a mixing proportion."""
        for k, component in enumerate(self.components):
            name = dpar.removesuffix(str(k + 1))
            if name != dpar and any(p.name == name for p in component.dpars):
                return component, name
        return None

    def traits_of(self, dpar: str) -> Traits:
        """Return the traits of the component of a parameter."""
        place = self._component(dpar)
        return place[0].traits if place else self.traits

    def link(self, dpar: str) -> Link:
        """Return the link in its component; mixing proportions are on the scale of the softmax."""
        place = self._component(dpar)
        return place[0].link(place[1]) if place else get_link("identity")

    def chosen_link(self, dpar: str) -> Link:
        """Return the link as the user chose it."""
        place = self._component(dpar)
        return place[0].chosen_link(place[1]) if place else get_link("identity")

    def with_formula(self, predicted: frozenset[str], fixed: Mapping[str, float | str]) -> AbstractLikelihood:
        """Return the mixture with fixed or predicted mixing proportions.

        Raises:
            FormulaError: some are fixed and others not, or other than all but one have a formula.
        """
        listed = ", ".join(f"`{name}`" for name in self.thetas)
        formulas = predicted & set(self.thetas)
        values = {name: value for name, value in fixed.items() if name in self.thetas}
        if formulas and values:
            raise FormulaError(f"Mixing proportions ({listed}) are fixed or have formulas, not both.")
        if formulas and len(formulas) != len(self.components) - 1:
            raise FormulaError(
                f"Of the mixing proportions {listed} all but one have a formula: they are a softmax, in which the one "
                f"without is the reference. There {'are' if len(formulas) > 1 else 'is'} {len(formulas)} with one."
            )
        if values and (len(values) < len(self.components) or not all(_is_positive(value) for value in values.values())):
            raise FormulaError(
                f"Fixed mixing proportions are positive numbers for all of {listed}; they are divided by their sum."
            )
        total = sum(float(value) for value in values.values())
        shares = tuple(float(values[name]) / total for name in self.thetas) if values else ()
        return replace(self, proportions=shares, predicted=formulas)

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Encode the response as every component does."""
        encoded = [component.encode(response, for_fit=for_fit) for component in self.components]
        arrays = {name: array for data in encoded for name, array in data.arrays.items()}
        return ResponseData(arrays, encoded[0].note, encoded[0].levels, encoded[0].is_share)

    def probe(self, data: DataArrays) -> np.ndarray | None:
        """Those of the components, behind each other."""
        found = [each for component in self.components if (each := component.probe(data)) is not None]
        return np.concatenate(found) if found else None

    def _log_proportions(self, values: Values) -> Sequence[Broadcast]:
        """Return the log of each mixing proportion."""
        if self.predicted:
            return log_softmax([values[name] for name in self.thetas])
        if self.proportions:
            return [float(np.log(proportion)) for proportion in self.proportions]
        theta = values["theta"]
        log_theta = array_namespace(theta).log(theta)
        return [log_theta[..., k] for k in range(len(self.components))]

    def by_component(self, values: Values, data: DataArrays) -> Sequence[Component]:
        """Return log theta_k, the component and its parameters under their names there."""
        triples: list[Component] = []
        for k, log_theta in enumerate(self._log_proportions(values)):
            component = self.components[k]
            triples.append((log_theta, component, {p.name: values[f"{p.name}{k + 1}"] for p in component.dpars}))
        return triples

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log sum_k theta_k p_k(y)."""
        from jax import numpy as jnp

        return reduce(jnp.logaddexp, log_components(self, y, values, data))

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return both tails: the sums of those of the components, times their mixing proportions."""
        from jax import numpy as jnp

        tails = [(log_theta, each.log_tails(y, own, data)) for log_theta, each, own in self.by_component(values, data)]
        below, above = ([log_theta + both[side] for log_theta, both in tails] for side in (0, 1))
        return reduce(jnp.logaddexp, below), reduce(jnp.logaddexp, above)

    @property
    def shown_parameters(self) -> Mapping[str, tuple[str, ...]]:
        """The parameters of the components, and each mixing proportion, which depends on the predictors of all."""
        of_components = {p.name: (p.name,) for p in self.dpars if p.kind != "theta"}
        return of_components | {name: self.thetas if self.predicted else () for name in self.thetas}

    def shown_parameter(self, name: str, parameters: Values) -> Broadcast:
        """Return a parameter of a component, or a mixing proportion."""
        if name not in self.thetas:
            return parameters[name]
        return np.exp(self._log_proportions(parameters)[self.thetas.index(name)])

    def _moments(self, parameters: Values, data: DataArrays) -> list[tuple[Broadcast, Broadcast, Broadcast]]:
        """Return mixing proportion, expected response and variance of each component."""
        return [
            (np.exp(log_theta), component.mean(of_component, data), component.variance(of_component, data))
            for log_theta, component, of_component in self.by_component(parameters, data)
        ]

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return sum_k theta_k E_k(y)."""
        return sum(theta * mean for theta, mean, _ in self._moments(parameters, data))

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return sum_k theta_k (Var_k(y) + E_k(y)^2) - E(y)^2."""
        moments = self._moments(parameters, data)
        square = sum(theta * (variance + mean**2) for theta, mean, variance in moments)
        return square - sum(theta * mean for theta, mean, _ in moments) ** 2

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw a response from every component, and take that of a component drawn by the mixing proportions."""
        by_component = self.by_component(parameters, data)
        shapes = [np.shape(value) for _, _, of_component in by_component for value in of_component.values()]
        shape = np.broadcast_shapes(*shapes, *(np.shape(log_theta) for log_theta, _, _ in by_component))
        responses, thetas = [], []
        for log_theta, component, of_component in by_component:
            every = {name: np.broadcast_to(value, shape) for name, value in of_component.items()}
            responses.append(component.draw(rng, every, data))
            thetas.append(np.broadcast_to(np.exp(log_theta), shape))
        place = draw_categories(rng, np.stack(thetas, axis=-1)).astype(int) - 1
        return np.take_along_axis(np.stack(responses, axis=-1), place[..., None], axis=-1)[..., 0]


def log_components(likelihood: AbstractLikelihood, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, ...]:
    """Return log(theta_k p_k(y)) of each component of a likelihood, on JAX arrays."""
    return tuple(
        log_theta + component.log_prob(y, own, data)
        for log_theta, component, own in likelihood.by_component(values, data)
    )


def _is_positive(value: float | str) -> bool:
    return not isinstance(value, str) and 0 < float(value) < inf


def mixture_of(components: Sequence[AbstractFamily], order: str | bool | None) -> Mixture:
    """Return the mixture of families.

    Args:
        components: the families, two or more.
        order: as in ``mixture``.

    Raises:
        ModelError: there is one component only, or ``order`` is impossible.
    """
    if len(components) < 2:
        raise ModelError('A mixture has two components or more: mixture("gaussian", "gaussian").')
    alike = len({component.name for component in components}) == 1
    if order is None:
        order = alike
    named = ("mu" if order else "none") if isinstance(order, bool) else order
    if named not in ORDERS:
        raise ModelError(f'`order` is "mu", "none" or None; got {order!r}.')
    return Mixture((), tuple(components), named)


EXAMPLE = Example(
    mixture_of((gaussian(), student()), None),
    y=(-2.5, 0.1, 3.0),
    parameters={"mu1": -0.4, "sigma1": 1.2, "mu2": 0.9, "sigma2": 0.6, "nu2": 4.0, "theta": (0.3, 0.7)},
    log_density=(-3.7569046288235435, -1.3245779073261321, -4.202802509461928),
    source="SciPy 1.17.1: log(0.3 norm(-0.4, 1.2).pdf(y) + 0.7 t(4, 0.9, 0.6).pdf(y))",
    support=(-inf, inf),
)
