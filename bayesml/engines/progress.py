"""The progress bar: draws, draws per second, divergences. Written to stderr, off where the user says so."""

from __future__ import annotations

from threading import Lock
from typing import final

from tqdm import tqdm

__all__ = ["Progress"]


@final
class Progress:
    """A bar over all iterations of all chains; safe to call from the chains' threads."""

    def __init__(self, total: int, shown: bool) -> None:
        self._bar = tqdm(total=total, disable=not shown, unit=" draws", desc="Sampling", leave=True)
        self._lock = Lock()
        self._divergences = 0

    def advance(self, iterations: int, divergences: int) -> None:
        """Report a finished block: its iterations and the divergent transitions among its kept draws."""
        with self._lock:
            self._divergences += divergences
            self._bar.set_postfix(divergences=self._divergences, refresh=False)
            self._bar.update(iterations)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.close()
