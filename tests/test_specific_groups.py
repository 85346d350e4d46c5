"""``(cs(x) | g)``: effects of groups that differ between thresholds.

That the joint densities and default priors are those of brms is among the models of test_brms_density.py.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml import bf
from bayesml.errors import FormulaError, ModelError
from bayesml.fit import describe_problem
from tests.brms_models import FACTS

DATA = pd.read_csv(FACTS / "brms_density_ordinal.csv")
TAU, SDS = np.array([-1.0, 0.2, 0.6]), np.array([0.9, 0.4, 0.7])


def simulated(rows: int = 400, groups: int = 25) -> pd.DataFrame:
    """A stopping ratio model whose thresholds vary over groups."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"x": rng.normal(size=rows), "g": np.arange(rows) % groups})
    effects = rng.normal(size=(groups, 3)) * SDS
    z = TAU - effects[frame["g"]] - 0.6 * frame["x"].to_numpy()[:, None]
    stops = rng.random((rows, 3)) < 1 / (1 + np.exp(-z))
    return frame.assign(y=np.where(stops.any(1), stops.argmax(1) + 1, 4))


@pytest.fixture(scope="module")
def fit() -> bayesml.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)  # a short run
        return bayesml.fit(
            "y ~ x + (cs(1) | g)", simulated(), "sratio", seed=1, draws=150, warmup=200, chains=2, progress=False
        )  # fmt: skip


def stopping(z: np.ndarray) -> np.ndarray:
    """Probabilities of categories from z of the thresholds, ``(..., 3)``."""
    F = 1 / (1 + np.exp(-z))
    passed = np.cumprod(np.concatenate([np.ones((*F.shape[:-1], 1)), 1 - F], axis=-1), axis=-1)
    return passed * np.concatenate([F, np.ones((*F.shape[:-1], 1))], axis=-1)


def thresholds(fit: bayesml.Fit) -> np.ndarray:
    return fit.idata.posterior["b_Intercept"].to_numpy()


def effects(fit: bayesml.Fit, level: int) -> np.ndarray:
    return np.stack([fit[f"r_g[{level},Intercept[{k}]]"].to_numpy() for k in (1, 2, 3)], axis=-1)


def test_effects_are_recovered(fit: bayesml.Fit) -> None:
    table = fit.summary().to_pandas()
    truth = {**{f"b_Intercept[{k}]": tau for k, tau in enumerate(TAU, 1)}, "b_x": 0.6}
    truth |= {f"sd_g__Intercept[{k}]": sd for k, sd in enumerate(SDS, 1)}
    for name, value in truth.items():
        assert abs(table.loc[name, "Estimate"] - value) < 4 * table.loc[name, "Est.Error"], name
    assert fit.diagnostics.divergences == 0


def test_probabilities_are_those_of_the_thresholds_of_the_group(fit: bayesml.Fit) -> None:
    eta = 0.4 * fit["b_x"].to_numpy()[..., None]
    row = {"x": [0.4], "g": [7]}
    own = stopping(thresholds(fit) - effects(fit, 7) - eta)
    np.testing.assert_allclose(fit.epred(row).to_numpy()[:, :, 0], own, rtol=1e-9)
    log_lik = fit.log_lik({**row, "y": [3]}).to_numpy()[..., 0]
    np.testing.assert_allclose(log_lik, np.log(own[..., 2]), rtol=1e-9)
    typical = fit.epred(row, re_formula="NA").to_numpy()[:, :, 0]
    np.testing.assert_allclose(typical, stopping(thresholds(fit) - eta), rtol=1e-9)
    new = fit.epred({"x": [0.4], "g": [99]}, new_levels="gaussian", seed=1).to_numpy()
    np.testing.assert_allclose(new.sum(-1), 1.0, rtol=1e-12)
    assert np.abs(new[:, :, 0] - typical).max() > 0.05
    shown = fit.conditional_effects("x", resolution=3)["x"]
    np.testing.assert_allclose(shown.groupby("x")["estimate__"].sum(), 1.0, atol=0.05)  # medians


