"""Priors as text: a distribution of one parameter, or a prior of several together such as ``horseshoe(1)``."""

from __future__ import annotations

import ast
from dataclasses import fields

from bayesml.arithmetic import value_of
from bayesml.distributions import Distribution, parse_distribution
from bayesml.errors import PriorError, did_you_mean
from bayesml.priors.horseshoe import Horseshoe
from bayesml.priors.joint import AbstractJointPrior

__all__ = ["JOINT_PRIORS", "parse_prior"]

JOINT_PRIORS: dict[str, type[AbstractJointPrior]] = {Horseshoe.name: Horseshoe}
"""The priors of several coefficients together. Adding one is one file and one line here."""
WORDS = {"TRUE": True, "FALSE": False, "True": True, "False": False}
LONGEST = 1000  # characters; deeply nested text would exhaust the parser's stack


def parse_prior(text: str) -> Distribution | AbstractJointPrior:
    """Read a prior.

    Args:
        text: ``normal(0, 10)``, ``horseshoe(1, par_ratio = 0.1)``; see ``parse_distribution``.

    Raises:
        PriorError: the text is no prior, or its arguments are impossible; says what is possible.
    """
    name = text.strip().partition("(")[0].strip()
    if name not in JOINT_PRIORS:
        return parse_distribution(text)
    kind = JOINT_PRIORS[name]
    expected = [field.name for field in fields(kind) if field.name not in kind.filled_in]
    try:
        call = ast.parse(text.strip(), mode="eval").body if len(text) <= LONGEST else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        call = None
    if not isinstance(call, ast.Call) or any(word.arg is None for word in call.keywords):
        raise PriorError(f"The prior `{text[:LONGEST]}` cannot be read; write for example `{name}(1)`.")
    arguments = dict(zip(expected, call.args, strict=False))
    for word in call.keywords:
        argument = str(word.arg)
        if argument not in expected or argument in arguments:
            problem = f"`{argument}` is given twice" if argument in arguments else f"there is no argument `{argument}`"
            hint = "" if argument in arguments else did_you_mean(argument, expected)
            raise PriorError(f"The prior `{text}`: {problem}{hint}; {name} takes {', '.join(expected)}.")
        arguments[argument] = word.value
    if len(call.args) > len(expected):
        raise PriorError(f"The prior `{text}`: {name} takes {', '.join(expected)}.")
    values = {word: _value(text, node) for word, node in arguments.items() if ast.unparse(node) not in ("NULL", "None")}
    try:
        return kind(**values)
    except PriorError as error:
        raise PriorError(f"The prior `{text}`: {error}") from None


def _value(text: str, node: ast.expr) -> float | bool:
    if ast.unparse(node) in WORDS:
        return WORDS[ast.unparse(node)]
    value = value_of(node)
    if value is None:
        raise PriorError(f"The prior `{text}`: `{ast.unparse(node)}` is not a number, TRUE or FALSE.")
    return value
