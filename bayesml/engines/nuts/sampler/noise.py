"""The random numbers of a chain's transitions and of the translation of its draws, drawn on the host.

Random number generators inside the compiled program would be a fifth of it, to be compiled anew for every model;
NumPy's make such numbers at once. A window of iterations has a generator of its own, named by the run, the chain and
the window: the numbers of an iteration do not depend on how a run was cut in blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Noise", "noise", "report_noise"]


class Noise(NamedTuple):
    """What a block of iterations takes from chance.

    Attributes:
        momenta: standard normal numbers, ``(block, d)``.
        seeds: 64 random bits for each iteration, ``(block,)``.
    """

    momenta: np.ndarray
    seeds: np.ndarray


def noise(stream: tuple[int, ...], first: int, block: int, size: int) -> Noise:
    """Return the random numbers of ``block`` iterations from number ``first`` on.

    Args:
        stream: whole numbers, at least 0, that name the run and the chain.
        first: number of the first iteration.
        block: iterations in a block and in a window.
        size: dimensions of the chain.
    """
    number, begin = divmod(first, block)
    windows = [_window(stream, index, block, size) for index in range(number, number + (2 if begin else 1))]
    return Noise(*(np.concatenate(parts)[begin : begin + block] for parts in zip(*windows, strict=True)))


def report_noise(stream: tuple[int, ...], window: int, block: int, sizes: tuple[int, int]) -> np.ndarray:
    """Return standard normal numbers for the translation of a window of draws, ``(block, sum(sizes))``.

    The first part is the same whether a second is asked for or not.

    Args:
        stream: whole numbers, at least 0, that name the run and the chain.
        window: its number.
        block: draws in a window.
        sizes: of the two parts.
    """
    rng = np.random.default_rng([*stream, window])
    return np.concatenate([rng.standard_normal((block, size)) for size in sizes], axis=1)


def _window(stream: tuple[int, ...], index: int, block: int, size: int) -> Noise:
    rng = np.random.default_rng([*stream, index])
    seeds = rng.integers(0, 2**64, block, dtype=np.uint64)
    return Noise(rng.standard_normal((block, size)), seeds)
