"""Incomplete beta and gamma functions: their fractions end, whatever the number of rows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from jax import lax
from scipy import special

from bayesml.engines.precision import double_precision
from bayesml.families import incomplete

ROWS = 20_000


def test_no_row_keeps_a_fraction_running(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    """Rounding may leave the last factor of a row an ulp or two from 1: among many rows there always is one.

    A fraction takes about the root of its largest shape in steps.
    """
    steps = []

    def counted(*arguments: Any) -> Any:
        state = lax.while_loop(*arguments)
        steps.append(float(state[0]))
        return state

    monkeypatch.setattr(incomplete, "lax", SimpleNamespace(while_loop=counted, stop_gradient=lax.stop_gradient))
    a, b = rng.uniform(1.0, 400.0, (2, ROWS))
    x, t = rng.beta(a, b), rng.gamma(a)
    with double_precision():
        below = incomplete.beta_tails(a, b, x, 1.0 - x)[0]
        above = incomplete.gamma_tails(a, t)[1]
    assert len(steps) == 3
    assert max(steps) < 400
    # scipy.special's own error is some 1e-12 here
    np.testing.assert_allclose(np.exp(below), special.betainc(a, b, x), rtol=1e-10)
    np.testing.assert_allclose(np.exp(above), special.gammaincc(a, t), rtol=1e-10)
