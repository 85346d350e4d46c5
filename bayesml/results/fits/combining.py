"""``combine([fit1, fit2])``: the chains of several fits of one model as one fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from bayesml.engines import Outcome
from bayesml.errors import ModelError
from bayesml.posterior import Draws, ReducedEffects, Timing
from bayesml.results.checks.diagnostics import warn_about
from bayesml.results.fits.fit_object import Fit
from bayesml.results.record import encoded
from bayesml.results.record.recipe import PreparedModel
from bayesml.results.storage.same_model import differing_part

__all__ = ["combine", "together"]

OF_ONE_TARGET = ("sample_prior", "keep_group_effects")
"""Options of the engine without which draws cannot stand side by side."""


def combine(fits: Sequence[Fit]) -> Fit:
    """Put the chains of several fits of one model together, as brms's ``combine_models``.

    Args:
        fits: fits of the same formula, family, priors and data with the same number of draws in each chain, sampled
            with different seeds.

    Returns:
        One fit with all chains. It cannot be extended; its timing is the sum.

    Raises:
        ModelError: there are no two fits with draws; they are of different models or data; their chains have different
            lengths; or two have the same draws.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> fits = [bayesml.fit("Reaction ~ Days + (Days | Subject)", data, chains=2, seed=seed) for seed in (1, 2)]
        >>> bayesml.combine(fits).draws_record.n_chains
        4
    """
    _check_kinds(fits)
    first, *others = fits
    for place, other in enumerate(others, start=2):
        _check_same(first, other, place)
    for place, fit in enumerate(fits):
        for earlier in range(place):
            if _has_same_draws(fits[earlier], fit):
                raise ModelError(
                    f"The fits {earlier + 1} and {place + 1} have the same draws, as fits with the same seed have: "
                    "together they tell nothing more. Sample each with another `seed`."
                )
    combined = together(fits, 1)
    warn_about(combined)
    return combined


def together(fits: Sequence[Fit], data_sets: int) -> Fit:
    """Return the chains of fits one after the other; all but the draws is that of the first fit.

    Args:
        fits: fits with the same variables and number of draws.
        data_sets: number of data sets that the fits are of, with as many chains each.
    """
    first = fits[0]
    records = [fit.draws_record for fit in fits]
    draws = Draws(
        _stacked([record.values for record in records]),
        _stacked([record.statistics for record in records]),
        _stacked([record.prior for record in records]),
        {name: _reduced([record.reduced[name] for record in records]) for name in records[0].reduced},
    )
    seconds = {part.name: sum(getattr(fit.timing, part.name) for fit in fits) for part in fields(Timing)}
    outcome = Outcome(
        draws,
        Timing(**seconds),
        first.seed,
        any(fit.outcome.incomplete for fit in fits),
        plan=first.plan,
        notes=tuple(dict.fromkeys(note for fit in fits for note in fit.outcome.notes)),
        data_sets=data_sets,
    )
    return Fit(first.problem, first.frame, outcome, replace(first.recipe, engine=_engine(first, draws)))


def _engine(first: Fit, draws: Draws) -> Any:
    """Return the engine of a fit with as many chains as there are; draws of an approximation have none."""
    options = encoded.engine_to_json(first.engine)
    if "chains" not in options["options"]:
        return first.engine
    return encoded.engine_from_json({**options, "options": {**options["options"], "chains": draws.n_chains}})


def _stacked(groups: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([group[name] for group in groups]) for name in groups[0]}


def _reduced(parts: Sequence[ReducedEffects]) -> ReducedEffects:
    return ReducedEffects(
        **{part.name: np.concatenate([getattr(each, part.name) for each in parts]) for part in fields(ReducedEffects)}
    )


def _check_kinds(fits: Sequence[Fit]) -> None:
    if not isinstance(fits, (list, tuple)) or len(fits) < 2:
        raise ModelError(f"combine() takes a list of two or more fits, combine([fit1, fit2]); got {fits!r:.80}.")
    for place, fit in enumerate(fits, start=1):
        if not isinstance(fit, Fit):
            raise ModelError(
                f"combine() puts draws together, and entry {place} of the list is a {type(fit).__name__}. A point "
                "estimate has no draws; `fit.to_normal_draws(seed=1)` makes some."
            )
        if fit.outcome.data_sets > 1:
            raise ModelError(
                f"Entry {place} of the list is a fit of {fit.outcome.data_sets} data sets already. Fit all of them at "
                "once with `fit_multiple`."
            )


def _check_same(first: Fit, other: Fit, place: int) -> None:
    ours, theirs = (PreparedModel(fit.problem, fit.frame, fit.recipe) for fit in (first, other))
    options = [encoded.engine_to_json(fit.engine) for fit in (first, other)]
    different = differing_part(ours, theirs) or ("method" if options[0]["method"] != options[1]["method"] else None)
    for name in OF_ONE_TARGET:
        if different is None and len({repr(each["options"].get(name)) for each in options}) > 1:
            different = f"option `{name}`"
    if different is not None:
        raise ModelError(
            f"combine() puts fits of one model together, and fit {place} differs from the first in {different}. "
            "Models are compared with `bayesml.loo_compare`; data sets are put together by `bayesml.fit_multiple`."
        )
    lengths = [fit.draws_record.n_draws for fit in (first, other)]
    if lengths[0] != lengths[1]:
        raise ModelError(
            f"The chains of fit {place} have {lengths[1]} draws, those of the first {lengths[0]}. `fit.extend(draws=)` "
            "adds what is missing."
        )
    if any(
        set(getattr(first.draws_record, g)) != set(getattr(other.draws_record, g)) for g in ("values", "statistics")
    ):
        raise ModelError(f"Fit {place} has draws of another kind than the first: one was sampled, the other was not.")


def _has_same_draws(one: Fit, other: Fit) -> bool:
    values, others = one.draws_record.values, other.draws_record.values
    chains = min(one.draws_record.n_chains, other.draws_record.n_chains)
    return all(np.array_equal(values[name][:chains], others[name][:chains]) for name in values)
