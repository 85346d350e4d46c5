"""Runs that are cut: killed and resumed, extended, stopped, repeated, reduced; they must not show it."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import bayesml
from bayesml.engines.nuts.defaults import SMALLER_STEPS, USUAL_TARGET
from bayesml.engines.nuts.driver.methods import chain_method
from bayesml.engines.nuts.driver.run import run
from bayesml.engines.nuts.forms.preconditioned import arrow
from bayesml.engines.nuts.programs import recent
from bayesml.engines.nuts.programs.recent import recall
from bayesml.fit import describe_problem

# Short runs of the driver, not estimates: what they warn of is tested elsewhere.
pytestmark = pytest.mark.filterwarnings("ignore::bayesml.FitWarning")

ROOT = Path(__file__).resolve().parents[1]
FORMULA = "y ~ x + (1 | g)"


def simulated(rows: int = 120, groups: int = 12) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    g, x = np.arange(rows) % groups, rng.normal(size=rows)
    eta = 0.5 + 0.5 * x + 0.8 * rng.normal(size=groups)[g]
    return {"y": rng.poisson(np.exp(eta)).astype(float), "x": x, "g": g.astype(str)}


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    return simulated()


def sample(data, draws: int, **options) -> bayesml.Fit:
    """Return a short fit whose draws are of all kinds: exact ones of a collapsed form and the sampler's own."""
    given = {"seed": 3, "warmup": 90, "chains": 3, "target_accept": 0.9, "progress": False} | options
    return bayesml.fit(FORMULA, data, draws=draws, **given)


def same(first: bayesml.Fit, second: bayesml.Fit) -> None:
    """Assert that two fits hold the same numbers, bit for bit."""
    a, b = first.draws_record, second.draws_record
    for mine, other in ((a.values, b.values), (a.statistics, b.statistics), (a.prior, b.prior)):
        assert set(mine) == set(other)
        for name in mine:
            np.testing.assert_array_equal(mine[name], other[name], err_msg=name)
    assert set(a.reduced) == set(b.reduced)
    for name, kept in a.reduced.items():
        for part in ("draws", "counts", "means", "squares"):
            np.testing.assert_array_equal(getattr(kept, part), getattr(b.reduced[name], part), err_msg=name)


# Extending ---------------------------------------------------------------------------------------------------------


# Neither 70 nor 50 is a multiple of the length of a block.
@pytest.mark.parametrize("options", [{}, {"family": "poisson"}, {"family": "poisson", "precondition": False}])
def test_an_extended_run_is_the_longer_run(data, options):
    longer = sample(data, 170, **options)
    extended = sample(data, 70, **options).extend(50).extend(50)
    same(extended, longer)
    assert extended.engine == longer.engine
    assert not extended.outcome.incomplete


@pytest.mark.parametrize("keep", [False, "float32", "summary", 7])
def test_reduced_effects_are_extended_too(data, keep):
    longer = sample(data, 170, keep_group_effects=keep)
    same(sample(data, 70, keep_group_effects=keep).extend(100), longer)


def test_the_programs_of_the_last_fit_are_used_again(data):
    fit = sample(data, 20)
    compiled = fit.timing.compile
    assert compiled > 0
    assert fit.extend(10).timing.compile == compiled
    other = sample(data, 20, precondition=False, family="poisson")
    assert fit.extend(10).timing.compile > compiled
    assert other.extend(10).timing.compile > other.timing.compile


def test_programs_go_with_their_problem(data):
    problem = describe_problem(FORMULA, data, "poisson")
    run(bayesml.NUTS(draws=5, warmup=5, chains=1, seed=1, progress=False, precondition=False), problem)
    assert recall(problem, (None, False, 10, True)) is not None
    assert recall(problem, (None, False, 9, True)) is None
    assert recall(replace(problem), (None, False, 10, True)) is None
    del problem
    gc.collect()
    assert not recent._last


def test_a_saved_fit_is_extended(data, tmp_path):
    short = sample(data, 70, keep_group_effects="summary", sample_prior="yes")
    short.save(tmp_path / "fit.nc")
    loaded = bayesml.load(tmp_path / "fit.nc")
    same(loaded, short)
    assert loaded.plan == short.plan
    same(loaded.extend(30), sample(data, 100, keep_group_effects="summary", sample_prior="yes"))


