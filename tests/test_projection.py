"""Projections of draws onto smaller models, and the selection of terms."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesml
from bayesml.errors import ModelError
from bayesml.keys import MU
from bayesml.results.fits.fit_object import Fit
from bayesml.results.projection.candidates import candidates_of
from bayesml.results.projection.performance import of_draws, statistic
from bayesml.results.projection.reference import Reference, reference_of
from bayesml.results.projection.search import forward_search, submodels_of

FACTS = json.loads((Path(__file__).parent / "facts" / "projection.json").read_text())


@cache
def normal_draws(formula: str, family: str, name: str) -> Fit:
    """Draws around an estimate by likelihood, which need no sampler."""
    data = {"sleepstudy": sleepstudy, "mtcars": mtcars, "many": many}[name]()
    return bayesml.fit(formula, data, family, method="laplace").to_normal_draws(400, seed=1)


def sleepstudy() -> pd.DataFrame:
    return bayesml.load_dataset("sleepstudy")


def mtcars() -> pd.DataFrame:
    return pd.DataFrame(FACTS["mtcars"]["data"])


def many() -> pd.DataFrame:
    """Five predictors, of which the first two matter."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(80, 5))
    data = pd.DataFrame(X, columns=[f"x{k}" for k in range(1, 6)])
    data["y"] = X[:, 0] - 0.8 * X[:, 1] + rng.normal(size=80)
    data["c"] = rng.poisson(np.exp(0.5 + 0.5 * X[:, 0] - 0.4 * X[:, 1]))
    data["v"] = rng.negative_binomial(2.0, 2.0 / (2.0 + np.exp(1.0 + 0.5 * X[:, 0])))
    data["g"] = np.arange(80) % 8
    data["y"] += np.sin(np.arange(8.0))[data["g"]]
    return data


def with_draws(fit: Fit, eta: np.ndarray, sigma: np.ndarray | None) -> Reference:
    """The reference model with draws that are given as formulas."""
    own = reference_of(fit, len(eta), None, "test")
    values = dict(own.batch.values.items()) if sigma is None else {"sigma": sigma}
    batch = replace(own.batch, values=MappingProxyType(values), predictors={MU: eta})
    return replace(own, batch=batch)


def sleepstudy_draws() -> Reference:
    data = sleepstudy()
    g, day = data["Subject"].astype("category").cat.codes.to_numpy() + 1.0, data["Days"].to_numpy(dtype=float)
    s, i = np.arange(1.0, 11.0)[:, None], np.arange(1.0, len(data) + 1.0)
    eta = 250 + s + (10 + s / 10) * day + 30 * np.sin(g) + 5 * np.cos(2 * g) * day + 2 * np.sin(s * i)
    return with_draws(normal_draws("Reaction ~ Days + (1 | Subject)", "gaussian", "sleepstudy"), eta, 24 + s[:, 0] / 4)


def mtcars_draws() -> Reference:
    data = mtcars()
    s, i = np.arange(1.0, 11.0)[:, None], np.arange(1.0, 33.0)
    wt, hp, am = (data[name].to_numpy(dtype=float) for name in ("wt", "hp", "am"))
    eta = 1 + s / 50 - 0.3 * wt + (0.2 + s / 200) * hp + 0.1 * am * np.sin(s) + 0.02 * np.cos(s * i)
    return with_draws(normal_draws("carb ~ wt + hp + am", "poisson", "mtcars"), eta, None)


