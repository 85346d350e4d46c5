"""Log-likelihoods from which the effects of a grouping factor are integrated out.

The effects u of a group have the density p(u | draw), and its rows are independent given u. Then

    p(y_g | draw) = int prod_{j in g} p(y_j | u, draw) p(u | draw) du,
    p(y_i | other rows of its group, draw) = p(y_g | draw) / p(y_{g without i} | draw).

The posterior without the row i is proportional to the posterior over p(y_i | other rows of its group, draw), whatever u
is: importance weights made of these densities do not depend on effects that the row itself decides (Vehtari, Mononen,
Tolvanen, Sivula & Winther 2016, JMLR 17(103); Merkle, Furr & Rabe-Hesketh 2019, Psychometrika 84).

Gaussian effects in the mean of a normal response are integrated exactly, all others by quadrature.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.design import PredictorDesign
from bayesml.errors import ModelError, did_you_mean
from bayesml.keys import PredictorKey
from bayesml.results.checks.integrated_normal import normal_densities
from bayesml.results.checks.integrated_numerically import Quadrature
from bayesml.results.checks.loo_options import Unit
from bayesml.results.marginal.spread import Spread
from bayesml.results.predict.prepare import Request, batches, choose_draws
from bayesml.results.predict.re_formula import Selection
from bayesml.results.predict.rows import Rows, own_rows
from bayesml.results.record.row_blocks import narrowed
from bayesml.terms import AbstractGroupTerm

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["Integration", "integrated", "integration_of"]

ROWS_AT_ONCE = 400


@final
@dataclass(frozen=True)
class Integration:
    """What is integrated out.

    Attributes:
        name: the grouping factor.
        rows: the rows of the fit without the effects of this factor.
        spread: how these effects are distributed.
        index: ``(rows,)`` number of the level of each row.
        labels: what the levels are called.
    """

    name: str
    rows: Rows
    spread: Spread
    index: np.ndarray
    labels: Sequence[str]

    @property
    def occurring(self) -> np.ndarray:
        """The levels that have rows."""
        return np.unique(self.index)


def integration_of(fit: AbstractSampledFit, group: str | None) -> Integration:
    """Return the effects of a grouping factor, ready to be integrated out.

    Args:
        fit: the fit.
        group: name of the grouping factor; None where there is one alone.

    Raises:
        ModelError: there is no such factor, or several; or its levels are not independent, or their effects not normal.
    """
    predictors = fit.problem.design.schema.predictors
    name = _chosen_factor(fit, predictors, group)
    chosen = [(p.key, term) for p in predictors for term in p.groups() if term.name == name]
    if fit.likelihood.traits.rows_depend:
        raise ModelError(
            'groups="integrate" takes the rows of a group as independent given its effects, and here they depend on '
            "each other (ar(), cosy() and their relatives)."
        )
    arrays, terms = fit.problem.design.arrays, []
    index: np.ndarray | None = None
    for key, term in chosen:
        own = arrays[key][term.key]
        _check_term(fit, term)
        terms.append((term.eliminated, np.asarray(own["Z"], dtype=float)))
        index = np.asarray(own["index"])
    assert index is not None
    kept = tuple(replace(p, terms=tuple(t for t in p.terms if (p.key, t) not in chosen)) for p in predictors)
    rows = own_rows(fit, Selection(kept, {}))
    return Integration(name, rows, Spread(tuple(terms)), index, chosen[0][1].levels.labels)


def _chosen_factor(fit: AbstractSampledFit, predictors: Sequence[PredictorDesign], group: str | None) -> str:
    names = list(dict.fromkeys(term.name for p in predictors for term in p.groups()))
    listed = ", ".join(f"`{name}`" for name in names)
    if not names:
        raise ModelError('The model has no group-level effects to integrate over; leave groups="integrate" out.')
    if group is None:
        if len(names) > 1:
            raise ModelError(
                f"The model has several grouping factors, {listed}: say over whose effects to average, for example "
                f'group="{names[0]}". Those of the others stay as they are drawn.'
            )
        return names[0]
    if group not in names:
        raise ModelError(
            f"The model has no grouping factor {group!r}{did_you_mean(str(group), names)}; it has {listed}."
        )
    return group


def _check_term(fit: AbstractSampledFit, term: AbstractGroupTerm) -> None:
    what = term.peculiarity
    if term.place != term.predictor:
        what = "differ between thresholds"
    elif term.is_linear_jointly and len({k.resp for k, _ in _alike(fit, term)}) != len(fit.parsed.responses):
        what = "are shared with other responses; leave `resp=` out"
    if what:
        raise ModelError(
            f'groups="integrate" averages over independent groups with normal effects, and those of `{term.name}` '
            f"{what}. Else use reloo=True or kfold()."
        )


def _alike(fit: AbstractSampledFit, term: AbstractGroupTerm) -> list[tuple[PredictorKey, AbstractGroupTerm]]:
    predictors = fit.problem.design.schema.predictors
    return [(p.key, t) for p in predictors for t in p.groups() if t.name == term.name]


def integrated(
    fit: AbstractSampledFit, integration: Integration, unit: Unit
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield log densities, some groups at a time.

    Args:
        fit: the fit.
        integration: what is integrated out.
        unit: ``"obs"`` for p(y_i | other rows of its group, draw), ``"group"`` for p(y_g | draw).

    Returns:
        Positions among the rows, or among the levels that have rows, and densities ``(draws, those)``.
    """
    request = Request()
    choice = choose_draws(fit, request)
    exact = _is_normal(fit, integration)
    quadrature = None if exact else Quadrature.of(fit, integration.spread)
    for levels, part, starts in _parts(integration):
        rows, values = narrowed(integration.rows, fit.draws_record.values, part)
        spread = integration.spread.taken(part)
        out = np.empty((choice.count, len(levels) if unit == "group" else len(part)))
        for batch in batches(fit, rows, choice, request, values):
            loadings = spread.loadings(batch.values)
            if quadrature is None:
                out[batch.where] = normal_densities(fit, batch, rows, loadings[spread.keys[0]], starts, unit)
            else:
                out[batch.where] = quadrature.densities(batch, rows, loadings, starts, unit)
        yield (np.searchsorted(integration.occurring, levels) if unit == "group" else part), out


def _is_normal(fit: AbstractSampledFit, integration: Integration) -> bool:
    """Whether effects in the mean of a normal response are all there is, without weights that are powers."""
    keys, likelihood = integration.spread.keys, fit.likelihood
    if not likelihood.traits.normal or len(keys) != 1 or keys[0].nlpar or keys[0].dpar != "mu":
        return False
    powers = integration.rows.weights is not None and fit.engine.sampling is not None
    return likelihood.link("mu").name == "identity" and not powers


def _parts(integration: Integration) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield levels, positions of their rows, level by level, and where the rows of each level begin."""
    order = np.argsort(integration.index, kind="stable")
    levels, starts, counts = np.unique(integration.index[order], return_index=True, return_counts=True)
    # levels of like size together, so that little is padded
    by_size = np.argsort(counts, kind="stable")
    place = 0
    while place < len(levels):
        largest = counts[by_size[min(place + 1, len(levels)) - 1]]
        size = max(1, ROWS_AT_ONCE // int(largest))
        chosen = by_size[place : place + size]
        rows = np.concatenate([order[starts[k] : starts[k] + counts[k]] for k in chosen])
        yield levels[chosen], rows, np.concatenate([[0], np.cumsum(counts[chosen])])
        place += len(chosen)
