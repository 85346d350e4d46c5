"""Residuals that depend on each other within a series: ``ar``, ``ma``, ``arma``, ``cosy`` and ``unstr``.

Densities are those of brms in test_brms_density.py; here are laws, independent densities and predictions.
"""

from __future__ import annotations

import warnings
from functools import partial

import jax
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesml
from bayesml.engines.from_prior import prior_draws
from bayesml.engines.precision import double_precision
from bayesml.errors import DataError, FormulaError, ModelError
from bayesml.fit import describe_problem

FORMULAS = (
    "y ~ x + ar(day, g, p = 2)",
    "y ~ x + arma(day, g, p = 2, q = 2)",
    "y ~ x + ar(day, g, cov = TRUE)",
    "y ~ x + arma(day, g, cov = TRUE)",
    "y ~ x + toep(day, g)",
    "y ~ x + cosy(day, g)",
    "y ~ x + unstr(day, g)",
)


def series(sizes: tuple[int, ...] = (6, 5, 4, 1), seed: int = 4) -> pd.DataFrame:
    """Return series of some lengths, sorted."""
    rng, n = np.random.default_rng(seed), sum(sizes)
    days = np.concatenate([np.sort(rng.choice(9, size, replace=False)) for size in sizes])
    g = np.repeat([f"s{i}" for i in range(len(sizes))], sizes)
    return pd.DataFrame({"g": g, "day": days, "x": rng.normal(size=n), "y": rng.normal(size=n)})


def shuffled(data: pd.DataFrame, seed: int = 5) -> tuple[pd.DataFrame, np.ndarray]:
    order = np.random.default_rng(seed).permutation(len(data))
    return data.iloc[order].reset_index(drop=True), order


def values_of(problem, seed: int = 6) -> dict[str, np.ndarray]:
    """Return values of all sampled parameters, the same for every problem of a formula."""
    rng = np.random.default_rng(seed)
    found = {}
    for p in problem.description.spec.parameters:
        u = 0.4 * rng.normal(size=p.support.size(p.shape))
        found[p.name] = np.asarray(p.support.constrain(u, p.shape)[0])
    return found


PRIOR = (
    bayesml.prior("normal(0, 1)", class_="b"),
    bayesml.prior("normal(0, 1)", class_="Intercept"),
    bayesml.prior("exponential(1)", class_="sigma"),
)


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_order_of_the_rows_does_not_matter(formula):
    data = series()
    mixed, order = shuffled(data)
    mu = np.random.default_rng(2).normal(size=len(data))
    rows = []
    for each, mean in ((data, mu), (mixed, mu[order])):
        problem = describe_problem(formula, each, "gaussian", prior=PRIOR)
        values = {name: v[None] for name, v in values_of(problem).items()} | {"mu": mean}
        with double_precision():
            arrays = problem.design.response.arrays
            rows.append(np.asarray(problem.likelihood.log_prob(arrays["y"], values, arrays)))
    np.testing.assert_allclose(rows[1], rows[0][order], rtol=1e-10)
    assert not problem.rows_commute


