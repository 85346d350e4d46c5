"""Gaussian processes by nearest neighbours, ``gp(x, z, neighbours=15)``."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest
from jax import numpy as jnp

import bayesml
from bayesml.engines.precision import double_precision
from bayesml.errors import DataError, FormulaError, ModelError
from bayesml.fit import describe_problem
from bayesml.processes import kernel_named
from bayesml.processes.nearest import nearest_tables, process_at_new, process_values
from bayesml.processes.neighbours import find_neighbours, nearest
from bayesml.processes.positions import distances, smallest_distance


def values_function(kernel, tables):
    tables = {name: jnp.asarray(table) for name, table in tables.items()}
    return jax.jit(lambda sd, lengthscales, z: process_values(kernel, sd, lengthscales, z, tables))


@pytest.mark.parametrize(("cov", "isotropic"), [("matern32", True), ("exponential", False), ("exp_quad", True)])
def test_with_all_neighbours_it_is_the_exact_process(cov, isotropic):
    kernel, points = kernel_named(cov, "gp(x)"), np.random.default_rng(1).uniform(size=(14, 2))
    found = find_neighbours(points, 13)
    lengthscales = np.array([0.3] if isotropic else [0.3, 0.6])
    with double_precision():
        values = values_function(kernel, nearest_tables(points, found, isotropic))
        root = np.stack([np.asarray(values(1.7, lengthscales, e)) for e in np.eye(14)], axis=1)
    apart = distances(points[found.order], points[found.order], isotropic)
    np.testing.assert_allclose(root @ root.T, 1.7**2 * kernel.correlation(apart, lengthscales), atol=1e-9)


def test_values_given_the_nearest_are_those_of_the_kernel():
    # More places than a block holds, each against a dense solution for itself.
    kernel, points = kernel_named("matern52", "gp(x)"), np.random.default_rng(2).uniform(size=(300, 2))
    found, z = find_neighbours(points, 6), np.random.default_rng(3).normal(size=300)
    with double_precision():
        u = np.asarray(values_function(kernel, nearest_tables(points, found, True))(1.0, np.array([0.4]), z))
    ordered = points[found.order]
    for i in range(300):
        before = found.before[i, found.there[i]]
        assert (before < i).all() and len(before) == min(i, 6) or i < 6
        at = ordered[[*before, i]]
        R = kernel.correlation(distances(at, at, True), np.array([0.4]))
        b = np.linalg.solve(R[:-1, :-1], R[:-1, -1])
        expected = b @ u[before] + np.sqrt(1 - b @ R[:-1, -1]) * z[i]
        assert u[i] == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("isotropic", [True, False])
def test_gradients_are_finite_differences(isotropic):
    kernel, points = kernel_named("matern32", "gp(x)"), np.random.default_rng(4).uniform(size=(150, 2))
    found, z = find_neighbours(points, 5), np.random.default_rng(5).normal(size=150)
    start = np.log([1.3, 0.4] if isotropic else [1.3, 0.4, 0.7])
    with double_precision():
        values = values_function(kernel, nearest_tables(points, found, isotropic))

        def total(theta, z):
            return jnp.sin(values(jnp.exp(theta[0]), jnp.exp(theta[1:]), z)).sum()

        slopes = jax.jit(jax.grad(total, (0, 1)))(start, z)
        fast, h = jax.jit(total), 1e-5
        numbers = [(fast(start + h * e, z) - fast(start - h * e, z)) / (2 * h) for e in np.eye(len(start))]
        of_z = [(fast(start, z + h * e) - fast(start, z - h * e)) / (2 * h) for e in np.eye(150)[::30]]
    np.testing.assert_allclose(slopes[0], numbers, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(slopes[1][::30], of_z, rtol=1e-6, atol=1e-6)


def test_neighbours_are_the_nearest_earlier_places():
    points = np.random.default_rng(6).uniform(size=(900, 2))
    found = find_neighbours(points, 8)
    ordered = points[found.order]
    assert sorted(found.order) == list(range(900))
    # Positions are renumbered by levels, so that an earlier place in maximin order need not stand earlier here; but
    # each has its number of neighbours, all of them computed before it.
    assert (found.there.sum(axis=1) == 8).sum() == 892
    assert (np.where(found.there, found.before, -1).max(axis=1) < np.arange(900)).all()
    for start, count in zip(found.starts, found.counts, strict=True):
        assert found.before[start : start + count][found.there[start : start + count]].max(initial=-1) < start
    spread = [np.sqrt(((ordered[i] - ordered[found.before[i]]) ** 2).sum(1)).max() for i in range(50, 900)]
    assert np.median(spread) < 0.2
    near = nearest(points, points[:5] + 1e-9, 3)
    np.testing.assert_array_equal(near[:, 0], np.arange(5))
    many = np.random.default_rng(7).uniform(size=(2500, 2))
    apart = min(np.sort(((many - p) ** 2).sum(1))[1] for p in many)
    assert smallest_distance(many, 0.0) == pytest.approx(np.sqrt(apart), rel=1e-12)


def test_draws_at_new_places_are_those_given_the_nearest_values():
    kernel, rng = kernel_named("exponential", "gp(x)"), np.random.default_rng(8)
    points, new = rng.uniform(size=(7, 2)), rng.uniform(size=(2, 2))
    values = np.broadcast_to(rng.normal(size=7), (40_000, 7)) + 1e-12 * np.arange(40_000)[:, None]
    drawn = process_at_new(kernel, points, new, True, 7, np.array(1.4), np.array([0.5]), values)
    K = 1.4**2 * kernel.correlation(distances(np.r_[points, new], np.r_[points, new], True), np.array([0.5]))
    mean = K[7:, :7] @ np.linalg.solve(K[:7, :7], values[0])
    variance = np.diag(K[7:, 7:] - K[7:, :7] @ np.linalg.solve(K[:7, :7], K[:7, 7:]))
    error = np.sqrt(variance / len(drawn))
    assert (np.abs(drawn.mean(axis=0) - mean) < 5 * error).all()
    assert (np.abs(drawn.var(axis=0) / variance - 1) < 5 * np.sqrt(2 / len(drawn))).all()


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(9)
    data = pd.DataFrame({"x": rng.uniform(0, 9, 80), "z": rng.uniform(0, 9, 80)})
    data = pd.concat([data, data.iloc[:20]], ignore_index=True)  # some places have two rows
    data["k"] = rng.poisson(np.exp(1 + np.sin(data["x"]) + 0.1 * data["z"]))
    options = {"seed": 1, "draws": 300, "warmup": 300, "chains": 2, "progress": False}
    return bayesml.fit('k ~ 1 + gp(x, z, neighbours=6, cov="matern32")', data, "poisson", **options), data


@pytest.mark.filterwarnings("ignore::bayesml.FitWarning")
@pytest.mark.slow
def test_counts_at_many_places(fitted, tmp_path):
    fit, data = fitted
    assert "sdgp(gpxz)" in str(fit)
    eta = fit.linpred().to_numpy()
    np.testing.assert_allclose(eta[..., :20], eta[..., 80:], atol=1e-12)
    assert np.corrcoef(eta.mean((0, 1)), 1 + np.sin(data["x"]) + 0.1 * data["z"])[0, 1] > 0.8
    again = fit.linpred(data.iloc[[3, 90]]).to_numpy()
    np.testing.assert_allclose(again, eta[..., [3, 90]], atol=1e-12)
    near = data.iloc[[5]].assign(x=lambda d: d["x"] + 1e-7)
    np.testing.assert_allclose(fit.linpred(near).to_numpy(), eta[..., [5]], atol=0.02)
    fit.save(tmp_path / "process")
    stored = bayesml.load(tmp_path / "process")
    np.testing.assert_allclose(stored.linpred(near).to_numpy(), fit.linpred(near).to_numpy(), atol=1e-12)
    assert len(fit.conditional_effects("x")["x"]) > 10


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ("gp(x, neighbours=0)", FormulaError, "whole number from 1"),
        ("gp(x, neighbours=x)", FormulaError, "not x"),
        ("gp(x, neighbours=5, k=10)", FormulaError, "leave out `k`"),
        ("gp(x, neighbours=5, gr=FALSE)", FormulaError, "leave out `gr`"),
        ("gp(one, neighbours=5)", DataError, "same values"),
        ("gp(f, neighbours=5)", DataError, "holds categories"),
        ("gp(far)", DataError, "neighbours=15"),
    ],
)
def test_what_makes_no_sense_is_refused(call, error, message):
    n = 1200
    data = pd.DataFrame({"y": np.arange(n), "x": np.arange(n) % 40.0, "one": 1.0, "f": "a", "far": np.arange(n) ** 1.1})
    with pytest.raises(error, match=message):
        describe_problem(f"y ~ {call}", data, "gaussian")


def test_levels_of_a_factor_have_processes_of_their_own():
    rng = np.random.default_rng(10)
    data = pd.DataFrame({"y": rng.normal(size=60), "x": rng.uniform(size=60), "f": np.repeat(["a", "b"], 30)})
    problem = describe_problem("y ~ f + gp(x, by=f, neighbours=4)", data, "gaussian")
    names = [p.name for p in problem.description.spec.parameters]
    assert {"zgp_gpxf[a]", "zgp_gpxf[b]"} <= set(names)
    with pytest.raises(ModelError, match="nearest-neighbour"):
        bayesml.fit("y ~ gp(x, neighbours=4)", data, method="reml")
