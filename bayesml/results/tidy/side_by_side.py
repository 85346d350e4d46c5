"""``bayesml.table([fit1, fit2])``: several fits side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, final

from bayesml.errors import ModelError
from bayesml.results.record.fit import AbstractFit
from bayesml.results.tables.markup import html_table, latex_table, markdown_table
from bayesml.results.tidy.any_fit import about, parameters
from bayesml.results.tidy.terms import checked_effects, checked_level

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ModelTable", "table"]

Statistic = Literal["std.error", "conf.int"] | None
WHOLE = {
    "nobs": "Observations",
    "pss": "Draws",
    "logLik": "logLik",
    "AIC": "AIC",
    "BIC": "BIC",
    "REMLcrit": "REML criterion",
}
"""What is said of a whole model, and how it is labelled."""


@final
@dataclass(frozen=True, repr=False)
class ModelTable:
    """Fits side by side: ``print`` shows Markdown, a notebook HTML.

    Attributes:
        names: what the columns of the fits are called.
        rows: the label of each row and a cell for each fit; empty where a fit has no such parameter.
        parameters: how many rows are about parameters; those below are about whole models.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    parameters: int

    def to_markdown(self) -> str:
        """Return the table in Markdown."""
        return markdown_table(("", *self.names), self.rows)

    def to_html(self) -> str:
        """Return the table in HTML."""
        return html_table(("", *self.names), self.rows, (self.parameters,))

    def to_latex(self) -> str:
        """Return the table in LaTeX, for the package booktabs."""
        return latex_table(("", *self.names), self.rows, (self.parameters,))

    def to_pandas(self) -> pd.DataFrame:
        """Return the cells as a data frame of text; ``great_tables.GT`` and others take it.

        The label of a row is in the column ``term``, and empty below a parameter where its error stands.
        """
        import pandas as pd

        return pd.DataFrame([list(row) for row in self.rows], columns=["term", *self.names])

    def __str__(self) -> str:
        return self.to_markdown()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.to_html()

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def _repr_latex_(self) -> str:
        return self.to_latex()


def table(
    fits: Sequence[AbstractFit] | Mapping[str, AbstractFit] | AbstractFit,
    names: Sequence[str] | None = None,
    *,
    effects: str | Sequence[str] = ("fixed", "ran_pars"),
    statistic: Statistic = "std.error",
    conf_level: float = 0.95,
    digits: int = 2,
) -> ModelTable:
    """Return fits side by side, with draws or estimated, a row for each parameter.

    Args:
        fits: one fit, several, or a dict of them by name.
        names: what their columns are called; None counts them, ``(1)``, ``(2)``.
        effects: which parameters, see ``fit.tidy()``.
        statistic: what stands below an estimate: ``"std.error"`` in round brackets, ``"conf.int"`` the interval in
            square ones, or None for nothing.
        conf_level: probability of the interval.
        digits: number of decimals.

    Returns:
        The table: ``to_markdown()``, ``to_html()``, ``to_latex()``, ``to_pandas()``. Its last rows are the number of
        observations and of draws, and logLik, AIC, BIC and the REML criterion of estimates.

    Raises:
        ModelError: there is no fit, names are missing or double, or an option is impossible.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> first = bayesml.fit("Reaction ~ Days + (1 | Subject)", data, method="ml")
        >>> second = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method="ml")
        >>> print(bayesml.table({"intercepts": first, "slopes": second}))
    """
    if statistic not in ("std.error", "conf.int", None):
        raise ModelError(f'`statistic` is "std.error", "conf.int" or None; got {statistic!r}.')
    if isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= 15:
        raise ModelError(f"`digits` is a whole number from 0 to 15; got {digits!r}.")
    asked, level = checked_effects(effects), checked_level(conf_level)
    each, called = _named(fits, names)
    cells = [_cells(parameters(fit, asked, level), statistic, digits) for fit in each]
    wholes = [about(fit) for fit in each]
    rows: list[tuple[str, ...]] = []
    for label in _in_order(cells, asked):
        own = [found.get(label, ("", "")) for found in cells]
        rows.append((label[1], *(estimate for estimate, _ in own)))
        if statistic is not None and any(below for _, below in own):
            rows.append(("", *(below for _, below in own)))
    whole = [
        (label, *(_number(found.get(key), 0 if key in ("nobs", "pss") else digits) for found in wholes))
        for key, label in WHOLE.items()
        if any(key in found for found in wholes)
    ]
    return ModelTable(called, (*rows, *whole), len(rows))


Label = tuple[str, str]
"""The effect of a parameter and what its row is called."""


def _named(fits: Any, names: Sequence[str] | None) -> tuple[list[Any], tuple[str, ...]]:
    if isinstance(fits, Mapping) and names is None:
        fits, names = list(fits.values()), list(fits)
    each = list(fits) if isinstance(fits, Iterable) and not isinstance(fits, (str, AbstractFit)) else [fits]
    called = tuple(f"({k + 1})" for k in range(len(each))) if names is None else tuple(map(str, names))
    if not each:
        raise ModelError("There is no fit; write `bayesml.table([fit1, fit2])`.")
    if len(called) != len(each) or len(set(called)) < len(called) or isinstance(names, str):
        raise ModelError(f"`names` has a different name for each of the {len(each)} fits; got {names!r}.")
    return each, called


def _cells(found: pd.DataFrame, statistic: Statistic, digits: int) -> dict[Label, tuple[str, str]]:
    """Return estimate and what stands below it by the label of the row."""
    cells = {}
    for row in found.to_dict("records"):
        below = ""
        if statistic == "std.error" and isfinite(row["std.error"]):
            below = f"({_number(row['std.error'], digits)})"
        elif statistic == "conf.int" and isfinite(row["conf.low"]):
            below = f"[{_number(row['conf.low'], digits)}, {_number(row['conf.high'], digits)}]"
        cells[row["effect"], _label(row)] = _number(row["estimate"], digits), below
    return cells


def _label(row: Mapping[Any, Any]) -> str:
    """Return ``Days``, ``sigma: Days``, ``Subject: sd__Days``, ``Subject[308]: Days``."""
    parts = [row[name] for name in ("response", "component") if isinstance(row.get(name), str) and row[name] != "cond"]
    if isinstance(row["group"], str):
        level = f"[{row['level']}]" if isinstance(row.get("level"), str) else ""
        parts.append(f"{row['group']}{level}")
    return ": ".join([*parts, row["term"]])


def _in_order(cells: Sequence[Mapping[Label, Any]], effects: Sequence[str]) -> list[Label]:
    """Return every label once, effects together; what a later fit adds stands behind what it follows there."""
    order: list[Label] = []
    for found in cells:
        place = 0
        for label in found:
            if label in order:
                place = order.index(label) + 1
            else:
                order.insert(place, label)
                place += 1
    return sorted(order, key=lambda label: effects.index(label[0]))


def _number(value: Any, digits: int) -> str:
    """Return a number with its decimals; where all of them are zeros, with two significant digits."""
    if value is None or value != value:
        return ""
    text = f"{float(value):.{digits}f}"
    return f"{float(value):.2g}" if value and not text.strip("-0.") else text