@pytest.mark.parametrize("family", ["gaussian", "student"])
def test_unstr_is_a_multivariate_density_of_the_times_that_are_there(family):
    # Days that are missing in the middle of a series, which a leading block of the matrix does not describe.
    data, _ = shuffled(series((6, 5, 4, 2)))
    problem = describe_problem("y ~ x + unstr(day, g)", data, family, prior=PRIOR)
    arrays, days = problem.design.response.arrays, sorted(set(data["day"]))
    assert "gaps" in arrays
    rng = np.random.default_rng(1)
    mu, sigma, nu = rng.normal(size=len(data)), rng.gamma(3.0, size=len(data)), 4.5
    factor = values_of(problem)["Lcortime"]
    expected = 0.0
    for _, rows in data.groupby("g"):
        places, index = [days.index(d) for d in rows["day"]], rows.index.to_numpy()
        block = (factor @ factor.T)[np.ix_(places, places)] * np.outer(sigma[index], sigma[index])
        mean = mu[index]
        joint = (
            stats.multivariate_normal(mean, block) if family == "gaussian" else stats.multivariate_t(mean, block, nu)
        )
        expected += joint.logpdf(rows["y"].to_numpy())
    with double_precision():
        values = {"mu": mu, "sigma": sigma, "nu": np.array([nu]), "Lcortime": factor[None]}
        found = float(problem.likelihood.log_prob(arrays["y"], values, arrays).sum())
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("formula", FORMULAS[2:-1])
def test_innovations_are_those_of_the_matrix(formula):
    data = series((6, 5, 4, 1))
    problem = describe_problem(formula, data, "gaussian", prior=PRIOR)
    likelihood, arrays = problem.likelihood, problem.design.response.arrays
    with double_precision():
        values = {name: v[None] for name, v in values_of(problem).items()}
        matrix = np.asarray(likelihood.covariance.matrix(values, 6)).reshape(6, 6)
        factor = np.asarray(likelihood.covariance.factor(values, 6)).reshape(6, 6)
        values |= {"mu": np.zeros(len(data)), "sigma": np.array([1.7])}
        found = float(likelihood.log_prob(arrays["y"], values, arrays).sum())
    np.testing.assert_allclose(factor @ factor.T, matrix, atol=1e-12)
    groups = [rows["y"].to_numpy() for _, rows in data.groupby("g")]
    expected = sum(stats.multivariate_normal(cov=1.7**2 * matrix[: len(y), : len(y)]).logpdf(y) for y in groups)
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("formula", "family"), [(FORMULAS[3], "gaussian"), (FORMULAS[5], "student"), (FORMULAS[6], "gaussian")]
)
def test_leaving_out_is_the_ratio_of_two_densities(formula, family):
    # log p(y_i | others) = log p(y) - log p(others), and the latter is the density of the model without the row.
    data = series((4, 3, 3))
    if "unstr" in formula:
        data["day"] = data.groupby("g").cumcount()
    problem = describe_problem(formula, data, family, prior=PRIOR)
    likelihood = problem.likelihood
    with double_precision():
        drawn = {name: v[0] for name, v in prior_draws(problem, 3, 1, 2).items()}
        drawn |= likelihood.sampled(drawn)
        mu = np.random.default_rng(0).normal(size=(2, len(data)))
        parameters = {"mu": mu, "sigma": drawn["sigma"][:, None]}
        parameters |= {"nu": drawn["nu"][:, None]} if family == "student" else {}
        parameters |= {name: drawn[name][:, None] for name, _ in likelihood.further}
        arrays = problem.design.response.arrays
        y = arrays["y"]
        left_out = np.asarray(likelihood.log_predictive(y, parameters, arrays))
        for draw in range(2):
            size = arrays["by_series"].shape[0]
            one = {name: v[draw : draw + 1] for name, v in parameters.items()}
            matrix = np.asarray(likelihood.covariance.matrix(one, size))[0] * float(one["sigma"].squeeze()) ** 2
            for g, rows in data.groupby("g"):
                index, n = rows.index.to_numpy(), len(rows)
                block, e, m = matrix[:n, :n], y[index], mu[draw, index]

                def log_p(keep, block=block, e=e, m=m, draw=draw):
                    if family == "gaussian":
                        return stats.multivariate_normal(m[keep], block[np.ix_(keep, keep)]).logpdf(e[keep])
                    df = float(parameters["nu"][draw].squeeze())
                    return stats.multivariate_t(m[keep], block[np.ix_(keep, keep)], df=df).logpdf(e[keep])

                for i in range(n):
                    others = [j for j in range(n) if j != i]
                    expected = log_p(list(range(n))) - log_p(others)
                    assert left_out[draw, index[i]] == pytest.approx(expected, rel=1e-8, abs=1e-8), g


