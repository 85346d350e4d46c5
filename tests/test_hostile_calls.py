"""Wrong calls of every method of a fit get an error of this package that says what is wrong."""

from __future__ import annotations

import warnings
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import ArgumentError, BayesmlError
from bayesml.results.fits.fit_object import Fit, PointFit

from .hostile_calls import wrong_calls

LEAST = 500
"""Number of wrong calls that there are at least."""


@pytest.fixture(scope="module")
def fits() -> dict[type, Any]:
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(8), 5)
    data = pd.DataFrame({"x": rng.normal(size=40), "z": rng.normal(size=40), "f": np.tile(["a", "b"], 20)})
    data["g"] = [f"g{number}" for number in g]
    data["y"] = data["x"] + rng.normal(size=8)[g] + rng.normal(size=40)
    point = bayesml.fit("y ~ x + z + f + (1 | g)", data, method="reml")
    return {PointFit: point, Fit: point.to_normal_draws(200, seed=1)}


CALLS = [(kind, call) for kind in (Fit, PointFit) for call in wrong_calls(kind)]


def test_there_are_many_wrong_calls_of_each_method() -> None:
    assert len(CALLS) >= LEAST
    for kind in (Fit, PointFit):
        verbs = {call.verb for own, call in CALLS if own is kind}
        assert len(verbs) >= 30


@pytest.mark.parametrize("kind", [Fit, PointFit])
def test_wrong_calls_are_refused(kind: type, fits: dict[type, Any]) -> None:
    """Each raises an error of the package with a text; none gives an answer or an error of NumPy or pandas."""
    matplotlib.use("agg")
    wrong = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for call in (call for own, call in CALLS if own is kind):
            try:
                call.make(fits[kind])
            except BayesmlError as error:
                if len(str(error)) < 15:
                    wrong.append(f"{call}: says {error}")
            except Exception as error:
                wrong.append(f"{call}: {type(error).__name__}: {error}")
            else:
                wrong.append(f"{call}: accepted")
    assert not wrong, "\n".join(wrong)


CHOICES = {
    "groups": ("avg_comparisons", {}, ["population", "conditional", "integrate"]),
    "new_levels": ("epred", {}, ["error"]),
    "variables": ("avg_comparisons", {}, ["`x`", "`z`", "`f`"]),
    "comparison": ("avg_comparisons", {}, ["ratio", "lnor"]),
    "by": ("avg_comparisons", {}, ["`x`", "`g`"]),
    "specs": ("emmeans", {}, ["`f`"]),
    "effects": ("tidy", {}, ["fixed", "ran_pars"]),
    "language": ("export", {}, ["numpyro"]),
    "group": ("ranef_plot", {}, ["`g`"]),
}


@pytest.mark.parametrize("argument", CHOICES)
@pytest.mark.parametrize("kind", [Fit, PointFit])
def test_errors_name_the_argument_and_list_the_choices(argument: str, kind: type, fits: dict[type, Any]) -> None:
    verb, others, choices = CHOICES[argument]
    with pytest.raises(BayesmlError) as caught:
        getattr(fits[kind], verb)(**{argument: "nothing"}, **others)
    assert all(choice in str(caught.value) for choice in choices), str(caught.value)


@pytest.mark.parametrize("kind", [Fit, PointFit])
def test_unknown_arguments_are_refused_by_every_method(kind: type, fits: dict[type, Any]) -> None:
    for verb in sorted({call.verb for own, call in CALLS if own is kind}):
        with pytest.raises(ArgumentError, match="nothing_like_it"):
            getattr(fits[kind], verb)(nothing_like_it=1)
