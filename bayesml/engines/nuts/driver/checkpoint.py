"""The sampler's part of a checkpoint: positions of all draws block by block, and the state of each chain.

A folder for each attempt and chain holds ``block-<first draw>.npz`` files, which never change, and ``state.npz``, which
is replaced after each block and says how many iterations count. Every file is written beside its place and renamed: a
process that is killed loses the block it was in, no more. Nothing is pickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import jax
import numpy as np

from bayesml.engines.array_files import read_arrays, write_arrays
from bayesml.engines.nuts.forms.base import Form
from bayesml.engines.nuts.sampler.chain_state import Statistics
from bayesml.errors import ModelError

__all__ = ["Block", "RunLog", "store_data", "stored_data"]

FORM = "form.npz"


def stored_data(folder: Path, form: Form) -> Any:
    """Return the arrays that the first process of a run used, tuned; None where they are not those of this form.

    Coordinates built from a pilot fit may differ between machines in the signs of their axes. The arrays of another
    form are no error yet: a run whose first form found no mode has stored those of the form that it fell back on.
    """
    leaves, structure = jax.tree_util.tree_flatten(form.data)
    path = folder / FORM
    if not path.is_file():
        return None
    stored = read_arrays(path)
    found = [stored[name] for name in sorted(stored)]
    if [np.shape(leaf) for leaf in leaves] != [leaf.shape for leaf in found]:
        return None
    return jax.tree_util.tree_unflatten(structure, found)


def store_data(folder: Path, data: Any) -> None:
    """Store the arrays of a form.

    Raises:
        ModelError: the folder holds those of another model.
    """
    if (folder / FORM).is_file():
        raise _foreign(folder)
    write_arrays(folder / FORM, {f"{i:04d}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(data))})


def _foreign(folder: Path) -> ModelError:
    return ModelError(f"The checkpoint `{folder}` belongs to another run. Choose another folder.")


@final
@dataclass(frozen=True)
class Block:
    """Draws of consecutive iterations of one chain after warm-up, as the program returned them."""

    positions: np.ndarray
    statistics: Statistics


@final
@dataclass(frozen=True)
class RunLog:
    """The checkpoint of one attempt at a run.

    Attributes:
        folder: of the attempt.
        identity: seed, warm-up and target of the run, by which a checkpoint of another one is known.
    """

    folder: Path
    identity: tuple[float, ...]

    def iterations(self, chain: int) -> int:
        """Return how many iterations of a chain there are."""
        state = self.state(chain)
        return int(state["iterations"]) if state else 0

    def state(self, chain: int) -> dict[str, np.ndarray]:
        """Return the last state of a chain, or nothing where it has not begun.

        Raises:
            ModelError: the file is damaged, or belongs to another run.
        """
        path = self._chain(chain) / "state.npz"
        if not path.is_file():
            return {}
        state = read_arrays(path)
        if "iterations" not in state or tuple(state.pop("identity", ())) != self.identity:
            raise _foreign(self.folder)
        return state

    def block(self, chain: int, first: int) -> Block:
        """Return the block that begins with draw ``first``."""
        stored = read_arrays(self._block(chain, first))
        try:
            return Block(stored["positions"], Statistics(*(stored[name] for name in Statistics._fields)))
        except KeyError:
            raise _foreign(self.folder) from None

    def append(self, chain: int, first: int, iterations: int, block: Block | None, state: Mapping[str, Any]) -> None:
        """Add a block (None in warm-up) that begins with draw ``first``, and the state after it."""
        self._chain(chain).mkdir(parents=True, exist_ok=True)
        if block is not None:
            write_arrays(self._block(chain, first), {"positions": block.positions, **block.statistics._asdict()})
        counted = {"iterations": np.array(iterations), "identity": np.array(self.identity)}
        write_arrays(self._chain(chain) / "state.npz", {**state, **counted})

    def _chain(self, chain: int) -> Path:
        return self.folder / f"chain-{chain}"

    def _block(self, chain: int, first: int) -> Path:
        return self._chain(chain) / f"block-{first:010d}.npz"
