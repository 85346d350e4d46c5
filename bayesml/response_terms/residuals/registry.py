"""The residual terms by name; the file of a kind is imported when a formula has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesml.lazy import LazyRegistry
from bayesml.response_terms.base import AbstractResponseTerm

if TYPE_CHECKING:
    from bayesml.response_terms.residuals.kinds import AbstractResidualTerm

__all__ = ["PRODUCTS", "RESIDUAL_TERMS", "SEPARABLE"]

PACKAGE = "bayesml.response_terms.residuals"
SEPARABLE = "separable"

RESIDUAL_TERMS: LazyRegistry[type[AbstractResidualTerm]] = LazyRegistry(
    PACKAGE,
    {
        "ar": "kinds:Ar",
        "ma": "kinds:Ma",
        "arma": "kinds:Arma",
        "cosy": "kinds:Cosy",
        "unstr": "kinds:Unstr",
        "toep": "kinds:Toep",
        "fcor": "kinds:Fcor",
        "sar": "kinds:Sar",
    },
)
"""The calls right of ``~`` that become response terms."""
PRODUCTS: LazyRegistry[type[AbstractResponseTerm]] = LazyRegistry(PACKAGE, {SEPARABLE: "product:SeparableResiduals"})
"""What several of them that are multiplied become."""
