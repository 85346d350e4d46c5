"""The options of the NUTS engine, checked when they are set, before JAX is imported."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar, Literal, TypedDict, final

import numpy as np

from bayesml.engines.base import AbstractEngine, Sampling
from bayesml.engines.nuts.defaults import PRECONDITIONED_WARMUP, USUAL_TARGET, WARMUP
from bayesml.errors import ModelError
from bayesml.foreign import answers_foreign_options

__all__ = ["NUTS", "SamplerOptions"]


class SamplerOptions(TypedDict, total=False):
    """The options of `NUTS` that ``fit``, ``update`` and their relatives take by name; None leaves one as it is."""

    draws: int | None
    warmup: int | None
    chains: int | None
    seed: int | None
    target_accept: float | None
    max_treedepth: int | None
    sample_prior: Literal["no", "yes", "only"] | None
    progress: bool | None
    marginalize: bool | None
    precondition: bool | None
    checkpoint: str | os.PathLike[str] | None
    target_ess: float | None
    max_seconds: float | None
    keep_group_effects: bool | int | str | None


@answers_foreign_options
@final
@dataclass(frozen=True)
class NUTS(AbstractEngine):
    """No-U-turn sampler (Hoffman & Gelman 2014) with multinomial sampling and Stan's warm-up.

    Attributes:
        draws: draws kept in each chain.
        warmup: warm-up iterations of each chain, not kept; None takes 300 in coordinates that are whitened at the
            mode, which need little adaptation, and 1000 else.
        chains: number of chains.
        target_accept: average acceptance rate that the step size aims at; raise it (0.95, 0.99) against divergences.
            None takes 0.8, and samples once more with 0.95 where transitions diverge.
        max_treedepth: a trajectory has at most 2^max_treedepth leapfrog steps.
        seed: whole number that makes the run reproducible; None draws one, kept in ``fit.seed``.
        progress: whether to show how far the run is, on one line.
        sample_prior: ``"no"``; ``"yes"`` adds prior draws beside the posterior; ``"only"`` ignores the likelihood and
            draws from the prior by forward simulation.
        marginalize: True requires integrating group effects out exactly, False excludes it, None decides.
        precondition: the same for coordinates built from a pilot fit; False also forbids to whiten what a collapsed
            form samples. ``fit.plan`` says what was chosen and why.
        checkpoint: a folder to which every block of draws is written; ``bayesml.resume(folder)`` goes on with a run
            that was killed.
        target_ess: go on beyond ``draws`` until the bulk and tail effective sample sizes of all parameters but the
            group-level effects reach it and their Rhat is at most 1.01.
        max_seconds: stop sampling after that time, compilation not counted; the draws so far are kept.
        keep_group_effects: True keeps every draw of the group-level effects; ``"float32"`` in single precision; a whole
            number k every k-th; ``"summary"`` their means and standard deviations; False nothing.

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
    target_accept: float | None = None
    max_treedepth: int = 10
    seed: int | None = None
    progress: bool = True
    sample_prior: Literal["no", "yes", "only"] = "no"
    marginalize: bool | None = None
    precondition: bool | None = None
    checkpoint: str | None = None
    target_ess: float | None = None
    max_seconds: float | None = None
    keep_group_effects: bool | int | str = True

    method: ClassVar[str] = "nuts"
    uses_priors: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("draws", "warmup", "chains", "max_treedepth", "seed"):
            if isinstance(getattr(self, name), np.integer):
                object.__setattr__(self, name, int(getattr(self, name)))
        for name, least in (("draws", 1), ("warmup", 0), ("chains", 1), ("max_treedepth", 1), ("seed", 0)):
            value = getattr(self, name)
            if not (is_whole(value, least) or (value is None and name in ("warmup", "seed"))):
                kind = ", or None" if name in ("warmup", "seed") else ""
                raise ModelError(f"`{name}` is a whole number of at least {least}{kind}; got {value!r}.")
        if self.target_accept is not None and not (is_positive(self.target_accept) and self.target_accept < 1.0):
            raise ModelError(f"`target_accept` lies between 0 and 1; got {self.target_accept!r}.")
        for name in ("marginalize", "precondition"):
            if getattr(self, name) not in (None, True, False):
                raise ModelError(f"`{name}` is True, False or None; got {getattr(self, name)!r}.")
        if not isinstance(self.progress, bool):
            raise ModelError(f"`progress` is True or False; got {self.progress!r}.")
        if self.sample_prior not in ("no", "yes", "only"):
            raise ModelError(f'`sample_prior` is "no", "yes" or "only"; got {self.sample_prior!r}.')
        for name in ("target_ess", "max_seconds"):
            value = getattr(self, name)
            if value is not None and not is_positive(value):
                raise ModelError(f"`{name}` is a positive number, or None; got {value!r}.")
        self._check_folder()
        self._check_effects()

    def _check_folder(self) -> None:
        if isinstance(self.checkpoint, os.PathLike):
            object.__setattr__(self, "checkpoint", os.fspath(self.checkpoint))
        if self.checkpoint is not None and (not isinstance(self.checkpoint, str) or not self.checkpoint):
            raise ModelError(f'`checkpoint` is the path of a folder, for example "run1"; got {self.checkpoint!r}.')

    def _check_effects(self) -> None:
        keep = self.keep_group_effects
        if not (isinstance(keep, bool) or keep in ("float32", "summary") or is_whole(keep, 1)):
            raise ModelError(
                '`keep_group_effects` is True, False, "float32", "summary", or a whole number k to keep every k-th '
                f"draw; got {keep!r}."
            )

    @property
    def sampling(self) -> Sampling:
        """How many draws were requested, and how."""
        return Sampling(
            self.chains,
            self.draws,
            self.warmup or 0,
            self.max_treedepth,
            self.target_accept or USUAL_TARGET,
            self.keep_group_effects,
        )

    @property
    def samples_prior_only(self) -> bool:
        """Whether the draws come from the prior alone."""
        return self.sample_prior == "only"

    @property
    def needs_identified_slopes(self) -> bool:
        """The posterior must be proper; a draw from the priors needs no data."""
        return not self.samples_prior_only

    @property
    def checkpoint_folder(self) -> str | None:
        """The folder that every block of draws is written to."""
        return self.checkpoint

    def attributes(self) -> dict[str, Any]:
        """Return what the groups of ``fit.idata`` say about the engine; prior draws come from no sampler."""
        sampler = {} if self.samples_prior_only else {"inference_library": "bayesml", "tuning_steps": self.warmup}
        return {**sampler, "sample_prior": self.sample_prior}

    def anew(self) -> NUTS:
        """Return the options without a checkpoint, and without what a run chose for its own model."""
        chosen = (0,) if self.sample_prior == "only" else (WARMUP, PRECONDITIONED_WARMUP)
        return replace(
            self,
            warmup=None if self.warmup in chosen else self.warmup,
            target_accept=None if self.target_accept == USUAL_TARGET else self.target_accept,
            checkpoint=None,
        )

    def seeded(self) -> NUTS:
        """Return the engine with a seed, drawn from the system where it has none."""
        if self.seed is not None:
            return self
        return replace(self, seed=int(np.random.SeedSequence().generate_state(1)[0]))

    def resumed(self, checkpoint: str, progress: bool | None) -> NUTS:
        """Return the engine that goes on with a run from its checkpoint."""
        return replace(self, checkpoint=checkpoint, progress=self.progress if progress is None else progress)


def is_whole(value: object, least: int) -> bool:
    """Whether a value is a whole number of at least ``least``."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_positive(value: object) -> bool:
    """Whether a value is a positive finite number."""
    return isinstance(value, Real) and not isinstance(value, bool) and 0.0 < float(value) < math.inf
