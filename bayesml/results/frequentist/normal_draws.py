"""A point estimate as a fit with draws, from its normal approximation."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bayesml.engines import Outcome
from bayesml.engines.point.normal import normal_draws
from bayesml.errors import ModelError, warn_user
from bayesml.posterior import Timing

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["normal_outcome"]

CHAINS = 4
WIDE = 1.0


def normal_outcome(fit: AbstractPointFit, ndraws: int = 4000, seed: int | None = None) -> Outcome:
    """Draw from the normal approximation, so that ArviZ and every draw-based method work on a point estimate.

    See ``PointFit.to_normal_draws``.
    """
    if isinstance(ndraws, bool) or not isinstance(ndraws, int) or ndraws < 2 * CHAINS or ndraws % CHAINS:
        raise ModelError(f"`ndraws` is a multiple of {CHAINS} of at least {2 * CHAINS}; got {ndraws!r}.")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise ModelError(f"`seed` is a whole number of at least 0, or None; got {seed!r}.")
    own = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    began = time.perf_counter()
    drawn = normal_draws(fit.estimate, ndraws, own, CHAINS)
    _warn_about_spread(drawn.values)
    timing = Timing(design=fit.timing.design, sampling=time.perf_counter() - began)
    return Outcome(drawn, timing, own)


def _warn_about_spread(values: Mapping[str, np.ndarray]) -> None:
    """Say where a standard deviation is so uncertain that a normal approximation of its logarithm means little."""
    for name, drawn in values.items():
        if not name.startswith("sd_"):
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = np.nan_to_num(np.log(drawn).std(axis=(0, 1)))
        if np.any(spread > WIDE):
            warn_user(
                f"`{name}` is little determined (standard error of its logarithm up to {float(spread.max()):.1f}): the "
                'normal approximation is poor there. method="nuts" gives its posterior.'
            )
