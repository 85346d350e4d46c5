"""What a run says while it goes on, in a terminal, a log and a notebook; how an interrupt ends a compilation."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

import bayesml
from bayesml.engines.display import AbstractDisplay, Log, Nowhere, Terminal, display_at_hand
from bayesml.engines.nuts.driver.background import Background
from bayesml.engines.progress import COMPILING, Counts, Progress, progress_line
from tests.notebook import ROOT, run_cells, stream

DATA = {"x": np.arange(8.0), "y": np.array([1.0, 2.0, 2.0, 5.0, 4.0, 7.0, 6.0, 9.0])}
QUICK = {"draws": 20, "warmup": 20, "chains": 2, "seed": 1}


class Screen(io.StringIO):
    """A terminal: what is written after a carriage return replaces the line."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def lines(self) -> list[str]:
        return [line.rsplit("\r", 1)[-1].rstrip() for line in self.getvalue().split("\n")]


def test_lines_keep_counts_and_divergences_in_any_width() -> None:
    warming = Counts(600, 1200, 0, 4000)
    drawing = Counts(1200, 1200, 2400, 4000, 12345)
    for columns in range(34, 140):
        first, second = progress_line(warming, 3.0, columns), progress_line(drawing, 9.0, columns)
        assert len(first) <= columns and len(second) <= columns
        assert first.startswith("warm-up 600/1200")
        assert second.startswith("draws 2400/4000, 12345 divergences")
    assert progress_line(drawing, 9.0, 80) == f"draws 2400/4000, 12345 divergences  {'█' * 20}{'░' * 10}  4.0 s left"
    assert progress_line(drawing, 9.0, 60, False).endswith("  ########....  4.0 s left")
    assert progress_line(Counts(0, 0, 0, 4000, 1), 0.0, 40).startswith("draws 0/4000, 1 divergence")
    assert progress_line(warming, 3.0, 80, label="again:").startswith("again: warm-up 600/1200")


def run(display: AbstractDisplay) -> None:
    with Progress(shown=False) as progress:
        progress._display = display
        progress.refresh()
        progress.compiling()
        progress.sampling(warmup=40, draws=40)
        progress.advance(40, 0, 0)
        progress.refresh()
        progress.advance(0, 30, 2)
        progress.refresh()
        progress.finish(2, 20, 2)


def test_a_terminal_shows_one_line_and_keeps_the_last() -> None:
    screen = Screen()
    run(Terminal(screen))
    assert screen.getvalue().startswith("\rbayesml: compiling") and "draws 30/40, 2 divergences" in screen.getvalue()
    first, *rest = screen.lines()
    assert first.startswith("bayesml: sampled 2 x 20 draws, 2 divergences, 0.") and rest == [""]


def test_a_log_gets_a_first_and_a_last_line() -> None:
    log = io.StringIO()
    run(Log(log))
    first, last = log.getvalue().splitlines()
    assert first == f"bayesml: {COMPILING}"
    assert last.startswith("bayesml: sampled 2 x 20 draws, 2 divergences")


def test_what_ends_early_says_so() -> None:
    for error, word in ((KeyboardInterrupt(), "interrupted"), (ValueError(), "stopped")):
        log = io.StringIO()
        with pytest.raises(type(error)), Progress(shown=False) as progress:
            progress._display = Log(log)
            progress.compiling()
            raise error
        assert log.getvalue() == f"bayesml: {COMPILING}\nbayesml: {word}\n"


def test_the_place_is_chosen_by_where_the_user_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream_, kind in ((Screen(), Terminal), (io.StringIO(), Log), (None, Nowhere)):
        monkeypatch.setattr(sys, "stderr", stream_)
        assert type(display_at_hand()) is kind


