"""``hypothesis()`` and ``describe_posterior()``, against brms's own functions on the same draws."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesml
from bayesml import bf
from bayesml.errors import ModelError
from bayesml.results.questions.describe_posterior import highest_density
from bayesml.results.questions.expressions import read_expression
from bayesml.results.questions.tested import density_at
from tests.handmade import CHAINS, DRAWS, ENGINE, handmade_fit

ALL = CHAINS * DRAWS
SHAPE = (CHAINS, DRAWS)
# made by tests/facts/hypotheses.R: brms 2.18, hypothesis() of a data frame of draws and density_ratio()
FACTS = json.loads((Path(__file__).parent / "facts" / "hypotheses.json").read_text())


def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 40
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "k": rng.poisson(2.0, n),
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "f": rng.choice(["u", "v"], n),
            "g": rng.choice(["g1", "g2", "g3"], n),
        }
    )


DATA = data()


def with_draws(**engine: Any) -> bayesml.Fit:
    drawn, prior = FACTS["draws"], FACTS["prior"]
    b = np.stack([np.zeros(ALL), drawn["b_x"], drawn["b_z"]], axis=-1).reshape(*SHAPE, 3)
    sd = np.reshape(drawn["sd_g__Intercept"], (*SHAPE, 1))
    change = {"b": b, "sd_g": sd, "sigma": np.reshape(drawn["sigma"], SHAPE)}
    fit = handmade_fit("y ~ x + z + (1 | g)", DATA, change=change, engine=replace(ENGINE, **engine))
    of_prior = np.stack([np.zeros(ALL), prior["b_x"], prior["b_z"]], axis=-1).reshape(*SHAPE, 3)
    record = fit.outcome.posterior
    if record.prior:
        record = replace(record, prior={**record.prior, "b": of_prior})
    return replace(fit, outcome=replace(fit.outcome, posterior=record))


@pytest.fixture(scope="module")
def fit() -> bayesml.Fit:
    return with_draws()


@pytest.fixture(scope="module")
def more() -> bayesml.Fit:
    return handmade_fit(bf("y ~ x * f + (x | g)", sigma="~ z"), DATA)


# Against brms ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "options"), [("plain", {}), ("robust", {"alpha": 0.1, "robust": True})])
def test_the_table_is_that_of_brms(kind: str, options: dict[str, Any], fit: bayesml.Fit) -> None:
    found, known = fit.hypothesis(FACTS["asked"], class_=None, **options).to_pandas(), FACTS[kind]
    for column, values in known.items():
        if column == "Star":
            assert list(found[column]) == values
        else:
            wanted = [np.nan if value is None else value for value in values]
            np.testing.assert_allclose(found[column].to_numpy(dtype=float), wanted, rtol=1e-8)


def test_point_hypotheses_have_savage_dickey_ratios() -> None:
    """R interpolates its density on a grid of 4096 points, whose binning is worth about 1e-3 here."""
    fit = with_draws(sample_prior="yes")
    found = fit.hypothesis(["x = 0", "x = 2 * z + 0.5"])
    np.testing.assert_allclose(found["Evid.Ratio"], FACTS["savage_dickey"], rtol=5e-3)
    np.testing.assert_allclose(found["Post.Prob"], found["Evid.Ratio"] / (1 + found["Evid.Ratio"]))
    own = fit.hypothesis("x > 0")
    np.testing.assert_allclose(own.prior_draws[0], FACTS["prior"]["b_x"])
    figure = found.plot()
    assert len(figure.axes) == 2 and "(x)-(2 * z + 0.5) = 0" in figure.axes[1].get_title(loc="left")


def test_the_savage_dickey_ratio_of_a_normal_mean(rng: np.random.Generator) -> None:
    """Of a normal mean with a normal prior the ratio is known; 10^5 draws, error of a kernel density about 1 %."""
    prior, posterior = rng.normal(0.0, 1.0, 10**5), rng.normal(0.3, 0.4, 10**5)
    known = stats.norm.pdf(0, 0.3, 0.4) / stats.norm.pdf(0, 0, 1)
    assert density_at(posterior, 0.0) / density_at(prior, 0.0) == pytest.approx(known, rel=0.03)


# Names ----------------------------------------------------------------------------------------------------------------


def drawn(fit: bayesml.Fit, name: str) -> np.ndarray:
    return fit[name].to_numpy().ravel()


@pytest.mark.parametrize(
    ("text", "options", "difference"),
    [
        ("x > 0", {}, lambda d: d("b_x")),
        ("x > x:f[v]", {}, lambda d: d("b_x") - d("b_x:f[v]")),
        ("f[v]:x < fv", {}, lambda d: d("b_x:f[v]") - d("b_f[v]")),
        ("x:fv - 0.5 >= -1e-1", {}, lambda d: d("b_x:f[v]") - 0.4),
        ("sigma_z == 0", {}, lambda d: d("b_sigma_z")),
        ("exp(sigma_Intercept) > 1", {}, lambda d: np.exp(d("b_sigma_Intercept")) - 1),
        ("b_x > 0", {}, lambda d: d("b_x")),
        ("x > 1", {"class_": "sd", "group": "g"}, lambda d: d("sd_g__x") - 1),
        ("Intercept__x < 0", {"class_": "cor", "group": "g"}, lambda d: d("cor_g__Intercept__x")),
        ("sd_g__x / sd_g__Intercept > 1", {"class_": None}, lambda d: d("sd_g__x") / d("sd_g__Intercept") - 1),
        ("r_g[g1,x] > r_g[g2,x]", {"class_": None}, lambda d: d("r_g[g1,x]") - d("r_g[g2,x]")),
        ("x ^ 2 > abs(x)", {}, lambda d: d("b_x") ** 2 - np.abs(d("b_x"))),
    ],
)
def test_names_of_parameters(text: str, options: dict[str, Any], difference: Any, more: bayesml.Fit) -> None:
    found = more.hypothesis(text, **options)
    known = difference(lambda name: drawn(more, name))
    np.testing.assert_allclose(found.draws[:, 0], known, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found["Estimate"], known.mean(), rtol=1e-12)


@pytest.mark.parametrize("scope", ["ranef", "coef"])
def test_levels_have_a_row_each(scope: str, more: bayesml.Fit) -> None:
    found = more.hypothesis(["x > 0", "Intercept < x"], scope=scope, group="g")
    table = found.to_pandas()
    assert list(table["Group"]) == ["g1", "g2", "g3"] * 2
    for k, level in enumerate(["g1", "g2", "g3"]):
        own = {name: drawn(more, f"r_g[{level},{name}]") for name in ("Intercept", "x")}
        if scope == "coef":
            own = {name: values + drawn(more, f"b_{name}") for name, values in own.items()}
        np.testing.assert_allclose(found.draws[:, k], own["x"], rtol=1e-12)
        np.testing.assert_allclose(found.draws[:, 3 + k], own["Intercept"] - own["x"], rtol=1e-12)


def test_hypotheses_may_have_names(fit: bayesml.Fit) -> None:
    found = fit.hypothesis({"more": "x > 0", "less": "x < 0"})
    assert list(found["Hypothesis"]) == ["more", "less"]
    np.testing.assert_allclose(found["Evid.Ratio"][0] * found["Evid.Ratio"][1], 1.0)
    assert list(fit.hypothesis(["x > 0", "x > z"])["Hypothesis"]) == ["(x) > 0", "(x)-(z) > 0"]
    text = str(found)
    assert text.startswith("Hypothesis Tests for class b:") and "90%-CI for one-sided and 95%-CI" in text


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda fit: fit.hypothesis("q > 0"), "`q` in the hypothesis `q > 0` is no parameter.*`x`"),
        (lambda fit: fit.hypothesis("x"), "one of >, < and ="),
        (lambda fit: fit.hypothesis("0 < x < 1"), "one of >, < and ="),
        (lambda fit: fit.hypothesis("x > "), "one of them is empty"),
        (lambda fit: fit.hypothesis("x + > 0"), "cannot be computed"),
        (lambda fit: fit.hypothesis([]), "is a text such as"),
        (lambda fit: fit.hypothesis(3), "is a text such as"),
        (lambda fit: fit.hypothesis("x > 0", alpha=2), "`alpha` lies between"),
        (lambda fit: fit.hypothesis("x > 0", class_="sd", group="q"), "No parameter begins with `sd_q__`"),
        (lambda fit: fit.hypothesis("x > 0", scope="all"), '`scope` is one of "standard"'),
        (lambda fit: fit.hypothesis("x > 0", scope="coef"), "needs `group`.*`g`"),
        (lambda fit: fit.hypothesis("z > 0", scope="ranef", group="g"), "does not vary over `g`"),
        (lambda fit: fit.hypothesis("__import__('os') > 0"), "is no parameter"),
    ],
)
def test_what_cannot_be_asked(ask: Any, message: str, fit: bayesml.Fit) -> None:
    with pytest.raises(ModelError, match=message):
        ask(fit)


def test_names_within_names() -> None:
    """The longest name that stands at a place is meant, and no name goes on."""
    read = read_expression("x1 + x - x:z * xx", {n: n for n in ("x", "x1", "x:z", "xx")}, ModelError)
    values = {"x": 1.0, "x1": 10.0, "x:z": 100.0, "xx": 2.0}
    assert read.value({k: np.array(v) for k, v in values.items()}) == 10 + 1 - 200


# Descriptions ---------------------------------------------------------------------------------------------------------


def test_the_shortest_interval_holds_its_share(rng: np.random.Generator) -> None:
    values = rng.exponential(size=(20_000, 2))
    low, high = highest_density(values, 0.9)
    assert ((values >= low) & (values <= high)).mean(axis=0) == pytest.approx(0.9, abs=1e-4)
    np.testing.assert_allclose(low, 0.0, atol=0.01)
    np.testing.assert_allclose(high, -np.log(0.1), rtol=0.04)  # four standard errors of a quantile
    np.testing.assert_array_equal(highest_density(values, 1.0), [values.min(axis=0), values.max(axis=0)])


def test_descriptions(fit: bayesml.Fit) -> None:
    table = fit.describe_posterior(rope=(-0.2, 0.2), rope_ci=1)
    x = np.array(FACTS["draws"]["b_x"])
    row = table.loc["b_x"]
    assert row["Median"] == pytest.approx(np.median(x)) and row["pd"] == pytest.approx((x > 0).mean())
    assert row["ROPE_Percentage"] == pytest.approx((np.abs(x) <= 0.2).mean())
    assert row["CI_high"] - row["CI_low"] <= np.ptp(np.quantile(x, [0.025, 0.975])) + 1e-12
    assert list(table.index) == ["sd_g__Intercept", "sigma", "b_Intercept", "b_x", "b_z"] or "b_x" in table.index
    equal = fit.describe_posterior("b_x", ci=0.9, ci_method="eti", centrality="mean", rope=None)
    np.testing.assert_allclose(equal[["CI_low", "CI_high"]].iloc[0], np.quantile(x, [0.05, 0.95]))
    assert "ROPE_low" not in equal and equal["Mean"].iloc[0] == pytest.approx(x.mean())


def test_default_regions_of_practical_equivalence() -> None:
    half = {
        "gaussian": ("y ~ x", 0.1 * DATA["y"].std()),
        "poisson": ("k ~ x", 0.1),
        "bernoulli": ("f ~ x", 0.1 * np.pi / np.sqrt(3)),
    }
    for family, (formula, known) in half.items():
        table = handmade_fit(formula, DATA, family).describe_posterior("b_x")
        np.testing.assert_allclose(table[["ROPE_low", "ROPE_high"]].iloc[0], [-known, known], rtol=1e-12)
    with pytest.raises(ModelError, match="several responses"):
        handmade_fit(bf("y ~ x") + bf("k ~ x", family="poisson"), DATA).describe_posterior()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ci": 95}, "`ci` lies between"),
        ({"ci_method": "hpd"}, "`ci_method` is 'hdi' or 'eti'"),
        ({"centrality": "mode"}, "`centrality` is"),
        ({"rope": 0.1}, "`rope` is two numbers"),
        ({"rope": (0.1, -0.1)}, "comes first"),
        ({"variable": "b_q"}, "no parameter `b_q`"),
    ],
)
def test_what_cannot_be_described(options: dict[str, Any], message: str, fit: bayesml.Fit) -> None:
    with pytest.raises(ModelError, match=message):
        fit.describe_posterior(**options)
