"""The methods of fits: each has the signature and the whole documentation of the function that answers."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from typing import Any

import pytest

import bayesml
from bayesml.results.fits.verb import Verb
from tests.handmade import handmade_fit, sleep

METHODS = [
    (kind, name)
    for kind in (bayesml.Fit, bayesml.PointFit)
    for name, _ in inspect.getmembers(kind, inspect.isfunction)
    if not name.startswith("_")
]


@pytest.mark.parametrize(("kind", "name"), METHODS, ids=lambda value: getattr(value, "__name__", value))
def test_every_argument_of_a_method_is_described(kind: type, name: str) -> None:
    method = getattr(kind, name)
    described, own = inspect.getdoc(method) or "", list(inspect.signature(method).parameters.values())[1:]
    if own and not hasattr(method, "__options__"):
        listed = re.search(r"\nArgs:\n(.*?)(\n\n|$)", described, re.DOTALL)
        assert listed is not None
        missing = [p.name for p in own if not re.search(rf"^    {p.name}: ", listed[1], re.MULTILINE)]
        assert not missing
        assert ">>>" in described


def test_a_method_is_bound_and_shows_the_arguments_alone() -> None:
    fit = handmade_fit("Reaction ~ Days", sleep())
    assert next(iter(inspect.signature(fit.predict).parameters)) == "newdata"
    assert "ndraws: number of draws" in (fit.predict.__doc__ or "")
    with pytest.raises(bayesml.BayesmlError, match=r"predict\(\): .*`nsample`"):
        fit.predict(nsample=3)
    with pytest.raises(bayesml.BayesmlError, match=r"takes 1 \(`newdata`\)"):
        fit.predict(None, None)


def test_every_verb_of_a_fit_can_be_found() -> None:
    verbs: list[Any] = [v for kind in (bayesml.Fit, bayesml.PointFit) for c in kind.__mro__ for v in vars(c).values()]
    assert all(inspect.isfunction(v.function) for v in verbs if isinstance(v, Verb))


def test_a_fit_imports_no_verb_before_it_is_asked() -> None:
    code = (
        "import sys, bayesml; bayesml.Fit, bayesml.PointFit;"
        "assert 'bayesml.results.fits.draws_verbs' in sys.modules;"
        "assert not [n for n in sys.modules if n.startswith(('bayesml.results.plots', 'bayesml.results.questions'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
