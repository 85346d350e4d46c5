"""What a point estimate answers: lme4's summary, tables, predictions with standard errors, simulation, pictures."""

from __future__ import annotations

from bayesml.results.point.fit_object import PointFit
from bayesml.results.point.report import warn_about_point

__all__ = ["PointFit", "warn_about_point"]
