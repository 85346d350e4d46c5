"""Residuals on lattices whose covariance matrix is a Kronecker product: ``ar(row):ar(column, field)``.

Within a lattice two residuals have the correlation R_1[i, i'] R_2[j, j'], the product of those along each axis, and the
standard deviation sigma. With R_k = L_k L_k' the innovations of a whole lattice are those along one axis after the
other, W_k = L_k^-1 each, and its precision matrix is Q = Q_1 x Q_2 with Q_k = W_k' W_k.

Where cells are missing, the density of the others O follows from Q alone. With residuals r that are 0 in the holes M
and b = (Q r)_M,

    r_O' S_OO^-1 r_O = r' Q r - b' Q_MM^-1 b,    log det S_OO = log det S + log det Q_MM,    S = Q^-1,

by the inverse of a block matrix. Lattices with more holes than rows are factored by S_OO itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log, pi
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import DataError
from bayesml.families.rising import log_rising
from bayesml.names import axis_parameter
from bayesml.response_terms.residuals.columns import SERIES
from bayesml.response_terms.residuals.covariances import AbstractCovariance
from bayesml.response_terms.residuals.dense import dense_innovations, left_out_of_precision
from bayesml.response_terms.residuals.dependent import AbstractOnGrid, student_scale
from bayesml.response_terms.residuals.grid import BY_SERIES, present, to_grid, to_rows
from bayesml.response_terms.residuals.lattice import (
    THROUGH_COVARIANCE,
    Axis,
    axis_sizes,
    lattice_tables,
    listed_places,
)
from bayesml.spec import ParameterSpec

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Numbers, Observed, PerRow, Values

__all__ = ["Separable", "axis_codes", "axis_labels"]


def axis_labels(number: int) -> str:
    """Return the name of the array with the values of an axis, as text."""
    return f"lattice_{number}"


def axis_codes(number: int) -> str:
    """Return the name of the array with codes of these values, which grow with them."""
    return f"lattice_code_{number}"


@final
@dataclass(frozen=True)
class Separable(AbstractOnGrid):
    """Responses whose residuals on a lattice have a Kronecker product of correlation matrices, scaled by sigma.

    Attributes:
        axes: the axes of the lattice.
        covariances: the structure along each, of which the correlations count.
        residuals: ``normal`` or ``student_t``; of the latter the product is the scale matrix, and nu is that of all
            residuals of a lattice together.
    """

    axes: tuple[Axis, ...]
    covariances: tuple[AbstractCovariance, ...]
    residuals: str

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """Those of ``base``, and of the correlations along each axis."""
        own = (
            replace(p, name=axis_parameter(p.name, axis.name), group=axis.name)
            for axis, covariance in self._factors
            for p in covariance.parameters
        )
        return (*self.base.parameters, *own)

    @property
    def _factors(self) -> tuple[tuple[Axis, AbstractCovariance], ...]:
        return tuple(zip(self.axes, self.covariances, strict=True))

    @property
    def flat_in_brms(self) -> frozenset[str]:  # type: ignore[override]
        """Parameters whose default prior in brms is flat."""
        return self.base.flat_in_brms.union(*(covariance.flat_in_brms for covariance in self.covariances))

    @property
    def columns(self) -> frozenset[str]:
        """Those of the lattices and of the places along each axis."""
        return frozenset({SERIES, *(name(k) for k in range(len(self.axes)) for name in (axis_labels, axis_codes))})

    def tables(self, additions: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the tables of the lattices."""
        places = [axis.places(additions[axis_labels(k)]) for k, axis in enumerate(self.axes)]
        for place, (axis, covariance) in zip(places, self._factors, strict=True):
            most = covariance.most_times
            if most is not None and place.max(initial=0) >= most:
                raise DataError(
                    f"`{axis.name}` has {place.max() + 1} places here, and had {most} in the data of the fit: there "
                    "are no correlations of longer distances."
                )
        return lattice_tables(additions[SERIES], places, self.axes)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of each lattice, in equal parts for its rows."""
        from jax import numpy as jnp

        square, log_scale = self._square(to_grid((y - values["mu"]) / values["sigma"], data), values, data)
        log_scale = log_scale + to_grid(jnp.log(values["sigma"]), data).sum(-2)
        there = present(data)
        share = (self._log_density(square, there.sum(0), values) - log_scale) / there.sum(0)
        return to_rows(jnp.where(there, share[..., None, :], 0.0), data)

    def _log_density(self, square: Any, count: Any, values: Values) -> Any:
        """Return the log density of ``count`` standardised residuals with a sum of squares, ``(..., lattices)``."""
        from jax import numpy as jnp

        if self.residuals == "normal":
            return -0.5 * square - 0.5 * count * log(2 * pi)
        nu = jnp.asarray(values["nu"])
        # log Gamma((nu + n) / 2) - log Gamma(nu / 2) is log_rising(nu / 2, n / 2) + n / 2 log(nu / 2)
        constant = log_rising(0.5 * nu, 0.5 * count) - 0.5 * count * log(2 * pi)
        return constant - 0.5 * (nu + count) * jnp.log1p(square / nu)

    def _square(self, residuals: Any, values: Values, data: DataArrays) -> tuple[Any, Any]:
        """Return r'S^-1 r and half the log determinant of S for the rows of each lattice, ``(..., lattices)`` each.

        Args:
            residuals: standardised ones, ``(..., cells, lattices)``.
            values: those of the parameters.
            data: the tables.
        """
        from jax import numpy as jnp

        whitening, log_scale = self._whitening(values, data)
        if "listed_by" not in data:
            return (_along(whitening, residuals) ** 2).sum(-2), log_scale
        matrix, there = self._listed_matrix(whitening, values, data)
        if THROUGH_COVARIANCE in data:
            e, logs = dense_innovations(matrix, jnp.swapaxes(_listed(residuals, data), -1, -2))
            return (e**2).sum(-2), (logs * there.T).sum(-2)
        e = _along(whitening, residuals)
        b = _listed(_along([jnp.swapaxes(w, -1, -2) for w in whitening], e), data)
        explained, logs = dense_innovations(matrix, jnp.swapaxes(b, -1, -2))
        return (e**2).sum(-2) - (explained**2).sum(-2), log_scale + (logs * there.T).sum(-2)

    def _whitening(self, values: Values, data: DataArrays) -> tuple[list[Any], Any]:
        """Return W_k = L_k^-1 of each axis, and half the log determinant of their product, ``(..., 1)``."""
        from jax import numpy as jnp

        found, total, sizes = [], jnp.zeros(1), axis_sizes(data)
        for (axis, covariance), size in zip(self._factors, sizes, strict=True):
            own = _own_values(values, axis, covariance)
            lead = np.broadcast_shapes(*(np.shape(own[p.name])[: -1 - len(p.shape)] for p in covariance.parameters))
            e, log_scale = covariance.innovations(jnp.broadcast_to(jnp.eye(size), (*lead, size, size)), own)
            # residuals of variance v have correlations R / v, with L / sqrt(v)
            variance = _variance(covariance, own)[..., None]
            found.append(e * jnp.sqrt(variance)[..., None])
            logs = (log_scale[..., 0] - 0.5 * jnp.log(variance)) * jnp.ones(size)
            total = total + logs.sum(-1, keepdims=True) * (int(np.prod(sizes)) // size)
        return found, total

    def _correlations(self, values: Values, data: DataArrays) -> list[Any]:
        found = []
        for (axis, covariance), size in zip(self._factors, axis_sizes(data), strict=True):
            own = _own_values(values, axis, covariance)
            found.append(covariance.matrix(own, size) / _variance(covariance, own)[..., None, None])
        return found

    def _listed_matrix(self, whitening: list[Any], values: Values, data: DataArrays) -> tuple[Any, Any]:
        """Return Q, or S, of the listed cells, ``(..., lattices, listed, listed)``, and which of them there are.

        Lattices with fewer of them are filled up by an identity matrix. The entries are picked by products with
        matrices of zeros and ones rather than by indices, whose gradient would be a scatter-add.
        """
        from jax import numpy as jnp

        through = THROUGH_COVARIANCE in data
        each = self._correlations(values, data) if through else [jnp.swapaxes(w, -1, -2) @ w for w in whitening]
        chosen, there = _chosen(data)
        matrix: Any = 1.0
        for one, which in zip(each, chosen, strict=True):
            matrix = matrix * (which @ one[..., None, :, :] @ jnp.swapaxes(which, -1, -2))
        both = there[:, :, None] & there[:, None, :]
        return jnp.where(both, matrix, jnp.eye(there.shape[1])), there

    def log_predictive(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of each row given all others of its lattice."""
        from jax import numpy as jnp

        residuals, there = to_grid((y - values["mu"]) / values["sigma"], data), present(data)
        g, precision = self._precision(residuals, values, data)
        square = jnp.where(there, residuals * g, 0.0).sum(-2, keepdims=True)
        nu = jnp.asarray(values["nu"])[..., None] if self.residuals == "student_t" else None
        g, precision = jnp.where(there, g, 0.0), jnp.where(there, precision, 1.0)
        density = left_out_of_precision(g, square, precision, there.sum(0), nu)
        return to_rows(density, data) - jnp.log(values["sigma"])

    def _precision(self, residuals: Any, values: Values, data: DataArrays) -> tuple[Any, Any]:
        """Return P r and the diagonal of P, the inverse of the covariance matrix of the rows of a lattice.

        Through the holes they are (Q r)_O with the holes at their expectations r_M = -Q_MM^-1 b, and the diagonal of
        Q_OO - Q_OM Q_MM^-1 Q_MO.
        """
        from jax import numpy as jnp

        whitening, _ = self._whitening(values, data)
        each = [jnp.swapaxes(w, -1, -2) @ w for w in whitening]
        diagonal = _outer([jnp.diagonal(q, axis1=-2, axis2=-1)[..., None] for q in each])
        if "listed_by" not in data:
            return _along(each, residuals), diagonal
        matrix, there = self._listed_matrix(whitening, values, data)
        inverse = jnp.linalg.inv(matrix)  # not in a sampled density
        if THROUGH_COVARIANCE in data:
            g = (inverse @ jnp.swapaxes(_listed(residuals, data), -1, -2)[..., None])[..., 0]
            own = jnp.diagonal(inverse, axis1=-2, axis2=-1)
            return tuple(_unlisted(jnp.swapaxes(a, -1, -2), data) for a in (g, own))  # type: ignore[return-value]
        b = jnp.swapaxes(_listed(_along(each, residuals), data), -1, -2)[..., None]
        expected = jnp.swapaxes(-(inverse @ b)[..., 0], -1, -2)
        chosen, _ = _chosen(data)
        columns = _outer([q[..., None, :, :] @ jnp.swapaxes(c, -1, -2) for q, c in zip(each, chosen, strict=True)])
        columns = jnp.where(there[:, None, :], columns, 0.0)  # (..., lattices, cells, listed)
        lost = jnp.swapaxes(((columns @ inverse) * columns).sum(-1), -1, -2)
        return _along(each, residuals + _unlisted(expected, data)), diagonal - lost

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw the residuals of each lattice together, those of its missing cells too."""
        cells, lattices = data[BY_SERIES].shape
        roots = []
        for (axis, covariance), size in zip(self._factors, axis_sizes(data), strict=True):
            own = _own_values(parameters, axis, covariance)
            root = np.sqrt(np.asarray(_variance(covariance, own)))[..., None, None]
            roots.append(np.asarray(covariance.factor(own, size)) / root)
        shapes = [np.shape(parameters[p.name])[:-1] for p in self.base.dpars]
        lead = np.broadcast_shapes(*(root.shape[:-2] for root in roots), *shapes)
        z = _along(roots, rng.standard_normal((*lead, cells, lattices)))
        residuals = parameters["sigma"] * to_rows(np.ascontiguousarray(z), data)
        if self.residuals == "student_t":
            scale = np.broadcast_to(student_scale(rng, parameters, (*lead, lattices))[..., None, :], z.shape)
            residuals = residuals / to_rows(np.ascontiguousarray(scale), data)
        return np.asarray(parameters["mu"] + residuals)

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return the reported variables of ``base`` and of the structures."""
        found = dict(self.base.derive(values))
        for axis, covariance in self._factors:
            derived = covariance.derive(_own_values(values, axis, covariance))
            found |= {axis_parameter(name, axis.name): value for name, value in derived.items()}
        return found

    def sampled(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the sampled parameters behind reported variables."""
        found = dict(self.base.sampled(values))
        for axis, covariance in self._factors:
            end = axis_parameter("", axis.name)
            own = {name.removesuffix(end): value for name, value in values.items() if name.endswith(end)}
            found |= {axis_parameter(name, axis.name): value for name, value in covariance.sampled(own).items()}
        return found


def _own_values(values: Values, axis: Axis, covariance: AbstractCovariance) -> dict[str, Any]:
    return {p.name: values[axis_parameter(p.name, axis.name)] for p in covariance.parameters}


def _variance(covariance: AbstractCovariance, values: Values) -> Any:
    """Return the variance of a residual of the structure, ``(...)``, which is the same at all places."""
    return covariance.matrix(values, 1)[..., 0, 0]


def _along(matrices: list[Any], grid: Any) -> Any:
    """Return the Kronecker product of matrices times what stands on a grid, ``(..., cells, lattices)``."""
    cells, lattices = grid.shape[-2:]
    after = cells * lattices
    for matrix in matrices:
        size = matrix.shape[-1]
        after //= size
        blocks = grid.reshape(*grid.shape[:-2], cells * lattices // (size * after), size, after)
        grid = matrix[..., None, :, :] @ blocks
        grid = grid.reshape(*grid.shape[:-3], cells, lattices)
    return grid


def _outer(factors: list[Any]) -> Any:
    """Return the products of the rows of several matrices, ``(..., places, columns)``, as ``(..., cells, columns)``."""
    product = factors[0]
    for factor in factors[1:]:
        product = product[..., :, None, :] * factor[..., None, :, :]
        product = product.reshape(*product.shape[:-3], -1, product.shape[-1])
    return product


def _listed(grid: Any, data: DataArrays) -> Any:
    """Return what stands in the listed cells, ``(..., listed, lattices)``."""
    cells, second = listed_places(data)
    return to_grid(to_rows(grid, cells), second)


def _unlisted(listed: Any, data: DataArrays) -> Any:
    """Return what is known of the listed cells on the grid, 0 in all others."""
    cells, second = listed_places(data)
    return to_grid(to_rows(listed, second), cells)


def _chosen(data: DataArrays) -> tuple[list[Any], Any]:
    """Return for each axis which place the listed cells have, ``(lattices, listed, places)``, and which are cells."""
    from jax import numpy as jnp

    sizes, (_, second) = axis_sizes(data), listed_places(data)
    there = present(second).T
    cells = data["listed_in"] // data[BY_SERIES].shape[1]
    cell = jnp.append(cells, 0)[second[BY_SERIES]].T
    chosen, after = [], int(np.prod(sizes))
    for size in sizes:
        after //= size
        place = cell // after % size
        chosen.append((place[..., None] == np.arange(size)).astype(float))
    return chosen, there
