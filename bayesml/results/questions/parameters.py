"""The parameters of a point estimate by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bayesml import names
from bayesml.engines.point.elements import Element
from bayesml.errors import ModelError, did_you_mean
from bayesml.keys import MU
from bayesml.results.record.select import each_of
from bayesml.variables import find_text

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["chosen", "elements"]


def elements(fit: AbstractPointFit) -> tuple[Element, ...]:
    """Return every estimated parameter but the group effects: sds and correlations, family parameters, coefficients."""
    coefs = [Element(text, "b", row=i) for i, text in enumerate(fit.estimate.texts)]
    family = [Element(name, "family") for name in _estimated_family_parameters(fit)]
    return (*_variances(fit), *family, *coefs)


def _variances(fit: AbstractPointFit) -> Iterator[Element]:
    for place, own in enumerate(fit.estimate.arrays.effects):
        for i, text in enumerate(own.sd_texts):
            yield Element(text, "sd", place, i)
        for i, j in own.pairs:
            yield Element(names.correlation(own.name, own.coefs[i], own.coefs[j], MU), "cor", place, j, i)


def _estimated_family_parameters(fit: AbstractPointFit) -> tuple[str, ...]:
    """Family parameters that were estimated, not held at a value."""
    return tuple(name for name in fit.estimate.auxiliary if name in fit.estimate.hyper_covariance().auxiliary)


def chosen(fit: AbstractPointFit, parameters: str | Sequence[str] | None) -> tuple[Element, ...]:
    """Return the parameters requested by name, or by ``"sd"``, ``"cor"``, ``"b"`` for all of a kind; None is all.

    Raises:
        ModelError: a name is unknown.
    """
    available = elements(fit)
    if parameters is None:
        return available
    found: dict[str, Element] = {}
    for name in each_of(parameters):
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
