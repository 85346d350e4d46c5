"""Whether Python runs in a notebook."""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from typing import Any

__all__ = ["in_notebook", "ipython_shell", "without_tqdm_warning"]


def ipython_shell() -> Any:
    """Return IPython's shell, or None where Python does not run in one; IPython is not imported for it."""
    ipython = sys.modules.get("IPython")
    current = getattr(ipython, "get_ipython", None)
    return current() if current is not None else None


def in_notebook() -> bool:
    """Whether the code runs in the kernel of a notebook."""
    return getattr(ipython_shell(), "kernel", None) is not None


def without_tqdm_warning() -> None:
    """Import tqdm in a notebook before NumPyro does, without its warning that ipywidgets is missing: it is not used."""
    if in_notebook() and "tqdm.auto" not in sys.modules:
        with warnings.catch_warnings(), suppress(ImportError):
            warnings.simplefilter("ignore")
            import tqdm.auto  # noqa: F401
