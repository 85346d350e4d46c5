"""The pipeline from formula and data to a fit, in its parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from bayesml.describe import check_slopes, describe
from bayesml.design import Design, build_design
from bayesml.engines import Outcome, Problem, dispatch
from bayesml.errors import warn_user
from bayesml.families import AbstractFamily, get_family
from bayesml.formula import Formula, check_names, formula_variables, grouping_variables, parse
from bayesml.frame import Frame, column_names, read_frame
from bayesml.posterior import Draws
from bayesml.priors import Prior, Style
from bayesml.results.fit_object import Fit
from bayesml.results.storage.checkpoint import PreparedModel, begin_checkpoint

if TYPE_CHECKING:
    from bayesml.results.frequentist.point_fit import PointFit

__all__ = ["Functions", "describe_model", "fit_of", "prepare_model", "run_model"]

Functions = Mapping[str, Callable[..., Any]]


def run_model(model: PreparedModel, began: float) -> Fit | PointFit:
    """Run the engine of a model and return the fit; what the user should know is for the caller to warn about.

    Args:
        model: the model.
        began: when its preparation began, ``time.perf_counter()``.
    """
    engine = model.engine
    if engine.needs_identified_slopes:
        check_slopes(model.problem.design, model.problem.description)
    if engine.checkpoint_folder is not None:
        model = replace(model, engine=engine.seeded())
        begin_checkpoint(engine.checkpoint_folder, model)
    if engine.uses_priors:
        for sentence in model.problem.design.prior_warnings():
            warn_user(f"{sentence}.")
    prepared = time.perf_counter() - began
    outcome = dispatch.run(model.engine, model.problem)
    if isinstance(outcome.posterior, Draws):
        return fit_of(model, outcome, prepared)
    return _point_fit(model, outcome, prepared)


def _point_fit(model: PreparedModel, outcome: Outcome, prepared: float) -> PointFit:
    from bayesml.results.frequentist.point_fit import PointFit

    return PointFit(
        model.problem,
        model.frame,
        model.engine,
        outcome.posterior,  # type: ignore[arg-type]
        replace(outcome.timing, design=prepared),
        model.priors,
        model.default_priors,
        model.data_name,
    )


def fit_of(model: PreparedModel, outcome: Outcome, prepared: float) -> Fit:
    """Return the fit of a model that took ``prepared`` seconds to read and that an engine has sampled."""
    return Fit(
        model.problem,
        model.frame,
        outcome.engine or model.engine,
        replace(outcome, timing=replace(outcome.timing, design=prepared)),
        model.priors,
        model.default_priors,
        model.data_name,
    )


def describe_model(
    formula: str | Formula,
    data: Any,
    family: str | AbstractFamily,
    priors: tuple[Prior, ...],
    default_priors: Style,
    missing: Literal["drop", "error"],
    functions: Functions | None,
) -> tuple[Frame, Problem]:
    """Return the data and the described model, everything before the engine; arguments as in ``fit``."""
    chosen = get_family(family)
    frame, design = prepare_model(formula, data, chosen, missing, functions)
    return frame, Problem(design, chosen, describe(design, chosen, priors, default_priors))


def prepare_model(
    formula: str | Formula,
    data: Any,
    family: AbstractFamily,
    missing: Literal["drop", "error"],
    functions: Functions | None,
) -> tuple[Frame, Design]:
    """Return the data and their encoding; arguments as in ``fit``, where ``data`` may be read already."""
    available = data.names if isinstance(data, Frame) else column_names(data)
    parsed = parse(formula, available)
    check_names(parsed, available)
    used, grouping = formula_variables(parsed, available), grouping_variables(parsed)
    if isinstance(data, Frame):
        frame = replace(data, columns={name: data.columns[name] for name in (*used, *grouping)}, dropped=0)
    else:
        frame = read_frame(data, used, missing=missing, grouping=grouping)
    return frame, build_design(parsed, frame, family, functions)
