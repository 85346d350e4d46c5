"""A likelihood with several ``mu``, of each category or component: the terms and priors that they share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bayesml.errors import FormulaError
from bayesml.families import AbstractLikelihood
from bayesml.formula import Predictor, ResponseFormula
from bayesml.priors import Prior, PriorRow
from bayesml.priors.table import Target

__all__ = ["expanded_priors", "refuse_unused_terms", "shared_rows"]

SHARED_CLASSES = ("b", "Intercept")
"""Classes whose priors may be set for all categories at once."""


def refuse_unused_terms(formula: ResponseFormula, likelihood: AbstractLikelihood) -> None:
    """Refuse terms of the main formula where every ``mu`` has a formula of its own.

    Raises:
        FormulaError: there are such terms.
    """
    mains = _mains(likelihood)
    given = {predictor.key.parameter for predictor in formula.predictors}
    if mains and given >= set(mains) and any(p.key.is_mu and _has_terms(p) for p in formula.predictors):
        listed = ", ".join(f"`{name}`" for name in mains)
        raise FormulaError(
            f"The terms of the main formula `{formula.text}` are not used: {listed} have formulas of their own. "
            "Write the main formula without terms, `y ~ 1`, or leave out the formula of a parameter that shall "
            "have these terms."
        )


def expanded_priors(priors: Sequence[Prior], responses: Sequence[tuple[str, AbstractLikelihood]]) -> tuple[Prior, ...]:
    """Return the priors with one for each response and category in the place of one that names none, as in brms.

    ``prior("normal(0, 1)", class_="b")`` is meant for the coefficients of every response, and of every category; a
    prior that names the response, ``resp="y1"``, or the parameter, ``dpar="muB"``, stands before it.

    Args:
        priors: the priors of the user.
        responses: name and likelihood of each response.
    """
    given = {each.target for each in priors if isinstance(each, Prior)}
    return tuple(copy for each in priors for copy in _copies(each, responses, given))


def _copies(each: Prior, responses: Sequence[tuple[str, AbstractLikelihood]], given: set[Target]) -> Iterator[Prior]:
    if not isinstance(each, Prior) or each.prior_class not in SHARED_CLASSES or each.dpar or each.nlpar:
        yield each
        return
    for_all = len(responses) > 1 and not each.resp and not each.coef
    meant = [(resp, likelihood) for resp, likelihood in responses if for_all or resp == each.resp]
    every = [replace(each, resp=resp, dpar=dpar) for resp, likelihood in meant for dpar in _shares(likelihood) or ("",)]
    yield from (copy for copy in every or [each] if copy == each or copy.target not in given)


def shared_rows(responses: Sequence[tuple[str, AbstractLikelihood]], rows: Sequence[PriorRow]) -> tuple[PriorRow, ...]:
    """Return rows of the table of priors for the classes whose priors may be set for all responses or categories.

    Args:
        responses: name and likelihood of each response.
        rows: the other rows.
    """
    classes = {row.prior_class for row in rows}
    places = [resp for resp, likelihood in responses if _shares(likelihood)]
    places += [""] if len(responses) > 1 else []
    return tuple(
        PriorRow(None, name, predictor=(resp, "", "")) for resp in places for name in SHARED_CLASSES if name in classes
    )


def _shares(likelihood: AbstractLikelihood) -> tuple[str, ...]:
    """Return the parameters of the categories, whose priors may be set for all of them at once; none without such."""
    return _mains(likelihood) if likelihood.event_labels else ()


def _mains(likelihood: AbstractLikelihood) -> tuple[str, ...]:
    """Return the parameters that share the main formula; none where one of them is ``mu`` itself."""
    mains = tuple(p.name for p in likelihood.dpars if p.kind == "mu")
    return () if "mu" in mains else mains


def _has_terms(predictor: Predictor) -> bool:
    parts = (predictor.population.terms, predictor.offsets, predictor.groups, predictor.specials, predictor.nonlinear)
    return any(parts)
