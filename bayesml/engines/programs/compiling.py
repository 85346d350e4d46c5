"""Compiling a traced program with options that not every version of XLA has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax

__all__ = ["compiled_with"]


def compiled_with(lowered: Any, options: Mapping[str, Any]) -> Any:
    """Compile a traced program with options of XLA:CPU, or without them where this version of XLA lacks one.

    The options change how long compiling takes, not what the program computes.
    """
    options = options if jax.default_backend() == "cpu" else {}
    try:
        return lowered.compile(compiler_options=dict(options))
    except RuntimeError:
        if not options:
            raise
        return lowered.compile()
