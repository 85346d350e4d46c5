"""The model as pure data: which parameters there are, on which support, with which prior, in which predictor.

``ModelSpec`` holds no rows: it needs only the schema of the design, and it prints itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Protocol, final

import numpy as np

from bayesml.distributions import Distribution
from bayesml.keys import MU, PredictorKey
from bayesml.names import intercept_variable, of_response, predictor_name
from bayesml.supports import UNBOUNDED, AbstractSupport

if TYPE_CHECKING:
    from bayesml.shapes import Values

__all__ = [
    "Bounds",
    "ConditionalPrior",
    "JointTarget",
    "ModelSpec",
    "ParameterSpec",
    "PredictorSpec",
    "PriorNumbers",
    "moved_bounds",
    "unbounded",
]

Bounds = tuple[float, float]
PriorNumbers = tuple[tuple[Any, ...], ...]
unbounded: Bounds = (-float("inf"), float("inf"))


class ConditionalPrior(Protocol):
    """The prior of a latent variable given parameters that stand before it in the model; see ``priors/conditional``."""

    def numpyro(self, values: Values, shape: tuple[int, ...]) -> Any:
        """Return the distribution of the array as NumPyro's."""

    def draw(self, rng: np.random.Generator, values: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
        """Return draws ``(n, *shape)``; ``values`` holds n draws of each parameter."""


@final
@dataclass(frozen=True)
class ParameterSpec:
    """One array of parameters of the model, before or after it has received its priors.

    Attributes:
        name: the NumPyro site.
        prior_class: brms's class (``b``, ``Intercept``, ``sd``, ``cor``, or a family parameter), or an empty string for
            the standard normal variables behind group effects, whose prior is not the user's business.
        shape: shape of the array; ``(q, q)`` for the Cholesky factor of a correlation matrix.
        predictor: the predictor it belongs to.
        group: the grouping factor, or an empty string.
        coefs: labels along the first axis; empty for a scalar and for an array that has one prior as a whole.
        prior_coefs: labels under which the prior of each of ``coefs`` is found; empty where they are ``coefs``.
        conditional: of a latent variable that is not standard normal, its prior given parameters before it; None for
            all others.
        label: the coefficient whose parameter this is, where it has one prior as a whole (a simplex of ``mo(x)``).
        support: where the values lie, as the model needs them.
        priors: one distribution for each label, or a single one for all; empty before resolution.
        centers: typical values, one for each label or a single one, where sampling starts.
        scales: typical distances from ``centers``, in the same form. They steer the sampler's start and its
            coordinates, never the posterior.
        tags: the tag of each of ``priors``; empty before resolution.
        correlated: of the Cholesky factor of a reported correlation matrix of the response, what its rows are.
    """

    name: str
    prior_class: str
    shape: tuple[int, ...] = ()
    predictor: PredictorKey = MU
    group: str = ""
    coefs: tuple[str, ...] = ()
    support: AbstractSupport = UNBOUNDED
    priors: tuple[Distribution, ...] = ()
    centers: tuple[float, ...] = (0.0,)
    scales: tuple[float, ...] = (1.0,)
    label: str = ""
    prior_coefs: tuple[str, ...] = ()
    correlated: tuple[str, ...] = ()
    conditional: ConditionalPrior | None = None
    tags: tuple[str, ...] = ()

    @property
    def is_family_parameter(self) -> bool:
        """Whether it belongs to the response distribution rather than to a term."""
        own_name = of_response(self.prior_class, self.predictor.resp)
        of_terms = bool(self.coefs) and not any(target == "" for target in self.prior_coefs)
        is_alike = self.is_whole or any(target == "" for target in self.prior_coefs) or not self.shape
        of_group = bool(self.group) and is_alike and self.name.startswith(f"{self.prior_class}_")
        is_own = self.name == own_name or of_group
        return is_own and self.name != intercept_variable(self.predictor) and not of_terms

    @property
    def bounds(self) -> Bounds:
        """Bounds of each element, as the model needs them."""
        return self.support.bounds

    @property
    def is_whole(self) -> bool:
        """Whether it has one prior as a whole, a matrix or a simplex, rather than one for each element."""
        return self.support.is_whole and not self.coefs

    @property
    def is_constant(self) -> bool:
        """Whether priors hold all of it at a value."""
        return bool(self.priors) and all(d.is_constant for d in self.priors)

    @property
    def prior_groups(self) -> tuple[tuple[Distribution, tuple[int, ...]], ...]:
        """Priors of one kind, by the first of them, and the places of the labels that have them."""
        found: dict[object, tuple[Distribution, list[int]]] = {}
        for place, prior in enumerate(self.priors):
            key = prior.kind if prior.takes_arrays else (prior.kind, place)
            found.setdefault(key, (prior, []))[1].append(place)
        return tuple((prior, tuple(places)) for prior, places in found.values())

    @property
    def numbers(self) -> PriorNumbers:
        """The numbers of the priors that a program takes as data: for each of ``prior_groups`` its numbers.

        Those of several labels are arrays with an element for each.
        """
        return tuple(
            tuple(np.stack(each) for each in zip(*(self.priors[i].numbers(self.shape) for i in places), strict=True))
            if self.coefs and prior.takes_arrays
            else tuple(np.asarray(each, float) for each in prior.numbers(self.shape))
            for prior, places in self.prior_groups
        )

    @property
    def structure(self) -> tuple[object, ...]:
        """What a program depends on: all but the numbers of the priors, starting values and tags."""
        own = replace(self, priors=(), centers=(), scales=(), tags=())
        bounds = tuple(moved_bounds(prior, self.bounds) for prior in self.priors)
        groups = tuple((prior.kind, places) for prior, places in self.prior_groups)
        return own, groups, bounds, self.is_single_site

    @property
    def is_single_site(self) -> bool:
        """Whether one NumPyro site holds the whole array: priors alike in kind and support, none of them constant."""
        first = self.priors[0] if self.priors else None
        return (
            first is None
            or self.support.is_whole
            or (
                not first.is_constant
                and all(type(d) is type(first) and d.support == first.support for d in self.priors)
                and first.can_batch(self.priors)
            )
        )

    @property
    def targets(self) -> tuple[str, ...]:
        """The label under which the prior of each of ``labels`` is found."""
        return self.prior_coefs or self.labels

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that can carry a prior of their own; a single one for a scalar and for an array as a whole."""
        return self.coefs or (self.label,)


def moved_bounds(prior: Distribution, own: Bounds) -> tuple[bool, bool]:
    """Return which bounds of a prior's support are finite and not the parameter's own: these are numbers as others."""
    lower, upper = prior.support
    return (bool(np.isfinite(lower)) and lower != own[0], bool(np.isfinite(upper)) and upper != own[1])


class JointPrior(Protocol):
    """What a prior of several coefficients answers about its own parameters; see ``priors/joint.py``."""

    def parameters(self, target: ParameterSpec) -> tuple[ParameterSpec, ...]:
        """Return the sampled parameters in the place of ``target``."""

    def value(self, target: ParameterSpec, values: Mapping[str, Any]) -> Any:
        """Return the coefficients from the sampled values."""


def _number_fields(prior: JointPrior) -> list[str]:
    """Return the names of the fields that are numbers, or several of them."""

    def is_number(value: object) -> bool:
        several = isinstance(value, tuple) and bool(value) and all(isinstance(each, float) for each in value)
        return isinstance(value, float) or several

    return [f.name for f in fields(prior) if is_number(getattr(prior, f.name))]  # type: ignore[arg-type]


def numbers_of(prior: JointPrior) -> tuple[Any, ...]:
    """Return the numbers among the fields of a joint prior."""
    return tuple(np.asarray(getattr(prior, name), float) for name in _number_fields(prior))


def structure_of(prior: JointPrior) -> tuple[object, ...]:
    """Return a joint prior without these numbers."""
    numbers = _number_fields(prior)
    return (type(prior), *((f.name, getattr(prior, f.name)) for f in fields(prior) if f.name not in numbers))  # type: ignore[arg-type]


def with_numbers(prior: JointPrior, numbers: Sequence[Any]) -> JointPrior:
    """Return a joint prior with other numbers, which may be tracers, unchecked."""
    copy: Any = object.__new__(type(prior))
    own = {f.name: getattr(prior, f.name) for f in fields(prior)}  # type: ignore[arg-type]
    copy.__dict__.update(own | dict(zip(_number_fields(prior), numbers, strict=True)))
    return copy  # type: ignore[no-any-return]


@final
@dataclass(frozen=True)
class JointTarget:
    """Coefficients that are computed from the parameters of a joint prior rather than sampled."""

    prior: JointPrior
    target: ParameterSpec


@final
@dataclass(frozen=True)
class PredictorSpec:
    """One linear predictor as it is printed: the parameter, its link and its formula."""

    key: PredictorKey
    link: str
    text: str


@final
@dataclass(frozen=True)
class ModelSpec:
    """A whole model without its data.

    Attributes:
        formula: the main formula as written.
        family: name of the family.
        predictors: parameters with a formula, ``mu`` first.
        parameters: every sampled array with its priors, in the order of the flat vector the engines work on.
        n_rows: number of observations.
        levels: number of levels of each grouping factor.
        joint: coefficients with a joint prior, which are computed from parameters of that prior.
    """

    formula: str
    family: str
    predictors: tuple[PredictorSpec, ...]
    parameters: tuple[ParameterSpec, ...]
    n_rows: int
    levels: tuple[tuple[str, int], ...]
    joint: tuple[JointTarget, ...] = ()

    def parameter(self, name: str) -> ParameterSpec:
        """Return the parameter of that name."""
        return next(p for p in self.parameters if p.name == name)

    def coefficient(self, name: str) -> ParameterSpec:
        """Return the parameter of that name, or the coefficient with a joint prior, which is computed."""
        return next(p for p in (*self.parameters, *(each.target for each in self.joint)) if p.name == name)

    def priors_of(self, name: str) -> tuple[Distribution, ...]:
        """Return the priors of the parameter of that name; none where there is a joint prior, which is proper."""
        return next((p.priors for p in self.parameters if p.name == name), ())

    def computed(self, values: Mapping[str, Any], numbers: tuple[tuple[Any, ...], ...] | None = None) -> dict[str, Any]:
        """Return the coefficients with a joint prior, by name, from all sampled values.

        Args:
            values: the sampled values.
            numbers: the numbers of the joint priors in the place of their own, see ``joint_numbers``.
        """
        found = {}
        for place, each in enumerate(self.joint):
            prior = each.prior if numbers is None else with_numbers(each.prior, numbers[place])
            found[each.target.name] = prior.value(each.target, values)
        return found

    @property
    def structure(self) -> tuple[object, ...]:
        """What a program depends on: the model without the numbers of its priors."""
        parameters = tuple(parameter.structure for parameter in self.parameters)
        joint = tuple((structure_of(each.prior), each.target.structure) for each in self.joint)
        return self.family, self.predictors, parameters, self.n_rows, self.levels, joint

    @property
    def prior_numbers(self) -> dict[str, PriorNumbers]:
        """The numbers of the priors by parameter, which programs take as data."""
        return {p.name: p.numbers for p in self.parameters if p.priors}

    @property
    def joint_numbers(self) -> tuple[tuple[Any, ...], ...]:
        """The numbers of the joint priors."""
        return tuple(numbers_of(each.prior) for each in self.joint)

    def improper(self) -> tuple[ParameterSpec, ...]:
        """Return the parameters that have a prior without a finite integral."""
        return tuple(p for p in self.parameters if any(not d.is_proper for d in p.priors))

    def __str__(self) -> str:
        lines = [f"{self.formula}   family: {self.family}, {self.n_rows} observations"]
        lines += [f"  {predictor_name(p.key)}: link {p.link}, ~ {p.text}" for p in self.predictors]
        lines += [f"  {group}: {count} levels" for group, count in self.levels]
        for parameter in self.parameters:
            for label, prior in zip(parameter.labels, parameter.priors, strict=False):
                name = f"{parameter.name}[{label}]" if label else parameter.name
                lines.append(f"  {name} ~ {str(prior) or 'flat'}")
            if not parameter.priors:
                own = parameter.conditional or "normal(0, 1)"
                lines.append(f"  {parameter.name}{list(parameter.shape)} ~ {own}")
        return "\n".join(lines)
