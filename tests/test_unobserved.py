"""What nobody observed: variables measured with error, missing responses as predictors, censored predictors."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesml
from bayesml.compile import compile_model
from bayesml.engines.density import data_of
from bayesml.engines.precision import double_precision
from bayesml.errors import BayesmlError, DataError, FormulaError, ModelError
from bayesml.fit import describe_problem
from bayesml.formula import parse
from bayesml.terms.measured_variables import MeasuredVariables
from bayesml.terms.missing import transformed

N = 60
RNG = np.random.default_rng(7)
TRUE = 1.0 + RNG.normal(size=N)
Z = RNG.normal(size=N)
DATA = pd.DataFrame(
    {
        "y": 2.0 + 0.7 * TRUE + RNG.normal(scale=0.5, size=N),
        "x": TRUE,
        "xo": TRUE + RNG.normal(scale=0.4, size=N),
        "s": np.where(np.arange(N) % 2, 0.4, 0.2),
        "z": Z,
        "g": np.arange(N) % 6,
        "f": np.where(np.arange(N) % 3, "a", "b"),
    }
)
GAPS = DATA.assign(x=DATA["x"].mask(np.arange(N) % 5 == 0))
LIMIT = 2.0
BOUNDED = DATA.assign(
    x=np.minimum(TRUE, LIMIT), c=np.where(TRUE > LIMIT, "right", "none"), upper=np.where(TRUE > LIMIT, 3.5, np.nan)
)


def imputed(text: str = "x | mi() ~ z", outcome: str = "y ~ mi(x)") -> bayesml.Formula:
    return bayesml.bf(outcome) + bayesml.bf(text) + bayesml.set_rescor(False)


def log_density(problem, values):
    from numpyro.infer.util import log_density as numpyro_log_density

    model = compile_model(problem.description.spec, problem.design.schema, problem.likelihood)
    with double_precision():
        arguments = (data_of(problem), problem.design.response.arrays["y"])
        return float(numpyro_log_density(model, arguments, {}, values)[0])


def test_a_measured_variable_has_the_density_of_its_normal_distribution():
    """In the coordinates of the model p(X, x) dX is normal(x; m, sqrt(sd^2 + s^2)) normal(z; 0, 1)."""
    problem = describe_problem("y ~ me(xo, s)", DATA, default_priors="brms")
    z = np.random.default_rng(1).normal(size=(1, N))
    values = {"Intercept": 0.3, "bsp": np.array([0.6]), "meanme": np.array([0.9]), "sdme": np.array([1.2]), "zme": z}
    ours = log_density(problem, values | {"sigma": 0.8})
    total = np.hypot(1.2, DATA["s"])
    true = 0.9 + 1.2**2 / total**2 * (DATA["xo"] - 0.9) + 1.2 * DATA["s"] / total * z[0]
    expected = stats.norm(0.9, total).logpdf(DATA["xo"]).sum() + stats.norm.logpdf(z).sum()
    expected += stats.norm(0.3 + 0.6 * true, 0.8).logpdf(DATA["y"]).sum()
    prior = next(r for r in problem.description.priors.rows if r.prior_class == "Intercept").distribution
    expected += float(prior.log_density(0.3)) + stats.t(3, 0, 2.5).logpdf(0.8) + np.log(2)
    assert ours == pytest.approx(expected, rel=1e-9)


def test_a_measurement_without_error_is_the_value():
    problem = describe_problem("y ~ me(xo, 0)", DATA)
    term = next(t for t in problem.design.schema.predictors[0].terms if isinstance(t, MeasuredVariables))
    arrays = problem.design.arrays[term.predictor][term.key]
    values = {"meanme": np.array([5.0]), "sdme": np.array([0.1]), "zme": np.full((1, N), 3.0)}
    np.testing.assert_allclose(term.derived(values, arrays)["Xme_me(xo)"], DATA["xo"], rtol=1e-12)


@pytest.mark.parametrize(("lower", "upper"), [(-np.inf, np.inf), (0.0, np.inf), (-np.inf, 2.0), (1.0, 1.5)])
def test_unobserved_values_lie_between_their_bounds(lower, upper):
    w = np.linspace(-30.0, 30.0, 13)
    bounds = np.full(13, lower), np.full(13, upper)
    value, slope = transformed(w, *bounds)
    assert np.all((value >= lower) & (value <= upper)) and np.isfinite(slope).all()
    middle = np.linspace(-2.0, 2.0, 9)
    bounds, step = (bounds[0][:9], bounds[1][:9]), 1e-6
    ahead, behind = (transformed(middle + sign * step, *bounds)[0] for sign in (1, -1))
    derivative = np.abs(ahead - behind) / (2 * step)
    np.testing.assert_allclose(np.log(derivative), transformed(middle, *bounds)[1], atol=1e-6)


def short(formula, data):
    """Return a short run; of its many unobserved values some have not settled, which is not asked here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.errors.FitWarning)
        return bayesml.fit(formula, data, seed=3, draws=400, warmup=400, chains=2, progress=False)


