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
    """Slopes are central differences, errors come from a Jacobian by forward differences.

    With the step d = 1e-4 of the range of x, here about 6e-4, a slope errs by d^2 / 6 times a third derivative: < 1e-7.
    """
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
        np.testing.assert_allclose(theirs["estimate"].to_numpy(), table["estimate"], rtol=1e-7)
        is_slope = bool((table["contrast"] == "dY/dX").all()) if "contrast" in table else False
        error = error_of_errors(fit, step=1e-4 * np.ptp(fit.frame.columns["x"].values) if is_slope else 1.0)
        assert (np.abs(theirs["std_error"].to_numpy() - table["std_error"]) <= error).all()


def error_of_errors(fit: Any, step: float) -> float:
    """Return a bound of the error of a standard error from a Jacobian by forward differences.

    The package moves coefficient j by h_j = max(|b_j| sqrt(eps), 1e-10). Two numbers with rounding errors of eps times
    their size, the largest prediction, are subtracted and divided by h_j, for a slope by its step too; the curvature
    adds h_j / 2 times a second derivative, at most the largest prediction here. An error e_j of the gradient changes
    the standard error |J V^(1/2)| by at most the sum of e_j sd_j.
    """
    eps, table = np.finfo(float).eps, fit.fixef()
    h = np.maximum(np.abs(table["Estimate"]) * np.sqrt(eps), 1e-10)
    size = max(1.0, float(np.abs(np.asarray(fit.fitted)).max()))
    return float(((4 * eps / (h * step) + h / step) * size * table["Std.Error"]).sum())


def test_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = fitted("lm")
    monkeypatch.setitem(sys.modules, "marginaleffects.classes", None)
    with pytest.raises(ModelError, match="pip install marginaleffects"):
        fit.to_marginaleffects()
    data = bayesml.load_dataset("sleepstudy")
    several = bayesml.fit(bayesml.bf("Reaction ~ Days", sigma="~ Days"), data, method="laplace")
    with pytest.raises(ModelError, match="one linear predictor"):
        several.to_marginaleffects()
