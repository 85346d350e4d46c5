"""The collapsed Gaussian form against dense formulas and against the model as written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from scipy.linalg import block_diag

from bayesml.describe import describe
from bayesml.design import build_design
from bayesml.distributions import Constant, Flat, Normal
from bayesml.engines.base import Problem
from bayesml.engines.layout import Layout, flatten, layout_of
from bayesml.engines.nuts.forms.base import Form
from bayesml.engines.nuts.forms.collapsed import collapse_conditions, collapsed_form
from bayesml.engines.nuts.forms.collapsed.compress import compressed
from bayesml.engines.nuts.forms.collapsed.model import Split, split_of
from bayesml.engines.nuts.forms.gaussian.elimination import Parameters, log_marginal
from bayesml.engines.nuts.forms.gaussian.rows import GaussianRows, SlopePriors
from bayesml.engines.nuts.forms.gaussian.statistics import arrange, statistics
from bayesml.engines.nuts.forms.plain import plain_form
from bayesml.engines.nuts.forms.preconditioned.arrangement import scaled_alone
from bayesml.engines.nuts.forms.preconditioned.arrow import apply_arrow
from bayesml.engines.precision import double_precision
from bayesml.families import get_family
from bayesml.formula import bf, formula_variables, parse
from bayesml.frame import column_names, read_frame
from bayesml.keys import MU, PredictorKey
from bayesml.language import language_with
from bayesml.linalg import GroupBlock
from bayesml.priors import Prior, prior
from tests.tuning import hessian_at, tuned_data

N = 48


def data() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    top = np.repeat(np.arange(4), N // 4)
    middle = np.repeat(np.arange(12), N // 12)
    frame = pd.DataFrame(
        {
            "g": rng.permutation(np.arange(N) % 6),
            "h": rng.integers(0, 4, N),
            "k": rng.integers(0, 3, N),
            "a": top,
            "b": middle,
            "row": np.arange(N),
        }
    ).astype(str)
    for name in ("x", "x2", "x3"):
        frame[name] = rng.normal(size=N)
    frame["time"] = np.tile(np.arange(8.0), 6)
    frame["person"] = np.repeat([f"p{i}" for i in range(6)], 8)
    frame["w"] = rng.uniform(0.3, 2.5, N)
    frame["s"] = rng.uniform(0.5, 2.0, N)
    frame["o"] = 3.0 * rng.normal(size=N)
    frame["y"] = 5.0 + frame["x"] + 0.5 * top + rng.normal(size=N)
    frame["positive"] = np.exp(0.3 * frame["y"])
    return frame


@dataclass(frozen=True)
class Case:
    formula: Any
    family: str = "gaussian"
    priors: tuple[Prior, ...] = ()
    style: Any = "bayesml"

    def problem(self) -> Problem:
        family = get_family(self.family)
        frame = data()
        parsed = parse(self.formula, column_names(frame), language_with())
        design = build_design(parsed, read_frame(frame, formula_variables(parsed)), family)
        return Problem(design, describe(design, self.priors, self.style))


CASES = {
    "no groups": Case("y ~ x + x2"),
    "intercept only": Case("y ~ 1"),
    "one factor": Case("y ~ x + (1 | g)"),
    "one factor q=2": Case("y ~ x + (x | g)"),
    "one factor q=3": Case("y ~ x + x2 + (x + x2 | g)"),
    "one factor q=4": Case("y ~ x + (x + x2 + x3 | g)"),
    "one factor q=5": Case("y ~ x + (x + x2 + x3 + o | h)"),
    "balanced": Case("y ~ time + (time | person)"),
    "balanced intercepts": Case("y ~ 1 + (1 | row)"),
    "fewer rows than columns": Case("y ~ x + (x + x2 | row)"),
    "independent columns": Case("y ~ x + (x || g)"),
    "blocks": Case("y ~ x + (x | g) + (0 + x2 + x3 || g)"),
    "nested 2": Case("y ~ x + (x | a) + (1 | b)"),
    "nested 3": Case("y ~ x + (1 | a) + (x2 | b) + (1 | row)"),
    "crossed": Case("y ~ x + (1 | g) + (1 | h)"),
    "crossed vectors": Case("y ~ x + (x | g) + (x2 | h)"),
    "three crossed": Case("y ~ (1 | g) + (x || h) + (1 | k)"),
    "nested and crossed": Case("y ~ x + (1 | a) + (x | b) + (x2 | h)"),
    "weights": Case("y | weights(w) ~ x + (x | g) + (1 | h)"),
    "se": Case("y | se(s) ~ 1 + (1 | row)"),
    "se and weights": Case("y | se(s) + weights(w) ~ x + (1 | g)"),
    "offset": Case("y ~ x + offset(o) + (1 | g)"),
    "flat slopes": Case("y ~ x + x2 + (x | g)", style="brms"),
    "flat slopes crossed": Case("y ~ x + x2 + x3 + o + (x | g) + (1 | h)", style="brms"),
    "student slope": Case("y ~ x + x2 + (x | g)", priors=(prior("student_t(3, 0, 2)", "b", coef="x"),)),
    "all slopes student": Case("y ~ x + x2 + (1 | g)", priors=(prior("student_t(3, 0, 2)", "b"),)),
    "bounded slope": Case("y ~ x + (1 | g)", priors=(prior("normal(0, 2)", "b", lb=0.0),), style="brms"),
    "constant slope": Case("y ~ x + x2 + (1 | g)", priors=(prior("constant(0.5)", "b", coef="x2"),)),
    "constant sigma": Case("y ~ x + (1 | g)", priors=(prior("constant(1.5)", "sigma"),)),
    "no intercept": Case("y ~ 0 + x + (0 + x | g)"),
    "flat intercept": Case("y ~ 1 + (1 | g)", priors=(prior("flat", "Intercept"),)),
    "sigma by factor": Case(bf("y ~ x + (x | g)", sigma="~ k")),
    "sigma by factor, crossed": Case(bf("y | weights(w) ~ x + (1 | g) + (x | h)", sigma="~ 0 + h")),
    "sigma by level, nested": Case(bf("y ~ x + (x | a) + (1 | b)", sigma="~ (1 | h)")),
    "sigma by factor, no groups": Case(bf("positive ~ x", sigma="~ k"), "lognormal"),
    "lognormal": Case("positive ~ x + (x | g)", "lognormal"),
    "lognormal weights": Case("positive | weights(w) ~ x + (1 | g)", "lognormal"),
    "smooth": Case("y ~ s(x, k=6)"),
    "smooth by factor": Case("y ~ k + s(x, by=k, k=4) + (x2 | g)", style="brms"),
    "smooths and crossed": Case("y | weights(w) ~ s(x, k=4) + s(x2, k=5, bs='cr') + (1 | g) + (x | h)"),
    "smooth, student slope": Case("y ~ x2 + s(x, k=5) + (1 | g)", priors=(prior("student_t(3, 0, 2)", "b"),)),
    "smooth, sigma by factor": Case(bf("y ~ s(x, k=5) + (1 | a) + (1 | b)", sigma="~ k")),
}


# Cases that between them take every path from the sampled parameters to the draws.
DRAWN = (
    "no groups",
    "one factor",
    "one factor q=3",
    "one factor q=5",
    "balanced",
    "fewer rows than columns",
    "blocks",
    "nested 3",
    "crossed vectors",
    "nested and crossed",
    "se and weights",
    "flat slopes crossed",
    "student slope",
    "all slopes student",
    "no intercept",
    "lognormal",
    "sigma by factor, crossed",
    "sigma by level, nested",
    "smooth",
    "smooth by factor",
    "smooths and crossed",
    "smooth, student slope",
    "smooth, sigma by factor",
)


@dataclass(frozen=True)
class Dense:
    """The model for given sampled parameters as ``y ~ N(known + A c, diag(variance))`` with c ~ N(mean, precision^-1).

    c holds the integrated slopes, then z of every group, coefficient by coefficient, then those of every curve.
    """

    y: np.ndarray
    known: np.ndarray
    A: np.ndarray
    variance: np.ndarray
    weights: np.ndarray
    mean: np.ndarray
    precision: np.ndarray
    log_y: float

    def log_marginal(self) -> float:
        """``log p(y)``: dense covariance matrix of the proper part, then a flat prior integrated by hand."""
        proper = self.precision > 0
        cov = np.diag(self.variance / self.weights) + self.A[:, proper] / self.precision[proper] @ self.A[:, proper].T
        rest = self.y - self.known - self.A[:, proper] @ self.mean[proper]
        flat = self.A[:, ~proper]
        value = self.weight_constant() - self.log_y
        value -= 0.5 * (len(rest) * np.log(2 * np.pi) + np.linalg.slogdet(cov)[1] + rest @ np.linalg.solve(cov, rest))
        if flat.shape[1]:
            information, score = flat.T @ np.linalg.solve(cov, flat), flat.T @ np.linalg.solve(cov, rest)
            value -= 0.5 * np.linalg.slogdet(information / (2 * np.pi))[1]
            value += 0.5 * score @ np.linalg.solve(information, score)
        return value

    def weight_constant(self) -> float:
        """``N(y, v)^w`` over ``N(y, v / w)``."""
        w = self.weights
        return float(np.sum(-0.5 * w * np.log(2 * np.pi * self.variance) + 0.5 * np.log(2 * np.pi * self.variance / w)))

    def conditional(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance of c given y."""
        linear = self.precision * self.mean + self.A.T @ ((self.y - self.known) * self.weights / self.variance)
        cov = np.linalg.inv(self.conditional_precision())
        return cov @ linear, cov

    def conditional_precision(self) -> np.ndarray:
        return np.diag(self.precision) + self.A.T * (self.weights / self.variance) @ self.A

    def log_conditional(self, c: np.ndarray) -> float:
        """``log p(c | y)``."""
        precision, away = self.conditional_precision(), c - self.conditional()[0]
        log_determinant = np.linalg.slogdet(precision / (2 * np.pi))[1] if len(c) else 0.0
        return float(0.5 * log_determinant - 0.5 * away @ precision @ away)