@pytest.mark.parametrize("name", ["sleepstudy", "mtcars"])
def test_projections_equal_projpred(name: str) -> None:
    """projpred 2.3.0 with the same draws (tests/facts/projection.R).

    Its generalised linear models have a ridge penalty of 1e-4, which moves coefficients by 2e-3 of their size at most,
    and lme4's search stops where sums of squares over 24 are right to about 1e-4. It fits by REML, whose sd of 18
    intercepts is that of maximum likelihood times sqrt(18 / 17).
    """
    fact, reference = FACTS[name], sleepstudy_draws() if name == "sleepstudy" else mtcars_draws()
    candidates = candidates_of(reference.fit)
    submodels = submodels_of(reference, candidates)
    one = reference.grouped(np.zeros(len(reference.eta), dtype=int))
    path, distances = forward_search(submodels, candidates, one, len(fact["ranking"]))
    assert [each.text for each in path] == fact["ranking"]
    assert list(distances) == sorted(distances, reverse=True)
    y = reference.rows.data["y"]
    ones = np.ones(len(y))
    for size in range(len(path) + 1):
        model = submodels(frozenset(path[:size]))
        assert model is not None
        projected = model.project(reference.draw_by_draw())
        sigma = np.sqrt(projected.variance) if name == "sleepstudy" else None
        mean = reference.fit.likelihood.link("mu").inverse(projected.eta)
        found = of_draws(reference.log_lik_at(projected.eta, sigma), np.asarray(mean), leaves_out=False)
        elpd = statistic("elpd", found, None, y, ones, ones / len(y))
        assert elpd == pytest.approx((fact["elpd"][size], fact["elpd_se"][size]), rel=5e-4)
        assert statistic("rmse", found, None, y, ones, ones / len(y))[0] == pytest.approx(fact["rmse"][size], rel=5e-4)
    estimates = [estimate.values for estimate in projected.estimates]
    b = np.array([own["b"] for own in estimates])
    population = len(b[0])
    np.testing.assert_allclose(b.mean(axis=0), fact["means"][:population], rtol=3e-3)
    if name == "sleepstudy":
        sd = np.mean([own["sd_Subject"] for own in estimates])
        assert sd * np.sqrt(18 / 17) == pytest.approx(fact["means"][2], rel=1e-3)
        np.testing.assert_allclose(
            np.mean([own["r_Subject"][:, 0] for own in estimates], axis=0), fact["means"][3:-1], rtol=2e-3
        )
        assert np.sqrt(projected.variance).mean() == pytest.approx(fact["means"][-1], rel=1e-3)


def test_a_gaussian_projection_is_least_squares() -> None:
    fit = normal_draws("y ~ " + " + ".join(f"x{k}" for k in range(1, 6)), "gaussian", "many")
    projection = fit.project(["x1", "x5"], ndraws=50)
    reference = reference_of(fit, 50, None, "test")
    data = many()
    X = np.column_stack([np.ones(80), data["x1"], data["x5"]])
    b, left, *_ = np.linalg.lstsq(X, reference.eta.T, rcond=None)
    table = projection.draws()
    np.testing.assert_allclose(table[["b_Intercept", "b_x1", "b_x5"]], b.T, atol=1e-8)
    np.testing.assert_allclose(table["sigma"] ** 2, reference.variance + left / 80, rtol=1e-8)
    np.testing.assert_allclose(projection.linpred(data.head(7)), b.T @ X[:7].T, atol=1e-8)
    # 2 KL is the log of the ratio of variances
    assert projection.kl == pytest.approx(0.5 * np.log1p(left / 80 / reference.variance).mean(), rel=1e-6)


def test_a_projection_onto_all_terms_is_the_draw() -> None:
    fit = normal_draws("c ~ x1 * x2 + x3", "poisson", "many")
    projection = fit.project(["x1", "x2", "x3", "x1:x2"], ndraws=20)
    assert projection.kl == pytest.approx(0.0, abs=1e-9)
    chosen = np.unique(np.linspace(0, fit.draws_record.n_chains * fit.draws_record.n_draws - 1, 20).round().astype(int))
    own = fit.draws()[["b_Intercept", "b_x1", "b_x2", "b_x3"]].to_numpy()[chosen]
    np.testing.assert_allclose(projection.draws()[["b_Intercept", "b_x1", "b_x2", "b_x3"]], own, atol=1e-5)


def test_divergences_are_those_of_the_distributions() -> None:
    reference = mtcars_draws()
    candidates = candidates_of(reference.fit)
    model = submodels_of(reference, candidates)(frozenset(candidates[:1]))
    assert model is not None
    targets = reference.draw_by_draw()
    projected = model.project(targets)
    counts = np.arange(200)[:, None]
    p, q = stats.poisson(targets.mean[0]), stats.poisson(np.exp(projected.eta[0]))
    expected = (p.pmf(counts) * (p.logpmf(counts) - q.logpmf(counts))).sum(axis=0).mean()
    assert projected.distance[0] == pytest.approx(expected, rel=1e-8)


def test_other_families_have_their_linear_predictor_projected() -> None:
    fit = normal_draws("v ~ x1 + x2 + x3", "negbinomial", "many")
    projection = fit.project(["x1", "x2"], ndraws=20)
    eta = reference_of(fit, 20, None, "test").eta
    X = np.column_stack([np.ones(80), many()[["x1", "x2"]]])
    np.testing.assert_allclose(projection.draws(), np.linalg.lstsq(X, eta.T, rcond=None)[0].T, atol=1e-8)
    with pytest.raises(ModelError, match="latent=True"):
        fit.project(["x1"], latent=False)


