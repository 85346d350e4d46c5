"""The value of ``loo()``: an object of the installed ArviZ with the fit that it is of."""

from __future__ import annotations

import warnings
from copy import deepcopy
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.results.checks.psis import LeaveOneOut
from bayesml.results.record.fit import AbstractSampledFit
from bayesml.results.record.row_labels import ROWS, plain_coordinates
from bayesml.results.storage.to_arviz import collect_groups

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["GOOD_K", "Evidence", "LooResult", "loo_result", "reliable_k"]

GOOD_K = 0.7


@final
@dataclass(frozen=True)
class Evidence:
    """What was left out and what it contributes.

    Attributes:
        fit: the fit.
        found: what each row, or each group, contributes.
        labels: what these are called.
        unit: what is left out at a time, ``"obs"`` for rows, or the name of a grouping factor.
    """

    fit: AbstractSampledFit
    found: LeaveOneOut
    labels: pd.Index
    unit: str = "obs"


class LooResult:
    """What ``loo()`` returns is of this class and of ArviZ's ``ELPDData``.

    Attributes:
        evidence: the fit and what its rows contribute.
    """

    evidence: Evidence


def reliable_k(draws: int) -> float:
    """Return the largest Pareto k with which so many draws give a reliable estimate (Vehtari et al. 2024)."""
    return min(1.0 - 1.0 / float(np.log10(max(draws, 2))), GOOD_K)


def loo_result(evidence: Evidence, pointwise: bool) -> Any:
    """Return the result as an object of the installed ArviZ.

    Args:
        evidence: what was found.
        pointwise: whether the object shows the value and the Pareto k of every observation.
    """
    import pandas as pd

    found, draws = evidence.found, evidence.fit.draws_record.n_chains * evidence.fit.draws_record.n_draws
    count, elpd, good_k = len(found.elpd), float(found.elpd.sum()), reliable_k(draws)
    template = _template()
    old = isinstance(template, pd.Series)
    values = {
        "elpd_loo" if old else "elpd": elpd,
        "se": float(np.sqrt(count * found.elpd.var())),
        "p_loo" if old else "p": float(found.lppd.sum()) - elpd,
        "n_samples": draws,
        "n_data_points": count,
        "warning": bool((found.pareto_k > good_k).any()),
        "good_k": good_k,
        "loo_i" if old else "elpd_i": _labelled(evidence, found.elpd, "loo_i") if pointwise else None,
        "pareto_k": _labelled(evidence, found.pareto_k, "pareto_shape") if pointwise else None,
        "scale": "log",
        "log_weights": None,
    }
    if old:
        kept = [key for key in template.index if values[key] is not None]
        result = _class()(data=[values[key] for key in kept], index=kept)
    else:
        own = {field.name: getattr(template, field.name) for field in fields(template)}
        result = _class()(**own | {key: value for key, value in values.items() if key in own})
    result.evidence = evidence
    return result


def _labelled(evidence: Evidence, values: np.ndarray, name: str) -> xr.DataArray:
    import xarray as xr

    if evidence.unit == "obs":
        return xr.DataArray(values, plain_coordinates(evidence.labels), (ROWS,), name=name)
    return xr.DataArray(values, {evidence.unit: evidence.labels}, (evidence.unit,), name=name)


@cache
def _template() -> Any:
    """Return what ArviZ makes of one observation: its class and attributes differ between the versions of ArviZ."""
    import arviz
    import xarray as xr

    draws = xr.Dataset({"y": (("chain", "draw", ROWS), np.linspace(-2.0, -1.0, 50).reshape(2, 25, 1))})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return arviz.loo(collect_groups({"log_likelihood": draws}, {}), pointwise=True, var_name="y", reff=1.0)


@cache
def _class() -> Any:
    """Return ArviZ's class of such results with the evidence as a further attribute."""
    base = type(_template())

    class Loo(LooResult, base):  # type: ignore[misc, valid-type]
        """ArviZ's result, and what it was computed from."""

        _metadata = ("evidence",)  # pandas takes no other attributes

        def __reduce__(self) -> tuple[Any, ...]:
            return _restored, (_contents(self), self.evidence)

        def __copy__(self) -> Any:
            return _restored(_contents(self), self.evidence)

        def __deepcopy__(self, memo: Any) -> Any:
            return _restored(deepcopy(_contents(self), memo), self.evidence)

        def copy(self, deep: bool = True) -> Any:
            """Return a copy, which shares the evidence."""
            return deepcopy(self) if deep else self.__copy__()

    Loo.__name__, Loo.__qualname__ = base.__name__, base.__qualname__
    return Loo


def _contents(result: Any) -> dict[str, Any]:
    if is_dataclass(result):
        return {field.name: getattr(result, field.name) for field in fields(result)}
    return dict(zip(result.index, result.to_numpy(), strict=True))


def _restored(contents: dict[str, Any], evidence: Evidence) -> Any:
    """Return a result that was copied or stored."""
    restored: Any
    if is_dataclass(_class()):
        restored = _class()(**contents)
    else:
        restored = _class()(data=list(contents.values()), index=list(contents))
    restored.evidence = evidence
    return restored
