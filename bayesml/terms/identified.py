"""Which population-level coefficients the data tell apart: collinear columns, and what their priors make of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.distributions import Constant, Distribution
from bayesml.errors import PriorError, warn_user
from bayesml.keys import PredictorKey
from bayesml.linalg import orthogonalise
from bayesml.names import prefix

__all__ = ["Columns", "check_identified"]

CONSTANT = 1e-10  # a centred column shorter than this, relative to the column itself, is rounding error
SHARE = 1e-6  # a column that contributes less than this to a combination is no part of it
LISTED = 4


@final
@dataclass(frozen=True)
class Columns:
    """Population-level columns beside the intercept.

    Attributes:
        labels: label of each.
        centred: ``(rows, coefs)`` as they stand in the model: minus their means where there is an Intercept.
        written: the same as they come from the data.
        predictor: whose they are.
    """

    labels: tuple[str, ...]
    centred: np.ndarray
    written: np.ndarray
    predictor: PredictorKey


def check_identified(columns: Columns, priors: Sequence[Distribution]) -> None:
    """Look for columns that are linear combinations of others.

    The likelihood does not change along such a combination. With proper priors the posterior is proper and the prior
    alone decides how the effect is split; with flat ones it has no finite integral.

    Args:
        columns: the population-level columns of one predictor.
        priors: the prior of each coefficient.

    Raises:
        PriorError: the priors of a whole combination are flat.

    Warns:
        FitWarning: a combination has proper priors.
    """
    free = [i for i, prior in enumerate(priors) if not isinstance(prior, Constant)]
    matrix = _without_rounding(columns)
    combinations = _combinations([columns.labels[i] for i in free], matrix[:, free])
    if not combinations:
        return
    flat = [i for i, prior in enumerate(priors) if not prior.is_proper]
    unbounded = _combinations([columns.labels[i] for i in flat], matrix[:, flat])
    if unbounded:
        raise PriorError(
            f"{_listed(columns, unbounded)}, and the priors of these coefficients are flat: the posterior has no "
            "finite integral. Take columns out of the formula, or give the coefficients proper priors, for example "
            f'prior("normal(0, 10)", class_="b"{_arguments(columns.predictor)}).'
        )
    message = (
        f"{_listed(columns, combinations)}: the data cannot tell these coefficients apart, and the prior alone decides "
        "how the effect is split between them. Take columns out of the formula, or set priors that say what is meant."
    )
    warn_user(message)


def _without_rounding(columns: Columns) -> np.ndarray:
    """Return the centred columns; of a constant column only rounding errors are left, which become zeros."""
    centred = columns.centred.copy()
    size = np.sqrt((centred**2).sum(axis=0))
    centred[:, size <= CONSTANT * np.sqrt((columns.written**2).sum(axis=0))] = 0.0
    return centred


def _combinations(labels: Sequence[str], columns: np.ndarray) -> list[tuple[str, tuple[str, ...]]]:
    """Return each column that is a combination of earlier ones, with those; with none where it is constant."""
    if not labels:
        return []
    basis, effects = orthogonalise(columns)
    size = np.sqrt((columns**2).sum(axis=0))
    combinations = []
    for j in effects.dropped:
        weights = np.abs(effects.coefficients(basis.T @ columns[:, j])) * size[effects.kept]
        partners = [labels[k] for k in effects.kept[weights > SHARE * size[j]]] if size[j] > 0 else []
        combinations.append((labels[j], tuple(partners)))
    return combinations


def _listed(columns: Columns, combinations: Sequence[tuple[str, tuple[str, ...]]]) -> str:
    parts = [f"`{label}` ({_reason(partners)})" for label, partners in combinations[:LISTED]]
    more = f" and {len(combinations) - LISTED} more" if len(combinations) > LISTED else ""
    of = prefix(columns.predictor)
    where = f" in the formula of `{of}`" if of else ""
    are = "are linear combinations" if len(combinations) > 1 else "is a linear combination"
    return f"{', '.join(parts)}{more} {are} of other columns{where} in these data"


def _reason(partners: Sequence[str]) -> str:
    if not partners:
        return "constant"
    return "from " + ", ".join(f"`{p}`" for p in partners[:LISTED]) + (", ..." if len(partners) > LISTED else "")


def _arguments(predictor: PredictorKey) -> str:
    """Return the arguments of ``prior`` that say which predictor is meant."""
    parts = zip(("resp", "dpar", "nlpar"), predictor.target, strict=True)
    return "".join(f', {name}="{value}"' for name, value in parts if value)
