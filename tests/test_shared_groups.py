"""Group-level effects that are correlated across predictors, ``(1 | id | g)``."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml import bf
from bayesml.fit import describe_problem
from bayesml.terms.shared_group import SharedGroup

MODEL = bf("y ~ x + (1 | p | g)", sigma="~ 1 + (1 | p | g)")
# Rhat of so few draws, of one of 80 effects; what is tested does not depend on it.
pytestmark = pytest.mark.filterwarnings("ignore::bayesml.errors.FitWarning")


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(3)
    groups, each = 40, 15
    g, x = np.repeat(np.arange(groups), each), rng.normal(size=groups * each)
    effects = rng.multivariate_normal([0.0, 0.0], [[1.0, 0.7], [0.7, 1.0]], groups) * [1.0, 0.5]
    y = 1.0 + x + effects[g, 0] + np.exp(-0.3 + effects[g, 1]) * rng.normal(size=len(g))
    return pd.DataFrame({"y": y, "x": x, "g": g})


@pytest.fixture(scope="module")
def fit(frame):
    return bayesml.fit(MODEL, frame, seed=1, chains=2, draws=500, progress=False)


@pytest.mark.slow
def test_the_correlation_across_predictors_is_recovered(fit):
    table = fit.summary().to_pandas()
    truths = {"cor_g__Intercept__sigma_Intercept": 0.7, "sd_g__Intercept": 1.0, "sd_g__sigma_Intercept": 0.5}
    for name, truth in truths.items():
        assert abs(table.loc[name, "Estimate"] - truth) < 4.0 * table.loc[name, "Est.Error"]


def test_coordinates_follow_the_vectors_of_effects(fit):
    """The plain form has 167 effective draws of 4,000 with 60 such groups, at 31 leapfrogs a draw; here 4,900 at 15.

    Of 1,000 draws a quarter is asked for: the effective number of so few draws is known to a tenth or two.
    """
    assert fit.plan.startswith("preconditioned")
    run = fit.diagnostics
    assert run.divergences == 0
    assert run.leapfrog_steps <= 20 * 1000
    assert run.min_bulk_ess.value > 250


def test_effects_are_products_of_what_is_sampled(frame):
    problem = describe_problem(MODEL, frame)
    rng = np.random.default_rng(0)
    values = {"sd_g": np.array([1.5]), "sd_g__sigma": np.array([0.4])}
    values["L_g__p"] = np.array([[1.0, 0.0], [0.6, 0.8]])
    values["z_g__p"] = rng.normal(size=(2, 40))
    derived = {}
    for predictor in problem.design.schema.predictors:
        for term in predictor.terms:
            if isinstance(term, SharedGroup):
                derived |= term.derive(values)
    expected = np.diag([1.5, 0.4]) @ values["L_g__p"] @ values["z_g__p"]
    np.testing.assert_allclose(derived["r_g"][:, 0], expected[0])
    np.testing.assert_allclose(derived["r_g__sigma"][:, 0], expected[1])
    np.testing.assert_allclose(derived["cor_g__p"], [0.6])


def test_new_levels_get_correlated_effects(fit, frame):
    rows = pd.DataFrame({"x": [0.0], "g": [999]})
    mu = fit.linpred(rows, new_levels="gaussian", seed=2).values.ravel() - fit["b_Intercept"].values.ravel()
    sigma = fit.linpred(rows, dpar="sigma", new_levels="gaussian", seed=2).values.ravel()
    both = fit.predict(rows, new_levels="gaussian", seed=2).values.ravel()
    assert np.all(np.isfinite(both)) and mu.std() > 0.8 and sigma.std() > 0.3


def test_tables_hold_one_matrix(fit):
    varcorr = fit.varcorr()["g"]
    text = str(varcorr)
    assert "sigma_Intercept" in text


def test_a_saved_fit_predicts_alike(fit, frame, tmp_path):
    fit.save(tmp_path / "shared.nc")
    again = bayesml.load(tmp_path / "shared.nc")
    np.testing.assert_array_equal(again.epred(frame.iloc[:3]).values, fit.epred(frame.iloc[:3]).values)


def test_an_identifier_of_one_predictor_means_nothing(frame):
    one = describe_problem("y ~ x + (x | p | g)", frame).description.spec
    plain = describe_problem("y ~ x + (x | g)", frame).description.spec
    assert one.parameters == plain.parameters


def test_unshared_blocks_beside_shared_ones(frame):
    formula = bf("y ~ x + (1 | p | g) + (0 + x | g)", sigma="~ (1 | p | g)")
    spec = describe_problem(formula, frame).description.spec
    shapes = {p.name: p.shape for p in spec.parameters if p.group}
    assert shapes == {"sd_g": (2,), "z_g": (1, 40), "L_g__p": (2, 2), "z_g__p": (2, 40), "sd_g__sigma": (1,)}
