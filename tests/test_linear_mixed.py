"""Linear mixed models on arrays: lme4's published numbers, exact identities, and inputs that break naive code."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from bayesml.engines.linear_mixed import (
    Parameter,
    fit_linear_mixed,
    kenward_roger,
    parameters,
    prepare,
    profiler,
    refit,
    satterthwaite,
)
from bayesml.engines.linear_mixed.constrained import HeldCovariance
from bayesml.engines.linear_mixed.criterion import JointCriterion, ProfiledCriterion
from bayesml.engines.linear_mixed.fitting import finite_difference_hessian
from bayesml.errors import DataError, ModelError
from bayesml.linalg import GroupBlock, hold_correlation, hold_deviation, in_front
from tests.conftest import SHARED
from tests.reference import frame, references


def _column(data, name):
    if name == "1":
        return np.ones(len(data))
    if ":" in name:
        return np.prod([_column(data, part) for part in name.split(":")], axis=0)
    values = data[name]
    if pd.api.types.is_numeric_dtype(values):
        return values.to_numpy(float)
    return (values == sorted(values.unique())[1]).to_numpy(float)


def _group(data, factors, blocks):
    """A factor (several columns: their combinations) with correlated sets of columns ``["1 x", "z"]``."""
    labels = data[factors.split(":")].astype(str).agg(":".join, axis=1)
    levels, codes = np.unique(labels, return_inverse=True)
    names = [block.split() for block in blocks]
    columns = [name for block in names for name in block]
    Z = np.stack([_column(data, name) for name in columns], axis=1)
    return GroupBlock(factors, codes, len(levels), Z, tuple(map(len, names)), tuple(columns)), levels


# id: response, fixed columns, and factor -> correlated sets of columns, in the order of the reference.
MODELS = {
    "alcohol": ("alcohol", "1", {"country": ["1"]}),
    "sleep_full": ("Reaction", "1 Days", {"Subject": ["1 Days"]}),
    "sleep_full_ml": ("Reaction", "1 Days", {"Subject": ["1 Days"]}),
    "sleep_int": ("Reaction", "1 Days", {"Subject": ["1"]}),
    "sleep_slope": ("Reaction", "1 Days", {"Subject": ["Days"]}),
    "sleep_diag": ("Reaction", "1 Days", {"Subject": ["1", "Days"]}),
    "classroom_full": ("mathscore", "1 ses", {"classid": ["1 ses"], "schoolid": ["1 ses"]}),
    "classroom_diag": ("mathscore", "1 ses", {"classid": ["1", "ses"], "schoolid": ["1 ses"]}),
    "classroom_nested": ("mathscore", "1 ses", {"classid2:schoolid": ["1"], "schoolid": ["1"]}),
    "blp": ("rt", "1", {"participant": ["1"], "spelling": ["1"]}),
    "mathach_pracad": ("mathach", "1 pracad", {"school": ["1"]}),
    "mathach_cross": ("mathach", "1 ses himinty ses:himinty", {"school": ["1 ses"]}),
    "schoolmot": ("grade", "1 motiv", {"schoolid": ["1 motiv"]}),
    "schoolmot_cross": ("grade", "1 motiv funding motiv:funding", {"schoolid": ["1 motiv"]}),
    "cosmetic": ("post_qol", "1 months reason base_qol months:reason", {"clinic": ["1 months"]}),
    "penicillin": ("diameter", "1", {"plate": ["1"], "sample": ["1"]}),
    "pastes": ("strength", "1", {"cask:batch": ["1"], "batch": ["1"]}),
    "dyestuff": ("Yield", "1", {"Batch": ["1"]}),
    "dyestuff2_singular": ("Yield", "1", {"Batch": ["1"]}),
}
RECORDS = {reference.id: reference.record for reference in references() if reference.record["engine"] == "lmer"}


def _arrays(data, response, fixed, factors):
    data = data.dropna(subset=[response])
    X = np.stack([_column(data, name) for name in fixed.split()], axis=1)
    groups = [_group(data, factor, blocks) for factor, blocks in factors.items()]
    y = data[response].to_numpy(float)
    return [group for group, _ in groups], X, y, [levels for _, levels in groups]


def _problem(id_):
    record = RECORDS[id_]
    response, fixed, factors = MODELS[id_]
    groups, X, y, levels = _arrays(frame(record["data"]), response, fixed, factors)
    return prepare(groups, X, y), levels


def _sleepstudy(**changes):
    groups, X, y, _ = _arrays(frame("sleepstudy"), *MODELS["sleep_full"])
    return prepare(**({"groups": groups, "X": X, "y": y} | changes))


@pytest.fixture(scope="module")
def sleepstudy():
    return fit_linear_mixed(_sleepstudy())


def _crossed(rng, n=240):
    """Crossed factors with slopes, a nested pair, weights and an offset: everything at once."""
    x = rng.normal(size=n)
    leaf, other = rng.integers(0, 30, n), rng.integers(0, 8, n)
    one = np.ones(n)
    groups = [
        GroupBlock("leaf", leaf, 30, np.column_stack([one, x]), (2,)),
        GroupBlock("other", other, 8, np.column_stack([one, x]), (1, 1)),
        GroupBlock("top", leaf % 4, 4, one[:, None], (1,)),
    ]
    X = np.column_stack([one, x, rng.normal(size=n)])
    intercepts, slopes = rng.normal(size=(2, 30))
    y = X @ [5.0, 1.0, 0.0] + intercepts[leaf] + 0.3 * x * slopes[leaf] + rng.normal(size=8)[other]
    return groups, X, y + rng.normal(size=n), rng.uniform(0.5, 2.0, n), rng.normal(size=n)


# ---------------------------------------------------------------------------------------------------------------------
# lme4's numbers


def test_every_reference_fit_is_covered():
    assert set(RECORDS) <= set(MODELS)


@pytest.mark.parametrize("id_", RECORDS)
def test_estimates_equal_lme4(id_):
    """R: the call is in the record's field ``R``; lme4 1.1-31, bobyqa with rhoend 1e-9."""
    record = RECORDS[id_]
    problem, levels = _problem(id_)
    fit = fit_linear_mixed(problem, reml=record["REML"])
    assert fit.convergence.converged
    assert fit.criterion == pytest.approx(record["criterion"], abs=1e-6, rel=1e-8)
    assert fit.log_likelihood == pytest.approx(record["logLik"], abs=1e-6)
    assert (fit.parameters, fit.n) == (record["df"], record["nobs"])
    assert (fit.aic, fit.bic) == pytest.approx((record["AIC"], record["BIC"]), abs=1e-6, rel=1e-8)
    assert fit.sigma == pytest.approx(record["sigma"], rel=1e-5)
    assert fit.is_singular == record["singular"]
    fixed = record["fixef"].values()
    np.testing.assert_allclose(fit.beta, [value["Estimate"] for value in fixed], rtol=1e-5)
    np.testing.assert_allclose(fit.standard_errors, [value["Std. Error"] for value in fixed], rtol=2e-5)
    spread = np.outer(fit.standard_errors, fit.standard_errors)
    np.testing.assert_allclose(fit.vcov / spread, np.atleast_2d(record["vcov"]) / spread, atol=5e-5)
    _assert_groups_equal(fit, record)
    for modes, names, expected in zip(fit.conditional_modes, levels, record["ranef"].values(), strict=True):
        rows = [np.flatnonzero(names == level)[0] for level in expected["levels"]]
        np.testing.assert_allclose(modes[rows], expected["value"], rtol=1e-4, atol=1e-4 * np.abs(modes).max())


