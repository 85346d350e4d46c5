"""Tasks in threads that nobody waits for after an interrupt.

A compilation cannot be cancelled. After an interrupt its thread goes on in the background and its result is thrown
away. The next fit does not wait for it, nor does a process that the interrupt ends. Both would wait for the threads of
a ``ThreadPoolExecutor``.
"""

from __future__ import annotations

import atexit
import signal
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from threading import Event, Semaphore, Thread, current_thread, main_thread
from types import FrameType, TracebackType
from typing import Any, TypeVar, final

__all__ = ["INTERRUPTED", "Background", "imported_whole"]

INTERRUPTED = "The fit was interrupted before sampling began."
POLL = 0.2
T = TypeVar("T")


def imported_whole(load: Callable[[], T]) -> T:
    """Return the module that a function imports. An interrupt ends the waiting, while the import is completed.

    An interrupted import of JAX could not be repeated: the modules that were imported already would be kept, and fail
    because others are missing.
    """
    try:
        with Background(1, lambda: None) as background:
            return background.result(background.submit(load))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(INTERRUPTED) from None


@final
class Background:
    """Runs tasks in threads, at most ``count`` at a time.

    The end of the ``with`` block waits for all tasks, except after an interrupt.

    Args:
        count: largest number of tasks at a time.
        meanwhile: called a few times a second while this thread waits.
    """

    def __init__(self, count: int, meanwhile: Callable[[], None]) -> None:
        self._gate = Semaphore(count)
        self._abandoned = Event()
        self._meanwhile = meanwhile
        self._futures: list[Future[Any]] = []
        self._threads: list[Thread] = []
        self._interrupts = _Interrupts()

    def __enter__(self) -> Background:
        self._interrupts.listen()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            if not isinstance(error, KeyboardInterrupt):
                self._interrupts.raise_lost()
                self.wait(self._futures)
        finally:
            self._interrupts.leave()
            self._abandoned.set()
            if not all(future.done() for future in self._futures):
                atexit.register(_leave, self._threads)

    @property
    def is_abandoned(self) -> bool:
        """Whether the results of the tasks are no longer needed, after an interrupt."""
        return self._abandoned.is_set()

    def submit(self, task: Callable[[], Any]) -> Future[Any]:
        """Run a task in a new thread."""
        self._interrupts.raise_lost()
        future: Future[Any] = Future()
        thread = Thread(target=self._work, args=(task, future), name="bayesml-compiler", daemon=True)
        self._futures.append(future)
        self._threads.append(thread)
        thread.start()
        return future

    def wait(self, futures: Iterable[Future[Any]]) -> None:
        """Wait until all of them are done."""
        waiting = set(futures)
        while waiting:
            waiting = wait_for(waiting, timeout=POLL).not_done
            self._meanwhile()
            self._interrupts.raise_lost()

    def result(self, future: Future[Any]) -> Any:
        """Wait for a task; return what it returned, or raise what it raised."""
        self.wait([future])
        return future.result()

    def _work(self, task: Callable[[], Any], future: Future[Any]) -> None:
        with self._gate:
            if self.is_abandoned:
                return
            try:
                future.set_result(task())
            except BaseException as error:  # raised again by `result`
                future.set_exception(error)


@final
class _Interrupts:
    """Remembers interrupts, since some are lost: one that comes while C++ code calls Python is printed, not raised."""

    def __init__(self) -> None:
        self._heard = Event()
        self._listens = False

    def listen(self) -> None:
        """Begin to remember interrupts, unless Python's handler was replaced by another."""
        is_main = current_thread() is main_thread()
        if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._listens = True
            signal.signal(signal.SIGINT, self._handle)

    def leave(self) -> None:
        """Restore Python's handler."""
        if self._listens:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def raise_lost(self) -> None:
        """Raise KeyboardInterrupt if there was an interrupt."""
        if self._heard.is_set():
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._heard.set()
        signal.default_int_handler(number, frame)


def _leave(threads: list[Thread]) -> None:
    """Let the process end while a thread compiles; called when Python exits.

    Before Python 3.14 a thread that returns from C++ to Python while the interpreter shuts down aborts the process. If
    the process ends because of an interrupt, this function therefore runs the remaining exit functions and then ends
    the process with the signal, as Python would after waiting for the thread. Any other process waits for the threads.
    """
    if getattr(sys, "last_type", None) is KeyboardInterrupt and any(thread.is_alive() for thread in threads):
        atexit.unregister(_leave)
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
    for thread in threads:
        thread.join()
