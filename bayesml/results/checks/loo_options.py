"""How ``loo()`` leaves rows out: which group-level effects are averaged over, and what is done where it fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, final

from bayesml.errors import ModelError
from bayesml.results.checks.loo_result import GOOD_K
from bayesml.results.checks.refits import mapper

__all__ = ["Groups", "LooOptions", "Unit"]

Groups = Literal["conditional", "integrate"]
Unit = Literal["obs", "group"]


@final
@dataclass(frozen=True)
class LooOptions:
    """The options of ``loo()``, see there.

    Raises:
        ModelError: one of them is impossible.
    """

    groups: Groups = "conditional"
    group: str | None = None
    unit: Unit = "obs"
    moment_match: bool = False
    reloo: bool = False
    k_threshold: float = GOOD_K
    executor: Any = None
    seed: int = 1

    def __post_init__(self) -> None:
        if self.groups not in ("conditional", "integrate"):
            raise ModelError(f'`groups` is "conditional" or "integrate"; got {self.groups!r}.')
        if self.unit not in ("obs", "group"):
            raise ModelError(f'`unit` is "obs" or "group"; got {self.unit!r}.')
        if self.groups == "conditional" and (self.unit == "group" or self.group is not None):
            raise ModelError(
                '`unit="group"` and `group=` say over whose effects groups="integrate" averages: write that too. '
                'kfold(group="g", K=None, joint="group") leaves out groups of any kind.'
            )
        if self.groups == "integrate" and self.moment_match is True:
            raise ModelError(
                'groups="integrate" averages over the effects that moment_match=True would move: leave one of them out.'
            )
        for name in ("moment_match", "reloo"):
            if not isinstance(getattr(self, name), bool):
                raise ModelError(f"`{name}` is True or False; got {getattr(self, name)!r}.")
        threshold = self.k_threshold
        if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not threshold >= 0.0:
            raise ModelError(f"`k_threshold` is a number of at least 0, by default {GOOD_K}; got {threshold!r}.")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ModelError(f"`seed` is a whole number of at least 0; got {self.seed!r}.")
        mapper(self.executor)