def _assert_groups_equal(fit, record):
    sds, correlations = [], []
    for group, block in zip(fit.groups, fit.problem.groups, strict=True):
        sds += list(group.sd)
        ends = np.cumsum(block.blocks)
        for size, end in zip(block.blocks, ends, strict=True):
            part = group.correlation[end - size : end, end - size : end]
            correlations += list(part.T[np.triu_indices(size, 1)])
    expected = record["varcorr"].values()
    np.testing.assert_allclose(sds, np.concatenate([np.atleast_1d(v["sd"]) for v in expected]), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(correlations, np.concatenate([np.atleast_1d(v["cor"]) for v in expected]), atol=1e-4)


@pytest.mark.parametrize("id_", RECORDS)
def test_satterthwaite_equals_lmertest(id_):
    """Degrees of freedom of every coefficient, and F of every one-column term (R: lmerTest 3.1-3)."""
    record = RECORDS[id_]
    problem, _ = _problem(id_)
    fit = fit_linear_mixed(problem, reml=record["REML"])
    tests = satterthwaite(fit)
    for place, (name, expected) in enumerate(record["fixef"].items()):
        row = np.eye(fit.rank)[[place]]
        t, (df,) = fit.beta[place] / tests.standard_errors(row)[0], tests.df(row)
        # lmerTest's own derivatives are numerical; its dyestuff 5.0000001 and penicillin 5.487089 are off by 3e-6.
        assert df == pytest.approx(expected["df"], rel=2e-5)
        assert t == pytest.approx(expected["t value"], rel=3e-5)
        row = record["anova3"].get(name) if len(record["anova3"]) == fit.rank - 1 and fit.rank == 2 else None
        if row:
            joint = tests.f_test(np.eye(fit.rank)[place])
            assert (joint.F, joint.denominator_df) == pytest.approx((row["F value"], row["DenDF"]), rel=3e-5)
            assert joint.mean_square == pytest.approx(row["Mean Sq"], rel=3e-5)


def test_joint_satterthwaite_test_of_sleepstudy(sleepstudy):
    # R: contestMD(lmer(Reaction ~ Days + (Days | Subject), sleepstudy), diag(2)): F 749.9505, DenDF 16.99985,
    # Sum Sq 982345.1; R's optimum is good to 6e-6 in the standard errors, hence 2e-5 in F.
    test = satterthwaite(sleepstudy).f_test(np.eye(2))
    assert (test.F, test.denominator_df) == pytest.approx((749.9505, 16.99985), rel=2e-5)
    assert test.mean_square * test.numerator_df == pytest.approx(982345.1, rel=2e-5)


@pytest.mark.skipif(not SHARED.exists(), reason="needs the reference folder")
@pytest.mark.parametrize(
    ("id_", "expected"),
    [
        # R: summary(lmer(..., REML = TRUE), ddf = "Kenward-Roger") of lmerTest 3.1-3, bobyqa with rhoend 1e-10:
        # standard error and df of each fixed effect.
        ("sleep_full", [(6.824556, 17.0), (1.545789, 17.0)]),
        ("penicillin", [(0.8085735117, 5.487092216)]),
        ("pastes", [(0.6768700965, 9.0)]),
        ("schoolmot", [(3.0604057311, 27.75833329), (0.5573116688, 28.13942030)]),
        ("classroom_nested", [(1.911837599, 101.8263929), (1.488543072, 1180.1043323)]),
    ],
)
def test_kenward_roger_equals_pbkrtest(id_, expected):
    problem, _ = _problem(id_)
    fit = fit_linear_mixed(problem)
    tests = kenward_roger(fit)
    for row, (error, df) in zip(np.eye(fit.rank), expected, strict=True):
        assert (tests.standard_errors(row[None])[0], tests.df(row[None])[0]) == pytest.approx((error, df), rel=2e-6)


def test_kenward_roger_joint_test_of_sleepstudy(sleepstudy):
    tests = kenward_roger(sleepstudy)
    # R: KRmodcomp(full, update(full, . ~ . - Days)): F 45.853, ddf 17.
    single = tests.f_test(np.array([0.0, 1.0]))
    assert (single.F, single.denominator_df, single.scale) == pytest.approx((45.853, 17.0, 1.0), rel=1e-5)
    # R: KRmodcomp(full, diag(2)): F 705.84, ddf 16, F.scaling 0.94118.
    joint = tests.f_test(np.eye(2))
    assert (joint.F, joint.denominator_df, joint.scale) == pytest.approx((705.8443, 16.0, 0.941176), rel=2e-6)


@pytest.mark.parametrize(
    ("id_", "reml", "theta", "value"),
    [
        # Published values at fixed theta: Bates et al. (2015) and the tests of lme4 and MixedModels.jl.
        ("dyestuff", True, [1.0], 319.792389042002),
        ("dyestuff", True, [0.0], 326.023232155879),
        ("dyestuff", False, [0.713], 327.34216280954615),
        ("sleep_full", False, [1.0, 0.0, 1.0], 1784.642296),
    ],
)
@pytest.mark.skipif(not SHARED.exists(), reason="needs the reference folder")
def test_criterion_at_fixed_theta(id_, reml, theta, value):
    problem, _ = _problem(id_)
    point = ProfiledCriterion(problem, reml).evaluate(problem.internal(theta))
    assert point.value == pytest.approx(value, abs=1e-6 if id_ == "sleep_full" else 1e-9)


@pytest.mark.parametrize(
    ("id_", "criterion", "logdet", "residual_sum"),
    [
        # MixedModels.jl, test/pls.jl: ML objective, log determinant and penalised residual sum of squares.
        ("dyestuff", 327.327059881135, 8.06014611, 73537.501),
        ("penicillin", 332.1883486700085, 95.746766, None),
        ("pastes", 247.9944658625, 101.038345, None),
        ("dyestuff2_singular", 162.87303665, 0.0, None),
    ],
)
@pytest.mark.skipif(not SHARED.exists(), reason="needs the reference folder")
def test_maximum_likelihood_equals_mixedmodels(id_, criterion, logdet, residual_sum):
    fit = fit_linear_mixed(_problem(id_)[0], reml=False)
    assert fit.criterion == pytest.approx(criterion, abs=1e-7)
    # The log determinant is first-order in theta: 1e-5 relative in theta, 5e-5 in the published digits.
    assert fit.point.factorisation.log_determinant == pytest.approx(logdet, abs=5e-4)
    if residual_sum:
        assert fit.point.factorisation.residual_sum == pytest.approx(residual_sum, rel=1e-4)


def test_conditional_variances_and_leverages(sleepstudy):
    # R: attr(ranef(lmer(Reaction ~ Days + (Days | Subject))), "postVar")[, , 1].
    expected = [[145.705588, -21.4445036], [-21.4445036, 5.3122829]]
    np.testing.assert_allclose(sleepstudy.conditional_variances[0][0], expected, rtol=2e-5)
    # MixedModels.jl, dyestuff by ML: leverage 0.15650534, sum 4.69516026.
    dyestuff = fit_linear_mixed(_problem("dyestuff")[0], reml=False)
    assert dyestuff.leverages[0] == pytest.approx(0.15650534, rel=1e-5)
    assert dyestuff.leverages.sum() == pytest.approx(4.69516026, rel=1e-5)


def test_profile_intervals_of_sleepstudy(sleepstudy):
    # R: confint(lmer(Reaction ~ Days + (Days | Subject), sleepstudy)); lme4 interpolates by splines: 1e-4 of the width.
    expected = [
        (14.3814182, 37.7159953),
        (-0.4815008, 0.6849863),
        (3.8011641, 8.7533808),
        (22.8982669, 28.8579965),
        (237.6806955, 265.1295147),
        (7.3586533, 13.5759188),
    ]
    profile = profiler(sleepstudy)
    for parameter, (low, high) in zip(parameters(sleepstudy), expected, strict=True):
        np.testing.assert_allclose(profile.interval(parameter), (low, high), atol=1e-4 * (high - low))


# ---------------------------------------------------------------------------------------------------------------------
# Identities


@pytest.mark.parametrize("reml", [True, False])
def test_value_and_gradient_of_both_criteria(rng, reml):
    """Joint in sigma = profiled at its own sigma; gradients = central differences; weights and offset included."""
    groups, X, y, weights, offset = _crossed(rng)
    problem = prepare(groups, X, y, weights, offset)
    x = problem.layout.is_diagonal * 0.8 + 0.1
    profiled, joint = ProfiledCriterion(problem, reml), JointCriterion(problem, reml)
    point = profiled.evaluate(x)
    assert joint.evaluate(np.append(x, np.log(point.sigma))).value == pytest.approx(point.value, abs=1e-9)
    _assert_gradient(profiled, x)
    _assert_gradient(joint, np.append(x, np.log(1.3)))


def _assert_gradient(objective, x):
    steps = 1e-5 * np.eye(len(x))
    expected = [(objective.evaluate(x + h).value - objective.evaluate(x - h).value) / 2e-5 for h in steps]
    np.testing.assert_allclose(objective.gradient(objective.evaluate(x)), expected, rtol=1e-6, atol=1e-5)


def _dense(fit):
    """V (relative), X and y over rows."""
    problem = fit.problem
    n = fit.n
    V = np.diag(1.0 / (np.ones(n) if problem.weights is None else problem.weights))
    for group, estimate in zip(problem.groups, fit.groups, strict=True):
        half = group.Z @ estimate.relative_factor
        V += half @ half.T * (group.codes[:, None] == group.codes[None, :])
    y = problem.y if problem.offset is None else problem.y - problem.offset
    return V, problem.X[:, fit.kept], y


def test_fit_with_weights_and_offset_equals_dense_formulas(rng):
    """beta, V, criterion, BLUPs, conditional variances, fitted values and leverages from n x n matrices."""
    fit = fit_linear_mixed(prepare(*_crossed(rng)))
    V, X, y = _dense(fit)
    n, p = X.shape
    inverse = np.linalg.inv(V)
    vcov = np.linalg.inv(X.T @ inverse @ X)
    beta = vcov @ X.T @ inverse @ y
    rest = y - X @ beta
    sigma2 = rest @ inverse @ rest / (n - p)
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-8)
    np.testing.assert_allclose(fit.vcov, sigma2 * vcov, rtol=1e-8, atol=1e-12)
    assert fit.sigma**2 == pytest.approx(sigma2, rel=1e-9)
    value = np.linalg.slogdet(V)[1] - np.linalg.slogdet(vcov)[1] + (n - p) * (1.0 + np.log(2.0 * np.pi * sigma2))
    assert fit.criterion == pytest.approx(value, abs=1e-8)
    for group, estimate, modes, variances in zip(
        fit.problem.groups, fit.groups, fit.conditional_modes, fit.conditional_variances, strict=True
    ):
        relative = estimate.relative_factor @ estimate.relative_factor.T
        for level in range(group.n_levels):
            Z = group.Z * (group.codes == level)[:, None]
            np.testing.assert_allclose(modes[level], relative @ Z.T @ inverse @ rest, atol=1e-8)
            expected = sigma2 * (relative - relative @ Z.T @ inverse @ Z @ relative)
            np.testing.assert_allclose(variances[level], expected, atol=1e-8)
    weights = 1.0 / fit.problem.weights
    projection = inverse - inverse @ X @ vcov @ X.T @ inverse
    np.testing.assert_allclose(fit.fitted - fit.problem.offset, y - weights * (projection @ y), atol=1e-8)
    np.testing.assert_allclose(fit.leverages, 1.0 - weights * np.diagonal(projection), atol=1e-9)


