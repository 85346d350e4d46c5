"""A matplotlib backend whose windows are entries of a list: ``matplotlib.use("module://tests.windows")``."""

from __future__ import annotations

from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

shown: list[int] = []


class FigureManager(FigureManagerBase):
    """A window; once it is closed it cannot be shown."""

    is_closed = False

    def show(self) -> None:
        assert not self.is_closed
        shown.append(self.num)

    def destroy(self) -> None:
        self.is_closed = True


class FigureCanvas(FigureCanvasAgg):
    """The picture in a window."""

    manager_class = FigureManager
