"""What a benchmark ran on: processor, cores, load, versions, threads."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from pathlib import Path

__all__ = ["THREAD_VARIABLES", "machine_lines", "thread_environment"]

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")


def machine_lines(threads: int) -> list[str]:
    """Return a few lines that say what the numbers were measured on."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return [
        f"{datetime.datetime.now():%Y-%m-%d %H:%M}, {platform.system()} {platform.machine()}, {_processor()}, "
        f"{os.cpu_count()} cores, {_memory()}",
        f"load average at the start {load} (other work on the machine makes every engine slower)",
        f"BLAS threads of every engine: {threads}; bayesml at {_revision()}",
    ]


def thread_environment(threads: int) -> dict[str, str]:
    """Return the environment that holds an engine's BLAS to a number of threads."""
    return {name: str(threads) for name in THREAD_VARIABLES}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> str:
    try:
        kilobytes = int(Path("/proc/meminfo").read_text().split()[1])
    except OSError:
        return "memory unknown"
    return f"{kilobytes / 2**20:.0f} GiB"


def _revision() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return f"commit {found.stdout.strip()}" if found.returncode == 0 else "an unknown commit"
