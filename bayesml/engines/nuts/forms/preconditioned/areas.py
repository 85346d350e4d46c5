r"""Posterior-scaled coordinates of the effects of many areas, in operations that read neighbours alone.

Near a pilot the latent variables u of ``terms.area_field`` are normal with the precision K = M + C H C, where M is that
of their prior, H is diagonal with the information of the rows of each area, which grows with the standard deviation s
of the effects, and C takes the mean off where the prior does. The sampler moves in zeta,

    u = s l / D + h D^(-1/2) P zeta,    D = diag(M) + H,    log |du / dzeta| = n log h - 1/2 log |D| + a constant.

D follows the parameters at each gradient, so that s = 0 is an ordinary point. P is held: a polynomial of
``A = D^(-1/2) K D^(-1/2)`` at the pilot that is nearly A^(-1/2), so that P'AP is nearly I. Its eigenvalues lie below 2;
the polynomial (Chebyshev's interpolation) has as many terms as the smallest of them needs. The linear term l makes
the mean at the pilot the right one; that of other parameters is left to the whitening at the mode.

h^(-2n) is about the determinant of A at other parameters over that at the pilot. With it zeta fills about the same
volume whatever they are, so that the mode of the joint density is near that of their own. It need not be exact: here
the information is taken as independent of the eigenvectors of the graph,
``log |A| = n mean_ij log((m_i + H_j) / (d + H_j))`` with m eigenvalues of M, d the mean of its diagonal.

Of ``bym2`` the independent effects v beside u are normal given u, area by area; what is left of the information for u
is ``H / (1 + H_v)``, with H_v the information for v.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, final

import jax
import numpy as np
from jax import numpy as jnp

from bayesml.engines.base import Problem
from bayesml.engines.layout import Layout
from bayesml.engines.nuts.forms.base import ValueAndGradient
from bayesml.engines.nuts.forms.preconditioned.arrow import apply_arrow
from bayesml.engines.nuts.forms.preconditioned.blocks import Blocks
from bayesml.engines.nuts.forms.preconditioned.linked import sampled_blocks
from bayesml.engines.nuts.forms.preconditioned.pilot import Pilot
from bayesml.lazy import lazy_module
from bayesml.namespace import array_namespace
from bayesml.spec import ParameterSpec
from bayesml.terms import AbstractTerm, SampledBlock
from bayesml.terms.area_field import AreaField
from bayesml.terms.gather import neighbour_sums, neighbour_tables

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from bayesml.shapes import Numbers, Scalar, Values

    Areas = Float[Array, " areas"]

__all__ = ["ScaledAreas", "scaled_areas", "tuned_with_areas", "with_areas", "with_fields"]

linalg, optimize, sparse = map(lazy_module, ("scipy.sparse.linalg", "scipy.optimize", "scipy.sparse"))

ERROR = 0.1
"""Largest distance of the eigenvalues of P'AP from 1."""
MOST_TERMS = 60
EIGENVALUES, LEVELS = 64, 8
"""How many stand for the eigenvalues of the graph, and for the information of areas, in the volume of zeta."""
LARGEST_STRENGTH = 0.995
"""Where c of escar and p of bym2 are held at most: what lies beyond differs from it in a few directions alone."""


def with_fields(problem: Problem) -> Problem:
    """Return the problem with the terms that the sampler has in other latent variables."""
    design, spec = problem.design, problem.description.spec
    predictors, arrays, parameters = [], {}, spec.parameters
    for predictor in design.schema.predictors:
        terms, of_terms = [], {}
        for term in predictor.terms:
            found, own = term.for_sampler(), design.arrays[predictor.key][term.key]
            of_terms[term.key] = own if found is term else found.rearranged(own)
            parameters = _replaced(parameters, found)
            terms.append(found)
        predictors.append(replace(predictor, terms=tuple(terms)))
        arrays[predictor.key] = of_terms
    schema = replace(design.schema, predictors=tuple(predictors))
    description = replace(problem.description, spec=replace(spec, parameters=parameters))
    return replace(problem, design=replace(design, schema=schema, arrays=arrays), description=description)


def _replaced(parameters: tuple[ParameterSpec, ...], term: AbstractTerm) -> tuple[ParameterSpec, ...]:
    return tuple(term.parameter(parameter) for parameter in parameters)


