"""Predictive checks: each kind is a function that draws one panel, listed in ``kinds.py``."""

from __future__ import annotations

from bayesml.results.plots.predictive.check import pp_check

__all__ = ["pp_check"]
