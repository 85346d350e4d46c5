"""The versions of JAX for which what is not promised by JAX was tried: kernels of whole programs, stored programs."""

from __future__ import annotations

import jax

__all__ = ["is_tested_version"]

TESTED_SINCE, UNTESTED_SINCE = (0, 10), (0, 11)
"""The first version that was tried, and the first that was not. Others compile the ordinary way: slower, the same."""


def is_tested_version() -> bool:
    """Say whether the version of JAX at hand is one that was tried."""
    return TESTED_SINCE <= jax.__version_info__ < UNTESTED_SINCE
