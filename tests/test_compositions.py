"""Counts of several categories and further families of shares: densities, names, results, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from jax import numpy as jnp
from scipy import stats

import bayesml
from bayesml.engines.precision import double_precision
from bayesml.errors import DataError, FormulaError, ModelError
from bayesml.families import FAMILIES, RawResponse
from bayesml.families.logistic_normal import logistic_normal
from bayesml.families.normal_points import normal_points
from bayesml.fit import describe_problem

COLUMNS = ("a", "b", "c")
SHORT = {"chains": 2, "draws": 1000, "progress": False, "seed": 2}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 80
    x, g = rng.normal(size=n), np.arange(n) % 8
    eta = np.stack([0 * x, 0.5 + 0.8 * x, -0.3 - 0.5 * x], axis=1)
    p = np.exp(eta) / np.exp(eta).sum(axis=1, keepdims=True)
    trials = rng.integers(4, 20, n)
    y = np.stack([rng.multinomial(m, each) for m, each in zip(trials, p, strict=True)])
    ratio = np.stack([0 * x, 0.4 + 0.5 * x + 0.6 * rng.normal(size=n), -0.2 + 0.4 * rng.normal(size=n)], axis=1)
    share = np.exp(ratio) / np.exp(ratio).sum(axis=1, keepdims=True)
    counted, shares = dict(zip(COLUMNS, y.T, strict=True)), dict(zip(("p", "q", "r"), share.T, strict=True))
    return pd.DataFrame({**counted, **shares, "n": trials, "x": x, "g": g})


@pytest.fixture(scope="module")
def multinomial_fit(frame: pd.DataFrame):
    return bayesml.fit("cbind(a, b, c) | trials(n) ~ x", frame, "multinomial", **SHORT)


@pytest.fixture(scope="module")
def logistic_fit(frame: pd.DataFrame):
    return bayesml.fit("cbind(p, q, r) ~ x", frame, "logistic_normal", **SHORT)


def test_a_precision_towards_infinity_is_the_multinomial_family(frame: pd.DataFrame) -> None:
    y, n = frame[list(COLUMNS)].to_numpy(float), frame["n"].to_numpy(float)
    response = RawResponse("y", y, additions={"trials": n}, columns=COLUMNS)
    with double_precision():
        y, n = jnp.asarray(y), jnp.asarray(n)
        values = {"mub": jnp.asarray(frame["x"].to_numpy()), "muc": jnp.full(len(frame), -0.3)}
        wide, narrow = (FAMILIES[name]().bind(response) for name in ("dirichlet_multinomial", "multinomial"))
        found = wide.log_prob(y, {**values, "phi": jnp.asarray(1e13)}, {"trials": n})
        np.testing.assert_allclose(found, narrow.log_prob(y, values, {"trials": n}), rtol=1e-9)


@pytest.mark.parametrize("family", ["multinomial", "dirichlet_multinomial"])
@pytest.mark.parametrize("size", [40.0, 700.0])
def test_counts_of_improbable_categories_have_a_density(family: str, size: float) -> None:
    """P(all n trials in the first column) from eta = -size of the others, and the other way round."""
    y, n = np.array([[0.0, 3.0, 0.0]]), np.array([3.0])
    likelihood = FAMILIES[family]().bind(RawResponse("y", y, additions={"trials": n}, columns=COLUMNS))
    with double_precision():
        values = {"mub": jnp.asarray([-size]), "muc": jnp.asarray([0.0]), "phi": jnp.asarray(2.0)}
        found = float(likelihood.log_prob(jnp.asarray(y), values, {"trials": jnp.asarray(n)})[0])
    log_m = -size - np.log(2.0)
    # Gamma(3) Gamma(phi) / Gamma(phi + 3) alpha (1 + alpha) (2 + alpha), alpha = 2 m
    beta_binomial = np.log(2.0) + log_m - np.log(2 * 3 * 4) + np.log(2.0)
    assert found == pytest.approx(3 * log_m if family == "multinomial" else beta_binomial, rel=1e-10)


def test_effects_have_the_names_of_brms_and_are_recovered(multinomial_fit) -> None:
    table = multinomial_fit.summary().to_pandas()
    assert list(table.index) == ["b_mub_Intercept", "b_muc_Intercept", "b_mub_x", "b_muc_x"]
    for name, value in {"b_mub_x": 0.8, "b_muc_x": -0.5}.items():
        assert abs(table.loc[name, "Estimate"] - value) < 4.0 * table.loc[name, "Est.Error"]


def test_predictions_of_counts_have_a_dimension_for_the_columns(multinomial_fit, frame: pd.DataFrame) -> None:
    rows = frame.iloc[:4]
    expected, drawn = multinomial_fit.epred(rows[["x", "n"]]), multinomial_fit.predict(rows[["x", "n"]], seed=1)
    for found in (expected, drawn):
        assert found.dims == ("chain", "draw", "obs", "category") and list(found["category"].values) == list(COLUMNS)
        np.testing.assert_allclose(found.sum("category").values, np.broadcast_to(rows["n"], (2, 1000, 4)), rtol=1e-10)
    p = expected.values[0, 0] / rows["n"].to_numpy()[:, None]
    log_lik = [
        stats.multinomial(n, each).logpmf(y)
        for n, each, y in zip(rows["n"], p, rows[list(COLUMNS)].to_numpy(), strict=True)
    ]
    np.testing.assert_allclose(multinomial_fit.log_lik(rows).values[0, 0], log_lik, rtol=1e-8)
    assert np.isfinite(multinomial_fit.loo().elpd_loo)
    with pytest.raises(DataError, match="`n`"):
        multinomial_fit.epred(rows[["x"]])


def test_pictures_and_tables_show_columns(multinomial_fit, logistic_fit) -> None:
    for fit, columns in ((multinomial_fit, COLUMNS), (logistic_fit, ("p", "q", "r"))):
        for method in ("epred", "predict"):
            table = fit.conditional_effects("x", method=method)["x"]
            assert list(table["cats__"].cat.categories) == list(columns)
            if method == "epred":  # of one trial
                np.testing.assert_allclose(table["estimate__"].groupby(table["x"]).sum(), 1.0, atol=0.02)
        assert fit.pp_check(column=columns[1], seed=1).axes[0].get_xlabel() == columns[1]


@pytest.mark.slow
def test_a_saved_fit_and_an_updated_one(multinomial_fit, logistic_fit, frame: pd.DataFrame, tmp_path) -> None:
    for fit in (multinomial_fit, logistic_fit):
        fit.save(tmp_path / "fit.nc")
        again = bayesml.load(tmp_path / "fit.nc")
        for of in ("epred", "log_lik"):
            found, expected = (getattr(each, of)(frame.iloc[:3]).values for each in (again, fit))
            np.testing.assert_array_equal(found, expected)
    other = multinomial_fit.update(data=frame.iloc[:60])
    assert other.epred().sizes["obs"] == 60


def test_correlations_of_log_ratios_are_reported(logistic_fit, frame: pd.DataFrame) -> None:
    """The posterior of a normal regression of the log ratios: its residuals have those correlations."""
    table = logistic_fit.summary().to_pandas()
    assert {"sigmaq", "sigmar", "lncor__q__r"} <= set(table.index)
    assert "lncor__q__r" in str(logistic_fit)
    ratios = np.log(frame[["q", "r"]].to_numpy() / frame[["p"]].to_numpy())
    design = np.stack([np.ones(len(frame)), frame["x"]], axis=1)
    coefficients, *_ = np.linalg.lstsq(design, ratios, rcond=None)
    residuals = ratios - design @ coefficients
    for name, value in {
        "b_muq_x": coefficients[1, 0],
        "b_mur_Intercept": coefficients[0, 1],
        "sigmaq": residuals[:, 0].std(ddof=2),
        "lncor__q__r": np.corrcoef(residuals.T)[0, 1],
    }.items():
        assert abs(table.loc[name, "Estimate"] - value) < 0.3 * table.loc[name, "Est.Error"]
    restored = logistic_fit.likelihood.sampled({"lncor": logistic_fit["lncor"].values[0]})["Llncor"]
    np.testing.assert_allclose(restored[:, 1, 0], logistic_fit["lncor"].values[0, :, 0], rtol=1e-12)


def test_two_shares_are_logit_normal(frame: pd.DataFrame) -> None:
    two = frame.assign(rest=1 - frame["q"])
    fit = bayesml.fit("cbind(rest, q) ~ x", two, "logistic_normal", method="laplace")
    ratio = np.log(two["q"] / two["rest"])
    slope, intercept = np.polyfit(two["x"], ratio, 1)
    residuals = ratio - intercept - slope * two["x"]
    expected = stats.norm(0, residuals.std(ddof=0)).logpdf(residuals).sum() - np.log(two["q"] * two["rest"]).sum()
    assert fit.logLik == pytest.approx(expected, rel=1e-8)
    np.testing.assert_allclose(fit.fixef()["Estimate"], [intercept, slope], rtol=1e-4)


@pytest.mark.parametrize("sigma", [0.05, 1.0, 4.0])
def test_expected_shares_are_those_of_many_draws(sigma: float) -> None:
    """Within five Monte Carlo standard errors of 400,000 draws."""
    response = RawResponse("y", np.full((1, 3), 1 / 3), columns=COLUMNS)
    likelihood = logistic_normal(refcat="b").bind(response)
    values = {"mua": np.full((1, 1), 0.3), "muc": np.full((1, 1), -1.0), "sigmaa": np.full((1, 1), sigma),
              "sigmac": np.full((1, 1), 0.5 * sigma), "Llncor": np.array([[[[1.0, 0.0], [-0.6, 0.8]]]])}  # fmt: skip
    many = {name: np.broadcast_to(v, (400_000, *v.shape[1:])) for name, v in values.items()}
    drawn = likelihood.draw(np.random.default_rng(1), many, {})[:, 0]
    error = drawn.std(axis=0) / np.sqrt(len(drawn))
    assert np.abs((drawn.mean(axis=0) - likelihood.mean(values, {})[0, 0]) / error).max() < 5
    np.testing.assert_allclose(drawn.var(axis=0), likelihood.variance(values, {})[0, 0], rtol=0.03)


def test_points_of_many_dimensions_have_the_moments_of_normal_numbers() -> None:
    points, weights = normal_points(4, 1.0)
    np.testing.assert_allclose(weights @ points, 0.0, atol=1e-14)
    np.testing.assert_allclose((points * weights[:, None]).T @ points, np.eye(4), atol=1e-12)


def test_log_ratios_beside_another_response(frame: pd.DataFrame) -> None:
    formula = bayesml.bf("cbind(p, q, r) ~ x") + bayesml.bf("a ~ x") + bayesml.set_rescor(False)
    both = bayesml.fit(formula, frame, ["logistic_normal", "poisson"], method="laplace")
    alone = bayesml.fit("cbind(p, q, r) ~ x", frame, "logistic_normal", method="laplace")
    other = bayesml.fit("a ~ x", frame, "poisson", method="laplace")
    assert both.logLik == pytest.approx(alone.logLik + other.logLik, rel=1e-7)
    assert both["lncor_cbindpqr__q__r"] == pytest.approx(alone["lncor__q__r"], abs=1e-5)
    assert "lncor__q__r" in str(alone) and "lncor_cbindpqr__q__r" in str(both)


def test_trials_of_counts_may_be_left_out(frame: pd.DataFrame) -> None:
    """Without ``trials()`` they are the sums of the columns; two categories are a binomial response."""
    written = bayesml.fit("cbind(a, b, c) | trials(n) ~ x", frame, "multinomial", method="laplace")
    left_out = bayesml.fit("cbind(a, b, c) ~ x", frame, "multinomial", method="laplace")
    assert left_out.logLik == pytest.approx(written.logLik, rel=1e-12)
    two = frame.assign(n=frame["a"] + frame["b"])
    expected = bayesml.fit("b | trials(n) ~ x", two, "binomial", method="laplace")
    for formula in ("cbind(a, b) ~ x", "cbind(a, b) | trials(n) ~ x"):
        pair = bayesml.fit(formula, two, "multinomial", method="laplace")
        assert pair.logLik == pytest.approx(expected.logLik, rel=1e-9)
        np.testing.assert_allclose(pair.fixef()["Estimate"], expected.fixef()["Estimate"], atol=1e-5)


@pytest.mark.parametrize(
    ("formula", "family", "change", "error", "words"),
    [
        ("cbind(a, b) | trials(n) ~ x", "binomial", {}, FormulaError, r"leave `trials\(...\)` out"),
        ("a | trials(n) ~ x", "multinomial", {}, DataError, "two or more columns.*binomial"),
        ("cbind(a, b, c) | trials(n) ~ x", "multinomial", {"n": 3}, DataError, "sum to the number of trials.*row 1"),
        ("cbind(a, b, c) ~ x", "multinomial", {"b": -1}, DataError, "`b` must not be negative.*row 1"),
        ("cbind(a, b, c) ~ x", "dirichlet_multinomial", {"c": 0.5}, DataError, "`c` must be a whole number"),
        ("cbind(a, b, c) ~ x", "multinomial", {"a": 0, "b": 0, "c": 0}, DataError, "0 in every row"),
        ("cbind(p, q, r) ~ x", "multinomial", {}, DataError, "`p` must be a whole number"),
        ("cbind(a, b, c) ~ x", "dirichlet2", {}, DataError, "strictly between 0 and 1"),
        ("cbind(a, b, c) | cens(0) ~ x", "multinomial", {}, FormulaError, "no response term `cens"),
        ("cbind(p, q, r) ~ x", logistic_normal(refcat="NA"), {}, ModelError, "has a reference"),
        ("cbind(p, q, r) ~ x", logistic_normal(refcat="z"), {}, ModelError, "one of `p`, `q`, `r`"),
    ],
)
def test_what_makes_no_sense_is_refused(formula, family, change, error, words, frame: pd.DataFrame) -> None:
    with pytest.raises(error, match=words):
        describe_problem(formula, frame.assign(**change), family)
