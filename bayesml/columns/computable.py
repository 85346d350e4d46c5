"""What is known of an expression without its values: where it can be computed, what it makes a factor of, its tree."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayesml.columns.encode import Encoding, evaluate, evaluate_factors
from bayesml.columns.syntax import FACTOR_FUNCTIONS, read_syntax
from bayesml.errors import BayesmlError
from bayesml.formula.names import names_in
from bayesml.formula.types import Expression
from bayesml.frame import Frame, match_levels

__all__ = ["Computation", "computations", "expression_tree", "made_factors", "offset_computation"]


@final
@dataclass(frozen=True)
class Computation:
    """One factor of a term, or one offset.

    Attributes:
        text: the expression.
        columns: the data columns that it names.
        compute: computes it for the rows of a frame; raises a BayesmlError if that is impossible for one of them.
    """

    text: str
    columns: tuple[str, ...]
    compute: Callable[[Frame], object]

    def possible(self, frame: Frame) -> np.ndarray:
        """Return for each row of a frame whether the expression can be computed, ``(rows,)``.

        All rows are computed together; if that fails, each half of them, and so on down to the rows that are at fault.
        """
        try:
            self.compute(frame)
        except BayesmlError:
            if frame.n_rows <= 1:
                return np.zeros(frame.n_rows, dtype=bool)
        else:
            return np.ones(frame.n_rows, dtype=bool)
        half = frame.n_rows // 2
        parts = np.arange(half), np.arange(half, frame.n_rows)
        return np.concatenate([self.possible(frame.select(rows)) for rows in parts])


def computations(encoding: Encoding) -> tuple[Computation, ...]:
    """Return the factors of the terms of an encoding, with the levels, means and knots of the fit."""
    texts = dict.fromkeys(factor for term in encoding.products for product in term for factor, _ in product)
    return tuple(_computation(encoding, text) for text in texts)


def _computation(encoding: Encoding, text: str) -> Computation:
    columns = tuple(name for name in names_in(text) if name in encoding.schema)

    def compute(frame: Frame) -> object:
        states = {call: copy.deepcopy(dict(state)) for call, state in encoding.states.items()}
        matched = match_levels(frame, encoding.schema, columns)
        return evaluate_factors([(text,)], encoding.expression, matched, encoding.functions, states)

    return Computation(text, columns, compute)


def offset_computation(expression: Expression, functions: Mapping[str, Callable[..., Any]]) -> Computation:
    """Return an offset."""
    return Computation(expression.text, names_in(expression.text), lambda frame: evaluate(expression, frame, functions))


def made_factors(text: str, functions: Collection[str]) -> frozenset[str]:
    """Return the columns that are arguments of ``factor()`` or its relatives: ``k`` of ``factor(k)``."""
    syntax = read_syntax(Expression(text, text, 0), functions)
    calls = [node for node in ast.walk(syntax.tree) if isinstance(node, ast.Call)]
    return frozenset(
        syntax.columns[call.args[0].id]
        for call in calls
        if isinstance(call.func, ast.Name)
        and syntax.functions[call.func.id] in FACTOR_FUNCTIONS
        and call.args
        and isinstance(call.args[0], ast.Name)
        and call.args[0].id in syntax.columns
    )


def expression_tree(expression: Expression, functions: Collection[str]) -> ast.expr:
    """Return the syntax tree of an expression; its names are those of the columns and functions."""
    syntax = read_syntax(expression, functions)
    for node in ast.walk(syntax.tree):
        if isinstance(node, ast.Name):
            node.id = syntax.columns.get(node.id) or syntax.functions[node.id]
    return syntax.tree
