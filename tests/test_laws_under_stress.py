"""Laws that need no other program: replicated and permuted rows, units, splitting, balanced designs, regression."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesml
from bayesml import NUTS, prior
from bayesml.convergence import convergence
from bayesml.engines.base import Problem
from bayesml.engines.nuts.forms.base import Form
from bayesml.engines.nuts.forms.collapsed import collapsed_form
from bayesml.engines.nuts.forms.plain import plain_form
from bayesml.engines.precision import double_precision
from bayesml.fit import describe_problem
from bayesml.results.fits.fit_object import Fit, PointFit

N, GROUPS = 240, 12


def data(seed: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = rng.integers(0, GROUPS, N)
    x = rng.normal(size=N)
    f = rng.integers(0, 3, N)
    h = rng.integers(0, 9, N)
    effects = rng.normal(size=(GROUPS, 2)) * [0.9, 0.7]
    eta = 0.3 + 0.8 * x + np.array([0.0, 0.5, -0.4])[f] + effects[g, 0] + effects[g, 1] * x
    mean, p = np.exp(eta / 2), 1 / (1 + np.exp(-eta))
    return pd.DataFrame(
        {
            "y": eta + rng.normal(size=9)[h] + rng.normal(size=N),
            "h": np.array(list("abcdefghi"))[h],
            "heavy": eta + rng.standard_t(3, size=N),
            "count": rng.poisson(mean),
            "over": rng.negative_binomial(2.0, 2.0 / (2.0 + mean)),
            "positive": rng.gamma(3.0, mean / 3.0),
            "yes": rng.random(N) < p,
            "k": rng.binomial(7, p),
            "x": x,
            "f": np.array(["a", "b", "c"])[f],
            "g": np.array([f"g{i:02d}" for i in range(GROUPS)])[g],
            "w": rng.integers(1, 4, N),
        }
    )


def fitted(formula: str, frame: Any, family: Any = "gaussian", method: str = "laplace") -> PointFit:
    fit = bayesml.fit(formula, frame, family, method=method)
    assert isinstance(fit, PointFit)
    return fit


CLOSE = 2e-3
"""In standard errors: both searches stop within 1e-3 of them at the optimum."""


def same(one: PointFit, other: PointFit) -> None:
    """Compare estimates, their covariance and the group-level effects."""
    table, again = one.fixef(), other.fixef()
    assert (np.abs(table["Estimate"] - again["Estimate"]) <= CLOSE * table["Std.Error"]).all()
    for name, effects in one.ranef().items():
        mine, theirs = (t.set_index(["level", "coef"]) for t in (effects, other.ranef()[name]))
        assert (np.abs(theirs["Estimate"].loc[mine.index] - mine["Estimate"]) <= CLOSE * mine["Std.Error"]).all()
    sd = table["Std.Error"].to_numpy()
    np.testing.assert_allclose(one.vcov() / np.outer(sd, sd), other.vcov() / np.outer(sd, sd), atol=CLOSE)


# Weights are replicated rows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "family"),
    [("count", "poisson"), ("over", "negbinomial"), ("yes", "bernoulli"), ("positive", bayesml.Gamma(link="log"))],
    ids=str,
)
def test_weights_are_replicated_rows_at_the_maximum_of_the_likelihood(response: str, family: Any) -> None:
    frame = data()
    weighted = fitted(f"{response} | weights(w) ~ x + f + (x || g)", frame, family)
    replicated = fitted(f"{response} ~ x + f + (x || g)", frame.loc[frame.index.repeat(frame["w"])], family)
    assert weighted.logLik == pytest.approx(replicated.logLik, rel=1e-9)
    same(weighted, replicated)


PRIORS = [
    prior("normal(0, 3)", class_="Intercept"),
    prior("normal(0, 2)", class_="b"),
    prior("exponential(1)", class_="sd"),
]


def density_at(form: Form, points: np.ndarray) -> np.ndarray:
    """Evaluate the log density of the parameters themselves: coordinates with centre 0 and unit scale."""
    own = form.data | {"center": np.zeros(form.size), "scale": np.ones(form.size)}
    with double_precision():
        density = jax.jit(form.density)
        return np.array([float(density(point, own)) for point in points])


def problems(formula: str, family: str, frame: pd.DataFrame, priors: list[Any]) -> tuple[Problem, Problem]:
    left, right = formula.split(" ~ ")
    replicated = frame.loc[frame.index.repeat(frame["w"])]
    # Population columns are centred at the mean of the rows: columns that are centred the same keep one meaning.
    weighted = describe_problem(f"{left} | weights(w) ~ {right}", frame, family, prior=priors)
    return weighted, describe_problem(formula, replicated, family, prior=priors)


def test_weights_are_replicated_rows_in_the_density_that_nuts_samples() -> None:
    frame = data()
    rng = np.random.default_rng(1)
    with double_precision():
        one, two = (plain_form(p) for p in problems("count ~ 0 + x + (x | g)", "poisson", frame, PRIORS[1:]))
        points = rng.normal(size=(4, one.size))
        np.testing.assert_allclose(density_at(one, points), density_at(two, points), rtol=1e-10)
        sigma = prior("exponential(1)", class_="sigma")
        one, two = (
            collapsed_form(p, scaled=False)
            for p in problems("y ~ 0 + x + (x | g)", "gaussian", frame, [*PRIORS[1:], sigma])
        )
        points = rng.normal(size=(4, one.size))
        np.testing.assert_allclose(density_at(one, points), density_at(two, points), rtol=1e-9)


# Permutations ---------------------------------------------------------------------------------------------------------

CASES: dict[str, tuple[str, str, str]] = {
    "reml": ("y ~ x * f + (x | g)", "gaussian", "reml"),
    "ml": ("y ~ x + f + (1 | g) + (1 | h)", "gaussian", "ml"),
    "poisson": ("count ~ x + f + (x | g)", "poisson", "laplace"),
    "bernoulli": ("yes ~ x + (1 | g)", "bernoulli", "laplace"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_order_of_rows_does_not_matter(case: str) -> None:
    formula, family, method = CASES[case]
    frame = data()
    for seed in (1, 2):
        one = fitted(formula, frame, family, method)
        other = fitted(formula, frame.sample(frac=1.0, random_state=seed), family, method)
        assert other.logLik == pytest.approx(one.logLik, rel=1e-9)
        same(one, other)


@pytest.mark.parametrize("case", CASES)
def test_names_and_order_of_levels_do_not_matter(case: str) -> None:
    formula, family, method = CASES[case]
    frame = data()
    renamed = {f"g{i:02d}": f"h{(7 * i + 3) % GROUPS:02d}" for i in range(GROUPS)}
    one = fitted(formula, frame, family, method)
    other = fitted(formula, frame.assign(g=frame["g"].map(renamed)), family, method)
    assert other.logLik == pytest.approx(one.logLik, rel=1e-9)
    table = one.fixef()
    assert (np.abs(table["Estimate"] - other.fixef()["Estimate"]) <= CLOSE * table["Std.Error"]).all()
    # Another reference level: other contrasts, the same means.
    turned = frame.assign(f=pd.Categorical(frame["f"], ["c", "a", "b"]))
    np.testing.assert_allclose(
        fitted(formula, turned, family, method).fitted, one.fitted, rtol=1e-3, atol=1e-3 * one.fitted.std()
    )


# Units ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
@pytest.mark.parametrize("method", ["reml", "ml"])
def test_units_of_a_gaussian_response(scale: float, method: str) -> None:
    frame = data()
    one = fitted("y ~ x + f + (x | g)", frame, method=method)
    other = fitted("y ~ x + f + (x | g)", frame.assign(y=frame["y"] * scale), method=method)
    table, scaled = one.fixef(), other.fixef()
    np.testing.assert_allclose(scaled["Estimate"], scale * table["Estimate"], rtol=1e-5)
    np.testing.assert_allclose(scaled["Std.Error"], scale * table["Std.Error"], rtol=1e-5)
    np.testing.assert_allclose(scaled["df"], table["df"], rtol=1e-3)
    assert other.sigma == pytest.approx(scale * one.sigma, rel=1e-6)
    assert other["sd_g__x"] == pytest.approx(scale * one["sd_g__x"], rel=1e-4)
    # n rows (n - p for REML) times log(scale) is the log Jacobian.
    degrees = N - (len(table) if method == "reml" else 0)
    assert other.logLik == pytest.approx(one.logLik - degrees * np.log(scale), rel=1e-8)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_units_of_a_response_with_heavy_tails(scale: float) -> None:
    frame = data()
    one = fitted("heavy ~ x + (1 | g)", frame, "student")
    other = fitted("heavy ~ x + (1 | g)", frame.assign(heavy=frame["heavy"] * scale), "student")
    for column in ("Estimate", "Std.Error"):
        np.testing.assert_allclose(other.fixef()[column], scale * one.fixef()[column], rtol=1e-3)
    assert other.logLik == pytest.approx(one.logLik - N * np.log(scale), rel=1e-7)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
@pytest.mark.parametrize("family", ["lognormal", bayesml.Gamma(link="log")], ids=["lognormal", "gamma"])
def test_units_of_a_positive_response(family: Any, scale: float) -> None:
    frame = data()
    one = fitted("positive ~ x + (1 | g)", frame, family)
    other = fitted("positive ~ x + (1 | g)", frame.assign(positive=frame["positive"] * scale), family)
    assert other["b_Intercept"] == pytest.approx(one["b_Intercept"] + np.log(scale), rel=1e-6)
    assert other["b_x"] == pytest.approx(one["b_x"], rel=1e-4)
    assert other["sd_g__Intercept"] == pytest.approx(one["sd_g__Intercept"], rel=1e-4)
    assert other.logLik == pytest.approx(one.logLik - N * np.log(scale), rel=1e-8)


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1e-12), (0.0, 1e12), (300.0, 1e3), (-2000.0, 1.0)])
@pytest.mark.parametrize("case", CASES)
def test_units_of_a_predictor(case: str, shift: float, scale: float) -> None:
    """A slope over groups keeps its meaning when its column is scaled; shifted, the model stays the same."""
    formula, family, method = CASES[case]
    frame = data()
    one = fitted(formula, frame, family, method)
    other = fitted(formula, frame.assign(x=scale * frame["x"] + shift), family, method)
    assert other.logLik + (0.0 if method != "reml" else log_jacobian(one, scale)) == pytest.approx(one.logLik, abs=1e-5)
    assert other["b_x"] * scale == pytest.approx(one["b_x"], rel=1e-4)
    np.testing.assert_allclose(other.fitted, one.fitted, rtol=1e-3, atol=1e-3 * one.fitted.std())


def log_jacobian(fit: PointFit, scale: float) -> float:
    """REML's criterion holds log|X'V^-1 X|, which grows with the columns' units: x, and x within two more levels."""
    return float(np.log(scale)) * sum("x" in name for name in fit.fixef().index)


