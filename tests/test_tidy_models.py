"""Models as data frames in broom's columns, against the tables that they come from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import ModelError
from bayesml.results.fits.fit_object import PointFit
from tests.handmade import CHAINS, DRAWS, handmade_fit, sleep


@pytest.fixture(scope="module")
def fit() -> bayesml.Fit:
    return handmade_fit(bayesml.bf("Reaction ~ Days + (Days | Subject)", "nu ~ Days"), sleep(), "student")


@pytest.fixture(scope="module")
def point() -> PointFit:
    found = bayesml.fit("Reaction ~ Days + (Days | Subject)", bayesml.load_dataset("sleepstudy"), method="reml")
    assert isinstance(found, PointFit)
    return found


def row(table: pd.DataFrame, **values: str) -> pd.Series:
    found = table[np.logical_and.reduce([table[name] == value for name, value in values.items()])]
    assert len(found) == 1
    return found.iloc[0]


def test_draws_in_the_columns_of_broom(fit: bayesml.Fit) -> None:
    table = fit.tidy()
    assert list(table) == ["effect", "component", "group", "term", "estimate", "std.error", "conf.low", "conf.high"]
    assert table["term"].tolist() == [
        *("(Intercept)", "Days", "(Intercept)", "Days"),
        *("sd__(Intercept)", "sd__Days", "cor__(Intercept).Days", "sd__Observation"),
    ]
    assert table["component"].tolist() == ["cond"] * 2 + ["nu"] * 2 + ["cond"] * 4
    assert table["group"].fillna("").tolist() == [""] * 4 + ["Subject"] * 3 + ["Residual"]
    own = fit["b_Days"].to_numpy().ravel()
    found = row(table, component="cond", term="Days")
    expected = [own.mean(), own.std(ddof=1), *np.quantile(own, [0.025, 0.975])]
    np.testing.assert_allclose(found[["estimate", "std.error", "conf.low", "conf.high"]].tolist(), expected)
    effect = row(fit.tidy("ran_vals", robust=True), level="310", term="Days", group="Subject")
    assert effect["estimate"] == np.median(fit["r_Subject[310,Days]"])
    short = row(fit.tidy("fixed", conf_method="hdi", conf_level=0.5), component="nu", term="Days")
    assert short["conf.high"] - short["conf.low"] <= np.ptp(np.quantile(fit["b_nu_Days"], [0.25, 0.75])) + 1e-12


def test_one_row_about_draws(fit: bayesml.Fit) -> None:
    table = fit.glance()
    assert list(table) == ["algorithm", "pss", "nobs", "sigma"]
    assert table.iloc[0].tolist() == ["sampling", CHAINS * DRAWS, 60, pytest.approx(float(fit["sigma"].mean()))]


def test_rows_with_what_draws_say(fit: bayesml.Fit) -> None:
    table = fit.augment()
    assert list(table)[-3:] == [".fitted", ".se.fit", ".resid"] and len(table) == 60
    np.testing.assert_allclose(table[".fitted"], fit.epred(summary=True)["Estimate"])
    np.testing.assert_allclose(table[".resid"], table["Reaction"] - table[".fitted"])
    assert list(fit.augment({"Days": [1.0], "Subject": ["308"]}))[-2:] == [".fitted", ".se.fit"]


def test_estimates_in_the_columns_of_broom(point: PointFit) -> None:
    table = point.tidy()
    assert list(table)[:4] == ["effect", "component", "group", "term"]
    # summary(lmer(Reaction ~ Days + (Days | Subject), sleepstudy)) of lmerTest 3.1-3
    days = row(table, term="Days")
    numbers = days[["estimate", "std.error", "statistic", "df"]].tolist()
    np.testing.assert_allclose(numbers, [10.46729, 1.54579, 6.77148, 17.0], rtol=2e-4)
    np.testing.assert_allclose(days["p.value"], 3.264e-06, rtol=2e-3)
    ends = point.confint(parameters="b_Days").iloc[0]
    np.testing.assert_allclose(days[["conf.low", "conf.high"]].tolist(), ends[["lower", "upper"]].tolist(), rtol=1e-12)
    assert row(table, term="sd__Observation")["estimate"] == point.sigma
    assert row(table, term="cor__(Intercept).Days")["estimate"] == point["cor_Subject__Intercept__Days"]
    assert np.isnan(row(table, term="sd__Days")["p.value"])
    mode = row(point.tidy("ran_vals"), level="308", term="Days")
    own = point.ranef()["Subject"].query("level == '308' and coef == 'Days'").iloc[0]
    assert mode[["estimate", "std.error"]].tolist() == own[["Estimate", "Std.Error"]].tolist()
    assert mode["conf.high"] - mode["estimate"] == pytest.approx(1.959964 * mode["std.error"], rel=1e-6)


def test_one_row_about_an_estimate(point: PointFit) -> None:
    table = point.glance()
    assert list(table) == ["nobs", "sigma", "logLik", "AIC", "BIC", "REMLcrit", "df.residual"]
    assert table["REMLcrit"].iloc[0] == pytest.approx(1743.628, abs=1e-3)  # lme4's REML criterion


def test_rows_with_what_an_estimate_says(point: PointFit) -> None:
    table = point.augment()
    np.testing.assert_array_equal(table[".fitted"], point.fitted)
    np.testing.assert_allclose(table[".fitted"] + table[".resid"], table["Reaction"])
    new = pd.DataFrame({"Days": [0, 4], "Subject": [308, 309]})
    np.testing.assert_array_equal(point.augment(new)[".fitted"], point.epred(new))


def test_categories_and_several_responses_have_columns_of_their_own() -> None:
    rng = np.random.default_rng(1)
    data = {"y": rng.integers(1, 4, 40), "z": rng.normal(size=40), "x": rng.normal(size=40)}
    sampled = handmade_fit("y ~ x", data, "cumulative")
    assert list(sampled.augment())[-6::2] == [".fitted_1", ".fitted_2", ".fitted_3"]
    assert sampled.tidy()["term"].tolist() == ["Intercept[1]", "Intercept[2]", "x"]
    several = handmade_fit(bayesml.bf("z ~ x") + bayesml.bf("x ~ 1"), data)
    assert {".fitted_z", ".fitted_x", ".resid_z"} <= set(several.augment())
    assert several.tidy("fixed")["response"].tolist() == ["z", "z", "x"]
    point = bayesml.fit("y ~ x", data, "cumulative", method="laplace")
    assert list(point.augment())[-3:] == [".fitted_1", ".fitted_2", ".fitted_3"]
    assert point.tidy("fixed")["term"].tolist() == ["Intercept[1]", "Intercept[2]", "x"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda fit: fit.tidy("fixd"), "did you mean `fixed`"),
        (lambda fit: fit.tidy([]), "`effects` is one or some of"),
        (lambda fit: fit.tidy(conf_level=95), "`conf_level` lies between"),
        (lambda fit: fit.augment({"Dayz": [1]}), "Subject"),
    ],
)
def test_wrong_options_are_told(call: object, said: str, fit: bayesml.Fit, point: PointFit) -> None:
    for each in (fit, point):
        with pytest.raises(bayesml.BayesmlError, match=said):
            call(each)  # type: ignore[operator]
    with pytest.raises(ModelError, match="`conf_method` is"):
        fit.tidy(conf_method="wald")  # type: ignore[arg-type]
