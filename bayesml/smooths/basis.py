"""The basis of ``s(x)`` as a mixed model has it: columns without a penalty, and columns with independent effects.

Let ``f(x) = B(x) c`` be a spline with the penalty ``c' S c``. Two things are done to it, as in mgcv and brms.

*Constraint.* Beside an intercept a smooth is only determined up to a constant. It is held to ``sum_i f(x_i) = 0`` over
the rows of the fit: ``C c = 0``, where C holds the column means of B. With ``pc=`` C is B at a point, where the smooth
is 0.

*Natural parameterisation.* Coefficients ``c = N b + P u`` are written as those of functions that have no penalty
(N, such as the straight line) and of the others, scaled so that the penalty is ``u'u``. With a smoothing parameter
lambda and residual standard deviation sigma, minimising ``||y - f||^2 + lambda u'u`` is estimating a mixed model with
``u ~ N(0, sigma_u^2 I)`` and ``lambda = sigma^2 / sigma_u^2``.

Source: Wood (2017), Generalized Additive Models, 2nd edition, sections 5.4 and 5.8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml.errors import DataError, FormulaError, did_you_mean
from bayesml.smooths.base import AbstractFunctions, AbstractSpline, Request
from bayesml.smooths.bspline import build_bspline, build_cyclic_pspline
from bayesml.smooths.checks import covariate_matrix, distinct_rows, listed
from bayesml.smooths.cubic import build_cyclic, build_regression, build_shrunk_regression
from bayesml.smooths.directions import turned_ties
from bayesml.smooths.kriging import build_kriging
from bayesml.smooths.pspline import build_pspline
from bayesml.smooths.thin_plate import build_duchon, build_shrunk, build_thin_plate, build_unscaled

__all__ = [
    "SMOOTHS",
    "FittedBasis",
    "SmoothBasis",
    "fitted_basis",
    "known_kind",
    "solutions",
    "spreads_of",
]

SMOOTHS: dict[str, Callable[[np.ndarray, Request], AbstractSpline]] = {
    "tp": build_thin_plate,
    "ts": build_shrunk,
    "cr": build_regression,
    "cs": build_shrunk_regression,
    "cc": build_cyclic,
    "ps": build_pspline,
    "cp": build_cyclic_pspline,
    "bs": build_bspline,
    "ds": build_duchon,
    "gp": build_kriging,
}
UNSCALED = {"tp": build_unscaled}
"""Builders of the same functions before each has a root mean square of 1 over the rows."""
OF_FACTORS = ("re", "fs")
_OF_ANY_SIZE = ("ds", "gp")
_TIE = 1e-6  # singular values this close to each other, relative to their size, count as equal
_ELSEWHERE = {
    "re": ' As a smooth of its own s(g, bs="re") is an effect of each level; write (1 | g), which is faster.',
    "fs": ' For a curve for each level of a factor write s(x, g, bs="fs") or s(x, by=g).',
    "ad": " A curve that bends more in one place than in another is a spline with more functions, such as s(x, k=40).",
    "so": " For a smooth of two covariates write s(x, z).",
    "sos": " For a smooth of two covariates write s(x, z).",
    "sz": ' For a curve for each level of a factor write s(x, g, bs="fs").',
}


@final
@dataclass(frozen=True, eq=False)
class SmoothBasis:
    """The functions of one smooth, found on the rows of the fit and the same on any other rows.

    Nothing of the data is kept but the knots, or, for thin plate splines, at most 2,000 of their different values.

    Attributes:
        request: the spline that is requested.
        spline: the functions before constraint and parameterisation; of several penalties with the identity as each.
        unpenalised_map: coefficients N of the unpenalised columns in the spline's functions, ``(k, null_dimension)``.
        penalised_map: coefficients P of the penalised columns, ``(k, rank)``; ``P' S P`` is ``penalty_scale`` times the
            identity.
        spreads: standard deviation of each unpenalised column over the rows of the fit.
        ranks: how many of these have the same standard deviation, set after set; most smooths have one set.
        penalty_scale: mgcv's ``S.scale``: the penalty is divided by it, so that smoothing parameters do not depend on
            the unit of x.

    Example:
        >>> import numpy as np
        >>> x = np.linspace(0.0, 1.0, 50)
        >>> basis = fitted_basis({"x": x}, Request("s(x)", ("x",), "tp", k=6)).basis
        >>> basis.unpenalised({"x": x}).shape, basis.penalised({"x": x}).shape
        ((50, 1), (50, 4))
    """

    request: Request
    spline: AbstractFunctions
    unpenalised_map: np.ndarray
    penalised_map: np.ndarray
    penalty_scale: float
    ranks: tuple[int, ...]
    spreads: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The covariates, in the order in which they were written."""
        return self.request.names

    @property
    def null_dimension(self) -> int:
        """Number of columns without a penalty."""
        return self.unpenalised_map.shape[1]

    @property
    def rank(self) -> int:
        """Number of columns with a penalty."""
        return self.penalised_map.shape[1]

    def columns(self, covariates: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return the unpenalised and the penalised columns; brms's ``Xs`` and ``Zs`` (the latter up to a rotation).

        Args:
            covariates: a vector of numbers for each covariate.

        Returns:
            ``(rows, null_dimension)`` and ``(rows, rank)``.

        Raises:
            DataError: a covariate is missing, is not numeric, or holds a NaN or an infinity.
        """
        functions = self.spline.evaluate(covariate_matrix(covariates, self.names))
        return functions @ self.unpenalised_map, functions @ self.penalised_map

    @property
    def sets(self) -> tuple[slice, ...]:
        """The penalised columns of each set."""
        ends = np.cumsum((0, *self.ranks)).tolist()
        return tuple(slice(start, end) for start, end in zip(ends, ends[1:], strict=False))

    def unpenalised(self, covariates: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the first part of `columns`, ``(rows, null_dimension)``."""
        return self.columns(covariates)[0]

    def penalised(self, covariates: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the second part of `columns`, ``(rows, rank)``."""
        return self.columns(covariates)[1]

    def multiplied_by(self, covariates: Mapping[str, np.ndarray], by: np.ndarray) -> SmoothBasis:
        """Return the basis for the product of the smooth and another variable, see ``FittedBasis``.

        Args:
            covariates: the rows of the fit.
            by: ``(rows,)``.
        """
        return FittedBasis(self, *self.columns(covariates)).multiplied_by(by).basis


@final
@dataclass(frozen=True, eq=False)
class FittedBasis:
    """A basis with its columns at the rows of the fit, which were computed on the way.

    Attributes:
        basis: the functions.
        free: the unpenalised columns, ``(rows, null_dimension)``.
        penalised: the others, ``(rows, rank)``.
    """

    basis: SmoothBasis
    free: np.ndarray
    penalised: np.ndarray

    def multiplied_by(self, by: np.ndarray) -> FittedBasis:
        """Return the basis for the product of the smooth and another variable, as in ``s(x, by=z)``.

        The functions stay as they are. Unpenalised ones get the size that penalised ones have on average once each row
        is multiplied by ``by``, as in `fitted_basis`, where rows count the same. A factor has one basis for all of its
        levels; mgcv finds this size on the first level that has a smooth. The columns are those before the product.

        Args:
            by: ``(rows,)``: a covariate, or 1 in the rows of one level of a factor and 0 elsewhere.
        """
        if len(self.basis.ranks) > 1:
            return self
        weights = np.asarray(by, dtype=np.float64)[:, None]
        sizes = _sizes(self.free * weights, self.penalised * weights)
        basis = replace(self.basis, unpenalised_map=self.basis.unpenalised_map * sizes)
        return FittedBasis(basis, self.free * sizes, self.penalised)


def fitted_basis(
    covariates: Mapping[str, np.ndarray], request: Request, *, centred: bool = True, penalised: bool = True
) -> FittedBasis:
    """Find the basis of a smooth on the rows of the fit.

    The smooth is that of mgcv's ``s()``: the same functions, constraint and scale of the penalty, so that a smoothing
    parameter means the same; and brms's division into two kinds of columns, so that its ``bs`` and ``sds`` do. Above
    2,000 different values of the covariates the functions are those of some of them: of one covariate 1,000 evenly
    spread over their order, of several 2,000 drawn with a fixed seed. mgcv draws others.

    Penalised columns are rotated so that, beside the constant and the unpenalised columns, they are orthogonal over the
    rows of the fit. The one of largest size, which bends least, is the first. A rotation changes no density, because
    effects are independent with equal variances; brms's columns are another one.

    Args:
        covariates: a vector of finite numbers for each covariate, in the order in which they are written.
        request: the spline that is requested.
        centred: whether the smooth sums to zero over the rows; False for ``s(x, by=z)`` with a numeric z.
        penalised: False for mgcv's ``fx=TRUE``: all columns are unpenalised.

    Raises:
        FormulaError: an argument is impossible.
        DataError: a covariate is not numeric or not finite, has fewer different values than ``k``, or follows from the
            others.

    Example:
        >>> import numpy as np
        >>> x = np.linspace(0.0, 1.0, 50)
        >>> fitted = fitted_basis({"x": x}, Request("s(x)", ("x",), "cr", k=6))
        >>> bool(abs(fitted.penalised.sum(axis=0)).max() < 1e-10)
        True
    """
    values = covariate_matrix(covariates, request.names)
    spline, functions, scale = _evaluated(values, request)
    means = functions.mean(axis=0) if request.point is None else spline.evaluate(np.array([request.point]))[0]
    allowed = solutions(means) if centred else np.eye(len(means))
    if not penalised:
        columns = functions @ allowed
        basis = SmoothBasis(request, spline, allowed, allowed[:, :0], scale, (), spreads_of(columns))
        return FittedBasis(basis, columns, columns[:, :0])
    free = _centred_polynomials(spline.polynomials, means) if centred else spline.polynomials
    bent = _whitened(allowed, spline.penalty / scale, free.shape[1], request)
    at_free, at_bent = functions @ free, functions @ bent
    rotation = _rotation(at_bent, at_free, spline.evaluate(_places(values)) @ bent)
    bent, at_bent = bent @ rotation, at_bent @ rotation
    sizes = _sizes(at_free, at_bent)
    free, at_free = free * sizes, at_free * sizes
    basis = SmoothBasis(request, spline, free, bent, scale, (bent.shape[1],), spreads_of(at_free))
    return FittedBasis(basis, at_free, at_bent)


def _evaluated(values: np.ndarray, request: Request) -> tuple[AbstractSpline, np.ndarray, float]:
    """Return a spline, its functions at the rows and the scale of its penalty; the rows are evaluated once."""
    of_unit_size = request.kind in UNSCALED
    spline = UNSCALED.get(request.kind, SMOOTHS[request.kind])(values, request)
    functions = spline.evaluate(values)
    if of_unit_size:
        spline, functions = _of_unit_size(spline, functions)
    scale = _penalty_scale(functions, spline.penalty)
    if request.kind in _OF_ANY_SIZE:  # radial functions and polynomials may differ by many orders of magnitude
        spline, functions = _of_unit_size(spline, functions)
    return spline, functions, scale


def _of_unit_size(spline: AbstractSpline, functions: np.ndarray) -> tuple[AbstractSpline, np.ndarray]:
    factors = 1.0 / np.sqrt(np.mean(functions**2, axis=0))
    return spline.scaled(factors), functions * factors


def spreads_of(columns: np.ndarray) -> tuple[float, ...]:
    """Return the standard deviation of each column."""
    return tuple(columns.std(axis=0, ddof=1).tolist())


def known_kind(kind: object, label: str | None) -> str:
    """Return the kind of a spline.

    Raises:
        FormulaError: there is none of that name.
    """
    if isinstance(kind, str) and kind in SMOOTHS:
        return kind
    guess = did_you_mean(kind, SMOOTHS) if isinstance(kind, str) else ""
    tip = _ELSEWHERE.get(kind, "") if isinstance(kind, str) else ""
    listing = ", ".join(f'"{name}"' for name in (*SMOOTHS, *(OF_FACTORS if kind not in OF_FACTORS else ())))
    raise FormulaError(
        f"{f'`{label}`: ' if label else ''}bs={kind!r} is not known{guess}; bs is one of {listing}.{tip}"
    )


def solutions(row: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of the vectors c with ``row @ c = 0``, ``(k, k - 1)``."""
    return np.linalg.qr(row[:, None], mode="complete")[0][:, 1:]


def _centred_polynomials(polynomials: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Subtract from each unpenalised function its mean over the rows; the constant goes."""
    if polynomials.shape[1] == 0:
        return polynomials
    others, constant = polynomials[:, :-1], polynomials[:, -1:]
    return others - constant * (means @ others) / (means @ constant)


def _penalty_scale(functions: np.ndarray, penalty: np.ndarray) -> float:
    """Return mgcv's ``S.scale``: the 1-norm of the penalty by the squared infinity-norm of the model matrix."""
    return float(np.abs(penalty).sum(axis=0).max() / np.abs(functions).sum(axis=1).max() ** 2)


def _whitened(allowed: np.ndarray, penalty: np.ndarray, free: int, request: Request) -> np.ndarray:
    """Return coefficients P, within those allowed, of functions with ``P' S P = I``.

    With the eigenvalues D and eigenvectors V of the penalty within the allowed ones, Z, that are not 0:
    ``P = Z V D^(-1/2)``.

    Raises:
        DataError: more eigenvalues are 0 than functions are free of the penalty.
    """
    eigenvalues, vectors = np.linalg.eigh(allowed.T @ penalty @ allowed)
    positive = eigenvalues[free:]
    if positive[0] <= len(penalty) * np.finfo(float).eps * positive[-1]:
        raise DataError(
            f"The values of {listed(request.names)} lie too unevenly for the {len(penalty)} functions of "
            f"`{request.label}`: their penalty is singular in floating point. Write a smaller k, or transform "
            f"{listed(request.names)}, for example by its logarithm."
        )
    return allowed @ (vectors[:, free:] / np.sqrt(positive))


def _places(values: np.ndarray) -> np.ndarray:
    """Return up to 100 of the different rows, from the largest to the smallest."""
    distinct = distinct_rows(values)[::-1]
    return distinct[np.unique(np.linspace(0, len(distinct) - 1, 100).astype(int))]


def _rotation(penalised: np.ndarray, free: np.ndarray, at_places: np.ndarray) -> np.ndarray:
    """Return the rotation after which the columns, beside the constant and the free ones, are orthogonal."""
    fixed = np.asarray(np.linalg.qr(np.column_stack([np.ones(len(free)), free]))[0])
    beside = penalised - fixed @ (fixed.T @ penalised)
    _, sizes, transposed = np.linalg.svd(np.linalg.qr(beside, mode="r"))
    return turned_ties(np.log(sizes), transposed.T, at_places @ transposed.T, _TIE)[1]


def _sizes(free: np.ndarray, penalised: np.ndarray) -> np.ndarray:
    """Return factors that give each free column the mean sum of squares of the penalised ones, as mgcv does."""
    wanted = np.mean(np.sum(penalised**2, axis=0))
    squares = np.sum(free**2, axis=0)
    known = (squares > 0.0) & (wanted > 0.0)  # not where no row belongs to the level
    return np.sqrt(np.where(known, wanted, 1.0) / np.where(known, squares, 1.0))
