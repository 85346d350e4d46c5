"""``bayesml.load(path)``: a saved fit with every method, without executing anything from the file.

Loading encodes the stored columns again and compares the design with the fingerprint that was stored, so that a fit
never goes on with data that are encoded differently.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.engines import Outcome, dispatch
from bayesml.engines.base import Continuation
from bayesml.errors import BayesmlError, ModelError, described
from bayesml.families import AbstractFamily
from bayesml.frame import Frame, frame_from_arrays
from bayesml.posterior import AbstractPosterior, Draws, ReducedEffects, StoredEstimate
from bayesml.reported import reported_variables
from bayesml.results.fits.fit_object import Fit, PointFit, fit_of
from bayesml.results.record import encoded
from bayesml.results.record.recipe import FittedModel, PreparedModel
from bayesml.results.storage.document import MALFORMED, model_from_json
from bayesml.results.storage.saving import (
    CONTINUATION,
    DOCUMENT,
    ESTIMATE,
    FORMAT,
    FORMAT_VERSION,
    REDUCED,
    digest,
    save,
)
from bayesml.results.storage.to_arviz import package_version
from bayesml.terms import Functions
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["is_saved_fit", "load", "save"]


def load(
    path: str | os.PathLike[str],
    functions: Functions | None = None,
    family: AbstractFamily | Sequence[str | AbstractFamily] | None = None,
) -> Fit | PointFit:
    """Read a fit that ``fit.save(path)`` wrote; every method works as before.

    Nothing in the file is executed: it holds arrays and JSON text. Of functions it holds the names alone.

    Args:
        path: the file.
        functions: the functions that the fit was given as ``functions=``, where it was.
        family: the family of the fit where it is a ``custom_family(...)``, made or imported as it was. Its parameters
            are compared with the stored ones, and the density of the data at typical parameters with the stored one.
            Of several responses a list with the family of each.

    Raises:
        ModelError: there is no such file; it is not a saved fit, is damaged or is of a later version; a function or the
            family is missing or another one; or the libraries installed here encode the data differently.

    Example:
        >>> fit = bayesml.load("sleep.nc")
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ModelError(f'The path of a file is text or a Path, for example "fit.nc"; got {path!r}.')
    source = Path(path).expanduser()
    if not source.is_file():
        raise ModelError(f"There is no file `{source}`.")
    groups = _checked_groups(source)
    try:
        return _rebuild(source, _read_document(source), groups, functions, family)
    except BayesmlError:
        raise
    except MALFORMED as error:
        raise ModelError(f"The file `{source}` is damaged and cannot be read ({described(error)}).") from error


def is_saved_fit(source: Path) -> bool:
    """Whether a file is a fit that some version of bayesml saved; a damaged one is none."""
    import h5py

    try:
        with h5py.File(source, "r") as file:
            return bool(np.atleast_1d(file.attrs.get("format", ""))[0] == FORMAT)
    except MALFORMED:
        return False


def _checked_groups(source: Path) -> frozenset[str]:
    """Return the groups of a file after a look at its format."""
    # h5netcdf complains a second time, on its way out, about a file that it could not open; h5py does not.
    import h5py

    try:
        with h5py.File(source, "r") as file:
            groups = frozenset(str(name) for name in file)
            kind, found = (np.atleast_1d(file.attrs.get(name, ""))[0] for name in ("format", "format_version"))
    except MALFORMED:
        raise ModelError(f"The file `{source}` cannot be read; it is damaged, or not a netCDF-4 file.") from None
    if kind != FORMAT:
        raise ModelError(f"The file `{source}` is not a fit saved by bayesml.")
    if found != FORMAT_VERSION:
        raise ModelError(
            f"The file `{source}` has format version {found}, and this version of bayesml ({package_version()}) reads "
            f"version {FORMAT_VERSION}. Read it with the version that wrote it, or fit the model again."
        )
    return groups


