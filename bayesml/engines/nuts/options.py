"""The options of the NUTS engine, checked when they are set, before JAX is imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, final

from bayesml.engines.base import AbstractEngine, Outcome, Problem
from bayesml.errors import ModelError

__all__ = ["NUTS"]


@final
@dataclass(frozen=True)
class NUTS(AbstractEngine):
    """No-U-turn sampler (Hoffman & Gelman 2014) with Stan's warm-up, run by BlackJAX.

    Attributes:
        draws: draws kept in each chain.
        warmup: warm-up iterations of each chain, not kept.
        chains: number of chains.
        target_accept: average acceptance rate that the step size aims at; raise it (0.95, 0.99) against divergences.
        max_treedepth: a trajectory has at most 2^max_treedepth leapfrog steps.
        seed: whole number that makes the run reproducible; None draws one, kept in ``fit.seed``.
        progress: whether to show a progress bar.
        sample_prior: ``"no"``; ``"yes"`` adds prior draws beside the posterior; ``"only"`` ignores the likelihood and
            draws from the prior by forward simulation.

    Raises:
        ModelError: an option is out of range.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method=bayesml.NUTS(draws=2000, seed=1))
    """

    draws: int = 1000
    warmup: int = 1000
    chains: int = 4
    target_accept: float = 0.8
    max_treedepth: int = 10
    seed: int | None = None
    progress: bool = True
    sample_prior: Literal["no", "yes", "only"] = "no"

    method: ClassVar[str] = "nuts"

    def __post_init__(self) -> None:
        for name, least in (("draws", 1), ("warmup", 0), ("chains", 1), ("max_treedepth", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ModelError(f"`{name}` is a whole number of at least {least}; got {value!r}.")
        if not isinstance(self.target_accept, (int, float)) or not 0.0 < self.target_accept < 1.0:
            raise ModelError(f"`target_accept` lies between 0 and 1; got {self.target_accept!r}.")
        if self.seed is not None and (isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0):
            raise ModelError(f"`seed` is a whole number of at least 0, or None; got {self.seed!r}.")
        if self.sample_prior not in ("no", "yes", "only"):
            raise ModelError(f'`sample_prior` is "no", "yes" or "only"; got {self.sample_prior!r}.')

    def run(self, problem: Problem) -> Outcome:
        """Sample the posterior."""
        from bayesml.engines.nuts.run import run

        return run(self, problem)
