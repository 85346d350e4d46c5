"""Models of several responses: one family each, independent or with correlated residuals."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesml
from bayesml import bf, prior, set_rescor
from bayesml.compile import compile_model, likelihood_values
from bayesml.engines.density import data_of
from bayesml.engines.nuts.forms.unique_rows import with_rows
from bayesml.engines.precision import double_precision
from bayesml.errors import BayesmlError, FormulaError, ModelError, PriorError
from bayesml.families import gaussian, get_family, mixture, poisson
from bayesml.families.joint import FACTOR, JointLikelihood
from bayesml.fit import describe_problem
from bayesml.keys import PredictorKey

ROWS = 60


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """Two numbers whose residuals have the correlation 0.6 and whose group effects have 0.5, a count, categories."""
    rng = np.random.default_rng(3)
    g, x = np.repeat(np.arange(10), ROWS // 10), rng.normal(size=ROWS)
    u = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 10)[g]
    e = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], ROWS)
    return pd.DataFrame(
        {
            "y.1": 1 + 0.5 * x + u[:, 0] + e[:, 0],
            "y_2": -1 + u[:, 1] + e[:, 1],
            "k": rng.poisson(np.exp(0.3 * x)),
            "o": rng.integers(1, 4, ROWS),
            "x": x,
            "z": rng.normal(size=ROWS),
            "w": rng.uniform(0.5, 2, ROWS),
            "v": rng.uniform(0.5, 2, ROWS),
            "s": rng.uniform(0.2, 0.4, ROWS),
            "c": np.where(rng.random(ROWS) < 0.2, "right", "none"),
            "g": [f"g{j}" for j in g],
        }
    )


def joint(problem) -> JointLikelihood:
    assert isinstance(problem.likelihood, JointLikelihood)
    return problem.likelihood


def values_of(problem, **values) -> dict[str, np.ndarray]:
    return {name: np.asarray(value, float) for name, value in values.items()}


# The density ---------------------------------------------------------------------------------------------------------


def rows_of_density(problem, predictors, single) -> np.ndarray:
    """Return the log density of each row."""
    likelihood = problem.likelihood
    with double_precision():
        values = likelihood_values(likelihood, predictors, single)
        response = problem.design.response.arrays
        return np.asarray(likelihood.log_prob(jax.numpy.asarray(response["y"]), values, response))


@pytest.mark.parametrize("family", ["gaussian", "student"])
def test_correlated_residuals_have_the_multivariate_density(data, family):
    problem = describe_problem("mvbind(y.1, y_2, x) ~ z", data, family)
    factor = np.linalg.cholesky([[1, 0.3, -0.2], [0.3, 1, 0.5], [-0.2, 0.5, 1]])
    mu, sigma = np.array([0.3, -0.4, 0.1]), np.array([0.8, 1.5, 0.6])
    predictors = {PredictorKey(resp): np.full(ROWS, m) for resp, m in zip(("y1", "y2", "x"), mu, strict=True)}
    single = {f"sigma_{resp}": np.asarray(s) for resp, s in zip(("y1", "y2", "x"), sigma, strict=True)}
    own = rows_of_density(problem, predictors, {**single, FACTOR: factor, "nu": np.asarray(4.5)})
    scale = (sigma[:, None] * factor) @ (sigma[:, None] * factor).T
    theirs = stats.multivariate_normal(mu, scale) if family == "gaussian" else stats.multivariate_t(mu, scale, 4.5)
    np.testing.assert_allclose(own, theirs.logpdf(data[["y.1", "y_2", "x"]].to_numpy()), rtol=1e-12)


def test_independent_responses_have_the_sum_of_their_densities(data):
    both = bf("y.1 | weights(w) ~ x") + bf("k ~ z", family="poisson")
    problem = describe_problem(both, data)
    alone = [
        describe_problem("y.1 | weights(w) ~ x", data),
        describe_problem("k ~ z", data, "poisson"),
    ]
    eta = [0.2 * data["x"].to_numpy(), 0.1 * data["z"].to_numpy()]
    own = rows_of_density(
        problem, {PredictorKey("y1"): eta[0], PredictorKey("k"): eta[1]}, {"sigma_y1": np.asarray(1.2)}
    )
    first = data["w"] * stats.norm(eta[0], 1.2).logpdf(data["y.1"])
    second = stats.poisson(np.exp(eta[1])).logpmf(data["k"])
    np.testing.assert_allclose(own, first + second, rtol=1e-10)
    assert [each.likelihood for each in problem.design.responses] == [each.likelihood for each in alone]


def test_known_standard_errors_are_part_of_the_scale(data):
    formula = bf("y.1 | se(s) ~ 1") + bf("y_2 | se(s, sigma=True) ~ 1") + set_rescor(True)
    problem = describe_problem(formula, data)
    assert [p.name for p in problem.description.spec.parameters] == ["Intercept_y1", "Intercept_y2", "sigma_y2", FACTOR]
    predictors = {PredictorKey("y1"): np.zeros(ROWS), PredictorKey("y2"): np.zeros(ROWS)}
    single = {"sigma_y2": np.asarray(0.9), FACTOR: np.array([[1, 0], [0.6, 0.8]])}
    own = rows_of_density(problem, predictors, single)
    for row in (0, 17):
        s = data["s"][row]
        sd = np.array([s, np.hypot(0.9, s)])
        theirs = stats.multivariate_normal([0, 0], np.outer(sd, sd) * [[1, 0.6], [0.6, 1]])
        assert own[row] == pytest.approx(theirs.logpdf(data[["y.1", "y_2"]].iloc[row]), rel=1e-12)


def test_a_weight_counts_a_row_as_a_whole(data):
    once = describe_problem("mvbind(y.1, y_2) ~ 1", data)
    twice = describe_problem("mvbind(y.1, y_2) | weights(v) ~ 1", data.assign(v=2.0))
    predictors = {PredictorKey("y1"): np.zeros(ROWS), PredictorKey("y2"): np.zeros(ROWS)}
    single = values_of(once, sigma_y1=1.0, sigma_y2=2.0) | {FACTOR: np.array([[1, 0], [0.6, 0.8]])}
    np.testing.assert_allclose(
        rows_of_density(twice, predictors, single), 2 * rows_of_density(once, predictors, single), rtol=1e-12
    )


CASES = {
    "ordinal": bf("o ~ x", family="cumulative") + bf("y_2 ~ x"),
    "equidistant": bf("o ~ cs(x)", family=bayesml.families.cumulative(threshold="equidistant")) + bf("y_2 ~ x"),
    "categories": bf("o ~ x", family="categorical") + bf("y_2 ~ x"),
    "mixture": bf("y.1 ~ x", family=mixture("gaussian", nmix=2)) + bf("y_2 ~ x", family=mixture("gaussian", nmix=2)),
    "censored": bf("y.1 | cens(c) ~ x") + bf("k ~ z", family="zero_inflated_poisson"),
    "nonlinear": bf("y.1 ~ exp(a) + x * b", a="~ 1", b="~ z", nonlinear=True) + bf("y_2 ~ x"),
    "smooth": bf("y.1 ~ s(x)") + bf("y_2 ~ s(x, k=5)"),
}


@pytest.mark.parametrize("name", CASES)
def test_any_two_likelihoods_together(data, name):
    """The log density of the model of two responses is the sum of those of the two models."""
    formula = CASES[name] + set_rescor(False)
    problem = describe_problem(formula, data)
    log_density = density_of(problem)
    rng = np.random.default_rng(1)
    with double_precision():
        sites = {p.name: start_of(p, rng) for p in problem.description.spec.parameters}
        total = float(log_density(sites))
        alone = 0.0
        for part, resp in zip(formula.formulas, [r.name for r in problem.design.responses], strict=True):
            single = describe_problem(part, data, part.family or "gaussian")
            own = [p.name for p in single.description.spec.parameters]
            theirs = [p.name for p in problem.description.spec.parameters if p.predictor.resp == resp]
            assert len(own) == len(theirs)
            alone += float(density_of(single)({a: sites[b] for a, b in zip(own, theirs, strict=True)}))
    assert np.isfinite(total)
    assert total == pytest.approx(alone, rel=1e-12)


def start_of(parameter, rng):
    size = parameter.support.size(parameter.shape)
    return np.asarray(parameter.support.constrain(jax.numpy.asarray(0.3 * rng.normal(size=size)), parameter.shape)[0])


def density_of(problem):
    from numpyro.infer.util import log_density

    spec = problem.description.spec
    model = compile_model(spec, problem.design.schema, problem.likelihood)
    arguments = (data_of(problem), problem.design.response.arrays["y"])
    return jax.jit(lambda sites: log_density(model, arguments, {}, sites)[0])


# Random responses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["gaussian", "student"])
def test_random_responses_have_the_correlation_and_scales(data, family):
    likelihood = joint(describe_problem("mvbind(y.1, y_2) ~ 1", data, family))
    n = 20_000
    parameters = {
        **{"mu_y1": np.full(n, 1.0), "mu_y2": np.full(n, -2.0), "sigma_y1": np.asarray(0.5)},
        **{"sigma_y2": np.asarray(2.0), "nu": np.asarray(8.0), FACTOR: np.array([[[1.0, 0.0], [-0.6, 0.8]]])},
    }
    drawn = likelihood.draw(np.random.default_rng(2), parameters, {})
    variance = np.array([0.25, 4.0]) * (8 / 6 if family == "student" else 1)
    # Standard errors: sd / sqrt(n) of a mean; (1 - r^2) / sqrt(n) of a correlation and sqrt(2 / n) of a log variance
    # for normal ones, larger for t by the root of the excess kurtosis, which is 1.5 for nu = 8.
    np.testing.assert_allclose(drawn.mean(axis=0), [1.0, -2.0], atol=5 * 2.4 / np.sqrt(n))
    np.testing.assert_allclose(np.log(drawn.var(axis=0) / variance), 0, atol=5 * np.sqrt(3.5 / n))
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(-0.6, abs=5 * 1.2 * 0.64 / np.sqrt(n))
    np.testing.assert_allclose(likelihood.mean(parameters, {})[0], [1.0, -2.0])
    np.testing.assert_allclose(likelihood.variance(parameters, {})[0], variance)


# Rows ----------------------------------------------------------------------------------------------------------------


def test_rows_are_chosen_for_all_responses(data):
    problem = describe_problem(bf("y.1 | weights(w) ~ x") + bf("k ~ x", family="poisson"), data)
    rows, weights = np.array([5, 2, 40]), np.array([2.0, 1.0, 3.0])
    some = with_rows(problem, rows, weights)
    first, second = some.design.responses
    np.testing.assert_array_equal(first.data.arrays["y"], data["y.1"].to_numpy()[rows])
    np.testing.assert_allclose(first.weights, data["w"].to_numpy()[rows] * weights)
    np.testing.assert_array_equal(second.data.arrays["y"], data["k"].to_numpy()[rows])
    np.testing.assert_allclose(second.weights, weights)
    assert some.design.n_rows == 3


def test_rows_that_lack_any_response_are_left_out(data):
    gaps = data.assign(y_2=data["y_2"].where(data.index != 3), k=data["k"].where(data.index != 9))
    with pytest.warns(bayesml.FitWarning, match="2 of 60 rows"):
        problem = describe_problem(bf("y_2 ~ x") + bf("k ~ x", family="poisson"), gaps)
    assert problem.design.n_rows == ROWS - 2


# Whether residuals are correlated ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "family", "expected"),
    [
        ("mvbind(y.1, y_2) ~ x", "gaussian", "normal"),
        ("mvbind(y.1, y_2) ~ x", "student", "student_t"),
        ("mvbind(y.1, y_2) ~ x", ["gaussian", "student"], ""),
        ("mvbind(y.1, k) ~ x", ["gaussian", "poisson"], ""),
        ("mvbind(y.1, y_2) | cens(c) ~ x", "gaussian", ""),
        ("mvbind(y.1, y_2) | weights(w) ~ x", "gaussian", "normal"),
        (bf("y.1 | weights(w) ~ x") + bf("y_2 | weights(v) ~ x"), "gaussian", ""),
        (bf("mvbind(y.1, y_2) ~ x") + set_rescor(False), "gaussian", ""),
    ],
)
def test_residuals_are_correlated_where_they_can_be(data, formula, family, expected):
    assert joint(describe_problem(formula, data, family)).residuals == expected


@pytest.mark.parametrize(
    ("formula", "family", "message"),
    [
        (bf("y.1 ~ x") + bf("k ~ x"), ["gaussian", "poisson"], "`y1` is gaussian, `k` is poisson"),
        (bf("y.1 | cens(c) ~ x") + bf("y_2 ~ x"), "gaussian", "gaussian with response terms"),
        (bf("y.1 | weights(w) ~ x") + bf("y_2 | weights(v) ~ x"), "gaussian", "different weights"),
        (bf("y.1 | weights(w) ~ x") + bf("y_2 ~ x"), "gaussian", "different weights"),
        (bf("y.1 ~ x", nu="~ x") + bf("y_2 ~ x"), "student", "`nu` is one number"),
    ],
)
def test_residuals_that_cannot_be_correlated(data, formula, family, message):
    with pytest.raises(FormulaError, match=message):
        describe_problem(formula + set_rescor(True), data, family)


# Families and priors -------------------------------------------------------------------------------------------------


def test_families_of_the_formulas_stand_before_that_of_the_fit(data):
    formula = bf("mvbind(y.1, y_2) ~ x", family=["student", "gaussian"]) + bf("k ~ x")
    assert describe_problem(formula, data, "poisson").family.name == "MV(student, gaussian, poisson)"
    assert get_family(["gaussian", poisson(link="sqrt")]).families == (gaussian(), poisson(link="sqrt"))


@pytest.mark.parametrize(
    ("family", "message"),
    [
        (["gaussian", "poisson", "student"], "3 families, .*, and 2 responses"),
        ([], "empty list"),
        (["gaussian", "poison"], "did you mean `poisson`"),
    ],
)
def test_families_that_do_not_fit_the_responses(data, family, message):
    with pytest.raises(ModelError, match=message):
        describe_problem("mvbind(y.1, y_2) ~ x", data, family)


def test_two_families_for_one_response_are_refused(data):
    with pytest.raises(ModelError, match="2 families, gaussian, poisson, and 1 response"):
        describe_problem("y.1 ~ x", data, ["gaussian", "poisson"])


def test_a_prior_without_a_response_is_for_all(data):
    priors = [
        prior("normal(0, 1)", class_="b"),
        prior("normal(0, 2)", class_="b", resp="y2"),
        prior("normal(0, 3)", class_="b", coef="z", resp="y2"),
        prior("exponential(1)", class_="sigma", resp="y1"),
        prior("lkj(4)", class_="rescor"),
    ]
    spec = describe_problem("mvbind(y.1, y_2) ~ x + z", data, prior=priors).description.spec
    assert [str(p) for p in spec.priors_of("slopes_y1")] == ["normal(0, 1)"] * 2
    assert [str(p) for p in spec.priors_of("slopes_y2")] == ["normal(0, 2)", "normal(0, 3)"]
    assert [str(p) for p in spec.priors_of(FACTOR)] == ["lkj(4)"]
    assert "exponential(1)" in str(spec.priors_of("sigma_y1")[0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (prior("normal(0, 1)", class_="b", resp="y_2"), "did you mean `y2`"),
        (prior("normal(0, 1)", class_="sigma"), 'say of which response it is the prior, resp="y1"'),
        (prior("normal(0, 1)", class_="rescor"), "a correlation matrix takes an LKJ prior"),
    ],
)
def test_priors_that_match_nothing(data, given, message):
    with pytest.raises(PriorError, match=message):
        describe_problem("mvbind(y.1, y_2) ~ x", data, prior=[given])


def test_names_that_would_be_the_same_are_refused(data):
    # The effects that `y1` joins and those of the other term of the first response would both be z_g__y1.
    formula = bf("y.1 ~ (1 | y1 | g) + (0 + x | g)") + bf("y_2 ~ (1 | y1 | g)")
    with pytest.raises(FormulaError, match="would both be called `z_g__y1`"):
        describe_problem(formula, data)


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_linear_mixed_models_are_of_one_response(data, method):
    with pytest.raises(ModelError, match="is for models of one response; this one has `y1`, `y2`"):
        bayesml.fit("mvbind(y.1, y_2) ~ x", data, method=method)


# A fit ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fit(data):
    formula = bf("y.1 ~ x + (1 | p | g)", sigma="~ z") + bf("y_2 ~ 1 + (1 | p | g)") + set_rescor(True)
    return bayesml.fit(formula, data, seed=4, draws=1500, warmup=500, chains=2, progress=False)


def test_names_are_those_of_brms(fit):
    names = [name for name in fit.draws().columns if not name.startswith(("r_", "."))]
    assert names == [
        *("b_y1_Intercept", "b_y1_x", "b_sigma_y1_Intercept", "b_sigma_y1_z", "b_y2_Intercept"),
        *("sd_g__y1_Intercept", "cor_g__y1_Intercept__y2_Intercept", "sd_g__y2_Intercept"),
        *("sigma_y2", "rescor__y1__y2"),
    ]
    assert fit["r_g__y1"].dims == ("chain", "draw", "g", "g__y1_coef")


def test_summary_has_a_line_for_each_response(fit):
    text = str(fit)
    assert text.startswith(
        " Family: MV(gaussian, gaussian)\n  Links: mu = identity; sigma = log\n         mu = identity\n"
        "Formula: y.1 ~ x + (1 | p | g)\n         sigma ~ z\n         y_2 ~ 1 + (1 | p | g)\n"
    )
    assert "cor(y1_Intercept,y2_Intercept)" in text
    assert "\nResidual Correlations:\n" in text
    assert "\nrescor(y1,y2) " in text
    assert fit["rescor__y1__y2"].mean() == pytest.approx(0.6, abs=0.3)


def test_a_fit_is_saved_and_updated_with_its_families(fit, tmp_path):
    fit.save(tmp_path / "fit.nc")
    loaded = bayesml.load(tmp_path / "fit.nc")
    assert str(loaded) == str(fit)
    assert loaded.recipe.family == fit.recipe.family
    assert loaded.likelihood == fit.likelihood
    assert set(fit.idata["observed_data"].data_vars) == {"y.1", "y_2"}
    assert float(fit.idata["log_prior"]["rescor"].max()) == pytest.approx(np.log(0.5))  # lkj(1): uniform on (-1, 1)


def test_residual_variation_has_the_correlation(fit):
    residual = fit.varcorr()["residual__"]
    assert list(residual.sd.index) == ["y2"]  # that of y1 has a formula


def test_two_responses_of_a_formula_are_not_the_same():
    with pytest.raises(BayesmlError, match="would be called `y1`"):
        describe_problem(bf("y1 ~ 1") + bf("y_1 ~ 1"), pd.DataFrame({"y1": [1.0, 2.0], "y_1": [1.0, 2.0]}))


def test_a_family_of_functions_is_given_again_to_load_in_a_list(data, tmp_path):
    normal = bayesml.custom_family("mine", log_normal_density, ("mu", "spread"), ("identity", "log"), lb=(None, 0))
    formula = bf("y.1 ~ x", family=normal) + bf("k ~ x", family="poisson")
    one = bayesml.fit(formula, data, sample_prior="only", draws=20, chains=1, seed=1, progress=False)
    one.save(tmp_path / "fit.nc")
    with pytest.raises(ModelError, match="functions are not stored"):
        bayesml.load(tmp_path / "fit.nc")
    assert str(bayesml.load(tmp_path / "fit.nc", family=[normal, "poisson"])) == str(one)


def log_normal_density(y, mu, spread):
    return -0.5 * ((y - mu) / spread) ** 2 - jax.numpy.log(spread)
