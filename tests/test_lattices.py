"""Products of residual terms, ``ar(row):ar(column, field)``: densities, draws and predictions on lattices."""

from __future__ import annotations

import warnings
from functools import partial

import jax
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesml
from bayesml.engines.precision import double_precision
from bayesml.errors import DataError, FormulaError, ModelError
from bayesml.fit import describe_problem

PRIOR = (
    bayesml.prior("normal(0, 1)", class_="b"),
    bayesml.prior("normal(0, 1)", class_="Intercept"),
    bayesml.prior("exponential(1)", class_="sigma"),
)
# formula and the share of the cells that have a row
MODELS = (
    ("y ~ x + ar(row):ar(column, field)", 1.0),
    ("y ~ x + ar(row):ar(column, field)", 0.8),
    ("y ~ x + ar(row):ar(column, field)", 0.3),
    ("y ~ x + ar(row, field):unstr(trait)", 0.9),
    ("y ~ x + unstr(trait, field):unstr(month)", 0.8),
    ("y ~ x + toep(row):cosy(column, field)", 0.7),
    ("y ~ x + arma(row):ma(column, field)", 0.8),
    ("y ~ x + ar(row):cosy(column):unstr(trait, field)", 0.6),
)


def lattices(formula: str, share: float, seed: int = 3) -> pd.DataFrame:
    """Return the rows of three fields in any order: rows 1, 2, 4, 5 of each, columns 10, 20, 30, traits and months."""
    rng = np.random.default_rng(seed)
    axes = {
        "row": [1, 2, 4, 5], "column": [10, 20, 30], "trait": ["height", "mass", "age"], "month": ["jan", "may"]
    }  # fmt: skip
    used = {name: values for name, values in axes.items() if f"({name}" in formula} | {"field": ["a", "b", "c"]}
    data = pd.MultiIndex.from_product(used.values(), names=used.keys()).to_frame(index=False)
    kept = np.sort(rng.permutation(len(data))[: round(share * len(data))])
    data = data.iloc[rng.permutation(kept)].reset_index(drop=True)
    data["x"], data["y"], data["z"] = rng.normal(size=(3, len(data)))
    return data


def correlations(matrix: np.ndarray) -> np.ndarray:
    return matrix / np.sqrt(np.outer(np.diag(matrix), np.diag(matrix)))


def stationary(ar: float, ma: float, size: int) -> np.ndarray:
    """Return the correlations of a process of order 1 from its weights of innovations, psi_k = ar^(k-1) (ar + ma)."""
    weights = np.r_[1.0, (ar + ma) * ar ** np.arange(400.0)] if ar else np.r_[1.0, ma, np.zeros(400)]
    lags = np.array([weights[: len(weights) - k] @ weights[k:] for k in range(size)])
    return correlations(lags[np.abs(np.subtract.outer(np.arange(size), np.arange(size)))])


def along(name: str, kind: str, values: dict[str, np.ndarray], size: int) -> np.ndarray:
    """Return the correlation matrix along an axis."""
    distance = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    if kind == "cosy":
        return np.where(distance == 0, 1.0, values[f"cosy_{name}"])
    if kind == "unstr":
        factor = values[f"Lcortime_{name}"]
        return factor @ factor.T
    if kind == "toep":
        r = np.ones(size)  # Durbin and Levinson, one lag after another
        phi, variance = np.zeros(0), 1.0
        for k, p in enumerate(values[f"toep_{name}"][: size - 1], start=1):
            r[k] = p * variance + phi @ r[1:k][::-1]
            phi, variance = np.r_[phi - p * phi[::-1], p], variance * (1 - p**2)
        return r[distance]
    ar = float(values[f"ar_{name}"][0]) if kind in ("ar", "arma") else 0.0
    ma = float(values[f"ma_{name}"][0]) if kind in ("ma", "arma") else 0.0
    return stationary(ar, ma, size)


