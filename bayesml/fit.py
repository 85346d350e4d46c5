"""``fit(...)``: the pipeline from formula and data to a fit, and nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Unpack

from bayesml.engines import SAMPLER, AbstractEngine, Problem, SamplerOptions, get_engine, with_options
from bayesml.errors import ModelError
from bayesml.families import AbstractFamily
from bayesml.foreign import answers_foreign_arguments, takes_options
from bayesml.formula import ModelFormula, as_formula
from bayesml.garbage_collection import garbage_collection_paused
from bayesml.lazy import lazy_module
from bayesml.priors import Prior, Style, as_priors
from bayesml.results.fits.fit_object import Fit, PointFit, finished
from bayesml.results.record.recipe import Recipe, family_of

if TYPE_CHECKING:
    import pandas as pd

    from bayesml import describe, frame
    from bayesml.exporting import exported
    from bayesml.exporting.exported import ExportedModel
    from bayesml.results.fits import fitting
    from bayesml.results.fits import kept as kept_files
    from bayesml.results.storage import exported as storage
    from bayesml.terms import Functions
else:  # what reads data and formulas waits for the first of them; a fit that is not kept does not wait for files
    describe = lazy_module("bayesml.describe")
    fitting = lazy_module("bayesml.results.fits.fitting")
    frame = lazy_module("bayesml.frame")
    kept_files = lazy_module("bayesml.results.fits.kept")
    exported = lazy_module("bayesml.exporting.exported")
    storage = lazy_module("bayesml.results.storage.exported")

__all__ = ["default_prior", "describe_problem", "export", "fit", "validate_prior"]


@answers_foreign_arguments("FIT_ARGUMENTS")
@takes_options(SamplerOptions)
def fit(
    formula: str | ModelFormula,
    data: Any,
    family: str | AbstractFamily = "gaussian",
    *,
    prior: Prior | Sequence[Prior] = (),
    default_priors: Style = "bayesml",
    method: str | AbstractEngine = "nuts",
    missing: Literal["drop", "error"] = "drop",
    functions: Functions | None = None,
    data_name: str | None = None,
    data2: Mapping[str, Any] | None = None,
    file: str | os.PathLike[str] | None = None,
    file_refit: Literal["never", "on_change", "always"] = "never",
    **options: Unpack[SamplerOptions],
) -> Fit | PointFit:
    """Fit a multilevel model.

    Args:
        formula: ``"y ~ x + (x | g)"`` in brms's and lme4's language, or ``bf(...)`` with a formula for further
            parameters.
        data: a pandas or polars data frame, a pyarrow table or a dict of arrays; only the columns used are read.
        family: name of the response family, or a family with its links, ``poisson(link="sqrt")``.
        prior: one or more ``prior("normal(0, 10)", class_="b", coef="x")``; defaults stand where none is given.
        default_priors: ``"bayesml"`` (all proper) or ``"brms"`` (flat population-level coefficients).
        method: ``"nuts"`` draws from the posterior; ``"reml"``, ``"ml"``, ``"laplace"`` (maximum likelihood) and
            ``"map"`` (posterior mode) give point estimates at once. Or an engine with its options,
            ``NUTS(draws=2000)``.
        missing: ``"drop"`` leaves out rows with a missing value in a used column and says how many; ``"error"``
            refuses.
        functions: functions of your own that the formula may call, ``{"name": function}``.
        data_name: how the summary names the data.
        data2: matrices that the formula names, ``{"A": A}``: NumPy arrays, SciPy sparse matrices, pandas DataFrames
            whose index says what the rows are, or pairs ``(matrix, names)``.
        file: a file that keeps the fit, ``"m1"`` for ``m1.nc``: where it is there, the fit is read from it, else the
            model is fitted and saved as ``fit.save`` does.
        file_refit: ``"never"`` reads an existing file whatever is in it, with a warning where that is another model;
            ``"on_change"`` fits again where formula, data, family, priors, method or an option have changed (an option
            that is not given agrees with any); ``"always"`` fits again and writes over the file.
        **options: options of the sampler, each by its own name: ``fit(..., draws=2000, chains=2)``. They are those of
            `NUTS`; other methods refuse them, and have options of their own, ``Laplace(quadrature_points=9)``.

    Keyword Args:
        draws: draws kept in each chain (1000).
        warmup: warm-up iterations of each chain (300 in coordinates whitened at the mode, else 1000).
        chains: number of chains (4).
        seed: whole number; the same seed gives the same draws bit for bit on the same machine.
        target_accept: acceptance rate the step size aims at (0.8; after divergent transitions once more with 0.95).
        max_treedepth: at most 2^max_treedepth leapfrog steps a draw (10).
        sample_prior: ``"yes"`` adds prior draws (``prior_b_Days`` in ``fit.draws()``, the group ``prior`` in
            ``fit.idata``), ``"only"`` draws from the prior alone.
        progress: whether to show how far the run is, on one line (True).
        marginalize: True requires integrating group effects out exactly, False excludes it; ``fit.plan`` says which.
        precondition: the same for coordinates built from a pilot fit.
        checkpoint: a new folder to which every block of draws is written; ``bayesml.resume(folder)`` goes on with a run
            that was killed.
        target_ess: go on beyond ``draws`` until the bulk and tail effective sample sizes of all parameters but the
            group-level effects reach it and their Rhat is at most 1.01.
        max_seconds: stop sampling after that time; the draws so far are kept.
        keep_group_effects: what is kept of the draws of group-level effects: True everything, ``"float32"`` single
            precision, a whole number k every k-th draw, ``"summary"`` means and standard deviations, False nothing.

    Returns:
        The fit: ``print(fit)`` is its summary, ``fit.idata`` its draws for ArviZ. A point estimate is a ``PointFit``,
        whose ``to_normal_draws()`` gives a ``Fit``.

    Raises:
        FormulaError: the formula cannot be read or names what does not exist.
        DataError: the data do not fit the formula or the family.
        PriorError: a prior matches nothing or is impossible.
        ModelError: an option is out of range, or the method cannot fit this model; ``file`` cannot be written, or is
            there and no fit.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, seed=1)
        >>> print(fit)
    """
    engine = with_options(get_engine(method), options)
    kept = None if file is None and file_refit == "never" else kept_files.kept_file(file, file_refit)
    began = time.perf_counter()
    priors = as_priors(prior)
    written = as_formula(formula)
    chosen = family_of(written, family)
    called, beside = data_name or "data", frame.checked_mapping(data2)
    recipe = Recipe(written, chosen, engine, priors, default_priors, missing, functions or {}, called, beside)
    with garbage_collection_paused():  # what is imported and read here stays
        model = fitting.prepared_model(recipe, data)
    found = None if kept is None else kept.found(model)
    if found is not None:
        return found
    made = finished(fitting.run_model(model, began))
    if kept is not None:
        made.save(kept.path)
    return made


@answers_foreign_arguments("FIT_ARGUMENTS")
def default_prior(
    formula: str | ModelFormula,
    data: Any,
    family: str | AbstractFamily = "gaussian",
    *,
    default_priors: Style = "bayesml",
    missing: Literal["drop", "error"] = "drop",
    functions: Functions | None = None,
    data2: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return every legal prior target of a model with its default, before any fit.

    Args:
        formula: as in ``fit``.
        data: as in ``fit``.
        family: as in ``fit``.
        default_priors: ``"bayesml"`` or ``"brms"``.
        missing: as in ``fit``.
        functions: as in ``fit``.
        data2: as in ``fit``.

    Returns:
        brms's columns: prior, class, coef, group, resp, dpar, nlpar, lb, ub, tag, source. An empty ``prior`` is flat,
        or inherited from the row of its class where ``source`` is ``(vectorized)``.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> bayesml.default_prior("Reaction ~ Days + (Days | Subject)", data)
    """
    written = as_formula(formula)
    chosen = family_of(written, family)
    own, beside = functions or {}, frame.checked_mapping(data2)
    recipe = Recipe(written, chosen, get_engine(SAMPLER), missing=missing, functions=own, data2=beside)
    _, design = fitting.encode_data(recipe, data)
    return describe.default_priors_of(design, default_priors).to_pandas()


