"""Fits side by side, summaries as markup, and what the package maketables reads."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import bayesml
from bayesml.errors import ModelError
from bayesml.results.fits.fit_object import PointFit
from bayesml.results.tables.markup import html_table, latex_table, markdown_table
from tests.handmade import handmade_fit, sleep


@pytest.fixture(scope="module")
def sampled() -> bayesml.Fit:
    return handmade_fit("Reaction ~ Days * Dose + (1 | Subject)", sleep())


@pytest.fixture(scope="module")
def point() -> PointFit:
    found = bayesml.fit("Reaction ~ Days + (Days | Subject)", bayesml.load_dataset("sleepstudy"), method="reml")
    assert isinstance(found, PointFit)
    return found


class Cells(HTMLParser):
    """Collects the text of each cell, row by row."""

    def __init__(self, text: str) -> None:
        HTMLParser.__init__(self)
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += data


def test_fits_stand_side_by_side(sampled: bayesml.Fit, point: PointFit) -> None:
    table = bayesml.table({"drawn": sampled, "REML": point})
    cells = table.to_pandas().set_index("term")
    assert list(cells) == ["drawn", "REML"]
    assert cells.loc["Days"].tolist() == [f"{sampled.fixef().loc['Days', 'Estimate']:.2f}", "10.47"]
    assert cells.loc["Subject: sd__Days"].tolist() == ["", "5.92"]
    assert cells.loc["Observations"].tolist() == ["60", "180"]
    assert cells.loc["Draws"].tolist() == ["180", ""]
    assert cells.loc["REML criterion"].tolist() == ["", "1743.63"]
    below = table.rows[[row[0] for row in table.rows].index("Days") + 1]
    assert below == ("", f"({sampled.fixef().loc['Days', 'Est.Error']:.2f})", "(1.55)")
    labels = [row[0] for row in table.rows if row[0]]
    assert len(set(labels)) == len(labels)


def test_every_format_has_the_same_cells(sampled: bayesml.Fit, point: PointFit) -> None:
    table = bayesml.table([sampled, point], statistic="conf.int", digits=1)
    expected = [("", "(1)", "(2)"), *table.rows]
    assert [tuple(row) for row in Cells(table.to_html()).rows] == expected
    lines = [line for line in table.to_markdown().splitlines() if not line.startswith("| :")]
    read = [tuple(re.sub(r"\\(.)", r"\1", cell).strip() for cell in line.strip("|").split(" | ")) for line in lines]
    assert [tuple(cell.strip("| ") for cell in row) for row in read] == expected
    latex = [line.removesuffix(r" \\") for line in table.to_latex().splitlines() if line.endswith(r"\\")]
    plain = [tuple(re.sub(r"\\([_&%])", r"\1", cell).strip("{} ") for cell in line.split(" & ")) for line in latex]
    assert plain == expected
    assert table.to_latex().count(r"\midrule") == 2
    assert any(re.fullmatch(r"\[7\.2, 13\.7\]", row[2]) for row in table.rows)


def test_text_is_printed_as_it_stands() -> None:
    rows = [["a_b & 5% <x>|y", "[1, 2]"], ["[z]", "~^\\"]]
    assert Cells(html_table(["", "*"], rows)).rows[1:] == rows
    assert r"a\_b \& 5\% \textless{}x\textgreater{}|y & {[1, 2]} \\" in latex_table(["", "1"], rows)
    assert r"{[z]} & \textasciitilde{}\textasciicircum{}\textbackslash{} \\" in latex_table(["", "1"], rows)
    assert r"a\_b & 5% \<x>\|y" in markdown_table(["", "1"], rows)


def test_summaries_as_markup(sampled: bayesml.Fit, point: PointFit) -> None:
    for fit in (sampled, point):
        summary = fit.summary()
        for text in (summary.to_markdown(), summary.to_latex(), summary.to_html()):
            assert "Days" in text and "Intercept" in text
        assert summary.to_latex().count(r"\begin{tabular}") == summary.to_latex().count(r"\end{tabular}") >= 3
    assert point.summary().to_pandas().equals(point.fixef())
    assert f"{point.fixef().loc['Days', 'Estimate']:.3f}" in point.summary().to_markdown()
    assert "**Multilevel Hyperparameters ~Subject (Number of levels: 6)**" in sampled.summary().to_markdown()


def test_what_maketables_reads(sampled: bayesml.Fit, point: PointFit) -> None:
    table = point.__maketables_coef_table__
    assert list(table) == ["b", "se", "t", "p", "ci95l", "ci95u"] and table.index.name == "Coefficient"
    np.testing.assert_array_equal(
        table[["b", "se", "t", "p"]], point.fixef()[["Estimate", "Std.Error", "t value", "p"]]
    )
    drawn = sampled.__maketables_coef_table__
    assert list(drawn) == list(table) and drawn[["t", "p"]].isna().all(axis=None)
    np.testing.assert_allclose(drawn[["b", "se"]], sampled.fixef()[["Estimate", "Est.Error"]])
    assert point.__maketables_default_stat_keys__ == ["N", "ll", "aic", "bic"]
    assert [point.__maketables_stat__(key) for key in ("N", "aic", "r2")] == [180, point.aic, None]
    assert sampled.__maketables_default_stat_keys__ == ["N", "draws"]
    assert sampled.__maketables_depvar__ == "Reaction"
    assert set(sampled.__maketables_stat_labels__) >= {"draws"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fits": []}, "There is no fit"),
        ({"fits": [3]}, "A fit is needed"),
        ({"fits": "fit"}, "A fit is needed"),
        ({"names": ["a", "b"]}, "`names` has a different name for each of the 1 fits"),
        ({"statistic": "se"}, "`statistic` is"),
        ({"digits": -1}, "`digits` is a whole number"),
        ({"effects": "ranpars"}, "did you mean `ran_pars`"),
        ({"conf_level": 2}, "`conf_level`"),
    ],
)
def test_wrong_options_are_told(options: dict[str, object], said: str, point: PointFit) -> None:
    with pytest.raises(ModelError, match=said):
        bayesml.table(**({"fits": point} | options))  # type: ignore[arg-type]
