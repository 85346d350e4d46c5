"""Sampling: effective draws per second of bayesml, brms, Bambi (nutpie, NumPyro) and NumPyro by hand.

``python benchmarks/sampling.py --help`` lists the options; ``benchmarks/README.md`` says how things are measured.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from _data import write_csv
from _effective import Judged, distance, judge
from _machine import machine_lines, thread_environment
from _processes import HERE, PEERS_PYTHON, Report, missing_python_packages, missing_r_packages, run_worker
from _sampling_cases import SAMPLING_CASES, SamplingCase
from _tables import count_text, seconds_text, table

ENGINES = ("bayesml", "brms", "bambi_nutpie", "bambi_numpyro", "numpyro")
CHAINS = 4
LARGEST_RHAT, LARGEST_DISTANCE = 1.01, 4.0
LONG_RUN = 240.0
"""A cold start that takes longer, in seconds, is not repeated warm; its draws are used."""


@dataclass(frozen=True)
class Run:
    """One run of one engine.

    Attributes:
        engine: its name.
        start: ``cold`` (empty caches) or ``warm``.
        failure: why it has no numbers; empty where it has.
        to_summary: seconds from the start of the process to the printed summary, reading of data left out.
        cpu: processor seconds of the whole process and its children, the compilers and the writing of draws included.
        compiling: seconds of building and compiling.
        clock: seconds of warm-up and sampling by the clock.
        warmup: processor seconds of warm-up, shared out over the cores that the chains may use.
        sampling: the same of the draws kept.
        bulk: smallest bulk effective sample size.
        tail: smallest tail effective sample size.
        worst: the parameter with the smallest bulk effective sample size.
        rhat: largest Rhat.
        divergences: after warm-up.
        leapfrogs: of the draws kept.
        peak_mib: of the process and its children.
        distance: of its means from those of the other engines, in Monte Carlo standard errors (median over them).
        version: of the engine.
        note: what a reader must know.
        is_extrapolated: whether the effective sample sizes are those of a smaller case.
        is_other_model: whether the engine cannot fit the model of the case and fits a simpler one.
    """

    engine: str
    start: str
    failure: str = ""
    to_summary: float = 0.0
    cpu: float = 0.0
    compiling: float = 0.0
    clock: float = 0.0
    warmup: float = 0.0
    sampling: float = 0.0
    bulk: float = 0.0
    tail: float = 0.0
    worst: str = ""
    rhat: float = 0.0
    divergences: int = 0
    leapfrogs: float = 0.0
    peak_mib: float = 0.0
    distance: float = 0.0
    version: str = ""
    note: str = ""
    is_extrapolated: bool = False
    is_other_model: bool = False

    @property
    def counts(self) -> bool:
        """Whether it converged and agrees with the others."""
        if self.is_extrapolated:
            return True
        converged = self.rhat < LARGEST_RHAT and self.divergences == 0
        comparable = not self.failure and not self.is_other_model
        return comparable and converged and self.distance <= LARGEST_DISTANCE

    @property
    def bulk_rate(self) -> float:
        """Smallest bulk effective sample size per second of sampling, warm-up left out."""
        return self.bulk / self.sampling if self.sampling else 0.0

    @property
    def whole_rate(self) -> float:
        """The same with warm-up."""
        return self.bulk / (self.warmup + self.sampling) if self.sampling else 0.0


def main() -> None:
    """Run the cases asked for, print the tables, write the JSON."""
    options = _arguments()
    chosen = [c for c in SAMPLING_CASES if _is_wanted(c, options)]
    missing = _missing(options.engines)
    lines = machine_lines(options.threads)
    lines.append(f"{CHAINS} chains on {options.cores} cores, 1000 draws each, every engine's own default warm-up")
    print("\n".join(lines), flush=True)
    found: dict[str, list[Run]] = {}
    with tempfile.TemporaryDirectory(prefix="bayesml-bench-") as folder:
        for case in chosen:
            print(f"\n{case.name}: {case.title}, {case.family}\n  {case.formula()}", flush=True)
            found[case.name] = _measure_case(case, Path(folder), options, missing, found)
            print(_case_table(found[case.name]), flush=True)
            _write_json(options.json, lines, found)
    print("\n" + _ratios(found, options.engines))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [c.name for c in SAMPLING_CASES]
    parser.add_argument("--cases", nargs="+", choices=names, default=[], metavar="CASE", help=f"of {', '.join(names)}")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES, metavar="ENGINE")
    parser.add_argument("--quick", action="store_true", help="five cases only")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="chains that run at once (all cores)")
    parser.add_argument("--threads", type=int, default=1, help="BLAS threads of every engine (1)")
    parser.add_argument("--warm", type=int, default=1, help="warm runs after the cold one (1)")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds after which a worker is stopped (900)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first run; the next ones count up")
    parser.add_argument("--json", help="file for the numbers")
    return parser.parse_args()


def _is_wanted(case: SamplingCase, options: argparse.Namespace) -> bool:
    return case.name in options.cases if options.cases else case.is_quick or not options.quick


def _missing(engines: list[str]) -> set[str]:
    needed = {"bambi_nutpie": ("bambi", "nutpie"), "bambi_numpyro": ("bambi", "numpyro")}
    lacking = missing_python_packages(["bambi", "nutpie", "numpyro"])
    missing = {engine for engine, packages in needed.items() if set(packages) & set(lacking)}
    if "brms" in engines and missing_r_packages(["brms", "rstan", "jsonlite"]):
        missing.add("brms")
    return missing


def _measure_case(
    case: SamplingCase, root: Path, options: argparse.Namespace, missing: set[str], found: dict[str, list[Run]]
) -> list[Run]:
    runs: list[Run] = []
    judged: dict[str, list[Judged]] = {}
    folder = root / case.name
    folder.mkdir()
    columns = case.columns()
    write_csv(columns, folder / "data.csv")
    levels = {e.factor: sorted(set(columns[e.factor].tolist())) for e in case.effects}
    for engine in options.engines:
        if engine in missing:
            runs.append(Run(engine, "", "not installed"))
        elif f"{engine}:short" in case.engines:
            runs.append(_short_run(case, engine, folder, options, found.get(case.like, [])))
        elif engine not in case.engines:
            runs.append(Run(engine, "", "left out: would take hours"))
        else:
            for run, draws in _measure(case, engine, levels, folder, options):
                runs.append(run)
                judged.setdefault(engine, []).extend([] if draws is None else [draws])
    return [_with_distance(run, judged, case) for run in runs]


def _measure(
    case: SamplingCase, engine: str, levels: dict[str, list[str]], folder: Path, options: argparse.Namespace
) -> list[tuple[Run, Judged | None]]:
    results: list[tuple[Run, Judged | None]] = []
    for number in range(1 + options.warm):
        is_cold = number == 0 and not (engine == "brms" and _compiled(case, folder).exists())
        start = "cold" if is_cold else "warm"
        report = _start(case, engine, levels, folder, options, number)
        if report.failure:
            print(f"  {engine}, {start}: {report.failure}", flush=True)
            return [*results, (Run(engine, start, report.failure), None)]
        judged = judge(_draws(engine, folder))
        results.append((_run(engine, start, report, judged, min(options.cores, CHAINS)), judged))
        print(f"  {engine}, {start}: {report.seconds:.0f} s, smallest bulk ESS {judged.bulk:.0f}", flush=True)
        if report.seconds > LONG_RUN:
            break
    return results


def _run(engine: str, start: str, report: Report, judged: Judged, cores: int) -> Run:
    answer = report.answer
    return Run(
        engine,
        start,
        to_summary=answer["summarised"] - report.started - answer["reading"],
        cpu=report.cpu_seconds,
        compiling=answer["compiling"],
        clock=answer["clock"],
        warmup=answer["warmup"] / cores,
        sampling=answer["sampling"] / cores,
        bulk=judged.bulk,
        tail=judged.tail,
        worst=judged.worst,
        rhat=judged.rhat,
        divergences=answer["divergences"],
        leapfrogs=answer["leapfrogs"],
        peak_mib=report.peak_mib,
        version=answer["version"],
        note=answer["note"],
    )


def _start(
    case: SamplingCase,
    engine: str,
    levels: dict[str, list[str]],
    folder: Path,
    options: argparse.Namespace,
    number: int,
    short: bool = False,
) -> Report:
    cache = folder / engine
    cache.mkdir(exist_ok=True)
    request: dict[str, Any] = {
        "engine": engine,
        "case": case.name,
        "data": str(folder / "data.csv"),
        "draws": str(folder / f"{engine}.npz"),
        "seed": options.seed + number,
        "cores": options.cores,
        "chains": CHAINS,
    }
    if engine == "brms":
        request |= _brms_request(case, levels, folder, short)
        command = ["Rscript", str(HERE / "_sampling_brms.R")]
    else:
        script = "_sampling_bambi.py" if engine.startswith("bambi") else f"_sampling_{engine}.py"
        command = [PEERS_PYTHON if engine.startswith("bambi") else sys.executable, str(HERE / script)]
    caches = {
        "BAYESML_CACHE_DIR": str(cache / "bayesml"),
        "PYTENSOR_FLAGS": f"base_compiledir={cache / 'pytensor'}",
        "NUMBA_CACHE_DIR": str(cache / "numba"),
    }
    if "numpyro" in engine:
        caches |= {"JAX_COMPILATION_CACHE_DIR": str(cache), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    return run_worker(command, request, {**thread_environment(options.threads), **caches}, options.timeout)


def _compiled(case: SamplingCase, folder: Path) -> Path:
    """Return where brms keeps the compiled model, which cases that differ in their data alone share."""
    model = json.dumps([case.formula(), case.family, case.right_side("sigma"), case.prior_rows()])
    return folder.parent / f"brms-{hashlib.sha256(model.encode()).hexdigest()[:16]}.rds"


def _brms_request(case: SamplingCase, levels: dict[str, list[str]], folder: Path, short: bool) -> dict[str, Any]:
    return {
        "formula": case.formula(),
        "sigma_formula": f"sigma ~ {case.right_side('sigma')}" if case.sigma_slopes else "",
        "family": case.family,
        "priors": case.prior_rows(),
        "factors": sorted(levels),
        "reported": case.reported(levels) if levels else [],
        "compiled": str(_compiled(case, folder)),
        "draws_csv": str(folder / "brms.csv"),
        "short": short,
    }


def _draws(engine: str, folder: Path) -> dict[str, np.ndarray]:
    if engine != "brms":
        with np.load(folder / f"{engine}.npz") as stored:
            return dict(zip(stored["names"].tolist(), stored["draws"], strict=True))
    import pandas as pd

    frame = pd.read_csv(folder / "brms.csv")
    chains = [group for _, group in frame.groupby("chain")]
    return {str(name): np.stack([c[name].to_numpy() for c in chains]) for name in frame.columns if name != "chain"}


def _short_run(case: SamplingCase, engine: str, folder: Path, options: argparse.Namespace, smaller: list[Run]) -> Run:
    """Time a leapfrog, and take effective sample sizes and numbers of leapfrogs from the smaller case."""
    like = [run for run in smaller if run.engine == engine and run.counts]
    if not like:
        return Run(engine, "", f"extrapolated from {case.like}, which has no result in this run")
    factors = {e.factor: [] for e in case.effects}
    report = _start(case, engine, factors, folder, options, 0, short=True)
    if report.failure:
        return Run(engine, "cold", report.failure)
    pace, last = report.answer["leapfrog_seconds"], like[-1]
    cores = min(options.cores, CHAINS)
    slower = pace / (last.sampling * cores / last.leapfrogs)
    note = f"extrapolated: {1000 * pace:.2g} ms a leapfrog in 40 iterations; all else as in {case.like}"
    return replace(
        last,
        start="short",
        to_summary=0.0,
        cpu=0.0,
        clock=0.0,
        sampling=last.sampling * slower,
        warmup=last.warmup * slower,
        peak_mib=report.peak_mib,
        note=note,
        is_extrapolated=True,
    )


def _with_distance(run: Run, judged: dict[str, list[Judged]], case: SamplingCase) -> Run:
    """Hold a run's means against the first run of every other engine that has the same model."""
    if run.failure or run.is_extrapolated:
        return run
    if run.engine.startswith("bambi") and case.is_correlated:
        return replace(run, is_other_model=True, note=f"another model: no correlations. {run.note}".strip())
    own = judged[run.engine][0 if run.start == "cold" else -1]
    others = [
        values[-1]
        for engine, values in judged.items()
        if engine != run.engine and not (engine.startswith("bambi") and case.is_correlated)
    ]
    return replace(run, distance=statistics.median_low([distance(own, o) for o in others]) if others else 0.0)


