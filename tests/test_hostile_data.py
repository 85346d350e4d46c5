"""Data and formulas at the edge of what can be computed: they work, or end in an error that names column and cure."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import bayesml
from bayesml import BayesmlError, DataError, FormulaError
from bayesml.results.fits.fit_object import PointFit

N = 120
RNG = np.random.default_rng(0)
G = np.repeat([f"g{i}" for i in range(12)], 10)
X = RNG.normal(size=N)
Y = 1 + 2 * X + RNG.normal(size=12)[np.repeat(np.arange(12), 10)] + RNG.normal(size=N)
DATA = pd.DataFrame({"y": Y, "x": X, "g": G})


def fitted(data: Any, formula: str = "y ~ x + (1 | g)", method: str = "reml") -> PointFit:
    fit = bayesml.fit(formula, data, method=method)
    assert isinstance(fit, PointFit)
    return fit


PLAIN = fitted(DATA)


def renamed_twice(name: str) -> pd.DataFrame:
    other = pd.DataFrame({name: RNG.normal(size=N)})
    return pd.concat([DATA, other, other], axis=1)


# Frames ---------------------------------------------------------------------------------------------------------------

WORKING: dict[str, Callable[[], Any]] = {
    "nullable floats": lambda: DATA.assign(x=pd.array(X, dtype="Float64")),
    "arrow types": lambda: DATA.convert_dtypes(dtype_backend="pyarrow"),
    "objects": lambda: DATA.assign(x=pd.Series(list(X), dtype=object)),
    "decimals": lambda: DATA.assign(x=[Decimal(repr(value)) for value in X.tolist()]),
    "fractions": lambda: DATA.assign(x=[Fraction(value) for value in X.tolist()]),
    "long doubles": lambda: DATA.assign(x=X.astype(np.longdouble)),
    "unused twice": lambda: renamed_twice("u"),
    "unused twice in arrow": lambda: pa.table([pa.array(c) for c in (Y, X, G, X, X)], names=["y", "x", "g", "u", "u"]),
    "unused complex": lambda: DATA.assign(z=X + 1j, t=[(1, 2)] * N, when=pd.Timestamp("2020")),
    "levels in the index": lambda: DATA.set_index([G, np.arange(N)]),
    "a subclass": lambda: type("Mine", (pd.DataFrame,), {})(DATA),
    "polars objects": lambda: pl.DataFrame({"y": Y, "x": pl.Series(list(X), dtype=pl.Object), "g": list(G)}),
    "arrow dictionary": lambda: pa.table({"y": Y, "x": X, "g": pa.array(G[::-1]).dictionary_encode()[::-1]}),
    "pandas Arrow dictionary": lambda: DATA.assign(
        g=pd.Series(pa.array(G).dictionary_encode(), dtype=pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string())))
    ),
}


@pytest.mark.parametrize("kind", WORKING)
def test_frames_that_work(kind: str) -> None:
    fit = fitted(WORKING[kind]())
    np.testing.assert_allclose(fit.fixef()["Estimate"], PLAIN.fixef()["Estimate"], rtol=1e-6)
    np.testing.assert_allclose(fit.fitted, PLAIN.fitted, rtol=1e-6)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "used twice": (lambda: pd.concat([DATA, DATA[["x"]]], axis=1), "same name.*x"),
    "group twice": (lambda: pd.concat([DATA, DATA[["g"]]], axis=1), "same name.*g"),
    "columns with levels": (lambda: pd.concat({"a": DATA}, axis=1), r"called \('a', 'y'\). Rename the columns"),
    "numbered columns": (lambda: pd.DataFrame(np.column_stack([Y, X])), "called 0. Rename the columns"),
    "mixed objects": (lambda: DATA.assign(x=["a" if i % 2 else 1.0 for i in range(N)]), "mixes numbers and text"),
    "complex": (lambda: DATA.assign(x=X + 1j), "type complex.*use its real part"),
    "complex response": (lambda: DATA.assign(y=Y + 0j), "type complex"),
    "lists": (lambda: DATA.assign(x=[[value] for value in X]), "type list"),
    "tuples": (lambda: DATA.assign(x=[(value, 1) for value in X]), "type tuple"),
    "spans": (lambda: DATA.assign(x=pd.to_timedelta(np.arange(N), unit="s")), "make it a number"),
    "infinite": (lambda: DATA.assign(x=np.where(np.arange(N) == 3, np.inf, X)), "infinite in row 4"),
    "only missing": (lambda: DATA.assign(x=np.nan), "No row of the data is complete"),
    "no rows": (lambda: DATA.iloc[:0], "no rows"),
    "one row": (lambda: DATA.iloc[:1], "one row only"),
    "huge": (lambda: DATA.assign(y=Y * 1e160), "squares overflow; rescale it"),
    "tiny response": (lambda: DATA.assign(y=Y * 1e-200), "squares underflow to 0; rescale it"),
    "tiny predictor": (lambda: DATA.assign(x=X * 1e-200), "squares underflow to 0; rescale it"),
    "huge integers": (lambda: DATA.assign(x=[10**30 + i for i in range(N)]), "beyond 2\\^53"),
    "a lazy frame": (lambda: pl.DataFrame({"y": Y}).lazy(), "collect"),
    "grouped": (lambda: DATA.groupby("g"), "DataFrameGroupBy"),
    "constant": (lambda: DATA.assign(y=1.0), "no variation"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_frames_that_are_refused(kind: str) -> None:
    make, message = REFUSED[kind]
    with pytest.raises(BayesmlError, match=message):
        fitted(make())


NEW: dict[str, tuple[Any, str]] = {
    "used twice": (pd.concat([DATA, DATA[["x"]]], axis=1), "same name.*x"),
    "group twice": (pd.concat([DATA, DATA[["g"]]], axis=1), "same name.*g"),
    "other lengths": ({"x": [1.0, 2.0], "g": ["g0"]}, "differ in length"),
    "complex": ({"x": [1j], "g": ["g0"]}, "type complex"),
    "mixed": ({"x": [1.0, "a"], "g": ["g0", "g1"]}, "mixes numbers and text"),
    "text": ({"x": ["1.0"], "g": ["g0"]}, "convert it"),
    "infinite": ({"x": [np.inf], "g": ["g0"]}, "infinite"),
    "a list": ([1.0, 2.0], "of type list"),
    "columns with levels": (pd.concat({"a": DATA}, axis=1), "Rename the columns"),
}


@pytest.mark.parametrize("kind", NEW)
def test_new_data_that_are_refused(kind: str) -> None:
    new, message = NEW[kind]
    with pytest.raises(DataError, match=message):
        PLAIN.predict(new)


# Formulas -------------------------------------------------------------------------------------------------------------

LONG: dict[str, str] = {
    "sum": "y ~ I(" + "+".join(["x"] * 10_000) + ")",
    "signs": "y ~ I(" + "-" * 3_000 + "x)",
    "powers": "y ~ I(" + "x**" * 2_000 + "1)",
    "offset": "y ~ x + offset(" + "+".join(["x"] * 2_000) + ")",
    "weights": "y | weights(" + "+".join(["1"] * 2_000) + ") ~ x",
    "response": "+".join(["y"] * 2_000) + " ~ x",
    "brackets": "y ~ " + "(" * 5_000 + "x" + ")" * 5_000,
    "groups": "y ~ x + (1 | " + ":".join(["g"] * 5_000) + ")",
    "name": "y ~ " + "a" * 100_000,
    "interactions": "y ~ " + " * ".join(f"x{i}" for i in range(25)),
}


@pytest.mark.parametrize("kind", LONG)
def test_formulas_that_are_too_large_are_refused(kind: str) -> None:
    with pytest.raises(FormulaError):
        fitted(DATA.assign(**{f"x{i}": X for i in range(25)}), LONG[kind], "laplace")


def test_a_formula_of_ten_thousand_terms_is_read() -> None:
    data = {"y": [0.1, 0.3, 0.2, 0.5], **{f"v{i}": [float(i % 7), 1.0, 0.0, 2.0] for i in range(10_000)}}
    table = bayesml.default_prior("y ~ " + " + ".join(f"v{i}" for i in range(10_000)), data)
    assert set(table["coef"]) >= {"v0", "v9999"}
    repeated = fitted(DATA, "y ~ x" + " + x" * 10_000 + " + (1 | g)")
    assert repeated["b_x"] == pytest.approx(PLAIN["b_x"])


def test_three_hundred_predictors() -> None:
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(700, 300))
    truth = rng.normal(size=300)
    group = rng.normal(size=20)[np.arange(700) % 20]
    data = {f"p{i}": columns[:, i] for i in range(300)}
    data |= {"y": columns @ truth + group + rng.normal(size=700), "g": np.arange(700) % 20}
    fit = fitted(data, "y ~ " + " + ".join(f"p{i}" for i in range(300)) + " + (1 | g)")
    table = fit.fixef().iloc[1:]
    z = (table["Estimate"] - truth) / table["Std.Error"]
    assert abs(np.mean(z**2) - 1) < 5 * np.sqrt(2 / 300)  # mean of 300 squared standard normals, nearly
    with pytest.raises(DataError, match="301 fixed effects for 100 rows|leave nothing"):
        fitted({name: np.asarray(values)[:100] for name, values in data.items()}, fit.formula)


# Size -----------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_million_rows_in_a_hundred_thousand_groups() -> None:
    rng = np.random.default_rng(0)
    rows, groups = 10**6, 10**5
    g, x = rng.permutation(rows) % groups, rng.normal(size=rows)
    y = 1 + 0.5 * x + rng.normal(size=groups)[g] + rng.normal(size=rows)
    data = pd.DataFrame({"y": y, "x": x, "g": g}, index=pd.Index([f"r{i}" for i in range(rows)]))
    fit = fitted(data)
    table = fit.fixef()
    assert (np.abs(table["Estimate"] - [1.0, 0.5]) < 5 * table["Std.Error"]).all()
    # Standard errors of the two standard deviations, balanced design of 10 rows in each group.
    assert fit.sigma == pytest.approx(1.0, abs=5 / np.sqrt(2 * rows * 0.9))
    assert fit["sd_g__Intercept"] == pytest.approx(1.0, abs=5 * 1.1 / np.sqrt(2 * groups))
    assert fit.fitted.index.equals(data.index)
    assert fit.ranef()["g"].shape[0] == groups
    assert "100000" in str(fit)
    assert np.isfinite(fit.predict(se=True)["Std.Error"]).all()
    new = data.iloc[[5, 3]].drop(columns="y")
    np.testing.assert_allclose(fit.predict(new), fit.fitted.iloc[[5, 3]])
    assert fit.refit(data["y"].iloc[::-1])["b_x"] == pytest.approx(fit["b_x"], rel=1e-6)


@pytest.mark.parametrize("character", ["\0", "\ud800"])
def test_text_that_no_file_can_hold_is_refused_before_the_fit(character: str) -> None:
    y = [1.0, 1.5, 4.0, 4.5, 8.0, 8.7, 2.1, 2.0]
    levels = ["a", "b", f"c{character}", "a"] * 2
    for formula in ("y ~ 1 + (1 | g)", "y ~ g"):
        with pytest.raises(DataError, match="no file can hold"):
            bayesml.fit(formula, {"y": y, "g": levels}, method="ml")
    with pytest.raises(DataError, match="name of the column"):
        bayesml.fit(f"y ~ `x{character}`", {"y": y, f"x{character}": y[::-1]}, method="ml")
    unused = {"y": y, "g": levels, "h": list("aabbccdd")}
    assert len(bayesml.fit("y ~ 1 + (1 | h)", unused, method="ml").fitted) == 8