def dense(problem: Problem, values: Mapping[str, np.ndarray]) -> Dense:
    """Build the dense model from the design, independently of the statistics."""
    design, response = problem.design, problem.design.response.arrays
    split, arrays = split_of(problem), problem.design.arrays[MU]
    y = np.log(response["y"]) if problem.family.name == "lognormal" else response["y"]
    weights = np.ones(N) if design.weights is None else design.weights
    sigma = residual_sd(problem, values)
    variance = sigma**2 + response.get("se", np.zeros(N)) ** 2
    X = arrays["population"]["X"] if "population" in arrays else np.zeros((N, 0))
    X = X[:, 1:] if split.has_intercept else X
    X = X - X.mean(axis=0) if split.has_intercept else X
    X = np.concatenate([X, *(arrays[key]["Xs"] for key in smooths_of(problem))], axis=1)
    known = arrays["offset"]["offset"] if "offset" in arrays else np.zeros(N)
    known = known + (values["Intercept"] if split.has_intercept else 0.0)
    if split.kept:
        known = known + X[:, split.kept] @ kept_slopes(split, values)
    columns, mean, precision = [X[:, split.integrated]], [], []
    for i in split.integrated:
        d = split.priors[i]
        assert type(d) in (Normal, Flat)
        mean.append(d.mu if type(d) is Normal else 0.0)
        precision.append(d.sigma**-2 if type(d) is Normal else 0.0)
    for group in split.groups:
        Z, index = arrays[group.key]["Z"], arrays[group.key]["index"]
        L = np.zeros((Z.shape[1], Z.shape[1]))
        for b, block in enumerate(group.block_slices()):
            name = f"L_{group.name}" + (f"_{b + 1}" if b else "")
            L[block, block] = values[name] if group.blocks[b] > 1 else 1.0
        ZL = Z @ (np.asarray(values[f"sd_{group.name}"])[:, None] * L)
        one_hot = index[:, None] == np.arange(len(group.levels))
        columns += [ZL[:, [a]] * one_hot for a in range(Z.shape[1])]
        mean += [0.0] * (Z.shape[1] * len(group.levels))
        precision += [1.0] * (Z.shape[1] * len(group.levels))
    for term, curve in curves_of(problem):
        Z = arrays[term.key]["Zs"][:, curve.columns]
        columns.append(values[curve.sd] * Z)
        mean += [0.0] * Z.shape[1]
        precision += [1.0] * Z.shape[1]
    log_y = float(weights @ y) if problem.family.name == "lognormal" else 0.0
    return Dense(
        y, known, np.concatenate(columns, axis=1), variance, weights, np.array(mean), np.array(precision), log_y
    )