@pytest.fixture(scope="module")
def measured():
    return short("y ~ me(xo, s) * z", DATA)


@pytest.fixture(scope="module")
def gaps():
    return short(imputed(), GAPS)


@pytest.fixture(scope="module")
def censored():
    return short(imputed("x | mi() + cens(c) ~ z"), BOUNDED)


def test_effects_of_what_was_not_observed_are_recovered(measured, gaps, censored):
    """The slope of the true variable is 0.7; 4 posterior standard deviations leave room for the data and the draws."""
    for fit, name in ((measured, "bsp_mexos"), (gaps, "bsp_y_mix"), (censored, "bsp_y_mix")):
        draws = np.asarray(fit[name])
        assert abs(draws.mean() - 0.7) < 4 * draws.std(), name


def test_names_are_those_of_brms(measured, gaps):
    names = list(measured.draws().columns)
    assert {"bsp_me(xo, s)", "bsp_me(xo, s):z", "meanme_me(xo)", "sdme_me(xo)", "Xme_me(xo)[1]"} <= set(names)
    assert np.asarray(measured["meanme_mexo"]).size == 800
    missing = [f"Ymi_x[{row + 1}]" for row in range(0, N, 5)]
    assert [c for c in gaps.draws().columns if c.startswith("Ymi")] == missing


def test_the_summary_shows_hyperparameters_and_no_row(measured, gaps):
    text = str(measured)
    assert "sdme(me(xo))" in text and "Xme" not in text.partition("Draws were sampled")[0]
    assert "Ymi" not in str(gaps).partition("Draws were sampled")[0] and "y_mi(x)" in str(gaps)


def test_fitted_rows_use_the_unobserved_values_and_new_rows_those_given(gaps, measured):
    expected = gaps.epred(resp="y").values.reshape(-1, N)
    draws = {name: np.asarray(gaps[name]).ravel() for name in ("b_y_Intercept", "bsp_y_mi(x)", "Ymi_x[6]")}
    ours = draws["b_y_Intercept"] + draws["bsp_y_mi(x)"] * draws["Ymi_x[6]"]
    np.testing.assert_allclose(expected[:, 5], ours, rtol=1e-10)
    new = gaps.epred(pd.DataFrame({"x": [0.5]}), resp="y").values.ravel()
    np.testing.assert_allclose(new, draws["b_y_Intercept"] + draws["bsp_y_mi(x)"] * 0.5, rtol=1e-10)
    assert measured.epred(pd.DataFrame({"xo": [0.5], "z": [0.0]})).shape[-1] == 1


def test_log_likelihood_is_that_of_what_was_observed(gaps):
    values = gaps.log_lik(resp="x").values
    assert (values[..., ::5] == 0).all() and np.isfinite(values).all()
    assert np.isfinite(gaps.log_lik().values).all()


def test_censored_predictors_lie_beyond_their_limits(censored):
    names = [c for c in censored.draws().columns if c.startswith("Ymi")]
    assert len(names) == int((BOUNDED["c"] == "right").sum())
    assert all(np.asarray(censored[name]).min() >= LIMIT for name in names)


