"""``fit.recipe``, and what ``fit.update`` takes over from a fit instead of doing it again."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bayesml
from bayesml import DataError, Fit, FormulaError, PointFit, bf, prior
from bayesml.engines.nuts.programs import compiled
from bayesml.formula import Formula, parse
from bayesml.results.fits.fitting import prepared_model
from bayesml.results.record.recipe import Recipe

ENCODING = ("parse", "read_frame", "build_design")


def data(n: int = 60, seed: int = 1) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    g = np.repeat([f"g{i}" for i in range(6)], n // 6)
    x = rng.normal(size=n)
    return {"y": 1.0 + x + np.repeat(rng.normal(size=6), n // 6) + rng.normal(size=n), "x": x, "g": g, "z": x**2}


def halve(x: np.ndarray) -> np.ndarray:
    return x / 2


@pytest.fixture(scope="module")
def fit() -> PointFit:
    return bayesml.fit(  # type: ignore[return-value]
        "y ~ halve(x)\n + (1 | g)", data(), method="map", prior=prior("normal(0, 1)", class_="b"),
        default_priors="brms", missing="error", functions={"halve": halve}, data_name="made",
    )  # fmt: skip


@pytest.fixture(scope="module")
def sampled() -> Fit:
    options = {"draws": 100, "warmup": 100, "chains": 2, "seed": 1, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)  # so short a run has not converged
        return bayesml.fit("y ~ x + (1 | g)", data(), **options)  # type: ignore[arg-type, return-value]


def test_a_recipe_is_all_that_fit_was_told_but_the_data(fit: PointFit) -> None:
    recipe = fit.recipe
    assert recipe == Recipe(
        Formula("y ~ halve(x)  + (1 | g)"),
        bayesml.gaussian(),
        bayesml.MAP(),
        (prior("normal(0, 1)", class_="b"),),
        "brms",
        "error",
        {"halve": halve},
        "made",
    )
    assert (fit.engine, fit.priors, fit.default_priors, fit.data_name) == (
        recipe.engine, recipe.priors, recipe.default_priors, recipe.data_name
    )  # fmt: skip
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    for field in fields(recipe):
        with pytest.raises(FrozenInstanceError):
            setattr(recipe, field.name, None)


def test_formulas_of_parameters_and_filled_in_options_are_in_the_recipe(sampled: Fit) -> None:
    assert sampled.recipe.formula == Formula("y ~ x + (1 | g)")
    engine = sampled.recipe.engine
    assert isinstance(engine, bayesml.NUTS) and (engine.draws, engine.warmup, engine.seed) == (100, 100, 1)
    parts = bf("y ~ x", sigma="~ z")
    assert prepared_model(Recipe(parts, bayesml.gaussian(), bayesml.NUTS()), data()).recipe.formula == parts


@pytest.mark.parametrize("change", [{"method": "laplace", "prior": ()}, {"prior": prior("normal(0, 2)", class_="b")}])
def test_data_are_neither_read_nor_encoded_again(
    fit: PointFit, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("read again")

    for name in ENCODING:
        monkeypatch.setattr(f"bayesml.results.fits.fitting.{name}", refuse)
    changed = fit.update(**change)
    assert changed.frame is fit.frame and changed.problem.design is fit.problem.design
    assert changed.recipe.missing == "error" and changed.data_name == "made"
    assert changed.fixef().loc["halve(x)", "Estimate"] != fit.fixef().loc["halve(x)", "Estimate"]


def test_a_changed_family_or_formula_encodes_the_columns_of_the_fit(
    fit: PointFit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bayesml.results.fits.fitting.read_frame", None)
    changed = fit.update(". ~ 1 + (1 | g)", prior=())
    assert changed.formula == "y ~ 1 + (1 | g)" and list(changed.frame.columns) == ["y", "g"]
    assert changed.recipe.formula == Formula(changed.formula)
    assert fit.update(family="student", method="map").recipe.family.name == "student"


def test_a_formula_is_read_once(fit: PointFit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other data take the formula as the fit read it; a changed one is read once."""
    read: list[Any] = []

    def counted(*arguments: Any, **named: Any) -> Any:
        read.append(arguments[0])
        return parse(*arguments, **named)

    for module in ("fitting", "updating"):
        monkeypatch.setattr(f"bayesml.results.fits.{module}.parse", counted)
    other = fit.update(data=data(seed=2), family="student")
    assert read == [] and other.parsed == fit.parsed
    changed = fit.update(". ~ . + z", data=data(seed=2))
    assert read == [changed.recipe.formula]
    with pytest.raises(FormulaError, match="has not used `z`"):
        fit.update(". ~ . + z")
    with pytest.raises(FormulaError, match="`x` is not a column"):
        fit.update(data={name: column for name, column in data().items() if name != "x"})


