"""Running the point-estimate engines, and restoring their estimates from files.

Their numerics are imported when one of these functions is called, not before.
"""

from __future__ import annotations

from bayesml.engines.base import Outcome, Problem
from bayesml.engines.point.options import MAP, ML, REML, Laplace
from bayesml.posterior import AbstractPosterior, StoredEstimate

__all__ = [
    "restore_laplace_engine",
    "restore_linear_engine",
    "restore_map_engine",
    "run_laplace_engine",
    "run_map_engine",
    "run_ml_engine",
    "run_reml_engine",
]


def run_reml_engine(engine: REML, problem: Problem) -> Outcome:
    """Fit by restricted maximum likelihood."""
    from bayesml.engines.point.run import run_linear

    return run_linear(problem, engine.method, reml=True)


def run_ml_engine(engine: ML, problem: Problem) -> Outcome:
    """Fit by maximum likelihood."""
    from bayesml.engines.point.run import run_linear

    return run_linear(problem, engine.method, reml=False)


def run_laplace_engine(engine: Laplace, problem: Problem) -> Outcome:
    """Fit by maximum likelihood, group effects integrated out approximately."""
    from bayesml.engines.point.run import run_laplace

    return run_laplace(problem, engine.method, engine.quadrature_points, engine.curvature)


def run_map_engine(engine: MAP, problem: Problem) -> Outcome:
    """Maximise the marginal posterior."""
    from bayesml.engines.point.run import run_map

    return run_map(problem, engine.method)


def restore_linear_engine(engine: REML | ML, problem: Problem, stored: StoredEstimate) -> AbstractPosterior:
    """Return the estimate of a linear mixed model from a file."""
    from bayesml.engines.point.linear import restore_linear

    return restore_linear(problem, engine.method, stored)


def restore_laplace_engine(engine: Laplace, problem: Problem, stored: StoredEstimate) -> AbstractPosterior:
    """Return a maximum-likelihood estimate from a file."""
    from bayesml.engines.point.run import restore_laplace

    return restore_laplace(problem, engine.method, engine.quadrature_points, engine.curvature, stored)


def restore_map_engine(engine: MAP, problem: Problem, stored: StoredEstimate) -> AbstractPosterior:
    """Return a posterior mode from a file."""
    from bayesml.engines.point.run import restore_map

    return restore_map(problem, engine.method, stored)
