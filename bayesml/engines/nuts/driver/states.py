"""The state of a chain as named arrays, which are kept in a fit or a file, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from bayesml.engines.nuts.programs.compiled import Compiled
from bayesml.errors import ModelError

__all__ = ["arrays_of", "state_of"]

TOLERANCE = 1e-6
"""Largest relative difference of log density and gradient; other coordinates differ far more."""


def arrays_of(state: Any) -> dict[str, np.ndarray]:
    """Return copies of the arrays of a state under names such as ``position.logdensity``."""
    return {_name(path): np.array(leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(state)[0]}


def _name(path: tuple[Any, ...]) -> str:
    return ".".join(part.name for part in path)


def state_of(arrays: Mapping[str, np.ndarray], compiled: Compiled) -> Any:
    """Return the state from its arrays, the inverse of ``arrays_of``, after a check that it belongs to this model.

    Log density and gradient at the stored position are computed again and compared. Coordinates built from a pilot fit
    may differ between machines in the signs of their axes, and a chain that goes on in other coordinates draws wrongly.

    Raises:
        ModelError: it is the state of another model, or coordinates differ.
    """
    paths, structure = jax.tree_util.tree_flatten_with_path(compiled.template)
    names = [_name(path) for path, _ in paths]
    if set(names) != set(arrays) or any(arrays[_name(p)].shape != leaf.shape for p, leaf in paths):
        raise ModelError("The stored state of the chains is that of another model, or of another version of bayesml.")
    leaves = [jax.numpy.array(arrays[_name(path)], leaf.dtype) for path, leaf in paths]
    state = jax.tree_util.tree_unflatten(structure, leaves)
    computed = compiled.start(state.position.position, compiled.data).position
    if not all(_agree(*pair) for pair in zip(computed, state.position, strict=True)):
        raise ModelError(
            "The chains cannot go on here: this machine, or these versions of the packages, builds other coordinates "
            "for the sampler than those in which the chains were stored. Fit the model again."
        )
    return state


def _agree(computed: Any, stored: Any) -> bool:
    computed, stored = np.asarray(computed), np.asarray(stored)
    return bool(np.linalg.norm(computed - stored) <= TOLERANCE * (1.0 + np.linalg.norm(stored)))
