"""Pictures outside notebooks: in scripts that write files, and with windows."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from matplotlib import pyplot as plt

from bayesml.results.plots.picture import Picture
from bayesml.results.plots.style import new_figure
from tests import windows
from tests.handmade import handmade_fit, sleep


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    before = plt.get_backend()
    plt.switch_backend(request.param)
    yield request.param
    plt.close("all")
    windows.shown.clear()
    plt.switch_backend(before)


def plots() -> Iterator[Picture]:
    fit = handmade_fit("Reaction ~ Days", sleep())
    yield fit.forest("sigma")
    while True:
        figure = new_figure(2, 2)
        figure.subplots().plot([1, 2])
        yield figure


@pytest.mark.parametrize("backend", ["agg", "svg"], indirect=True)
def test_without_windows_pyplot_holds_the_last_picture(backend: str, tmp_path: Path) -> None:
    own, drawn = plt.figure(), plots()
    first = next(drawn)
    assert plt.gcf() is first
    for _ in range(21):  # pyplot warns of more than 20 figures
        last = next(drawn)
    assert plt.gcf() is last
    assert plt.get_fignums() == [own.number, last.number]
    plt.savefig(tmp_path / "by_pyplot.png", format="png")
    first.savefig(tmp_path / "first.png", format="png")
    assert {path.stat().st_size > 0 for path in tmp_path.iterdir()} == {True}


@pytest.mark.filterwarnings("ignore:.*is non-interactive:UserWarning")
@pytest.mark.parametrize("backend", ["agg"], indirect=True)
def test_show_does_nothing_where_nothing_can_be_shown(backend: str) -> None:
    figure = next(plots())
    figure.show()
    plt.close(figure)
    figure.show()


@pytest.mark.parametrize("backend", ["module://tests.windows"], indirect=True)
def test_windows(backend: str) -> None:
    drawn = plots()
    figures = [next(drawn) for _ in range(3)]
    assert plt.get_fignums() == [figure.number for figure in figures]
    assert windows.shown == []
    figures[1].show()
    assert windows.shown == [figures[1].number]
    plt.close(figures[1])
    figures[1].show()
    assert windows.shown == [figures[1].number] * 2


@pytest.mark.parametrize("backend", ["agg"], indirect=True)
def test_pictures_can_be_copied(backend: str) -> None:
    figure = next(plots())
    for other in (pickle.loads(pickle.dumps(figure)), copy.deepcopy(figure)):
        assert isinstance(other, Picture) and len(other.axes) == len(figure.axes)
