"""Sphinx configuration. `make docs` builds; `make docs EXECUTE=off` leaves the code of the tutorials unexecuted."""

from __future__ import annotations

import inspect
import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

import bayesml
from bayesml.datasets import DATASETS, DataSet
from bayesml.families import FAMILIES
from bayesml.results.record.fit import AbstractFit

sys.path.insert(0, str(Path(__file__).parent))
from calibration_table import read_results, table  # noqa: E402
from family_gallery import write_gallery  # noqa: E402
from plot_gallery import write_gallery as write_plot_gallery  # noqa: E402
from term_gallery import write_gallery as write_term_gallery  # noqa: E402

project = "bayesml"
author = "The bayesml developers"
copyright = "2026, the bayesml developers"
release = version = installed_version("bayesml")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build", "generated", "jupyter_execute"]

html_theme = "pydata_sphinx_theme"
html_title = "bayesml"
html_theme_options = {"show_prev_next": False, "navigation_with_keys": False, "secondary_sidebar_items": ["page-toc"]}
html_show_sourcelink = False

myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3

nb_execution_mode = {"on": "force", "off": "off"}[os.environ.get("BAYESML_DOCS_EXECUTE", "on")]
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_render_markdown_format = "myst"  # tables that code prints as Markdown

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

GENERATED = Path(__file__).parent / "generated"


def write_public_names() -> None:
    """Write the API reference from the one list of public names, so that it cannot lag behind."""
    groups: dict[str, list[str]] = {"Functions": [], "Classes": [], "Errors and warnings": []}
    for name in bayesml.__all__:
        value = getattr(bayesml, name)
        if inspect.isclass(value) and issubclass(value, Exception):
            groups["Errors and warnings"].append(f".. autoexception:: bayesml.{name}\n")
        elif inspect.isclass(value):
            inherited = "   :inherited-members:\n" if issubclass(value, AbstractFit) else ""
            groups["Classes"].append(f".. autoclass:: bayesml.{name}\n   :members:\n{inherited}")
        elif inspect.isroutine(value):
            groups["Functions"].append(f".. autofunction:: bayesml.{name}\n")
    groups["Families"] = [f".. autofunction:: bayesml.families.{name}\n" for name in FAMILIES]
    blocks = [f"## {title}\n\n```{{eval-rst}}\n{chr(10).join(names)}```\n" for title, names in groups.items() if names]
    write("public_names.md", "\n".join(blocks))


def write_datasets() -> None:
    """Write one section for each shipped data set."""
    write("datasets.md", "\n".join(section(DATASETS[name]) for name in sorted(DATASETS, key=str.lower)))


def section(dataset: DataSet) -> str:
    rows = [
        f"| `{column.name}` | {'factor' if column.is_factor else 'number'} | {column.meaning} |"
        for column in dataset.columns
    ]
    return "\n".join(
        [
            f"## {dataset.name}",
            f"\n{dataset.title}; {dataset.rows} rows.\n",
            "| Column | Kind | Meaning |",
            "|---|---|---|",
            *rows,
            f"\nSource: {dataset.source}\n",
            "```python",
            f'bayesml.fit("{dataset.example}", bayesml.load_dataset("{dataset.name}"), family="{dataset.family}")',
            "```",
            "",
        ]
    )


def write_families() -> None:
    """Write the gallery of families with its pictures."""
    GENERATED.mkdir(exist_ok=True)
    write("families.md", write_gallery(GENERATED))


def write_terms() -> None:
    """Write the gallery of terms with its pictures."""
    GENERATED.mkdir(exist_ok=True)
    write("terms.md", write_term_gallery(GENERATED))


def write_calibration() -> None:
    """Write the table of simulation-based calibration."""
    write("calibration.md", table(read_results()))


def write_plots() -> None:
    """Write the gallery of plots with its pictures."""
    GENERATED.mkdir(exist_ok=True)
    write("plots.md", write_plot_gallery(GENERATED))


def write(name: str, text: str) -> None:
    """Write a generated page, but only where it changed: Sphinx rebuilds by time stamps."""
    GENERATED.mkdir(exist_ok=True)
    path = GENERATED / name
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


write_public_names()
write_datasets()
write_families()
write_terms()
write_calibration()
write_plots()
