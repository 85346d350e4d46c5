"""Incomplete beta and gamma functions: their fractions end, whatever the number of rows."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy import special

from bayesml.engines.precision import double_precision
from bayesml.families import incomplete

ROWS = 2_000


def test_no_row_keeps_a_fraction_running(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    """Rounding may leave the last factor of a row an ulp or two from 1: among many rows there always is one.

    A fraction takes about the root of its largest shape in steps.
    """
    steps: list[float] = []
    unfinished = incomplete._unfinished
    monkeypatch.setattr(incomplete, "_unfinished", lambda n, moving: steps.append(float(n)) or unfinished(n, moving))
    a, b = rng.uniform(1.0, 400.0, (2, ROWS))
    x, t = rng.beta(a, b), rng.gamma(a)
    with double_precision(), jax.disable_jit():
        below = incomplete.beta_tails(a, b, x, 1.0 - x)[0]
        above = incomplete.gamma_tails(a, t)[1]
    assert max(steps) < 400
    # scipy.special's own error is some 1e-12 here
    np.testing.assert_allclose(np.exp(below), special.betainc(a, b, x), rtol=1e-10)
    np.testing.assert_allclose(np.exp(above), special.gammaincc(a, t), rtol=1e-10)
