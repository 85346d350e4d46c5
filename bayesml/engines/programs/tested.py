"""The versions of JAX with which its undocumented features were tested: programs in files, programs of one kernel."""

from __future__ import annotations

import jax

__all__ = ["is_tested_version"]

TESTED_SINCE, UNTESTED_SINCE = (0, 10), (0, 11)
"""The first tested version, and the first later one that is untested. With other versions each process compiles its
programs; the results are the same."""


def is_tested_version() -> bool:
    """Whether the installed version of JAX was tested."""
    return TESTED_SINCE <= jax.__version_info__ < UNTESTED_SINCE
