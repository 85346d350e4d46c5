"""Identical rows as one weighted row: the same density, the same draws' distribution, every row's log-likelihood."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from jax import numpy as jnp

import bayesml
from bayesml.engines.nuts.driver.run import _compiled
from bayesml.engines.nuts.forms.plain import plain_form
from bayesml.engines.nuts.forms.unique_rows import with_unique_rows
from bayesml.engines.nuts.options import NUTS
from bayesml.engines.precision import double_precision
from bayesml.engines.progress import Progress
from bayesml.fit import describe_problem

FORMULAS = {
    "bernoulli": "binary ~ a + (a | g)",
    "binomial": "few | trials(n) ~ a + (1 | g) + (1 | h)",
    "poisson": "few | weights(w) ~ a + (1 | g) + offset(o)",
}


@pytest.fixture(scope="module")
def frame() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    n = 600
    return {
        "binary": rng.integers(0, 2, n),
        "few": rng.integers(0, 3, n),
        "n": np.full(n, 4),
        "w": rng.choice([0.5, 1.0], n),
        "a": rng.choice(["u", "v"], n),
        "g": rng.integers(0, 5, n),
        "h": rng.integers(0, 3, n),
        "o": rng.choice([0.0, 0.1], n),
        "x": rng.normal(size=n),
    }


@pytest.mark.parametrize("family", FORMULAS)
def test_density_is_unchanged(family, frame, rng):
    problem = describe_problem(FORMULAS[family], frame, family)
    fewer = with_unique_rows(problem)
    assert fewer.design.n_rows <= problem.design.n_rows / 2
    assert fewer.design.weights.sum() == pytest.approx(frame["w"].sum() if family == "poisson" else 600)
    every, few = plain_form(problem), plain_form(fewer)
    with double_precision():
        for _ in range(3):
            q = jnp.asarray(rng.normal(size=every.size))
            full = float(every.density(q, jax.tree.map(jnp.asarray, every.data)))
            assert float(few.density(q, jax.tree.map(jnp.asarray, few.data))) == pytest.approx(full, rel=1e-12)


@pytest.mark.parametrize(
    ("formula", "family"), [("few ~ x", "poisson"), ("x ~ a", "gaussian"), ("few ~ a", "negbinomial")]
)
def test_left_alone_where_little_is_saved(formula, family, frame):
    problem = describe_problem(formula, frame, family)
    assert with_unique_rows(problem) is problem


def test_log_likelihood_has_every_row(frame):
    fit = bayesml.fit(
        "binary ~ a + (1 | g)",
        frame,
        "bernoulli",
        seed=1,
        draws=20,
        warmup=50,
        chains=1,
        progress=False,
        sample_prior="only",
    )
    assert fit.log_lik().shape == (1, 20, 600)


def test_the_plan_tells_how_many_rows_are_read(frame):
    problem = describe_problem("binary ~ a + (1 | g)", frame, "bernoulli")
    with double_precision():
        plan, _ = _compiled(NUTS(seed=1), problem, Progress(shown=False))
    # 2 responses x 2 values of a x 5 levels of g
    assert plan.touches == "20 different rows"