def test_kenward_roger_equals_dense_formulas_for_crossed_vectors(rng):
    """Kenward and Roger's definitions with n x n matrices (P, Q, W by explicit derivatives of V)."""
    fit = fit_linear_mixed(prepare(*_crossed(rng, 120)))
    V, X, _ = _dense(fit)
    problem, sigma2 = fit.problem, fit.sigma**2
    inverse = np.linalg.inv(sigma2 * V)
    derivatives = []
    layout = problem.layout
    for place, row, column in zip(layout.group, layout.row, layout.column, strict=True):
        group = problem.groups[place]
        outer = np.outer(group.Z[:, row], group.Z[:, column]) * (group.codes[:, None] == group.codes[None, :])
        derivatives.append(outer if row == column else outer + outer.T)
    derivatives.append(np.diag(1.0 / problem.weights))
    Phi = np.linalg.inv(X.T @ inverse @ X)
    P = [-X.T @ inverse @ G @ inverse @ X for G in derivatives]
    Q = [[X.T @ inverse @ G @ inverse @ H @ inverse @ X for H in derivatives] for G in derivatives]
    IE2 = np.array(
        [
            [
                np.trace(inverse @ G @ inverse @ H) - 2.0 * np.trace(Phi @ Q[r][s]) + np.trace(Phi @ P[r] @ Phi @ P[s])
                for s, H in enumerate(derivatives)
            ]
            for r, G in enumerate(derivatives)
        ]
    )
    W = 2.0 * np.linalg.inv(IE2)
    U = sum(W[r, s] * (Q[r][s] - P[r] @ Phi @ P[s]) for r in range(len(P)) for s in range(len(P)))
    found = kenward_roger(fit)
    np.testing.assert_allclose(found.vcov, Phi + 2.0 * Phi @ U @ Phi, rtol=1e-7, atol=1e-12)
    # Kenward and Roger (1997, section 3) for the second and third coefficients jointly.
    L = np.eye(3)[1:]
    theta = L.T @ np.linalg.solve(L @ Phi @ L.T, L) @ Phi
    traces = np.array([np.trace(theta @ p @ Phi) for p in P])
    products = np.array([[np.trace(theta @ p @ Phi @ theta @ r @ Phi) for r in P] for p in P])
    A1, A2 = traces @ W @ traces, (W * products).sum()
    g = (3 * A1 - 6 * A2) / (4 * A2)
    B, d = (A1 + 6 * A2) / 4, 6 + 2 * (1 - g)
    expectation = 1.0 / (1.0 - A2 / 2)
    variance = (1 + g / d * B) / ((1 - (2 - g) / d * B) ** 2 * (1 - (4 - g) / d * B))
    rho = variance / (2 * expectation**2)
    df = 4 + 4 / (2 * rho - 1)
    test = found.f_test(L)
    assert (test.scale, test.denominator_df) == pytest.approx((df / (expectation * (df - 2)), df), rel=1e-6)


