"""Effects of ``mo(x)``, ``me(x, s)`` and ``mi(x)`` that vary over groups; densities are in test_brms_density.py."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import BayesmlError
from bayesml.fit import describe_problem
from tests.handmade import handmade_fit


def table() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 40
    return pd.DataFrame(
        {
            "y": rng.normal(size=n), "x": rng.normal(size=n), "s": rng.uniform(0.1, 0.5, n), "dose": np.arange(n) % 4,
            "g": np.repeat(list("abcde"), 8), "g2": np.tile(list("abcde"), 8), "side": np.repeat(["u", "v"], [16, 24]),
        }
    )  # fmt: skip


def steps(shares: np.ndarray, dose: np.ndarray) -> np.ndarray:
    """Return D (zeta_1 + ... + zeta_x), ``(..., rows)``."""
    return 3.0 * np.concatenate([np.zeros((*shares.shape[:-1], 1)), np.cumsum(shares, axis=-1)], axis=-1)[..., dose]


@pytest.mark.parametrize("rows", [slice(0, 40), slice(3, 9)])
def test_effects_multiply_the_steps_that_their_coefficient_multiplies(rows):
    fit = handmade_fit("y ~ mo(dose) * x + (mo(dose):x | g)", table())
    new = table().iloc[rows].reset_index(drop=True)
    draws = {name: np.asarray(fit.idata.posterior[name]) for name in fit.idata.posterior}
    dose, x, level = new["dose"].to_numpy(), new["x"].to_numpy(), new["g"].map("abcde".index).to_numpy()
    main, product = (steps(draws[f"simo_{name}1"], dose) for name in ("mo(dose)", "mo(dose):x"))
    b, r = draws["bsp"], draws["r_g"]
    wanted = draws["b_Intercept"][..., None] + draws["b_x"][..., None] * x if "b_x" in draws else None
    if wanted is None:
        fixed = draws["b"]
        wanted = fixed[..., :1] + fixed[..., 1:2] * x
    wanted = wanted + b[..., :1] * main + b[..., 1:] * product * x + r[..., level, 0] + r[..., level, 1] * product * x
    np.testing.assert_allclose(np.asarray(fit.linpred(new)), wanted, rtol=1e-12, atol=1e-12)


def test_names():
    problem = describe_problem("y ~ mo(dose) + me(x, s) + (mo(dose) + me(x, s) || g)", table())
    coefs = next(p.coefs for p in problem.description.spec.parameters if p.name == "sd_g")
    assert coefs == ("Intercept", "mo(dose)", "me(x, s)")


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ x + (mo(dose) | g)", r"write `mo\(dose\)` among the terms without a bar"),
        ("y ~ mo(dose) + (mo(dose):x | g)", r"moves the coefficient `mo\(dose\):x`.*the population has `mo\(dose\)`"),
        ("y ~ mo(dose) + (mo(x) | g)", r"write `mo\(x\)`"),
        ("y ~ mo(dose) + (mo(dose) | mm(g, g2))", r"`mo\(dose\)` and mm\(\) are not available"),
        ("y ~ mo(dose) + (mo(dose) | q | g)", "an identifier are not available"),
        ("y ~ mo(dose) + (mo(dose) | gr(g, by=side))", "by= are not available"),
    ],
)
def test_what_cannot_be_is_said(formula, message):
    with pytest.raises(BayesmlError, match=message):
        describe_problem(formula, table())


def test_engines_of_linear_models_say_what_they_lack():
    with pytest.raises(BayesmlError, match=r"mo\(dose\)"):
        bayesml.fit("y ~ mo(dose) + (mo(dose) | g)", table(), method="reml")
