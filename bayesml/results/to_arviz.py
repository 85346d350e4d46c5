"""Draws and data for ArviZ; the one file that tells ``InferenceData`` (ArviZ 0.23) from ``DataTree`` (1.0)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.engines import NUTS
from bayesml.frame import Column
from bayesml.names import variable as legal_name
from bayesml.reported import ReportedVariable
from bayesml.results.row_labels import ROWS, plain_coordinates, with_plain_rows
from bayesml.results.select import dimensions, is_prior_only, labelled

if TYPE_CHECKING:
    import xarray as xr

    from bayesml.results.fit_object import Fit

__all__ = [
    "collect_groups",
    "draws_dataset",
    "package_version",
    "response_variable",
    "to_idata",
    "with_group",
    "with_log_likelihood",
    "with_posterior_predictive",
]

DIMENSIONS = frozenset({ROWS, "chain", "draw", "sample"})


def to_idata(fit: Fit) -> Any:
    """Return the draws with their labels, the sampler's statistics and the data, for every function of ArviZ.

    Groups: ``posterior``, ``sample_stats``, ``observed_data``, ``constant_data`` and, where prior draws were asked for,
    ``prior``. With ``sample_prior="only"`` the draws are in ``prior`` and, so that tables and plots work as usual, in
    ``posterior`` too, marked by the attribute ``sample_prior``.

    Returns:
        An ``arviz.InferenceData`` with ArviZ 0.23, an ``xarray.DataTree`` with ArviZ 1.0 and later.

    Example:
        >>> import arviz
        >>> arviz.summary(fit.idata, var_names=["b", "sigma"])
    """
    record = fit.draws_record
    posterior = draws_dataset(record.values, fit.variables, _attributes(fit))
    groups = {"posterior": posterior}
    if record.statistics:
        groups["sample_stats"] = _statistics(fit)
    if record.prior:
        groups["prior"] = draws_dataset(record.prior, fit.variables, _attributes(fit))
    elif is_prior_only(fit):
        groups["prior"] = posterior
    groups["observed_data"] = _observed(fit)
    groups["constant_data"] = _constant(fit)
    return collect_groups(groups, _attributes(fit))


def with_group(idata: Any, name: str, dataset: xr.Dataset) -> Any:
    """Return ``idata`` with one more group; ``idata`` itself is left as it is."""
    dataset = with_plain_rows(dataset)
    if _has_inference_data():
        groups = {group: idata[group] for group in idata.groups() if group != name}
        return collect_groups({**groups, name: dataset}, dict(idata.attrs))
    groups = {group: node.to_dataset() for group, node in idata.children.items() if group != name}
    return collect_groups({**groups, name: dataset}, dict(idata.attrs))


def with_log_likelihood(fit: Fit, log_lik: xr.DataArray) -> Any:
    """Return ``fit.idata`` with the group ``log_likelihood``; ``log_lik`` has the dimensions chain, draw, obs."""
    return with_group(fit.idata, "log_likelihood", log_lik.to_dataset(name=response_variable(fit)))


def with_posterior_predictive(fit: Fit, predicted: xr.DataArray) -> Any:
    """Return ``fit.idata`` with the group ``posterior_predictive``; ``predicted`` has chain, draw and obs."""
    return with_group(fit.idata, "posterior_predictive", predicted.to_dataset(name=response_variable(fit)))


def response_variable(fit: Fit) -> str:
    """Return the name of the response in ``observed_data``, ``log_likelihood`` and ``posterior_predictive``."""
    return _column_name(fit.parsed.response.name)


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


def _attributes(fit: Fit) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "modeling_interface": "bayesml",
        "modeling_interface_version": package_version(),
        "formula": fit.parsed.text,
        "family": fit.problem.family.name,
        "seed": str(fit.outcome.seed),
    }
    if isinstance(fit.engine, NUTS):
        own = {"inference_library": "bayesml", "tuning_steps": fit.engine.warmup} if not is_prior_only(fit) else {}
        return attributes | own | {"sample_prior": fit.engine.sample_prior}
    return attributes


def _statistics(fit: Fit) -> xr.Dataset:
    import xarray as xr

    statistics = dict(fit.draws_record.statistics)
    if isinstance(fit.engine, NUTS) and "tree_depth" in statistics:
        statistics["reached_max_tree_depth"] = statistics["tree_depth"] >= fit.engine.max_treedepth
    coords = {"chain": np.arange(fit.draws_record.n_chains), "draw": np.arange(fit.draws_record.n_draws)}
    return xr.Dataset({name: (("chain", "draw"), v) for name, v in statistics.items()}, coords, _attributes(fit))


def _observed(fit: Fit) -> xr.Dataset:
    return _rows_dataset(fit, {response_variable(fit): fit.problem.design.response.arrays["y"]})


def _constant(fit: Fit) -> xr.Dataset:
    design = fit.problem.design
    columns = {_column_name(c.name): _shown(c) for c in fit.frame.columns.values()}
    columns.pop(response_variable(fit), None)
    known = {name: values for name, values in design.response.arrays.items() if name != "y"}
    if design.weights is not None:
        known["weights"] = design.weights
    return _rows_dataset(fit, {**known, **columns})


def _rows_dataset(fit: Fit, columns: Mapping[str, np.ndarray]) -> xr.Dataset:
    import xarray as xr

    per_row = {name: (ROWS, values) for name, values in columns.items() if np.shape(values) == (fit.nobs,)}
    coords = plain_coordinates(fit.frame.labels())
    return xr.Dataset(per_row, {k: v for k, v in coords.items() if k not in per_row}, _attributes(fit))


def _column_name(name: str) -> str:
    """Return a legal variable name that is no dimension."""
    legal = legal_name(name)
    return f"{legal}_" if legal in DIMENSIONS else legal


def _shown(column: Column) -> np.ndarray:
    if column.levels is not None:
        return np.asarray(column.levels, dtype=object)[column.values]
    return column.values.astype(bool) if column.is_boolean else column.values
