"""``prior("normal(0, 10)", class_="b", coef="Days")``: what a user says about a prior, before it meets a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

from bayesml.distributions import DISTRIBUTIONS, Distribution
from bayesml.errors import PriorError
from bayesml.families import FAMILIES, AbstractFamily
from bayesml.foreign import answers_foreign_arguments
from bayesml.priors.joint import AbstractJointPrior
from bayesml.priors.parse import parse_prior
from bayesml.priors.table import Target

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
    """

    distribution: Distribution | AbstractJointPrior
    prior_class: str = "b"
    coef: str = ""
    group: str = ""
    dpar: str = ""
    lower: float | None = None
    upper: float | None = None
    resp: str = ""
    nlpar: str = ""

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
    return (*parts, ("nlpar", prior.nlpar))


@answers_foreign_arguments("PRIOR_ARGUMENTS")
def prior(
    distribution: str | float | Distribution | AbstractJointPrior,
    class_: str = "b",
    *,
    coef: str = "",
    group: str = "",
    dpar: str = "",
    lb: float | None = None,
    ub: float | None = None,
    resp: str = "",
    nlpar: str = "",
) -> Prior:
    """Set a prior for ``fit(..., prior=[...])``.

    A prior for a class reaches every coefficient of the class that has none of its own; for ``sd`` and ``cor`` the
    most specific of (group and coef), group, class wins. As in brms, ``dpar`` is never inherited: ``class_="b"``
    means the coefficients of ``mu`` only. Correlations have no ``dpar``: a prior for ``cor`` reaches those of its
    grouping factor in every predictor.

    Args:
        distribution: ``"normal(0, 10)"``, a prior object such as ``normal(0, 10)``, ``"flat"``, or ``"constant(1)"``
            (also a plain number), which fixes the parameter.
        class_: ``b`` (population-level coefficients), ``Intercept`` (of centred predictors), ``sd``, ``cor`` (LKJ), or
            a parameter of the family such as ``sigma``.
        coef: label of one coefficient as the summary prints it; brms's spelling is understood too.
        group: a grouping factor (``sd``, ``cor``).
        dpar: the parameter whose predictor is meant, when not ``mu``.
        lb: lower bound; the density is normalised on the bounded interval.
        ub: upper bound.
        resp: the response that is meant, in a model of several.
        nlpar: the nonlinear parameter whose predictor is meant.

    Raises:
        PriorError: the text is not a distribution, or a bound is not a number, or ``lb >= ub``.

    Example:
        >>> import bayesml
        >>> bayesml.prior("normal(0, 10)", class_="b", coef="Days")
        Prior(distribution=Normal(mu=0, sigma=10), prior_class='b', coef='Days', ...)
    """
    for name, value in (
        ("class_", class_),
        ("coef", coef),
        ("group", group),
        ("dpar", dpar),
        ("resp", resp),
        ("nlpar", nlpar),
    ):
        if not isinstance(value, str):
            raise PriorError(f"`{name}` of a prior is a string; got {value!r}.")
    for name, bound in (("lb", lb), ("ub", ub)):
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, (int, float)) or bound != bound):
            raise PriorError(f"`{name}` of a prior is a number; got {bound!r}.")
    if lb is not None and ub is not None and lb >= ub:
        raise PriorError(f"The lower bound {lb:g} of the prior is not below its upper bound {ub:g}.")
    dpar = "" if dpar == "mu" else dpar
    return Prior(_as_distribution(distribution), class_, coef, group, dpar, lb, ub, resp, nlpar)


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
        _refuse_family(stranger)
        raise PriorError(
            f'`prior` takes prior("normal(0, 10)", class_="b") or a list of several; got {_shown(stranger)}.'
        )
    return listed


def _shown(value: object) -> str:
    return f"the distribution {value}" if isinstance(value, Distribution) else f"{value!r:.80}"


def _refuse_family(value: object) -> None:
    """Refuse a family of responses; some priors have the same name."""
    name = value.name if isinstance(value, AbstractFamily) else next((n for n, f in FAMILIES.items() if f is value), "")
    if name:
        own = f"; the prior is bayesml.{name}(...)" if name in DISTRIBUTIONS else ""
        raise PriorError(f"A prior got the family {name}, which is for `family=`{own}.")


def _as_distribution(value: str | float | Distribution | AbstractJointPrior) -> Distribution | AbstractJointPrior:
    if isinstance(value, (Distribution, AbstractJointPrior)):
        return value
    _refuse_family(value)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise PriorError(f'A prior is text such as "normal(0, 10)" or an object such as normal(0, 10); got {value!r}.')
    return parse_prior(value if isinstance(value, str) else f"constant({value!r})")
