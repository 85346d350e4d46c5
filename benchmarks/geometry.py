"""Posteriors whose shape is difficult: nested and crossed factors, sds near 0, four studies, smooths, shared effects.

``python benchmarks/geometry.py [CASE ...] [--seeds N] [--meta N]`` fits each case with the default options, one seed
after the other, and prints the worst of each measure. ``--meta`` is the number of meta-analyses of each kind (500).
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _data import Columns, labels
from _tables import table

FACTS = Path(__file__).resolve().parents[1] / "tests" / "facts"


@dataclass(frozen=True)
class Case:
    """One model with its data, or with many data sets: ``data`` takes their number.

    The formula is that of ``mu``, or those of mu and sigma.
    """

    formula: str | tuple[str, str]
    family: str
    data: Callable[[int], Columns]
    is_meta: bool = False


def _csv(name: str, *factors: str) -> Columns:
    import pandas as pd

    frame = pd.read_csv(FACTS / name, dtype=dict.fromkeys(factors, str))
    return {str(column): frame[column].to_numpy() for column in frame.columns}


def nested(family: str, sizes: tuple[int, ...], rows: int, sds: tuple[float, ...], seed: int = 1) -> Columns:
    """Return factors a, b, c, each nested in the one before, and a response with their effects."""
    rng = np.random.default_rng(seed)
    levels = np.cumprod(sizes)
    n = int(levels[-1]) * rows
    codes = [np.arange(n) * int(count) // n for count in levels]
    x, names = rng.normal(size=n), "abc"
    eta = 0.3 + 0.5 * x + sum(sd * rng.normal(size=code.max() + 1)[code] for sd, code in zip(sds, codes, strict=True))
    columns = {name: labels(name, code) for name, code in zip(names, codes, strict=False)}
    return {"x": x, **columns, **_response(family, eta, rng)}


def crossed(family: str, sds: tuple[float, float], sizes: tuple[int, int] = (30, 20), seed: int = 3) -> Columns:
    """Return two crossed factors with one row for each pair of levels."""
    rng = np.random.default_rng(seed)
    a, b = np.repeat(np.arange(sizes[0]), sizes[1]), np.tile(np.arange(sizes[1]), sizes[0])
    x = rng.normal(size=a.size)
    eta = 0.3 + 0.4 * x + sds[0] * rng.normal(size=sizes[0])[a] + sds[1] * rng.normal(size=sizes[1])[b]
    return {"x": x, "a": labels("a", a), "b": labels("b", b), **_response(family, eta, rng)}


def _response(family: str, eta: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    if family == "poisson":
        return {"y": rng.poisson(np.exp(eta))}
    trials = np.ones(eta.size, int) if family == "bernoulli" else rng.integers(2, 12, eta.size)
    y = rng.binomial(trials, 1 / (1 + np.exp(-eta)))
    return {"y": y} if family == "bernoulli" else {"y": y, "n": trials}


def _curve(rows: int, groups: int = 0, levels: int = 0, wave: float = 1.0, seed: int = 1) -> Columns:
    """Return counts with a wave in x, effects of groups g, and a wave of its own for each level of f."""
    rng = np.random.default_rng(seed)
    x, number = rng.uniform(size=rows), np.arange(rows)
    columns, eta = {"x": x}, 1.0 + wave * np.sin(6 * x) + (1.0 - wave) * 0.5 * x
    if groups:
        columns["g"] = labels("g", number % groups)
        eta = eta + 0.5 * rng.normal(size=groups)[number % groups]
    if levels:
        columns["f"] = labels("f", number % levels)
        eta = 1.0 + np.sin(6 * x + number % levels)
    return {**columns, "y": rng.poisson(np.exp(eta))}


def _motorcycle(seed: int) -> Columns:
    found = json.loads((FACTS / "smooths.json").read_text())["data"]["mcycle"]
    return {name: np.asarray(column) for name, column in found.items()}


def _shared(groups: int, seed: int = 3) -> Columns:
    """Return a response of which the mean and the logarithm of the sd have correlated effects of g."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), 15)
    x = rng.normal(size=g.size)
    effects = rng.multivariate_normal([0.0, 0.0], [[1.0, 0.7], [0.7, 1.0]], groups) * [1.0, 0.5]
    y = 1.0 + x + effects[g, 0] + np.exp(-0.3 + effects[g, 1]) * rng.normal(size=g.size)
    return {"x": x, "g": labels("g", g), "y": y}