def test_derivatives_of_vcov_equal_central_differences(rng):
    fit = fit_linear_mixed(prepare(*_crossed(rng)))
    criterion = JointCriterion(fit.problem, reml=True)
    x = np.append(fit.point.x, np.log(fit.sigma))
    fixed = fit.problem.products.fixed

    def vcov(at):
        point = criterion.evaluate(at)
        return point.sigma**2 * fixed.covariance(np.linalg.inv(point.factorisation.reduced[:-1, :-1]))

    expected = [(vcov(x + h) - vcov(x - h)) / 2e-5 for h in 1e-5 * np.eye(len(x))]
    found = [fixed.covariance(d) for d in satterthwaite(fit).basis_derivatives]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7 * np.abs(fit.vcov).max())


def test_the_profile_rises_to_the_quantile_and_is_the_minimum(rng):
    """At the ends of an interval the best deviance, found by another minimiser over all else, is 3.84 above."""
    fit = fit_linear_mixed(_sleepstudy(), reml=False)
    profile = profiler(fit)
    for parameter in (
        Parameter("sd", 0, 0, 0),
        Parameter("sd", 0, 1, 1),
        Parameter("cor", 0, 1, 0),
        Parameter("sigma"),
    ):
        for end in profile.interval(parameter):
            deviance = _best_deviance(fit, parameter, end)
            assert deviance - fit.criterion == pytest.approx(1.959964**2, abs=2e-4)


