"""Point estimates of every family: each is fitted, or refused with a sentence; and every verb answers."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import FitWarning, ModelError
from bayesml.families import FAMILIES
from bayesml.families.example import Example

EXAMPLES: dict[str, Example] = {
    example.family.name: example
    for make in FAMILIES.values()
    for example in vars(sys.modules[make.__module__]).values()
    if isinstance(example, Example)
}
COPIES = 8
# Families whose programs take long to compile are among the slow tests. So are most posterior modes, which differ from
# Laplace's estimates by a penalty that knows no family.
LONG = ("beta_binomial", "com_poisson", "compois", "dirichlet_multinomial", "exgaussian", "hurdle_cumulative")
LONG += ("logistic_normal", "ordered_beta", "skew_normal", "wiener", "xbeta", "zero_inflated_beta_binomial")
LONG += ("zero_one_inflated_beta",)
MODES = ("gaussian", "student", "poisson", "gamma", "hurdle_gamma", "cumulative", "categorical", "tweedie", "cox")
CASES = [
    pytest.param(
        name, method, id=f"{name}-{method}",
        marks=[pytest.mark.slow] if name in LONG or (method == "map" and name not in MODES) else [],
    )
    for name in EXAMPLES
    for method in ("laplace", "map")
]  # fmt: skip


def data_of(example: Example) -> tuple[pd.DataFrame, str]:
    """The responses of an example several times over, with a predictor and a grouping factor; the left-hand side."""
    y = np.tile(np.array(example.y, dtype=float), (COPIES, 1) if example.columns else COPIES)
    rows = np.arange(len(y))
    frame = pd.DataFrame({"x": np.sin(2.3 * rows), "g": rows % 5})
    for name, values in example.additions.items():
        frame[f"of_{name}"] = np.resize(values, len(y))
    terms = " + ".join(f"{name}(of_{name})" for name in example.additions)
    for name, column in zip(example.columns or ("y",), y.reshape(len(y), -1).T, strict=True):
        frame[name] = column
    left = f"cbind({', '.join(example.columns)})" if example.columns else "y"
    return frame, f"{left} | {terms}" if terms else left


@pytest.mark.parametrize(("name", "method"), CASES)
def test_every_family_is_fitted_or_refused_with_a_sentence(name: str, method: str) -> None:
    example = EXAMPLES[name]
    frame, left = data_of(example)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        try:
            fit = bayesml.fit(f"{left} ~ x + (1 | g)", frame, example.family, method=method)
        except ModelError as error:
            assert str(error).endswith(".") or len(str(error)) > 20
            return
    assert np.isfinite(fit.logLik)
    assert np.isfinite(fit.fixef()["Estimate"]).all()
    assert str(fit)
    if not fit.likelihood.traits.has_moments:
        with pytest.raises(ModelError, match="neither an expectation"):
            fit.epred({"x": [0.3]}, re_formula="NA")
        return
    expected = np.asarray(fit.epred({"x": [0.3], **{k: [v[0]] for k, v in frame.items() if k.startswith("of_")}},
                                    re_formula="NA"))  # fmt: skip
    assert not np.isnan(expected).any()  # it is infinite where the tail is that heavy: xi of gen_extreme_value above 1


def test_the_mode_is_where_the_posterior_is_flat() -> None:
    rng = np.random.default_rng(5)
    x, g = rng.normal(size=120), np.arange(120) % 8
    y = 1 + (rng.logistic(size=120) + x + rng.normal(size=8)[g] > np.array([-1.0, 0.4, 1.7])[:, None]).sum(axis=0)
    fit = bayesml.fit("y ~ x + (1 | g)", {"x": x, "g": g, "y": y}, "cumulative", method="map")
    estimate = fit.estimate
    penalty = estimate.penalty
    assert penalty is not None and estimate.fit.convergence.decrement < 1e-4
    point = (estimate.fit.theta, estimate.fit.beta, estimate.fit.psi)
    found = penalty(*point)
    assert -0.5 * found.value == pytest.approx(fit.estimate.log_prior, abs=1e-8)
    for k, slope in enumerate((found.theta, found.beta, found.psi)):
        for i in range(len(slope)):
            ends = []
            for sign in (1.0, -1.0):
                moved = [part.copy() for part in point]
                moved[k][i] += sign * 1e-5
                ends.append(penalty(*moved).value)
            assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(slope[i], rel=1e-5, abs=1e-6)


def test_a_wide_prior_leaves_the_maximum_of_the_likelihood() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=300)
    y = rng.poisson(np.exp(0.3 + 0.5 * x)) * (rng.random(300) > 0.3)
    formula = bayesml.bf("y ~ x", zi="~ x")
    data = {"x": x, "y": y}
    maximum = bayesml.fit(formula, data, "zero_inflated_poisson", method="laplace")
    wide = [bayesml.prior("normal(0, 1000)", class_=c, dpar=d) for c in ("b", "Intercept") for d in ("", "zi")]
    mode = bayesml.fit(formula, data, "zero_inflated_poisson", method="map", prior=wide)
    np.testing.assert_allclose(mode.fixef()["Estimate"], maximum.fixef()["Estimate"], atol=1e-5)
    np.testing.assert_allclose(mode.fixef()["Std.Error"], maximum.fixef()["Std.Error"], rtol=1e-4)


def test_joint_priors_are_refused_with_the_reason() -> None:
    rng = np.random.default_rng(7)
    data = {"x": rng.normal(size=50), "y": rng.integers(1, 4, 50)}
    with pytest.raises(ModelError, match="scales of its own"):
        bayesml.fit("y ~ x", data, "cumulative", prior=bayesml.prior("horseshoe(1)"), method="map")
