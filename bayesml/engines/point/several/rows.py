"""The log density of each row and its derivatives in the linear predictors and in psi, by automatic differentiation.

JAX is loaded when this file is. Rows do not share a linear predictor, so that a product of the Hessian with ones for
one predictor holds that predictor's column of every row's own matrix of second derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, final

import jax
from jax import numpy as jnp

from bayesml.compile import likelihood_values
from bayesml.engines.point.several.programs import RowProgram
from bayesml.engines.programs.structure import structure_key
from bayesml.engines.weighting import log_density_of_precision
from bayesml.families import AbstractLikelihood, JointLikelihood
from bayesml.families.coordinates import SingleCoordinates
from bayesml.families.drawing import natural_values
from bayesml.keys import MU, PredictorKey
from bayesml.names import intercept_variable, of_response, thresholds_variable
from bayesml.terms import AbstractTerm, combine

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from bayesml.shapes import Numbers, PerRow, Scalar

    Eta = Float[Array, "predictors *draws rows"]
    Psi = Float[Array, " psi"]
    Leverages = Float[Array, "predictors predictors rows"]

__all__ = ["RowModel", "compiled_rows"]

Data = Mapping[str, Any]
"""``response``: its arrays; ``arrays``: those of terms that are no columns; ``center``, ``scale`` and ``held`` of psi;
``weights`` or ``precisions`` where there are any."""


@final
@dataclass(frozen=True)
class RowModel:
    """What the density of a row is as a function; it holds no data, so that equal models share what was compiled.

    Attributes:
        likelihood: the distribution.
        slots: key, first place and width of the linear predictors.
        singles: the parameters in psi.
        others: terms that are not linear in coefficients, with their predictors.
        functions: nonlinear predictors.
        only: of several responses the one whose parameters are requested; the slots are then its own.
    """

    likelihood: AbstractLikelihood
    slots: tuple[tuple[PredictorKey, int, int], ...]
    singles: SingleCoordinates
    others: tuple[tuple[PredictorKey, AbstractTerm], ...]
    functions: tuple[tuple[PredictorKey, AbstractTerm], ...]
    only: str = ""

    def predictors(self, eta: Eta, psi: Psi, data: Data) -> tuple[dict[PredictorKey, Numbers], dict[str, Numbers]]:
        """Return the predictor of every parameter with a formula, and the values of all other parameters."""
        values = self.singles.natural(data["center"] + data["scale"] * psi)
        values = {**values, **data["held"]}
        for each in self.likelihood.computed:
            values[each.target.name] = each.prior.value(each.target, values)
        for resp, part in _each(self.likelihood):
            if part.thresholds:
                values[of_response(thresholds_variable(MU), resp)] = values[intercept_variable(PredictorKey(resp))]
        sums = {}
        for key, start, width in self.slots:
            rows = eta[start : start + width]
            sums[key] = rows[0] if width == 1 else rows.transpose(*range(1, rows.ndim), 0)
        for key, term in self.others:
            values = {**values, **term.derived(values, data["arrays"][key][term.key])}
            sums[key] = sums[key] + term.contribution(values, data["arrays"][key][term.key])
        sums |= {key: 0.0 for key, _ in self.functions}
        return combine([(key, (term,)) for key, term in self.functions], sums, data["arrays"]), values

    def parameters(self, eta: Eta, psi: Psi, data: Data) -> dict[str, Numbers]:
        """Return the parameters as the density takes them, from ``(predictors, ..., rows)`` and ``(m,)``."""
        every, values = self.predictors(eta, psi, data)
        if not self.only:
            return likelihood_values(self.likelihood, every, values)
        assert isinstance(self.likelihood, JointLikelihood)
        own = {replace(key, resp=""): value for key, value in every.items()}
        return likelihood_values(self.likelihood.part(self.only), own, self.likelihood.own_values(self.only, values))

    def log_density(self, eta: Eta, psi: Psi, data: Data) -> PerRow:
        """Return ``(rows,)``, weights included."""
        response = data["response"]
        values = self.parameters(eta, psi, data)
        rows = self.likelihood.log_prob(response["y"], values, response)
        if "weights" in data:
            # a row without weight may have any density
            return jnp.where(data["weights"] > 0, rows, 0.0) * data["weights"]
        if "precisions" in data:
            sigma = natural_values(self.likelihood, values)["sigma"]
            log_y = jnp.log(response["y"]) if self.likelihood.traits.response_on_log_scale else 0.0
            return log_density_of_precision(rows, data["precisions"], sigma, log_y)
        return rows


def _each(likelihood: AbstractLikelihood) -> tuple[tuple[str, AbstractLikelihood], ...]:
    """Return the name and likelihood of each response; the name of a single one is empty."""
    return likelihood.parts if isinstance(likelihood, JointLikelihood) else (("", likelihood),)


@final
@dataclass(frozen=True)
class CompiledRows:
    """Compiled functions of ``(eta, psi, data)``.

    Attributes:
        second: log density ``(n,)``, first derivatives ``(d, n)``, minus the second ``(d, d, n)``.
        psi: derivatives in psi of the sum, ``(m,)``, and of the first derivatives, ``(m, d, n)``.
        third: derivatives in eta and psi of the sum of products of minus the second derivatives with a last argument
            ``(d, d, n)``.
    """

    second: Callable[..., tuple[Float[Array, " rows"], Eta, Leverages]]
    psi: Callable[..., tuple[Psi, Float[Array, "psi predictors rows"]]]
    third: Callable[..., tuple[Eta, Psi]]


def compiled_rows(model: RowModel) -> CompiledRows:
    """Return the functions of a model, those of an equal one where there was one."""
    try:
        hash(model)
    except TypeError:
        return _compile(model)
    return _kept(model)


@lru_cache(maxsize=32)
def _kept(model: RowModel) -> CompiledRows:
    return _compile(model)


def _compile(model: RowModel) -> CompiledRows:
    def total(eta: Eta, psi: Psi, data: Data) -> Scalar:
        return jnp.sum(model.log_density(eta, psi, data))

    def information(eta: Eta, psi: Psi, data: Data) -> tuple[Eta, Leverages]:
        def score(e: Eta) -> Eta:
            return jax.grad(total)(e, psi, data)

        ones = jnp.eye(len(eta))[:, :, None] * jnp.ones(eta.shape[1])
        d1, columns = jax.vmap(lambda tangent: jax.jvp(score, (eta,), (tangent,)), out_axes=(None, 0))(ones)
        return d1, -columns

    def second(eta: Eta, psi: Psi, data: Data) -> tuple[Float[Array, " rows"], Eta, Leverages]:
        return model.log_density(eta, psi, data), *information(eta, psi, data)

    def in_psi(eta: Eta, psi: Psi, data: Data) -> tuple[Psi, Float[Array, "psi predictors rows"]]:
        def score(p: Psi) -> tuple[Eta, Psi]:
            return jax.grad(total, (0, 1))(eta, p, data)

        (_, in_psi_alone), (mixed, _) = jax.vmap(
            lambda tangent: jax.jvp(score, (psi,), (tangent,)), out_axes=(None, 0)
        )(jnp.eye(len(psi)))
        return in_psi_alone, mixed

    def third(eta: Eta, psi: Psi, data: Data, leverages: Leverages) -> tuple[Eta, Psi]:
        def products(e: Eta, p: Psi) -> Scalar:
            return jnp.sum(leverages * information(e, p, data)[1])

        return jax.grad(products, (0, 1))(eta, psi)

    key = structure_key(model)
    return CompiledRows(
        RowProgram(second, "second", key), RowProgram(in_psi, "psi", key), RowProgram(third, "third", key)
    )
