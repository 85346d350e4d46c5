"""The interpreter of column expressions: computes the value of a checked syntax tree on the columns of a frame."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any, final

import numpy as np

from bayesml.columns.contrasts import CONTRASTS, Contrast
from bayesml.columns.factors import (
    FactorValue,
    build_factor,
    choose,
    compare_level,
    freeze,
    is_level,
    number_factor,
    truth_factor,
)
from bayesml.columns.functions import NUMERIC
from bayesml.columns.syntax import Syntax
from bayesml.columns.transforms import GROUPED, OF_SPLINES, STATEFUL, Basis, BeyondRange
from bayesml.errors import BayesmlError, DataError, FormulaError, described
from bayesml.formula.names import unknown_name
from bayesml.frame import Frame
from bayesml.frame.convert import convert
from bayesml.frame.values import TRUTH_LABELS, number_labels

__all__ = ["interpret"]

_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.divide,
    ast.FloorDiv: np.floor_divide,
    ast.Mod: np.mod,
    ast.Pow: np.power,
}
_LOGIC: dict[type, Callable[[Any, Any], Any]] = {ast.BitAnd: np.logical_and, ast.BitOr: np.logical_or}
_COMPARISONS: dict[type, tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Eq: ("==", np.equal),
    ast.NotEq: ("!=", np.not_equal),
    ast.Lt: ("<", np.less),
    ast.LtE: ("<=", np.less_equal),
    ast.Gt: (">", np.greater),
    ast.GtE: (">=", np.greater_equal),
}
CHOICES = ("where", "ifelse")
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def interpret(
    syntax: Syntax,
    frame: Frame,
    functions: Mapping[str, Callable[..., Any]],
    states: MutableMapping[str, dict[str, Any]] | None,
) -> Any:
    """Return the value of an expression: a number, an array, a ``Basis`` or a ``FactorValue``.

    Args:
        syntax: the checked expression.
        frame: the data.
        functions: the caller's own functions.
        states: what transforms have computed from the data of the fit, by call; added to for new calls. None refuses
            such transforms.

    Raises:
        FormulaError: the expression names an unknown column or does not make sense.
        DataError: a function failed on these data.
    """
    text = syntax.expression.text
    try:
        with np.errstate(all="ignore"):
            return _Interpreter(syntax, frame, functions, states).value(syntax.tree)
    except BayesmlError:
        raise
    except RecursionError:
        raise FormulaError(f"`{text[:60]}` is nested too deeply; compute the column in the data first.") from None
    except Exception as error:
        raise DataError(f"`{text}` cannot be computed on these data: {described(error)}") from None


@final
class _Interpreter:
    def __init__(
        self,
        syntax: Syntax,
        frame: Frame,
        functions: Mapping[str, Callable[..., Any]],
        states: MutableMapping[str, dict[str, Any]] | None,
    ) -> None:
        self.syntax, self.frame, self.functions, self.states = syntax, frame, functions, states

    def value(self, node: ast.AST) -> Any:
        """Return the value of one node of the tree."""
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self._name(node.id)
            case ast.List() | ast.Tuple():
                return [self.value(element) for element in node.elts]
            case ast.UnaryOp():
                return self._unary(node)
            case ast.BinOp():
                return self._binary(node)
            case ast.Compare():
                return self._compare(node)
            case ast.Call():
                return self._call(node)
        raise FormulaError(f"`{self.syntax.expression.text}` cannot be computed.")

    def _name(self, placeholder: str) -> Any:
        if placeholder in self.syntax.functions:
            return Contrast(CONTRASTS[self.syntax.functions[placeholder]])
        name = self.syntax.columns[placeholder]
        if name not in self.frame.columns:
            raise unknown_name(name, self.frame.names, self.syntax.expression)
        column = self.frame.columns[name]
        if column.levels is not None:
            contrast = Contrast("poly" if column.ordered else "treatment")
            return FactorValue(column.values, column.levels, contrast, column.ordered)
        return column.values.astype(bool) if column.is_boolean else column.values

    def _unary(self, node: ast.UnaryOp) -> Any:
        operand = self.value(node.operand)
        if isinstance(node.op, ast.Invert):
            if not _is_truth(operand):
                raise FormulaError(f"`{self._text}`: `!` is for truth values such as comparisons, !(x > 0).")
            return np.logical_not(operand)
        if isinstance(operand, (int, float)) and not isinstance(operand, bool):
            return -operand if isinstance(node.op, ast.USub) else operand
        numbers = self._numbers(operand)
        return -numbers if isinstance(node.op, ast.USub) else numbers

    def _binary(self, node: ast.BinOp) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        logic = _LOGIC.get(type(node.op))
        if logic is not None:
            sign = "&" if isinstance(node.op, ast.BitAnd) else "|"
            return logic(self._truth(left, sign), self._truth(right, sign))
        return _ARITHMETIC[type(node.op)](self._numbers(left), self._numbers(right))

    def _compare(self, node: ast.Compare) -> Any:
        values = [self.value(node.left), *(self.value(comparator) for comparator in node.comparators)]
        result: Any = True
        for left, sign, right in zip(values, node.ops, values[1:], strict=False):
            result = np.logical_and(result, self._compare_two(left, sign, right))
        return result

    def _compare_two(self, left: Any, sign: ast.cmpop, right: Any) -> Any:
        if isinstance(sign, ast.In):
            return self._is_among(left, right)
        text, compare = _COMPARISONS[type(sign)]
        if isinstance(right, FactorValue) and not isinstance(left, FactorValue):
            left, right, text = right, left, _MIRRORED.get(text, text)
        if isinstance(left, FactorValue) and isinstance(right, (str, int, float)):
            with self._named_errors():
                return compare_level(left, right, text)
        return compare(self._comparable(left), self._comparable(right))

    def _comparable(self, value: Any) -> Any:
        truths = dict(zip(TRUTH_LABELS, (0.0, 1.0), strict=True))
        known = isinstance(value, str) and value.capitalize() in truths
        return truths[value.capitalize()] if known else self._numbers(value)

    def _is_among(self, value: Any, listed: Any) -> np.ndarray:
        if not isinstance(listed, list):
            raise FormulaError(f"`{self._text}`: right of `%in%` stands a list such as c('a', 'b').")
        if isinstance(value, FactorValue):
            return is_level(value, listed)
        return np.isin(self._numbers(value), [self._comparable(element) for element in listed])

    def _call(self, node: ast.Call) -> Any:
        name = self.syntax.functions[node.func.id]  # type: ignore[attr-defined]
        arguments = [self.value(argument) for argument in node.args]
        options = {str(keyword.arg): self.value(keyword.value) for keyword in node.keywords}
        if name in self.functions:
            return self._user_function(node, name, arguments, options)
        if name in NUMERIC:
            return self._numeric(node, name, arguments, options)
        if name in CONTRASTS:
            return self._contrast(name, arguments, options)
        if name == "I":
            if len(arguments) != 1 or options:
                raise FormulaError(f"`{self._text}`: `I(...)` takes one expression.")
            return arguments[0]
        if name in STATEFUL:
            return self._stateful(node, name, arguments, options)
        return self._factor(node, name, arguments, options)

    @property
    def _text(self) -> str:
        return self.syntax.expression.text

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Put the text of the expression before the message of an error."""
        try:
            yield
        except BayesmlError as error:
            raise type(error)(f"`{self._text}`: {error}.") from None

    def _user_function(self, node: ast.Call, name: str, arguments: list[Any], options: dict[str, Any]) -> Any:
        # Copies, so that the user's function cannot change the data.
        copies = [_plain(argument) for argument in arguments]
        result = self.functions[name](*copies, **{key: _plain(option) for key, option in options.items()})
        values = np.asarray(result)
        is_plain = isinstance(result, np.ndarray) or values.ndim != 1
        if is_plain and values.dtype.kind in "biuf" and values.ndim <= 2:
            return values if values.dtype.kind == "b" else values.astype(np.float64)
        if values.ndim != 1:
            kinds = "numbers, truth values or categories, one a row"
            raise DataError(f"The function `{name}` must return {kinds}; it returned {type(result).__name__}.")
        column = convert(f"{name}(...)", result)
        if column.missing.any():
            row = self.frame.rows[int(np.flatnonzero(column.missing)[0])] + 1
            raise DataError(f"The function `{name}` returned a missing value in row {row}.")
        if column.levels is None:
            return column.values.astype(bool) if column.is_boolean else column.values
        contrast = Contrast("poly" if column.ordered else "treatment")
        factor = FactorValue(column.values, column.levels, contrast, column.ordered)
        with self._named_errors():
            return freeze(factor, None if self.states is None else self._state(node, name))

    def _numeric(self, node: ast.Call, name: str, arguments: list[Any], options: dict[str, Any]) -> Any:
        if name in CHOICES and len(arguments) == 3 and _are_categories(arguments[1:]):
            factor = choose(np.broadcast_to(self._truth(arguments[0], name), self.frame.n_rows), *arguments[1:])
            with self._named_errors():
                return freeze(factor, self._state(node, name))
        if name in CHOICES and len(arguments) == 3 and all(map(_is_truth, arguments)):
            return np.where(arguments[0], arguments[1], arguments[2])
        function, counts = NUMERIC[name]
        if options or len(arguments) not in counts:
            wanted = " or ".join(map(str, counts))
            raise FormulaError(f"`{self._text}`: `{name}` takes {wanted} argument{'s' * (counts[-1] > 1)}.")
        if name.startswith("as.") and isinstance(arguments[0], FactorValue):
            message = f"`{self._text}`: `{name}` of categories would compute with the numbers of their levels"
            raise FormulaError(f"{message}; make a column of numbers in the data, or compare it with a level.")
        return function(*(self._numbers(argument) for argument in arguments))

    def _contrast(self, name: str, arguments: list[Any], options: dict[str, Any]) -> Contrast:
        given = [*arguments, *(options[key] for key in ("base", "reference") if key in options)]
        unknown = set(options) - {"base", "reference"}
        if unknown or len(given) > 1 or not all(isinstance(base, (str, int, float)) for base in given):
            raise FormulaError(f"`{self._text}`: `{name}` takes the reference level, {name}('a'), or nothing.")
        if given and CONTRASTS[name] not in ("treatment", "sas"):
            raise FormulaError(f"`{self._text}`: `{name}` has no reference level.")
        base = given[0] if given else None
        label = number_labels(np.array([float(base)]))[0] if isinstance(base, (int, float)) else base
        return Contrast(CONTRASTS[name], label)

    def _state(self, node: ast.Call, name: str) -> dict[str, Any]:
        if self.states is None:
            message = (
                f"`{self._text}`: `{name}` remembers the data of the fit, which is possible in predictor terms only"
            )
            raise FormulaError(f"{message}; compute the column in the data first.")
        return self.states.setdefault(f"{self._text} {ast.unparse(node)}", {})

    def _stateful(self, node: ast.Call, name: str, arguments: list[Any], options: dict[str, Any]) -> Any:
        state = self._state(node, name)
        if not arguments:
            raise FormulaError(f"`{self._text}`: `{name}` takes a column first.")
        if name in OF_SPLINES:
            arguments = [part if isinstance(part, Basis) else self._column(name, part) for part in arguments]
        x = arguments[0] if isinstance(arguments[0], Basis) else self._column(name, arguments[0])
        if name in GROUPED:
            arguments = [arguments[0], *map(self._as_factor, arguments[1:])]
        try:
            return STATEFUL[name](state, x, *arguments[1:], **options)
        except TypeError as error:
            reason = re.sub(r"^\S+\(\)", f"{name}()", str(error))
            raise FormulaError(f"`{self._text}`: {reason}.") from None
        except BeyondRange as error:
            row = self.frame.rows[error.position] + 1
            beyond = float(np.asarray(x)[error.position])
            message = f"`{self._text}`: the value {beyond:.6g} in row {row} lies outside the range of the "
            message += (
                f"spline, {error.lower:.6g} to {error.upper:.6g}. Leave such rows out, or write ns({self._first(node)}"
            )
            raise DataError(f"{message}, df), which goes on as a straight line.") from None
        except BayesmlError as error:
            raise type(error)(f"`{self._text}`: {error}.") from None

    def _column(self, name: str, value: Any) -> np.ndarray:
        """Return a column of finite numbers, the argument of a transform."""
        x = np.broadcast_to(np.asarray(self._numbers(value)), (self.frame.n_rows,)).astype(np.float64)
        if not np.isfinite(x).all():
            row = int(np.flatnonzero(~np.isfinite(x))[0])
            raise DataError(
                f"`{self._text}`: the values inside `{name}` are {x[row]} in row {self.frame.rows[row] + 1}."
            )
        return x

    def _first(self, node: ast.Call) -> str:
        """Return the column that is the first argument of a call, or ``x`` if the argument is no column."""
        argument = node.args[0]
        return self.syntax.columns.get(argument.id, "x") if isinstance(argument, ast.Name) else "x"

    def _factor(self, node: ast.Call, name: str, arguments: list[Any], options: dict[str, Any]) -> FactorValue:
        if not arguments:
            raise FormulaError(f"`{self._text}`: `{name}` takes a column first, for example {name}(x).")
        state = self._state(node, "C")
        factor = self._as_factor(arguments[0])
        with self._named_errors():
            return build_factor(name, factor, arguments[1:], options, state)

    def _as_factor(self, value: Any) -> FactorValue:
        if isinstance(value, FactorValue):
            return value
        numbers = self._numbers(value)
        if np.shape(numbers) != (self.frame.n_rows,) or not np.isfinite(numbers).all():
            raise DataError(f"`{self._text}`: a factor is made of a column of finite numbers or of text.")
        return truth_factor(value) if np.asarray(value).dtype.kind == "b" else number_factor(numbers)

    def _numbers(self, value: Any) -> Any:
        if isinstance(value, Basis):
            return value.matrix
        if isinstance(value, FactorValue):
            message = (
                f"`{self._text}` computes with a column of categories ({', '.join(value.levels[:5])}), which has no "
            )
            raise FormulaError(f"{message}numbers; compare it with a level, `I(x == 'a')`, or convert it in the data.")
        if isinstance(value, (bool, int, float, np.ndarray, np.generic)):
            return np.asarray(value, dtype=np.float64)
        raise FormulaError(f"`{self._text}` computes with {_describe(value)}, where numbers are needed.")

    def _truth(self, value: Any, sign: str) -> np.ndarray:
        if not _is_truth(value):
            message = f"`{self._text}`: `{sign}` is for truth values such as comparisons, (x > 0) {sign} (z > 0)."
            raise FormulaError(message + (" A group term cannot stand inside an expression." if sign == "|" else ""))
        return np.asarray(value)


def _plain(value: Any) -> Any:
    if isinstance(value, FactorValue):
        return np.asarray(value.levels, dtype=object)[value.codes]
    if isinstance(value, Basis):
        return value.matrix.copy()
    return value.copy() if isinstance(value, np.ndarray) else value


def _is_truth(value: Any) -> bool:
    return isinstance(value, (bool, np.ndarray, np.generic)) and np.asarray(value).dtype.kind == "b"


def _are_categories(values: Sequence[Any]) -> bool:
    return all(isinstance(value, (str, FactorValue)) for value in values)


def _describe(value: Any) -> str:
    return f"the text {value!r}" if isinstance(value, str) else "a list" if isinstance(value, list) else repr(value)