def smooths_of(problem: Problem) -> list[str]:
    return [term.key for term in problem.design.schema.predictors[0].terms if term.key.startswith("s(")]


def curves_of(problem: Problem) -> list[tuple[Any, Any]]:
    terms = problem.design.schema.predictors[0].terms
    return [(t, curve) for t in terms if t.key in smooths_of(problem) for curve in t.effect_blocks()]


def kept_slopes(split: Split, values: Mapping[str, np.ndarray]) -> list[float]:
    names = {parameter.name for parameter in split.slopes}
    return [value for p in split.parameters if p.name in names for value in values[p.name]]


def residual_sd(problem: Problem, values: Mapping[str, np.ndarray]) -> np.ndarray:
    predictor = problem.design.schema.predictor(PredictorKey(dpar="sigma"))
    if predictor is None:
        return np.full(N, float(values.get("sigma", 0.0)))
    arrays, eta = problem.design.arrays[PredictorKey(dpar="sigma")], np.zeros(N)
    X = arrays["population"]["X"]
    if "Intercept_sigma" in values:
        eta, X = eta + values["Intercept_sigma"], X[:, 1:] - X[:, 1:].mean(axis=0)
    if "slopes_sigma" in values:
        eta = eta + X @ values["slopes_sigma"]
    for group in predictor.groups():
        effects = values[f"sd_{group.name}__sigma"][:, None] * values[f"z_{group.name}__sigma"]
        eta = eta + effects[0][arrays[group.key]["index"]]
    return np.exp(eta)


