"""Predictions, comparisons and slopes, averaged or not, of draws and of estimates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate
from scipy.special import expit

import bayesml
from bayesml import bf, datagrid, prior
from bayesml.errors import BayesmlError, DataError, ModelError
from bayesml.results.marginal import drawn, tabulate
from bayesml.results.marginal.spread import nodes
from tests.handmade import CHAINS, DRAWS, handmade_fit

ALL = CHAINS * DRAWS
# made by tests/facts/marginal_effects.R: formulas by hand, derivatives by differences, covariances of glm and lmer
FACTS = json.loads((Path(__file__).parent / "facts" / "marginal_effects.json").read_text())


def data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 80
    return pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "z": rng.normal(size=n) + 3.0,
            "t": rng.choice(["a", "b", "c"], n),
            "g": rng.choice(["g1", "g2", "g3", "g4", "g5"], n),
            "h": rng.choice(["h1", "h2", "h3"], n),
            "w": rng.uniform(0.5, 2.0, n),
            "n": rng.integers(1, 9, n),
            "y": rng.choice([0, 1], n),
            "k": rng.poisson(2.0, n),
            "o": rng.choice(["p", "q", "r"], n),
        }
    )


DATA = data()


@pytest.fixture(scope="module")
def glm() -> bayesml.PointFit:
    return bayesml.fit("am ~ hp + wt * factor(vs)", pd.DataFrame(FACTS["data"]), "bernoulli", method="laplace")


@pytest.fixture(scope="module")
def sleep() -> bayesml.PointFit:
    return bayesml.fit("Reaction ~ Days + (Days | Subject)", bayesml.load_dataset("sleepstudy"), method="reml")


@pytest.fixture(scope="module")
def draws() -> bayesml.Fit:
    return handmade_fit("y ~ x * t + z + (x | g) + (1 | h)", DATA, "bernoulli")


# Estimates, against R ---------------------------------------------------------------------------------------------

ASKED = {
    "avg_predictions": lambda fit: fit.avg_predictions(),
    "avg_predictions_by_vs": lambda fit: fit.avg_predictions(by="vs"),
    "avg_hp": lambda fit: fit.avg_comparisons("hp"),
    "avg_hp_10": lambda fit: fit.avg_comparisons({"hp": 10}),
    "avg_vs": lambda fit: fit.avg_comparisons("vs"),
    "ratio_vs": lambda fit: fit.avg_comparisons("vs", comparison="ratio"),
    "lnor_vs": lambda fit: fit.avg_comparisons("vs", comparison="lnor"),
    "slope_wt": lambda fit: fit.avg_slopes("wt"),
    "at_means": lambda fit: fit.predictions(datagrid(hp=[100, 200], vs=0)),
}


@pytest.mark.parametrize("name", ASKED)
def test_estimates_are_those_by_hand(name: str, glm: bayesml.PointFit) -> None:
    found = ASKED[name](glm)
    # R's derivatives are differences, with errors of about 1e-7; its slope is one of steps of 2e-5
    np.testing.assert_allclose(found["estimate"], FACTS[name]["estimate"], rtol=1e-7)
    np.testing.assert_allclose(found["std_error"], FACTS[name]["std_error"], rtol=3e-6)


def test_population_level_predictions_of_a_linear_mixed_model_are_those_of_lmer(sleep: bayesml.PointFit) -> None:
    found = sleep.predictions(datagrid(Days=[0, 9]), groups="population")
    np.testing.assert_allclose(found["estimate"], FACTS["lmer_population"]["estimate"], rtol=1e-7)
    np.testing.assert_allclose(found["std_error"], FACTS["lmer_population"]["std_error"], rtol=2e-5)  # lmer's optimum


def test_errors_of_averages_come_from_the_joint_covariance(sleep: bayesml.PointFit) -> None:
    """With the dense covariance of coefficients and group effects, level after level."""
    joint = sleep.estimate.joint.covariance()
    levels = list(sleep.frame.factor("Subject")[1])
    days, subject = sleep.frame.column("Days").values, sleep.frame.factor("Subject")[0]
    rows = np.zeros((len(days), 2 + 2 * len(levels)))
    rows[:, 0], rows[:, 1] = 1.0, days
    rows[np.arange(len(days)), 2 + 2 * subject] = 1.0
    rows[np.arange(len(days)), 3 + 2 * subject] = days
    found = sleep.avg_predictions(by="Subject")
    means = np.stack([rows[subject == j].mean(axis=0) for j in range(len(levels))])
    np.testing.assert_allclose(found["std_error"], np.sqrt(np.diag(means @ joint @ means.T)), rtol=1e-9)
    pairs = sleep.avg_predictions(by="Subject", hypothesis="b2 = b1")
    difference = means[1] - means[0]
    np.testing.assert_allclose(pairs["std_error"], np.sqrt(difference @ joint @ difference), rtol=1e-6)
    table = sleep.epred(se=True)
    rowwise = sleep.predictions()
    np.testing.assert_allclose(rowwise["std_error"], table["Std.Error"], rtol=1e-7)
    slope = sleep.comparisons("Days", datagrid(Subject=[levels[0]]))
    np.testing.assert_allclose(slope["estimate"], _slope_of_first(sleep), rtol=1e-9)


def _slope_of_first(sleep: bayesml.PointFit) -> float:
    return float(
        sleep.linpred({"Days": [1.0], "Subject": ["308"]})[0] - sleep.linpred({"Days": [0.0], "Subject": ["308"]})[0]
    )


ESTIMATED = {
    "poisson": ("k ~ x + t + (1 | g)", "poisson", {}),
    "zero_inflated": (bf("k ~ x", zi="~ z"), "zero_inflated_poisson", {}),
    "cumulative": ("o ~ x + (1 | g)", "cumulative", {}),
    "categorical": ("o ~ x", "categorical", {}),
    "smooth": ("z ~ s(x, k=5) + t", "gaussian", {}),
}


@pytest.mark.filterwarnings("ignore::bayesml.FitWarning")
@pytest.mark.parametrize("name", ESTIMATED)
def test_rows_have_the_errors_that_predictions_have(name: str) -> None:
    formula, family, options = ESTIMATED[name]
    own = DATA.assign(o=pd.Categorical(DATA["o"], ordered=True))
    fit = bayesml.fit(formula, own, family, method="reml" if family == "gaussian" else "laplace", **options)
    some = own.head(6)
    found, known = fit.predictions(some), fit.epred(some, se=True)
    np.testing.assert_allclose(found["estimate"], known["Estimate"], rtol=1e-9)
    np.testing.assert_allclose(found["std_error"], known["Std.Error"], rtol=1e-5)
    single = fit.avg_predictions(some.head(1))
    np.testing.assert_allclose(single["std_error"], found["std_error"][: len(single)], rtol=1e-9)


# Draws ------------------------------------------------------------------------------------------------------------


def flat(array: Any) -> np.ndarray:
    return array.to_numpy().reshape(ALL, *array.shape[2:])


def test_averages_of_draws_are_averages_of_expected_responses(draws: bayesml.Fit) -> None:
    hi, lo = (flat(draws.epred(DATA.assign(t=level))) for level in ("b", "a"))
    found = draws.avg_comparisons("t")
    assert list(found["contrast"]) == ["b - a", "c - a"]
    np.testing.assert_allclose(found.draws[:, 0], (hi - lo).mean(axis=1), rtol=1e-10)
    table = found.to_pandas()
    np.testing.assert_allclose(table["estimate"][0], (hi - lo).mean(), rtol=1e-10)
    np.testing.assert_allclose(table["conf_high"][0], np.quantile((hi - lo).mean(axis=1), 0.975), rtol=1e-10)
    ratio = draws.avg_comparisons({"t": ["a", "b"]}, comparison="ratio", by="g", transform=np.log)
    for k, level in enumerate(sorted(DATA["g"].unique())):
        own = (DATA["g"] == level).to_numpy()
        known = hi[:, own].mean(axis=1) / lo[:, own].mean(axis=1)
        np.testing.assert_allclose(ratio.draws[:, k], known, rtol=1e-9)
        np.testing.assert_allclose(ratio["estimate"][k], np.log(known).mean(), rtol=1e-8)
    weighted = draws.avg_comparisons({"t": ["a", "b"]}, DATA, wts="w")
    np.testing.assert_allclose(weighted.draws[:, 0], (hi - lo) @ DATA["w"] / DATA["w"].sum(), rtol=1e-9)


def test_rows_are_those_of_predictions(draws: bayesml.Fit) -> None:
    found = draws.predictions(DATA.head(5))
    np.testing.assert_allclose(found.draws, flat(draws.epred(DATA.head(5))), rtol=1e-12)
    assert {"rowid", "x", "t"} <= set(found.columns)
    link = draws.predictions(DATA.head(5), type="link", groups="population")
    np.testing.assert_allclose(link.draws, flat(draws.linpred(DATA.head(5), re_formula="NA")), rtol=1e-12)
    grid = draws.predictions(datagrid(x=[0.0, 1.0], t=["a", "b"]), groups="population")
    assert list(zip(grid["x"], grid["t"], strict=True)) == [(0.0, "a"), (0.0, "b"), (1.0, "a"), (1.0, "b")]
    np.testing.assert_allclose(grid["z"], DATA["z"].mean())


def test_slopes_are_derivatives(draws: bayesml.Fit) -> None:
    rows = DATA.head(7)
    p = flat(draws.epred(rows, re_formula="NA"))
    b, t = draws.draws_record.values["b"].reshape(ALL, -1), rows["t"].to_numpy()
    coefs = dict(zip(draws.fixef().index, b.T, strict=True))
    slope = np.stack([coefs["x"] + sum(coefs[f"x:t[{v}]"] * (level == v) for v in "bc") for level in t], axis=1)
    found = draws.slopes("x", rows, groups="population")
    known = p * (1 - p) * slope
    np.testing.assert_allclose(found.draws, known, atol=1e-9 * np.abs(known).max(), rtol=1e-6)
    elastic = draws.slopes("x", rows, groups="population", slope="eyex").draws
    np.testing.assert_allclose(elastic, (1 - p) * slope * rows["x"].to_numpy(), rtol=1e-5, atol=1e-8)
    average = draws.avg_slopes("x", rows, groups="population", slope="dyex").draws[:, 0]
    np.testing.assert_allclose(average, (known * rows["x"].to_numpy()).mean(axis=1), rtol=1e-5, atol=1e-9)


def test_rows_in_parts_are_rows_at_once(draws: bayesml.Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, averages = draws.comparisons("x"), draws.avg_comparisons("x", by="g")
    monkeypatch.setattr(drawn, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(drawn, "NUMBERS_AT_ONCE", 100)
    np.testing.assert_allclose(draws.avg_comparisons("x", by="g").draws, averages.draws, rtol=1e-10)
    monkeypatch.setattr(tabulate, "MOST_KEPT", 11 * ALL)
    parts = draws.comparisons("x")
    pd.testing.assert_frame_equal(parts.to_pandas(), whole.to_pandas(), rtol=1e-10)
    with pytest.raises(ModelError, match="too many draws"):
        _ = parts.draws
    with pytest.raises(ModelError, match="too many draws to compare"):
        draws.comparisons("x", hypothesis="pairwise")


def test_unseen_levels_are_the_same_in_what_is_compared() -> None:
    fit = handmade_fit("k ~ x + (1 | g)", DATA, "gaussian")
    rows = {"x": [0.0, 0.0], "g": ["new", "g1"]}
    found = fit.comparisons("x", rows, new_levels="gaussian")
    b = fit.draws_record.values["b"].reshape(ALL, -1)[:, 1]
    np.testing.assert_allclose(found.draws, np.stack([b, b], axis=1), rtol=1e-9)
    with pytest.raises(DataError, match="new"):
        fit.comparisons("x", rows)


def test_a_binomial_response_has_one_trial() -> None:
    own = DATA.assign(s=np.minimum(DATA["k"], DATA["n"]))
    fit = handmade_fit("s | trials(n) ~ x", own, "binomial")
    np.testing.assert_allclose(
        fit.avg_predictions().draws[:, 0], flat(fit.linpred(transform=True)).mean(axis=1), rtol=1e-10
    )


def test_categories_have_a_row_each() -> None:
    fit = handmade_fit("o ~ x + (1 | g)", DATA, "categorical")
    found = fit.avg_comparisons("x")
    assert list(found["group"]) == ["p", "q", "r"]
    np.testing.assert_allclose(found.draws.sum(axis=1), 0.0, atol=1e-12)
    known = flat(fit.epred(DATA.assign(x=DATA["x"] + 1)) - fit.epred()).mean(axis=1)
    np.testing.assert_allclose(found.draws, known, atol=1e-12)
    assert len(fit.predictions(DATA.head(4))) == 12


def test_one_of_several_responses() -> None:
    fit = handmade_fit(bf("y ~ x", family="bernoulli") + bf("k ~ z + (1 | g)", family="poisson"), DATA)
    found = fit.avg_comparisons("z", resp="k")
    known = flat(fit.epred(DATA.assign(z=DATA["z"] + 1), resp="k") - fit.epred(resp="k")).mean(axis=1)
    np.testing.assert_allclose(found.draws[:, 0], known, rtol=1e-9)
    with pytest.raises(ModelError, match="resp="):
        fit.avg_comparisons("z")


# Averages over groups ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sd", [0.3, 1.0, 3.0, 8.0])
def test_nodes_integrate_probabilities(sd: float) -> None:
    weights, z = nodes(1, sd)
    for mean in (-4.0, 0.3):
        known = integrate.quad(lambda u, m=mean: expit(m + sd * u) * np.exp(-0.5 * u * u), -12, 12, epsabs=1e-13)[0]
        np.testing.assert_allclose(weights @ expit(mean + sd * z[:, 0]), known / np.sqrt(2 * np.pi), atol=3e-8)


def test_predictions_are_averaged_over_the_distribution_of_groups(draws: bayesml.Fit, rng) -> None:
    """Against 10^6 simulated groups at one draw; four standard errors of the simulation."""
    rows = {"x": [0.5, -1.0], "z": [3.0, 2.0], "t": ["a", "b"]}
    found = draws.predictions(rows, groups="integrate").draws[17]
    eta = flat(draws.linpred(rows, re_formula="NA"))[17]
    values = {name: array.reshape(ALL, -1)[17] for name, array in draws.draws_record.values.items()}
    s, cor, sd_h = values["sd_g"], values["cor_g"][0], values["sd_h"][0]
    covariance = [[s[0] ** 2, cor * s[0] * s[1]], [cor * s[0] * s[1], s[1] ** 2]]
    u = rng.multivariate_normal([0.0, 0.0], covariance, 10**6)
    w = sd_h * rng.normal(size=10**6)
    for k, x in enumerate(rows["x"]):
        drawn_p = expit(eta[k] + u[:, 0] + x * u[:, 1] + w)
        assert abs(found[k] - drawn_p.mean()) < 4 * drawn_p.std() / 1000
    change = draws.avg_comparisons("x", rows, groups="integrate").draws[17, 0]
    moved = draws.predictions({**rows, "x": [1.5, 0.0]}, groups="integrate").draws[17]
    np.testing.assert_allclose(change, (moved - found).mean(), atol=1e-8)


def test_means_of_lognormal_groups_are_known() -> None:
    """E exp(eta + u) = exp(eta + sd^2 / 2), for estimates, draws, and a parameter of a nonlinear formula."""
    rng = np.random.default_rng(2)
    u = rng.normal(size=40)[np.repeat(np.arange(40), 6)]
    own = pd.DataFrame({"g": np.repeat(np.arange(40), 6).astype(str), "x": rng.normal(size=240)})
    own["k"] = rng.poisson(np.exp(0.5 + u))
    fit = bayesml.fit("k ~ x + (1 | g)", own, "poisson", method="laplace")
    factor = np.exp(fit["sd_g__Intercept"] ** 2 / 2)
    whole, population = (fit.avg_predictions(groups=how) for how in ("integrate", "population"))
    for column in ("estimate", "std_error"):
        np.testing.assert_allclose(whole[column], population[column] * factor, rtol=1e-7)
    formula = bf("k ~ exp(a + b * x)", a="~ 1 + (1 | g)", b="~ 1", nonlinear=True)
    priors = tuple(prior("normal(0, 1)", nlpar=name) for name in "ab")
    drawn_fit = handmade_fit(formula, DATA, priors=priors)
    sd = drawn_fit.draws_record.values["sd_g__a"].reshape(ALL)
    ratio = (
        drawn_fit.predictions({"x": [0.2]}, groups="integrate").draws[:, 0]
        / drawn_fit.predictions({"x": [0.2]}, groups="population").draws[:, 0]
    )
    np.testing.assert_allclose(ratio, np.exp(sd**2 / 2), rtol=1e-6)


def test_effects_in_two_parameters_are_averaged_together(rng) -> None:
    """Hurdles and means whose effects are correlated, against 10^6 simulated groups at one draw."""
    fit = handmade_fit(bf("k ~ x + (1 | p | g)", zi="~ 1 + (1 | p | g)"), DATA, "zero_inflated_poisson")
    row, place = {"x": [0.4]}, int(np.argmin(fit.draws_record.values["sd_g"].reshape(ALL)))
    found = fit.predictions(row, groups="integrate").draws[place, 0]
    values = {name: array.reshape(ALL, -1)[place] for name, array in fit.draws_record.values.items()}
    sd = np.array([values["sd_g"][0], values["sd_g__zi"][0]])
    (name,) = (name for name in values if name.startswith("cor_g"))
    R = np.array([[1.0, values[name][0]], [values[name][0], 1.0]])
    u = rng.multivariate_normal([0.0, 0.0], R * np.outer(sd, sd), 10**6)
    mu = np.exp(values["b"][0] + 0.4 * values["b"][1] + u[:, 0])
    means = mu * (1 - expit(values["b_zi"][0] + u[:, 1]))
    assert abs(found - means.mean()) < 4 * means.std() / 1000


# Questions ----------------------------------------------------------------------------------------------------------


def test_hypotheses_about_estimates(draws: bayesml.Fit, glm: bayesml.PointFit) -> None:
    means = draws.avg_predictions(by="t")
    d = means.draws
    asked = {
        "pairwise": [d[:, 1] - d[:, 0], d[:, 2] - d[:, 0], d[:, 2] - d[:, 1]],
        "reference": [d[:, 1] - d[:, 0], d[:, 2] - d[:, 0]],
        "sequential": [d[:, 1] - d[:, 0], d[:, 2] - d[:, 1]],
        "b1 / b2 = 1": [d[:, 0] / d[:, 1] - 1],
        "a = b": [d[:, 0] - d[:, 1]],
    }
    for hypothesis, known in asked.items():
        found = draws.avg_predictions(by="t", hypothesis=hypothesis)
        np.testing.assert_allclose(found.draws.T, known, rtol=1e-10, atol=1e-14)
    weights = draws.avg_predictions(by="t", hypothesis=[1.0, -0.5, -0.5])
    np.testing.assert_allclose(weights.draws[:, 0], d @ [1.0, -0.5, -0.5], rtol=1e-10, atol=1e-14)
    custom = draws.avg_predictions(by="t", hypothesis=lambda p: p[2] / p[0])
    np.testing.assert_allclose(custom.draws[:, 0], d[:, 2] / d[:, 0], rtol=1e-10)
    ratio, known = (glm.avg_predictions(by="vs", hypothesis=h) for h in ("b2 - b1 = 0", "pairwise"))
    np.testing.assert_allclose(ratio["std_error"], known["std_error"], rtol=1e-6)
    null = glm.avg_predictions(hypothesis=0.5)
    np.testing.assert_allclose(null["statistic"], (null["estimate"] - 0.5) / null["std_error"])


def test_odds_ratios_of_estimates(glm: bayesml.PointFit) -> None:
    log, ratio = (glm.avg_comparisons("vs", comparison="lnor", transform=f) for f in (None, "exp"))
    for column in ("estimate", "conf_low", "conf_high"):
        np.testing.assert_allclose(ratio[column], np.exp(log[column]))
    assert "std_error" not in ratio.columns
    function = glm.avg_comparisons("vs", comparison=lambda hi, lo: hi / lo)
    known = glm.avg_comparisons("vs", comparison="ratio")
    np.testing.assert_allclose(function["std_error"], known["std_error"], rtol=1e-7)


def test_changes_of_numbers(draws: bayesml.Fit) -> None:
    x = DATA["x"]
    half = x.std() / 2
    pairs = {
        "sd": (x - half, x + half),
        "iqr": (np.quantile(x, 0.25), np.quantile(x, 0.75)),
        "minmax": (x.min(), x.max()),
        -2: (x, x - 2),
    }
    for how, (low, high) in pairs.items():
        known = flat(draws.epred(DATA.assign(x=high)) - draws.epred(DATA.assign(x=low))).mean(axis=1)
        np.testing.assert_allclose(draws.avg_comparisons({"x": how}).draws[:, 0], known, rtol=1e-9, atol=1e-14)
    both = draws.avg_comparisons({"x": 1, "t": ["a", "c"]}, cross=True)
    known = flat(draws.epred(DATA.assign(x=x + 1, t="c")) - draws.epred(DATA.assign(t="a"))).mean(axis=1)
    np.testing.assert_allclose(both.draws[:, 0], known, rtol=1e-9, atol=1e-14)
    moved = draws.avg_comparisons({"x": lambda v: (v, v + 1)}).draws
    np.testing.assert_array_equal(moved, draws.avg_comparisons("x").draws)


def test_values_of_variables(draws: bayesml.Fit) -> None:
    found = draws.avg_predictions(variables={"t": ["a", "c"]})
    for k, level in enumerate(["a", "c"]):
        np.testing.assert_allclose(found.draws[:, k], flat(draws.epred(DATA.assign(t=level))).mean(axis=1), rtol=1e-10)
    counterfactual = draws.avg_predictions(datagrid(t=["a", "c"], grid_type="counterfactual"), by="t")
    np.testing.assert_allclose(counterfactual.draws, found.draws, rtol=1e-10)


def test_grids(draws: bayesml.Fit) -> None:
    grid = datagrid(draws, x=np.mean, t=lambda levels: np.unique(levels))
    assert list(grid["t"]) == ["a", "b", "c"] and "y" not in grid
    np.testing.assert_allclose(grid["x"], DATA["x"].mean())
    assert set(grid["g"]) == {DATA["g"].mode()[0]}
    assert list(datagrid(draws, grid_type="balanced")["t"]) == ["a", "b", "c"]
    assert len(draws.predictions("balanced")) == 3 and len(draws.predictions("mean")) == 1


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda fit: fit.avg_comparisons("q"), "`q` in `variables` is not a predictor.*`x`"),
        (lambda fit: fit.avg_comparisons({"t": "first"}), "compared by one of"),
        (lambda fit: fit.avg_comparisons({"t": ["a", "d"]}), "`t` has no level 'd'"),
        (lambda fit: fit.avg_comparisons({"x": "half"}), "is changed by a number"),
        (lambda fit: fit.avg_comparisons({"x": [1, 2, 3]}), "takes two values"),
        (lambda fit: fit.avg_comparisons("x", comparison="odds"), '`comparison` is one of "difference"'),
        (lambda fit: fit.avg_comparisons("x", groups="all"), '`groups` is one of "population"'),
        (lambda fit: fit.avg_slopes("x", slope="dy"), "`slope` is one of"),
        (lambda fit: fit.avg_slopes({"x": 1}), "comparisons\\(\\) takes a dict"),
        (lambda fit: fit.avg_predictions(by="q"), "`by` names columns of the rows"),
        (lambda fit: fit.avg_predictions(wts=[1, 2]), "`wts` has a weight"),
        (lambda fit: fit.avg_predictions(conf_level=95), "`conf_level` lies between"),
        (lambda fit: fit.avg_predictions(transform="sqrt"), "`transform` is one of"),
        (lambda fit: fit.avg_predictions(type="odds"), '`type` is "response" or "link"'),
        (lambda fit: fit.avg_predictions(by="t", hypothesis="b1 = b4"), "`b4` in the hypothesis"),
        (lambda fit: fit.avg_predictions(by="t", hypothesis=[1, 2]), "weights of the 3 estimates"),
        (lambda fit: fit.predictions(datagrid(q=1)), "`q` in the grid is not a column"),
        (lambda fit: fit.predictions(datagrid(x=1, grid_type="all")), "`grid_type` is one of"),
        (lambda fit: fit.predictions("all"), "`grid_type` is one of"),
        (lambda fit: fit.predictions({"x": [1.0]}), "lack"),
        (lambda fit: fit.predictions(5), "of type int"),
    ],
)
def test_what_cannot_be_asked(draws: bayesml.Fit, ask: Any, message: str) -> None:
    with pytest.raises(BayesmlError, match=message):
        ask(draws)


def test_what_estimates_and_models_without_groups_cannot_be_asked(glm: bayesml.PointFit) -> None:
    with pytest.raises(ModelError, match="no group-level effects to integrate"):
        glm.avg_predictions(groups="integrate")
    with pytest.raises(ModelError, match="no draws"):
        _ = glm.avg_predictions().draws
    with pytest.raises(ModelError, match="ndraws"):
        glm.avg_predictions(ndraws=3)


def test_numbers_with_steps_are_compared_like_categories() -> None:
    own = DATA.assign(m=np.arange(len(DATA)) % 4 + 1)
    fit = handmade_fit("k ~ mo(m) + x", own)
    found = fit.avg_comparisons("m")
    assert list(found["contrast"]) == ["2 - 1", "3 - 1", "4 - 1"]
    known = flat(fit.epred(own.assign(m=3)) - fit.epred(own.assign(m=1))).mean(axis=1)
    np.testing.assert_allclose(found.draws[:, 1], known, rtol=1e-10, atol=1e-14)
    assert list(fit.avg_slopes()["contrast"]) == ["dY/dX", "2 - 1", "3 - 1", "4 - 1"]
    assert list(fit.avg_comparisons({"m": "sequential"})["contrast"]) == ["2 - 1", "3 - 2", "4 - 3"]
    assert list(fit.avg_comparisons({"m": [1, 4]})["contrast"]) == ["4 - 1"]


def test_strata_of_groups_are_no_predictors_unless_asked_for() -> None:
    own = DATA.assign(s=DATA["g"].isin(["g1", "g2"]).map({True: "u", False: "v"}))
    fit = handmade_fit("y ~ x + (1 | gr(g, by=s))", own)
    assert set(fit.avg_comparisons()["term"]) == {"x"}
    with pytest.raises(DataError, match="lies in one stratum"):
        fit.avg_comparisons("s")


def test_many_predictors_are_integrated_by_quasi_random_points() -> None:
    """E expit(a'z) depends on |a| alone; 4096 points have errors of about 1e-3 in four dimensions."""
    weights, z = nodes(4, 1.0)
    assert np.isfinite(z).all() and weights.sum() == pytest.approx(1.0)
    single, u = nodes(1, 1.0)
    known = single @ expit(0.5 + u[:, 0])
    assert weights @ expit(0.5 + z @ np.full(4, 0.5)) == pytest.approx(known, abs=2e-3)
    np.testing.assert_allclose([weights @ z[:, 0], weights @ z[:, 0] ** 2], [0.0, 1.0], atol=0.02)
