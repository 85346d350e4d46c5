"""Coefficients that the likelihood sends to infinity: infinite standard errors, no tests, one-sided profiles.

In the limit the rows that they separate are fitted perfectly and say nothing more, so that everything else must equal a
fit without those rows.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import bayesml

N = 60


def _data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    f, x, z = np.array(list("abc"))[np.arange(N) % 3], rng.normal(size=N), rng.normal(size=N)
    half = (rng.random(N) < 0.5).astype(int)
    return {
        "f": f,
        "x": x,
        "z": z,
        "g": np.repeat(np.arange(10), 6),
        "five": np.full(N, 5),
        "complete": (x > 0).astype(int),
        "last": np.where(f == "b", 1, half),
        "successes": np.where(f == "b", 5, rng.binomial(5, 0.5, N)),
        "count": np.where(f == "b", 0, rng.poisson(2.0, N)),
        "first": np.where(f == "a", 0, rng.poisson(2.0, N)),
    }


def _fit(formula: str, family: str, keep: np.ndarray | None = None) -> bayesml.PointFit:
    data = {name: values if keep is None else values[keep] for name, values in _data().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bayesml.fit(formula, data, family, method="laplace")  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("formula", "family", "level"),
    [
        ("last ~ f + z", "bernoulli", "b"),
        ("last ~ f + z + (1 | g)", "bernoulli", "b"),
        ("successes | trials(five) ~ f + z", "binomial", "b"),
        ("count ~ f + z", "poisson", "b"),
        ("count ~ f + z + (1 | g)", "poisson", "b"),
        ("count ~ f + z", "negbinomial", "b"),
    ],
)
def test_one_separated_cell(formula: str, family: str, level: str) -> None:
    keep = _data()["f"] != level
    fit, rest = _fit(formula, family), _fit(formula, family, keep)
    table, expected = fit.fixef(), rest.fixef()
    cell = f"f[{level}]"
    assert table.loc[cell, "Std.Error"] == np.inf
    assert table.loc[cell, ["z value", "p"]].isna().all()
    others = ["Intercept", "f[c]", "z"]
    # the separated rows still weigh exp(-20) of the others where the search stops
    np.testing.assert_allclose(table.loc[others], expected.loc[others], rtol=2e-4, atol=1e-6)
    assert fit.logLik == pytest.approx(rest.logLik, abs=1e-5)
    wald = fit.confint(parameters="b")
    np.testing.assert_array_equal(wald.loc[f"b_{cell}", ["lower", "upper"]], [-np.inf, np.inf])
    np.testing.assert_allclose(wald.loc["b_z"], rest.confint(parameters="b").loc["b_z"], rtol=2e-4, atol=1e-6)
    tests = fit.anova()
    # the separated level counts and adds nothing
    assert tests.loc["f", "Df"] == 2
    assert tests.loc["f", "Chisq"] == pytest.approx(rest.anova().loc["f", "Chisq"], rel=5e-4)
    assert tests.loc["z", "Chisq"] == pytest.approx(rest.anova().loc["z", "Chisq"], rel=5e-4)
    text = str(fit.summary())
    assert "separation" in text and "Inf" in text and "standard" in text


def test_profile_of_a_separated_coefficient_is_one_sided() -> None:
    fit, rest = _fit("last ~ f + z", "bernoulli"), _fit("last ~ f + z", "bernoulli", _data()["f"] != "b")
    profile = fit.confint("profile")
    assert profile.loc["b_f[b]", "upper"] == np.inf
    np.testing.assert_allclose(
        profile.loc[["b_Intercept", "b_z"]], rest.confint("profile").loc[["b_Intercept", "b_z"]], rtol=1e-3, atol=1e-4
    )
    # the lower limit held by an offset: the deviance has risen by qchisq(.95, 1) there
    lower = profile.loc["b_f[b]", "lower"]
    data = _data()
    data["held"], data["c"] = lower * (data["f"] == "b"), (data["f"] == "c") * 1.0
    held = bayesml.fit("last ~ c + z + offset(held)", data, "bernoulli", method="laplace")
    assert held.deviance - fit.deviance == pytest.approx(3.841459, abs=1e-3)


def test_the_reference_cell_is_separated() -> None:
    """The intercept and all differences to it are unbounded, the differences between the others are not."""
    fit, rest = _fit("first ~ f + z", "poisson"), _fit("first ~ f + z", "poisson", _data()["f"] != "a")
    assert np.isinf(fit.fixef().loc[["Intercept", "f[b]", "f[c]"], "Std.Error"]).all()
    found = fit.contrast("b_f[c] - b_f[b]").iloc[0]
    np.testing.assert_allclose(found["Estimate"], rest["b_f[c]"], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found["Std.Error"], rest.fixef().loc["f[c]", "Std.Error"], rtol=1e-3)
    means = fit.emmeans("f").to_pandas().set_index("f")
    assert np.isinf(means.loc["a", "Std.Error"]) and np.isfinite(means.loc[["b", "c"], "Std.Error"]).all()
    single = fit.contrast("b_f[b] = 0").iloc[0]
    assert np.isinf(single["Std.Error"]) and np.isnan(single["p"])


def test_complete_separation() -> None:
    with pytest.warns(bayesml.FitWarning, match=r"separation: .*`x`.* standard errors are infinite"):
        fit = bayesml.fit("complete ~ x + z", _data(), "bernoulli", method="laplace")
    assert np.isinf(fit.fixef()["Std.Error"]).all()
    table = fit.anova()
    assert table["Chisq"].isna().all() and "separation" in table.attrs["heading"]
    assert fit.logLik == pytest.approx(0.0, abs=1e-6)
    profile = fit.confint("profile")
    assert profile.loc["b_x", "lower"] > 0 and profile.loc["b_x", "upper"] == np.inf
    np.testing.assert_array_equal(profile.loc["b_z", ["lower", "upper"]], [-np.inf, np.inf])
    limits = fit.predict({"x": [0.1], "z": [0.0]}, interval="confidence")
    np.testing.assert_array_equal(limits[["Lower", "Upper"]], [[0.0, 1.0]])
    errors = fit.linpred({"x": [0.1], "z": [0.0]}, se=True)["Std.Error"]
    assert np.isinf(errors).all()
    assert np.isinf(np.diagonal(fit.vcov())).all()
    with pytest.raises(bayesml.ModelError, match="separation"):
        fit.to_normal_draws()


def test_a_prior_gives_finite_errors() -> None:
    data = _data()
    fit = bayesml.fit("complete ~ x + z", data, "bernoulli", method="map")
    assert np.isfinite(fit.fixef()["Std.Error"]).all()


def test_likelihood_ratio_test_of_a_separated_term() -> None:
    # R: anova(glm(last ~ z, binomial), glm(last ~ f + z, binomial), test = "LRT") is finite: the deviances have limits
    table = bayesml.anova(_fit("last ~ z", "bernoulli"), _fit("last ~ f + z", "bernoulli"))
    assert 0 < table["Pr(>Chisq)"].iloc[1] < 1e-3


@pytest.mark.parametrize("kind", ["percentile", "basic", "norm"])
def test_bootstrap_of_a_separated_coefficient_says_nothing(kind: str) -> None:
    fit = _fit("last ~ f + z", "bernoulli")
    with pytest.warns(bayesml.FitWarning, match=r"says nothing about b_f\[b\]:"):
        table = fit.confint("boot", nsim=10, seed=1, boot_type=kind)  # type: ignore[arg-type]
    assert table.loc["b_f[b]", ["lower", "upper"]].tolist() == [-np.inf, np.inf]
    assert np.isfinite(table.drop(index="b_f[b]").to_numpy()).all()


def test_bootstrap_counts_separated_responses_as_infinite() -> None:
    # one success of six: 0.335 of the drawn responses have none, and then the estimate is minus infinity
    y = np.r_[np.tile([0, 1], 20), 0, 0, 0, 0, 0, 1]
    data = {"y": y, "k": np.repeat(["a", "b"], [40, 6])}
    fit = bayesml.fit("y ~ k", data, "bernoulli", method="laplace")
    assert fit.confint("boot", nsim=40, seed=1).loc["b_k[b]", "lower"] == -np.inf
    table = fit.confint("boot", nsim=40, seed=1, boot_type="norm")
    assert table.loc["b_k[b]", ["lower", "upper"]].tolist() == [-np.inf, np.inf]
    assert np.isfinite(table.loc["b_Intercept"]).all()


def test_variance_explained_by_a_separated_predictor_is_unknown() -> None:
    fit = _fit("last ~ f + z + (1 | g)", "bernoulli")
    assert np.isnan(fit.r2()["marginal"])
    assert np.isfinite(fit.icc()["adjusted"])
    assert np.isfinite(_fit("last ~ z + (1 | g)", "bernoulli").r2()["marginal"])


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "cauchit"])
def test_cells_without_failures_with_every_link(link: str) -> None:
    # the likelihood of a probit model is flat within a few units already
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = bayesml.fit(
            "successes | trials(five) ~ 0 + f + z", _data(), bayesml.families.binomial(link), method="laplace"
        )
    table = fit.fixef()
    assert np.isposinf(table.loc["f[b]", "Std.Error"])
    assert np.isnan(table.loc["f[b]", "p"])
    assert np.isfinite(table.drop(index="f[b]").to_numpy()).all()


@pytest.mark.parametrize(("formula", "family"), [("zero ~ 1", "poisson"), ("zero ~ 1", "bernoulli")])
def test_nothing_but_zeros(formula: str, family: str) -> None:
    data = {**_data(), "zero": np.zeros(N)}
    with pytest.warns(bayesml.FitWarning, match="coefficients of `Intercept` go to"):
        fit = bayesml.fit(formula, data, family, method="laplace")
    assert np.isposinf(fit.fixef()["Std.Error"].to_numpy()).all()