def _effects_with_errors(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    s = rng.uniform(0.1, 0.6, 4)
    y = 0.3 + rng.choice([0.0, 0.1, 0.5]) * rng.normal(size=4) + s * rng.normal(size=4)
    return {"y": y, "s": s, "study": labels("s", np.arange(4))}


def _events(seed: int) -> Columns:
    rng = np.random.default_rng(seed)
    n = rng.integers(10, 80, 4)
    logit = -1.0 + rng.choice([0.0, 0.2, 0.8]) * rng.normal(size=4)
    return {"y": rng.binomial(n, 1 / (1 + np.exp(-logit))), "n": n, "study": labels("s", np.arange(4))}


THREE, TWO = "y ~ x + (1 | a) + (1 | b) + (1 | c)", "y ~ x + (1 | a) + (1 | b)"
BOTH = ("y ~ x + (1 | p | g)", "~ (1 | p | g)")
CASES = {
    "grouseticks": Case(
        "TICKS ~ YEAR + HEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)",
        "poisson",
        lambda seed: _csv("grouseticks.csv", "BROOD", "INDEX", "LOCATION", "YEAR"),
    ),
    "assay": Case(
        "logDens ~ sample * dilut + (1 | Block) + (1 | Block:sample) + (1 | Block:dilut)",
        "gaussian",
        lambda seed: _csv("assay.csv", "Block", "sample", "dilut"),
    ),
    "nested bernoulli": Case(THREE, "bernoulli", lambda seed: nested("bernoulli", (8, 4, 4), 4, (0.7, 0.5, 0.6))),
    "nested binomial": Case(
        "y | trials(n) ~ x + (1 | a) + (1 | b) + (1 | c)",
        "binomial",
        lambda seed: nested("binomial", (12, 5, 6), 1, (0.8, 0.5, 0.0)),
    ),
    "nested poisson": Case(THREE, "poisson", lambda seed: nested("poisson", (12, 5, 6), 1, (0.8, 0.5, 0.4))),
    "crossed poisson, sd 0": Case(TWO, "poisson", lambda seed: crossed("poisson", (0.6, 0.0))),
    "crossed bernoulli, sd 0": Case(TWO, "bernoulli", lambda seed: crossed("bernoulli", (0.6, 0.0))),
    "4 studies, se": Case("y | se(s) ~ 1 + (1 | study)", "gaussian", _effects_with_errors, True),
    "4 studies, events": Case("y | trials(n) ~ 1 + (1 | study)", "binomial", _events, True),
    "smooth and groups": Case("y ~ s(x) + (1 | g)", "poisson", lambda seed: _curve(300, groups=20)),
    "straight smooth": Case("y ~ s(x)", "poisson", lambda seed: _curve(200, wave=0.0)),
    "smooths of levels": Case("y ~ f + s(x, by = f)", "poisson", lambda seed: _curve(400, levels=4)),
    "smooths of mu and sigma": Case(("accel ~ s(times)", "~ s(times)"), "gaussian", _motorcycle),
    "shared, 20 groups": Case(BOTH, "gaussian", lambda seed: _shared(20)),
    "shared, 60 groups": Case(BOTH, "gaussian", lambda seed: _shared(60)),
    "shared, 200 groups": Case(BOTH, "gaussian", lambda seed: _shared(200)),
}
HEAD = ("case", "form", "fits", "leapfrogs a draw", "min bulk ESS", "min tail ESS", "Rhat", "divergent draws")


def measured(name: str, case: Case, seeds: range) -> tuple[str, ...]:
    """Fit a case for every seed and return a line of the table."""
    import bayesml

    runs: list[Any] = []
    formula = case.formula if isinstance(case.formula, str) else bayesml.bf(case.formula[0], sigma=case.formula[1])
    for seed in seeds:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", bayesml.FitWarning)
            fit = bayesml.fit(formula, dict(case.data(seed)), case.family, seed=seed, progress=False)
        runs.append((fit.plan.split(" ")[0], fit.diagnostics))
    numbers = [run for _, run in runs]
    return (
        name,
        runs[0][0],
        str(len(runs)),
        f"{np.mean([run.leapfrog_steps for run in numbers]) / 4000:.1f}",
        f"{min(run.min_bulk_ess.value for run in numbers):,.0f}",
        f"{min(run.min_tail_ess.value for run in numbers):,.0f}",
        f"{max(run.max_rhat.value for run in numbers):.3f}",
        str(sum(run.divergences for run in numbers)),
    )


def main() -> None:
    """Fit the cases asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)} (all)")
    parser.add_argument("--seeds", type=int, default=2, help="fits of each case (2)")
    parser.add_argument("--meta", type=int, default=500, help="meta-analyses of each kind (500)")
    options = parser.parse_args()
    lines = []
    for name in options.cases or CASES:
        case = CASES[name]
        lines.append(measured(name, case, range(1, 1 + (options.meta if case.is_meta else options.seeds))))
        print(" | ".join(lines[-1]), flush=True)
    print("\n" + table(HEAD, lines))


if __name__ == "__main__":
    main()
