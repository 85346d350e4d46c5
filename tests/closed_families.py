"""The families that have closed forms, over which the laws of these forms run."""

from __future__ import annotations

from bayesml.families import FAMILIES, AbstractLikelihood

CLOSED = {
    name: make
    for name, make in FAMILIES.items()
    if isinstance(family := make(), AbstractLikelihood) and family.has_expected_information
}
