"""Proportional hazards over splines: bases as those of splines2, censoring, strata, survival curves.

That the joint densities are those of brms is among the models of test_brms_density.py.
"""

from __future__ import annotations

import warnings

import jax
import numpy as np
import pandas as pd
import pytest
from jax import numpy as jnp
from scipy import integrate

import bayesml
from bayesml.engines.precision import double_precision
from bayesml.errors import DataError, FormulaError, ModelError
from bayesml.families import RawResponse, cox
from bayesml.families.m_splines import MSplines
from bayesml.fit import describe_problem
from tests.brms_models import FACTS, brms_models

DATA = pd.read_csv(FACTS / "brms_density_ordinal.csv")
KIDNEY = pd.DataFrame(bayesml.load_dataset("kidney"))


def test_bases_equal_those_of_brms() -> None:
    model = next(m for m in brms_models() if m.name == "cox_right")
    arrays = model.problem().design.response.arrays
    for name in ("Zbhaz", "Zcbhaz"):
        np.testing.assert_allclose(arrays[name], model.standata[name], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(
    "basis", [MSplines(0.0, 200.0, (10.0, 30.0), 2, False), MSplines(1.0, 90.0, ()), MSplines(0.0, 50.0, (20.0,), 1)]
)
def test_each_spline_has_mass_one_and_its_integral(basis: MSplines) -> None:
    x = np.linspace(basis.lower, basis.upper, 20001)
    values = basis.values(x)
    assert values.shape == (len(x), basis.size) and (values >= 0).all()
    np.testing.assert_allclose(integrate.simpson(values, x=x, axis=0), 1.0, atol=1e-4)
    steps = integrate.cumulative_trapezoid(values, x, axis=0, initial=0.0)
    np.testing.assert_allclose(basis.integrals(x), steps, atol=1e-4)


def test_a_hazard_is_constant_beyond_the_last_boundary() -> None:
    basis = MSplines(0.5, 10.0, (4.0,))
    np.testing.assert_allclose(basis.values(np.array([25.0])), basis.values(np.array([10.0])))
    beyond = basis.integrals(np.array([25.0])) - basis.integrals(np.array([10.0]))
    np.testing.assert_allclose(beyond, 15.0 * basis.values(np.array([10.0])))
    np.testing.assert_allclose(basis.integrals(np.array([0.1])), 0.0)


def test_interval_censoring_and_truncation_use_the_hazard_between() -> None:
    """log P(y < T <= y2) = log(exp(-H(y)) - exp(-H(y2))); given T > lb each log S is less log S(lb)."""
    y, y2 = np.array([2.0, 5.0, 7.0, 1.0]), np.array([4.0, 9.0, 9.5, 2.5])
    frame = {"t": y, "u": y2, "c": ["interval", "right", "none", "left"], "x": [0.0, 1.0, 0.5, 0.2]}
    weights = np.array([0.1, 0.3, 0.2, 0.25, 0.15])
    likelihood = cox().bind(RawResponse("t", y))

    def cumulative(t: np.ndarray) -> np.ndarray:
        return 0.7 * likelihood.basis.integrals(t) @ weights

    hazard = 0.7 * likelihood.basis.values(y) @ weights
    for formula, lower in (("t | cens(c, u) ~ x", None), ("t | cens(c, u) + trunc(lb = 0.9) ~ x", 0.9)):
        problem = describe_problem(formula, frame, "cox")
        data = dict(problem.design.response.arrays)
        with double_precision():
            values = {"mu": jnp.full(4, np.log(0.7)), "sbhaz": jnp.asarray(weights)[None]}
            found = np.asarray(jax.jit(lambda d: problem.likelihood.log_prob(d["y"], values, d))(data))  # noqa: B023
        S = np.exp(-cumulative(y))
        start = 1.0 if lower is None else np.exp(-cumulative(np.array([lower])))[0]
        expected = [S[0] - np.exp(-cumulative(y2))[0], S[1], hazard[2] * S[2], start - S[3]]
        np.testing.assert_allclose(found, np.log(np.array(expected) / start), rtol=1e-9)


def test_estimates_are_close_to_those_of_partial_likelihood() -> None:
    fit = bayesml.fit("time | cens(censored) ~ age + sex", KIDNEY, "cox", method="laplace")
    table = fit.fixef()
    # survival 3.5-3: coxph(Surv(time, 1 - censored) ~ age + sex), sexmale 0.8293 (0.2990), age 0.00203 (0.00925)
    assert table.loc["sex[female]", "Estimate"] == pytest.approx(-0.8293, abs=0.3 * 0.2990)
    assert table.loc["sex[female]", "Std.Error"] == pytest.approx(0.2990, rel=0.05)
    assert table.loc["age", "Estimate"] == pytest.approx(0.00203, abs=0.3 * 0.00925)
    assert table.loc["age", "Std.Error"] == pytest.approx(0.00925, rel=0.05)


@pytest.fixture(scope="module")
def strata() -> bayesml.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)  # a short run
        return bayesml.fit(
            "time | cens(censored) + bhaz(gr = sex, df = 6) ~ age + (1 | patient)",
            KIDNEY, "cox", seed=1, draws=200, chains=2, progress=False,
        )  # fmt: skip


