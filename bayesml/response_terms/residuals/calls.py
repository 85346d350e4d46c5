"""The calls of residual terms in a formula, which become response terms where the family has residuals."""

from __future__ import annotations

from dataclasses import replace

from bayesml.errors import FormulaError
from bayesml.families import Traits
from bayesml.formula import Addition, ParsedFormula, ResponseFormula, SpecialCall, bind_arguments, special_fault
from bayesml.response_terms.residuals.registry import RESIDUAL_TERMS, SEPARABLE
from bayesml.response_terms.sigma import has_sigma

__all__ = ["residual_addition", "residual_calls", "residual_matrices", "with_residual_terms"]

BESIDE = ("mi", "subset")
"""Response terms without a response in some rows."""


def residual_calls(formula: ResponseFormula) -> tuple[SpecialCall, ...]:
    """Return the residual terms of the main formula.

    Raises:
        FormulaError: there are several of them, one is part of a product, or one stands in another formula.
    """
    found: list[SpecialCall] = []
    for predictor in formula.predictors:
        for call in predictor.specials:
            inside = [each for each in (call, *call.others) if each.name in RESIDUAL_TERMS]
            if not inside:
                continue
            if call.factors or len(inside) < 1 + len(call.others):
                raise special_fault(
                    f"`{inside[0].spelling}` can be multiplied by another residual term alone; add it to the formula.",
                    inside[0],
                )
            if not predictor.key.is_mu:
                raise special_fault(
                    f"`{call.term}` is about the residuals of the response, and stands in the main formula only; "
                    f"this is the formula of `{predictor.key.parameter}`.",
                    call,
                )
            found.append(call)
    if len(found) > 1:
        raise special_fault(
            f"A response has one residual term; got `{found[0].term}` and `{found[1].term}`. Autoregressive and "
            "moving-average parts together are `arma(time, gr, p, q)`; a product of correlations is written with `:`.",
            found[1],
        )
    return tuple(found)


def with_residual_terms(formula: ResponseFormula, traits: Traits) -> ResponseFormula:
    """Return the formula with its residual term among the response terms, where the family has residuals.

    Args:
        formula: the formula.
        traits: those of the family.
    """
    calls = residual_calls(formula)
    if not calls or not traits.residuals:
        return formula
    for other in formula.response.additions:
        if other.name in BESIDE:
            raise special_fault(
                f"`{calls[0].name}()` takes no `{other.name}()` beside it: residuals need the responses of all rows.",
                calls[0],
            )
    additions = tuple(residual_addition(call) for call in calls)
    for addition in additions:
        _check_covariance(formula, addition)
    predictors = tuple(
        replace(p, specials=tuple(call for call in p.specials if call not in calls)) for p in formula.predictors
    )
    response = replace(formula.response, additions=(*formula.response.additions, *additions))
    return replace(formula, response=response, predictors=predictors)


def residual_addition(call: SpecialCall) -> Addition:
    """Return a residual call as a response term, its arguments bound to their names and checked."""
    if call.others:
        from bayesml.response_terms.residuals.product import product_addition

        return product_addition(call)
    kind = RESIDUAL_TERMS[call.name]()
    given = bind_arguments(call, kind.arguments)
    kind.checked(given, call)
    if call.matrices:
        given[kind.matrix] = call.matrices[0].text.strip("`")
    return Addition(call.name, (), tuple(given.items()), call.expression.start)


def residual_matrices(parsed: ParsedFormula) -> tuple[str, ...]:
    """Return the names of the matrices of residual terms that are among the response terms already."""
    return tuple(
        str(dict(addition.options)[RESIDUAL_TERMS[addition.name].matrix])
        for formula in parsed.responses
        for addition in formula.response.additions
        if addition.name in RESIDUAL_TERMS and RESIDUAL_TERMS[addition.name].matrix
    )


def _check_covariance(formula: ResponseFormula, addition: Addition) -> None:
    """Refuse a covariance matrix without sigma, or of Student t residuals whose nu has a formula."""
    if addition.name in ("ar", "ma", "arma") and not dict(addition.options).get("cov", False):
        return
    what = (
        f"`{addition.name}()` with a covariance matrix" if addition.name != SEPARABLE else "A product of residual terms"
    )
    if not has_sigma(formula.response.additions):
        raise FormulaError(f"{what} needs sigma beside the standard errors: write `se(x, sigma=TRUE)`.")
    if addition.name == "sar" and any(p.key.dpar == "sigma" for p in formula.predictors):
        raise FormulaError("`sar()` has one `sigma` for all rows; leave out the formula of sigma.")
    if any(p.key.dpar == "nu" for p in formula.predictors):
        raise FormulaError(f"{what} has one `nu` for a whole series; leave out the formula of nu.")
