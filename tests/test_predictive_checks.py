"""``pp_check``: every kind in groups, the right numbers, and what cannot be drawn; test_plot_gallery.py draws each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pandas as pd
import pytest
from arviz_stats.base import array_stats
from matplotlib import pyplot as plt
from scipy.stats import kstest, norm

import bayesml
from bayesml.errors import DataError, ModelError, PriorError
from bayesml.results.checks.psis import smoothed_weights
from bayesml.results.plots.predictive.by_row import QUANTILES, quantiles
from bayesml.results.plots.predictive.calibration import isotonic, simultaneous_band
from bayesml.results.plots.predictive.compared import Compared, pit_values
from bayesml.results.plots.predictive.kinds import ALIASES, KINDS
from tests.handmade import handmade_fit
from tests.pictures import assert_shows, panels

N = 90
PROBABILITIES = ("calibration", "loo_calibration")


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "y": rng.normal(3.0, 1.0, N),
            "k": rng.poisson(2.0, N),
            "b": rng.integers(0, 2, N),
            "o": pd.Categorical(rng.choice(["low", "mid", "high"], N), ["low", "mid", "high"], ordered=True),
            "x": rng.normal(size=N),
            "f": rng.choice(["u", "v", "w"], N),
        }
    )


FRAME = data()


@pytest.fixture(scope="module")
def fits() -> dict[str, bayesml.Fit]:
    """Return fits whose draws are those of a normal approximation, so that they fit the data."""
    made = {}
    for name, formula, family in (
        ("normal", "y ~ x + f", "gaussian"),
        ("counts", "k ~ x + f", "poisson"),
        ("two", "b ~ x + f", "bernoulli"),
        ("ordered", "o ~ x", "cumulative"),
    ):
        made[name] = bayesml.fit(formula, FRAME, family, method="laplace").to_normal_draws(400, seed=1)
    return made


def chosen(fits: dict[str, bayesml.Fit], kind: str) -> bayesml.Fit:
    if kind in PROBABILITIES or kind == "error_binned":
        return fits["two"]
    return fits["counts" if kind in ("bars", "rootogram") else "normal"]


def further(kind: str) -> dict[str, Any]:
    return {"x": "x"} if kind == "error_scatter_avg_vs_x" else {}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_for_each_group(kind: str, fits: dict[str, bayesml.Fit]) -> None:
    figure = chosen(fits, kind).pp_check(kind=f"ppc_{kind}_grouped", ndraws=20, seed=1, group="f", **further(kind))
    each = min(len(panels(chosen(fits, kind).pp_check(kind=kind, ndraws=20, seed=1, **further(kind)))), 5)
    assert len(panels(figure)) == 3 * each
    titles = [axes.get_title(loc="left") for axes in panels(figure)]
    assert [title[:5] for title in titles[::each]] == ["f = u", "f = v", "f = w"]


@pytest.mark.parametrize("kind", [*PROBABILITIES, "error_binned"])
def test_categories_have_a_panel_each(kind: str, fits: dict[str, bayesml.Fit]) -> None:
    figure = fits["ordered"].pp_check(kind=kind, seed=1)
    assert_shows(figure, 3)
    assert [axes.get_title(loc="left") for axes in panels(figure)] == ["o = low", "o = mid", "o = high"]


def test_bars_of_categories_have_their_names(fits: dict[str, bayesml.Fit]) -> None:
    (axes,) = panels(fits["ordered"].pp_check(seed=1))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["low", "mid", "high"]
    assert [bar.get_height() for bar in axes.patches] == list(FRAME["o"].value_counts()[["low", "mid", "high"]])


def test_names_of_arviz_are_understood() -> None:
    assert set(ALIASES.values()) <= set(KINDS)
    fit = handmade_fit("y ~ x", FRAME)
    assert fit.pp_check(kind="ppc_tstat", seed=1).axes[0].get_xlabel() == "mean of y"


# What is drawn --------------------------------------------------------------------------------------------------------


def test_statistics_by_name_and_by_function(fits: dict[str, bayesml.Fit]) -> None:
    fit = fits["normal"]
    drawn = np.asarray(fit.predict(ndraws=50, seed=3))
    figure = fit.pp_check(kind="stat_2d", ndraws=50, seed=3, stat=["median", np.ptp])
    offsets = np.asarray(panels(figure)[0].collections[0].get_offsets())
    np.testing.assert_allclose(offsets, np.stack([np.median(drawn, axis=1), np.ptp(drawn, axis=1)], axis=1))
    observed = panels(figure)[0].lines[-1]
    np.testing.assert_allclose(observed.get_xydata()[0], [FRAME["y"].median(), np.ptp(FRAME["y"])])
    for name, value in (("q25", FRAME["y"].quantile(0.25)), ("max", FRAME["y"].max())):
        (axes,) = panels(fit.pp_check(kind="stat", stat=name, ndraws=20, seed=1))
        np.testing.assert_allclose(axes.lines[0].get_xdata()[0], value)


def test_groups_and_axes_may_be_values(fits: dict[str, bayesml.Fit]) -> None:
    fit, outside = fits["normal"], pd.Series(np.tile([1, 2], N // 2), name="half")
    by_values = fit.pp_check(kind="ecdf_overlay", group=outside.sample(frac=1.0, random_state=1), ndraws=3, seed=1)
    first, second = panels(by_values)
    assert [axes.get_title(loc="left") for axes in (first, second)] == ["half = 1", "half = 2"]
    np.testing.assert_allclose(first.lines[-1].get_xdata(), np.sort(FRAME["y"][outside == 1]))
    (axes,) = panels(fit.pp_check(kind="ribbon", x=np.arange(N), seed=1))
    np.testing.assert_allclose(axes.lines[0].get_xydata(), np.stack([np.arange(N), FRAME["y"]], axis=1))


def test_rows_that_the_fit_has_not_seen(fits: dict[str, bayesml.Fit]) -> None:
    new = FRAME.iloc[:12].assign(y=lambda rows: rows["y"] + 1.0, h="h")
    figure = fits["normal"].pp_check(kind="ecdf_overlay", newdata=new, ndraws=3, seed=1, group="h")
    np.testing.assert_allclose(panels(figure)[0].lines[-1].get_xdata(), np.sort(new["y"]))


def test_hanging_bars_are_roots_of_counts(fits: dict[str, bayesml.Fit]) -> None:
    (axes,) = panels(fits["counts"].pp_check(kind="rootogram", seed=1))
    tops = [bar.get_y() + bar.get_height() for bar in axes.patches]
    np.testing.assert_allclose(tops, axes.lines[0].get_ydata())
    counts = np.bincount(FRAME["k"])
    np.testing.assert_allclose([bar.get_height() for bar in axes.patches[: len(counts)]], np.sqrt(counts))


def test_mean_errors_of_bins(fits: dict[str, bayesml.Fit]) -> None:
    (axes,) = panels(fits["two"].pp_check(kind="error_binned", seed=1, ndraws=400))
    expected = np.asarray(fits["two"].epred()).reshape(400, -1).mean(axis=0)
    line = next(line for line in axes.lines if line.get_marker() == "o")
    assert len(line.get_xdata()) == int(np.sqrt(N))
    # all bins together have the mean error of all rows: bins have 10 rows each
    np.testing.assert_allclose(np.mean(line.get_ydata()), np.mean(FRAME["b"] - expected), rtol=1e-10)


def test_probability_integral_transforms_are_uniform_where_the_model_is_right() -> None:
    rng = np.random.default_rng(2)
    for draw in (lambda size: rng.normal(size=size), lambda size: rng.poisson(1.5, size).astype(float)):
        pit = pit_values(Compared(draw(2000), draw((500, 2000)), "y"))
        # of 500 draws the transforms are uniform on steps of 1/500; p is uniform too
        assert kstest(pit, "uniform").pvalue > 0.001


def test_left_out_transforms_are_those_of_arviz(fits: dict[str, bayesml.Fit]) -> None:
    fit = fits["normal"]
    log_lik = np.asarray(fit.log_lik()).reshape(400, -1)
    replicated = np.asarray(fit.predict(seed=5)).reshape(400, -1)
    log_weights, k = smoothed_weights(-log_lik.T)
    y = FRAME["y"].to_numpy()
    pit = pit_values(Compared(y, replicated, "y", log_weights=log_weights.T))
    for row in range(0, N, 9):
        own, shape = array_stats.psislw(log_lik[:, row])
        weights = np.exp(own) / np.exp(own).sum()
        np.testing.assert_allclose(k[row], shape, rtol=1e-6)
        np.testing.assert_allclose(pit[row], (weights * (replicated[:, row] < y[row])).sum(), rtol=1e-6)


def test_bands_hold_the_whole_curve_in_95_of_100_cases() -> None:
    lower, upper = simultaneous_band(80, 79)
    at = np.linspace(0, 1, 81)[1:-1]
    rng = np.random.default_rng(3)
    numbers = np.sort(rng.random((2000, 80)), axis=1)
    shares = np.stack([np.searchsorted(row, at, side="right") for row in numbers]) / 80
    inside = ((shares >= lower) & (shares <= upper)).all(axis=1).mean()
    # 1,000 simulations behind the band and 2,000 here: standard error of the share 0.0084; counts are discrete
    assert 0.925 < inside < 0.985


def test_pooled_sequences() -> None:
    y = np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    np.testing.assert_allclose(isotonic(y, np.ones(5)), [0.0, 0.5, 0.5, 1.0, 1.0])
    np.testing.assert_allclose(isotonic(y, np.array([1.0, 3.0, 1.0, 1.0, 1.0])), [0.0, 0.75, 0.75, 1.0, 1.0])


def test_weighted_intervals_leave_each_row_out() -> None:
    rng = np.random.default_rng(4)
    draws = rng.normal(size=(4000, 2))
    log_ratios = np.stack([draws[:, 0], np.zeros(4000)])  # exp(x) turns normal(0, 1) into normal(1, 1)
    compared = Compared(np.zeros(2), draws, "y", log_weights=smoothed_weights(log_ratios)[0].T)
    found = quantiles(compared)
    # about 4000 / e effective draws: standard error of the median 1.25 / sqrt(1470) = 0.033, of the 5% quantile 0.055
    np.testing.assert_allclose(found[:, 0], 1.0 + norm.ppf(QUANTILES), atol=0.25)
    np.testing.assert_allclose(found[:, 1], np.quantile(draws[:, 1], QUANTILES), atol=0.02)  # gaps between draws


# Draws from the prior -------------------------------------------------------------------------------------------------


def test_the_prior_predictive_distribution(fits: dict[str, bayesml.Fit]) -> None:
    figure = fits["normal"].pp_check(kind="stat", stat="sd", prior=True, ndraws=300, seed=1)
    assert_shows(figure, 1)
    edges = [bar.get_x() for bar in panels(figure)[0].patches]
    assert max(edges) > 3 * FRAME["y"].std()  # default priors are wide
    flat = bayesml.fit("y ~ x", FRAME, method="laplace", default_priors="brms").to_normal_draws(400, seed=1)
    with pytest.raises(PriorError, match='class "b" is flat'):
        flat.pp_check(prior=True)
    with pytest.raises(ModelError, match="have not seen them"):
        fits["normal"].pp_check(kind="loo_pit_qq", prior=True)


# What cannot be drawn -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"kind": "dens_overlays"}, '"dens_overlay".*did you mean'),
        ({"kind": 3}, '"dens_overlay", '),
        ({"kind": ""}, '"ecdf_overlay"'),
        ({"kind": "hist_grouped"}, 'group="f"'),
        ({"group": "zz"}, "no `zz`.*`y`"),
        ({"group": "y"}, "90 different values"),
        ({"group": [1, 2]}, "2 values, and the check has 90 rows"),
        ({"group": pd.Series([1] * N, index=range(5, 5 + N))}, "index of `group`"),
        ({"group": 3}, "`group` is the name of a column"),
        ({"kind": "ribbon", "x": "f"}, "categories"),
        ({"kind": "error_scatter_avg_vs_x"}, "needs `x`"),
        ({"kind": "stat", "stat": "maen"}, "did you mean"),
        ({"kind": "stat", "stat": []}, "`stat`"),
        ({"kind": "stat", "stat": lambda values: values}, "does not return a number"),
        ({"kind": "stat_2d", "stat": "mean"}, "two statistics"),
        ({"kind": "rootogram"}, "of counts"),
        ({"kind": "calibration"}, "two values"),
        ({"kind": "km_overlay", "newdata": FRAME}, "leave `newdata` out"),
        ({"ndraws": 0}, "ndraws"),
        ({"ndraws": 10**6}, "ndraws"),
        ({"kind": "hist", "ndraws": 100}, "panels do not fit"),
        ({"seed": -1}, "seed"),
        ({"prior": "yes"}, "`prior`"),
        ({"column": "u"}, "no column"),
        ({"resp": "z"}, "no response"),
    ],
)
def test_impossible_checks(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ModelError, match=told):
        handmade_fit("y ~ x + f", FRAME).pp_check(**options)


def test_new_rows_need_their_response() -> None:
    fit = handmade_fit("y ~ x", FRAME)
    with pytest.raises(DataError, match="`y`"):
        fit.pp_check(newdata={"x": [1.0, 2.0]})