@final
@dataclass(frozen=True)
class ScaledAreas:
    """The change of variables of the effects of areas.

    Attributes:
        block: the effects.
    """

    block: SampledBlock

    @property
    def field(self) -> AreaField:
        """The effects."""
        assert self.block.field is not None
        return self.block.field

    @property
    def key(self) -> str:
        """Name of the sums of the effects among the data."""
        return self.block.site

    @property
    def standardised(self) -> tuple[ParameterSpec, ...]:
        """No coefficients change with them."""
        return ()

    def transform(
        self, values: Values, sums: Mapping[str, Any], turn: Any = None, bases: Any = None
    ) -> tuple[dict[str, Numbers], Scalar]:
        """Return the latent variables and the log Jacobian determinant.

        Args:
            values: every site, zeta in the place of the latent variables.
            sums: of ``area_sums``.
            turn: not used.
            bases: not used.
        """
        field, zeta = self.field, values[self.block.site]
        of_u, of_v = field.scales(values)
        beside = 1.0 + of_v**2 * sums["information"]
        D = sums["diagonal"] + of_u**2 * sums["information"] / beside
        half = 0.5 * _log_determinant(field, values, sums) - sums["half_log_determinant"]
        away = jnp.exp(-half / field.count) * D**-0.5 * _polynomial(zeta[: field.count], sums)
        u = of_u * sums["linear"] / D + away
        log_jacobian = -half - 0.5 * jnp.sum(jnp.log(D))
        if field.size == field.count:
            return {self.block.site: u}, log_jacobian
        rest = sums["response"] - of_u * sums["information"] * field.centred(u)
        v = (of_v * rest + beside**0.5 * zeta[field.count :]) / beside
        return {self.block.site: jnp.concatenate([u, v])}, log_jacobian - 0.5 * jnp.sum(jnp.log(beside))


def _log_determinant(field: AreaField, values: Mapping[str, Any], sums: Mapping[str, Any]) -> Any:
    """Return about ``log |A|``."""
    xp = array_namespace(values[field.sd])
    of_u, of_v = field.scales(values)
    levels, middle = sums["levels"], sums["diagonal"].mean()
    held = of_u**2 * levels / (1.0 + of_v**2 * levels)
    prior = sums["eigenvalues"] if field.joins_all else middle * (1.0 - field.strength(values) * sums["eigenvalues"])
    inside = xp.log(prior[:, None] + held) @ sums["shares_of_levels"]
    return sums["shares"] @ inside - field.count * (xp.log(middle + held) @ sums["shares_of_levels"])


def _polynomial(zeta: Areas, sums: Mapping[str, Any]) -> Areas:
    return _symmetric()(zeta, sums)


@cache
def _symmetric() -> Any:
    """Return ``P zeta``; P is symmetric, so that its gradient is the same product."""

    def product(zeta: Areas, sums: Mapping[str, Any]) -> Areas:
        """Sum up ``c_k T_k(X) zeta`` by Clenshaw's recurrence, X being A moved and scaled to [-1, 1]."""
        coefficients = sums["coefficients"]
        last = len(coefficients) - 1

        def step(number: Any, later: tuple[Areas, Areas]) -> tuple[Areas, Areas]:
            first, second = later
            return coefficients[last - number] * zeta + 2.0 * _moved(first, sums) - second, first

        first, second = jax.lax.fori_loop(0, last, step, (jnp.zeros_like(zeta), jnp.zeros_like(zeta)))
        return coefficients[0] * zeta + _moved(first, sums) - second

    with_gradient = jax.custom_vjp(product)
    with_gradient.defvjp(
        lambda zeta, sums: (product(zeta, sums), sums),
        lambda sums, change: (product(change, sums), None),
    )
    return with_gradient


def _moved(vector: Areas, sums: Mapping[str, Any]) -> Areas:
    """Return ``(A - middle) / half`` times a vector."""
    w = sums["root"] * vector
    inside = w - sums["off"] * w.mean()
    data = sums["held"] * inside
    whole = sums["diagonal_of_prior"] * w - sums["strength"] * neighbour_sums(w, sums["neighbours"])
    whole = whole + sums["constant"] * w.mean() + data - sums["off"] * data.mean()
    return (sums["root"] * whole - sums["middle"] * vector) / sums["half"]


# Sums ---------------------------------------------------------------------------------------------------------------


