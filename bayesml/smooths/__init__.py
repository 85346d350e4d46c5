"""Penalised splines: the bases of ``s(x)`` and ``t2(x, z)``, found on the rows of the fit and replayed on new ones."""

from __future__ import annotations

from bayesml.smooths.base import Request
from bayesml.smooths.basis import SMOOTHS, FittedBasis, SmoothBasis, fitted_basis, known_kind
from bayesml.smooths.levels import fit_curves, fit_effects
from bayesml.smooths.tensor import fit_tensor

__all__ = [
    "SMOOTHS", "FittedBasis", "Request", "SmoothBasis", "fit_curves", "fit_effects", "fit_tensor",
    "fitted_basis", "known_kind",
]  # fmt: skip
