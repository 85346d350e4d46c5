"""What likelihoods with residual terms have in common: their rows depend on each other."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log, pi
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.errors import DataError
from bayesml.families import AbstractLikelihood, RawResponse, ResponseData, Traits
from bayesml.families.rising import log_rising
from bayesml.families.wrapped import AbstractWrapped, kept_traits
from bayesml.frame import Frame

if TYPE_CHECKING:
    from bayesml.shapes import Values

__all__ = ["AbstractDependent", "AbstractOnGrid", "given_earlier", "rows_of_matrix", "student_scale"]


@dataclass(frozen=True)
class AbstractDependent(AbstractWrapped):
    """A likelihood of rows that depend on each other, so that none has a distribution function for itself."""

    @property
    def traits(self) -> Traits:
        """What is left of the traits of ``base``."""
        return replace(kept_traits(self.base.traits), rows_depend=True, has_cdf=False)

    @property
    def without_residual_terms(self) -> AbstractLikelihood:
        """The likelihood of responses that do not depend on each other."""
        return self.base


@dataclass(frozen=True)
class AbstractOnGrid(AbstractDependent):
    """A likelihood whose rows stand on a grid of series, or lattices, and their places."""

    @property
    @abstractmethod
    def columns(self) -> frozenset[str]:
        """Names of the arrays from which the tables of the grid are made; the series is among them."""

    @abstractmethod
    def tables(self, additions: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the tables of the grid.

        Raises:
            DataError: a place is new.
        """

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Encode the response, with the tables of the grid."""
        encoded = self.base.encode(response, for_fit=for_fit)
        return replace(encoded, arrays={**encoded.arrays, **self.tables(response.additions)})

    def encoded_additions(self, additions: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the tables of the grid in the place of the columns."""
        others = {name: array for name, array in additions.items() if name not in self.columns}
        tables = {} if len(others) == len(additions) else self.tables(additions)
        return {**self.base.encoded_additions(others), **tables}


def rows_of_matrix(name: str, frame: Frame, what: str, cure: str = "") -> np.ndarray:
    """Return a matrix of ``data2`` for the rows of the data; rows that were left out are left out of it too.

    Args:
        name: its name.
        frame: the data.
        what: the call, for messages.
        cure: what a message says beside the number of rows.

    Raises:
        DataError: it has another number of rows.
    """
    matrix, given = frame.matrices[name], frame.n_rows + frame.dropped
    if matrix.size not in (given, frame.n_rows):
        raise DataError(
            f"`{what}` needs a matrix with a row for each of the {given} rows of the data; `{name}` has "
            f"{matrix.size}.{cure}"
        )
    rows = frame.rows if matrix.size == given and frame.dropped else np.arange(frame.n_rows)
    return np.asarray(matrix.dense[np.ix_(rows, rows)], float)


def given_earlier(e: Any, before: Any, nu: Any, axis: int = -1) -> Any:
    """Return the log density of innovations of unit scale, each given those before it.

    Of k Student t residuals the sum of squares q is known: with f(k, q) the log density of k of them,
    log Gamma((nu + k) / 2) - log Gamma(nu / 2) - k/2 log(nu pi) - (nu + k) / 2 log(1 + q / nu), that of one given those
    before it is the difference of two successive values of f.

    Args:
        e: the innovations.
        before: number of innovations before each.
        nu: degrees of freedom, which broadcast against ``e``; None for normal innovations.
        axis: the axis along which they follow each other.
    """
    from jax import numpy as jnp

    if nu is None:
        return -0.5 * e**2 - 0.5 * log(2 * pi)
    total = jnp.cumsum(e**2, axis=axis)
    # log Gamma(s + 1/2) - log Gamma(s) is log_rising(s, 1/2) + log(s) / 2
    constant = log_rising(0.5 * (nu + before), 0.5) + 0.5 * (jnp.log1p(before / nu) - log(2 * pi))
    earlier = 0.5 * (nu + before) * jnp.log1p((total - e**2) / nu)
    return constant - 0.5 * (nu + before + 1) * jnp.log1p(total / nu) + earlier


def student_scale(rng: np.random.Generator, parameters: Values, shape: tuple[int, ...]) -> np.ndarray:
    """Draw sqrt(chi^2_nu / nu), by which normal residuals are divided to be Student t ones.

    Args:
        rng: source of random numbers.
        parameters: those of the likelihood, with ``nu`` ``(..., 1)``.
        shape: the shape of what is drawn, whose last axis is that of vectors of residuals.
    """
    nu = np.broadcast_to(np.asarray(parameters["nu"])[..., :1], (*shape[:-1], 1))
    return np.asarray(np.sqrt(rng.chisquare(nu, shape) / nu))
