"""The variables that a posterior reports, in the order of the summary."""

from __future__ import annotations

from itertools import combinations

from bayesml.design import Schema
from bayesml.keys import PredictorKey
from bayesml.names import axis_parameter, correlation_label, of_response, response_correlation
from bayesml.spec import ModelSpec, ParameterSpec
from bayesml.variables import ReportedVariable

__all__ = ["reported_names", "reported_variables"]

SECTION = "Further Distributional Parameters"
CORRELATIONS_OF_TIME = "Correlation Structures"
CORRELATIONS_OF = {"rescor": "Residual Correlations", "cortime": CORRELATIONS_OF_TIME}
"""Sections of the correlations of residuals, by their class."""
AUTOCORRELATION = ("ar", "ma", "cosy", "toep", "sderr")
"""Classes of the parameters of residual terms."""
ORDER = (
    "thresholds",
    "b",
    "bcs",
    "bsp",
    "bs",
    "autocor",
    "sds",
    "sdgp",
    "lscale",
    "sd",
    "df",
    "simo",
    "family",
    "shrinkage",
    "lncor",
    "rescor",
    "s",
    "err",
    "zgp",
    "latent",
    "r",
)
"""Kinds of variables in the order of the summary; the correlations of a group stand behind its standard deviations.

A kind that is not listed is one of coefficients and stands with those of smooths.
"""


def reported_variables(spec: ModelSpec, schema: Schema) -> tuple[ReportedVariable, ...]:
    """Return every reported variable: coefficients, hyperparameters, family parameters, group effects."""
    of_terms = [v for predictor in schema.predictors for term in predictor.terms for v in term.reported()]
    known = {variable.name for variable in of_terms}
    of_terms += [_family_parameter(p) for p in spec.parameters if p.is_family_parameter and p.name not in known]
    of_terms += [_correlations(p) for p in spec.parameters if p.correlated]
    of_terms += [_of_joint_prior(p) for p in _numbers_of_joint_priors(spec)]
    return tuple(sorted(of_terms, key=_place))


def _numbers_of_joint_priors(spec: ModelSpec) -> list[ParameterSpec]:
    """Return the single parameters of joint priors that have a prior themselves: ``hs_global``, ``R2D2_R2``."""
    every = {p.name: p for each in spec.joint for p in each.prior.parameters(each.target)}
    return [p for p in every.values() if p.prior_class and not p.shape]


def _of_joint_prior(parameter: ParameterSpec) -> ReportedVariable:
    """Return a parameter of a joint prior, which the summary leaves out as brms does."""
    name = parameter.name
    return ReportedVariable(name, "shrinkage", (), (), (((), name),), parameter.predictor)


def _place(variable: ReportedVariable) -> int:
    kind = "sd" if variable.kind == "cor" else variable.kind
    return ORDER.index(kind if kind in ORDER else "bs")


def _family_parameter(parameter: ParameterSpec) -> ReportedVariable:
    """Return a number, or a vector with an element for each component: ``theta1``, ``theta2``."""
    name, resp = parameter.name, parameter.predictor.resp
    of = PredictorKey(resp, parameter.prior_class)
    if not parameter.shape:
        if parameter.prior_class in AUTOCORRELATION:
            section = CORRELATIONS_OF_TIME
            return ReportedVariable(name, "autocor", (), (), (((), name),), of, section=section, printed=(name,))
        return ReportedVariable(name, "family", (), (), (((), name),), of, section=SECTION, printed=(name,))
    numbers = tuple(str(k + 1) for k in range(parameter.shape[0]))
    if parameter.prior_class in AUTOCORRELATION:
        texts = tuple(((k,), f"{name}[{number}]") for k, number in enumerate(numbers))
        printed = tuple(text for _, text in texts)
        return ReportedVariable(
            name, "autocor", (f"{name}_lag",), (numbers,), texts, of, section=CORRELATIONS_OF_TIME, printed=printed
        )
    if parameter.prior_class == "sbhaz":
        return _weights_of_splines(parameter, numbers, of)
    printed = tuple(of_response(parameter.prior_class + number, resp) for number in numbers)
    texts = tuple(((k,), text) for k, text in enumerate(printed))
    return ReportedVariable(name, "family", ("component",), (numbers,), texts, of, section=SECTION, printed=printed)


def _weights_of_splines(parameter: ParameterSpec, numbers: tuple[str, ...], of: PredictorKey) -> ReportedVariable:
    """Return weights that the summary does not show: ``sbhaz[1]``, ``sbhaz[group,1]``."""
    own, name = of_response(parameter.prior_class, of.resp), parameter.name
    before = f"{parameter.group}," if parameter.group else ""
    texts = tuple(((k,), f"{own}[{before}{number}]") for k, number in enumerate(numbers))
    return ReportedVariable(name, "family", (f"{own}_spline",), (numbers,), texts, of)


def _correlations(parameter: ParameterSpec) -> ReportedVariable:
    """Return the correlation of each pair of what a parameter of the response distribution correlates."""
    kind, of = parameter.prior_class, parameter.predictor
    own = axis_parameter(kind, parameter.group) if parameter.group else kind
    name, pairs = of_response(own, of.resp), tuple(combinations(parameter.correlated, 2))
    texts = tuple(((k,), response_correlation(name, *pair)) for k, pair in enumerate(pairs))
    is_residual = kind in CORRELATIONS_OF
    return ReportedVariable(
        name,
        kind,
        (f"{name}_pair",),
        (tuple(correlation_label(*pair) for pair in pairs),),
        texts,
        of,
        section=CORRELATIONS_OF[kind] if is_residual else SECTION,
        printed=tuple(f"{name}({a},{b})" for a, b in pairs) if is_residual else tuple(text for _, text in texts),
    )


def reported_names(spec: ModelSpec, schema: Schema) -> tuple[str, ...]:
    """Return the names of the reported variables."""
    return tuple(v.name for v in reported_variables(spec, schema))
