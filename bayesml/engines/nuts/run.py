"""Run NUTS on a problem: compile once, one thread for each chain, translate the draws, keep what an interrupt leaves."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, replace
from threading import Event
from typing import TYPE_CHECKING, Any, final

import jax
import numpy as np

from bayesml.engines.base import Outcome, Problem
from bayesml.engines.nuts.adaptation import Statistics, stages
from bayesml.engines.nuts.forms.base import Form
from bayesml.engines.nuts.forms.plan import Plan, build_form, plan_for
from bayesml.engines.nuts.prior import prior_draws
from bayesml.engines.nuts.program import BLOCK, chain_program
from bayesml.engines.precision import double_precision, persistent_cache
from bayesml.engines.progress import Progress
from bayesml.errors import ModelError
from bayesml.posterior import Draws, Timing

if TYPE_CHECKING:
    from bayesml.engines.nuts.options import NUTS

__all__ = ["run"]

START_ATTEMPTS = 100
WARMUP = 1000
PRECONDITIONED_WARMUP = 300


@final
@dataclass(frozen=True)
class Compiled:
    """Compiled functions of one model structure and the seconds their making took."""

    start: Callable[..., Any]
    advance: Callable[..., Any]
    report: Callable[..., Any]
    trace: float
    compile: float


def run(options: NUTS, problem: Problem) -> Outcome:
    """Sample the posterior of a problem."""
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if options.seed is None else options.seed
    if options.sample_prior == "only":
        began = time.perf_counter()
        draws = prior_draws(problem, seed, options.chains, options.draws)
        return Outcome(
            Draws(draws), Timing(sampling=time.perf_counter() - began), seed,
            engine=replace(options, warmup=0, seed=seed), plan="prior draws by forward simulation",
        )
    with double_precision():
        began = time.perf_counter()
        plan, form = _form_of(options, problem)
        resolved = replace(options, warmup=_warmup(options, plan), seed=seed)
        return _sample(resolved, problem, plan, form, time.perf_counter() - began)


def _form_of(options: NUTS, problem: Problem) -> tuple[Plan, Form]:
    """Choose and build the form; where no usable mode is found, the model as written is sampled."""
    plan = plan_for(problem, options.marginalize, options.precondition)
    with persistent_cache():
        try:
            return plan, build_form(problem, plan)
        except ArithmeticError as error:
            if options.precondition:
                raise ModelError(
                    f"`precondition=True` is impossible: {error}. Leave it out to sample the model as written."
                ) from None
            plan = replace(plan_for(problem, False, False), reason=f"no usable mode was found ({error})")
            return plan, build_form(problem, plan)


def _warmup(options: NUTS, plan: Plan) -> int:
    if options.warmup is not None:
        return options.warmup
    return PRECONDITIONED_WARMUP if plan.form == "preconditioned" else WARMUP


def _sample(options: NUTS, problem: Problem, plan: Plan, form: Form, prepared: float) -> Outcome:
    seed, warmup = options.seed or 0, options.warmup or 0
    if not form.size:
        raise ModelError("Every parameter is fixed by constant(), so that there is nothing to sample.")
    data = jax.tree.map(jax.numpy.asarray, form.data)
    compiled = _compile(options, form, data)
    starts = [_starting_point(compiled, form, data, np.random.default_rng([seed, 1, c])) for c in range(options.chains)]
    progress = Progress(options.chains * (warmup + options.draws), options.progress)
    began = time.perf_counter()
    results, incomplete = ChainRunner(options, compiled, data, seed, Event(), progress).all(starts)
    ended = time.perf_counter()
    kept = min(r.n_kept for r in results)
    if not kept:
        raise KeyboardInterrupt
    values = _report(compiled, results, kept, seed, data)
    statistics = {f: np.stack([r.statistics[f][:kept] for r in results]) for f in Statistics._fields}
    prior = prior_draws(problem, seed, options.chains, options.draws) if options.sample_prior == "yes" else {}
    share = sum(r.warmup_seconds for r in results) / max(sum(r.seconds for r in results), 1e-12)
    timing = Timing(
        trace=prepared + compiled.trace,
        compile=compiled.compile,
        warmup=share * (ended - began),
        sampling=(1.0 - share) * (ended - began),
        reporting=time.perf_counter() - ended,
    )
    return Outcome(Draws(values, statistics, prior), timing, seed, incomplete, options, str(plan))


def _compile(options: NUTS, form: Form, data: Any) -> Compiled:
    program = chain_program(form.density, options.target_accept, options.max_treedepth, form.first_step)
    position, block = np.zeros(form.size), np.zeros(BLOCK, np.int32)
    began = time.perf_counter()
    state = jax.eval_shape(program.start, position, data)
    lowered = (
        jax.jit(program.start).lower(position, data),
        jax.jit(program.advance, donate_argnums=0).lower(state, jax.random.key(0), 0, block, 0, data),
        _report_program(form).lower(jax.random.key(0), np.zeros((BLOCK, form.size)), block, block, data),
    )
    traced = time.perf_counter()
    with persistent_cache():
        start, advance, report = (each.compile() for each in lowered)
    return Compiled(start, advance, report, traced - began, time.perf_counter() - traced)


def _report_program(form: Form) -> Any:
    """Translate a block of draws; each has a key of its own, (chain, draw), however the run was cut."""

    def report(key: Any, q: Any, chain: Any, draw: Any, data: Any) -> dict[str, Any]:
        own = jax.random.fold_in(jax.random.fold_in(key, chain), draw)
        return form.report(q, own, data)

    return jax.jit(jax.vmap(report, (None, 0, 0, 0, None)))


def _starting_point(compiled: Compiled, form: Form, data: Any, rng: np.random.Generator) -> Any:
    """Draw starts until density and gradient are finite, nearer to the centre with each attempt."""
    for attempt in range(START_ATTEMPTS):
        state = compiled.start(form.start(rng, attempt), data)
        gradient = np.asarray(state.position.logdensity_grad)
        if np.isfinite(float(state.position.logdensity)) and np.all(np.isfinite(gradient)):
            return state
    bad = np.flatnonzero(~np.isfinite(gradient))
    where = f"; the gradient is not finite in `{form.parameter_of(int(bad[0]))}`" if bad.size else ""
    raise ModelError(
        f"No starting point with a finite log density was found in {START_ATTEMPTS} attempts{where}. Check the scale "
        "of the data and priors that exclude what the data show."
    )


@final
@dataclass
class ChainResult:
    """What one chain has drawn so far."""

    positions: list[np.ndarray]
    statistics: dict[str, np.ndarray]
    warmup_seconds: float
    seconds: float

    @property
    def n_kept(self) -> int:
        """Number of kept draws."""
        return sum(len(p) for p in self.positions)


@final
@dataclass(frozen=True)
class ChainRunner:
    """Runs chains as threads of one compiled program; JAX releases the interpreter lock while it computes."""

    options: NUTS
    compiled: Compiled
    data: Any
    seed: int
    stop: Event
    progress: Progress

    def all(self, starts: list[Any]) -> tuple[list[ChainResult], bool]:
        """Run every chain; on an interrupt each finishes its block and what was drawn is kept."""
        workers = min(len(starts), os.cpu_count() or 1)
        interrupted = False
        with ThreadPoolExecutor(workers) as pool:
            futures = [pool.submit(self.one, chain, start) for chain, start in enumerate(starts)]
            try:
                while wait_for(futures, timeout=0.2).not_done:
                    pass
            except KeyboardInterrupt:
                self.stop.set()
                interrupted = True
                wait_for(futures)
            finally:
                self.stop.set()
                self.progress.close()
        return [future.result() for future in futures], interrupted

    def one(self, chain: int, state: Any) -> ChainResult:
        """Run one chain in this thread."""
        with double_precision():
            return self._advance(jax.random.fold_in(jax.random.key(self.seed), chain), state)

    def _advance(self, key: Any, state: Any) -> ChainResult:
        warmup = self.options.warmup or 0
        total = warmup + self.options.draws
        schedule = stages(warmup, self.options.draws)
        positions, statistics, done, began, warmed = [], [], 0, time.perf_counter(), 0.0
        while done < total and not self.stop.is_set():
            count = min(BLOCK, (warmup if done < warmup else total) - done)
            block = np.zeros(BLOCK, np.int32)
            block[:count] = schedule[done : done + count]
            state, drawn, stats = self.compiled.advance(state, key, done, block, count, self.data)
            stats = jax.tree.map(lambda s, count=count: np.asarray(s)[:count], stats)
            if done >= warmup:
                positions.append(np.asarray(drawn)[:count])
                statistics.append(stats)
            done += count
            if done == warmup:
                warmed = time.perf_counter() - began
            self.progress.advance(count, int(stats.diverging.sum()) if done > warmup else 0)
        joined = {f: np.concatenate([getattr(s, f) for s in statistics] or [np.zeros(0)]) for f in Statistics._fields}
        return ChainResult(positions, joined, warmed, time.perf_counter() - began)


def _report(compiled: Compiled, results: list[ChainResult], kept: int, seed: int, data: Any) -> dict[str, np.ndarray]:
    """Translate positions to reported variables, in blocks of one compiled shape."""
    flat = np.concatenate([np.concatenate(r.positions)[:kept] for r in results])
    chain, draw = (i.reshape(-1).astype(np.int32) for i in np.indices((len(results), kept)))
    padding = -len(flat) % BLOCK
    flat_padded, chain, draw = (np.concatenate([a, np.repeat(a[-1:], padding, axis=0)]) for a in (flat, chain, draw))
    key = jax.random.fold_in(jax.random.key(seed), 2**31 - 1)
    blocks = [
        compiled.report(key, flat_padded[i : i + BLOCK], chain[i : i + BLOCK], draw[i : i + BLOCK], data)
        for i in range(0, len(flat_padded), BLOCK)
    ]
    joined = {name: np.concatenate([np.asarray(b[name]) for b in blocks])[: len(flat)] for name in blocks[0]}
    return {name: v.reshape(len(results), kept, *v.shape[1:]) for name, v in joined.items()}
