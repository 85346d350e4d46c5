"""Mixtures: each response comes from one of several components, and it is not known from which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any, ClassVar, final

import numpy as np

from bayesml.distributions import dirichlet, logistic
from bayesml.errors import FormulaError, ModelError
from bayesml.families.base import AbstractFamily, AbstractLikelihood, Array
from bayesml.families.example import Example
from bayesml.families.gaussian import gaussian
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.softmax import log_softmax
from bayesml.families.student import student
from bayesml.links import Link, get_link
from bayesml.namespace import array_namespace
from bayesml.spec import ParameterSpec
from bayesml.supports import Simplex

__all__ = ["EXAMPLE", "Mixture", "MixtureLikelihood", "mixture_of"]

ORDERS = ("mu", "none")
THETA = DistributionalParameter("theta", ("identity",), (-inf, inf), intercept_prior=logistic(0, 1), unpredicted=0.0)


@final
@dataclass(frozen=True)
class Mixture(AbstractFamily):
    """p(y) = sum_k theta_k p_k(y) with components p_k and mixing proportions theta_k.

    Attributes:
        components: the families of the components.
        order: ``mu`` where the Intercepts of the components increase, which tells them apart, else ``none``.
    """

    components: tuple[AbstractFamily, ...] = ()
    order: str = "none"

    dpars: ClassVar[tuple[DistributionalParameter, ...]] = ()

    @property
    def name(self) -> str:  # type: ignore[override]
        """The components: ``mixture(gaussian, student)``."""
        return f"mixture({', '.join(component.name for component in self.components)})"

    def can_fix(self, parameter: str) -> bool:
        """Mixing proportions."""
        return parameter in {f"theta{k + 1}" for k in range(len(self.components))}

    def bind(self, response: RawResponse) -> AbstractLikelihood:
        """Bind each component.

        Raises:
            ModelError: a component has categories, or counts meet continuous responses.
        """
        parts = tuple(component.bind(response) for component in self.components)
        for part in parts:
            if part.event_shape or part.parameters or part.thresholds:
                raise ModelError(f"The family {part.family.name} cannot be a component of a mixture.")
        if len({part.traits.discrete for part in parts}) > 1:
            raise ModelError(f"{self.name} mixes counts with continuous responses, which have no common density.")
        return MixtureLikelihood(self, parts)


@final
@dataclass(frozen=True)
class MixtureLikelihood(AbstractLikelihood):
    """A mixture of likelihoods.

    Attributes:
        chosen: the family.
        parts: the components.
        proportions: the mixing proportions where they are fixed; empty where they are estimated.
        predicted: the mixing proportions with a formula, all but one; empty for none.
    """

    chosen: Mixture
    parts: tuple[AbstractLikelihood, ...]
    proportions: tuple[float, ...] = ()
    predicted: frozenset[str] = frozenset()

    @property
    def family(self) -> AbstractFamily:
        """The family."""
        return self.chosen

    @property
    def thetas(self) -> tuple[str, ...]:
        """Names of the mixing proportions."""
        return tuple(f"theta{k + 1}" for k in range(len(self.parts)))

    @property
    def dpars(self) -> tuple[DistributionalParameter, ...]:
        """The parameters of every component with its number, ``mu1``, ``sigma1``, and predicted proportions."""
        own = tuple(
            replace(dpar, name=f"{dpar.name}{k + 1}", role=dpar.kind)
            for k, part in enumerate(self.parts)
            for dpar in part.dpars
        )
        return own + tuple(replace(THETA, name=name, role="theta") for name in self.thetas if self.predicted)

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The mixing proportions where they have neither values nor formulas."""
        if self.proportions or self.predicted:
            return ()
        shape = (len(self.parts),)
        return (ParameterSpec("theta", "theta", shape, support=Simplex(), priors=(dirichlet(1),)),)

    @property
    def ordered(self) -> tuple[str, ...]:
        """The parameters whose Intercepts increase."""
        return tuple(f"mu{k + 1}" for k in range(len(self.parts))) if self.chosen.order == "mu" else ()

    @property
    def linear(self) -> frozenset[str]:
        """Those of the components."""
        return frozenset(f"{name}{k + 1}" for k, part in enumerate(self.parts) for name in part.linear)

    @property
    def traits(self) -> Traits:
        """What all components share."""
        every = [part.traits for part in self.parts]
        return Traits(
            discrete=every[0].discrete,
            rows_repeat=all(traits.rows_repeat for traits in every),
            trials=any(traits.trials for traits in every),
            several_modes=True,
        )

    def _component(self, dpar: str) -> tuple[AbstractLikelihood, str] | None:
        """Return the component of ``sigma2`` and its name there."""
        for k, part in enumerate(self.parts):
            name = dpar.removesuffix(str(k + 1))
            if name != dpar and any(p.name == name for p in part.dpars):
                return part, name
        return None

    def link(self, dpar: str) -> Link:
        """Return the link in its component; mixing proportions are on the scale of the softmax."""
        found = self._component(dpar)
        return found[0].link(found[1]) if found else get_link("identity")

    def chosen_link(self, dpar: str) -> Link:
        """Return the link as the user chose it."""
        found = self._component(dpar)
        return found[0].chosen_link(found[1]) if found else get_link("identity")

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
        if formulas and len(formulas) != len(self.parts) - 1:
            raise FormulaError(
                f"Of the mixing proportions {listed} all but one have a formula: they are a softmax, in which the one "
                f"without is the reference. There {'are' if len(formulas) > 1 else 'is'} {len(formulas)} with one."
            )
        if values and (len(values) < len(self.parts) or not all(_is_positive(value) for value in values.values())):
            raise FormulaError(
                f"Fixed mixing proportions are positive numbers for all of {listed}; they are divided by their sum."
            )
        total = sum(float(value) for value in values.values())
        shares = tuple(float(values[name]) / total for name in self.thetas) if values else ()
        return replace(self, proportions=shares, predicted=formulas)

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Encode the response as every component does."""
        encoded = [part.encode(response, for_fit=for_fit) for part in self.parts]
        arrays = {name: array for each in encoded for name, array in each.arrays.items()}
        return ResponseData(arrays, encoded[0].note, encoded[0].levels, encoded[0].is_share)

    def _of(self, k: int, values: Mapping[str, Array]) -> dict[str, Array]:
        return {dpar.name: values[f"{dpar.name}{k + 1}"] for dpar in self.parts[k].dpars}

    def _log_shares(self, values: Mapping[str, Array]) -> Sequence[Array]:
        """Return the log of each mixing proportion."""
        if self.predicted:
            return log_softmax([values[name] for name in self.thetas])
        if self.proportions:
            return [float(np.log(share)) for share in self.proportions]
        theta = values["theta"]
        log = array_namespace(theta).log(theta)
        return [log[..., k] for k in range(len(self.parts))]

    def log_prob(self, y: Array, values: Mapping[str, Array], data: Mapping[str, Array]) -> Array:
        """Return log sum_k theta_k p_k(y)."""
        from jax import numpy as jnp

        shares = self._log_shares(values)
        rows = [share + part.log_prob(y, self._of(k, values), data) for k, (share, part) in self._numbered(shares)]
        total = rows[0]
        for other in rows[1:]:
            total = jnp.logaddexp(total, other)
        return total

    def _numbered(self, shares: Sequence[Array]) -> list[tuple[int, tuple[Array, AbstractLikelihood]]]:
        return list(enumerate(zip(shares, self.parts, strict=True)))

    def mean(self, parameters: Mapping[str, Array], data: Mapping[str, Array]) -> Array:
        """Return sum_k theta_k E_k(y)."""
        shares = self._log_shares(parameters)
        return sum(np.exp(s) * part.mean(self._of(k, parameters), data) for k, (s, part) in self._numbered(shares))

    def variance(self, parameters: Mapping[str, Array], data: Mapping[str, Array]) -> Array:
        """Return sum_k theta_k (Var_k(y) + E_k(y)^2) - E(y)^2."""
        total: Any = 0.0
        for k, (share, part) in self._numbered(self._log_shares(parameters)):
            own = self._of(k, parameters)
            total = total + np.exp(share) * (part.variance(own, data) + part.mean(own, data) ** 2)
        return total - self.mean(parameters, data) ** 2

    def draw(
        self, rng: np.random.Generator, parameters: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Draw a component for each response, then the response from it."""
        shares = self._log_shares(parameters)
        own = [self._of(k, parameters) for k in range(len(self.parts))]
        numbers = [np.shape(value) for each in own for value in each.values()]
        shape = np.broadcast_shapes(*numbers, *(np.shape(share) for share in shares))
        drawn = [
            part.draw(rng, {name: np.broadcast_to(value, shape) for name, value in each.items()}, data)
            for part, each in zip(self.parts, own, strict=True)
        ]
        place = rng.random(shape)
        found, reached = drawn[-1], np.ones(shape)
        for share, each in zip(shares[:0:-1], drawn[-2::-1], strict=True):
            reached = reached - np.exp(share)
            found = np.where(place < reached, each, found)
        return found


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
    alike = len({type(component) for component in components}) == 1
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
