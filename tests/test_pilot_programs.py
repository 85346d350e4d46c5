"""The derivatives that the pilot needs are traced once for problems of the same structure."""

from __future__ import annotations

import numpy as np
import pytest

import bayesml
from bayesml.engines.nuts.forms.preconditioned import rows
from bayesml.engines.nuts.forms.preconditioned.pilot import find_pilot
from bayesml.families import get_family
from bayesml.formula.specify import as_formula
from bayesml.results.fits.fitting import prepared_model
from bayesml.results.record.recipe import Recipe

N = 40


def problem(seed: int, codes: tuple[int, ...] = (0, 1), x: str = "x", **functions: object):
    rng = np.random.default_rng(seed)
    data = {
        "x": np.linspace(-1.0, 1.0, N),
        "g": np.arange(N) % 5,
        "y": rng.exponential(1.5, N) + 0.01,
        "c": np.resize(codes, N),
    }
    formula = as_formula(f"y | cens(c) ~ {x} + (1 | g)")
    recipe = Recipe(formula, get_family("exponential"), bayesml.NUTS(), functions=functions)
    return prepared_model(recipe, data).problem


@pytest.fixture(autouse=True)
def no_programs():
    rows._shared_program.cache_clear()


def pilot(of) -> np.ndarray:
    return np.concatenate([np.ravel(np.asarray(value, float)) for _, value in sorted(find_pilot(of).values.items())])


def test_other_data_of_the_same_structure_find_the_program():
    first, second = pilot(problem(1)), pilot(problem(2))
    assert rows._shared_program.cache_info().currsize == 1
    rows._shared_program.cache_clear()
    np.testing.assert_array_equal(pilot(problem(2)), second)  # as where nothing was traced before
    assert not np.allclose(first, second)


def test_another_likelihood_has_another_program():
    pilot(problem(1))
    after = pilot(problem(1, codes=(-1, 0)))
    assert rows._shared_program.cache_info().currsize == 2
    rows._shared_program.cache_clear()
    np.testing.assert_array_equal(pilot(problem(1, codes=(-1, 0))), after)


def test_what_has_no_key_is_traced_for_itself():
    pilot(problem(1, x="twice(x)", twice=lambda x: 2 * x))
    assert rows._shared_program.cache_info().currsize == 0
