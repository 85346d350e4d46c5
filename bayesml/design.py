"""Formula and data to arrays: ``build_design`` freezes a schema, ``redesign`` replays it on new data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml.columns import bare_name, evaluate, nonlinear_function
from bayesml.errors import FormulaError, did_you_mean
from bayesml.expansion import refuse_unused_terms
from bayesml.families import AbstractFamily, AbstractLikelihood, RawResponse, ResponseData
from bayesml.formula import ParsedFormula, Predictor, is_simple_name
from bayesml.frame import Frame
from bayesml.frozen import FrozenMapping
from bayesml.keys import PredictorKey
from bayesml.response_columns import column_labels, column_values, with_columns
from bayesml.response_terms import estimates_sigma, term_arrays, with_terms
from bayesml.terms import TERMS, AbstractGroupTerm, AbstractTerm, Functions, group_terms

__all__ = [
    "Arrays",
    "Design",
    "PredictorDesign",
    "ResponseDesign",
    "Schema",
    "build_design",
    "redesign",
    "response_values",
]

Arrays = Mapping[PredictorKey, Mapping[str, Mapping[str, np.ndarray]]]
"""Arrays of every term, addressed by predictor, then term."""


@final
@dataclass(frozen=True)
class PredictorDesign:
    """The encoded linear predictor of one distributional parameter."""

    key: PredictorKey
    terms: tuple[AbstractTerm, ...]

    def groups(self) -> tuple[AbstractGroupTerm, ...]:
        """Return the group-level terms."""
        return group_terms(self.terms)

    def without_groups(self) -> PredictorDesign:
        """Return the population-level part."""
        return replace(self, terms=tuple(term for term in self.terms if term not in self.groups()))


@final
@dataclass(frozen=True)
class Schema:
    """What was frozen when the data were first encoded; enough to encode other data the same way.

    Attributes:
        parsed: the formula.
        predictors: the encoded predictors, ``mu`` first.
        estimates_sigma: False where ``se()`` gives the standard errors and stands in for ``sigma``.
        functions: the caller's own functions.
    """

    parsed: ParsedFormula
    predictors: tuple[PredictorDesign, ...]
    estimates_sigma: bool
    functions: Functions

    def written(self, key: PredictorKey) -> Predictor | None:
        """Return the formula of a predictor as written: of ``muB`` the main one where it has none of its own.

        None for what has no formula, such as the predictor of category specific effects.
        """
        found = self.parsed.predictor(key)
        is_main = found is None and key.dpar.startswith("mu")
        return self.parsed.predictor(replace(key, dpar="mu")) if is_main else found

    def predictor(self, key: PredictorKey) -> PredictorDesign | None:
        """Return the predictor of that key, or None where it is a single parameter."""
        return next((p for p in self.predictors if p.key == key), None)


@final
@dataclass(frozen=True)
class ResponseDesign:
    """One response of a model.

    Attributes:
        name: its name among several responses; empty where it is the only one.
        likelihood: its distribution.
        data: the encoded response.
        weights: ``(rows,)`` likelihood weights, or None.
    """

    name: str
    likelihood: AbstractLikelihood
    data: ResponseData
    weights: np.ndarray | None


@final
@dataclass(frozen=True)
class Design:
    """The model's data.

    Attributes:
        schema: how they were encoded.
        arrays: arrays of every term.
        responses: the encoded responses with their likelihoods.
    """

    schema: Schema
    arrays: Arrays
    responses: tuple[ResponseDesign, ...]

    @property
    def response(self) -> ResponseData:
        """The data of the response, for code that handles one."""
        return self._single.data

    @property
    def likelihood(self) -> AbstractLikelihood:
        """The likelihood of the response, for code that handles one."""
        return self._single.likelihood

    @property
    def weights(self) -> np.ndarray | None:
        """The weights of the response, for code that handles one."""
        return self._single.weights

    @property
    def _single(self) -> ResponseDesign:
        (single,) = self.responses
        return single

    def with_response(self, arrays: Mapping[str, np.ndarray], weights: np.ndarray | None) -> Design:
        """Return the design of a model of one response with other arrays of the response and other weights."""
        data = replace(self.response, arrays=arrays)
        return replace(self, responses=(replace(self._single, data=data, weights=weights),))

    @property
    def n_rows(self) -> int:
        """Number of observations."""
        return len(self.responses[0].data.arrays["y"])

    def prior_warnings(self) -> Iterator[str]:
        """Yield a sentence for each prior that means something else for these data than a user would expect."""
        for predictor in self.schema.predictors:
            for term in predictor.terms:
                yield from term.prior_warnings(self.arrays[predictor.key][term.key])


def build_design(
    parsed: ParsedFormula, frame: Frame, family: AbstractFamily, functions: Functions | None = None
) -> Design:
    """Encode the data for a formula.

    Args:
        parsed: the formula.
        frame: the columns the formula uses, without missing values.
        family: the response family; checks and encodes the response.
        functions: the caller's own functions for column expressions.

    Raises:
        FormulaError: a parameter or addition term does not belong to the family.
        DataError: the data do not fit the formula or the family.
    """
    functions = _checked_functions(functions)
    _refuse_what_is_not_there(parsed, functions, family)
    parsed = with_columns(parsed, family)
    raw = response_values(parsed, frame, functions, family.takes_columns)
    additions = parsed.response.additions
    fixed = {each.key.parameter: each.value for each in parsed.responses[0].fixed}
    bound = family.bind(raw).with_formula(frozenset(p.key.dpar for p in parsed.predictors), fixed)
    likelihood = with_terms(bound, additions, raw.additions, parsed.text)
    _check_dpars(parsed, likelihood)
    refuse_unused_terms(parsed, likelihood)
    response = ResponseDesign("", likelihood, likelihood.encode(raw), raw.additions.get("weights"))
    written = _predictors(parsed, likelihood)
    predictors = tuple(d for p in written for d in _encode_predictor(p, frame, functions, likelihood))
    predictors = _joined(predictors)
    _check_spelling(predictors)
    schema = Schema(parsed, predictors, _estimates_sigma(parsed), functions)
    return Design(schema, redesign(schema, frame), (response,))


def redesign(schema: Schema, frame: Frame) -> Arrays:
    """Encode other data with a frozen schema; a level not seen in the fit has index -1."""
    return {p.key: {term.key: term.arrays(frame) for term in p.terms} for p in schema.predictors}


def _encode_predictor(
    predictor: Predictor, frame: Frame, functions: Functions, likelihood: AbstractLikelihood
) -> Iterator[PredictorDesign]:
    """Yield the predictor, and one more for terms that contribute to another parameter, such as ``cs()``."""
    collected = [term for collect in TERMS for term in collect(predictor, frame, functions)]
    terms = tuple(term.bound(likelihood) for term in collected)
    if not any(term.is_estimated for term in terms):
        raise FormulaError(
            f"The formula of `{predictor.key.parameter}` (`{predictor.text}`) has no term to estimate. "
            "Write for example `~ 1`."
        )
    for place in dict.fromkeys([predictor.key, *(term.place for term in terms)]):
        yield PredictorDesign(place, tuple(term for term in terms if term.place == place))


def _joined(predictors: tuple[PredictorDesign, ...]) -> tuple[PredictorDesign, ...]:
    """Let terms share what they have in common with those of other predictors."""
    every = tuple(term for predictor in predictors for term in predictor.terms)
    return tuple(replace(p, terms=tuple(term.joined(every) for term in p.terms)) for p in predictors)


def _checked_functions(functions: Functions | None) -> Functions:
    functions = {} if functions is None else functions
    if not isinstance(functions, Mapping):
        raise FormulaError(f'`functions` is a dict of functions by name, {{"f": f}}; got {functions!r}.')
    for name, function in functions.items():
        if not isinstance(name, str) or not is_simple_name(name):
            raise FormulaError(f"A name in `functions` is an ordinary name such as 'f' or 'my.f'; got {name!r}.")
        if not callable(function):
            raise FormulaError(f"`{name}` in `functions` is not a function but {function!r:.60}.")
    return FrozenMapping(functions)


def _check_spelling(predictors: Sequence[PredictorDesign]) -> None:
    """Refuse columns whose parameters would share a name, such as `g__sigma` beside a group `g` in sigma."""
    owners: dict[str, str] = {}
    for predictor in predictors:
        for spelled, column in (pair for term in predictor.terms for pair in term.spellings()):
            other = owners.setdefault(spelled, column)
            if other != column:
                raise FormulaError(
                    f"Two parts of the model, `{other}` and `{column}`, would both be called `{spelled}`; rename a "
                    "column of the data."
                )


def _refuse_what_is_not_there(parsed: ParsedFormula, functions: Functions, family: AbstractFamily) -> None:
    """Refuse what the formula language has and this version cannot fit."""
    not_there = "is not available in this version of bayesml"
    if len(parsed.responses) > 1:
        raise FormulaError(f"A model of several responses {not_there}; fit one model for each response.")
    formula = parsed.responses[0]
    for predictor in formula.predictors:
        if predictor.nonlinear is not None:
            nonlinear_function(predictor.nonlinear, functions)
    for fixed in formula.fixed:
        if not family.can_fix(fixed.key.parameter):
            raise FormulaError(f"Fixing a parameter, {fixed.key.parameter}={fixed.value!r}, {not_there}.")


def _predictors(parsed: ParsedFormula, likelihood: AbstractLikelihood) -> Iterator[Predictor]:
    """Yield the predictors; the main formula is that of every ``mu``, of ``muB`` and ``muC`` where they have no own."""
    own = {predictor.key.dpar for predictor in parsed.predictors}
    for predictor in parsed.predictors:
        if predictor.key.dpar != "mu" or any(p.name == "mu" for p in likelihood.dpars):
            yield predictor
        else:
            for dpar in likelihood.dpars:
                if dpar.kind == "mu" and dpar.name not in own:
                    yield replace(predictor, key=replace(predictor.key, dpar=dpar.name))


def _check_dpars(parsed: ParsedFormula, likelihood: AbstractLikelihood) -> None:
    known = [p.name for p in likelihood.dpars]
    known += ["mu"] if any(p.kind == "mu" for p in likelihood.dpars) else []
    for predictor in parsed.predictors:
        dpar = predictor.key.dpar
        if dpar not in known:
            hint = did_you_mean(dpar, known)
            if any(p.nonlinear is not None for p in parsed.predictors):
                hint += " and no nonlinear formula names it"
            raise FormulaError(
                f"`{dpar}` is not a parameter of the family {likelihood.family.name}{hint}; "
                f"it has {', '.join(f'`{k}`' for k in known)}."
            )
    if not _estimates_sigma(parsed) and parsed.predictor(PredictorKey(dpar="sigma")) is not None:
        raise FormulaError(
            "`se()` replaces `sigma`, which then cannot have a formula. Write `se(x, sigma=True)` to estimate both."
        )


def _estimates_sigma(parsed: ParsedFormula) -> bool:
    se = next((a for a in parsed.response.additions if a.name == "se"), None)
    return se is None or estimates_sigma(se)


def response_values(
    parsed: ParsedFormula, frame: Frame, functions: Functions, takes_columns: bool = False
) -> RawResponse:
    """Evaluate the left-hand side of the formula.

    Args:
        parsed: the formula.
        frame: the data.
        functions: the caller's own functions.
        takes_columns: whether ``cbind(a, b)`` is two columns.

    Raises:
        DataError: the response or an addition term has impossible values.
    """
    expression = parsed.response.expression
    additions = term_arrays(parsed.response.additions, frame, functions)
    if takes_columns and parsed.response.columns:
        values, labels = column_values(parsed.response, frame, functions), column_labels(parsed.response)
        return RawResponse(parsed.response.name, values, None, additions, rows=frame.rows, columns=labels)
    name = bare_name(expression.text)
    column = frame.columns.get(name) if name else None
    if column is not None:
        return RawResponse(parsed.response.name, column.values, column.levels, additions, column.is_boolean, frame.rows)
    return RawResponse(parsed.response.name, evaluate(expression, frame, functions), None, additions, rows=frame.rows)
