"""The generalised linear mixed model engine against published fits, brute-force integrals and its own differences."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.special import expit, gammaln
from scipy.stats import binom
from scipy.stats import poisson as poisson_law

from bayesml.engines.generalised_mixed import (
    GeneralisedMixedFit,
    PenaltyValue,
    RowDerivatives,
    fit_generalised_mixed,
)
from bayesml.engines.generalised_mixed.criterion import Value, laplace
from bayesml.engines.generalised_mixed.family_response import FamilyResponse
from bayesml.engines.generalised_mixed.mode import find_mode
from bayesml.engines.generalised_mixed.problem import Problem, build_problem
from bayesml.engines.generalised_mixed.quadrature import adaptive_quadrature
from bayesml.engines.generalised_mixed.saturated import saturated_log_likelihood
from bayesml.errors import DataError, ModelError
from bayesml.families import get_family
from bayesml.linalg import DenseBlock, GroupBlock, coupling, row_blocks
from tests.conftest import shared_path

SHIPPED = Path(__file__).resolve().parents[1] / "bayesml" / "datasets" / "data"


@dataclass(frozen=True)
class HandBinomial:
    """Binomial with logit link, written out here so that the engine is tested without the families."""

    y: np.ndarray
    trials: np.ndarray
    auxiliary: tuple[str, ...] = ()

    def start_eta(self) -> np.ndarray:
        p = (self.y + 0.5) / (self.trials + 1)
        return np.log(p / (1 - p))

    def start_psi(self) -> np.ndarray:
        return np.empty(0)

    def derivatives(self, eta: np.ndarray, psi: np.ndarray) -> RowDerivatives:
        p, q = expit(eta), expit(-eta)
        w = self.trials * p * q
        constant = gammaln(self.trials + 1) - gammaln(self.y + 1) - gammaln(self.trials - self.y + 1)
        value = constant + self.y * eta - self.trials * np.logaddexp(0, eta)
        return RowDerivatives(value, self.y - self.trials * p, -w, -w * (q - p), w)


@dataclass(frozen=True)
class HandPoisson:
    y: np.ndarray
    auxiliary: tuple[str, ...] = ()

    def start_eta(self) -> np.ndarray:
        return np.log(self.y + 0.1)

    def start_psi(self) -> np.ndarray:
        return np.empty(0)

    def derivatives(self, eta: np.ndarray, psi: np.ndarray) -> RowDerivatives:
        mu = np.exp(eta)
        return RowDerivatives(self.y * eta - mu - gammaln(self.y + 1), self.y - mu, -mu, -mu, mu)


def columns(path: Path) -> dict[str, list[str]]:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return {name: [row[name] for row in rows] for name in rows[0]}


def numbers(values: Sequence[str]) -> np.ndarray:
    return np.array([float(value) for value in values])


def group(name: str, values: Sequence[str], Z: np.ndarray | None = None, blocks: tuple[int, ...] = ()) -> GroupBlock:
    levels = sorted(set(values), key=float)
    codes = np.array([levels.index(value) for value in values])
    Z = np.ones((len(codes), 1)) if Z is None else Z
    return GroupBlock(name, codes, len(levels), Z, blocks or (Z.shape[1],))


def family(name: str, link: str | None = None, **data: np.ndarray) -> FamilyResponse:
    return FamilyResponse(get_family(name, link), data)


@dataclass(frozen=True)
class Data:
    columns: dict[str, np.ndarray]
    X: np.ndarray
    levels: dict[str, list[str]]


def cbpp() -> Data:
    raw = columns(SHIPPED / "cbpp.csv")
    period = numbers(raw["period"])
    X = np.column_stack([np.ones(len(period))] + [(period == k) * 1.0 for k in (2, 3, 4)])
    return Data({"y": numbers(raw["incidence"]), "trials": numbers(raw["size"])}, X, {"herd": raw["herd"]})


def epilepsy() -> Data:
    raw = columns(SHIPPED / "epilepsy.csv")
    age, base, treated = numbers(raw["zAge"]), numbers(raw["zBase"]), numbers(raw["Trt"])
    X = np.column_stack([np.ones(len(age)), age, base, treated, base * treated])
    given = {"y": numbers(raw["count"]), "visit": numbers(raw["visit"]) - 2.5, "base": numbers(raw["Base"])}
    return Data(given, X, {"patient": raw["patient"], "obs": raw["obs"], "visit": raw["visit"]})


def sleepstudy() -> Data:
    raw = columns(SHIPPED / "sleepstudy.csv")
    X = np.column_stack([np.ones(180), numbers(raw["Days"])])
    return Data({"y": numbers(raw["Reaction"])}, X, {"Subject": raw["Subject"]})


# Published fits ----------------------------------------------------------------------------------------------------


def reference(name: str) -> dict:
    fits = json.loads(shared_path("reference", "reference_fits.json").read_text())["fits"]
    return next(fit for fit in fits if fit["id"] == name)


def fit_of(name: str) -> tuple[GeneralisedMixedFit, tuple[str, ...]]:
    """Fit the model of a glmer reference, and the names of its groups in the order of the fit."""
    if name == "rats":
        raw = columns(shared_path("data", "rats.csv"))
        response = HandBinomial(numbers(raw["m"]), numbers(raw["n"]))
        return fit_generalised_mixed(response, np.ones((71, 1)), [group("batch", raw["batch"])]), ("batch",)
    if name == "epilepsy":
        data = epilepsy()
        groups = [group("patient", data.levels["patient"]), group("obs", data.levels["obs"])]
        return fit_generalised_mixed(HandPoisson(data.columns["y"]), data.X, groups), ("patient", "obs")
    data = cbpp()
    points = {"cbpp": 1, "cbpp_agq9": 9}[name]
    response = HandBinomial(data.columns["y"], data.columns["trials"])
    fit = fit_generalised_mixed(response, data.X, [group("herd", data.levels["herd"])], quadrature_points=points)
    return fit, ("herd",)


@pytest.mark.parametrize("name", ["rats", "cbpp", "cbpp_agq9", "epilepsy"])
def test_glmer_reference(name: str) -> None:
    expected, (fit, groups) = reference(name), fit_of(name)
    # lme4's log likelihood for quadrature is relative to the saturated model
    log_likelihood = fit.log_likelihood if fit.saturated_deviance is None else -0.5 * fit.saturated_deviance
    assert log_likelihood == pytest.approx(expected["logLik"], abs=1e-6, rel=1e-8)
    estimates = np.array([row["Estimate"] for row in expected["fixef"].values()])
    errors = np.array([row["Std. Error"] for row in expected["fixef"].values()])
    # glmer's derivative-free search stops within about 1e-5 of a standard error
    assert np.all(np.abs(fit.beta - estimates) <= 1e-5 * np.abs(estimates) + 1e-5 * errors)
    np.testing.assert_allclose(fit.standard_errors, errors, rtol=1e-4)
    by_name = {group.name: group for group in fit.groups}
    assert set(by_name) == set(groups) == set(expected["varcorr"])
    for label, found in by_name.items():
        np.testing.assert_allclose(found.sd, expected["varcorr"][label]["sd"], rtol=1e-4)
        shown = expected["ranef"][label]
        np.testing.assert_allclose(found.effects[: len(shown["levels"])], shown["value"], atol=1e-4)
    df = len(estimates) + len(groups)
    assert fit.df == df
    np.testing.assert_allclose([-2 * log_likelihood + 2 * df], [expected["AIC"]], rtol=1e-8)
    assert fit.convergence.converged and not fit.convergence.messages


def test_cbpp_exact_standard_errors() -> None:
    # frequentist.md 3.5: glmer(tolPwrss = 1e-13) and glmmTMB agree
    fit, _ = fit_of("cbpp")
    np.testing.assert_allclose(fit.standard_errors, [0.23247205, 0.30664249, 0.32663781, 0.42743660], rtol=1e-5)
    np.testing.assert_allclose(fit.beta, [-1.39853214, -0.99233273, -1.12867208, -1.58031389], rtol=1e-7)
    assert fit.theta[0] == pytest.approx(0.64226145, rel=1e-7)
    assert fit.aic == pytest.approx(194.052563743, abs=1e-7)
    assert fit.bic == pytest.approx(204.1793221967, abs=1e-7)
    assert fit.conditional_deviance + fit.effects_norm + fit.log_determinant == pytest.approx(fit.deviance, rel=1e-13)


# frequentist.md 3.3 and lme4's own test of nAGQ = 25
@pytest.mark.parametrize(
    ("points", "deviance", "theta", "beta"),
    [
        (9, 100.01003605, 0.64751773618, [-1.3992302015, -0.99140386285, -1.1278196655, -1.5794709486]),
        (25, 100.01003054, 0.6475185, [-1.3992305, -0.9914037, -1.1278193, -1.5794706]),
    ],
)
def test_cbpp_quadrature(points: int, deviance: float, theta: float, beta: list[float]) -> None:
    data = cbpp()
    response = HandBinomial(data.columns["y"], data.columns["trials"])
    fit = fit_generalised_mixed(response, data.X, [group("herd", data.levels["herd"])], quadrature_points=points)
    assert fit.saturated_deviance == pytest.approx(deviance, abs=1e-7)
    assert fit.theta[0] == pytest.approx(theta, rel=1e-6)
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-6)


@dataclass(frozen=True)
class Expected:
    """A fit of another program; ``tolerance`` is how far its search stops from the optimum, relative."""

    make: Callable[[], GeneralisedMixedFit]
    log_likelihood: float
    beta: list[float]
    errors: list[float]
    sd: list[float]
    natural: list[float]
    tolerance: float = 1e-5


def binomial_fit(link: str, curvature: str) -> GeneralisedMixedFit:
    data = cbpp()
    herd = group("herd", data.levels["herd"])
    return fit_generalised_mixed(family("binomial", link, **data.columns), data.X, [herd], curvature=curvature)


def sleep_fit(name: str, link: str | None, slopes: bool, divide: float = 1.0) -> GeneralisedMixedFit:
    data = sleepstudy()
    response = family(name, link, y=data.columns["y"] / divide)
    return fit_generalised_mixed(
        response, data.X, [group("Subject", data.levels["Subject"], data.X if slopes else None)]
    )


def epilepsy_slopes(blocks: tuple[int, ...]) -> GeneralisedMixedFit:
    data = epilepsy()
    visit = data.columns["visit"]
    X = np.column_stack([data.X[:, :4], visit, data.X[:, 4]])
    Z = np.column_stack([np.ones(len(visit)), visit])
    patient = group("patient", data.levels["patient"], Z, blocks)
    return fit_generalised_mixed(HandPoisson(data.columns["y"]), X, [patient])


def epilepsy_negbinomial(crossed: bool) -> GeneralisedMixedFit:
    data = epilepsy()
    groups = [group(name, data.levels[name]) for name in (("patient", "visit") if crossed else ("patient",))]
    return fit_generalised_mixed(family("negbinomial", y=data.columns["y"]), data.X, groups)


def epilepsy_crossed() -> GeneralisedMixedFit:
    data = epilepsy()
    groups = [group(name, data.levels[name]) for name in ("patient", "visit")]
    return fit_generalised_mixed(family("poisson", y=data.columns["y"]), data.X, groups)


def epilepsy_weighted() -> GeneralisedMixedFit:
    data = epilepsy()
    response = family("negbinomial", y=data.columns["y"])
    weights, offset = np.tile([1.0, 2.0, 0.5, 1.5], 59), np.log(1 + data.columns["base"] / 10)
    patient = group("patient", data.levels["patient"])
    return fit_generalised_mixed(response, data.X[:, [0, 1, 3]], [patient], weights=weights, offset=offset)


# glmmTMB 1.1.5 with glmmTMBControl(optCtrl = list(iter.max = 2000, eval.max = 2000, rel.tol = 1e-14, x.tol = 1e-12))
# and, for "fisher", lme4 1.1-31 with glmerControl("bobyqa", tolPwrss = 1e-13,
# optCtrl = list(rhobeg = 1e-3, rhoend = 1e-9)).
# glmmTMB's nlminb works on differences of the criterion that it cannot resolve below about 1e-5 standard errors.
EXPECTED = {
    # glmmTMB(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial("probit"))
    "probit": Expected(
        lambda: binomial_fit("probit", "observed"),
        -92.583337703234,
        [-0.8318499975, -0.5265962968, -0.6150715733, -0.7979442168],
        [0.125983790, 0.160252153, 0.169140881, 0.204431348],
        [0.338634476],
        [],
    ),
    # glmmTMB(..., binomial("cloglog"))
    "cloglog": Expected(
        lambda: binomial_fit("cloglog", "observed"),
        -91.758002017989,
        [-1.5320955972, -0.9129903046, -1.0311046571, -1.4794199462],
        [0.210654901, 0.284028470, 0.305517129, 0.408337318],
        [0.585898333],
        [],
    ),
    # glmer(..., binomial("probit"))
    "probit fisher": Expected(
        lambda: binomial_fit("probit", "fisher"),
        -92.6212233325,
        [-0.835477795, -0.528033318, -0.616886418, -0.799563122],
        [],
        [0.33799214],
        [],
    ),
    # glmer(..., binomial("cloglog")): its search stops 1e-7 above the optimum, 1e-5 standard errors away
    "cloglog fisher": Expected(
        lambda: binomial_fit("cloglog", "fisher"),
        -91.8020379173,
        [-1.52598073, -0.91632018, -1.03516204, -1.48363285],
        [],
        [0.586687329],
        [],
    ),
    # glmmTMB(count ~ zAge + zBase * Trt + (1 | patient), epilepsy, nbinom2)
    "negbinomial": Expected(
        lambda: epilepsy_negbinomial(crossed=False),
        -628.77678979218,
        [1.79326955271, 0.09383725884, 0.70109175991, -0.26198747052, 0.04780120919],
        [0.1104132398, 0.0804787041, 0.1110316816, 0.1545634889, 0.1513715380],
        [0.500323433],
        [7.195829022],
        5e-5,
    ),
    # glmmTMB(count ~ zAge + zBase * Trt + (1 | patient) + (1 | visit), epilepsy, nbinom2): the visits have no variance
    "negbinomial, a zero variance": Expected(
        lambda: epilepsy_negbinomial(crossed=True),
        -628.77678978885,
        [1.79326931318, 0.09384056654, 0.70108786302, -0.26198709934, 0.04780073989],
        [0.1104131424, 0.0804786114, 0.1110315476, 0.1545633406, 0.1513713742],
        [0.500322739, 0.0],
        [7.195811578],
    ),
    # glmmTMB(count ~ zAge + Trt + offset(log(1 + Base / 10)) + (1 | patient), nbinom2, weights = w),
    # w = rep(c(1, 2, .5, 1.5), 59)
    "negbinomial, weights and offset": Expected(
        epilepsy_weighted,
        -764.878815007,
        [0.54136244383, 0.04351955329, -0.29167748321],
        [0.1133238989, 0.0791862763, 0.1584451997],
        [0.544625031],
        [11.06409882],
        2e-5,
    ),
    # glmmTMB(count ~ zAge + zBase * Trt + (1 | patient) + (1 | visit), epilepsy, poisson)
    "poisson crossed": Expected(
        epilepsy_crossed,
        -671.12021934495,
        [1.77455417569, 0.09365083905, 0.70069508301, -0.26305087989, 0.04841016523],
        [0.1154346074, 0.0805544811, 0.1109344318, 0.1547135493, 0.1511633313],
        [0.534827132, 0.0670809384],
        [],
        2e-5,
    ),
    # glmmTMB(count ~ zAge + zBase * Trt + v + (v | patient), poisson), v = visit - 2.5; coefficients in R's order
    "poisson slopes": Expected(
        lambda: epilepsy_slopes((2,)),
        -658.13459495087,
        [1.75742100100, 0.10256441138, 0.70013215144, -0.25537241995, -0.05984049841, 0.05591234430],
        [0.110039777, 0.081979374, 0.109853373, 0.153594131, 0.032935579, 0.150112219],
        [0.532610596, 0.145662466],
        [],
        2e-5,
    ),
    # glmmTMB(... + diag(v | patient), poisson)
    "poisson independent slopes": Expected(
        lambda: epilepsy_slopes((1, 1)),
        -658.33510932303,
        [1.75931260453, 0.09115332631, 0.70107755250, -0.25895523259, -0.05316056585, 0.04734579359],
        [0.1101839877, 0.0802699485, 0.1104961235, 0.1541721827, 0.0313878877, 0.1505422617],
        [0.532208096, 0.147320109],
        [],
        3e-5,
    ),
    # glmmTMB(Reaction ~ Days + (Days | Subject), sleepstudy, Gamma("log")); the shape is 1 / sigma(m)^2
    "gamma": Expected(
        lambda: sleep_fit("gamma", "log", slopes=True),
        -866.01834309167,
        [5.53251791782, 0.03384995542],
        [0.02627628554, 0.00462855879],
        [0.1008578745, 0.0175084028],
        [152.9712944],
        2e-5,
    ),
    # glmmTMB(Reaction ~ Days + (1 | Subject), gaussian("log"))
    "gaussian with log link": Expected(
        lambda: sleep_fit("gaussian", "log", slopes=False),
        -889.6809641489,
        [5.52083203341, 0.03646653142],
        [0.03389909993, 0.00255797969],
        [0.128818001],
        [29.33213696],
    ),
    # glmmTMB(Reaction ~ Days + (Days | Subject), t_family()); the degrees of freedom are exp(1.06403781195) there
    "student": Expected(
        lambda: sleep_fit("student", None, slopes=True),
        -854.66941602881,
        [251.09717547, 10.73382964],
        [7.14942122, 1.57905533],
        [28.47688365, 6.33877418],
        [14.49447848, np.exp(1.06403781195)],
        1e-4,
    ),
    # glmmTMB(Reaction / 600 ~ Days + (1 | Subject), beta_family())
    "beta": Expected(
        lambda: sleep_fit("beta", None, slopes=False, divide=600.0),
        253.36165410082,
        [-0.3310133580, 0.0715065427],
        [0.06529727474, 0.00554217828],
        [0.246687782],
        [89.72800469],
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_other_programs(name: str) -> None:
    expected, fit = EXPECTED[name], EXPECTED[name].make()
    assert fit.log_likelihood == pytest.approx(expected.log_likelihood, abs=1e-6, rel=1e-8)
    tolerance = expected.tolerance
    scale = np.maximum(np.abs(expected.beta), fit.standard_errors)
    assert np.all(np.abs(fit.beta - expected.beta) <= tolerance * scale)
    if expected.errors:
        np.testing.assert_allclose(fit.standard_errors, expected.errors, rtol=1e-4)
    sd = np.concatenate([group.sd for group in fit.groups])
    np.testing.assert_allclose(sd, expected.sd, rtol=1e-4, atol=1e-12)
    psi = np.exp(fit.psi) + np.array([1.0 if name == "nu" else 0.0 for name in fit.auxiliary])
    np.testing.assert_allclose(psi, expected.natural, rtol=1e-4)
    assert fit.convergence.converged


def test_gaussian_is_maximum_likelihood_of_the_linear_model() -> None:
    # lmer(Reaction ~ Days + (Days | Subject), sleepstudy, REML = FALSE): deviance 1751.9393444632, theta below,
    # sd 23.7806, 5.7168, correlation 0.0813, sigma 25.5918, fixed effects 251.4051 (6.6323), 10.4673 (1.5022)
    fit = sleep_fit("gaussian", None, slopes=True)
    assert fit.deviance == pytest.approx(1751.9393444632, abs=1e-8)
    sigma = np.exp(fit.psi[0])
    np.testing.assert_allclose(fit.theta / sigma, [0.92922545, 0.0181657, 0.2226454], rtol=2e-5)
    np.testing.assert_allclose(fit.beta, [251.405105, 10.467286], rtol=1e-8)
    np.testing.assert_allclose(fit.standard_errors, [6.6323, 1.5022], atol=5e-5)


def test_poisson_quadrature_like_glmer() -> None:
    # glmer(count ~ zAge + zBase * Trt + (1 | patient), poisson, nAGQ = 11, glmerControl("bobyqa", tolPwrss = 1e-13,
    # optCtrl = list(rhobeg = 1e-3, rhoend = 1e-9))): logLik -289.75534877
    data = epilepsy()
    fit = fit_generalised_mixed(
        HandPoisson(data.columns["y"]), data.X, [group("patient", data.levels["patient"])], quadrature_points=11
    )
    assert fit.saturated_deviance == pytest.approx(2 * 289.75534877, abs=1e-7)
    np.testing.assert_allclose(
        fit.beta, [1.7763297196, 0.0936368167, 0.7006813629, -0.2630128417, 0.0483856852], rtol=1e-6
    )
    assert fit.theta[0] == pytest.approx(0.535095808, rel=1e-6)


# Gradients ---------------------------------------------------------------------------------------------------------


def designs(rng: np.random.Generator, n: int) -> dict[str, list[GroupBlock]]:
    g, h, pair = rng.integers(0, 12, n), rng.integers(0, 7, n), np.arange(n) // 2
    one, Z = np.ones((n, 1)), np.column_stack([np.ones(n), rng.normal(size=n)])
    three = np.column_stack([Z, rng.normal(size=n)])
    return {
        "no group": [],
        "one intercept": [GroupBlock("g", g, 12, one, (1,))],
        "correlated slopes": [GroupBlock("g", g, 12, Z, (2,))],
        "independent slopes": [GroupBlock("g", g, 12, Z, (1, 1))],
        "three coefficients": [GroupBlock("g", g, 12, three, (2, 1))],
        "empty level": [GroupBlock("g", g, 14, Z, (2,))],
        "nested": [GroupBlock("g:h", g * 7 + h, 84, one, (1,)), GroupBlock("g", g, 12, Z, (2,))],
        "nested, root first": [GroupBlock("g", g, 12, Z, (2,)), GroupBlock("g:h", g * 7 + h, 84, one, (1,))],
        "nested three deep": [
            GroupBlock("row", np.arange(n), n, one, (1,)),
            GroupBlock("g:h", g * 7 + h, 84, Z, (2,)),
            GroupBlock("g", g, 12, Z, (2,)),
        ],
        "crossed": [GroupBlock("g", g, 12, Z, (2,)), GroupBlock("h", h, 7, one, (1,))],
        "crossed three": [
            GroupBlock("g", g, 12, Z, (1, 1)),
            GroupBlock("h", h, 7, Z, (2,)),
            GroupBlock("pair", pair, (n + 1) // 2, one, (1,)),
        ],
        "nested and crossed": [
            GroupBlock("h", h, 7, Z, (2,)),
            GroupBlock("g", g, 12, one, (1,)),
            GroupBlock("part of g", g * 3 + np.arange(n) % 3, 36, Z, (2,)),
        ],
        "dense": [DenseBlock.of("s", three @ rng.normal(size=(3, 5)))],
        "dense beside factors": [
            GroupBlock("h", h, 7, one, (1,)),
            DenseBlock.of("s", three),
            GroupBlock("g", g, 12, Z, (2,)),
        ],
    }


DESIGNS = tuple(designs(np.random.default_rng(0), 4))
FAMILIES = {
    "gaussian": None,
    "gaussian log": "log",
    "student": None,
    "bernoulli": "logit",
    "bernoulli probit": "probit",
    "bernoulli cloglog": "cloglog",
    "poisson": "log",
    "negbinomial": "log",
    "gamma": "log",
    "beta": "logit",
}


def simulated(name: str, rng: np.random.Generator, n: int) -> FamilyResponse:
    kind, link = name.split()[0], FAMILIES[name]
    draws = {
        "gaussian": rng.normal(1.0, 0.5, n),
        "student": rng.standard_t(4, n),
        "bernoulli": rng.integers(0, 2, n) * 1.0,
        "poisson": rng.poisson(2.0, n) * 1.0,
        "negbinomial": rng.poisson(2.0, n) * 1.0,
        "gamma": rng.gamma(3.0, 0.5, n),
        "beta": rng.beta(2.0, 3.0, n),
    }
    return family(kind, link, y=draws[kind])


def assert_gradient(problem: Problem, flat: np.ndarray, evaluate: Callable[[Problem, object], Value]) -> None:
    def value(at: np.ndarray) -> Value:
        return evaluate(problem, find_mode(problem, problem.parameters(at)))

    step, exact = 1e-3, value(flat).gradient
    for i in range(len(flat)):
        unit = np.zeros(len(flat))
        unit[i] = step
        near = value(flat + unit).value - value(flat - unit).value
        far = value(flat + 2 * unit).value - value(flat - 2 * unit).value
        # fourth order: error step^4 = 1e-12, rounding of the criterion 1e-12 / step
        assert exact[i] == pytest.approx((8 * near - far) / (12 * step), rel=2e-7, abs=2e-7)


def small_problem(
    response: FamilyResponse, groups: list[GroupBlock], rng: np.random.Generator, curvature: str
) -> Problem:
    n = len(response.data["y"])
    X = np.column_stack([np.ones(n), rng.normal(size=n)])
    return build_problem(response, X, groups, 0.1 * rng.normal(size=n), rng.uniform(0.5, 2.0, n), curvature)


def some_point(problem: Problem, rng: np.random.Generator) -> np.ndarray:
    k, p, _ = problem.sizes
    theta = problem.layout.is_diagonal * 0.5 + 0.1 * rng.normal(size=k)
    return np.concatenate([theta, 0.3 * rng.normal(size=p), problem.psi_start])


@pytest.mark.parametrize("curvature", ["observed", "fisher"])
@pytest.mark.parametrize("design", DESIGNS)
def test_gradient_of_every_design(design: str, curvature: str, rng: np.random.Generator) -> None:
    response = simulated("negbinomial", rng, 120)
    problem = small_problem(response, designs(rng, 120)[design], rng, curvature)
    assert_gradient(problem, some_point(problem, rng), laplace)


@pytest.mark.parametrize("name", FAMILIES)
def test_gradient_of_every_family(name: str, rng: np.random.Generator) -> None:
    response = simulated(name, rng, 120)
    problem = small_problem(response, designs(rng, 120)["crossed"], rng, "observed")
    assert_gradient(problem, some_point(problem, rng), laplace)


@pytest.mark.parametrize("points", [2, 5])
@pytest.mark.parametrize("name", ["bernoulli", "negbinomial", "student", "gamma"])
@pytest.mark.parametrize("design", ["one intercept", "correlated slopes", "three coefficients"])
def test_gradient_of_quadrature(design: str, name: str, points: int, rng: np.random.Generator) -> None:
    problem = small_problem(simulated(name, rng, 80), designs(rng, 80)[design], rng, "observed")
    assert_gradient(problem, some_point(problem, rng), lambda p, mode: adaptive_quadrature(p, mode, points))


# Values ------------------------------------------------------------------------------------------------------------


def dense_criterion(problem: Problem, flat: np.ndarray) -> float:
    """Laplace with explicit matrices: Newton on u, then ``slogdet`` of the whole K."""
    parameters = problem.parameters(flat)
    parts = []
    for lam, part in zip(problem.layout.matrices(parameters.theta), problem.columns, strict=True):
        indicator = np.eye(part.n_levels)[part.codes]
        parts += [indicator * row[:, None] for row in part.times(lam)]
    M = np.concatenate(parts, axis=1)
    u = np.zeros(M.shape[1])
    for _ in range(60):
        density = problem.response.derivatives(problem.fixed_part(parameters.gamma) + M @ u, parameters.psi)
        density = density.weighted(problem.weights)
        K = (M * -density.d2[:, None]).T @ M + np.eye(len(u))
        u = u + np.linalg.solve(K, M.T @ density.d1 - u)
    return float(-2 * density.value.sum() + u @ u + np.linalg.slogdet(K)[1])


@pytest.mark.parametrize("design", [name for name in DESIGNS if name != "no group"])
def test_every_structure_gives_the_dense_value(design: str, rng: np.random.Generator) -> None:
    problem = small_problem(simulated("poisson", rng, 90), designs(rng, 90)[design], rng, "observed")
    flat = some_point(problem, rng)
    value = laplace(problem, find_mode(problem, problem.parameters(flat))).value
    assert value == pytest.approx(dense_criterion(problem, flat), rel=1e-12)


@pytest.mark.parametrize("design", ["crossed", "crossed three", "nested and crossed", "dense beside factors"])
def test_sparse_coupling_gives_the_dense_value(
    design: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    response, groups = simulated("poisson", rng, 90), designs(rng, 90)[design]
    values, blocks = [], []
    for elements in (row_blocks.DENSE_ELEMENTS, (0, 0)):
        monkeypatch.setattr(row_blocks, "DENSE_ELEMENTS", elements)
        monkeypatch.setattr(row_blocks, "DENSE_SHARE", (2.0, 2.0))
        monkeypatch.setattr(coupling, "CHUNK_ELEMENTS", 100)
        X = np.column_stack([np.ones(90), np.linspace(-1, 1, 90)])
        problem = build_problem(response, X, groups, None, None, "observed")
        flat = np.concatenate([0.1 + 0.5 * problem.layout.is_diagonal, [0.2, 0.3]])
        mode = find_mode(problem, problem.parameters(flat))
        assert problem.blocks.arrow.tail and mode.factor is not None
        blocks.append(mode.factor.level_blocks())
        values.append((problem.blocks.pattern, laplace(problem, mode)))
    (dense, one), (sparse, other) = values
    assert dense is None and sparse is not None
    assert one.value == pytest.approx(other.value, rel=1e-13)
    np.testing.assert_allclose(one.gradient, other.gradient, rtol=1e-10, atol=1e-10)
    for first, second in zip(*blocks, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("design", ["one intercept", "correlated slopes", "three coefficients"])
def test_one_quadrature_point_is_laplace(design: str, rng: np.random.Generator) -> None:
    problem = small_problem(simulated("negbinomial", rng, 80), designs(rng, 80)[design], rng, "observed")
    mode = find_mode(problem, problem.parameters(some_point(problem, rng)))
    one, other = adaptive_quadrature(problem, mode, 1), laplace(problem, mode)
    assert one.value == pytest.approx(other.value, rel=1e-13)
    np.testing.assert_allclose(one.gradient, other.gradient, rtol=1e-9, atol=1e-9)


def test_quadrature_is_the_integral_in_one_dimension(rng: np.random.Generator) -> None:
    y, g, sd = rng.integers(0, 4, 12) * 1.0, np.repeat([0, 1, 2], 4), 1.3
    problem = build_problem(
        HandBinomial(y, np.full(12, 3.0)),
        np.ones((12, 1)),
        [GroupBlock("g", g, 3, np.ones((12, 1)), (1,))],
        None,
        None,
        "observed",
    )
    mode = find_mode(problem, problem.parameters(np.array([sd, 0.4])))
    exact = 0.0
    for level in range(3):
        rows = y[g == level]
        mass, _ = quad(
            lambda b, rows=rows: np.prod(binom.pmf(rows, 3, expit(0.4 + b))) * np.exp(-0.5 * (b / sd) ** 2),
            -15,
            15,
            epsabs=0,
            epsrel=1e-12,
        )
        exact -= 2 * np.log(mass / (sd * np.sqrt(2 * np.pi)))
    assert adaptive_quadrature(problem, mode, 60).value == pytest.approx(exact, abs=1e-9)
    assert abs(laplace(problem, mode).value - exact) > 1e-3


def test_quadrature_is_the_integral_in_two_dimensions(rng: np.random.Generator) -> None:
    y, x = rng.integers(0, 5, 6) * 1.0, rng.normal(size=6)
    Z, lam = np.column_stack([np.ones(6), x]), np.array([[0.8, 0.0], [0.3, 0.5]])
    problem = build_problem(
        HandPoisson(y), np.ones((6, 1)), [GroupBlock("g", np.zeros(6, dtype=int), 1, Z, (2,))], None, None, "observed"
    )
    flat = np.append(problem.layout.gather([problem.bases[0] @ lam]), 0.2)
    mode = find_mode(problem, problem.parameters(flat))

    def integrand(second: float, first: float) -> float:
        u = np.array([first, second])
        return float(np.prod(poisson_law.pmf(y, np.exp(0.2 + Z @ lam @ u))) * np.exp(-0.5 * u @ u) / (2 * np.pi))

    mass, _ = dblquad(integrand, -7, 7, -7, 7, epsabs=0, epsrel=1e-8)
    assert adaptive_quadrature(problem, mode, 30).value == pytest.approx(-2 * np.log(mass), abs=1e-6)


def test_saturated_log_likelihood(rng: np.random.Generator) -> None:
    data = cbpp()
    y, m = data.columns["y"], data.columns["trials"]
    problem = build_problem(HandBinomial(y, m), data.X, [], None, None, "observed")
    assert saturated_log_likelihood(problem, np.empty(0)) == pytest.approx(binom.logpmf(y, m, y / m).sum(), abs=1e-9)
    counts = rng.poisson(2.0, 50) * 1.0
    problem = build_problem(HandPoisson(counts), np.ones((50, 1)), [], None, None, "observed")
    assert saturated_log_likelihood(problem, np.empty(0)) == pytest.approx(
        poisson_law.logpmf(counts, counts).sum(), abs=1e-9
    )


# Laws of a fit -----------------------------------------------------------------------------------------------------


def binary(rng: np.random.Generator, n: int = 400, sd: float = 1.0) -> tuple[np.ndarray, np.ndarray, GroupBlock]:
    g = np.arange(n) % 40
    X = np.column_stack([np.ones(n), rng.normal(size=n)])
    eta = X @ [0.3, -0.5] + sd * rng.normal(size=40)[g]
    return (rng.uniform(size=n) < expit(eta)) * 1.0, X, GroupBlock("g", g, 40, np.ones((n, 1)), (1,))


def test_repeated_rows_are_weights(rng: np.random.Generator) -> None:
    y, X, g = binary(rng)
    times = rng.integers(0, 3, 400)
    many = np.repeat(np.arange(400), times)
    weighted = fit_generalised_mixed(family("bernoulli", y=y), X, [g], weights=times * 1.0)
    block = GroupBlock("g", g.codes[many], 40, g.Z[many], (1,))
    repeated = fit_generalised_mixed(family("bernoulli", y=y[many]), X[many], [block])
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(weighted.beta, repeated.beta, rtol=1e-7)
    np.testing.assert_allclose(weighted.vcov, repeated.vcov, rtol=1e-5)
    np.testing.assert_allclose(weighted.groups[0].effects, repeated.groups[0].effects, atol=1e-7)


@pytest.mark.parametrize("factor", [1e-12, 1e-3, 1e3, 1e12])
def test_units_of_the_predictors_do_not_matter(factor: float, rng: np.random.Generator) -> None:
    y, X, g = binary(rng)
    slopes = GroupBlock("g", g.codes, 40, X, (2,))
    scaled = GroupBlock("g", g.codes, 40, X * [1.0, factor], (2,))
    one = fit_generalised_mixed(family("bernoulli", y=y), X, [slopes])
    other = fit_generalised_mixed(family("bernoulli", y=y), X * [1.0, factor], [scaled])
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(one.beta, other.beta * [1.0, factor], rtol=1e-6)
    np.testing.assert_allclose(one.standard_errors, other.standard_errors * [1.0, factor], rtol=1e-6)
    np.testing.assert_allclose(one.groups[0].sd, other.groups[0].sd * [1.0, factor], rtol=1e-5, atol=1e-9)


def test_order_and_structure_of_the_groups_do_not_matter(rng: np.random.Generator) -> None:
    n = 200
    groups = designs(rng, n)["crossed three"]
    response, X = simulated("poisson", rng, n), np.ones((n, 1))
    one = fit_generalised_mixed(response, X, groups)
    other = fit_generalised_mixed(response, X, groups[::-1])
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-8)
    for group, same in zip(one.groups, other.groups[::-1], strict=True):
        np.testing.assert_allclose(group.sd, same.sd, rtol=1e-4, atol=1e-4)


def test_covariance_is_the_inverse_of_the_curvature_of_the_deviance(rng: np.random.Generator) -> None:
    """Second differences of the criterion itself, without any gradient."""
    y, X, g = binary(rng, sd=0.8)
    fit = fit_generalised_mixed(family("bernoulli", y=y), X, [g])
    problem = build_problem(family("bernoulli", y=y), X, [g], None, None, "observed")
    R = problem.fixed.R

    def deviance(at: np.ndarray) -> float:
        flat = np.concatenate([at[:1], R @ at[1:]])
        return laplace(problem, find_mode(problem, problem.parameters(flat))).value

    centre, h, size = np.concatenate([fit.theta, fit.beta]), 2e-3, 3
    unit = h * np.eye(size)
    hessian = np.array(
        [
            [
                deviance(centre + a + b)
                - deviance(centre + a - b)
                - deviance(centre - a + b)
                + deviance(centre - a - b)
                for b in unit
            ]
            for a in unit
        ]
    ) / (4 * h**2)
    np.testing.assert_allclose(fit.covariance, 2 * np.linalg.inv(hessian), rtol=2e-4, atol=1e-7)


def test_conditional_variances_are_those_of_the_normal_at_the_mode() -> None:
    fit, _ = fit_of("cbpp")
    data = cbpp()
    p = expit(fit.eta)
    information = np.bincount([int(h) - 1 for h in data.levels["herd"]], data.columns["trials"] * p * (1 - p))
    np.testing.assert_allclose(fit.groups[0].variances[:, 0, 0], 1 / (information + 1 / fit.theta[0] ** 2), rtol=1e-9)


def test_no_groups_is_a_generalised_linear_model() -> None:
    # glm(cbind(incidence, size - incidence) ~ period, binomial, cbpp): logLik -98.88 and a score of zero
    data = cbpp()
    y, m = data.columns["y"], data.columns["trials"]
    fit = fit_generalised_mixed(HandBinomial(y, m), data.X)
    np.testing.assert_allclose(data.X.T @ (y - m * expit(fit.eta)), 0.0, atol=1e-8)
    information = (data.X * (m * expit(fit.eta) * expit(-fit.eta))[:, None]).T @ data.X
    np.testing.assert_allclose(fit.vcov, np.linalg.inv(information), rtol=1e-5)
    assert fit.log_likelihood == pytest.approx(binom.logpmf(y, m, expit(fit.eta)).sum(), rel=1e-12)
    assert fit.groups == ()


# Boundaries and bad input ------------------------------------------------------------------------------------------


def test_zero_variance_is_exact_and_named(rng: np.random.Generator) -> None:
    n = 400
    g = np.arange(n) % 40
    # the same numbers of successes in every level: less between levels than chance gives
    y = ((np.arange(n) // 40) % 2) * 1.0
    fit = fit_generalised_mixed(
        family("bernoulli", y=y), np.ones((n, 1)), [GroupBlock("g", g, 40, np.ones((n, 1)), (1,))]
    )
    assert fit.theta[0] == 0.0
    assert fit.log_likelihood == pytest.approx(n * np.log(0.5), abs=1e-8)
    assert len(fit.convergence.singular) == 1 and "`g`" in fit.convergence.singular[0]
    assert fit.convergence.converged
    assert np.isnan(fit.covariance[0]).all() and np.isfinite(fit.vcov).all()
    assert np.all(fit.groups[0].effects == 0.0) and np.all(fit.groups[0].variances == 0.0)


def test_perfect_correlation_is_named(rng: np.random.Generator) -> None:
    n = 600
    g, x = np.arange(n) % 30, rng.normal(size=n)
    b = 0.8 * rng.normal(size=30)
    y = rng.poisson(np.exp(0.5 + b[g] * (1 + 0.7 * x))) * 1.0
    Z = np.column_stack([np.ones(n), x])
    fit = fit_generalised_mixed(HandPoisson(y), Z, [GroupBlock("g", g, 30, Z, (2,))])
    one = fit_generalised_mixed(HandPoisson(y), Z, [GroupBlock("g", g, 30, Z, (1, 1))])
    assert fit.log_likelihood > one.log_likelihood
    if fit.theta[2] == 0.0:
        assert "linearly dependent" in fit.convergence.singular[0]
    assert fit.groups[0].correlation[1, 0] > 0.95


def test_penalty_keeps_the_variance_off_zero() -> None:
    n = 400
    g, y = np.arange(n) % 40, ((np.arange(n) // 40) % 2) * 1.0
    block = GroupBlock("g", g, 40, np.ones((n, 1)), (1,))

    def gamma_prior(theta: np.ndarray, beta: np.ndarray, psi: np.ndarray) -> PenaltyValue:
        # sd ~ gamma(2, 0.1), beta ~ normal(0, 2)
        value = -2 * float(np.log(theta).sum() - 0.1 * theta.sum()) + float((beta**2).sum()) / 4
        return PenaltyValue(value, -2 / theta + 0.2, beta / 2, np.zeros(0))

    fit = fit_generalised_mixed(family("bernoulli", y=y), np.ones((n, 1)), [block], penalty=gamma_prior)
    assert fit.theta[0] > 0.05 and not fit.convergence.singular and fit.convergence.converged

    def objective(theta: float) -> float:
        problem = build_problem(family("bernoulli", y=y), np.ones((n, 1)), [block], None, None, "observed")
        mode = find_mode(problem, problem.parameters(np.array([theta, *(problem.fixed.R @ fit.beta)])))
        return laplace(problem, mode).value + gamma_prior(np.array([theta]), fit.beta, fit.psi).value

    at = objective(fit.theta[0])
    assert at == pytest.approx(fit.deviance + fit.penalty, rel=1e-12)
    assert min(objective(fit.theta[0] - 0.01), objective(fit.theta[0] + 0.01)) > at


def test_penalty_with_a_kink_at_zero() -> None:
    """An exponential prior has its mode at zero, where the criterion is not smooth."""
    n = 400
    g, y = np.arange(n) % 40, ((np.arange(n) // 40) % 2) * 1.0

    def exponential(theta: np.ndarray, beta: np.ndarray, psi: np.ndarray) -> PenaltyValue:
        return PenaltyValue(2 * float(theta.sum()), np.full(len(theta), 2.0), np.zeros(len(beta)), np.zeros(0))

    fit = fit_generalised_mixed(
        family("bernoulli", y=y), np.ones((n, 1)), [GroupBlock("g", g, 40, np.ones((n, 1)), (1,))], penalty=exponential
    )
    assert fit.theta[0] == 0.0
    assert fit.beta[0] == pytest.approx(0.0, abs=1e-6)


def test_dependent_columns_are_dropped(rng: np.random.Generator) -> None:
    y, X, g = binary(rng)
    doubled = np.column_stack([X, 2 * X[:, 1] - 1, rng.normal(size=400)])
    fit = fit_generalised_mixed(family("bernoulli", y=y), doubled, [g])
    same = fit_generalised_mixed(family("bernoulli", y=y), doubled[:, [0, 1, 3]], [g])
    assert list(fit.dropped) == [2] and list(fit.kept) == [0, 1, 3]
    np.testing.assert_allclose(fit.beta, same.beta, rtol=1e-10)
    assert fit.df == same.df


@pytest.mark.parametrize("kind", ["complete", "one category", "all ones", "count"])
def test_separation_names_the_column(kind: str, rng: np.random.Generator) -> None:
    y, X, g = binary(rng)
    category = np.repeat([0.0, 1.0], 200)
    names = ["Intercept", "x", "d"]
    if kind == "complete":
        response, X, culprit = family("bernoulli", y=(X[:, 1] > 0) * 1.0), X, 1
    elif kind == "all ones":
        response, X, culprit = family("bernoulli", y=np.ones(400)), X, 0
    elif kind == "one category":
        response, culprit = family("bernoulli", y=np.where(category == 1, 1.0, y)), 2
        X = np.column_stack([X, category])
    else:
        response, culprit = family("poisson", y=rng.poisson(2.0, 400) * (category == 0)), 2
        X = np.column_stack([X, category])
    fit = fit_generalised_mixed(response, X, [g], names=names[: X.shape[1]])
    assert fit.convergence.separated[0] == culprit
    message = next(text for text in fit.convergence.messages if "separation" in text)
    assert f"`{names[culprit]}`" in message
    assert np.isfinite(fit.beta).all() and np.isfinite(fit.log_likelihood)


def test_no_separation_is_claimed_without(rng: np.random.Generator) -> None:
    y, X, g = binary(rng, sd=2.0)
    assert fit_generalised_mixed(family("bernoulli", y=y), X, [g]).convergence.separated == ()


def test_a_shape_without_a_maximum_ends_in_the_poisson_model(rng: np.random.Generator) -> None:
    """Counts with less than Poisson variance: the negative binomial likelihood rises to its Poisson limit."""
    y = rng.binomial(6, 0.5, 200) * 1.0
    X, g = np.ones((200, 1)), GroupBlock("g", np.arange(200) % 20, 20, np.ones((200, 1)), (1,))
    fit = fit_generalised_mixed(family("negbinomial", y=y), X, [g])
    limit = fit_generalised_mixed(family("poisson", y=y), X, [g])
    assert fit.log_likelihood == pytest.approx(limit.log_likelihood, abs=1e-4)


@pytest.mark.parametrize("name", ["X", "offset", "weights", "Z"])
def test_infinite_values_are_named(name: str, rng: np.random.Generator) -> None:
    y, X, g = binary(rng)
    bad = {"X": X.copy(), "offset": np.zeros(400), "weights": np.ones(400), "Z": g.Z.copy()}
    bad[name][7] = np.inf
    block = GroupBlock("g", g.codes, 40, bad["Z"], (1,))
    with pytest.raises(DataError, match=rf"{'group `g`' if name == 'Z' else name}.*row 7"):
        fit_generalised_mixed(family("bernoulli", y=y), bad["X"], [block], offset=bad["offset"], weights=bad["weights"])


def test_negative_weights_are_refused(rng: np.random.Generator) -> None:
    y, X, g = binary(rng)
    weights = np.ones(400)
    weights[3] = -1.0
    with pytest.raises(DataError, match="weights must not be negative; row 3 has -1"):
        fit_generalised_mixed(family("bernoulli", y=y), X, [g], weights=weights)


def test_quadrature_where_it_cannot_be_had(rng: np.random.Generator) -> None:
    y, X, g = binary(rng)
    response = family("bernoulli", y=y)
    with pytest.raises(ModelError, match="exactly one grouping factor"):
        fit_generalised_mixed(response, X, [g, g], quadrature_points=5)
    wide = GroupBlock("g", g.codes, 40, rng.normal(size=(400, 4)), (4,))
    with pytest.raises(ModelError, match="use fewer points"):
        fit_generalised_mixed(response, X, [wide], quadrature_points=5)
    with pytest.raises(ModelError, match="whole number"):
        fit_generalised_mixed(response, X, [g], quadrature_points=0)
    with pytest.raises(ModelError, match="fisher"):
        fit_generalised_mixed(response, X, [g], quadrature_points=5, curvature="fisher")
