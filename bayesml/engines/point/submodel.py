"""The same response under other columns: what is left of a refit for tests of terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

__all__ = ["Submodel"]


@final
@dataclass(frozen=True)
class Submodel:
    """What a refit returns.

    Attributes:
        log_likelihood: of the response, REML's own for REML.
        n_parameters: number of estimated parameters.
        factors: Lambda of each group-level term, on the scale of the linear predictor.
        auxiliary: family parameters by name.
        beta: coefficients of the kept columns.
    """

    log_likelihood: float
    n_parameters: int
    factors: tuple[np.ndarray, ...]
    auxiliary: Mapping[str, float]
    beta: np.ndarray
