"""Which prior each parameter gets: the user's most specific one, else the default's most specific one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from bayesml.distributions import Distribution, bounded, is_lkj
from bayesml.errors import PriorError, did_you_mean
from bayesml.names import brms_alias
from bayesml.priors.language import Prior
from bayesml.priors.table import PriorRow, PriorTable
from bayesml.spec import Bounds, ParameterSpec

__all__ = ["Resolution", "resolve"]

Target = tuple[str, str, str, str]


@final
@dataclass(frozen=True)
class Resolution:
    """The outcome of prior resolution.

    Attributes:
        parameters: the parameters with a bounded prior for each label.
        table: all targets with what was set on them.
    """

    parameters: tuple[ParameterSpec, ...]
    table: PriorTable


def resolve(parameters: Sequence[ParameterSpec], defaults: PriorTable, priors: Sequence[Prior]) -> Resolution:
    """Match the user's priors to the targets of ``defaults`` and give every parameter its priors.

    Raises:
        PriorError: a prior matches no target (the message lists those there are), two priors have the same target,
            or a distribution is impossible for its parameter.
    """
    user = _matched(defaults, priors)
    rows = tuple(_user_row(row, user[row.target]) if row.target in user else row for row in defaults.rows)
    table = PriorTable(rows)
    given = {row.target: row for row in rows}
    resolved = tuple(_with_priors(p, given, user) if p.prior_class else p for p in parameters)
    return Resolution(resolved, table)


def _matched(defaults: PriorTable, priors: Sequence[Prior]) -> dict[Target, Prior]:
    matched: dict[Target, Prior] = {}
    for each in priors:
        if not isinstance(each, Prior):
            raise PriorError(f'`prior` takes a list of prior("...", class_=...) values; got {each!r}.')
        row = _find(defaults, each)
        if row is None:
            raise PriorError(_no_match(defaults, each))
        if row.target in matched:
            raise PriorError(f"Two priors for the same parameters: {matched[row.target]} and {each}. Keep one of them.")
        _check_kind(each, row)
        matched[row.target] = each
    return matched


def _find(defaults: PriorTable, given: Prior) -> PriorRow | None:
    exact = next((r for r in defaults.rows if r.target == given.target), None)
    if exact is not None:
        return exact
    wanted = (given.prior_class, given.dpar, brms_alias(given.group), brms_alias(given.coef))
    for row in defaults.rows:
        if (row.prior_class, row.dpar, brms_alias(row.group), brms_alias(row.coef)) == wanted:
            return row
    return None


def _no_match(defaults: PriorTable, given: Prior) -> str:
    possible = "\n".join(f"    {_spell(row)}" for row in defaults.rows)
    names = [r.coef or r.prior_class for r in defaults.rows]
    hint = did_you_mean(given.coef or given.prior_class, names)
    return (
        f"{given} matches no parameter of the model{hint}. Priors can be set on\n{possible}\n"
        "`default_prior(formula, data, family)` shows this table with the defaults."
    )


def _spell(row: PriorRow) -> str:
    parts = [f'class_="{row.prior_class}"'] + [
        f'{key}="{value}"' for key, value in (("coef", row.coef), ("group", row.group), ("dpar", row.dpar)) if value
    ]
    return ", ".join(parts)


def _check_kind(given: Prior, row: PriorRow) -> None:
    if row.prior_class == "cor":
        if not is_lkj(given.distribution):
            raise PriorError(f'{given}: a correlation matrix takes an LKJ prior, for example "lkj(2)".')
        if given.lower is not None or given.upper is not None:
            raise PriorError(f"{given}: a correlation matrix takes no bounds.")
    elif is_lkj(given.distribution):
        raise PriorError(f'{given}: "lkj" is for correlation matrices only (class_="cor").')


def _user_row(row: PriorRow, given: Prior) -> PriorRow:
    return replace(row, distribution=given.distribution, bounds=_bounds(row.bounds, given), source="user")


def _bounds(own: Bounds, given: Prior) -> Bounds:
    lower = own[0] if given.lower is None else float(given.lower)
    upper = own[1] if given.upper is None else float(given.upper)
    if lower < own[0] or upper > own[1]:
        raise PriorError(
            f"{given}: the bounds ({lower:g}, {upper:g}) reach outside the possible values ({own[0]:g}, {own[1]:g})."
        )
    return lower, upper


def _candidates(parameter: ParameterSpec, coef: str) -> tuple[Target, ...]:
    """Return the targets that reach one label, the most specific first."""
    kind, dpar = parameter.prior_class, "" if parameter.dpar == "mu" else parameter.dpar
    group = parameter.group
    targets = [(kind, dpar, group, coef), (kind, dpar, group, ""), (kind, dpar, "", "")]
    return tuple(dict.fromkeys(targets))


def _with_priors(parameter: ParameterSpec, rows: dict[Target, PriorRow], user: dict[Target, Prior]) -> ParameterSpec:
    chosen = [_choose(parameter, coef, rows, user) for coef in parameter.labels]
    if parameter.is_cholesky:
        return replace(parameter, priors=tuple(d for d, _ in chosen))
    return replace(
        parameter,
        priors=tuple(_bounded(parameter, c, d, b) for c, (d, b) in zip(parameter.labels, chosen, strict=True)),
    )


def _choose(
    parameter: ParameterSpec, coef: str, rows: dict[Target, PriorRow], user: dict[Target, Prior]
) -> tuple[Distribution, Bounds]:
    candidates = [t for t in _candidates(parameter, coef) if t in rows]
    target = next((t for t in candidates if t in user), None)
    if target is None:
        target = next(t for t in candidates if rows[t].distribution is not None)
    distribution = rows[target].distribution
    assert distribution is not None
    return distribution, rows[target].bounds


def _bounded(parameter: ParameterSpec, coef: str, distribution: Distribution, bounds: Bounds) -> Distribution:
    try:
        return bounded(distribution, max(bounds[0], parameter.bounds[0]), min(bounds[1], parameter.bounds[1]))
    except PriorError as error:
        where = coef or parameter.group or parameter.name
        raise PriorError(f'The prior {distribution} of class "{parameter.prior_class}" ({where}): {error}') from None
