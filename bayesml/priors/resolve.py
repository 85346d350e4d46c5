"""Which prior each parameter gets: the user's most specific one, else the default's most specific one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from bayesml.distributions import (
    LKJ,
    Constant,
    ConstantArray,
    Dirichlet,
    Distribution,
    Uniform,
    WholeDistribution,
    bounded,
)
from bayesml.errors import PriorError, did_you_mean, warn_user
from bayesml.names import find_coefficient, same_interaction
from bayesml.priors.each_coefficient import with_each_coefficient
from bayesml.priors.held import held_array
from bayesml.priors.joint import AbstractJointPrior
from bayesml.priors.language import Prior
from bayesml.priors.per_coefficient import PerCoefficient
from bayesml.priors.table import FIXED, PriorRow, PriorTable, Target, flat_target
from bayesml.spec import Bounds, ParameterSpec

__all__ = ["Resolution", "resolve"]


SHARED_CLASSES = frozenset({"cor", "df"})
"""Classes whose priors hold in every predictor alike."""
RESPONSE = 1
"""Place of the response in a flat target."""
WHOLES: dict[type[Distribution], tuple[str, str]] = {
    LKJ: ("a correlation matrix", 'an LKJ prior, for example "lkj(2)"'),
    Dirichlet: ("a simplex", 'a Dirichlet prior, for example "dirichlet(2, 1, 1)"'),
}


@final
@dataclass(frozen=True)
class Resolution:
    """The outcome of prior resolution.

    Attributes:
        parameters: the parameters with a bounded prior for each label.
        table: all targets with what was set on them.
        joint: the joint prior of parameters that have one, by name; they have no other.
    """

    parameters: tuple[ParameterSpec, ...]
    table: PriorTable
    joint: Mapping[str, AbstractJointPrior]


def resolve(parameters: Sequence[ParameterSpec], defaults: PriorTable, priors: Sequence[Prior]) -> Resolution:
    """Match the user's priors to the targets of ``defaults`` and give every parameter its priors.

    Raises:
        PriorError: a prior matches no target (the message lists those there are), two priors have the same target,
            or a distribution is impossible for its parameter.

    Warns:
        FitWarning: a distribution allows only a part of the values that its parameter can have, unasked.
    """
    user = _matched(defaults, with_each_coefficient(priors, parameters))
    rows = tuple(_settled(row, user) for row in defaults.rows)
    for row in rows:
        if row.target in user:
            _warn_of_truncation(user[row.target], row)
    table = PriorTable(rows)
    by_target = {row.target: row for row in rows}
    resolved = tuple(_with_priors(p, by_target, user) if p.prior_class else p for p in parameters)
    joint = {p.name: prior for p in parameters if p.prior_class and (prior := _joint_prior(p, by_target, user))}
    return Resolution(resolved, table, joint)


def _joint_prior(
    parameter: ParameterSpec, rows: dict[Target, PriorRow], user: dict[Target, Prior]
) -> AbstractJointPrior | None:
    chosen = _choose(parameter, parameter.targets[0], rows, user).distribution
    return chosen if isinstance(chosen, AbstractJointPrior) else None


def _matched(defaults: PriorTable, priors: Sequence[Prior]) -> dict[Target, Prior]:
    matched: dict[Target, Prior] = {}
    for prior in priors:
        if not isinstance(prior, Prior):
            raise PriorError(f'`prior` takes a list of prior("...", class_=...) values; got {prior!r}.')
        row = _find(defaults, prior)
        if row is None:
            raise PriorError(_no_match(defaults, prior))
        if row.source == FIXED:
            raise PriorError(
                f"{prior}: the formula holds `{row.prior_class}` at {row.distribution}; leave one of the two out."
            )
        if row.target in matched:
            raise PriorError(
                f"Two priors for the same parameters: {matched[row.target]} and {prior}. Keep one of them."
            )
        _check_kind(prior, row)
        matched[row.target] = prior
    _refuse_beside_joint(matched)
    return matched


def _refuse_beside_joint(matched: dict[Target, Prior]) -> None:
    """Refuse priors of single coefficients where a joint prior holds for all of them."""
    for (prior_class, predictor, group, coef), each in matched.items():
        joint = matched.get((prior_class, predictor, "", ""))
        if (coef or group) and joint is not None and isinstance(joint.distribution, AbstractJointPrior):
            raise PriorError(f"{each}: {joint} is the prior of all coefficients; leave one of the two out.")


def _find(defaults: PriorTable, prior: Prior) -> PriorRow | None:
    exact = next((r for r in defaults.rows if r.target == prior.target), None)
    if exact is not None:
        return exact
    group = same_interaction(prior.group)
    rows = [r for r in defaults.rows if r.target[:2] == prior.target[:2]]
    rows = [r for r in rows if same_interaction(r.group) == group and bool(r.coef) == bool(prior.coef)]
    place = find_coefficient(prior.coef, [r.coef for r in rows])
    return None if place is None else rows[place]


def _no_match(defaults: PriorTable, prior: Prior) -> str:
    possible = "\n".join(f"    {_spell(row)}" for row in defaults.rows)
    return (
        f"{prior} matches no parameter of the model{_closest(defaults, prior)}. Priors can be set on\n{possible}\n"
        "`default_prior(formula, data, family)` shows this table with the defaults."
    )


def _closest(defaults: PriorTable, prior: Prior) -> str:
    """Return a hint about the first part of the target that fits no row, given that the parts before it do."""
    if prior.prior_class == "L":
        return ' (brms\'s class "L" is class_="cor" here)'
    if prior.prior_class == "b" and prior.coef == "Intercept":
        return ' (the intercept has a class of its own, class_="Intercept"; only `0 + Intercept` makes it a `b`)'
    rows = list(defaults.rows)
    wanted = flat_target(prior.target)
    for part, value in enumerate(wanted):
        fitting = [row for row in rows if flat_target(row.target)[part] == value]
        if not fitting and part == RESPONSE and not value:
            return f' (say of which response it is the prior, resp="{flat_target(rows[0].target)[part]}")'
        if not fitting:
            return did_you_mean(value, dict.fromkeys(flat_target(row.target)[part] for row in rows))
        rows = fitting
    return ""


def _spell(row: PriorRow) -> str:
    parts = [f'class_="{row.prior_class}"'] + [
        f'{key}="{value}"'
        for key, value in zip(
            ("coef", "group", "resp", "dpar", "nlpar"), (row.coef, row.group, *row.predictor), strict=True
        )
        if value
    ]
    return ", ".join(parts)


def _check_kind(prior: Prior, row: PriorRow) -> None:
    distribution = prior.distribution
    if row.whole is not None:
        what, example = WHOLES[row.whole]
        if not isinstance(distribution, (row.whole, Constant, ConstantArray)):
            raise PriorError(f"{prior}: {what} takes {example}.")
        if prior.lower is not None or prior.upper is not None:
            raise PriorError(f"{prior}: {what} takes no bounds.")
    elif isinstance(distribution, LKJ):
        raise PriorError(f'{prior}: "lkj" is for correlation matrices only (class_="cor").')
    elif isinstance(distribution, ConstantArray):
        raise PriorError(f"{prior}: a constant matrix is for correlations only, a vector for a simplex.")
    elif isinstance(distribution, WholeDistribution):
        raise PriorError(f'{prior}: "{distribution.name}" is for simplexes only, such as class_="simo".')
    elif isinstance(distribution, AbstractJointPrior):
        _check_joint(prior, row, distribution)


def _check_joint(prior: Prior, row: PriorRow, joint: AbstractJointPrior) -> None:
    if row.prior_class not in joint.classes or row.coef or row.group:
        possible = " or ".join(f'class_="{each}"' for each in sorted(joint.classes))
        raise PriorError(
            f'{prior}: "{joint.name}" is a prior of all coefficients of a predictor; write {possible} alone, without '
            "`coef` and `group`."
        )
    if prior.lower is not None or prior.upper is not None:
        raise PriorError(f'{prior}: "{joint.name}" takes no bounds.')


def _settled(row: PriorRow, user: dict[Target, Prior]) -> PriorRow:
    """Return the row with the user's prior on it; a default that a wider prior of the user replaces is inherited."""
    wider = [user[target] for target in _levels_of(row.target)[1:] if target in user]
    if row.target in user:
        prior = user[row.target]
        assert not isinstance(prior.distribution, PerCoefficient)
        bounds = _bounds(row.bounds, prior, wider)
        return replace(row, distribution=prior.distribution, bounds=bounds, source="user", tag=prior.tag)
    if wider and row.distribution is not None:
        return replace(row, distribution=None, source="(vectorized)")
    return row


