"""Priors as text: a distribution of one parameter, or a prior of several together such as ``horseshoe(1)``."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import fields

from bayesml.arithmetic import value_of
from bayesml.distributions import Distribution, parse_distribution, with_values
from bayesml.errors import PriorError, did_you_mean
from bayesml.lazy import LazyRegistry
from bayesml.priors.joint import AbstractJointPrior

__all__ = ["JOINT_PRIORS", "parse_prior"]

JOINT_PRIORS: LazyRegistry[type[AbstractJointPrior]] = LazyRegistry(
    "bayesml.priors", {"horseshoe": "horseshoe:Horseshoe", "R2D2": "r2d2"}
)
"""The priors of several coefficients together. Adding one is one file and one line here."""
WORDS = {"TRUE": True, "FALSE": False, "True": True, "False": False}
LONGEST = 1000  # characters; deeply nested text would exhaust the parser's stack


def parse_prior(
    text: str, values: Mapping[str, float] | None = None
) -> Distribution | AbstractJointPrior | tuple[Distribution, ...]:
    """Read a prior.

    Args:
        text: ``normal(0, 10)``, ``horseshoe(1, par_ratio = 0.1)``, or a list with a distribution for each coefficient,
            ``[normal(0, 1), normal(0, 2)]``; see ``parse_distribution``.
        values: numbers that names in the text stand for.

    Raises:
        PriorError: the text is no prior, or its arguments are impossible; says what is possible.
    """
    if text.strip().startswith("["):
        return tuple(parse_distribution(each) for each in _listed(text))
    name = text.strip().partition("(")[0].strip()
    if name not in JOINT_PRIORS:
        return parse_distribution(text, values)
    kind = JOINT_PRIORS[name]
    expected = [field.name for field in fields(kind) if field.name not in kind.filled_in]
    call = _tree(text)
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
    with_values(text, arguments.values(), values or {})
    given = {word: _value(text, node) for word, node in arguments.items() if ast.unparse(node) not in ("NULL", "None")}
    try:
        return kind(**given)
    except PriorError as error:
        raise PriorError(f"The prior `{text}`: {error}") from None


def _tree(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body if len(text) <= LONGEST else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _listed(text: str) -> list[str]:
    """Return the texts of a list of distributions."""
    depth, parts = 0, [""]
    for letter in text.strip()[1:]:
        depth += (letter in "([") - (letter in ")]")
        if depth < 0:
            break
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    found = [part.strip() for part in parts]
    if not text.strip().endswith("]") or depth >= 0 or not all(found):
        raise PriorError(
            f"The prior `{text[:LONGEST]}` cannot be read; write a list as `[normal(0, 1), normal(0, 2)]`."
        )
    return found


def _value(text: str, node: ast.expr) -> float | bool | tuple[float, ...]:
    """Return a number, TRUE or FALSE, or the numbers of ``c(1, 2)`` or ``[1, 2]``."""
    if ast.unparse(node) in WORDS:
        return WORDS[ast.unparse(node)]
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "c" and not node.keywords:
        return tuple(_number(text, each) for each in node.args)
    if isinstance(node, (ast.List, ast.Tuple)):
        return tuple(_number(text, each) for each in node.elts)
    return _number(text, node)


def _number(text: str, node: ast.expr) -> float:
    value = value_of(node)
    if value is None:
        raise PriorError(f"The prior `{text}`: `{ast.unparse(node)}` is not a number, TRUE or FALSE.")
    return value
