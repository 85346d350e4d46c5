"""Effects that several predictors share within the strata of their levels, ``(1 | id | gr(g, by=f))``."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesml
from bayesml import bf
from bayesml.errors import FormulaError
from bayesml.fit import describe_problem

GROUPS, EACH = 24, 5
COVARIANCES = {"u": [[1.0, 0.6], [0.6, 0.6]], "v": [[0.3, -0.1], [-0.1, 0.5]]}
RESPONSES = bf("y ~ x + (1 | p | gr(g, by=f))") + bf("z ~ 1 + (1 | p | gr(g, by=f))")
SCALE = bf("y ~ x + (1 | p | gr(g, by=f))", sigma="~ (1 | p | gr(g, by=f))")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    g, x = np.repeat(np.arange(GROUPS), EACH), rng.normal(size=GROUPS * EACH)
    f = np.where(g < GROUPS // 2, "u", "v")
    effects = np.array([rng.multivariate_normal([0, 0], COVARIANCES[f[j * EACH]]) for j in range(GROUPS)])
    y = 1.0 + 0.5 * x + effects[g, 0] + 0.7 * rng.normal(size=len(g))
    z = effects[g, 1] + 0.5 * rng.normal(size=len(g))
    return pd.DataFrame({"y": y, "z": z, "x": x, "g": g, "f": f})


@pytest.fixture(scope="module")
def estimate(frame: pd.DataFrame) -> bayesml.PointFit:
    return bayesml.fit(RESPONSES, frame, method="laplace")


def covariance(values: dict[str, np.ndarray], stratum: int) -> np.ndarray:
    """Return the covariance matrix of the effects of a level on y and z."""
    sd = np.array([values["sd_g__y"][stratum], values["sd_g__z"][stratum]])
    rho = float(values[f"cor_g__p__{'uv'[stratum]}"][0])
    return np.outer(sd, sd) * np.array([[1.0, rho], [rho, 1.0]])


def test_the_likelihood_is_that_of_the_joint_normal_distribution(
    estimate: bayesml.PointFit, frame: pd.DataFrame
) -> None:
    """Laplace's approximation is exact of normal responses: y and z of a group are jointly normal."""
    values = estimate.outcome.posterior.values
    sigma = np.array([values["sigma_y"], values["sigma_z"]], dtype=float)
    rho = float(values["rescor"][0])
    residual = np.outer(sigma, sigma) * np.array([[1.0, rho], [rho, 1.0]])
    total = 0.0
    for _, rows in frame.groupby("g"):
        effects = covariance(values, int(rows["f"].iloc[0] == "v"))
        spread = np.kron(effects, np.ones((EACH, EACH))) + np.kron(residual, np.eye(EACH))
        mean = np.concatenate([values["b_y"][0] + values["b_y"][1] * rows["x"], np.full(EACH, values["b_z"][0])])
        total += stats.multivariate_normal(mean, spread).logpdf(np.concatenate([rows["y"], rows["z"]]))
    # an inner mode that is found to 1e-8 leaves the log-likelihood right to its square; rounding is what is left
    np.testing.assert_allclose(estimate.outcome.posterior.log_likelihood, total, rtol=1e-9)


