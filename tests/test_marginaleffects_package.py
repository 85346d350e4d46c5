"""Fits in the Python package marginaleffects, where it is installed: its numbers are those of our own verbs."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import ModelError

MODELS = {
    "lm": ("y ~ x * f + z", "gaussian", "laplace"),
    "poisson": ("k ~ x + z + f", "poisson", "laplace"),
    "lmer": ("y ~ x + f + (1 | g)", "gaussian", "reml"),
    "glmer": ("c ~ x * z + (1 | g)", "bernoulli", "laplace"),
}


def fitted(name: str) -> Any:
    rng, n = np.random.default_rng(1), 200
    g = rng.integers(0, 10, n)
    data = pd.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n), "f": rng.choice(list("abc"), n)})
    data["g"] = [f"g{number}" for number in g]
    data["y"] = data["x"] * (data["f"] == "b") + 0.5 * rng.normal(size=10)[g] + rng.normal(size=n)
    data["k"] = rng.poisson(np.exp(0.3 * data["x"]))
    data["c"] = rng.binomial(1, 1 / (1 + np.exp(-data["x"] - rng.normal(size=10)[g])))
    formula, family, method = MODELS[name]
    return bayesml.fit(formula, data, family=family, method=method)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of that package about polars
@pytest.mark.parametrize("name", MODELS)
def test_numbers_equal_those_of_our_verbs(name: str) -> None:
    """Estimates to the error of difference quotients with a step of 1e-4 of the range, twice that order for errors."""
    marginaleffects = pytest.importorskip("marginaleffects")
    fit = fitted(name)
    own = fit.to_marginaleffects()
    pairs = [
        (marginaleffects.avg_slopes(own, variables="x"), fit.avg_slopes("x", groups="population")),
        (
            marginaleffects.avg_comparisons(own, variables={"x": [0, 1]}),
            fit.avg_comparisons({"x": [0, 1]}, groups="population"),
        ),
        (marginaleffects.avg_predictions(own), fit.avg_predictions(groups="population")),
    ]
    if "f" in MODELS[name][0]:
        pairs.append(
            (marginaleffects.avg_comparisons(own, variables="f"), fit.avg_comparisons("f", groups="population"))
        )
    for theirs, ours in pairs:
        table = ours.to_pandas()
        np.testing.assert_allclose(theirs["estimate"].to_numpy(), table["estimate"], rtol=1e-5)
        np.testing.assert_allclose(theirs["std_error"].to_numpy(), table["std_error"], rtol=1e-3)


def test_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = fitted("lm")
    monkeypatch.setitem(sys.modules, "marginaleffects.classes", None)
    with pytest.raises(ModelError, match="pip install marginaleffects"):
        fit.to_marginaleffects()
    data = bayesml.load_dataset("sleepstudy")
    several = bayesml.fit(bayesml.bf("Reaction ~ Days", sigma="~ Days"), data, method="laplace")
    with pytest.raises(ModelError, match="one linear predictor"):
        several.to_marginaleffects()
