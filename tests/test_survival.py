"""Survival curves and their Kaplan-Meier estimates; what is shown of random categories."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import gamma

import bayesml
from bayesml import bf
from bayesml.errors import DataError, ModelError
from bayesml.results.checks.kaplan_meier import kaplan_meier
from tests.handmade import CHAINS, DRAWS, handmade_fit

ALL = CHAINS * DRAWS
ROWS = 60


def data() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    return pd.DataFrame(
        {
            "t": rng.weibull(1.4, ROWS) + 0.1,
            "c": rng.choice([0, 1], ROWS),
            "l": rng.choice(["left", "none"], ROWS),
            "enter": np.full(ROWS, 0.05),
            "n": rng.poisson(3.0, ROWS),
            "o": pd.Categorical(rng.choice(["lo", "mid", "hi"], ROWS), ["lo", "mid", "hi"], ordered=True),
            "x": rng.normal(size=ROWS),
            "sex": rng.choice(["f", "m"], ROWS),
        }
    )


DATA = data()
POSITIVE = {"shape": np.abs(np.random.default_rng(2).normal(size=(CHAINS, DRAWS))) + 0.5}


@pytest.fixture(scope="module")
def weibull() -> bayesml.Fit:
    return handmade_fit("t | cens(c) ~ x + sex", DATA, "weibull", change=POSITIVE)


# Times of remission of 21 patients with leukaemia (Freireich et al. 1963), and made-up times of entry:
# library(survival); survfit(Surv(t, e) ~ 1); survfit(Surv(enter, t, e) ~ 1), R 4.2, survival 3.5
TIMES = np.array([6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35], dtype=float)
EVENTS = np.repeat([True, False], [9, 12])
ENTRY = np.array([0, 2, 0, 3, 0, 5, 7, 0, 8, 0, 0, 4, 0, 6, 0, 7, 0, 9, 0, 0, 12], dtype=float)
FROM_THE_START = (0.8571428571, 0.8067226891, 0.7529411765, 0.6901960784, 0.6274509804, 0.5378151261, 0.4481792717)
LATE = (0.8, 0.7333333333, 0.6809523810, 0.6242063492, 0.5674603175, 0.4863945578, 0.4053287982)


@pytest.mark.parametrize(("entry", "known"), [(None, FROM_THE_START), (ENTRY, LATE)])
def test_kaplan_meier_is_that_of_r(entry: np.ndarray | None, known: tuple[float, ...]) -> None:
    times, shares = kaplan_meier(TIMES, EVENTS, entry)
    np.testing.assert_array_equal(times, [6, 7, 10, 13, 16, 22, 23])
    np.testing.assert_allclose(shares, known, rtol=1e-9)


def test_a_weight_is_a_row_repeated() -> None:
    weights = np.arange(21) % 3 + 1
    repeated = kaplan_meier(np.repeat(TIMES, weights), np.repeat(EVENTS, weights), np.repeat(ENTRY, weights))
    np.testing.assert_allclose(kaplan_meier(TIMES, EVENTS, ENTRY, weights)[1], repeated[1], rtol=1e-12)


def test_curves_are_those_of_the_distribution(weibull: bayesml.Fit) -> None:
    rows, times = {"x": [0.0, 1.0], "sex": ["f", "m"]}, [0.5, 1.0, 9.0]
    curves = weibull.survival(rows, times)
    assert curves.draws.dims == ("chain", "draw", "obs", "time")
    mean, shape = weibull.epred(rows).to_numpy().reshape(ALL, 2), POSITIVE["shape"].reshape(ALL, 1)
    scale = mean / gamma(1 + 1 / shape)
    known = np.stack([stats.weibull_min.sf(t, shape, scale=scale) for t in times], axis=-1)
    np.testing.assert_allclose(curves.values(), known, rtol=1e-9)
    np.testing.assert_array_equal(np.asarray(curves), curves.draws)
    table = curves.to_pandas()
    assert list(table.index.names) == ["obs", "time"] and list(table["Estimate"].loc[1].index) == times
    np.testing.assert_allclose(table["Q97.5"].loc[(1, 9.0)], np.quantile(known[:, 1, 2], 0.975))
    some = weibull.survival(rows, times, ndraws=7, seed=1)
    assert some.draws.dims == ("sample", "obs", "time") and some.values().shape == (7, 2, 3)


def test_curves_are_averaged_over_rows(weibull: bayesml.Fit) -> None:
    each = weibull.survival(DATA, [0.5, 1.0]).values()
    np.testing.assert_allclose(weibull.survival(times=[1.0, 0.5]).values()[:, 0], each.mean(axis=1), rtol=1e-12)
    by = weibull.survival(times=[0.5, 1.0], by="sex")
    for k, sex in enumerate(["f", "m"]):
        np.testing.assert_allclose(by.values()[:, k], each[:, DATA["sex"] == sex].mean(axis=1), rtol=1e-12)
        own = DATA[DATA["sex"] == sex]
        known = kaplan_meier(own["t"].to_numpy(), own["c"].to_numpy() == 0)
        np.testing.assert_allclose(by.observed[sex], known)
    assert len(weibull.survival().times) == 50


def test_truncation_and_other_censoring_leave_the_response_as_it_is() -> None:
    plain = handmade_fit("t ~ x", DATA, "weibull", change=POSITIVE).survival({"x": [0.3]}, [1.0]).values()
    for terms in ("trunc(lb = enter)", "cens(l)", "cens(c) + trunc(lb = enter)"):
        fit = handmade_fit(f"t | {terms} ~ x", DATA, "weibull", change=POSITIVE)
        np.testing.assert_allclose(fit.survival({"x": [0.3]}, [1.0]).values(), plain, rtol=1e-12)


def test_one_of_several_responses_has_its_own_curves() -> None:
    several = handmade_fit(bf("t | cens(c) ~ x", family="exponential") + bf("n ~ x", family="poisson"), DATA)
    mean = several.epred({"x": [0.5]}, resp="t").to_numpy().ravel()
    np.testing.assert_allclose(
        several.survival({"x": [0.5]}, [0.7], resp="t").values().ravel(), np.exp(-0.7 / mean), rtol=1e-9
    )


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda fit: fit.survival(by="sx"), "`by` is a column of the rows.*`sex`"),
        (lambda fit: fit.survival(times=["a"]), "`times` is a list of numbers"),
        (lambda fit: fit.survival(times=[]), "`times` is a list of numbers"),
        (lambda fit: fit.survival(times=[1.0]).plot(prob=2), "`prob` lies between 0 and 1"),
    ],
)
def test_what_cannot_be_asked_of_survival(weibull: bayesml.Fit, ask: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        ask(weibull)


def test_pictures_of_censored_responses(weibull: bayesml.Fit) -> None:
    import matplotlib.pyplot as plt

    (axes,) = weibull.pp_check(seed=1).axes
    assert axes.get_ylabel() == "survival probability" and len(axes.lines) == 11
    figure, axes = plt.subplots()
    assert weibull.survival(by="sex").plot(ax=axes) is figure
    plt.close("all")
    left = handmade_fit("t | cens(l) ~ x", DATA, "weibull", change=POSITIVE)
    with pytest.raises(ModelError, match="censored on the right"):
        left.pp_check(kind="km_overlay")
    with pytest.warns(bayesml.FitWarning, match="Censored"):
        left.pp_check(seed=1)


# Random categories ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["cumulative", "categorical"])
def test_random_categories_are_shown_as_probabilities(family: str) -> None:
    thresholds = np.sort(np.random.default_rng(1).normal(size=(CHAINS, DRAWS, 2)), axis=-1)
    change = {"b_Intercept": thresholds} if family == "cumulative" else {}
    fit = handmade_fit("o ~ x", DATA, family, change=change)
    drawn = fit.predict(seed=1)
    assert drawn.attrs["categories"] == fit.epred().coords["category"].to_numpy().tolist() == ["lo", "mid", "hi"]
    table = fit.predict(seed=1, summary=True)
    assert list(table) == ["P(Y = lo)", "P(Y = mid)", "P(Y = hi)"]
    for k, column in enumerate(table):
        np.testing.assert_allclose(table[column], (drawn.to_numpy() == k + 1).mean(axis=(0, 1)))
    # A share of 180 draws has a standard error of at most 0.5 / sqrt(180) = 0.037.
    np.testing.assert_allclose(table, fit.epred().mean(("chain", "draw")), atol=5 * 0.037)
    effects = fit.conditional_effects(method="predict", seed=1, resolution=3)["x"]
    np.testing.assert_allclose(effects.groupby("effect1__")["estimate__"].sum(), 1.0)
    assert effects["lower__"].isna().all()


def test_one_response_of_categories_among_several() -> None:
    fit = handmade_fit(bf("o ~ x", family="categorical") + bf("t ~ x"), DATA)
    assert fit.predict(seed=1).dims[-1] == "resp"
    tables = fit.predict(seed=1, summary=True)
    assert list(tables["o"]) == ["P(Y = lo)", "P(Y = mid)", "P(Y = hi)"] and "Estimate" in tables["t"]
    (axes,) = fit.pp_check(resp="o", seed=1).axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["lo", "mid", "hi"]


POINTS = DATA.assign(
    g=np.resize(list("abcdef"), ROWS), t=DATA["t"] * np.exp(np.resize([-1.2, 0.9, 0.3, -0.5, 1.3, 0], ROWS))
)


@pytest.mark.parametrize(
    ("formula", "family", "method"),
    [
        ("t | cens(c) ~ x + sex + (1 | g)", "weibull", "laplace"),
        (bf("t | cens(c) ~ x", shape="~ sex"), "weibull", "laplace"),
        ("t ~ x + sex + (1 | g)", "lognormal", "reml"),
    ],
)
def test_curves_of_point_estimates(formula: Any, family: str, method: str) -> None:
    """At the estimates they are the distribution function of SciPy; their errors agree with the delta method."""
    fit = bayesml.fit(formula, POINTS, family, method=method)
    rows, times = {"x": [0.0, 1.0], "sex": ["f", "m"], "g": ["a", "b"]}, np.array([0.5, 1.0, 2.0])
    curves = fit.survival(rows, times)
    table = curves.to_pandas()
    assert list(table.columns) == ["Estimate", "Std.Error", "Lower", "Upper"]

    def known(eta: np.ndarray, shape: float | np.ndarray) -> np.ndarray:
        if family == "lognormal":
            return stats.norm.sf(np.log(times), np.asarray(eta)[:, None], fit["sigma"])
        scale = np.exp(np.asarray(eta)) / gamma(1 + 1 / np.asarray(shape))
        return np.exp(-((times / scale[:, None]) ** np.reshape(shape, (-1, 1))))

    eta = fit.linpred(rows, se=True)
    has_formula = "shape" in str(formula)
    shape = (
        fit.linpred(rows, dpar="shape", transform=True) if has_formula else fit["shape"] if family != "lognormal" else 1
    )
    at = known(eta["Estimate"], shape)
    np.testing.assert_allclose(table["Estimate"].to_numpy().reshape(2, 3), at, rtol=1e-6)
    assert np.all((table["Lower"] < table["Estimate"]) & (table["Estimate"] < table["Upper"]))
    step = 1e-4
    slope = np.abs(known(eta["Estimate"] + step, shape) - known(eta["Estimate"] - step, shape)) / (2 * step)
    least = slope * eta["Std.Error"].to_numpy()[:, None]  # of the predictor alone; 1,000 draws, errors of other kinds
    assert np.all(table["Std.Error"].to_numpy().reshape(2, 3) > 0.6 * least)
    whole, by = fit.survival(times=times), fit.survival(times=times, by="sex")
    share = (POINTS["sex"] == "f").mean()
    average = share * by.estimate[0] + (1 - share) * by.estimate[1]
    np.testing.assert_allclose(whole.estimate[0], average, rtol=1e-9)
    with pytest.raises(DataError, match="not seen"):
        fit.survival({**rows, "g": ["new", "a"]}, times) if "g" in str(formula).split("|")[-1] else fit.survival(
            {**rows, "sex": ["f", "not seen"]}, times
        )


def test_point_estimates_without_a_distribution_function_have_no_curve() -> None:
    fit = bayesml.fit("o ~ x", DATA, "cumulative", method="laplace")
    with pytest.raises(ModelError, match="no survival curve"):
        fit.survival()


def test_random_times_say_which_answer() -> None:
    data = DATA.assign(dec=np.resize([0, 1], ROWS))
    change = {name: np.full((CHAINS, DRAWS), value) for name, value in (("bs", 1.5), ("ndt", 0.1), ("bias", 0.5))}
    fit = handmade_fit("t | dec(dec) ~ x", data, "wiener", change=change)
    signed, plain = fit.predict(seed=3, negative_rt=True), fit.predict(seed=3)
    np.testing.assert_array_equal(np.abs(signed), plain)
    assert 0.1 < (signed < 0).to_numpy().mean() < 0.9
    several = handmade_fit(bf("t | dec(dec) ~ x", family="wiener") + bf("n ~ x", family="poisson"), data,
                           change={f"{name}_t": value for name, value in change.items()})  # fmt: skip
    both = several.predict(seed=3, negative_rt=True)
    assert (both.sel(resp="t") < 0).any() and (both.sel(resp="n") >= 0).all()
    with pytest.raises(ModelError, match="which the family wiener has alone"):
        handmade_fit("n ~ x", data, "poisson").predict(negative_rt=True)
