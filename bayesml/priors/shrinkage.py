"""Shrinkage priors: one budget of scales for all coefficients and standard deviations of a predictor.

A prior such as the horseshoe gives a scale to each of K numbers. A coefficient (classes b, ar, ma) is normal with that
standard deviation, ``scale * z`` with z ~ normal(0, 1); a standard deviation (sd, sds, sdgp, sderr, sdcar) is the scale
itself. Where several classes have the prior, the scales are those of all of them together: ``main = True`` says whose
arguments count (as in brms since 2.19).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

from bayesml.errors import PriorError
from bayesml.names import of_response, slopes_variable, special_variable
from bayesml.priors.joint import SCALES, AbstractJointPrior
from bayesml.spec import ParameterSpec

if TYPE_CHECKING:
    from bayesml.shapes import Numbers, Values

__all__ = ["AbstractShrinkage", "Member", "Sharing", "check_number"]

COEFFICIENTS = frozenset({"b", "ar", "ma"})


@final
@dataclass(frozen=True)
class Member:
    """A parameter whose elements have some of the scales.

    Attributes:
        name: the parameter.
        start: number of its first scale.
        size: number of its elements.
        labels: a label for each.
    """

    name: str
    start: int
    size: int
    labels: tuple[str, ...]


@final
@dataclass(frozen=True)
class Sharing:
    """What a shrinkage prior takes from the model.

    Attributes:
        rows: number of rows of the data.
        sigma: sigma where the formula fixes it, else 1.
        members: the parameters that share the scales.
    """

    rows: int = 0
    sigma: float = 1.0
    members: tuple[Member, ...] = ()


class AbstractShrinkage(AbstractJointPrior):
    """A prior that gives scales; subclasses have the fields ``autoscale``, ``main`` and ``sharing``."""

    filled_in: ClassVar[frozenset[str]] = frozenset({"sharing"})
    gives_scales: ClassVar[bool] = True
    classes: ClassVar[frozenset[str]] = COEFFICIENTS | SCALES

    autoscale: bool
    main: bool
    sharing: Sharing

    @property
    def is_main(self) -> bool:
        """Whether its arguments are those of the other classes too."""
        return self.main

    @property
    def _flags(self) -> list[str]:
        """The flags that are not at their defaults, as they are written."""
        return [*([] if self.autoscale else ["autoscale = False"]), *(["main = True"] if self.main else [])]

    def _check_flags(self) -> None:
        for name in ("autoscale", "main"):
            if not isinstance(getattr(self, name), bool):
                raise PriorError(f"`{name}` of {self.name}() is True or False; got {getattr(self, name)!r}.")

    @property
    def count(self) -> int:
        """Number of scales."""
        return sum(member.size for member in self.sharing.members)

    def in_model(self, n_rows: int, targets: Sequence[ParameterSpec], sigma: float = 1.0) -> Self:
        """Return the prior with the number of rows, the parameters whose scales it gives and a sigma that is fixed."""
        members: list[Member] = []
        for target in targets:
            size = target.shape[0] if target.shape else 1
            start = members[-1].start + members[-1].size if members else 0
            members.append(Member(target.name, start, size, _labels(target, size)))
        return replace(self, sharing=Sharing(n_rows, sigma, tuple(members)))  # type: ignore[call-arg]

    @abstractmethod
    def own_parameters(self, target: ParameterSpec, labels: tuple[str, ...]) -> tuple[ParameterSpec, ...]:
        """Return the parameters behind the scales, one of each that has ``labels``.

        Args:
            target: the first parameter, whose predictor they have.
            labels: a label for each scale.
        """

    @abstractmethod
    def scales(self, target: ParameterSpec, values: Values) -> Numbers:
        """Return all scales ``(count,)``."""

    def parameters(self, target: ParameterSpec) -> tuple[ParameterSpec, ...]:
        """Return z of a coefficient, and for the first parameter those behind the scales."""
        labels = tuple(label for member in self.sharing.members for label in member.labels)
        is_first = target.name == self.sharing.members[0].name
        own = self.own_parameters(target, labels) if is_first else ()
        if target.prior_class in SCALES:
            return own
        return (ParameterSpec(_standardised(target), "", target.shape, target.predictor), *own)

    def value(self, target: ParameterSpec, values: Values) -> Numbers:
        """Return the coefficients or standard deviations."""
        scales = self.scales_of(target, values)
        return scales if target.prior_class in SCALES else values[_standardised(target)] * scales

    def scales_of(self, target: ParameterSpec, values: Values) -> Numbers:
        """Return the scales of one of the parameters, of its shape."""
        member = next(each for each in self.sharing.members if each.name == target.name)
        scales = self.scales(target, values)[..., member.start : member.start + member.size]
        return scales if target.shape else scales[..., 0]

    def residual_sd(self, target: ParameterSpec, values: Values) -> Any:
        """Return sigma of the response where it is one number, by which the scales of the mean are multiplied, else 1.

        It is brms's rule, and holds for every family with a ``sigma``.
        """
        if not self.autoscale or target.predictor.dpar != "mu":
            return 1.0
        return values.get(of_response("sigma", target.predictor.resp), self.sharing.sigma)


def _labels(target: ParameterSpec, size: int) -> tuple[str, ...]:
    """Return a label for each element: that of a coefficient, else one behind the class and the group."""
    labels = target.coefs if len(target.coefs) == size else tuple(str(i + 1) for i in range(size))
    labels = (target.label,) if size == 1 and target.label else labels
    if target.prior_class == "b":
        return labels
    of = "_".join(part for part in (target.prior_class, target.group) if part)
    return tuple(f"{of}__{label}" for label in labels)


def _standardised(target: ParameterSpec) -> str:
    """Return the name of z, as in brms: ``zb``, ``zbsp``."""
    if target.name == slopes_variable(target.predictor):
        return special_variable("zb", target.predictor)
    return f"z{target.name}"


def check_number(prior: str, name: str, value: Any, *, zero: bool = False, below: float | None = None) -> float:
    """Return an argument as a float.

    Raises:
        PriorError: it is no finite number, not positive, or not below a bound.
    """
    least = "at least 0" if zero else "larger than 0"
    rule = f"between 0 and {below:g}" if below is not None else least
    wrong = isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value)
    number = -1.0 if wrong else float(value)
    if wrong or number < 0 or (number == 0 and not zero) or (below is not None and number >= below):
        raise PriorError(f"`{name}` of {prior}() is a number {rule}; got {value!r}.")
    return number
