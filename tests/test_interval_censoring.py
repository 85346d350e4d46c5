"""Rows of which an interval is known, ``cens(c, y2)``, against R's survival; their ends may be missing elsewhere."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesml
from bayesml.errors import DataError, FitWarning
from bayesml.fit import describe_problem

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "facts" / "interval_censoring.json").read_text())
FORMULA = "y | cens(c, y2 = u) ~ x"


@pytest.fixture
def frame() -> pd.DataFrame:
    """The data of the facts as this package takes them: ``u`` is missing but for the rows that are intervals."""
    lower, upper = (np.array(FACTS[name], dtype=float) for name in ("lower", "upper"))
    kinds = np.select([np.isnan(lower), np.isnan(upper), lower == upper], ["left", "right", "none"], default="interval")
    y, u = np.where(np.isnan(lower), upper, lower), np.where(kinds == "interval", upper, np.nan)
    return pd.DataFrame({"y": y, "u": u, "c": kinds, "x": FACTS["x"]})


def log_mean(name: str, fit: bayesml.PointFit, reference: dict[str, float]) -> float:
    """Intercept of R's model, that of log y, as ours, that of the log of the mean (lognormal: of log y)."""
    if name == "weibull":
        return reference["intercept"] + math.lgamma(1 + reference["scale"])
    return reference["intercept"]


@pytest.mark.parametrize("name", FACTS["fits"])
def test_maximum_likelihood_is_that_of_survreg(name: str, frame: pd.DataFrame) -> None:
    """R reaches its maximum to 1e-13 of the log-likelihood; estimates then agree to about the square root of that."""
    fit, reference = bayesml.fit(FORMULA, frame, name, method="laplace"), FACTS["fits"][name]
    assert fit.logLik == pytest.approx(reference["loglik"], abs=1e-7)
    assert fit["b_Intercept"] == pytest.approx(log_mean(name, fit, reference), abs=2e-5)
    assert fit["b_x"] == pytest.approx(reference["slope"], abs=2e-5)
    if name == "weibull":
        assert fit["shape"] == pytest.approx(1 / reference["scale"], rel=2e-5)
    if name == "lognormal":
        assert fit.sigma == pytest.approx(reference["scale"], rel=2e-5)


def test_an_interval_without_an_upper_end_is_censored_on_the_right(frame: pd.DataFrame) -> None:
    right = frame["c"] == "right"
    open_ = frame.assign(c=frame["c"].where(~right, "interval"), u=frame["u"].where(~right, np.inf))
    fits = [bayesml.fit(FORMULA, data, "weibull", method="laplace") for data in (frame, open_)]
    assert fits[0].logLik == pytest.approx(fits[1].logLik, abs=1e-8)


def test_new_rows_may_lack_ends_too(frame: pd.DataFrame, tmp_path: Path) -> None:
    fit = bayesml.fit(FORMULA, frame, "lognormal", method="laplace")
    draws = fit.to_normal_draws(ndraws=8, seed=1)
    np.testing.assert_allclose(draws.log_lik(frame).values, draws.log_lik().values, rtol=1e-10)
    mean, sigma = draws.linpred(frame).values, draws["sigma"].values[..., None]
    reference = stats.norm(mean, sigma)
    low, high = np.log(frame["y"].to_numpy()), np.log(frame["u"].fillna(1e9).to_numpy())
    expected = np.log(reference.cdf(high) - reference.cdf(low))
    interval = (frame["c"] == "interval").to_numpy()
    np.testing.assert_allclose(draws.log_lik().values[..., interval], expected[..., interval], rtol=1e-6)
    fit.save(tmp_path / "intervals.nc")
    again = bayesml.load(tmp_path / "intervals.nc")
    assert again.update(method="laplace").logLik == pytest.approx(fit.logLik, abs=1e-9)


def test_rows_are_left_out_only_for_what_they_need(frame: pd.DataFrame) -> None:
    with pytest.warns(FitWarning, match=r"1 of 20 rows have a missing value; by column: `x` \(1\)"):
        problem = describe_problem(FORMULA, frame.assign(x=frame["x"].where(frame.index != 3)), "weibull")
    assert len(problem.design.response.arrays["y"]) == 19
    with pytest.warns(FitWarning, match="`u`"):  # a predictor is needed in every row
        describe_problem("y | cens(c, y2 = u) ~ u", frame, "weibull")
    with pytest.raises(DataError, match=r"upper end of an interval.*in row 2 \(counting from 1\) it is missing"):
        describe_problem(FORMULA, frame.assign(u=np.nan), "weibull")
    with pytest.raises(DataError, match="`u` holds text"):
        describe_problem(FORMULA, frame.assign(u="late"), "weibull")
    computed = describe_problem("y | cens(c, y2 = u + 1) ~ x", frame, "weibull").design.response.arrays["y2"]
    np.testing.assert_allclose(computed[1], frame["u"][1] + 1.0)
