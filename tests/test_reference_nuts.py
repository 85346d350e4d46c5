"""Every lme4 fit of the reference folder by NUTS: the posterior sits where lme4 puts the estimates."""

from __future__ import annotations

import numpy as np
import pytest

import bayesml
from tests.reference import Reference, references

# The ML and quadrature versions of a model share its posterior.
MODELS = [r for r in references() if r.id not in {"sleep_full_ml", "cbpp_agq9"}]


SLOW = {"blp", "classroom_diag", "classroom_full"}  # half a minute each


def marked(reference: Reference) -> object:
    marks = [pytest.mark.slow] if reference.id in SLOW else []
    return pytest.param(reference, id=reference.id, marks=marks)


@pytest.fixture(scope="module", params=map(marked, MODELS))
def fitted(request) -> tuple[Reference, bayesml.Fit]:
    reference = request.param
    fit = bayesml.fit(
        reference.formula,
        reference.frame,
        reference.family,
        draws=500,
        warmup=700,
        seed=5,
        target_accept=0.95,
        progress=False,
    )
    return reference, fit


@pytest.mark.filterwarnings("ignore::bayesml.FitWarning")
def test_fixed_effects(fitted):
    reference, fit = fitted
    for coef, estimate in reference.fixed().items():
        draws = fit[f"b_{coef}"].values
        # lme4 conditions on the estimated variances and has no prior: the centre moves by a fraction of its error.
        assert abs(draws.mean() - estimate) < 0.5 * draws.std(), coef


@pytest.mark.filterwarnings("ignore::bayesml.FitWarning")
def test_group_sds(fitted):
    reference, fit = fitted
    for name, estimate in reference.sds().items():
        draws = fit[name].values
        if estimate == 0:  # what lme4 puts on the boundary is not separated from zero
            assert np.quantile(draws, 0.025) < 0.2 * draws.mean(), name
            continue
        # The mean of a skewed posterior of a variance component lies above its mode, by about one sd for the smallest
        # factors (six levels).
        assert abs(draws.mean() - estimate) < 1.5 * draws.std(), name
