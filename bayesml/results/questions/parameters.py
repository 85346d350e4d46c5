"""The parameters of a point estimate one by one: standard deviations, correlations, family parameters, coefficients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal, final

import numpy as np

from bayesml import names
from bayesml.engines.point.estimate import deviations
from bayesml.errors import ModelError, did_you_mean
from bayesml.keys import MU
from bayesml.variables import find_text

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["Element", "chosen", "elements", "values_of"]

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


def elements(fit: AbstractPointFit) -> tuple[Element, ...]:
    """Return every estimated parameter but the group effects: sds and correlations, family parameters, coefficients."""
    coefs = [Element(names.coefficient(c, MU), "b", row=i) for i, c in enumerate(fit.estimate.coefs)]
    family = [Element(name, "family") for name in _estimated_family_parameters(fit)]
    return (*_variances(fit), *family, *coefs)


def _variances(fit: AbstractPointFit) -> Iterator[Element]:
    for place, term in enumerate(fit.estimate.arrays.terms):
        for i, c in enumerate(term.coefs):
            yield Element(names.group_sd(term.name, c, MU), "sd", place, i)
        for block in term.block_slices():
            for i, j in combinations(range(block.start, block.stop), 2):
                text = names.correlation(term.name, term.coefs[i], term.coefs[j], MU)
                yield Element(text, "cor", place, j, i)


def _estimated_family_parameters(fit: AbstractPointFit) -> tuple[str, ...]:
    """Family parameters that were estimated, not held at a value."""
    return tuple(name for name in fit.estimate.auxiliary if name in fit.estimate.hyper_covariance().auxiliary)


def values_of(
    wanted: Sequence[Element], factors: Sequence[np.ndarray], auxiliary: dict[str, float], beta: np.ndarray
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


def chosen(fit: AbstractPointFit, parameters: str | Sequence[str] | None) -> tuple[Element, ...]:
    """Return the parameters asked for by name, or by ``"sd"``, ``"cor"``, ``"b"`` for all of a kind; None is all.

    Raises:
        ModelError: a name is unknown.
    """
    available = elements(fit)
    if parameters is None:
        return available
    found: dict[str, Element] = {}
    for name in [parameters] if isinstance(parameters, str) else list(parameters):
        own = [e for e in available if name == e.text or (name == e.kind != "family")]
        if not own and isinstance(name, str):
            place = find_text(fit.variables, name)
            own = [e for e in available if place is not None and e.text == place[1]]
        if not own:
            texts = [e.text for e in available]
            listed = ", ".join(f"`{t}`" for t in texts[:12])
            hint = did_you_mean(str(name), texts)
            raise ModelError(f'The fit has no parameter {name!r}{hint}; it has {listed} (or "sd", "cor", "b" for all).')
        found |= {e.text: e for e in own}
    return tuple(found.values())
