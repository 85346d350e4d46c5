"""``print(fit)``: the table of brms 2.23 (its ``print.brmssummary``), as text, as HTML and as a data frame."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.convergence import convergence
from bayesml.errors import ModelError
from bayesml.formula import left_side
from bayesml.results.record.select import elements, is_prior_only
from bayesml.results.tables.markup import latex_table, latex_text, markdown_table
from bayesml.results.tables.statistics import center_and_error
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["Block", "Row", "Summary", "summary"]

SECTIONS = (
    "Smoothing Spline Hyperparameters",
    "Gaussian Process Hyperparameters",
    "Multilevel Hyperparameters",
    "Regression Coefficients",
    "Monotonic Simplex Parameters",
    "Further Distributional Parameters",
    "Residual Correlations",
    "Measurement Error Hyperparameters",
)
"""The tables in brms's order; what terms report beside them comes last."""
INDENT = " " * 9
WIDTH = 78
SAMPLED = """\
Draws were sampled using NUTS. For each parameter, Bulk_ESS
and Tail_ESS are effective sample size measures, and Rhat is the potential
scale reduction factor on split chains (at convergence, Rhat = 1)."""


@final
@dataclass(frozen=True)
class Row:
    """One parameter of the table.

    Attributes:
        label: the name as printed, ``sd(Days)``.
        name: its text name, ``sd_Subject__Days``.
        values: estimate, error, lower and upper limit, then Rhat, bulk and tail effective sample size.
    """

    label: str
    name: str
    values: tuple[float, ...]

    def cells(self, columns: int) -> tuple[str, ...]:
        """Return the first ``columns`` values as text.

        Two decimals, as brms; where neither estimate nor error has a digit left that way, two significant digits.
        """
        estimate, error = self.values[:2]
        vanished = (estimate != 0 or error != 0) and all(f"{abs(v):.2f}" == "0.00" for v in (estimate, error))
        main = "{:.2g}" if vanished else "{:.2f}"
        formats = (main, main, main, main, "{:.2f}", "{:.0f}", "{:.0f}")
        pairs = zip(formats[:columns], self.values[:columns], strict=True)
        return tuple("NA" if np.isnan(value) else form.format(value) for form, value in pairs)


@final
@dataclass(frozen=True)
class Block:
    """One table: its heading, a second heading for a grouping factor, and its rows."""

    title: str
    subtitle: str
    rows: tuple[Row, ...]


