"""Print the lowest version of each dependency that ``pyproject.toml`` admits, for ``pip install --constraint``.

The tests that are marked ``smoke`` run with these too: a lower bound that nobody has tried is a guess.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def lower_bounds() -> dict[str, str]:
    """Return the version behind ``>=`` of each dependency that this Python has."""
    requirements = map(Requirement, tomllib.loads(PROJECT.read_text())["project"]["dependencies"])
    return {
        requirement.name: next(bound.version for bound in requirement.specifier if bound.operator == ">=")
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate()
    }


if __name__ == "__main__":
    print("\n".join(f"{name}=={version}" for name, version in lower_bounds().items()))
