"""The transition of NUTS: it leaves the target alone, and BlackJAX's is its twin."""

from __future__ import annotations

from itertools import pairwise

import jax
import numpy as np
import pytest
from blackjax.adaptation.mass_matrix import mass_matrix_adaptation
from blackjax.adaptation.step_size import dual_averaging_adaptation
from blackjax.mcmc import hmc, nuts
from jax import numpy as jnp
from scipy import stats

from bayesml.engines.nuts.sampler import adaptation, splitmix, transition, u_turn
from bayesml.engines.nuts.sampler.chain_state import Position, Stage
from bayesml.engines.nuts.sampler.random_numbers import random_numbers
from bayesml.engines.precision import double_precision

CHAINS = 12_000


@pytest.fixture(autouse=True)
def x64():
    with double_precision():
        yield


def normal(q):
    return -0.5 * (q[0] ** 2 + (q[1] / 3) ** 2 + (q[2] / 0.5) ** 2)


def funnel(q):
    """Neal's: q0 ~ normal(0, 1.5), the others normal(0, exp(q0 / 2))."""
    return -0.5 * (q[0] / 1.5) ** 2 - 0.5 * jnp.sum(q[1:] ** 2) * jnp.exp(-q[0]) - q[0]


def half(q):
    """A half normal coordinate: outside it the density is 0, and trajectories that end there diverge."""
    return jnp.where(q[0] > 0, -0.5 * jnp.sum(q**2), -jnp.inf)


def draws(name, rng):
    z = rng.standard_normal((CHAINS, 3))
    if name == "funnel":
        z[:, 0] *= 1.5
        z[:, 1:] *= np.exp(z[:, :1] / 2)
    elif name == "half":
        z[:, 0] = np.abs(z[:, 0])
    else:
        z *= [1.0, 3.0, 0.5]
    return z


TARGETS = {"normal": normal, "funnel": funnel, "half": half}


def moved(name, starts, step, depth, inverse_mass, seed):
    """Make one transition from each start."""
    density = TARGETS[name]

    def one(q, momentum, bits):
        start = Position(q, *jax.value_and_grad(density)(q))
        return transition.transition(momentum, bits, start, density, step, inverse_mass, depth)

    chance = random_numbers((seed,), 0, len(starts), starts.shape[1])
    return jax.jit(jax.vmap(one))(starts, *chance)


@pytest.mark.parametrize(("step", "depth"), [(0.3, 8), (1.1, 3)])
@pytest.mark.parametrize("name", TARGETS)
def test_exact_draws_stay_exact(name, step, depth, rng):
    """Whatever step size, depth and metric: draws from the target, moved once, are draws from the target."""
    starts = draws(name, rng)
    inverse_mass = np.array([1.0, 4.0, 0.3])
    position, trajectory = moved(name, starts, step, depth, inverse_mass, 7)
    ends, fresh = np.asarray(position.position), draws(name, rng)
    assert np.mean(np.any(ends != starts, axis=1)) > 0.1
    # two-sample Kolmogorov-Smirnov tests of five functionals; one in 10,000 for each
    for function in (
        lambda q: q[:, 0],
        lambda q: q[:, 1],
        lambda q: q[:, 2],
        lambda q: np.asarray(jax.vmap(TARGETS[name])(q)),
        lambda q: q[:, 0] * q[:, 1],
    ):
        assert stats.ks_2samp(function(ends), function(fresh)).pvalue > 1e-4
    np.testing.assert_allclose(position.logdensity, jax.vmap(TARGETS[name])(ends), rtol=1e-10, atol=1e-10)
    assert np.asarray(trajectory.doublings).max() <= depth
    assert np.asarray(trajectory.leaves).max() <= 2**depth - 1


@pytest.mark.parametrize("name", TARGETS)
def test_trajectories_are_those_of_blackjax(name, rng):
    """Leapfrogs, doublings, acceptance, divergences and squared jumps agree on average with BlackJAX's NUTS."""
    starts, density, inverse_mass = draws(name, rng), TARGETS[name], np.array([1.0, 4.0, 0.3])
    kernel = nuts.build_kernel()

    def twin(key, q):
        state, info = kernel(key, hmc.init(q, density), density, 0.7, inverse_mass, 6)
        return state.position, info

    ends, info = jax.jit(jax.vmap(twin))(jax.random.split(jax.random.key(3), CHAINS), starts)
    position, trajectory = moved(name, starts, 0.7, 6, inverse_mass, 8)
    pairs = {
        "leapfrogs": (trajectory.leaves, info.num_integration_steps),
        "doublings": (trajectory.doublings, info.num_trajectory_expansions),
        "acceptance": (trajectory.acceptance_rate, info.acceptance_rate),
        "divergences": (trajectory.diverging, info.is_divergent),
        "energy": (trajectory.energy, info.energy),
        "jumps": (np.sum((position.position - starts) ** 2, axis=1), np.sum((ends - starts) ** 2, axis=1)),
    }
    for what, (ours, theirs) in pairs.items():
        ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
        error = np.sqrt((ours.var() + theirs.var()) / CHAINS)
        assert abs(ours.mean() - theirs.mean()) <= 4 * error, what


