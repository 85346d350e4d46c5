"""Horseshoe and R2D2 over classes: one budget of scales for coefficients and standard deviations of a predictor.

brms has this since 2.19; the numbers of brms 2.18 are for coefficients alone (``test_brms_density``). Here the values
are written out by hand from the definitions, and the density is SciPy's.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesml
from bayesml import PriorError, prior
from bayesml.engines.from_prior import prior_draws
from bayesml.engines.layout import layout_of
from bayesml.engines.log_prior import log_prior, parameter_values
from bayesml.engines.precision import double_precision
from bayesml.fit import describe_problem

ROWS = 40
DATA = pd.DataFrame(
    {
        "y": np.sin(np.arange(ROWS)) + 2.0,
        "x": np.cos(np.arange(ROWS)),
        "z": np.cos(3.0 * np.arange(ROWS)),
        "k": 1 + np.arange(ROWS) % 4,
        "g": np.arange(ROWS) % 8,
        "t": np.arange(ROWS) // 8,
    }
)


def sampled(formula, *priors, family="gaussian", seed=1):
    """Return the spec, sampled values at a random point and what is computed from them."""
    problem = describe_problem(formula, DATA, family, prior=list(priors))
    spec, layout = problem.description.spec, layout_of(problem.description.spec)
    u = layout.center + layout.scale * np.random.default_rng(seed).normal(size=layout.size)
    with double_precision():
        values = parameter_values(spec.parameters, layout.constrain(u)[0])
        computed = spec.computed(values)
        density = float(log_prior([p for p in spec.parameters if p.prior_class in ("R2D2", "horseshoe")], values))
    numpy = {name: np.asarray(value, float) for name, value in {**values, **computed}.items()}
    return numpy, density


def test_r2d2_divides_the_variance_over_coefficients_and_group_effects():
    formula = "y ~ x + z + mo(k) + (x | g)"
    given = (prior("R2D2(0.3, 5, c(1, 2, 3, 4, 5), main = TRUE)"), prior("R2D2(0.9)", "sd"))
    v, density = sampled(formula, *given)
    total = v["sigma"] ** 2 * v["R2D2_R2"] / (1 - v["R2D2_R2"])
    scales = np.sqrt(v["R2D2_phi"] * total)
    np.testing.assert_allclose(v["slopes"], v["zb"] * scales[:2], rtol=1e-12)
    np.testing.assert_allclose(v["bsp"], v["zbsp"] * scales[2:3], rtol=1e-12)
    np.testing.assert_allclose(v["sd_g"], scales[3:], rtol=1e-12)
    expected = stats.beta.logpdf(v["R2D2_R2"], 1.5, 3.5) + stats.dirichlet.logpdf(v["R2D2_phi"], [1, 2, 3, 4, 5])
    assert density == pytest.approx(expected, rel=1e-10)


def test_the_horseshoe_over_coefficients_smooths_and_series():
    formula = "y ~ x + s(z, k=5) + ar(time=t, gr=g) + (1 | g)"
    given = [prior("horseshoe()", name) for name in ("sd", "sds", "ar")]
    v, density = sampled(formula, prior("horseshoe(2, 0.3, scale_slab = 3, df_slab = 5, main = TRUE)"), *given)
    tau, c2 = 0.3 * v["hs_global"] * v["sigma"], 9.0 * v["hs_slab"]
    scales = tau * np.sqrt(c2 * v["hs_local"] ** 2 / (c2 + tau**2 * v["hs_local"] ** 2))
    assert len(scales) == 5  # x, the line of s(z), its sds, ar[1], the sd of g: the order of brms
    np.testing.assert_allclose(v["slopes"], v["zb"] * scales[:1], rtol=1e-12)
    np.testing.assert_allclose(v["bs_sz"], v["zbs_sz"] * scales[1:2], rtol=1e-12)
    np.testing.assert_allclose(v["sds_sz_1"], scales[2], rtol=1e-12)
    np.testing.assert_allclose(v["ar"], v["zar"] * scales[3:4], rtol=1e-12)
    np.testing.assert_allclose(v["sd_g"], scales[4:], rtol=1e-12)
    expected = stats.t.logpdf(v["hs_local"], 2).sum() + stats.t.logpdf(v["hs_global"], 1) + 6 * np.log(2)
    expected += stats.invgamma.logpdf(v["hs_slab"], 2.5, scale=2.5)
    assert density == pytest.approx(expected, rel=1e-10)


def test_sigma_multiplies_scales_of_the_mean_alone():
    both = [prior("R2D2()"), prior("R2D2()", dpar="nu")]
    v, _ = sampled(bayesml.bf("y ~ x", nu="~ z"), *both, family="student")
    assert v["slopes"][0] == pytest.approx(float(v["zb"][0] * v["sigma"] * np.sqrt(v["R2D2_R2"] / (1 - v["R2D2_R2"]))))
    ratio = v["R2D2_R2_nu"] / (1 - v["R2D2_R2_nu"])
    assert v["slopes_nu"][0] == pytest.approx(float(v["zb_nu"][0] * np.sqrt(ratio)))
    without, _ = sampled("y ~ x", prior("R2D2(autoscale = FALSE)"))
    ratio = without["R2D2_R2"] / (1 - without["R2D2_R2"])
    assert without["slopes"][0] == pytest.approx(float(without["zb"][0] * np.sqrt(ratio)))
    count, _ = sampled("k ~ x", prior("R2D2()"), family="poisson")
    assert count["slopes"][0] == pytest.approx(
        float(count["zb"][0] * np.sqrt(count["R2D2_R2"] / (1 - count["R2D2_R2"])))
    )


def test_prior_draws_have_the_share_of_variance_that_was_asked_for():
    """Columns of unit variance: R2 = sum sd^2 / (sum sd^2 + sigma^2) given the scales is beta."""
    problem = describe_problem(
        "y ~ x + z + (1 | g)", DATA, prior=[prior("R2D2(0.3, 6, main = TRUE)"), prior("R2D2()", "sd")]
    )
    drawn = prior_draws(problem, 1, 1, 4000)
    sd, b, sigma = (drawn[name][0] for name in ("sd_g", "b", "sigma"))
    # given R2 the variances of b and sd^2 sum to sigma^2 R2 / (1 - R2), whose mean is 1.8 / (4.2 - 1) sigma^2
    ratio = (sd[:, 0] ** 2 + (b[:, 1:] ** 2).sum(axis=1)) / sigma**2
    assert ratio.mean() == pytest.approx(1.8 / 3.2, abs=5 * ratio.std() / 4000**0.5)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([prior("R2D2()"), prior("R2D2()", "sd")], "`main=True` in exactly one"),
        ([prior("R2D2(main = TRUE)"), prior("R2D2(main = TRUE)", "sd")], "`main=True` in exactly one"),
        ([prior("R2D2(main = TRUE)"), prior("horseshoe()", "sd")], "share one joint prior"),
        ([prior("R2D2()", "sd", group="g")], "without `coef` and `group`"),
        ([prior("R2D2()", "sigma")], "all coefficients of a predictor"),
        ([prior("R2D2()", "Intercept")], "all coefficients of a predictor"),
        ([prior("R2D2()", "sd"), prior("normal(0, 1)", "sd", group="g")], "leave one of the two out"),
        ([prior("R2D2()", ub=2)], "takes no bounds"),
        ([prior("R2D2(cons_D2 = c(1, 2, 3))")], "3 numbers, and there are 2 scales: x, z"),
    ],
)
def test_priors_that_do_not_go_together(given, words):
    with pytest.raises(PriorError, match=words):
        describe_problem("y ~ x + z + (1 | g)", DATA, prior=given)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("R2D2(1)", "between 0 and 1"),
        ("R2D2(0)", "between 0 and 1"),
        ("R2D2(0.5, 0)", "larger than 0"),
        ("R2D2(cons_D2 = c(1, -1))", "larger than 0"),
        ("R2D2(cons_D2 = c())", "one for each scale"),
        ("R2D2(mean = 0.5)", "did you mean `mean_R2`|no argument `mean`"),
        ("R2D2(main = 1)", "True or False"),
        ("horseshoe(main = 1)", "True or False"),
    ],
)
def test_impossible_arguments(text, words):
    with pytest.raises(PriorError, match=words):
        prior(text)


def test_it_is_printed_as_it_is_written():
    for text in ("R2D2(0.3, 5, 0.5)", "R2D2(0.3, 5, c(1, 2), autoscale = False, main = True)"):
        assert str(prior(text).distribution) == text
    assert str(prior(bayesml.R2D2(cons_D2=[1, 2])).distribution) == "R2D2(0.5, 2, c(1, 2))"
    assert str(prior("horseshoe(main = TRUE)").distribution) == "horseshoe(1, main = True)"
