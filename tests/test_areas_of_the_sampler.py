"""Effects of many areas as the sampler has them: their distribution, exact changes of variables, one posterior."""

from __future__ import annotations

import warnings

import jax
import numpy as np
import pytest
from jax import numpy as jnp

import bayesml
from bayesml.engines.nuts.forms.preconditioned.areas import scaled_areas, with_areas, with_fields
from bayesml.engines.nuts.forms.preconditioned.pilot import find_pilot
from bayesml.engines.precision import double_precision
from bayesml.errors import FitWarning
from bayesml.fit import describe_problem
from bayesml.terms import car
from bayesml.terms.areas import KINDS
from bayesml.terms.car_by_neighbours import CarByNeighbours
from tests.test_areas import COUNT, DATA, W, covariance


@pytest.fixture(autouse=True)
def few_areas_are_many(monkeypatch):
    monkeypatch.setattr(car, "FEW_AREAS", 4)


def problem_of(kind, response="k", family="poisson"):
    return describe_problem(f'{response} ~ x + car(W, gr=area, type="{kind}")', DATA, family, data2={"W": W})


@pytest.mark.parametrize("further", [0.1, 0.7, 0.99])
@pytest.mark.parametrize("kind", KINDS)
def test_effects_have_the_covariance_matrix_of_brms(kind, further):
    sampled = with_fields(problem_of(kind))
    (term,) = (t for t in sampled.design.schema.predictors[0].terms if isinstance(t, CarByNeighbours))
    values, size = {"sdcar": 2.0, "car": further, "rhocar": further}, term.field.size
    with double_precision():
        tables = jax.tree.map(jnp.asarray, term.field.tables())

        def density(latent):
            return term.field.log_ratio(values, latent, tables) - 0.5 * latent @ latent

        precision = -np.asarray(jax.hessian(density)(jnp.zeros(size)))
        root = np.asarray(jax.jacobian(lambda latent: term.field.effects(values, latent))(jnp.zeros(size)))
        height = float(density(jnp.zeros(size)))
        other = float(term.field.log_ratio({**values, "car": 0.5, "rhocar": 0.5}, jnp.zeros(size), tables))
    expected = 4 * covariance(kind, further)
    np.testing.assert_allclose(root @ np.linalg.solve(precision, root.T), expected, atol=1e-8)
    if kind == "escar":  # the normal density has the height |M|^(1/2), here up to a constant
        at_half = np.diag(W.sum().to_numpy()) - 0.5 * W.to_numpy()
        ratio = 0.5 * (np.linalg.slogdet(precision)[1] - np.linalg.slogdet(at_half)[1])
        assert height - other == pytest.approx(ratio, abs=1e-9)
    else:
        assert height == other == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_log_jacobian_is_that_of_the_map(kind, rng):
    with double_precision():
        problem = problem_of(kind)
        (scaled,) = scaled_areas(problem)
        _, sums = with_areas(problem, find_pilot(problem), (scaled,))
        sums = jax.tree.map(jnp.asarray, sums[scaled.key])

        def mapped(zeta, values):
            changed, log_jacobian = scaled.transform({**values, "zcar": zeta}, sums)
            return changed["zcar"], log_jacobian

        matrix = jax.jit(jax.jacrev(lambda zeta, values: mapped(zeta, values)[0]))
        differences = []
        for sd, further in ((0.01, 0.2), (0.7, 0.9), (3.0, 0.99)):
            values = {"sdcar": jnp.asarray(sd), "car": jnp.asarray(further), "rhocar": jnp.asarray(further)}
            zeta = jnp.asarray(rng.normal(size=scaled.field.size))
            _, log_jacobian = mapped(zeta, values)
            differences.append(np.linalg.slogdet(matrix(zeta, values))[1] - float(log_jacobian))
    assert np.ptp(differences) < 1e-9  # a constant


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_forms_of_the_sampler_have_one_posterior(kind, monkeypatch):
    text, common = f'k ~ x + car(W, gr=area, type="{kind}")', {"data2": {"W": W}, "seed": 3, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        sparse = bayesml.fit(text, DATA, "poisson", **common)
        monkeypatch.setattr(car, "FEW_AREAS", COUNT)
        dense = bayesml.fit(text, DATA, "poisson", **common)
    for name in ("sdcar", "b_x", "b_Intercept", *({"escar": ["car"], "bym2": ["rhocar"]}.get(kind, []))):
        first, second = np.asarray(sparse[name]).ravel(), np.asarray(dense[name]).ravel()
        # effective sample sizes of both are above 400
        assert abs(first.mean() - second.mean()) < 4 * np.sqrt(2 / 400) * first.std(), name
    effects, others = np.asarray(sparse["rcar"]), np.asarray(dense["rcar"])
    apart = np.abs(effects.mean(axis=(0, 1)) - others.mean(axis=(0, 1)))
    # 4.5 for 4, since there are some dozens of areas
    assert (apart < 4.5 * np.sqrt(2 / 400) * effects.std(axis=(0, 1))).all()
