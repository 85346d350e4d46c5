"""The forms of one posterior agree within Monte Carlo error; hard cases agree with quadrature."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.special import expit, logsumexp

import bayesml
from bayesml.convergence import convergence
from bayesml.engines.nuts.forms.preconditioned import form as preconditioned
from tests.reference import mcse_of_sd

FORMS = {
    "collapsed": {"marginalize": True},
    "preconditioned": {"precondition": True},
    "plain": {"marginalize": False, "precondition": False},
}


@dataclass(frozen=True)
class Case:
    """A small model.

    Attributes:
        formula: its response is ``y``.
        family: its family.
        forms: the forms that apply.
    """

    formula: object
    family: str
    forms: tuple[str, ...] = ("preconditioned", "plain")


CASES = {
    "gaussian": Case("y ~ x + (x | g)", "gaussian", ("collapsed", "preconditioned", "plain")),
    "sigma by a factor": Case(
        bayesml.bf("y ~ x + (1 | g)", sigma="~ f"), "gaussian", ("collapsed", "preconditioned", "plain")
    ),
    "sigma with a slope": Case(bayesml.bf("y ~ x + (1 | g)", sigma="~ x"), "gaussian"),
    "student": Case("y ~ x + (1 | g)", "student"),
    "bernoulli": Case("y ~ x + (1 | g)", "bernoulli"),
    "poisson": Case("y ~ x + (1 | g)", "poisson"),
    "negbinomial": Case("y ~ x + (1 | g)", "negbinomial"),
}
PRIORS = [bayesml.prior("normal(0, 1)", "sd"), bayesml.prior("normal(0, 2)", "b")]


def data_for(family: str) -> dict[str, np.ndarray]:
    """Twelve groups of eight rows."""
    rng = np.random.default_rng(12)
    groups, rows = 12, 8
    g, x = np.repeat(np.arange(groups), rows), rng.normal(size=groups * rows)
    eta = 0.5 + 0.6 * x + rng.normal(0, 0.7, groups)[g] + 0.4 * rng.normal(size=groups)[g] * x
    y = {
        "gaussian": lambda: eta + rng.normal(0, 0.8, len(x)),
        "student": lambda: eta + 0.6 * rng.standard_t(4, len(x)),
        "bernoulli": lambda: rng.binomial(1, expit(eta)),
        "poisson": lambda: rng.poisson(np.exp(eta)),
        "negbinomial": lambda: rng.poisson(np.exp(eta) * rng.gamma(2.0, 0.5, len(x))),
    }[family]()
    return {"y": y, "x": x, "g": g.astype(str), "f": np.where(np.arange(len(x)) % 2, "odd", "even")}


def sampled(case: Case, form: str) -> bayesml.Fit:
    fit = bayesml.fit(
        case.formula,
        data_for(case.family),
        case.family,
        prior=PRIORS,
        draws=1500,
        seed=11,
        target_accept=0.95,
        progress=False,
        **FORMS[form],
    )
    assert fit.plan.startswith(form)
    return fit


@pytest.fixture(scope="module", params=CASES)
def fits(request) -> list[tuple[str, bayesml.Fit]]:
    case = CASES[request.param]
    return [(form, sampled(case, form)) for form in case.forms]


@dataclass(frozen=True)
class Moments:
    """Mean and sd of one quantity with their Monte Carlo standard errors."""

    mean: float
    mean_error: float
    sd: float
    sd_error: float

    @classmethod
    def of(cls, draws: np.ndarray) -> Moments:
        found = convergence(draws[:, :, None])
        return cls(draws.mean(), float(found.mcse[0]), draws.std(), mcse_of_sd(draws))

    def agrees(self, other: Moments) -> bool:
        means = abs(self.mean - other.mean) < 4 * np.hypot(self.mean_error, other.mean_error)
        return bool(means and abs(self.sd - other.sd) < 4 * np.hypot(self.sd_error, other.sd_error))


def test_forms_agree(fits):
    (first_form, first), *others = fits
    names = [c for c in first.draws().columns if not c.startswith(".")]
    for form, fit in others:
        for name in names:
            one, two = Moments.of(first[name].values), Moments.of(fit[name].values)
            assert one.agrees(two), (first_form, form, name, one, two)


# Funnels ------------------------------------------------------------------------------------------------------------

TRUE_SD, GROUPS = 0.2, 300


def pairs() -> dict[str, np.ndarray]:
    """Three hundred groups of two binary rows, whose effects hardly vary."""
    rng = np.random.default_rng(9)
    eta = 0.3 + rng.normal(0, TRUE_SD, GROUPS)
    g = np.repeat(np.arange(GROUPS), 2)
    return {"y": rng.binomial(1, expit(eta[g])), "g": g.astype(str)}


PAIR_PRIORS = [bayesml.prior("normal(0, 1.5)", "Intercept"), bayesml.prior("half_normal(1)", "sd")]


def pairs_fit(**options) -> bayesml.Fit:
    return bayesml.fit("y ~ 1 + (1 | g)", pairs(), "bernoulli", prior=PAIR_PRIORS, seed=4, progress=False, **options)


def pairs_by_quadrature() -> dict[str, tuple[float, float]]:
    """Mean and sd of Intercept and sd from p(Intercept, sd | y), where only 0, 1 or 2 successes in a group matter."""
    successes = np.bincount(pairs()["y"].reshape(-1, 2).sum(axis=1), minlength=3)
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    intercept, sd = np.linspace(-1.0, 1.5, 401)[:, None], np.linspace(1e-4, 3.0, 601)[None, :]
    log_p = np.zeros((401, 601))
    eta = intercept[..., None] + sd[..., None] * nodes
    log_weights = np.log(weights / weights.sum())
    for count, groups in enumerate(successes):
        log_p += groups * logsumexp(log_weights + count * eta - 2 * np.logaddexp(0, eta), axis=-1)
    log_p += -0.5 * (intercept / 1.5) ** 2 - 0.5 * sd**2
    p = np.exp(log_p - log_p.max())
    p /= p.sum()

    def moments(grid: np.ndarray) -> tuple[float, float]:
        mean = float((p * grid).sum())
        return mean, float(np.sqrt((p * (grid - mean) ** 2).sum()))

    return {"b_Intercept": moments(intercept), "sd_g__Intercept": moments(sd)}


def check_against(expected: dict[str, tuple[float, float]], fit: bayesml.Fit) -> None:
    for name, (mean, sd) in expected.items():
        found = Moments.of(fit[name].values)
        assert found.agrees(Moments(mean, 0.0, sd, 0.0)), (name, found, mean, sd)


@pytest.fixture(scope="module")
def quadrature() -> dict[str, tuple[float, float]]:
    return pairs_by_quadrature()


@pytest.mark.slow
def test_many_small_groups_with_a_small_sd(quadrature):
    fit = pairs_fit(draws=1000)
    assert fit.plan.startswith("preconditioned")
    assert not fit.draws_record.statistics["diverging"].any()
    check_against(quadrature, fit)


@pytest.mark.parametrize("factor", [4.0, pytest.param(1 / 9, marks=pytest.mark.slow)])
def test_a_wrong_pilot_gives_the_same_posterior(factor, quadrature, monkeypatch):
    """Working precisions 4 times too large; 9 times too large, 20,000 draws hardly reach the largest values of sd."""
    find = preconditioned.find_pilot

    def wrong(problem, *rest):
        pilot = find(problem, *rest)
        predictors = {
            key: replace(rows, weights=factor * rows.weights, residuals=factor**-0.5 * rows.residuals)
            for key, rows in pilot.predictors.items()
        }
        return replace(pilot, predictors=predictors)

    monkeypatch.setattr(preconditioned, "find_pilot", wrong)
    with warnings.catch_warnings():  # a wrong pilot may cost effective draws; it must not move the posterior
        warnings.simplefilter("ignore", bayesml.FitWarning)
        fit = pairs_fit(draws=700, precondition=True)
    check_against(quadrature, fit)