def _warn_of_truncation(prior: Prior, row: PriorRow) -> None:
    """Warn of an ``exponential(1)`` on a coefficient, which is then positive, unless bounds say that this is meant."""
    distribution = prior.distribution
    if not isinstance(distribution, Distribution) or isinstance(distribution, (Uniform, Constant, WholeDistribution)):
        return
    lower, upper = distribution.support
    if lower <= row.bounds[0] and upper >= row.bounds[1]:
        return
    allowed = " and ".join(
        f"{side} {limit:g}" for side, limit in (("above", lower), ("below", upper)) if abs(limit) < float("inf")
    )
    bounds = ", ".join(f"{key}={limit:g}" for key, limit in (("lb", lower), ("ub", upper)) if abs(limit) < float("inf"))
    warn_user(
        f"{prior} allows only values {allowed}, where the parameter has no such limit. Say so with {bounds} if this is "
        "meant; else choose a prior on all numbers, such as normal(0, 1)."
    )


def _bounds(possible: Bounds, prior: Prior, wider: Sequence[Prior]) -> Bounds:
    """Return the bounds given, else those of the closest wider prior, else the model's own."""
    lowers = [p.lower for p in (prior, *wider) if p.lower is not None]
    uppers = [p.upper for p in (prior, *wider) if p.upper is not None]
    lower, upper = float(lowers[0]) if lowers else possible[0], float(uppers[0]) if uppers else possible[1]
    if lower < possible[0] or upper > possible[1]:
        raise PriorError(
            f"{prior}: the bounds ({lower:g}, {upper:g}) reach outside the possible values "
            f"({possible[0]:g}, {possible[1]:g})."
        )
    if lower >= upper:
        raise PriorError(f"{prior}: with the bounds of the whole class it has to lie between {lower:g} and {upper:g}.")
    return lower, upper


