"""``fit_multiple(formula, [d1, d2])``: one fit for each imputed data set, and their draws put together."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Unpack

from bayesml.engines import AbstractEngine, SamplerOptions, get_engine, with_options
from bayesml.errors import DataError, ModelError, warn_user
from bayesml.families import AbstractFamily
from bayesml.foreign import answers_foreign_arguments, takes_options
from bayesml.formula import ModelFormula, as_formula
from bayesml.frame import checked_mapping
from bayesml.priors import Prior, Style, as_priors
from bayesml.results.checks.diagnostics import warn_about
from bayesml.results.fits.combining import together
from bayesml.results.fits.fit_object import Fit, PointFit, finished, fit_of
from bayesml.results.fits.fitting import prepared_model, run_model
from bayesml.results.record import encoded
from bayesml.results.record.recipe import PreparedModel, Recipe, family_of
from bayesml.results.storage.same_model import differing_part
from bayesml.terms import Functions

__all__ = ["fit_multiple"]

STOPS_BY_ITSELF = ("target_ess", "max_seconds")


@answers_foreign_arguments("FIT_ARGUMENTS")
@takes_options(SamplerOptions)
def fit_multiple(
    formula: str | ModelFormula,
    data: Sequence[Any],
    family: str | AbstractFamily = "gaussian",
    *,
    combine: bool = True,
    prior: Prior | Sequence[Prior] = (),
    default_priors: Style = "bayesml",
    method: str | AbstractEngine = "nuts",
    missing: Literal["drop", "error"] = "drop",
    functions: Functions | None = None,
    data_name: str | None = None,
    data2: Mapping[str, Any] | None = None,
    **options: Unpack[SamplerOptions],
) -> Fit | list[Fit | PointFit]:
    """Fit a model to each of several imputed data sets, as brms's ``brm_multiple``.

    The draws of all fits together are draws from the mixture of their posteriors, which carries the uncertainty of the
    imputation (Zhou & Reiter 2010). Chains of different data sets need not agree: Rhat and effective sample sizes are
    measured within each data set, the summary shows the largest Rhat and the sum of the sizes, and ``fit.rhats()`` has
    all. What is computed from data, such as ``fit.epred()``, takes those of the first data set.

    Args:
        formula: as in ``fit``.
        data: a list of data sets with the same columns, levels and kinds, each as in ``fit``.
        family: as in ``fit``.
        combine: whether the draws are put together; False returns a list with the fit of each data set.
        prior: as in ``fit``. Default priors that depend on the scale of the data are those of each data set.
        default_priors: as in ``fit``.
        method: as in ``fit``; point estimates need ``combine=False``.
        missing: as in ``fit``.
        functions: as in ``fit``.
        data_name: how the summary names the data.
        data2: as in ``fit``, the same for all data sets.
        **options: options of the sampler as in ``fit``. With ``seed=s`` the data set i, counted from 0, has s + i.

    Returns:
        One fit with the chains of all, or a list.

    Raises:
        DataError: ``data`` is no list of data sets, or they have different columns or levels.
        ModelError: an option is out of range or has no meaning for several fits.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> imputed = [data, data.assign(Days=data.Days + 0.1)]
        >>> fit = bayesml.fit_multiple("Reaction ~ Days", imputed, seed=1)
        >>> fit.rhats()
    """
    if not isinstance(combine, bool):
        raise ModelError(f"`combine` is True or False; got {combine!r:.80}.")
    engine = with_options(get_engine(method), options)
    _check_engine(engine, combine)
    _check_list(data)
    written = as_formula(formula)
    recipe = Recipe(
        written,
        family_of(written, family),
        engine,
        as_priors(prior),
        default_priors,
        missing,
        functions or {},
        data_name or "data",
        checked_mapping(data2),
    )
    models = _prepared(recipe, data)
    return _combined(models) if combine else [finished(run_model(each, time.perf_counter())) for each in models]


def _combined(models: Sequence[PreparedModel]) -> Fit:
    fits: list[Fit] = []
    for place, model in enumerate(models, start=1):
        fit = fit_of(run_model(model, time.perf_counter()))
        assert isinstance(fit, Fit)
        if fit.outcome.incomplete and fits:
            warn_user(f"The run was interrupted in data set {place} of {len(models)}; the fit has those before it.")
            break
        fits.append(fit)
        if fit.outcome.incomplete:
            break
    combined = together(fits, len(fits))
    warn_about(combined)
    return combined


def _prepared(recipe: Recipe, data: Sequence[Any]) -> list[PreparedModel]:
    """Return the model of each data set, before any is fitted: a mistake in the last one costs no run."""
    seed = encoded.engine_to_json(recipe.engine)["options"].get("seed")
    models: list[PreparedModel] = []
    for place, each in enumerate(data):
        engine = recipe.engine if seed is None else with_options(recipe.engine, {"seed": seed + place})
        model = prepared_model(replace(recipe, engine=engine), each)
        different = differing_part(models[0], model, with_data=False) if models else None
        if different is not None:
            raise DataError(
                f"Data set {place + 1} differs from the first in {different}. Imputed data sets have the same columns, "
                "and factors the same levels in the same order."
            )
        models.append(model)
    return models


def _check_engine(engine: AbstractEngine, combine: bool) -> None:
    options = encoded.engine_to_json(engine)["options"]
    if combine and engine.sampling is None:
        raise ModelError(
            f'method="{engine.method}" gives point estimates, which have no draws to put together; write combine=False '
            "for a list of fits."
        )
    if engine.checkpoint_folder is not None:
        raise ModelError("`checkpoint` is the folder of one run; fit each data set with `fit(..., checkpoint=)`.")
    given = [name for name in STOPS_BY_ITSELF if options.get(name) is not None]
    if combine and given:
        raise ModelError(
            f"With `{given[0]}` each fit has another number of draws, and they cannot be put together; write `draws=`, "
            "or combine=False for a list of fits."
        )


def _check_list(data: Any) -> None:
    if not isinstance(data, (list, tuple)) or not data:
        kind = "an empty list" if isinstance(data, (list, tuple)) else f"a {type(data).__name__}"
        raise DataError(f"`data` is a list of data sets, fit_multiple(formula, [d1, d2, d3]); got {kind}.")
