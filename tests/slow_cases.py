"""Which cases of parametrised tests are left to the slow tests, by their processor times.

A law is checked in every case by ``make test-all`` and in its cheap cases by ``make test``. To measure anew and write
the list (an hour on two cores)::

    python -m pytest -n 2 --dist loadfile -m "not calibration" -p tests.slow_cases
    python -m tests.slow_cases
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

LIST = Path(__file__).with_suffix(".txt")
TIMES = Path(__file__).resolve().parents[1] / "processor_times.tsv"
LAW_SECONDS = 2.0
"""The cheapest cases of a test that take so much together, and at least one, stay."""
CASE_SECONDS = 0.25
"""A case that takes less stays."""

WHOLE = ("tests/test_brms_density.py", "tests/test_examples.py", "tests/test_gold")
"""Comparisons with brms and the calls of the documentation are checked in all cases."""
KEPT = (
    "tests/test_agreement.py::test_forms_agree[poisson]",
    "tests/test_collapsed.py::test_density_equals_the_dense_multivariate_normal[nested and crossed]",
    "tests/test_model.py::test_gradient_equals_finite_differences[three columns]",
    "tests/test_posteriordb.py::test_moments_agree_with_the_reference[eight_schools-eight_schools_noncentered]",
    "tests/test_preconditioned.py::test_density_is_the_models_times_the_jacobian[nested-1.0]",
    "tests/test_preconditioned.py::test_gradient_is_the_finite_difference[vectors nested]",
    "tests/test_reference_nuts.py::test_fixed_effects[cbpp]",
    "tests/test_reference_nuts.py::test_fixed_effects[penicillin]",
    "tests/test_reference_nuts.py::test_fixed_effects[sleep_full]",
)
"""Cases of laws about the sampler that stay though they take long, since the cheap ones have no groups."""


@cache
def slow_cases() -> frozenset[str]:
    """Return the names of the cases that are slow, ``tests/test_x.py::test_y[case]``."""
    return frozenset(LIST.read_text().splitlines())


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Write down the processor time of a test, without that of its fixtures."""
    began = time.process_time()
    yield
    with TIMES.open("a") as file:
        file.write(f"{time.process_time() - began:.3f}\t{item.nodeid}\n")


def chosen(times: Mapping[str, float]) -> list[str]:
    """Return the cases to leave out of ``make test``."""
    laws: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for case, seconds in times.items():
        if case.endswith("]") and not case.startswith(WHOLE + KEPT):
            laws[case.partition("[")[0]].append((seconds, case))
    slow = []
    for cases in laws.values():
        total = 0.0
        for place, (seconds, case) in enumerate(sorted(cases)):
            total += seconds
            if place > 0 and seconds > CASE_SECONDS and total > LAW_SECONDS:
                slow.append(case)
    return sorted(slow)


def main() -> None:
    lines = (line.split("\t", 1) for line in TIMES.read_text().splitlines())
    LIST.write_text("".join(f"{case}\n" for case in chosen({case: float(seconds) for seconds, case in lines})))


if __name__ == "__main__":
    main()
