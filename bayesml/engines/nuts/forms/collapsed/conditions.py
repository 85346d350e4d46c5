"""What stands against integrating the effects of a model out, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bayesml.engines.base import Problem
from bayesml.engines.nuts.forms.collapsed.cells import MOST_CELLS, sigma_cells
from bayesml.engines.nuts.forms.collapsed.shrunken import can_be_integrated
from bayesml.families import AbstractLikelihood
from bayesml.names import predictor_name
from bayesml.priors import AbstractJointPrior
from bayesml.terms import group_terms

__all__ = ["collapse_conditions"]

MOST_COLUMNS = 5
"""Beyond, the written-out elimination of a level takes long to compile (12 s at 8 columns)."""

MOST_SHRUNKEN = 100
"""Slopes with a shrinkage prior that are integrated out given their scales, by a dense matrix at each gradient."""


def collapse_conditions(problem: Problem) -> tuple[str, ...]:
    """Return why the effects, curves and slopes of a model cannot be integrated out exactly; empty where they can."""
    return tuple(_reasons(problem))


def _reasons(problem: Problem) -> Iterator[str]:
    schema, likelihood = problem.design.schema, problem.likelihood
    if len(problem.design.responses) > 1:
        yield "there are several responses"
        return
    if not likelihood.traits.normal:
        has_term = likelihood is not likelihood.family and isinstance(likelihood.family, AbstractLikelihood)
        what = "with its response terms " if has_term else ""
        yield f"the family {problem.family.name} {what}is not gaussian or lognormal"
        return
    if likelihood.link("mu").name != "identity":
        yield f"the link of mu is {likelihood.link('mu').name}, not identity"
    for predictor in schema.predictors:
        if predictor.key.dpar == "sigma" and len(problem.design.schema.predictors) == 2:
            cells = sigma_cells(problem)
            if cells is not None and cells.count > MOST_CELLS:
                yield f"sigma takes {cells.count} different values, more than {MOST_CELLS}"
        elif not predictor.key.is_mu:
            yield f"{predictor_name(predictor.key)} has a formula"
    for term in schema.predictors[0].terms:
        if not (term.is_linear or term.integrated_blocks()):
            yield f"the term {term.key} is not linear and Gaussian"
    for group in group_terms(schema.predictors[0].terms):
        columns = len(group.eliminated.coefs)
        if columns > MOST_COLUMNS:
            yield f"{columns} effects vary over {group.name}, more than the {MOST_COLUMNS} eliminated together"
    yield from joint_priors(problem, integrated=True)
    response = problem.design.response.arrays
    others = sorted(set(response) - {"y", "se"})
    if others:
        yield f"the response has {', '.join(others)}"
    if "se" in response and schema.estimates_sigma:
        yield "se() comes together with an estimated sigma"
    elif "se" in response and not np.all(np.asarray(response["se"]) > 0):
        yield "a standard error in se() is 0"


def joint_priors(problem: Problem, integrated: bool = False) -> Iterator[str]:
    """Yield a reason for each joint prior of coefficients, whose scales are sampled.

    Args:
        problem: the model.
        integrated: whether coefficients that can be integrated out given their scales are none.
    """
    for joint_target in problem.description.spec.joint:
        if not isinstance(joint_target.prior, AbstractJointPrior):
            continue
        if integrated and can_be_integrated(joint_target):
            if len(joint_target.target.coefs) > MOST_SHRUNKEN:
                yield f"more than {MOST_SHRUNKEN} slopes have the prior {joint_target.prior}"
            continue
        yield f"the prior of {joint_target.target.name} is {joint_target.prior}, whose scales are sampled"
