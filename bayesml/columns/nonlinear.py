"""Nonlinear formulas: a checked syntax tree over parameters and columns, computed with what NumPy and JAX share.

What names columns only, ``log(dose)`` or ``f == "a"``, is a data part: it is computed once from the data as any column
expression is. The rest may call the functions listed in ``NONLINEAR`` and those of the caller; nothing is handed to
Python's ``eval``.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.columns.encode import evaluate_syntax
from bayesml.columns.nonlinear_functions import NONLINEAR
from bayesml.columns.own_function import OwnFunction
from bayesml.columns.syntax import FUNCTION_NAMES, Syntax, expression_fault, read_syntax
from bayesml.errors import FormulaError, did_you_mean
from bayesml.formula.tokens import scan
from bayesml.formula.types import Expression, Nonlinear
from bayesml.frame import Frame
from bayesml.frozen import FrozenMapping
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Operand

__all__ = ["NonlinearFunction", "evaluate_nonlinear", "nonlinear_function"]

Functions = Mapping[str, Callable[..., Any]]
NO_FUNCTIONS: Functions = FrozenMapping({})

_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@final
@dataclass(frozen=True)
class NonlinearFunction:
    """A nonlinear formula that has been checked.

    Attributes:
        nonlinear: the formula.
        functions: the caller's own functions, which stand before ours of the same name.
    """

    nonlinear: Nonlinear
    functions: Functions

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Compute the data parts at the rows of a frame, each ``(rows,)``.

        Raises:
            FormulaError: a data part is no column of numbers.
            DataError: it cannot be computed from these data.
        """
        known = {name: call.compute for name, call in NONLINEAR.items() if name not in FUNCTION_NAMES}
        functions = {**known, **self.functions}
        return {name: evaluate_syntax(part, frame, functions) for name, part in self._tree.parts.items()}

    def value(self, parameters: Mapping[str, Operand], arrays: Mapping[str, Operand]) -> Operand:
        """Return the function, ``(..., rows)``.

        Args:
            parameters: the values of the parameters, ``(..., rows)``.
            arrays: the data parts, from ``arrays``.
        """
        with np.errstate(all="ignore"):
            return _number(_value(self._tree.tree, self._tree.syntax, {**parameters, **arrays}, self._own))

    @property
    def own_functions(self) -> tuple[str, ...]:
        """Names of the caller's functions that are called with parameters."""
        tree, syntax = self._tree.tree, self._tree.syntax
        called = (syntax.functions[node.func.id] for node in ast.walk(tree) if isinstance(node, ast.Call))  # type: ignore[attr-defined]
        return tuple(sorted({name for name in called if name in self.functions}))

    def check_tracing(self) -> None:
        """Call the formula with shapes alone, as a sampler will.

        Raises:
            FormulaError: a function of the caller computes with NumPy alone, or fails.
        """
        if not self.own_functions:
            return
        import jax

        names = (*self.nonlinear.parameters, *self._tree.parts)
        shapes = {name: jax.ShapeDtypeStruct((3,), np.float32) for name in names}
        jax.eval_shape(lambda values: self.value(values, {}), shapes)

    @property
    def _own(self) -> Functions:
        return {name: OwnFunction(name, function) for name, function in self.functions.items()}

    @property
    def _tree(self) -> _Tree:
        return _tree_of(self.nonlinear, tuple(sorted(self.functions)))


@final
@dataclass(frozen=True)
class _Tree:
    """A formula apart: its tree with names for the data parts, and those parts."""

    tree: ast.expr
    syntax: Syntax
    parts: Mapping[str, Syntax]


