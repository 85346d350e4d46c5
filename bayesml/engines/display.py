"""Where the line of progress is shown: in a terminal, in a notebook or in a log."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TextIO, final

from bayesml.notebook import in_notebook

__all__ = ["AbstractDisplay", "Log", "Notebook", "Nowhere", "Terminal", "display_at_hand"]

WIDE = 100
"""Characters in a line of a notebook's output."""


class AbstractDisplay(ABC):
    """Shows one line, again and again. Its methods are called by the thread that runs the fit."""

    @abstractmethod
    def begin(self, line: str) -> None:
        """Show the first line."""

    @abstractmethod
    def update(self, line: Callable[[int, bool], str]) -> None:
        """Show another line in its place; ``line`` takes the width in characters, and whether blocks can be drawn."""

    @abstractmethod
    def end(self, line: str) -> None:
        """Show the last line, which stays."""


@final
class Nowhere(AbstractDisplay):
    """Shows nothing."""

    def begin(self, line: str) -> None:
        """Do nothing."""

    def update(self, line: Callable[[int, bool], str]) -> None:
        """Do nothing."""

    def end(self, line: str) -> None:
        """Do nothing."""


@final
class Log(AbstractDisplay):
    """A file or a pipe: the first line and the last."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def begin(self, line: str) -> None:
        """Write the line."""
        print(line, file=self._stream, flush=True)

    def update(self, line: Callable[[int, bool], str]) -> None:
        """Do nothing."""

    def end(self, line: str) -> None:
        """Write the line."""
        print(line, file=self._stream, flush=True)


@final
class Terminal(AbstractDisplay):
    """A terminal: each line is written over the one before."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = ""
        self._has_blocks = "utf" in (getattr(stream, "encoding", None) or "").lower()

    def begin(self, line: str) -> None:
        """Write the line, which may be longer than the terminal is wide."""
        self._write(line[: self._columns()])

    def update(self, line: Callable[[int, bool], str]) -> None:
        """Write the line over the one before."""
        self._write(line(self._columns(), self._has_blocks))

    def end(self, line: str) -> None:
        """Write the line, and go to the next one."""
        self._write(line)
        self._stream.write("\n")
        self._stream.flush()

    def _write(self, line: str) -> None:
        if line != self._shown:
            self._stream.write("\r" + line.ljust(len(self._shown)))
            self._stream.flush()
            self._shown = line

    def _columns(self) -> int:
        """Return the width but for the last column: a character there makes some terminals begin another line."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns - 1
        except (OSError, ValueError):  # a stream without a terminal of the operating system
            return 79


@final
class Notebook(AbstractDisplay):
    """An output of the cell that is replaced by each update, so that a saved notebook holds the last line only."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._shown = ""

    def begin(self, line: str) -> None:
        """Show the line."""
        self._show(line)

    def update(self, line: Callable[[int, bool], str]) -> None:
        """Show the line in the place of the one before."""
        self._show(line(WIDE, True))

    def end(self, line: str) -> None:
        """Show the line in the place of the one before."""
        self._show(line)

    def _show(self, line: str) -> None:
        if line == self._shown:
            return
        self._shown, content = line, {"text/plain": line}
        if self._handle is None:
            from IPython.display import display

            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


def display_at_hand() -> AbstractDisplay:
    """Return the output of the notebook's cell, or outside a notebook standard error."""
    if in_notebook():
        return Notebook()
    stream = sys.stderr
    if stream is None:  # a program without a console
        return Nowhere()
    return Terminal(stream) if stream.isatty() else Log(stream)