def test_an_interval_bounds_a_censored_predictor():
    data = BOUNDED.assign(c=BOUNDED["c"].replace("right", "interval"))
    problem = describe_problem(imputed("x | mi() + cens(c, y2 = upper) ~ z"), data)
    unobserved = problem.design.of_response("x").data.unobserved
    assert set(unobserved.lower) == {LIMIT} and set(unobserved.upper) == {3.5}


def test_saved_fits_come_back(gaps, tmp_path):
    gaps.save(tmp_path / "fit.nc")
    again = bayesml.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.epred(resp="y").values, gaps.epred(resp="y").values)


def test_measured_variables_may_be_independent():
    formula = bayesml.bf("y ~ me(xo, s) + me(z, 0.1)")
    assert any(p.prior_class == "corme" for p in describe_problem(formula, DATA).description.spec.parameters)
    apart = describe_problem(formula + bayesml.set_mecor(False), DATA)
    assert not any(p.prior_class == "corme" for p in apart.description.spec.parameters)
    assert bayesml.bf("y ~ me(xo, s)", mecor=False).mecor is False


def test_rows_with_a_missing_response_stay_and_others_go():
    gaps = GAPS.assign(z=GAPS["z"].mask(np.arange(N) == 1))
    with pytest.warns(UserWarning, match="1 of 60 rows"):
        problem = describe_problem(imputed(), gaps)
    assert problem.design.n_rows == N - 1
    assert len(problem.design.of_response("x").data.unobserved.rows) == N // 5


