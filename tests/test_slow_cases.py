"""The list of cases that are left to the slow tests."""

from __future__ import annotations

from tests.slow_cases import CASE_SECONDS, LAW_SECONDS, LIST, chosen, slow_cases

ROOT = LIST.parents[1]


def test_every_line_names_a_case_of_a_test():
    for line in slow_cases():
        file, _, test = line.partition("::")
        assert f"\ndef {test.partition('[')[0]}(" in (ROOT / file).read_text(), f"{LIST.name} lists {line}"
        assert test.endswith("]")


def test_cheap_cases_stay():
    times = {
        "t.py::a[1]": 9.0,
        "t.py::a[2]": LAW_SECONDS / 2,
        "t.py::a[3]": 5.0,
        "t.py::a[4]": CASE_SECONDS / 2,
        "t.py::b": 90.0,
    }
    assert chosen(times) == ["t.py::a[1]", "t.py::a[3]"]
    assert chosen({"t.py::a[1]": 9.0, "tests/test_gold.py::a[1]": 9.0, "tests/test_gold.py::a[2]": 9.0}) == []
