"""Questions put to a fit: comparisons, marginal means, slopes."""
