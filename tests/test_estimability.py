"""What the data determine where columns depend on each other, and what they do not."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import FitWarning, ModelError

RNG = np.random.default_rng(11)
N = 90
FULL = pd.DataFrame(
    {
        "cm": RNG.normal(170, 10, N),
        "z": RNG.normal(size=N),
        "w": RNG.normal(size=N),
        "region": RNG.choice(list("NSW"), N),
        "A": RNG.choice(list("ab"), N),
        "g": RNG.integers(0, 9, N),
    }
)
FULL["y"] = 0.1 * FULL.cm + FULL.z + (FULL.A == "b") + RNG.normal(size=9)[FULL.g] + RNG.normal(size=N)
FULL["n"] = RNG.poisson(np.exp(0.2 * FULL.z + 1))
HOLES = FULL[~((FULL.region == "S") & (FULL.A == "b"))].reset_index(drop=True)
CELLS = {"region": list("NNSSWW"), "A": list("ababab")}


def fitted(formula: str, data: pd.DataFrame, family: str = "gaussian") -> bayesml.PointFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return bayesml.fit(formula, data, family, method="reml" if family == "gaussian" else "laplace")


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
@pytest.mark.parametrize(
    "redundant",
    [
        {"inch": 2 * FULL.cm - 1},
        {"inch": 2e-9 * FULL.cm},
        {"inch": (FULL.cm / 2.54).astype("float32").astype(float), "cm": FULL.cm.astype("float32").astype(float)},
        {"inch": 1e7 * FULL.cm + 1e7 * FULL.w},
        {"inch": np.zeros(N)},
    ],
    ids=["shifted", "tiny", "float32", "sum", "zero"],
)
@pytest.mark.parametrize("order", ["cm + inch + z + w", "inch + z + w + cm"])
def test_redundant_columns_leave_other_effects_alone(redundant: dict, order: str, family: str) -> None:
    response = "y" if family == "gaussian" else "n"
    data = FULL.assign(**redundant)
    fit = fitted(f"{response} ~ {order} + (1 | g)", data, family)
    plain = fitted(f"{response} ~ cm + z + w + (1 | g)", data, family)
    assert len(fit.estimate.dropped) == 1
    # The same model: fits agree to the tolerance of the search, float32 columns to 1e-7 of themselves.
    want = plain.contrast("z = 0").iloc[0]
    for found in (fit.contrast("z = 0").iloc[0], fit.contrast({"z": 1}).iloc[0]):
        np.testing.assert_allclose(found.astype(float), want.astype(float), rtol=1e-5)
    slope = fit.emtrends("z").to_pandas().iloc[0]
    np.testing.assert_allclose(slope[["z.trend", "Std.Error"]].astype(float), want[:2].astype(float), rtol=1e-5)
    for kind in (1, 2, 3):
        np.testing.assert_allclose(
            fit.anova(kind).loc["z"].astype(float), plain.anova(kind).loc["z"].astype(float), rtol=2e-5
        ) if kind != 1 else None
        assert set(fit.anova(kind).index) == {"cm", "inch", "z", "w"} - {str(fit.estimate.dropped[0])}
    if np.any(data["inch"]):
        assert np.isnan(fit.emtrends("cm").to_pandas()["cm.trend"][0])
        with pytest.raises(ModelError, match="cannot be estimated"):
            fit.contrast("cm = 0")


def test_sums_that_can_be_estimated() -> None:
    """With inch = 2 cm - 1 only b_cm + 2 b_inch and b_Intercept - b_inch are determined."""
    data = FULL.assign(inch=2 * FULL.cm - 1)
    plain = fitted("y ~ cm + z + (1 | g)", data)
    for order in ("cm + inch", "inch + cm"):
        fit = fitted(f"y ~ {order} + z + (1 | g)", data)
        found = fit.contrast(["cm + 2 * inch", "Intercept - inch"])
        want = plain.contrast(["cm", "Intercept"])
        np.testing.assert_allclose(found.astype(float), want.astype(float), rtol=1e-6)
        with pytest.raises(ModelError, match="cannot be estimated"):
            fit.contrast("cm + 2.001 * inch")
        rows = {"cm": [150.0, 180.0], "inch": [299.0, 359.0], "z": [0.0, 1.0]}
        np.testing.assert_allclose(fit.predict(rows, re_formula="NA"), plain.predict(rows, re_formula="NA"), rtol=1e-7)
        with pytest.warns(FitWarning, match="cannot be predicted"):
            apart = fit.predict({"cm": [150.0, 180.0], "inch": [299.0, 300.0], "z": [0.0, 1.0]}, re_formula="NA")
        np.testing.assert_array_equal(np.isnan(apart), [False, True])


@pytest.mark.parametrize("formula", ["region / A", "region * A", "A:region", "region + region:A"])
@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_a_cell_without_data(formula: str, family: str) -> None:
    response = "y" if family == "gaussian" else "n"
    fit = fitted(f"{response} ~ {formula} + z + (1 | g)", HOLES, family)
    cells = HOLES.assign(cell=HOLES.region + HOLES.A)
    plain = fitted(f"{response} ~ 0 + cell + z + (1 | g)", cells, family)
    want = plain.emmeans("cell").to_pandas().set_index("cell")
    means = fit.emmeans(["region", "A"]).to_pandas()
    means.index = means.region + means.A
    # The grid of nested factors leaves out what is not there.
    assert set(means.index) - {"Sb"} == set(want.index)
    for name, tolerance in {"emmean": 1e-5, "Std.Error": 1e-5, "lower": 1e-4, "upper": 1e-4}.items():
        assert "Sb" not in means.index or np.isnan(means.loc["Sb", name])
        np.testing.assert_allclose(means[name].loc[want.index], want[name], rtol=tolerance)
    rows = pd.DataFrame(CELLS | {"z": 0.5})
    for interval in (None, "confidence", "prediction"):
        with pytest.warns(FitWarning, match="labelled 3"):
            found = np.asarray(fit.predict(rows, re_formula="NA", interval=interval))
        np.testing.assert_array_equal(np.isnan(found).reshape(6, -1).all(axis=1), np.arange(6) == 3)
        np.testing.assert_array_equal(np.isnan(found).reshape(6, -1).any(axis=1), np.arange(6) == 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        eta = fit.linpred(rows, re_formula="NA")
    kept = rows.assign(cell=rows.region + rows.A).drop(3)
    np.testing.assert_allclose(np.delete(eta, 3), plain.linpred(kept, re_formula="NA"), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fit.emtrends("z").to_pandas()["z.trend"], plain.estimate.beta[-1], rtol=1e-5)
    pairs = fit.emmeans("A", by="region").contrasts("pairwise").set_index("region")["estimate"]
    assert np.isfinite(pairs[["N", "W"]]).all()
    assert "S" not in pairs.index or np.isnan(pairs["S"])


def test_tables_of_collinear_models_are_not_empty() -> None:
    # R: anova(lmer(y ~ inch + cm + (1|g))): one row for the term that stayed
    data = FULL.assign(inch=2 * FULL.cm - 1)
    want = fitted("y ~ cm + (1 | g)", data).anova().loc["cm"]
    for order, name in (("cm + inch", "cm"), ("inch + cm", "inch")):
        for kind in (1, 2, 3):
            table = fitted(f"y ~ {order} + (1 | g)", data).anova(kind)
            assert list(table.index) == [name]
            np.testing.assert_allclose(table.loc[name].astype(float), want.astype(float), rtol=1e-5)


def test_a_factor_within_another() -> None:
    """k joins two levels of f: k + f is f, and what f adds to k is one degree of freedom."""
    # R: anova(lmer(y ~ k + f + (1|g))) has k and f with one degree of freedom each, for all types
    data = FULL.assign(f=FULL.region, k=np.where(FULL.region == "N", "p", "q"))
    both = fitted("y ~ k + f + z + (1 | g)", data)
    for kind in (1, 2, 3):
        table = both.anova(kind)
        assert list(table.index) == ["k", "f", "z"]
        np.testing.assert_array_equal(table["NumDF"], [1, 1, 1])
    other = fitted("y ~ f + k + z + (1 | g)", data)
    for kind in (1, 2, 3):
        assert list(other.anova(kind).index) == ["f", "z"]
        np.testing.assert_array_equal(other.anova(kind)["NumDF"], [2, 1])
    np.testing.assert_allclose(both.anova(3).loc["z"].astype(float), other.anova(3).loc["z"].astype(float), rtol=1e-6)


DEPENDENT = (
    "cm + inch", "inch + cm + z", "0 + region + region:A", "0 + region * A", "region:A", "k + region", "region + k",
    "k * region", "region * k", "k / region", "k + region:A", "region * A * z", "region * A * cm", "flag * z",
    "flag + region:flag", "none + z", "none * z", "one + z", "poly(z, 2) + z", "z + poly(z, 2)",
    "region * A + cm + inch", "cm * region + inch * region", "cm * region + inch:region", "k:z + region:z",
    "region:z + k:z", "0 + z", "I(z**2) + z + I(3 * z)", "region * A + k:A", "A + region:A + k:A",
)  # fmt: skip


@pytest.mark.parametrize("formula", DEPENDENT)
def test_tables_of_dependent_terms(formula: str) -> None:
    """Type I splits the rank of X without remainder; every table has finite numbers for terms that have columns."""
    data = HOLES.assign(
        inch=2 * HOLES.cm - 1, k=np.where(HOLES.region == "N", "p", "q"), flag=HOLES.w > 0, none=0.0, one=1.0
    )
    fit = fitted(f"y ~ {formula} + (1 | g)", data)
    intercept = "Intercept" in fit.estimate.coefs
    for kind in (1, 2, 3):
        for ddf in ("satterthwaite", "kenward-roger", None):
            table = fit.anova(kind, ddf)
            assert np.isfinite(table.to_numpy()).all()
        assert (table["Df"] > 0).all()
        assert kind > 1 or table["Df"].sum() == len(fit.estimate.coefs) - intercept


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units_do_not_decide_what_is_collinear(unit: float) -> None:
    near = FULL.cm + 1e-5 * FULL.w * FULL.cm.std()
    data = FULL.assign(near=near * unit, same=FULL.cm * unit * 3)
    assert fitted("y ~ cm + near + (1 | g)", data).estimate.dropped == ()
    assert fitted("y ~ cm + same + (1 | g)", data).estimate.dropped == ("same",)
