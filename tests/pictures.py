"""What pictures show, for tests: ink, labels, panels."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = ["assert_shows", "panels", "pixels"]

BACKGROUND = 0.97


def panels(figure: Figure) -> list[Axes]:
    """Return the axes that are not switched off; the bars of colours are none."""
    return [axes for axes in figure.axes if axes.axison and axes.get_label() != "<colorbar>"]


def pixels(figure: Figure) -> np.ndarray:
    """Return the picture as it is drawn, ``(height, width, 3)``, between 0 and 1."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3] / 255.0


def assert_shows(figure: Figure, count: int) -> None:
    """Check the number of panels, that each has ink and a label, and that no text leaves the picture."""
    picture = pixels(figure)
    shown = panels(figure)
    assert len(shown) == count
    height = picture.shape[0]
    for axes in shown:
        box = axes.get_window_extent()
        part = picture[height - int(box.y1) : height - int(box.y0), int(box.x0) : int(box.x1)]
        ink = float(np.mean(part.min(axis=-1) < BACKGROUND))
        assert ink > 0.002, f"the panel {axes.get_title(loc='left')!r} is empty"
    labelled = {round(axes.get_position().x0, 2) for axes in shown if _label(axes)}
    assert figure.get_supxlabel() or labelled == {round(axes.get_position().x0, 2) for axes in shown}
    assert_inside(figure, picture)


def _label(axes: Axes) -> str:
    """Return what says what stands along a panel: a label of its column serves all above it."""
    return axes.get_xlabel() or axes.get_title() or axes.get_title(loc="left") or axes.get_ylabel()


def assert_inside(figure: Figure, picture: np.ndarray) -> None:
    """Check that the texts that can be seen lie within the picture, but for two pixels."""
    height, width = picture.shape[:2]
    for text in _texts(figure):
        box = text.get_window_extent()
        assert box.x0 >= -2 and box.y0 >= -2 and box.x1 <= width + 2 and box.y1 <= height + 2, text.get_text()


def _texts(figure: Figure) -> list[Any]:
    legends = [*figure.legends, *(axes.get_legend() for axes in panels(figure) if axes.get_legend() is not None)]
    found = [text for legend in legends for text in legend.get_texts()]
    for axes in panels(figure):
        found += [axes.xaxis.label, axes.yaxis.label, axes.title, *axes.texts]
    return [text for text in found if text.get_text() and text.get_visible()]