def phi_layout(problem: Problem, sampled: frozenset[str] = frozenset()) -> Layout:
    return layout_of(replace(problem.description.spec, parameters=split_of(problem, sampled).parameters))


def sampled_values(problem: Problem, q: np.ndarray) -> tuple[dict[str, np.ndarray], float]:
    """Values of the sampled parameters (constants filled in) and the log Jacobian."""
    layout = phi_layout(problem)
    values, jacobian = layout.constrain(layout.center + layout.scale * q)
    values = {name: np.asarray(v) for name, v in values.items()}
    for p in split_of(problem).parameters:
        if p.name in values or not p.priors:
            continue
        fixed = [d.value if isinstance(d, Constant) else None for d in p.priors]
        labels = [f"{p.name}[{c}]" for c in p.coefs] or [p.name]
        found = [values[label] if v is None else v for label, v in zip(labels, fixed, strict=True)]
        values[p.name] = np.array(found) if p.coefs else np.asarray(found[0])
    return values, float(jacobian)


def log_prior(problem: Problem, values: Mapping[str, np.ndarray]) -> float:
    """Hand-written density of the priors."""
    total = 0.0
    for p in split_of(problem).parameters:
        if not p.prior_class:
            total += float(np.sum(-0.5 * values[p.name] ** 2 - 0.5 * np.log(2 * np.pi)))
            continue
        if p.is_whole:
            total += float(p.priors[0].cholesky_log_density(values[p.name]))
            continue
        for d, v in zip(p.priors, np.atleast_1d(values[p.name]), strict=True):
            total += 0.0 if isinstance(d, Constant) else float(d.log_density(v))
    return total


@dataclass(frozen=True)
class Subject:
    """One case with its form, compiled once for all tests."""

    problem: Problem
    form: Form
    value_and_gradient: Any

    def density(self, q: np.ndarray) -> float:
        return float(self.value_and_gradient(q, self.form.data)[0])


