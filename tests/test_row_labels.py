"""Results with one row for each row of the data keep the labels of its rows; labelled input is put in order by them."""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import bayesml
from bayesml import DataError, FitWarning
from bayesml.frame import read_frame
from bayesml.frame.stored_index import index_from_json, index_to_json
from bayesml.results.fits.fit_object import Fit, PointFit

FORMULA = "y ~ x + (1 | g)"
N = 40


def data(index: pd.Index | None = None) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    g = np.repeat([f"g{i}" for i in range(8)], N // 8)
    x = rng.normal(size=N)
    effects = 3 * rng.normal(size=8)[np.repeat(np.arange(8), N // 8)]
    return pd.DataFrame({"y": 1 + 2 * x + effects + rng.normal(size=N), "x": x, "g": g}, index=index)


def point(frame: Any) -> PointFit:
    fitted = bayesml.fit(FORMULA, frame, method="reml")
    assert isinstance(fitted, PointFit)
    return fitted


def drawn(frame: Any) -> Fit:
    return point(frame).to_normal_draws(20, seed=1)


@cache
def plain_fit() -> PointFit:
    return point(data())


@cache
def point_of(kind: str) -> PointFit:
    return point(data(INDEXES[kind]))


@cache
def drawn_of(kind: str) -> Fit:
    return point_of(kind).to_normal_draws(20, seed=1)


INDEXES: dict[str, pd.Index] = {
    "numbers": pd.Index(np.arange(N) * 3 + 7, name="row"),
    "permuted": pd.Index(np.random.default_rng(1).permutation(N)),
    "text": pd.Index([f"p{i}" for i in range(N)], name="id"),
    "repeated": pd.Index(np.repeat(["a", "b"], N // 2)),
    "times": pd.date_range("2020-01-31 12:00", periods=N, freq="h", name="t"),
    "zoned": pd.date_range("2020-03-29", periods=N, freq="h", tz="Europe/Berlin"),
    "spans": pd.to_timedelta(np.arange(N), unit="min"),
    "periods": pd.period_range("2020-01", periods=N, freq="M"),
    "intervals": pd.interval_range(0.0, 1.0, periods=N),
    "categories": pd.CategoricalIndex([f"c{i % 7}" for i in range(N)], [f"c{i}" for i in range(8)][::-1]),
    "truth": pd.Index([i % 3 == 0 for i in range(N)]),
    "nullable": pd.Index([*range(N - 1), None], dtype="Int64"),
    "mixed": pd.Index(["a", 1, 2.5, None, *range(10, 6 + N)], dtype=object),
    "levels": pd.MultiIndex.from_product([[f"s{i}" for i in range(8)], range(5)], names=["subject", "day"]),
    "levels without names": pd.MultiIndex.from_product([["s", "t"], pd.date_range("2021", periods=N // 2)]),
    "levels of reserved names": pd.MultiIndex.from_product([["s", "t"], range(N // 2)], names=["chain", "obs"]),
    "float": pd.Index(np.linspace(0, 1, N)),
}


@pytest.mark.parametrize("kind", INDEXES)
def test_a_point_estimate_keeps_the_index(kind: str) -> None:
    frame = data(INDEXES[kind])
    fit, plain = point_of(kind), plain_fit()
    for found, wanted in [
        (fit.fitted, plain.fitted),
        (fit.residuals("pearson"), plain.residuals("pearson")),
        (fit.predict(), plain.predict()),
        (fit.linpred(), plain.linpred()),
        (fit.predict(frame.iloc[3:9]), plain.predict().iloc[3:9]),
        (fit.predict(se=True)["Std.Error"], plain.predict(se=True)["Std.Error"]),
        (fit.influence()["leverage"], plain.influence()["leverage"]),
    ]:
        assert found.index.equals(frame.index if len(found) == N else frame.index[3:9])
        assert list(found.index.names) == list(frame.index.names)
        np.testing.assert_allclose(found.to_numpy(), wanted.to_numpy(), rtol=1e-9)


@pytest.mark.parametrize("kind", INDEXES)
def test_draws_keep_the_index(kind: str) -> None:
    frame, fit = data(INDEXES[kind]), drawn_of(kind)
    new = frame.iloc[[5, 2, 9]]
    for method in (fit.epred, fit.predict, fit.linpred, fit.residuals):
        assert method(summary=True).index.equals(frame.index)  # type: ignore[operator]
        assert method(new, summary=True).index.equals(new.index)  # type: ignore[operator]
        arrays = method(new)  # type: ignore[operator]
        assert arrays.mean(["chain", "draw"]).to_series().index.equals(new.index)
    assert fit.log_lik(ndraws=3).indexes["obs"].equals(frame.index)


@pytest.mark.parametrize("kind", INDEXES)
def test_an_index_as_plain_values_and_back(kind: str) -> None:
    index = INDEXES[kind]
    again = index_from_json(json.loads(json.dumps(index_to_json(index))))
    assert again is not None and again.equals(index)
    assert list(again.names) == list(index.names)


@pytest.mark.parametrize("kind", ["text", "zoned", "levels", "mixed"])
def test_a_saved_fit_keeps_the_index(kind: str, tmp_path: Path) -> None:
    fit = drawn_of(kind)
    fit.save(tmp_path / "fit.nc")
    loaded = bayesml.load(tmp_path / "fit.nc")
    pd.testing.assert_frame_equal(loaded.epred(summary=True), fit.epred(summary=True), check_freq=False)


@pytest.mark.parametrize("kind", ["numbers", "text", "times", "zoned", "nullable", "mixed", "levels"])
def test_groups_for_arviz_hold_labels_that_a_file_can_hold(kind: str, tmp_path: Path) -> None:
    import xarray as xr

    index = INDEXES[kind]
    idata = drawn_of(kind).to_arviz(log_likelihood=True, posterior_predictive=True, seed=1)
    labels = None
    for group in ("observed_data", "constant_data", "log_likelihood", "posterior_predictive"):
        node = idata[group]
        dataset = node if isinstance(node, xr.Dataset) else node.to_dataset()
        dataset.to_netcdf(tmp_path / f"{group}.nc", engine="h5netcdf")
        found = dataset["obs"].to_numpy()
        labels = found if labels is None else labels
        np.testing.assert_array_equal(found, labels)
        if kind in ("numbers", "text", "times"):
            assert index.equals(pd.Index(found))
        if kind == "levels":
            assert dataset["day"].dims == ("obs",)
            assert dataset["day"].to_numpy().tolist() == index.get_level_values("day").tolist()


def test_a_part_of_a_frame_is_aligned_with_its_predictions() -> None:
    frame = data()
    part = frame[frame["x"] > 0]
    fit = drawn(part)
    together = part.assign(p=fit.epred(summary=True)["Estimate"], r=fit.residuals(summary=True)["Estimate"])
    np.testing.assert_allclose(together["y"], together["p"] + together["r"], rtol=1e-9)
    estimate = point(part)
    shuffled = part.sample(frac=1.0, random_state=3)
    together = part.assign(p=estimate.fitted, q=estimate.predict(shuffled), r=estimate.residuals())
    np.testing.assert_allclose(together["p"], together["q"], rtol=1e-12)
    np.testing.assert_allclose(together["y"], together["p"] + together["r"], rtol=1e-12)


def test_rows_left_out_have_no_prediction() -> None:
    frame = data(INDEXES["text"])
    frame.loc[["p3", "p17"], "x"] = np.nan
    with pytest.warns(FitWarning, match="2 of 40"):
        fit = point(frame)
    with_fitted = frame.assign(p=fit.fitted)
    assert with_fitted.index[with_fitted["p"].isna()].tolist() == ["p3", "p17"]
    assert fit.to_normal_draws(20, seed=1).epred(summary=True).index.equals(frame.index.drop(["p3", "p17"]))


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table, dict], ids=["polars", "pyarrow", "dict"])
def test_rows_of_other_frames_are_numbered(make: Any) -> None:
    frame = make(data().to_dict("list"))
    fit = point(frame)
    assert fit.fitted.index.tolist() == list(range(N))
    assert fit.to_normal_draws(20, seed=1).epred({"x": [1.0, 2.0], "g": ["g0", "g1"]}).obs.values.tolist() == [0, 1]


# Series with labels of their own ------------------------------------------------------------------------------------


def test_series_with_the_same_labels_are_brought_into_one_order() -> None:
    x = pd.Series(np.arange(20.0), index=list("abcdefghijklmnopqrst"))
    y = 1 + 2 * x + 0.1 * np.sin(x)
    shuffled = y.sample(frac=1.0, random_state=1)
    wanted = bayesml.fit("y ~ x", pd.DataFrame({"y": y, "x": x}), method="laplace")
    found = bayesml.fit("y ~ x", {"y": shuffled, "x": x}, method="laplace")
    assert isinstance(found, PointFit) and isinstance(wanted, PointFit)
    assert found["b_x"] == pytest.approx(wanted["b_x"], rel=1e-9)
    assert found.fitted.index.equals(shuffled.index)
    np.testing.assert_allclose(found.fitted[x.index], wanted.fitted, rtol=1e-9)


def test_new_data_of_series_are_brought_into_one_order() -> None:
    frame = data(INDEXES["text"])
    fit = point(frame)
    new = {"x": frame["x"].iloc[::-1], "g": frame["g"].sample(frac=1.0, random_state=1)}
    np.testing.assert_allclose(fit.predict(new)[frame.index], fit.fitted, rtol=1e-12)


X = pd.Series([1.0, 2.0, 3.0, 4.0], index=["a", "b", "c", "d"])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": X, "y": X.reset_index(drop=True)}, "labels differ: `y` lacks 'a', 'b', 'c' and 1 more"),
        ({"x": X, "y": X.rename({"d": "e"})}, "labels differ: `y` lacks 'd'"),
        ({"x": X.rename({"b": "a"}), "y": X.rename({"b": "a"}).iloc[::-1]}, "repeat and stand in another order"),
        ({"x": X, "y": X.iloc[::-1], "z": [1, 2, 3, 4]}, "another order, beside `z`, which has no labels"),
        ({"x": X, "y": X.iloc[:3]}, "differ in length"),
    ],
)
def test_series_that_cannot_be_matched_are_refused(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_frame(columns, list(columns))


def test_series_beside_arrays_are_taken_by_position_where_their_labels_agree() -> None:
    frame = read_frame({"x": X, "y": X + 1, "z": [5, 6, 7, 8]}, ["x", "y", "z"])
    assert frame.labels().equals(X.index)
    assert frame.column("z").values.tolist() == [5, 6, 7, 8]


def test_refit_goes_by_the_index() -> None:
    frame = data(INDEXES["text"])
    fit = point(frame)
    y = frame["y"] ** 2
    wanted = fit.refit(y.to_numpy()).logLik
    assert fit.refit(y).logLik == pytest.approx(wanted)
    assert fit.refit(y.sample(frac=1.0, random_state=1)).logLik == pytest.approx(wanted)
    assert fit.refit(y.to_frame().iloc[::-1]).logLik == pytest.approx(wanted)
    with pytest.raises(DataError, match="index is not that"):
        fit.refit(y.reset_index(drop=True))
    with pytest.raises(DataError, match="index is not that"):
        fit.refit(pd.concat([y, y.rename(lambda label: f"{label}+")]))
    with pytest.raises(DataError, match="2 columns"):
        fit.refit(frame[["y", "x"]])
    with pytest.raises(DataError, match="has categories"):
        fit.refit(["a"] * N)
    with pytest.raises(DataError, match=r"missing in 40 of 40"):
        fit.refit([None] * N)


def test_refit_takes_the_rows_that_were_left_out_too() -> None:
    frame = data(INDEXES["permuted"])
    frame.iloc[4, 1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        fit = point(frame)
    assert fit.refit(frame["y"]).logLik == pytest.approx(fit.logLik)
    assert fit.refit(frame["y"].sample(frac=1.0, random_state=1)).logLik == pytest.approx(fit.logLik)


def test_refit_of_two_categories_knows_which_is_one() -> None:
    rng = np.random.default_rng(3)
    answer = rng.choice(["no", "yes"], size=60)
    frame = pd.DataFrame({"y": answer, "x": rng.normal(size=60)})
    fit = bayesml.fit("y ~ x", frame, "bernoulli", method="laplace")
    assert isinstance(fit, PointFit)
    assert fit.refit(frame["y"].iloc[::-1])["b_x"] == pytest.approx(fit["b_x"])
    assert fit.refit((answer == "yes").astype(float))["b_x"] == pytest.approx(fit["b_x"])
    assert fit.refit(["yes", *["no"] * 59]).fitted.mean() == pytest.approx(1 / 60, rel=1e-6)
