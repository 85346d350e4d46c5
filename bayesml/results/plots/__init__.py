"""Pictures of a fit, drawn with matplotlib. Every function returns the figure and shows nothing by itself."""

from __future__ import annotations

from bayesml.results.plots.forest import forest
from bayesml.results.plots.pairs import pairs
from bayesml.results.plots.predictive import pp_check
from bayesml.results.plots.prior_posterior import plot_prior_posterior
from bayesml.results.plots.trace import plot

__all__ = ["forest", "pairs", "plot", "plot_prior_posterior", "pp_check"]
