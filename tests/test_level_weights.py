"""Weights of levels, ``gr(g, pw=w)``, and strata of levels of which a row has several, ``mm(g, h, by=cbind(f, k))``."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import bayesml
from bayesml.errors import DataError, FormulaError
from bayesml.fit import describe_problem
from bayesml.frame import KnownMatrix
from bayesml.terms.known_covariance import KnownCovariance


def table(seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat(list("abcdef"), 5)
    weight = dict(zip("abcdef", (0.5, 1.0, 2.0, 3.0, 0.2, 1.0), strict=True))
    data = pd.DataFrame(
        {"g": g, "x": rng.normal(size=30), "w": [weight[level] for level in g], "f": np.repeat(["u", "v"], 15)}
    )
    data["y"] = data["x"] + rng.normal(size=6)[np.repeat(np.arange(6), 5)] + rng.normal(size=30)
    return data


def test_estimates_are_those_of_the_dense_covariance_matrix():
    """w log Normal(z | 0, 1) is log Normal(z | 0, 1 / w) but for a constant: effects have the variances sd^2 / w."""
    data = table()
    fit = bayesml.fit("y ~ x + (1 | gr(g, pw=w))", data, method="ml")
    Z = np.equal.outer(data["g"].to_numpy(), np.array(list("abcdef"))).astype(float)
    X, y = np.column_stack([np.ones(30), data["x"]]), data["y"].to_numpy()
    w = data.groupby("g")["w"].first().to_numpy()

    def estimated(log_scales):
        sd, sigma = np.exp(log_scales)
        V = sd**2 * (Z / w) @ Z.T + sigma**2 * np.eye(30)
        P = np.linalg.inv(V)
        b = np.linalg.solve(X.T @ P @ X, X.T @ P @ y)
        return b, sd**2 / w * (Z.T @ P @ (y - X @ b)), stats.multivariate_normal(X @ b, V).logpdf(y)

    best = optimize.minimize(lambda at: -estimated(at)[2], np.zeros(2), tol=1e-12)
    b, effects, log_density = estimated(best.x)
    assert float(fit.logLik) == pytest.approx(log_density, abs=1e-8)
    np.testing.assert_allclose(fit.linpred(), X @ b + Z @ effects, atol=1e-5)


def test_new_levels_count_once():
    data = table()
    fit = bayesml.fit("y ~ x + (1 | gr(g, pw=w))", data, method="reml")
    new = data.iloc[:1].assign(g="new").drop(columns="w")  # weights are those of the levels of the fit
    np.testing.assert_allclose(fit.linpred(new, new_levels="zero"), fit.linpred(new, re_formula="~0"), atol=1e-12)
    (term,) = (t for t in fit.problem.design.schema.predictors[0].terms if t.key.startswith("g"))
    assert term.known.given(("new",))[1].item() == 1.0


@pytest.mark.parametrize(
    ("formula", "error", "message"),
    [
        ("y ~ (1 | gr(g, pw=x))", DataError, "larger than 0"),
        ("y ~ (1 | gr(g, pw=size))", DataError, "a level has one weight"),
        ("y ~ (1 | gr(g, pw=f))", DataError, "holds categories"),
        ("y ~ (1 | mm(g, f, pw=w))", FormulaError, "of `mm"),
        ("y ~ (1 | gr(g, pw=w)) + (0 + x | g)", FormulaError, "different weights"),
    ],
)
def test_what_makes_no_sense_is_refused(formula, error, message):
    data = table().assign(size=lambda d: 1.0 + np.arange(len(d)))
    levels = list("abcdef")
    with pytest.raises(error, match=message):
        describe_problem(
            formula, data, "gaussian", data2={"A": pd.DataFrame(np.eye(6), levels, levels)} if "A" in formula else None
        )


def memberships(seed: int = 4) -> pd.DataFrame:
    """Return rows with two of eight levels each; the first four lie in the stratum u, the others in v."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"g": rng.integers(0, 8, 120), "h": rng.integers(0, 8, 120), "x": rng.normal(size=120)})
    data["a"], data["b"] = rng.uniform(0.2, 1, size=(2, 120))
    effects = rng.normal(size=8) * np.repeat([0.3, 1.5], 4)
    data["y"] = data["x"] + 0.5 * (effects[data["g"]] + effects[data["h"]]) + 0.5 * rng.normal(size=120)
    return data.assign(**{to: np.where(data[of] < 4, "u", "v") for of, to in (("g", "f"), ("h", "k"))})


MEMBERS = "y ~ x + (1 | mm(g, h, weights=cbind(a, b), by=cbind(f, k)))"