def test_what_cannot_be_extended(data):
    prior_only = sample(data, 10, sample_prior="only")
    with pytest.raises(bayesml.ModelError, match="no chains"):
        prior_only.extend(10)
    short = sample(data, 20)
    for draws in (0, 1.5, True):
        with pytest.raises(bayesml.ModelError, match="`draws`"):
            short.extend(draws)
    states = dict(short.outcome.continuation.states)
    states["position.logdensity"] = states["position.logdensity"] + 0.1
    moved = replace(short.outcome.continuation, states=states)
    other = replace(short, outcome=replace(short.outcome, continuation=moved))
    with pytest.raises(bayesml.ModelError, match="other coordinates"):
        other.extend(10)


# Checkpoints -------------------------------------------------------------------------------------------------------

KILLED = """
    import os, signal, sys, warnings
    import bayesml
    from bayesml.engines.progress import Progress
    from tests.test_driver import sample, simulated

    # The process is killed from a chain's thread, after so many iterations of all chains.
    seen, advance = [], Progress.advance

    def watched(self, warmed, drawn, divergences):
        advance(self, warmed, drawn, divergences)
        seen.append(warmed + drawn)
        if sum(seen) > int(sys.argv[2]):
            os.kill(os.getpid(), 9)

    Progress.advance = watched
    warnings.simplefilter("ignore")
    sample(simulated(), 300, checkpoint=sys.argv[1], family=sys.argv[3])
"""


def kill_in_the_middle(folder: Path, iterations: int, family: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(folder), str(iterations), family],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=300,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(("family", "iterations"), [("gaussian", 700), ("poisson", 700), ("poisson", 100)])
def test_a_killed_run_is_resumed(data, tmp_path, family, iterations):
    folder = tmp_path / "run1"
    kill_in_the_middle(folder, iterations, family)
    blocks = list(folder.glob("attempt-0/chain-*/block-*.npz"))
    # 3 chains of 90 warm-up iterations: 700 are well into sampling and not at its end, 100 are not there yet.
    assert bool(blocks) == (iterations == 700)
    resumed = bayesml.resume(folder, progress=False)
    same(resumed, sample(data, 300, family=family))
    assert resumed.formula == FORMULA and resumed.family.name == family
    same(bayesml.resume(folder), resumed)


def no_way_up(*arguments):
    raise ArithmeticError("no step from the pilot raises the density")


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_a_run_whose_first_form_had_no_mode_is_resumed(data, tmp_path, family, monkeypatch):
    """The checkpoint holds the arrays of the form that the run fell back on; the first one is tried anew and fails."""
    monkeypatch.setattr(arrow, "climb", no_way_up)
    fit = sample(data, 70, family=family, checkpoint=tmp_path / "run1")
    assert "no usable mode was found (no step from the pilot raises the density)" in fit.plan
    assert fit.plan.startswith("collapsed" if family == "gaussian" else "plain")
    recent._last.clear()
    same(bayesml.resume(tmp_path / "run1"), fit)


def test_where_the_pilot_fails_the_model_as_written_is_sampled(data):
    """The start of the pilot lies outside of the means that this link allows."""
    outside = {"y": np.array([0, 1] * 60), "x": data["x"], "g": data["g"]}
    fit = sample(outside, 20, family=bayesml.bernoulli(link="identity"))
    assert fit.plan.startswith("plain form: no usable mode was found")


def test_at_most_one_block_is_lost(data, tmp_path):
    folder = tmp_path / "run1"
    kill_in_the_middle(folder, 700, "gaussian")
    kept = sum(int(np.load(p)["iterations"]) for p in folder.glob("attempt-0/chain-*/state.npz"))
    # A block of at most 64 iterations is reported after it was written; two chains may be under way.
    assert kept > 700


