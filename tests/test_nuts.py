"""The sampling driver: reproducible, interruptible, leaves JAX as it was, says what it cannot do."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import jax
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import bayesml
from bayesml.engines.nuts.sampler.chain_state import Stage, stages

# Short runs of the driver, not estimates: what they warn of is tested elsewhere.
pytestmark = pytest.mark.filterwarnings("ignore::bayesml.FitWarning")

FORMULA = "y ~ x + (1 | g)"


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(4)
    g = np.repeat(np.array(["b 1", "a/2", "ü[3]", "d", "e", "f"]), 8)
    x = rng.normal(size=48)
    y = 2 + 0.5 * x + rng.normal(size=6)[np.unique(g, return_inverse=True)[1]] + rng.normal(0, 0.5, 48)
    return {"y": y, "x": x, "g": g}


@pytest.fixture(scope="module")
def fit(data) -> bayesml.Fit:
    return bayesml.fit(FORMULA, data, seed=7, draws=400, warmup=400, target_accept=0.95, progress=False)


def test_recovers_what_the_data_were_made_from(fit):
    # Monte Carlo error is an order below the posterior sds that the bounds are made of.
    assert abs(fit["b_x"].values.mean() - 0.5) < 4 * fit["b_x"].values.std()
    assert abs(fit["sigma"].values.mean() - 0.5) < 4 * fit["sigma"].values.std()


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_every_kind_of_data_frame_gives_the_same_draws(kind, fit, data):
    table = {
        "pandas": lambda: pl.DataFrame(data).to_pandas(),
        "polars": lambda: pl.DataFrame(data),
        "pyarrow": lambda: pa.table(data),
    }[kind]()
    again = bayesml.fit(FORMULA, table, seed=7, draws=400, warmup=400, target_accept=0.95, progress=False)
    for name, values in fit.draws_record.values.items():
        np.testing.assert_array_equal(again.draws_record.values[name], values)


def test_another_seed_gives_other_draws(fit, data):
    other = bayesml.fit(FORMULA, data, seed=8, draws=400, warmup=400, target_accept=0.95, progress=False)
    assert not np.array_equal(other["b_x"].values, fit["b_x"].values)


def test_chains_start_apart_and_differ(fit):
    first = fit["b_x"].values[:, 0]
    assert len(np.unique(first)) == 4


def test_jax_is_left_as_it_was(fit):
    assert not jax.config.jax_enable_x64
    assert jax.config.jax_compilation_cache_dir is None
    assert jax.numpy.zeros(1).dtype == "float32"


def test_timing_and_statistics(fit):
    assert fit.timing.sampling > 0 and fit.timing.compile > 0
    assert fit.timing.total >= fit.timing.sampling
    statistics = fit.draws_record.statistics
    assert statistics["n_steps"].shape == (4, 400)
    assert ((statistics["acceptance_rate"] >= 0) & (statistics["acceptance_rate"] <= 1)).all()
    # after warm-up the step size of a chain stands still
    assert (np.ptp(statistics["step_size"], axis=1) == 0).all()


def test_prior_only_draws_follow_the_prior(data):
    priors = [bayesml.prior("normal(3, 2)", class_="b"), bayesml.prior("exponential(2)", class_="sigma")]
    fit = bayesml.fit("y ~ x + (x | g)", data, prior=priors, sample_prior="only", seed=3, draws=2000)
    slope, sigma = fit["b_x"].values.reshape(-1), fit["sigma"].values.reshape(-1)
    # independent draws: standard errors sd / sqrt(n)
    assert abs(slope.mean() - 3) < 4 * 2 / np.sqrt(slope.size)
    assert abs(sigma.mean() - 0.5) < 4 * 0.5 / np.sqrt(sigma.size)
    # lkj(1) of two columns is uniform on (-1, 1)
    rho = fit["cor_g__Intercept__x"].values.reshape(-1)
    assert abs(rho.var() - 1 / 3) < 4 * np.sqrt((1 / 5 - 1 / 9) / rho.size)


def test_prior_draws_beside_the_posterior(data):
    fit = bayesml.fit("y ~ x", data, sample_prior="yes", seed=3, draws=100, warmup=100, chains=2, progress=False)
    assert set(fit.draws_record.prior) == set(fit.draws_record.values)
    assert fit.draws_record.prior["b"].std() > fit.draws_record.values["b"].std()


def test_flat_priors_cannot_be_drawn_from(data):
    with pytest.raises(bayesml.PriorError, match=r'class "b"'):
        bayesml.fit("y ~ x", data, default_priors="brms", sample_prior="only")


def test_a_constant_fixes_its_parameter(data):
    fixed = [bayesml.prior("constant(0.25)", class_="b", coef="x"), bayesml.prior(1.5, class_="sigma")]
    fit = bayesml.fit("y ~ x", data, prior=fixed, seed=1, draws=50, warmup=100, chains=1, progress=False)
    assert (fit["b_x"].values == 0.25).all()
    assert (fit["sigma"].values == 1.5).all()
    assert fit["b_Intercept"].values.std() > 0


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"draws": 0}, "`draws`"),
        ({"warmup": -1}, "`warmup`"),
        ({"chains": 1.5}, "`chains`"),
        ({"target_accept": 1.0}, "`target_accept`"),
        ({"seed": -1}, "`seed`"),
        ({"progress": "x"}, "`progress`"),
        ({"sample_prior": "maybe"}, "sample_prior"),
        ({"method": "gibbs"}, "gibbs"),
        ({"default_priors": "flat"}, "default_priors"),
        ({"family": "poison"}, "poisson"),
    ],
)
def test_options_out_of_range(options, match, data):
    with pytest.raises(bayesml.BayesmlError, match=match):
        bayesml.fit("y ~ x", data, **options)


def test_numpy_integers_are_whole_numbers():
    assert bayesml.NUTS(draws=np.int32(5), seed=np.int64(3)) == bayesml.NUTS(draws=5, seed=3)


@pytest.mark.parametrize("warmup", [0, 1, 10, 19, 20, 75, 149, 150, 300, 1000])
def test_warmup_schedule(warmup):
    schedule = stages(warmup, 5)
    assert len(schedule) == warmup + 5
    assert (schedule[warmup:] == Stage.SAMPLE).all()
    assert (schedule[:warmup] != Stage.SAMPLE).all()
    if warmup:
        assert schedule[warmup - 1] == Stage.FREEZE
    if warmup >= 20:
        assert (schedule == Stage.CLOSE).sum() >= 1


INTERRUPTED = """
    import os, signal, threading, warnings
    import numpy as np
    import bayesml

    warnings.simplefilter("ignore")
    rng = np.random.default_rng(1)
    data = {"y": rng.normal(size=2000), "x": rng.normal(size=2000), "g": rng.integers(0, 50, 2000)}

    import bayesml.engines.progress as progress
    seen = []
    advance = progress.Progress.advance

    def watched(self, warmed, drawn, divergences):
        advance(self, warmed, drawn, divergences)
        seen.append(warmed + drawn)
        if sum(seen) > 600 and not getattr(watched, "sent", False):
            watched.sent = True
            os.kill(os.getpid(), signal.SIGINT)

    progress.Progress.advance = watched
    fit = bayesml.fit("y ~ x + (x | g)", data, seed=1, chains=2, warmup=100, draws=100_000, progress=False)
    assert fit.outcome.incomplete
    assert 0 < fit.draws_record.n_draws < 100_000
    assert "ncomplete" in str(fit) or "nterrupted" in str(fit), str(fit)
    print("kept", fit.draws_record.n_draws)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupt_keeps_what_was_drawn():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "kept" in done.stdout