def test_coefficients_of_a_level_are_its_thresholds(fit: bayesml.Fit) -> None:
    own = fit.coef()["g"].set_index(["level", "coef"])["Estimate"]
    expected = (thresholds(fit) - effects(fit, 7)).mean((0, 1))
    found = [own[("7", f"Intercept[{k}]")] for k in (1, 2, 3)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert fit.varcorr()["g"] is not None and "cor(Intercept[1],Intercept[2])" in str(fit)


def test_a_saved_fit_answers_alike(fit: bayesml.Fit, tmp_path: Path) -> None:
    fit.save(tmp_path / "fit.nc")
    np.testing.assert_array_equal(bayesml.load(tmp_path / "fit.nc").log_lik(), fit.log_lik())


def test_terms_beside_it_move_all_thresholds() -> None:
    """On the same factor they share its table; effects of ordinary columns are one number."""
    problem = describe_problem("o ~ x + (1 | g) + (cs(0 + z) || g)", DATA, "acat")
    spec = {p.name: p for p in problem.description.spec.parameters}
    assert spec["sd_g"].coefs == ("Intercept", "z[1]", "z[2]", "z[3]") and "L_g" not in spec
    cs = next(p for p in problem.design.schema.predictors if p.key.dpar == "cs")
    (term,) = cs.terms
    r = np.arange(24.0).reshape(6, 4)
    arrays = problem.design.arrays[cs.key][term.key]
    own = r[arrays["index"]]
    expected = own[:, :1] + DATA["z"].to_numpy()[:, None] * own[:, 1:]
    np.testing.assert_allclose(term.contribution({"r_g": r}, arrays), expected)


REFUSED = {
    "family": ("t ~ x + (cs(1) | g)", "weibull", "belong to the main formula of an ordinal family"),
    "beside": ("o ~ x + (1 + cs(z) + x | g)", "sratio", r"stand alone left of the bar"),
    "two": ("o ~ x + (cs(z) + cs(x) | g)", "sratio", r"stand alone left of the bar"),
    "id": ("o ~ x + (cs(1) | p | g)", "sratio", "take no identifier"),
    "by": ("o ~ x + (cs(1) | gr(g, by = h))", "sratio", "take no identifier"),
    "groups": ("ot | thres(gr = h) ~ x + (cs(1) | g)", "sratio", "same thresholds in all rows"),
    "product": ("o ~ x + (cs(1):z | g)", "sratio", "`cs"),
    "twice": ("o ~ x + (cs(z) | g) + (cs(1) | g)", "sratio", "varies over `g` in more than one term"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused(case: str) -> None:
    formula, family, message = REFUSED[case]
    with pytest.raises(FormulaError, match=f"(?s){message}"):
        describe_problem(formula, DATA, family)


def test_another_parameter_has_no_thresholds() -> None:
    with pytest.raises(FormulaError, match="belong to the main formula"):
        describe_problem(bf("o ~ x", disc="~ z + (cs(1) | g)"), DATA, "sratio")


def test_point_estimates_say_that_they_have_no_form() -> None:
    for method in ("laplace", "map"):
        with pytest.raises(ModelError, match="no form for category specific effects that vary over `g`"):
            bayesml.fit("o ~ x + (cs(1) | g)", DATA, "sratio", method=method)


@pytest.mark.slow
def test_effects_on_thresholds_may_be_left_out_of_one_of_several_responses() -> None:
    formula = bf("o ~ x + (cs(1) | g)", family="sratio") + bf("t | bhaz(gr = h) ~ z", family="cox")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)  # a short run
        fit = bayesml.fit(formula, DATA, draws=20, warmup=60, chains=1, seed=1, progress=False)
    tau, b = fit.idata.posterior["b_o_Intercept"].to_numpy(), fit["b_o_x"].to_numpy()[..., None]
    found = fit.epred({"x": [0.5]}, resp="o", re_formula="NA").to_numpy()[:, :, 0]
    np.testing.assert_allclose(found, stopping(tau - 0.5 * b), rtol=1e-9)
    weights = fit.draws()[[f"sbhaz_t[v,{k}]" for k in range(1, 6)]].to_numpy()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-9)
    assert np.isfinite(fit.log_lik()).all()
