"""What every prediction shares: the rows, encoded; the draws to use; linear predictors in batches of draws.

All in NumPy: a prediction never waits for a compiler.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import ModelError, did_you_mean
from bayesml.families import AbstractLikelihood
from bayesml.families.drawing import draw_where_possible, further_values
from bayesml.keys import PredictorKey
from bayesml.response_terms import needed_terms
from bayesml.results.predict.new_levels import LevelSampler, check_policy
from bayesml.results.predict.re_formula import select_groups
from bayesml.results.predict.rows import Rows, encoded_rows, own_rows
from bayesml.results.record.one_response import OwnNames, full_key, response_name
from bayesml.results.record.reduced import require_effects
from bayesml.results.record.row_labels import row_coordinates
from bayesml.terms import combine

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from bayesml.results.record.fit import AbstractFit, AbstractSampledFit

__all__ = [
    "Batch",
    "DrawChoice",
    "DrawnValues",
    "Request",
    "batches",
    "choose_draws",
    "draws_of_values",
    "generators",
    "known_parameter",
    "main_parameter",
    "natural_parameters",
    "predicted_parameter",
    "prepare_rows",
    "random_responses",
    "values_at",
    "with_predictors",
]

NUMBERS_AT_ONCE = 4_000_000  # about eight temporaries of this length stay below 256 MB
BATCH_OF_DRAWS = 500


@final
@dataclass(frozen=True)
class Request:
    """The options that every prediction has.

    Attributes:
        newdata: rows to predict; None for those of the fit.
        re_formula: which group-level effects, see ``select_groups``.
        new_levels: what unseen levels get, see ``NewLevels``.
        ndraws: use that many draws, chosen at random; None uses all.
        seed: whole number that makes random parts reproducible.
    """

    newdata: Any = None
    re_formula: Any = None
    new_levels: str = "error"
    ndraws: int | None = None
    seed: int | None = None


def prepare_rows(
    fit: AbstractSampledFit,
    request: Request,
    *,
    predictors: tuple[PredictorKey, ...] | None = None,
    response: bool = False,
    weights: bool = False,
    additions: tuple[str, ...] | None = None,
    nonlinear: bool = True,
) -> Rows:
    """Encode the rows to predict.

    Args:
        fit: the fit.
        request: new data and which group-level effects.
        predictors: the predictors that are needed; None for all.
        response: whether the observed response is needed.
        weights: whether likelihood weights are needed.
        additions: names of the family's own response terms (``trials``, ``se``) that are needed; None for all.
        nonlinear: whether nonlinear parameters are needed beside ``predictors``.

    Raises:
        DataError: the new data lack something, or have an unseen level that ``new_levels`` refuses.
        FormulaError: ``re_formula`` names what the model does not have.
    """
    policy = check_policy(request.new_levels)
    selection = select_groups(fit, request.re_formula)
    selection = selection if predictors is None else selection.only(predictors, nonlinear=nonlinear)
    if request.newdata is None:
        return own_rows(fit, selection)
    needed = {
        name for each in fit.parsed.responses for name in needed_terms(each.response.additions, response=response)
    }
    wanted = [*(needed if additions is None else additions), *(["weights"] if weights else [])]
    may_lack_groups = request.new_levels != "error"
    return encoded_rows(fit, request.newdata, selection, wanted, policy, may_lack_groups, response=response)


@final
@dataclass(frozen=True)
class DrawChoice:
    """The draws that are used.

    Attributes:
        indices: positions among all draws, chains one after the other; None for all of them.
        chains: number of chains.
        draws: draws in each chain.
    """

    indices: np.ndarray | None
    chains: int
    draws: int

    @property
    def count(self) -> int:
        """Number of draws used."""
        return self.chains * self.draws if self.indices is None else len(self.indices)

    def positions(self) -> np.ndarray:
        """Return the positions of the draws used among all draws."""
        return np.arange(self.chains * self.draws) if self.indices is None else self.indices

    def label(
        self,
        values: np.ndarray,
        labels: pd.Index,
        name: str,
        categories: tuple[str, ...] = (),
        last: str = "category",
    ) -> xr.DataArray:
        """Return ``(draws, rows)`` values with dimensions (chain, draw, obs), or (sample, obs) for chosen draws.

        Values ``(draws, rows, categories)`` have the dimension ``last`` behind them.
        """
        import xarray as xr

        further: dict[str, Any] = dict(row_coordinates(labels))
        dims: tuple[str, ...] = ("obs",)
        if values.ndim > 2:
            further[last], dims = list(categories), ("obs", last)
        if self.indices is None:
            coords: dict[str, Any] = {"chain": np.arange(self.chains), "draw": np.arange(self.draws), **further}
            shaped = values.reshape(self.chains, self.draws, *values.shape[1:])
            return xr.DataArray(shaped, coords, ("chain", "draw", *dims), name=name)
        chain, draw = np.divmod(self.indices, self.draws)
        coords = {"chain": ("sample", chain), "draw": ("sample", draw), **further}
        return xr.DataArray(values, coords, ("sample", *dims), name=name)


def choose_draws(fit: AbstractSampledFit, request: Request) -> DrawChoice:
    """Choose ``request.ndraws`` of the posterior draws at random, in their own order.

    Raises:
        ModelError: there are not that many.
    """
    chains, draws = fit.draws_record.n_chains, fit.draws_record.n_draws
    if request.ndraws is None:
        return DrawChoice(None, chains, draws)
    if not _is_whole(request.ndraws) or not 1 <= request.ndraws <= chains * draws:
        raise ModelError(
            f"`ndraws` is a whole number from 1 to {chains * draws}, or None for all; got {request.ndraws!r}."
        )
    chosen = generators(request.seed)[0].choice(chains * draws, size=request.ndraws, replace=False)
    return DrawChoice(np.sort(chosen), chains, draws)


def generators(seed: int | None) -> list[np.random.Generator]:
    """Return three independent sources of randomness: for the choice of draws, unseen levels, responses."""
    if seed is not None and (not _is_whole(seed) or seed < 0):
        raise ModelError(f"`seed` is a whole number of at least 0, or None; got {seed!r}.")
    return [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3)]


def _is_whole(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


@final
@dataclass(frozen=True)
class Batch:
    """Some of the draws.

    Attributes:
        where: their positions in the result.
        values: the reported variables, ``(draws, *shape)``, and what densities take beside them.
        predictors: the linear predictors, ``(draws, rows)``.

    Of one of several responses both have the names that they have in a model of one.
    """

    where: slice
    values: Mapping[str, np.ndarray]
    predictors: Mapping[PredictorKey, np.ndarray]


@final
@dataclass(frozen=True)
class _Slice(Mapping[str, np.ndarray]):
    """Selected draws of every variable, cut out when needed; effects of unseen levels behind those of known ones.

    What was cut out is kept: every block of rows needs it.
    """

    source: Mapping[str, np.ndarray]
    positions: np.ndarray
    extended: Mapping[str, np.ndarray]
    cut: dict[str, np.ndarray] = field(default_factory=dict)

    def __getitem__(self, name: str) -> np.ndarray:
        if name in self.extended:
            return self.extended[name]
        if name not in self.cut:
            drawn = self.source[name]
            chain, draw = np.divmod(self.positions, drawn.shape[1])
            self.cut[name] = np.asarray(drawn[chain, draw], dtype=float)
        return self.cut[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.source)

    def __len__(self) -> int:
        return len(self.source)


def values_at(values: Mapping[str, np.ndarray], positions: np.ndarray) -> Mapping[str, np.ndarray]:
    """Return some draws of every variable, ``(draws, *shape)`` each, which are cut out when they are needed."""
    return _Slice(values, positions, {})


def batches(
    fit: AbstractSampledFit,
    rows: Rows,
    choice: DrawChoice,
    request: Request,
    values: Mapping[str, np.ndarray] | None = None,
    numbers: int = NUMBERS_AT_ONCE,
) -> Iterator[Batch]:
    """Yield the linear predictors of all draws in batches that fit into memory.

    Args:
        fit: the fit.
        rows: the rows to predict.
        choice: the draws to use.
        request: how unseen levels are treated.
        values: all draws of the reported variables in the form that ``rows`` needs; None takes those of the fit.
        numbers: about how many numbers a batch has for each predictor.
    """
    for drawn in draws_of_values(fit, rows, choice, request, values, numbers // max(rows.count, 1)):
        yield with_predictors(fit, rows, drawn)


@final
@dataclass(frozen=True)
class DrawnValues:
    """The reported variables at some of the draws, with effects of unseen levels; see ``Batch``."""

    where: slice
    values: Mapping[str, np.ndarray]


def draws_of_values(
    fit: AbstractSampledFit,
    rows: Rows,
    choice: DrawChoice,
    request: Request,
    values: Mapping[str, np.ndarray] | None,
    size: int,
) -> Iterator[DrawnValues]:
    """Yield the reported variables at all draws, about ``size`` draws at a time; see ``batches``."""
    values = fit.draws_record.values if values is None else values
    if rows.selection.groups():
        require_effects(fit, "A prediction with group-level effects")
    policy, rng = check_policy(request.new_levels), generators(request.seed)[1]
    sampler = LevelSampler.of(rows.selection.groups(), rows.unseen, policy, rng)
    positions, size = choice.positions(), _batch_size(rows, size)
    for start in range(0, len(positions), size):
        chosen = positions[start : start + size]
        known = _Slice(values, chosen, {})
        drawn = _Slice(values, chosen, sampler.extended(known, len(chosen)) | fit.likelihood.sampled(known))
        yield DrawnValues(slice(start, start + len(chosen)), drawn)


def with_predictors(fit: AbstractSampledFit, rows: Rows, drawn: DrawnValues) -> Batch:
    """Return draws with the linear predictors of some rows."""
    optional = frozenset(fit.likelihood.also_taken)
    chosen = rows.selection.predictors
    # What densities take where there is such, as effects on thresholds, is left out where all its terms are.
    empty = {p.key for p in chosen if not p.terms and fit.likelihood.name_of(p.key) in optional}
    chosen = tuple(p for p in chosen if p.key not in empty)
    draws = drawn.where.stop - drawn.where.start
    sums = {p.key: _linear_predictor(p.terms, drawn.values, draws, rows, p.key) for p in chosen}
    predictors = combine(((p.key, p.terms) for p in chosen), sums, rows.arrays)
    resp = response_name(fit)
    if resp:
        own = {replace(key, resp=""): eta for key, eta in predictors.items()}
        return Batch(drawn.where, OwnNames(drawn.values, resp), own)
    return Batch(drawn.where, drawn.values, predictors)


def _batch_size(rows: Rows, size: int) -> int:
    largest = [(len(g.levels) + rows.unseen.count(g)) * len(g.coefs) for g in rows.selection.groups()]
    return int(np.clip(min(size, NUMBERS_AT_ONCE // max(1, *largest, 1)), 1, BATCH_OF_DRAWS))


def _linear_predictor(
    terms: tuple[Any, ...], values: Mapping[str, np.ndarray], draws: int, rows: Rows, key: PredictorKey
) -> np.ndarray:
    total: np.ndarray | None = None
    owned = False
    for term in terms:
        addend = np.asarray(term.contribution(values, rows.arrays[key][term.key]))
        # effects of each threshold have an axis more than the rows
        addend = np.broadcast_to(addend, (draws, rows.count)) if addend.ndim < 2 else addend
        if total is None or not owned or addend.shape != total.shape:
            total, owned = (addend, False) if total is None else (total + addend, True)
        else:
            total += addend
    if total is None:
        return np.zeros((draws, rows.count))
    return total if owned else total.copy()


def natural_parameters(likelihood: AbstractLikelihood, batch: Batch) -> dict[str, np.ndarray]:
    """Return every distributional parameter on its own scale, ``(draws, rows)`` or ``(draws, 1)``.

    A parameter that the model does not have (``sigma`` where ``se()`` stands for it) is 0.
    """
    draws = batch.where.stop - batch.where.start
    natural = {}
    for parameter in likelihood.dpars:
        key = likelihood.key_of(parameter.name)
        if key in batch.predictors:
            with np.errstate(all="ignore"):
                natural[parameter.name] = likelihood.link(parameter.name).inverse(batch.predictors[key])
        elif parameter.name in batch.values:
            natural[parameter.name] = batch.values[parameter.name][:, None]
        else:
            natural[parameter.name] = np.full((draws, 1), parameter.unpredicted or 0.0)
    named = {likelihood.name_of(key): eta for key, eta in batch.predictors.items() if not key.nlpar}
    others = {name: eta for name, eta in named.items() if name not in natural}
    return natural | others | further_values(likelihood, batch.values)


def main_parameter(likelihood: AbstractLikelihood) -> str:
    """Return the parameter that is meant where none is named: ``mu``.

    Raises:
        ModelError: the response has several, ``muB`` and ``muC``.
    """
    mains = [p.name for p in likelihood.dpars if p.kind == "mu"]
    if mains == ["mu"]:
        return "mu"
    raise ModelError(
        f"A model of the family {likelihood.family.name} has no single linear predictor: choose one, "
        f"{' or '.join(f'dpar={name!r}' for name in mains)}."
    )


def known_parameter(fit: AbstractFit, dpar: str) -> str:
    """Return the name of a parameter of the family; raise a ModelError where it has none of that name."""
    known = list(fit.likelihood.shown_parameters)
    if dpar not in known:
        listed = ", ".join(f"`{k}`" for k in known)
        raise ModelError(
            f"The family {fit.family.name} has no parameter `{dpar}`{did_you_mean(str(dpar), known)}; it has {listed}."
        )
    return dpar


def predicted_parameter(fit: AbstractFit, dpar: str | None) -> str:
    """Return the name of a parameter with a linear predictor, the main one for None; a ModelError else."""
    known = known_parameter(fit, main_parameter(fit.likelihood) if dpar is None else dpar)
    if fit.problem.design.schema.predictor(full_key(fit, known)) is None:
        raise ModelError(f'`{known}` has no formula and so no linear predictor; epred(dpar="{known}") gives its draws.')
    return known


def random_responses(
    likelihood: AbstractLikelihood, rng: np.random.Generator, natural: Mapping[str, np.ndarray], rows: Rows
) -> np.ndarray:
    """Draw one response for each draw and row, ``(draws, rows)``; NaN where there is none, see there."""
    draws = len(natural[likelihood.dpars[0].name])
    return draw_where_possible(likelihood, rng, natural, rows.data, (draws, rows.count))
