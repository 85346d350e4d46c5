"""contrast, emmeans and slopes of fits with draws: by hand on the draws, and beside estimates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import ModelError
from tests.handmade import handmade_fit

LEVEL = [0.025, 0.975]


def data() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    n = 240
    table = pd.DataFrame(
        {
            "A": rng.choice(["u", "v", "w"], n),
            "B": rng.choice(["s", "t"], n),
            "x": rng.normal(2.0, 1.0, n),
            "k": rng.integers(1, 5, n),
            "g": rng.choice([f"g{i:02}" for i in range(12)], n),
            "e": rng.uniform(1.0, 3.0, n),
            "size": rng.choice(["low", "mid", "high"], n),
        }
    )
    effects = dict(zip(sorted(table["g"].unique()), rng.normal(0, 0.5, 12), strict=True))
    table["y"] = 1.0 + 0.7 * (table["A"] == "v") + 0.4 * table["x"] + table["g"].map(effects) + rng.normal(0, 0.8, n)
    table["count"] = rng.poisson(np.exp(0.2 * table["x"]) * table["e"])
    return table


DATA = data()


def drawn(fit: bayesml.Fit, name: str) -> np.ndarray:
    return fit.draws()[name].to_numpy()


def check(table: pd.DataFrame, name: str, expected: np.ndarray) -> None:
    """Compare a table with draws ``(draws, rows)`` computed by hand."""
    np.testing.assert_allclose(table[name], expected.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(table["Std.Error"], expected.std(axis=0, ddof=1), rtol=1e-7)
    np.testing.assert_allclose(table[["lower", "upper"]].T, np.quantile(expected, LEVEL, axis=0), rtol=1e-9, atol=1e-12)


def test_means_are_averages_of_each_draw() -> None:
    fit = handmade_fit("y ~ A * x + B + (1 | g)", DATA)
    b = {name: drawn(fit, f"b_{name}") for name in ("Intercept", "A[v]", "A[w]", "x", "B[t]", "A[v]:x", "A[w]:x")}
    m = DATA["x"].mean()
    base = b["Intercept"] + 0.5 * b["B[t]"] + m * b["x"]
    expected = np.stack([base, base + b["A[v]"] + m * b["A[v]:x"], base + b["A[w]"] + m * b["A[w]:x"]], axis=1)
    means = fit.emmeans("A")
    check(means.to_pandas(), "emmean", expected)
    assert list(means.to_pandas()["A"]) == ["u", "v", "w"]
    pairs = means.contrasts("pairwise")
    differences = np.stack([expected[:, i] - expected[:, j] for i, j in ((0, 1), (0, 2), (1, 2))], axis=1)
    check(pairs, "estimate", differences)
    np.testing.assert_allclose(pairs["Post.Prob"], (differences > 0).mean(axis=0))
    assert list(pairs.columns) == ["contrast", "estimate", "Std.Error", "Post.Prob", "lower", "upper"]
    check(
        fit.emtrends("x", by="A").to_pandas(),
        "x.trend",
        np.stack([b["x"], b["x"] + b["A[v]:x"], b["x"] + b["A[w]:x"]], 1),
    )


def test_combinations_of_coefficients() -> None:
    fit = handmade_fit(bayesml.bf("y ~ A + x", sigma="~ x"), DATA)
    table = fit.contrast(["b_A[v] - 2 * b_x + 1", {"sigma_x": 1.0}, "b_x = 0.5"], rhs=[0.0, 0.2, 0.0])
    expected = np.stack(
        [
            drawn(fit, "b_A[v]") - 2 * drawn(fit, "b_x") + 1,
            drawn(fit, "b_sigma_x"),
            drawn(fit, "b_x") - 0.5,
        ],
        axis=1,
    )
    check(table, "Estimate", expected)
    np.testing.assert_allclose(table["Post.Prob"], (expected > [0.0, 0.2, 0.0]).mean(axis=0))
    np.testing.assert_allclose(fit.contrast(np.eye(6))["Estimate"], fit.fixef()["Estimate"])


def test_on_the_scale_of_the_response_each_draw_goes_there_before_it_is_averaged() -> None:
    fit = handmade_fit("count ~ A + offset(log(e)) + (1 | g)", DATA, "poisson")
    own = fit.emmeans("A").to_pandas()
    shift = np.log(DATA["e"]).mean()
    eta = drawn(fit, "b_Intercept")[:, None] + np.stack(
        [0 * drawn(fit, "b_A[v]"), drawn(fit, "b_A[v]"), drawn(fit, "b_A[w]")], 1
    )
    check(own, "emmean", eta + shift)
    check(fit.emmeans("A", offset=0.5).to_pandas(), "emmean", eta + 0.5)
    check(fit.emmeans("A", at={"e": 2.0}).to_pandas(), "emmean", eta + np.log(2.0))
    response = fit.emmeans("A", type="response")
    check(response.to_pandas(), "response", np.exp(eta + shift))
    check(response.contrasts("trt.vs.ctrl"), "ratio", np.exp(eta[:, 1:] - eta[:, :1]))


def test_parameters_beside_the_mean() -> None:
    fit = handmade_fit(bayesml.bf("y ~ A", sigma="~ B + x"), DATA)
    m = DATA["x"].mean()
    eta = drawn(fit, "b_sigma_Intercept") + m * drawn(fit, "b_sigma_x")
    both = np.stack([eta, eta + drawn(fit, "b_sigma_B[t]")], axis=1)
    check(fit.emmeans("B", dpar="sigma").to_pandas(), "emmean", both)
    check(fit.emmeans("B", dpar="sigma", type="response").to_pandas(), "response", np.exp(both))
    with pytest.raises(ModelError, match="`B` in `specs` is not a population-level predictor"):
        fit.emmeans("B")


@pytest.mark.parametrize("family", ["cumulative", "categorical"])
def test_categories_have_a_row_each(family: str) -> None:
    table = DATA.assign(size=pd.Categorical(DATA["size"], ["low", "mid", "high"], ordered=family == "cumulative"))
    fit = handmade_fit("size ~ A + B + x", table, family, change=sorted_thresholds(table, family))
    means = fit.emmeans("A", type="response")
    found = means.to_pandas()
    assert list(found["category"]) == ["low", "mid", "high"] * 3
    rows = pd.DataFrame([(a, b, DATA["x"].mean()) for a in "uvw" for b in "st"], columns=["A", "B", "x"])
    values = fit.epred(rows).to_numpy().reshape(-1, 3, 2, 3).mean(axis=2)
    check(found, "response", values.reshape(len(values), -1))
    np.testing.assert_allclose(found.groupby("A")["response"].sum(), 1.0)
    pairs = means.contrasts()
    assert list(pairs["category"]) == [c for c in ("low", "mid", "high") for _ in range(3)]
    check(pairs[pairs["category"] == "mid"], "estimate", values[:, [0, 0, 1], 1] - values[:, [1, 2, 2], 1])
    trend = fit.emtrends("x", by="A", type="response").to_pandas()
    step = 1e-4
    apart = [fit.epred(rows.assign(x=rows["x"] + s)).to_numpy() for s in (step, -step)]
    slopes = ((apart[0] - apart[1]) / (2 * step)).reshape(-1, 3, 2, 3).mean(axis=2)
    np.testing.assert_allclose(trend["x.trend"], slopes.mean(axis=0).ravel(), atol=1e-6)
    np.testing.assert_allclose(trend.groupby("A")["x.trend"].sum(), 0.0, atol=1e-8)


def sorted_thresholds(table: pd.DataFrame, family: str) -> dict[str, Any]:
    if family != "cumulative":
        return {}
    values = handmade_fit("size ~ A + B + x", table, family).draws_record.values
    return {name: np.sort(drawn, axis=-1) for name, drawn in values.items() if name == "b_Intercept"}


def test_several_main_predictors_want_a_choice() -> None:
    fit = handmade_fit("size ~ A", DATA, "categorical")
    with pytest.raises(ModelError, match="choose one, dpar='mulow' or dpar='mumid'"):
        fit.emmeans("A")
    check(fit.emmeans("A", dpar="mulow", at={"A": "u"}).to_pandas(), "emmean", drawn(fit, "b_mulow_Intercept")[:, None])


def test_terms_beyond_columns_are_averaged_too() -> None:
    fit = handmade_fit("y ~ A + s(x, k=5) + mo(k) + (1 | g)", DATA)
    rows = pd.DataFrame({"A": list("uvw"), "x": DATA["x"].mean(), "k": 2})
    held = int(fit.emmeans("k").to_pandas()["k"].iloc[0])
    values = fit.linpred(rows.assign(k=held), re_formula="NA").to_numpy().reshape(-1, 3)
    check(fit.emmeans("A").to_pandas(), "emmean", values)
    nonlinear = handmade_fit(bayesml.bf("y ~ a * exp(-b * x)", a="~ A", b="~ 1", nonlinear=True), DATA)
    values = nonlinear.epred(rows).to_numpy().reshape(-1, 3)
    check(nonlinear.emmeans("A").to_pandas(), "emmean", values)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda fit: fit.emmeans("A", ddf="kenward-roger"), "no degrees of freedom"),
        (lambda fit: fit.emmeans("A").contrasts(adjust="holm"), "p values, which draws do not have"),
        (lambda fit: fit.contrast("b_x", joint=True), "test of estimates"),
        (lambda fit: fit.contrast("b_z"), "no population-level coefficient 'b_z'"),
        (lambda fit: fit.contrast("b_x", rhs="a"), "`rhs` is a number"),
        (lambda fit: fit.emmeans("A", dpar="sigma"), "has no formula"),
        (lambda fit: fit.emmeans("A", type="mean"), '"link" or "response"'),
        (lambda fit: fit.emmeans("A", level=2), "`level`"),
        (lambda fit: fit.emtrends("A"), "categorical"),
        (lambda fit: fit.emtrends("x", type="link?"), '"link" or "response"'),
    ],
)
def test_what_cannot_be_asked(ask: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        ask(handmade_fit("y ~ A + x", DATA))


def test_estimates_say_what_needs_draws() -> None:
    fit = bayesml.fit("y ~ A + x", DATA, method="laplace")
    with pytest.raises(ModelError, match=r"to_normal_draws\(\)"):
        fit.emtrends("x", type="response")
    draws = fit.to_normal_draws(seed=1)
    check(draws.emtrends("x", type="response").to_pandas(), "x.trend", draws.draws()[["b_x"]].to_numpy())
    with pytest.raises(ModelError, match="a point estimate has none"):
        fit.conditional_effects("x", ndraws=10)


@pytest.fixture(scope="module")
def both() -> tuple[bayesml.PointFit, bayesml.Fit]:
    formula, options = "y ~ A * x + (1 | g)", {"draws": 1000, "chains": 2, "seed": 3, "default_priors": "brms"}
    return bayesml.fit(formula, DATA, method="reml"), bayesml.fit(formula, DATA, **options)


@pytest.mark.parametrize(
    "ask",
    [
        lambda fit: fit.emmeans("A").to_pandas(),
        lambda fit: fit.emmeans("A", by="x", at={"x": [1.0, 3.0]}).to_pandas(),
        lambda fit: fit.emmeans("A").contrasts(adjust="none"),
        lambda fit: fit.emtrends("x", by="A").to_pandas(),
        lambda fit: fit.contrast(["b_Intercept + 2 * b_x", "b_A[v] - b_A[w]"]),
    ],
)
def test_draws_under_flat_priors_agree_with_reml(ask: Any, both: tuple[bayesml.PointFit, bayesml.Fit]) -> None:
    estimates, draws = (ask(fit) for fit in both)
    name = next(c for c in ("emmean", "estimate", "x.trend", "Estimate") if c in draws)
    sd = draws["Std.Error"]
    # 2,000 draws of about 1,000 independent ones: Monte Carlo error of the mean sd / 30, of the sd 2.2 %. The posterior
    # of the variances, which REML holds fixed, widens what group effects touch by a few per cent more.
    assert (np.abs(draws[name] - estimates[name]) < 5 * sd / 30).all()
    np.testing.assert_allclose(draws["Std.Error"], estimates["Std.Error"], rtol=0.15)
    np.testing.assert_allclose(draws["lower"], estimates["lower"], atol=0.4 * sd.max())


def test_averages_of_columns_are_averages_of_rows(monkeypatch) -> None:
    """Averages of linear numbers from averages of the columns equal those from every row."""
    from bayesml.results.marginal import drawn

    rng = np.random.default_rng(1)
    n = 120
    data = pd.DataFrame({"x": rng.normal(size=n), "o": rng.normal(size=n), "f": rng.choice(list("ab"), n)})
    data["g"] = [f"g{number}" for number in rng.integers(0, 8, n)]
    level = data["g"].str[1:].astype(int).to_numpy()
    data["y"] = data["x"] * (1 + rng.normal(size=8)[level]) + rng.normal(size=n) + level
    fit = bayesml.fit("y ~ x * f + offset(o) + (x | g)", data, method="ml").to_normal_draws(200, seed=1)
    asked = [
        {},
        {"by": "f"},
        {"groups": "population"},
        {"wts": rng.random(n)},
        {"type": "link", "ndraws": 50, "seed": 1},
    ]
    verbs = (fit.avg_predictions, fit.avg_comparisons, fit.avg_slopes)
    assert drawn._is_linear(fit, drawn.What("epred"))
    short = [verb(**options).to_pandas() for verb in verbs for options in asked]
    monkeypatch.setattr(drawn, "_is_linear", lambda *_: False)
    for found, expected in zip(short, (v(**o).to_pandas() for v in verbs for o in asked), strict=True):
        pd.testing.assert_frame_equal(found, expected, rtol=1e-6, atol=1e-9)
