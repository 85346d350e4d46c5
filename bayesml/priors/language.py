"""``prior("normal(0, 10)", class_="b", coef="Days")``: a prior as a user writes it, before there is a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from numbers import Real
from typing import Any, final

import numpy as np

from bayesml.distributions import Distribution, Truncated
from bayesml.errors import PriorError
from bayesml.foreign import answers_foreign_arguments
from bayesml.priors.joint import AbstractJointPrior
from bayesml.priors.per_coefficient import PerCoefficient
from bayesml.priors.table import Target
from bayesml.priors.written import as_distribution, refuse_family

__all__ = ["Prior", "as_priors", "prior"]


@final
@dataclass(frozen=True)
class Prior:
    """A prior and the parameters it is meant for; empty strings match any coefficient or group.

    Attributes:
        distribution: the distribution.
        prior_class: ``b``, ``Intercept``, ``sd``, ``cor`` or a parameter of the family.
        coef: one coefficient, or empty for all of the class.
        group: one grouping factor, or empty for all.
        dpar: the distributional parameter whose predictor is meant; empty for ``mu``.
        resp: the response of a model of several, or empty.
        nlpar: the nonlinear parameter, or empty.
        lower: lower bound of the parameter, or None for the model's own.
        upper: upper bound, or None.
        tag: a name under which sensitivity to priors is requested, or empty.
    """

    distribution: Distribution | AbstractJointPrior | PerCoefficient
    prior_class: str = "b"
    coef: str = ""
    group: str = ""
    dpar: str = ""
    lower: float | None = None
    upper: float | None = None
    resp: str = ""
    nlpar: str = ""
    tag: str = ""

    @property
    def target(self) -> Target:
        """What it addresses: class, predictor, group, coef."""
        return self.prior_class, (self.resp, self.dpar, self.nlpar), self.group, self.coef

    def __str__(self) -> str:
        where = [f'class_="{self.prior_class}"'] + [f'{key}="{value}"' for key, value in _addresses(self) if value]
        return f'prior("{str(self.distribution) or "flat"}", {", ".join(where)})'


def _addresses(prior: Prior) -> tuple[tuple[str, str], ...]:
    """Return the arguments of ``prior`` that say which parameters are meant, beside the class."""
    parts = (("coef", prior.coef), ("group", prior.group), ("resp", prior.resp), ("dpar", prior.dpar))
    return (*parts, ("nlpar", prior.nlpar), ("tag", prior.tag))


@answers_foreign_arguments("PRIOR_ARGUMENTS")
def prior(
    distribution: Any,
    class_: str = "b",
    *,
    coef: str = "",
    group: str = "",
    dpar: str = "",
    lb: float | None = None,
    ub: float | None = None,
    resp: str = "",
    nlpar: str = "",
    tag: str = "",
    values: Mapping[str, Any] | None = None,
) -> Prior:
    """Set a prior for ``fit(..., prior=[...])``.

    A prior for a class reaches every coefficient of the class that has none of its own; for ``sd`` and ``cor`` the
    most specific of (group and coef), group, class wins. As in brms, ``dpar`` is never inherited: ``class_="b"``
    means the coefficients of ``mu`` only. Correlations have no ``dpar``: a prior for ``cor`` reaches those of its
    grouping factor in every predictor.

    Args:
        distribution: ``"normal(0, 10)"``, a prior object such as ``normal(0, 10)``, a distribution of NumPyro or
            PreliZ, ``"flat"``, or ``"constant(1)"`` (also a plain number), which fixes the parameter. A list has one
            for each coefficient of the class, in the order of the summary. A matrix of correlations, or
            ``"constant(0.5)"`` for all of them, fixes a class such as ``cor``.
        class_: ``b`` (population-level coefficients), ``Intercept`` (of centred predictors), ``sd``, ``cor`` (LKJ), or
            a parameter of the family such as ``sigma``.
        coef: label of one coefficient as the summary prints it; brms's spelling is understood too.
        group: a grouping factor (``sd``, ``cor``).
        dpar: the parameter whose predictor is meant, when not ``mu``.
        lb: lower bound; the density is normalised on the bounded interval.
        ub: upper bound.
        resp: the response that is meant, in a model of several.
        nlpar: the nonlinear parameter whose predictor is meant.
        tag: a name for this prior, shown in ``fit.prior_summary()``; several priors may have the same.
        values: what names in the text stand for, ``prior("normal(m, s)", values={"m": 0, "s": 2.5})``: numbers, or
            arrays with one for each coefficient of the class.

    Raises:
        PriorError: the text is not a distribution, an object has no density of one number, a bound is not a number, or
            ``lb >= ub``.

    Example:
        >>> import bayesml
        >>> bayesml.prior("normal(0, 10)", class_="b", coef="Days")
        Prior(distribution=normal(0, 10), prior_class='b', coef='Days', ...)
        >>> bayesml.prior("normal(0, s)", values={"s": [1, 2.5]})
        Prior(distribution=[normal(0, 1), normal(0, 2.5)], prior_class='b', ...)
    """
    for name, value in (
        ("class_", class_),
        ("coef", coef),
        ("group", group),
        ("dpar", dpar),
        ("resp", resp),
        ("nlpar", nlpar),
        ("tag", tag),
    ):
        if not isinstance(value, str):
            raise PriorError(f"`{name}` of a prior is a string; got {value!r:.80}.")
    lower, upper = _bound("lb", lb), _bound("ub", ub)
    if lower is not None and upper is not None and lower >= upper:
        raise PriorError(f"The lower bound {lower:g} of the prior is not below its upper bound {upper:g}.")
    dpar = "" if dpar == "mu" else dpar
    found = as_distribution(distribution, values)
    if isinstance(found, Truncated):
        lower = found.lower if lower is None and isfinite(found.lower) else lower
        upper = found.upper if upper is None and isfinite(found.upper) else upper
        found = found.distribution
    return Prior(found, class_, coef, group, dpar, lower, upper, resp, nlpar, tag)


def _bound(name: str, bound: Any) -> float | None:
    if bound is None:
        return None
    if isinstance(bound, (bool, np.bool_)) or not isinstance(bound, Real) or float(bound) != float(bound):
        raise PriorError(f"`{name}` of a prior is a number; got {bound!r:.80}.")
    if (name, float(bound)) in (("lb", inf), ("ub", -inf)):
        raise PriorError(f"`{name}={float(bound):g}` leaves no values.")
    return float(bound)


def as_priors(value: Prior | Iterable[Prior] | None) -> tuple[Prior, ...]:
    """Return what ``fit(..., prior=...)`` was given as priors; None means none.

    Raises:
        PriorError: something is not a ``prior(...)``.
    """
    if value is None or isinstance(value, Prior):
        return () if value is None else (value,)
    one_by_one = isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))
    listed: tuple[Any, ...] = tuple(value) if one_by_one else (value,)
    stranger = next((item for item in listed if not isinstance(item, Prior)), None)
    if stranger is not None:
        refuse_family(stranger)
        raise PriorError(
            f'`prior` takes prior("normal(0, 10)", class_="b") or a list of several; got {_shown(stranger)}.'
        )
    return listed


def _shown(value: object) -> str:
    return f"the distribution {value}" if isinstance(value, Distribution) else f"{value!r:.80}"
