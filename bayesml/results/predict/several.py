"""Numbers of rows of all responses of a model together, drawn jointly where they are random."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.families import JointLikelihood
from bayesml.results.predict.drawn import (
    category_labels,
    drawn_quantity,
    natural_of_rows,
    needed_predictors,
    row_values,
)
from bayesml.results.predict.prepare import (
    Batch,
    Request,
    batches,
    choose_draws,
    generators,
    prepare_rows,
    random_responses,
)
from bayesml.results.predict.quantity import DrawnQuantity, What
from bayesml.results.predict.rows import Rows
from bayesml.results.record.fit import AbstractSampledFit
from bayesml.results.record.one_response import OwnNames, each_response
from bayesml.results.tables.statistics import summarise

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["DrawnQuantities", "evaluate_responses"]


@final
@dataclass(frozen=True)
class DrawnQuantities:
    """Draws of a number of each row and response.

    Attributes:
        parts: those of each response by its name.
    """

    parts: Mapping[str, DrawnQuantity]

    @property
    def values(self) -> np.ndarray:
        """All numbers, ``(draws, rows, columns of all responses)``."""
        columns = [part.values.reshape(*part.values.shape[:2], -1) for part in self.parts.values()]
        return np.concatenate(columns, axis=-1)

    def shown(self, summary: bool) -> xr.DataArray | pd.DataFrame | dict[str, xr.DataArray | pd.DataFrame]:
        """Return one array, or one table, with a dimension ``resp``; by response where one of them has categories."""
        if any(part.categories or (summary and part.levels) for part in self.parts.values()):
            return {resp: part.shown(summary) for resp, part in self.parts.items()}
        first, names = next(iter(self.parts.values())), tuple(self.parts)
        if not summary:
            return first.choice.label(self.values, first.labels, first.name, names, "resp")
        import pandas as pd

        index = pd.MultiIndex.from_product([first.labels, names], names=["obs", "resp"])
        return summarise(self.values.reshape(len(first.values), -1), index)


def evaluate_responses(fit: AbstractSampledFit, request: Request, what: What) -> DrawnQuantities:
    """Return draws of a number of each row and response; see ``evaluate``.

    Random responses of a row are drawn together, and effects of unseen levels are shared, so that correlations between
    responses are those of the model.
    """
    fits = each_response(fit)
    rows = _rows(fit, fits, request, what)
    choice, rng = choose_draws(fit, request), generators(request.seed)[2]
    found = {resp: _empty(one, what, (choice.count, rows.count)) for resp, one in fits.items()}
    for batch in batches(fit, rows, choice, request):
        with np.errstate(all="ignore"):
            drawn = _drawn_together(fit, batch, rows, rng) if what.kind == "predict" else None
            for resp, one in fits.items():
                if drawn is None:
                    own = _of_response(fit, batch, rows, resp)
                    found[resp][batch.where] = row_values(one, *own, what, rng)
                else:
                    found[resp][batch.where] = drawn[resp]
    parts = {resp: drawn_quantity(one, rows, found[resp], choice, what) for resp, one in fits.items()}
    return DrawnQuantities(parts)


def _rows(fit: AbstractSampledFit, fits: Mapping[str, AbstractSampledFit], request: Request, what: What) -> Rows:
    if what.kind != "linpred" and what.dpar is None:
        return prepare_rows(fit, request)
    keys = tuple(key for one in fits.values() for key in needed_predictors(one, what))
    return prepare_rows(fit, request, predictors=keys, additions=())


def _empty(one: AbstractSampledFit, what: What, shape: tuple[int, int]) -> np.ndarray:
    categories = category_labels(one, what)
    return np.empty((*shape, len(categories)) if categories else shape)


def _joint(fit: AbstractSampledFit) -> JointLikelihood:
    assert isinstance(fit.likelihood, JointLikelihood)
    return fit.likelihood


def _drawn_together(
    fit: AbstractSampledFit, batch: Batch, rows: Rows, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    joint, natural = _joint(fit), natural_of_rows(fit, batch, rows)
    drawn = random_responses(joint, rng, natural, rows)
    return {resp: joint.own_data(resp, {"y": drawn})["y"] for resp in joint.responses}


def _of_response(fit: AbstractSampledFit, batch: Batch, rows: Rows, resp: str) -> tuple[Batch, Rows]:
    """Return batch and rows as seen by one response."""
    own = {replace(key, resp=""): eta for key, eta in batch.predictors.items() if key.resp == resp}
    data = _joint(fit).own_data(resp, rows.data)
    return Batch(batch.where, OwnNames(batch.values, resp), own), replace(rows, data=data)
