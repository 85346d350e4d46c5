"""What the terms of a predictor can read of the rest of the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.families.records import UnobservedRows
from bayesml.frame import Frame

__all__ = ["ModelContext", "ResponseContext"]


@final
@dataclass(frozen=True, eq=False)
class ResponseContext:
    """What terms can read of a response.

    Attributes:
        name: its name in keys and names of parameters.
        column: the response as written, where that is a column alone; else its label.
        y: ``(rows,)`` its values, NaN where they are not observed.
        rows: ``(rows,)`` whether it is a part of the model in each row.
        unobserved: the rows in which it is a parameter; None for a response without ``mi()``.
        site: the variable that holds these.
        is_normal: whether they are normal given their predictors, and measured with normal errors.
        index: ``(rows,)`` the number that ``index()`` gives each row; None without it.
    """

    name: str
    column: str
    y: np.ndarray
    rows: np.ndarray
    unobserved: UnobservedRows | None
    site: str
    is_normal: bool = False
    index: np.ndarray | None = None


@final
@dataclass(frozen=True, eq=False)
class ModelContext:
    """What terms can read of the rest of the model.

    Attributes:
        frame: the rows of the fit.
        correlated_errors: whether variables that are measured with error are correlated, ``set_mecor``.
        responses: the responses.
    """

    frame: Frame
    correlated_errors: bool
    responses: tuple[ResponseContext, ...]

    def response(self, name: str) -> ResponseContext:
        """Return the response of that name, as keys have it."""
        return next(response for response in self.responses if response.name == name)
