"""Saving and loading of point estimates: every verb answers as before, nothing is fitted again, damage is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml import BayesmlError, ModelError, PointFit, prior
from bayesml.engines import dispatch
from bayesml.posterior import StoredEstimate

FEW = {"nsim": 3, "seed": 1}


def made() -> dict[str, Any]:
    rng = np.random.default_rng(7)
    n = 120
    g, x = np.repeat([f"g{i}" for i in range(12)], 10), rng.normal(size=n)
    b = np.repeat(rng.normal(0, 1, 12), 10)
    return {
        "g": g,
        "h": np.tile(["a", "b", "c", "d"], 30),
        "x": x,
        "twice": 2.0 * x,
        "f": np.tile(["low", "mid", "high"], 40),
        "y": 2.0 + 0.5 * x + b + rng.normal(size=n),
        "positive": np.exp(0.3 * x + 0.5 * b + rng.normal(0, 0.5, n)),
        "count": rng.poisson(np.exp(0.5 + 0.3 * x + 0.5 * b)),
        "yes": rng.binomial(1, 1 / (1 + np.exp(-x - b))),
        "apart": (x > 0).astype(int),
        "n": np.full(n, 8),
        "wins": rng.binomial(8, 1 / (1 + np.exp(-0.4 * x - b))),
        "w": rng.uniform(0.5, 2.0, n),
        "se": rng.uniform(0.5, 1.0, n),
        "e": rng.uniform(1.0, 3.0, n),
    }


PRIORS = [prior("normal(0, 0.3)", class_="b", lb=0.1), prior("exponential(1)", class_="sd")]
MODELS: dict[str, tuple[Any, ...]] = {
    "reml": ("y ~ x * f + (x | g) + (1 | h)", "gaussian", "reml", ()),
    "ml with weights": ("y | weights(w) ~ poly(x, 2) + offset(e) + (1 | g)", "gaussian", "ml", ()),
    "reml, dropped column": ("y ~ x + twice + (x || g)", "gaussian", "reml", ()),
    "reml, known errors": ("y | se(se) ~ x + (1 | g)", "gaussian", "reml", ()),
    "lognormal": ("positive ~ x + (1 | g)", "lognormal", "ml", ()),
    "laplace is ml": ("y ~ x + (1 | g)", "gaussian", "laplace", ()),
    "no groups": ("y ~ x + f", "gaussian", "laplace", ()),
    "poisson": ("count ~ x + offset(log(e)) + (x | g) + (1 | h)", "poisson", "laplace", ()),
    "quadrature": ("yes ~ x + (1 | g)", "bernoulli", bayesml.Laplace(quadrature_points=5), ()),
    "fisher": ("positive ~ x + (1 | g)", "Gamma", bayesml.Laplace(curvature="fisher"), ()),
    "binomial": ("wins | trials(n) ~ f + (1 | g)", "binomial", "laplace", ()),
    "separation": ("apart ~ x + (1 | g)", "bernoulli", "laplace", ()),
    "map": ("y ~ x + twice + (x | g)", "gaussian", "map", PRIORS),
    "map, held": ("count ~ x + (1 | g)", "negbinomial", "map", [prior("constant(2)", class_="shape")]),
}


@pytest.fixture(scope="module")
def fits() -> dict[str, PointFit]:
    data, found = made(), {}
    with pytest.warns(bayesml.FitWarning):
        for name, (formula, family, method, priors) in MODELS.items():
            found[name] = bayesml.fit(formula, data, family, method=method, prior=priors, data_name="made")
    return found  # type: ignore[return-value]


@pytest.fixture
def loaded(tmp_path: Path, fits: dict[str, PointFit], request: pytest.FixtureRequest) -> tuple[PointFit, PointFit]:
    fit = fits[request.param]
    fit.save(tmp_path / "fit.nc")
    found = bayesml.load(tmp_path / "fit.nc")
    assert isinstance(found, PointFit)
    return fit, found


def same(ours: Any, theirs: Any) -> None:
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            same(value, theirs[name])
    elif isinstance(ours, pd.DataFrame):
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    elif isinstance(ours, pd.Series):
        pd.testing.assert_series_equal(ours, theirs, check_exact=True)
    else:
        np.testing.assert_array_equal(ours, theirs)


NEW = {"x": [0.0, 1.0], "twice": [0.0, 2.0], "f": ["low", "high"], "g": ["g1", "new"], "h": ["a", "b"], "e": [1.0, 2.0],
       "n": [8, 4], "w": [1.0, 2.0], "se": [0.5, 0.6]}  # fmt: skip


@pytest.mark.parametrize("loaded", MODELS, indirect=True)
def test_what_was_saved_comes_back(loaded: tuple[PointFit, PointFit]) -> None:
    fit, found = loaded
    assert found.recipe == fit.recipe
    assert found.parsed == fit.parsed and found.variables == fit.variables
    assert found.timing == fit.timing
    assert str(found) == str(fit)
    for table in (PointFit.fixef, PointFit.coef, PointFit.ranef, PointFit.vcov, PointFit.r2, PointFit.influence):
        if table is PointFit.r2 and fit.family.name == "negbinomial":
            continue
        same(table(fit), table(found))
    same(fit.vcov(full=True), found.vcov(full=True))
    same({k: v.cov_matrix for k, v in fit.varcorr().items()}, {k: v.cov_matrix for k, v in found.varcorr().items()})
    assert (found.logLik, found.df, found.sigma, found.aic) == (fit.logLik, fit.df, fit.sigma, fit.aic)
    for interval in ("confidence", "prediction"):
        ours = fit.predict(NEW, new_levels="zero", interval=interval)
        same(ours, found.predict(NEW, new_levels="zero", interval=interval))
    same(fit.confint(), found.confint())
    same(fit.simulate(2, seed=1), found.simulate(2, seed=1))


@pytest.mark.filterwarnings("ignore::bayesml.errors.FitWarning")
@pytest.mark.parametrize("loaded", ["reml"], indirect=True)
def test_questions_to_a_loaded_linear_model(loaded: tuple[PointFit, PointFit]) -> None:
    questions: list[Callable[[PointFit], Any]] = [
        lambda fit: fit.anova(ddf="kenward-roger"),
        lambda fit: fit.ranova(),
        lambda fit: fit.drop1(),
        lambda fit: fit.contrast("b_x - b_Intercept", ddf="satterthwaite"),
        lambda fit: fit.emmeans("f").contrasts(),
        lambda fit: fit.emtrends("x", by="f").to_pandas(),
        lambda fit: fit.confint("profile", parameters=["sigma"]),
        lambda fit: fit.conditional_effects("x:f")["x:f"],
        lambda fit: fit.confint("boot", **FEW),
        lambda fit: fit.refit(fit.simulate(1, seed=3)[0]).fixef(),
        lambda fit: fit.update(". ~ . - x:f", method="ml").fixef(),
        lambda fit: fit.to_normal_draws(200, seed=1).draws(),
        lambda fit: bayesml.anova(fit, fit.update(". ~ . - x:f")),
    ]
    for question in questions:
        same(question(loaded[0]), question(loaded[1]))


@pytest.mark.filterwarnings("ignore::bayesml.errors.FitWarning")
@pytest.mark.parametrize("loaded", ["poisson", "map", "map, held"], indirect=True)
def test_questions_to_a_loaded_generalised_model(loaded: tuple[PointFit, PointFit]) -> None:
    questions: list[Callable[[PointFit], Any]] = [
        lambda fit: fit.contrast("b_Intercept"),
        lambda fit: fit.predict(NEW, new_levels="zero", se=True),
        lambda fit: fit.conditional_effects("x")["x"],
        lambda fit: fit.to_normal_draws(200, seed=1).draws(),
        lambda fit: fit.update(". ~ 1 + (1 | g)").fixef(),
        lambda fit: fit.refit(fit.simulate(1, seed=3)[0]).fixef(),
    ]
    for question in questions:
        same(question(loaded[0]), question(loaded[1]))


def test_nothing_is_minimised_when_a_fit_is_loaded(
    tmp_path: Path, fits: dict[str, PointFit], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a search began")

    for name in ("reml", "poisson", "map"):
        fits[name].save(tmp_path / f"{name}.nc")
    monkeypatch.setattr("bayesml.engines.linear_mixed.fitting.minimise", refuse)
    monkeypatch.setattr("bayesml.engines.generalised_mixed.fit.optimise", refuse)
    for name in ("reml", "poisson", "map"):
        assert str(bayesml.load(tmp_path / f"{name}.nc")) == str(fits[name])


def test_a_refit_is_saved_with_its_response(tmp_path: Path, fits: dict[str, PointFit]) -> None:
    again = fits["laplace is ml"].refit(fits["laplace is ml"].simulate(1, seed=1)[0])
    again.save(tmp_path / "fit.nc")
    found = bayesml.load(tmp_path / "fit.nc")
    # Another way to the same cross-products: the last digits differ.
    np.testing.assert_allclose(found.fixef(), again.fixef(), rtol=1e-8)


def test_a_refit_whose_response_is_computed_is_refused(tmp_path: Path) -> None:
    fit = bayesml.fit("log(positive) ~ x + (1 | g)", made(), method="ml")
    again = fit.refit(fit.simulate(1, seed=1)[0])  # type: ignore[union-attr]
    with pytest.raises(ModelError, match=r"fit\.update\(data=data\)"):
        again.save(tmp_path / "fit.nc")
    assert not list(tmp_path.iterdir())


def test_functions_are_asked_for_by_name(tmp_path: Path) -> None:
    def halve(x: np.ndarray) -> np.ndarray:
        return x / 2

    fit = bayesml.fit("y ~ halve(x) + (1 | g)", made(), method="reml", functions={"halve": halve})
    fit.save(tmp_path / "fit.nc")
    with pytest.raises(ModelError, match='functions={"halve": halve}'):
        bayesml.load(tmp_path / "fit.nc")
    found = bayesml.load(tmp_path / "fit.nc", functions={"halve": halve})
    assert str(found) == str(fit) and found.recipe == fit.recipe


# Files that are not what they should be -------------------------------------------------------------------------------


@pytest.fixture(params=["reml, dropped column", "poisson"])
def saved(tmp_path: Path, fits: dict[str, PointFit], request: pytest.FixtureRequest) -> Path:
    fits[request.param].save(tmp_path / "fit.nc")
    return tmp_path / "fit.nc"


def changed_document(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    with h5py.File(path, "r+") as file:
        document = json.loads(file["document"][()].decode())
        change(document)
        text = json.dumps(document)
        del file["document"]
        file.create_dataset("document", data=text, dtype=h5py.string_dtype())
        file.attrs["document_digest"] = hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("group", ["estimate", "data"])
def test_missing_groups(saved: Path, group: str) -> None:
    with h5py.File(saved, "r+") as file:
        del file[group]
    with pytest.raises(ModelError, match="damaged"):
        bayesml.load(saved)


def test_estimates_that_are_not_those_of_the_data(saved: Path) -> None:
    content = saved.read_bytes()
    for name in ("coordinates", "beta", "group_0_effects"):
        with h5py.File(saved, "r+") as file:
            if name not in file["estimate"]:
                continue
            file["estimate"][name][...] = file["estimate"][name][()] * 1.5 + 0.1
        with pytest.raises(ModelError, match="damaged"):
            bayesml.load(saved)
        saved.write_bytes(content)


@pytest.mark.parametrize(
    "engine",
    [{"method": "nuts", "options": {}}, {"method": "map", "options": {}}, {"method": "none", "options": {}}, None],
)
def test_engines_of_another_kind(saved: Path, engine: Any) -> None:
    changed_document(saved, lambda document: document.update(engine=engine))
    with pytest.raises(ModelError):
        bayesml.load(saved)


PLAIN = ("reml, dropped column", "poisson", "map, held")


@pytest.mark.parametrize("name", PLAIN)
def test_arrays_of_another_shape_or_kind(fits: dict[str, PointFit], name: str) -> None:
    fit = fits[name]
    stored = fit.estimate.stored()
    restored(fit, stored)
    for key, values in stored.arrays.items():
        if not values.size:
            continue
        for wrong in (None, values[..., :-1], values[None], values.astype(str), values.astype(complex)):
            changed = {**stored.arrays, key: wrong}
            arrays = {k: v for k, v in changed.items() if v is not None}
            with pytest.raises(ValueError, match=key):
                restored(fit, replace(stored, arrays=arrays))


@pytest.mark.parametrize("name", PLAIN)
def test_facts_of_another_kind(fits: dict[str, PointFit], name: str) -> None:
    fit = fits[name]
    stored = fit.estimate.stored()
    for key, value in stored.facts.items():
        for wrong in (None, [1.5], "text", {}, True):
            if (key, wrong) == ("saturated", None) or type(wrong) is type(value) and key not in ("method", "separated"):
                continue
            with pytest.raises(ValueError, match="method|found by" if key == "method" else key):
                restored(fit, replace(stored, facts={**stored.facts, key: wrong}))


def restored(fit: PointFit, stored: StoredEstimate) -> None:
    dispatch.restore(fit.engine, fit.problem, stored)


def test_flipped_bytes_are_refused_or_do_no_harm(saved: Path) -> None:
    content, whole = saved.read_bytes(), str(bayesml.load(saved))
    rng, refused = np.random.default_rng(8), 0
    for _ in range(40):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), 3):
            damaged[place] ^= int(rng.integers(1, 256))
        saved.write_bytes(bytes(damaged))
        try:
            found = str(bayesml.load(saved))
        except BayesmlError:
            refused += 1
            continue
        assert found == whole
    assert 0 < refused < 40
