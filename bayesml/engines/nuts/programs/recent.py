"""The programs of the last model sampled, so that extending its fit neither traces nor compiles again.

They are found by the identity of the problem: two models that look alike may differ in what their programs hold as
constants. They go when the problem goes or, where a form holds its problem, when another model is sampled.
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
    """The programs of a problem under the options that shaped them."""

    problem: weakref.ref[Problem]
    options: Options
    plan: Plan
    compiled: Compiled


_last: list[_Recent] = []


def remember(problem: Problem, options: Options, plan: Plan, compiled: Compiled) -> None:
    """Keep the programs of a problem in the place of those that were kept."""
    _last[:] = [_Recent(weakref.ref(problem, _forget), options, plan, compiled)]


def recall(problem: Problem, options: Options) -> tuple[Plan, Compiled] | None:
    """Return plan and programs of this very problem under these options, or None."""
    for recent in tuple(_last):
        if recent.problem() is problem and recent.options == options:
            return recent.plan, recent.compiled
    return None


def _forget(gone: weakref.ref[Problem]) -> None:
    _last[:] = [recent for recent in _last if recent.problem is not gone]
