"""Ten response models with bayesml and with brms's own Stan programs, run by the interpreter stanli.

``python benchmarks/families.py [CASE ...] [--draws N] [--peer-draws N]`` prints effective draws a second of both,
warm-up and sampling by the clock counted, and their ratio; bayesml starts cold (empty caches) and warm. The chains of
both run side by side on all cores. stanli is looked for in the Python of the peers (``BAYESML_BENCH_PEERS_PYTHON``).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _data import write_csv
from _effective import Judged, distance, judge
from _family_cases import FAMILY_CASES, FamilyCase
from _machine import machine_lines, thread_environment
from _processes import HERE, PEERS_PYTHON, missing_python_packages, missing_r_packages, run_worker
from _tables import count_text, seconds_text, table

HEADER = (
    "case", "start", "to summary", "compile", "warm-up + sampling", "min bulk ESS", "Rhat", "div.", "ESS/s",
    "stanli ESS/s", "ratio", "MCSE apart",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One engine's draws, judged."""

    judged: Judged
    seconds: float
    answer: dict[str, Any]

    @property
    def rate(self) -> float:
        """Effective draws a second."""
        return self.judged.bulk / self.seconds


def main() -> None:
    """Run the cases asked for and print the table."""
    run(FAMILY_CASES, __doc__)


def run(cases: Sequence[FamilyCase], description: str | None) -> None:
    """Run those of some cases that are asked for, and print the table."""
    options = _options(cases, description)
    print(*machine_lines(1), sep="\n")
    peer = not missing_python_packages(["stanli"]) and not missing_r_packages(["brms", "jsonlite"])
    rows = []
    for case in (case for case in cases if not options.cases or case.name in options.cases):
        for row in _rows(case, options, peer):
            rows.append(row)
            print("  ".join(row), flush=True)
    print("\n" + table(HEADER, rows))


def _options(cases: Sequence[FamilyCase], description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(case.name for case in cases))
    parser.add_argument("--draws", type=int, default=1000, help="draws of bayesml (1000)")
    parser.add_argument("--warmup", type=int, help="warm-up of bayesml (its default, which depends on the form)")
    parser.add_argument("--peer-draws", type=int, default=300, help="draws of stanli, as many as its warm-up (300)")
    parser.add_argument("--timeout", type=float, default=1800.0)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _rows(case: FamilyCase, options: argparse.Namespace, peer: bool) -> list[list[str]]:
    with tempfile.TemporaryDirectory(prefix="bayesml-families-") as folder:
        path = Path(folder) / "data.csv"
        write_csv(case.data(np.random.default_rng(1)), path)
        request = {"case": case.name, "data": str(path), "seed": options.seed, "cores": os.cpu_count() or 1}
        request["matrices"] = {
            name: _written(make, Path(folder) / f"{name}.csv") for name, make in case.matrices.items()
        }
        ours = [_ours(start, request, options, folder) for start in ("cold", "warm")]
        theirs = _theirs(case, request, options) if peer else "not installed"
    return [_row(case.name, start, run, theirs) for start, run in zip(("cold", "warm"), ours, strict=True)]


def _written(make: Callable[[], tuple[np.ndarray, np.ndarray]], path: Path) -> str:
    matrix, levels = make()
    write_csv({str(level): column for level, column in zip(levels, matrix.T, strict=True)}, path)
    return str(path)


def _ours(start: str, request: dict[str, Any], options: argparse.Namespace, folder: str) -> Run | str:
    environment = {**thread_environment(1), "BAYESML_CACHE_DIR": f"{folder}/cache"}
    asked = {**request, "chains": 4, "warmup": options.warmup, "draws": options.draws}
    return _judged(run_worker([sys.executable, str(HERE / "_family_bayesml.py")], asked, environment, options.timeout))


def _theirs(case: FamilyCase, request: dict[str, Any], options: argparse.Namespace) -> Run | str:
    program = {
        **request, "formulas": [case.formula] if isinstance(case.formula, str) else list(case.formula),
        "further": dict(case.further), "nonlinear": case.is_nonlinear, "family": case.family[1],
        "priors": [dict(row) for row in case.priors],
    }  # fmt: skip
    made = run_worker(["Rscript", str(HERE / "_family_programs.R")], program, {}, options.timeout)
    if made.failure:
        return made.failure
    asked = {
        **made.answer, "seed": options.seed, "chains": request["cores"], "cores": request["cores"],
        "warmup": options.peer_draws, "draws": options.peer_draws,
    }  # fmt: skip
    command = [PEERS_PYTHON, str(HERE / "_family_stanli.py")]
    return _judged(run_worker(command, asked, thread_environment(1), options.timeout))


def _judged(report: Any) -> Run | str:
    if report.failure:
        return str(report.failure)
    draws = {name: np.array(values) for name, values in report.answer.pop("draws").items()}
    varying = {name: values for name, values in draws.items() if values.std() > 0}
    return Run(judge(varying), report.answer["seconds"], report.answer)


def _row(name: str, start: str, ours: Run | str, theirs: Run | str) -> list[str]:
    if isinstance(ours, str):
        return [name, start, ours]
    told = [
        name, start, seconds_text(ours.answer["to_summary"]), seconds_text(ours.answer["compiling"]),
        seconds_text(ours.seconds), count_text(ours.judged.bulk), f"{ours.judged.rhat:.3f}",
        str(ours.answer["divergences"]), count_text(ours.rate),
    ]  # fmt: skip
    if isinstance(theirs, str):
        return [*told, theirs]
    apart = distance(ours.judged, theirs.judged)
    return [*told, count_text(theirs.rate), f"{ours.rate / theirs.rate:.0f}", f"{apart:.1f}"]


if __name__ == "__main__":
    main()