@answers_foreign_arguments("FIT_ARGUMENTS")
def validate_prior(
    prior: Prior | Sequence[Prior],
    formula: str | ModelFormula,
    data: Any,
    family: str | AbstractFamily = "gaussian",
    *,
    sample_prior: Literal["no", "yes", "only"] = "no",
    default_priors: Style = "bayesml",
    missing: Literal["drop", "error"] = "drop",
    functions: Functions | None = None,
    data2: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return every prior target of a model with the priors that a fit would use, before any fit.

    Args:
        prior: one or more ``prior(...)``, as in ``fit``.
        formula: as in ``fit``.
        data: as in ``fit``.
        family: as in ``fit``.
        sample_prior: ``"yes"`` or ``"only"`` also checks that all priors are proper.
        default_priors: ``"bayesml"`` or ``"brms"``.
        missing: as in ``fit``.
        functions: as in ``fit``.
        data2: as in ``fit``.

    Returns:
        The table of ``default_prior`` with these priors in it, ``source`` is ``user`` there: what
        ``fit.prior_summary()`` shows after the fit.

    Raises:
        PriorError: a prior matches nothing (the message lists what there is), two priors have the same target, a
            prior is impossible for its parameter, or is improper where draws from the prior are requested.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> priors = [bayesml.prior("normal(10, 5)", coef="Days"), bayesml.prior("lkj(2)", class_="cor")]
        >>> bayesml.validate_prior(priors, "Reaction ~ Days + (Days | Subject)", data)
    """
    if sample_prior not in ("no", "yes", "only"):
        raise ModelError(f'`sample_prior` is "no", "yes" or "only"; got {sample_prior!r:.80}.')
    written, own = as_formula(formula), functions or {}
    recipe = Recipe(
        written,
        family_of(written, family),
        get_engine(SAMPLER),
        as_priors(prior),
        default_priors,
        missing,
        own,
        data2=frame.checked_mapping(data2),
    )
    description = fitting.prepared_model(recipe, data).problem.description
    if sample_prior != "no":
        describe.refuse_improper(description.spec)
    return description.priors.to_pandas()


@answers_foreign_arguments("FIT_ARGUMENTS")
def export(
    formula: str | ModelFormula,
    data: Any,
    family: str | AbstractFamily = "gaussian",
    *,
    language: str = "numpyro",
    path: str | os.PathLike[str] | None = None,
    prior: Prior | Sequence[Prior] = (),
    default_priors: Style = "bayesml",
    missing: Literal["drop", "error"] = "drop",
    functions: Functions | None = None,
    data2: Mapping[str, Any] | None = None,
) -> ExportedModel:
    """Return a model as a readable program that needs NumPyro and JAX, not bayesml; see ``fit.export``.

    Args:
        formula: as in ``fit``.
        data: as in ``fit``.
        family: as in ``fit``.
        language: ``"numpyro"``.
        path: the file to write, ``"model.py"``; the data are written beside it, ``model.npz``. None writes nothing.
        prior: as in ``fit``.
        default_priors: as in ``fit``.
        missing: as in ``fit``.
        functions: as in ``fit``.
        data2: as in ``fit``.

    Returns:
        The program with its data.

    Raises:
        BayesmlError: as ``fit`` does for a model that is none; a ModelError where it cannot be written.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> print(bayesml.export("Reaction ~ Days + (Days | Subject)", data))
    """
    exported.check_language(language)
    target = None if path is None else storage.program_target(path)
    written = as_formula(formula)
    chosen, own, beside = family_of(written, family), functions or {}, frame.checked_mapping(data2)
    engine = get_engine(SAMPLER)
    recipe = Recipe(written, chosen, engine, as_priors(prior), default_priors, missing, own, data2=beside)
    program = exported.exported_model(fitting.prepared_model(recipe, data).problem)
    if target is not None:
        program.write(target)
    return program


def describe_problem(
    formula: str | ModelFormula,
    data: Any,
    family: str | AbstractFamily = "gaussian",
    *,
    prior: Sequence[Prior] = (),
    default_priors: Style = "bayesml",
    data2: Mapping[str, Any] | None = None,
) -> Problem:
    """Return the described model with its data, everything before the engine; arguments as in ``fit``."""
    written = as_formula(formula)
    recipe = Recipe(
        written,
        family_of(written, family),
        get_engine(SAMPLER),
        tuple(prior),
        default_priors,
        data2=frame.checked_mapping(data2),
    )
    return fitting.prepared_model(recipe, data).problem
