"""Group-level effects of levels that the fit has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast, final, get_args

import numpy as np

from bayesml import names
from bayesml.design import Arrays
from bayesml.errors import DataError, ModelError
from bayesml.frame import Frame
from bayesml.keys import PredictorKey
from bayesml.terms import AbstractGroupTerm

__all__ = ["LevelSampler", "NewLevels", "UnseenLevels", "check_policy", "index_unseen"]

NewLevels = Literal["error", "uncertainty", "gaussian", "old"]
"""What an unseen level gets: ``"error"`` refuses it; ``"uncertainty"``: each draw takes the effects of a randomly
chosen level of the fit; ``"gaussian"``: each draw takes new effects from the normal distribution with its own standard
deviations and correlations; ``"old"``: one level of the fit, chosen once, for all draws."""

LISTED = 5


@final
@dataclass(frozen=True)
class UnseenLevels:
    """Levels of new data that the fit has not seen, by grouping factor; level k has index ``n_levels + k``.

    Attributes:
        labels: what they are called.
        terms: the terms that have such levels, with what they hold about them, by predictor and key.
    """

    labels: Mapping[str, tuple[str, ...]]
    terms: Mapping[tuple[PredictorKey, str], AbstractGroupTerm] = field(default_factory=dict)

    def count(self, group: AbstractGroupTerm) -> int:
        """Return how many there are of a grouping factor."""
        return len(self.labels.get(group.name, ()))


def check_policy(policy: str) -> NewLevels:
    """Return ``policy`` if it is one of ``NewLevels``; raise a ModelError if not."""
    if policy not in get_args(NewLevels):
        choices = ", ".join(f'"{p}"' for p in get_args(NewLevels))
        raise ModelError(f"`new_levels` is one of {choices}; got {policy!r}.")
    return cast(NewLevels, policy)


def index_unseen(
    groups: Sequence[AbstractGroupTerm], arrays: Arrays, frame: Frame, policy: NewLevels
) -> tuple[Arrays, UnseenLevels]:
    """Number the levels that the fit has not seen, each combination of the grouping columns on its own.

    Raises:
        DataError: there are some, and ``policy`` is ``"error"``.
    """
    indexed: dict[PredictorKey, dict[str, Mapping[str, np.ndarray]]]
    indexed = {predictor: dict(terms) for predictor, terms in arrays.items()}
    labels: dict[str, tuple[str, ...]] = {}
    found: dict[tuple[PredictorKey, str], AbstractGroupTerm] = {}
    for group in groups:
        new, own = group.renumbered(arrays[group.place][group.key], frame)
        if not new:
            continue
        labels[group.name] = new
        if policy == "error":
            raise _refusal(group, new)
        indexed[group.place][group.key] = own
        found[group.place, group.key] = group.with_new_levels(own, new)
    return indexed, UnseenLevels(labels, found)


def _refusal(group: AbstractGroupTerm, labels: Sequence[str]) -> DataError:
    shown = ", ".join(f"`{label}`" for label in labels[:LISTED])
    more = f" and {len(labels) - LISTED} more" if len(labels) > LISTED else ""
    return DataError(
        f"The grouping factor `{group.name}` has levels in the new data that the fit has not seen: {shown}{more}. "
        'Predict them with new_levels="uncertainty" (each draw borrows the effects of a random known level), '
        '"gaussian" (each draw simulates new effects) or "old" (one known level for all draws), '
        'or leave group-level effects out with re_formula="NA".'
    )


@final
@dataclass(frozen=True)
class LevelSampler:
    """Draws the effects of unseen levels, one batch of posterior draws after the other.

    A level borrows from the same known level for all its effects, in the predictors of all parameters.

    Attributes:
        groups: the group-level terms that have unseen levels.
        unseen: the levels to invent.
        policy: how.
        rng: source of randomness; its state moves with every batch.
        fixed: the known level behind each unseen one, by grouping factor, where ``policy`` is ``"old"``.
    """

    groups: tuple[AbstractGroupTerm, ...]
    unseen: UnseenLevels
    policy: NewLevels
    rng: np.random.Generator
    fixed: Mapping[str, np.ndarray]

    @classmethod
    def of(
        cls, groups: Sequence[AbstractGroupTerm], unseen: UnseenLevels, policy: NewLevels, rng: np.random.Generator
    ) -> LevelSampler:
        """Build the sampler; with ``"old"`` the known levels are chosen here."""
        affected = tuple(unseen.terms[group.place, group.key] for group in groups if unseen.count(group))
        fixed: dict[str, np.ndarray] = {}
        if policy == "old":
            fixed = {g.name: g.donors(rng, 1, unseen.count(g))[0] for g in _one_each(affected)}
        return cls(affected, unseen, policy, rng, fixed)

    def extended(self, values: Mapping[str, np.ndarray], n_draws: int) -> dict[str, np.ndarray]:
        """Return the effects of known and unseen levels of every affected term, ``(draws, levels + unseen, coefs)``.

        Args:
            values: a batch of draws of the reported variables.
            n_draws: draws in the batch.
        """
        donors = {} if self.policy == "gaussian" else {g.name: self._donors(g, n_draws) for g in _one_each(self.groups)}
        extended: dict[str, np.ndarray] = {}
        shared: dict[str, np.ndarray] = {}
        for group in self.groups:
            name = names.group_effect_variable(group.name, group.predictor)
            known = values[name]
            new = (
                group.simulated(values, self.rng, self.unseen.count(group), shared)
                if self.policy == "gaussian"
                else np.take_along_axis(known, donors[group.name][:, :, None], axis=1)
            )
            if self.policy == "uncertainty":
                new = group.informed(new, values, self.rng, shared)
            extended[name] = np.concatenate([known, new], axis=1)
        return extended

    def _donors(self, group: AbstractGroupTerm, n_draws: int) -> np.ndarray:
        shape = (n_draws, self.unseen.count(group))
        if self.policy == "old":
            return np.broadcast_to(self.fixed[group.name], shape)
        return group.donors(self.rng, *shape)


def _one_each(groups: Sequence[AbstractGroupTerm]) -> tuple[AbstractGroupTerm, ...]:
    """Return one term for each grouping factor; the levels of a factor are the same in every predictor."""
    return tuple({g.name: g for g in groups}.values())
