"""The versions of JAX with which its undocumented parts were tested: stored programs, kernels of whole programs."""

from __future__ import annotations

import jax

__all__ = ["is_tested_version"]

TESTED_SINCE, UNTESTED_SINCE = (0, 10), (0, 11)
"""The first version that was tested, and the first later one that was not. With others, programs are compiled anew in
each process: the results are the same."""


def is_tested_version() -> bool:
    """Say whether the installed version of JAX is one that was tested."""
    return TESTED_SINCE <= jax.__version_info__ < UNTESTED_SINCE
