"""A parameter of the family on which the likelihood rises without end has no standard error, and disturbs no other."""

from __future__ import annotations

import numpy as np
import pytest

import bayesml


@pytest.mark.filterwarnings("ignore::bayesml.FitWarning")
def test_negbinomial_without_overdispersion_is_poisson() -> None:
    rng = np.random.default_rng(4)
    g, x = np.repeat(np.arange(8), 8), rng.normal(size=64)
    # binomial counts vary less than Poisson counts do
    data = {"y": rng.binomial(8, 1.0 / (1.0 + np.exp(-0.4 * x))), "x": x, "g": g}
    fit, limit = (
        bayesml.fit("y ~ x + (1 | g)", data, family, method="laplace") for family in ("negbinomial", "poisson")
    )
    assert "rises without end as `shape`" in " ".join(str(fit.summary()).split())
    np.testing.assert_allclose(fit.fixef(), limit.fixef(), rtol=1e-4)
    assert fit.confint().loc["shape", ["lower", "upper"]].isna().all()
    draws = fit.to_normal_draws(seed=1).draws()
    assert np.isfinite(draws).all(axis=None)
    assert np.ptp(draws["shape"]) <= 1e-9 * draws["shape"].iloc[0]