@pytest.mark.slow
def test_each_stratum_has_a_baseline_hazard(strata: bayesml.Fit, tmp_path) -> None:
    draws = strata.draws()
    for sex in ("female", "male"):
        weights = draws[[f"sbhaz[{sex},{k}]" for k in range(1, 7)]].to_numpy()
        np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-9)
    rows = {"age": [40, 40], "sex": ["male", "female"]}
    curves = strata.survival(rows, times=[10.0, 200.0], re_formula="NA").draws.to_numpy()
    basis = strata.likelihood.base.basis
    eta = (strata["b_Intercept"] + 40 * strata["b_age"]).to_numpy()
    for row, sex in enumerate(rows["sex"]):
        weights = np.stack([strata[f"sbhaz[{sex},{k}]"].to_numpy() for k in range(1, 7)], axis=-1)
        for k, time in enumerate((10.0, 200.0)):
            expected = np.exp(-np.exp(eta) * (weights @ basis.integrals(np.array(time))))
            np.testing.assert_allclose(curves[:, :, row, k], expected, rtol=1e-8)
    assert "sbhaz" not in str(strata.summary().to_pandas().index)
    assert np.isfinite(strata.log_lik({**rows, "time": [5, 900], "censored": [0, 1], "patient": [1, 2]})).all()
    strata.save(tmp_path / "fit.nc")
    again = bayesml.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.log_lik(), strata.log_lik())


def test_what_depends_on_the_end_of_the_data_is_refused(strata: bayesml.Fit) -> None:
    for verb in (strata.epred, strata.predict, strata.pp_check, strata.residuals):
        with pytest.raises(ModelError, match=r"neither an expectation nor predictions.*`survival\(\)`"):
            verb()
    with pytest.raises(DataError, match="the group `x`, which the fit has not seen; it has `female`, `male`"):
        strata.survival({"age": [4], "sex": ["x"]}, times=[3.0], re_formula="NA")


def test_priors_of_weights() -> None:
    table = bayesml.default_prior("t | bhaz(gr = h) ~ x", DATA, "cox", default_priors="brms")
    own = table[table["class"] == "sbhaz"]
    assert "dirichlet(1)" in set(own["prior"]) and {"u", "v"} <= set(own["group"])
    chosen = [bayesml.prior("dirichlet(3)", class_="sbhaz")]
    spec = describe_problem("t ~ x", DATA, "cox", prior=chosen).description.spec
    assert str(spec.parameter("sbhaz").priors[0]) == "dirichlet(3)"


REFUSED = {
    "negative": ("t - 30 ~ x", DataError, "must not be negative; it is -.* in row"),
    "df": ("t | bhaz(df = 3) ~ x", DataError, "`df` of `bhaz\\(\\)` is at least 4"),
    "df half": ("t | bhaz(df = 5.5) ~ x", DataError, "whole number of at least 1; got 5.5"),
    "knots": ("t | bhaz(knots = c(10, 4000)) ~ x", DataError, "must increase and lie between"),
    "knots text": ('t | bhaz(knots = "a") ~ x', DataError, "`knots` of `bhaz\\(\\)` are numbers"),
    "gr": ("t | bhaz(gr = log(x)) ~ x", FormulaError, "`gr=log\\(x\\)` of `bhaz\\(\\)` is no column"),
    "constant": ("one ~ x", DataError, "no variation"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_impossible_responses_are_refused(case: str) -> None:
    formula, kind, message = REFUSED[case]
    with pytest.raises(kind, match=f"(?s){message}"):
        describe_problem(formula, DATA.assign(one=1.0), "cox")


def test_other_families_have_no_baseline_hazard() -> None:
    with pytest.raises(FormulaError, match=r"weibull has no response term `bhaz\(\)`"):
        describe_problem("t | bhaz(df = 5) ~ x", DATA, "weibull")


def test_options_of_the_splines() -> None:
    for term, size in (("df = 7", 7), ("knots = c(3, 10)", 6), ("degree = 2", 5), ("df = 6, intercept = FALSE", 6)):
        likelihood = describe_problem(f"t | bhaz({term}) ~ x", DATA, "cox").likelihood
        assert dict(likelihood.further) == {"sbhaz": (size,)}
