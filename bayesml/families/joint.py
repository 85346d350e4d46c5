"""The joint distribution of several responses, each with a likelihood of its own.

The responses of a row are independent given the parameters, or have correlated residuals: with residuals
e_i = (y_i - mu_i) / sigma_i of k responses and a correlation matrix R, e is multivariate normal with covariance R, or
multivariate Student t of nu degrees of freedom with scale matrix R, where nu is the same for all responses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.distributions import lkj
from bayesml.distributions.lkj import cholesky_factor
from bayesml.errors import DataError
from bayesml.families.base import AbstractFamily, AbstractLikelihood
from bayesml.families.correlated import Residual, log_correlated
from bayesml.families.gaussian import total_scale
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits, joint_traits
from bayesml.families.several import PriorOfResponse, of_response_alone, renamed, several
from bayesml.keys import PredictorKey
from bayesml.links import Link
from bayesml.names import of_response
from bayesml.spec import JointTarget, ParameterSpec
from bayesml.supports import CorrCholesky

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Numbers, Observed, PerRow, Values

__all__ = ["CORRELATIONS", "FACTOR", "SHARED", "JointLikelihood"]

FACTOR, CORRELATIONS = "Lrescor", "rescor"
"""The Cholesky factor of the residual correlations, which is sampled, and the correlations, which are reported."""
SHARED: dict[str, tuple[str, ...]] = {"normal": (), "student_t": ("nu",)}
"""Kinds of residuals that may be correlated, each with the parameters that all responses then have in common."""


@final
@dataclass(frozen=True)
class JointLikelihood(AbstractLikelihood):
    """The distribution of all responses of a row.

    Names of parameters and of the arrays of ``data`` end in that of their response, ``sigma_y1``; a parameter that all
    responses have in common keeps its name. ``y`` has a column for each response, or several for a response of several
    columns, one response after the other. The density includes the weights of the rows, which may differ between
    responses.

    Attributes:
        parts: name and likelihood of each response.
        residuals: ``normal`` or ``student_t`` where residuals are correlated, else empty.
        patterns: where residuals are correlated and not all rows are of all responses, which of these rows may have.
    """

    parts: tuple[tuple[str, AbstractLikelihood], ...]
    residuals: str = ""
    patterns: tuple[tuple[bool, ...], ...] = ()

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
        """The distributional parameters of every response, then those that all have in common."""
        of_responses = tuple(
            replace(p, name=of_response(p.name, resp), role=p.kind)
            for resp, part in self.parts
            for p in part.dpars
            if p.name not in self.shared
        )
        return of_responses + tuple(self.parts[0][1].dpar(name) for name in self.shared)

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """Further sampled parameters of every response, and the factor of the residual correlations."""
        of_responses = tuple(renamed(p, resp) for resp, part in self.parts for p in part.parameters)
        if not self.residuals:
            return of_responses
        shape, support = (len(self.parts), len(self.parts)), CorrCholesky()
        factor = ParameterSpec(
            FACTOR, CORRELATIONS, shape, support=support, priors=(lkj(1),), correlated=self.responses
        )
        return (*of_responses, factor)

    @property
    def further(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """Names and shapes of the values that the densities take besides ``dpars``."""
        of_responses = tuple(
            (of_response(name, resp), shape) for resp, part in self.parts for name, shape in part.further
        )
        size = len(self.parts)
        return (*of_responses, (FACTOR, (size, size))) if self.residuals else of_responses

    @property
    def computed(self) -> tuple[JointTarget, ...]:
        """The computed parameters of every response."""
        return tuple(
            JointTarget(PriorOfResponse(each.prior, resp), renamed(each.target, resp))
            for resp, part in self.parts
            for each in part.computed
        )

    @property
    def flat_in_brms(self) -> frozenset[str]:  # type: ignore[override]
        """Parameters whose default prior in brms is flat, of all responses."""
        return frozenset().union(*(part.flat_in_brms for _, part in self.parts))

    @property
    def linear(self) -> frozenset[str]:
        """The parameters that densities take as linear predictors; none with correlated residuals, which need mu."""
        if self.residuals:
            return frozenset()
        return frozenset(of_response(name, resp) for resp, part in self.parts for name in part.linear)

    @property
    def traits(self) -> Traits:
        """Discrete, or with rows that repeat, where all responses are; several modes where one response has them."""
        return joint_traits([part.traits for _, part in self.parts])

    @property
    def also_taken(self) -> tuple[str, ...]:
        """What each response may have."""
        return tuple(of_response(name, resp) for resp, part in self.parts for name in part.also_taken)

    def name_of(self, key: PredictorKey) -> str:
        """Return ``sigma_y1``; a parameter that the responses have in common keeps its name."""
        return key.dpar if key.dpar in self.shared else of_response(key.dpar, key.resp)

    def key_of(self, dpar: str) -> PredictorKey:
        """Return the response and the parameter that a name such as ``sigma_y1`` says."""
        if dpar in self.shared:
            return PredictorKey(dpar=dpar)
        name, _, resp = dpar.rpartition("_")
        return PredictorKey(resp, name)

    def part(self, resp: str) -> AbstractLikelihood:
        """Return the likelihood of a response."""
        return dict(self.parts)[resp]

    def link(self, dpar: str) -> Link:
        """Return the link of a parameter such as ``sigma_y1``."""
        key = self.key_of(dpar)
        return self.part(key.resp or self.responses[0]).link(key.dpar)

    def chosen_link(self, dpar: str) -> Link:
        """Return the link of such a parameter as the user chose it."""
        key = self.key_of(dpar)
        return self.part(key.resp or self.responses[0]).chosen_link(key.dpar)

    def own_values(self, resp: str, values: Values) -> dict[str, Numbers]:
        """Return the parameters of one response under the names that its likelihood gives them."""
        part = self.part(resp)
        names = [*(p.name for p in part.dpars), *(name for name, _ in part.further), *part.also_taken]
        joint = [name if name in self.shared else of_response(name, resp) for name in names]
        return {name: values[among_all] for name, among_all in zip(names, joint, strict=True) if among_all in values}

    def own_data(self, resp: str, data: DataArrays) -> dict[str, Any]:
        """Return the arrays of one response under their own names, ``y`` among them where it is there."""
        suffix = f"_{resp}"
        arrays = {name.removesuffix(suffix): array for name, array in data.items() if name.endswith(suffix)}
        if "y" not in data:
            return arrays
        start, stop = self._columns()[self.responses.index(resp)]
        whole = bool(self.part(resp).response_labels)
        return {**arrays, "y": data["y"][..., start:stop] if whole else data["y"][..., start]}

    def _columns(self) -> list[tuple[int, int]]:
        counts = [len(part.response_labels) or 1 for _, part in self.parts]
        ends = np.cumsum(counts).tolist()
        return [(end - count, end) for end, count in zip(ends, counts, strict=True)]

    def joined(self, arrays: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Return the arrays of all responses as one mapping, the way back of ``own_data``; ``y`` if all have it."""
        arrays_of_all: dict[str, np.ndarray] = {}
        if all("y" in of_one for of_one in arrays):
            columns = [np.reshape(np.asarray(of_one["y"], float), (len(of_one["y"]), -1)) for of_one in arrays]
            arrays_of_all["y"] = np.concatenate(columns, axis=1)
        for resp, of_one in zip(self.responses, arrays, strict=True):
            arrays_of_all |= {f"{name}_{resp}": array for name, array in of_one.items() if name != "y"}
        return arrays_of_all

    def values(self, predictors: Values, single: Values) -> dict[str, Numbers]:
        """Return the parameters of every response as its density takes them."""
        values = {FACTOR: single[FACTOR]} if self.residuals else {}
        for resp, part in self.parts:
            parameters = part.values(self.own_values(resp, predictors), self.own_values(resp, single))
            if self.residuals:
                parameters = {
                    name: part.link(name).inverse(v) if name in part.linear else v for name, v in parameters.items()
                }
            values |= {self.name_of(PredictorKey(resp, name)): value for name, value in parameters.items()}
        return values

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Refuse: each response is encoded by its own likelihood."""
        raise DataError(f"`{response.name}` is one of several responses, which are encoded one by one.")

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of all responses of a row, times their weights."""
        every = {**data, "y": y}
        if self.residuals:
            return _weighted(self._correlated(values, every), self.own_data(self.responses[0], every))
        return self._independent("log_prob", values, every)

    def log_predictive(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of what was observed of each row, times the weights; see ``AbstractLikelihood``."""
        if self.residuals:
            return self.log_prob(y, values, data)
        return self._independent("log_predictive", values, {**data, "y": y})

    def _independent(self, what: str, values: Values, data: DataArrays) -> PerRow:
        rows = []
        for resp, part in self.parts:
            arrays, own = self.own_data(resp, data), self.own_values(resp, values)
            method = {"log_prob": part.log_prob, "log_predictive": part.log_predictive}[what]
            rows.append(_weighted(_within(method(_response_of(arrays), own, arrays), arrays), arrays))
        return sum(rows[1:], start=rows[0])

    def _correlated(self, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of responses with correlated residuals; of each row of those that it has."""
        residuals = []
        for resp, part in self.parts:
            parameters, arrays = self.own_values(resp, values), self.own_data(resp, data)
            scale, y = total_scale(parameters, arrays), _response_of(arrays)
            complete = part.completed(y, parameters, arrays)
            measured = part.log_measured(y, complete, arrays)
            residuals.append(Residual((complete - parameters["mu"]) / scale, scale, measured))
        factor, nu = values[FACTOR], values["nu"] if self.residuals == "student_t" else None
        if not self.patterns:
            return log_correlated(residuals, factor, range(len(residuals)), nu)
        from jax import numpy as jnp

        has = [data.get(f"subset_{resp}") for resp in self.responses]
        total: PerRow = 0.0
        for pattern in self.patterns:
            places = [place for place, is_there in enumerate(pattern) if is_there]
            given = [each == there for each, there in zip(has, pattern, strict=True) if each is not None]
            alike = jnp.all(jnp.stack(given), axis=0)
            total = total + jnp.where(alike, log_correlated(residuals, factor, places, nu), 0.0)
        return total

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return what the responses derive, and the residual correlations, row by row of the upper triangle."""
        derived = {
            of_response(name, resp): value
            for resp, part in self.parts
            for name, value in part.derive(self.own_values(resp, values)).items()
        }
        if not self.residuals:
            return derived
        factor = values[FACTOR]
        return {**derived, CORRELATIONS: (factor @ factor.T)[np.triu_indices(len(self.parts), 1)]}

    def sampled(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return what is sampled of the responses, and the factor of the residual correlations."""
        sampled = {
            of_response(name, resp): value
            for resp, part in self.parts
            for name, value in part.sampled(of_response_alone(resp, values)).items()
        }
        matrix = self.residual_correlations(values)
        return sampled if matrix is None else {**sampled, FACTOR: cholesky_factor(matrix)}

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
        moments = []
        for resp, part in self.parts:
            method = {"mean": part.mean, "variance": part.variance}[what]
            value = method(self.own_values(resp, parameters), self.own_data(resp, data))
            moments.append(np.asarray(value) if part.event_shape else np.asarray(value)[..., None])
        return np.concatenate(_alike(moments), axis=-1)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Return random responses, one in each column."""
        if self.residuals:
            return self._draw_correlated(rng, parameters, data)
        drawn = []
        for resp, part in self.parts:
            response = part.draw(rng, self.own_values(resp, parameters), self.own_data(resp, data))
            drawn.append(response if part.response_labels else response[..., None])
        return np.concatenate(_alike(drawn), axis=-1)

    def _draw_correlated(
        self, rng: np.random.Generator, parameters: Mapping[str, Any], data: Mapping[str, Any]
    ) -> np.ndarray:
        """Draw L z sigma + mu with z standard normal; divided by the root of chi^2 / nu that is Student t."""
        by_response = [(self.own_values(resp, parameters), self.own_data(resp, data)) for resp in self.responses]
        means, scales = [values["mu"] for values, _ in by_response], [total_scale(*each) for each in by_response]
        factor, size = np.asarray(parameters[FACTOR]), len(by_response)
        shape = np.broadcast_shapes(*map(np.shape, (*means, *scales)), factor.shape[:-2])
        residuals = np.einsum("...ij,...j->...i", factor, rng.standard_normal((*shape, size)))
        if self.residuals == "student_t":
            nu = np.asarray(parameters["nu"])
            residuals = residuals / np.sqrt(rng.chisquare(np.broadcast_to(nu, shape)) / nu)[..., None]
        each = [mean + scale * residuals[..., i] for i, (mean, scale) in enumerate(zip(means, scales, strict=True))]
        return np.stack(each, axis=-1)


def _response_of(arrays: Mapping[str, Any]) -> Any:
    """Return the response, with possible values in rows that are none of its own."""
    return arrays.get("filled", arrays["y"])


def _within(rows: PerRow, data: Mapping[str, Any]) -> PerRow:
    """Return log densities that are 0 in rows that are none of the response."""
    from jax import numpy as jnp

    return jnp.where(data["subset"], rows, 0.0) if "subset" in data else rows


def _weighted(rows: PerRow, data: Mapping[str, Any]) -> PerRow:
    """Multiply log densities by weights; a row without weight may have any density."""
    from jax import numpy as jnp

    weights = data.get("weights")
    return rows if weights is None else jnp.where(weights > 0, rows, 0.0) * weights


def _alike(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Broadcast all but the last axes of some arrays."""
    shape = np.broadcast_shapes(*(array.shape[:-1] for array in arrays))
    return [np.broadcast_to(array, (*shape, array.shape[-1])) for array in arrays]
