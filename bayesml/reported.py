"""The variables that a posterior reports, in the order of the summary."""

from __future__ import annotations

from bayesml.design import Schema
from bayesml.keys import PredictorKey
from bayesml.spec import ModelSpec
from bayesml.variables import ReportedVariable

__all__ = ["reported_names", "reported_variables"]

SECTION = "Further Distributional Parameters"
ORDER = ("thresholds", "b", "bcs", "bsp", "bs", "sds", "sd", "simo", "family", "s", "r")
"""Kinds of variables in the order of the summary; the correlations of a group stand behind its standard deviations.

A kind that is not listed is one of coefficients and stands with those of smooths.
"""


def reported_variables(spec: ModelSpec, schema: Schema) -> tuple[ReportedVariable, ...]:
    """Return every reported variable: coefficients, hyperparameters, family parameters, group effects."""
    of_terms = [v for predictor in schema.predictors for term in predictor.terms for v in term.reported()]
    of_terms += [_family_parameter(p.name, p.shape) for p in spec.parameters if p.is_family_parameter]
    return tuple(sorted(of_terms, key=_place))


def _place(variable: ReportedVariable) -> int:
    kind = "sd" if variable.kind == "cor" else variable.kind
    return ORDER.index(kind if kind in ORDER else "bs")


def _family_parameter(name: str, shape: tuple[int, ...]) -> ReportedVariable:
    """Return a number, or a vector with an element for each component: ``theta1``, ``theta2``."""
    of = PredictorKey(dpar=name)
    if not shape:
        return ReportedVariable(name, "family", (), (), (((), name),), of, section=SECTION, printed=(name,))
    numbers = tuple(str(k + 1) for k in range(shape[0]))
    printed = tuple(name + number for number in numbers)
    texts = tuple(((k,), text) for k, text in enumerate(printed))
    return ReportedVariable(name, "family", ("component",), (numbers,), texts, of, section=SECTION, printed=printed)


def reported_names(spec: ModelSpec, schema: Schema) -> tuple[str, ...]:
    """Return the names of the reported variables."""
    return tuple(v.name for v in reported_variables(spec, schema))
