"""Penalised splines: the basis of ``s(x)``, found on the rows of the fit and replayed on new ones."""

from __future__ import annotations

from bayesml.smooths.basis import SMOOTHS, SmoothBasis, fit_basis

__all__ = ["SMOOTHS", "SmoothBasis", "fit_basis"]