def test_a_checkpoint_changes_nothing(data, tmp_path):
    with_one = sample(data, 70, checkpoint=tmp_path / "run1")
    same(with_one, sample(data, 70))
    assert with_one.engine.checkpoint is None
    assert not list((tmp_path / "run1").rglob("*.part"))
    for path in (tmp_path / "run1").rglob("*.npz"):
        with np.load(path, allow_pickle=False) as stored:
            assert all(stored[name].dtype != object for name in stored.files)


def test_a_seed_that_was_drawn_is_kept(data, tmp_path):
    first = sample(data, 20, checkpoint=tmp_path / "run1", seed=None)
    again = bayesml.resume(tmp_path / "run1")
    assert again.seed == first.seed
    same(again, first)


def test_folders_that_are_no_checkpoint(data, tmp_path):
    with pytest.raises(bayesml.ModelError, match="no checkpoint"):
        bayesml.resume(tmp_path)
    with pytest.raises(bayesml.ModelError, match="folder"):
        bayesml.resume(3)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(bayesml.ModelError, match="not empty"):
        sample(data, 20, checkpoint=tmp_path)
    with pytest.raises(bayesml.ModelError, match="is a file"):
        sample(data, 20, checkpoint=tmp_path / "notes.txt")
    with pytest.raises(bayesml.ModelError, match="`checkpoint`"):
        sample(data, 20, checkpoint=3)


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint") / "run1"
    sample(data, 70, checkpoint=folder)
    return folder


def test_a_used_folder_is_refused(data, finished):
    with pytest.raises(bayesml.ModelError, match="resume"):
        sample(data, 70, checkpoint=finished)