def dense(formula: str, data: pd.DataFrame, values: dict[str, np.ndarray]) -> np.ndarray:
    """Return the correlation matrix of all rows, entry by entry."""
    total = np.equal.outer(data["field"].to_numpy(), data["field"].to_numpy()).astype(float)
    for factor in formula.split(" + ")[1].split(":"):
        kind, name = factor.split("(")[0], factor.split("(")[1].split(",")[0].strip(")")
        places = {1: 0, 2: 1, 4: 3, 5: 4, 10: 0, 20: 1, 30: 2, "age": 0, "height": 1, "mass": 2, "jan": 0, "may": 1}
        at = np.array([places[value] for value in data[name]])
        total *= along(name, kind, values, max(places[v] for v in set(data[name])) + 1)[np.ix_(at, at)]
    return total


def values_of(problem, seed: int = 6) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        p.name: np.asarray(p.support.constrain(0.6 * rng.normal(size=p.support.size(p.shape)), p.shape)[0], float)
        for p in problem.likelihood.parameters
    }


@pytest.mark.parametrize(
    ("formula", "share", "family"),
    [(*m, "gaussian") for m in MODELS[1:]] + [(*m, "student") for m in (MODELS[0], MODELS[2], MODELS[4])],
)
def test_densities_are_those_of_the_dense_matrix(formula, share, family):
    data = lattices(formula, share)
    problem = describe_problem(formula, data, family, prior=PRIOR)
    rng, arrays = np.random.default_rng(1), problem.design.response.arrays
    mu, sigma, nu = rng.normal(size=len(data)), rng.gamma(3.0, size=len(data)), 4.5
    own = values_of(problem)
    scale = dense(formula, data, own) * np.outer(sigma, sigma)
    joint = stats.multivariate_normal if family == "gaussian" else partial(stats.multivariate_t, df=nu)
    values = {"mu": mu, "sigma": sigma, "nu": np.array([nu])} | {name: v[None] for name, v in own.items()}
    with double_precision():
        total, left_out = map(
            np.asarray,
            jax.jit(
                lambda v, d: (
                    problem.likelihood.log_prob(d["y"], v, d),
                    problem.likelihood.log_predictive(d["y"], v, d),
                )
            )(values, dict(arrays)),
        )
    expected = 0.0
    for _, rows in data.groupby("field"):
        index = rows.index.to_numpy()
        whole = joint(mu[index], scale[np.ix_(index, index)]).logpdf(data["y"][index])
        expected += whole
        for i in index[:4]:
            others = index[index != i]
            rest = joint(mu[others], scale[np.ix_(others, others)]).logpdf(data["y"][others])
            assert left_out[i] == pytest.approx(whole - rest, rel=1e-8, abs=1e-8)
    assert total.sum() == pytest.approx(expected, rel=1e-10)
    assert not problem.rows_commute


@pytest.mark.parametrize(("formula", "share"), MODELS[1:4])
def test_draws_have_the_covariance_of_the_density(formula, share):
    data = lattices(formula, share)
    problem = describe_problem(formula, data, "gaussian", prior=PRIOR)
    own, arrays, n = values_of(problem), problem.design.response.arrays, 20_000
    values = {"mu": np.zeros((n, len(data))), "sigma": np.full((n, 1), 1.3)}
    values |= {name: np.repeat(v[None, None], n, axis=0) for name, v in own.items()}
    drawn = problem.likelihood.draw(np.random.default_rng(2), values, arrays)
    expected = 1.3**2 * dense(formula, data, own)
    error = np.sqrt((1.3**4 + expected**2) / n)
    assert (np.abs(np.cov(drawn.T) - expected) < 5.5 * error).all()
    variance = problem.likelihood.variance({n: v[:1] for n, v in values.items()}, arrays)
    np.testing.assert_allclose(variance, 1.3**2, rtol=1e-12)


