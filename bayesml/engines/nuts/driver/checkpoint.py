"""The sampler's part of a checkpoint: positions of all draws block by block, and the state of each chain.

There is a folder for each attempt and chain. It holds files ``block-<first draw>.npz``, which never change, and
``state.npz``, which is replaced after each block and says how many iterations are valid. Each file is written under
another name and then renamed, so that a process that is killed loses the present block and no more. Nothing is pickled.
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
    """Return the tuned arrays with which the run began, or None if they are not those of this form.

    A resumed run must use the same coordinates, and coordinates built from a pilot fit may differ between machines in
    the signs of their axes. Arrays of another form are no error: if the first form finds no mode, a run stores the
    arrays of the form that it uses instead.
    """
    leaves, structure = jax.tree_util.tree_flatten(form.data)
    path = folder / FORM
    if not path.is_file():
        return None
    named = read_arrays(path)
    stored = [named[name] for name in sorted(named)]
    if [np.shape(leaf) for leaf in leaves] != [leaf.shape for leaf in stored]:
        return None
    return jax.tree_util.tree_unflatten(structure, stored)


def store_data(folder: Path, data: Any) -> None:
    """Store the arrays of a form.

    Raises:
        ModelError: the folder holds those of another model.
    """
    if (folder / FORM).is_file():
        raise _of_another_run(folder)
    write_arrays(folder / FORM, {f"{i:04d}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(data))})


def _of_another_run(folder: Path) -> ModelError:
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
        folder: folder of the attempt.
        identity: seed, warm-up and target of the run. A checkpoint with others belongs to another run.
    """

    folder: Path
    identity: tuple[float, ...]

    def iterations(self, chain: int) -> int:
        """Return how many iterations of a chain there are."""
        state = self.state(chain)
        return int(state["iterations"]) if state else 0

    def state(self, chain: int) -> dict[str, np.ndarray]:
        """Return the last state of a chain as named arrays; none if the chain has not begun.

        Raises:
            ModelError: the file is damaged, or belongs to another run.
        """
        path = self._chain(chain) / "state.npz"
        if not path.is_file():
            return {}
        state = read_arrays(path)
        if "iterations" not in state or tuple(state.pop("identity", ())) != self.identity:
            raise _of_another_run(self.folder)
        return state

    def block(self, chain: int, first: int) -> Block:
        """Return the block that begins with draw ``first``."""
        stored = read_arrays(self._block(chain, first))
        try:
            return Block(stored["positions"], Statistics(*(stored[name] for name in Statistics._fields)))
        except KeyError:
            raise _of_another_run(self.folder) from None

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
