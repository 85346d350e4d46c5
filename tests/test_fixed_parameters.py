"""Parameters that a formula fixes at a number, or at the value of another one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

import bayesml
from bayesml.errors import FormulaError
from bayesml.fit import describe_problem


def data(n: int = 60) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=n)
    return {"x": x, "y": 1.0 + 0.5 * x + rng.standard_t(4, size=n), "s": np.full(n, 0.5)}


def names_of(formula: object, family: str = "student") -> set[str]:
    return {p.name for p in describe_problem(formula, data(), family).description.spec.parameters}


def test_what_is_fixed_is_no_parameter() -> None:
    assert names_of(bayesml.bf("y ~ x", nu=4)) == names_of("y ~ x") - {"nu"}
    assert names_of(bayesml.bf("y ~ x", nu=4, sigma=0.5)) == names_of("y ~ x") - {"nu", "sigma"}


@pytest.mark.parametrize("method", ["map", "laplace"])
def test_estimates_are_those_of_the_density_with_that_number(method: str) -> None:
    from scipy import stats

    d = data()
    fit = bayesml.fit(bayesml.bf("y ~ x", nu=4), d, "student", method=method, default_priors="brms",
                      prior=bayesml.prior("", class_="Intercept") if method == "map" else None)  # fmt: skip

    def minus(p: np.ndarray) -> float:
        return -stats.t(4, p[0] + p[1] * d["x"], np.exp(p[2])).logpdf(d["y"]).sum()

    best = optimize.minimize(minus, [1.0, 0.5, 0.0], method="BFGS")
    if method == "laplace":
        np.testing.assert_allclose(fit.logLik, -best.fun, rtol=1e-7)
        np.testing.assert_allclose(fit.fixef()["Estimate"], best.x[:2], atol=1e-4)
    else:
        np.testing.assert_allclose(fit.fixef()["Estimate"], best.x[:2], atol=0.02)


def test_a_fixed_number_is_in_expected_responses_and_draws() -> None:
    d = data()
    d["y"] = np.exp(0.3 * d["y"])
    fit = bayesml.fit(bayesml.bf("y ~ x", shape=3), d, "loglogistic", method="laplace")
    expected, median = np.asarray(fit.epred()), np.asarray(fit.epred(dpar="mu"))
    np.testing.assert_allclose(expected / median, np.pi / 3 / np.sin(np.pi / 3), rtol=1e-9)


def test_equal_parameters_of_a_mixture_are_one() -> None:
    """Its density is compared with brms's in tests/facts/brms_density_continuous.json, `mix_equal`."""
    family = bayesml.families.mixture("gaussian", "gaussian")
    assert names_of(bayesml.bf("y ~ 1", sigma2="sigma1"), family) == names_of("y ~ 1", family) - {"sigma2"}


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        ({"nu": 0.5}, "nu of the family student is larger than 1"),
        ({"sigma": -1}, "is larger than 0"),
        ({"shape": 1}, "no parameter of the family student"),
        ({"sigma": "sigma1"}, "cannot equal `sigma1`"),
    ],
)
def test_what_cannot_be_fixed_is_named(fixed: dict, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        describe_problem(bayesml.bf("y ~ x", **fixed), data(), "student")


def test_known_standard_errors_leave_no_sigma_to_fix() -> None:
    with pytest.raises(FormulaError, match="replaces `sigma`"):
        describe_problem(bayesml.bf("y | se(s) ~ x", sigma=1), data(), "gaussian")
