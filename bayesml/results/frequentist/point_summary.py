"""``print(fit)`` of a point estimate: the layout of lme4's summary, as text and as HTML."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.engines.point.answers import Approximation
from bayesml.engines.point.elements import deviations
from bayesml.names import prefixed
from bayesml.results.frequentist.number_format import (
    coefficient_cells,
    columns,
    format_jointly,
    format_p_values,
    stars,
    zap_small,
)
from bayesml.results.frequentist.point_tables import CoefficientTable, coefficient_frame, coefficient_table
from bayesml.results.frequentist.report import notes
from bayesml.results.frequentist.residuals import residual_values
from bayesml.results.frequentist.smooth_tests import SmoothTest, smooth_tests
from bayesml.results.record.one_response import each_response, has_several
from bayesml.results.tables.markup import latex_table, latex_text, markdown_table

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractPointFit
    from bayesml.terms import AbstractGroupTerm

__all__ = ["PointSummary", "summary"]

LEGEND = "Signif. codes:  0 '***' 0.001 '**' 0.01 '*' 0.05 '.' 0.1 ' ' 1"
MOST_CORRELATIONS = 12
WIDTH = 78


@final
@dataclass(frozen=True)
class Section:
    """One part of the summary: a heading, lines, and rows of cells below (the first row names the columns)."""

    title: str
    lines: tuple[str, ...] = ()
    cells: tuple[tuple[str, ...], ...] = ()
    left: tuple[bool, ...] = ()
    after: tuple[str, ...] = ()
    indent: str = ""

    def text(self) -> list[str]:
        """Return the section as lines of text."""
        table = [self.indent + line for line in columns(self.cells, self.left)] if self.cells else []
        return [*([self.title] if self.title else []), *self.lines, *table, *self.after]


@final
@dataclass(frozen=True)
class PointSummary:
    """The summary of a point estimate; ``print`` shows it.

    Attributes:
        sections: its parts.
        coefficients: the population-level coefficients with their tests, unrounded.
    """

    sections: tuple[Section, ...]
    coefficients: CoefficientTable

    def __str__(self) -> str:
        return "\n\n".join("\n".join(section.text()) for section in self.sections)

    __repr__ = __str__

    def to_pandas(self) -> pd.DataFrame:
        """Return the population-level coefficients unrounded, as ``fit.fixef()`` does."""
        return coefficient_frame(self.coefficients)

    def to_markdown(self) -> str:
        """Return the tables in Markdown, each below its heading."""
        return "\n\n".join(
            f"**{s.title}**\n\n{table}" if s.title else table
            for s in self._tables()
            for table in [markdown_table(s.cells[0], s.cells[1:])]
        )

    def to_latex(self) -> str:
        """Return the tables in LaTeX, for the package booktabs, each below its heading."""
        return "\n\n".join(
            f"\\textbf{{{latex_text(s.title)}}}\n\n{table}" if s.title else table
            for s in self._tables()
            for table in [latex_table(s.cells[0], s.cells[1:])]
        )

    def to_html(self) -> str:
        """Return what a notebook shows."""
        return self._repr_html_()

    def _tables(self) -> Iterator[Section]:
        return (section for section in self.sections if section.cells)

    def _repr_html_(self) -> str:
        return "".join(_html(section) for section in self.sections)


def _html(section: Section) -> str:
    title = f"<b>{escape(section.title)}</b>" if section.title else ""
    lines = "".join(f"<div>{escape(line)}</div>" for line in section.lines)
    after = "".join(f'<div style="opacity: 0.8">{escape(line)}</div>' for line in section.after)
    if not section.cells:
        return f'<div style="margin-top: 0.8em">{title}{lines}{after}</div>'
    style = "padding: 0.1em 0.6em; border: 0; background: transparent; font-variant-numeric: tabular-nums; text-align: "
    sides = ["left" if to_left else "right" for to_left in section.left]
    head, *body = section.cells
    top = "".join(f'<th style="{style}{side}">{escape(c)}</th>' for c, side in zip(head, sides, strict=True))
    rows = "".join(
        '<tr style="background: transparent">'
        + "".join(f'<td style="{style}{side}">{escape(c.strip())}</td>' for c, side in zip(row, sides, strict=True))
        + "</tr>"
        for row in body
    )
    table = f'<table style="border-collapse: collapse"><thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div style="margin-top: 0.8em">{title}{lines}{table}{after}</div>'


def summary(fit: AbstractPointFit, correlation: bool | None = None) -> PointSummary:
    """Summarise a point estimate as lme4 prints it.

    Args:
        fit: the fit.
        correlation: whether to show the correlations of the fixed effects; None shows them for up to 12.

    Returns:
        The summary, which ``print`` shows.

    Example:
        >>> fit.summary(correlation=False)
    """
    sections = [_header(fit), _criterion(fit), _residuals(fit), _random(fit), _family_parameters(fit)]
    sections += [
        _residual_correlations(fit),
        _smooths(fit),
        _significance(fit),
        _fixed(fit),
        _correlations(fit, correlation),
    ]
    sections += [Section("", tuple(textwrap.wrap(note, WIDTH, break_on_hyphens=False))) for note in notes(fit)]
    return PointSummary(tuple(s for s in sections if s is not None), coefficient_table(fit))


def _header(fit: AbstractPointFit) -> Section:
    lines = []
    parts = [one.likelihood for one in each_response(fit).values()]
    traits, link = fit.likelihood.traits, ", ".join(part.chosen_link(part.dpars[0].name).name for part in parts)
    if not traits.normal or traits.response_on_log_scale or link != "identity":
        lines.append(f" Family: {fit.family.name}  ( {link} )")
    formula = str(fit.formula).replace("\n", "\n         ")  # of several responses one on each line
    lines += [f"Formula: {formula}", f"   Data: {fit.data_name}"]
    note = fit.problem.design.response.note
    return Section(_title(fit), (*lines, *((f"         {note}",) if note else ())))


def _title(fit: AbstractPointFit) -> str:
    estimate = fit.estimate
    mixed = " mixed" if estimate.arrays.blocks else ""
    tests = ". t-tests use Satterthwaite's method" if estimate.t_tests is not None and estimate.coefs else ""
    found = "REML" if estimate.is_reml else "maximum likelihood" if estimate.log_prior is None else "posterior mode"
    plain = estimate.has_one_predictor and fit.likelihood.traits.normal
    if plain and fit.likelihood.link("mu").name == "identity":
        return f"Linear{mixed} model fit by {found}{tests}"
    return f"Generalized linear{mixed} model fit by {found}{_how(estimate.approximation)}"


def _how(approximation: Approximation | None) -> str:
    if approximation is None:
        return ""
    points = approximation.quadrature_points
    return f" (Adaptive Gauss-Hermite Quadrature, {points} points)" if points > 1 else " (Laplace Approximation)"


def _criterion(fit: AbstractPointFit) -> Section:
    if fit.method == "reml":
        return Section("", (f"REML criterion at convergence: {fit.criterion:.1f}",))
    names = ("AIC", "BIC", "logLik", "-2*log(L)", "df.resid")
    texts = [f"{v:.1f}" for v in (fit.aic, fit.bic, fit.logLik, fit.deviance)] + [str(fit.df_residual)]
    prior: tuple[str, ...] = ()
    if fit.estimate.log_prior is not None:
        prior = (f"log prior at the mode: {fit.estimate.log_prior:.1f}",)
    width = max(map(len, (*names, *texts)))
    padded = tuple(tuple(text.rjust(width) for text in row) for row in (names, texts))
    return Section("", (), padded, (False,) * 5, prior)


def _residuals(fit: AbstractPointFit) -> Section | None:
    if has_several(fit) or fit.likelihood.event_shape or not fit.likelihood.traits.has_moments:
        return None
    quantiles = np.quantile(residual_values(fit, "scaled"), [0.0, 0.25, 0.5, 0.75, 1.0])
    texts = format_jointly(zap_small(quantiles, 5).tolist())
    return Section("Scaled residuals:", (), (("Min", "1Q", "Median", "3Q", "Max"), tuple(texts)), (False,) * 5)


def _random(fit: AbstractPointFit) -> Section | None:
    estimate = fit.estimate
    if not estimate.arrays.terms:
        return Section("", (f"Number of obs: {fit.nobs}",))
    entries = list(_entries(fit))
    sigma = estimate.auxiliary.get("sigma")
    if sigma is not None:
        entries.append(("Residual", "", sigma, ()))
    sds = np.array([sd for _, _, sd, _ in entries])
    variances, deviation = format_jointly((sds**2).tolist()), format_jointly(sds.tolist())
    widest = max(len(cor) for *_, cor in entries)
    rows = [("Groups", "Name", "Variance", "Std.Dev.", *(("Corr",) + ("",) * (widest - 1) if widest else ()))]
    for (group, name, _, cor), v, d in zip(entries, variances, deviation, strict=True):
        rows.append((group, name, v, d, *cor, *("",) * (widest - len(cor))))
    counted = "; ".join(dict.fromkeys(f"{t.name}, {len(t.levels)}" for t in ordered_terms(fit)))
    after = (f"Number of obs: {fit.nobs}, groups:  {counted}",)
    return Section("Random effects:", (), tuple(rows), (True,) * (4 + widest), after, " ")


def ordered_terms(fit: AbstractPointFit) -> list[AbstractGroupTerm]:
    """Return the group-level terms in lme4's order: by decreasing number of levels."""
    terms = list(fit.estimate.arrays.terms)
    sizes = [len(t.levels) for t in terms]
    if all(a >= b for a, b in zip(sizes, sizes[1:], strict=False)):
        return terms
    return sorted(reversed(terms), key=lambda t: -len(t.levels))