@pytest.mark.parametrize("shift", [1e3, 1e6])
def test_a_shift_of_the_response(shift: float) -> None:
    frame = data()
    one = fitted("y ~ x + f + (x | g)", frame, method="reml")
    other = fitted("y ~ x + f + (x | g)", frame.assign(y=frame["y"] + shift), method="reml")
    assert other["b_Intercept"] - shift == pytest.approx(one["b_Intercept"], abs=1e-8 * shift)
    assert other["b_x"] == pytest.approx(one["b_x"], abs=1e-9 * shift)
    assert other.sigma == pytest.approx(one.sigma, rel=1e-6)
    np.testing.assert_allclose(other.residuals(), one.residuals(), atol=1e-8 * shift)


# One binomial row is several bernoulli rows ---------------------------------------------------------------------------


def test_a_binomial_row_is_as_many_bernoulli_rows() -> None:
    frame = data()
    trials = 7
    split = frame.loc[frame.index.repeat(trials)].assign(
        one=np.concatenate([np.arange(trials) < k for k in frame["k"]])
    )
    counts = fitted("k | trials(7) ~ x + f + (x | g)", frame, "binomial")
    rows = fitted("one ~ x + f + (x | g)", split, "bernoulli")
    same(counts, rows)
    orders = stats.binom.logpmf(frame["k"], trials, 0.5) + trials * np.log(2.0)  # the log binomial coefficients
    assert counts.logLik - orders.sum() == pytest.approx(rows.logLik, rel=1e-8)


