"""REML of smooths of 100,000 rows with bayesml and with mgcv's ``bam(discrete=TRUE)``, one after the other.

``python benchmarks/smooth_reml.py [--rows N] [--repeats N]`` prints seconds and processor seconds of the fastest of
a few fits of each, in processes of their own, and the ratio. The target is at most 2.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from _data import write_csv
from _machine import machine_lines, thread_environment
from _processes import HERE, missing_r_packages, run_worker
from _tables import seconds_text, table
from _term_cases import curves

FORMULAS = (
    ("y ~ s(x)", "y ~ s(x)"),
    ("y ~ s(x) + s(z)", "y ~ s(x) + s(z)"),
    ("y ~ s(x) + (1 | g)", 'y ~ s(x) + s(g, bs = "re")'),
)
"""In our words and in mgcv's."""


def main() -> None:
    """Run the models and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print(*machine_lines(1), sep="\n")
    rng, rows = np.random.default_rng(1), []
    data = dict(curves(rng, options.rows, 200, counts=False))
    data["z"] = np.round(rng.uniform(size=options.rows), 5)
    data["y"] = np.round(data["y"] + np.cos(3.0 * data["z"]), 4)
    with tempfile.TemporaryDirectory(prefix="bayesml-smooths-") as folder:
        path = Path(folder) / "data.csv"
        write_csv(data, path)
        for ours, theirs in FORMULAS:
            rows.append(_row(ours, theirs, str(path), options.repeats))
            print("  ".join(rows[-1]), flush=True)
    print("\n" + table(("model", "bayesml", "processor", "bam", "processor", "ratio", "of processors"), rows))


def _row(ours: str, theirs: str, data: str, repeats: int) -> list[str]:
    request, environment = {"data": data, "repeats": repeats}, thread_environment(1)
    own = run_worker([sys.executable, str(HERE / "_smooth_bayesml.py")], {**request, "formula": ours}, environment, 600)
    if own.failure:
        return [ours, own.failure]
    times = [min(own.answer[name]) for name in ("seconds", "processor")]
    if missing_r_packages(["mgcv", "jsonlite"]):
        return [ours, *map(seconds_text, times), "not installed"]
    peer = run_worker(["Rscript", str(HERE / "_smooth_bam.R")], {**request, "formula": theirs}, environment, 600)
    if peer.failure:
        return [ours, *map(seconds_text, times), peer.failure]
    of_peer = [min(peer.answer[name]) for name in ("seconds", "processor")]
    ratios = [f"{own / other:.1f}" for own, other in zip(times, of_peer, strict=True)]
    return [ours, *map(seconds_text, times), *map(seconds_text, of_peer), *ratios]


if __name__ == "__main__":
    main()
