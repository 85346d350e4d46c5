"""Tables of text as Markdown, HTML and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

__all__ = ["html_table", "latex_table", "latex_text", "markdown_table", "markdown_text"]

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}
"""What LaTeX would read as a command."""

Rows = Sequence[Sequence[str]]


def latex_text(text: str) -> str:
    """Return text that LaTeX prints as it stands."""
    return "".join(LATEX.get(letter, letter) for letter in text).strip()


def markdown_text(text: str) -> str:
    """Return text that Markdown prints as it stands within a table."""
    marked = "".join(f"\\{letter}" if letter in "\\|*_`<~" else letter for letter in text)
    return marked.replace("\n", " ").strip()


def markdown_table(head: Sequence[str], rows: Rows) -> str:
    """Return a table in Markdown, its first column to the left and the others to the right."""
    cells = [[markdown_text(cell) for cell in row] for row in (head, *rows)]
    widths = [max(3, *(len(row[k]) for row in cells)) for k in range(len(head))]
    rule = [f":{'-' * (w - 1)}" if k == 0 else f"{'-' * (w - 1)}:" for k, w in enumerate(widths)]
    lines = [
        [cell.ljust(w) if k == 0 else cell.rjust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True))]
        for row in (cells[0], rule, *cells[1:])
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def html_table(head: Sequence[str], rows: Rows, ruled: Sequence[int] = ()) -> str:
    """Return a table in HTML with a line above the rows at the places ``ruled``."""
    top = _html_row("th", head, "border-bottom: 1px solid")
    body = "".join(_html_row("td", row, "border-top: 1px solid" * (at in ruled)) for at, row in enumerate(rows))
    style = "border-collapse: collapse"
    return f'<table style="{style}">\n<thead>\n{top}</thead>\n<tbody>\n{body}</tbody>\n</table>'


def _html_row(tag: str, cells: Sequence[str], style: str) -> str:
    return f"<tr>{''.join(_html_cell(tag, cell, k, style) for k, cell in enumerate(cells))}</tr>\n"


def _html_cell(tag: str, text: str, column: int, style: str) -> str:
    side = "left" if column == 0 else "right"
    styles = "; ".join(part for part in (f"text-align: {side}", "padding: 0.1em 0.6em", style) if part)
    return f'<{tag} style="{styles}">{escape(text)}</{tag}>'


def latex_table(head: Sequence[str], rows: Rows, ruled: Sequence[int] = ()) -> str:
    """Return a table in LaTeX (package booktabs) with a line above the rows at the places ``ruled``."""
    lines = [rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}", r"\toprule", _latex_row(head), r"\midrule"]
    for at, row in enumerate(rows):
        lines += [r"\midrule"] if at in ruled else []
        lines.append(_latex_row(row))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _latex_row(cells: Sequence[str]) -> str:
    # A cell that starts with [ or * would be read as an option of the \\ of the row before.
    return " & ".join(f"{{{text}}}" if text[:1] in ("[", "*") else text for text in map(latex_text, cells)) + r" \\"