def subject_of(name: str, largest_only: bool = False, scaled: bool = False) -> Subject:
    problem = CASES[name].problem()
    with double_precision():
        form = collapsed_form(problem, largest_only, scaled)
        compiled = jax.jit(jax.value_and_grad(form.density)).lower(np.zeros(form.size), form.data).compile()
        form = replace(form, data=tuned_data(form, lambda q, data: compiled_values(compiled, q, data)))
    return Subject(problem, form, compiled)


def compiled_values(compiled: Any, q: np.ndarray, data: Any) -> tuple[float, np.ndarray]:
    value, gradient = compiled(q, data)
    return float(value), np.asarray(gradient)


@pytest.fixture(params=CASES, scope="module")
def subject(request: pytest.FixtureRequest) -> Subject:
    return subject_of(request.param)


def positions(problem: Problem, count: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(-0.7, 0.7, (count, phi_layout(problem).size))


def test_density_equals_the_dense_multivariate_normal(subject: Subject) -> None:
    problem = subject.problem
    with double_precision():
        assert collapse_conditions(problem) == ()
        for q in positions(problem, 3):
            values, jacobian = sampled_values(problem, q)
            expected = dense(problem, values).log_marginal() + log_prior(problem, values) + jacobian
            assert subject.density(q) == pytest.approx(expected, rel=1e-10, abs=1e-9)


def test_model_over_conditional_is_the_collapsed_density(subject: Subject) -> None:
    """``log p(y, z, slopes, phi) - log p(z, slopes | phi, y) = log p(y, phi)`` whatever z and the slopes are."""
    problem, plain = subject.problem, plain_form(subject.problem)
    with double_precision():
        layout, joint = layout_of(problem.description.spec), jax.jit(plain.density)
        rng = np.random.default_rng(5)
        q = positions(problem, 1)[0]
        values, _ = sampled_values(problem, q)
        model = dense(problem, values)
        mean = model.conditional()[0]
        collapsed = subject.density(q)
        for size in (0.0, 1.0, 3.0):
            c = mean + size * rng.normal(size=len(mean))
            full = flatten(layout, model_values(problem, values, c))
            value = float(joint((full - layout.center) / layout.scale, plain.data))
            assert value - model.log_conditional(c) == pytest.approx(collapsed, rel=1e-10, abs=1e-8)


def model_values(problem: Problem, values: Mapping[str, np.ndarray], c: np.ndarray) -> dict[str, np.ndarray]:
    """Values of every site of the model as written."""
    split, result = split_of(problem), dict(values)
    slopes = np.zeros(len(split.priors))
    slopes[list(split.integrated)] = c[: len(split.integrated)]
    slopes[list(split.kept)] = kept_slopes(split, values)
    for parameter, place in zip(split.slopes, split.places, strict=True):
        result[parameter.name] = slopes[place]
        result |= {f"{parameter.name}[{name}]": slopes[i] for i, name in zip(place, parameter.coefs, strict=True)}
    first = len(split.integrated)
    for group in split.groups:
        shape = len(group.coefs), len(group.levels)
        result[f"z_{group.name}"] = c[first : first + shape[0] * shape[1]].reshape(shape)
        first += shape[0] * shape[1]
    for _, curve in curves_of(problem):
        result[curve.standardised] = c[first : first + curve.vectors]
        first += curve.vectors
    return result


def test_gradient_is_the_finite_difference(subject: Subject) -> None:
    with double_precision():
        size, step = subject.form.size, 1e-5
        q = positions(subject.problem, 1)[0]
        gradient = np.asarray(subject.value_and_gradient(q, subject.form.data)[1])
        for i in range(size):
            e = step * (np.arange(size) == i)
            slope = (subject.density(q + e) - subject.density(q - e)) / (2 * step)
            # error of the difference: h^2 f''' / 6 and rounding of f over h
            assert gradient[i] == pytest.approx(slope, rel=1e-6, abs=1e-6 * (1 + np.abs(gradient).max()))


@pytest.mark.parametrize("name", DRAWN)
def test_recovered_draws_have_the_conditional_mean_and_covariance(name: str) -> None:
    draws, problem = 8000, CASES[name].problem()
    with double_precision():
        form, q = collapsed_form(problem, scaled=False), positions(problem, 1)[0]
        noise = np.random.default_rng(11).standard_normal((draws, sum(form.noise_sizes)))
        drawn = jax.jit(jax.vmap(form.report, (None, 0, None)))(q, noise, form.data)
        values, _ = sampled_values(problem, q)
        mean, cov = dense(problem, values).conditional()
        split, found, maps = split_of(problem), [], []
        if split.integrated:
            coefs = np.asarray(drawn["b"])[:, int(split.has_intercept) :]
            others = (np.asarray(drawn[p.name]) for p in split.slopes if p.name != "slopes")
            found.append(np.concatenate([coefs, *others], axis=1)[:, np.array(split.integrated)])
            maps.append(np.eye(len(split.integrated)))
        for group in split.groups:
            maps.append(effects_of_z(group, values))
            found.append(np.asarray(drawn[f"r_{group.name}"]).swapaxes(1, 2).reshape(draws, -1))
        for _, curve in curves_of(problem):
            maps.append(values[curve.sd] * np.eye(curve.vectors))
            found.append(np.asarray(drawn[curve.effects]))
    linear = block_diag(*maps)
    samples, mean, cov = np.concatenate(found, axis=1), linear @ mean, linear @ cov @ linear.T
    variance = np.diag(cov)
    # 5 standard errors, for at most 150^2 numbers
    assert np.all(np.abs(samples.mean(axis=0) - mean) <= 5 * np.sqrt(variance / draws) + 1e-12)
    error = np.sqrt((np.outer(variance, variance) + cov**2) / draws)
    assert np.all(np.abs(np.cov(samples.T).reshape(cov.shape) - cov) <= 5.5 * error + 1e-12)


def effects_of_z(group: Any, values: Mapping[str, np.ndarray]) -> np.ndarray:
    q, levels = len(group.coefs), len(group.levels)
    factor = np.zeros((q, q))
    for b, block in enumerate(group.block_slices()):
        name = f"L_{group.name}" + (f"_{b + 1}" if b else "")
        factor[block, block] = values[name] if group.blocks[b] > 1 else 1.0
    return np.kron(np.asarray(values[f"sd_{group.name}"])[:, None] * factor, np.eye(levels))


@pytest.mark.parametrize("name", ["crossed vectors", "three crossed", "nested and crossed", "smooths and crossed"])
def test_largest_factor_only_leaves_the_joint_density_of_the_rest(name: str) -> None:
    """Integrating the chain alone: the density of phi and of the z of the other factors, against dense formulas."""
    subject = subject_of(name, largest_only=True)
    problem, form = subject.problem, subject.form
    with double_precision():
        sampled = frozenset(
            g.name
            for g in split_of(problem).groups
            if f"z_{g.name}" in {form.parameter_of(i) for i in range(form.size)}
        )
        assert sampled
        layout, whole = phi_layout(problem, sampled), phi_layout(problem)
        q = np.random.default_rng(2).uniform(-0.7, 0.7, layout.size)
        sites, _ = layout.constrain(layout.center + layout.scale * q)
        sites = {k: np.asarray(v) for k, v in sites.items()}
        values, jacobian = sampled_values(problem, (flatten(whole, sites) - whole.center) / whole.scale)
        model = dense(problem, values)
        keep, first = np.ones(len(model.mean), bool), len(split_of(problem).integrated)
        known, log_z = model.known.copy(), 0.0
        for group in split_of(problem).groups:
            size = len(group.coefs) * len(group.levels)
            if group.name in sampled:
                z = sites[f"z_{group.name}"].reshape(-1)
                keep[first : first + size] = False
                known += model.A[:, first : first + size] @ z
                log_z += float(np.sum(-0.5 * z**2 - 0.5 * np.log(2 * np.pi)))
            first += size
        rest = Dense(
            model.y,
            known,
            model.A[:, keep],
            model.variance,
            model.weights,
            model.mean[keep],
            model.precision[keep],
            model.log_y,
        )
        expected = rest.log_marginal() + log_prior(problem, values) + jacobian + log_z
        assert subject.density(q) == pytest.approx(expected, rel=1e-10)
        report = jax.jit(form.report)(q, np.zeros(sum(subject.form.noise_sizes)), form.data)
        assert all(np.all(np.isfinite(v)) for v in report.values())


@pytest.mark.parametrize("name", ["crossed vectors", "three crossed", "smooths and crossed"])
def test_coordinates_of_the_sampled_effects_change_the_density_by_their_jacobian(name: str) -> None:
    subject, plain = subject_of(name, largest_only=True, scaled=True), subject_of(name, largest_only=True)
    sites = {plain.form.parameter_of(i) for i in range(plain.form.size)}
    groups = [g for g in split_of(subject.problem).groups if f"z_{g.name}" in sites]
    assert groups
    data, rng = subject.form.data, np.random.default_rng(8)
    with double_precision():
        layout = phi_layout(subject.problem, frozenset(g.name for g in groups))
        for _ in range(2):
            x = rng.normal(size=layout.size)
            values, _ = layout.constrain(apply_arrow(x, data["white"], ()))
            change = 0.0
            for alone in (scaled_alone(subject.problem.description.spec, group) for group in groups):
                changed, own = alone.transform(values, data["pilot"][alone.key])
                values |= changed
                change += float(own)
            u = flatten(layout, {k: np.asarray(v) for k, v in values.items()})
            expected = plain.density((u - layout.center) / layout.scale) + change
            assert subject.density(x) == pytest.approx(expected, rel=1e-10)
        assert subject.density(0.0 * x) >= subject.density(x)  # 0 is the mode


@pytest.mark.parametrize("name", ["one factor q=3", "nested and crossed", "se", "student slope"])
def test_whitened_coordinates_are_the_plain_ones_with_the_intercept_in_units(name: str) -> None:
    white, plain = subject_of(name, scaled=True), subject_of(name)
    data, rng = white.form.data, np.random.default_rng(4)
    with double_precision():
        layout = phi_layout(white.problem)
        for _ in range(3):
            x = 0.5 * rng.normal(size=layout.size)
            u = np.array(apply_arrow(x, data["white"], ()))
            places = [i for i in range(layout.size) if layout.parameter_of(i) in ("Intercept", "slopes")]
            u[places], log_determinant = coefficients_of(white, u, places, data)
            expected = plain.density((u - layout.center) / layout.scale) + log_determinant
            assert white.density(x) == pytest.approx(expected, rel=1e-10)
            assert white.density(0.0 * x) >= white.density(x)  # 0 is the mode
        hessian = hessian_at(white.value_and_gradient, np.zeros(layout.size), data)
    # unit curvature in every direction but those flatter than the clip
    eigenvalues = np.linalg.eigvalsh(-hessian)
    assert eigenvalues.max() < 1 + 1e-5
    assert (np.abs(eigenvalues - 1) < 1e-5).sum() >= layout.size - 3


def coefficients_of(subject: Subject, u: np.ndarray, places: list[int], data: Any) -> tuple[np.ndarray, float]:
    """Return the sampled coefficients behind their units, and the log determinant of the map, which is linear."""
    noise, split = np.zeros(sum(subject.form.noise_sizes)), split_of(subject.problem)
    assert split.population is not None
    report = jax.jit(subject.form.report)

    def coefficients(step: np.ndarray) -> np.ndarray:
        moved = u.copy()
        moved[places] += step
        b = np.asarray(report(np.zeros(len(u)), noise, {**data, "white": {**data["white"], "rest": moved}})["b"])
        return np.array([b[0] + b[1:] @ np.asarray(split.population.means), *b[1:][list(split.kept)]])

    here = coefficients(np.zeros(len(places)))
    matrix = np.stack([coefficients(step) - here for step in np.eye(len(places))], axis=1)
    return here, float(np.linalg.slogdet(matrix)[1])


@pytest.mark.parametrize("name", ["one factor q=3", "nested and crossed", "crossed vectors"])
def test_smooth_where_a_standard_deviation_is_zero(name: str) -> None:
    """At sd = 0 the density is that of the model without the term, and its gradient is finite and continuous."""
    subject = subject_of(name)
    form, gradient = subject.form, subject.value_and_gradient
    with double_precision():
        layout = phi_layout(subject.problem)
        q = np.zeros(form.size)
        first = next(i for i in range(form.size) if form.parameter_of(i).startswith("sd_"))
        tiny = [q - u * (np.arange(form.size) == first) for u in (20.0, 40.0, 300.0)]
        results = [gradient(each, form.data) for each in tiny]
        # the prior of the sd is constant so near to 0: what changes with u is the log Jacobian, u itself
        values = [float(value) + u for (value, _), u in zip(results, (20.0, 40.0, 300.0), strict=True)]
        assert values == pytest.approx([values[0]] * 3, rel=1e-12)
        for (_, slope), u in zip(results, (20.0, 40.0, 300.0), strict=True):
            assert np.all(np.isfinite(slope))
            assert float(slope[first]) == pytest.approx(float(layout.scale[first]), abs=1e-6), u


def million_rows(shift: float) -> GaussianRows:
    n = 1_000_000
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 1000, n)
    x = np.round(rng.normal(size=n) * 2**10) / 2**10
    y = 2.0 + x + rng.normal(size=1000)[codes] + rng.normal(size=n)
    y = np.round(y * 2**20) / 2**20  # so that adding the shift is exact
    group = GroupBlock("g", codes, 1000, np.column_stack([np.ones(n), x]), (2,))
    slopes = SlopePriors(np.zeros(1), np.full(1, np.inf))
    return GaussianRows(y + shift, np.ones(n), np.ones((n, 1)), x[:, None], slopes, (group,), float(n), 0.0)