def test_a_leaf_is_compared_with_the_first_leaves_of_the_subtrees_that_it_ends(rng):
    """Against all balanced subtrees, found by their definition: 2^k leaves that begin at a multiple of 2^k."""
    depth, d = 5, 3
    checked = jax.jit(u_turn.check_subtrees)
    for _ in range(30):
        momenta = rng.normal(size=(1 << (depth - 1), d)) + rng.normal(size=d)
        checkpoints = u_turn.Checkpoints(jnp.zeros((depth, d)), jnp.zeros((depth, d)))
        for n in range(len(momenta)):
            total = momenta[: n + 1].sum(axis=0)
            found, checkpoints = checked(checkpoints, jnp.asarray(n), momenta[n], total)
            sizes = [1 << k for k in range(1, depth) if (n + 1) % (1 << k) == 0]
            expected = False
            for size in sizes:
                first = n + 1 - size
                along = momenta[first : n + 1].sum(axis=0) - (momenta[first] + momenta[n]) / 2
                expected |= momenta[first] @ along <= 0 or momenta[n] @ along <= 0
            assert bool(found) == expected


def test_random_numbers_are_those_of_splitmix64():
    """The first numbers of the generator seeded with 1234567, from its reference implementation."""
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    seed = jnp.uint64(1234567)
    found = [float(splitmix.uniform(seed, jnp.asarray(n))) for n in range(4)]
    np.testing.assert_allclose(found, [(x >> 11) * 2.0**-53 + 2.0**-54 for x in expected], rtol=1e-15)


# Random numbers from the host --------------------------------------------------------------------------------------


def test_random_numbers_do_not_depend_on_where_it_is_cut():
    whole = random_numbers((1, 2), 0, 64, 3)
    for first in (1, 17, 63):
        part = random_numbers((1, 2), first, 64, 3)
        np.testing.assert_array_equal(part.momenta[: 64 - first], whole.momenta[first:])
        np.testing.assert_array_equal(part.seeds[: 64 - first], whole.seeds[first:])


def test_streams_have_nothing_in_common():
    streams = [(0,), (1,), (0, 1), (1, 0), (0, 2, 0, 1), (0, 2, 1, 0)]
    drawn = [random_numbers(stream, first, 64, 2) for stream in streams for first in (0, 64)]
    for one, other in pairwise(drawn):
        assert not set(one.seeds) & set(other.seeds)
        assert not set(one.momenta.ravel()) & set(other.momenta.ravel())
    momenta = np.concatenate([part.momenta for part in drawn]).ravel()
    assert stats.kstest(momenta, "norm").pvalue > 1e-4


# Adaptation --------------------------------------------------------------------------------------------------------


def test_adaptation_is_that_of_blackjax(rng):
    """A window of 30 iterations, closed, and the step size frozen after it."""
    rates, positions = rng.uniform(0.3, 1.0, 40), rng.normal(size=(40, 3)) * [1.0, 5.0, 0.1]
    step_init, step_update, step_final = dual_averaging_adaptation(0.8)
    metric_init, metric_update, metric_final = mass_matrix_adaptation(True)
    step, metric = step_init(0.25), metric_init(3)
    ours_step, moments = adaptation._restarted(jnp.log(0.25)), adaptation._no_moments(jnp.zeros(3))
    for rate, position in zip(rates, positions, strict=True):
        step, metric = step_update(step, rate), metric_update(metric, position)
        ours_step, moments = adaptation._averaged(ours_step, 0.8 - rate), adaptation._gathered(moments, position)
    np.testing.assert_allclose(ours_step, step, rtol=1e-12)
    np.testing.assert_allclose(jnp.exp(ours_step.log_step_size_avg), step_final(step), rtol=1e-12)
    expected = metric_final(metric).inverse_mass_matrix
    np.testing.assert_allclose(adaptation._shrunk_variances(moments), expected, rtol=1e-12)


def test_each_stage_adapts_what_it_is_for():
    """SAMPLE nothing, FAST the step size, SLOW also moments, CLOSE the metric, FREEZE the averaged step size."""
    step = jax.jit(adaptation.make_step(0.8, 5), static_argnums=3)
    state = adaptation.initial_state(jnp.array([0.3, 1.0, -0.2]), normal, 0.4)
    chance = jax.tree.map(lambda numbers: numbers[0], random_numbers((3,), 0, 4, 3))
    after = {stage: step(chance, state, int(stage), normal)[0] for stage in Stage}
    assert after[Stage.SAMPLE].step_size == state.step_size
    for stage in (Stage.FAST, Stage.SLOW):
        assert after[stage].step_size != state.step_size
        assert after[stage].moments.sample_size == (stage == Stage.SLOW)
    assert np.all(np.asarray(after[Stage.SLOW].inverse_mass) == 1.0)
    assert after[Stage.CLOSE].moments.sample_size == 0
    frozen = after[Stage.FREEZE]
    np.testing.assert_allclose(frozen.step_size, jnp.exp(frozen.step_adaptation.log_step_size_avg), rtol=1e-15)