def _case_table(runs: list[Run]) -> str:
    header = [
        "engine",
        "start",
        "to summary",
        "CPU",
        "compile",
        "clock",
        "warm-up",
        "sampling",
        "min bulk ESS",
        "min tail ESS",
        "Rhat",
        "div.",
        "MCSE apart",
        "bulk/s",
        "tail/s",
        "bulk/s with warm-up",
        "gradients/ESS",
        "peak MiB",
        "counts",
        "note",
    ]
    return table(header, [_row(run) for run in runs])


def _row(run: Run) -> list[str]:
    if run.failure:
        return [run.engine, run.start, run.failure]
    return [
        run.engine,
        run.start,
        seconds_text(run.to_summary),
        seconds_text(run.cpu),
        seconds_text(run.compiling),
        seconds_text(run.clock),
        seconds_text(run.warmup),
        seconds_text(run.sampling),
        count_text(run.bulk),
        count_text(run.tail),
        f"{run.rhat:.3f}",
        str(run.divergences),
        f"{run.distance:.1f}",
        count_text(run.bulk_rate),
        count_text(run.tail / run.sampling),
        count_text(run.whole_rate),
        count_text(run.leapfrogs / run.bulk),
        f"{run.peak_mib:,.0f}",
        "yes" if run.counts else "no",
        "; ".join(part for part in (f"least: {run.worst}", run.note) if part),
    ]


