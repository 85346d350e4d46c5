"""What every test file may use: the reference folder beside the checkout, and seeded random numbers."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.slow_cases import slow_cases

# Pictures are drawn without a screen.
os.environ.setdefault("MPLBACKEND", "Agg")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared_path(*parts: str) -> Path:
    """Return the path of a file of the reference folder; skip the test where there is none.

    >>> shared_path("reference", "reference_fits.json")
    """
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"needs the reference file {'/'.join(parts)}")
    return path


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the cases of ``tests/slow_cases.txt`` slow, before those tests are left out."""
    for item in items:
        if item.nodeid in slow_cases():
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator whose seed is the name of the test: the same in every run, another in every test."""
    return np.random.default_rng(zlib.crc32(request.node.name.encode()))
