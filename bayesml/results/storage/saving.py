"""``fit.save(path)``: one netCDF-4 file of arrays and one JSON text; nothing is pickled.

The groups ``posterior``, ``sample_stats`` and ``prior`` are laid out as in ``fit.idata``, so that other tools can read
them; ``data`` holds the columns of the fit, ``continuation`` where its chains stand, ``group_effects`` what was kept of
effects that were not kept draw by draw. A point estimate has the group ``estimate`` instead of draws.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.errors import ModelError
from bayesml.frame import frame_to_arrays
from bayesml.posterior import ReducedEffects
from bayesml.response_design import response_values
from bayesml.results.record import encoded
from bayesml.results.record.fit import AbstractFit, AbstractPointFit, AbstractSampledFit
from bayesml.results.storage.document import model_to_json
from bayesml.results.storage.to_arviz import draws_dataset

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "CONTINUATION",
    "DOCUMENT",
    "ESTIMATE",
    "FORMAT",
    "FORMAT_VERSION",
    "REDUCED",
    "digest",
    "save",
    "writable_target",
]

FORMAT = "bayesml fit"
FORMAT_VERSION = 3
DOCUMENT = "document"
REDUCED = "group_effects"
CONTINUATION = "continuation"
ESTIMATE = "estimate"


def save(fit: AbstractFit, path: str | os.PathLike[str]) -> None:
    """Write a fit to one netCDF file.

    The file is written beside its destination and then renamed: a file of that name is replaced whole or not at all.
    Functions that were given as ``functions=``, and those of a ``custom_family``, are not stored, only their names.

    Args:
        fit: the fit.
        path: the file, such as ``sleep.nc``; an existing one is replaced.

    Raises:
        ModelError: the folder does not exist or cannot be written to, or the response of a refit is not a column.

    Example:
        >>> fit.save("sleep.nc")
        >>> fit = bayesml.load("sleep.nc")
    """
    target = writable_target(path)
    _check_response(fit)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise ModelError(f"The fit cannot be saved in `{target.parent}`: {error.strerror or error}.") from None
    try:
        _write(fit, name)
        _make_readable(name)
        os.replace(name, target)
    except OSError as error:
        raise ModelError(f"The fit cannot be saved as `{target}`: {error.strerror or error}.") from None
    finally:
        Path(name).unlink(missing_ok=True)


def _check_response(fit: AbstractFit) -> None:
    """Refuse a refit whose response is not that of its columns: ``fit.refit(y)`` of ``log(y) ~ x``."""
    for formula, response in zip(fit.parsed.responses, fit.problem.design.responses, strict=True):
        takes_columns = response.likelihood.family.takes_columns
        rows = np.arange(fit.frame.n_rows) if response.rows is None else np.flatnonzero(response.rows)
        raw = response_values(formula.response, fit.frame.select(rows), fit.recipe.functions, takes_columns)
        own, encoded = response.data.arrays["y"][rows], response.likelihood.encode(raw).arrays["y"]
        if not np.array_equal(encoded, own, equal_nan=True):
            raise ModelError(
                "The fit has another response than the columns that are saved with it: "
                f"`{formula.response.name}` is computed from them, or has categories. Fit the model to data with the "
                "new response instead, fit.update(data=data), and save that."
            )


def writable_target(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file to be written, after a look at its folder.

    Raises:
        ModelError: it is no path, is a folder, or lies in no folder.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ModelError(f'The path of a file is text or a Path, for example "fit.nc"; got {path!r}.')
    target = Path(path).expanduser()
    if target.is_dir():
        raise ModelError(f"`{target}` is a folder; give the name of a file in it, for example `{target / 'fit.nc'}`.")
    if not target.parent.is_dir():
        raise ModelError(f"The folder `{target.parent}` does not exist; make it first.")
    return target


def _make_readable(name: str) -> None:
    """Give the file the permissions that any new file gets; temporary files are for their owner only."""
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(name, 0o666 & ~mask)


def _write(fit: AbstractFit, name: str) -> None:
    import xarray as xr

    arrays, columns = frame_to_arrays(fit.frame)
    document = json.dumps(_document(fit, columns), ensure_ascii=False)
    attributes = {"format": FORMAT, "format_version": FORMAT_VERSION, "document_digest": digest(document)}
    xr.Dataset({DOCUMENT: ((), np.array(document, dtype=object))}, attrs=attributes).to_netcdf(
        name, mode="w", engine="h5netcdf"
    )
    groups = _estimate_groups(fit) if isinstance(fit, AbstractPointFit) else _draws_groups(fit)
    groups["data"] = xr.Dataset({k: (_data_dimensions(k, values), values) for k, values in arrays.items()})
    for group, dataset in groups.items():
        dataset.to_netcdf(name, mode="a", group=group, engine="h5netcdf", encoding=_checksums(dataset))


def _data_dimensions(name: str, array: np.ndarray) -> list[str]:
    """Return the dimensions of a column, or of part of a matrix beside the table."""
    return _dimensions(array.shape) if name.startswith("matrix_") else ["row"]


def _estimate_groups(fit: AbstractPointFit) -> dict[str, xr.Dataset]:
    arrays = fit.estimate.stored().arrays
    return {ESTIMATE: _dataset({name: array for name, array in arrays.items() if array.size})}


def _draws_groups(fit: AbstractFit) -> dict[str, xr.Dataset]:
    import xarray as xr

    assert isinstance(fit, AbstractSampledFit)
    record = fit.draws_record
    groups = {"posterior": draws_dataset(record.values, fit.variables, {})}
    if record.statistics:
        groups["sample_stats"] = xr.Dataset({k: (("chain", "draw"), v) for k, v in record.statistics.items()})
    if record.prior:
        groups["prior"] = draws_dataset(record.prior, fit.variables, {})
    if record.reduced:
        groups[REDUCED] = _dataset(_reduced_arrays(record.reduced))
    if fit.outcome.continuation is not None:
        chains = fit.outcome.continuation
        attributes = {"iterations": chains.iterations, "attempt": chains.attempt}
        groups[CONTINUATION] = _dataset(chains.states).assign_attrs(attributes)
    return groups


def _reduced_arrays(reduced: Mapping[str, ReducedEffects]) -> dict[str, np.ndarray]:
    arrays = {
        f"{name}.{part.name}": getattr(kept, part.name) for name, kept in reduced.items() for part in fields(kept)
    }
    return {name: array for name, array in arrays.items() if array.size}


def _dataset(arrays: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Return arrays without labels; lengths give the dimensions their names."""
    import xarray as xr

    return xr.Dataset({name: (_dimensions(array.shape), array) for name, array in arrays.items()})


def _dimensions(shape: tuple[int, ...]) -> list[str]:
    return [f"n{length}_{shape[:i].count(length)}" for i, length in enumerate(shape)]


def _checksums(dataset: xr.Dataset) -> dict[str, dict[str, bool]]:
    """Ask for a checksum beside each chunk of numbers, which the HDF5 library compares when it reads them."""
    return {str(name): {"fletcher32": True} for name, array in dataset.data_vars.items() if array.ndim and array.size}


def digest(document: str) -> str:
    """Return the checksum of the JSON text."""
    return hashlib.sha256(document.encode()).hexdigest()


def _document(fit: AbstractFit, columns: Mapping[str, Any]) -> dict[str, Any]:
    outcome = fit.outcome
    estimate = {ESTIMATE: fit.estimate.stored().facts} if isinstance(fit, AbstractPointFit) else {}
    return {
        **estimate,
        **model_to_json(fit.problem, columns, fit.recipe),
        "seed": int(outcome.seed),
        "incomplete": bool(outcome.incomplete),
        "timing": encoded.timing_to_json(outcome.timing),
        "plan": outcome.plan,
        "data_sets": int(outcome.data_sets),
    }
