"""``fit.report()``: formula, data, priors, estimates, checks and pictures of a fit on one HTML page."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from html import escape
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import BayesmlError, ModelError
from bayesml.results.checks.check_model import check_model
from bayesml.results.checks.loo import loo
from bayesml.results.frequentist import point_summary
from bayesml.results.plots import plot, pp_check
from bayesml.results.plots.ranks import draw_ranks
from bayesml.results.plots.style import new_figure
from bayesml.results.record.fit import AbstractFit, AbstractPointFit, AbstractSampledFit
from bayesml.results.report.page import Section, code, frame_table, page, paragraph, picture
from bayesml.results.report.reproduce import call_of
from bayesml.results.storage.saving import writable_target
from bayesml.results.tables import summary
from bayesml.results.tables.effects import conditional_effects
from bayesml.results.tables.equation import equation
from bayesml.results.tables.tables import prior_summary
from bayesml.results.tidy.any_fit import about

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Report", "report"]

MOST_TRACES = 12
PACKAGES = ("bayesml", "numpyro", "jax", "numpy", "scipy", "pandas")


@final
@dataclass(frozen=True, repr=False)
class Report:
    """One HTML page, which needs no other file.

    Attributes:
        html: its text.
    """

    html: str

    def __str__(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"Report({len(self.html) // 1024} KiB of HTML)"

    def _repr_html_(self) -> str:
        return f'<iframe srcdoc="{escape(self.html)}" style="width: 100%; height: 40rem; border: 1px solid"></iframe>'


def report(fit: AbstractFit, path: str | os.PathLike[str] | None = None, seed: int = 1) -> Report:
    """Return a fit as one HTML page: what was fitted, to what, with which result, and how far it can be trusted.

    Its parts: the model with its equation; the data; priors; the summary; convergence with advice, traces and ranks of
    draws, or the diagnostic pictures of a point estimate; posterior predictive check; conditional effects;
    leave-one-out cross-validation or information criteria; versions, time, and the call that reproduces the fit. A part
    that this model does not have says why. Pictures are in the page.

    Args:
        fit: the fit.
        path: the file to write, ``"report.html"``; None writes nothing.
        seed: whole number that makes random parts reproducible.

    Returns:
        The page: ``str`` is its text, a notebook shows it.

    Raises:
        ModelError: the path does not end in ``.html`` or lies in no folder.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method="reml")
        >>> fit.report()
    """
    target = None if path is None else writable_target(path)
    if target is not None and target.suffix not in (".html", ".htm"):
        raise ModelError(f'`path` is the name of an HTML file, for example "report.html"; got {str(path)!r}.')
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ModelError(f"`seed` is a whole number of at least 0; got {seed!r}.")
    made = Report(page(fit.formula, [Section(title, _body(part)) for title, part in _parts(fit, int(seed))]))
    if target is not None:
        target.write_text(made.html, encoding="utf-8", errors="replace")
    return made


def _parts(fit: AbstractFit, seed: int) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "Model", lambda: _model(fit)
    yield "Data", lambda: _data(fit)
    if fit.engine.uses_priors:
        yield "Priors", lambda: frame_table(_named_priors(prior_summary(fit)))
    if isinstance(fit, AbstractSampledFit):
        yield "Summary", lambda: summary.summary(fit)._repr_html_()
        yield "Convergence", lambda: _convergence(fit)
        yield "Posterior predictive check", lambda: picture(pp_check(fit, seed=seed), "Responses and replications")
    elif isinstance(fit, AbstractPointFit):
        yield "Summary", lambda: point_summary.summary(fit)._repr_html_()
        yield "Residuals", lambda: picture(check_model(fit), "Residuals, quantiles, leverage and groups")
    yield "Conditional effects", lambda: picture(conditional_effects(fit).plot(), "Conditional effects")
    yield "Comparison", lambda: _comparison(fit)
    yield "How to reproduce this", lambda: _reproduce(fit)


def _body(part: Callable[[], str]) -> str:
    """Return a part, or why there is none; what it warns about stands below it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            body = part()
        except BayesmlError as error:
            return paragraph(str(error))
    told = dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, UserWarning))
    return body + "".join(paragraph(text, "problem") for text in told)


