"""``fit.update()``: the same settings for another formula, other data, priors or family."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bayesml.describe import describe
from bayesml.design import Design
from bayesml.engines import AbstractEngine, SamplerOptions, get_engine, with_options
from bayesml.errors import FormulaError, PriorError, warn_user
from bayesml.families import AbstractFamily, get_family
from bayesml.formula import ModelFormula, ParsedFormula, formula_of, formula_variables, parse, update_formula
from bayesml.frame import Frame, checked_mapping
from bayesml.language import language_with
from bayesml.priors import Prior, as_priors
from bayesml.response_terms import RESIDUAL_TERMS
from bayesml.results.fits.fitting import described_model, encode_data, run_model
from bayesml.results.record.fit import AbstractFit
from bayesml.results.record.recipe import FittedModel, PreparedModel, Recipe, family_of

__all__ = ["updated"]

NO_OPTIONS: SamplerOptions = {}


def updated(
    fit: AbstractFit,
    formula: str | ModelFormula | None = None,
    data: Any = None,
    prior: Prior | Sequence[Prior] | None = None,
    family: str | AbstractFamily | None = None,
    method: str | AbstractEngine | None = None,
    data_name: str | None = None,
    options: SamplerOptions = NO_OPTIONS,
    data2: Mapping[str, Any] | None = None,
) -> FittedModel:
    """Fit a changed model with the settings of a fit; what does not change is neither read nor encoded again.

    Arguments, errors and warnings are those of ``fit.update``; ``options`` are those of the engine that change.
    """
    began = time.perf_counter()
    language = language_with(fit.recipe.functions)
    changed = formula_of(fit.parsed) if formula is None else update_formula(fit.parsed, formula, language)
    chosen = get_family(family) if family is not None else family_of(changed, fit.family)
    runner = with_options(fit.engine.anew() if method is None else get_engine(method), options)
    name = fit.data_name if data is None else data_name or "data"
    matrices = {**fit.recipe.data2, **checked_mapping(data2)}
    recipe = replace(fit.recipe, formula=changed, family=chosen, engine=runner, data_name=name, data2=matrices)
    if formula is None and family is None and data is None and data2 is None:
        frame, design = fit.frame, fit.problem.design
    else:
        parsed = fit.parsed if formula is None else parse(changed, language=language)
        if data is None:
            _refuse_unused_columns(parsed, fit.frame.names)
            _refuse_rows_left_out(fit, parsed)
        frame, design = encode_data(recipe, fit.frame if data is None else data, parsed)
    return run_model(_described(fit, recipe, frame, design, prior), began)


def _described(
    fit: AbstractFit, recipe: Recipe, frame: Frame, design: Design, prior: Prior | Sequence[Prior] | None
) -> PreparedModel:
    """Return the model with its priors; the very problem of the fit where nothing of it changes.

    Programs that were compiled for a problem are found by its identity.
    """
    if design is fit.problem.design and prior is None:
        return PreparedModel(fit.problem, frame, recipe)
    if prior is not None:
        return described_model(replace(recipe, priors=as_priors(prior)), frame, design)
    return described_model(replace(recipe, priors=_still_meant(recipe, design)), frame, design)


def _refuse_unused_columns(parsed: ParsedFormula, known: Sequence[str]) -> None:
    """Say that columns are missing because the fit keeps those only that it used."""
    missing = [name for name in formula_variables(parsed, known) if name not in known]
    if missing:
        listed = ", ".join(f"`{name}`" for name in missing)
        raise FormulaError(
            f"The fit has not used {listed} and keeps only the columns that it used ({', '.join(known)}); hand in the "
            "data again, update(formula, data=data)."
        )


def _refuse_rows_left_out(fit: AbstractFit, parsed: ParsedFormula) -> None:
    """Say that a matrix of the rows needs all rows, of which the fit keeps those only that it used."""
    calls = [call for predictor in parsed.predictors for call in predictor.specials if call.matrices]
    of_rows = next((call for call in calls if call.name in RESIDUAL_TERMS), None)
    if of_rows is not None and fit.frame.dropped:
        raise FormulaError(
            f"`{of_rows.spelling}` has a row of its matrix for each row of the data, of which the fit has left out "
            f"{fit.frame.dropped}, since they lacked a value, and not kept them; hand in the data again, "
            "update(formula, data=data)."
        )


def _still_meant(recipe: Recipe, design: Design) -> tuple[Prior, ...]:
    """Return the priors that have a target in the model."""
    if _have_target(recipe.priors, recipe, design):
        return recipe.priors
    kept = tuple(prior for prior in recipe.priors if _have_target((prior,), recipe, design))
    for prior in recipe.priors:
        if prior not in kept:
            warn_user(f"{prior} has no target in the changed model and is left out.")
    return kept


def _have_target(priors: tuple[Prior, ...], recipe: Recipe, design: Design) -> bool:
    try:
        describe(design, priors, recipe.default_priors)
    except PriorError:
        return False
    return True
