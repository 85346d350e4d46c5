"""The parameters of a point estimate one by one: standard deviations, correlations, family parameters, coefficients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

__all__ = ["Element", "deviations", "values_of"]

Kind = Literal["sd", "cor", "family", "b"]


@final
@dataclass(frozen=True)
class Element:
    """One estimated number.

    Attributes:
        text: its name, ``sd_Subject__Days``.
        kind: what it is.
        term: place of the group-level term (sd, cor), else 0.
        row: its coefficient; of a correlation the later one; of ``b`` the place among the kept columns.
        column: the earlier coefficient of a correlation, else 0.
    """

    text: str
    kind: Kind
    term: int = 0
    row: int = 0
    column: int = 0


def values_of(
    wanted: Sequence[Element], factors: Sequence[np.ndarray], auxiliary: Mapping[str, float], beta: np.ndarray
) -> np.ndarray:
    """Return the values of the parameters from the parts of an estimate; NaN for a correlation without variance."""
    derived = [deviations(factor) for factor in factors]
    out = []
    for e in wanted:
        if e.kind == "sd":
            out.append(derived[e.term][0][e.row])
        elif e.kind == "cor":
            out.append(derived[e.term][1][e.row, e.column])
        else:
            out.append(auxiliary[e.text] if e.kind == "family" else beta[e.row])
    return np.array(out, dtype=float)


def deviations(factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return standard deviations and correlations of Lambda Lambda'; NaN correlations where a deviation is zero."""
    sd = np.sqrt(np.einsum("ij,ij->i", factor, factor))
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = factor / np.where(sd > 0, sd, np.nan)[:, None]
    correlation = unit @ unit.T
    np.fill_diagonal(correlation, 1.0)
    return sd, correlation