def test_slopes_contain_their_intercepts() -> None:
    fit = normal_draws("Reaction ~ Days + (Days | Subject)", "gaussian", "sleepstudy")
    assert [each.text for each in candidates_of(fit)] == ["Days", "(1 | Subject)", "(1 + Days | Subject)"]
    whole = fit.project(["Days", "(Days | Subject)"], ndraws=5)
    assert whole.formula == "Reaction ~ 1 + Days + (1 + Days | Subject)"
    np.testing.assert_allclose(whole.linpred(), reference_of(fit, 5, None, "test").eta, atol=0.2)
    with pytest.raises(ModelError, match="`Days`, which must be chosen too"):
        fit.project("(Days | Subject)")
    with pytest.raises(ModelError, match=r"not a term of the model.*it has `Days`, `\(1 \| Subject\)`"):
        fit.project("Dayz")


@pytest.mark.filterwarnings("ignore:.*Pareto k")  # 400 draws are too few for one row
@pytest.mark.parametrize("validate", [False, True])
def test_terms_that_matter_are_selected(validate: bool) -> None:
    fit = normal_draws("y ~ " + " + ".join(f"x{k}" for k in range(1, 6)), "gaussian", "many")
    selection = fit.cv_varsel(validate_search=validate, nclusters=3, ndraws_pred=100, nterms_max=3)
    assert set(selection.ranking[:2]) == {"x1", "x2"}
    assert selection.suggest_size() == 2
    table = selection.summary(["elpd", "rmse"], deltas=True)
    assert list(table.index) == ["0", "1", "2", "3", "reference"]
    assert table.loc["reference", "elpd"] == 0.0
    assert table["elpd"].iloc[:3].is_monotonic_increasing
    if validate:
        assert selection.cv_proportions().loc[2, ["x1", "x2"]].min() > 0.95
    else:
        with pytest.raises(ModelError, match="validate_search=True"):
            selection.cv_proportions()
    figure = selection.plot(["elpd", "rmse"])
    assert len(figure.axes) == 2
    assert figure.axes[0].get_ylabel() == "elpd - reference"


@pytest.mark.slow
def test_parts_of_the_rows_are_predicted_from_the_others() -> None:
    fit = normal_draws("y ~ x1 + x2 + x3 + (1 | g)", "gaussian", "many")
    selection = fit.cv_varsel(cv="kfold", K=3, nclusters=2, ndraws_pred=40, nterms_max=3)
    assert set(selection.ranking[:2]) == {"x1", "x2"}
    found = selection.summary("elpd")
    inside = fit.varsel(nclusters=2, ndraws_pred=40, nterms_max=3).summary("elpd")
    assert (found["elpd"] < inside["elpd"]).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda fit: fit.cv_varsel(cv="loop"), '`cv` is "loo" or "kfold"'),
        (lambda fit: fit.cv_varsel(nterms_max=99), "`nterms_max` is a whole number from 0 to 5"),
        (lambda fit: fit.cv_varsel(validate_search="no"), "`validate_search` is True or False"),
        (lambda fit: fit.varsel(nclusters=0), "`nclusters`"),
        (lambda fit: fit.varsel(ndraws_pred=0), "number of draws"),
        (lambda fit: fit.varsel(search_terms=["z"]), "not a term of the model"),
        (lambda fit: fit.varsel(nterms_max=1, nclusters=1, ndraws_pred=5).summary("auc"), "A statistic is one of"),
        (
            lambda fit: fit.varsel(nterms_max=1, nclusters=1, ndraws_pred=5).suggest_size(alpha=2),
            "`alpha` lies between",
        ),
    ],
)
def test_impossible_arguments_are_refused(call: object, message: str) -> None:
    fit = normal_draws("y ~ " + " + ".join(f"x{k}" for k in range(1, 6)), "gaussian", "many")
    with pytest.raises(ModelError, match=message):
        call(fit)  # type: ignore[operator]


def test_models_without_one_linear_predictor_are_refused() -> None:
    data = many()
    data["z"] = np.resize(["a", "b", "c"], 80)
    categories = bayesml.fit("z ~ x1", data, "categorical", method="laplace").to_normal_draws(52, seed=1)
    with pytest.raises(ModelError, match="needs one linear predictor"):
        categories.project("x1")
