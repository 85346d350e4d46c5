"""Draws from the prior of models of several responses."""

from __future__ import annotations

import numpy as np

import bayesml
from bayesml import bf, prior, set_rescor


def test_residual_correlations_are_drawn_from_their_prior():
    rng = np.random.default_rng(2)
    data = {"x": rng.normal(size=12), "y1": rng.normal(size=12), "y2": rng.normal(size=12)}
    formula = bf("mvbind(y1, y2) ~ x") + set_rescor(True)
    priors = [prior("lkj(3)", "rescor")]
    fit = bayesml.fit(formula, data, prior=priors, sample_prior="only", draws=500, seed=3, progress=False)
    drawn = fit["rescor__y1__y2"].values.ravel()
    # Of lkj(eta) on 2 x 2 matrices (r + 1) / 2 is beta(eta, eta): mean 0, variance 1 / (2 eta + 1).
    assert abs(drawn.mean()) < 4 * np.sqrt(1 / 7 / drawn.size)
    assert abs(drawn.var() - 1 / 7) < 4 * np.sqrt(2 / drawn.size) / 7
