"""Tasks in threads of their own that an interrupt does not wait for.

A compilation cannot be cancelled. After an interrupt its threads go on in the background and their results are thrown
away; neither the next fit nor a process that the interrupt ends waits for them, as both would for the threads of a
``ThreadPoolExecutor``.
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
    """Return what a function imports. An interrupt ends the wait for it, and not the import.

    JAX cannot be imported again after an import that was broken off: its modules that are done are kept, and stumble
    over those that are not.
    """
    try:
        with Background(1, lambda: None) as background:
            return background.result(background.submit(load))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(INTERRUPTED) from None


@final
class Background:
    """At most ``count`` tasks at a time; the end of the ``with`` block waits for them, but not after an interrupt.

    Args:
        count: tasks at a time.
        meanwhile: called a few times each second by the thread that waits.
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
        """Do a task in a thread of its own."""
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
        """Wait for one of them; return what the task returned, or raise what it raised."""
        self.wait([future])
        return future.result()

    def _work(self, task: Callable[[], Any], future: Future[Any]) -> None:
        with self._gate:
            if self.is_abandoned:
                return
            try:
                future.set_result(task())
            except BaseException as error:  # it is raised where the result is asked for
                future.set_exception(error)


@final
class _Interrupts:
    """Remembers interrupts: one that comes while C++ code calls a Python function is printed and not raised."""

    def __init__(self) -> None:
        self._heard = Event()
        self._listens = False

    def listen(self) -> None:
        """Begin to remember interrupts, unless somebody has replaced Python's handler of them."""
        is_main = current_thread() is main_thread()
        if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._listens = True
            signal.signal(signal.SIGINT, self._handle)

    def leave(self) -> None:
        """Put Python's handler back."""
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
    """End the process while a compiler is at work.

    A compiler thread that returns to Python while the interpreter shuts down would abort the process (before Python
    3.14). So a process that an interrupt ends runs the remaining exit functions here and ends with the signal, as
    Python would after waiting for the thread. Any other process waits for the compiler.
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