def _best_deviance(fit, parameter, value):
    """Minimise over (log sd1, log sd2, atanh rho, log sigma) without the held one, by Nelder and Mead."""
    held = {"sd": parameter.row, "cor": 2, "sigma": 3}[parameter.kind]
    estimate = fit.groups[0]
    free = np.array([*np.log(estimate.sd), np.arctanh(estimate.correlation[1, 0]), np.log(fit.sigma)])
    fixed = {0: np.log, 1: np.log, 2: np.arctanh, 3: np.log}[held](value)
    criterion = JointCriterion(fit.problem, reml=False)

    def value_at(rest):
        a, b, z, s = np.insert(rest, held, fixed)
        sd, rho = np.exp([a, b]) / np.exp(s), np.tanh(z)
        theta = np.array([sd[0], sd[1] * rho, sd[1] * np.sqrt(1.0 - rho**2)])
        return criterion.evaluate(np.append(fit.problem.internal(theta), s)).value

    options = {"xatol": 1e-6, "fatol": 1e-8, "maxiter": 4000, "maxfev": 4000}
    return minimize(value_at, np.delete(free, held), method="Nelder-Mead", options=options).fun


@pytest.mark.parametrize(("first", "value"), [([0], 0.9), ([2], 0.4), ([2], 0.0), ([0, 2], -0.6), ([2, 1], 1.0)])
def test_gradient_and_value_of_a_held_parameter(rng, first, value):
    groups, X, y, weights, offset = _crossed(rng)
    wide = replace(groups[0], Z=np.column_stack([groups[0].Z, rng.normal(size=len(y))]), blocks=(3,))
    turned, order = in_front(wide, first)
    problem = prepare([turned, *groups[1:]], X, y, weights, offset)
    hold = hold_deviation if len(first) == 1 else hold_correlation
    held = HeldCovariance(problem, hold(problem.layout, 0, 0, problem.products.bases[0], value))
    x = np.append(held.held.coordinates(problem.layout.is_diagonal * 0.7 + 0.05), 0.2)
    x += 0.05 * rng.normal(size=len(x))
    _assert_gradient(held, x)
    np.testing.assert_array_equal(order[: len(first)], first)
    root = np.linalg.solve(problem.products.bases[0], held.evaluate(x).factorisation.lambdas[0]) * np.exp(x[-1])
    sd = np.sqrt(np.diagonal(root @ root.T))
    found = sd[0] if len(first) == 1 else (root @ root.T)[0, 1] / (sd[0] * sd[1])
    assert found == pytest.approx(value, rel=1e-10, abs=1e-12)


