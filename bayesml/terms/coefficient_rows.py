"""The rows of the prior table for coefficients of class ``b``, which several kinds of terms have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bayesml.keys import PredictorKey
from bayesml.priors import DefaultPriors, PriorRow

__all__ = ["coefficient_rows"]


def coefficient_rows(
    predictor: PredictorKey, labels: Sequence[str], spreads: Sequence[float], defaults: DefaultPriors
) -> Iterator[PriorRow]:
    """Yield the class ``b`` and each coefficient.

    Args:
        predictor: whose coefficients they are.
        labels: label of each coefficient.
        spreads: typical size of the column of each.
        defaults: the default priors of the model.
    """
    if not labels:
        return
    of, priors = predictor.target, defaults.slopes(predictor, spreads)
    if defaults.style == "brms":
        yield PriorRow(priors[0], "b", predictor=of)
        yield from (PriorRow(None, "b", coef, predictor=of, source="(vectorized)") for coef in labels)
    else:
        yield PriorRow(None, "b", predictor=of, source="(per coefficient)")
        yield from (PriorRow(d, "b", coef, predictor=of) for coef, d in zip(labels, priors, strict=True))