def nonlinear_function(nonlinear: Nonlinear, functions: Functions | None = None) -> NonlinearFunction:
    """Check a nonlinear formula.

    Args:
        nonlinear: the formula, with the names in it that are parameters.
        functions: the caller's own functions.

    Raises:
        FormulaError: it cannot be read, computes with a parameter what is not possible, or calls a function of the
            caller that JAX cannot trace.

    Example:
        >>> from bayesml.formula import bf, parse
        >>> formula = bf("y ~ a * exp(-b * x)", a="~ 1", b="~ 1", nonlinear=True)
        >>> function = nonlinear_function(parse(formula).predictors[0].nonlinear)
        >>> function.value({"a": np.array([2.0]), "b": np.array([0.0])}, {"data0": np.array([1.0])})
        array([2.])
    """
    function = NonlinearFunction(nonlinear, {} if functions is None else functions)
    _check(function._tree.tree, function._tree.syntax, function.functions)
    function.check_tracing()
    return function


def evaluate_nonlinear(expression: Expression, values: Mapping[str, Operand]) -> Operand:
    """Compute an expression from the values of all names in it.

    Args:
        expression: the expression, such as ``a * exp(-b * x)``.
        values: numbers or arrays that broadcast, of NumPy or JAX, for each name.

    Raises:
        FormulaError: the expression cannot be read, calls what is not in ``NONLINEAR`` or names what has no value.

    Example:
        >>> float(evaluate_nonlinear(Expression("a * x^2", "a * x^2", 0), {"a": 3.0, "x": 2.0}))
        12.0
    """
    syntax = _syntax_of(expression)
    _check(syntax.tree, syntax)
    missing = next((name for name in syntax.columns.values() if name not in values), None)
    if missing is not None:
        hint = did_you_mean(missing, values)
        raise _at(f"`{missing}` has no value{hint}.", missing, expression)
    with np.errstate(all="ignore"):
        return _number(_value(syntax.tree, syntax, values))


@lru_cache(maxsize=256)
def _syntax_of(expression: Expression, functions: tuple[str, ...] = ()) -> Syntax:
    return read_syntax(expression, (*functions, *NONLINEAR))


@lru_cache(maxsize=256)
def _tree_of(nonlinear: Nonlinear, functions: tuple[str, ...]) -> _Tree:
    syntax = _syntax_of(nonlinear.expression, functions)
    parts: dict[str, Syntax] = {}
    columns = dict(syntax.columns)
    tree = _without_data(syntax.tree, syntax, frozenset(nonlinear.parameters), parts, columns)
    return _Tree(tree, Syntax(tree, columns, syntax.functions, syntax.expression), parts)


def _without_data(
    node: ast.expr, syntax: Syntax, parameters: frozenset[str], parts: dict[str, Syntax], columns: dict[str, str]
) -> ast.expr:
    """Return a tree in which each largest subtree that names columns and no parameter is a name, collected in parts."""
    names = {syntax.columns[n.id] for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in syntax.columns}
    if names and names.isdisjoint(parameters):
        written = ast.dump(node)
        name = next((name for name, part in parts.items() if ast.dump(part.tree) == written), f"data{len(parts)}")
        parts[name] = Syntax(node, syntax.columns, syntax.functions, syntax.expression)
        columns[f"_{name}"] = name
        return ast.Name(f"_{name}", ast.Load())

    def inside(child: ast.expr) -> ast.expr:
        return _without_data(child, syntax, parameters, parts, columns)

    match node:
        case ast.UnaryOp():
            return ast.UnaryOp(node.op, inside(node.operand))
        case ast.BinOp():
            return ast.BinOp(inside(node.left), node.op, inside(node.right))
        case ast.Compare():
            return ast.Compare(inside(node.left), node.ops, [inside(each) for each in node.comparators])
        case ast.Call():
            return ast.Call(node.func, [inside(each) for each in node.args], node.keywords)
    return node


