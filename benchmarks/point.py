"""Point estimates: how long bayesml, lme4, glmmTMB, glmm and statsmodels take from formula to result.

``python benchmarks/point.py --help`` lists the options; ``benchmarks/README.md`` says how things are measured.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from _data import write_csv
from _machine import machine_lines, thread_environment
from _point_cases import POINT_CASES, PointCase
from _processes import HERE, PEERS_PYTHON, missing_python_packages, missing_r_packages, run_worker
from _tables import count_text, seconds_text, table

ENGINES = ("bayesml", "lme4", "glmmTMB", "glmm", "statsmodels")
R_ENGINES = ("lme4", "glmmTMB")
BUDGET = 4.0
"""Seconds of warm repeats of one engine on one case, beyond the two that every one gets."""
QUICK_COLD_STARTS, COLD_STARTS = 1, 3


@dataclass(frozen=True)
class Measured:
    """One engine on one case.

    Attributes:
        engine: its name.
        failure: why it has no numbers; empty where it has.
        warm: median seconds of a fit in a process that has fitted this model before.
        cpu: processor seconds of such a fit, which other work on the machine changes little.
        runs: how many fits that is the median of.
        with_summary: the same of fit and printed summary with degrees of freedom; 0 where not measured.
        cold: median seconds from the start of a process to its first fit, reading of data left out.
        log_likelihood: at the optimum.
        version: of the engine.
        imports_jax: whether the process had imported JAX.
    """

    engine: str
    failure: str = ""
    warm: float = 0.0
    cpu: float = 0.0
    runs: int = 0
    with_summary: float = 0.0
    cold: float = 0.0
    log_likelihood: float = 0.0
    version: str = ""
    imports_jax: bool = False


def main() -> None:
    """Run the cases asked for, print the table, write the JSON."""
    options = _arguments()
    chosen = [c for c in POINT_CASES if _is_wanted(c, options)]
    missing = _missing(options.engines)
    print("\n".join(machine_lines(options.threads)), flush=True)
    found = {}
    for case in chosen:
        print(f"\n{case.name}: {case.title}\n  {case.formula}", flush=True)
        found[case.name] = _measure_case(case, options, missing)
        print(_case_table(case, found[case.name]), flush=True)
    above = "above 1: bayesml is faster; in brackets: not at the optimum"
    print(f"\nRatios peer / bayesml of warm medians ({above})\n" + _ratios(found, options.engines, "warm"))
    print("\nThe same of processor time, which other work on the machine changes little\n", end="")
    print(_ratios(found, options.engines, "cpu"))
    if options.json:
        numbers = {name: [asdict(m) for m in measured] for name, measured in found.items()}
        Path(options.json).write_text(json.dumps({"machine": machine_lines(options.threads), "cases": numbers}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [c.name for c in POINT_CASES]
    parser.add_argument("--cases", nargs="+", choices=names, default=[], metavar="CASE", help=f"of {', '.join(names)}")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES, metavar="ENGINE")
    parser.add_argument("--quick", action="store_true", help="small cases only, one cold start")
    parser.add_argument("--threads", type=int, default=1, help="BLAS threads of every engine (1)")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds after which a worker is stopped (600)")
    parser.add_argument("--json", help="file for the numbers")
    return parser.parse_args()


def _is_wanted(case: PointCase, options: argparse.Namespace) -> bool:
    return case.name in options.cases if options.cases else not (options.quick and case.is_large)


def _missing(engines: list[str]) -> dict[str, str]:
    in_r = missing_r_packages([*R_ENGINES, "jsonlite"])
    in_python = missing_python_packages(["glmm", "statsmodels", "pandas"])
    missing = {}
    for engine in engines:
        lacking = [p for p in in_r if p in (engine, "jsonlite")] if engine in R_ENGINES else []
        if engine in ("glmm", "statsmodels"):
            lacking = [p for p in in_python if p in (engine, "pandas")]
        if lacking:
            missing[engine] = "not installed"
    return missing


def _measure_case(case: PointCase, options: argparse.Namespace, missing: dict[str, str]) -> list[Measured]:
    with tempfile.TemporaryDirectory(prefix="bayesml-bench-") as folder:
        columns = case.columns()
        path = Path(folder) / "data.csv"
        write_csv(columns, path)
        factors = [name for name in columns if f"| {name})" in case.formula]
        return [
            Measured(engine, missing[engine]) if engine in missing else _measure(engine, case, path, factors, options)
            for engine in options.engines
        ]


def _measure(engine: str, case: PointCase, data: Path, factors: list[str], options: argparse.Namespace) -> Measured:
    if engine == "statsmodels" and case.statsmodels is None:
        return Measured(engine, "has no such model (or takes hours)")
    model = {"formula": case.formula, "family": case.family, "statsmodels": case.statsmodels}
    request = {"engine": engine, "case": model, "data": str(data), "factors": factors, "budget": BUDGET}
    reports = [_run(engine, request, options)]
    if reports[0].failure:
        return Measured(engine, reports[0].failure)
    if not options.quick and reports[0].answer["first"] < BUDGET:
        short = {**request, "budget": 0.0}
        reports += [r for r in (_run(engine, short, options) for _ in range(COLD_STARTS - 1)) if not r.failure]
    answer: dict[str, Any] = reports[0].answer
    return Measured(
        engine,
        warm=statistics.median(answer["warm"]),
        cpu=statistics.mean(answer["cpu"]),
        runs=len(answer["warm"]),
        with_summary=statistics.median(answer["with_summary"] or [0.0]),
        cold=statistics.median(r.answer["finished"] - r.started - r.answer["reading"] for r in reports),
        log_likelihood=answer["log_likelihood"],
        version=answer["version"],
        imports_jax=answer.get("imports_jax", False),
    )


def _run(engine: str, request: dict[str, Any], options: argparse.Namespace) -> Any:
    python = sys.executable if engine == "bayesml" else PEERS_PYTHON
    command = ["Rscript", str(HERE / "_point_r.R")] if engine in R_ENGINES else [python, str(HERE / "_point_python.py")]
    return run_worker(command, request, thread_environment(options.threads), options.timeout)


def _case_table(case: PointCase, measured: list[Measured]) -> str:
    best = max((m.log_likelihood for m in measured if not m.failure), default=0.0)
    rows = []
    for m in measured:
        if m.failure:
            rows.append([m.engine, m.version, m.failure])
            continue
        gap = -2 * (m.log_likelihood - best)
        verdict = "" if _agrees(case, m, measured) else "does not count: not at the optimum"
        rows.append(
            [
                m.engine,
                m.version,
                seconds_text(m.warm) + (f" (of {m.runs})" if m.runs > 1 else " (first)"),
                seconds_text(m.cpu),
                seconds_text(m.with_summary),
                seconds_text(m.cold) + (" with JAX" if m.imports_jax else ""),
                f"{-2 * m.log_likelihood:.6f}",
                f"{gap:.1e}",
                verdict,
            ]
        )
    return table(["engine", "version", "warm", "CPU", "with summary", "cold", "-2 logLik", "above best", ""], rows)


def _agrees(case: PointCase, measured: Measured, others: list[Measured]) -> bool:
    """Whether an engine came as low as the others: as ours where ours is lowest, within the tolerance of the case."""
    reference = max(m.log_likelihood for m in others if not m.failure)
    return abs(measured.log_likelihood - reference) <= case.same_model_rtol * max(1.0, abs(reference))


def _ratios(found: dict[str, list[Measured]], engines: list[str], measure: str) -> str:
    cases = {case.name: case for case in POINT_CASES}
    peers = [engine for engine in engines if engine != "bayesml"]
    rows = []
    for name, measured in found.items():
        by_engine = {m.engine: m for m in measured if not m.failure}
        ours = by_engine.get("bayesml")
        if ours is None:
            rows.append([name, "no result"])
            continue
        taken = getattr(ours, measure)
        row = [name, seconds_text(taken)]
        for peer in peers:
            row.append(_ratio(cases[name], by_engine.get(peer), ours, measured, measure))
        goal = cases[name].target
        met = "" if not goal else f"<= {seconds_text(goal)}: {'met' if taken <= goal else 'missed'}"
        rows.append([*row, met])
    return table(["case", "bayesml", *peers, "target"], rows)


def _ratio(case: PointCase, peer: Measured | None, ours: Measured, measured: list[Measured], measure: str) -> str:
    if peer is None:
        return "-"
    text = count_text(getattr(peer, measure) / max(getattr(ours, measure), 1e-9))
    counts = _agrees(case, peer, measured) and _agrees(case, ours, measured)
    return text if counts else f"({text})"


if __name__ == "__main__":
    main()
