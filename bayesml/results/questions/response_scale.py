"""From the linear predictor back to the response: the inverse link, then the inverse of ``log(y)``, ``sqrt(y)``, ...

The inverse is found by undoing one operation of the response's expression after the other, from the outside to the
column; log, arithmetic with numbers and powers can be undone where the column stands in the expression once.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.arithmetic import value_of
from bayesml.columns import expression_tree

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractFit

__all__ = ["ResponseScale", "response_scale"]

Map = Callable[[np.ndarray], np.ndarray]
LOGS = {"log": np.e, "log2": 2.0, "log10": 10.0}
RATIOS = {"log": "ratio", "logit": "odds ratio"}
OUTERMOST = {**dict.fromkeys(LOGS, "ratio"), "logit": "odds ratio", "qlogis": "odds ratio"}


@final
@dataclass(frozen=True)
class _Step:
    """One operation undone.

    Attributes:
        inverse: what undoes it.
        derivative: the derivative of that.
        bounds: between which values the operation's results lie.
    """

    inverse: Map
    derivative: Map
    bounds: tuple[float, float] = (-np.inf, np.inf)


@final
@dataclass(frozen=True)
class ResponseScale:
    """The way from the linear predictor to the response.

    Attributes:
        steps: in the order in which they are taken.
        ratio: how a difference of linear predictors is called when it is shown as a ratio; empty where it is no ratio.
        base: of the logarithm whose differences are ratios.
        left: the response's expression where it could not be undone; else empty.
    """

    steps: tuple[_Step, ...]
    ratio: str
    base: float
    left: str

    def inverse(self, eta: np.ndarray) -> np.ndarray:
        """Return responses."""
        return self._walk(eta)[0]

    def derivative(self, eta: np.ndarray) -> np.ndarray:
        """Return the derivative of the response in the linear predictor."""
        return self._walk(eta)[1]

    def _walk(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, slope = np.asarray(eta, dtype=float), np.ones(np.shape(eta))
        with np.errstate(all="ignore"):
            for step in self.steps:
                value = np.clip(value, *step.bounds)
                value, slope = step.inverse(value), slope * step.derivative(value)
        return value, slope


def response_scale(fit: AbstractFit, dpar: str = "mu") -> ResponseScale:
    """Return the way from the linear predictor of a parameter to the parameter, of the main one to the response.

    For a lognormal model, as for ``log(y)``, that is the median of the response, exp(mu).
    """
    link = fit.likelihood.link(dpar)
    steps = [] if link.name == "identity" else [_Step(link.inverse, link.inverse_derivative)]
    ratio, base = RATIOS.get(link.name, ""), np.e
    if dpar != "mu":
        return ResponseScale(tuple(steps), ratio, base, "")
    if fit.likelihood.traits.response_on_log_scale:
        steps.append(_Step(np.exp, np.exp))
        ratio = "ratio" if link.name == "identity" else ""
    response = fit.parsed.response.expression
    if fit.likelihood.traits.discrete:  # counts and truth values, ``I(y > 0)``, are what they are
        return ResponseScale(tuple(steps), ratio, base, "")
    undone, column, outermost = _undo(expression_tree(response, fit.problem.design.schema.functions))
    if column is None or not _gives_back(undone, fit, column):
        return ResponseScale(tuple(steps), "" if steps else ratio, base, response.text)
    if undone:
        ratio, base = (OUTERMOST.get(outermost, ""), LOGS.get(outermost, np.e)) if not steps else ("", np.e)
    return ResponseScale((*steps, *undone), ratio, base, "")


def _gives_back(steps: list[_Step], fit: AbstractFit, column: str) -> bool:
    """Whether the steps lead from the response of each row to the column: not so for ``y^2`` of negative numbers."""
    if not steps:
        return True
    y = np.asarray(fit.problem.design.response.arrays["y"], dtype=float)
    back = ResponseScale(tuple(steps), "", np.e, "").inverse(y)
    return bool(np.allclose(back, fit.frame.columns[column].values, rtol=1e-6, atol=1e-12))


def _undo(tree: ast.expr) -> tuple[list[_Step], str | None, str]:
    """Return the steps, the column they lead to (None where something cannot be undone), and the outermost function."""
    steps: list[_Step] = []
    outermost = ""
    while not isinstance(tree, ast.Name):
        function = tree.func.id if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) else ""
        if function == "I" and len(tree.args) == 1:  # type: ignore[attr-defined]
            tree = tree.args[0]  # type: ignore[attr-defined]
            continue
        if not steps:
            outermost = function
        found = _undo_call(tree, function) if isinstance(tree, ast.Call) else _undo_arithmetic(tree)
        if found is None:
            return [], None, ""
        step, tree = found
        steps.append(step)
    return steps, tree.id, outermost


def _undo_call(tree: ast.Call, name: str) -> tuple[_Step, ast.expr] | None:
    if name not in CALLS or len(tree.args) != 1 or tree.keywords:
        return None
    odds = _inside_odds(tree.args[0]) if name == "log" else None
    return (CALLS["logit"], odds) if odds is not None else (CALLS[name], tree.args[0])


def _inside_odds(tree: ast.expr) -> ast.expr | None:
    """Return p of ``p / (1 - p)``."""
    match tree:
        case ast.BinOp(left=p, op=ast.Div(), right=ast.BinOp(left=one, op=ast.Sub(), right=q)):
            return p if value_of(one) == 1.0 and ast.dump(p) == ast.dump(q) else None
    return None


def _logistic(v: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-v))


def _power(exponent: float) -> _Step:
    """Undo v = u^k with u >= 0: u = v^(1/k)."""
    root = 1.0 / exponent
    return _Step(lambda v: v**root, lambda v: root * v ** (root - 1.0), (0.0, np.inf))


def _line(factor: float, shift: float) -> _Step:
    return _Step(lambda v: factor * v + shift, lambda v: np.full(np.shape(v), factor))


CALLS: dict[str, _Step] = {
    **{
        name: _Step(lambda v, b=base: b**v, lambda v, b=base: np.log(b) * b**v)  # type: ignore[misc]
        for name, base in LOGS.items()
    },
    "log1p": _Step(np.expm1, np.exp),
    "exp": _Step(np.log, lambda v: 1.0 / v, (0.0, np.inf)),
    "expm1": _Step(np.log1p, lambda v: 1.0 / (1.0 + v), (-1.0, np.inf)),
    "sqrt": _power(0.5),
    "square": _power(2.0),
    **dict.fromkeys(("logit", "qlogis"), _Step(_logistic, lambda v: _logistic(v) * _logistic(-v))),
    "asin": _Step(np.sin, np.cos, (-np.pi / 2, np.pi / 2)),
    "sinh": _Step(np.arcsinh, lambda v: 1.0 / np.sqrt(1.0 + v**2)),
    "tanh": _Step(np.arctanh, lambda v: 1.0 / (1.0 - v**2), (-1.0, 1.0)),
}
"""What undoes a function of one argument."""


def _undo_arithmetic(tree: ast.expr) -> tuple[_Step, ast.expr] | None:
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, (ast.USub, ast.UAdd)):
        return _line(-1.0 if isinstance(tree.op, ast.USub) else 1.0, 0.0), tree.operand
    if not isinstance(tree, ast.BinOp):
        return None
    left, right = value_of(tree.left), value_of(tree.right)
    if (left is None) == (right is None):
        return None
    return _undo_operation(tree, left, right)


def _undo_operation(tree: ast.BinOp, left: float | None, right: float | None) -> tuple[_Step, ast.expr] | None:
    """Solve ``left op u = v`` or ``u op right = v`` for u."""
    number: Any = left if right is None else right
    inside = tree.right if right is None else tree.left
    match tree.op:
        case ast.Add():
            return _line(1.0, -number), inside
        case ast.Sub():
            return (_line(1.0, number) if left is None else _line(-1.0, number)), inside
        case ast.Mult() if number != 0.0:
            return _line(1.0 / number, 0.0), inside
        case ast.Div() if number != 0.0:
            if left is None:
                return _line(number, 0.0), inside
            return _Step(lambda v: number / v, lambda v: -number / v**2), inside
        case ast.Pow() if left is None and number != 0.0:
            return (_line(1.0, 0.0) if number == 1.0 else _power(number)), inside
    return None
