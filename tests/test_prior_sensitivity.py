"""Power-scaling of priors and likelihoods: against ArviZ, and against exact posteriors of a conjugate model."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace

import matplotlib

matplotlib.use("Agg")

import arviz_stats
import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy import integrate, stats

import bayesml
from bayesml import prior
from bayesml.engines import NUTS
from bayesml.errors import ModelError
from bayesml.results.checks.log_lik import total_log_lik
from bayesml.results.checks.log_prior import log_prior, without_log_prior
from bayesml.results.checks.power_scaling import distances, scaled_weights, sensitivities
from tests.handmade import handmade_fit, sleep
from tests.pictures import assert_shows, panels

ALPHAS = (0.99, 1.01)
GLOBAL = ("hs_global", "hs_slab")


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def fit() -> bayesml.Fit:
    made = bayesml.fit(
        "Reaction ~ Days + (1 | Subject)", sleep(), prior=prior("normal(0, 0.5)", class_="b"), method="map"
    )
    return made.to_normal_draws(2000, seed=2)


def exact_distance(first: stats.rv_continuous, second: stats.rv_continuous, lower: float, upper: float) -> float:
    """Return the cumulative Jensen-Shannon distance of two distributions, by quadrature of its definition."""

    def one_way(p, q):
        def integrand(x):
            a, b = p(x), q(x)
            return a * np.log2(2 * a / (a + b)) + 0.5 / np.log(2) * (b - a) if a > 0 else 0.5 / np.log(2) * b

        return integrate.quad(integrand, lower, upper, epsabs=1e-12, limit=400)[0]

    def directed(p, q):
        bound = integrate.quad(lambda x: p(x) + q(x), lower, upper, epsabs=1e-12, limit=400)[0]
        return np.sqrt((one_way(p, q) + one_way(q, p)) / bound)

    # the support that draws have ends where they do: the larger of both directions, as for draws
    return max(directed(first.cdf, second.cdf), directed(first.sf, second.sf))


def test_distance_between_normal_distributions():
    rng = np.random.default_rng(1)
    values = np.sort(rng.normal(size=200_000))[:, None]
    log_ratios = stats.norm(0.3, 1).logpdf(values[:, 0]) - stats.norm(0, 1).logpdf(values[:, 0])
    weights = np.exp(log_ratios) / np.exp(log_ratios).sum()
    found = distances(values, weights, np.argsort(values, axis=0))[0]
    exact = exact_distance(stats.norm(0, 1), stats.norm(0.3, 1), float(values[0, 0]), float(values[-1, 0]))
    # weighted means have the error sqrt((1 + 0.3^2) / 200,000) = 0.0023, of 0.3 a share of 0.8%
    np.testing.assert_allclose(found, exact, rtol=0.03)


def test_a_conjugate_model():
    """Posterior of a mean: precision t n + u, mean (t n ybar + u m) / (t n + u); a power multiplies t, or u."""
    n, mean, sd, center, spread = 20, 1.5, 1.0, 0.0, 0.4

    def posterior(of_prior=1.0, of_likelihood=1.0):
        data, own = of_likelihood * n / sd**2, of_prior / spread**2
        return stats.norm((data * mean + own * center) / (data + own), (data + own) ** -0.5)

    rng = np.random.default_rng(7)
    draws = posterior().rvs(200_000, random_state=rng)
    ends = float(draws.min()), float(draws.max())
    log_prior = stats.norm(center, spread).logpdf(draws)
    log_likelihood = -0.5 * n * (draws - mean) ** 2 / sd**2
    for log_density, which in ((log_prior, "of_prior"), (log_likelihood, "of_likelihood")):
        found, k = sensitivities(draws[:, None], log_density, ALPHAS, 1.0)
        exact = np.mean([exact_distance(posterior(), posterior(**{which: a}), *ends) / abs(np.log2(a)) for a in ALPHAS])
        np.testing.assert_allclose(found[0], exact, rtol=0.05)
        assert k < 0.5
        # a refit with the scaled prior: mean and sd of the weighted draws are those of the other posterior
        for alpha in (0.5, 2.0):
            weights, _ = scaled_weights(log_density, alpha)
            other = posterior(**{which: alpha})
            center_found = (weights * draws).sum()
            assert abs(center_found - other.mean()) < 6 * other.std() / np.sqrt(1.0 / (weights**2).sum())
            np.testing.assert_allclose((weights * (draws - center_found) ** 2).sum() ** 0.5, other.std(), rtol=0.03)


def test_it_is_arviz(fit):
    ours = fit.prior_sensitivity()
    theirs = arviz_stats.psense_summary(fit.to_arviz(log_likelihood=True, group_effects=False), round_to=8)
    for name, other in (("b_Days", "b[Days]"), ("sd_Subject__Intercept", "sd_Subject[Intercept]"), ("sigma", "sigma")):
        row = theirs.loc[other]
        # the tails of the ratios, all within 0.9 and 1.1, are smoothed a little differently
        np.testing.assert_allclose(
            ours.table.loc[name, ["prior", "likelihood"]].astype(float), row[:2].astype(float), rtol=0.02
        )


def test_a_tight_prior_is_noticed(fit):
    found = fit.prior_sensitivity()
    assert list(found.table.columns) == ["prior", "likelihood", "diagnosis"]
    assert found.table.loc["b_Days", "diagnosis"] != "-" or found.table.loc["b_Days", "prior"] < 0.05
    assert set(found.classes) == {"b", "Intercept", "sd", "sigma"}
    only = fit.prior_sensitivity("b_Days", priors="sigma")
    assert only.table.loc["b_Days", "prior"] < found.table.loc["b_Days", "prior"]
    assert "b_Days" in repr(found) and len(found) == 4
    assert found["prior"].equals(found.to_pandas()["prior"])
    high = fit.prior_sensitivity(threshold=1e-9).table
    assert set(high["diagnosis"]) <= {"potential prior-data conflict", "-"}


def test_the_likelihood_is_that_of_all_rows(fit):
    np.testing.assert_allclose(
        total_log_lik(fit, numbers=9000), np.asarray(fit.log_lik()).reshape(2000, -1).sum(axis=1)
    )


def test_the_likelihood_of_rows_that_depend_on_each_other_is_joint():
    rng = np.random.default_rng(3)
    data = {"y": rng.normal(size=12), "x": rng.normal(size=12), "t": np.tile(np.arange(4), 3)}
    data["g"] = np.repeat(list("abc"), 4)
    shared = np.full((3, 60), 0.3)
    made = handmade_fit("y ~ x + cosy(t, g)", data, change={"cosy": shared})
    mean = np.asarray(made.linpred()).reshape(180, 12)
    sigma = np.asarray(made["sigma"]).ravel()
    correlations = np.kron(np.eye(3), 0.7 * np.eye(4) + 0.3)
    exact = [
        stats.multivariate_normal(m, s**2 * correlations).logpdf(data["y"]) for m, s in zip(mean, sigma, strict=True)
    ]
    np.testing.assert_allclose(total_log_lik(made), exact)


def test_joint_priors_are_named():
    positive = {name: np.random.default_rng(k).uniform(0.5, 1.5, (3, 60)) for k, name in enumerate(GLOBAL)}
    made = handmade_fit("Reaction ~ Days", sleep(), priors=(prior("horseshoe()", class_="b"),), change=positive)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)  # draws made by hand have heavy tails
        found = made.prior_sensitivity()
    assert found.joint == ("b",) and "horseshoe" in found.classes and "not scaled: hs_local" in repr(found)
    # student_t(1, 0, 1) on the positive numbers, and inv_gamma(2, 2): the global parameters, as in brms's lprior
    known = stats.halfcauchy.logpdf(positive["hs_global"]) + stats.invgamma.logpdf(positive["hs_slab"], 2.0, scale=2.0)
    np.testing.assert_allclose(log_prior(made)["horseshoe"], known)


@pytest.mark.parametrize(
    ("threshold", "groups"),
    [("flexible", ""), ("flexible", " | thres(gr = h)"), ("equidistant", ""), ("sum_to_zero", "")],
)
def test_no_prior_of_thresholds_is_left_out_in_silence(threshold: str, groups: str) -> None:
    """What the thresholds of centred predictors are computed from has its density, or is named."""
    data = {"y": np.arange(60) % 4 + 1, "x": np.linspace(-1.0, 1.0, 60), "h": np.repeat(["p", "q"], 30)}
    family = bayesml.families.cumulative(threshold=threshold)
    made = handmade_fit(f"y{groups} ~ x", data, family)
    found = log_prior(made)
    if threshold == "sum_to_zero":
        assert "Intercept" not in found and without_log_prior(made) == ("raw_Intercept",)
        return
    assert without_log_prior(made) == ()
    tau = made.draws_record.values["b_Intercept"]
    tau = tau + (made.draws_record.values["b"] @ [data["x"].mean()])[..., None]
    sampled = tau[..., :1] if threshold == "equidistant" else tau
    np.testing.assert_allclose(found["Intercept"], stats.t(3, 0.0, 2.5).logpdf(sampled).sum(axis=-1))


def test_what_does_not_vary_has_no_sensitivity():
    made = handmade_fit("Reaction ~ Days", sleep(), change={"sigma": np.full((3, 60), 50.0)})
    table = made.prior_sensitivity().table
    assert np.isnan(table.loc["sigma", "prior"]) and table.loc["sigma", "diagnosis"] == "-"


def test_pictures(fit):
    found = fit.prior_sensitivity()
    assert_shows(found.plot(["b_Days", "sigma"]), 4)
    figure = found.plot("b_Days", alphas=(0.5, 2.0))
    assert [text.get_text() for text in panels(figure)[1].get_legend().get_texts()] == ["0.5", "1", "2"]
    assert len(found.plot().axes) <= 8


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"variables": "b_Dayz"}, "did you mean `b_Days`"),
        ({"priors": "bb"}, '"b"'),
        ({"priors": []}, "no prior to scale"),
        ({"alphas": (1.1, 1.2)}, "`alphas`"),
        ({"alphas": 0.5}, "`alphas`"),
        ({"alphas": ("a", 2)}, "`alphas`"),
        ({"threshold": 0}, "`threshold`"),
        ({"threshold": "x"}, "`threshold`"),
    ],
)
def test_impossible_questions(options, told, fit):
    with pytest.raises(ModelError, match=told):
        fit.prior_sensitivity(**options)


def test_pictures_of_what_is_not_there(fit):
    found = fit.prior_sensitivity()
    with pytest.raises(ModelError, match="not in the table"):
        found.plot("b_Dayz")
    with pytest.raises(ModelError, match="1 to 12"):
        found.plot([])
    with pytest.raises(ModelError, match="`alphas`"):
        found.plot("sigma", alphas=(2.0, 3.0))
    with pytest.raises(ModelError, match="no likelihood to scale"):
        handmade_fit(
            "Reaction ~ Days", sleep(), engine=NUTS(draws=5, chains=1, sample_prior="only")
        ).prior_sensitivity()


def test_priors_with_tags_are_counted_under_them():
    priors = (
        prior("normal(0, 2)", class_="b", coef="Days", tag="effects"),
        prior("normal(0, 9)", class_="b", coef="x"),
        prior("exponential(0.1)", class_="sigma", tag="effects"),
    )
    data = sleep() | {"x": np.sin(np.arange(60.0))}
    tagged = handmade_fit("Reaction ~ Days + x", data, priors=priors)
    plain = handmade_fit("Reaction ~ Days + x", data, priors=tuple(replace(each, tag="") for each in priors))
    found, without = log_prior(tagged), log_prior(plain)
    assert set(found) == {"Intercept", "effects", "b"} and set(without) == {"Intercept", "b", "sigma"}
    np.testing.assert_allclose(sum(found.values()), sum(without.values()))
    own = stats.norm(0, 2).logpdf(tagged["b_Days"]) + stats.expon(scale=10).logpdf(tagged["sigma"])
    np.testing.assert_allclose(found["effects"], own)
    assert set(tagged.to_arviz(log_likelihood=False)["log_prior"].data_vars) == set(found)
    with pytest.warns(bayesml.FitWarning, match="Pareto k"):  # the draws are made by hand
        assert tagged.prior_sensitivity("b_Days", priors="effects").classes == ("effects",)