def scaled_areas(problem: Problem) -> tuple[ScaledAreas, ...]:
    """Return the effects of many areas of all predictors."""
    return tuple(ScaledAreas(block) for block in sampled_blocks(problem) if block.field is not None)


def with_areas(problem: Problem, pilot: Pilot, areas: Sequence[ScaledAreas]) -> tuple[Pilot, dict[str, dict[str, Any]]]:
    """Return a pilot with better estimates of the hyperparameters of areas, and what ``transform`` needs, by key.

    Args:
        problem: the model, its effects in the basis of the graph.
        pilot: estimates, the further parameter held.
        areas: the effects.
    """
    values, sums = dict(pilot.values), {}
    for scaled in areas:
        block, field = scaled.block, scaled.field
        (key,) = block.predictors
        arrays, working = problem.design.arrays[key][block.parts[0].term], pilot.predictors[key]
        index = np.asarray(arrays["index"])
        effects = (np.asarray(arrays["root"]) @ pilot.effects[block.site][:, 0])[index]
        information = np.bincount(index, working.weights, field.count)
        response = np.bincount(index, working.weights * (working.residuals + effects), field.count)
        at = _estimates(field, information, response, float(pilot.values[field.sd]))
        values |= {name: np.asarray(value) for name, value in at.items()}
        values[block.site] = np.zeros(field.size)
        sums[scaled.key] = _tuned(field, information, response, at, None)
    return replace(pilot, values=values), sums


def tuned_with_areas(
    layout: Layout,
    chain: tuple[Blocks, ...],
    areas: Sequence[ScaledAreas],
    tune: Callable[[ValueAndGradient, Any], Any],
) -> Callable[[ValueAndGradient, Any], Any]:
    """Return the function that tunes a form: with P for the hyperparameters at the mode, which is then sought again."""
    if not areas:
        return tune

    def twice(value_and_gradient: ValueAndGradient, data: Any) -> Any:
        found = tune(value_and_gradient, data)
        at_mode = jnp.zeros(layout.size)
        values = jax.jit(lambda white, scales: layout.constrain(apply_arrow(at_mode, white, chain), scales)[0])(
            found["white"], found["scales"]
        )
        sums = {scaled.key: _retuned(scaled, found["pilot"][scaled.key], values) for scaled in areas}
        pairs = zip(data["white"]["stages"], found["white"]["stages"], strict=True)
        stages = tuple({**unit, "mode": stage["mode"]} for unit, stage in pairs)
        white = data["white"] | {"rest": found["white"]["rest"], "stages": stages}
        return tune(value_and_gradient, found | {"white": white, "pilot": found["pilot"] | sums})

    return twice


