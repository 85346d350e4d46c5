"""Tensor product smooths ``t2(x, z)``: products of splines of each covariate, in sets with a variance each.

Each margin is a spline in its natural parameterisation: functions whose penalty is the identity, and a few without one.
A set of columns holds the products of one kind of functions of each margin. All sets but that of functions without any
penalty have a standard deviation of their own: with two margins those of bent functions of both, of the second along
straight lines of the first, and the other way round. With ``full=TRUE`` each function without a penalty is a kind of
its own, so that the second along the constant of the first and along its slope differ.

Source: Wood, Scheipl and Faraway (2013), Straightforward intermediate rank tensor product smoothing in mixed models,
Statistics and Computing 23, 341-360; Wood (2017), section 5.6.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.errors import FormulaError
from bayesml.smooths.base import AbstractFunctions, Request
from bayesml.smooths.basis import SMOOTHS, SmoothBasis, solutions, spreads_of
from bayesml.smooths.checks import covariate_matrix
from bayesml.smooths.levels import LevelEffects
from bayesml.smooths.natural import natural

__all__ = ["fit_tensor"]

MOST_FUNCTIONS = 1000
BENT, FREE = 0, -1
"""Kinds of functions of a margin: those with a penalty, all without one; a number from 1 is one of the latter."""


@final
@dataclass(frozen=True, eq=False)
class Margin:
    """The functions of one margin.

    Attributes:
        spline: the functions.
        covariates: which of the covariates are its own.
        coefficients: of the functions in its natural parameterisation, ``(k, k)``.
        rank: how many of them have a penalty; these come first.
    """

    spline: AbstractFunctions
    covariates: slice
    coefficients: np.ndarray
    rank: int

    @property
    def has_free(self) -> bool:
        """Whether there are functions without a penalty."""
        return self.rank < self.coefficients.shape[1]

    def evaluate(self, values: np.ndarray) -> np.ndarray:
        """Return the functions at the rows."""
        functions: np.ndarray = self.spline.evaluate(values[:, self.covariates]) @ self.coefficients
        return functions

    def part(self, kind: int) -> slice:
        """Return which functions are of a kind."""
        if kind == BENT:
            return slice(0, self.rank)
        if kind == FREE:
            return slice(self.rank, self.coefficients.shape[1])
        return slice(self.rank + kind - 1, self.rank + kind)

    def kinds(self, full: bool) -> tuple[int, ...]:
        """Return the kinds of its functions without a penalty."""
        count = self.coefficients.shape[1] - self.rank
        return tuple(range(1, count + 1)) if full else (FREE,) if count else ()


@final
@dataclass(frozen=True, eq=False)
class TensorFunctions(AbstractFunctions):
    """Products of the functions of the margins.

    Attributes:
        margins: the margins.
        sets: of each set, and for each margin, which kind of its functions are multiplied.
    """

    margins: tuple[Margin, ...]
    sets: tuple[tuple[int, ...], ...]

    def evaluate(self, values: np.ndarray) -> np.ndarray:
        """Return all products, set after set, ``(rows, k)``."""
        functions = [margin.evaluate(values) for margin in self.margins]
        products = []
        for kinds in self.sets:
            product = np.ones((len(values), 1))
            for margin, every, kind in zip(self.margins, functions, kinds, strict=True):
                product = (product[:, :, None] * every[:, None, margin.part(kind)]).reshape(len(values), -1)
            products.append(product)
        return np.concatenate(products, axis=1)

    def widths(self) -> tuple[int, ...]:
        """Return the number of products of each set."""
        parts = ([m.part(kind) for m, kind in zip(self.margins, kinds, strict=True)] for kinds in self.sets)
        return tuple(int(np.prod([part.stop - part.start for part in own])) for own in parts)


def fit_tensor(
    covariates: Mapping[str, np.ndarray],
    margins: Sequence[Request],
    label: str,
    *,
    centred: bool,
    penalised: bool,
    full: bool = False,
) -> SmoothBasis:
    """Find the basis of a tensor product smooth on the rows of the fit.

    As in mgcv, only the products without a penalty are held to sum to zero, and the penalty is measured by the largest
    row sum of the columns.

    Args:
        covariates: a vector of numbers for each covariate.
        margins: the request of each margin; its covariates follow those of the margins before.
        label: the call.
        centred: whether the smooth sums to zero over the rows.
        penalised: False for ``fx=TRUE``.
        full: whether each function of a margin without a penalty has sets of its own.

    Raises:
        FormulaError: an argument is impossible.
        DataError: the covariates do not determine a margin.
    """
    names = tuple(covariates)
    values = covariate_matrix(covariates, names)
    made, first = [], 0
    for request in margins:
        own = slice(first, first + len(request.names))
        first = own.stop
        made.append(_margin(values[:, own], request, own))
    tensor = TensorFunctions(tuple(made), _sets(made, full))
    widths = tensor.widths()
    if sum(widths) > MOST_FUNCTIONS:
        raise FormulaError(f"`{label}` has {sum(widths)} functions, more than {MOST_FUNCTIONS}: write a smaller k.")
    columns = tensor.evaluate(values)
    size = float(np.abs(columns).sum(axis=1).max())
    has_free = all(margin.has_free for margin in made)
    bent = sum(widths[:-1]) if has_free else sum(widths)
    identity = np.eye(columns.shape[1])
    free = identity[:, bent:]
    if has_free and centred:
        free = free @ solutions(columns[:, bent:].mean(axis=0))
    request = Request(label, names, "t2")
    if not penalised:
        allowed = identity @ solutions(columns.mean(axis=0)) if centred else identity
        return SmoothBasis(request, tensor, allowed, allowed[:, :0], 1.0, (), spreads_of(columns @ allowed))
    ranks = widths[:-1] if has_free else widths
    return SmoothBasis(request, tensor, free, identity[:, :bent] / size, size**-2, ranks, spreads_of(columns @ free))


def _margin(values: np.ndarray, request: Request, own: slice) -> Margin:
    if request.kind == "re":
        effects = LevelEffects(request.levels)
        columns = effects.evaluate(values)
        count = columns.shape[1]
        return Margin(effects, own, natural(columns, np.eye(count), np.zeros((count, 0))), count)
    spline = SMOOTHS[request.kind](values, request)
    coefficients = natural(spline.evaluate(values), spline.penalty, spline.polynomials)
    return Margin(spline, own, coefficients, len(coefficients) - spline.polynomials.shape[1])


def _sets(margins: Sequence[Margin], full: bool) -> tuple[tuple[int, ...], ...]:
    """Return the sets in mgcv's order: of each further margin first its functions with a penalty.

    Those of functions without any penalty are one set, the last.
    """
    sets: list[tuple[int, ...]] = [()]
    for margin in margins:
        sets = [(*own, kind) for kind in (BENT, *margin.kinds(full)) for own in sets]
    penalised = [own for own in sets if BENT in own]
    free = [(FREE,) * len(margins)] if len(penalised) < len(sets) else []
    return (*penalised, *free)