def test_an_update_is_the_fit_that_fit_makes(fit: PointFit) -> None:
    again = fit.update(data=data(), data_name="made")
    assert again.recipe == fit.recipe
    np.testing.assert_array_equal(again.fixef(), fit.fixef())
    np.testing.assert_array_equal(fit.update().fixef(), fit.fixef())
    other = fit.update(data=data(seed=2))
    assert other.data_name == "data" and not np.array_equal(other.fixef(), fit.fixef())


def test_what_is_done_with_missing_values_stays(fit: PointFit) -> None:
    gaps = data()
    gaps["x"][3] = np.nan
    with pytest.raises(DataError, match="missing"):
        fit.update(data=gaps)
    dropping = bayesml.fit("y ~ x + (1 | g)", data(), method="ml")
    with pytest.warns(bayesml.FitWarning, match="1"):
        assert dropping.update(data=gaps).nobs == 59


@pytest.mark.filterwarnings("ignore::bayesml.errors.FitWarning")
def test_the_same_model_is_not_compiled_again(sampled: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("compiled again")

    monkeypatch.setattr("bayesml.engines.nuts.driver.run.compile_form", refuse)
    other = sampled.update(seed=2)
    assert isinstance(other, Fit) and other.problem is sampled.problem
    assert other.timing.compile == 0.0
    assert not np.array_equal(other.draws_record.values["b"], sampled.draws_record.values["b"])
    same = sampled.update(seed=1)
    np.testing.assert_array_equal(same.draws_record.values["b"], sampled.draws_record.values["b"])
    assert same.recipe == sampled.recipe


@pytest.mark.filterwarnings("ignore::bayesml.errors.FitWarning")
@pytest.mark.slow
def test_another_response_runs_the_programs_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs are kept under the structure of a model, to which priors and predictors belong but not the response."""
    lowered: list[str] = []
    original = compiled._Recipe.lowered

    def counted(recipe: Any, as_kernel: bool) -> Any:
        lowered.append(recipe.name)
        return original(recipe, as_kernel)

    monkeypatch.setattr(compiled._Recipe, "lowered", counted)
    priors = [prior("normal(0, 2)", class_=name) for name in ("Intercept", "b", "sd", "sigma")]
    options = {"draws": 100, "warmup": 100, "chains": 2, "seed": 1, "progress": False}
    fit = bayesml.fit("y ~ x + (1 | g)", data(), prior=priors, **options)  # type: ignore[arg-type]
    lowered.clear()
    other = fit.update(data=data() | {"y": data(seed=2)["y"]})
    assert not np.array_equal(other["b_x"], fit["b_x"])
    assert lowered == []
    fit.update(". ~ . + z", data=data())
    assert set(lowered) == {"advance", "start", "report"}


def test_a_recipe_comes_back_from_a_file(fit: PointFit, sampled: Fit, tmp_path: Path) -> None:
    for kept in (fit, sampled):
        kept.save(tmp_path / "fit.nc")
        assert bayesml.load(tmp_path / "fit.nc", functions={"halve": halve}).recipe == kept.recipe
