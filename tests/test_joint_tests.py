"""Joint tests: which rows count does not depend on units, and moments exist where F's denominator is 2 or 4."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.engines.linear_mixed.kenward_roger import _moments
from bayesml.engines.point.unbounded import is_unbounded, without_unbounded
from bayesml.errors import FitWarning

RNG = np.random.default_rng(3)
X, Z = RNG.normal(size=120), RNG.normal(size=120)
GROUP, LEVEL = np.repeat(np.arange(12), 10), RNG.choice(list("abcd"), 120)
COUNT = RNG.poisson(np.exp(0.5 + 0.3 * X + 0.2 * Z + 0.5 * RNG.normal(size=12)[GROUP]))
ROWS = pd.DataFrame({"x": X, "z": Z, "g": GROUP, "f": LEVEL, "c": COUNT, "y": COUNT + 0.1 * RNG.normal(size=120)})


def poisson(data: pd.DataFrame, formula: str) -> bayesml.PointFit:
    return bayesml.fit(formula, data, "poisson", method="laplace")


def linear(data: pd.DataFrame, formula: str) -> bayesml.PointFit:
    return bayesml.fit(formula, data, method="reml")


# Kenward and Roger's moments -----------------------------------------------------------------------------------------


def test_two_treatments_in_three_blocks() -> None:
    # R: KRmodcomp(lmer(y ~ t + (1|b)), lmer(y ~ 1 + (1|b))): F 23.03 on 1 and 2, p .041
    data = {"b": list("aabbcc"), "t": list("xyxyxy"), "y": [10.5, 11.3, 7.3, 9.0, 8.6, 10.2]}
    row = bayesml.fit("y ~ t + (1 | b)", data, method="reml").anova(ddf="kenward-roger").loc["t"]
    # The paired t test: differences .8, 1.7, 1.6.
    differences = np.array([0.8, 1.7, 1.6])
    exact = differences.mean() ** 2 / (differences.var(ddof=1) / 3)
    # The optimum is found to about 1e-5 of the standard error of the variance; a balanced test hardly moves with it.
    np.testing.assert_allclose(row["F value"], exact, rtol=1e-6)
    np.testing.assert_allclose(row["DenDF"], 2.0, rtol=1e-6)
    np.testing.assert_allclose(row["Pr(>F)"], 0.0407880, rtol=1e-5)


def test_three_treatments_in_three_blocks() -> None:
    # R: anova(lmer(y ~ t + (1|b)), ddf="Kenward-Roger"): F 16.82 on 2 and 4
    y = [7.3, 8.8, 11.1, 9.0, 10.9, 13.0, 6.9, 11.7, 11.9]
    data = {"b": list("aaabbbccc"), "t": list("xyz" * 3), "y": y}
    row = bayesml.fit("y ~ t + (1 | b)", data, method="reml").anova(ddf="kenward-roger").loc["t"]
    table = np.reshape(y, (3, 3))
    between = 3 * ((table.mean(axis=0) - table.mean()) ** 2).sum() / 2
    rest = table - table.mean(axis=0) - table.mean(axis=1)[:, None] + table.mean()
    np.testing.assert_allclose(row["F value"], between / ((rest**2).sum() / 4), rtol=1e-6)
    np.testing.assert_allclose([row["NumDF"], row["DenDF"]], [2, 4], rtol=1e-6)


@pytest.mark.parametrize("q", [1, 2, 3, 5])
@pytest.mark.parametrize("df", [0.7, 1.0, 2.0, 3.0, 4.0, 4.000001, 17.3, 1e6])
def test_moments_of_an_exact_F(q: int, df: float) -> None:
    # All derivatives proportional: A1 = q A2 = 2 q^2 / df.
    for jitter in (0.0, 1e-13, -1e-13):
        scale, found = _moments(2 * q * q / df * (1 + jitter), 2 * q / df, q)
        np.testing.assert_allclose([scale, found], [1.0, df], rtol=1e-9)


@pytest.mark.parametrize("q", [2, 3, 5])
@pytest.mark.parametrize("share", [1.0 / 5, 0.5, 0.9, 0.99999])
def test_moments_are_usable_everywhere(q: int, share: float) -> None:
    """A1 lies between A2 (one row alone has derivatives) and q A2."""
    for s in np.concatenate([np.geomspace(1e-6, 50, 400), [0.5, 1.0, 2.0]]):
        A2 = q * s
        scale, df = _moments(max(share * q, 1.0) * A2, A2, q)
        assert np.isfinite(scale)
        assert scale > 0
        assert df > 0


@pytest.mark.parametrize("q", [2, 3])
@pytest.mark.parametrize("share", [0.6, 0.9])
def test_moments_are_matched(q: int, share: float) -> None:
    """F(q, m) / lambda has the mean and the variance of Kenward and Roger's expansion."""
    A2 = 0.05
    A1 = share * q * A2
    scale, m = _moments(A1, A2, q)
    B = (A1 + 6 * A2) / (2 * q)
    g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
    d = 3 * q + 2 * (1 - g)
    mean = 1 / (1 - A2 / q)
    variance = 2 / q * (1 + g / d * B) / ((1 - (q - g) / d * B) ** 2 * (1 - (q + 2 - g) / d * B))
    np.testing.assert_allclose(m / (m - 2) / scale, mean, rtol=1e-12)
    np.testing.assert_allclose(2 * m**2 * (q + m - 2) / (q * (m - 2) ** 2 * (m - 4)) / scale**2, variance, rtol=1e-10)


