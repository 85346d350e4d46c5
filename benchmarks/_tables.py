"""Plain tables that are Markdown too."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["count_text", "seconds_text", "table"]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; short rows are filled up with nothing."""
    filled = [list(header), *([*row, *[""] * (len(header) - len(row))] for row in rows)]
    widths = [max(len(row[i]) for row in filled) for i in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in filled
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def seconds_text(seconds: float) -> str:
    """Return a duration with its unit; ``-`` for zero."""
    if not seconds:
        return "-"
    if seconds < 1.0:
        return f"{1000 * seconds:.2g} ms" if seconds < 0.0995 else f"{1000 * seconds:.0f} ms"
    return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:,.0f} s"


def count_text(value: float) -> str:
    """Return a positive number with two or three digits; ``-`` for zero."""
    if not value:
        return "-"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
