"""The values the formula stage produces: text in, ``ParsedFormula`` out. Nothing here has seen data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

from bayesml.errors import FormulaError
from bayesml.keys import PredictorKey

__all__ = [
    "Addition",
    "Expression",
    "FixedParameter",
    "GroupCall",
    "LinearPart",
    "Membership",
    "Nonlinear",
    "ParsedFormula",
    "Predictor",
    "Response",
    "ResponseFormula",
    "SpecialCall",
    "Value",
]


@final
@dataclass(frozen=True)
class Expression:
    """A column expression as written, and where it stands, so that a later stage can point at it.

    Attributes:
        text: the expression, for example ``log(y)``, ``x`` or `` `my column` ``.
        source: the whole formula text it was cut from.
        start: position of ``text`` in ``source``.
    """

    text: str
    source: str
    start: int


Value: TypeAlias = "bool | int | float | str | None | tuple[Value, ...] | Expression"
"""What an argument of a call may be: a number, a quoted text, TRUE, NA, ``c(...)`` of these, or an expression."""


@final
@dataclass(frozen=True)
class SpecialCall:
    """A call that a term kind claims, such as ``s(x, k=5)`` or ``mo(x)``, with what it is multiplied by.

    A term of several special calls, ``mo(a):mo(b):z``, is the call that is written first, with the rest beside it.

    Attributes:
        name: the function, ``mo``.
        arguments: the positional arguments.
        options: the keyword arguments as ``(name, value)`` pairs.
        expression: the call as written, and where it stands.
        spelling: the call with uniform spaces, the same for ``mo(x)`` and ``mo( x )``.
        factors: the column expressions that it is multiplied by: ``("z",)`` of ``mo(x):z``.
        others: the special calls that it is multiplied by.
        written: the parts of the product in the order in which they appear in the formula, as R orders them.
        matrices: those of the arguments that name a matrix beside the table rather than a column: ``W`` of ``car(W)``.
    """

    name: str
    arguments: tuple[Expression, ...]
    options: tuple[tuple[str, Value], ...]
    expression: Expression
    spelling: str
    factors: tuple[str, ...] = ()
    others: tuple[SpecialCall, ...] = ()
    written: tuple[str, ...] = ()
    matrices: tuple[Expression, ...] = ()

    @property
    def term(self) -> str:
        """The whole term with uniform spaces: ``mo(x):z``, and ``z:mo(x)`` in ``z + mo(x):z``."""
        return ":".join(self.ordered)

    @property
    def ordered(self) -> tuple[str, ...]:
        """What the term is a product of, in the order of the formula."""
        return self.written or (self.spelling, *(call.spelling for call in self.others), *self.factors)

    @property
    def parts(self) -> frozenset[str]:
        """What the term is a product of, in no order."""
        return frozenset(self.ordered)


@final
@dataclass(frozen=True)
class Addition:
    """One response term of ``y | trials(n) + weights(w)``.

    Attributes:
        name: ``trials``, ``weights`` or ``se``.
        arguments: its positional arguments, each a column expression or a number.
        options: keyword arguments as ``(name, value)`` pairs, for example ``(("sigma", True),)``.
        start: position of the term in the formula text.
    """

    name: str
    arguments: tuple[Expression, ...]
    options: tuple[tuple[str, Value], ...] = ()
    start: int = 0


@final
@dataclass(frozen=True)
class Response:
    """The left-hand side. ``cbind(s, f)`` arrives as ``s`` with ``trials((s) + (f))``.

    Attributes:
        expression: the response itself; of ``cbind(a, b, c)`` the whole call.
        additions: what stands behind ``|``; each name at most once.
        name: label of the response in output, for example ``y`` or ``log(y)``.
        columns: the arguments of ``cbind``.
    """

    expression: Expression
    additions: tuple[Addition, ...]
    name: str
    columns: tuple[Expression, ...] = ()

    @property
    def failures(self) -> Expression | None:
        """The second argument of ``cbind(s, f)``."""
        return self.columns[1] if len(self.columns) == 2 else None


@final
@dataclass(frozen=True)
class LinearPart:
    """Terms that are columns, expanded: ``a * b`` is ``(("a",), ("b",), ("a", "b"))``.

    Attributes:
        intercept: whether there is an intercept.
        terms: each term as the tuple of its factor expressions, in R's order (by degree, then as written).
        expression: the text the terms came from.
    """

    intercept: bool
    terms: tuple[tuple[str, ...], ...]
    expression: Expression


@final
@dataclass(frozen=True)
class Membership:
    """A row belongs to several groups at once, ``mm(g1, g2, weights=cbind(w1, w2))``.

    Attributes:
        weights: one expression for each member, or none where all count the same.
        scale: whether the weights of a row are divided by their sum.
        by: for each member the column with the stratum of its level; empty where there are no strata.
    """

    weights: tuple[Expression, ...]
    scale: bool
    by: tuple[str, ...] = ()


@final
@dataclass(frozen=True)
class GroupCall:
    """One group-level term ``(columns | factors)``; ``a/b`` has been expanded into two of these.

    Attributes:
        columns: what stands left of the bar.
        factors: names of the columns whose combinations are the levels; ``a:b`` gives two. Of ``mm(g1, g2)`` the
            columns of the members, which share their levels.
        correlated: ``|`` rather than ``||``, and not ``gr(g, cor=FALSE)``.
        start: position of the opening parenthesis in the formula text.
        text: the term as written.
        specials: special calls left of the bar, ``(mo(x) | g)``.
        id: terms with the same ``id`` have one correlation matrix, ``(1 | id | g)``.
        by: column with a covariance matrix for each of its levels.
        cov: name of the known covariance matrix of the levels.
        dist: distribution of the effects, ``gaussian`` or ``student``.
        prior_weights: column of the weights of the levels, brms's ``pw``.
        membership: what ``mm`` says beside its columns; None for any other term.
    """

    columns: LinearPart
    factors: tuple[str, ...]
    correlated: bool
    start: int
    text: str
    specials: tuple[SpecialCall, ...] = ()
    id: str = ""
    by: str = ""
    cov: str = ""
    dist: str = "gaussian"
    prior_weights: str = ""
    membership: Membership | None = None

    @property
    def has_tails(self) -> bool:
        """Whether the distribution of the effects has heavier tails than the normal one."""
        return self.dist != "gaussian"


@final
@dataclass(frozen=True)
class Nonlinear:
    """A predictor that is a function of other predictors and of data, ``a * exp(-b * x)``.

    Attributes:
        expression: the function.
        parameters: the names in it that have formulas of their own, here ``a`` and ``b``.
        covariates: the names in it that are data columns.
    """

    expression: Expression
    parameters: tuple[str, ...]
    covariates: tuple[str, ...]


@final
@dataclass(frozen=True)
class Predictor:
    """Everything on the right of ``~`` for one parameter: a sum of terms, or a nonlinear function.

    Attributes:
        key: which parameter this is the predictor of.
        text: the right-hand side as written.
        population: the population-level terms that are columns.
        offsets: arguments of ``offset()``.
        groups: the group-level terms in the order written.
        specials: the terms with special calls, in R's order.
        nonlinear: the function; then there are no terms. None for a sum of terms.
    """

    key: PredictorKey
    text: str
    population: LinearPart
    offsets: tuple[Expression, ...] = ()
    groups: tuple[GroupCall, ...] = ()
    specials: tuple[SpecialCall, ...] = ()
    nonlinear: Nonlinear | None = None


@final
@dataclass(frozen=True)
class FixedParameter:
    """A parameter that is not estimated: ``sigma=0.5``, or ``sigma2="sigma1"``.

    Attributes:
        key: which parameter.
        value: the number it is, or the parameter that it equals.
    """

    key: PredictorKey
    value: float | str


@final
@dataclass(frozen=True)
class ResponseFormula:
    """The formula of one response: its left-hand side and a predictor for each of its parameters.

    Attributes:
        name: how the response is addressed in keys and priors: ``y1`` of ``y_1``; empty in a model of one response.
        text: the main formula as written.
        response: the left-hand side.
        predictors: one for each parameter with a formula, ``mu`` first.
        fixed: the parameters that are not estimated.
    """

    name: str
    text: str
    response: Response
    predictors: tuple[Predictor, ...]
    fixed: tuple[FixedParameter, ...] = ()


@final
@dataclass(frozen=True)
class ParsedFormula:
    """A model formula, read.

    Attributes:
        text: the main formula as written, of several responses one a line.
        responses: one for each response.
        rescor: whether the residuals of the responses are correlated; None where the formula does not say.
        mecor: whether variables that are measured with error are correlated.
    """

    text: str
    responses: tuple[ResponseFormula, ...]
    rescor: bool | None = None
    mecor: bool = True

    @property
    def predictors(self) -> tuple[Predictor, ...]:
        """The predictors of all responses in order."""
        return tuple(predictor for formula in self.responses for predictor in formula.predictors)

    @property
    def response(self) -> Response:
        """The response of a model that has one.

        Raises:
            FormulaError: the model has several.
        """
        if len(self.responses) != 1:
            names = ", ".join(f"`{formula.name}`" for formula in self.responses)
            raise FormulaError(f"The model has several responses ({names}), where one is needed.")
        return self.responses[0].response

    def predictor(self, key: PredictorKey) -> Predictor | None:
        """Return the predictor of that key, or None if there is no formula for it."""
        return next((p for p in self.predictors if p.key == key), None)

    def __str__(self) -> str:
        return self.text
