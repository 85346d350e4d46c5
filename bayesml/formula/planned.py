"""What the formula language will have and this version has not: the error says so instead of `unknown`."""

from __future__ import annotations

from bayesml.errors import FormulaError
from bayesml.formula.tokens import Token, fault

__all__ = ["PLANNED_ADDITIONS", "PLANNED_BF_OPTIONS", "PLANNED_TERMS", "not_available"]

_SEVERAL = 'several responses are formulas that are added, `bf("y1 ~ x") + bf("y2 ~ z")`'
HELPERS = {
    "bf": "write the formula alone, or call `bf()` around it",
    "brmsformula": "write the formula alone, or call `bf()` around it",
    "mvbf": _SEVERAL,
    "lf": 'further formulas are arguments, `bf("y ~ x", sigma="~ z")`',
    "nlf": 'further formulas are arguments, `bf("y ~ x", sigma="~ a * z", a="~ 1", nonlinear=["sigma"])`',
    "acformula": "residual terms such as `ar(time, g)` stand in the formula itself",
    "set_nl": 'write `bf("y ~ a * x", a="~ 1", nonlinear=True)`',
    "set_rescor": "it is added to formulas, `bf(...) + bf(...) + set_rescor(True)`",
    "set_mecor": "it is added to a formula, `bf(...) + set_mecor(False)`",
}
"""Functions of brms that make formulas, with what to write for one that stands in a formula."""
PLANNED_TERMS = frozenset(HELPERS)
PLANNED_ADDITIONS: frozenset[str] = frozenset()
PLANNED_BF_OPTIONS = frozenset(("center", "cmc", "sparse", "decomp", "unused", "flist", "autocor"))


def not_available(token: Token, source: str) -> FormulaError:
    """Build the error for a call that belongs outside of a formula."""
    message = f"`{token.text}(...)` stands outside of the right-hand side: {HELPERS[token.text]}."
    return fault(message, source, token.start, token.stop)