@pytest.mark.parametrize("formula", [FORMULAS[1], FORMULAS[3], FORMULAS[6]])
def test_draws_have_the_covariance_of_the_density(formula):
    """The score of the mean has expectation 0 under the drawn responses, and its variance is minus the curvature."""
    data = series((5, 5, 5, 5))
    data["day"] = data.groupby("g").cumcount()
    data, _ = shuffled(data)
    problem = describe_problem(formula, data, "gaussian", prior=PRIOR)
    likelihood, arrays = problem.likelihood, problem.design.response.arrays
    with double_precision():
        drawn = {name: v[0] for name, v in prior_draws(problem, 8, 1, 1).items()}
        drawn |= likelihood.sampled(drawn)
        parameters = {"mu": np.zeros(len(data)), "sigma": np.array(1.3)}
        parameters |= {
            name: 0.5 * drawn[name] if name in ("ar", "ma") else drawn[name] for name, _ in likelihood.further
        }
        parameters = {n: np.asarray(v)[None] if n not in ("mu", "sigma") else v for n, v in parameters.items()}
        many = {name: np.repeat(parameters[name], 4000, axis=0) for name, _ in likelihood.further}
        many |= {"mu": np.zeros((4000, len(data))), "sigma": np.full((4000, 1), 1.3)}
        nothing = {**arrays, "y": np.full(len(data), np.nan)}
        y = likelihood.draw(np.random.default_rng(2), many, nothing)

        def total(mu, y):
            return likelihood.log_prob(y, {**parameters, "mu": mu}, arrays).sum()

        scores = np.asarray(jax.jit(jax.vmap(jax.grad(total), (None, 0)))(parameters["mu"], y))
        information = -np.asarray(jax.jit(jax.hessian(total))(parameters["mu"], y[0]))
    error = np.sqrt(np.diag(information) / len(y))
    assert (np.abs(scores.mean(axis=0)) < 5 * error).all()
    spread = np.sqrt(np.outer(np.diag(information), np.diag(information)) + information**2)
    assert (np.abs(np.cov(scores.T) - information) < 5.5 * spread / np.sqrt(len(y))).all()


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"g": np.repeat(["a", "b", "c"], 20), "day": np.tile(np.arange(20), 3)})
    data["x"], noise = rng.normal(size=60), rng.normal(size=60)
    for i in range(1, 60):
        noise[i] += 0.7 * noise[i - 1]
    data["y"] = data["x"] + noise
    data, _ = shuffled(data)
    options = {"seed": 1, "draws": 400, "warmup": 400, "chains": 2, "target_accept": 0.95, "progress": False}
    return bayesml.fit("y ~ x + arma(day, g, p = 1, q = 1)", data, prior=PRIOR, **options), data


def recursion(fit, data, y):
    """Return the one-step means by a loop over rows, for the draws of the first chain."""
    draws = {name: fit.draws()[name].to_numpy() for name in ("b_Intercept", "b_x", "ar[1]", "ma[1]")}
    means = np.empty((len(draws["b_x"]), len(data)))
    for _, rows in data.groupby("g"):
        last = 0.0
        for i in rows.sort_values("day").index:
            before_ar = draws["b_Intercept"] + draws["b_x"] * data["x"][i] + draws["ma[1]"] * last
            means[:, i] = before_ar + draws["ar[1]"] * last
            last = (means[:, i] if np.isnan(y[i]) else y[i]) - before_ar
    return means


def test_the_expected_response_is_one_step_ahead(fitted):
    fit, data = fitted
    expected = recursion(fit, data, data["y"].to_numpy())
    found = fit.epred().stack(sample=("chain", "draw")).transpose("sample", "obs").to_numpy()
    np.testing.assert_allclose(found, expected, atol=1e-10)
    residuals = fit.residuals().stack(sample=("chain", "draw")).transpose("sample", "obs").to_numpy()
    np.testing.assert_allclose(residuals, data["y"].to_numpy() - expected, atol=1e-10)
    plain = fit.epred(incl_autocor=False).to_numpy()
    np.testing.assert_allclose(plain, fit.linpred().to_numpy(), atol=1e-12)
    density = fit.log_lik().stack(sample=("chain", "draw")).transpose("sample", "obs").to_numpy()
    sigma = fit.draws()["sigma"].to_numpy()[:, None]
    np.testing.assert_allclose(density, stats.norm(expected, sigma).logpdf(data["y"].to_numpy()), atol=1e-9)


