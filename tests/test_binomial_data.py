"""Counts out of trials: how the response may be written, and what predictions of new rows need."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml import BayesmlError, DataError
from bayesml.results.fits.fit_object import PointFit

N = 60
RNG = np.random.default_rng(1)
X = RNG.normal(size=N)
G = np.repeat([f"g{i}" for i in range(6)], 10)
TRIALS = RNG.integers(1, 30, N)
S = RNG.binomial(TRIALS, 1 / (1 + np.exp(-X - RNG.normal(size=6)[np.repeat(np.arange(6), 10)])))
DATA = pd.DataFrame({"s": S, "f": TRIALS - S, "n": TRIALS, "p": S / TRIALS, "x": X, "g": G})
NEW = {"x": [0.0, 1.0], "g": ["g0", "g1"]}


def fitted(formula: str, data: Any = DATA, family: str = "binomial") -> PointFit:
    fit = bayesml.fit(formula, data, family, method="laplace")
    assert isinstance(fit, PointFit)
    return fit


FIT = fitted("s | trials(n) ~ x + (1 | g)")


def probability(fit: PointFit) -> np.ndarray:
    return 1 / (1 + np.exp(-fit.linpred(NEW).to_numpy()))


@pytest.mark.parametrize(
    "formula", ["cbind(s, f) ~ x + (1 | g)", "cbind(s, n - s) ~ x + (1 | g)", "p | trials(n) ~ x + (1 | g)"]
)
def test_the_spellings_are_one_model(formula: str) -> None:
    fit = fitted(formula)
    assert fit.logLik == pytest.approx(FIT.logLik, rel=1e-9)
    np.testing.assert_allclose(fit.fitted, FIT.fitted, rtol=1e-6)
    np.testing.assert_array_equal(fit.problem.design.response.arrays["y"], S)


@pytest.mark.parametrize("formula", ["s | trials(n) ~ x + (1 | g)", "cbind(s, n - s) ~ x + (1 | g)"])
def test_new_rows_need_no_response(formula: str) -> None:
    fit = fitted(formula)
    new = {**NEW, "n": [5, 10]}
    np.testing.assert_allclose(fit.predict(new), [5, 10] * probability(fit), rtol=1e-9)
    draws = fit.to_normal_draws(8, seed=1)
    np.testing.assert_allclose(draws.epred(new).values, [5, 10] * draws.linpred(NEW, transform=True).values)
    assert draws.predict(new, seed=1).shape == (4, 2, 2)
    for method in (draws.log_lik, draws.residuals):
        with pytest.raises(DataError, match="lack the column `s`"):
            method(new)


def test_a_probability_needs_no_trials() -> None:
    wanted = probability(FIT)
    np.testing.assert_allclose(FIT.predict(NEW, type="response"), wanted, rtol=1e-9)
    np.testing.assert_allclose(FIT.linpred(NEW, transform=True), wanted, rtol=1e-9)
    np.testing.assert_allclose(FIT.predict(NEW, type="link"), FIT.linpred(NEW))
    np.testing.assert_allclose(FIT.predict(type="response"), FIT.fitted / TRIALS, rtol=1e-9)
    draws = FIT.to_normal_draws(8, seed=1)
    np.testing.assert_allclose(draws.epred(NEW, dpar="mu").values, draws.linpred(NEW, transform=True).values)
    link = FIT.linpred(NEW, interval="confidence")
    table = FIT.linpred(NEW, transform=True, interval="confidence")
    # Delta method: the derivative of the inverse logit is p (1 - p).
    np.testing.assert_allclose(table["Std.Error"], wanted * (1 - wanted) * link["Std.Error"], rtol=1e-6)
    np.testing.assert_allclose(table["Upper"], 1 / (1 + np.exp(-link["Upper"])), rtol=1e-9)
    pd.testing.assert_frame_equal(FIT.predict(NEW, type="response", interval="confidence"), table, rtol=1e-6)
    share = FIT.predict({**NEW, "n": [5, 10]}, type="response", interval="prediction")
    counts = FIT.predict({**NEW, "n": [5, 10]}, interval="prediction")
    np.testing.assert_allclose(share["Upper"], counts["Upper"] / [5, 10])


@pytest.mark.parametrize("formula", ["s | trials(n) ~ x + (1 | g)", "cbind(s, f) ~ x + (1 | g)"])
def test_a_count_without_trials_says_what_to_write(formula: str) -> None:
    fit = fitted(formula)
    with pytest.raises(DataError, match=r"number of trials is .* linpred\(newdata, transform=True\)"):
        fit.predict(NEW)
    with pytest.raises(DataError, match=r"linpred\(newdata, transform=True\)"):
        fit.to_normal_draws(8, seed=1).epred(NEW)


@pytest.mark.parametrize(
    ("n", "message"),
    [
        ([np.nan, 1], "missing values in `n`"),
        ([-1, 1], "is -1 in row 1 of the new data"),
        ([2, 2.5], "is 2.5 in row 2 of the new data"),
        (["2", "3"], "categories"),
    ],
)
def test_impossible_trials_of_new_data(n: list[Any], message: str) -> None:
    with pytest.raises(BayesmlError, match=message):
        FIT.predict({**NEW, "n": n})


# Shares ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", [np.float32, lambda p: np.round(p, 3), lambda p: p + 1e-9], ids=["float32", "three digits", "moved"]
)
def test_shares_may_be_rounded(change: Any) -> None:
    data = DATA.assign(p=np.clip(change(DATA["p"].to_numpy()), 0, 1))
    np.testing.assert_array_equal(fitted("p | trials(n) ~ x", data).problem.design.response.arrays["y"], S)


def test_a_share_of_new_data_is_read_as_that_of_the_fit() -> None:
    draws = fitted("p | trials(n) ~ x + (1 | g)").to_normal_draws(8, seed=1)
    new = {**NEW, "n": [5, 10], "p": [1.0, 0.0]}  # whole, as counts would be
    counted = FIT.to_normal_draws(8, seed=1).log_lik({**NEW, "n": [5, 10], "s": [5, 0]})
    np.testing.assert_allclose(draws.log_lik(new).values, counted.values, rtol=1e-5)
    with pytest.raises(DataError, match="share between 0 and 1; it is 5"):
        draws.log_lik({**new, "p": [5.0, 0.0]})


def test_shares_survive_refit_save_and_load(tmp_path: Any) -> None:
    fit = fitted("p | trials(n) ~ x + (1 | g)")
    assert fit.refit(S).logLik == pytest.approx(fit.logLik)
    assert fit.refit(DATA["p"]).logLik == pytest.approx(fit.logLik)
    draws = fit.to_normal_draws(8, seed=1)
    draws.save(tmp_path / "fit.nc")
    np.testing.assert_array_equal(bayesml.load(tmp_path / "fit.nc").log_lik().values, draws.log_lik().values)


@pytest.mark.parametrize(
    ("formula", "data", "message"),
    [
        ("p | trials(n) ~ x", DATA.assign(n=DATA["n"] + 1), r"of .* trials are .* successes. Check the column"),
        ("p | trials(n) ~ x", DATA.assign(p=DATA["p"] + 0.5), "must be a whole number"),
        ("p | weights(n) ~ x", DATA, r"write `p \| trials\(n\) ~ ...`.* R gives as `weights = n`"),
        ("p ~ x", DATA, r"write `p \| trials\(n\) ~ ...`"),
        ("s | trials(f) ~ x", DATA, "must not exceed its number of trials"),
        ("s | trials(n) ~ x", DATA.assign(n=0, s=0), "is 0 in every row"),
        ("s | trials(x) ~ x", DATA, "not a whole number >= 0"),
        ("g ~ x", DATA, "needs the number of trials"),
    ],
)
def test_what_is_no_count_out_of_trials(formula: str, data: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fitted(formula, data)


def test_rows_without_trials_say_nothing() -> None:
    empty = pd.DataFrame({"s": [0, 0], "f": [0, 0], "n": [0, 0], "x": [5.0, -3.0], "g": ["g0", "g1"]})
    more = pd.concat([DATA, empty], ignore_index=True)
    fit = fitted("s | trials(n) ~ x + (1 | g)", more)
    assert fit.logLik == pytest.approx(FIT.logLik, rel=1e-9)
    assert fit["b_x"] == pytest.approx(FIT["b_x"], rel=1e-6)
    assert fit.predict({**NEW, "n": [0, 0]}).tolist() == [0.0, 0.0]


# Two categories -------------------------------------------------------------------------------------------------------

ONE = S > TRIALS - S
RESPONSES: dict[str, Any] = {
    "truth values": ONE,
    "nullable truth values": pd.array(ONE, dtype="boolean"),
    "text": np.where(ONE, "yes", "no"),
    "category": pd.Categorical(np.where(ONE, "failed", "passed"), ["passed", "failed"]),
    "floats": ONE.astype(float),
    "one and two": np.where(ONE, 2, 1),
    "truth values as text": np.where(ONE, "TRUE", "FALSE"),
    "objects": pd.Series([bool(value) for value in ONE], dtype=object),
}


@pytest.mark.parametrize("kind", RESPONSES)
def test_two_categories(kind: str) -> None:
    fit = fitted("y ~ x", DATA.assign(y=RESPONSES[kind]), "bernoulli")
    wanted = fitted("y ~ x", DATA.assign(y=ONE.astype(int)), "bernoulli")
    assert fit["b_x"] == pytest.approx(wanted["b_x"], rel=1e-9)
    assert fit.fitted.mean() == pytest.approx(ONE.mean(), rel=1e-6)
