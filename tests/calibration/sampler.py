"""Our NUTS as the calibration runs it: one compiled chain per structure, the data of each simulation as arguments.

The pieces are those of the engine: the plan, the form with its own pilot for every data set, the step with Stan's
warm-up, the translation of draws. Only the host's block loop is left out: a chain is one call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import jax
import numpy as np
from jax import numpy as jnp

from bayesml.engines.base import Problem
from bayesml.engines.nuts.defaults import PRECONDITIONED_WARMUP, SMALLER_STEPS, USUAL_TARGET, WARMUP
from bayesml.engines.nuts.forms.base import Form as SampledForm
from bayesml.engines.nuts.forms.base import ValueAndGradient
from bayesml.engines.nuts.forms.plan import Plan, build_form, plan_for
from bayesml.engines.nuts.programs.compiled import reads_few_numbers
from bayesml.engines.nuts.programs.kernel import KERNEL_OPTIONS, has_kernels, one_kernel
from bayesml.engines.nuts.programs.program import chain_program, report_program
from bayesml.engines.nuts.sampler.chain_state import Stage, stages
from bayesml.engines.nuts.sampler.random_numbers import RandomNumbers, random_numbers
from bayesml.engines.precision import double_precision, persistent_cache
from bayesml.reported import reported_names
from tests.calibration.model import Form
from tests.tuning import tuned_data, value_and_gradient

__all__ = ["NutsSampler", "Sample", "Sampler"]

MAX_TREEDEPTH = 10
START_ATTEMPTS = 100


@dataclass(frozen=True)
class Sample:
    """Thinned draws of one posterior.

    Attributes:
        values: reported variables, ``(draws, *shape)``.
        divergences: divergent transitions after warm-up, before thinning.
        retried: whether divergences led to a second run with smaller steps.
        fell_back: whether no usable mode was found, so that the model was sampled in a form that needs none.
    """

    values: Mapping[str, np.ndarray]
    divergences: int = 0
    retried: bool = False
    fell_back: bool = False


class Sampler(Protocol):
    """Anything that claims to draw from posteriors."""

    def __call__(self, problem: Problem, seed: int) -> Sample:
        """Return draws from the posterior of a problem, as independent as the sampler can make them."""


@dataclass
class NutsSampler:
    """Our NUTS in one form, compiled at its first call.

    Attributes:
        form: the form to sample in.
        draws: draws returned.
        thin: iterations for each of them.
        warmup: warm-up iterations; None for as many as the engine takes in the form.
    """

    form: Form
    draws: int
    thin: int = 8
    warmup: int | None = None
    _evaluate: ValueAndGradient | None = field(default=None, repr=False)
    _chain: Callable[..., Any] | None = field(default=None, repr=False)
    _report: Callable[..., Any] | None = field(default=None, repr=False)
    _other: NutsSampler | None = field(default=None, repr=False)

    def __call__(self, problem: Problem, seed: int) -> Sample:
        """Draw; divergent transitions lead to one run with smaller steps, as in the engine."""
        with double_precision(), persistent_cache():
            plan = self._plan(problem)
            try:
                form = self._tuned(problem, plan)
            except ArithmeticError:  # no usable mode: the engine takes a form that needs none
                return replace(self._without_mode(problem)(problem, seed), fell_back=True)
            warmup = self.warmup or (PRECONDITIONED_WARMUP if plan.is_whitened else WARMUP)
            first = self._run(form, warmup, seed, USUAL_TARGET)
            if not first.divergences:
                return first
            second = self._run(form, warmup, seed + 1_000_000, SMALLER_STEPS)
            return replace(second if second.divergences <= first.divergences else first, retried=True)

    def _tuned(self, problem: Problem, plan: Plan) -> SampledForm:
        form = build_form(problem, plan)
        if self._chain is None:
            self._compile(problem, form)
        return replace(form, data=tuned_data(form, self._evaluate))

    def _without_mode(self, problem: Problem) -> NutsSampler:
        if self._other is None:
            if self.form.precondition is False:
                raise RuntimeError(f"the {self.form.name} form needs a mode")
            plan = plan_for(problem, self.form.marginalize, precondition=False)
            form = Form(plan.form, self.form.marginalize, precondition=False, largest_only=self.form.largest_only)
            self._other = NutsSampler(form, self.draws, self.thin, self.warmup)
        return self._other

    def _plan(self, problem: Problem) -> Plan:
        plan = plan_for(problem, self.form.marginalize, self.form.precondition)
        assert plan.form == self.form.name
        if self.form.largest_only:
            plan = replace(plan, sampled_effects=("all but the largest",))
        return plan

    def _compile(self, problem: Problem, form: SampledForm) -> None:
        program = chain_program(form.density, MAX_TREEDEPTH, form.first_step)

        def chain(position: Any, chance: RandomNumbers, schedule: Any, target: Any, data: Any) -> tuple[Any, Any, Any]:
            state = program.start(position, data)
            _, positions, statistics = program.advance(state, chance, schedule, len(schedule), target, data)
            return state.position.logdensity, positions, statistics.diverging

        names = frozenset(reported_names(problem.description.spec, problem.design.schema))
        self._evaluate = value_and_gradient(form.density)
        self._chain = _jitted(chain, lambda *of: of[3] < 0, form.data)
        self._report = _jitted(report_program(form, names), lambda *of: jnp.isnan(of[0][0, 0]), form.data)

    def _run(self, form: SampledForm, warmup: int, seed: int, target: float) -> Sample:
        assert self._chain is not None and self._report is not None
        length = self.draws * self.thin
        schedule = stages(warmup, length)
        assert (schedule[warmup:] == Stage.SAMPLE).all()
        chance = random_numbers((seed, 2), 0, len(schedule), form.size)
        positions, diverging = self._advance(form, chance, schedule, target, np.random.default_rng([seed, 1]))
        kept = positions[warmup:][self.thin - 1 :: self.thin]
        own = np.random.default_rng([seed, 3]).standard_normal((self.draws, sum(form.noise_sizes)))
        values = self._report(kept, own, form.data)
        return Sample({k: np.asarray(v) for k, v in values.items()}, int(diverging[warmup:].sum()))

    def _advance(
        self, form: SampledForm, chance: RandomNumbers, schedule: np.ndarray, target: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        assert self._chain is not None
        for attempt in range(START_ATTEMPTS):
            start = form.start(rng, attempt)
            density, positions, diverging = self._chain(start, chance, schedule, target, form.data)
            if np.isfinite(density):
                return np.asarray(positions), np.asarray(diverging)
        raise ArithmeticError("no start with a finite density")


def _jitted(function: Callable[..., Any], is_never: Callable[..., Any], data: Any) -> Callable[..., Any]:
    """Compile as the engine does."""
    if not (reads_few_numbers(data) and has_kernels()):
        return jax.jit(function)
    return jax.jit(one_kernel(function, is_never), compiler_options=KERNEL_OPTIONS)