def _entries(fit: AbstractPointFit) -> Iterator[tuple[str, str, float, tuple[str, ...]]]:
    """Yield group, coefficient, sd and the correlations with earlier coefficients of the same block."""
    factors = {(group.term.name, group.term.predictor): group.factor for group in fit.estimate.groups}
    for term in ordered_terms(fit):
        sd, cor = deviations(factors[term.name, term.predictor])
        for block in term.block_slices():
            for i in range(block.start, block.stop):
                texts = tuple("NaN" if np.isnan(r) else f"{r:5.2f}" for r in cor[i, block.start : i])
                yield term.name if i == 0 else "", prefixed(term.coefs[i], term.predictor), float(sd[i]), texts


def _smooths(fit: AbstractPointFit) -> Section | None:
    """Return edf, the effective degrees of freedom, and the variance of the penalised coefficients of each curve."""
    curves = fit.estimate.smooths
    if not curves:
        return None
    edf = format_jointly([curve.degrees for curve in curves])
    variances, deviation = (format_jointly([curve.sd**power for curve in curves]) for power in (2, 1))
    names = [curve.effects.coefs[0] for curve in curves]
    rows = zip(names, edf, variances, deviation, strict=True)
    head = ("Name", "edf", "Variance", "Std.Dev.")
    return Section("Smooth terms:", (), (head, *rows), (True, False, True, True), (), " ")