def test_effects_are_those_of_the_stratum_of_their_level(estimate: bayesml.PointFit, frame: pd.DataFrame) -> None:
    """The conditional expectation of the effects of a group given its rows is linear in the residuals."""
    values = estimate.outcome.posterior.values
    sigma, rho = np.array([values["sigma_y"], values["sigma_z"]], dtype=float), float(values["rescor"][0])
    residual = np.outer(sigma, sigma) * np.array([[1.0, rho], [rho, 1.0]])
    for level, rows in frame.groupby("g"):
        effects = covariance(values, int(rows["f"].iloc[0] == "v"))
        spread = np.kron(effects, np.ones((EACH, EACH))) + np.kron(residual, np.eye(EACH))
        left = np.concatenate(
            [rows["y"] - values["b_y"][0] - values["b_y"][1] * rows["x"], rows["z"] - values["b_z"][0]]
        )
        expected = np.kron(effects, np.ones((1, EACH))) @ np.linalg.solve(spread, left)
        found = [values["r_g__y"][level, 0], values["r_g__z"][level, 0]]
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_effects_are_products_of_what_is_sampled(frame: pd.DataFrame) -> None:
    """r_j = diag(sd_s) L_s z_j with s the stratum of level j."""
    problem = describe_problem(SCALE, frame)
    rng = np.random.default_rng(0)
    sites = {p.name: p.shape for p in problem.description.spec.parameters if p.group}
    assert set(sites) == {"sd_g", "sd_g__sigma", "L_g__p__u", "z_g__p__u", "L_g__p__v", "z_g__p__v"}
    values = {"sd_g": np.array([1.5, 0.7]), "sd_g__sigma": np.array([0.4, 0.2])}
    factors = {"u": np.array([[1.0, 0.0], [0.6, 0.8]]), "v": np.array([[1.0, 0.0], [-0.8, 0.6]])}
    for stratum, factor in factors.items():
        values[f"L_g__p__{stratum}"] = factor
        values[f"z_g__p__{stratum}"] = rng.normal(size=(2, GROUPS))
    derived: dict[str, np.ndarray] = {}
    for predictor in problem.design.schema.predictors:
        for term in predictor.groups():
            derived |= term.derive(values)
    for place, (stratum, factor) in enumerate(factors.items()):
        levels = slice(0, GROUPS // 2) if stratum == "u" else slice(GROUPS // 2, None)
        scale = np.diag([values["sd_g"][place], values["sd_g__sigma"][place]])
        expected = scale @ factor @ values[f"z_g__p__{stratum}"][:, levels]
        np.testing.assert_allclose(derived["r_g"][levels, 0], expected[0], rtol=1e-12)
        np.testing.assert_allclose(derived["r_g__sigma"][levels, 0], expected[1], rtol=1e-12)
        np.testing.assert_allclose(derived[f"cor_g__p__{stratum}"], factor[1, :1], rtol=1e-12)


def test_an_identifier_of_one_predictor_alone_means_nothing(frame: pd.DataFrame) -> None:
    alone = bayesml.fit("y ~ x + (1 | p | gr(g, by=f))", frame, method="reml")
    plain = bayesml.fit("y ~ x + (1 | gr(g, by=f))", frame, method="reml")
    np.testing.assert_allclose(alone.outcome.posterior.log_likelihood, plain.outcome.posterior.log_likelihood)


def test_terms_with_one_identifier_have_the_same_strata(frame: pd.DataFrame) -> None:
    with pytest.raises(FormulaError, match="differ right of the bar"):
        describe_problem(bf("y ~ (1 | p | gr(g, by=f))", sigma="~ (1 | p | g)"), frame)


def test_identifier_strata_and_covariances_together_are_refused(frame: pd.DataFrame) -> None:
    model = bf("y ~ (1 | p | gr(g, by=f, cov=A))", sigma="~ (1 | p | gr(g, by=f, cov=A))")
    levels = [str(g) for g in range(GROUPS)]
    A = pd.DataFrame(np.eye(GROUPS), levels, levels)
    with pytest.raises(FormulaError, match="any two of these"):
        describe_problem(model, frame, data2={"A": A})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesml.errors.FitWarning")  # Rhat of so few draws, of one of 48 effects
def test_draws_agree_with_what_is_integrated(frame: pd.DataFrame, estimate: bayesml.PointFit, tmp_path) -> None:
    fit = bayesml.fit(RESPONSES, frame, seed=1, chains=2, draws=500, progress=False)
    assert fit.plan.startswith("preconditioned")
    assert fit.diagnostics.divergences == 0
    draws, values = fit.draws(), estimate.outcome.posterior.values
    for name, at in (
        ("sd_g__y_Intercept:f[u]", values["sd_g__y"][0]),
        ("sd_g__z_Intercept:f[v]", values["sd_g__z"][1]),
    ):
        assert abs(np.log(draws[name]).mean() - np.log(at)) < 2 * np.log(draws[name]).std()
    new = pd.DataFrame({"x": 0.0, "g": [100, 101], "f": ["u", "v"]})
    drawn = fit.linpred(new, new_levels="gaussian", seed=1, resp="y").to_numpy().reshape(-1, 2)
    sd = fit.idata.posterior["sd_g__y"].to_numpy().reshape(-1, 2)
    centred = (drawn - draws["b_y_Intercept"].to_numpy()[:, None]) / sd
    # 1,000 standard normal numbers: their sd has a standard error of 1 / sqrt(2,000), and 4 of them are .09
    np.testing.assert_allclose(centred.std(axis=0), 1.0, atol=0.09)
    fit.save(tmp_path / "draws.nc")
    np.testing.assert_array_equal(bayesml.load(tmp_path / "draws.nc").log_lik(), fit.log_lik())
