"""Analyses of variance of 240 random small designs against lmerTest and pbkrtest: ``facts/small_designs.R``."""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import FitWarning

FACTS = json.loads((Path(__file__).parent / "facts" / "small_designs.json").read_text())
KINDS = list(dict.fromkeys(fact["kind"] for fact in FACTS))
DDF = {"satterthwaite": "satterthwaite", "kr": "kenward-roger"}
COLUMNS = ["F value", "NumDF", "DenDF", "Pr(>F)"]
# The search for the optimum stops within 1e-4 standard errors of it. Most stop far closer, since its last step is a
# Newton step; variances of few groups have standard errors as large as themselves, and F and its denominator degrees of
# freedom change as much as the variances do. Both sides differentiate numerically, to about 1e-8.
WITHIN = 2e-4
TYPICAL = 1e-6

# One row, exactly 2 denominator degrees of freedom: lambda = m (1 - s) / (m - 2) is a quotient of rounding errors in
# pbkrtest, which gives F = -2e-11 and 6e-14 with p = 1, and 1.996 degrees of freedom.
ROUNDED = {("split", seed, "kr", 3, "A") for seed in (4014, 4015, 4035)}

# The criterion is flat to the fourth order at a variance of 0, its optimum, so that the variance has no standard error.
FLAT = {("3x2", 2024)}


# Hypotheses that lmerTest makes otherwise. In `a/b` it does not see that `a:b` contains `a`, and compares the levels of
# a at the first level of b. The last of three terms it adjusts for none of the others in type II.
OTHER = {("y ~ a/b + (1 | g)", 2, "a"), ("y ~ a/b + (1 | g)", 3, "a"), ("y ~ a + b + a:b:x + (1 | g)", 2, "a:b:x")}


@cache
def fit_of(place: int) -> bayesml.PointFit:
    return fitted(FACTS[place])


def fits_of(kind: str) -> list[tuple[dict[str, Any], bayesml.PointFit]]:
    return [(fact, fit_of(place)) for place, fact in enumerate(FACTS) if fact["kind"] == kind]


def fitted(fact: dict[str, Any]) -> bayesml.PointFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return bayesml.fit(fact["formula"], pd.DataFrame(fact["data"]), method="reml")


def differences(found: pd.DataFrame, expected: dict[str, list[float]]) -> dict[str, float]:
    """Return for each row the largest relative difference; p values by their logarithms."""
    out = {}
    for name, (F, numerator, denominator, p) in expected.items():
        row = found.loc[name, COLUMNS].to_numpy(dtype=float)
        assert row[1] == numerator, name
        # F near zero and p near one are told from zero and one by rounding alone.
        on_F, on_df = abs(row[0] - F) / (F + 1e-4), abs(row[2] / denominator - 1)
        on_p = abs(np.log(row[3] / p)) / (1 + 2 * abs(np.log(p)))
        out[name] = max(on_F, on_df, on_p)
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_analyses_of_variance(kind: str) -> None:
    seen = []
    for fact, fit in fits_of(kind):
        for name, ddf in DDF.items():
            for place, expected in enumerate(fact["anova"][name]):
                case = fact["kind"], fact["seed"], name, place + 1
                other = {k for k in expected if (*case, k) in ROUNDED or (fact["formula"], place + 1, k) in OTHER}
                wanted = {k: v for k, v in expected.items() if k not in other}
                for term, size in differences(fit.anova(place + 1, ddf), wanted).items():
                    assert size < WITHIN, (*case, term, fact["formula"], size)
                    seen.append(size)
    assert np.median(seen) < TYPICAL


@pytest.mark.parametrize("kind", KINDS)
def test_coefficients(kind: str) -> None:
    seen = []
    for fact, fit in fits_of(kind):
        if len(fit.estimate.dropped) or (kind, fact["seed"]) in FLAT:
            continue
        assert abs(-2 * fit.estimate.log_likelihood - fact["reml"]) < 1e-6
        for name, ddf in DDF.items():
            table = fit.contrast(np.eye(len(fact["coefs"])), ddf=ddf)[["Estimate", "Std.Error", "df", "p"]].to_numpy()
            expected = np.array(fact["fixed"][name])
            errors = np.abs(table[:, 0] - expected[:, 0]) / expected[:, 1]
            ratios = np.abs(table[:, 1:3] / expected[:, 1:3] - 1).max(axis=1)
            p = np.abs(np.log(table[:, 3] / expected[:, 3])) / (1 + 2 * np.abs(np.log(expected[:, 3])))
            size = np.max([errors, ratios, p], axis=0)
            assert size.max() < WITHIN, (fact["seed"], name, fact["formula"], size.max())
            seen += size.tolist()
    assert np.median(seen) < TYPICAL


@pytest.mark.parametrize("seed", [case[1] for case in sorted(ROUNDED)])
def test_two_degrees_of_freedom_in_unbalanced_split_plots(seed: int) -> None:
    fact = next(f for f in FACTS if (f["kind"], f["seed"]) == ("split", seed))
    row = fitted(fact).anova(3, "kenward-roger").loc["A"]
    np.testing.assert_allclose(row["DenDF"], 2.0, rtol=1e-9)
    # The adjustment leaves this standard error as it is.
    np.testing.assert_allclose(row["F value"], fact["anova"]["satterthwaite"][2]["A"][0], rtol=WITHIN)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units_of_the_response(unit: float) -> None:
    for fact in FACTS[::12]:
        plain = fitted(fact).anova(3, "kenward-roger")
        data = {**fact["data"], "y": [unit * y for y in fact["data"]["y"]]}
        found = fitted({**fact, "data": data}).anova(3, "kenward-roger")
        for column in ("F value", "DenDF"):
            np.testing.assert_allclose(found[column], plain[column], rtol=WITHIN, atol=1e-9)