def test_gradients_are_finite_differences():
    formula = "y ~ x + ar(row):unstr(trait, field)"
    data = lattices(formula, 0.7)
    problem = describe_problem(formula, data, "student", prior=PRIOR)
    arrays, rng = problem.design.response.arrays, np.random.default_rng(4)
    parameters = problem.likelihood.parameters
    sizes = [p.support.size(p.shape) for p in parameters]
    start = 0.4 * rng.normal(size=sum(sizes))

    def density(u):
        values = {"mu": np.zeros(len(data)), "sigma": np.array([1.2]), "nu": np.array([5.0])}
        for p, part in zip(parameters, jax.numpy.split(u, np.cumsum(sizes)[:-1]), strict=True):
            values[p.name] = p.support.constrain(part, p.shape)[0][None]
        return problem.likelihood.log_prob(arrays["y"], values, arrays).sum()

    with double_precision():
        slope = np.asarray(jax.jit(jax.grad(density))(start))
        fast = jax.jit(density)
        steps = 1e-5 * np.eye(len(start))
        numbers = [(float(fast(start + h)) - float(fast(start - h))) / 2e-5 for h in steps]
    np.testing.assert_allclose(slope, numbers, rtol=1e-6, atol=1e-7)


@pytest.fixture(scope="module")
def fitted():
    """A field of 8 rows and 6 columns without four of its plots, with correlations .6 and .4."""
    rng, shape = np.random.default_rng(8), (8, 6)
    roots = [np.linalg.cholesky(stationary(ar, 0.0, size)) for ar, size in zip((0.6, 0.4), shape, strict=True)]
    noise = roots[0] @ rng.normal(size=shape) @ roots[1].T
    data = pd.DataFrame({"row": np.repeat(np.arange(1, 9), 6), "column": np.tile(np.arange(1, 7), 8)})
    data["x"] = rng.normal(size=48)
    data["y"] = 2 + 0.5 * data["x"] + noise.ravel()
    data = data.drop([5, 17, 30, 31]).sample(frac=1, random_state=1).reset_index(drop=True)
    options = {"seed": 1, "draws": 400, "warmup": 400, "chains": 2, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)
        return bayesml.fit("y ~ x + ar(row):ar(column)", data, prior=PRIOR, **options), data


@pytest.mark.slow
def test_a_field_is_fitted_and_predicted(fitted, tmp_path):
    fit, data = fitted
    text = str(fit)
    assert "ar_row[1]" in text and "ar_column[1]" in text and "Correlation Structures" in text
    draws = fit.draws()
    assert 0.0 < draws["ar_row[1]"].mean() < 0.95
    np.testing.assert_allclose(fit.epred().to_numpy(), fit.linpred().to_numpy(), atol=1e-12)
    new = pd.DataFrame({"row": [1, 1, 9], "column": [6, 7, 1], "x": 0.0})  # a plot without a row, and others beyond
    assert fit.predict(new, seed=1).to_numpy().shape[-1] == 3
    assert np.isfinite(fit.loo().elpd_loo)
    np.testing.assert_allclose(fit.log_lik(data).to_numpy(), fit.log_lik().to_numpy(), atol=1e-9)
    fit.save(tmp_path / "field")
    again = bayesml.load(tmp_path / "field")
    np.testing.assert_array_equal(again.predict(seed=2).to_numpy(), fit.predict(seed=2).to_numpy())
    assert len(fit.conditional_effects("x")["x"]) > 10
    assert fit.epred(new, incl_autocor=False).to_numpy().shape[-1] == 3


@pytest.mark.slow
def test_neighbouring_plots_are_drawn_alike(fitted):
    fit, _ = fitted
    new = pd.DataFrame({"row": [3, 3, 3], "column": [1, 2, 4], "x": 0.0})
    drawn = np.concatenate([fit.predict(new, seed=s).stack(sample=("chain", "draw")).to_numpy() for s in range(10)], 1)
    ar = fit.draws()["ar_column[1]"].to_numpy()
    rest = drawn - np.tile(fit.epred(new).stack(sample=("chain", "draw")).to_numpy(), 10)
    sigma2 = np.tile(fit.draws()["sigma"].to_numpy() ** 2, 10)
    for (i, j), lag in (((0, 1), 1), ((0, 2), 3)):
        product = rest[i] * rest[j] / sigma2
        assert abs(product.mean() - (ar**lag).mean()) < 5 * product.std() / np.sqrt(len(product))


