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
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from _data import write_csv
from _effective import Judged, distance, judge
from _machine import machine_lines, thread_environment
from _processes import HERE, PEERS_PYTHON, Report, missing_python_packages, missing_r_packages, run_worker
from _sampling_cases import SAMPLING_CASES, SamplingCase
from _sampling_report import case_table, ratios
from _sampling_run import Run

ENGINES = ("bayesml", "brms", "bambi_nutpie", "bambi_numpyro", "numpyro")
CHAINS = 4
LONG_RUN = 240.0
"""A cold start that takes longer, in seconds, is not repeated warm; its draws are used."""


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
            print(case_table(found[case.name]), flush=True)
            _write_json(options.json, lines, found)
    print("\n" + ratios(found, options.engines))


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
                if draws is not None:
                    judged.setdefault(engine, []).append(draws)
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
    done = [run for run in smaller if run.engine == engine and not run.failure]
    like = [run for run in done if run.counts] or done
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
    note += "" if last.counts else ", which did not converge"
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


def _write_json(path: str | None, lines: list[str], found: dict[str, list[Run]]) -> None:
    if path:
        cases = {name: [asdict(run) for run in runs] for name, runs in found.items()}
        Path(path).write_text(json.dumps({"machine": lines, "cases": cases}, indent=1))


if __name__ == "__main__":
    main()
