"""Workers: every engine runs in a process of its own, is handed a JSON request and writes a JSON answer."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["HERE", "PEERS_PYTHON", "Report", "missing_python_packages", "missing_r_packages", "run_worker"]

HERE = Path(__file__).parent
PEERS_PYTHON = os.environ.get("BAYESML_BENCH_PEERS_PYTHON", sys.executable)
"""The Python in which the peers from PyPI are installed; the one that runs the benchmark where none is named."""
COMPILERS = ("cc1plus", "g++", "ld", "as", "make", "collect2")
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Report:
    """What came back from a worker.

    Attributes:
        answer: what it wrote; empty where it failed.
        failure: why there is no answer; empty where there is one.
        started: when the process was started, in seconds since the epoch.
        seconds: how long the process ran.
        cpu_seconds: processor time of the process and its children, which other work on the machine changes little.
        peak_mib: largest proportional memory of the process and its children, compilers left out; 0 where unknown.
    """

    answer: dict[str, Any]
    failure: str
    started: float
    seconds: float
    cpu_seconds: float
    peak_mib: float


def run_worker(
    command: Sequence[str], request: Mapping[str, Any], environment: Mapping[str, str], timeout: float
) -> Report:
    """Run a worker to its end; the request names where its answer goes."""
    with tempfile.TemporaryDirectory(prefix="bayesml-bench-") as folder:
        asked, answered, told = (Path(folder) / name for name in ("request.json", "answer.json", "output.txt"))
        asked.write_text(json.dumps({**request, "answer": str(answered)}))
        started, before = time.time(), _children_cpu()
        with told.open("w") as output:
            process = subprocess.Popen(
                [*command, str(asked)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,
            )
            peak, in_time = _watch(process, started + timeout)
        seconds, cpu = time.time() - started, _children_cpu() - before
        if not in_time:
            return Report({}, f"longer than {timeout:.0f} s", started, seconds, cpu, peak)
        if process.returncode or not answered.exists():
            return Report({}, _last_words(told.read_text(errors="replace")), started, seconds, cpu, peak)
        return Report(json.loads(answered.read_text()), "", started, seconds, cpu, peak)


def missing_python_packages(packages: Sequence[str]) -> list[str]:
    """Return which packages the Python of the peers lacks."""
    code = "import importlib.util as u, sys; print(*[p for p in sys.argv[1:] if u.find_spec(p) is None])"
    try:
        found = subprocess.run([PEERS_PYTHON, "-c", code, *packages], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return list(packages)
    return found.stdout.split()


def missing_r_packages(packages: Sequence[str]) -> list[str]:
    """Return which packages R lacks; all of them where there is no R."""
    if shutil.which("Rscript") is None:
        return list(packages)
    code = f"cat(setdiff(c({', '.join(repr(p) for p in packages)}), rownames(installed.packages())))"
    found = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=False)
    return found.stdout.split() if found.returncode == 0 else list(packages)


def _watch(process: subprocess.Popen[bytes], deadline: float) -> tuple[float, bool]:
    peak = 0.0
    while process.poll() is None:
        if time.time() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return peak, False
        peak = max(peak, _family_memory(process.pid))
        time.sleep(POLL_SECONDS)
    return peak, True


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _family_memory(pid: int) -> float:
    """Return the memory of a process and its descendants in MiB, pages that they share counted once."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(c) for task in tasks for c in (task / "children").read_text().split()]
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    own = sum(float(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return (0.0 if name in COMPILERS else own) + sum(_family_memory(child) for child in children)


def _last_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"failed: {lines[-1][:160]}" if lines else "failed without a word"
