"""Calls of every method on fits of many kinds: an answer, or an error of the package that says what is wrong."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot

import bayesml
from bayesml import bf
from bayesml.errors import BayesmlError, ModelError
from bayesml.results.fits.fit_object import Fit

from .handmade import handmade_fit
from .hostile_calls import wrong_calls

ROWS = 48
SLOW = frozenset(["reloo", "kfold", "cv_varsel", "varsel", "report", "extend", "bridge_sampler", "update"])
"""Methods that would sample or take long without arguments."""


def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    columns = {name: rng.normal(size=ROWS) for name in ("x", "z", "y", "y2")}
    f, g = np.tile(["a", "b", "c"], 16), [f"g{k}" for k in np.repeat(np.arange(6), 8)]
    counts = {"count": rng.poisson(2.0, ROWS) * (rng.random(ROWS) < 0.7), "rating": np.tile([1, 2, 3, 4], 12)}
    return pd.DataFrame({**columns, "f": f, "g": g, "kind": np.tile(["u", "v", "w", "u"], 12), **counts})


MODELS: dict[str, Callable[[pd.DataFrame], Fit]] = {
    "ordinal": lambda d: handmade_fit("rating ~ x + f + (1 | g)", d, "cumulative"),
    "categorical": lambda d: handmade_fit("kind ~ x + f", d, "categorical"),
    "several responses": lambda d: handmade_fit(
        bf("mvbind(y, y2) ~ x + f + (1 | p | g)") + bayesml.set_rescor(True), d
    ),
    "mixture": lambda d: handmade_fit("y ~ x", d, bayesml.mixture("gaussian", "gaussian")),
    "distributional": lambda d: handmade_fit(bf("y ~ x + f", "sigma ~ z + (1 | g)"), d, "student"),
    "zero inflation": lambda d: handmade_fit(bf("count ~ x + (1 | g)", "zi ~ z"), d, "zero_inflated_poisson"),
    "smooth": lambda d: handmade_fit("y ~ s(x, k=5) + f", d),
    "nonlinear": lambda d: handmade_fit(
        bf("y ~ a * exp(b * x)", "a ~ 1 + (1 | g)", "b ~ z", nl=True),
        d,
        priors=(bayesml.prior("normal(0, 1)", nlpar="a"), bayesml.prior("normal(0, 1)", nlpar="b")),
    ),
}


@pytest.fixture(scope="module")
def fits() -> dict[str, Fit]:
    return {name: make(data()) for name, make in MODELS.items()}


def problem(call: Callable[[], Any]) -> str:
    """What is wrong with how a call ends; empty where it answers or is refused in a sentence."""
    try:
        call()
    except BayesmlError as error:
        return f"says {error}" if len(str(error)) < 15 else ""
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        pyplot.close("all")
    return ""


CHEAP = ("equation", "tidy", "glance", "fixef", "varcorr", "prior_summary", "forest")


@pytest.mark.parametrize("name", MODELS)
def test_tables_and_the_equation(name: str, fits: dict[str, Fit]) -> None:
    found = {verb: problem(getattr(fits[name], verb)) for verb in CHEAP}
    found["tidy of spreads"] = problem(lambda: fits[name].tidy("ran_pars"))
    assert not {verb: text for verb, text in found.items() if text}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_every_method_without_arguments(name: str, fits: dict[str, Fit]) -> None:
    matplotlib.use("agg")
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for verb in (v for v in dir(Fit) if not v.startswith("_") and callable(getattr(Fit, v)) and v not in SLOW):
            method = getattr(fits[name], verb)
            if any(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in _parameters(method)):
                continue
            found[verb] = problem(method)
    wrong = {verb: text for verb, text in found.items() if text}
    assert len(found) > 40 and not wrong, wrong


def _parameters(method: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(method).parameters.values())


@pytest.mark.parametrize("name", MODELS)
def test_wrong_calls(name: str, fits: dict[str, Fit]) -> None:
    """Beside a wrong argument all others are as they should be; a model may have no use for it, but never breaks."""
    matplotlib.use("agg")
    calls = list(wrong_calls(Fit))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {str(call): problem(lambda call=call: call.make(fits[name])) for call in calls[:: len(MODELS)]}
    wrong = {call: text for call, text in found.items() if text}
    assert len(found) > 100 and not wrong, wrong


FUNCTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "comparison": ("avg_comparisons", {"variables": "x", "resp": "y"}),
    "transform": ("avg_predictions", {"resp": "y"}),
    "hypothesis": ("avg_predictions", {"by": "f", "resp": "y"}),
}


@pytest.mark.parametrize("argument", FUNCTIONS)
@pytest.mark.parametrize(
    "function", [lambda *a: "text", lambda: 1.0, lambda *a: 1 / 0, lambda *a: np.zeros((2, 3, 4))], ids=range(4)
)
def test_functions_of_users_that_fail(argument: str, function: Any, fits: dict[str, Fit]) -> None:
    verb, others = FUNCTIONS[argument]
    with pytest.raises(ModelError, match=f"`{argument}`"):
        getattr(fits["several responses"], verb)(**others, **{argument: function})


def test_a_parameter_without_a_formula_is_that_of_every_row(fits: dict[str, Fit]) -> None:
    fit = fits["several responses"]
    average = fit.avg_predictions(dpar="sigma", resp="y2")
    np.testing.assert_allclose(average.table["estimate"], fit["sigma_y2"].mean(), rtol=1e-12)
    compared = fit.avg_comparisons("x", dpar="sigma", resp="y2")
    np.testing.assert_array_equal(compared.table["estimate"], 0.0)


def test_equations_of_categories_and_components(fits: dict[str, Fit]) -> None:
    assert r"\mu_{\text{v},i} &= \beta" in str(fits["categorical"].equation())
    assert r"\mu_{\text{2},i} &= \beta" in str(fits["mixture"].equation())
    assert r"(\mu_{\text{v},i}, \mu_{\text{w},i})" in str(fits["categorical"].equation())