@pytest.mark.filterwarnings("ignore::bayesml.FitWarning")
def test_compiling_is_said_once_for_a_structure(
    capsys: pytest.CaptureFixture[str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAYESML_CACHE_DIR", str(tmp_path))
    bayesml.fit("y ~ x", DATA, **QUICK)
    bayesml.fit("y ~ x", DATA, **QUICK)
    bayesml.fit("y ~ x", DATA, **QUICK, progress=False)
    said = capsys.readouterr().err.splitlines()
    again = "sampling" if list(tmp_path.rglob("*.program")) else COMPILING  # some versions of JAX store nothing
    assert said[0] == f"bayesml: {COMPILING}" and said[2] == f"bayesml: {again}" and len(said) == 4
    assert said[1].startswith("bayesml: sampled 2 x 20 draws, ") and said[3].startswith("bayesml: sampled")


def test_a_notebook_holds_one_line(tmp_path: Any) -> None:
    cells = [
        "import bayesml, warnings\nwarnings.simplefilter('ignore', bayesml.FitWarning)",
        "data = bayesml.load_dataset('sleepstudy')\n"
        "fit = bayesml.fit('Reaction ~ Days', data, draws=400, warmup=200, seed=1)",
        "fit = bayesml.fit('Reaction ~ Days', data, draws=20, warmup=20, seed=1, progress=False)",
    ]
    _, shown, silent = run_cells(cells, tmp_path)
    assert silent == []
    assert stream(shown) == "" and len(shown) == 1
    assert list(shown[0].data) == ["text/plain"]
    assert shown[0].data["text/plain"].startswith("bayesml: sampled 4 x 400 draws, ")


def test_an_interrupt_does_not_wait_for_what_is_at_work() -> None:
    release, began = Event(), time.monotonic()
    Thread(target=lambda: (time.sleep(0.3), os.kill(os.getpid(), signal.SIGINT))).start()
    with pytest.raises(KeyboardInterrupt), Background(1, lambda: None) as background:
        working, waiting = background.submit(lambda: release.wait(60)), background.submit(lambda: 1)
        background.wait([working])
    assert time.monotonic() - began < 30 and background.is_abandoned
    release.set()
    working.result(60)
    assert not waiting.done()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_got_lost_is_raised_again() -> None:
    with pytest.raises(KeyboardInterrupt), Background(1, lambda: None) as background:
        with suppress(KeyboardInterrupt):  # as where C++ calls Python back
            signal.raise_signal(signal.SIGINT)
        background.submit(lambda: 1)


def test_work_in_the_background() -> None:
    with Background(2, lambda: None) as background:
        futures = [background.submit(lambda i=i: i**2) for i in range(5)]
        failing = background.submit(lambda: 1 / 0)
        assert [background.result(future) for future in futures] == [0, 1, 4, 9, 16]
    with pytest.raises(ZeroDivisionError):
        failing.result()


INTERRUPTED = """
import os, signal, sys, threading
import numpy as np
import bayesml
from bayesml.engines.progress import Progress

compiling = Progress.compiling
def soon(self):
    compiling(self)
    threading.Timer(float(sys.argv[1]), lambda: os.kill(os.getpid(), signal.SIGINT)).start()

Progress.compiling = soon
rng = np.random.default_rng(1)
data = {"y": rng.poisson(2.0, 300), "x": rng.normal(size=300), "g": rng.integers(0, 20, 300)}
try:
    bayesml.fit("y ~ x + (x | g)", data, "negbinomial", seed=1)
except KeyboardInterrupt:
    if sys.argv[2] == "end":
        raise
Progress.compiling = compiling
fit = bayesml.fit("y ~ x", data, "poisson", draws=50, warmup=50, chains=2, seed=1, progress=False)
print("next fit", fit.nobs)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("ending", ["end", "go on"])
def test_an_interrupt_ends_a_compilation(ending: str, tmp_path: Any) -> None:
    environment = os.environ | {"BAYESML_CACHE_DIR": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", INTERRUPTED, "1.5", ending]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert f"bayesml: {COMPILING}\nbayesml: interrupted\n" in done.stderr
    if ending == "end":
        assert done.returncode == -signal.SIGINT
        assert done.stderr.rstrip().endswith("KeyboardInterrupt: The fit was interrupted before sampling began.")
        assert "site-packages" not in done.stderr  # no frame of JAX
    else:
        assert done.returncode == 0, done.stderr
        assert done.stdout == "next fit 300\n"


INTERRUPTED_IMPORT = """
import os, signal, sys
import bayesml

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "jax._src.api":  # in the middle of importing JAX
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
data = {"y": [1.0, 2.0, 2.0, 5.0, 4.0, 7.0, 6.0, 9.0], "x": list(range(8))}
try:
    bayesml.fit("y ~ x", data, seed=1, progress=False)
except KeyboardInterrupt as error:
    print(error)
print("next fit", bayesml.fit("y ~ x", data, draws=50, warmup=50, chains=2, seed=1, progress=False).nobs)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupt_while_jax_is_imported_leaves_it_whole() -> None:
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", INTERRUPTED_IMPORT]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "The fit was interrupted before sampling began.\nnext fit 8\n"
