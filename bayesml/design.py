"""Formula and data to arrays: ``build_design`` freezes a schema, ``redesign`` replays it on new data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.columns import bare_name, nonlinear_function
from bayesml.errors import FormulaError
from bayesml.families import (
    AbstractFamily,
    AbstractLikelihood,
    ResponseData,
)
from bayesml.formula import ParsedFormula, Predictor, ResponseFormula
from bayesml.frame import Frame
from bayesml.keys import PredictorKey
from bayesml.names import UNOBSERVED, of_response
from bayesml.response_columns import with_columns
from bayesml.response_design import ResponseDesign, encoded_response
from bayesml.response_terms import has_sigma
from bayesml.terms import (
    AbstractGroupTerm,
    AbstractTerm,
    Functions,
    ModelContext,
    ResponseContext,
    checked_functions,
    group_terms,
    kinds_in,
    missing_values,
)

if TYPE_CHECKING:
    from bayesml.families import JointLikelihood

__all__ = [
    "Arrays",
    "Design",
    "PredictorDesign",
    "ResponseDesign",
    "Schema",
    "build_design",
    "redesign",
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
        known_errors: names of the responses whose standard errors are known, so that they have no ``sigma``.
        functions: the caller's own functions.
    """

    parsed: ParsedFormula
    predictors: tuple[PredictorDesign, ...]
    known_errors: frozenset[str]
    functions: Functions

    @property
    def estimates_sigma(self) -> bool:
        """False where ``se()`` gives the standard errors of all responses and stands in for ``sigma``."""
        return len(self.known_errors) < len(self.parsed.responses)

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
class Design:
    """The model's data.

    Attributes:
        schema: how they were encoded.
        arrays: arrays of every term.
        responses: the encoded responses, each with its own likelihood.
        joint: the distribution of all responses together; None where there is one.
    """

    schema: Schema
    arrays: Arrays
    responses: tuple[ResponseDesign, ...]
    joint: JointLikelihood | None = None

    @property
    def response(self) -> ResponseData:
        """The data of all responses, as ``likelihood`` takes them."""
        if self.joint is None:
            return self.responses[0].data
        notes = [each.data.note for each in self.responses if each.data.note]
        return ResponseData(self.joint.joined([each.weighted_arrays for each in self.responses]), "; ".join(notes))

    @property
    def likelihood(self) -> AbstractLikelihood:
        """The likelihood of all responses."""
        return self.responses[0].likelihood if self.joint is None else self.joint

    @property
    def weights(self) -> np.ndarray | None:
        """The weights of the rows; among several responses each has its own, which are part of ``response``."""
        return self.responses[0].weights if self.joint is None else None

    def of_response(self, resp: str) -> ResponseDesign:
        """Return the response of that name; empty for the only one."""
        return next(each for each in self.responses if each.name == resp)

    def with_response(self, arrays: Mapping[str, np.ndarray], weights: np.ndarray | None) -> Design:
        """Return the design with other arrays of the responses and other weights.

        Args:
            arrays: as in ``response``.
            weights: of each row, beside those of single responses where there are several.
        """
        if self.joint is None:
            data = replace(self.response, arrays=arrays)
            return replace(self, responses=(replace(self.responses[0], data=data, weights=weights),))
        changed = []
        for each in self.responses:
            own = self.joint.own_data(each.name, arrays)
            known = own.pop("weights", None)
            total = weights if known is None else known if weights is None else known * weights
            changed.append(replace(each, data=replace(each.data, arrays=own), weights=total))
        return replace(self, responses=tuple(changed))

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
    functions = checked_functions(functions)
    families = family.of_responses(len(parsed.responses))
    _check_nonlinear(parsed, functions)
    parsed = with_columns(parsed, families)
    read = [
        encoded_response(formula, chosen, frame, functions)
        for formula, chosen in zip(parsed.responses, families, strict=True)
    ]
    parsed, responses = replace(parsed, responses=tuple(f for f, _ in read)), tuple(r for _, r in read)
    joint = _joint(parsed, responses) if len(responses) > 1 else None
    predictors = tuple(
        design
        for formula, response in zip(parsed.responses, responses, strict=True)
        for predictor in _predictors(formula, response.likelihood)
        for design in _encode_predictor(predictor, frame, functions, response)
    )
    correlated = joint is not None and bool(joint.residuals)
    pairs = zip(parsed.responses, responses, strict=True)
    model = ModelContext(frame, parsed.mecor, tuple(_context(*pair, correlated) for pair in pairs))
    predictors = _in_model(_joined(predictors), model)
    _check_spelling(predictors)
    known_errors = frozenset(formula.name for formula in parsed.responses if not has_sigma(formula.response.additions))
    kept = tuple(replace(p, terms=tuple(term.without_rows() for term in p.terms)) for p in predictors)
    schema = Schema(parsed, kept, known_errors, functions)
    arrays = {p.key: {term.key: term.own_arrays(model) for term in p.terms} for p in predictors}
    return Design(schema, arrays, responses, joint)


