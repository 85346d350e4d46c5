"""Arrays of ``fit.idata`` that are computed when something reads them.

ArviZ obtains the log-likelihood or random responses by reading a group; xarray's lazily indexed arrays, which it
has for files, let the group be there and cost nothing until then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, final

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from bayesml.errors import ModelError
from bayesml.results.record.row_labels import plain_coordinates

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["Computed", "rows_on_demand"]

LARGEST = 2**27
"""Numbers in an array that is computed without being requested by name; 1 GiB."""

PAGE = 'the page "ArviZ" of the documentation'


@final
@dataclass(frozen=True, eq=False)
class Computed(BackendArray):
    """An array that is computed once, when it is first read.

    Attributes:
        compute: how it is computed.
        what: what it is, for messages.
        shape: its shape.
        dtype: its type.
    """

    compute: Callable[[], np.ndarray]
    what: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @cached_property
    def values(self) -> np.ndarray:
        """The array."""
        numbers = prod(self.shape)
        if numbers > LARGEST:
            raise ModelError(
                f"The {self.what} of {self.shape[2]} rows and {prod(self.shape[:2])} draws takes {numbers / 2**27:.1f} "
                f"GiB. fit.loo() and loo_compare() need far less; fit.to_arviz({self.what}=True) computes it all the "
                f"same, fit.to_arviz({self.what}=False) leaves it out, for example of a file; see {PAGE}."
            )
        return np.asarray(self.compute(), dtype=self.dtype)

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        return self.values[key]

    def __deepcopy__(self, memo: Mapping[int, Any]) -> Computed:
        """Return itself: nothing in it changes."""
        return self


def rows_on_demand(
    fit: AbstractSampledFit, compute: Callable[[], np.ndarray], what: str, name: str, dtype: Any = np.float64
) -> xr.Dataset:
    """Return a data set with one variable of the dimensions chain, draw and obs that is computed when it is read.

    Responses of several columns have the dimension category too.
    """
    record = fit.draws_record
    columns = fit.likelihood.response_labels if what == "posterior_predictive" else ()
    shape = (record.n_chains, record.n_draws, fit.nobs, *([len(columns)] if columns else []))
    array = indexing.LazilyIndexedArray(Computed(compute, what, shape, np.dtype(dtype)))
    coords = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1]), **plain_coordinates(fit.frame.labels())}
    dims = ("chain", "draw", "obs", *(["category"] if columns else []))
    return xr.Dataset({name: xr.Variable(dims, array)}, coords | ({"category": list(columns)} if columns else {}))
