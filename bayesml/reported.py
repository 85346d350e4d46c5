"""The variables a posterior reports: their names, dimensions and labels, and the text name of every element."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import final

from bayesml import names
from bayesml.design import Schema
from bayesml.spec import ModelSpec
from bayesml.terms import Group, Population

__all__ = ["ReportedVariable", "reported_names", "reported_variables"]


TERM_CLASSES = frozenset({"", "b", "Intercept", "sd", "cor"})


@final
@dataclass(frozen=True)
class ReportedVariable:
    """One variable of the posterior.

    Attributes:
        name: its name in ``fit.idata``.
        kind: ``b``, ``sd``, ``cor``, ``r`` or ``family``.
        dims: names of its dimensions after chain and draw.
        coords: labels along each of them.
        texts: ``(index, text name)`` of each element; of a correlation matrix the elements above the diagonal that are
            not zero by the model.
        dpar: its distributional parameter.
        group: its grouping factor, or empty.
    """

    name: str
    kind: str
    dims: tuple[str, ...]
    coords: tuple[tuple[str, ...], ...]
    texts: tuple[tuple[tuple[int, ...], str], ...]
    dpar: str
    group: str = ""


def reported_variables(spec: ModelSpec, schema: Schema) -> tuple[ReportedVariable, ...]:
    """Return every reported variable in the order of the summary: b, sd, cor, family parameters, group effects."""
    terms = [term for predictor in schema.predictors for term in predictor.terms]
    groups = [term for term in terms if isinstance(term, Group)]
    population = [_population(term) for term in terms if isinstance(term, Population)]
    hyper = [v for group in groups for v in _hyperparameters(group)]
    single = [
        ReportedVariable(p.name, "family", (), (), (((), p.name),), p.name)
        for p in spec.parameters
        if p.prior_class not in TERM_CLASSES
    ]
    return (*population, *hyper, *single, *(_effects(group) for group in groups))


def reported_names(spec: ModelSpec, schema: Schema) -> tuple[str, ...]:
    """Return the names of the reported variables."""
    return tuple(v.name for v in reported_variables(spec, schema))


def _population(term: Population) -> ReportedVariable:
    dim = "coef" if term.dpar == "mu" else f"{term.dpar}_coef"
    texts = tuple(((i,), names.coefficient(coef, term.dpar)) for i, coef in enumerate(term.coefs))
    return ReportedVariable(names.population_variable(term.dpar), "b", (dim,), (term.coefs,), texts, term.dpar)


def coefficient_dimension(group: Group) -> str:
    """Return the dimension over the varying columns of a grouping factor."""
    dpar = "" if group.dpar == "mu" else f"__{group.dpar}"
    return f"{names.variable(group.name)}{dpar}_coef"


def _hyperparameters(group: Group) -> Iterator[ReportedVariable]:
    dim = coefficient_dimension(group)
    sds = tuple(((i,), names.group_sd(group.name, coef, group.dpar)) for i, coef in enumerate(group.coefs))
    yield ReportedVariable(
        names.group_sd_variable(group.name, group.dpar), "sd", (dim,), (group.coefs,), sds, group.dpar, group.name
    )
    pairs = tuple(
        ((i, j), names.correlation(group.name, group.coefs[i], group.coefs[j], group.dpar))
        for block in group.block_slices()
        for i, j in combinations(range(block.start, block.stop), 2)
    )
    if pairs:
        yield ReportedVariable(
            names.correlation_variable(group.name, group.dpar),
            "cor",
            (dim, f"{dim}_bis"),
            (group.coefs, group.coefs),
            pairs,
            group.dpar,
            group.name,
        )


def _effects(group: Group) -> ReportedVariable:
    texts = tuple(
        ((i, j), names.group_effect(group.name, level, coef, group.dpar))
        for i, level in enumerate(group.levels)
        for j, coef in enumerate(group.coefs)
    )
    dims = (names.dimension(group.name), coefficient_dimension(group))
    return ReportedVariable(
        names.group_effect_variable(group.name, group.dpar),
        "r",
        dims,
        (group.levels, group.coefs),
        texts,
        group.dpar,
        group.name,
    )