def _significance(fit: AbstractPointFit) -> Section | None:
    """Return the approximate significance of each curve, as mgcv prints it."""
    estimate = fit.estimate
    if not estimate.has_one_predictor or not estimate.smooths:
        return None
    estimated = "sigma" in estimate.auxiliary or fit.likelihood.traits.normal
    tests = smooth_tests(estimate, estimated)
    edf, reference = (format_jointly([round(v, 3) for v in column]) for column in _numbers(tests, "edf", "reference"))
    statistic, p = (format_jointly([round(t.statistic, 3) for t in tests]), np.array([t.p for t in tests]))
    marks = [stars(float(value)) for value in p]
    head = ("Name", "edf", "Ref.df", "F" if estimated else "Chi.sq", "p-value", "")
    rows = zip([t.name for t in tests], edf, reference, statistic, format_p_values(p), marks, strict=True)
    left = (True, False, False, False, False, True)
    return Section("Approximate significance of smooth terms:", (), (head, *rows), left, (), " ")


def _numbers(tests: tuple[SmoothTest, ...], *names: str) -> list[list[float]]:
    return [[getattr(test, name) for test in tests] for name in names]


def _family_parameters(fit: AbstractPointFit) -> Section | None:
    shown = {k: v for k, v in fit.estimate.auxiliary.items() if k != "sigma" or not fit.estimate.arrays.terms}
    for variable in fit.variables:
        if variable.kind == "lncor":
            values = fit.estimate.values[variable.name]
            shown |= {text: float(values[place]) for place, text in variable.texts}
    if not shown:
        return None
    cells = [("", "Estimate"), *((name, text) for name, text in zip(shown, _each(shown.values()), strict=True))]
    return Section("Family parameters:", (), tuple(cells), (True, False))


