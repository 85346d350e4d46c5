"""HTML of a page: sections with text, tables and pictures, all in one file."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any, final

from bayesml.results.tables.markup import html_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Section", "code", "frame_table", "page", "paragraph", "picture"]

STYLE = """
body { font-family: system-ui, sans-serif; color: #1f2933; line-height: 1.5; margin: 0; background: #f4f5f7; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 2rem 4rem; background: #fff; }
h1 { font-size: 1.35rem; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; border-bottom: 1px solid #d5d9de; }
nav a { margin-right: 1rem; color: #1b5e8c; text-decoration: none; white-space: nowrap; }
table { font-size: .87rem; margin: .6rem 0; } .wide { overflow-x: auto; }
pre { background: #f4f5f7; padding: .7rem; overflow-x: auto; font-size: .85rem; }
img { max-width: 100%; height: auto; } .problem { border-left: 4px solid #b3261e; padding-left: .8rem; }
.well { border-left: 4px solid #2e7d32; padding-left: .8rem; } details summary { cursor: pointer; color: #52606d; }
"""


@final
@dataclass(frozen=True)
class Section:
    """One part of the page.

    Attributes:
        title: its heading.
        body: HTML.
    """

    title: str
    body: str


def page(title: str, sections: list[Section]) -> str:
    """Return a whole page."""
    links = " ".join(f'<a href="#part{k}">{escape(s.title)}</a>' for k, s in enumerate(sections))
    parts = "\n".join(f'<h2 id="part{k}">{escape(s.title)}</h2>\n{s.body}' for k, s in enumerate(sections))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{escape(title)}</h1>\n<nav>{links}</nav>\n{parts}\n"
        "</main>\n</body>\n</html>\n"
    )


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph of plain text."""
    return f"<p{f' class={kind!r}' if kind else ''}>{escape(text)}</p>"


def code(text: str) -> str:
    """Return text as it stands."""
    return f"<pre>{escape(text)}</pre>"


def frame_table(frame: pd.DataFrame) -> str:
    """Return a data frame as a table of texts."""
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    return f'<div class="wide">{html_table([str(name) for name in frame], rows)}</div>'


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return str(value)


def picture(figure: Any, what: str) -> str:
    """Return a figure of matplotlib as a picture within the page, and close it.

    Args:
        figure: the figure.
        what: what it shows, for those who cannot see it.
    """
    from matplotlib import pyplot as plt

    content = BytesIO()
    figure.savefig(content, format="png", dpi=110, bbox_inches="tight")
    plt.close(figure)
    return f'<p><img alt="{escape(what)}" src="data:image/png;base64,{b64encode(content.getvalue()).decode()}"></p>'
