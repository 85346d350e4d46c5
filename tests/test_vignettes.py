"""The pages on kinds of models: their code is Python, they are listed, and they run as they are printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebook import ROOT, run_cells
from tests.test_tutorial import cells_of, check

PAGES = (
    "comparing_models.md",
    "distributional.md",
    "nonlinear.md",
    "multivariate.md",
    "monotonic.md",
    "missing_values.md",
    "phylogenetic.md",
    "multi_membership.md",
    "gamm_spatial.md",
)


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_listed_and_their_cells_are_python(page: str) -> None:
    assert f"\n{page.removesuffix('.md')}\n" in (ROOT / "docs" / "index.md").read_text()
    cells = cells_of(page)
    assert len(cells) >= 4
    assert len(cells) == (ROOT / "docs" / page).read_text().count("```{code-cell}")
    for cell in cells:
        compile(cell.code, page, "exec")
    assert not [line for cell in cells for line in cell.code.splitlines() if len(line) > 120]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_pages_run_in_a_clean_kernel(page: str, tmp_path: Path) -> None:
    cells = cells_of(page)
    for cell, ran in zip(cells, run_cells([cell.code for cell in cells], tmp_path), strict=True):
        check(cell, ran)
