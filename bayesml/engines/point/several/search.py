"""Where the search starts: the model without group effects, fitted from one or several places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.engines.base import Problem as Model
from bayesml.engines.generalised_mixed import Penalty
from bayesml.engines.generalised_mixed.outer import Criterion, Evaluation
from bayesml.engines.generalised_mixed.problem import Parameters, Problem, build_problem
from bayesml.engines.generalised_mixed.quasi_newton import minimise
from bayesml.engines.generalised_mixed.start import group_deviations, starting_metric
from bayesml.engines.point.several.response import SeveralResponse
from bayesml.errors import ModelError
from bayesml.names import intercept_variable, slopes_variable
from bayesml.ordered import ORDERED
from bayesml.spec import ParameterSpec
from bayesml.terms import AbstractPopulationTerm

__all__ = ["Start"]

TRIALS = 16
SEED = 20231
SAME = 1e-4  # of minus twice the log-likelihood


@final
@dataclass(frozen=True)
class Start:
    """Finds the starting point of a model.

    Attributes:
        model: the described model.
        response: its rows.
        X: ``(N, p)`` all columns.
        offset: ``(N,)`` or None.
        penalty: minus twice the log prior of coefficients and psi, or None.
    """

    model: Model
    response: SeveralResponse
    X: np.ndarray
    offset: np.ndarray | None
    penalty: Penalty | None

    def __call__(self, problem: Problem) -> Parameters:
        """Return coefficients and psi of the model without group effects, and a guess of the group variances.

        A density that may have several modes, and a nonlinear formula, are tried from many places.

        Raises:
            ModelError: the likelihood is not finite anywhere.
        """
        bare = build_problem(self.response, self.X, (), self.offset, None, "observed")
        found: list[Evaluation] = []
        for beta, psi in self._places():
            criterion = Criterion(bare, 1, self.penalty)
            here = criterion.at(np.concatenate([bare.fixed.R @ beta[bare.fixed.kept], psi]))
            if np.isfinite(here.value):
                found.append(minimise(criterion, here, starting_metric(bare, criterion, here)).best)
        if not found:
            raise ModelError(
                "the likelihood could not be evaluated at the starting values. Check the response and the offset for "
                "extreme values, or rescale the predictors"
            )
        best = self._best(bare, found)
        assert best.mode is not None
        point = bare.parameters(best.flat)
        return Parameters(group_deviations(problem, best.mode.density), point.gamma, point.psi)

    def _best(self, bare: Problem, found: list[Evaluation]) -> Evaluation:
        """Return the lowest; among those that are as low, one whose Intercepts increase where they have an order."""
        lowest = min(each.value for each in found)
        as_low = [each for each in found if each.value < lowest + SAME]
        for each in as_low:
            beta = np.zeros(self.X.shape[1])
            beta[bare.fixed.kept] = bare.beta(bare.parameters(each.flat).gamma)
            if np.array_equal(self._in_order(beta), beta):
                return each
        return as_low[0]

    def _places(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return coefficients and psi to start from."""
        center, scale = self._coefficients()
        psi = np.zeros(self.response.singles.size)
        places = [(center, psi)]
        if self.model.likelihood.traits.several_modes or self.response.model.functions:
            rng = np.random.default_rng(SEED)
            for _ in range(TRIALS):
                moved = center + scale * rng.standard_normal(len(center))
                places.append((self._in_order(moved), 0.5 * rng.standard_normal(len(psi))))
        return places

    def _coefficients(self) -> tuple[np.ndarray, np.ndarray]:
        """Return typical coefficients of all columns, and typical distances from them."""
        by_name = {p.name: p for p in self.model.description.spec.parameters}
        center, scale = [], []
        for part in self.response.slots.columns():
            count = len(part.part.labels)
            own, spread = np.zeros(count), np.ones(count)
            term = part.term
            if isinstance(term, AbstractPopulationTerm):
                first = int(term.has_intercept)
                if first:
                    own[0], spread[0] = self._intercept(by_name, term)
                slopes = by_name.get(slopes_variable(term.predictor))
                if slopes is not None and len(slopes.centers) == count - first:
                    own[first:], spread[first:] = slopes.centers, slopes.scales
            center.append(own)
            scale.append(spread)
        return np.concatenate([np.zeros(0), *center]), np.concatenate([np.zeros(0), *scale])

    def _intercept(self, by_name: dict[str, ParameterSpec], term: AbstractPopulationTerm) -> tuple[float, float]:
        spec = by_name.get(intercept_variable(term.predictor))
        if spec is not None:
            return spec.centers[0], spec.scales[0]
        vector = by_name.get(ORDERED)
        if vector is None or term.predictor.dpar not in vector.coefs:
            return 0.0, 1.0
        place = vector.coefs.index(term.predictor.dpar)
        return vector.centers[place], vector.scales[place]

    def _in_order(self, beta: np.ndarray) -> np.ndarray:
        """Let Intercepts that have an order increase."""
        places, start = [], 0
        order = self.model.likelihood.ordered
        for part in self.response.slots.columns():
            if part.term.predictor.dpar in order and part.part.labels[:1] == ("Intercept",):
                places.append(start)
            start += len(part.part.labels)
        out = beta.copy()
        out[places] = np.sort(beta[places])
        return out