def test_new_rows_have_the_log_likelihood_of_old_ones(fitted):
    fit, data = fitted
    np.testing.assert_allclose(fit.log_lik(data).to_numpy(), fit.log_lik().to_numpy(), atol=1e-9)
    first = data[data["day"] < 4]  # rows that begin their series
    kept = fit.log_lik().to_numpy()[..., np.flatnonzero(data["day"] < 4)]
    np.testing.assert_allclose(fit.log_lik(first).to_numpy(), kept, atol=1e-9)


def test_what_is_not_known_is_forecast(fitted):
    fit, data = fitted
    new = data.copy()
    new.loc[new["day"] >= 15, "y"] = np.nan
    expected = recursion(fit, new, new["y"].to_numpy())
    found = fit.epred(new).stack(sample=("chain", "draw")).transpose("sample", "obs").to_numpy()
    np.testing.assert_allclose(found, expected, atol=1e-10)
    # Without a response nothing is known: the mean is that of the regression.
    bare = fit.epred(new[["g", "day", "x"]]).to_numpy()
    np.testing.assert_allclose(bare, fit.linpred(new[["x"]]).to_numpy(), atol=1e-10)
    drawn = np.concatenate([fit.predict(new, seed=s).stack(sample=("chain", "draw")).to_numpy().T for s in range(4)])
    error = drawn.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - expected.mean(axis=0)) < 5 * error).all()


def test_questions_about_the_regression_leave_series_out(fitted):
    fit, _ = fitted
    assert len(fit.conditional_effects("x")["x"]) > 10
    assert "x.trend" in str(fit.emtrends("x"))
    assert "dY/dX" in str(fit.avg_slopes("x"))
    assert np.isfinite(fit.loo().elpd_loo)


def test_a_fit_is_stored_and_updated(fitted, tmp_path):
    fit, data = fitted
    fit.save(tmp_path / "series")
    again = bayesml.load(tmp_path / "series")
    np.testing.assert_array_equal(again.epred().to_numpy(), fit.epred().to_numpy())
    assert "ar[1]" in str(again) and "Correlation Structures" in str(again)
    assert fit.update(data=data.iloc[:50], draws=1000).nobs == 50


REFUSED = (
    ("y ~ x + ar(day)", DataError, "occurs twice"),
    ("y ~ x + ar(day, g, p = 0)", FormulaError, "whole number from 1 on"),
    ("y ~ x + ar(day, g, p = 2, cov = TRUE)", FormulaError, "has order 1"),
    ("y ~ x + ar(day, g, cov = 3)", FormulaError, "TRUE or FALSE"),
    ("y ~ x + ar(day, g) + ma(day, g)", FormulaError, "one residual term"),
    ("y ~ x * ar(day, g)", FormulaError, "multiplied"),
    ("y ~ x + unstr(day)", FormulaError, "needs `gr`"),
    ("y ~ x + ar(nothing, g)", FormulaError, "nothing"),
    ("y ~ x + ar(day, 'g')", FormulaError, "a column of the data"),
    ("y | mi() ~ x + ar(day, g)", FormulaError, "responses of all rows"),
    ("y ~ x + fcor()", FormulaError, "name of a matrix"),
    ("y ~ x + log(ar(day, g))", FormulaError, "cannot stand inside"),
    ("y | weights(w) ~ x + cosy(day, g)", FormulaError, "weights"),
    ("y | cens(c) ~ x + cosy(day, g)", FormulaError, "cens"),
    ("y | se(w) ~ x + ar(day, g, cov = TRUE)", FormulaError, "sigma=TRUE"),
    (bayesml.bf("y ~ x", sigma="~ ar(day, g)"), FormulaError, "main formula only"),
)


@pytest.mark.parametrize(("formula", "error", "message"), REFUSED)
def test_what_makes_no_sense_is_refused(formula, error, message):
    data = series().assign(w=1.0, c=0)
    with pytest.raises(error, match=message):
        describe_problem(formula, data, "gaussian")


