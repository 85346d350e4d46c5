"""The progress of a run on one line: compiling, iterations of warm-up and of draws, divergences."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from types import TracebackType
from typing import final

from bayesml.engines.display import AbstractDisplay, Nowhere, display_at_hand

__all__ = ["Counts", "Progress", "progress_line"]

COMPILING = "compiling (once for each model structure)"
SMALLEST_BAR, LARGEST_BAR = 8, 30


@final
@dataclass(frozen=True)
class Counts:
    """Iterations of all chains together.

    Attributes:
        warmed: warm-up iterations done.
        warmup: warm-up iterations in all.
        drawn: draws done.
        draws: draws in all.
        divergences: divergent transitions among the draws done.
    """

    warmed: int = 0
    warmup: int = 0
    drawn: int = 0
    draws: int = 0
    divergences: int = 0


@final
class Progress:
    """The line that a run shows. Threads of chains report to it; the thread that runs the fit shows it.

    Args:
        shown: whether to show anything.
    """

    def __init__(self, shown: bool = True) -> None:
        self._display: AbstractDisplay = display_at_hand() if shown else Nowhere()
        self._lock = Lock()
        self._counts = Counts()
        self._label = ""
        self._began = self._stage_began = time.monotonic()
        self._has_begun = self._has_ended = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._has_begun:
            self._end("interrupted" if isinstance(error, KeyboardInterrupt) else "stopped")

    def compiling(self) -> None:
        """Say that a model is traced and compiled."""
        self._label, self._stage_began = COMPILING, time.monotonic()
        self._begin(COMPILING)
        self.refresh()

    def sampling(self, warmup: int, draws: int, label: str = "") -> None:
        """Say that chains are sampled, with so many iterations in all; ``label`` marks a second run."""
        with self._lock:
            self._counts = Counts(warmup=warmup, draws=draws)
        self._label, self._stage_began = label, time.monotonic()
        self._begin("sampling")
        self.refresh()

    def expect(self, draws: int) -> None:
        """Change the number of draws of all chains that are requested."""
        with self._lock:
            self._counts = replace(self._counts, draws=draws)

    def advance(self, warmed: int, drawn: int, divergences: int) -> None:
        """Take note of a finished block: its warm-up iterations, its draws, the divergent transitions among these."""
        with self._lock:
            c = self._counts
            self._counts = replace(
                c, warmed=c.warmed + warmed, drawn=c.drawn + drawn, divergences=c.divergences + divergences
            )

    def refresh(self) -> None:
        """Show how far the run is, if it has begun."""
        if self._has_begun:
            self._display.update(self._line(self._counts, time.monotonic() - self._stage_began))

    def finish(self, chains: int, draws: int, divergences: int) -> None:
        """Leave a line that says what was drawn."""
        self._end(
            f"sampled {chains} x {draws} draws, {_times(divergences)}, {_seconds(time.monotonic() - self._began)}"
        )

    def _line(self, counts: Counts, seconds: float) -> Callable[[int, bool], str]:
        if self._label == COMPILING:
            return lambda columns, _: f"{COMPILING}, {seconds:.0f} s"[:columns]
        return lambda columns, has_blocks: progress_line(counts, seconds, columns, has_blocks, self._label)

    def _begin(self, line: str) -> None:
        if not self._has_begun:
            self._has_begun = True
            self._display.begin(f"bayesml: {line}")

    def _end(self, line: str) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._display.end(f"bayesml: {line}")


def progress_line(counts: Counts, seconds: float, columns: int, has_blocks: bool = True, label: str = "") -> str:
    """Return the line for the columns there are: counts and divergences come first, then a bar and the time left.

    Args:
        counts: how far the run is.
        seconds: since it began.
        columns: most characters.
        has_blocks: whether the bar may be drawn with characters that are not ASCII.
        label: stands in front.
    """
    if counts.warmed < counts.warmup:
        core = f"warm-up {counts.warmed}/{counts.warmup}"
    else:
        core = f"draws {counts.drawn}/{counts.draws}, {_times(counts.divergences)}"
    for front in dict.fromkeys((label, "")):
        line = f"{front} {core}".strip()
        if len(line) <= columns:
            break
    done = (counts.warmed + counts.drawn) / max(counts.warmup + counts.draws, 1)
    left = f"{_seconds(seconds * (1 - done) / done)} left" if 0 < done < 1 else _seconds(seconds)
    room = columns - len(line) - len(left) - 4
    if room < SMALLEST_BAR:
        return line[:columns]
    return f"{line}  {_bar(done, min(room, LARGEST_BAR), has_blocks)}  {left}"


def _bar(share: float, width: int, has_blocks: bool) -> str:
    filled = int(min(share, 1.0) * width)
    full, empty = ("█", "░") if has_blocks else ("#", ".")
    return full * filled + empty * (width - filled)


def _times(divergences: int) -> str:
    return "1 divergence" if divergences == 1 else f"{divergences} divergences"


def _seconds(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
