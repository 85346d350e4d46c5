"""Proportions with exact zeros and ones: inflated beta families, ordered beta, extended-support beta."""

from __future__ import annotations

import json
import warnings

import jax
import numpy as np
import pandas as pd
import pytest
from jax import numpy as jnp
from scipy import integrate, stats
from scipy.special import expit

import bayesml
from bayesml import bf
from bayesml.engines.precision import double_precision
from bayesml.errors import DataError, FormulaError
from bayesml.families import FAMILIES
from bayesml.families.beta_fraction import log_beta_below
from bayesml.fit import describe_problem
from tests.brms_models import FACTS

DATA = pd.read_csv(FACTS / "bounded.csv")
EXPECTED = json.loads((FACTS / "bounded.json").read_text())
POINTS = {
    "zero_inflated_beta": {"phi": 3.0, "zi": 0.2},
    "zero_one_inflated_beta": {"phi": 3.0, "zoi": 0.3, "coi": 0.6},
    "ordered_beta": {"phi": 3.0, "cutzero": -1.0, "cutone": 0.5},
    "xbeta": {"phi": 3.0, "kappa": 0.3},
}


@pytest.mark.parametrize("name", POINTS)
def test_point_masses_and_density_have_mass_one(name: str) -> None:
    """Point masses and the integral of the density, in double exponential coordinates up to 1 - 1e-15."""
    family, others = FAMILIES[name](), POINTS[name]
    t = np.linspace(-3.1, 3.1, 2001)
    u = np.pi * np.sinh(t)  # y = expit(u), dy = y (1 - y) du
    y = np.concatenate([[0.0, 1.0], expit(u)])
    with double_precision():
        density = jax.jit(lambda eta: family.log_prob(jnp.asarray(y), {**values, "mu": eta}, {}))
        values = family.values({p.name: family.link(p.name).forward(v) for p in family.dpars[1:] for v in
                                [others[p.name]]}, {"mu": 0.5})  # fmt: skip
        for eta in (-1.0, 0.2, 1.0):
            log_p = np.asarray(density(jnp.full(len(y), eta)))
            inner = np.exp(log_p[2:]) * expit(u) * expit(-u) * np.pi * np.cosh(t)
            points = np.exp(log_p[0]) + (0.0 if name == "zero_inflated_beta" else np.exp(log_p[1]))
            assert points + integrate.simpson(inner, x=t) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("eta", [-40.0, 40.0])
def test_extreme_predictors_have_finite_densities_and_gradients(name: str, eta: float) -> None:
    family = FAMILIES[name]()
    y = np.array([0.0, 0.2, 0.999] if name == "zero_inflated_beta" else [0.0, 0.2, 1.0])

    def total(e: jax.Array) -> jax.Array:
        predictors = {p.name: family.link(p.name).forward(POINTS[name][p.name]) for p in family.dpars[1:]}
        return family.log_prob(jnp.asarray(y), family.values({**predictors, "mu": e}, {}), {}).sum()

    with double_precision():
        value, slope = jax.jit(jax.value_and_grad(total))(jnp.full(3, eta))
    assert np.isfinite(value) and np.isfinite(slope).all()


def test_the_tail_of_a_beta_variable_equals_scipys() -> None:
    rng = np.random.default_rng(2)
    phi, mean = np.exp(rng.uniform(-3, 6.9, 4000)), rng.uniform(0.01, 0.99, 4000)
    kappa = np.exp(rng.normal(-2, 1.5, 4000))
    a, b, q = mean * phi, (1 - mean) * phi, kappa / (1 + 2 * kappa)
    with double_precision():
        found = np.asarray(jax.jit(log_beta_below)(a, b, q, 1 - q))
    expected = stats.beta.cdf(q, a, b)
    kept = expected > 1e-250
    np.testing.assert_allclose(found[kept], np.log(expected[kept]), rtol=2e-8, atol=1e-12)


@pytest.mark.slow
def test_zero_inflation_is_a_beta_model_of_the_others_beside_a_logistic_one() -> None:
    """The likelihood is a product of both, effects of groups in mu included."""
    both = bayesml.fit(bf("zero ~ x + (1 | g)", zi="~ z"), DATA, "zero_inflated_beta", method="laplace")
    some = bayesml.fit("zero ~ x + (1 | g)", DATA[DATA["zero"] > 0], "beta", method="laplace")
    none = bayesml.fit("nil ~ z", DATA.assign(nil=(DATA["zero"] == 0).astype(int)), "bernoulli", method="laplace")
    assert both.logLik == pytest.approx(some.logLik + none.logLik, abs=1e-6)
    expected = np.concatenate([some.fixef()["Estimate"], none.fixef()["Estimate"]])
    np.testing.assert_allclose(both.fixef()["Estimate"], expected, atol=1e-4)
    assert both.varcorr()["g"].sd["Intercept"] == pytest.approx(some.varcorr()["g"].sd["Intercept"], rel=1e-4)


