"""The choice of a form as a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayesml.describe import describe
from bayesml.design import build_design
from bayesml.engines.base import Problem
from bayesml.engines.nuts.forms.plan import BUILDERS, FactorShape, ModelShape, build_form, choose_plan, plan_for
from bayesml.engines.precision import double_precision
from bayesml.errors import ModelError
from bayesml.families import get_family
from bayesml.formula import formula_variables, parse
from bayesml.frame import column_names, read_frame

BOTH = frozenset({"collapsed", "plain"})
ALL = BOTH | {"preconditioned"}

SUBJECT = FactorShape("Subject", 18, 2)
SLEEPSTUDY = ModelShape(rows=180, dimensions=42, chain=(SUBJECT,), slopes=1)
REGRESSION = ModelShape(rows=100, dimensions=4, slopes=2)
NESTED = ModelShape(rows=1000, dimensions=224, chain=(FactorShape("a:b", 200, 1), FactorShape("a", 20, 1)))
CROSSED = ModelShape(5_000, 524, chain=(FactorShape("g", 500, 1),), others=(FactorShape("h", 20, 1),))
LARGER = ModelShape(20_000, 304, chain=(FactorShape("g", 200, 1),), others=(FactorShape("h", 100, 1),))
# InstEval: 2972 students, 1128 instructors, 14 departments
INSTEVAL = ModelShape(
    73_421, 4119, chain=(FactorShape("s", 2972, 1),), others=(FactorShape("d", 1128, 1), FactorShape("dept", 14, 1))
)
HUGE = ModelShape(10**6, 200_004, chain=(FactorShape("g", 10**5, 1),), others=(FactorShape("h", 10**5, 1),))
COUNTS = ModelShape(236, 302, obstacles=("the family poisson is not gaussian",), others=(FactorShape("g", 59, 1),))
NO_MODE = ModelShape(236, 302, obstacles=("the family is not gaussian",), without_mode=("the density has no mode",))


@pytest.mark.parametrize(
    ("shape", "marginalize", "precondition", "available", "form", "dimensions", "sampled_effects"),
    [
        (SLEEPSTUDY, None, None, BOTH, "collapsed", 5, ()),
        (SLEEPSTUDY, None, None, ALL, "collapsed", 5, ()),
        (SLEEPSTUDY, True, None, ALL, "collapsed", 5, ()),
        (SLEEPSTUDY, None, False, ALL, "collapsed", 5, ()),
        (SLEEPSTUDY, False, None, BOTH, "plain", 42, ("Subject",)),
        (SLEEPSTUDY, False, None, ALL, "preconditioned", 42, ("Subject",)),
        (SLEEPSTUDY, False, False, ALL, "plain", 42, ("Subject",)),
        (SLEEPSTUDY, None, True, ALL, "preconditioned", 42, ("Subject",)),
        (REGRESSION, None, None, BOTH, "collapsed", 2, ()),
        (NESTED, None, None, BOTH, "collapsed", 4, ()),
        (CROSSED, None, None, BOTH, "collapsed", 4, ()),
        (LARGER, None, None, BOTH, "collapsed", 104, ("h",)),
        (INSTEVAL, None, None, BOTH, "collapsed", 1147, ("d", "dept")),
        (HUGE, None, None, BOTH, "plain", 200_004, ("g", "h")),
        (HUGE, None, None, ALL, "preconditioned", 200_004, ("g", "h")),
        (COUNTS, None, None, BOTH, "plain", 302, ("g",)),
        (COUNTS, None, None, ALL, "preconditioned", 302, ("g",)),
        (COUNTS, False, True, ALL, "preconditioned", 302, ("g",)),
        (COUNTS, None, False, ALL, "plain", 302, ("g",)),
        (NO_MODE, None, None, ALL, "plain", 302, ()),
    ],
)
def test_choice(shape, marginalize, precondition, available, form, dimensions, sampled_effects) -> None:
    plan = choose_plan(shape, marginalize, precondition, available)
    assert (plan.form, plan.dimensions, plan.sampled_effects) == (form, dimensions, sampled_effects)


@pytest.mark.parametrize(
    ("shape", "marginalize", "precondition", "available", "message"),
    [
        (COUNTS, True, None, ALL, "poisson"),
        (HUGE, True, None, ALL, "too large a table"),
        (NO_MODE, None, True, ALL, "no mode"),
        (COUNTS, None, True, BOTH, "not available"),
        (SLEEPSTUDY, True, True, ALL, "exclude each other"),
    ],
)
def test_impossible_wishes_are_refused(shape, marginalize, precondition, available, message) -> None:
    with pytest.raises(ModelError, match=message):
        choose_plan(shape, marginalize, precondition, available)


def test_a_plan_prints_itself() -> None:
    text = str(choose_plan(SLEEPSTUDY))
    assert "36 effects of Subject, 1 slope" in text
    assert "5 dimensions" in text
    assert "no row" in text
    assert "poisson" in str(choose_plan(COUNTS))


def problem(formula: str, family: str = "gaussian") -> Problem:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=60), "g": np.arange(60) % 6, "h": rng.integers(0, 4, 60)})
    frame = frame.astype({"g": str, "h": str})
    frame["y"] = rng.poisson(3.0, 60)
    chosen, parsed = get_family(family), parse(formula, column_names(frame))
    design = build_design(parsed, read_frame(frame, formula_variables(parsed)), chosen)
    return Problem(design, describe(design))


@pytest.mark.parametrize(
    ("formula", "family", "wishes"),
    [
        ("y ~ x + (x | g) + (1 | h)", "gaussian", (None, None)),
        ("y ~ x + (x | g) + (1 | h)", "gaussian", (False, False)),
        ("y ~ 1", "gaussian", (None, None)),
        ("y ~ x + (1 | g)", "poisson", (None, False)),
    ],
)
def test_the_form_has_the_dimensions_of_the_plan(
    formula: str, family: str, wishes: tuple[bool | None, bool | None]
) -> None:
    model = problem(formula, family)
    plan = plan_for(model, *wishes)
    with double_precision():
        assert build_form(model, plan).size == plan.dimensions


def test_every_form_can_be_chosen() -> None:
    assert set(BUILDERS) <= ALL
