"""Arrays in npz files that are there whole or not at all; nothing is pickled."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bayesml.errors import ModelError

__all__ = ["read_arrays", "write_arrays"]

DAMAGE = (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to an npz file that is there whole or not at all.

    Raises:
        ModelError: the folder cannot be written to.
    """
    partial = path.with_suffix(".part")
    try:
        with partial.open("wb") as file:
            np.savez(file, **dict(arrays))  # type: ignore[arg-type]
        os.replace(partial, path)
    except OSError as error:
        raise ModelError(f"The checkpoint `{path}` cannot be written: {error.strerror or error}.") from None


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read an npz file.

    Raises:
        ModelError: it is missing or damaged.
    """
    try:
        # Opened here: where NumPy opens a damaged file itself, it leaves it open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except DAMAGE as error:
        raise ModelError(
            f"The checkpoint file `{path}` is missing or damaged ({type(error).__name__}). Without it the run cannot "
            "be resumed; remove the folder and fit the model again."
        ) from None
