"""The gallery of plots: one section for each picture, with the code that draws it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from plot_examples import FITS, PICTURES, Picture  # noqa: E402

__all__ = ["section", "write_gallery"]

DOTS = 80


def write_gallery(folder: Path) -> str:
    """Draw all pictures below a folder and return the page; it names them from the folder above."""
    pictures = folder / "plots"
    pictures.mkdir(parents=True, exist_ok=True)
    return "\n".join(sections(pictures))


def sections(pictures: Path) -> Iterator[str]:
    """Yield the text of each section; pictures are drawn into a folder."""
    from matplotlib import pyplot as plt

    for title, shown in PICTURES.items():
        yield f"## {title}\n"
        for picture in shown:
            path = pictures / f"{picture.name}.png"
            figure = picture.draw()
            figure.savefig(path, dpi=DOTS)
            plt.close(figure)
            yield section(picture, f"{pictures.parent.name}/{pictures.name}/{path.name}")


def section(picture: Picture, path: str) -> str:
    """Return what a picture shows, the code and the picture."""
    lines = [f"**{picture.shows}.** {_model(picture)}", "", "```python", picture.code, "```", ""]
    lines += [f"```{{image}} {path}", f":alt: {picture.shows}", ":width: 560px", "```", ""]
    return "\n".join(lines)


def _model(picture: Picture) -> str:
    formula, data, family, method = FITS[picture.fit]
    how = "" if method == "map" else f', method="{method}"'
    return f"Here `{formula}` of `{data}`, {family}{how}."
