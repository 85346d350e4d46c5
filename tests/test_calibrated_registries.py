"""Every family and every kind of term has a model that is calibrated, or stands in a list with the reason."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from bayesml.engines.base import Problem
from bayesml.families import FAMILIES, FAMILIES_OF_FAMILIES, FAMILIES_OF_RESPONSES
from bayesml.fit import describe_problem
from bayesml.terms import special_calls
from bayesml.terms.areas import KINDS
from bayesml.terms.smooth import NOT_TAKEN
from tests.calibration.models import CASES, MODELS, case_name
from tests.calibration.results import recorded
from tests.calibration.simulate import problem_of

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
from calibration_table import holm_rejects, table  # noqa: E402
from term_example import data, matrices  # noqa: E402
from term_examples import EXAMPLES  # noqa: E402

LEAST = 100
"""Fewest simulations of a result that is kept; `make calibrate` takes 500."""
UNCALIBRATED_FAMILIES: dict[str, str] = {}
UNCALIBRATED_CALLS = {"cse": "another name of cs()"}
UNCALIBRATED_TERMS = {"Offset": "adds numbers that are known, and has no parameter"}


@pytest.fixture(scope="module")
def problems() -> dict[str, Problem]:
    return {model.name: problem_of(model) for model in MODELS}


def test_every_family_is_calibrated(problems):
    every = {each.likelihood.family.name.partition("(")[0] for p in problems.values() for each in p.design.responses}
    assert {*FAMILIES, *FAMILIES_OF_FAMILIES} - every == set(UNCALIBRATED_FAMILIES)
    assert any(problem.design.joint is not None for problem in problems.values()) == bool(FAMILIES_OF_RESPONSES)


def test_every_call_is_calibrated():
    written = " ".join(str(model.formula) for model in MODELS)
    calls = special_calls() - set(NOT_TAKEN)
    assert {call for call in calls if f"{call}(" not in written} == set(UNCALIBRATED_CALLS)
    structures = ("by=", "cov=A", "dist=", "mm(", *(f"type='{kind}'" for kind in (*KINDS, "lag", "error")))
    assert not [text for text in structures if text not in written]


def test_every_kind_of_term_is_calibrated(problems):
    shown = set()
    for example in (example for section in EXAMPLES.values() for example in section if example.kind):
        beside = {name: matrices()[name] for name in example.matrices} or None
        shown |= _kinds([describe_problem(example.model, data(), example.of_family, data2=beside)])
    assert shown - _kinds(problems.values()) == set(UNCALIBRATED_TERMS)


def _kinds(problems: Iterable[Problem]) -> set[str]:
    predictors = (predictor for problem in problems for predictor in problem.design.schema.predictors)
    return {type(term).__name__ for predictor in predictors for term in predictor.terms}


def test_seeds_of_models_with_the_same_parameters_differ(problems):
    # With one seed models of the same parameters and priors would see the same odd draws.
    seen: dict[object, str] = {}
    for model in MODELS:
        spec = problems[model.name].description.spec
        drawn = (model.seed, tuple((p.shape, tuple(map(str, p.priors))) for p in spec.parameters))
        assert seen.setdefault(drawn, model.name) == model.name


def test_results_are_those_of_the_models_as_they_are():
    models = {case_name(model, form): model for model, form in CASES}
    for name, result in recorded().items():
        assert name in models, f"{name} is recorded, but no such model is calibrated any more"
        assert (str(models[name].formula), models[name].seed) == (result.formula, result.seed)
        assert result.simulations >= LEAST and result.threshold == pytest.approx(0.01 / result.quantities, rel=1e-2)


def test_the_table_has_a_line_for_each_result():
    lines = table([result.__dict__ for result in recorded().values()]).splitlines()
    assert sum(line.startswith("| ") for line in lines) == 1 + len(recorded())


def test_holm_compares_the_smallest_with_the_level_over_all():
    # R: p.adjust(c(0.001, 0.004, 0.02, 0.003), "holm") = 0.004, 0.009, 0.02, 0.009
    assert holm_rejects([0.001, 0.004, 0.02, 0.003], 0.01) == [True, True, False, True]
    assert holm_rejects([0.001, 0.004, 0.02, 0.003], 0.005) == [True, False, False, False]