@final
@dataclass(frozen=True)
class Summary:
    """The summary of a fit; ``print`` shows it.

    Attributes:
        header: pairs of label and text; a text of several lines continues below.
        columns: headings of the columns; without Rhat and ESS for independent draws.
        blocks: the tables.
        closing: what stands below them, one paragraph each.
    """

    header: tuple[tuple[str, tuple[str, ...]], ...]
    columns: tuple[str, ...]
    blocks: tuple[Block, ...]
    closing: tuple[str, ...]

    def __str__(self) -> str:
        lines = []
        for label, texts in self.header:
            lines += [f"{label + ':':>8} {texts[0]}", *(INDENT + text for text in texts[1:])]
        title = ""
        for block in self.blocks:
            if block.title != title:
                lines += ["", f"{block.title}:"]
            elif block.subtitle:
                lines += [""]
            title = block.title
            lines += [block.subtitle] if block.subtitle else []
            lines += _text_table(block.rows, self.columns)
        for paragraph in self.closing:
            lines += ["", paragraph if "\n" in paragraph else textwrap.fill(paragraph, WIDTH, break_on_hyphens=False)]
        return "\n".join(lines)

    __repr__ = __str__

    def to_pandas(self) -> pd.DataFrame:
        """Return all rows as one data frame: unrounded, indexed by text name."""
        import pandas as pd

        rows = [row for block in self.blocks for row in block.rows]
        index = pd.Index([row.name for row in rows], dtype=object)
        return pd.DataFrame([row.values[: len(self.columns)] for row in rows], index=index, columns=list(self.columns))

    def to_markdown(self) -> str:
        """Return the tables in Markdown, each below its heading."""
        parts = [f"**{title}**\n\n{markdown_table(head, rows)}" for title, head, rows in self._tables()]
        return "\n\n".join(parts)

    def to_latex(self) -> str:
        """Return the tables in LaTeX, for the package booktabs, each below its heading."""
        parts = [
            f"\\textbf{{{latex_text(title)}}}\n\n{latex_table(head, rows)}" for title, head, rows in self._tables()
        ]
        return "\n\n".join(parts)

    def to_html(self) -> str:
        """Return what a notebook shows."""
        return self._repr_html_()

    def _tables(self) -> Iterable[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
        """Yield heading, names of the columns and rows of each table."""
        for block in self.blocks:
            title = f"{block.title} {block.subtitle}".strip()
            yield title, ("", *self.columns), [(row.label, *row.cells(len(self.columns))) for row in block.rows]

    def _repr_html_(self) -> str:
        header = "".join(
            f'<tr><th style="{HTML_LABEL}">{escape(label)}</th>'
            f'<td style="{HTML_TEXT}">{"<br>".join(escape(text) for text in texts)}</td></tr>'
            for label, texts in self.header
        )
        blocks = "".join(_html_block(block, self.columns) for block in self.blocks)
        closing = "".join(f'<p style="{HTML_CLOSING}">{escape(paragraph)}</p>' for paragraph in self.closing)
        return f'<div style="{HTML_BOX}"><table style="{HTML_TABLE}">{header}</table>{blocks}{closing}</div>'


# Colours come from the page, so that light and dark notebooks both work; only rules and shades are drawn.
HTML_BOX = "color: inherit; max-width: 60em"
HTML_TABLE = "border-collapse: collapse; background: transparent; margin: 0.4em 0"
HTML_LABEL = "text-align: right; vertical-align: top; padding: 0 0.6em; border: 0; background: transparent"
HTML_TEXT = "text-align: left; padding: 0; border: 0; background: transparent"
HTML_HEAD = "text-align: right; padding: 0.15em 0.6em; border-bottom: 1px solid rgba(128, 128, 128, 0.6)"
HTML_CELL = "text-align: right; padding: 0.1em 0.6em; border: 0; font-variant-numeric: tabular-nums"
HTML_NAME = "text-align: left; padding: 0.1em 0.6em; border: 0; font-weight: normal; font-family: monospace"
HTML_CLOSING = "font-size: 85%; opacity: 0.8; margin: 0.6em 0"


def _html_block(block: Block, columns: Sequence[str]) -> str:
    subtitle = f"<div>{escape(block.subtitle)}</div>" if block.subtitle else ""
    head = "".join(f'<th style="{HTML_HEAD}">{escape(column)}</th>' for column in columns)
    body = "".join(
        f'<tr style="background: transparent"><th style="{HTML_NAME}">{escape(row.label)}</th>'
        + "".join(f'<td style="{HTML_CELL}">{escape(cell)}</td>' for cell in row.cells(len(columns)))
        + "</tr>"
        for row in block.rows
    )
    return (
        f'<div style="margin-top: 0.8em"><b>{escape(block.title)}</b></div>{subtitle}<table style="{HTML_TABLE}">'
        f'<thead><tr><th style="{HTML_HEAD}"></th>{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def _text_table(rows: Sequence[Row], columns: Sequence[str]) -> list[str]:
    cells = [row.cells(len(columns)) for row in rows]
    widths = [max(len(heading), *(len(line[i]) for line in cells)) for i, heading in enumerate(columns)]
    labels = max(len(row.label) for row in rows)
    lines = [("", tuple(columns)), *((row.label, line) for row, line in zip(rows, cells, strict=True))]
    return [
        " ".join([label.ljust(labels), *(cell.rjust(width) for cell, width in zip(line, widths, strict=True))])
        for label, line in lines
    ]


def summary(fit: AbstractSampledFit, prob: float = 0.95, robust: bool = False) -> Summary:
    """Summarise a fit as brms 2.23 prints it.

    Args:
        fit: the fit.
        prob: probability inside the equal-tailed interval, whose limits are quantiles of R's type 7.
        robust: median and 1.4826 times the median absolute deviation in the place of mean and standard deviation.

    Returns:
        The summary: ``print`` it, or take ``to_pandas()``. Rhat and effective sample sizes are those of Vehtari et al.
        (2021). A row whose estimate and error both vanish in two decimals is printed with two significant digits.

    Raises:
        ModelError: ``prob`` does not lie between 0 and 1.

    Example:
        >>> print(fit.summary(prob=0.9, robust=True))
    """
    if isinstance(prob, bool) or not isinstance(prob, (int, float)) or not 0.0 < prob < 1.0:
        raise ModelError(f"`prob` lies between 0 and 1, for example 0.95; got {prob!r}.")
    record = fit.draws_record
    columns = ["Estimate", "Est.Error", f"l-{100 * prob:g}% CI", f"u-{100 * prob:g}% CI"]
    if record.statistics:
        columns += ["Rhat", "Bulk_ESS", "Tail_ESS"]
    table = {name: values for name, values in _measured(fit, prob, robust)}
    return Summary(_header(fit), tuple(columns), tuple(_blocks(fit, table)), _closing(fit))


def _measured(fit: AbstractSampledFit, prob: float, robust: bool) -> Iterable[tuple[str, tuple[float, ...]]]:
    record = fit.draws_record
    chosen = elements(record.values, [v for v in fit.variables if v.section])
    flat = chosen.values.reshape(-1, len(chosen.names))
    limits = np.quantile(flat, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
    columns = [*center_and_error(flat, robust), *limits]
    if record.statistics:
        measured = convergence(chosen.values, fit.outcome.data_sets)
        columns += [measured.rhat, measured.bulk_ess, measured.tail_ess]
    yield from zip(chosen.names, (tuple(row) for row in np.stack(columns, axis=1).tolist()), strict=True)


def _header(fit: AbstractSampledFit) -> tuple[tuple[str, tuple[str, ...]], ...]:
    spec, response = fit.problem.description.spec, fit.problem.design.response
    responses = [formula.name for formula in fit.parsed.responses]
    links = tuple(
        "; ".join(f"{p.key.dpar} = {p.link}" for p in spec.predictors if p.key.resp == resp and not p.key.nlpar)
        for resp in responses
    )
    data = f"{fit.data_name} (Number of observations: {spec.n_rows})"
    return (
        ("Family", (spec.family,)),
        ("Links", links),
        ("Formula", _formula_lines(fit)),
        ("Data", (data, response.note) if response.note else (data,)),
        ("Draws", _draws_lines(fit)),
    )


def _formula_lines(fit: AbstractSampledFit) -> tuple[str, ...]:
    """Return the formula of each response, with those of its further parameters below it."""
    lines: list[str] = []
    for formula in fit.parsed.responses:
        main = f"{left_side(formula)} ~ {formula.predictors[0].text}" if formula.name else formula.text
        own = [p for p in fit.problem.description.spec.predictors if p.key.resp == formula.name and not p.key.is_mu]
        lines += [main, *(f"{p.key.parameter} ~ {p.text}" for p in own)]
    return tuple(lines)


def _draws_lines(fit: AbstractSampledFit) -> tuple[str, ...]:
    chains, kept = fit.draws_record.n_chains, fit.draws_record.n_draws
    if is_prior_only(fit):
        return (f"{chains * kept} independent draws from the prior; the response has no influence",)
    sampling = fit.engine.sampling
    warmup = sampling.warmup if sampling else 0
    first = f"{chains} chain{'s, each' if chains > 1 else ''} with iter = {warmup + kept}; warmup = {warmup}; thin = 1;"
    asked_for = sampling.chains * sampling.draws if sampling else 0
    stopped = f" (interrupted: {asked_for} were asked for)" if fit.outcome.incomplete else ""
    return first, f"total post-warmup draws = {chains * kept}{stopped}"


def _blocks(fit: AbstractSampledFit, table: dict[str, tuple[float, ...]]) -> Iterable[Block]:
    shown = [variable for variable in fit.variables if variable.section]
    levels = dict(fit.problem.description.spec.levels)
    for title in sorted(dict.fromkeys(v.section for v in shown), key=_place):
        variables = [v for v in shown if v.section == title]
        groups = [*(g for g in levels if any(v.group == g for v in variables)), ""]
        for group in groups:
            rows = _rows([v for v in variables if v.group == group], table)
            if rows:
                subtitle = f"~{group} (Number of levels: {levels[group]})" if group else ""
                yield Block(title, subtitle, rows)


def _place(section: str) -> int:
    return SECTIONS.index(section) if section in SECTIONS else len(SECTIONS)


def _rows(variables: Sequence[ReportedVariable], table: dict[str, tuple[float, ...]]) -> tuple[Row, ...]:
    """Return the rows of one table: correlations stand behind the rest, intercepts before it."""
    rows = [
        (variable, Row(label, text, table[text]))
        for variable in variables
        for label, (_, text) in zip(variable.printed, variable.texts, strict=True)
    ]
    intercepts = _intercepts(variables)
    rows.sort(key=lambda pair: (pair[0].kind == "cor", pair[1].name not in intercepts, pair[0].kind in ("bcs", "bsp")))
    return tuple(row for _, row in rows)


def _intercepts(variables: Iterable[ReportedVariable]) -> frozenset[str]:
    return frozenset(
        text for v in variables if v.kind == "b" for ((place,), text) in v.texts if v.coords[0][place] == "Intercept"
    )


def _closing(fit: AbstractSampledFit) -> tuple[str, ...]:
    if is_prior_only(fit):
        how = (
            'Draws were simulated from the prior (sample_prior = "only"). They are independent, so that Rhat and '
            "effective sample sizes are not shown."
        )
    elif not fit.draws_record.statistics:
        how = "Draws are independent, so that Rhat and effective sample sizes are not shown."
    else:
        how = SAMPLED
    sets = (_imputed(fit),) if fit.outcome.data_sets > 1 else ()
    return (how, *sets, *(f"Warning: {problem}" for problem in fit.diagnostics.problems))


def _imputed(fit: AbstractSampledFit) -> str:
    count = fit.outcome.data_sets
    return (
        f"The draws are those of {count} fits, one for each imputed data set, with "
        f"{fit.draws_record.n_chains // count} chains each. Rhat is the largest, and effective sample sizes are the "
        "sums, of those within each data set; fit.rhats() has all. What is computed from data takes the first data set."
    )
