"""In a notebook: every plot is a picture, shown once, in a kernel where nobody has set up matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.notebook import pictures, run_cells, stream

MAKE = """
import sys
from tests.handmade import handmade_fit, sleep
import bayesml
fit = handmade_fit("Reaction ~ Days + (Days | Subject)", sleep())
point = bayesml.fit("Reaction ~ Days + (Days | Subject)", bayesml.load_dataset("sleepstudy"), method="reml")
"matplotlib" in sys.modules
"""
PLOTS = (
    "fit.plot()",
    "fit.pairs()",
    "fit.forest()",
    "fit.ranef_plot()",
    *(f'fit.pp_check(kind="{kind}", seed=1)' for kind in ("dens_overlay", "hist", "ecdf_overlay", "stat", "intervals")),
    'handmade_fit("k ~ Days", {"k": [0, 1, 2, 3] * 5, "Days": range(20)}, "poisson").pp_check(kind="bars", seed=1)',
    "fit.conditional_effects().plot(points=True)",
    "point.ranef_plot()",
    "point.check_model()",
    "point.conditional_effects().plot()",
)
OTHER_WAYS = {
    "fit.plot().show()": 1,
    "figure = fit.plot(); figure.show()": 1,
    "fit.plot();": 1,
    "figure = fit.plot()\nfigure": 1,
    "figure": 1,
    "figure.show()": 1,
    "fit.plot()\nfit.forest()": 2,
    "from matplotlib import pyplot as plt\nfit.plot()\nplt.show()": 1,
    "_, axes = plt.subplots()\nfit.conditional_effects().plot(ax=axes)": 1,
    "_, (left, right) = plt.subplots(1, 2)\npoint.conditional_effects().plot(ax=left)\n"
    "point.conditional_effects().plot(ax=right)": 1,
    "print(plt.get_fignums())": 0,
    "for _ in range(21):\n    fit.forest('sigma')\nplt.close('all')": 0,
}


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    cells = [MAKE, *PLOTS, *OTHER_WAYS]
    return dict(zip(cells, run_cells(cells, tmp_path_factory.mktemp("notebook")), strict=True))


def test_a_fit_leaves_matplotlib_alone(notebook: dict[str, list[Any]]) -> None:
    assert notebook[MAKE][-1].data["text/plain"] == "False"


@pytest.mark.parametrize("cell", PLOTS)
def test_every_plot_is_a_picture_once(notebook: dict[str, list[Any]], cell: str) -> None:
    assert len(pictures(notebook[cell])) == 1
    assert stream(notebook[cell]) == ""


@pytest.mark.parametrize("cell", OTHER_WAYS)
def test_other_ways_to_show_a_picture(notebook: dict[str, list[Any]], cell: str) -> None:
    assert len(pictures(notebook[cell])) == OTHER_WAYS[cell]
    assert stream(notebook[cell]) == ""
    assert stream(notebook[cell], "stdout") in ("", "[]\n")


@pytest.mark.slow
def test_formats_and_backends_that_the_user_has_chosen(tmp_path: Path) -> None:
    cells = {
        MAKE: 0,
        "fit.forest()": 1,
        "figure = fit.plot()": 0,
        "figure.show()": 1,
        "for _ in range(21):\n    fit.forest('sigma').savefig('forest.png')": 0,
        "from matplotlib import pyplot as plt\nprint(len(plt.get_fignums()))\nplt.close('all')": 0,
        "%matplotlib inline\nfit.forest()": 1,
        "%config InlineBackend.figure_formats = ['svg']\nfit.forest()": 0,
    }
    ran = run_cells(list(cells), tmp_path, {"MPLBACKEND": "agg"})
    assert [len(pictures(outputs)) for outputs in ran] == list(cells.values())
    assert "".join(map(stream, ran)) == ""
    assert stream(ran[-3], "stdout") == "1\n"
    assert ["image/svg+xml" in output.data for output in ran[-1]] == [True]
    assert (tmp_path / "forest.png").stat().st_size > 0
