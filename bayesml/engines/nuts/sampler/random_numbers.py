"""The random numbers of a chain's iterations and of the translation of its draws, drawn by NumPy.

A generator inside the compiled program would be a fifth of it, to be compiled anew for every model. NumPy's generators
need no compilation.

Iterations are counted in windows of one block length. Each window has a generator of its own, seeded with the numbers
that name the run and the chain, and with the number of the window. So the random numbers of an iteration do not depend
on where a run was interrupted or cut into blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, UInt64

__all__ = ["RandomNumbers", "random_numbers", "report_noise"]


class RandomNumbers(NamedTuple):
    """The random numbers of a block of iterations; inside the program, of one iteration.

    Attributes:
        momenta: standard normal numbers, ``(block, d)``.
        seeds: 64 random bits for each iteration, ``(block,)``.
    """

    momenta: Float[np.ndarray, "*block d"]
    seeds: UInt64[np.ndarray, "*block"]


def random_numbers(stream: tuple[int, ...], first: int, block: int, size: int) -> RandomNumbers:
    """Return the random numbers of ``block`` iterations from number ``first`` on.

    Args:
        stream: whole numbers, at least 0, that name the run and the chain.
        first: number of the first iteration.
        block: number of iterations in a block and in a window.
        size: number of dimensions of the chain.
    """
    number, begin = divmod(first, block)
    windows = [_window(stream, index, block, size) for index in range(number, number + (2 if begin else 1))]
    return RandomNumbers(*(np.concatenate(parts)[begin : begin + block] for parts in zip(*windows, strict=True)))


def report_noise(
    stream: tuple[int, ...], window: int, block: int, sizes: tuple[int, int]
) -> Float[np.ndarray, "block n"]:
    """Return standard normal numbers for the translation of a window of draws, ``(block, sum(sizes))``.

    Forms that integrate parameters out draw them with these numbers. The first part is the same whether the second is
    asked for or not.

    Args:
        stream: whole numbers, at least 0, that name the run and the chain.
        window: number of the window.
        block: number of draws in a window.
        sizes: how many numbers of each part a draw takes.
    """
    rng = np.random.default_rng([*stream, window])
    return np.concatenate([rng.standard_normal((block, size)) for size in sizes], axis=1)


def _window(stream: tuple[int, ...], index: int, block: int, size: int) -> RandomNumbers:
    rng = np.random.default_rng([*stream, index])
    seeds = rng.integers(0, 2**64, block, dtype=np.uint64)
    return RandomNumbers(rng.standard_normal((block, size)), seeds)
