"""Effects of related levels that lie in strata, ``gr(g, by=f, cov=A)``; the density is in test_brms_density.py."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import BayesmlError
from bayesml.fit import describe_problem
from bayesml.terms import group_terms
from bayesml.terms.structured_group import StructuredGroup

LEVELS = list("abcdef")
A = pd.DataFrame(0.6 ** np.abs(np.subtract.outer(np.arange(6), np.arange(6))), LEVELS, LEVELS)
STRATUM = dict(zip(LEVELS, "uvuvuv", strict=True))


def table() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    g = np.repeat(LEVELS[:4], 5)
    return pd.DataFrame({"y": rng.normal(size=20), "x": rng.normal(size=20), "g": g, "f": [STRATUM[v] for v in g]})


def term_of(formula: str) -> StructuredGroup:
    problem = describe_problem(formula, table(), data2={"A": A})
    (term,) = group_terms(t for p in problem.design.schema.predictors for t in p.terms)
    assert isinstance(term, StructuredGroup)
    return term


def test_new_levels_are_drawn_given_those_of_the_data():
    term = term_of("y ~ x + (1 | gr(g, by=f, cov=A))")
    new = term.with_new_levels({"index": np.array([4, 5]), "stratum": np.array([0, 1])}, ("e", "f"))
    count, sd, r = 40_000, np.array([0.5, 2.0]), np.array([0.3, -1.0, 0.8, 1.5])
    values = {"sd_g": np.tile(sd, (count, 1)), "r_g": np.tile(r[:, None], (count, 1, 1))}
    drawn = new.simulated(values, np.random.default_rng(1), 2, {})[..., 0]
    scale = np.tile(sd, 3)
    joint = scale[:, None] * A.to_numpy() * scale
    weights = np.linalg.solve(joint[:4, :4], joint[:4, 4:]).T
    mean, covariance = weights @ r, joint[4:, 4:] - weights @ joint[:4, 4:]
    spread = np.sqrt(np.diag(covariance))
    # four standard errors of 40,000 draws
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.02 * spread.max())
    np.testing.assert_allclose(
        np.cov(drawn.T) / np.outer(spread, spread), covariance / np.outer(spread, spread), atol=0.03
    )


def test_engines_of_normal_effects_say_what_they_lack():
    with pytest.raises(BayesmlError, match="related across strata"):
        bayesml.fit("y ~ x + (1 | gr(g, by=f, cov=A))", table(), method="reml", data2={"A": A})


def test_levels_that_are_related_within_strata_alone_are_those_of_a_factor_for_each():
    assert term_of("y ~ x + (1 | gr(g, by=f, cov=A))").effect_blocks() == ()
    same = A.where(np.equal.outer([*STRATUM.values()], [*STRATUM.values()]), 0.0)
    problem = describe_problem("y ~ x + (1 | gr(g, by=f, cov=A))", table(), data2={"A": same})
    (term,) = group_terms(t for p in problem.design.schema.predictors for t in p.terms)
    assert term.effect_blocks()
