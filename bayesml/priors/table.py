"""Every legal prior target of a model, with the prior it has: the rows of ``default_prior`` and ``prior_summary``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from bayesml.distributions import Distribution
from bayesml.priors.joint import AbstractJointPrior
from bayesml.spec import Bounds, unbounded

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FIXED", "PriorRow", "PriorTable", "Target", "flat_target"]

Target = tuple[str, tuple[str, str, str], str, str]
"""Class, (response, dpar, nlpar), group and coefficient; each may be empty."""
FIXED = "formula"
"""Source of the row of a parameter that the formula fixes."""
COLUMNS = ("prior", "class", "coef", "group", "resp", "dpar", "nlpar", "lb", "ub", "tag", "source")


@final
@dataclass(frozen=True)
class PriorRow:
    """One target.

    Attributes:
        distribution: the prior set on this very row, or None where the row inherits.
        prior_class: class of the parameter.
        coef: coefficient, or empty for the class.
        group: grouping factor, or empty for all.
        predictor: response, distributional parameter (empty for ``mu``) and nonlinear parameter, each may be empty.
        bounds: bounds of the values.
        whole: the kind of distribution it takes, where that is of a whole matrix or simplex; None for one of numbers.
        source: ``default``, ``user``, ``formula`` for a parameter that the formula fixes, or ``(vectorized)`` for a row
            that inherits.
        tag: the name of a set of priors that the user gave it, or empty.
    """

    distribution: Distribution | AbstractJointPrior | None
    prior_class: str
    coef: str = ""
    group: str = ""
    predictor: tuple[str, str, str] = ("", "", "")
    bounds: Bounds = unbounded
    source: str = "default"
    whole: type[Distribution] | None = None
    tag: str = ""

    @property
    def target(self) -> Target:
        """What the row is: class, predictor, group, coef."""
        return self.prior_class, self.predictor, self.group, self.coef

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as brms's columns; a row that inherits its prior shows neither prior nor bounds."""
        inherits = self.distribution is None
        lower, upper = ("" if inherits or abs(b) == float("inf") else f"{b:g}" for b in self.bounds)
        text = "" if inherits else str(self.distribution)
        return (text, self.prior_class, self.coef, self.group, *self.predictor, lower, upper, self.tag, self.source)


@final
@dataclass(frozen=True)
class PriorTable:
    """The prior table of a model, printed as brms prints it.

    Attributes:
        rows: one for each target, ordered by class, dpar, group, coefficient.
    """

    rows: tuple[PriorRow, ...]

    @classmethod
    def ordered(cls, rows: Iterable[PriorRow]) -> PriorTable:
        """Order the rows as brms does; of several rows with the same target the first is kept."""
        return cls(
            tuple(sorted(_distinct(rows), key=lambda r: tuple((part.lower(), part) for part in flat_target(r.target))))
        )

    def to_pandas(self) -> pd.DataFrame:
        """Return the table with brms's columns; an empty ``prior`` is flat, or inherited where source says so."""
        import pandas as pd

        return pd.DataFrame([row.cells for row in self.rows], columns=list(COLUMNS))

    def __len__(self) -> int:
        return len(self.rows)


def flat_target(target: Target) -> tuple[str, ...]:
    """Return class, response, dpar, nlpar, group and coefficient in one row."""
    prior_class, predictor, group, coef = target
    return (prior_class, *predictor, group, coef)


def _distinct(rows: Iterable[PriorRow]) -> Iterable[PriorRow]:
    first: dict[Target, PriorRow] = {}
    for row in rows:
        first.setdefault(row.target, row)
    return first.values()