# Balanced designs in closed form --------------------------------------------------------------------------------------


def one_way(levels: int, size: int, between: float) -> tuple[pd.DataFrame, float, float]:
    rng = np.random.default_rng(levels)
    y = 10 + between * rng.normal(size=(levels, 1)) + rng.normal(size=(levels, size))
    frame = pd.DataFrame({"y": y.ravel(), "g": np.repeat([f"g{i}" for i in range(levels)], size)})
    means = y.mean(axis=1)
    ms_between = size * np.sum((means - y.mean()) ** 2) / (levels - 1)
    ms_within = np.sum((y - means[:, None]) ** 2) / (levels * (size - 1))
    return frame, ms_between, ms_within


@pytest.mark.parametrize(("levels", "size"), [(2, 2), (5, 3), (40, 2), (3, 200)])
def test_balanced_one_way_analysis_of_variance(levels: int, size: int) -> None:
    frame, between, within = one_way(levels, size, 2.0)
    assert between > within
    fit = fitted("y ~ 1 + (1 | g)", frame, method="reml")
    assert fit.sigma**2 == pytest.approx(within, rel=1e-6)
    assert fit["sd_g__Intercept"] ** 2 == pytest.approx((between - within) / size, rel=1e-5)
    row = fit.fixef().loc["Intercept"]
    assert row["Estimate"] == pytest.approx(frame["y"].mean(), rel=1e-10)
    assert row["Std.Error"] ** 2 == pytest.approx(between / (levels * size), rel=1e-5)
    assert row["df"] == pytest.approx(levels - 1, rel=1e-3)


def test_a_balanced_design_with_too_little_variance_between_groups_is_singular() -> None:
    frame, between, within = one_way(8, 6, 0.0)
    frame["y"] -= frame.groupby("g")["y"].transform("mean")
    with pytest.warns(bayesml.FitWarning, match="Singular"):
        fit = fitted("y ~ 1 + (1 | g)", frame, method="reml")
    assert fit.is_singular
    assert fit.sigma**2 == pytest.approx(np.sum(frame["y"] ** 2) / (len(frame) - 1), rel=1e-8)


