"""Arrays in npz files. A file is either complete or not there, and nothing in it is pickled.

Each file holds a hash of its arrays. The checksums of the zip format are not enough: if a damaged header says that an
array is shorter than it is, NumPy stops reading before the checksum.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bayesml.errors import ModelError

__all__ = ["read_arrays", "write_arrays"]

DIGEST = "digest"


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to an npz file; an interrupted call leaves the old file or none.

    Raises:
        ModelError: the folder cannot be written to.
    """
    partial = path.with_suffix(".part")
    try:
        with partial.open("wb") as file:
            np.savez(file, **{DIGEST: _digest(arrays), **arrays})  # type: ignore[arg-type]
        os.replace(partial, path)
    except OSError as error:
        raise ModelError(f"The checkpoint `{path}` cannot be written: {error.strerror or error}.") from None


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read an npz file.

    Raises:
        ModelError: it is missing or damaged.
    """
    try:
        # NumPy would leave a damaged file open if it opened it itself.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        if not np.array_equal(arrays.pop(DIGEST), _digest(arrays)):
            raise ValueError("the arrays are not those that were written")
    except Exception as error:  # a damaged zip file or header of an array raises one of many errors
        raise ModelError(
            f"The checkpoint file `{path}` is missing or damaged ({type(error).__name__}). Without it the run cannot "
            "be resumed; remove the folder and fit the model again."
        ) from None
    return arrays


def _digest(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the SHA-256 of names, types, shapes and values as bytes."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(array.tobytes())
    return np.frombuffer(digest.digest(), np.uint8)
