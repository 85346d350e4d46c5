"""``(x | gr(g, by=f))``: strata of the levels, against lme4; new levels, refusals, storage."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import DataError, FormulaError, PriorError
from bayesml.fit import describe_problem
from tests.brms_models import FACTS

DATA = pd.read_csv(FACTS / "strata.csv")
LME4 = json.loads((FACTS / "strata.json").read_text())
MODELS = {
    "one": ("y ~ x + (1 | gr(g, by = side))", "gaussian", "reml"),
    "slopes": ("y ~ x + (x | gr(g, by = side))", "gaussian", "reml"),
    "counts": ("k ~ x + (1 | gr(g, by = side))", "poisson", "laplace"),
}


def estimate(name: str) -> bayesml.PointFit:
    formula, family, method = MODELS[name]
    return bayesml.fit(formula, DATA, family, method=method)


@pytest.fixture(scope="module")
def slopes() -> bayesml.PointFit:
    return estimate("slopes")


@pytest.fixture(scope="module")
def fit() -> bayesml.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)  # a short run
        return bayesml.fit(MODELS["slopes"][0], DATA, seed=1, draws=300, chains=2, progress=False)


@pytest.mark.parametrize("name", MODELS)
def test_point_estimates_are_those_of_lme4_with_dummies(name: str) -> None:
    found, known = estimate(name), LME4[name]
    # both optimisers stop where the criterion is flat to about 1e-9, so that estimates agree to its root
    assert found.logLik == pytest.approx(known["log_lik"], abs=1e-5)
    np.testing.assert_allclose(found.fixef()["Estimate"], known["fixed"], atol=1e-5)
    sds = known["sd"]
    theirs = [sds[0], sds[1], sds[3], sds[4]] if name == "slopes" else sds[:2]
    np.testing.assert_allclose(found.varcorr()["g"].sd, theirs, atol=1e-4)
    if name == "slopes":
        assert found.varcorr()["g"].cor_matrix.iloc[1, 0] == pytest.approx(sds[2], abs=1e-4)
        assert found.varcorr()["g"].cor_matrix.iloc[2, 0] == 0


def test_effects_of_a_level_are_those_of_its_stratum(slopes: bayesml.PointFit) -> None:
    effects = slopes.ranef()["g"].pivot(index="level", columns="coef", values="Estimate").loc[DATA["g"].astype(str)]
    eta = slopes.fixef()["Estimate"].to_numpy() @ [np.ones(len(DATA)), DATA["x"]]
    eta = eta + effects["Intercept"].to_numpy() + effects["x"].to_numpy() * DATA["x"]
    np.testing.assert_allclose(slopes.fitted, eta, rtol=1e-10)
    total = slopes.coef()["g"]
    assert list(total.columns) == ["Intercept", "x"]
    assert (slopes.ranef()["g"]["Std.Error"] > 0).all()


def test_names_and_priors_are_those_of_brms(slopes: bayesml.PointFit) -> None:
    draws = slopes.to_normal_draws(ndraws=80, seed=1)
    assert {"sd_g__Intercept:side[A]", "cor_g__Intercept:side[B]__x:side[B]"} <= set(draws.draws().columns)
    np.testing.assert_array_equal(draws["sd_g__x:sideB"], draws["sd_g__x:side[B]"])
    assert draws.idata.posterior["r_g"].shape[-2:] == (24, 2)
    problem = describe_problem(
        MODELS["slopes"][0], DATA, prior=[bayesml.prior("normal(0, 1)", class_="sd", coef="x", group="g")]
    )
    (sd,) = (p for p in problem.description.spec.parameters if p.name == "sd_g")
    assert [str(prior) for prior in sd.priors[1::2]] == ["normal(0, 1) T[0, ]"] * 2
    with pytest.raises(PriorError, match=r"sd.*coef"):
        describe_problem(
            MODELS["one"][0], DATA, prior=[bayesml.prior("normal(0, 1)", class_="sd", coef="z", group="g")]
        )


def test_independent_effects_have_no_correlations() -> None:
    for formula in ("y ~ x + (x || gr(g, by=side))", "y ~ x + (x | gr(g, by=side, cor=FALSE))"):
        spec = describe_problem(formula, DATA).description.spec
        assert [p.name for p in spec.parameters if p.group] == ["sd_g", "z_g"]
        assert spec.parameter("sd_g").coefs == ("Intercept:side[A]", "x:side[A]", "Intercept:side[B]", "x:side[B]")


def test_the_posterior_is_sampled_without_its_effects(fit: bayesml.Fit, slopes: bayesml.PointFit) -> None:
    assert "collapsed" in str(fit.plan)
    sd = fit.varcorr()["g"].sd["Estimate"].to_numpy()
    error = fit.varcorr()["g"].sd["Est.Error"].to_numpy()
    # the estimates of REML lie within the posterior
    assert np.all(np.abs(sd - slopes.varcorr()["g"].sd.to_numpy()) < 2 * error)
    assert "sd(x:side[B])" in str(fit)
    effects = fit.ranef()["g"]
    assert len(effects) == 48


def test_predictions_are_those_of_the_effects(fit: bayesml.Fit) -> None:
    rows = DATA.iloc[[0, 100]]
    b, r = fit.idata.posterior["b"].to_numpy(), fit.idata.posterior["r_g"].to_numpy()
    for place, (_, row) in enumerate(rows.iterrows()):
        own = r[:, :, int(row["g"]) - 1]
        eta = b[..., 0] + own[..., 0] + (b[..., 1] + own[..., 1]) * row["x"]
        np.testing.assert_allclose(fit.linpred(rows).to_numpy()[..., place], eta, rtol=1e-9)
        without = b[..., 0] + own[..., 0] + b[..., 1] * row["x"]
        found = fit.linpred(rows, re_formula="~ (1 | g)").to_numpy()[..., place]
        np.testing.assert_allclose(found, without, rtol=1e-9)
    grid = fit.conditional_effects("x", resolution=3)["x"]
    means = fit.linpred({"x": grid["x"]}, re_formula="NA").median(("chain", "draw"))
    np.testing.assert_allclose(grid["estimate__"], means, rtol=1e-9)


def test_new_levels_belong_to_the_stratum_that_the_data_say(fit: bayesml.Fit) -> None:
    many = 300
    new = {"x": np.zeros(2 * many), "g": np.arange(2 * many) + 100, "side": np.repeat(["A", "B"], many)}
    drawn = fit.linpred(new, new_levels="gaussian", seed=1) - fit.linpred(new, re_formula="NA")
    values = drawn.to_numpy().reshape(-1, 2, many)
    sds = np.sqrt((fit.idata.posterior["sd_g"].to_numpy() ** 2).mean(axis=(0, 1)))[[0, 2]]
    # the variance of 600 x 300 draws has a relative error of about 1 / sqrt(300) for its levels are shared by draws
    np.testing.assert_allclose(values.std(axis=(0, 2)), sds, rtol=0.15)
    borrowed = fit.linpred(new, new_levels="old", seed=1) - fit.linpred(new, re_formula="NA")
    known = fit.idata.posterior["r_g"].to_numpy()[..., 0]
    for place, own in ((0, slice(0, 14)), (many, slice(14, 24))):
        gaps = np.abs(borrowed.to_numpy()[..., [place]] - known[..., own]).max(axis=(0, 1))
        assert gaps.min() < 1e-9


def test_a_saved_fit_gives_the_same_predictions(fit: bayesml.Fit, slopes: bayesml.PointFit, tmp_path: Path) -> None:
    fit.save(tmp_path / "draws.nc")
    again = bayesml.load(tmp_path / "draws.nc")
    np.testing.assert_array_equal(again.log_lik(), fit.log_lik())
    slopes.save(tmp_path / "estimate.nc")
    loaded = bayesml.load(tmp_path / "estimate.nc")
    pd.testing.assert_frame_equal(loaded.ranef()["g"], slopes.ranef()["g"])
    np.testing.assert_array_equal(loaded.simulate(2, seed=3), slopes.simulate(2, seed=3))


REFUSED: dict[str, tuple[str, Any, str]] = {
    "several strata": (
        "y ~ x + (1 | gr(g, by = other))",
        DataError,
        r"one value of other for each level of g, but the level `1` has `0`, `1`",
    ),
    "unlike terms": (
        "y ~ x + (1 | gr(g, by = side)) + (0 + x | g)",
        FormulaError,
        "effects of one factor with different strata",
    ),
    "no column": ("y ~ x + (1 | gr(g, by = sde))", FormulaError, "`sde` is not a column"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_strata_is_refused(case: str) -> None:
    formula, kind, message = REFUSED[case]
    with pytest.raises(kind, match=message):
        bayesml.fit(formula, DATA.assign(other=np.arange(len(DATA)) % 2), method="reml")


def test_new_data_of_other_strata_are_refused(slopes: bayesml.PointFit, fit: bayesml.Fit) -> None:
    with pytest.raises(DataError, match=r"level `C`, which the fit has not seen; it knows `A`, `B`"):
        slopes.epred({"x": [0.0], "g": [99], "side": ["C"]}, new_levels="zero")
    with pytest.raises(DataError, match=r"level `1` of `g` has `side` = B in row 1.*and A in the data of the fit"):
        slopes.epred({"x": [0.0], "g": [1], "side": ["B"]})
    with pytest.raises(DataError, match="lack the column `side`"):
        slopes.epred({"x": [0.0], "g": [1]})
    with pytest.raises(DataError, match=r"new level of `g` .* several values of `side` \(`A`, `B`\)"):
        fit.epred({"x": [0.0, 0.0], "g": [99, 99], "side": ["A", "B"]}, new_levels="gaussian")
