"""Formula text to ``ParsedFormula``; no data values are read here."""

from __future__ import annotations

from bayesml.formula.calls import bind_arguments, special_fault
from bayesml.formula.language import LANGUAGE, Language, ResponseTerm
from bayesml.formula.names import (
    argument_texts,
    check_matrices,
    check_names,
    effect_factors,
    formula_variables,
    grouping_variables,
    hidden_columns,
    matrix_names,
)
from bayesml.formula.parser import parse, response_count
from bayesml.formula.specify import Formula, JointFormula, ModelFormula, as_formula, bf, set_mecor, set_rescor
from bayesml.formula.tokens import is_simple_name, quote_name
from bayesml.formula.types import (
    Addition,
    Expression,
    FixedParameter,
    GroupCall,
    LinearPart,
    Membership,
    Nonlinear,
    ParsedFormula,
    Predictor,
    Response,
    ResponseFormula,
    SpecialCall,
    Value,
)
from bayesml.formula.update import formula_of, update_formula
from bayesml.formula.write import left_side

__all__ = [
    "LANGUAGE",
    "Addition",
    "Expression",
    "FixedParameter",
    "Formula",
    "GroupCall",
    "JointFormula",
    "Language",
    "LinearPart",
    "Membership",
    "ModelFormula",
    "Nonlinear",
    "ParsedFormula",
    "Predictor",
    "Response",
    "ResponseFormula",
    "ResponseTerm",
    "SpecialCall",
    "Value",
    "argument_texts",
    "as_formula",
    "bf",
    "bind_arguments",
    "check_matrices",
    "check_names",
    "effect_factors",
    "formula_of",
    "formula_variables",
    "grouping_variables",
    "hidden_columns",
    "is_simple_name",
    "left_side",
    "matrix_names",
    "parse",
    "quote_name",
    "response_count",
    "set_mecor",
    "set_rescor",
    "special_fault",
    "update_formula",
]