def test_balanced_blocks_and_crossed_factors() -> None:
    """Mean squares of a x b without replication: b random; then both random, three variances from three equations."""
    rng = np.random.default_rng(5)
    a, b, replicates = 4, 9, 3
    y = (
        np.array([0.0, 0.5, 1.0, -1.0])[:, None, None]
        + 1.5 * rng.normal(size=(1, b, 1))
        + rng.normal(size=(a, b, 1))
        + 0.7 * rng.normal(size=(a, b, replicates))
    )
    i, j, _ = (index.ravel() for index in np.indices(y.shape))
    frame = pd.DataFrame({"y": y.ravel(), "a": [f"a{k}" for k in i], "b": [f"b{k}" for k in j]})
    cell, of_a, of_b = y.mean(axis=2), y.mean(axis=(1, 2)), y.mean(axis=(0, 2))
    ms_a = b * replicates * np.sum((of_a - y.mean()) ** 2) / (a - 1)
    ms_b = a * replicates * np.sum((of_b - y.mean()) ** 2) / (b - 1)
    interaction = cell - of_a[:, None] - of_b[None, :] + y.mean()
    ms_ab = replicates * np.sum(interaction**2) / ((a - 1) * (b - 1))
    ms_error = np.sum((y - cell[:, :, None]) ** 2) / (a * b * (replicates - 1))
    assert ms_error < ms_ab < min(ms_a, ms_b)
    mixed = fitted("y ~ a + (1 | b) + (1 | a:b)", frame, method="reml")
    assert mixed.sigma**2 == pytest.approx(ms_error, rel=1e-5)
    assert mixed["sd_a:b__Intercept"] ** 2 == pytest.approx((ms_ab - ms_error) / replicates, rel=1e-4)
    assert mixed["sd_b__Intercept"] ** 2 == pytest.approx((ms_b - ms_ab) / (a * replicates), rel=1e-4)
    for ddf in ("satterthwaite", "kenward-roger"):
        row = mixed.anova(ddf=ddf).loc["a"]  # type: ignore[arg-type]
        assert row["F value"] == pytest.approx(ms_a / ms_ab, rel=1e-4)
        assert row["DenDF"] == pytest.approx((a - 1) * (b - 1), rel=1e-3)
    random = fitted("y ~ 1 + (1 | a) + (1 | b) + (1 | a:b)", frame, method="reml")
    assert random["sd_a__Intercept"] ** 2 == pytest.approx((ms_a - ms_ab) / (b * replicates), rel=1e-4)
    assert random["sd_b__Intercept"] ** 2 == pytest.approx((ms_b - ms_ab) / (a * replicates), rel=1e-4)


# Regression with flat priors ------------------------------------------------------------------------------------------


def test_regression_with_flat_priors_has_a_t_distribution() -> None:
    """p(b, sigma | y) is proportional to sigma^-n exp(-Q(b) / 2 sigma^2), Q(b) = RSS + (b - b^)' X'X (b - b^).

    Integrated over sigma this is Q(b)^(-(n-1)/2): a multivariate t of n - 1 - p degrees of freedom around the least
    squares b^ with scale matrix RSS / (n - 1 - p) (X'X)^-1.
    """
    rng = np.random.default_rng(3)
    n, p = 14, 3
    x, z = rng.normal(size=(2, n))
    y = 1 + x + 3 * rng.normal(size=n)
    X = np.column_stack([np.ones(n), x, z])
    flat = [prior("flat", class_=name) for name in ("Intercept", "b", "sigma")]
    fit = bayesml.fit(
        "y ~ x + z", {"y": y, "x": x, "z": z}, prior=flat, method=NUTS(draws=2000, warmup=500, chains=2, seed=7)
    )
    assert isinstance(fit, Fit)
    best = np.linalg.solve(X.T @ X, X.T @ y)
    df = n - 1 - p
    scale = np.sqrt(np.diagonal(np.linalg.inv(X.T @ X)) * np.sum((y - X @ best) ** 2) / df)
    draws = np.stack([fit[name].values for name in ("b_Intercept", "b_x", "b_z")], axis=-1)
    found = convergence(draws)
    assert (np.abs(draws.mean(axis=(0, 1)) - best) < 4 * found.mcse).all()
    for probability in (0.025, 0.25, 0.5, 0.75, 0.975):
        below = draws < best + scale * stats.t.ppf(probability, df)
        error = convergence(below.astype(float)).mcse  # Monte Carlo error of the share below the quantile
        assert (np.abs(below.mean(axis=(0, 1)) - probability) < 4 * error).all(), probability
