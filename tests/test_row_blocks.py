"""Expected responses are computed block by block of the rows: the numbers are those of all rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special

import bayesml
from bayesml.links.elementary import expit
from bayesml.results.predict import drawn

ROWS = 50


def data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    x, z = rng.standard_normal((2, ROWS))
    g = np.arange(ROWS) % 10
    y = 1.0 + 0.5 * x + rng.standard_normal(10)[g] + rng.standard_normal(10)[g] * x + 0.5 * rng.standard_normal(ROWS)
    return pd.DataFrame({"y": y, "x": x, "z": z, "g": g, "b": (y > 1.0).astype(int)})


DATA = data()
FORMULAS: dict[str, dict[str, Any]] = {
    "y ~ x + (1 + x | g) + offset(z)": {"method": "reml"},
    "y ~ s(z, k=4) + x + (1 + x || g)": {"method": "reml"},
    "b ~ x + z + (1 | g)": {"method": "laplace", "family": "bernoulli"},
}


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("size", [1, 7])
def test_blocks_of_rows_change_nothing(formula: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = bayesml.fit(formula, DATA, **FORMULAS[formula]).to_normal_draws(40, seed=1)
    new = pd.concat([DATA, DATA.assign(g=[*range(5, 55)])], ignore_index=True)
    asked: dict[str, Any] = {"newdata": new, "new_levels": "gaussian", "seed": 2}
    whole = [fit.epred(**asked), fit.linpred(**asked, transform=True), fit.epred()]
    monkeypatch.setattr(drawn, "ROWS_AT_ONCE", size)
    # Matrix products of other shapes add in another order.
    for before, after in zip(
        whole, [fit.epred(**asked), fit.linpred(**asked, transform=True), fit.epred()], strict=True
    ):
        np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-12)


def test_inverse_logit_of_arrays_equals_scipys() -> None:
    """Both round the exponential, a sum and a quotient: within three units of the last place."""
    x = np.concatenate([np.linspace(-705.0, 800.0, 3001), [np.inf, -np.inf, -1000.0, 0.0]])
    np.testing.assert_allclose(expit(x), special.expit(x), rtol=3 * np.finfo(float).eps)
    assert np.isnan(expit(np.array([np.nan]))).all()