def _model(fit: AbstractFit) -> str:
    groups = ", ".join(f"{name} ({count} levels)" for name, count in fit.ngrps().items())
    lines = [f"Family: {fit.problem.description.spec.family}.", f"{fit.nobs} observations."]
    lines += [f"Grouping factors: {groups}."] if groups else []
    text = str(equation(fit))
    details = f"<details><summary>The equation in LaTeX</summary>{code(text)}</details>"
    return code(fit.formula) + paragraph(" ".join(lines)) + _set_equation(equation(fit).lines) + details


def _set_equation(lines: tuple[str, ...]) -> str:
    """Return the equation as a picture; nothing where matplotlib cannot set a line of it."""
    from matplotlib import pyplot as plt

    figure = new_figure(9, 0.38 * len(lines) + 0.2)
    try:
        for k, line in enumerate(lines):
            left, _, right = line.partition("&")
            y = 1 - (k + 0.5) / len(lines)
            figure.text(0.30, y, f"${left}$" if left.strip() else "", ha="right", va="center", fontsize=11)
            figure.text(0.305, y, f"${right}$", ha="left", va="center", fontsize=11)
        return picture(figure, "The equation of the model")
    except ValueError:
        plt.close(figure)
        return ""


def _named_priors(priors: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of which some row says something."""
    return priors[[name for name in priors if name == "prior" or priors[name].astype(str).ne("").any()]]


def _data(fit: AbstractFit) -> str:
    import pandas as pd

    frame = fit.frame.to_pandas()
    rows = [{"column": str(name), **_described(frame[name])} for name in frame]
    return frame_table(pd.DataFrame(rows)) if rows else paragraph("The model uses no column.")


def _described(column: pd.Series) -> dict[str, Any]:
    import pandas as pd

    missing, values = int(column.isna().sum()), column.dropna()
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        low, high = float(values.min()), float(values.max())
        return {"values": "numbers", "missing": missing, "mean": float(values.mean()), "sd": float(values.std()),
                "smallest": low, "largest": high, "levels": ""}  # fmt: skip
    counts = values.astype(str).value_counts(sort=False)
    shown = ", ".join(f"{level} ({count})" for level, count in counts.head(8).items())
    return {"values": "levels", "missing": missing, "mean": "", "sd": "", "smallest": "", "largest": "",
            "levels": f"{len(counts)}: {shown}{', ...' if len(counts) > 8 else ''}"}  # fmt: skip


def _convergence(fit: AbstractSampledFit) -> str:
    problems = fit.diagnostics.problems
    told = [paragraph(text, "problem") for text in problems]
    told = told or [paragraph("The diagnostics found nothing to complain about.", "well")]
    names = [t for v in fit.variables if not v.is_many for _, t in v.texts][:MOST_TRACES]
    shown = picture(plot(fit, names), "Densities and traces of the chains") if names else ""
    if names and not fit.diagnostics.independent:
        shown += picture(draw_ranks(fit, names), "Ranks of the draws of each chain")
    return "".join(told) + code(str(fit.diagnostics)) + shown


def _comparison(fit: AbstractFit) -> str:
    if isinstance(fit, AbstractSampledFit):
        return code(str(loo(fit)))
    import pandas as pd

    return frame_table(pd.DataFrame([about(fit)]))


def _reproduce(fit: AbstractFit) -> str:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    made = datetime.now().astimezone().isoformat(sep=" ", timespec="minutes")
    python = ".".join(map(str, sys.version_info[:3]))
    lines = [f"Written {made} with Python {python}, {', '.join(found)}.", f"Time of the fit: {fit.timing}."]
    return code(call_of(fit)) + "".join(paragraph(line) for line in lines)