def _residual_correlations(fit: AbstractPointFit) -> Section | None:
    """Return the correlations of the residuals of several responses."""
    matrix = fit.likelihood.residual_correlations(fit.estimate.values)
    if matrix is None:
        return None
    names = [each.name for each in fit.problem.design.responses]
    rows = [("", *names[:-1])]
    for i in range(1, len(names)):
        rows.append((names[i], *(f"{matrix[i, j]:.3f}" for j in range(i)), *("",) * (len(names) - 1 - i)))
    return Section("Residual correlations:", (), tuple(rows), (True, *(False,) * (len(names) - 1)))


def _each(values: Iterable[float]) -> list[str]:
    return [format_jointly([value])[0] for value in values]


def _fixed(fit: AbstractPointFit) -> Section | None:
    table = coefficient_table(fit)
    if not table.labels:
        return None
    cells = coefficient_cells(np.stack([table.estimate, table.error], axis=1), table.df, table.statistic, table.p)
    letter = "z" if table.df is None else "t"
    head = ("", "Estimate", "Std. Error", *(() if table.df is None else ("df",)), f"{letter} value", f"Pr(>|{letter}|)")
    marks = [stars(float(p)) for p in table.p]
    shows = any(marks)
    rows = [(*head, "") if shows else head]
    for label, row, mark in zip(table.labels, cells, marks, strict=True):
        rows.append((label, *row, mark) if shows else (label, *row))
    left = (True, *(False,) * (len(head) - 1), *((True,) if shows else ()))
    return Section("Fixed effects:", (), tuple(rows), left, ("---", LEGEND) if shows else ())


def _correlations(fit: AbstractPointFit, wanted: bool | None) -> Section | None:
    labels = fit.estimate.coefs
    if len(labels) < 2 or wanted is False or (wanted is None and len(labels) > MOST_CORRELATIONS):
        return None
    error = np.where(np.isinf(fit.estimate.standard_errors), np.nan, fit.estimate.standard_errors)
    with np.errstate(divide="ignore", invalid="ignore"):
        matrix = fit.estimate.vcov / np.outer(error, error)
    short = [abbreviate(label, 6) for label in labels[:-1]]
    rows = [("", *short)]
    for i in range(1, len(labels)):
        own = tuple(f"{matrix[i, j]:.3f}".replace("nan", "NaN") for j in range(i))
        rows.append((abbreviate(labels[i], 11), *own, *("",) * (len(short) - i)))
    return Section("Correlation of Fixed Effects:", (), tuple(rows), (True, *(False,) * len(short)))


def abbreviate(label: str, length: int) -> str:
    """Shorten a label by leaving out small vowels, then small letters, from its end."""
    for letters in ("aeiou", "abcdefghijklmnopqrstuvwxyz"):
        place = len(label) - 1
        while len(label) > length and place > 0:
            if label[place] in letters:
                label = label[:place] + label[place + 1 :]
            place -= 1
    return label[:length]