def _levels_of(target: Target) -> tuple[Target, ...]:
    """Return the target itself and the wider ones it inherits from, the most specific first."""
    kind, predictor, group, _ = target
    return tuple(dict.fromkeys([target, (kind, predictor, group, ""), (kind, predictor, "", "")]))


def _candidates(parameter: ParameterSpec, coef: str) -> tuple[Target, ...]:
    """Return the targets that reach one label, the most specific first."""
    predictor = ("", "", "") if parameter.prior_class in SHARED_CLASSES else parameter.predictor.target
    return _levels_of((parameter.prior_class, predictor, parameter.group, coef))


def _with_priors(parameter: ParameterSpec, rows: dict[Target, PriorRow], user: dict[Target, Prior]) -> ParameterSpec:
    chosen = [_choose(parameter, coef, rows, user) for coef in parameter.targets]
    first = chosen[0].distribution
    if isinstance(first, AbstractJointPrior):
        return parameter
    tagged = replace(parameter, tags=tuple(row.tag for row in chosen))
    if parameter.is_whole and isinstance(first, (Constant, ConstantArray)):
        return replace(tagged, priors=(held_array(parameter, first),))
    if isinstance(first, WholeDistribution):
        first.check_shape(parameter.shape)
    if parameter.is_whole:
        return replace(tagged, priors=tuple(row.distribution for row in chosen))
    if parameter.support.is_whole and any(isinstance(row.distribution, Constant) for row in chosen):
        raise PriorError(
            f'The elements of class "{parameter.prior_class}" depend on each other, so that single ones cannot be '
            "constant in this version of bayesml. A narrow prior such as normal(-1, 0.01) is close to it."
        )
    each = zip(parameter.labels, chosen, strict=True)
    return replace(tagged, priors=tuple(_bounded(parameter, c, row.distribution, row.bounds) for c, row in each))


def _choose(parameter: ParameterSpec, coef: str, rows: dict[Target, PriorRow], user: dict[Target, Prior]) -> _Chosen:
    candidates = [t for t in _candidates(parameter, coef) if t in rows]
    target = next((t for t in candidates if t in user), None)
    if target is None:
        target = next((t for t in candidates if rows[t].distribution is not None), None)
    if target is None:
        raise PriorError(
            f'The parameter `{parameter.name}` of class "{parameter.prior_class}" has no default prior: the term or '
            "family that it belongs to gives none among its rows of the prior table."
        )
    distribution = rows[target].distribution
    assert distribution is not None
    return _Chosen(distribution, rows[target].bounds, rows[target].tag)


@final
@dataclass(frozen=True)
class _Chosen:
    """The prior of one label."""

    distribution: Any
    bounds: Bounds
    tag: str


def _bounded(parameter: ParameterSpec, coef: str, distribution: Distribution, bounds: Bounds) -> Distribution:
    try:
        return bounded(distribution, max(bounds[0], parameter.bounds[0]), min(bounds[1], parameter.bounds[1]))
    except PriorError as error:
        where = coef or parameter.group or parameter.name
        raise PriorError(f'The prior {distribution} of class "{parameter.prior_class}" ({where}): {error}') from None
