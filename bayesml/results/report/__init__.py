"""``fit.report()``: a fit as one page."""
