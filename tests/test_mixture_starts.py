"""Starts in densities with several modes: around the one with the mass, and everywhere where several have it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp

from bayesml.engines.nuts.forms.many_starts import centred_at_the_highest_mode, tuned_where_the_mass_is
from bayesml.engines.nuts.forms.plain import plain_form
from bayesml.engines.precision import double_precision
from bayesml.families import mixture
from bayesml.fit import describe_problem

CENTER, SCALE = np.array([3.0, -1.0]), np.array([2.0, 0.5])
PLACES = np.array([[5.0, -1.2], [0.5, -0.7]])  # on the scale of u = center + scale q


def two_modes(log_shares: tuple[float, float], widths: tuple[float, float]) -> Any:
    """Log density and gradient of a mixture of two normal distributions, each of unequal widths in u."""

    def evaluate(q: np.ndarray, data: Any) -> tuple[float, np.ndarray]:
        u = data["center"] + data["scale"] * q
        spread = np.outer(widths, [1.0, 0.25])
        z = (u - PLACES) / spread
        logs = np.array(log_shares) - 0.5 * (z**2).sum(axis=1) - np.log(spread).sum(axis=1)
        weights = np.exp(logs - logsumexp(logs))
        return float(logsumexp(logs)), -(weights[:, None] * z / spread).sum(axis=0) * data["scale"]

    return evaluate


@pytest.mark.parametrize("heavy", [0, 1])
@pytest.mark.parametrize("widths", [(0.2, 0.2), (0.15, 0.3), (0.3, 0.15)])
def test_the_mode_with_the_mass_is_the_centre(heavy: int, widths: tuple[float, float]) -> None:
    """Whichever is the higher: a narrow mode is high, and has little mass."""
    shares = (0.0, -15.0) if heavy == 0 else (-15.0, 0.0)
    found = centred_at_the_highest_mode(two_modes(shares, widths), {"center": CENTER, "scale": SCALE, "y": 1})
    np.testing.assert_allclose(found["center"], PLACES[heavy], atol=1e-3)
    np.testing.assert_allclose(found["scale"], np.array([1.0, 0.25]) * widths[heavy], rtol=1e-3)
    assert found["y"] == 1


def test_modes_that_share_the_mass_leave_the_starts_apart() -> None:
    data = {"center": CENTER, "scale": SCALE}
    found = centred_at_the_highest_mode(two_modes((0.0, -1.0), (0.2, 0.2)), data)
    assert found is data


def test_a_density_that_is_finite_nowhere_keeps_its_starts() -> None:
    data = {"center": CENTER, "scale": SCALE}
    assert centred_at_the_highest_mode(lambda q, data: (np.nan, np.full(2, np.nan)), data) is data


@pytest.mark.parametrize(("center", "is_usable"), [(PLACES[0], True), (PLACES[1], False)])
def test_coordinates_are_built_at_the_mode_of_the_pilot_if_it_holds_the_mass(
    center: np.ndarray, is_usable: bool
) -> None:
    tune = tuned_where_the_mass_is(lambda evaluate, data: data | {"tuned": True}, 2)
    data, evaluate = {"center": center, "scale": SCALE}, two_modes((0.0, -15.0), (0.2, 0.2))
    if is_usable:
        assert tune(evaluate, data)["tuned"]
    else:
        with pytest.raises(ArithmeticError, match="several modes"):
            tune(evaluate, data)


@pytest.mark.parametrize("far", [5.0, 100.0])
def test_a_component_does_not_start_with_the_whole_response(far: float) -> None:
    """Centred at the mode, components lie where the two halves of the responses are."""
    import jax

    rng = np.random.default_rng(2)
    y = np.concatenate([rng.normal(size=90), far + rng.normal(size=60)])
    form = plain_form(describe_problem("y ~ 1", {"y": y}, mixture("gaussian", "gaussian")))
    with double_precision():
        value_and_slope = jax.jit(jax.value_and_grad(form.density))
        assert form.tune is not None
        data = form.tune(lambda q, d: tuple(map(np.asarray, value_and_slope(q, d))), form.data)
        values = form.report(np.zeros(form.size), np.zeros(0), data)
    assert abs(float(values["b_mu1"][0])) < 0.5 and abs(float(values["b_mu2"][0]) - far) < 0.5
    np.testing.assert_allclose(values["theta"], [0.6, 0.4], atol=0.05)


def test_densities_with_one_mode_are_not_searched() -> None:
    assert plain_form(describe_problem("y ~ 1", {"y": np.arange(5.0)}, "gaussian")).tune is None
