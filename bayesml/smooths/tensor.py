"""Tensor product smooths ``t2(x, z)``: products of splines of each covariate, in sets with a variance each.

Each margin is a spline in its natural parameterisation: functions whose penalty is the identity, and a few without one.
A set of columns holds the products of one kind of functions of each margin. All sets but that of functions without any
penalty have a standard deviation of their own: with two margins those of bent functions of both, of the second along
straight lines of the first, and the other way round.

Source: Wood, Scheipl and Faraway (2013), Straightforward intermediate rank tensor product smoothing in mixed models,
Statistics and Computing 23, 341-360; Wood (2017), section 5.6.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.errors import FormulaError
from bayesml.smooths.base import AbstractFunctions, AbstractSpline, Request
from bayesml.smooths.basis import SMOOTHS, SmoothBasis, solutions, spreads_of
from bayesml.smooths.checks import covariate_matrix
from bayesml.smooths.natural import natural

__all__ = ["fit_tensor"]

MOST_FUNCTIONS = 1000


@final
@dataclass(frozen=True, eq=False)
class Margin:
    """The functions of one margin.

    Attributes:
        spline: the spline.
        covariates: which of the covariates are its own.
        coefficients: of the functions in its natural parameterisation, ``(k, k)``.
        rank: how many of them have a penalty; these come first.
    """

    spline: AbstractSpline
    covariates: slice
    coefficients: np.ndarray
    rank: int

    @property
    def has_free(self) -> bool:
        """Whether there are functions without a penalty."""
        return self.rank < self.coefficients.shape[1]

    def parts(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the functions with a penalty and those without, at the rows."""
        functions = self.spline.evaluate(values[:, self.covariates]) @ self.coefficients
        return functions[:, : self.rank], functions[:, self.rank :]


@final
@dataclass(frozen=True, eq=False)
class TensorFunctions(AbstractFunctions):
    """Products of the functions of the margins.

    Attributes:
        margins: the margins.
        sets: of each set, and for each margin, whether its functions are those without a penalty.
    """

    margins: tuple[Margin, ...]
    sets: tuple[tuple[bool, ...], ...]

    def evaluate(self, values: np.ndarray) -> np.ndarray:
        """Return all products, set after set, ``(rows, k)``."""
        parts = [margin.parts(values) for margin in self.margins]
        products = []
        for kinds in self.sets:
            product = np.ones((len(values), 1))
            for part, is_free in zip(parts, kinds, strict=True):
                product = (product[:, :, None] * part[is_free][:, None, :]).reshape(len(values), -1)
            products.append(product)
        return np.concatenate(products, axis=1)

    def widths(self) -> tuple[int, ...]:
        """Return the number of products of each set."""
        sizes = [(m.rank, m.coefficients.shape[1] - m.rank) for m in self.margins]
        return tuple(
            int(np.prod([size[is_free] for size, is_free in zip(sizes, kinds, strict=True)])) for kinds in self.sets
        )


def fit_tensor(
    covariates: Mapping[str, np.ndarray], margins: Sequence[Request], label: str, *, centred: bool, penalised: bool
) -> SmoothBasis:
    """Find the basis of a tensor product smooth on the rows of the fit.

    As in mgcv, only the products without a penalty are held to sum to zero, and the penalty is measured by the largest
    row sum of the columns.

    Args:
        covariates: a vector of numbers for each covariate.
        margins: what is asked of each margin; its covariates follow those of the margins before.
        label: the call.
        centred: whether the smooth sums to zero over the rows.
        penalised: False for ``fx=TRUE``.

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
        spline = SMOOTHS[request.kind](values[:, own], request)
        functions = spline.evaluate(values[:, own])
        coefficients = natural(functions, spline.penalty, spline.polynomials)
        made.append(Margin(spline, own, coefficients, functions.shape[1] - spline.polynomials.shape[1]))
    tensor = TensorFunctions(tuple(made), _sets(made))
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


def _sets(margins: Sequence[Margin]) -> tuple[tuple[bool, ...], ...]:
    """Return the sets in mgcv's order: of each further margin first its functions with a penalty."""
    sets: list[tuple[bool, ...]] = [()]
    for margin in margins:
        sets = [(*kinds, False) for kinds in sets] + ([(*kinds, True) for kinds in sets] if margin.has_free else [])
    return tuple(sets)
