"""Rows with several linear predictors and any parameters beside them, as the engine of mixed models takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self, final

import numpy as np

from bayesml.design import Design
from bayesml.engines.generalised_mixed.information import AbstractInformation, RowMatrices, RowNumbers
from bayesml.engines.generalised_mixed.response import AbstractDerivatives
from bayesml.engines.point.several.singles import Singles
from bayesml.engines.point.several.slots import Slots, TermArrays
from bayesml.engines.weighting import check_precisions, weights_are_precisions
from bayesml.errors import ModelError
from bayesml.families import AbstractLikelihood, JointLikelihood
from bayesml.families.drawing import natural_values
from bayesml.keys import PredictorKey

__all__ = ["SeveralDerivatives", "SeveralResponse"]


@final
@dataclass(frozen=True)
class SeveralDerivatives(AbstractDerivatives):
    """Derivatives that are computed when they are read.

    Attributes:
        matrices: ``(d, d, n)`` minus the second derivatives.
        response: the response.
        eta: ``(d n,)`` where they are.
        at: ``(m,)`` psi there.
    """

    matrices: np.ndarray
    response: SeveralResponse
    eta: np.ndarray
    at: np.ndarray

    @cached_property
    def information(self) -> AbstractInformation:  # type: ignore[override]
        """The matrices; numbers where there is one linear predictor."""
        return RowNumbers(self.matrices[0, 0]) if len(self.matrices) == 1 else RowMatrices(self.matrices)

    @cached_property
    def scoring(self) -> AbstractInformation:  # type: ignore[override]
        """The observed information where it is not negative."""
        return self.information.nonnegative()

    @cached_property
    def _in_psi(self) -> tuple[np.ndarray, np.ndarray]:
        return self.response.in_psi(self.eta, self.at)

    @property
    def psi(self) -> np.ndarray:
        """Sums over the rows."""
        return self._in_psi[0]

    def psi_sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sums over the rows."""
        return self.mixed @ values

    @property
    def mixed(self) -> np.ndarray:
        """``(m, d n)`` derivatives of ``d1`` in psi."""
        return self._in_psi[1].reshape(len(self.at), len(self.d1))

    def carried(self, change: np.ndarray) -> np.ndarray:
        """Return the sum over psi."""
        return change @ self.mixed

    def information_slopes(self, leverages: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return them from the third derivatives."""
        if not leverages.any():
            return np.zeros_like(self.d1), np.zeros(len(self.at))
        return self.response.third(self.eta, self.at, leverages.reshape(self.matrices.shape))

    def weighted(self, weights: np.ndarray | None) -> Self:
        """Return itself: the weights are in the densities."""
        return self


@final
@dataclass(frozen=True)
class SeveralResponse:
    """A likelihood with its data, whose density is differentiated automatically.

    Attributes:
        likelihood: the distribution.
        slots: the linear predictors.
        singles: all other parameters.
        design: the data.
        precisions: whether weights divide the residual variance; else they are powers of the densities.
        only: of several responses the one whose parameters are requested, see ``seen_by``.
    """

    likelihood: AbstractLikelihood
    slots: Slots
    singles: Singles
    design: Design
    precisions: bool
    only: str = ""

    @classmethod
    def of(cls, design: Design, slots: Slots, singles: Singles, method: str) -> SeveralResponse:
        """Decide what weights mean.

        Raises:
            DataError: a precision is 0.
            ModelError: weights of one of several responses would be precisions.
        """
        _refuse_precisions(design, method)
        precisions = design.weights is not None and weights_are_precisions(method, design.likelihood)
        if precisions:
            assert design.weights is not None
            check_precisions(design.weights, "se" in design.response.arrays)
        return cls(design.likelihood, slots, singles, design, precisions)

    @property
    def auxiliary(self) -> tuple[str, ...]:
        """Names of the entries of psi."""
        return self.singles.labels

    @cached_property
    def model(self) -> Any:
        """The density of a row as a function."""
        from bayesml.engines.point.several.rows import RowModel

        slots = tuple((slot.key, slot.start, slot.width) for slot in self.slots.slots)
        others = tuple((slot.key, term) for slot, term in self.slots.others())
        functions = tuple((p.key, term) for p in self.slots.predictors for term in p.terms if term.is_function)
        return RowModel(self.likelihood, slots, self.singles.coordinates, others, functions, self.only)

    def seen_by(self, resp: str) -> SeveralResponse:
        """Return the parameters of one of several responses, under their own names: ``sigma`` for ``sigma_y1``.

        Linear predictors are still those of all responses; arrays and data are those of the response alone.
        """
        return replace(self, slots=self.slots.of_response(resp), only=resp)

    @property
    def _shown(self) -> AbstractLikelihood:
        """The likelihood whose parameters are requested."""
        return (
            self.likelihood.part(self.only)
            if isinstance(self.likelihood, JointLikelihood) and self.only
            else (self.likelihood)
        )

    @cached_property
    def _compiled(self) -> Any:
        from bayesml.engines.point.several.rows import compiled_rows

        return compiled_rows(self.model)

    @cached_property
    def _data(self) -> dict[str, Any]:
        import jax

        with jax.enable_x64(True):
            found = self.data(self.design.arrays, self.design.response.arrays)
            if self.design.weights is not None:
                found["precisions" if self.precisions else "weights"] = self.design.weights
            return jax.tree.map(jax.numpy.asarray, found)

    def data(self, arrays: TermArrays, response: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Return what the density needs of some rows."""
        wanted = (*self.model.others, *self.model.functions)
        own: dict[Any, dict[str, Any]] = {}
        for key, term in wanted:
            own.setdefault(key, {})[term.key] = dict(arrays[key][term.key])
        held = {name: np.asarray(value) for name, value in self.singles.held.items()}
        singles = {"center": self.singles.center, "scale": self.singles.scale, "held": held}
        return {"response": dict(response), "arrays": own, **singles}

    def predictor(self, key: PredictorKey, eta: np.ndarray, psi: np.ndarray, arrays: TermArrays) -> np.ndarray:
        """Return the predictor of one parameter, ``(rows,)``; arguments as in ``natural``."""
        import jax

        with jax.enable_x64(True), np.errstate(all="ignore"):
            return np.asarray(self.model.predictors(eta, psi, self.data(arrays, {}))[0][key], dtype=float)

    def natural(
        self, eta: np.ndarray, psi: np.ndarray, arrays: TermArrays, response: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Return every parameter of the likelihood on its natural scale.

        Args:
            eta: ``(d, ..., rows)`` linear predictors.
            psi: ``(m,)``.
            arrays: arrays of the terms at the rows.
            response: ``trials`` and the like of the rows.
        """
        import jax

        with jax.enable_x64(True), np.errstate(all="ignore"):
            found = self.model.parameters(eta, psi, self.data(arrays, response))
            found = {name: np.asarray(value, dtype=float) for name, value in found.items()}
            return {k: np.asarray(v, dtype=float) for k, v in natural_values(self._shown, found).items()}

    def _shaped(self, eta: np.ndarray) -> np.ndarray:
        return np.asarray(eta, dtype=float).reshape(self.slots.count, -1)

    def start_eta(self) -> np.ndarray:
        """Return zeros; where the search starts is decided elsewhere."""
        return np.zeros(self.slots.count * self.design.n_rows)

    def start_psi(self) -> np.ndarray:
        """Return zeros: psi is centred at its start."""
        return np.zeros(self.singles.size)

    def derivatives(self, eta: np.ndarray, psi: np.ndarray) -> SeveralDerivatives:
        """Return the log density and its first two derivatives; others are computed when they are read."""
        value, d1, matrices = self._call(self._compiled.second, self._shaped(eta), psi)
        value = np.where(np.isnan(value), -np.inf, value)
        return SeveralDerivatives(value, d1.ravel(), matrices, self, eta, psi)

    def in_psi(self, eta: np.ndarray, psi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return derivatives in psi of the sum, ``(m,)``, and of the first derivatives, ``(m, d, n)``."""
        if not len(psi):
            return np.zeros(0), np.zeros((0, *self._shaped(eta).shape))
        own, mixed = self._call(self._compiled.psi, self._shaped(eta), psi)
        return own, mixed

    def third(self, eta: np.ndarray, psi: np.ndarray, leverages: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the slopes of the information times leverages, ``(d n,)`` and ``(m,)``."""
        by_eta, by_psi = self._call(self._compiled.third, self._shaped(eta), psi, leverages)
        return by_eta.ravel(), by_psi

    def _call(self, function: Any, eta: np.ndarray, psi: np.ndarray, *rest: np.ndarray) -> tuple[np.ndarray, ...]:
        import jax

        with jax.enable_x64(True):
            found = function(eta, np.asarray(psi, dtype=float), self._data, *rest)
            return tuple(np.asarray(each) for each in found)


def _refuse_precisions(design: Design, method: str) -> None:
    """Raise where the weights of one of several responses would divide its residual variance."""
    for each in design.responses if design.joint is not None else ():
        if each.weights is not None and weights_are_precisions(method, each.likelihood):
            raise ModelError(
                f'method="{method}" takes the weights of `{each.name}` for precisions, which a model of several '
                'responses has no form for; use method="map" or "nuts", where a weight is a power of the density.'
            )
