"""The numbers of a model that no row's linear predictor is linear in, as one vector without bounds.

These are single distributional parameters, thresholds and what they are computed from, simplexes, and all parameters of
terms that are not linear. They move in the coordinates of ``SingleCoordinates``, centred at where they start and
divided by a typical distance from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayesml.describe import single_parameters
from bayesml.distributions import Constant
from bayesml.engines.base import Problem
from bayesml.engines.point.several.slots import Slots
from bayesml.errors import ModelError
from bayesml.families import DistributionalParameter
from bayesml.families.coordinates import SingleCoordinates
from bayesml.links import get_link
from bayesml.spec import ParameterSpec

__all__ = ["Singles"]

INSIDE = 2.0  # of nu of a Student t distribution, on the scale log(nu - 1): about 8 degrees of freedom


@final
@dataclass(frozen=True)
class Singles:
    """The vector psi.

    Attributes:
        coordinates: which parameters, and how they lose their bounds.
        center: ``(m,)`` where psi is 0.
        scale: ``(m,)`` what psi is multiplied by.
        held: parameters that a constant prior holds at a value.
        specs: the parameters with their priors, in the order of ``coordinates``.
    """

    coordinates: SingleCoordinates
    center: np.ndarray
    scale: np.ndarray
    held: Mapping[str, float]
    specs: tuple[ParameterSpec, ...]

    @classmethod
    def of(cls, problem: Problem, slots: Slots, method: str, *, holds: bool) -> Singles:
        """Collect them.

        Args:
            problem: the model.
            slots: its linear predictors.
            method: for messages.
            holds: whether constant priors hold a parameter at a value.

        Raises:
            ModelError: a constant prior cannot be held.
        """
        by_name = {p.name: p for p in problem.description.spec.parameters}
        singles = [p for p in single_parameters(problem.design) if p.name in by_name]
        held = {}
        for dpar in singles if holds else ():
            prior = by_name[dpar.name].priors[0]
            if isinstance(prior, Constant):
                held[dpar.name] = float(prior.location)
        free = tuple(p for p in singles if p.name not in held)
        further = [by_name[p.name] for p in problem.likelihood.parameters if p.name in by_name]
        for _, term in slots.others():
            further += [by_name[name] for name in _parameters_of(problem, term) if name in by_name]
        specs = (*(by_name[p.name] for p in free), *further)
        _refuse_constants(specs, method)
        bare = tuple(ParameterSpec(p.name, p.prior_class, p.shape, support=p.support) for p in further)
        center = [_place(p, by_name[p.name].centers[0]) for p in free]
        scale = [1.0] * len(free)
        for p in further:
            where, distance = p.support.start(p.shape, np.asarray(p.centers), np.asarray(p.scales))
            center += list(where)
            scale += list(distance)
        return cls(SingleCoordinates(free, bare), np.array(center), np.array(scale), held, specs)

    @property
    def size(self) -> int:
        """Length of psi."""
        return len(self.center)

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each entry, for messages."""
        further = self.coordinates.further
        many = [(p.name, p.support.size(p.shape)) for p in further]
        return (
            *(p.name for p in self.coordinates.dpars),
            *(name if count == 1 else f"{name}[{k + 1}]" for name, count in many for k in range(count)),
        )

    def natural(self, psi: np.ndarray) -> dict[str, np.ndarray]:
        """Return the parameters on their natural scale, those that are held among them."""
        import jax

        with jax.enable_x64(True):
            found = self.coordinates.natural(self.center + self.scale * psi)
            return {name: np.asarray(value, dtype=float) for name, value in {**found, **self.held}.items()}


def _place(parameter: DistributionalParameter, typical: float) -> float:
    """Return a typical value on the unbounded scale; one at its bound, such as nu = 1, has no place there itself."""
    with np.errstate(divide="ignore"):
        place = float(get_link(parameter.links[0]).forward(typical))
    return place if np.isfinite(place) else INSIDE


def _parameters_of(problem: Problem, term: Any) -> list[str]:
    from bayesml.priors import Scale

    return [p.name for p in term.parameters(Scale(0.0, 1.0, 1.0))] if term.is_estimated else []


def _refuse_constants(specs: tuple[ParameterSpec, ...], method: str) -> None:
    for spec in specs:
        for label, prior in zip(spec.labels, spec.priors, strict=False):
            if prior.is_constant:
                what = f"{spec.prior_class} {label}".strip()
                raise ModelError(f'method="{method}" cannot hold `{what}` at a value ({prior}); use method="nuts".')