def test_profile_of_a_fixed_effect_without_rows(sleepstudy):
    """Holding Days at 12 on cross-products = leaving the column out and subtracting it."""
    fit = fit_linear_mixed(sleepstudy.problem, reml=False)
    trace = profiler(sleepstudy).trace(Parameter("beta", row=1), points=3)
    days = sleepstudy.problem.X[:, 1]
    for value, zeta in zip(trace.values, trace.zeta, strict=True):
        problem = prepare(
            sleepstudy.problem.groups, sleepstudy.problem.X[:, :1], sleepstudy.problem.y, offset=value * days
        )
        rise = fit_linear_mixed(problem, reml=False).criterion - fit.criterion
        assert np.sign(value - fit.beta[1]) * np.sqrt(max(rise, 0.0)) == pytest.approx(zeta, abs=1e-4)


def test_refit_equals_fitting_afresh(rng):
    groups, X, y, weights, offset = _crossed(rng)
    fit = fit_linear_mixed(prepare(groups, X, y, weights, offset))
    other = y + rng.standard_normal(len(y))
    again, fresh = refit(fit, other), fit_linear_mixed(prepare(groups, X, other, weights, offset))
    assert again.criterion == pytest.approx(fresh.criterion, abs=1e-7)
    np.testing.assert_allclose(again.beta, fresh.beta, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(again.fitted, fresh.fitted, rtol=1e-4, atol=1e-4)


def test_fixed_sigma(sleepstudy):
    problem = sleepstudy.problem
    fit = fit_linear_mixed(problem, sigma=sleepstudy.sigma)
    np.testing.assert_allclose(fit.theta, sleepstudy.theta, rtol=1e-4)
    assert fit.criterion == pytest.approx(sleepstudy.criterion, abs=1e-8)
    assert fit.parameters == sleepstudy.parameters - 1
    smaller = fit_linear_mixed(problem, sigma=20.0)
    assert smaller.criterion > fit.criterion
    assert np.all(np.isinf(satterthwaite(smaller).df(np.eye(2))))


def test_penalty_is_added_and_keeps_a_variance_off_zero():
    """-2 log of a gamma(2, 0) density of sd / sigma on Dyestuff2, whose REML estimate of theta is 0."""

    def penalty(theta, sigma):
        return float(-2.0 * np.log(np.abs(theta)).sum()), -2.0 / theta, 0.0

    problem = _problem("dyestuff2_singular")[0]
    fit = fit_linear_mixed(problem, penalty=penalty)
    assert fit.theta[0] > 0.1
    assert not fit.is_singular
    assert fit.objective == pytest.approx(fit.criterion + penalty(fit.theta, fit.sigma)[0], abs=1e-9)
    joint = JointCriterion(problem, True, penalty)
    best = minimize(lambda x: joint.evaluate(x).value, [0.5, 1.0], method="Nelder-Mead", options={"xatol": 1e-7})
    assert fit.objective == pytest.approx(best.fun, abs=1e-7)
    known = fit_linear_mixed(problem, sigma=fit.sigma, penalty=penalty)
    np.testing.assert_allclose(known.theta, fit.theta, rtol=1e-4)


def test_the_decrement_bounds_the_distance_to_the_minimum(rng):
    fit = fit_linear_mixed(prepare(*_crossed(rng)), tolerance=1e-2)
    best = fit_linear_mixed(prepare(*_crossed(np.random.default_rng(0))), tolerance=1e-6)
    assert best.convergence.decrement < 1e-6
    assert fit.convergence.decrement < 1e-2
    criterion = ProfiledCriterion(fit.problem, True)
    hessian = finite_difference_hessian(criterion, fit.point.x)
    gradient = criterion.gradient(fit.point)
    free = fit.point.x != 0.0
    decrement = np.sqrt(gradient[free] @ np.linalg.solve(hessian[np.ix_(free, free)], gradient[free]))
    assert decrement < 5e-2


# ---------------------------------------------------------------------------------------------------------------------
# Boundaries and hostile inputs


def test_singular_fits_are_named():
    variance = fit_linear_mixed(_problem("dyestuff2_singular")[0])
    assert variance.theta[0] == 0.0
    assert [s.description for s in variance.convergence.singular] == ["the variance of `1` in `Batch` is 0"]
    correlation = fit_linear_mixed(_problem("classroom_full")[0])
    (direction,) = correlation.convergence.singular
    assert direction.description == "the correlation of `1` and `ses` in `classid` is 1"
    assert np.abs(direction.direction @ correlation.groups[0].covariance @ direction.direction) < 1e-9


def test_the_search_leaves_a_boundary_that_is_not_a_minimum(sleepstudy):
    """theta = 0 is a stationary point of every criterion; started there, the fit still finds the minimum."""
    fit = fit_linear_mixed(sleepstudy.problem, start=np.zeros(3))
    assert fit.convergence.restarts >= 1
    assert fit.criterion == pytest.approx(sleepstudy.criterion, abs=1e-8)


def test_theta_is_rectified_from_any_start(sleepstudy):
    fit = fit_linear_mixed(sleepstudy.problem, start=np.array([-1.0, 0.3, -0.2]))
    assert np.all(fit.theta[[0, 2]] > 0)
    np.testing.assert_allclose(fit.theta, sleepstudy.theta, rtol=1e-4)


def test_dependent_columns_are_dropped(sleepstudy):
    X = sleepstudy.problem.X
    fit = fit_linear_mixed(_sleepstudy(X=np.column_stack([X, X @ [2.0, 3.0], X[:, 1] ** 2])))
    np.testing.assert_array_equal(fit.dropped, [2])
    assert fit.beta.shape == (3,)
    alone = fit_linear_mixed(_sleepstudy(X=np.column_stack([X, X[:, 1] ** 2])))
    assert fit.criterion == pytest.approx(alone.criterion, abs=1e-8)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_a_rescaled_predictor_changes_nothing_but_its_units(sleepstudy, scale):
    X = sleepstudy.problem.X * [1.0, scale]
    group = replace(sleepstudy.problem.groups[0], Z=X)
    fit = fit_linear_mixed(_sleepstudy(X=X, groups=[group]))
    # log |X'V^-1X| takes up the change of units of X.
    assert fit.criterion == pytest.approx(sleepstudy.criterion + 2.0 * np.log(scale), abs=1e-6)
    np.testing.assert_allclose(fit.beta * [1.0, scale], sleepstudy.beta, rtol=1e-6)
    np.testing.assert_allclose(fit.groups[0].sd * [1.0, scale], sleepstudy.groups[0].sd, rtol=1e-4)


def test_a_covariate_far_from_zero_costs_neither_digits_nor_steps(sleepstudy):
    """Days counted from the year 0: the slope, its standard error and its 17 degrees of freedom stay."""
    X = sleepstudy.problem.X + [0.0, 2000.0]
    fit = fit_linear_mixed(_sleepstudy(X=X, groups=[replace(sleepstudy.problem.groups[0], Z=X)]))
    assert fit.convergence.evaluations <= sleepstudy.convergence.evaluations + 2
    assert fit.criterion == pytest.approx(sleepstudy.criterion, abs=1e-7)
    assert not fit.is_singular
    assert fit.groups[0].sd[1] == pytest.approx(sleepstudy.groups[0].sd[1], rel=1e-4)
    for tests in (satterthwaite(fit), kenward_roger(fit)):
        slope = np.array([[0.0, 1.0]])
        assert (tests.standard_errors(slope)[0], tests.df(slope)[0]) == pytest.approx((1.545789, 17.0), rel=2e-5)


def test_a_shifted_response_loses_no_digits(sleepstudy):
    fit = fit_linear_mixed(_sleepstudy(y=sleepstudy.problem.y + 1e9))
    # 1e9 + y keeps y to 1e-7; the criterion moves by n times the relative change of the residual variance.
    assert fit.criterion == pytest.approx(sleepstudy.criterion, abs=1e-5)
    np.testing.assert_allclose(fit.theta, sleepstudy.theta, rtol=1e-4)


def test_no_fixed_effects(rng):
    codes = np.repeat(np.arange(12), 5)
    y = rng.normal(size=12)[codes] + rng.normal(size=60)
    group = GroupBlock("g", codes, 12, np.ones((60, 1)), (1,))
    fit = fit_linear_mixed(prepare([group], np.empty((60, 0)), y))
    assert fit.beta.shape == (0,)
    V, *_ = _dense(fit)
    value = np.linalg.slogdet(V)[1] + 60 * (1.0 + np.log(2.0 * np.pi * fit.sigma**2))
    assert fit.criterion == pytest.approx(value, abs=1e-9)


def test_a_level_without_rows_has_its_prior(rng):
    codes = np.repeat([0, 1, 3, 4], 6)
    y = 2.0 * rng.normal(size=5)[codes] + rng.normal(size=24)
    fit = fit_linear_mixed(prepare([GroupBlock("g", codes, 5, np.ones((24, 1)), (1,))], np.ones((24, 1)), y))
    assert fit.conditional_modes[0][2, 0] == 0.0
    assert fit.conditional_variances[0][2, 0, 0] == pytest.approx(fit.groups[0].covariance[0, 0])
    assert fit.conditional_variances[0][1, 0, 0] < fit.groups[0].covariance[0, 0]


def test_hostile_inputs_are_refused_in_words(rng):
    n = 30
    codes, one, y = np.repeat(np.arange(10), 3), np.ones((n, 1)), rng.normal(size=n)
    group = GroupBlock("g", codes, 10, one, (1,))

    def refused(match, **changes):
        with pytest.raises(DataError, match=match):
            prepare(**({"groups": [group], "X": one, "y": y} | changes))

    refused("constant response", y=np.full(n, 3.0))
    refused("zero or negative", weights=np.where(np.arange(n) < 2, 0.0, 1.0))
    refused("zero or negative", weights=-np.ones(n))
    refused("1 values that are not finite", y=np.where(np.arange(n) == 4, np.nan, y))
    refused("not finite", X=np.where(np.arange(n)[:, None] == 4, np.inf, one))
    refused("`g` has 1 level", groups=[replace(group, codes=np.zeros(n, int))])
    refused("`g` has 30 levels for 30 rows", groups=[replace(group, codes=np.arange(n), n_levels=n)])
    wide = replace(group, Z=rng.normal(size=(n, 3)), blocks=(3,))
    refused("10 levels x 3 coefficients", groups=[wide])
    refused("already hold one coefficient for each level", X=np.eye(10)[codes])
    refused("`z2` over `g`", groups=[replace(group, Z=one * [1.0, 0.0], blocks=(2,))])
    refused("other units", y=1e200 * y)
    refused("at least one grouping factor", groups=[])
    refused("shape", X=np.ones((n - 1, 1)))
    refused("fixed effects for 30 rows", X=rng.normal(size=(n, n)))
    with pytest.raises(ModelError, match="sigma"):
        fit_linear_mixed(prepare([group], one, y), sigma=-1.0)


def test_groups_that_reproduce_the_response_are_named(rng):
    codes = np.repeat(np.arange(10), 3)
    group = GroupBlock("g", codes, 10, np.ones((30, 1)), (1,))
    with pytest.raises(ModelError, match="constant within"):
        fit_linear_mixed(prepare([group], np.ones((30, 1)), rng.normal(size=10)[codes]))


def test_fewer_levels_than_coefficients_is_singular_and_says_so(rng):
    codes, x = np.repeat([0, 1], 25), rng.normal(size=50)
    group = GroupBlock("g", codes, 2, np.column_stack([np.ones(50), x, x**2]), (3,))
    y = rng.normal(size=50) + 3.0 * codes
    fit = fit_linear_mixed(prepare([group], np.column_stack([np.ones(50), x]), y))
    assert len(fit.convergence.singular) >= 1
    for direction in fit.convergence.singular:
        assert direction.direction @ fit.groups[0].covariance @ direction.direction < 1e-9
    assert np.isfinite(fit.standard_errors).all()


def test_questions_a_fit_cannot_answer_are_refused(sleepstudy):
    ml = fit_linear_mixed(sleepstudy.problem, reml=False)
    with pytest.raises(ModelError, match="REML"):
        kenward_roger(ml)
    with pytest.raises(ModelError, match="contrast"):
        satterthwaite(sleepstudy).f_test(np.ones(3))
    with pytest.raises(ModelError, match="profile"):
        profiler(fit_linear_mixed(sleepstudy.problem, sigma=25.0))
    with pytest.raises(ModelError, match="level"):
        profiler(sleepstudy).interval(Parameter("sigma"), 1.5)


def test_more_coefficients_than_rows_of_a_factor_with_known_sigma(rng):
    n = 24
    group = GroupBlock("row", np.arange(n), n, np.ones((n, 1)), (1,))
    y = rng.normal(size=n) * 2.0
    fit = fit_linear_mixed(prepare([group], np.ones((n, 1)), y, allow_saturated=True), sigma=1.0)
    # A normal sample whose variance is 1 + tau^2.
    assert fit.groups[0].covariance[0, 0] == pytest.approx(max(np.var(y, ddof=1) - 1.0, 0.0), rel=1e-5)
