"""The values the formula stage produces: text in, ``ParsedFormula`` out. Nothing here has seen data."""

from __future__ import annotations

from dataclasses import dataclass

from bayesml.keys import PredictorKey


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


@dataclass(frozen=True)
class Addition:
    """One response term of ``y | trials(n) + weights(w)``.

    Attributes:
        name: ``trials``, ``weights`` or ``se``.
        arguments: its positional arguments, each a column expression or a number.
        options: keyword arguments as ``(name, literal value)`` pairs, for example ``(("sigma", True),)``.
        start: position of the term in the formula text.
    """

    name: str
    arguments: tuple[Expression, ...]
    options: tuple[tuple[str, object], ...] = ()
    start: int = 0


@dataclass(frozen=True)
class Response:
    """The left-hand side. ``cbind(s, f)`` arrives as ``s`` with ``trials((s) + (f))``.

    Attributes:
        expression: the response itself.
        additions: what stands behind ``|``; each name at most once.
        name: label of the response in output, for example ``y`` or ``log(y)``.
        failures: the second argument of ``cbind(s, f)``.
    """

    expression: Expression
    additions: tuple[Addition, ...]
    name: str
    failures: Expression | None = None


@dataclass(frozen=True)
class LinearPart:
    """Terms that formulaic understands, expanded: ``a * b`` is ``(("a",), ("b",), ("a", "b"))``.

    Attributes:
        intercept: whether there is an intercept.
        terms: each term as the tuple of its factor expressions, in R's order (by degree, then as written).
        expression: the text the terms came from.
    """

    intercept: bool
    terms: tuple[tuple[str, ...], ...]
    expression: Expression


@dataclass(frozen=True)
class GroupPart:
    """One group-level term ``(columns | factors)``; ``a/b`` has been expanded into two of these.

    Attributes:
        columns: what stands left of the bar.
        factors: names of the columns whose combinations are the levels; ``a:b`` gives two.
        correlated: ``|`` rather than ``||``.
        start: position of the opening parenthesis in the formula text.
        text: the term as written.
    """

    columns: LinearPart
    factors: tuple[str, ...]
    correlated: bool
    start: int
    text: str


@dataclass(frozen=True)
class Predictor:
    """Everything on the right of ``~`` for one distributional parameter.

    Attributes:
        key: which parameter this is the predictor of.
        text: the right-hand side as written.
        population: the population-level terms.
        offsets: arguments of ``offset()``.
        groups: the group-level terms in the order written.
    """

    key: PredictorKey
    text: str
    population: LinearPart
    offsets: tuple[Expression, ...]
    groups: tuple[GroupPart, ...]


@dataclass(frozen=True)
class ParsedFormula:
    """A model formula, read.

    Attributes:
        text: the main formula as written.
        response: its left-hand side.
        predictors: one for each parameter with a formula, ``mu`` first.
    """

    text: str
    response: Response
    predictors: tuple[Predictor, ...]

    def predictor(self, key: PredictorKey) -> Predictor | None:
        """Return the predictor of that key, or None if there is no formula for it."""
        return next((p for p in self.predictors if p.key == key), None)