def _context(formula: ResponseFormula, response: ResponseDesign, correlated: bool) -> ResponseContext:
    """Return what terms can read of a response."""
    y = response.data.arrays["y"]
    column = bare_name(formula.response.expression.text) or formula.response.name
    rows = np.ones(len(y), dtype=bool) if response.rows is None else response.rows
    site = of_response(UNOBSERVED, response.name)
    is_normal = not correlated and response.rows is None and response.likelihood.is_normal
    return ResponseContext(response.name, column, y, rows, response.data.unobserved, site, is_normal, response.index)


def _in_model(predictors: tuple[PredictorDesign, ...], model: ModelContext) -> tuple[PredictorDesign, ...]:
    """Give terms the rest of the model; unobserved responses are a term of the main predictor of each."""
    known = [replace(p, terms=tuple(term.in_model(model) for term in p.terms)) for p in predictors]
    for response in model.responses:
        if response.unobserved is not None:
            place = next(i for i, p in enumerate(known) if p.key.resp == response.name)
            own = [p for p in known if p.key.resp == response.name]
            simple = not any(p.key.nlpar for p in own) and not any(term.reads for p in own for term in p.terms)
            values = missing_values(known[place].key, response, model.frame, simple and response.is_normal)
            known[place] = replace(known[place], terms=(*known[place].terms, values))
    return tuple(known)


def _joint(parsed: ParsedFormula, responses: Sequence[ResponseDesign]) -> JointLikelihood:
    parts = [(each.name, each.likelihood) for each in responses]
    predicted = [frozenset(p.key.dpar for p in formula.predictors) for formula in parsed.responses]
    rows = [each.rows for each in responses]
    from bayesml.families import joint_likelihood

    return joint_likelihood(parts, predicted, [each.weights for each in responses], parsed.rescor, rows)


def redesign(schema: Schema, frame: Frame) -> Arrays:
    """Encode other data with a frozen schema; a level not seen in the fit has index -1."""
    return {p.key: {term.key: term.arrays(frame) for term in p.terms} for p in schema.predictors}


def _encode_predictor(
    predictor: Predictor, frame: Frame, functions: Functions, response: ResponseDesign
) -> Iterator[PredictorDesign]:
    """Yield the predictor, and one more for terms that contribute to another parameter, such as ``cs()``.

    Columns are centred over the rows of the response; levels of factors are those of all rows.
    """
    own = frame if response.rows is None else frame.select(response.rows)
    kinds = ((kind.collect, frame if kind.of_all_rows else own) for kind in kinds_in(predictor))
    collected = [term for collect, rows in kinds for term in collect(predictor, rows, functions)]
    terms = tuple(term.bound(response.likelihood) for term in collected)
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
    joined = (tuple(term.joined(every) for term in p.terms) for p in predictors)
    pairs = zip(predictors, joined, strict=True)
    return tuple(replace(p, terms=tuple(term for term in terms if term is not None)) for p, terms in pairs)


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


def _check_nonlinear(parsed: ParsedFormula, functions: Functions) -> None:
    """Refuse a nonlinear formula with functions that there are not, or without parameters."""
    for predictor in parsed.predictors:
        if predictor.nonlinear is not None:
            nonlinear_function(predictor.nonlinear, functions)
            if predictor.key.is_mu and not predictor.nonlinear.parameters:
                text = predictor.nonlinear.expression.text
                raise FormulaError(
                    f"The nonlinear formula `{text}` has no parameters, which are names with formulas of their own: "
                    'bf("y ~ a * x", a="~ 1", nonlinear=True). Without nonlinear parameters, leave `nonlinear` out.'
                )


def _predictors(formula: ResponseFormula, likelihood: AbstractLikelihood) -> Iterator[Predictor]:
    """Yield the predictors; the main formula is that of every ``mu``, of ``muB`` and ``muC`` where they have no own."""
    own = {predictor.key.dpar for predictor in formula.predictors}
    for predictor in formula.predictors:
        if predictor.key.dpar != "mu" or any(p.name == "mu" for p in likelihood.dpars):
            yield predictor
        else:
            for dpar in likelihood.dpars:
                if dpar.kind == "mu" and dpar.name not in own:
                    yield replace(predictor, key=replace(predictor.key, dpar=dpar.name))
