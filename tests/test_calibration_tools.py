"""The calibration itself: bands are exact, a right sampler passes, a wrong one is caught by the right quantity."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.stats import binom

from bayesml.describe import describe
from bayesml.engines.from_prior import prior_draws
from tests.calibration.ecdf import band, outside_probability, p_value, pointwise_level
from tests.calibration.model import COLLAPSED
from tests.calibration.models import MODELS
from tests.calibration.quantities import LOG_LIKELIHOOD, quantities_of
from tests.calibration.sampler import NutsSampler, Sample
from tests.calibration.simulate import problem_of, simulations, with_response
from tests.calibration.study import Study, rank_of, run_study

SIMULATIONS, DRAWS = 500, 99


@pytest.mark.parametrize(("n", "most"), [(30, 9), (200, 99), (500, 19)])
def test_the_probability_of_leaving_a_band_is_that_of_simulated_ranks(n, most, rng):
    gamma, repeats = 0.01, 4000
    ranks = rng.integers(0, most + 1, (repeats, n))
    counts = (ranks[:, :, None] <= np.arange(most)).sum(axis=1) if n * most < 1e4 else _counts(ranks, most)
    lower, upper = band(gamma, n, most)
    outside = ((counts < lower) | (counts > upper)).any(axis=1).mean()
    expected = outside_probability(gamma, n, most)
    assert gamma < expected < 1
    assert abs(outside - expected) < 4 * np.sqrt(expected * (1 - expected) / repeats)


def _counts(ranks: np.ndarray, most: int) -> np.ndarray:
    return np.stack([np.cumsum(np.bincount(r, minlength=most + 1))[:most] for r in ranks])


def test_one_evaluation_point_is_the_binomial_test():
    # Ranks of 0 and 1 are coin tosses: 36 of 100 at 0 has the exact two-sided p-value of the binomial distribution.
    ranks = np.repeat([0, 1], [36, 64])
    assert pointwise_level(ranks, 1) == pytest.approx(2 * binom.cdf(36, 100, 0.5))
    assert p_value(ranks, 1) == pytest.approx(2 * binom.cdf(36, 100, 0.5))


def test_p_values_of_uniform_ranks_are_at_most_the_level_with_that_probability(rng):
    repeats = 400
    found = np.array([p_value(rng.integers(0, 20, 100), 19) for _ in range(repeats)])
    for level in (0.05, 0.25, 0.5):  # discrete: at most the level, and not far below it
        share, error = (found <= level).mean(), np.sqrt(level * (1 - level) / repeats)
        assert 0.5 * level - 4 * error < share < level + 4 * error


def test_ties_are_broken_at_random(rng):
    ranks = [rank_of(0.0, np.zeros(3), rng) for _ in range(400)]
    assert np.bincount(ranks, minlength=4).min() > 100 - 4 * np.sqrt(400 * 0.25 * 0.75)


@dataclass(frozen=True)
class NormalMean:
    """A model whose posterior is known: one simulation of mu ~ normal(0, 1), y_i ~ normal(mu, 1), i = 1, ..., 5."""

    index: int
    truth: dict[str, np.ndarray]
    problem: np.ndarray


def normal_means(rng: np.random.Generator) -> list[NormalMean]:
    mu = rng.normal(size=SIMULATIONS)
    y = mu[:, None] + rng.normal(size=(SIMULATIONS, 5))
    return [NormalMean(i, {"mu": mu[i : i + 1]}, y[i]) for i in range(SIMULATIONS)]


def normal_quantities(y: np.ndarray, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {"mu": values["mu"], LOG_LIKELIHOOD: -0.5 * ((y - values["mu"][:, None]) ** 2).sum(axis=1)}


@dataclass(frozen=True)
class NormalSampler:
    """Exact draws of mu given y, then spoiled."""

    widened: float = 1.0
    shifted: float = 0.0
    rows: int = 5

    def __call__(self, y: np.ndarray, seed: int) -> Sample:
        rng, used = np.random.default_rng([seed, 7]), y[: self.rows]
        sd = 1 / np.sqrt(len(used) + 1)
        centre = used.sum() / (len(used) + 1) + self.shifted * sd
        return Sample({"mu": centre + self.widened * sd * rng.normal(size=DRAWS)})


def study_of(sampler: NormalSampler) -> Study:
    return run_study(normal_means(np.random.default_rng(3)), sampler, normal_quantities)


def test_exact_draws_pass():
    assert not study_of(NormalSampler()).rejected()


@pytest.mark.parametrize("sampler", [NormalSampler(widened=1.3), NormalSampler(widened=0.77)])
def test_a_wrong_spread_is_rejected(sampler):
    assert "mu" in study_of(sampler).rejected()


def test_a_wrong_centre_is_rejected():
    assert "mu" in study_of(NormalSampler(shifted=0.3)).rejected()


@pytest.mark.parametrize("rows", [0, 2])
def test_ignored_data_are_seen_by_the_joint_log_likelihood_only(rows):
    # Without the likelihood (no row), or with a part of it, the rank of mu stays uniform.
    rejected = study_of(NormalSampler(rows=rows)).rejected()
    assert LOG_LIKELIHOOD in rejected and "mu" not in rejected


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
def test_priors_do_not_look_at_the_response(model):
    problem = problem_of(model)
    assert not problem.description.spec.improper()
    other = model.other(problem.design.response.arrays["y"])
    if not model.is_bounded and not model.has_trials:
        other = other * 40
        other[::3] = other[0]
    again = describe(with_response(model, problem, other).design, model.priors)
    for one, two in zip(problem.description.spec.parameters, again.spec.parameters, strict=True):
        assert one.priors == two.priors


EVERY = 8
"""Of so many models one is tried each time, the others with the slow tests: each compiles a density of its own."""


@pytest.mark.parametrize(
    "model",
    [pytest.param(m, marks=() if i % EVERY == 0 else pytest.mark.slow, id=m.name) for i, m in enumerate(MODELS)],
)
def test_simulated_data_belong_to_their_truth(model):
    problem = problem_of(model)
    drawn = simulations(model, problem, 3, seed=1)
    quantities = quantities_of(problem)
    for simulation in drawn:
        y = simulation.problem.design.response.arrays["y"]
        np.testing.assert_array_equal(np.isfinite(y), np.isfinite(problem.design.response.arrays["y"]))
        found = quantities(simulation.problem, simulation.truth)
        assert all(value.shape == (1,) and np.isfinite(value).all() for value in found.values())
        # Another data set is less likely under these parameters.
        strange = with_response(model, problem, model.other(y))
        assert quantities(strange, simulation.truth)[LOG_LIKELIHOOD] != found[LOG_LIKELIHOOD]
    assert not np.array_equal(
        drawn[0].problem.design.response.arrays["y"], drawn[1].problem.design.response.arrays["y"]
    )


def test_the_quantities_are_all_there():
    names = quantities_of(problem_of(MODELS[0]))(*_one(0))
    assert set(names) == {
        "b_Intercept",
        "b_x",
        "sd_g__Intercept",
        "sd_g__x",
        "cor_g__Intercept__x",
        "sigma",
        "r_g[g00,Intercept]",
        "r_g[g09,x]",
        LOG_LIKELIHOOD,
        "expected response of the second row",
    }


def _one(place: int) -> tuple:
    (simulation,) = simulations(MODELS[place], problem_of(MODELS[place]), 1, seed=2)
    return simulation.problem, simulation.truth


def test_one_compilation_serves_every_data_set():
    problem = problem_of(MODELS[0])
    first, second = simulations(MODELS[0], problem, 2, seed=5)
    reused, fresh = NutsSampler(COLLAPSED, draws=20, thin=2), NutsSampler(COLLAPSED, draws=20, thin=2)
    reused(first.problem, 1)
    again, once = reused(second.problem, 2), fresh(second.problem, 2)
    assert again.values.keys() == once.values.keys()
    for name, value in once.values.items():
        np.testing.assert_array_equal(again.values[name], value)


@dataclass
class Prior:
    """Draws from the prior instead of the posterior."""

    draws: int

    def __call__(self, problem, seed: int) -> Sample:
        drawn = prior_draws(problem, seed + 10_000, 1, self.draws)
        return Sample({name: value[0] for name, value in drawn.items()})


def test_a_sampler_that_ignores_the_data_of_a_real_model_is_caught():
    problem = problem_of(MODELS[1])
    study = run_study(simulations(MODELS[1], problem, 60, seed=4), Prior(DRAWS), quantities_of(problem))
    assert set(study.rejected()) == {LOG_LIKELIHOOD}


@dataclass
class Widened:
    """Our NUTS with one variable spread out by a factor around its mean."""

    sampler: NutsSampler
    name: str
    factor: float

    def __call__(self, problem, seed: int) -> Sample:
        sample = self.sampler(problem, seed)
        right = sample.values[self.name]
        wrong = right.mean(axis=0) + self.factor * (right - right.mean(axis=0))
        return replace(sample, values={**sample.values, self.name: wrong})


def test_our_sampler_passes_and_a_spoiled_one_does_not():
    problem = problem_of(MODELS[0])
    drawn, quantities = simulations(MODELS[0], problem, 60, seed=6), quantities_of(problem)
    right = NutsSampler(COLLAPSED, DRAWS, thin=4)
    assert not run_study(drawn, right, quantities).rejected()
    # A truth leaves the inner 60% of draws that are spread out fourfold with a chance of 0.001, not 0.4.
    assert "b_x" in run_study(drawn, Widened(right, "b", 4.0), quantities).rejected()
