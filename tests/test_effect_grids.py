"""Conditional effects and reference grids of every kind of expression a formula may hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml import bf
from bayesml.columns import variables_of
from bayesml.formula import parse
from tests.handmade import handmade_fit

pytestmark = pytest.mark.filterwarnings("ignore::bayesml.errors.FitWarning")

# Each with the columns that it makes into factors as they are: these vary over the values observed.
EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "x": (),
    "log(x)": (),
    "sqrt(x) + I(x^2)": (),
    "I(x**2)": (),
    "poly(x, 2)": (),
    "bs(x, df=4)": (),
    "cr(x, df=4)": (),
    "scale(x)": (),
    "center(x) * scale(m)": (),
    "where(x > 5, x, 5)": (),
    "factor(k)": ("k",),
    "C(k)": ("k",),
    "C(k, contr.sum)": ("k",),
    "factor(k, levels=[3, 1, 2, 4])": ("k",),
    "factor(k) * f": ("k",),
    "factor(k):x": ("k",),
    "factor(k) + poly(k, 2)": ("k",),
    "C(x > 5)": (),
    "factor(x > 5)": (),
    "x + C(x > 5)": (),
    "C(x > 5) * m": (),
    "I(x > 5)": (),
    "I(x > 5):m": (),
    "I((x > 5) & (m > 0))": (),
    "C(round(x))": (),
    "C(k % 2)": (),
    "C(2 * k)": (),
    "C(k > m)": (),
    "as.factor(k)": ("k",),
    "ordered(k)": ("k",),
    "(x > 5) * f": (),
    "(!flag)": (),
    "relevel(f, 'b')": (),
    "step(x)": (),
    "C(step(x))": (),
    "flag": (),
    "C(flag)": (),
    "flag:x": (),
    "flag * f": (),
    "f": (),
    "C(f, contr.helmert)": (),
    "o": (),
    "f:log(x)": (),
    "log(x) * factor(k)": ("k",),
    "I(f == 'b')": (),
}
CATEGORIES = {"f": ["a", "b", "c"], "o": ["low", "mid", "top"], "flag": [False, True], "k": [1, 2, 3, 4]}


def step(x: np.ndarray) -> np.ndarray:
    return np.floor(np.asarray(x) / 4.0)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    n = 96
    f = np.array(["a", "b", "c"])[rng.integers(0, 3, n)]
    frame = pd.DataFrame(
        {
            "x": np.round(rng.uniform(1, 10, n), 3),
            "z": np.round(rng.normal(2, 1, n), 3),
            "m": np.round(rng.normal(0, 2, n), 3),
            "k": np.tile([1, 2, 3, 4], n // 4),
            "flag": rng.random(n) < 0.4,
            "f": f,
            "o": pd.Categorical(np.array(["low", "mid", "top"])[rng.integers(0, 3, n)], ordered=True),
            "g": np.repeat([f"g{i}" for i in range(8)], n // 8),
        }
    )
    noise, groups = rng.normal(size=n), np.repeat(rng.normal(size=8), n // 8)
    return frame.assign(y=frame["x"] / 3 + frame["k"] / 2 + (frame["f"] == "b") + frame["flag"] + groups + noise)


def used(column: str, expression: str) -> bool:
    terms = parse(f"y ~ {expression}").predictors[0].population.terms
    return any(column in variables_of(text) for term in terms for text in term)


def check_table(table: pd.DataFrame, column: str, data: pd.DataFrame, made: tuple[str, ...]) -> None:
    """The effect goes along its column; the others stand at their mean or first level."""
    along = list(dict.fromkeys(table["effect1__"].tolist()))
    if column in made or column in ("f", "o", "flag"):
        assert along == CATEGORIES[column]
    else:
        assert len(along) >= min(10, data[column].nunique())
        assert data[column].min() - 1e-9 <= min(along) and max(along) <= data[column].max() + 1e-9
    for other in ("x", "z", "m", "k", "flag", "f", "o"):
        if other in table and other != column and "effect2__" not in table:
            held = table[other].unique().tolist()
            assert len(held) == 1
            if other in made or other in ("f", "o", "flag"):
                assert held == [CATEGORIES[other][0]]
            elif held[0] in data[other].to_numpy():  # where the mean cannot be computed with
                near = np.abs(data[other] - data[other].mean()).min()
                assert abs(held[0] - data[other].mean()) <= max(near, 1e-9)
            else:
                assert held[0] == pytest.approx(data[other].mean())


VARYING = ("log(x)", "poly(x, 2)", "factor(k)", "C(x > 5)", "I(x > 5):m", "flag", "f", "C(k % 2)", "step(x)")
PLACES = [
    *((expression, f"z + {expression} + (1 | g)") for expression in EXPRESSIONS),
    *((expression, f"z + {expression} + (0 + {expression} || g)") for expression in VARYING),
]


@pytest.mark.parametrize(("expression", "right"), PLACES)
def test_effects_of_every_expression(expression: str, right: str, data: pd.DataFrame) -> None:
    fit = bayesml.fit(f"y ~ {right}", data, method="ml", functions={"step": step})
    effects = fit.conditional_effects()
    named = [c for c in data if used(c, expression)]
    assert set(named) | {"z"} == {name for name in effects if ":" not in name}
    for name in (*named, "z"):
        check_table(effects[name], name, data, EXPRESSIONS[expression])
    for name, table in effects.items():
        rows = table.drop(columns=[c for c in table if c.endswith("__")])
        np.testing.assert_allclose(table["estimate__"], fit.epred(rows, re_formula="NA"), rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_marginal_means_beside_every_expression(expression: str, data: pd.DataFrame) -> None:
    """A marginal mean is the average of the linear predictor over the reference grid, which is made here by hand."""
    frame = data.assign(t=np.where(np.arange(len(data)) % 3 > 0, "u", "v"))
    fit = bayesml.fit(f"y ~ t + {expression} + (1 | g)", frame, method="ml", functions={"step": step})
    means = fit.emmeans("t").to_pandas()
    assert list(means["t"]) == ["u", "v"]
    axes: dict[str, list[Any]] = {}
    for column in (c for c in data if used(c, expression)):
        categorical = column in EXPRESSIONS[expression] or column in ("f", "o", "flag")
        axes[column] = CATEGORIES[column] if categorical else [data[column].mean()]
    if expression in ("C(round(x))", "C(k % 2)", "C(2 * k)"):
        name = next(iter(axes))
        axes[name] = [data[name].iloc[int(np.argmin(np.abs(data[name] - data[name].mean())))]]
    grid = pd.MultiIndex.from_product([["u", "v"], *axes.values()], names=["t", *axes]).to_frame(index=False)
    by_hand = pd.Series(fit.linpred(grid, re_formula="NA")).groupby(grid["t"].to_numpy()).mean()
    np.testing.assert_allclose(means["emmean"], by_hand, rtol=1e-9)


def test_a_number_inside_a_comparison_stays_a_number(data: pd.DataFrame) -> None:
    fit = bayesml.fit("y ~ z + x + C(x > 5)", data, method="laplace")
    effects = fit.conditional_effects()
    assert effects.effects["x"].is_numeric and len(effects["x"]) == 100
    assert effects["z"]["x"].unique().tolist() == [pytest.approx(data["x"].mean())]
    assert fit.emmeans("x").to_pandas()["x"].tolist() == [pytest.approx(data["x"].mean())]


def test_rows_at_which_the_model_is_not_defined_are_left_out(data: pd.DataFrame) -> None:
    fit = bayesml.fit("y ~ log(x) + C(round(z))", data, method="laplace")
    effects = fit.conditional_effects("x", conditions={"z": [2.0, 99.0]})
    assert effects["x"]["z"].unique().tolist() == [2.0]
    assert "left out" in repr(effects)
    lines = fit.conditional_effects("x", int_conditions={"x": [-1.0, 1.0, 2.0]})
    assert lines["x"]["x"].tolist() == [1.0, 2.0]


def test_sum_of_two_numbers_as_a_factor(data: pd.DataFrame) -> None:
    frame = data.assign(j=np.repeat([0, 1], len(data) // 2))
    fit = bayesml.fit("y ~ z + C(k + j)", frame, method="laplace")
    effects = fit.conditional_effects()
    for name in ("k", "j", "z"):
        assert np.isfinite(effects[name]["estimate__"]).all()
    assert effects["k"]["k"].tolist() == [1, 2, 3, 4]
    by = fit.emtrends("z", by="k").to_pandas()
    np.testing.assert_allclose(by["z.trend"], fit["b_z"], rtol=1e-6)
    assert set(by["k"]) <= {1, 2, 3, 4}
    assert np.isfinite(fit.emmeans("k", at={"k": [1, 4]}).to_pandas()["emmean"]).all()


@pytest.fixture(scope="module")
def draws(data: pd.DataFrame) -> bayesml.Fit:
    formula = bf("y ~ log(x) + factor(k) * flag + C(x > 5) + I(m > 0) + (C(k) | g)", sigma="~ factor(k) + f")
    return handmade_fit(formula, data)


def test_effects_of_draws(draws: bayesml.Fit, data: pd.DataFrame) -> None:
    effects = draws.conditional_effects()
    assert set(effects) == {"x", "k", "flag", "m", "f", "k:flag"}
    for name in ("x", "k", "flag", "m", "f"):
        check_table(effects[name], name, data, ("k",))
    spread = draws.conditional_effects(dpar="sigma")
    assert set(spread) == {"k", "f"}
    assert spread["k"]["effect1__"].tolist() == [1, 2, 3, 4]
    for level in (None, "NA"):
        table = draws.conditional_effects("k:flag", re_formula=level, seed=1)["k:flag"]
        assert len(table) == 8 and np.isfinite(table["estimate__"]).all()