REFUSED = (
    ("y ~ ar(row):ar(column)", DataError, "row 1, column 10 occurs twice"),
    ("y ~ ar(row, field):ar(column, trait)", FormulaError, "different groups, `field` and `trait`"),
    ("y ~ ar(row, field):cosy(row)", FormulaError, "two factors along `row`"),
    ("y ~ ar(row):ar(column, field, p = 2)", FormulaError, "leave `p` out"),
    ("y ~ ar(row, cov = FALSE):ar(column, field)", FormulaError, "leave `cov` out"),
    ("y ~ ar(row):ar()", FormulaError, "has to name"),
    ("y ~ ar(row, field):x", FormulaError, "another residual term alone"),
    ("y ~ ar(row):ar(column, field) + cosy(row, field)", FormulaError, "one residual term"),
    ("y ~ ar(row) * ar(column, field)", FormulaError, "one residual term"),
    ("y ~ ar(row):fcor(V)", FormulaError, "cannot be multiplied"),
    ("y ~ ar(column):ar(one, both)", DataError, "is 7 in all rows"),
    ("y | se(z, sigma = TRUE) ~ ar(row):ar(column, field)", FormulaError, "standard errors"),
    ("y | weights(z) ~ ar(row):ar(column, field)", FormulaError, "weights"),
    ("y ~ ar(far):ar(column, field)", DataError, "fill few of them"),
    ("y ~ mo(row):ar(column, field)", FormulaError, "another residual term alone"),
)


@pytest.mark.parametrize(("formula", "error", "message"), REFUSED)
def test_what_makes_no_sense_is_refused(formula, error, message):
    data = lattices("ar(row):ar(column)", 1.0).assign(one=7, trait="t", z=1.0)
    data = data.assign(far=data["row"] ** 9, both=data["field"] + data["row"].astype(str))
    with pytest.raises(error, match=message):
        describe_problem(formula, data, "gaussian", data2={"V": np.eye(len(data))} if "fcor" in formula else None)


def test_counts_have_no_lattice():
    data = lattices("ar(row):ar(column)", 1.0).assign(k=3)
    with pytest.raises(FormulaError, match="gaussian and student"):
        describe_problem("k ~ ar(row):ar(column, field)", data, "poisson")
    with pytest.raises(ModelError, match="residual"):
        bayesml.fit("y ~ x + ar(row):ar(column, field)", data, method="reml")


def test_places_of_new_rows():
    formula = "y ~ x + toep(row):unstr(trait, field)"
    data = lattices(formula, 1.0)
    likelihood = describe_problem(formula, data, "gaussian", prior=PRIOR).likelihood
    of_rows = {"series": np.zeros(2, int), "lattice_code_0": np.arange(2), "lattice_code_1": np.arange(2)}

    def tables(rows, traits):
        return likelihood.encoded_additions({**of_rows, "lattice_0": np.array(rows), "lattice_1": np.array(traits)})

    assert tables(["3", "4"], ["age", "mass"])["by_series"].shape == (2 * 3, 1)
    for rows, traits, message in (
        (["3", "9"], ["age", "mass"], "no correlations of longer distances"),
        (["3", "3.5"], ["age", "mass"], "lies between the places"),
        (["3", "x"], ["age", "mass"], "column of numbers"),
        (["3", "4"], ["age", "mess"], "did you mean `mass`"),
    ):
        with pytest.raises(DataError, match=message):
            tables(rows, traits)


def test_two_responses_have_lattices_of_their_own():
    formula = bayesml.bf("y ~ ar(row):unstr(trait, field)") + bayesml.bf("z ~ unstr(row, field):ar(trait)")
    data = lattices("ar(row):ar(column):unstr(trait)", 1.0)
    data = data[data["column"] == 10]
    problem = describe_problem(formula, data, "gaussian")
    names = {p.name for p in problem.description.spec.parameters}
    assert {"ar_row_y", "Lcortime_trait_y", "Lcortime_row_z", "ar_trait_z"} <= names
    table = bayesml.default_prior(formula, data)
    assert {("ar", "row", "y"), ("cortime", "row", "z")} <= set(
        zip(table["class"], table["group"], table["resp"], strict=True)
    )
