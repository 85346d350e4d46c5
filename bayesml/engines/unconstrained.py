"""The model as written in unconstrained coordinates: its density at many points, and the way to them from draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayesml.compile import compile_model
from bayesml.engines.base import Problem
from bayesml.engines.density import data_of, log_density, reported_values, with_prior_data
from bayesml.engines.layout import Layout, layout_of
from bayesml.engines.precision import double_precision
from bayesml.ordered import ordered_values
from bayesml.reported import reported_names
from bayesml.supports import Interval

__all__ = ["UnconstrainedModel", "unconstrained_draws"]

NUMBERS_AT_ONCE = 500_000
MOST_POINTS = 500
AGREEMENT = 1e-6


@final
@dataclass(frozen=True)
class UnconstrainedModel:
    """Log posterior density and reported variables as functions of unconstrained coordinates.

    Attributes:
        layout: the sampled variables in the flat vector.
        data: what the density is given beside it.
        density: compiled, ``(points, data) -> (points,)``, up to a constant.
        report: compiled, ``(points, data) -> {variable: (points, ...)}``.
    """

    layout: Layout
    data: Mapping[str, Any]
    density: Callable[..., Any]
    report: Callable[..., Any]

    @classmethod
    def of(cls, problem: Problem) -> UnconstrainedModel:
        """Return the model of a problem; nothing is compiled yet."""
        import jax

        spec, schema = problem.description.spec, problem.design.schema
        model = compile_model(spec, schema, problem.likelihood, with_priors=False)
        layout = layout_of(spec)
        weights = problem.design.weights
        size = layout.size
        data = with_prior_data(data_of(problem), spec, layout) | {"center": np.zeros(size), "scale": np.ones(size)}
        data["weights"] = np.ones(problem.design.n_rows) if weights is None else np.asarray(weights, float)
        reported = reported_values(model, spec, layout, frozenset(reported_names(spec, schema)))
        density = log_density(model, spec, layout)
        return cls(layout, data, jax.jit(jax.vmap(density, (0, None))), jax.jit(jax.vmap(reported, (0, None))))

    def log_density(self, points: np.ndarray, without: int | None = None) -> np.ndarray:
        """Return the log density of points ``(n, d)``; NaN is -inf.

        Args:
            points: unconstrained coordinates.
            without: position of a row whose likelihood is left out.
        """
        data = self.data
        if without is not None:
            weights = np.array(self.data["weights"])
            weights[without] = 0.0
            data = {**self.data, "weights": weights}
        found = np.concatenate([np.asarray(part)[:count] for part, count in self._batches(self.density, points, data)])
        return np.where(np.isnan(found), -np.inf, found)

    def reported(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return the reported variables at points, ``(n, *shape)``."""
        parts = [
            {name: np.asarray(value)[:count] for name, value in part.items()}
            for part, count in self._batches(self.report, points, self.data)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _batches(self, function: Callable[..., Any], points: np.ndarray, data: Any) -> Any:
        """Yield the values of some points at a time, all in parts of one length, and how many of them count."""
        rows = len(self.data["weights"])
        size = int(np.clip(NUMBERS_AT_ONCE // max(rows, self.layout.size, 1), 1, min(MOST_POINTS, len(points))))
        with double_precision():
            for start in range(0, len(points), size):
                part = points[start : start + size]
                padded = np.concatenate([part, np.repeat(part[:1], size - len(part), axis=0)])
                yield function(padded, data), len(part)


def unconstrained_draws(
    problem: Problem, model: UnconstrainedModel, values: Mapping[str, np.ndarray]
) -> np.ndarray | None:
    """Return the unconstrained coordinates behind reported draws, ``(draws, d)``; None where these do not tell them.

    Whatever was sampled, the variables of the model as written follow from reported ones: z of group-level effects is
    L^-1 r / sd. The way back is taken as a check.

    Args:
        problem: the model with its data.
        model: its density.
        values: draws of the reported variables, ``(chains, draws, *shape)``.
    """
    known = dict(values) | problem.likelihood.sampled(values)
    terms = [term for predictor in problem.design.schema.predictors for term in predictor.terms]
    for term in terms:
        known |= term.sampled(values)
    try:
        for term in terms:
            known |= term.standardised(known)
    except np.linalg.LinAlgError:
        return None
    known |= ordered_values(problem.description.spec, known)
    places = _places(problem)
    if not all(places[site.name][0] in known for site in model.layout.sites):
        return None
    parts = []
    for site in model.layout.sites:
        name, place = places[site.name]
        drawn = np.asarray(known[name], dtype=float)
        drawn = drawn.reshape(-1, *drawn.shape[2:])
        drawn = drawn if place is None else drawn[:, place]
        with np.errstate(all="ignore"):
            if isinstance(site.support, Interval):
                flat = site.support.unconstrain(drawn).reshape(len(drawn), -1)
            else:
                flat = np.stack([site.support.unconstrain(each) for each in drawn])
        if flat.shape[1] != site.size:
            return None
        parts.append(flat)
    points = np.concatenate(parts, axis=1)
    return points if np.isfinite(points).all() and _agrees(model, points, values) else None


def _places(problem: Problem) -> dict[str, tuple[str, int | None]]:
    """Return for each sampled site the parameter that it belongs to, and its place there where it is one element."""
    found: dict[str, tuple[str, int | None]] = {}
    for parameter in problem.description.spec.parameters:
        found[parameter.name] = (parameter.name, None)
        for place, coef in enumerate(parameter.coefs):
            found[f"{parameter.name}[{coef}]"] = (parameter.name, place)
    return found


def _agrees(model: UnconstrainedModel, points: np.ndarray, values: Mapping[str, np.ndarray]) -> bool:
    """Whether the reported variables at some of the points are those that the points were made of."""
    some = np.linspace(0, len(points) - 1, min(len(points), 20)).astype(int)
    again = model.reported(points[some])
    for name, value in again.items():
        if name in values:
            own = np.asarray(values[name], dtype=float)
            own = own.reshape(-1, *own.shape[2:])[some]
            scale = np.maximum(np.abs(own).max(initial=0.0), 1e-12)
            if not np.allclose(value, own, rtol=AGREEMENT, atol=AGREEMENT * scale):
                return False
    return True