@pytest.mark.parametrize(
    ("formula", "data", "error", "words"),
    [
        ("y ~ me(xo)", DATA, FormulaError, "standard deviations"),
        ("y ~ me(xo, s, gr = g)", DATA, DataError, "one value for each level"),
        ("y ~ me(xo, z)", DATA, DataError, "at least 0"),
        ("y ~ me(f, s)", DATA, FormulaError, "categories"),
        ("y ~ me(xo, s) + me(xo, 0.1)", DATA, FormulaError, "two measurement errors"),
        ("y ~ mi(x)", DATA, FormulaError, "formula of `x`"),
        (bayesml.bf("y ~ mi(x)") + bayesml.bf("x ~ z"), DATA, FormulaError, r"without `mi\(\)`"),
        (imputed("x | mi() ~ z", "y ~ mi(x, g)"), GAPS, FormulaError, r"index\(id\)"),
        ("g | mi() ~ x", DATA, FormulaError, r"no response term `mi\(\)`"),
        ("y | mi(z) ~ x", DATA, DataError, "larger than 0"),
        (imputed(), DATA.assign(x=np.nan), DataError, "no "),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(formula, data, error, words):
    family = "poisson" if str(formula).startswith("g |") else "gaussian"
    with pytest.raises(error, match=words):
        describe_problem(formula, data, family)


@pytest.mark.parametrize("method", ["laplace", "map", "reml"])
@pytest.mark.parametrize("formula", ["y ~ me(xo, s)", "x | mi() ~ z", imputed()])
def test_point_estimates_refuse_in_a_sentence(formula, method):
    with pytest.raises(ModelError) as caught:
        bayesml.fit(formula, GAPS, method=method)
    assert isinstance(caught.value, BayesmlError) and "nuts" in str(caught.value).lower()


def test_a_sum_says_it_once():
    one = bayesml.bf("y ~ me(xo, s)", mecor=False)
    with pytest.raises(FormulaError, match="mecor"):
        one + bayesml.bf("x ~ 1", mecor=True)
    assert parse("y ~ x").mecor


def test_effects_are_shown_of_the_variable_and_not_of_its_errors(measured, gaps):
    assert set(measured.conditional_effects()) == {"z", "xo", "xo:z"}
    table = gaps.conditional_effects(resp="y")["x"]
    assert np.isfinite(np.asarray(table["estimate__"], dtype=float)).all()


def test_checks_look_at_what_was_observed(gaps):
    from matplotlib import pyplot

    assert np.isfinite(np.asarray(gaps.bayes_R2(resp="x"), dtype=float)).all()
    gaps.pp_check(resp="x", seed=1)
    pyplot.close("all")


def test_new_data_say_the_value(gaps):
    with pytest.raises(DataError, match="`x` is missing in row 1 of the new data"):
        gaps.epred(pd.DataFrame({"x": [np.nan]}), resp="y")


def test_missing_values_are_drawn_from_their_own_formula_in_the_prior():
    """x = 2 z + e with sd 0.5 where it is missing, and y has the mean x; 4,000 draws of each missing value.

    Means and standard deviations within 5 standard errors, sd / sqrt(4,000) and sd / sqrt(8,000).
    """
    data = {"x": [np.nan, 1.0, np.nan, 0.5], "y": [1.0, np.nan, 0.3, 2.0], "z": [0.5, 0.0, -1.0, 0.2]}
    formula = bayesml.bf("y | mi() ~ 0 + mi(x)") + bayesml.bf("x | mi() ~ 0 + z") + bayesml.set_rescor(False)
    constants = [("1", "b", "y"), ("2", "b", "x"), ("0.3", "sigma", "y"), ("0.5", "sigma", "x")]
    priors = [bayesml.prior(f"constant({v})", class_=c, resp=r) for v, c, r in constants]
    fit = bayesml.fit(formula, data, prior=priors, sample_prior="only", draws=1000, seed=3, progress=False)
    draws = fit.draws()
    x, y = draws[["Ymi_x[1]", "Ymi_x[3]"]].to_numpy(), draws["Ymi_y[2]"].to_numpy()
    np.testing.assert_allclose(x.mean(axis=0), [1.0, -2.0], atol=5 * 0.5 / np.sqrt(4000))
    np.testing.assert_allclose(x.std(axis=0), 0.5, atol=5 * 0.5 / np.sqrt(8000))
    np.testing.assert_allclose([y.mean(), y.std()], [1.0, 0.3], atol=5 * 0.3 / np.sqrt(4000))


SCHOOLS = pd.DataFrame(
    {"y": [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0], "s": [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]}
)


def test_measured_responses_are_sampled_around_their_means():
    """Integrated over the true values, y | mi(s) is y | se(s, sigma = True): no divergence where sigma is near 0.

    The summaries of both runs differ by Monte Carlo error: 0.25 posterior standard deviations are five standard errors
    of 400 independent draws of each.
    """
    options = {"default_priors": "brms", "seed": 2, "progress": False}
    measured = bayesml.fit("y | mi(s) ~ 1", SCHOOLS, **options)
    integrated = bayesml.fit("y | se(s, sigma = True) ~ 1", SCHOOLS, **options)
    for name in ("b_Intercept", "sigma"):
        ours, theirs = np.asarray(measured[name]), np.asarray(integrated[name])
        assert abs(ours.mean() - theirs.mean()) < 0.25 * theirs.std()
        assert 0.75 < ours.std() / theirs.std() < 1.33
    assert {f"Ymi[{row}]" for row in range(1, 9)} <= set(measured.draws().columns)
    assert 0.0 < np.asarray(measured["Ymi[1]"]).mean() < 28.0


def test_a_mean_that_needs_unobserved_values_is_not_followed():
    """Values that depend on each other in a circle are sampled as they are."""
    round_trip = bayesml.bf("x | mi(s) ~ mi(y)") + bayesml.bf("y | mi(s) ~ z") + bayesml.set_rescor(False)
    design = describe_problem(round_trip, GAPS).design
    follows = {t.name: t.follows_mean for p in design.schema.predictors for t in p.terms if t.holds}
    assert follows == {"Ymi_x": False, "Ymi_y": True}


def test_residuals_are_correlated_beside_missing_values_on_request_alone():
    formula = bayesml.bf("y ~ mi(x)") + bayesml.bf("x | mi() ~ z")
    for asked, correlated in ((formula, False), (formula + bayesml.set_rescor(True), True)):
        names = [p.name for p in describe_problem(asked, GAPS).description.spec.parameters]
        assert ("Lrescor" in names) == correlated
