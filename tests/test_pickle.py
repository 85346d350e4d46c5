"""Fits and all that they return survive pickle and copy, with the same numbers afterwards."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayesml
from bayesml import frozen
from bayesml.distributions.parse import DISTRIBUTIONS
from bayesml.engines import ENGINES
from bayesml.errors import BayesmlError, ModelError
from bayesml.families import FAMILIES
from bayesml.frozen import FrozenMapping
from bayesml.links import LINKS
from bayesml.posterior import Timing
from tests.handmade import handmade_fit, sleep

ROOT = Path(__file__).resolve().parents[1]


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


WAYS: dict[str, Callable[[Any], Any]] = {"pickle": pickled, "deepcopy": copy.deepcopy, "copy": copy.copy}
FORMULA = "Reaction ~ Days + (Days | Subject)"
PLOTS = {"plot", "pairs", "forest", "ranef_plot", "pp_check", "check_model", "plot_prior_posterior"}
NOT_HERE = {
    "fits again": {"drop1", "ranova", "refit", "update", "reloo", "kfold"},
    "fits smaller models": {"project", "varsel", "cv_varsel"},
    "takes long": {"report", "survival"},
    "a function of NumPyro": {"model"},
    "samples": {"extend", "bridge_sampler"},
    "ArviZ's": {"idata", "to_arviz"},
}


def double(values: np.ndarray) -> np.ndarray:
    return 2.0 * values


def counts() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {"k": rng.poisson(3.0, 60), "x": rng.normal(size=60), "g": np.repeat(np.arange(6), 10)}


@cache
def made(name: str) -> Any:
    cbpp = "incidence | trials(size) ~ period + (1 | herd)", bayesml.load_dataset("cbpp"), "binomial"
    slept = FORMULA, bayesml.load_dataset("sleepstudy")
    functions = {"double": double}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)
        return {
            "draws": lambda: handmade_fit("Reaction ~ poly(Days, 2) + (Days | Subject)", sleep()),
            "draws, functions": lambda: handmade_fit("Reaction ~ double(Days)", sleep(), functions=functions),
            "reml": lambda: bayesml.fit(*slept, method="reml"),
            "ml": lambda: bayesml.fit(*slept, method="ml"),
            "map": lambda: bayesml.fit(*slept, method="map"),
            "laplace": lambda: bayesml.fit(*cbpp, method="laplace"),
            "negbinomial": lambda: bayesml.fit("k ~ x + (1 | g)", counts(), "negbinomial", method="laplace"),
            "map, binomial": lambda: bayesml.fit(*cbpp, method="map"),
            "flat": lambda: bayesml.fit("k ~ double(x)", counts(), "poisson", method="laplace", functions=functions),
        }[name]()


FITS = (
    "draws",
    "draws, functions",
    "reml",
    "ml",
    "map",
    "laplace",
    "negbinomial",
    "map, binomial",
    "flat",
)


def answers(fit: Any) -> dict[str, Any]:
    """Return what every property and method says that needs no argument but a seed."""
    left_out = PLOTS.union(*NOT_HERE.values())
    found = {}
    for name in sorted(set(dir(type(fit))) - left_out):
        if name.startswith("_"):
            continue
        try:
            value = getattr(fit, name)
            if inspect.isroutine(value):
                parameters = inspect.signature(value).parameters
                value = value(**({"seed": 1} if "seed" in parameters else {}))
        except (BayesmlError, TypeError):  # there is no answer for this model, or not without further arguments
            continue
        found[name] = value
    return found


def assert_same(one: Any, other: Any, where: str = "") -> None:
    """Compare nests of records, tables and arrays; numbers are equal bit for bit."""
    assert type(one) is type(other), where
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    elif isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other, check_exact=True)
    elif isinstance(one, xr.DataArray):
        xr.testing.assert_identical(one, other)
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other, err_msg=where)
    elif isinstance(one, Timing):
        pass
    elif is_dataclass(one) and not isinstance(one, type):
        for field in fields(one):
            assert_same(getattr(one, field.name), getattr(other, field.name), f"{where}.{field.name}")
    elif isinstance(one, Mapping) and not isinstance(one, pd.Series):
        assert list(one) == list(other), where
        for key in one:
            assert_same(one[key], other[key], f"{where}[{key!r}]")
    elif isinstance(one, (tuple, list)):
        assert len(one) == len(other), where
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{where}[{i}]")
    elif isinstance(one, float) and np.isnan(one):
        assert np.isnan(other), where
    elif type(one).__eq__ is not object.__eq__:
        assert one == other, where
    else:
        assert str(one) == str(other), where


@pytest.mark.parametrize("name", FITS)
@pytest.mark.filterwarnings("ignore::bayesml.FitWarning")
def test_fits_answer_alike_after_a_round_trip(name: str) -> None:
    fit = made(name)
    before = WAYS["pickle"](fit)  # nothing computed yet
    expected = answers(fit)
    assert {"fixef", "summary", "epred", "predict", "conditional_effects"} <= set(expected)
    assert_same(expected, answers(before))
    for way in ("deepcopy", "copy"):
        assert_same(fit.summary(), WAYS[way](fit).summary())
    assert_same(expected["epred"], WAYS["pickle"](fit).epred())  # with all that was computed
    for way in WAYS.values():
        assert_same(expected, way(expected))


def test_new_rows_after_a_round_trip() -> None:
    new = {"Days": [0.5, 3.0], "Subject": ["308", "309"]}
    for name in ("draws", "reml", "map"):
        fit = made(name)
        for way in WAYS.values():
            assert_same(fit.predict(new, seed=1), way(fit).predict(new, seed=1))
    same = {"x": [0.5, 1.0]}
    assert_same(made("flat").predict(same, seed=1), pickled(made("flat")).predict(same, seed=1))


@pytest.fixture(scope="module")
def sampled() -> bayesml.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)
        return bayesml.fit("y ~ x", {"x": [0.0, 1.0, 2.0, 4.0], "y": [1.0, 2.0, 2.0, 5.0]}, draws=20, warmup=20,
                           chains=2, seed=1, progress=False)  # fmt: skip


@pytest.mark.filterwarnings("ignore::bayesml.FitWarning")
def test_draws_survive_and_chains_go_on(sampled: bayesml.Fit) -> None:
    for way in WAYS.values():
        again = way(sampled)
        assert_same(sampled.draws(), again.draws())
        assert_same(sampled.engine, again.engine)
    assert_same(sampled.extend(5).draws(), pickled(sampled).extend(5).draws())


def test_another_process_reads_a_fit(tmp_path: Path) -> None:
    code = (
        "import pickle, sys; fits = pickle.load(open(sys.argv[1], 'rb')); "
        "print(*[float(fit.fixef().iloc[0, 0]).hex() for fit in fits])"
    )
    fits = [made(name) for name in FITS]
    path = tmp_path / "fits.pickle"
    path.write_bytes(pickle.dumps(fits))
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split() == [float(fit.fixef().iloc[0, 0]).hex() for fit in fits]


def test_lambdas_need_cloudpickle_to_be_pickled_but_not_to_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    data = counts()
    fit = bayesml.fit("k ~ f(x) + offset(f(x))", data, "poisson", method="laplace", functions={"f": lambda x: x / 2})
    new = {"x": [1.0, 2.0]}
    for way in (copy.copy, copy.deepcopy):
        assert_same(fit.predict(new, seed=1), way(fit).predict(new, seed=1))
    monkeypatch.setattr(frozen, "_cloudpickle", lambda: None)
    with pytest.raises(ModelError, match="function `f` cannot be pickled.*`def`.*cloudpickle"):
        pickle.dumps(fit)
    # cloudpickle's place is taken by a pickler that knows this one function.
    monkeypatch.setattr(frozen, "_cloudpickle", lambda: lambda value: pickle.dumps(np.sqrt))
    assert pickled(FrozenMapping({"f": lambda x: x}))["f"] is np.sqrt


PUBLIC: dict[str, Any] = {
    **{name: getattr(bayesml, name) for name in bayesml.__all__},
    **{f"family {name}": make() for name, make in FAMILIES.items()},
    **{f"link {name}": link for name, link in LINKS.items()},
    **{f"engine {name}": entry.default for name, entry in ENGINES.items()},
    **{f"distribution {name}": kind for name, kind in DISTRIBUTIONS.items()},
    "prior": bayesml.prior("normal(0, 2)", class_="b", coef="x"),
    "truncated": bayesml.prior("normal(0, 2)", class_="b", lb=0),
    "formula": bayesml.bf("y ~ x", "sigma ~ x"),
    "nuts": bayesml.NUTS(draws=10, keep_group_effects="summary"),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_value_can_be_copied(name: str) -> None:
    for way in WAYS.values():
        assert way(PUBLIC[name]) == PUBLIC[name]


def results() -> dict[str, Any]:
    fit, reml, slept = made("draws"), made("reml"), bayesml.load_dataset("sleepstudy")
    smaller = bayesml.fit("Reaction ~ 1 + (Days | Subject)", slept, method="reml")
    periods = made("laplace").emmeans("period")
    return {
        "emmeans": periods,
        "contrasts": periods.contrasts("pairwise"),
        "emtrends": reml.emtrends("Days"),
        "anova": bayesml.anova(reml, smaller),
        "confint": reml.confint(),
        "loo": fit.loo(),
        "conditional effects": fit.conditional_effects("Days"),
        "diagnostics": fit.diagnostics,
        "normal draws": reml.to_normal_draws(20, seed=1),
    }


@pytest.mark.filterwarnings("ignore")
def test_further_results_can_be_copied() -> None:
    for name, result in results().items():
        for way in WAYS.values():
            assert str(way(result)) == str(result), name


def test_frozen_mapping() -> None:
    mapping = FrozenMapping({"b": 1, "a": [2]})
    assert list(mapping) == ["b", "a"] and len(mapping) == 2 and "a" in mapping and mapping == {"b": 1, "a": [2]}
    with pytest.raises(TypeError):
        mapping["c"] = 1  # type: ignore[index]
    deep = copy.deepcopy(mapping)
    assert deep == mapping and deep["a"] is not mapping["a"] and copy.copy(mapping)["a"] is mapping["a"]
