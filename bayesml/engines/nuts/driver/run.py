"""Run NUTS on a problem: choose a form, compile it, sample, and say what was done."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np

from bayesml.engines.base import Continuation, Outcome, Problem
from bayesml.engines.from_prior import prior_draws
from bayesml.engines.nuts.defaults import PRECONDITIONED_WARMUP, USUAL_TARGET, WARMUP
from bayesml.engines.nuts.driver.background import INTERRUPTED
from bayesml.engines.nuts.driver.checkpoint import store_data, stored_data
from bayesml.engines.nuts.driver.methods import ChainMethod, chain_method
from bayesml.engines.nuts.driver.retry import sample_with_retry
from bayesml.engines.nuts.driver.session import Attempt, Session
from bayesml.engines.nuts.driver.store import reported_kept
from bayesml.engines.nuts.driver.target import sample_to_target
from bayesml.engines.nuts.forms.plan import Plan, build_form, plan_for
from bayesml.engines.nuts.options import NUTS
from bayesml.engines.nuts.programs.compiled import Compiled, compile_form
from bayesml.engines.nuts.programs.recent import recall, remember
from bayesml.engines.precision import double_precision
from bayesml.engines.progress import Progress
from bayesml.errors import ModelError
from bayesml.posterior import Draws, Timing
from bayesml.reported import reported_variables

__all__ = ["extend", "run"]


@final
@dataclass(frozen=True)
class Prepared:
    """A session with the plan behind it and the seconds that planning took."""

    session: Session
    plan: Plan
    seconds: float


def run(options: NUTS, problem: Problem, method: ChainMethod | None = None) -> Outcome:
    """Sample the posterior of a problem; ``method`` says how the chains run beside each other, None decides."""
    options = options.seeded()
    if options.sample_prior == "only":
        return _from_prior(options, problem, options.seed or 0)
    with double_precision(), Progress(options.progress) as progress:
        prepared = _prepare(options, problem, method, progress)
        session = prepared.session
        attempt, told = sample_with_retry(session)
        notes = sample_to_target(session, attempt, options.target_ess) if options.target_ess else ()
        incomplete = attempt.incomplete and attempt.kept < options.draws
        outcome = _outcome(prepared, attempt, incomplete, told)
        return replace(outcome, notes=notes)


def extend(options: NUTS, problem: Problem, draws: Draws, continuation: Continuation, more: int) -> Outcome:
    """Go on with a run: ``more`` further draws of each chain after those there are."""
    total = draws.n_draws + more
    with double_precision(), Progress(options.progress) as progress:
        options = replace(options, draws=total, checkpoint=None, target_ess=None, max_seconds=None)
        prepared = _prepare(options, problem, None, progress)
        session = prepared.session
        target = USUAL_TARGET if options.target_accept is None else options.target_accept
        attempt = session.take_up(continuation, draws, target)
        session.sample(attempt, total)
        return _outcome(prepared, attempt, attempt.incomplete, "")


def _from_prior(options: NUTS, problem: Problem, seed: int) -> Outcome:
    began = time.perf_counter()
    draws = prior_draws(problem, seed, options.chains, options.draws)
    return Outcome(
        Draws(draws),
        Timing(sampling=time.perf_counter() - began),
        seed,
        engine=replace(options, warmup=0, checkpoint=None),
        plan="prior draws by forward simulation",
    )


def _prepare(options: NUTS, problem: Problem, method: ChainMethod | None, progress: Progress) -> Prepared:
    began = time.perf_counter()
    shaping = (options.marginalize, options.precondition, options.max_treedepth, options.keep_group_effects)
    # With a checkpoint the arrays of the form must be stored in its folder, which compiling does.
    remembered = recall(problem, shaping) if options.checkpoint is None else None
    plan, compiled = remembered or _uninterrupted(options, problem, progress)
    seconds = time.perf_counter() - began - compiled.trace - compiled.compile
    remember(problem, shaping, plan, replace(compiled, trace=0.0, compile=0.0))
    variables = reported_variables(problem.description.spec, problem.design.schema)
    deadline = None if options.max_seconds is None else time.monotonic() + options.max_seconds
    resolved = replace(options, warmup=_warmup(options, plan))
    session = Session(resolved, problem, compiled, variables, method or chain_method(), deadline, progress)
    return Prepared(session, plan, seconds)


def _uninterrupted(options: NUTS, problem: Problem, progress: Progress) -> tuple[Plan, Compiled]:
    """Compile; an interrupt is raised again without the traceback through JAX."""
    try:
        return _compiled(options, problem, progress)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(INTERRUPTED) from None


def _compiled(options: NUTS, problem: Problem, progress: Progress) -> tuple[Plan, Compiled]:
    """Choose a form and compile its programs; if it finds no usable mode, take a form that needs none."""
    plan = plan_for(problem, options.marginalize, options.precondition)
    try:
        return _programs(options, problem, plan, progress)
    except ArithmeticError as error:
        if options.precondition:
            raise ModelError(
                f"`precondition=True` is impossible: {error}. Leave it out to sample the model as written."
            ) from None
        other = plan_for(problem, options.marginalize, False)
        kept = f"{other.reason}; " if other.form == plan.form else ""
        plan = replace(other, reason=f"{kept}no usable mode was found ({error})")
        return _programs(options, problem, plan, progress)


def _programs(options: NUTS, problem: Problem, plan: Plan, progress: Progress) -> tuple[Plan, Compiled]:
    form = build_form(problem, plan)
    if not form.size:
        raise ModelError("Every parameter is fixed by constant(), so that there is nothing to sample.")
    if form.rows < problem.design.n_rows:
        plan = plan.reading(form.rows)
    variables = reported_variables(problem.description.spec, problem.design.schema)
    kept = reported_kept(variables, options.keep_group_effects)
    if options.checkpoint is None:
        return plan, compile_form(form, options.max_treedepth, kept, progress=progress)
    folder = _made(Path(options.checkpoint).expanduser())
    stored = stored_data(folder, form)
    compiled = compile_form(form, options.max_treedepth, kept, stored, progress)
    if stored is None:
        store_data(folder, compiled.data)
    return plan, compiled


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(f"The folder `{folder}` cannot be made: {error.strerror or error}.") from None
    return folder


def _warmup(options: NUTS, plan: Plan) -> int:
    if options.warmup is not None:
        return options.warmup
    return PRECONDITIONED_WARMUP if plan.is_whitened else WARMUP


def _outcome(prepared: Prepared, attempt: Attempt, incomplete: bool, told: str) -> Outcome:
    session, options = prepared.session, prepared.session.options
    session.progress.finish(len(attempt.chains), attempt.kept, attempt.divergences())
    wanted = options.draws if incomplete else attempt.kept
    prior = {}
    if options.sample_prior == "yes":
        prior = prior_draws(session.problem, options.seed or 0, options.chains, wanted)
    engine = replace(options, draws=wanted, target_accept=attempt.target, checkpoint=None)
    plan = f"{prepared.plan}\n  {told}" if told else str(prepared.plan)
    timing = _timing(prepared.seconds, session.compiled, attempt)
    return Outcome(
        session.draws(attempt, prior), timing, options.seed or 0, incomplete, engine, plan, attempt.continuation()
    )


def _timing(planning: float, compiled: Compiled, attempt: Attempt) -> Timing:
    """Divide the elapsed time among warm-up, sampling and reporting, in proportion to the time of all chains."""
    spent = np.sum([chain.seconds for chain in attempt.chains], axis=0)
    warmup, sampling, reporting = attempt.seconds * spent / max(spent.sum(), 1e-12)
    return Timing(
        trace=planning + compiled.trace,
        compile=compiled.compile,
        warmup=float(warmup),
        sampling=float(sampling),
        reporting=float(reporting),
    )