@pytest.mark.parametrize("method", ["reml", "ml", "laplace", "map"])
@pytest.mark.parametrize(
    ("formula", "family"),
    [
        ("y ~ x + ar(day, g)", "gaussian"),
        ("y ~ cosy(day, g) + (1 | g)", "gaussian"),
        ("k ~ x + ar(day)", "poisson"),
    ],
)
def test_point_estimates_say_that_they_have_no_residual_terms(formula, family, method):
    data = series().assign(k=lambda d: np.arange(len(d)))
    data["day"] = np.arange(len(data))
    if family == "poisson" and method in ("reml", "ml"):
        return
    with pytest.raises(ModelError, match="residual"):
        bayesml.fit(formula, data, family, method=method)


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"g": np.repeat(["a", "b", "c", "d"], 8), "day": np.tile(np.arange(8), 4)})
    data["x"] = rng.normal(size=32)
    data["k"] = rng.poisson(np.exp(1.5 + 0.5 * data["x"] + 0.4 * rng.normal(size=32)))
    data, _ = shuffled(data)
    options = {"seed": 1, "draws": 300, "warmup": 300, "chains": 2, "target_accept": 0.9, "progress": False}
    prior = [bayesml.prior("exponential(2)", class_="sderr")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)  # a short run; its numbers are compared draw by draw
        return bayesml.fit("k ~ x + ar(day, g, cov = TRUE)", data, "poisson", prior=prior, **options), data


def test_latent_residuals_are_those_of_the_rows(counts):
    fit, data = counts
    draws = fit.draws()
    err = draws[[f"err[{i + 1}]" for i in range(len(data))]].to_numpy()
    eta = draws[["b_Intercept"]].to_numpy() + draws[["b_x"]].to_numpy() * data["x"].to_numpy() + err
    found = fit.linpred().stack(sample=("chain", "draw")).transpose("sample", "obs").to_numpy()
    np.testing.assert_allclose(found, eta, atol=1e-10)
    some = fit.linpred(data.iloc[[5, 2]]).stack(sample=("chain", "draw")).transpose("sample", "obs").to_numpy()
    np.testing.assert_allclose(some, eta[:, [5, 2]], atol=1e-10)
    plain = fit.epred(data.iloc[:2], incl_autocor=False).stack(sample=("chain", "draw")).to_numpy().T
    np.testing.assert_allclose(np.log(plain), (eta - err)[:, :2], atol=1e-10)
    with pytest.raises(DataError, match="is not known"):
        fit.epred(data.iloc[:1].assign(day=99))
    assert len(fit.conditional_effects("x")["x"]) > 10


def test_latent_residuals_follow_the_process_of_their_series(counts):
    fit, data = counts
    ordered = data.sort_values(["g", "day"]).index.to_numpy()
    draws = fit.draws()
    err = draws[[f"err[{i + 1}]" for i in ordered]].to_numpy().reshape(-1, 4, 8)
    ar, sd = draws["ar[1]"].to_numpy()[:, None, None], draws["sderr"].to_numpy()[:, None, None]
    z = np.concatenate([err[..., :1] * np.sqrt(1 - ar**2), err[..., 1:] - ar * err[..., :-1]], axis=-1) / sd
    # Those of the posterior are no standard normal numbers, but their density at each draw is that of the model.
    problem = fit.problem
    values = {"ar": draws[["ar[1]"]].to_numpy()[0], "sderr": draws["sderr"].to_numpy()[0]}
    zerr = np.zeros(len(data))
    zerr[ordered] = z[0].reshape(-1)
    (term,) = (t for t in problem.design.schema.predictors[0].terms if t.is_residual)
    again = term.derive({**values, "zerr": zerr[None]})["err"]
    np.testing.assert_allclose(again[ordered], err[0].reshape(-1), atol=1e-10)


def test_unknown_times_of_unstr_are_named():
    data = series((4, 4, 4))
    data["day"] = data.groupby("g").cumcount()
    problem = describe_problem("y ~ x + unstr(day, g)", data, "gaussian", prior=PRIOR)
    with pytest.raises(DataError, match="knows no correlations with the time 9"):
        problem.likelihood.encoded_additions({"series": np.zeros(1, int), "series_label": np.array(["9"])})


