"""Arithmetic with numbers, ``1/3`` or ``-2**0.5``, as it stands in a prior or in a formula."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable

__all__ = ["value_of"]

OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def value_of(tree: ast.expr) -> float | None:
    """Return the value of arithmetic with numbers, or None where the tree holds anything else or has no real value."""
    try:
        return _value(tree)
    except (ArithmeticError, ValueError, TypeError, RecursionError):
        return None


def _value(tree: ast.expr) -> float:
    if isinstance(tree, ast.Constant) and type(tree.value) in (int, float):
        return float(tree.value)  # type: ignore[arg-type]
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, (ast.USub, ast.UAdd)):
        return -_value(tree.operand) if isinstance(tree.op, ast.USub) else _value(tree.operand)
    if isinstance(tree, ast.BinOp) and type(tree.op) in OPERATORS:
        return float(OPERATORS[type(tree.op)](_value(tree.left), _value(tree.right)))
    raise ValueError(ast.dump(tree))