# Which rows count ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def count_test() -> np.ndarray:
    return poisson(ROWS, "c ~ x + z + (1 | g)").contrast(["x", "z"], joint=True).to_numpy()[0]


@pytest.fixture(scope="module")
def linear_tests() -> dict[str | None, np.ndarray]:
    fit = linear(ROWS, "y ~ x * z + (1 | g)")
    return {d: fit.contrast(["x", "z", "x:z"], joint=True, ddf=d).to_numpy()[0] for d in (None, "kr", "satterthwaite")}


@pytest.mark.parametrize("unit", [1e-6, 1e-3, 30000.0, 1e6])
def test_units_of_a_predictor(unit: float, count_test: np.ndarray, linear_tests: dict) -> None:
    data = ROWS.assign(z=ROWS.z * unit)
    fit = poisson(data, "c ~ x + z + (1 | g)")
    # Two searches stop at points 1e-5 standard errors apart at most, and chi-square is quadratic.
    np.testing.assert_allclose(fit.contrast(["x", "z"], joint=True).to_numpy()[0], count_test, rtol=1e-6)
    fit = linear(data, "y ~ x * z + (1 | g)")
    for ddf in (None, "kr"):
        found = fit.contrast(["x", "z", "x:z"], joint=True, ddf=ddf).to_numpy()[0]
        np.testing.assert_allclose(found, linear_tests[ddf], rtol=1e-6)
    # Satterthwaite's denominator depends on how long the rows are relative to each other, F does not.
    found = fit.contrast(["x", "z", "x:z"], joint=True).to_numpy()[0]
    np.testing.assert_allclose(found[[0, 2]], linear_tests["satterthwaite"][[0, 2]], rtol=1e-6)


@pytest.mark.parametrize("shift", [-1e3, 1e5])
def test_origin_of_a_predictor(shift: float, count_test: np.ndarray, linear_tests: dict) -> None:
    data = ROWS.assign(z=ROWS.z + shift)
    found = poisson(data, "c ~ x + z + (1 | g)").contrast(["x", "z"], joint=True).to_numpy()[0]
    np.testing.assert_allclose(found, count_test, rtol=1e-6)
    fit = linear(data, "y ~ x * z + (1 | g)")
    rows = [f"x + {shift} * x:z", "z", "x:z"]
    for ddf in (None, "kr", "satterthwaite"):
        found = fit.contrast(rows, joint=True, ddf=ddf).to_numpy()[0]
        # The variance of a sum of terms 1e5 times as large as itself keeps 6 digits.
        np.testing.assert_allclose(found, linear_tests[ddf], rtol=1e-5)


@pytest.mark.parametrize("ddf", [None, "kr", "satterthwaite"])
def test_redundant_rows_do_not_count(ddf: str | None) -> None:
    fit = linear(ROWS.assign(z=ROWS.z * 1e5), "y ~ x + f + z + (1 | g)")
    plain = fit.contrast(["f[b]", "f[c]", "f[d]"], joint=True, ddf=ddf).to_numpy()[0]
    pairs = ["f[b]", "f[c]", "f[d]", "f[b] - f[c]", "1e6 * f[b] - 1e6 * f[d]", "1e-7 * f[c] - 1e-7 * f[d]"]
    found = fit.contrast(pairs, joint=True, ddf=ddf).to_numpy()[0]
    keep = [0, 2, 1] if ddf != "satterthwaite" else [0, 2]
    np.testing.assert_allclose(found[keep], plain[keep], rtol=1e-8)


@pytest.mark.parametrize(
    ("empty", "others"), [("a", ["f[b] - f[c]", "f[b] - f[d]"]), ("d", ["f[b]", "f[c]"])], ids=["first", "last"]
)
def test_a_level_without_counts(empty: str, others: list[str]) -> None:
    """The level has no estimate; the joint test of all levels is that of the others, on all degrees of freedom."""
    data = ROWS.assign(c=np.where(ROWS.f == empty, 0, ROWS.c))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        fit = poisson(data, "c ~ x + f + (1 | g)")
    row, rest = fit.anova().loc["f"], fit.contrast(others, joint=True).iloc[0]
    assert row["Df"] == 3
    np.testing.assert_allclose(row["Chisq"], rest["Chisq"], rtol=1e-8)
    rest = poisson(data[data.f != empty], "c ~ x + f + (1 | g)").anova().loc["f"]
    # The rows of the level still weigh exp(-20) of the others where the search stops.
    np.testing.assert_allclose(row["Chisq"], rest["Chisq"], rtol=2e-4)
    assert np.isnan(fit.contrast([f"f[{'b' if empty == 'a' else 'd'}]"], joint=True)["Chisq"].iloc[0])


def test_directions_without_estimate_in_any_units() -> None:
    unbounded = np.array([[-1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    rows = np.array([[1.0, 0, 0, 0, 7], [1, 1, 0, 0, 3], [0, 1, -1, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]])
    for unit in (1e-12, 1.0, 1e12):
        units = np.array([1.0, 1.0, 1.0, unit, 1 / unit])
        moved, scaled = unbounded / units[:, None], rows * units
        np.testing.assert_array_equal(is_unbounded(scaled, moved), [True, False, False, True, True])
        left, lost = without_unbounded(scaled, moved)
        assert lost == 2
        assert left.shape == (3, 5)
        assert not is_unbounded(left, moved).any()
