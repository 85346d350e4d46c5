"""The gallery of families, written from the registry: one section for each family that can be named."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bayesml.engines.precision import double_precision
from bayesml.families import FAMILIES, FAMILIES_OF_FAMILIES, AbstractLikelihood, DistributionalParameter, RawResponse
from bayesml.families.drawing import draw_where_possible
from bayesml.families.example import Example

__all__ = ["draws", "examples", "formula", "section", "sections", "write_gallery"]

DRAWS, SEED = 20_000, 1
INK, FAINT = "#1f4e79", "#c9d7e6"
MOST_COUNTS = 60


def examples() -> dict[str, Example]:
    """Return the example beside each family by the name of the family."""
    makers = {**FAMILIES, **FAMILIES_OF_FAMILIES}.values()
    modules = {make.__module__: sys.modules[make.__module__] for make in makers}
    values = (value for module in modules.values() for value in vars(module).values())
    return {example.family.name: example for example in values if isinstance(example, Example)}


def sections(pictures: Path) -> Iterator[str]:
    """Yield the text of each section; its picture is drawn into a folder."""
    known = examples()
    for name in FAMILIES:
        if name in known:
            draw_picture(known[name], pictures / f"{name}.png")
            yield section(name, known[name], f"{pictures.parent.name}/{pictures.name}/{name}.png")


def write_gallery(folder: Path) -> str:
    """Draw all pictures below a folder and return the page; it names them from the folder above."""
    pictures = folder / "families"
    pictures.mkdir(parents=True, exist_ok=True)
    return "\n".join(sections(pictures))


def section(name: str, example: Example, picture: str) -> str:
    """Return the section of one family: its density, its parameters, a picture and a model."""
    likelihood = bound(example, np.array(example.y))[0]
    said = (type(example.family).__doc__ or "").strip()
    lines = [f"## {name}", "", _paragraph(said), "", *_table(likelihood), ""]
    lines += [f"```{{image}} {picture}", f":alt: responses of the family {name}", ":width: 480px", "```", ""]
    at = ", ".join(f"{key} = {_number(value)}" for key, value in example.parameters.items())
    shown = "Draws at" if likelihood.traits.has_moments else "The density at"
    lines += [f"{shown} {at}{_with(example)}.", "", "```python", *_code(name, example, likelihood), "```", ""]
    return "\n".join(lines)


def _paragraph(said: str) -> str:
    """Return the first paragraph of a docstring; single stars and bars of formulas are no markup."""
    text = " ".join(line.strip() for line in said.split("\n\n")[0].splitlines())
    return text.replace("``", "`").replace("*", r"\*").replace("|", r"\|").replace("_", r"\_")


def _table(likelihood: AbstractLikelihood) -> list[str]:
    rows = ["| Parameter | Values | Links | Default prior | of its Intercept |", "|---|---|---|---|---|"]
    for own in likelihood.dpars:
        links = ", ".join(f"`{link}`" for link in own.links)
        single = "" if own.unpredicted is None else f"{own.unpredicted:g} where it has no formula"
        rows.append(f"| `{own.name}` | {_interval(own)} | {links} | {_prior(own.prior) or single} | "
                    f"{_prior(own.intercept_prior) or 'scaled by the data'} |")  # fmt: skip
    return rows


def _prior(prior: object) -> str:
    return "" if prior is None else f"`{prior}`"


def _interval(own: DistributionalParameter) -> str:
    lower, upper = own.bounds
    if math.isinf(lower) and math.isinf(upper):
        return "all numbers"
    if math.isinf(upper):
        return f"above {lower:g}"
    return f"{lower:.4g} to {upper:.4g}"


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) else str(np.asarray(value).tolist())


def _with(example: Example) -> str:
    given = {k: v[0] for k, v in example.additions.items() if k not in example.answers}
    return "".join(f", {name} {value:g}" for name, value in given.items())


# The model -----------------------------------------------------------------------------------------------------------


def formula(example: Example, likelihood: AbstractLikelihood) -> tuple[str, dict[str, str]]:
    """Return the main formula of the model that is shown, and those of further parameters."""
    left = f"cbind({', '.join(example.columns)})" if example.columns else "y"
    added = [f"{term}({'n' if term == 'trials' else term})" for term in example.additions]
    first, *others = likelihood.dpars
    free = [own.name for own in others if own.kind != first.kind and own.unpredicted is None]
    return f"{left}{' | ' + ' + '.join(added) if added else ''} ~ x + (1 | g)", {own: "~ x" for own in free[:1]}


def _code(name: str, example: Example, likelihood: AbstractLikelihood) -> list[str]:
    main, others = formula(example, likelihood)
    given = "".join(f', {key}="{value}"' for key, value in others.items())
    return [
        "import bayesml",
        "",
        f'formula = bayesml.bf("{main}"{given})' if others else f'formula = "{main}"',
        f'fit = bayesml.fit(formula, data, family="{name}", seed=1)',
        "print(fit.summary())",
        'fit.conditional_effects("x").plot()' if likelihood.traits.has_moments else "fit.survival().plot()",
    ]


# The picture ---------------------------------------------------------------------------------------------------------


def bound(example: Example, y: np.ndarray) -> tuple[AbstractLikelihood, dict[str, np.ndarray]]:
    """Return the likelihood of an example and the arrays of a response."""
    additions = {name: np.resize(values, len(y)) for name, values in example.additions.items()}
    raw = RawResponse("y", np.asarray(y, dtype=float), additions=additions, columns=example.columns)
    likelihood = example.family.bind(replace(raw, values=np.array(example.y)))
    return likelihood, {**likelihood.encode(raw, for_fit=False).arrays, **additions}


def draw_picture(example: Example, path: Path) -> None:
    """Draw a histogram of responses, and the density as a line where there is one."""
    drawn = draws(example) if bound(example, np.array(example.y))[0].traits.has_moments else None
    figure = Figure(figsize=(5.2, 2.2), layout="constrained")
    axes = figure.add_subplot()
    if drawn is None:
        _draw_line(axes, np.linspace(min(example.y), max(example.y), 301), example)
        axes.set_ylabel("density")
    elif drawn.ndim == 2:
        _draw_columns(axes, drawn, example.columns)
    elif example.support is None:
        _draw_counts(axes, drawn)
    else:
        _draw_density(axes, drawn, example)
    axes.set_xlabel("y")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, dpi=110)


def draws(example: Example) -> np.ndarray:
    """Return responses at the parameters of an example, ``(draws,)`` or ``(draws, columns)``."""
    likelihood, data = bound(example, np.array(example.y))
    first = {name: np.asarray(value)[:1] for name, value in data.items()}
    shape = (DRAWS, 1)
    values = {k: np.broadcast_to(v, (*shape, *np.shape(v))) for k, v in example.parameters.items()}
    drawn = draw_where_possible(likelihood, np.random.default_rng(SEED), values, first, shape)
    return np.asarray(drawn, dtype=float)[:, 0]


def _draw_columns(axes: Axes, drawn: np.ndarray, columns: tuple[str, ...]) -> None:
    for column, name in zip(drawn.T, columns, strict=False):
        axes.hist(column, bins=40, density=True, histtype="step", linewidth=1.5, label=name)
    axes.legend(frameon=False, fontsize=8)
    axes.set_ylabel("density")


def _draw_counts(axes: Axes, drawn: np.ndarray) -> None:
    values, counts = np.unique(drawn, return_counts=True)
    axes.bar(values[:MOST_COUNTS], counts[:MOST_COUNTS] / len(drawn), width=0.7, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("probability")


def _draw_density(axes: Axes, drawn: np.ndarray, example: Example) -> None:
    assert example.support is not None
    low, high = np.quantile(drawn, [0.002, 0.99])
    inside = drawn[(drawn >= low) & (drawn <= high)]
    free = inside[~np.isin(inside, example.atoms)]
    edges = np.linspace(free.min(), free.max(), 61)
    weights = np.full(len(free), 1.0 / (len(drawn) * (edges[1] - edges[0])))
    axes.hist(free, bins=edges, weights=weights, color=FAINT)
    y = np.linspace(max(edges[0], example.support[0]), min(edges[-1], example.support[1]), 301)[1:-1]
    if not example.answers:
        _draw_line(axes, y, example)
    axes.set_ylabel("density")
    for atom in example.atoms:
        share = float(np.mean(drawn == atom))
        axes.axvline(atom, color=INK, linewidth=2, alpha=0.6)
        axes.annotate(f"P({atom:g}) = {share:.2f}", (atom, axes.get_ylim()[1] * 0.9), fontsize=8)


def _draw_line(axes: Axes, y: np.ndarray, example: Example) -> None:
    likelihood, data = bound(example, y)
    known = {k: np.broadcast_to(v, (1, *np.shape(v))) for k, v in example.parameters.items()}
    linked = {p.name: likelihood.link(p.name).forward(known[p.name]) for p in likelihood.dpars}
    with double_precision():
        rows = jax.jit(lambda d: likelihood.log_prob(d["y"], likelihood.values(linked, known), d))(data)
    axes.plot(y, np.exp(np.asarray(rows)), color=INK, linewidth=1.5)