@pytest.mark.parametrize(
    "name",
    ["model.json", "data.npz", "form.npz", "attempt-0/chain-1/state.npz", "attempt-0/chain-1/block-0000000000.npz"],
)
@pytest.mark.parametrize("damage", ["cut", "changed", "foreign"])
def test_damaged_checkpoints(finished, tmp_path, name, damage):
    folder = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(finished), str(folder)], check=True)
    content = bytearray((folder / name).read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "changed":
        content[::50] = bytes(byte ^ 0xFF for byte in content[::50])
    if damage == "foreign" and name.endswith("npz"):
        np.savez(folder / name, something=np.zeros(3))
    else:
        (folder / name).write_bytes(b"{}" if damage == "foreign" else bytes(content))
    with pytest.raises(bayesml.ModelError):
        bayesml.resume(folder, progress=False)


# Stopping ----------------------------------------------------------------------------------------------------------


def test_sampling_goes_on_until_the_target(data):
    fit = sample(data, 50, target_ess=800)
    run = fit.diagnostics
    assert fit.draws_record.n_draws > 50
    assert not fit.outcome.notes
    assert run.draws == run.requested
    hyper = np.stack([fit[name].values for name in ("b_Intercept", "b_x", "sd_g__Intercept", "sigma")], axis=2)
    measured = bayesml.convergence.convergence(hyper)
    assert min(measured.bulk_ess.min(), measured.tail_ess.min()) >= 800
    assert measured.rhat.max() <= 1.01


def test_a_target_that_is_met_asks_for_no_more(data):
    assert sample(data, 1000, target_ess=1).draws_record.n_draws == 1000


def test_an_extended_target_is_resumed(data, tmp_path):
    whole = sample(data, 50, target_ess=500, checkpoint=tmp_path / "run1")
    assert whole.draws_record.n_draws > 50
    same(bayesml.resume(tmp_path / "run1"), whole)


def test_the_time_ends(data):
    with pytest.warns(bayesml.FitWarning, match="target_ess=1e\\+09"):
        fit = sample(data, 50, target_ess=1e9, max_seconds=0.5)
    assert fit.draws_record.n_draws >= 50
    assert not fit.outcome.incomplete
    few = sample(data, 10_000_000, max_seconds=0.5)
    assert few.outcome.incomplete
    assert 0 < few.draws_record.n_draws < 10_000_000
    same(few.extend(10), sample(data, few.draws_record.n_draws + 10))


@pytest.mark.parametrize(
    "options",
    [{"target_ess": 0}, {"target_ess": "many"}, {"max_seconds": -1}, {"keep_group_effects": 0},
     {"keep_group_effects": "some"}, {"keep_group_effects": 2.5}],
)  # fmt: skip
def test_options_out_of_range(data, options):
    with pytest.raises(bayesml.ModelError, match=f"`{next(iter(options))}`"):
        sample(data, 10, **options)


# Divergences -------------------------------------------------------------------------------------------------------

# One success among eight groups of a single row, and a prior with heavy tails on their sd: a funnel.
FUNNEL = {"y": np.array([0, 0, 0, 1, 0, 0, 0, 0]), "g": np.arange(8)}


def diverging(**options) -> bayesml.Fit:
    heavy = [bayesml.prior("cauchy(0, 10)", class_="sd")]
    given = {"seed": 2, "draws": 500, "warmup": 100, "precondition": False, "progress": False} | options
    return bayesml.fit("y ~ 1 + (1 | g)", FUNNEL, "bernoulli", prior=heavy, **given)


def test_divergences_are_sampled_again_with_smaller_steps():
    usual = diverging(target_accept=USUAL_TARGET)
    count = int(usual.draws_record.statistics["diverging"].sum())
    assert count > 0, "the example no longer diverges"
    again = diverging()
    assert f"sampled again with target_accept={SMALLER_STEPS}: {count} divergent transitions became" in again.plan
    left = int(again.draws_record.statistics["diverging"].sum())
    assert left <= count
    if "first run was kept" in again.plan:
        same(again, usual)
    else:
        assert again.engine.target_accept == SMALLER_STEPS
        assert again.extend(20).draws_record.n_draws == 520


def test_no_second_run_where_the_user_chose():
    assert "sampled again" not in diverging(target_accept=0.6).plan


def test_a_second_run_is_resumed(tmp_path):
    first = diverging(checkpoint=tmp_path / "run1")
    assert (tmp_path / "run1" / "attempt-1").is_dir()
    same(bayesml.resume(tmp_path / "run1"), first)


def test_a_run_without_divergences_is_left_alone(data):
    fit = sample(data, 50, target_accept=None)
    assert not fit.diagnostics.divergences, "choose another example"
    assert fit.engine.target_accept == USUAL_TARGET


# Chains together ---------------------------------------------------------------------------------------------------


def test_a_cpu_runs_chains_in_threads():
    assert chain_method() == "threads"


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_chains_together_give_the_same_posterior(data, family):
    problem = describe_problem(FORMULA, data, family)
    options = bayesml.NUTS(draws=1000, warmup=300, seed=1, target_accept=0.9, progress=False)
    apart, together = (run(options, problem, method) for method in ("threads", "together"))
    names = ("b", "sd_g", "sigma") if family == "gaussian" else ("b", "sd_g")
    for name in names:
        first, second = (o.posterior.values[name].reshape(4, 1000, -1) for o in (apart, together))
        a, b = bayesml.convergence.convergence(first), bayesml.convergence.convergence(second)
        # difference of two independent estimates, four Monte Carlo standard errors
        bound = 4 * np.hypot(a.mcse, b.mcse)
        assert (abs(first.mean(axis=(0, 1)) - second.mean(axis=(0, 1))) < bound).all()


@pytest.mark.slow
def test_chains_together_resume_from_uneven_blocks(data, tmp_path):
    """Chains whose checkpoint ends a block earlier catch up first."""
    problem = describe_problem(FORMULA, data, "poisson")
    checkpoint = str(tmp_path / "run")
    given = {"warmup": 60, "seed": 1, "target_accept": 0.9, "progress": False, "checkpoint": checkpoint}
    even = run(bayesml.NUTS(draws=70, chains=2, **given), problem, "together")
    run(bayesml.NUTS(draws=100, chains=1, **given), problem, "together")
    states = [tmp_path / "run" / "attempt-0" / f"chain-{c}" / "state.npz" for c in range(2)]
    assert [int(np.load(state)["iterations"]) for state in states] == [160, 130]
    uneven = run(bayesml.NUTS(draws=120, chains=2, **given), problem, "together")
    for name, values in even.posterior.values.items():
        np.testing.assert_array_equal(uneven.posterior.values[name][:, :70], values)
    assert uneven.posterior.values["b"].shape[:2] == (2, 120)
    assert (np.diff(uneven.posterior.values["b"], axis=1) != 0).any(axis=(1, 2)).all()
    assert [int(np.load(state)["iterations"]) for state in states] == [180, 180]


# Group-level effects -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(data) -> bayesml.Fit:
    return sample(data, 100)


def test_effects_in_single_precision(data, whole):
    fit = sample(data, 100, keep_group_effects="float32")
    values = fit.draws_record.values
    assert values["r_g"].dtype == np.float32 and values["b"].dtype == np.float64
    np.testing.assert_array_equal(values["r_g"], whole.draws_record.values["r_g"].astype(np.float32))
    assert fit.epred().shape == (3, 100, 120)


def test_thinned_effects(data, whole):
    fit = sample(data, 100, keep_group_effects=7)
    np.testing.assert_array_equal(fit.draws_record.reduced["r_g"].draws, whole.draws_record.values["r_g"][:, ::7])
    expected = whole.draws_record.values["r_g"][:, ::7].reshape(-1, 12).mean(axis=0)
    np.testing.assert_allclose(fit.ranef()["g"]["Estimate"], expected, rtol=1e-12)


def test_summarised_effects(data, whole):
    fit = sample(data, 100, keep_group_effects="summary")
    table, reference = fit.ranef()["g"], whole.ranef()["g"]
    assert list(table.columns) == ["level", "coef", "Estimate", "Est.Error"]
    assert list(table["level"]) == list(reference["level"])
    # Both are sums of 300 numbers in another order.
    np.testing.assert_allclose(table["Estimate"], reference["Estimate"], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(table["Est.Error"], reference["Est.Error"], rtol=1e-10)
    with pytest.raises(bayesml.ModelError, match="only their means"):
        fit.ranef(robust=True)


def test_dropped_effects(data):
    fit = sample(data, 100, keep_group_effects=False)
    with pytest.raises(bayesml.ModelError, match="nothing"):
        fit.ranef()


@pytest.mark.parametrize("keep", [False, "summary", 7])
def test_what_needs_every_draw_says_so(data, whole, keep):
    fit = sample(data, 100, keep_group_effects=keep)
    for name in ("b", "sd_g", "sigma"):
        # A program that reports less may round differently in the last place.
        np.testing.assert_allclose(fit.draws_record.values[name], whole.draws_record.values[name], rtol=1e-13)
    assert "r_g" not in str(fit.summary()) and fit.idata is not None
    assert not [column for column in fit.draws().columns if column.startswith("r_")]
    single = (lambda: fit["r_g"], lambda: fit["r_g[0,Intercept]"])
    for call in (fit.epred, fit.log_lik, fit.coef, fit.loo, fit.ranef_plot, *single):
        with pytest.raises(bayesml.ModelError, match="keep_group_effects"):
            call()
    assert fit.epred(re_formula="NA").shape == (3, 100, 120)


MEMORY = """
    import resource, warnings
    import numpy as np
    import bayesml

    warnings.simplefilter("ignore")
    groups, draws, chains = 200_000, 300, 2
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(groups), 2)
    data = {"y": rng.normal(size=2 * groups) + rng.normal(size=groups)[g], "g": g}
    given = {"warmup": 60, "chains": chains, "seed": 1, "target_accept": 0.9, "progress": False}
    bayesml.fit("y ~ 1 + (1 | g)", data, draws=1, keep_group_effects=False, **given)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fit = bayesml.fit("y ~ 1 + (1 | g)", data, draws=draws, keep_group_effects="summary", **given)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert fit.ngrps() == {"g": groups}
    assert len(fit.ranef()["g"]) == groups
    print((after - before) / 1024)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX resources")
@pytest.mark.slow
def test_memory_of_very_many_groups():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEMORY)], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    # All draws would take 2 x 300 x 2e5 x 8 B = 916 MiB. Two chains at once hold a block of 16 draws each (24 MiB) and
    # what translating it takes, moments 3 MiB: less than a third.
    assert float(done.stdout) < 300
