"""The tutorial runs in a clean kernel as it is printed, and each of its plots is there as a picture."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import bayesml
from tests.notebook import ROOT, pictures, run_cells, stream

CELL = re.compile(r"^```\{code-cell\} ipython3\n((?::\w+:[^\n]*\n)*)(.*?)^```$", re.MULTILINE | re.DOTALL)
DRAWS_A_PICTURE = re.compile(r"\.(plot|pairs|forest|ranef_plot|pp_check|check_model|plot_prior_posterior)\(.*\)$")
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Cell:
    """A cell of a page: its tags and its code."""

    tags: str
    code: str

    @property
    def draws(self) -> bool:
        return bool(DRAWS_A_PICTURE.search(self.code.strip().splitlines()[-1]))


def cells_of(page: str) -> list[Cell]:
    return [Cell(tags, code) for tags, code in CELL.findall((ROOT / "docs" / page).read_text())]


def test_no_page_hides_a_cell() -> None:
    hidden = {path.name: re.findall(r"remove-cell|hide-cell", path.read_text()) for path in ROOT.glob("docs/*.md")}
    assert not any(hidden.values()), hidden


@pytest.mark.smoke
def test_the_tutorial_in_a_clean_kernel(tmp_path: Path) -> None:
    cells = cells_of("tutorial.md")
    assert sum(cell.draws for cell in cells) >= 6
    outputs = run_cells([cell.code for cell in cells], tmp_path)
    for cell, ran in zip(cells, outputs, strict=True):
        check(cell, ran)
    assert bayesml.load(tmp_path / "sleepstudy.nc").nobs == 180


def check(cell: Cell, outputs: list[Any]) -> None:
    found = pictures(outputs)
    assert len(found) == cell.draws, cell.code
    for picture in found:
        content = base64.b64decode(picture)
        assert content.startswith(PNG) and len(content) > 5_000, cell.code
    if "remove-stderr" not in cell.tags:
        assert stream(outputs) == "", cell.code
    assert "TqdmWarning" not in stream(outputs)
