"""Cells run in a kernel of their own, as a user's notebook would run them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]


class ThisPython(KernelSpecManager):
    """Knows one kernel, this interpreter, whatever is installed for the user."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


def run_cells(cells: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> list[list[Any]]:
    """Run cells in a clean kernel that works in ``folder``; return the outputs of each."""
    path = folder / "cells.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells]), path)
    clean = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    clean["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [clean.get("PYTHONPATH")])])
    # A process of its own: nbclient leaves sockets open, which pytest takes for an error.
    command = [sys.executable, "-m", "tests.notebook", str(path)]
    done = subprocess.run(command, env=clean | dict(environment or {}), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return [cell.outputs for cell in nbformat.read(path, 4).cells]


def run_file(path: Path) -> None:
    """Run a notebook; its outputs are written into it."""
    notebook = nbformat.read(path, 4)
    manager = AsyncKernelManager(kernel_spec_manager=ThisPython())
    where = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, km=manager, timeout=600, resources=where, shutdown_kernel="immediate").execute()
    nbformat.write(notebook, path)


def pictures(outputs: Sequence[Any]) -> list[str]:
    """Return the PNG images among the outputs of a cell, base64."""
    return [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]


def stream(outputs: Sequence[Any], name: str = "stderr") -> str:
    """Return what a cell has written."""
    return "".join(output.text for output in outputs if output.output_type == "stream" and output.name == name)


if __name__ == "__main__":
    run_file(Path(sys.argv[1]))
