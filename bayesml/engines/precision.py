"""Double precision and the persistent compilation cache, for the length of a call only.

JAX keeps both in process-wide settings. What the user has set is left as it was: x64 is entered as a context (JAX keeps
it per thread), and the cache folder is put back after our compilation.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import jax
from jax.experimental.compilation_cache import compilation_cache
from platformdirs import user_cache_dir

__all__ = ["cache_folder", "double_precision", "no_persistent_cache", "persistent_cache"]

_CACHE_SETTINGS = {
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}


def double_precision() -> AbstractContextManager[object]:
    """Return a context in which this thread computes in float64."""
    return jax.enable_x64(True)


def cache_folder() -> Path:
    """Return the folder of compiled programs: ``BAYESML_CACHE_DIR``, else the user's cache folder."""
    return Path(os.environ.get("BAYESML_CACHE_DIR") or user_cache_dir("bayesml")) / "xla"


@contextmanager
def persistent_cache() -> Iterator[None]:
    """Compile with the persistent cache on; a cache folder the user has set himself is used instead of ours."""
    if jax.config.jax_compilation_cache_dir is not None or not _is_writable(cache_folder()):
        yield
        return
    before = {name: getattr(jax.config, name) for name in _CACHE_SETTINGS}
    try:
        for name, value in _CACHE_SETTINGS.items():
            jax.config.update(name, value)
        jax.config.update("jax_compilation_cache_dir", str(cache_folder()))
        compilation_cache.reset_cache()
        yield
    finally:
        jax.config.update("jax_compilation_cache_dir", None)
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()


@contextmanager
def no_persistent_cache() -> Iterator[None]:
    """Compile without a persistent cache, also without one that the user has set."""
    folder = jax.config.jax_compilation_cache_dir
    if folder is None:
        yield
        return
    try:
        jax.config.update("jax_compilation_cache_dir", None)
        compilation_cache.reset_cache()
        yield
    finally:
        jax.config.update("jax_compilation_cache_dir", folder)
        compilation_cache.reset_cache()


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
