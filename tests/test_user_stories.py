"""Models as users of brms and lme4 write them: every number that comes out is recomputed from the named draws."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import arviz
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib import pyplot

import bayesml
from bayesml.formula import bf
from bayesml.results.fits.fit_object import Fit
from tests.handmade import handmade_fit

ROWS = 60
Row = dict[str, Any]
Draws = pd.DataFrame
Predictor = Callable[[Draws, Row], Any]


def data() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    return pd.DataFrame(
        {
            "y": rng.normal(size=ROWS),
            "x": rng.normal(size=ROWS),
            "z": rng.uniform(1.0, 3.0, ROWS),
            "f": np.tile(["p", "q", "r"], ROWS // 3),
            "g": np.repeat(np.arange(6), 10),
            "h": np.tile(list("abcde"), 12),
            "place": np.tile(["a b", "ü/2", "[q]", "x,y"], 15),
            "treated": np.tile([False, True], 30),
            "grade": pd.Categorical(np.tile(["low", "mid", "high"], 20), ["low", "mid", "high"], ordered=True),
            "count": rng.poisson(3.0, ROWS),
            "n": np.full(ROWS, 10),
            "s": rng.integers(0, 10, ROWS),
            "positive": rng.gamma(2.0, 1.0, ROWS),
            "share": rng.uniform(0.1, 0.9, ROWS),
        }
    )


def _factor_slopes(d: Draws, row: Row) -> Any:
    shift = 0.0 if row["f"] == "p" else d[f"b_f[{row['f']}]"]
    return d["b_Intercept"] + shift + d[f"r_g[{row['g']},f[{row['f']}]]"]


def _double_bar(d: Draws, row: Row) -> Any:
    shift = 0.0 if row["f"] == "p" else d[f"b_f[{row['f']}]"] + d[f"r_place[{row['place']},f[{row['f']}]]"]
    return d["b_Intercept"] + shift + d[f"r_place[{row['place']},Intercept]"]


def _nested(d: Draws, row: Row) -> Any:
    slope = d["b_x"] + d[f"r_g[{row['g']},x]"]
    return (
        d["b_Intercept"]
        + slope * row["x"]
        + d[f"r_g[{row['g']},Intercept]"]
        + d[f"r_g:h[{row['g']}_{row['h']},Intercept]"]
        + d[f"r_place[{row['place']},Intercept]"]
    )


def _offset(d: Draws, row: Row) -> Any:
    return d["b_Intercept"] + np.log(row["z"]) + 2 * row["x"] + d["b_x"] * row["x"] + d[f"r_h[{row['h']},Intercept]"]


def _reserved(d: Draws, row: Row) -> Any:
    return d["b_Intercept"] + d["b_x"] * row["x"] + d["b_treated[True]"] * row["treated"]


def _polynomial_contrasts(d: Draws, row: Row) -> Any:
    # R: contr.poly(3)
    linear = {"low": -np.sqrt(0.5), "mid": 0.0, "high": np.sqrt(0.5)}[row["grade"]]
    quadratic = {"low": 1.0, "mid": -2.0, "high": 1.0}[row["grade"]] / np.sqrt(6.0)
    return d["b_Intercept"] + d["b_grade[.L]"] * linear + d["b_grade[.Q]"] * quadratic


def _sum_contrasts(d: Draws, row: Row) -> Any:
    names = [f"b_C(f, contr.sum)[{level}]" for level in "pq"]
    effect = -(d[names[0]] + d[names[1]]) if row["f"] == "r" else d[names["pq".index(row["f"])]]
    return d["b_Intercept"] + effect


def _transformed(d: Draws, row: Row) -> Any:
    x = data()["x"]
    scaled = (row["x"] - x.mean()) / x.std()
    return (
        d["b_Intercept"] + d["b_scale(x)"] * scaled + d["b_log(z)"] * np.log(row["z"]) + d["b_I(z^2)"] * row["z"] ** 2
    )


STORIES: dict[str, tuple[str, str, Predictor]] = {
    "factor slopes without intercept": ("y ~ f + (0 + f | g)", "gaussian", _factor_slopes),
    "uncorrelated dummies": ("y ~ f + (f || place)", "student", _double_bar),
    "nested, crossed and a slope": ("y ~ x + (x | g) + (1 | g:h) + (1 | place)", "gaussian", _nested),
    "offsets": ("count ~ offset(log(z)) + x + offset(2 * x) + (1 | h)", "poisson", _offset),
    "intercept as a coefficient": ("y ~ 0 + Intercept + x + treated", "gaussian", _reserved),
    "ordered factor": ("s | trials(n) ~ grade", "binomial", _polynomial_contrasts),
    "sum contrasts": ("y ~ C(f, contr.sum)", "gaussian", _sum_contrasts),
    "transformed columns": ("positive ~ scale(x) + log(z) + I(z^2)", "Gamma", _transformed),
}


@pytest.mark.parametrize("story", STORIES)
def test_linear_predictor_from_the_named_draws(story: str) -> None:
    formula, family, predictor = STORIES[story]
    fit = handmade_fit(formula, data(), family)
    new = data().sample(7, random_state=3)
    draws = fit.draws()
    expected = np.column_stack([np.broadcast_to(predictor(draws, row), len(draws)) for row in new.to_dict("records")])
    got = fit.linpred(new)
    np.testing.assert_allclose(flat(got), expected, rtol=0, atol=1e-9)
    assert got.dims == ("chain", "draw", "obs")


def flat(array: xr.DataArray) -> np.ndarray:
    return array.transpose("chain", "draw", "obs").values.reshape(-1, array.sizes["obs"])


# Several parameters, several grouping factors -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def distributional() -> Fit:
    formula = bf("y ~ x + (x | g) + (1 | h)", sigma="~ z + (1 | g)", nu="~ 1 + (1 | h)")
    return handmade_fit(formula, data(), "student")


def test_parameters_with_formulas_from_the_named_draws(distributional: Fit) -> None:
    row = data().iloc[[17]]
    g, h, x, z = (row[name].item() for name in ("g", "h", "x", "z"))
    d = distributional.draws()
    mu = d["b_Intercept"] + d[f"r_g[{g},Intercept]"] + (d["b_x"] + d[f"r_g[{g},x]"]) * x + d[f"r_h[{h},Intercept]"]
    sigma = np.exp(d["b_sigma_Intercept"] + d["b_sigma_z"] * z + d[f"r_g__sigma[{g},Intercept]"])
    nu = 1 + np.exp(d["b_nu_Intercept"] + d[f"r_h__nu[{h},Intercept]"])
    for dpar, expected in (("mu", mu), ("sigma", sigma), ("nu", nu)):
        np.testing.assert_allclose(flat(distributional.epred(row, dpar=dpar))[:, 0], expected, rtol=1e-12)
    np.testing.assert_allclose(flat(distributional.linpred(row, dpar="sigma"))[:, 0], np.log(sigma), atol=1e-12)


def test_labels_and_order_as_in_brms(distributional: Fit) -> None:
    """Within a group: the sds of mu, of the other parameters, then correlations; coefficients: intercepts first."""
    lines = [line.split()[0] for line in str(distributional.summary()).splitlines() if line.strip()]
    shown = [line for line in lines if line.startswith(("~", "sd(", "cor(", "Intercept", "x", "sigma_", "nu_"))]
    assert shown == [
        "~g", "sd(Intercept)", "sd(x)", "sd(sigma_Intercept)", "cor(Intercept,x)",
        "~h", "sd(Intercept)", "sd(nu_Intercept)",
        "Intercept", "sigma_Intercept", "nu_Intercept", "x", "sigma_z",
    ]  # fmt: skip


def test_coefficients_of_every_level(distributional: Fit) -> None:
    d = distributional.draws()
    coef = distributional.coef(summary=False)
    assert set(coef) == {"g", "h"}
    np.testing.assert_allclose(coef["g"]["3", "x"], d["b_x"] + d["r_g[3,x]"])
    np.testing.assert_allclose(coef["g"]["3", "sigma_Intercept"], d["b_sigma_Intercept"] + d["r_g__sigma[3,Intercept]"])
    np.testing.assert_allclose(coef["h"]["b", "nu_Intercept"], d["b_nu_Intercept"] + d["r_h__nu[b,Intercept]"])
    np.testing.assert_allclose(coef["h"]["b", "x"], d["b_x"])
    effects = distributional.ranef()["g"].set_index(["level", "coef"])
    assert set(effects.index.get_level_values("coef")) == {"Intercept", "x", "sigma_Intercept"}
    np.testing.assert_allclose(effects.loc[("3", "x"), "Estimate"], d["r_g[3,x]"].mean())


def test_a_new_level_borrows_all_its_effects_from_one_known_level(distributional: Fit) -> None:
    new = data().iloc[[4]].assign(g=99, h="a", x=0.0, z=0.0)
    d = distributional.draws()
    mu = flat(distributional.linpred(new, new_levels="uncertainty", seed=5))[:, 0]
    sigma = flat(distributional.linpred(new, dpar="sigma", new_levels="uncertainty", seed=5))[:, 0]
    levels = range(6)
    of_mu = np.column_stack([d["b_Intercept"] + d["r_h[a,Intercept]"] + d[f"r_g[{k},Intercept]"] - mu for k in levels])
    of_sigma = np.column_stack([d["b_sigma_Intercept"] + d[f"r_g__sigma[{k},Intercept]"] - sigma for k in levels])
    donors = np.abs(of_mu).argmin(axis=1)
    np.testing.assert_allclose(np.abs(of_mu).min(axis=1), 0.0, atol=1e-12)
    assert set(donors) == set(levels)
    np.testing.assert_allclose(of_sigma[np.arange(len(d)), donors], 0.0, atol=1e-12)


def test_a_missing_group_is_not_the_level_called_na() -> None:
    fit = handmade_fit("y ~ 1 + (1 | country)", data().assign(country=np.tile(["NA", "DE", "FR"], 20)))
    namibia = flat(fit.linpred({"country": ["NA"]}))
    d = fit.draws()
    np.testing.assert_allclose(namibia[:, 0], d["b_Intercept"] + d["r_country[NA,Intercept]"])
    with pytest.raises(bayesml.DataError, match="missing"):
        fit.linpred({"country": ["NA", None]})
    both = flat(fit.linpred({"country": ["NA", None]}, new_levels="gaussian", seed=1))
    np.testing.assert_array_equal(both[:, 0], namibia[:, 0])
    assert not np.allclose(both[:, 1], namibia[:, 0])


# Everything again after saving ----------------------------------------------------------------------------------------

SAVED: dict[str, tuple[Any, str]] = {
    "factor slopes": ("y ~ f + (0 + f | g) + (1 | place)", "gaussian"),
    "distributional": (bf("y ~ x + (x | g)", sigma="~ treated + (1 | g)", nu="~ 1"), "student"),
    "counts": (bf("count ~ grade + offset(log(z)) + (1 | g:h)", shape="~ f"), "negbinomial"),
    "successes": ("cbind(s, n - s) ~ poly(x, 2) + (f || g)", "binomial"),
    "known errors": ("y | se(z, sigma=TRUE) + weights(n) ~ bs(x, df=4) + (1 | g)", "gaussian"),
    "two categories": ("treated ~ scale(x) * f", "bernoulli"),
    "times": ("positive ~ C(f, contr.sum) + (1 | g)", "lognormal"),
    "shares": (bf("share ~ x", phi="~ x + (1 | place)"), "beta"),
    "waiting": ("positive ~ 0 + Intercept + log(z)", "Gamma"),
}


@pytest.mark.parametrize("story", SAVED)
@pytest.mark.filterwarnings("ignore:.*Pareto k")
def test_a_loaded_fit_answers_as_before(story: str, tmp_path: Path) -> None:
    formula, family = SAVED[story]
    fit = handmade_fit(formula, data(), family)
    fit.save(tmp_path / "fit.nc")
    loaded = bayesml.load(tmp_path / "fit.nc")
    assert repr(loaded) == repr(fit)
    pd.testing.assert_frame_equal(loaded.prior_summary(), fit.prior_summary())
    pd.testing.assert_frame_equal(loaded.draws(), fit.draws())
    strangers = data().head(4).assign(g=[0, 77, 77, 99], place=["a b", "new", "a b", "new"], h=["a", "b", "zz", "a"])
    for method in ("linpred", "epred", "predict", "residuals", "log_lik"):
        for options in ({}, {"newdata": strangers, "new_levels": "gaussian"}, {"re_formula": "NA"}):
            before, after = (getattr(each, method)(ndraws=9, seed=2, **options) for each in (fit, loaded))
            xr.testing.assert_identical(before, after)
    assert str(loaded.loo()) == str(fit.loo())


@pytest.mark.parametrize("story", SAVED)
def test_every_name_finds_its_draws(story: str) -> None:
    fit = handmade_fit(SAVED[story][0], data(), SAVED[story][1])
    draws = fit.draws()
    names = [name for name in draws.columns if not name.startswith(".")]
    assert len(set(names)) == len(names)
    for name in names:
        np.testing.assert_array_equal(fit[name].values.ravel(), draws[name], err_msg=name)


# ArviZ ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("story", SAVED)
@pytest.mark.filterwarnings("ignore")
def test_arviz_works_on_what_it_is_handed(story: str) -> None:
    fit = handmade_fit(SAVED[story][0], data(), SAVED[story][1])
    handed = fit.to_arviz(log_likelihood=True, posterior_predictive=True, seed=3)
    assert len(arviz.summary(handed)) >= len([n for n in fit.draws().columns if not n.startswith(".")])
    np.testing.assert_allclose(arviz.loo(handed, reff=1.0).elpd_loo, arviz.loo(fit.to_arviz(True), reff=1.0).elpd_loo)
    response = next(iter(handed["observed_data"].data_vars))
    np.testing.assert_array_equal(handed["posterior_predictive"][response], fit.predict(seed=3))
    np.testing.assert_array_equal(handed["log_likelihood"][response], fit.log_lik())
    arviz.plot_ppc(handed, num_pp_samples=5)
    pyplot.close("all")
    assert "log_likelihood" not in fit.to_arviz(log_likelihood=False)


def test_prior_draws_for_arviz() -> None:
    fit = bayesml.fit("y ~ x + (1 | g)", data(), sample_prior="only", draws=30, chains=2, seed=1, progress=False)
    handed = fit.to_arviz(posterior_predictive=True, seed=1)
    np.testing.assert_array_equal(handed["prior_predictive"]["y"], handed["posterior_predictive"]["y"])
    with pytest.raises(bayesml.ModelError, match="`log_likelihood` is True or False"):
        fit.to_arviz(log_likelihood="yes")
