"""Double precision and the persistent compilation cache, for the length of a call only.

JAX keeps both in process-wide settings. What the user has set is left as it was: x64 is entered as a context (JAX keeps
it per thread), and the cache folder is put back after our compilation.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from threading import RLock
from typing import Any

import jax
from jax.experimental.compilation_cache import compilation_cache

from bayesml.engines.cache import private_folder

__all__ = ["double_precision", "no_persistent_cache", "persistent_cache"]

_SETTINGS = RLock()
"""JAX's settings of its cache hold for all threads: fits that compile at the same time take turns."""
_CACHE_SETTINGS = {
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}


def double_precision() -> AbstractContextManager[object]:
    """Return a context in which this thread computes in float64."""
    return jax.enable_x64(True)


@contextmanager
def persistent_cache() -> Iterator[None]:
    """Compile with the persistent cache on; a cache folder the user has set himself is used instead of ours."""
    with _SETTINGS:
        folder = private_folder("xla") if jax.config.jax_compilation_cache_dir is None else None
        if folder is None or not os.access(folder, os.W_OK):
            yield
        else:
            with _settings({**_CACHE_SETTINGS, "jax_compilation_cache_dir": str(folder)}):
                yield


@contextmanager
def no_persistent_cache() -> Iterator[None]:
    """Compile without a persistent cache, also without one that the user has set."""
    with _SETTINGS:
        if jax.config.jax_compilation_cache_dir is None:
            yield
        else:
            with _settings({"jax_compilation_cache_dir": None}):
                yield


@contextmanager
def _settings(values: Mapping[str, Any]) -> Iterator[None]:
    """Set JAX's settings, and put them back; its cache reads them again."""
    before = {name: getattr(jax.config, name) for name in values}
    try:
        _set(values)
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()
