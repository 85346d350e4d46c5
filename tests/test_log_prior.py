"""The log prior by our own densities is that of the NumPyro model."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from numpyro.infer.util import log_density

from bayesml import prior
from bayesml.compile import sample_parameter
from bayesml.engines.layout import layout_of
from bayesml.engines.log_prior import log_prior, parameter_values
from bayesml.engines.precision import double_precision
from bayesml.fit import describe_problem

ROWS = 40
FRAME = {
    "y": np.sin(np.arange(ROWS)) + 2.0,
    "x": np.cos(np.arange(ROWS)),
    "z": np.cos(3.0 * np.arange(ROWS)),
    "g": np.arange(ROWS) % 8,
}
SLOPES = (
    "normal(0, 2)",
    "student_t(4, 1, 2)",
    "cauchy(0, 1)",
    "logistic(0, 1)",
    "double_exponential(0, 1)",
    "uniform(-3, 3)",
)
SCALES = ("half_normal(2)", "half_cauchy(1)", "half_student_t(3, 2)", "exponential(0.7)", "gamma(2, 1)", "flat")
SCALES += ("inv_gamma(3, 2)", "lognormal(0, 1)", "weibull(2, 1)", "normal(1, 2)", "uniform(0, 9)", "constant(2)")
MODELS = {
    "defaults": [],
    "mixed slopes": [prior("normal(0, 1)", coef="x"), prior("student_t(3, 0, 1)", coef="z")],
    "one slope fixed": [prior("constant(0.3)", coef="x"), prior("normal(0, 2)", coef="z")],
    "alike but for numbers": [prior("normal(0, 1)", coef="x"), prior("normal(1, 2)", coef="z")],
    "correlations": [prior("lkj(2.5)", class_="cor")],
    "sds of each column": [
        prior("half_normal(1)", class_="sd", group="g", coef="x"),
        prior("exponential(2)", class_="sd", group="g", coef="Intercept"),
    ],
    "bounded": [prior("normal(0, 1)", class_="b", lb=0)],
    "within an interval": [prior("beta(2, 2)", class_="b", lb=0, ub=1)],
    **{text: [prior(text)] for text in SLOPES},
    **{text: [prior(text, class_="sd"), prior(text, class_="sigma")] for text in SCALES},
}


@pytest.mark.parametrize("formula", ["y ~ x + z + (x | g)", "y ~ x + z + (1 + x + z | g)"])
@pytest.mark.parametrize("name", MODELS)
def test_it_is_numpyros(name, formula, rng):
    spec = describe_problem(formula, FRAME, "gaussian", prior=MODELS[name]).description.spec
    layout = layout_of(spec)

    def model() -> None:
        values = {}
        for parameter in spec.parameters:
            values[parameter.name] = sample_parameter(parameter, values)

    def both(u):
        sites, _ = layout.constrain(u)
        total, trace = log_density(model, (), {}, sites)
        values = parameter_values(spec.parameters, sites)
        theirs = {p.name: jnp.asarray(trace[p.name]["value"]) for p in spec.parameters}
        return total, log_prior(spec.parameters, values), theirs, values

    with double_precision():
        for u in layout.center + layout.scale * rng.normal(size=(3, layout.size)):
            expected, found, theirs, values = jax.jit(both)(u)
            np.testing.assert_allclose(found, expected, rtol=1e-10)
            jax.tree.map(np.testing.assert_array_equal, values, theirs)
