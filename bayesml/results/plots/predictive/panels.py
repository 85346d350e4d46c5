"""Panels of a predictive check: one for each group, or for each draw, with one legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.plots.predictive.compared import Compared
from bayesml.results.plots.predictive.kinds import OBSERVED, Kind, each_statistic, one_panel
from bayesml.results.plots.style import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_parts"]

MOST_PANELS = 60
MOST_IN_GROUPS = 5


def draw_parts(kind: Kind, parts: Sequence[tuple[str, Compared]]) -> Figure:
    """Draw every part; several with several panels each have a row of panels for each part.

    Raises:
        ModelError: there are more panels than fit into a picture.
    """
    wanted = [(label, part, place) for label, part in parts for place in _places(kind, part, len(parts))]
    if len(wanted) > MOST_PANELS:
        raise ModelError(
            f"{len(wanted)} panels do not fit into one picture, at most {MOST_PANELS} do; take fewer draws."
        )
    columns = _columns(len(parts), len(wanted))
    rows = -(-len(wanted) // columns)
    figure = new_figure(*_size(kind, columns, rows))
    panels = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    with np.errstate(all="ignore"):
        for axes, (label, part, place) in zip(panels, wanted, strict=False):
            kind.draw(axes, part, place)
            axes.set_title(_title(kind, label, place), fontsize=9.5, loc="left")
    used = panels[: len(wanted)]
    for unused in panels[len(wanted) :]:
        unused.set_axis_off()
    _share(used, kind.shared)
    _label_once(figure, used)
    _legend(figure, used)
    return figure


def _places(kind: Kind, part: Compared, parts: int) -> Sequence[int]:
    places = kind.panels(part)
    return places if parts == 1 else places[:MOST_IN_GROUPS]


def _columns(parts: int, panels: int) -> int:
    if parts > 1 and panels > parts:
        return panels // parts
    return panels if panels <= 3 else 2 if panels == 4 else 3 if panels <= 6 else 4 if panels <= 24 else 6


def _size(kind: Kind, columns: int, rows: int) -> tuple[float, float]:
    if columns == 1 and rows == 1:
        return 7.4, kind.height
    width = {1: 5.4, 2: 3.9, 3: 3.1}.get(columns, 2.4)
    return width * columns + 1.0, max(0.72 * width, 1.7) * rows + 0.4


def _title(kind: Kind, label: str, place: int) -> str:
    if kind.panels in (one_panel, each_statistic):
        return label
    each = "y" if place == OBSERVED else f"y_rep {place + 1}"
    return ": ".join(text for text in (label, each) if text)


def _share(panels: Sequence[Axes], shared: str) -> None:
    """Give all panels the same limits of the axes that they share."""
    if "x" in shared:
        limits = np.array([axes.get_xlim() for axes in panels])
        for axes in panels:
            axes.set_xlim(limits[:, 0].min(), limits[:, 1].max())
    if "y" in shared:
        limits = np.array([axes.get_ylim() for axes in panels])
        for axes in panels:
            axes.set_ylim(limits[:, 0].min(), limits[:, 1].max())


def _label_once(figure: Figure, panels: Sequence[Axes]) -> None:
    """Put a label that all of several panels have at the edge of the picture."""
    across, up = {axes.get_xlabel() for axes in panels}, {axes.get_ylabel() for axes in panels}
    if len(panels) > 1 and len(across) == 1:
        figure.supxlabel(across.pop(), fontsize=10)
        for axes in panels:
            axes.set_xlabel("")
    if len(panels) > 1 and len(up) == 1:
        figure.supylabel(up.pop(), fontsize=10)
        for axes in panels:
            axes.set_ylabel("")


def _legend(figure: Figure, panels: Sequence[Axes]) -> None:
    handles, labels = panels[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles[::-1], labels[::-1], loc="outside right upper", frameon=False, fontsize=9)
