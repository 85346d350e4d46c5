"""Figures that are shown once, in a notebook, in a window, or where nothing can be shown.

Each is a figure of pyplot: ``plt.show()``, ``plt.savefig(...)`` and the end of a notebook's cell treat it as any other
figure. Two things are different: a picture that is the value of a cell is shown once, not again at the end of
the cell; and without windows, a new picture replaces the last one in pyplot, so that pyplot does not collect them.
"""

from __future__ import annotations

from base64 import b64encode
from functools import partial
from io import BytesIO
from typing import Any, final

import matplotlib
from matplotlib import pyplot as plt
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from bayesml.notebook import in_notebook, ipython_shell

__all__ = ["Picture", "new_picture", "shown_once"]

MIMETYPE = "image/png"


@final
class Picture(Figure):
    """A matplotlib figure that a notebook shows, with whatever backend, and whose ``show()`` always works."""

    cell: int | None = None
    """Number of the notebook's cell that made it."""

    def show(self, warn: bool = True) -> None:
        """Show the picture in the notebook, or in its window; where there is neither, do as pyplot does.

        Args:
            warn: whether to warn where the backend has no windows.
        """
        if _has_window(self):
            if not plt.fignum_exists(_number(self)):  # closed: it gets another window
                type(self.canvas).new_manager(self, _number(self))
            if not _is_shown_here(self):
                Figure.show(self, warn)
        elif _notebook_formatters():
            self._ipython_display_()
        else:
            Figure.show(self, warn)

    def _ipython_display_(self) -> None:
        if _has_window(self) and plt.isinteractive():
            self.show()
        else:
            _publish(self)


def new_picture(width: float, height: float) -> Picture:
    """Return an empty picture of that size in inches; where there are no windows, it replaces the one before it."""
    shell = ipython_shell()
    if shell is not None:  # with some backends IPython has a way of its own for all figures, which comes before methods
        shell.display_formatter.ipython_display_formatter.for_type(Picture, Picture._ipython_display_)
    layout = ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.07)
    if "inline" in matplotlib.get_backend():
        return _for_this_cell(width, height, layout)
    figure = plt.figure(figsize=(width, height), layout=layout, FigureClass=Picture)
    if not _has_window(figure):
        _forget_others(figure)
    elif plt.isinteractive():
        figure.cell = _current_cell()
    return figure


def _for_this_cell(width: float, height: float, layout: ConstrainedLayoutEngine) -> Picture:
    """Return a picture that is shown and closed at the end of the cell: many of them are no reason to warn."""
    most = matplotlib.rcParams["figure.max_open_warning"]
    matplotlib.rcParams["figure.max_open_warning"] = 0
    try:
        return plt.figure(figsize=(width, height), layout=layout, FigureClass=Picture)
    finally:
        matplotlib.rcParams["figure.max_open_warning"] = most


def _forget_others(figure: Picture) -> None:
    own = _number(figure)
    for number in plt.get_fignums():
        if number != own and isinstance(plt.figure(number), Picture):
            plt.close(number)
    plt.figure(own)


def shown_once(figure: Any) -> Figure:
    """Return the caller's own figure; as the value of a cell it is not shown a second time."""
    if not isinstance(figure, Picture):
        figure._ipython_display_ = partial(_display_of_caller, figure)
    return figure


def _display_of_caller(figure: Figure) -> None:
    if not (_has_window(figure) and plt.isinteractive()):
        _publish(figure)


def _publish(figure: Figure) -> None:
    """Show the figure as an output of the cell; pyplot will not show it again at the end of the cell.

    Once IPython's inline backend is active, IPython shows figures, in the formats that the user has chosen.
    """
    from IPython.display import display

    if not _has_window(figure):
        plt.close(figure)
    formatters = _notebook_formatters()
    known = {mime: formatter(figure) for mime, formatter in formatters.items() if Figure in formatter.type_printers}
    shown = {mime: made if isinstance(made, tuple) else (made, {}) for mime, made in known.items() if made is not None}
    if formatters and not shown:
        shown = {MIMETYPE: (_png(figure), {})}
    content = {"text/plain": repr(figure), **{mime: data for mime, (data, _) in shown.items()}}
    display(content, metadata={mime: about for mime, (_, about) in shown.items() if about}, raw=True)


def _png(figure: Figure) -> str:
    content = BytesIO()
    figure.savefig(content, format="png", bbox_inches="tight")
    return b64encode(content.getvalue()).decode()


def _number(figure: Figure) -> int:
    manager: Any = figure.canvas.manager
    return manager.num


def _has_window(figure: Figure) -> bool:
    """Whether the figure's backend opens windows or widgets; those that do not inherit a ``show`` that does nothing."""
    manager = figure.canvas.manager
    return manager is not None and type(manager).show is not FigureManagerBase.show


def _notebook_formatters() -> dict[str, Any]:
    """Return IPython's formatters by MIME type; none outside IPython and where it cannot show pictures."""
    shell = ipython_shell()
    if shell is None or MIMETYPE not in shell.display_formatter.active_types:
        return {}
    return shell.display_formatter.formatters


def _current_cell() -> int | None:
    return ipython_shell().execution_count if in_notebook() else None


def _is_shown_here(figure: Picture) -> bool:
    """Whether it is a widget that the cell which runs has shown already, when it was made."""
    return plt.isinteractive() and figure.cell is not None and figure.cell == _current_cell()
