"""What a calibrated model is: formula, family, design, priors, and the forms of its posterior that are sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import bayesml
from bayesml.formula import ModelFormula

__all__ = ["COLLAPSED", "PLAIN", "PRECONDITIONED", "Form", "Model"]


@dataclass(frozen=True)
class Form:
    """One way to sample a posterior.

    Attributes:
        name: of the form that the plan must choose.
        marginalize: as in ``fit``.
        precondition: as in ``fit``.
        largest_only: of crossed factors, integrate out the one with the most effects only.
    """

    name: str
    marginalize: bool | None = None
    precondition: bool | None = None
    largest_only: bool = False


COLLAPSED = Form("collapsed", marginalize=True)
PRECONDITIONED = Form("preconditioned", precondition=True)
PLAIN = Form("plain", marginalize=False, precondition=False)


@dataclass(frozen=True)
class Model:
    """A model and the columns of its data but the response.

    Attributes:
        name: for messages and test ids.
        formula: its response is ``y``, or ``responses``, censored by ``c`` where there is a window.
        family: its family, or a list with that of each response.
        columns: predictors and grouping factors.
        priors: one for every class of parameter.
        forms: the forms that are calibrated.
        placeholder: responses that the family takes; of a response with a few values, all of them. Of a response of
            several columns a tuple for each row.
        is_bounded: whether multiples of responses may lie outside of the support.
        window: for each row the interval in which a response is known exactly, ``(2, rows)``; beyond it is censored.
        responses: names of the responses, or of the columns of one.
        gaps: rows in which a response is missing, by its name.
        matrices: ``data2``.
        most_divergent: largest share of simulations that may have divergent transitions in the form that is chosen
            unasked; more than usual where a known edge or funnel of the posterior is not cured yet.
        seed: of the simulations. Models whose parameters are drawn alike have seeds of their own, lest the same odd
            draws occur in all of them: with seed 20 the truths of both smooths lie oddly, in one form as in the other
            (p of the joint log-likelihood 0.0006 and 0.001; 0.42, 0.90 and, of 2,000 simulations, 0.35 with others).
    """

    name: str
    formula: str | ModelFormula
    family: Any
    columns: dict[str, np.ndarray]
    priors: tuple[bayesml.Prior, ...]
    forms: tuple[Form, ...]
    placeholder: tuple[Any, ...] = (0.0, 1.0)
    is_bounded: bool = False
    window: np.ndarray | None = None
    responses: tuple[str, ...] = ("y",)
    gaps: Mapping[str, np.ndarray] = field(default_factory=dict)
    matrices: Mapping[str, Any] = field(default_factory=dict)
    most_divergent: float = 0.02
    seed: int = 20

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.columns["x"])

    @property
    def has_columns(self) -> bool:
        """Whether the response has several columns."""
        return isinstance(self.placeholder[0], tuple)

    @property
    def has_trials(self) -> bool:
        """Whether the response is a number of successes."""
        return "n" in self.columns and not self.has_columns

    def placeholders(self) -> dict[str, np.ndarray]:
        """Return responses of which only shapes and labels are read, NaN where they are missing."""
        shape = (self.rows, len(self.responses)) if self.has_columns else (self.rows, 1)
        filled = np.broadcast_to(np.resize(np.array(self.placeholder), shape), (self.rows, len(self.responses)))
        every = dict(zip(self.responses, filled.T, strict=True))
        return every | {name: np.where(missing, np.nan, every[name]) for name, missing in self.gaps.items()}

    def other(self, y: np.ndarray) -> np.ndarray:
        """Return a response that differs from ``y``."""
        if self.has_trials:
            return self.columns["n"] - y
        return y[::-1] if self.is_bounded else y[::-1] + 3.0