def test_nothing_cancels_in_a_million_rows_far_from_zero() -> None:
    values = []
    for shift in (0.0, 1e6):
        rows = million_rows(shift)
        arrangement = arrange(rows)
        sums = statistics(rows, arrangement)
        with double_precision():
            factor = [[np.float64(1.1)], [np.float64(0.1), np.float64(0.2)]]
            here = Parameters((factor,), np.float64(1.01), np.array([2.05 + shift]))
            values.append(float(log_marginal(sums, arrangement, here)))
    # |log p| is about 1.4e6: 1e-12 of it
    assert values[1] == pytest.approx(values[0], abs=2e-6)


def test_compression_keeps_the_density_and_drops_levels() -> None:
    n, levels = 4000, 500
    rng = np.random.default_rng(4)
    codes, time = np.repeat(np.arange(levels), n // levels), np.tile(np.arange(n / levels), levels)
    group = GroupBlock("g", codes, levels, np.column_stack([np.ones(n), time]), (2,))
    slopes = SlopePriors(np.zeros(1), np.ones(1))
    rows = GaussianRows(rng.normal(size=n), np.ones(n), np.ones((n, 1)), time[:, None], slopes, (group,), float(n), 0.0)
    arrangement = arrange(rows)
    every = statistics(rows, arrangement)
    few = compressed(every)
    assert few.stages[0].diagonal.shape[-1] == 6  # two rows of three columns a level
    with double_precision():
        here = Parameters(([[np.float64(0.7)], [np.float64(0.1), np.float64(0.2)]],), np.float64(1.1), np.array([0.2]))
        assert float(log_marginal(few, arrangement, here)) == pytest.approx(
            float(log_marginal(every, arrangement, here)), rel=1e-12
        )


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (Case("y ~ x + (1 | g)", "student"), "family"),
        (Case("positive ~ x + (1 | g)", "gamma"), "family"),
        (Case("y | se(s, sigma=True) ~ x + (1 | g)"), "sigma"),
        (Case(bf("y ~ x + (1 | g)", sigma="~ x")), "48 different values"),
    ],
)
def test_conditions_name_the_reason(case: Case, reason: str) -> None:
    assert reason in " ".join(collapse_conditions(case.problem()))