@pytest.mark.parametrize(("formula", "name"), [("both ~ x", "plain"), ("both ~ x + z", "two")])
def test_ordered_beta_is_the_maximum_of_its_likelihood(formula: str, name: str) -> None:
    fit, expected = bayesml.fit(formula, DATA, "ordered_beta", method="laplace"), EXPECTED[name]
    assert fit.logLik == pytest.approx(expected["loglik"], abs=1e-6)
    *slopes, log_phi, first, second = expected["par"]
    np.testing.assert_allclose(fit.fixef()["Estimate"], slopes, atol=1e-4)
    assert fit["phi"] == pytest.approx(np.exp(log_phi), rel=1e-3)
    assert (fit["cutzero"], fit["cutone"]) == (pytest.approx(first, abs=1e-3), pytest.approx(second, abs=1e-3))


@pytest.fixture(scope="module")
def fit() -> bayesml.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)  # a short run
        return bayesml.fit(
            "both ~ x + (1 | g)", DATA, "ordered_beta", seed=1, draws=300, chains=2, progress=False
        )  # fmt: skip


@pytest.mark.slow
def test_an_ordered_beta_fit_answers(fit: bayesml.Fit, tmp_path) -> None:
    table = fit.summary().to_pandas()
    # simulated with 0.3, 0.6, thresholds -1.5 and 1.9
    for name, value in {"b_Intercept": 0.3, "b_x": 0.6, "cutzero": -1.5, "sd_g__Intercept": 0.5}.items():
        assert abs(table.loc[name, "Estimate"] - value) < 4 * table.loc[name, "Est.Error"], name
    drawn = fit.predict(seed=1).to_numpy()
    assert drawn.min() == 0 and drawn.max() == 1 and np.mean((drawn > 0) & (drawn < 1)) > 0.2
    mean, expected = drawn.mean(), fit.epred().to_numpy().mean()
    assert mean == pytest.approx(expected, abs=0.01)  # 180,000 draws of sd .4
    fit.pp_check(seed=1)
    assert np.isfinite(fit.loo().elpd_loo)
    fit.save(tmp_path / "fit.nc")
    again = bayesml.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.log_lik(), fit.log_lik())


REFUSED = {
    "above": ("zero_one_inflated_beta", "100 * both ~ x", DataError, "must lie between 0 and 1; it is .*divide by 100"),
    "one": ("zero_inflated_beta", "both ~ x", DataError, "below 1; it is 1 in row .*zero_one_inflated_beta"),
    "constant": ("xbeta", "nil ~ x", DataError, "there is no variation"),
    "beta": ("beta", "both ~ x", DataError, "strictly between 0 and 1.*ordered_beta or xbeta"),
    "cens": ("zero_one_inflated_beta", "both | cens(nil) ~ x", FormulaError, r"has no response term `cens\(\)`"),
    "link": ("ordered_beta", "both ~ x", None, ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_impossible_responses_are_refused(case: str) -> None:
    family, formula, kind, message = REFUSED[case]
    if kind is None:
        with pytest.raises(bayesml.BayesmlError, match="cannot have the link 'probit'"):
            FAMILIES[family]("probit")
        return
    with pytest.raises(kind, match=f"(?s){message}"):
        describe_problem(formula, DATA.assign(nil=0), family)


def test_every_parameter_may_have_a_formula() -> None:
    formula = bf("both ~ x", phi="~ z", zoi="~ x", coi="~ 1 + (1 | g)")
    spec = describe_problem(formula, DATA, "zero_one_inflated_beta", default_priors="brms").description.spec
    priors = {p.name: str(p.priors[0]) for p in spec.parameters if p.prior_class == "Intercept"}
    assert priors["Intercept_zoi"] == priors["Intercept_coi"] == "logistic(0, 1)"
    kappa = bayesml.default_prior("both ~ x", DATA, "xbeta", default_priors="brms").set_index("class")
    assert kappa.loc["kappa", "prior"] == "gamma(0.01, 0.01)"