def _ratios(found: dict[str, list[Run]], engines: list[str]) -> str:
    peers = [engine for engine in engines if engine != "bayesml"]
    parts = []
    for title, measure in (
        (
            "Ratios bayesml / peer of min bulk ESS per second of sampling (in brackets: a run that does not count)",
            "bulk_rate",
        ),
        ("The same with warm-up counted", "whole_rate"),
    ):
        rows = [[name, *_ratio_row(runs, peers, measure)] for name, runs in found.items()]
        parts.append(f"{title}\n" + table(["case", "bayesml", *peers], rows))
    for title, measure in (("Process start to summary", "to_summary"), ("Processor time of the whole process", "cpu")):
        rows = [[name, *_start_row(runs, engines, measure)] for name, runs in found.items()]
        parts.append(f"{title}, cold / warm\n" + table(["case", *engines], rows))
    return "\n\n".join(parts)


def _ratio_row(runs: list[Run], peers: list[str], measure: str) -> list[str]:
    ours = _median([r for r in runs if r.engine == "bayesml"], measure)
    row = [(count_text(ours[0]) + "/s" if ours[1] else f"({count_text(ours[0])}/s)") if ours[0] else "no result"]
    for peer in peers:
        theirs, counts = _median([r for r in runs if r.engine == peer], measure)
        text = count_text(ours[0] / theirs) if theirs and ours[0] else "-"
        row.append(text if counts or text == "-" else f"({text})")
    return row


def _median(runs: list[Run], measure: str) -> tuple[float, bool]:
    """Return the median of the runs that count, else of all, and whether they count."""
    done = [run for run in runs if not run.failure]
    counting = [run for run in done if run.counts]
    chosen = counting or done
    return (statistics.median(getattr(r, measure) for r in chosen) if chosen else 0.0), bool(counting)


def _start_row(runs: list[Run], engines: list[str], measure: str) -> list[str]:
    row = []
    for engine in engines:
        times = {run.start: getattr(run, measure) for run in runs if run.engine == engine and not run.failure}
        row.append(f"{seconds_text(times.get('cold', 0.0))} / {seconds_text(times.get('warm', 0.0))}" if times else "-")
    return row


def _write_json(path: str | None, lines: list[str], found: dict[str, list[Run]]) -> None:
    if path:
        cases = {name: [asdict(run) for run in runs] for name, runs in found.items()}
        Path(path).write_text(json.dumps({"machine": lines, "cases": cases}, indent=1))


if __name__ == "__main__":
    main()
