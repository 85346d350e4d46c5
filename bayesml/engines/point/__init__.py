"""Point estimates: REML, maximum likelihood, Laplace's approximation and the posterior mode."""

from __future__ import annotations

from bayesml.engines.point.options import MAP, ML, REML, Laplace

__all__ = ["MAP", "ML", "REML", "Laplace"]
