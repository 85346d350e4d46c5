"""Leave-one-out densities that brms's documentation publishes, and what they become where their k is mended."""

from __future__ import annotations

import numpy as np
import pytest

import bayesml
from bayesml.results.checks.moment_match import matched_rows

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*Pareto k")]
FORMULA = "count ~ zAge + zBase * Trt + (1 | patient)"


@pytest.fixture(scope="module")
def fits() -> tuple[bayesml.Fit, bayesml.Fit]:
    data = bayesml.load_dataset("epilepsy")
    options = {"family": "poisson", "default_priors": "brms", "seed": 1, "progress": False}
    return bayesml.fit(FORMULA, data, **options), bayesml.fit(f"{FORMULA} + (1 | obs)", data, **options)


def test_published_comparison(fits) -> None:
    """README of brms: elpd_loo -671.7 (36.6) and -596.8 (14.0), the difference -74.9 (27.2).

    Some ten and seventy rows have a k above 0.7: runs with other seeds differ by 2, and as much from the published one.
    """
    table = bayesml.loo_compare({"patient": fits[0], "obs": fits[1]})
    assert table.loc["patient", "elpd_loo"] == pytest.approx(-671.7, abs=4.0)
    assert table.loc["obs", "elpd_loo"] == pytest.approx(-596.8, abs=4.0)
    assert table.loc["patient", "elpd_diff"] == pytest.approx(-74.9, abs=6.0)
    assert table.loc["patient", "se_elpd_loo"] == pytest.approx(36.6, abs=2.0)
    assert table.loc["patient", "se_diff"] == pytest.approx(27.2, abs=2.0)


def test_three_ways_agree(fits) -> None:
    """Rows with a high k: integrated over the effects of their patients, by moved draws, and by refits."""
    fit = fits[0]
    k = fit.loo().evidence.found.pareto_k
    rows = np.flatnonzero(k > 0.7)
    integrated = fit.loo(groups="integrate").evidence.found
    assert (integrated.pareto_k < 0.7).all()
    refitted = fit.reloo(rows=rows).evidence.found.elpd[rows]
    moved = matched_rows(fit, rows, 1.0)
    # of the row that is 30 below, the density varies by many times itself over the posterior: it is left to the refit
    usual = (refitted > -15.0) & (moved.pareto_k < 0.7)
    assert usual.sum() >= len(rows) - 2
    # log densities of these rows vary by .5 to 1 over the posterior; of some 1,000 independent draws means err by .03
    np.testing.assert_allclose(integrated.elpd[rows][usual], refitted[usual], atol=0.15)
    np.testing.assert_allclose(moved.elpd[usual], refitted[usual], atol=0.25)


def test_an_effect_for_each_count_makes_loo_optimistic(fits) -> None:
    """Refits without a row, whose own effect is then averaged over by a fine grid, as an independent value."""
    fit = fits[1]
    conditional = fit.loo().evidence.found
    integrated = fit.loo(groups="integrate", group="obs").evidence.found
    worst = np.argsort(-conditional.pareto_k)[:3]
    assert (conditional.elpd[worst] > integrated.elpd[worst]).any()
    assert conditional.elpd.sum() - integrated.elpd.sum() > 8.0
    refitted = fit.reloo(rows=worst).evidence.found.elpd[worst]
    np.testing.assert_allclose(integrated.elpd[worst], refitted, atol=1.0)
