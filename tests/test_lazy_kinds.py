"""What a fit does not use is not imported: kinds of terms, response terms, families and forms of the sampler."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import bayesml
from bayesml import families
from bayesml.lazy import LazyRegistry
from bayesml.response_terms import RESPONSE_TERMS
from bayesml.terms import TERMS

ROOT = Path(__file__).resolve().parents[1]
FIT = """
import sys
import bayesml

assert "bayesml.design" not in sys.modules and "narwhals" not in sys.modules
data = bayesml.load_dataset("sleepstudy")
bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method="reml")
for stage in ("terms", "response_terms", "families"):
    print(*sorted(name for name in sys.modules if name.startswith(f"bayesml.{stage}.")))
"""


def test_a_formula_imports_only_the_kinds_that_it_uses() -> None:
    done = subprocess.run([sys.executable, "-c", FIT], capture_output=True, text=True, check=True, cwd=ROOT)
    terms, response_terms, known = (set(line.split()) for line in done.stdout.splitlines())
    kinds = {kind.collect.__module__ for kind in TERMS.values()}
    assert terms & kinds == {"bayesml.terms.population", "bayesml.terms.group_calls"}
    used = {kind.__module__ for kind in RESPONSE_TERMS.values()}
    assert not response_terms & used
    assert known & {make.__module__ for make in families.FAMILIES.values()} == {"bayesml.families.gaussian"}


def test_a_registry_finds_what_has_another_name_than_its_module() -> None:
    registry: LazyRegistry[object] = LazyRegistry("bayesml.families", {"mixture": "mixture:Mixture"})
    assert list(registry) == ["mixture"] and "Mixture" not in registry
    assert registry["mixture"] is sys.modules["bayesml.families.mixture"].Mixture


def test_a_module_does_not_hide_what_its_package_calls_the_same() -> None:
    for name in ("mixture", "several"):
        import_module(f"bayesml.families.{name}")
    made = families.mixture("gaussian", nmix=2)
    assert families.several([made]).name == f"MV({made.name})"


def test_every_public_name_that_is_imported_later_is_there() -> None:
    for name in bayesml._LATER:
        assert name in bayesml.__all__
        assert getattr(bayesml, name) is bayesml._LATER[name]
