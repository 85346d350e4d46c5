"""The programs of the model sampled last, so that extending its fit neither traces nor compiles again.

They are found by the identity of the problem object, since equal-looking models may have programs with different
constants. They are released with the problem. A form may hold a reference to its problem; then they are released when
another model is sampled.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import final

from bayesml.engines.base import Problem
from bayesml.engines.nuts.forms.plan import Plan
from bayesml.engines.nuts.programs.compiled import Compiled

__all__ = ["recall", "remember"]

Options = tuple[object, ...]


@final
@dataclass(frozen=True)
class _Recent:
    """The programs of a problem, and the options that they depend on."""

    problem: weakref.ref[Problem]
    options: Options
    plan: Plan
    compiled: Compiled


_last: list[_Recent] = []


def remember(problem: Problem, options: Options, plan: Plan, compiled: Compiled) -> None:
    """Keep the programs of a problem, in place of those kept before."""
    _last[:] = [_Recent(weakref.ref(problem, _forget), options, plan, compiled)]


def recall(problem: Problem, options: Options) -> tuple[Plan, Compiled] | None:
    """Return plan and programs of this problem object with these options, or None if others were kept."""
    for recent in tuple(_last):
        if recent.problem() is problem and recent.options == options:
            return recent.plan, recent.compiled
    return None


def _forget(problem: weakref.ref[Problem]) -> None:
    """Release the programs of a problem that was garbage-collected."""
    _last[:] = [recent for recent in _last if recent.problem is not problem]
