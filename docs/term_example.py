"""One section of the gallery of terms, and the data of all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import bayesml

__all__ = ["TermExample", "data", "matrices"]

ROWS, GROUPS = 160, 16


@dataclass(frozen=True)
class TermExample:
    """One section of the gallery.

    Attributes:
        title: its heading.
        meaning: what the term computes.
        formula: the model, the text of a main formula, or Python code that makes one.
        base: the formula of the model without the term; the parameters that are not in it are shown.
        kind: module of the kind of term in ``bayesml.terms``; empty for response terms.
        calls: the calls and response terms that it shows.
        family: the name of the family, or of a function below that makes one.
        matrices: names of the matrices of ``data2``.
        method: how the code of the section fits the model.
        picture: what the picture shows; empty where there is none.
    """

    title: str
    meaning: str
    formula: str
    base: str = "y ~ 1"
    kind: str = ""
    calls: tuple[str, ...] = ()
    family: str = "gaussian"
    matrices: tuple[str, ...] = ()
    method: str = ""
    picture: str = ""

    @property
    def name(self) -> str:
        """The name of its picture."""
        return "".join(letter if letter.isalnum() else "_" for letter in self.title).strip("_").lower()

    @property
    def model(self) -> Any:
        """The formula, as `bayesml.fit` takes it."""
        return evaluated(self.formula)

    @property
    def of_family(self) -> Any:
        """The family, as `bayesml.fit` takes it."""
        return scaled_normal() if self.family == "scaled_normal" else self.family

    @property
    def of_base(self) -> Any:
        """The formula without the term, as `bayesml.fit` takes it."""
        return evaluated(self.base)


def evaluated(formula: str) -> Any:
    """Return what the Python code of a formula makes; text without code is the formula."""
    return eval(formula, {"bayesml": bayesml}) if "bayesml." in formula else formula


def scaled_normal() -> Any:
    """Return a family of a user, as in the page on these."""

    def log_prob(y, mu, sigma, whole, scale):
        from jax import numpy as jnp

        return -0.5 * ((y - mu) / (sigma * scale)) ** 2 - jnp.log(sigma * scale)

    return bayesml.custom_family("scaled_normal", log_prob, dpars=("mu", "sigma"), links=("identity", "log"))


def data() -> pd.DataFrame:
    """Return the columns that the examples use."""
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(GROUPS), ROWS // GROUPS)
    x, z = rng.uniform(-2, 2, (2, ROWS))
    y = 1 + np.sin(2 * x) + 0.6 * rng.normal(size=GROUPS)[g] + (0.5 + 0.3 * rng.normal(size=GROUPS)[g]) * z
    y = y + 0.4 * rng.normal(size=ROWS)
    count = rng.poisson(np.exp(0.5 + 0.3 * z))
    missing = np.where(rng.random(ROWS) < 0.1, np.nan, x)
    return pd.DataFrame(
        {
            "y": y,
            "y2": 0.5 * y + rng.normal(size=ROWS),
            "x": x,
            "z": z,
            "f": np.tile(["a", "b"], ROWS // 2),
            "g": [f"g{number:02d}" for number in g],
            "half": np.where(g < GROUPS // 2, "early", "late"),
            "g2": [f"g{number:02d}" for number in rng.integers(0, GROUPS, ROWS)],
            "w1": rng.uniform(0.2, 0.8, ROWS),
            "w2": rng.uniform(0.2, 0.8, ROWS),
            "time": np.tile(np.arange(ROWS // GROUPS), GROUPS),
            "grade": rng.integers(0, 5, ROWS),
            "se": rng.uniform(0.1, 0.4, ROWS),
            "gap": missing,
            "count": count,
            "n": count + rng.poisson(3.0, ROWS),
            "exposure": rng.uniform(1.0, 5.0, ROWS),
            "duration": rng.gamma(2.0, 1.0, ROWS) + 0.2,
            "censored": np.where(rng.random(ROWS) < 0.2, "right", "none"),
            "rating": rng.integers(1, 5, ROWS),
            "item": np.tile(["i1", "i2"], ROWS // 2),
            "step": np.tile(np.arange(ROWS // GROUPS) // 2, GROUPS),
            "decision": rng.integers(0, 2, ROWS),
            "seen": rng.random(ROWS) < 0.8,
            "id": np.arange(ROWS),
            "dose": rng.uniform(0.0, 4.0, ROWS),
        }
    )


def matrices() -> dict[str, pd.DataFrame]:
    """Return the matrices that the examples use: relatives A, neighbours W, and V and M of the rows."""
    levels = [f"g{number:02d}" for number in range(GROUPS)]
    clade = np.arange(GROUPS) // 4
    ring = np.abs(np.subtract.outer(np.arange(GROUPS), np.arange(GROUPS)))
    row = np.arange(ROWS)
    return {
        "A": pd.DataFrame(0.5 * np.equal.outer(clade, clade) + 0.5 * np.eye(GROUPS), index=levels, columns=levels),
        "W": pd.DataFrame(((ring == 1) | (ring == GROUPS - 1)).astype(float), index=levels, columns=levels),
        "V": pd.DataFrame(0.5 ** np.abs(np.subtract.outer(row, row))),
        "M": pd.DataFrame((beside := np.abs(np.subtract.outer(row, row)) == 1) / beside.sum(1, keepdims=True)),
    }