@pytest.mark.parametrize("family", ["gaussian", "student"])
def test_a_known_matrix_of_the_residuals(family):
    rng, n = np.random.default_rng(7), 12
    a = rng.normal(size=(n, n))
    known = a @ a.T / n + np.eye(n)
    data = pd.DataFrame({"x": rng.normal(size=n), "y": rng.normal(size=n)})
    problem = describe_problem("y ~ x + fcor(V)", data, family, data2={"V": known})
    mu, sigma, nu = rng.normal(size=n), rng.gamma(3.0, size=n), 4.5
    scale = known * np.outer(sigma, sigma)
    joint = stats.multivariate_normal if family == "gaussian" else partial(stats.multivariate_t, df=nu)
    arrays, keep = problem.design.response.arrays, np.arange(1, n)
    values = {"mu": mu, "sigma": sigma, "nu": np.array([nu])}
    with double_precision():
        total = float(problem.likelihood.log_prob(arrays["y"], values, arrays).sum())
        left_out = np.asarray(problem.likelihood.log_predictive(arrays["y"], values, arrays))
    expected = joint(mu, scale).logpdf(data["y"])
    assert total == pytest.approx(expected, rel=1e-10)
    others = joint(mu[keep], scale[np.ix_(keep, keep)]).logpdf(data["y"][1:])
    assert left_out[0] == pytest.approx(expected - others, rel=1e-8)
    drawn = problem.likelihood.draw(rng, {**values, "mu": np.zeros((20_000, n)), "nu": np.array([60.0])}, arrays)
    size = np.sqrt(np.outer(np.diag(scale), np.diag(scale)) + scale**2)
    factor = 1.0 if family == "gaussian" else 60 / 58
    assert (np.abs(np.cov(drawn.T) - factor * scale) < 7 * size / np.sqrt(len(drawn))).all()


def test_a_known_matrix_has_a_row_for_each_row_of_the_data():
    data = series((3, 3))
    for matrix, message in (
        (np.eye(4), "has 4"),
        (np.ones((6, 6)), "positive definite"),
        (np.triu(np.ones((6, 6))), "symmetric"),
    ):
        with pytest.raises(DataError, match=message):
            describe_problem("y ~ x + fcor(V)", data, "gaussian", data2={"V": matrix})
    # A row that is left out takes its row of the matrix with it.
    data.loc[2, "x"] = np.nan
    matrix = np.diag(np.arange(1.0, 7.0))
    with pytest.warns(bayesml.FitWarning, match="missing"):
        problem = describe_problem("y ~ x + fcor(V)", data, "gaussian", data2={"V": matrix})
    kept = np.diagonal(problem.design.response.arrays["fcor_whitening"]) ** -2.0
    np.testing.assert_allclose(kept, [1.0, 2.0, 4.0, 5.0, 6.0])


@pytest.mark.slow
def test_several_responses_have_series_of_their_own():
    rng = np.random.default_rng(11)
    data = pd.DataFrame(
        {"g": np.repeat(["a", "b", "c"], 15), "day": np.tile(np.arange(15), 3), "x": rng.normal(size=45)}
    )
    data["x"], data["y"], data["z"] = rng.normal(size=(3, 45))
    data["z"] += data["g"].map({"a": 0.0, "b": 1.5, "c": -1.5})
    formula = bayesml.bf("y ~ x + ar(day, g)") + bayesml.bf("z ~ x + cosy(day, g)")
    options = {"seed": 2, "draws": 800, "warmup": 400, "chains": 2, "progress": False}
    prior = [bayesml.prior("normal(0, 0.5)", class_="ar", resp="y")]
    fit = bayesml.fit(formula, data, prior=prior, **options)
    assert {"ar_y[1]", "cosy_z", "sigma_y"} <= set(fit.draws().columns)
    whole = fit.epred()
    one = fit.epred(resp="y").to_numpy()
    np.testing.assert_allclose(whole.sel(resp="y").to_numpy(), one, atol=1e-12)
    new = fit.epred(data.drop(columns="z")).sel(resp="y").to_numpy()
    np.testing.assert_allclose(new, one, atol=1e-12)
    assert np.isfinite(fit.predict(seed=1).to_numpy()).all()
    assert np.isfinite(fit.log_lik().to_numpy()).all()
