"""Column expressions to numbers: design matrices that can be replayed on new data, and single vectors.

A column expression is text from a user, not a program: it is read into a small tree of allowed operations and
interpreted; nothing is handed to Python's ``eval``.
"""

from __future__ import annotations

from bayesml.columns.computable import (
    Computation,
    computations,
    expression_tree,
    made_factors,
    offset_computation,
)
from bayesml.columns.encode import Encoding, encode, evaluate, replay, treatment_columns
from bayesml.columns.nonlinear import NonlinearFunction, evaluate_nonlinear, nonlinear_function
from bayesml.columns.syntax import FUNCTION_NAMES, bare_name
from bayesml.formula.names import formula_variables
from bayesml.formula.names import names_in as variables_of

__all__ = [
    "FUNCTION_NAMES",
    "NonlinearFunction",
    "Computation",
    "Encoding",
    "bare_name",
    "computations",
    "encode",
    "evaluate",
    "evaluate_nonlinear",
    "expression_tree",
    "formula_variables",
    "made_factors",
    "nonlinear_function",
    "offset_computation",
    "replay",
    "treatment_columns",
    "variables_of",
]
