"""The gallery of terms: one section for each kind of term, special call and response term of the registries."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import bayesml

sys.path.insert(0, str(Path(__file__).parent))
from term_example import TermExample, data, matrices  # noqa: E402
from term_examples import EXAMPLES  # noqa: E402
from term_pictures import PICTURES, save_picture  # noqa: E402

__all__ = ["brought", "code", "sections", "write_gallery"]

KEY = ["class", "coef", "group", "resp", "dpar", "nlpar"]


def write_gallery(folder: Path) -> str:
    """Draw all pictures below a folder and return the page; it names them from the folder above."""
    pictures = folder / "terms"
    pictures.mkdir(parents=True, exist_ok=True)
    return "\n".join(sections(pictures))


def sections(pictures: Path) -> Iterator[str]:
    """Yield the text of each section; pictures are drawn into a folder."""
    for title, examples in EXAMPLES.items():
        yield f"## {title}\n"
        for example in examples:
            path = pictures / f"{example.name}.png"
            if example.picture:
                save_picture(PICTURES[example.name], path)
            yield section(example, f"{pictures.parent.name}/{pictures.name}/{path.name}")


def section(example: TermExample, picture: str) -> str:
    """Return the section of one term: its meaning, its parameters, a picture and a model."""
    lines = [f"### {_title(example.title)}", "", example.meaning, "", *_table(example), ""]
    if example.picture:
        lines += [f"```{{image}} {picture}", f":alt: {example.picture}", ":width: 480px", "```", ""]
        lines += [f"{example.picture}.", ""]
    lines += ["```python", *code(example), "```", ""]
    return "\n".join(lines)


def _title(title: str) -> str:
    """Return a heading whose formula, behind the colon or alone, is set as code."""
    *words, formula = title.split(": ")
    return ": ".join([*words, f"`{formula}`"])


def brought(example: TermExample) -> list[tuple[str, str]]:
    """Return name and default prior of each parameter that the model has and that without the term has not."""
    data2 = {name: matrices()[name] for name in example.matrices} or None
    rows = bayesml.default_prior(example.model, data(), family=example.of_family, data2=data2)
    before = bayesml.default_prior(example.of_base, data(), family=example.of_family)
    known = set(before[KEY].itertuples(index=False, name=None))
    found = []
    for row in rows.to_dict("records"):
        if row["prior"] and tuple(row[name] for name in KEY) not in known:
            found.append((_parameter(row), str(row["prior"])))
    return found


def _parameter(row: dict[str, str]) -> str:
    given = [f'class_="{row["class"]}"', *(f'{name}="{row[name]}"' for name in KEY[1:] if row[name])]
    return ", ".join(given)


def _table(example: TermExample) -> list[str]:
    rows = brought(example)
    if not rows:
        return ["It brings no parameter with a default prior of its own."]
    body = [f"| `{parameter}` | `{prior}` |" for parameter, prior in rows]
    return ["| Parameters, as `bayesml.prior` takes them | Default prior here |", "|---|---|", *body]


def code(example: TermExample) -> list[str]:
    """Return the lines of a model with the term."""
    family = example.family if example.family == "scaled_normal" else f'"{example.family}"'
    given = [] if example.family == "gaussian" else [f"family={family}"]
    if example.matrices:
        given.append("data2={" + ", ".join(f'"{name}": {name}' for name in example.matrices) + "}")
    given.append(f'method="{example.method}"' if example.method else "seed=1")
    formula = example.formula if "bayesml." in example.formula else f'"{example.formula}"'
    return [f"formula = {formula}", f"fit = bayesml.fit(formula, data, {', '.join(given)})", "print(fit)"]
