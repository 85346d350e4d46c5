"""Ordinal families whose main formula is nonlinear: thresholds stand beside the function, as those of a sum do."""

from __future__ import annotations

import numpy as np
import pytest

import bayesml

RNG = np.random.default_rng(4)
X = RNG.normal(1.0, 1.0, size=90).round(2)
DATA = {"x": X, "o": np.digitize(0.8 * X + RNG.logistic(size=90), [-0.5, 0.7, 1.8]) + 1}


@pytest.mark.parametrize("family", ["cumulative", pytest.param("sratio", marks=pytest.mark.slow)])
def test_a_product_is_the_model_of_the_sum(family: str) -> None:
    """a x with a ~ 1 is b x: the same maximum, thresholds, slope, standard errors and probabilities."""
    plain = bayesml.fit("o ~ x", DATA, family, method="laplace")
    product = bayesml.fit(bayesml.bf("o ~ a * x", a="~ 1", nonlinear=True), DATA, family, method="laplace")
    assert product.logLik == pytest.approx(plain.logLik, abs=1e-6)
    for column in ("Estimate", "Std.Error"):
        np.testing.assert_allclose(product.fixef()[column], plain.fixef()[column], atol=1e-3)
    rows = {"x": [-1.0, 2.0]}
    np.testing.assert_allclose(product.epred(rows), plain.epred(rows), atol=1e-3)


def test_priors_are_those_of_thresholds() -> None:
    table = bayesml.default_prior(bayesml.bf("o ~ a * x", a="~ 1", nonlinear=True), DATA, "acat")
    assert table.loc[table["class"] == "Intercept", "coef"].tolist() == ["", "1", "2", "3"]
    assert set(table.loc[table["class"] == "b", "nlpar"]) == {"a"}
