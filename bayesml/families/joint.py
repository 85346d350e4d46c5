"""The joint distribution of several responses, each with a likelihood of its own.

The responses of a row are independent given the parameters, or have correlated residuals: with residuals
e_i = (y_i - mu_i) / sigma_i of k responses and a correlation matrix R, e is multivariate normal with covariance R, or
multivariate Student t of nu degrees of freedom with scale matrix R, where nu is the same for all responses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log, pi
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.distributions import lkj
from bayesml.distributions.lkj import cholesky_factor
from bayesml.errors import DataError, FormulaError
from bayesml.families.base import AbstractFamily, AbstractLikelihood
from bayesml.families.gaussian import total_scale
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.rising import log_rising
from bayesml.families.several import several
from bayesml.keys import PredictorKey
from bayesml.links import Link
from bayesml.names import of_response
from bayesml.spec import JointTarget, ParameterSpec
from bayesml.supports import CorrCholesky

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Numbers, Observed, PerRow, Values

__all__ = ["CORRELATIONS", "FACTOR", "JointLikelihood", "joint_likelihood"]

FACTOR, CORRELATIONS = "Lrescor", "rescor"
"""The Cholesky factor of the residual correlations, which is sampled, and the correlations, which are reported."""
SHARED: dict[str, tuple[str, ...]] = {"normal": (), "student_t": ("nu",)}
"""Kinds of residuals that may be correlated, each with the parameters that all responses then have in common."""


@final
@dataclass(frozen=True)
class JointLikelihood(AbstractLikelihood):
    """The distribution of all responses of a row.

    Parameters, and the arrays of ``data``, have the name of their response behind their own, ``sigma_y1``, but those
    that all responses have in common. ``y`` has a column for each response, and as many as it has of one of several
    columns. Weights of rows are part of the density, since each response has its own.

    Attributes:
        parts: name and likelihood of each response.
        residuals: ``normal`` or ``student_t`` where residuals are correlated, else empty.
    """

    parts: tuple[tuple[str, AbstractLikelihood], ...]
    residuals: str = ""

    @property
    def family(self) -> AbstractFamily:
        """The families of the responses."""
        return several([part.family for _, part in self.parts])

    @property
    def shared(self) -> tuple[str, ...]:
        """Names of the distributional parameters that all responses have in common."""
        return SHARED[self.residuals] if self.residuals else ()

    @property
    def responses(self) -> tuple[str, ...]:
        """Names of the responses."""
        return tuple(name for name, _ in self.parts)

    @property
    def dpars(self) -> tuple[DistributionalParameter, ...]:
        """Those of every response, then those that they have in common."""
        own = tuple(
            replace(p, name=of_response(p.name, resp), role=p.kind)
            for resp, part in self.parts
            for p in part.dpars
            if p.name not in self.shared
        )
        return own + tuple(self.parts[0][1].dpar(name) for name in self.shared)

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """Those of every response, and the factor of the residual correlations."""
        own = tuple(_renamed(p, resp) for resp, part in self.parts for p in part.parameters)
        if not self.residuals:
            return own
        shape = (len(self.parts), len(self.parts))
        return (*own, ParameterSpec(FACTOR, CORRELATIONS, shape, support=CorrCholesky(), priors=(lkj(1),)))

    @property
    def further(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """What the densities take beside ``dpars``."""
        own = tuple((of_response(name, resp), shape) for resp, part in self.parts for name, shape in part.further)
        size = len(self.parts)
        return (*own, (FACTOR, (size, size))) if self.residuals else own

    @property
    def computed(self) -> tuple[JointTarget, ...]:
        """The computed parameters of every response."""
        return tuple(
            JointTarget(PriorOfResponse(each.prior, resp), _renamed(each.target, resp))
            for resp, part in self.parts
            for each in part.computed
        )

    @property
    def flat_in_brms(self) -> frozenset[str]:  # type: ignore[override]
        """As in the responses."""
        return frozenset().union(*(part.flat_in_brms for _, part in self.parts))

    @property
    def linear(self) -> frozenset[str]:
        """Those of the responses; none where residuals are computed."""
        if self.residuals:
            return frozenset()
        return frozenset(of_response(name, resp) for resp, part in self.parts for name in part.linear)

    @property
    def traits(self) -> Traits:
        """What all responses share."""
        every = [part.traits for _, part in self.parts]
        return Traits(
            discrete=all(traits.discrete for traits in every),
            rows_repeat=all(traits.rows_repeat for traits in every),
            several_modes=any(traits.several_modes for traits in every),
        )

    def name_of(self, key: PredictorKey) -> str:
        """Return ``sigma_y1``; a parameter that the responses have in common keeps its name."""
        return key.dpar if key.dpar in self.shared else of_response(key.dpar, key.resp)

    def key_of(self, dpar: str) -> PredictorKey:
        """Return response and parameter."""
        if dpar in self.shared:
            return PredictorKey(dpar=dpar)
        name, _, resp = dpar.rpartition("_")
        return PredictorKey(resp, name)

    def part(self, resp: str) -> AbstractLikelihood:
        """Return the likelihood of a response."""
        return dict(self.parts)[resp]

    def link(self, dpar: str) -> Link:
        """Return the link in its response."""
        key = self.key_of(dpar)
        return self.part(key.resp or self.responses[0]).link(key.dpar)

    def chosen_link(self, dpar: str) -> Link:
        """Return the link as the user chose it."""
        key = self.key_of(dpar)
        return self.part(key.resp or self.responses[0]).chosen_link(key.dpar)

    def own_values(self, resp: str, values: Values) -> dict[str, Numbers]:
        """Return the parameters of one response under the names that its likelihood gives them."""
        part = self.part(resp)
        names = [*(p.name for p in part.dpars), *(name for name, _ in part.further), *part.also_taken]
        joint = [name if name in self.shared else of_response(name, resp) for name in names]
        return {own: values[name] for own, name in zip(names, joint, strict=True) if name in values}

    def own_data(self, resp: str, data: DataArrays) -> dict[str, Any]:
        """Return the arrays of one response under their own names, ``y`` among them where it is there."""
        suffix = f"_{resp}"
        found = {name.removesuffix(suffix): array for name, array in data.items() if name.endswith(suffix)}
        if "y" not in data:
            return found
        start, stop = self._columns()[self.responses.index(resp)]
        whole = bool(self.part(resp).response_labels)
        return {**found, "y": data["y"][..., start:stop] if whole else data["y"][..., start]}

    def _columns(self) -> list[tuple[int, int]]:
        counts = [len(part.response_labels) or 1 for _, part in self.parts]
        ends = np.cumsum(counts).tolist()
        return [(end - count, end) for end, count in zip(ends, counts, strict=True)]

    def joined(self, arrays: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Return the arrays of all responses as one mapping, the way back of ``own_data``; ``y`` if all have it."""
        arrays_of_all: dict[str, np.ndarray] = {}
        if all("y" in own for own in arrays):
            columns = [np.reshape(np.asarray(own["y"], float), (len(own["y"]), -1)) for own in arrays]
            arrays_of_all["y"] = np.concatenate(columns, axis=1)
        for resp, own in zip(self.responses, arrays, strict=True):
            arrays_of_all |= {f"{name}_{resp}": array for name, array in own.items() if name != "y"}
        return arrays_of_all

    def values(self, predictors: Values, single: Values) -> dict[str, Numbers]:
        """Return the parameters of every response as its density wants them."""
        found = {FACTOR: single[FACTOR]} if self.residuals else {}
        for resp, part in self.parts:
            own = part.values(self.own_values(resp, predictors), self.own_values(resp, single))
            if self.residuals:
                own = {name: part.link(name).inverse(v) if name in part.linear else v for name, v in own.items()}
            found |= {self.name_of(PredictorKey(resp, name)): value for name, value in own.items()}
        return found

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Refuse: each response is encoded by its own likelihood."""
        raise DataError(f"`{response.name}` is one of several responses, which are encoded one by one.")

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of all responses of a row, times their weights."""
        every = {**data, "y": y}
        if self.residuals:
            return _weighted(self._correlated(values, every), self.own_data(self.responses[0], every))
        rows = []
        for resp, part in self.parts:
            own = self.own_data(resp, every)
            rows.append(_weighted(part.log_prob(own["y"], self.own_values(resp, values), own), own))
        return sum(rows[1:], start=rows[0])

    def _correlated(self, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of responses with correlated residuals.

        With e = (y - mu) / sigma and R = L L', u solves L u = e, so that e' R^-1 e = u' u, and the determinant of the
        covariance matrix diag(sigma) R diag(sigma) is the square of the product of all sigma_i L_ii.
        """
        from jax import numpy as jnp

        factor = values[FACTOR]
        u: list[PerRow] = []
        logs: list[PerRow] = []
        for i, (resp, _) in enumerate(self.parts):
            own, arrays = self.own_values(resp, values), self.own_data(resp, data)
            scale = total_scale(own, arrays)
            rest = (arrays["y"] - own["mu"]) / scale
            for j, earlier in enumerate(u):
                rest = rest - factor[..., i, j] * earlier
            u.append(rest / factor[..., i, i])
            logs.append(jnp.log(scale * factor[..., i, i]))
        k, square, log_scale = len(u), sum(each**2 for each in u), sum(logs)
        if self.residuals == "normal":
            return -0.5 * square - log_scale - 0.5 * k * log(2 * pi)
        # Gamma((nu + k) / 2) / Gamma(nu / 2) (nu pi)^(-k/2) (1 + u'u / nu)^(-(nu + k) / 2) / prod sigma_i L_ii, where
        # log Gamma((nu + k) / 2) - log Gamma(nu / 2) - k/2 log nu is log_rising(nu / 2, k / 2) - k/2 log 2.
        nu = values["nu"]
        constant = log_rising(0.5 * nu, 0.5 * k) - 0.5 * k * log(2 * pi)
        return constant - log_scale - 0.5 * (nu + k) * jnp.log1p(square / nu)

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return the residual correlations, row by row of the upper triangle."""
        if not self.residuals:
            return {}
        factor = values[FACTOR]
        return {CORRELATIONS: (factor @ factor.T)[np.triu_indices(len(self.parts), 1)]}

    def sampled(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the factor of the residual correlations."""
        matrix = self.residual_correlations(values)
        return {} if matrix is None else {FACTOR: cholesky_factor(matrix)}

    def residual_correlations(self, values: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """Return the correlation matrices of the residuals, from draws of the reported variables."""
        if not self.residuals:
            return None
        pairs, size = np.asarray(values[CORRELATIONS]), len(self.parts)
        matrix = np.zeros((*pairs.shape[:-1], size, size)) + np.eye(size)
        rows, columns = np.triu_indices(size, 1)
        matrix[..., rows, columns] = matrix[..., columns, rows] = pairs
        return matrix

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the expected responses, ``(..., rows, columns)``; of a response of categories their probabilities."""
        return self._side_by_side("mean", parameters, data)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of each response, in the columns of ``mean``."""
        return self._side_by_side("variance", parameters, data)

    def _side_by_side(self, what: str, parameters: Values, data: DataArrays) -> Expected:
        found = []
        for resp, part in self.parts:
            method = {"mean": part.mean, "variance": part.variance}[what]
            value = method(self.own_values(resp, parameters), self.own_data(resp, data))
            found.append(np.asarray(value) if part.event_shape else np.asarray(value)[..., None])
        return np.concatenate(_alike(found), axis=-1)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Return random responses, one in each column."""
        if self.residuals:
            return self._draw_correlated(rng, parameters, data)
        drawn = []
        for resp, part in self.parts:
            own = part.draw(rng, self.own_values(resp, parameters), self.own_data(resp, data))
            drawn.append(own if part.response_labels else own[..., None])
        return np.concatenate(_alike(drawn), axis=-1)

    def _draw_correlated(
        self, rng: np.random.Generator, parameters: Mapping[str, Any], data: Mapping[str, Any]
    ) -> np.ndarray:
        """Draw L z sigma + mu with z standard normal; divided by the root of chi^2 / nu that is Student t."""
        own = [(self.own_values(resp, parameters), self.own_data(resp, data)) for resp in self.responses]
        means, scales = [values["mu"] for values, _ in own], [total_scale(*each) for each in own]
        factor, size = np.asarray(parameters[FACTOR]), len(own)
        shape = np.broadcast_shapes(*map(np.shape, (*means, *scales)), factor.shape[:-2])
        residuals = np.einsum("...ij,...j->...i", factor, rng.standard_normal((*shape, size)))
        if self.residuals == "student_t":
            nu = np.asarray(parameters["nu"])
            residuals = residuals / np.sqrt(rng.chisquare(np.broadcast_to(nu, shape)) / nu)[..., None]
        each = [mean + scale * residuals[..., i] for i, (mean, scale) in enumerate(zip(means, scales, strict=True))]
        return np.stack(each, axis=-1)


@final
@dataclass(frozen=True)
class PriorOfResponse:
    """How a parameter of one response is computed, from values under their names among several responses."""

    prior: Any
    resp: str

    def parameters(self, target: ParameterSpec) -> tuple[ParameterSpec, ...]:
        """The likelihood has them already."""
        return ()

    def value(self, target: ParameterSpec, values: Mapping[str, Any]) -> Any:
        """Return the parameter."""
        suffix = f"_{self.resp}"
        own = {name.removesuffix(suffix): value for name, value in values.items() if name.endswith(suffix)}
        return self.prior.value(target, own)

    def __str__(self) -> str:
        return str(self.prior)


def joint_likelihood(
    parts: Sequence[tuple[str, AbstractLikelihood]],
    predicted: Sequence[frozenset[str]],
    weights: Sequence[np.ndarray | None],
    rescor: bool | None,
) -> JointLikelihood:
    """Return the distribution of several responses.

    Args:
        parts: name and likelihood of each response.
        predicted: the parameters of each that have a formula.
        weights: the weights of the rows of each.
        rescor: whether residuals are correlated; None says that they are where they can be, as in brms.

    Raises:
        FormulaError: residuals shall be correlated, and these responses have no such distribution.
    """
    kinds = {part.traits.residuals for _, part in parts}
    obstacle = _obstacle(parts, predicted, weights) if rescor is not False else ""
    if rescor and obstacle:
        raise FormulaError(f"Residuals cannot be correlated, `rescor=True`: {obstacle} Write set_rescor(False).")
    correlated = rescor is not False and not obstacle
    return JointLikelihood(tuple(parts), kinds.pop() if correlated else "")


def _obstacle(
    parts: Sequence[tuple[str, AbstractLikelihood]],
    predicted: Sequence[frozenset[str]],
    weights: Sequence[np.ndarray | None],
) -> str:
    """Return why residuals cannot be correlated, a sentence; empty where they can."""
    kinds = {part.traits.residuals for _, part in parts}
    if len(kinds) > 1 or "" in kinds:
        listed = ", ".join(f"`{resp}` is {_described(part)}" for resp, part in parts)
        return f"responses must be all gaussian or all student, without cens() and trunc(); {listed}."
    (kind,) = kinds
    for (resp, _), names in zip(parts, predicted, strict=True):
        for name in SHARED[kind]:
            if name in names:
                return f"`{name}` is one number for all responses, and `{resp}` gives it a formula."
    given = [np.ones(1) if own is None else own for own in weights]
    if not all(np.array_equal(given[0], own) for own in given[1:]):
        return "a row counts as a whole, and the responses have different weights."
    return ""


def _described(part: AbstractLikelihood) -> str:
    return part.family.name + ("" if part.traits.residuals or part is part.family else " with response terms")


def _renamed(parameter: ParameterSpec, resp: str) -> ParameterSpec:
    return replace(parameter, name=of_response(parameter.name, resp), predictor=replace(parameter.predictor, resp=resp))


def _weighted(rows: PerRow, data: Mapping[str, Any]) -> PerRow:
    """Multiply log densities by weights; a row without weight may have any density."""
    from jax import numpy as jnp

    weights = data.get("weights")
    return rows if weights is None else jnp.where(weights > 0, rows, 0.0) * weights


def _alike(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Broadcast all but the last axes of some arrays."""
    shape = np.broadcast_shapes(*(array.shape[:-1] for array in arrays))
    return [np.broadcast_to(array, (*shape, array.shape[-1])) for array in arrays]
