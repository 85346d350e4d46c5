"""The joint log density of every model equals brms's, at points of its own Stan program."""

from __future__ import annotations

import numpy as np
import pytest

from bayesml.errors import BayesmlError
from tests.brms_models import BrmsModel, brms_models, joint_log_densities

# Models that cannot be fitted yet, each with what the error has to name. Whoever adds a feature removes its lines.
NOT_YET = {
    "acat": "family 'acat'",
    "ar": r"`ar\(...\)`",
    "asym_laplace": "family 'asym_laplace'",
    "categorical": "family 'categorical'",
    "cens": "family 'weibull'",
    "cumulative": "family 'cumulative'",
    "cumulative_probit": "family 'cumulative'",
    "exgaussian": "family 'exgaussian'",
    "exponential": "family 'exponential'",
    "geometric": "family 'geometric'",
    "gp": r"`gp\(...\)`",
    "horseshoe": "horseshoe",
    "hurdle_gamma": "family 'hurdle_gamma'",
    "hurdle_poisson": "family 'hurdle_poisson'",
    "mo": r"`mo\(...\)`",
    "mo_int": r"`mo\(...\)`",
    "mv": "rescor",
    "nl": "nonlinear",
    "skew_normal": "family 'skew_normal'",
    "spline": r"`s\(...\)`",
    "sratio": "family 'sratio'",
    "weibull": "family 'weibull'",
    "zinb": "family 'zero_inflated_negbinomial'",
    "zip": "family 'zero_inflated_poisson'",
}

MODELS = brms_models()
pytestmark = pytest.mark.skipif(not MODELS, reason="needs the reference folder")


def ids(model: BrmsModel) -> str:
    return model.name


@pytest.mark.parametrize("model", [m for m in MODELS if m.name not in NOT_YET], ids=ids)
def test_joint_log_density_equals_that_of_brms(model):
    ours = joint_log_densities(model, model.problem())
    np.testing.assert_allclose(ours, [point.lp for point in model.points], rtol=1e-9)


@pytest.mark.parametrize("model", [m for m in MODELS if m.name in NOT_YET], ids=ids)
def test_what_is_not_there_yet_is_named_in_an_error(model):
    with pytest.raises(BayesmlError, match=NOT_YET[model.name]):
        model.problem()
