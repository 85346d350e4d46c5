"""Draws as long frames, against computation by hand on draws that were not sampled."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import ModelError, UnknownNameError
from tests.handmade import CHAINS, DRAWS, handmade_fit, sleep

S = CHAINS * DRAWS


@pytest.fixture(scope="module")
def fit() -> bayesml.Fit:
    return handmade_fit("Reaction ~ Days + (Days | Subject)", sleep())


@pytest.fixture(scope="module")
def ordered() -> bayesml.Fit:
    rng = np.random.default_rng(2)
    data = {"y": rng.integers(1, 4, 30), "x": rng.normal(size=30)}
    return handmade_fit("y ~ x", data, "cumulative")


def test_single_numbers_have_a_column_each(fit: bayesml.Fit) -> None:
    found = fit.spread_draws("b_Days", "sigma")
    assert list(found) == [".chain", ".iteration", ".draw", "b_Days", "sigma"]
    np.testing.assert_array_equal(found["b_Days"], fit["b_Days"].to_numpy().ravel())
    np.testing.assert_array_equal(found[".draw"], np.arange(S))
    np.testing.assert_array_equal(found[".draw"], found[".chain"] * DRAWS + found[".iteration"])


def test_indices_become_columns(fit: bayesml.Fit) -> None:
    found = fit.spread_draws("r_Subject[Subject,term]", "b_Intercept", "sd_Subject[term]")
    assert list(found) == [".chain", ".iteration", ".draw", "Subject", "term", "r_Subject", "b_Intercept", "sd_Subject"]
    assert len(found) == S * 6 * 2 and found["Subject"].dtype == int
    one = found[(found["Subject"] == 310) & (found["term"] == "Days")]
    np.testing.assert_array_equal(one["r_Subject"], fit["r_Subject[310,Days]"].to_numpy().ravel())
    np.testing.assert_array_equal(one["b_Intercept"], fit["b_Intercept"].to_numpy().ravel())
    np.testing.assert_array_equal(one["sd_Subject"], fit["sd_Subject__Days"].to_numpy().ravel())


def test_indices_of_text_names_become_columns(ordered: bayesml.Fit) -> None:
    found = ordered.spread_draws("b_Intercept[k]")
    assert found["k"].unique().tolist() == [1, 2]
    second = found.loc[found["k"] == 2, "b_Intercept"]
    np.testing.assert_array_equal(second, ordered["b_Intercept[2]"].to_numpy().ravel())


def test_gathered_draws_have_a_number_in_each_row(fit: bayesml.Fit) -> None:
    found = fit.gather_draws("b_Days", "r_Subject[g,term]")
    assert list(found) == [".chain", ".iteration", ".draw", "g", "term", ".variable", ".value"]
    assert found[".variable"].value_counts().to_dict() == {"r_Subject": S * 12, "b_Days": S}
    assert found.loc[found[".variable"] == "b_Days", "g"].isna().all()
    assert found["g"].dtype == "Int64"
    compared = bayesml.compare_levels(found, ".value", by="g", comparison=[(309, 308)])
    assert set(compared["g"]) == {"309 - 308"} and len(compared) == 2 * S
    one = found[(found["g"] == 308) & (found["term"] == "Intercept")]
    np.testing.assert_array_equal(one[".value"], fit["r_Subject[308,Intercept]"].to_numpy().ravel())


def test_some_draws_are_the_same_of_each_variable(fit: bayesml.Fit) -> None:
    found = fit.spread_draws("b_Days", "r_Subject[g,term]", ndraws=7, seed=3)
    again = fit.gather_draws("b_Days", ndraws=7, seed=3)
    assert len(found) == 7 * 12 and again[".draw"].tolist() == found[".draw"].iloc[:7].tolist()
    np.testing.assert_array_equal(again[".value"], fit["b_Days"].to_numpy().ravel()[again[".draw"]])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((), "Name the variables"),
        (("b_Dayz",), "did you mean `b_Days`"),
        (("r_Subject",), r"names 0 indices, and `r_Subject` has 2 .*Write `r_Subject\[Subject,term\]`"),
        (("r_Subject[g]",), "names 1 indices"),
        (("r_Subject[g,g]",), "a name of its own"),
        (("r_Subject[g,.draw]",), "taken already"),
        (("r_Subject[g,]",), "a name of its own"),
        (("r_Subject[g",), "is not of the form"),
        (("b_Days", "b_Days"), "a name of its own"),
        (("sd_Subject[sigma]", "sigma"), "a name of its own"),
        (("r_Subject[a,b]", "sd_Subject[a]"), "No combination"),
        ((3,), "by its name"),
    ],
)
def test_wrong_names_are_told(fit: bayesml.Fit, asked: tuple[str, ...], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        fit.spread_draws(*asked)


def test_rows_are_repeated_for_every_draw(fit: bayesml.Fit) -> None:
    new = pd.DataFrame({"Days": [0.0, 9.0], "Subject": ["308", "311"], "note": ["a", "b"]}, index=[7, 3])
    found = fit.add_epred_draws(new)
    assert list(found) == ["Days", "Subject", "note", ".row", ".chain", ".iteration", ".draw", ".epred"]
    expected = fit.epred(new).to_numpy().reshape(S, 2)
    np.testing.assert_array_equal(found[".epred"], expected.T.ravel())
    np.testing.assert_array_equal(found.loc[found["note"] == "b", ".row"], 1)
    drawn = fit.add_predicted_draws(new, ndraws=5, seed=1)
    np.testing.assert_array_equal(drawn[".prediction"], fit.predict(new, ndraws=5, seed=1).to_numpy().T.ravel())
    np.testing.assert_array_equal(drawn[".draw"], drawn[".chain"] * DRAWS + drawn[".iteration"])
    linear = fit.add_linpred_draws(new, dpar="mu", value="eta", re_formula="NA")
    np.testing.assert_allclose(
        linear["eta"][:S], fit["b_Intercept"].to_numpy().ravel() + 0 * fit["b_Days"].to_numpy().ravel()
    )
    assert len(fit.add_epred_draws(ndraws=2)) == 2 * 60


def test_categories_have_rows_of_their_own(ordered: bayesml.Fit) -> None:
    new = {"x": [0.0, 1.0]}
    found = ordered.add_epred_draws(new)
    assert found[".category"].cat.categories.tolist() == ["1", "2", "3"]
    expected = ordered.epred(new).to_numpy().reshape(S, 2, 3)
    one = found[(found[".row"] == 1) & (found[".category"] == "3")]
    np.testing.assert_array_equal(one[".epred"], expected[:, 1, 2])
    drawn = ordered.add_predicted_draws(new, seed=2)[".prediction"]
    codes = ordered.predict(new, seed=2).to_numpy().reshape(S, 2)
    np.testing.assert_array_equal(drawn.astype(str), codes.T.ravel().astype(int).astype(str))


def test_several_responses_are_told_apart() -> None:
    data = sleep() | {"y": np.arange(60.0)}
    fit = handmade_fit(bayesml.bf("Reaction ~ Days") + bayesml.bf("y ~ Days"), data)
    found = fit.add_epred_draws({"Days": [1.0]})
    one = found.loc[found[".category"] == "y", ".epred"]
    np.testing.assert_array_equal(one, fit.epred({"Days": [1.0]}, resp="y").to_numpy().ravel())


def test_columns_are_not_overwritten(fit: bayesml.Fit) -> None:
    with pytest.raises(ModelError, match=r"have a column `.draw`"):
        fit.add_epred_draws({"Days": [1.0], "Subject": ["308"], ".draw": [1]})
    with pytest.raises(ModelError, match="`ndraws` is a whole number"):
        fit.add_epred_draws(ndraws=0)


def test_points_and_intervals_are_those_of_each_group(fit: bayesml.Fit) -> None:
    found = fit.spread_draws("r_Subject[g,term]")
    table = bayesml.median_qi(found, width=[0.5, 0.9])
    assert list(table) == ["g", "term", "r_Subject", ".lower", ".upper", ".width", ".point", ".interval"]
    assert len(table) == 24
    own = fit["r_Subject[309,Days]"].to_numpy().ravel()
    row = table[(table["g"] == 309) & (table["term"] == "Days") & (table[".width"] == 0.9)].iloc[0]
    np.testing.assert_allclose(
        [row["r_Subject"], row[".lower"], row[".upper"]], [np.median(own), *np.quantile(own, [0.05, 0.95])]
    )
    mean = bayesml.mean_qi(found, by="term")
    np.testing.assert_allclose(mean["r_Subject"], found.groupby("term", sort=False)["r_Subject"].mean())


def test_the_shortest_interval() -> None:
    values = np.array([0.0, 10.0, 11.0, 12.0, 30.0])
    table = bayesml.mean_hdi({".draw": np.arange(5), "x": values}, width=0.6)
    assert table[["x", ".lower", ".upper"]].to_numpy().tolist() == [[12.6, 10.0, 12.0]]
    assert table[[".point", ".interval"]].to_numpy().tolist() == [["mean", "hdi"]]
    assert bayesml.median_hdi({".draw": np.arange(5), "x": values}, width=1.0)[".upper"].tolist() == [30.0]


def test_groups_of_several_sizes_several_columns_and_missing_values() -> None:
    frame = pd.DataFrame({"g": ["b", "a", "b", None], "x": [1.0, 2.0, 3.0, np.nan], "y": [1, 5, 2, 3]})
    table = bayesml.mean_qi(frame, "x", "y")
    assert list(table)[:7] == ["g", "x", "x.lower", "x.upper", "y", "y.lower", "y.upper"]
    np.testing.assert_array_equal(table["x"], [2.0, 2.0, np.nan])
    np.testing.assert_array_equal(table["y"], [1.5, 5.0, 3.0])
    assert bayesml.median_qi(frame, "y", by=[])["y"].tolist() == [2.5]
    assert np.isnan(bayesml.median_hdi(frame, "x")[".lower"].to_numpy()[-1])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda f: bayesml.median_qi(f, "z"), "there is no `z`"),
        (lambda f: bayesml.median_qi(f, "g"), "holds no numbers"),
        (lambda f: bayesml.median_qi(f, width=0), "`width` lies between"),
        (lambda f: bayesml.median_qi(f, width=[]), "`width` lies between"),
        (lambda f: bayesml.median_qi(f, by="h"), "`by`: there is no `h`"),
        (lambda f: bayesml.median_qi(f, "x", by="x"), "cannot be both"),
        (lambda f: bayesml.median_qi(f.drop(columns="x")), "No column holds decimal numbers"),
        (lambda f: bayesml.median_qi(f.iloc[:0]), "no rows"),
        (lambda f: bayesml.compare_levels(f, "x", by="h"), "`by` is a column of levels"),
        (lambda f: bayesml.compare_levels(f, "x", by="g", comparison="contrl"), "did you mean `control`"),
        (lambda f: bayesml.compare_levels(f, "x", by="g", comparison=[("a", "q")]), "holds 'q'; the levels are"),
        (lambda f: bayesml.compare_levels(f, "x", by="g", comparison=3), "pairs of levels"),
        (lambda f: bayesml.compare_levels(f, "x", by="g", groups="q"), "`groups` names"),
        (lambda f: bayesml.compare_levels(f.assign(other=[1, 2, 3, 4, 5, 6]), "x", by="g"), r"groups=\["),
        (lambda f: bayesml.compare_levels(f.drop(columns=".draw"), "x", by="g"), "no column `.draw`"),
        (lambda f: bayesml.compare_levels(pd.concat([f, f]), "x", by="g"), "Several rows"),
        (lambda f: bayesml.compare_levels(f, "x", by="g", fun=lambda a, b: 1.0), "`fun` returns a number"),
        (lambda f: bayesml.compare_levels(f[f["g"] == "a"], "x", by="g"), "fewer than two"),
    ],
)
def test_wrong_questions_to_frames_are_told(call: object, said: str) -> None:
    frame = pd.DataFrame({".draw": [0, 0, 0, 1, 1, 1], "g": list("abcabc"), "x": [1.0, 2.0, 4.0, 2.0, 5.0, 9.0]})
    with pytest.raises(ModelError, match=said):
        call(frame)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        ("pairwise", {"b - a": [1, 3], "c - a": [3, 7], "c - b": [2, 4]}),
        ("default", {"b - a": [1, 3], "c - a": [3, 7], "c - b": [2, 4]}),
        ("control", {"b - a": [1, 3], "c - a": [3, 7]}),
        ("ordered", {"b - a": [1, 3], "c - b": [2, 4]}),
        ([("a", "c")], {"a - c": [-3, -7]}),
    ],
)
def test_levels_are_compared_draw_by_draw(comparison: object, expected: dict[str, list[int]]) -> None:
    frame = {".draw": [0, 0, 0, 1, 1, 1], "g": list("abcabc"), "x": [1.0, 2.0, 4.0, 2.0, 5.0, 9.0]}
    found = bayesml.compare_levels(frame, "x", by="g", comparison=comparison)  # type: ignore[arg-type]
    assert {label: own["x"].tolist() for label, own in found.groupby("g", observed=True)} == expected


def test_levels_keep_their_order_and_other_indices(fit: bayesml.Fit) -> None:
    found = bayesml.compare_levels(
        fit.spread_draws("r_Subject[g,term]"), "r_Subject", by="g", comparison="control", fun=np.divide
    )
    assert list(found) == [".chain", ".iteration", ".draw", "term", "g", "r_Subject"]
    one = found[(found["g"] == "310 / 308") & (found["term"] == "Days")]
    ratio = fit["r_Subject[310,Days]"] / fit["r_Subject[308,Days]"]
    np.testing.assert_array_equal(one.sort_values(".draw")["r_Subject"], ratio.to_numpy().ravel())
    levels = pd.Categorical(["low", "high"], categories=["low", "high"], ordered=True)
    frame = pd.DataFrame({".draw": [0, 0], ".row": [0, 1], "g": levels, ".epred": [1.0, 3.0]})
    assert bayesml.compare_levels(frame, ".epred", by="g")["g"].tolist() == ["high - low"]


def test_a_point_estimate_says_where_draws_are() -> None:
    point = bayesml.fit("Reaction ~ Days", sleep(), method="laplace")
    with pytest.raises(UnknownNameError, match=r"fit.to_normal_draws\(\).spread_draws\(\)"):
        point.spread_draws("b_Days")


def test_other_draws_make_no_groups(fit: bayesml.Fit) -> None:
    found = fit.spread_draws("b_Days", "r_Subject[g,term]")
    assert len(bayesml.median_qi(found, "r_Subject")) == 12
    both = bayesml.mean_qi(found)
    assert {"b_Days", "r_Subject", "r_Subject.lower"} <= set(both) and len(both) == 12
    compared = bayesml.compare_levels(found, "r_Subject", by="g", comparison="control")
    assert len(compared) == 5 * 2 * S and "b_Days" not in compared
    new = pd.DataFrame({"Days": [0.5, 9.0] * 2, "Subject": ["308", "308", "309", "309"]})
    predicted = fit.add_epred_draws(new)
    assert bayesml.median_qi(predicted)["Days"].tolist() == [0.5, 9.0] * 2
    compared = bayesml.compare_levels(predicted, ".epred", by="Subject")
    table = bayesml.mean_qi(compared)
    difference = fit.epred(new).to_numpy().reshape(S, 4)
    np.testing.assert_allclose(table[".epred"], (difference[:, 2:] - difference[:, :2]).mean(axis=0))
    assert table["Days"].tolist() == [0.5, 9.0]
