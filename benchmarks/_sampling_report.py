"""The tables that the sampling benchmark prints."""

from __future__ import annotations

from dataclasses import dataclass

from _sampling_run import Run, median_of
from _tables import count_text, seconds_text, table

__all__ = ["case_table", "ratios"]

Found = dict[str, list[Run]]


@dataclass(frozen=True)
class RateTarget:
    """How many times the smallest bulk effective sample size per second of sampling of a peer is aimed at."""

    case: str
    peer: str
    least: float


RATE_TARGETS = (
    RateTarget("sleepstudy", "brms", 30),
    RateTarget("epilepsy", "brms", 25),
    RateTarget("logistic7584", "brms", 30),
    RateTarget("logistic7584", "bambi_nutpie", 10),
    RateTarget("slopes1e5", "brms", 1000),
)
MOST_GROWTH = 1.5
"""Largest ratio of the seconds at 10^6 rows to those at 10^4, with as many groups."""
START_TARGETS = {"cold": 5.0, "warm": 2.5}
"""Seconds from the start of a process to the summary of sleepstudy."""


def case_table(runs: list[Run]) -> str:
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
        count_text(run.tail_rate),
        count_text(run.whole_rate),
        count_text(run.leapfrogs / run.bulk if run.bulk else 0.0),
        f"{run.peak_mib:,.0f}",
        "yes" if run.counts else "no",
        "; ".join(part for part in (f"least: {run.worst}", run.note) if part),
    ]


def ratios(found: dict[str, list[Run]], engines: list[str]) -> str:
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
    parts.append(_targets(found))
    return "\n\n".join(part for part in parts if part)


def _ratio_row(runs: list[Run], peers: list[str], measure: str) -> list[str]:
    ours = median_of([r for r in runs if r.engine == "bayesml"], measure)
    row = [(count_text(ours[0]) + "/s" if ours[1] else f"({count_text(ours[0])}/s)") if ours[0] else "no result"]
    for peer in peers:
        theirs, counts = median_of([r for r in runs if r.engine == peer], measure)
        text = count_text(ours[0] / theirs) if theirs and ours[0] else "-"
        row.append(text if counts or text == "-" else f"({text})")
    return row


def _start_row(runs: list[Run], engines: list[str], measure: str) -> list[str]:
    row = []
    for engine in engines:
        times = {run.start: getattr(run, measure) for run in runs if run.engine == engine and not run.failure}
        row.append(f"{seconds_text(times.get('cold', 0.0))} / {seconds_text(times.get('warm', 0.0))}" if times else "-")
    return row


def _targets(found: Found) -> str:
    rows = [row for target in RATE_TARGETS for row in _rate_row(found, target)]
    rows += _growth_row(found)
    for start, most in START_TARGETS.items():
        seconds, _ = median_of([r for r in _ours(found, "sleepstudy") if r.start == start], "to_summary")
        title = f"sleepstudy: process start to summary, {start}"
        rows += [[title, f"<= {most} s", seconds_text(seconds), _met(seconds <= most)]] if seconds else []
    return "Targets\n" + table(["what", "target", "found", ""], rows) if rows else ""


def _ours(found: Found, case: str) -> list[Run]:
    return [run for run in found.get(case, []) if run.engine == "bayesml"]


def _rate_row(found: Found, target: RateTarget) -> list[list[str]]:
    """A run of the peer that does not count, mostly for divergences or Rhat, is taken as if it had gone well."""
    ours, _ = median_of(_ours(found, target.case), "bulk_rate")
    peers = [run for run in found.get(target.case, []) if run.engine == target.peer]
    theirs, counts = median_of(peers, "bulk_rate")
    if not ours or not theirs:
        return []
    ratio = ours / theirs
    text = count_text(ratio) if counts else f"({count_text(ratio)})"
    title = f"{target.case}: min bulk ESS per second of sampling over that of {target.peer}"
    return [[title, f">= {target.least:,.0f}", text, _met(ratio >= target.least)]]


def _growth_row(found: Found) -> list[list[str]]:
    small, large = (median_of(_ours(found, case), "clock")[0] for case in ("slopes1e4", "slopes1e6"))
    if not small or not large:
        return []
    title = "correlated slopes: seconds of warm-up and sampling at 10^6 rows over those at 10^4"
    return [[title, f"<= {MOST_GROWTH}", count_text(large / small), _met(large <= MOST_GROWTH * small)]]


def _met(is_met: bool) -> str:
    return "met" if is_met else "missed"
