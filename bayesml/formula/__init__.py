"""Formula text to ``ParsedFormula``; nothing here sees data values."""

from __future__ import annotations

from bayesml.formula.names import check_names, formula_variables, grouping_variables
from bayesml.formula.parser import parse
from bayesml.formula.specify import Formula, as_formula, bf
from bayesml.formula.tokens import is_simple_name, quote_name
from bayesml.formula.types import Addition, Expression, GroupPart, LinearPart, ParsedFormula, Predictor, Response
from bayesml.formula.update import formula_of, update_formula

__all__ = [
    "Addition",
    "Expression",
    "Formula",
    "GroupPart",
    "LinearPart",
    "ParsedFormula",
    "Predictor",
    "Response",
    "as_formula",
    "bf",
    "check_names",
    "formula_of",
    "formula_variables",
    "grouping_variables",
    "is_simple_name",
    "parse",
    "quote_name",
    "update_formula",
]