def _check(tree: ast.expr, syntax: Syntax, functions: Functions = NO_FUNCTIONS) -> None:
    """Refuse what cannot be computed with parameters.

    Raises:
        FormulaError: a function, a text or a list stands where only arithmetic and the listed functions are possible.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            _check_call(node, syntax, functions)
        elif isinstance(node, (ast.List, ast.Tuple, ast.In)) or (
            isinstance(node, ast.Constant) and not isinstance(node.value, (int, float))
        ):
            text = syntax.expression.text
            message = (
                f"`{text}`: a text, list or missing value cannot be computed with parameters; compare it with a column."
            )
            raise expression_fault(message, syntax.expression, 0, len(text))


def _check_call(node: ast.Call, syntax: Syntax, functions: Functions) -> None:
    name = syntax.functions[node.func.id]  # type: ignore[attr-defined]
    if name in functions:
        if node.keywords:
            raise _at(f"`{name}` takes arguments without names here.", name, syntax.expression)
        return
    if name not in NONLINEAR:
        hint = did_you_mean(name, NONLINEAR)
        message = (
            f"`{name}(...)` cannot be computed with parameters{hint}; in a nonlinear formula there are "
            f"{', '.join(NONLINEAR)}, and your own: functions={{'{name}': f}}. Functions of columns alone may be any."
        )
        raise _at(message, name, syntax.expression)
    counts = NONLINEAR[name].counts
    if node.keywords or len(node.args) not in counts:
        wanted = " or ".join(map(str, counts))
        message = f"`{name}` takes {wanted} argument{'s' * (counts[-1] > 1)} without names."
        raise _at(message, name, syntax.expression)


def _at(message: str, name: str, expression: Expression) -> FormulaError:
    token = next((t for t in scan(expression.text) if t.is_name and t.name == name), None)
    start, stop = (0, len(expression.text)) if token is None else (token.start, token.stop)
    return expression_fault(message, expression, start, stop)


def _value(node: ast.expr, syntax: Syntax, values: Mapping[str, Operand], own: Functions = NO_FUNCTIONS) -> Operand:
    def inside(child: ast.expr) -> Operand:
        return _value(child, syntax, values, own)

    match node:
        case ast.Constant():
            return float(node.value)  # type: ignore[arg-type]
        case ast.Name():
            return values[syntax.columns[node.id]]
        case ast.UnaryOp():
            return _unary(node.op, inside(node.operand))
        case ast.BinOp():
            return _binary(node.op, inside(node.left), inside(node.right))
        case ast.Compare():
            operands = [inside(each) for each in (node.left, *node.comparators)]
            pairs = zip(node.ops, pairwise(operands), strict=True)
            return _all([_COMPARISONS[type(sign)](left, right) for sign, (left, right) in pairs])
        case ast.Call():
            name = syntax.functions[node.func.id]  # type: ignore[attr-defined]
            function = own[name] if name in own else NONLINEAR[name].compute
            return function(*(_number(inside(each)) for each in node.args))
    raise FormulaError(f"`{syntax.expression.text}` cannot be computed.")


def _unary(sign: ast.unaryop, value: Operand) -> Operand:
    if isinstance(sign, ast.Invert):
        return value == 0
    return -_number(value) if isinstance(sign, ast.USub) else _number(value)


def _binary(sign: ast.operator, left: Operand, right: Operand) -> Operand:
    if isinstance(sign, ast.BitAnd):
        return _all([_number(left) != 0, _number(right) != 0])
    if isinstance(sign, ast.BitOr):
        return (_number(left) != 0) | (_number(right) != 0)
    left, right = _number(left), _number(right)
    if isinstance(sign, ast.Pow):
        return NONLINEAR["pow"].compute(left, right)
    xp = array_namespace(left, right)
    if xp is np:
        left = np.asarray(left, dtype=float)[()]
    return _ARITHMETIC[type(sign)](left, right)


def _all(truths: list[Operand]) -> Operand:
    result = truths[0]
    for truth in truths[1:]:
        result = result & truth
    return result


def _number(value: Operand) -> Operand:
    """Return a truth value as 0 or 1, a number as it is."""
    if isinstance(value, (bool, np.bool_)):
        return float(value)
    kind = getattr(getattr(value, "dtype", None), "kind", "f")
    return value.astype(float) if kind == "b" else value
