"""A model whose rows have several linear predictors as the numerics take it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

from bayesml.engines.base import Problem
from bayesml.engines.generalised_mixed import GeneralisedMixedFit, Penalty, fit_generalised_mixed
from bayesml.engines.generalised_mixed.stored import fit_from_stored
from bayesml.engines.point.arrays import PointArrays
from bayesml.engines.point.several.response import SeveralResponse
from bayesml.engines.point.several.search import Start
from bayesml.engines.point.several.singles import Singles
from bayesml.engines.point.several.slots import Slots
from bayesml.errors import ModelError
from bayesml.posterior import StoredEstimate
from bayesml.terms import group_terms

__all__ = ["SeveralModel", "restored", "several_model"]


@final
@dataclass(frozen=True)
class SeveralModel:
    """A model as the numerics take it.

    Attributes:
        problem: the described model.
        response: the density of the rows.
        arrays: columns and blocks over all linear predictors of the rows.
    """

    problem: Problem
    response: SeveralResponse
    arrays: PointArrays

    def fitted(self, penalty: Penalty | None = None, of_start: Penalty | None = None) -> GeneralisedMixedFit:
        """Maximise Laplace's approximation of the likelihood, or with a penalty that of the posterior."""
        arrays = self.arrays
        start = Start(self.problem, self.response, arrays.X, arrays.offset, of_start)
        return fit_generalised_mixed(
            self.response, arrays.X, arrays.blocks, offset=arrays.offset, penalty=penalty, names=arrays.coefs,
            start=start,
        )  # fmt: skip

    def for_response(self, problem: Problem) -> SeveralModel:
        """Return the model with another response; what was compiled is kept."""
        response = SeveralResponse(
            self.response.likelihood, self.response.slots, self.response.singles, problem.design,
            self.response.precisions,
        )  # fmt: skip
        return SeveralModel(problem, response, self.arrays)


def several_model(problem: Problem, method: str) -> SeveralModel:
    """Return a model as the numerics take it.

    Raises:
        ModelError: one of several responses is a mixture, or a prior holds something that cannot be held.
    """
    design = problem.design
    mixed = [each.name for each in design.responses if each.likelihood.traits.several_modes]
    if design.joint is not None and mixed:
        raise ModelError(
            f'method="{method}" is for mixtures of one response; `{mixed[0]}` is one of several. Fit it alone, or use '
            'method="nuts".'
        )
    others = [term for p in design.schema.predictors for term in p.groups() if not term.is_linear_jointly]
    if others:
        raise ModelError(f'method="{method}" has no form for {others[0].obstacle}; leave it out, or use method="nuts".')
    slots = Slots.of(design.schema.predictors)
    singles = Singles.of(problem, slots, method, holds=method == "map")
    response = SeveralResponse.of(design, slots, singles, method)
    blocks = slots.blocks()
    arrays = PointArrays(
        None,
        group_terms(block.estimated for block in blocks),
        tuple(replace(part.part, labels=part.labels) for part in slots.columns()),
        slots.X(design.arrays, design.n_rows, centred=True),
        tuple(block.effects for block in blocks),
        tuple(rows for block in blocks if (rows := block.stacked(design.arrays, slots.count)) is not None),
        slots.offset(design.arrays, design.n_rows),
        design.weights,
    )
    return SeveralModel(problem, response, arrays)


def restored(model: SeveralModel, method: str, stored: StoredEstimate) -> GeneralisedMixedFit:
    """Return a stored fit of a model.

    Raises:
        ValueError: it does not belong to the model.
    """
    stored.check_method(method)
    return fit_from_stored(
        stored, model.response, model.arrays.blocks, model.problem.design.n_rows, model.arrays.X.shape[1],
        model.response.slots.count,
    )  # fmt: skip
