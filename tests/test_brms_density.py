"""The joint log density of every model equals brms's, at points of its own Stan program."""

from __future__ import annotations

import numpy as np
import pytest

from bayesml.errors import BayesmlError
from tests.brms_models import BrmsModel, brms_models, joint_log_densities
from tests.conftest import shared_path

# Models that cannot be fitted yet, under what the error names (a regular expression, one alternative for each part
# that is missing). Whoever adds a feature removes its models.
NOT_YET: dict[str, str] = {}
MISSING = {name: reason for reason, names in NOT_YET.items() for name in names.split()}

MODELS = brms_models()
CLOSE = {"gp": 1e-7}
"""Relative tolerances where densities cannot be as close as 1e-9.

The covariance matrix of the process at 59 places has a condition number of 5e12, and two Cholesky factors of it that
are both exact to the last digit, LAPACK's and ours, give values of the process that are 1.5e-6 apart.
"""


def ids(model: BrmsModel) -> str:
    return model.name


@pytest.mark.parametrize("model", [m for m in MODELS if m.name not in MISSING], ids=ids)
def test_joint_log_density_equals_that_of_brms(model):
    ours = joint_log_densities(model, model.problem())
    np.testing.assert_allclose(ours, [point.lp for point in model.points], rtol=CLOSE.get(model.name, 1e-9))


@pytest.mark.parametrize("model", [m for m in MODELS if m.name in MISSING], ids=ids)
def test_what_is_not_there_yet_is_named_in_an_error(model):
    with pytest.raises(BayesmlError, match=f"(?i){MISSING[model.name]}"):
        model.problem()


def test_what_is_said_to_be_missing_is_a_model():
    shared_path("reference", "brms_density.json")
    assert {model.name for model in MODELS} >= set(MISSING)
