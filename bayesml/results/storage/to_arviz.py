"""Draws and data for ArviZ; the one file that distinguishes ``InferenceData`` (ArviZ 0.23) and ``DataTree`` (1.0)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.frame import Column
from bayesml.names import of_response
from bayesml.names import variable as legal_name
from bayesml.results.record.row_labels import ROWS, plain_coordinates
from bayesml.results.record.select import dimensions, is_prior_only, labelled
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    import xarray as xr

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = [
    "collect_groups",
    "draws_dataset",
    "idata_attributes",
    "idata_groups",
    "package_version",
    "response_dtype",
    "response_variable",
]

DIMENSIONS = frozenset({ROWS, "chain", "draw", "sample"})


def idata_groups(fit: AbstractSampledFit, group_effects: bool = True) -> dict[str, xr.Dataset]:
    """Return the groups of ``fit.idata`` that need no computation.

    Their arrays are copies: some functions of ArviZ (``plot_ecdf`` of 0.23) sort the numbers that they are given in
    place, and the draws of the fit stay as they are.

    Args:
        fit: the fit.
        group_effects: whether draws have the group-level effects.
    """
    record = fit.draws_record
    variables = [v for v in fit.variables if group_effects or v.kind != "r"]
    groups = {"posterior": draws_dataset(record.values, variables, idata_attributes(fit))}
    if record.statistics:
        groups["sample_stats"] = _statistics(fit)
    if record.prior:
        groups["prior"] = draws_dataset(record.prior, variables, idata_attributes(fit))
    elif is_prior_only(fit):
        groups["prior"] = groups["posterior"]
    groups["observed_data"] = _observed(fit)
    groups["constant_data"] = _constant(fit)
    return {name: group.copy(deep=True) for name, group in groups.items()}


def response_variable(fit: AbstractSampledFit) -> str:
    """Return the name of the response in ``observed_data``, ``log_likelihood`` and ``posterior_predictive``."""
    return _column_name(fit.parsed.response.name)


def response_dtype(fit: AbstractSampledFit) -> np.dtype[Any]:
    """Return the type of observed and random responses: whole numbers where the family counts."""
    return np.dtype(np.int64 if fit.likelihood.traits.discrete else np.float64)


def draws_dataset(
    values: Mapping[str, np.ndarray], variables: Iterable[ReportedVariable], attributes: Mapping[str, Any]
) -> xr.Dataset:
    """Return draws as a labelled data set."""
    import xarray as xr

    variables = tuple(variables)
    dims = dimensions(variables)
    return xr.Dataset({v.name: labelled(v, values[v.name], dims[v.name]) for v in variables}, attrs=dict(attributes))


def package_version() -> str:
    """Return the version of the installed package."""
    try:
        return version("bayesml")
    except PackageNotFoundError:
        return "unknown"


def _has_inference_data() -> bool:
    return int(version("arviz").split(".")[0]) < 1


def collect_groups(groups: Mapping[str, xr.Dataset], attributes: Mapping[str, Any]) -> Any:
    """Return groups as an object of the installed ArviZ."""
    if _has_inference_data():
        import arviz

        return arviz.InferenceData(attrs=dict(attributes), **groups)
    import xarray as xr

    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=dict(attributes)), **groups})


def idata_attributes(fit: AbstractSampledFit) -> dict[str, Any]:
    """Return what the groups say about the fit."""
    return {
        "modeling_interface": "bayesml",
        "modeling_interface_version": package_version(),
        "formula": fit.parsed.text,
        "family": fit.problem.family.name,
        "seed": str(fit.outcome.seed),
        **fit.engine.attributes(),
    }


def _statistics(fit: AbstractSampledFit) -> xr.Dataset:
    import xarray as xr

    statistics = dict(fit.draws_record.statistics)
    if fit.engine.sampling and "tree_depth" in statistics:
        statistics["reached_max_tree_depth"] = statistics["tree_depth"] >= fit.engine.sampling.max_treedepth
    coords = {"chain": np.arange(fit.draws_record.n_chains), "draw": np.arange(fit.draws_record.n_draws)}
    return xr.Dataset({name: (("chain", "draw"), v) for name, v in statistics.items()}, coords, idata_attributes(fit))


def _observed(fit: AbstractSampledFit) -> xr.Dataset:
    found = _rows_dataset(fit, {})
    for formula, response in zip(fit.parsed.responses, fit.problem.design.responses, strict=True):
        name, traits = _column_name(formula.response.name), response.likelihood.traits
        y = response.data.arrays["y"].astype(np.int64 if traits.discrete else np.float64)
        labels = response.likelihood.response_labels
        if not labels:
            found = found.drop_vars(name, errors="ignore").assign({name: (ROWS, y)})
        else:
            found = found.assign_coords(category=list(labels)).assign({name: ((ROWS, "category"), y)})
    return found


def _constant(fit: AbstractSampledFit) -> xr.Dataset:
    columns = {_column_name(c.name): _shown(c) for c in fit.frame.columns.values()}
    known: dict[str, np.ndarray] = {}
    for formula, response in zip(fit.parsed.responses, fit.problem.design.responses, strict=True):
        columns.pop(_column_name(formula.response.name), None)
        own = {name: values for name, values in response.weighted_arrays.items() if name != "y"}
        known |= {of_response(name, response.name): values for name, values in own.items()}
    return _rows_dataset(fit, {**known, **columns})


def _rows_dataset(fit: AbstractSampledFit, columns: Mapping[str, np.ndarray]) -> xr.Dataset:
    import xarray as xr

    per_row = {name: (ROWS, values) for name, values in columns.items() if np.shape(values) == (fit.nobs,)}
    coords = plain_coordinates(fit.frame.labels())
    return xr.Dataset(per_row, {k: v for k, v in coords.items() if k not in per_row}, idata_attributes(fit))


def _column_name(name: str) -> str:
    """Return a legal variable name that is no dimension."""
    legal = legal_name(name)
    return f"{legal}_" if legal in DIMENSIONS else legal


def _shown(column: Column) -> np.ndarray:
    if column.levels is not None:
        return np.asarray(column.levels, dtype=object)[column.values]
    return column.values.astype(bool) if column.is_boolean else column.values
