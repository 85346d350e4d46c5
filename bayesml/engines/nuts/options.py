"""The options of the NUTS engine, checked when they are set, before JAX is imported."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
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
        warmup: warm-up iterations of each chain, not kept; None takes 300 in preconditioned coordinates, which need
            little adaptation, and 1000 else.
        chains: number of chains.
        target_accept: average acceptance rate that the step size aims at; raise it (0.95, 0.99) against divergences.
        max_treedepth: a trajectory has at most 2^max_treedepth leapfrog steps.
        seed: whole number that makes the run reproducible; None draws one, kept in ``fit.seed``.
        progress: whether to show a progress bar.
        sample_prior: ``"no"``; ``"yes"`` adds prior draws beside the posterior; ``"only"`` ignores the likelihood and
            draws from the prior by forward simulation.
        marginalize: True insists on integrating group effects out exactly, False forbids it, None decides.
        precondition: the same for coordinates built from a pilot fit; ``fit.plan`` says what was chosen and why.

    Raises:
        ModelError: an option is out of range.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method=bayesml.NUTS(draws=2000, seed=1))
    """

    draws: int = 1000
    warmup: int | None = None
    chains: int = 4
    target_accept: float = 0.8
    max_treedepth: int = 10
    seed: int | None = None
    progress: bool = True
    sample_prior: Literal["no", "yes", "only"] = "no"
    marginalize: bool | None = None
    precondition: bool | None = None

    method: ClassVar[str] = "nuts"

    def __post_init__(self) -> None:
        for name, least in (("draws", 1), ("warmup", 0), ("chains", 1), ("max_treedepth", 1)):
            value = getattr(self, name)
            if name == "warmup" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ModelError(f"`{name}` is a whole number of at least {least}; got {value!r}.")
        if not isinstance(self.target_accept, (int, float)) or not 0.0 < self.target_accept < 1.0:
            raise ModelError(f"`target_accept` lies between 0 and 1; got {self.target_accept!r}.")
        if self.seed is not None and (isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0):
            raise ModelError(f"`seed` is a whole number of at least 0, or None; got {self.seed!r}.")
        for name in ("marginalize", "precondition"):
            if getattr(self, name) not in (None, True, False):
                raise ModelError(f"`{name}` is True, False or None; got {getattr(self, name)!r}.")
        if self.sample_prior not in ("no", "yes", "only"):
            raise ModelError(f'`sample_prior` is "no", "yes" or "only"; got {self.sample_prior!r}.')

    def run(self, problem: Problem) -> Outcome:
        """Sample the posterior."""
        began = time.perf_counter()
        from bayesml.engines.nuts.run import run

        imported = time.perf_counter() - began
        outcome = run(self, problem)
        return replace(outcome, timing=replace(outcome.timing, imports=imported))
