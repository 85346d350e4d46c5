"""Terms that are called by name, and joint priors: monotonic effects, the horseshoe."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml import prior
from bayesml.errors import DataError, FormulaError, PriorError
from bayesml.fit import describe_problem


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(7)
    n = 120
    size = rng.integers(0, 4, n)
    return pd.DataFrame(
        {
            "y": 1.0 + 6.0 * np.array([0.0, 0.6, 0.7, 1.0])[size] + rng.normal(0.0, 0.5, n),
            "k": rng.poisson(2.0, n),
            "size": size,
            "grade": pd.Categorical(np.array(list("LMHX"))[size], list("LMHX"), ordered=True),
            "shop": rng.choice(list("abc"), n),
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
        }
    )


@pytest.fixture(scope="module")
def fit(frame):
    return bayesml.fit("y ~ mo(grade) + x", frame, seed=4, chains=2, draws=800, progress=False)


def test_a_monotonic_effect_is_recovered(fit):
    # b is the average step, 6 / 3; four posterior standard deviations
    b = fit["bsp_mo(grade)"].values
    assert abs(b.mean() - 2.0) < 4.0 * b.std()
    shares = np.stack([fit[f"simo_mo(grade)1[{i}]"].values.ravel() for i in (1, 2, 3)], axis=1)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-10)
    assert np.all(np.abs(shares.mean(axis=0) - [0.6, 0.1, 0.3]) < 4.0 * shares.std(axis=0))


def test_a_prediction_adds_the_steps_up(fit, frame):
    new = frame.iloc[:5]
    values = {name: fit[name].values.ravel() for name in ("b_Intercept", "b_x", "bsp_mo(grade)")}
    shares = np.stack([fit[f"simo_mo(grade)1[{i}]"].values.ravel() for i in (1, 2, 3)], axis=1)
    taken = np.concatenate([np.zeros((len(shares), 1)), np.cumsum(shares, axis=1)], axis=1)[:, new["size"]]
    expected = values["b_Intercept"][:, None] + np.outer(values["b_x"], new["x"])
    expected += 3.0 * values["bsp_mo(grade)"][:, None] * taken
    np.testing.assert_allclose(fit.linpred(new).values.reshape(expected.shape), expected, rtol=1e-10)


def test_brmss_names_are_understood(fit):
    np.testing.assert_array_equal(fit["bsp_mograde"].values, fit["bsp_mo(grade)"].values)
    text = str(fit)
    assert "Monotonic Simplex Parameters" in text and "mo(grade)1[3]" in text


def test_a_saved_fit_predicts_alike(fit, frame, tmp_path):
    fit.save(tmp_path / "mo.nc")
    again = bayesml.load(tmp_path / "mo.nc")
    np.testing.assert_array_equal(again.linpred(frame.iloc[:3]).values, fit.linpred(frame.iloc[:3]).values)


@pytest.mark.parametrize(
    ("formula", "labels"),
    [
        ("y ~ mo(size) * x", ["mo(size)", "mo(size):x"]),
        ("y ~ mo(size) * shop", ["mo(size)", "mo(size):shop[b]", "mo(size):shop[c]"]),
        ("y ~ shop + mo(size):shop", ["shop[a]:mo(size)", "shop[b]:mo(size)", "shop[c]:mo(size)"]),
        ("y ~ mo(size) + mo(grade)", ["mo(size)", "mo(grade)"]),
    ],
)
def test_coefficients_are_labelled_as_in_r(formula, labels, frame):
    table = bayesml.default_prior(formula, frame)
    assert set(labels) <= set(table["coef"])
    simplexes = table.loc[table["class"] == "simo", "coef"].tolist()
    assert sorted(simplexes) == sorted(f"{label}1" for label in labels)


def test_calls_with_an_id_share_their_simplex(frame):
    spec = describe_problem('y ~ mo(size, id = "a") * x', frame).description.spec
    assert [p.name for p in spec.parameters if p.prior_class == "simo"] == ["simo_a"]


@pytest.mark.parametrize(
    ("formula", "error", "words"),
    [
        ("y ~ mo(shop)", FormulaError, "without an order"),
        ("y ~ mo(x)", DataError, "whole numbers"),
        ("y ~ mo(size, grade, x)", FormulaError, "too many arguments"),
        ("y ~ mo()", FormulaError, "ordered factor"),
        ("y ~ mo(size, knots = 3)", FormulaError, "knots"),
    ],
)
def test_what_cannot_be_monotonic_is_refused(formula, error, words, frame):
    with pytest.raises(error, match=words):
        describe_problem(formula, frame)


def test_a_category_the_fit_has_not_seen_is_refused(fit, frame):
    new = frame.iloc[:2].assign(grade=["L", "other"])
    with pytest.raises(DataError, match="other"):
        fit.linpred(new)


def test_a_dirichlet_prior_needs_a_number_for_each_step(frame):
    with pytest.raises(PriorError, match="2 numbers for a simplex of 3"):
        describe_problem("y ~ mo(size)", frame, prior=[prior("dirichlet(2, 1)", class_="simo", coef="mo(size)1")])
    with pytest.raises(PriorError, match="Dirichlet"):
        describe_problem("y ~ mo(size)", frame, prior=[prior("normal(0, 1)", class_="simo", coef="mo(size)1")])


# The horseshoe ------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::bayesml.errors.FitWarning")
def test_the_horseshoe_shrinks_what_is_not_there(frame):
    rng = np.random.default_rng(1)
    columns = {f"x{i}": rng.normal(size=len(frame)) for i in range(8)}
    data = pd.DataFrame({"y": 3.0 * columns["x0"] + rng.normal(size=len(frame)), **columns})
    formula = "y ~ " + " + ".join(columns)
    fit = bayesml.fit(formula, data, seed=5, chains=2, draws=300, prior=prior("horseshoe(3)"), progress=False,
                      target_accept=0.95)  # fmt: skip
    means = fit.fixef()["Estimate"]
    assert abs(means["x0"] - 3.0) < 0.5 and np.abs(means[[f"x{i}" for i in range(1, 8)]]).max() < 0.25
    assert "8 coefficients of b" in str(fit.plan)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([prior("horseshoe(1)", class_="Intercept")], "all coefficients"),
        ([prior("horseshoe(1)", coef="x")], "all coefficients"),
        ([prior("horseshoe(1)"), prior("normal(0, 1)", coef="x")], "leave one of the two out"),
        ([prior("horseshoe(1)", lb=0)], "no bounds"),
    ],
)
def test_a_horseshoe_is_for_all_coefficients(given, words, frame):
    with pytest.raises(PriorError, match=words):
        describe_problem("y ~ x + z", frame, prior=given)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("horseshoe(-1)", "larger than 0"),
        ("horseshoe(1, slab = 2)", "no argument `slab`"),
        ("horseshoe(1, df = 2)", "given twice"),
        ("horseshoe(1, autoscale = 3)", "True or False"),
        ("horseshoe(x)", "not a number"),
    ],
)
def test_a_horseshoe_that_cannot_be_read_is_refused(text, words):
    with pytest.raises(PriorError, match=words):
        prior(text)


def test_a_horseshoe_is_read_back_from_its_text():
    given = prior("horseshoe(2, par_ratio = 0.1, autoscale = FALSE)").distribution
    assert prior(str(given)).distribution == given
