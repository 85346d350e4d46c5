"""A variable that a posterior reports: its name, dimensions and labels, and the text name of every element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from bayesml import names
from bayesml.keys import PredictorKey

__all__ = ["COEFFICIENTS", "ReportedVariable", "Texts", "find_text"]

COEFFICIENTS = "Regression Coefficients"
"""The section of the summary of all population-level coefficients, thresholds and coefficients of special terms too."""

Texts = tuple[tuple[tuple[int, ...], str], ...]
"""Index and text name of each element."""


@final
@dataclass(frozen=True)
class ReportedVariable:
    """One variable of the posterior.

    Attributes:
        name: its name in ``fit.idata``.
        kind: ``b``, ``sd``, ``cor``, ``r``, ``family``, or ``latent`` for values that nobody observed.
        dims: names of its dimensions after chain and draw.
        coords: labels along each of them.
        texts: ``(index, text name)`` of each element.
        predictor: the predictor it belongs to.
        group: its grouping factor, or empty.
        pairs: of ``cor`` the two coefficients of each element; what is zero by the model is not among them.
        section: the table of the summary that it stands in; empty for what the summary leaves out.
        printed: how each element is printed there.
    """

    name: str
    kind: str
    dims: tuple[str, ...]
    coords: tuple[tuple[str, ...], ...]
    texts: Texts
    predictor: PredictorKey
    group: str = ""
    pairs: tuple[tuple[str, str], ...] = ()
    section: str = ""
    printed: tuple[str, ...] = ()

    @property
    def is_many(self) -> bool:
        """Whether it has elements for every level of a factor, or for rows: effects, and values nobody observed."""
        return self.kind in ("r", "latent")


def find_text(variables: Sequence[ReportedVariable], name: str) -> tuple[ReportedVariable, str] | None:
    """Return the element that a text name addresses: exactly, in brms's spelling, or with factors in another order.

    None is returned where nothing fits, and where ``name`` is that of a whole variable.
    """
    every = [(variable, text) for variable in variables for _, text in variable.texts]
    exact = next((each for each in every if each[1] == name), None)
    if exact is not None or any(variable.name == name for variable in variables):
        return exact
    alias = names.brms_alias(name)
    same = next((each for each in every if names.brms_alias(each[1]) == alias), None)
    if same is not None or ":" not in name:
        return same
    alike = ((variable, text) for variable, text in every if ":" in text and text[:2] == name[:2])
    return next(((v, text) for v, text in alike if alias in map(names.brms_alias, _reordered(v, text))), None)


def _reordered(variable: ReportedVariable, text: str) -> list[str]:
    """Return a text name with the factors of its coefficients and of its grouping factor in every order."""
    labels = (variable.group, *(label for labels in variable.coords[-1:] for label in labels))
    texts = [text]
    for label in labels:
        if ":" in label and label in text:
            texts += [each.replace(label, other) for each in texts for other in names.reorderings(label)]
    return texts