def _read_document(source: Path) -> Mapping[str, Any]:
    root = _read(source, None)
    text = str(root[DOCUMENT].item())
    if digest(text) != root.attrs["document_digest"]:
        raise ValueError("the description of the model is not the one that was written")
    return json.loads(text)


def _read(source: Path, group: str | None) -> xr.Dataset:
    import xarray as xr

    with xr.open_dataset(source, group=group, engine="h5netcdf", decode_times=False) as dataset:
        return dataset.load()


def _rebuild(
    source: Path,
    document: Mapping[str, Any],
    groups: frozenset[str],
    functions: Functions | None,
    family: AbstractFamily | Sequence[str | AbstractFamily] | None,
) -> Fit | PointFit:
    model = model_from_json(source, document, _frame(source, document["data"]), functions, family)
    outcome = Outcome(
        _estimate(source, document, model) if ESTIMATE in groups else _draws(source, groups, model),
        encoded.timing_from_json(document["timing"]),
        document["seed"],
        document["incomplete"],
        plan=document.get("plan", ""),
        continuation=_continuation(source) if CONTINUATION in groups else None,
        data_sets=_data_sets(document),
    )
    return fit_of(FittedModel(model.problem, model.frame, outcome, model.recipe))


def _data_sets(document: Mapping[str, Any]) -> int:
    """Return the number of data sets; files of earlier versions are of one."""
    found = document.get("data_sets", 1)
    if not isinstance(found, int) or found < 1:
        raise ValueError(f"{found!r:.50} is no number of data sets")
    return found


def _estimate(source: Path, document: Mapping[str, Any], model: PreparedModel) -> AbstractPosterior:
    arrays = {str(name): array.to_numpy() for name, array in _read(source, ESTIMATE).data_vars.items()}
    return dispatch.restore(model.recipe.engine, model.problem, StoredEstimate(arrays, document[ESTIMATE]))


def _frame(source: Path, metadata: Mapping[str, Any]) -> Frame:
    stored = _read(source, "data")
    return frame_from_arrays({str(name): stored[name].to_numpy() for name in stored.variables}, metadata)


def _continuation(source: Path) -> Continuation:
    stored = _read(source, CONTINUATION)
    states = {str(name): array.to_numpy() for name, array in stored.data_vars.items()}
    return Continuation(int(stored.attrs["iterations"]), int(stored.attrs["attempt"]), states)


def _draws(source: Path, groups: frozenset[str], model: PreparedModel) -> Draws:
    variables = reported_variables(model.problem.description.spec, model.problem.design.schema)
    posterior = _read(source, "posterior")
    reduced = _reduced(source, groups, [v.name for v in variables if v.kind == "r" and v.name not in posterior])
    kept = tuple(v for v in variables if v.name not in reduced)
    statistics = _read(source, "sample_stats").data_vars if "sample_stats" in groups else {}
    prior = _values(_read(source, "prior"), kept) if "prior" in groups else {}
    own = {str(name): array.to_numpy() for name, array in statistics.items()}
    return Draws(_values(posterior, kept), own, prior, reduced)


def _reduced(source: Path, groups: frozenset[str], names: Sequence[str]) -> dict[str, ReducedEffects]:
    stored = _read(source, REDUCED).data_vars if REDUCED in groups else {}
    parts: dict[str, dict[str, Any]] = {name: {} for name in names}
    for name, array in stored.items():
        variable, _, part = str(name).rpartition(".")
        parts[variable][part] = array.to_numpy()
    return {name: ReducedEffects(**found) for name, found in parts.items()}


def _values(stored: xr.Dataset, variables: tuple[ReportedVariable, ...]) -> dict[str, np.ndarray]:
    values = {variable.name: stored[variable.name].to_numpy() for variable in variables}
    for variable in variables:
        shape = tuple(len(labels) for labels in variable.coords)
        if values[variable.name].shape[2:] != shape:
            raise ValueError(f"`{variable.name}` has the shape {values[variable.name].shape[2:]}, not {shape}")
    return values