def test_strata_of_members_have_standard_deviations_of_their_own():
    data = memberships()
    fit = bayesml.fit(MEMBERS, data, method="ml")
    weights = data[["a", "b"]].to_numpy() / data[["a", "b"]].sum(axis=1).to_numpy()[:, None]
    Z = sum(weights[:, [i]] * np.equal.outer(data[name].to_numpy(), np.arange(8)) for i, name in enumerate("gh"))
    X, y = np.column_stack([np.ones(120), data["x"]]), data["y"].to_numpy()

    def estimated(log_scales):
        variances = np.repeat(np.exp(2 * log_scales[:2]), 4)
        V = (Z * variances) @ Z.T + np.exp(2 * log_scales[2]) * np.eye(120)
        P = np.linalg.inv(V)
        b = np.linalg.solve(X.T @ P @ X, X.T @ P @ y)
        return X @ b + Z @ (variances * (Z.T @ P @ (y - X @ b))), stats.multivariate_normal(X @ b, V).logpdf(y)

    best = optimize.minimize(lambda at: -estimated(at)[1], [-1.0, 0.3, -0.6], tol=1e-12)
    linear, log_density = estimated(best.x)
    assert float(fit.logLik) == pytest.approx(log_density, abs=1e-6)
    np.testing.assert_allclose(fit.linpred(), linear, atol=1e-4)
    np.testing.assert_allclose(fit.linpred(data.iloc[:7]), linear[:7], atol=1e-4)
    assert "Intercept:fk[u]" in str(fit)


def test_strata_of_members_are_sampled():
    data = memberships()
    options = {"seed": 1, "draws": 300, "warmup": 300, "chains": 2, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)
        fit = bayesml.fit(MEMBERS, data, **options)
    sds = [name for name in fit.draws() if name.startswith("sd_")]
    assert len(sds) == 2
    assert fit.draws()[sds[0]].mean() < fit.draws()[sds[1]].mean()
    draws, weights = fit.draws(), data[["a", "b"]].to_numpy() / data[["a", "b"]].sum(axis=1).to_numpy()[:, None]
    r = draws[[f"r_mmgh[{i},Intercept]" for i in range(8)]].to_numpy()
    expected = draws[["b_Intercept"]].to_numpy() + draws[["b_x"]].to_numpy() * data["x"].to_numpy()
    expected = expected + r[:, data["g"]] * weights[:, 0] + r[:, data["h"]] * weights[:, 1]
    found = fit.linpred().stack(sample=("chain", "draw")).transpose("sample", "obs").to_numpy()
    np.testing.assert_allclose(found, expected, atol=1e-9)
    new = data.iloc[[0]].assign(g=99, f="v")
    for policy in ("uncertainty", "gaussian", "old"):
        assert np.isfinite(fit.linpred(new, new_levels=policy, seed=1).to_numpy()).all()


@pytest.mark.parametrize(
    ("formula", "error", "message"),
    [
        ("y ~ (1 | mm(g, h, by=f))", FormulaError, "by=cbind"),
        ("y ~ (1 | mm(g, h, by=cbind(f)))", FormulaError, "by=cbind"),
        ("y ~ (1 | mm(g, h, by=cbind(f, f)))", DataError, "one stratum"),
        ("y ~ (1 | mm(g, h, by=cbind(f, nothing)))", FormulaError, "nothing"),
    ],
)
def test_strata_that_make_no_sense_are_refused(formula, error, message):
    with pytest.raises(error, match=message):
        describe_problem(formula, memberships(), "gaussian")


def test_a_formula_with_strata_of_members_is_written_back():
    fit = bayesml.fit(MEMBERS, memberships(), method="ml")
    assert "by=cbind(f, k)" in str(fit.update("~ . + f"))


def test_weights_beside_known_covariances():
    # brms 2.23: r = sd * (Lcov * z), and the log density of z[j] is multiplied by w[j]; so cov(r) = sd^2 L W^-1 L'.
    names = list("abcdef")
    A = 0.5 ** np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    weights = np.array([0.5, 2.0, 1.0, 4.0])
    matrix = KnownMatrix("A", 6, A, labels=tuple(names))
    plain = KnownCovariance.of(matrix, names[:4], "gr(g, cov=A, pw=w)")
    known = plain.weighted(weights)
    np.testing.assert_allclose(known.root, np.linalg.cholesky(A[:4, :4]) / np.sqrt(weights), rtol=1e-12, atol=1e-14)
    # those of other levels given these are what they were
    (means, root), (means_of_plain, root_of_plain) = known.given(names[4:]), plain.given(names[4:])
    slopes = np.linalg.solve(known.root.T, means.T).T
    np.testing.assert_allclose(slopes, np.linalg.solve(plain.root.T, means_of_plain.T).T, atol=1e-12)
    np.testing.assert_allclose(root @ root.T, root_of_plain @ root_of_plain.T, atol=1e-12)


def test_fit_with_weights_beside_known_covariances():
    rng = np.random.default_rng(5)
    names = list("abcdef")
    data = pd.DataFrame({"g": np.repeat(names, 4), "w": np.repeat([1.0, 2, 3, 1, 2, 0.5], 4)})
    data["y"] = rng.normal(size=24) + np.repeat(rng.normal(size=6), 4)
    ones = pd.DataFrame(np.eye(6), names, names)
    beside = bayesml.fit("y ~ (1 | gr(g, pw=w, cov=A))", data, method="ml", data2={"A": ones})
    alone = bayesml.fit("y ~ (1 | gr(g, pw=w))", data, method="ml")
    assert beside.logLik == pytest.approx(alone.logLik, rel=1e-10)
