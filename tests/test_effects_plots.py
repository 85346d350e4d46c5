"""Conditional effects against numbers by hand, and what every picture shows."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

import bayesml
from bayesml.engines import NUTS
from bayesml.errors import DataError, ModelError
from bayesml.formula import bf
from bayesml.results.plots.style import density
from tests.handmade import CHAINS, DRAWS, handmade_fit, sleep

N = 60


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def mixed_data(seed: int = 2) -> dict:
    rng = np.random.default_rng(seed)
    return {
        "y": rng.normal(size=N),
        "x": rng.normal(4.0, 2.0, N),
        "size": rng.integers(1, 30, N),
        "two": np.tile([0.0, 1.0], N // 2),
        "f": np.tile(["low", "mid", "very high"], N // 3),
        "on": rng.random(N) < 0.5,
        "g": np.repeat([f"g{i}" for i in range(6)], 10),
        "h": rng.choice(["p", "q"], N),
    }


def mixed_fit(family="gaussian"):
    return handmade_fit(bf("y ~ log(size) + x * f + on + (x | g)", sigma="~ two"), mixed_data(), family)


def coefficient(fit, text):
    return fit[text].values.reshape(-1)


def mad(values):
    return 1.4826 * np.median(np.abs(values - np.median(values)))


# Tables ---------------------------------------------------------------------------------------------------------------


def test_every_predictor_and_interaction_is_shown_by_the_name_of_its_column():
    effects = mixed_fit().conditional_effects()
    assert list(effects) == ["size", "x", "f", "on", "two", "x:f"]
    assert len(effects) == 6
    assert "x:f" in effects
    assert "x:f" in repr(effects)
    assert list(mixed_fit().conditional_effects(dpar="sigma")) == ["two"]


def test_a_numeric_effect_by_hand():
    fit, data = mixed_fit(), mixed_data()
    table = fit.conditional_effects("size", resolution=11)["size"]
    np.testing.assert_allclose(table["size"], np.linspace(min(data["size"]), max(data["size"]), 11))
    assert set(table["f"]) == {"low"}
    assert set(table["on"]) == {False}
    np.testing.assert_allclose(table["x"], np.mean(data["x"]))
    assert "g" not in table
    assert "y" not in table
    row = table.iloc[4]
    eta = (
        coefficient(fit, "b_Intercept")
        + coefficient(fit, "b_log(size)") * np.log(row["size"])
        + coefficient(fit, "b_x") * np.mean(data["x"])
    )
    np.testing.assert_allclose(row["estimate__"], np.median(eta))
    np.testing.assert_allclose(row["se__"], mad(eta))
    np.testing.assert_allclose([row["lower__"], row["upper__"]], np.quantile(eta, [0.025, 0.975]))
    assert row["effect1__"] == row["size"]
    plain = fit.conditional_effects("size", resolution=11, robust=False, prob=0.8)["size"].iloc[4]
    np.testing.assert_allclose(plain["estimate__"], eta.mean())
    np.testing.assert_allclose(plain["se__"], eta.std(ddof=1))
    np.testing.assert_allclose([plain["lower__"], plain["upper__"]], np.quantile(eta, [0.1, 0.9]))


def test_a_factor_and_an_interaction_by_hand():
    fit, data = mixed_fit(), mixed_data()
    table = fit.conditional_effects("f")["f"]
    assert list(table["f"]) == ["low", "mid", "very high"]
    base = (
        coefficient(fit, "b_Intercept")
        + coefficient(fit, "b_log(size)") * np.log(np.mean(data["size"]))
        + coefficient(fit, "b_x") * np.mean(data["x"])
    )
    third = base + coefficient(fit, "b_f[very high]") + coefficient(fit, "b_x:f[very high]") * np.mean(data["x"])
    np.testing.assert_allclose(table["estimate__"].iloc[2], np.median(third))
    # The number goes along the axis, however it is asked for.
    both = fit.conditional_effects(["x:f", "f:x"], resolution=5)
    assert set(both["x:f"]["effect2__"]) == {"low", "mid", "very high"}
    pd.testing.assert_frame_equal(both["x:f"], both["f:x"])
    row = both["x:f"].query("f == 'mid'").iloc[3]
    eta = base + (row["x"] - np.mean(data["x"])) * coefficient(fit, "b_x")
    eta = eta + coefficient(fit, "b_f[mid]") + coefficient(fit, "b_x:f[mid]") * row["x"]
    np.testing.assert_allclose(row["estimate__"], np.median(eta))


def test_a_numeric_moderator_takes_mean_and_one_sd_either_side():
    data = mixed_data()
    table = mixed_fit().conditional_effects("size:x", resolution=3)["size:x"]
    mean, sd = np.mean(data["x"]), np.std(data["x"], ddof=1)
    np.testing.assert_allclose(sorted(set(table["effect2__"])), [mean - sd, mean, mean + sd])
    few = mixed_fit().conditional_effects("x:two", resolution=3)["x:two"]
    assert sorted(set(few["effect2__"])) == [0.0, 1.0]
    own = mixed_fit().conditional_effects("x:size", int_conditions={"size": [1, 7], "x": [0.0, 1.0, 2.0, 3.0]})[
        "x:size"
    ]
    assert len(own) == 8
    assert sorted(set(own["effect2__"])) == [1, 7]


def test_conditions_make_panels():
    fit = mixed_fit()
    fixed = fit.conditional_effects("x", conditions={"f": "mid", "size": 3}, resolution=4)["x"]
    assert set(fixed["f"]) == {"mid"}
    assert set(fixed["cond__"]) == {"1"}
    table = pd.DataFrame({"f": ["mid", "very high"], "on": [True, False]})
    rows = fit.conditional_effects("x", conditions=table, resolution=4)["x"]
    assert list(dict.fromkeys(rows["cond__"])) == ["f = mid & on = True", "f = very high & on = False"]
    named = fit.conditional_effects("x", conditions=table.assign(cond__=["first", "second"]), resolution=4)["x"]
    assert list(dict.fromkeys(named["cond__"])) == ["first", "second"]
    single = fit.conditional_effects("x", conditions={"f": "very high", "on": False}, resolution=4)["x"]
    np.testing.assert_allclose(rows["estimate__"].iloc[4:], single["estimate__"])


def test_group_effects_on_request():
    fit, data = mixed_fit(), mixed_data()
    table = fit.conditional_effects("x", re_formula=None, conditions={"g": "g3"}, resolution=3)["x"]
    eta = (
        coefficient(fit, "b_Intercept")
        + coefficient(fit, "b_log(size)") * np.log(np.mean(data["size"]))
        + (coefficient(fit, "b_x") + coefficient(fit, "r_g[g3,x]")) * table["x"].iloc[1]
        + coefficient(fit, "r_g[g3,Intercept]")
    )
    np.testing.assert_allclose(table["estimate__"].iloc[1], np.median(eta))
    fixed = fit.conditional_effects("x", resolution=3)["x"]
    new = fit.conditional_effects("x", re_formula=None, resolution=3, seed=1)["x"]
    assert (new["se__"] > fixed["se__"]).all()


def test_methods_and_parameters():
    fit = mixed_fit()
    expected, drawn = fit.conditional_effects("x")["x"], fit.conditional_effects("x", method="predict", seed=1)["x"]
    assert (drawn["se__"] > expected["se__"]).mean() > 0.9
    sigma = fit.conditional_effects("two", dpar="sigma", resolution=2)["two"]
    values = np.exp(coefficient(fit, "b_sigma_Intercept") + coefficient(fit, "b_sigma_two"))
    np.testing.assert_allclose(sigma["estimate__"].iloc[1], np.median(values))
    line = fit.conditional_effects("two", dpar="sigma", method="linpred", resolution=2)
    np.testing.assert_allclose(np.exp(line["two"]["estimate__"].iloc[1]), np.median(values), rtol=1e-2)
    assert line.response == "log(sigma)"


def test_draws_are_transformed_before_they_are_summarised():
    fit = mixed_fit()
    line = fit.conditional_effects("x", method="linpred", resolution=3, robust=False, ndraws=40, seed=1, spaghetti=True)
    shown = fit.conditional_effects("x", resolution=3, robust=False, ndraws=40, seed=1, transform=np.exp)
    np.testing.assert_allclose(shown["x"]["estimate__"], np.exp(line.draws["x"]).mean(axis=0))
    assert shown.response == f"exp({fit.conditional_effects('x', resolution=3).response})"
    np.testing.assert_allclose(
        shown.observed["response__"], np.exp(fit.conditional_effects("x").observed["response__"])
    )
    same = fit.conditional_effects("x", resolution=3, robust=False, ndraws=40, seed=1, transform="exp")
    assert same["x"].equals(shown["x"])
    point = bayesml.fit("y ~ x", mixed_data(), method="laplace")
    with pytest.raises(ModelError, match="to_normal_draws"):
        point.conditional_effects("x", transform=np.exp)


def test_binomial_effects_are_those_of_one_trial():
    data = mixed_data() | {"k": np.full(N, 12), "s": np.random.default_rng(1).integers(0, 12, N)}
    for formula in ("s | trials(k) ~ x + (1 | g)", "cbind(s, k - s) ~ x + (1 | g)"):
        fit = handmade_fit(formula, data, "binomial")
        effects = fit.conditional_effects("x", resolution=3)
        eta = coefficient(fit, "b_Intercept") + coefficient(fit, "b_x") * np.min(data["x"])
        np.testing.assert_allclose(effects["x"]["estimate__"].iloc[0], np.median(1 / (1 + np.exp(-eta))))
        assert "one trial" in effects.note
        assert "k" not in effects["x"]
        assert effects.observed["response__"].between(0, 1).all()
    ten = handmade_fit("s | trials(k) ~ x + (1 | g)", data, "binomial").conditional_effects(
        "x", conditions={"k": 10}, resolution=3
    )
    np.testing.assert_allclose(ten["x"]["estimate__"].iloc[0], 10 * np.median(1 / (1 + np.exp(-eta))))


def test_numbers_made_factors_and_truth_values_have_categories():
    fit = handmade_fit("y ~ C(two) + on + poly(x, 2) + (1 | g)", mixed_data())
    effects = fit.conditional_effects()
    assert list(effects["two"]["two"]) == [0.0, 1.0]
    assert list(effects["on"]["on"]) == [False, True]
    assert len(effects["x"]) == 100
    assert not effects.effects["on"].is_numeric


@pytest.mark.parametrize(
    "options, told",
    [
        ({"effects": "z"}, "`x:f`"),
        ({"effects": "g"}, "`x:f`"),
        ({"effects": "x:x"}, "`x:f`"),
        ({"effects": "x:f:on"}, "conditions"),
        ({"effects": "x", "conditions": {"zz": 1}}, "`zz`"),
        ({"effects": "x", "int_conditions": {"zz": [1]}}, "`zz`"),
        ({"effects": "x", "conditions": {"f": ["low", "mid"], "on": [True, False, True]}}, "panel"),
        ({"effects": "x", "method": "fitted"}, "method"),
        ({"effects": "x", "prob": 1.0}, "prob"),
        ({"effects": "x", "resolution": 1}, "resolution"),
        ({"effects": "x", "dpar": "mean"}, "`sigma`"),
        ({"effects": "two", "dpar": "sigma", "method": "predict"}, "epred"),
        ({"effects": "x", "new_levels": "no"}, "new_levels"),
        ({"effects": "x", "transform": "square"}, "`transform` is one of"),
        ({"effects": "x", "transform": np.mean}, "returns numbers of that shape"),
    ],
)
def test_impossible_effects(options, told):
    with pytest.raises(ModelError, match=told):
        conditional(mixed_fit(), **options)


def conditional(fit, **options):
    from bayesml.results.tables.effects import conditional_effects

    return conditional_effects(fit, **options)


def test_unknown_levels_and_no_predictors():
    with pytest.raises(DataError, match="`f`"):
        mixed_fit().conditional_effects("x", conditions={"f": "no such"})
    with pytest.raises(ModelError, match="no population-level predictor"):
        handmade_fit("y ~ 1 + (1 | g)", mixed_data()).conditional_effects()
    effects = mixed_fit().conditional_effects("x")
    with pytest.raises(ModelError, match="`x`"):
        effects["y"]


# Pictures -------------------------------------------------------------------------------------------------------------


def panels(figure):
    return [axes for axes in figure.axes if axes.axison]


def texts(figure):
    """Every text that the figure shows once it is drawn."""
    figure.canvas.draw()
    return {text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_text()}


def test_effects_are_drawn_line_by_line():
    effects = mixed_fit().conditional_effects()
    figure = effects.plot(points=True)
    assert isinstance(figure, Figure)
    assert len(panels(figure)) == 6
    by_label = {axes.get_xlabel(): axes for axes in panels(figure)[:5]}
    assert set(by_label) == {"size", "x", "f", "on", "two"}
    line = by_label["size"].lines[0]
    np.testing.assert_allclose(line.get_ydata(), effects["size"]["estimate__"])
    assert {axes.get_ylabel() for axes in panels(figure)} == {"y"}
    interaction = panels(figure)[5]
    legend = interaction.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["low", "mid", "very high"]
    assert legend.get_title().get_text() == "f"
    assert [label.get_text() for label in by_label["f"].get_xticklabels()] == ["low", "mid", "very high"]


def test_effects_in_an_axes_of_the_caller():
    figure, (left, right) = plt.subplots(1, 2)
    effects = mixed_fit().conditional_effects("x")
    assert effects.plot(ax=right) is figure
    assert not left.lines
    assert right.lines
    with pytest.raises(ModelError, match="one panel"):
        mixed_fit().conditional_effects().plot(ax=left)
    with pytest.raises(ModelError, match="scale|response"):
        mixed_fit().conditional_effects("two", dpar="sigma").plot(points=True)


def test_conditions_share_their_height():
    figure = mixed_fit().conditional_effects("x", conditions={"f": ["low", "mid"]}).plot()
    left, right = panels(figure)
    assert left.get_ylim() == right.get_ylim()
    assert [axes.get_title(loc="left") for axes in (left, right)] == ["f = low", "f = mid"]


def test_trace_shows_every_chain_of_every_parameter():
    fit = mixed_fit()
    figure = fit.plot()
    names = [text for v in fit.variables if v.kind != "r" for _, text in v.texts]
    assert len(panels(figure)) == 2 * len(names)
    assert set(names) <= texts(figure)
    first = figure.axes[1]
    np.testing.assert_array_equal(first.lines[2].get_ydata(), fit["b_Intercept"].values[2])
    assert len(first.lines) == CHAINS
    assert len(fit.plot(["b_x", "sd_g"]).axes) == 2 * 3


def test_pairs_mark_divergent_draws():
    divergent = np.zeros((CHAINS, DRAWS), dtype=bool)
    divergent[1, [3, 7]] = True
    fit = handmade_fit("Reaction ~ Days + (Days | Subject)", sleep(), statistics={"diverging": divergent})
    figure = fit.pairs(["b_Days", "sigma"])
    scatter = figure.axes[2].collections
    np.testing.assert_allclose(np.asarray(scatter[1].get_offsets())[:, 0], fit["b_Days"].values[divergent])
    assert len(scatter[0].get_offsets()) == CHAINS * DRAWS - 2
    assert any("2 divergent" in text for text in texts(figure))
    assert len(fit.pairs().axes) == 36
    assert len(fit.plot().axes) == 12


def test_forest_has_medians():
    fit = mixed_fit()
    figure = fit.forest()
    shown = texts(figure)
    for variable in fit.variables:
        if variable.kind != "r":
            assert {text for _, text in variable.texts} <= shown
    found = {}
    for axes in figure.axes:
        points = next(line for line in axes.lines if line.get_marker() == "o")
        labels = [label.get_text() for label in axes.get_yticklabels()]
        found |= dict(zip(labels, points.get_xdata(), strict=True))
    np.testing.assert_allclose(found["b_x"], np.median(fit["b_x"].values))
    np.testing.assert_allclose(found["cor_g__Intercept__x"], np.median(fit["cor_g__Intercept__x"].values))


def test_caterpillar_is_sorted():
    fit = handmade_fit(bf("y ~ x + (x | g) + (1 | h)", sigma="~ (1 | g)"), mixed_data())
    figure = fit.ranef_plot("g")
    intercept, slope, sigma = panels(figure)
    assert [axes.get_title() for axes in (intercept, slope, sigma)] == ["Intercept", "x", "sigma_Intercept"]
    points = next(line for line in slope.lines if line.get_marker() == "o").get_xdata()
    assert (np.diff(points) >= 0).all()
    medians = {level: np.median(fit[f"r_g[{level},x]"].values) for level in sorted(set(mixed_data()["g"]))}
    labels = [label.get_text() for label in slope.get_yticklabels()]
    assert labels == sorted(medians, key=medians.__getitem__)
    assert len(panels(fit.ranef_plot())) == 4
    with pytest.raises(ModelError, match="`g`"):
        fit.ranef_plot("Subject")
    with pytest.raises(ModelError, match="no group-level"):
        handmade_fit("y ~ x", mixed_data()).ranef_plot()


def test_many_levels_and_many_parameters(rng):
    n = 1500
    data = {f"x{i}": rng.normal(size=n) for i in range(30)}
    data |= {"y": rng.normal(size=n), "g": np.arange(n) % 500}
    fit = handmade_fit("y ~ " + " + ".join(f"x{i}" for i in range(30)) + " + (1 | g)", data)
    figure = fit.ranef_plot()
    assert figure.get_size_inches()[1] <= 12
    assert len(panels(fit.plot())) == 66
    assert len(fit.pairs().axes) == 64
    assert any("8 of 33" in text for text in texts(fit.pairs()))
    assert fit.forest("r_g").get_size_inches()[1] <= 12
    assert fit.forest().get_size_inches()[1] <= 14
    with pytest.raises(ModelError, match="500 parameters"):
        fit.plot("r_g")


@pytest.mark.parametrize("picture", ["plot", "pairs", "forest"])
def test_unknown_parameters(picture):
    with pytest.raises(ModelError, match="did you mean `b_x`"):
        getattr(mixed_fit(), picture)(["b_xx"])


def test_parameters_that_do_not_vary():
    fit = handmade_fit("Reaction ~ Days", sleep(), change={"sigma": np.full((CHAINS, DRAWS), 2.0)})
    for picture in (fit.plot(), fit.pairs(), fit.forest()):
        picture.canvas.draw()


@pytest.mark.parametrize("family", ["gaussian", "poisson", "binomial"])
@pytest.mark.parametrize("kind", ["dens_overlay", "bars", "hist", "stat", "ecdf_overlay", "intervals"])
def test_every_check_of_the_response(kind, family):
    data = mixed_data() | {"count": np.random.default_rng(3).integers(0, 9, N), "k": np.full(N, 9)}
    formula = {"gaussian": "y ~ two", "poisson": "count ~ two", "binomial": "count | trials(k) ~ two"}[family]
    figure = handmade_fit(formula, data, family).pp_check(kind=kind, seed=1)
    figure.canvas.draw()
    assert panels(figure)
    name = formula.split()[0]
    assert any(name in text for text in texts(figure))


def test_the_observed_response_is_in_the_picture():
    data = mixed_data()
    fit = handmade_fit("y ~ two", data)
    figure = fit.pp_check(ndraws=7, kind="ecdf_overlay", seed=1)
    lines = figure.axes[0].lines
    assert len(lines) == 8
    np.testing.assert_allclose(lines[-1].get_xdata(), np.sort(data["y"]))
    drawn = fit.predict(ndraws=7, seed=1).values
    np.testing.assert_allclose(lines[0].get_xdata(), np.sort(drawn[0]))
    counts = handmade_fit("count ~ two", data | {"count": np.tile([0, 1, 1, 4], 15)}, "poisson")
    bars = counts.pp_check(seed=1).axes[0].patches
    assert [bar.get_height() for bar in bars[:5]] == [15, 30, 0, 0, 15]
    with pytest.raises(ModelError, match='"dens_overlay".*did you mean'):
        fit.pp_check(kind="dens_overlays")


def test_long_labels_and_one_chain(rng):
    data = mixed_data() | {"a rather long name": np.tile(["a very long level indeed", "another level of it"], N // 2)}
    engine = NUTS(chains=1, draws=50)
    fit = handmade_fit("y ~ `a rather long name` + (1 | g)", data, engine=engine)
    for figure in (fit.plot(), fit.pairs(), fit.forest(), fit.conditional_effects().plot()):
        figure.canvas.draw()


# Densities ------------------------------------------------------------------------------------------------------------


def test_densities_integrate_to_one_and_stay_in_range(rng):
    for values, low, high in (
        (rng.normal(size=4000), -np.inf, np.inf),
        (rng.exponential(size=4000), 0.0, np.inf),
        (rng.uniform(-1.0, 1.0, 4000), -1.0, 1.0),
    ):
        x, heights = density(values)
        assert x.min() >= low
        assert x.max() <= high
        np.testing.assert_allclose(heights.sum() * (x[1] - x[0]), 1.0, rtol=1e-6)
    x, heights = density(rng.exponential(size=100_000))
    # The reflected estimate at the boundary is biased by about 0.8 bandwidths, 0.9 n^(-1/5) sd.
    assert abs(heights[0] - 1.0) < 0.1
    assert density(np.full(10, 3.0)) is None
    assert density(np.array([1.0, np.nan])) is None
