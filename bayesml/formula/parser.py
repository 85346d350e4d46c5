"""The formula stage: text in, ``ParsedFormula`` out; of the data only the names of the columns are known."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bayesml.errors import FormulaError
from bayesml.formula.groups import refuse_unequal_ids
from bayesml.formula.language import LANGUAGE, Language
from bayesml.formula.names import check_names, names_in
from bayesml.formula.predictors import Sides, cut, nonlinear_of, read_additive, read_nonlinear
from bayesml.formula.response import count_responses, read_responses
from bayesml.formula.specify import Formula, JointFormula, ModelFormula, as_formula
from bayesml.formula.types import FixedParameter, ParsedFormula, Predictor, Response, ResponseFormula
from bayesml.keys import PredictorKey

__all__ = ["parse", "response_count"]


def parse(
    formula: str | ModelFormula, columns: Sequence[str] | None = None, language: Language = LANGUAGE
) -> ParsedFormula:
    """Read a model formula.

    Args:
        formula: ``"y ~ x + (1 | g)"``, or what ``bf`` or a sum of these returned.
        columns: names of the data columns; ``.`` stands for those that the left-hand sides do not use, and a name
            that is none of them is refused.
        language: which calls term kinds claim, which response terms there are.

    Returns:
        The formula as values; of each response ``mu`` is the first predictor.

    Raises:
        FormulaError: the text is not a formula; the message points at the culprit.

    Example:
        >>> parse("y ~ a * b").predictors[0].population.terms
        (('a',), ('b',), ('a', 'b'))
    """
    formula = as_formula(formula)
    parts = formula.formulas if isinstance(formula, JointFormula) else (formula,)
    cuts = [(part, cut(_one_line(part.text))) for part in parts]
    left = [(part, sides, read_responses(sides.left, sides.source, language)) for part, sides in cuts]
    responses = [response for _, _, several in left for response in several]
    dot = None if columns is None else _other_columns(columns, responses)
    names = _response_names(responses)
    read: list[ResponseFormula] = []
    for part, sides, several in left:
        for response in several:
            read.append(_read_response(names[len(read)], part, sides, response, dot, language))
    text = "\n".join(sides.source for _, sides in cuts)
    parsed = ParsedFormula(text, tuple(read), _rescor(formula, responses), formula.mecor is not False)
    refuse_unequal_ids([group for predictor in parsed.predictors for group in predictor.groups])
    if columns is not None:
        check_names(parsed, columns)
    return parsed


def response_count(text: str) -> int:
    """Return how many responses a formula has: those of ``mvbind(y1, y2)``, else one.

    Raises:
        FormulaError: the text has no left-hand side.
    """
    sides = cut(_one_line(text))
    return count_responses(sides.left, sides.source)


def _one_line(text: str) -> str:
    # Same length, so that positions stay those of the text the user wrote.
    return re.sub(r"\s", " ", text)


def _other_columns(columns: Sequence[str], responses: Sequence[Response]) -> tuple[str, ...]:
    used: set[str] = set()
    for response in responses:
        used.update(names_in(response.expression.text))
        for addition in response.additions:
            used.update(name for argument in addition.arguments for name in names_in(argument.text))
    return tuple(name for name in columns if name not in used)


def _response_names(responses: Sequence[Response]) -> list[str]:
    """Return how the responses are addressed: as in brms their letters and digits, ``y1`` of ``y_1``."""
    if len(responses) == 1:
        return [""]
    names = ["".join(character for character in response.name if character.isalnum()) for response in responses]
    for name, response in zip(names, responses, strict=True):
        same = [f"`{other.name}`" for other, own in zip(responses, names, strict=True) if own == name]
        if not name or len(same) > 1:
            listed = " and ".join(same)
            raise FormulaError(
                f"A model of several responses calls each by its letters and digits; {listed} would be called "
                f"`{name}`. Rename a column of the data, or name `{response.name}` once."
            )
    return names


def _rescor(formula: ModelFormula, responses: Sequence[Response]) -> bool | None:
    if formula.rescor is not None and len(responses) == 1:
        raise FormulaError("`rescor` is for models of several responses; this one has one.")
    return formula.rescor


def _read_response(
    name: str, formula: Formula, main: Sides, response: Response, dot: Sequence[str] | None, language: Language
) -> ResponseFormula:
    """Read the predictors of one response.

    What a nonlinear formula names and has a formula itself is a nonlinear parameter.
    """
    sides = {"mu": main, **{parameter: cut(_one_line(text)) for parameter, text in formula.parameters}}
    unknown = next((parameter for parameter in formula.nonlinear if parameter not in sides), None)
    if unknown is not None:
        raise FormulaError(f"The formula of `{unknown}` is said to be nonlinear, but `{unknown}` has no formula.")
    with_formulas = [parameter for parameter in sides if parameter != "mu"]
    named = {
        found
        for parameter in formula.nonlinear
        for found in nonlinear_of(PredictorKey(name, parameter), sides[parameter], with_formulas).parameters
    }
    predictors = []
    for parameter, own in sides.items():
        key = PredictorKey(name, nlpar=parameter) if parameter in named else PredictorKey(name, parameter)
        if parameter in formula.nonlinear:
            predictors.append(read_nonlinear(key, own, named))
        else:
            predictors.append(read_additive(key, own, dot, language))
    _refuse_circles(predictors)
    fixed = tuple(FixedParameter(PredictorKey(name, parameter), value) for parameter, value in formula.fixed)
    return ResponseFormula(name, main.source, response, tuple(predictors), fixed)


def _refuse_circles(predictors: Sequence[Predictor]) -> None:
    """Refuse nonlinear parameters that are computed from themselves."""
    needs = {p.key.parameter: set(p.nonlinear.parameters) for p in predictors if p.nonlinear is not None}
    while needs:
        ready = [parameter for parameter, needed in needs.items() if not needed & needs.keys()]
        if not ready:
            listed = ", ".join(f"`{parameter}`" for parameter in needs)
            raise FormulaError(
                f"The nonlinear formulas of {listed} go round in a circle: each needs another one first."
            )
        needs = {parameter: needed for parameter, needed in needs.items() if parameter not in ready}
