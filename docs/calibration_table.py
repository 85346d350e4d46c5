"""The table of simulation-based calibration, written from the results that ``make calibrate`` records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["RESULTS", "holm_rejects", "read_results", "table"]

RESULTS = Path(__file__).parent / "calibration.json"
LEVEL = 0.01


def read_results(path: Path = RESULTS) -> list[dict[str, Any]]:
    """Return one record for each model and form."""
    return json.loads(path.read_text())


def table(results: list[dict[str, Any]]) -> str:
    """Return the summary and the table in Markdown."""
    head = "| Model | Family | Form | Simulations (seed) | Quantities | Smallest p | of | Threshold | ms |"
    lines = [*_summary(results), "", head, "|---|---|---|---|---|---|---|---|---|"]
    return "\n".join([*lines, *map(_line, results), ""])


def _line(result: dict[str, Any]) -> str:
    without = f"; {result['without_mode']} without a mode" if result["without_mode"] else ""
    divergent = f"; {result['divergent']} with divergent transitions" if result["divergent"] else ""
    cells = [
        f"{result['model']}: `{_one_line(result['formula'])}`",
        result["family"],
        result["form"] + without + divergent,
        f"{result['simulations']} ({result['seed']})",
        str(result["quantities"]),
        f"{result['smallest']:.2g}",
        f"`{result['quantity']}`",
        f"{result['threshold']:.2g}",
        f"{1000 * result['seconds']:.0f}",
    ]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _summary(results: list[dict[str, Any]]) -> list[str]:
    """Say how many studies there are, and which are rejected alone and among all."""
    below = [r for r in results if r["smallest"] < r["threshold"]]
    rejected = holm_rejects([min(1.0, r["smallest"] * r["quantities"]) for r in results])
    named = ", ".join(f"{r['model']} ({r['form']})" for r, no in zip(results, rejected, strict=True) if no)
    return [
        f"{len(results)} studies, {sum(r['simulations'] >= 500 for r in results)} of them with 500 simulations; "
        f"{sum(r['simulations'] for r in results)} simulations in all. In {len(below)} studies a "
        f"quantity lies below its threshold, where {LEVEL * len(results):.2g} or fewer are expected of right samplers.",
        f"Among all studies together (Holm, level {LEVEL}) {'rejected: ' + named if named else 'none is rejected'}.",
    ]


def holm_rejects(p_values: list[float], level: float = LEVEL) -> list[bool]:
    """Return which hypotheses Holm's procedure rejects: from the smallest on, until p exceeds level / (those left)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    rejected = [False] * len(p_values)
    for done, place in enumerate(order):
        if p_values[place] > level / (len(p_values) - done):
            break
        rejected[place] = True
    return rejected
