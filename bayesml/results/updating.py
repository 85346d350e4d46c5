"""``fit.update()``: the same settings for another formula, other data, priors or family."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bayesml.describe import describe
from bayesml.design import Design
from bayesml.engines import AbstractEngine, Problem, get_engine, with_options
from bayesml.errors import FormulaError, PriorError, warn_user
from bayesml.families import AbstractFamily, get_family
from bayesml.formula import Formula, formula_of, formula_variables, parse, update_formula
from bayesml.frame import Frame, column_names
from bayesml.priors import Prior, Style, as_priors
from bayesml.results.checks.diagnostics import warn_about
from bayesml.results.fit_object import Fit
from bayesml.results.fitting import prepare_model, run_model
from bayesml.results.storage.checkpoint import PreparedModel

if TYPE_CHECKING:
    from bayesml.results.frequentist.point_fit import PointFit

__all__ = ["changed_engine", "update"]


def update(
    fit: Fit | PointFit,
    formula: str | Formula | None = None,
    data: Any = None,
    prior: Prior | Sequence[Prior] | None = None,
    family: str | AbstractFamily | None = None,
    engine: AbstractEngine | str | None = None,
    data_name: str | None = None,
) -> Fit | PointFit:
    """Fit a changed model with the settings of a fit.

    Args:
        fit: the fit.
        formula: the change in R's language, ``". ~ . - x + (1 | g)"``, or ``bf(". ~ . - x", sigma="~ . + z")``: a dot
            stands for what was there, a parameter that is not named keeps its formula. A formula without a dot stands
            as it is. None keeps all.
        data: other data; None takes the rows and columns that the fit used.
        prior: all priors of the new model; None keeps those of the fit, without those that have no target any more.
        family: another family; None keeps it.
        engine: another engine with its options; None keeps those of the fit.
        data_name: how the summary names other data.

    Returns:
        A fit of the same kind.

    Raises:
        FormulaError: the change cannot be read or names what does not exist; columns that the fit has not used come
            with ``data``.
        DataError: the data do not fit the formula or the family.
        PriorError: a prior matches nothing.
        ModelError: the method cannot fit the model.

    Warns:
        FitWarning: a prior of the fit has no target any more.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method="reml")
        >>> fit.update(". ~ . - (Days | Subject) + (1 | Subject)").formula
        'Reaction ~ Days + (1 | Subject)'
    """
    began = time.perf_counter()
    chosen = fit.family if family is None else get_family(family)
    changed = formula_of(fit.parsed) if formula is None else update_formula(fit.parsed, formula)
    source = fit.frame if data is None else data
    _refuse_unused_columns(changed, source, data is None)
    functions = fit.problem.design.schema.functions
    frame, design = prepare_model(changed, source, chosen, "drop", functions)
    priors = as_priors(prior) if prior is not None else _still_meant(fit.priors, design, chosen, fit.default_priors)
    problem = Problem(design, chosen, describe(design, chosen, priors, fit.default_priors))
    name = fit.data_name if data is None else data_name or "data"
    runner = fit.engine.anew() if engine is None else get_engine(engine)
    return _warned(run_model(PreparedModel(problem, frame, runner, priors, fit.default_priors, name), began))


def changed_engine(
    fit: Fit,
    method: str | AbstractEngine | None,
    draws: int | None,
    warmup: int | None,
    chains: int | None,
    seed: int | None,
    progress: bool | None,
) -> AbstractEngine:
    """Return the engine of a fit, or another one, with other options where they are given.

    Raises:
        ModelError: the engine has no such option, or a value is out of range.
    """
    engine = fit.engine.anew() if method is None else get_engine(method)
    options = {"draws": draws, "warmup": warmup, "chains": chains, "seed": seed, "progress": progress}
    return with_options(engine, options)


def _warned(fit: Fit | PointFit) -> Fit | PointFit:
    if isinstance(fit, Fit):
        warn_about(fit)
        return fit
    from bayesml.results.frequentist.report import warn_about_point

    warn_about_point(fit)
    return fit


def _refuse_unused_columns(formula: Formula, source: Any, is_own: bool) -> None:
    """Say that columns are missing because the fit keeps those only that it used."""
    known = source.names if isinstance(source, Frame) else column_names(source)
    missing = [name for name in formula_variables(parse(formula), known) if name not in known]
    if is_own and missing:
        listed = ", ".join(f"`{name}`" for name in missing)
        raise FormulaError(
            f"The fit has not used {listed} and keeps only the columns that it used ({', '.join(known)}); hand in the "
            "data again, update(formula, data=data)."
        )


def _still_meant(priors: tuple[Prior, ...], design: Design, family: AbstractFamily, style: Style) -> tuple[Prior, ...]:
    """Return the priors that have a target in the model."""
    try:
        describe(design, family, priors, style)
    except PriorError:
        kept = tuple(prior for prior in priors if _has_target(prior, design, family, style))
        for prior in priors:
            if prior not in kept:
                warn_user(f"{prior} has no target in the changed model and is left out.")
        return kept
    return priors


def _has_target(prior: Prior, design: Design, family: AbstractFamily, style: Style) -> bool:
    try:
        describe(design, family, (prior,), style)
    except PriorError:
        return False
    return True
