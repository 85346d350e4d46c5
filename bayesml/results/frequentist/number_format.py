"""Numbers as R prints them: as many digits for a whole column as its most demanding number needs."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, isfinite, log10

import numpy as np

__all__ = ["coefficient_cells", "columns", "format_jointly", "format_p_values", "stars", "zap_small"]

SMALLEST_P = 2.220446049250313e-16


def format_jointly(values: Sequence[float], digits: int = 4) -> list[str]:
    """Return the numbers with equally many decimals, so that each shows at least ``digits`` significant ones.

    Trailing zeros that all would have are left out, and powers of ten are used where they are shorter (R's ``format``).
    """
    finite = [float(v) for v in values if isfinite(v)]
    decimals = max((_decimals(v, digits) for v in finite), default=0)
    fixed = [_fixed(float(v), decimals) for v in values]
    significant = max((_significant(v, digits) for v in finite), default=1)
    scientific = [_scientific(float(v), significant - 1) for v in values]
    chosen = fixed if max(map(len, fixed), default=0) <= max(map(len, scientific), default=0) else scientific
    width = max(map(len, chosen), default=0)
    return [text.rjust(width) for text in chosen]


def _fixed(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if isfinite(value) else _special(value)


def _scientific(value: float, decimals: int) -> str:
    return f"{value:.{decimals}e}" if isfinite(value) else _special(value)


def _special(value: float) -> str:
    return "NaN" if value != value else ("Inf" if value > 0 else "-Inf")


def _parts(value: float, digits: int) -> tuple[str, int]:
    """Return the significant digits without trailing zeros, and the power of ten of the first."""
    mantissa, exponent = f"{abs(value):.{digits - 1}e}".split("e")
    return mantissa.replace(".", "").rstrip("0"), int(exponent)


def _significant(value: float, digits: int) -> int:
    return max(len(_parts(value, digits)[0]), 1)


def _decimals(value: float, digits: int) -> int:
    shown, exponent = _parts(value, digits)
    return max(len(shown) - 1 - exponent, 0) if shown else 0


def zap_small(values: np.ndarray, digits: int) -> np.ndarray:
    """Round to what is visible beside the largest of the numbers (R's ``zapsmall``)."""
    largest = float(np.max(np.abs(values), initial=0.0))
    return np.round(values, max(0, digits - ceil(log10(largest)))) if largest > 0 else values


def coefficient_cells(
    estimates: np.ndarray, df: np.ndarray | None, statistic: np.ndarray, p: np.ndarray, digits: int = 4
) -> list[list[str]]:
    """Return the cells of a table of coefficients, one list for each row (R's ``printCoefmat``).

    Degrees of freedom have the decimals of the estimates, three at most.

    Args:
        estimates: ``(rows, 2)`` estimate and standard error.
        df: ``(rows,)`` degrees of freedom, or None.
        statistic: ``(rows,)`` t or z.
        p: ``(rows,)``.
        digits: significant digits of the smallest number.
    """
    sizes = np.abs(estimates[np.isfinite(estimates) & (estimates != 0)])
    smallest = 1 + floor(log10(sizes.min())) if sizes.size else 1
    rounded = np.round(estimates, max(1, digits - smallest))
    texts = format_jointly(rounded.ravel().tolist(), digits)
    cells = np.array(texts, dtype=object).reshape(estimates.shape).tolist()
    if df is not None:
        decimals = min(len(texts[0].partition(".")[2]), 3) if "e" not in texts[0] else 3
        cells = [[*row, _fixed(float(value), decimals)] for row, value in zip(cells, df, strict=True)]
    own = format_jointly(np.round(statistic, max(1, min(5, digits - 1))).tolist(), digits)
    return [[*row, t, text] for row, t, text in zip(cells, own, format_p_values(p), strict=True)]


def format_p_values(p: np.ndarray, digits: int = 3) -> list[str]:
    """Return p values, those below 2.2e-16 as ``< 2e-16`` (R's ``format.pval``)."""
    out = [""] * len(p)
    fixed = [i for i, v in enumerate(p) if v >= 1e-4]
    small = [i for i, v in enumerate(p) if SMALLEST_P <= v < 1e-4]
    for chosen in (fixed, small):
        for i, text in zip(chosen, format_jointly([float(p[i]) for i in chosen], digits), strict=True):
            out[i] = text
    widest = max((len(out[i]) for i in (*fixed, *small)), default=0)
    for i, value in enumerate(p):
        if value < SMALLEST_P:
            out[i] = "<2e-16" if 0 < widest <= 6 else "< 2e-16"
        elif not out[i]:
            out[i] = "NA"
    return out


def stars(p: float) -> str:
    """Return R's mark of a p value."""
    limits = ((0.001, "***"), (0.01, "**"), (0.05, "*"), (0.1, "."))
    return next((mark for limit, mark in limits if p <= limit), "")


def columns(rows: Sequence[Sequence[str]], left: Sequence[bool]) -> list[str]:
    """Return rows of cells as lines of aligned text, each column to the left or to the right."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        " ".join(
            c.ljust(w) if to_left else c.rjust(w) for c, w, to_left in zip(row, widths, left, strict=True)
        ).rstrip()
        for row in rows
    ]