def _retuned(scaled: ScaledAreas, sums: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sums with P for other values of the hyperparameters."""
    field = scaled.field
    at = {field.sd: float(values[field.sd])}
    if field.further:
        at[field.further] = min(float(values[field.further]), LARGEST_STRENGTH)
    information, response = np.asarray(sums["information"]), np.asarray(sums["response"])
    return _tuned(field, information, response, at, len(sums["coefficients"]))


def _estimates(field: AreaField, information: np.ndarray, response: np.ndarray, start: float) -> dict[str, float]:
    """Maximise the approximate marginal likelihood of the hyperparameters, a normal one."""

    def values(x: np.ndarray) -> dict[str, float]:
        further = {field.further: LARGEST_STRENGTH / (1.0 + np.exp(-x[1]))} if field.further else {}
        return {field.sd: float(np.exp(x[0])), **further}

    def loss(x: np.ndarray) -> float:
        return -_log_marginal(field, information, response, values(x)) + 0.5 * float(((x - center) ** 2).sum()) / 9.0

    center = np.array([np.log(max(start, 1e-3)), *([1.0] if field.further else [])])
    found = optimize.minimize(loss, center, method="Nelder-Mead", options={"maxfev": 60, "xatol": 0.02, "fatol": 0.05})
    return values(found.x)


def _log_marginal(field: AreaField, information: np.ndarray, response: np.ndarray, at: dict[str, float]) -> float:
    of_u, of_v = field.scales(at)
    beside = 1.0 + of_v**2 * information
    factor = _factor(field, of_u**2 * information / beside, at)
    right = of_u * response / beside
    log_determinant = float(np.log(np.abs(factor.U.diagonal())).sum()) + float(np.log(beside).sum())
    prior = float(np.log(1.0 - at[field.further] * field.graph.spectrum).sum()) if not field.joins_all else 0.0
    fitted = right @ factor.solve(right) + of_v**2 * float((response**2 / beside).sum())
    return 0.5 * (prior - log_determinant + float(fitted))


def _factor(field: AreaField, held: np.ndarray, at: dict[str, float]) -> Any:
    """Factor ``D - c W + H``, which is K but for its constant vector."""
    W = sparse.csc_matrix(field.graph.neighbours)
    smallest = 1e-6 * field.degree.mean()
    return linalg.splu((sparse.diags(field.degree + held + smallest) - field.strength(at) * W).tocsc())


def _tuned(
    field: AreaField, information: np.ndarray, response: np.ndarray, at: dict[str, float], terms: int | None
) -> dict[str, Any]:
    of_u, of_v = field.scales(at)
    beside = 1.0 + of_v**2 * information
    held = of_u**2 * information / beside
    factor = _factor(field, held, at)
    D = field.degree + field.constant / field.count + held
    mean = factor.solve(of_u * response / beside)
    smallest = 0.9 * _smallest_eigenvalue(factor, D)
    coefficients = _interpolation(smallest, terms)
    spectrum = field.graph.spectrum
    known = np.sort(spectrum if not field.joins_all else np.append(field.constant, 1.0 / spectrum[: field.count - 1]))
    eigenvalues, shares = _representatives(known if field.joins_all else -known, EIGENVALUES)
    levels, shares_of_levels = _representatives(np.sort(information), LEVELS)
    sums = {
        "eigenvalues": eigenvalues if field.joins_all else -eigenvalues,
        "shares": shares,
        "levels": levels,
        "shares_of_levels": shares_of_levels / len(information),
        "information": information,
        "response": response,
        "diagonal": field.degree + field.constant / field.count,
        "linear": D * np.asarray(field.centred(mean)) / of_u,
        "root": D**-0.5,
        "held": held,
        "diagonal_of_prior": field.degree,
        "strength": np.float64(field.strength(at)),
        "constant": np.float64(field.constant),
        "off": np.float64(field.share_of_mean),
        "middle": np.float64(0.5 * (2.0 + smallest)),
        "half": np.float64(0.5 * (2.0 - smallest)),
        "coefficients": coefficients,
        "neighbours": neighbour_tables(field.graph.neighbours),
    }
    numbers = {name: np.float64(value) for name, value in at.items()}
    return sums | {"half_log_determinant": np.float64(0.5 * _log_determinant(field, numbers, sums))}


def _representatives(numbers: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a few numbers with weights in the place of many increasing ones: the first one by one, means of others."""
    first = min(count // 2, len(numbers))
    parts = [*np.split(numbers[:first], first), *np.array_split(numbers[first:], count - first)]
    means = np.array([part.mean() if len(part) else 1.0 for part in parts])
    return means, np.array([float(len(part)) for part in parts])


def _smallest_eigenvalue(factor: Any, D: np.ndarray) -> float:
    """Return about the smallest eigenvalue of ``D^(-1/2) K D^(-1/2)``, by inverse iteration."""
    root, vector = np.sqrt(D), np.sqrt(D)
    value = 1.0
    for _ in range(20):
        vector = vector / np.linalg.norm(vector)
        solved = root * factor.solve(root * vector)
        value, vector = 1.0 / float(vector @ solved), solved
    return float(np.clip(value, 1e-4, 1.0))


def _interpolation(smallest: float, terms: int | None) -> np.ndarray:
    """Return the coefficients of Chebyshev's polynomial for ``x^(-1/2)`` on [smallest, 2]."""
    middle, half = 0.5 * (2.0 + smallest), 0.5 * (2.0 - smallest)
    chebyshev, fine = np.polynomial.chebyshev, np.cos(np.linspace(0.0, np.pi, 400))

    def inverse_root(x: Any) -> Any:
        return (middle + half * x) ** -0.5

    for count in range(2, MOST_TERMS + 1) if terms is None else (terms,):
        found = chebyshev.chebinterpolate(inverse_root, count - 1)
        errors = chebyshev.chebval(fine, found) ** 2 * (middle + half * fine) - 1.0
        if np.abs(errors).max() <= ERROR:
            break
    return np.asarray(found)
