"""The variables a posterior reports: their names, dimensions and labels, and the text name of every element."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

from bayesml import names
from bayesml.design import Schema
from bayesml.keys import PredictorKey
from bayesml.spec import ModelSpec
from bayesml.terms import Group, Population

__all__ = ["ReportedVariable", "find_text", "reported_names", "reported_variables"]


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
        texts: ``(index, text name)`` of each element.
        predictor: the predictor it belongs to.
        group: its grouping factor, or empty.
        pairs: of ``cor`` the two coefficients of each element; what is zero by the model is not among them.
    """

    name: str
    kind: str
    dims: tuple[str, ...]
    coords: tuple[tuple[str, ...], ...]
    texts: tuple[tuple[tuple[int, ...], str], ...]
    predictor: PredictorKey
    group: str = ""
    pairs: tuple[tuple[str, str], ...] = ()


def reported_variables(spec: ModelSpec, schema: Schema) -> tuple[ReportedVariable, ...]:
    """Return every reported variable in the order of the summary: b, sd, cor, family parameters, group effects."""
    terms = [term for predictor in schema.predictors for term in predictor.terms]
    groups = [term for term in terms if isinstance(term, Group)]
    population = [_population(term) for term in terms if isinstance(term, Population)]
    hyper = [v for group in groups for v in _hyperparameters(group)]
    single = [
        ReportedVariable(p.name, "family", (), (), (((), p.name),), PredictorKey(dpar=p.name))
        for p in spec.parameters
        if p.prior_class not in TERM_CLASSES
    ]
    return (*population, *hyper, *single, *(_effects(group) for group in groups))


def reported_names(spec: ModelSpec, schema: Schema) -> tuple[str, ...]:
    """Return the names of the reported variables."""
    return tuple(v.name for v in reported_variables(spec, schema))


def _population(term: Population) -> ReportedVariable:
    dim = names.coefficient_dimension(term.predictor)
    texts = tuple(((i,), names.coefficient(coef, term.predictor)) for i, coef in enumerate(term.coefs))
    name = names.population_variable(term.predictor)
    return ReportedVariable(name, "b", (dim,), (term.coefs,), texts, term.predictor)


def group_dimension(group: Group, over: str) -> str:
    """Return ``Subject_sd``, ``Subject_cor`` or ``Subject_coef``, with the parameter in between: ``Subject__sigma_sd``.

    Standard deviations and effects have a dimension each, though both run over the varying columns: ArviZ 1.x stacks
    the dimensions of a whole data set in one order and labels each variable in its own, which give the same labels only
    where a dimension that variables share, such as the levels, comes first in all of them.
    """
    return names.group_dimension(group.name, group.predictor, over)


def _hyperparameters(group: Group) -> Iterator[ReportedVariable]:
    sds = tuple(((i,), names.group_sd(group.name, coef, group.predictor)) for i, coef in enumerate(group.coefs))
    yield ReportedVariable(
        names.group_sd_variable(group.name, group.predictor),
        "sd",
        (group_dimension(group, "sd"),),
        (group.coefs,),
        sds,
        group.predictor,
        group.name,
    )
    pairs = tuple((group.coefs[i], group.coefs[j]) for i, j in group.pairs())
    if pairs:
        yield ReportedVariable(
            names.correlation_variable(group.name, group.predictor),
            "cor",
            (group_dimension(group, "cor"),),
            (tuple(names.correlation_label(*pair) for pair in pairs),),
            tuple(((k,), names.correlation(group.name, *pair, group.predictor)) for k, pair in enumerate(pairs)),
            group.predictor,
            group.name,
            pairs,
        )


def _effects(group: Group) -> ReportedVariable:
    texts = tuple(
        ((i, j), names.group_effect(group.name, level, coef, group.predictor))
        for i, level in enumerate(group.levels.labels)
        for j, coef in enumerate(group.coefs)
    )
    dims = (names.dimension(group.name), group_dimension(group, "coef"))
    return ReportedVariable(
        names.group_effect_variable(group.name, group.predictor),
        "r",
        dims,
        (group.levels.labels, group.coefs),
        texts,
        group.predictor,
        group.name,
    )


def find_text(variables: Sequence[ReportedVariable], name: str) -> tuple[ReportedVariable, str] | None:
    """Return the element that a text name addresses: exactly, in brms's spelling, or with factors in another order.

    None is returned where nothing fits, and where ``name`` is that of a whole variable.
    """
    every = [(variable, text) for variable in variables for _, text in variable.texts]
    exact = next((each for each in every if each[1] == name), None)
    if exact is not None or any(variable.name == name for variable in variables):
        return exact
    alias = names.brms_alias(name)
    same = next((each for each in every if names.brms_alias(each[1]) == alias), None)
    if same is not None or ":" not in name:
        return same
    alike = ((variable, text) for variable, text in every if ":" in text and text[:2] == name[:2])
    return next(((v, text) for v, text in alike if alias in map(names.brms_alias, _reordered(v, text))), None)


def _reordered(variable: ReportedVariable, text: str) -> list[str]:
    """Return a text name with the factors of its coefficients and of its grouping factor in every order."""
    labels = (variable.group, *(label for labels in variable.coords[-1:] for label in labels))
    texts = [text]
    for label in labels:
        if ":" in label and label in text:
            texts += [each.replace(label, other) for each in texts for other in names.reorderings(label)]
    return texts
