"""The pipeline from formula and data to a fit, in its parts."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bayesml.describe import check_slopes, describe
from bayesml.design import Design, build_design
from bayesml.engines import Outcome, Problem, dispatch
from bayesml.errors import warn_user
from bayesml.formula import (
    ParsedFormula,
    check_matrices,
    check_names,
    formula_of,
    formula_variables,
    grouping_variables,
    hidden_columns,
    matrix_names,
    parse,
)
from bayesml.frame import Frame, column_names, read_frame, read_matrices
from bayesml.frozen import FrozenMapping
from bayesml.language import language_with
from bayesml.lazy import lazy_module
from bayesml.response_terms import needed_rows, residual_matrices, sparse_columns, subset_rows
from bayesml.results.record.recipe import FittedModel, PreparedModel, Recipe

if TYPE_CHECKING:
    from bayesml.results.storage import checkpoint
else:  # most runs write none
    checkpoint = lazy_module("bayesml.results.storage.checkpoint")

__all__ = ["described_model", "encode_data", "fitted_model", "prepared_model", "run_model"]


def run_model(model: PreparedModel, began: float) -> FittedModel:
    """Run the engine of a model; warnings are left to the caller.

    Args:
        model: the model.
        began: when its preparation began, ``time.perf_counter()``.
    """
    engine = model.recipe.engine
    if engine.needs_identified_slopes:
        check_slopes(model.problem.design, model.problem.description)
    if engine.checkpoint_folder is not None:
        model = replace(model, recipe=replace(model.recipe, engine=engine.seeded()))
        checkpoint.begin_checkpoint(engine.checkpoint_folder, model)
    if engine.uses_priors:
        for sentence in model.problem.design.prior_warnings():
            warn_user(f"{sentence}.")
    prepared = time.perf_counter() - began
    return fitted_model(model, dispatch.run(model.recipe.engine, model.problem), prepared)


def fitted_model(model: PreparedModel, outcome: Outcome, prepared: float) -> FittedModel:
    """Return a model that took ``prepared`` seconds to read with what its engine returned."""
    recipe = replace(model.recipe, engine=outcome.engine or model.recipe.engine)
    timed = replace(outcome, timing=replace(outcome.timing, design=prepared))
    return FittedModel(model.problem, model.frame, timed, recipe)


def prepared_model(recipe: Recipe, data: Any) -> PreparedModel:
    """Return the described model with its data, everything before the engine.

    Args:
        recipe: how the model is fitted.
        data: any supported container of columns, or a ``Frame`` that was read already.
    """
    frame, design = encode_data(recipe, data)
    return described_model(recipe, frame, design)


def described_model(recipe: Recipe, frame: Frame, design: Design) -> PreparedModel:
    """Return the model of data that are encoded already; its recipe has formula, functions and matrices as read."""
    description = describe(design, recipe.priors, recipe.default_priors)
    schema = design.schema
    read = replace(
        recipe, formula=formula_of(schema.parsed), functions=schema.functions, data2=FrozenMapping(frame.matrices)
    )
    return PreparedModel(Problem(design, description), frame, read)


def encode_data(recipe: Recipe, data: Any, parsed: ParsedFormula | None = None) -> tuple[Frame, Design]:
    """Return the columns that a model uses and their encoding.

    Args:
        recipe: how the model is fitted.
        data: any supported container of columns, or a ``Frame`` that was read already.
        parsed: the formula, where it was read already.
    """
    available = data.names if isinstance(data, Frame) else column_names(data)
    if parsed is None:
        parsed = parse(recipe.formula, available, language_with(recipe.functions))
    else:
        check_names(parsed, available)
    if not isinstance(data, Frame):
        for sentence in hidden_columns(parsed, available):
            warn_user(f"{sentence}.")
    check_matrices(parsed, recipe.data2)
    matrices = read_matrices(recipe.data2, dict.fromkeys((*matrix_names(parsed), *residual_matrices(parsed))))
    used, grouping = formula_variables(parsed, available), grouping_variables(parsed)
    if isinstance(data, Frame):
        frame = replace(data, columns={name: data.columns[name] for name in (*used, *grouping)}, dropped=0)
    else:
        sparse = sparse_columns(parsed, available)
        needed = needed_rows(parsed, data, available, recipe.functions)
        frame = read_frame(data, used, missing=recipe.missing, grouping=grouping, sparse=sparse, needed=needed)
    if len(parsed.responses) == 1:
        rows = subset_rows(parsed.response, frame, recipe.functions)
        frame = frame if rows is None else frame.select(rows)
    frame = replace(frame, matrices=matrices)
    return frame, build_design(parsed, frame, recipe.family, recipe.functions)
