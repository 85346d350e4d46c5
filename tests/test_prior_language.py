"""What a prior may be given as: names with values, lists, objects of NumPyro and PreliZ, constants; tags; the table."""

from __future__ import annotations

import json
import warnings

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from scipy import stats

import bayesml
from bayesml import BayesmlError, ModelError, PriorError, prior
from bayesml.distributions import FromNumPyro
from bayesml.engines.layout import layout_of
from bayesml.engines.log_prior import log_prior, parameter_values
from bayesml.engines.precision import double_precision
from bayesml.fit import describe_problem
from bayesml.results.record.encoded import prior_from_json, prior_to_json

ROWS = 40
DATA = pd.DataFrame(
    {
        "y": np.sin(np.arange(ROWS)) + 2.0,
        "x": np.cos(np.arange(ROWS)),
        "z": np.cos(3.0 * np.arange(ROWS)),
        "k": 1 + np.arange(ROWS) % 4,
        "g": np.arange(ROWS) % 8,
        "h": np.arange(ROWS) % 5,
    }
)
FORMULA = "y ~ x + z + (x | g) + (1 | h)"


def table(*priors, formula=FORMULA, family="gaussian", **options):
    found = bayesml.validate_prior(list(priors), formula, DATA, family, **options)
    return found.set_index(["class", "coef", "group"])


# What is written --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (prior("normal(m, 2 * s)", values={"m": -1, "s": np.float32(2.5)}), "normal(-1, 5)"),
        (prior("student_t(3, 0, sd=s)", values={"s": np.int64(2)}), "student_t(3, 0, 2)"),
        (prior("horseshoe(df, par_ratio = r)", values={"df": 3, "r": 0.1}), "horseshoe(3, par_ratio = 0.1)"),
        (prior("normal(0, s)", values={"s": [1, 2.5]}), "[normal(0, 1), normal(0, 2.5)]"),
        (prior("normal(m, s)", values={"s": (1, 2), "m": 3}), "[normal(3, 1), normal(3, 2)]"),
        (prior(["normal(0, 1)", bayesml.cauchy(0, 1), 0.5]), "[normal(0, 1), cauchy(0, 1), constant(0.5)]"),
        (prior("[normal(0, 1), gamma(2, 1)]"), "[normal(0, 1), gamma(2, 1)]"),
        (prior(np.array([[1, 0.5], [0.5, 1]]), "cor"), "constant([[1, 0.5], [0.5, 1]])"),
        (prior("constant([[1, 1/2], [1/2, 1]])", "cor"), "constant([[1, 0.5], [0.5, 1]])"),
        (prior(np.float64(3)), "constant(3)"),
        (prior(dist.Normal(0, 2)), "normal(0, 2)"),
        (prior(dist.Normal(np.float32(0.1), 2).expand([2]).to_event(1)), "[normal(0.1, 2), normal(0.1, 2)]"),
        (prior(dist.StudentT(3.0, 0.0, np.array([1.0, 2.0]))), "[student_t(3, 0, 1), student_t(3, 0, 2)]"),
        (prior(dist.Chi2(3.0), "sigma"), "gamma(1.5, 0.5)"),
        (prior(dist.Delta(2.0)), "constant(2)"),
        (prior(dist.LKJ(3, 2.0), "cor"), "lkj(2)"),
        (prior(dist.LKJCholesky(3, 2.0), "cor"), "lkj(2)"),
        (prior(dist.Dirichlet(np.array([1.0, 2.0])), "simo", coef="mo(k)1"), "dirichlet(1, 2)"),
        (prior(dist.Gumbel(0.0, 2.0)), "numpyro.Gumbel(loc=0, scale=2)"),
        (prior("numpyro.Gumbel(0, scale=2)"), "numpyro.Gumbel(loc=0, scale=2)"),
        (prior("numpyro.Normal(0, s)", values={"s": 2}), "normal(0, 2)"),
    ],
    ids=str,
)
def test_what_is_given_is_read_and_kept_as_text(given, text):
    assert str(given.distribution) == text
    kept = prior_from_json(json.loads(json.dumps(prior_to_json(given))))
    assert str(kept) == str(given) and kept.tag == given.tag and type(kept.distribution) is type(given.distribution)


def test_a_truncated_object_gives_bounds():
    given = prior(dist.TruncatedNormal(1.0, 2.0, low=0.0))
    assert (str(given.distribution), given.lower, given.upper) == ("normal(1, 2)", 0.0, None)
    assert prior(dist.TruncatedNormal(1.0, 2.0, low=0.0, high=3.0), lb=1).lower == 1.0


class Named:
    """Stands for a distribution of PreliZ, which tests do not install: name of the class, module, arguments."""

    def __new__(cls, name, **arguments):
        made = object.__new__(type(name, (), {"__module__": f"preliz.distributions.{name.lower()}"}))
        made.__dict__.update(arguments)
        return made


PRELIZ = {  # attributes as in PreliZ 0.24; densities by SciPy where PreliZ documents them so
    "normal(1, 2)": Named("Normal", mu=1, sigma=np.float64(2)),
    "half_student_t(3, 2)": Named("HalfStudentT", nu=3, sigma=2),
    "exponential(0.5)": Named("Exponential", lam=0.5),
    "inv_gamma(3, 4)": Named("InverseGamma", alpha=3, beta=4),
    "normal(0, 1) T[0, 3]": Named("TruncatedNormal", mu=0, sigma=1, lower=0, upper=3),
    "cauchy(0, 1) T[0, ]": Named("Truncated", dist=Named("Cauchy", alpha=0, beta=1), lower=0, upper=np.inf),
    "numpyro.Gumbel(loc=1, scale=2)": Named("Gumbel", mu=1, beta=2),
}


@pytest.mark.parametrize("text", PRELIZ)
def test_distributions_of_preliz(text):
    given = prior(PRELIZ[text])
    assert text.startswith(str(given.distribution))
    assert [b for b in (given.lower, given.upper) if b is not None] == [
        float(b) for b in text.partition("T[")[2].rstrip("]").split(",") if b.strip()
    ]


def test_preliz_with_an_asymmetry():
    d = prior(
        Named("AsymmetricLaplace", mu=1, b=2, kappa=3)
    ).distribution  # SciPy: laplace_asymmetric(kappa, mu, 1 / b)
    x = np.linspace(-2, 3, 7)
    np.testing.assert_allclose(d.log_density(x), stats.laplace_asymmetric.logpdf(x, 3, 1, 0.5), rtol=1e-12)


# NumPyro's own ----------------------------------------------------------------------------------------------------

OTHERS = [
    dist.SoftLaplace(1.0, 2.0),
    dist.Gompertz(0.5, 1.0),
    dist.Kumaraswamy(2.0, 3.0),
    dist.Levy(0.0, 1.0),
    dist.MixtureSameFamily(dist.Categorical(np.array([0.3, 0.7])), dist.Normal(np.array([-1.0, 2.0]), 0.5)),
]


@pytest.mark.parametrize("own", OTHERS, ids=lambda own: type(own).__name__)
def test_any_other_distribution_has_numpyros_density(own):
    d = prior(own).distribution
    assert isinstance(d, FromNumPyro)
    x = d.quantile(np.array([0.1, 0.5, 0.9]))
    np.testing.assert_allclose(d.cdf(x), [0.1, 0.5, 0.9], atol=5e-6)  # linear interpolation, spacing h = 0.003: h^2 / 2
    np.testing.assert_allclose(d.survival(x), [0.9, 0.5, 0.1], atol=5e-6)
    with double_precision():
        np.testing.assert_allclose(d.log_density(x), own.log_prob(jax.numpy.asarray(x)), rtol=1e-12)
    step = 1e-5 * d.scale
    slope = (d.log_density(x + step) - d.log_density(x - step)) / (2 * step)
    np.testing.assert_allclose(d.log_density_derivative(x), slope, rtol=1e-5, atol=1e-7)
    lower, upper = d.support
    assert [d.log_density(b - e) for b, e in ((lower, 1), (upper, -1)) if np.isfinite(b)] == [-np.inf] * (
        int(np.isfinite(lower)) + int(np.isfinite(upper))
    )
    drawn = d.draw(np.random.default_rng(1), 4000)  # a share has a standard error of at most 0.008
    assert np.mean(drawn < x[1]) == pytest.approx(0.5, abs=0.04)
    cut = bayesml.distributions.bounded(d, lower=float(x[0]), upper=float(x[2]))
    assert cut.mass == pytest.approx(0.8, abs=1e-5)


def test_its_density_is_part_of_the_model(rng):
    """Beside two known priors on other labels; the values of a Gompertz prior stay positive."""
    given = [
        prior(dist.SoftLaplace(0.0, 2.0), coef="x"),
        prior(dist.Gompertz(0.5, 1.0), "sigma"),
        prior("normal(0, 1)"),
    ]
    spec = describe_problem(FORMULA, DATA, prior=given).description.spec
    plain = describe_problem(FORMULA, DATA, prior=[prior("normal(0, 1)"), prior("exponential(1)", "sigma")])
    layout = layout_of(spec)
    with double_precision():
        for u in layout.center + layout.scale * rng.normal(size=(3, layout.size)):
            values = parameter_values(spec.parameters, layout.constrain(u)[0])
            other = plain.description.spec.parameters
            b, sigma = np.asarray(values["slopes"])[0], float(values["sigma"])
            change = dist.SoftLaplace(0.0, 2.0).log_prob(b) - stats.norm.logpdf(b)
            change += dist.Gompertz(0.5, 1.0).log_prob(sigma) - stats.expon.logpdf(sigma)
            expected = float(log_prior(other, values)) + float(change)
            assert float(log_prior(spec.parameters, values)) == pytest.approx(expected, rel=1e-10)


# Constants --------------------------------------------------------------------------------------------------------


def test_a_correlation_matrix_that_is_held():
    matrix = np.array([[1, 0.3], [0.3, 1]])
    for given in (prior(0.3, "cor", group="g"), prior(matrix, "cor")):
        spec = describe_problem(FORMULA, DATA, prior=[given]).description.spec
        held = spec.parameter("L_g")
        assert held.is_constant and "L_g" not in {site.name for site in layout_of(spec).sites}
        with double_precision():
            factor = np.asarray(parameter_values([held], {})["L_g"])
        np.testing.assert_allclose(factor @ factor.T, matrix, rtol=1e-12)
        assert float(log_prior([held], {"L_g": factor})) == 0.0


def test_a_simplex_that_is_held():
    given = prior([0.5, 0.2, 0.3], "simo", coef="mo(k)1")
    spec = describe_problem("y ~ mo(k)", DATA, prior=[given]).description.spec
    (held,) = (p for p in spec.parameters if p.prior_class == "simo")
    np.testing.assert_allclose(parameter_values([held], {})[held.name], [0.5, 0.2, 0.3])


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_constants_of_every_class_are_reported_without_error(family):
    """Collapsed and preconditioned; draws of what is fixed are the value itself."""
    given = [prior(0.25, "cor"), prior(0.5, coef="x"), prior(0.3, "sd", group="g", coef="x")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)
        fit = bayesml.fit("k ~ x + z + (x | g)", DATA, family, prior=given, draws=20, warmup=20, chains=1, seed=1,
                          progress=False)  # fmt: skip
    draws = fit.draws()
    for name, value in (("b_x", 0.5), ("sd_g__x", 0.3), ("cor_g__Intercept__x", 0.25)):
        np.testing.assert_allclose(draws[name], value, rtol=1e-6)
    assert fit.fixef().loc["x", "Est.Error"] == 0.0
    assert "constant(0.25)" in set(fit.prior_summary()["prior"])


def test_what_the_formula_fixes_is_a_row():
    found = table(formula=bayesml.bf(FORMULA, sigma=2.5)).loc[("sigma", "", "")]
    assert (found["prior"], found["source"]) == ("constant(2.5)", "formula")
    with pytest.raises(PriorError, match="the formula holds `sigma`"):
        table(prior("normal(0, 1)", "sigma"), formula=bayesml.bf(FORMULA, sigma=2.5))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (prior(1.5, "cor"), "not positive definite"),
        (prior([[1, 0.2], [0.3, 1]], "cor"), "symmetric"),
        (prior([[1, 0.2, 0], [0.2, 1, 0], [0, 0, 1]], "cor"), "shape"),
        (prior([0.5, 0.6], "cor"), "2 priors"),
        (prior([[1, 0], [0, 1]], "b"), "matrix is for correlations"),
        (prior(-1, "sd"), "outside the possible values"),
        (prior(0.5, "simo", coef="mo(k)1"), "sum to 1"),
        (prior([0.5, 0.2, 0.4], "simo", coef="mo(k)1"), "sum to 1"),
        (prior(dist.Dirichlet(np.ones(3)), "b"), "simplexes only"),
        (prior("normal(0, s)", values={"s": [1, 2, 3, 4]}), "4 priors, and the class has 3 coefficients: `x`, `z`"),
        (prior("normal(0, s)", coef="x", values={"s": [1, 2]}), "without `coef`"),
        (prior([1, 2], "sd"), 'say which, group="'),
    ],
    ids=lambda value: str(value)[:60],
)
def test_impossible_constants_and_lists(given, words):
    with pytest.raises(PriorError, match=words):
        table(given, formula="y ~ x + z + mo(k) + (x | g) + (1 | h)")


# Errors of the language -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: prior("normal(0, s)"), r"values=\{\"s\": 2.5\}"),
        (lambda: prior("normal(0, 1)", values={"s": 1}), "no `s`"),
        (lambda: prior("normal(0, s)", values={"s": "a"}), "`s` in `values`"),
        (lambda: prior("normal(0, s)", values={"s": [1, np.nan]}), "`s` in `values`"),
        (lambda: prior("normal(0, s)", values={"s": [[1]]}), "`s` in `values`"),
        (lambda: prior("normal(m, s)", values={"s": [1, 2], "m": [1, 2, 3]}), "different lengths"),
        (lambda: prior("normal(0, s)", values=[1]), "is a mapping"),
        (lambda: prior(bayesml.normal(0, 1), values={"s": 1}), "names in the text"),
        (lambda: prior("horseshoe(s)", values={"s": [1, 2]}), "numbers"),
        (lambda: prior([]), "one of a single number"),
        (lambda: prior("[normal(0, 1)"), "cannot be read"),
        (lambda: prior("[normal(0, 1)] + 1"), "cannot be read"),
        (lambda: prior("numpyro.Foo(1)"), "no distribution `Foo`"),
        (lambda: prior("numpyro.Gumbel(0, -1)"), "invalid scale"),
        (lambda: prior("numpyro.Gumbel(0, 1, 2, 3)"), "takes loc, scale"),
        (lambda: prior(dist.Normal), "with its arguments"),
        (lambda: prior(dist.Poisson(2.0)), "whole numbers"),
        (lambda: prior(dist.MultivariateNormal(np.zeros(2), np.eye(2))), "vectors or matrices"),
        (lambda: prior(dist.Normal(0, np.ones((2, 2)))), "shape"),
        (lambda: prior(Named("Moyal", mu=0, sigma=1)), "none of those that can be priors"),
        (lambda: prior(Named("Normal", mu=0, sigma=None)), "no value of sigma"),
        (lambda: prior("normal(0, 1)", lb=np.inf), "leaves no values"),
        (lambda: prior("normal(0, 1)", lb="0"), "`lb` of a prior is a number"),
        (lambda: prior("normal(0, 1)", tag=1), "`tag` of a prior is a string"),
        (lambda: prior(object()), "a distribution of NumPyro or PreliZ"),
        (lambda: prior(np.zeros((2, 2, 2))), "vector or a matrix"),
    ],
)
def test_what_is_no_prior_is_refused_in_words(call, words):
    with pytest.raises(BayesmlError, match=words):
        call()


def test_an_object_without_numbers_cannot_be_saved():
    with pytest.raises(ModelError, match="A file cannot hold"):
        prior_to_json(prior(OTHERS[-1]))


# The table --------------------------------------------------------------------------------------------------------


def test_a_list_reaches_the_coefficients_in_the_order_of_the_model():
    found = table(prior("normal(0, s)", values={"s": [1, 2]}), prior("cauchy(0, 1)", coef="z"))
    assert found.loc[("b", "x", ""), "prior"] == "normal(0, 1)"
    assert found.loc[("b", "z", ""), "prior"] == "cauchy(0, 1)"
    sds = table(prior(dist.HalfNormal(np.array([1.0, 2.0])), "sd", group="g"))
    assert sds.loc[("sd", "Intercept", "g"), "prior"] == "half_normal(1)"
    assert sds.loc[("sd", "x", "g"), "prior"] == "half_normal(2)"


def test_tags_are_in_the_table_and_on_the_parameters():
    given = [
        prior("normal(0, 1)", tag="slopes"),
        prior("cauchy(0, 1)", coef="z", tag="z"),
        prior("lkj(2)", "cor", tag="r"),
    ]
    found = table(*given)
    assert list(found.loc[("b", slice(None), ""), "tag"]) == ["slopes", "", "z"]
    spec = describe_problem(FORMULA, DATA, prior=given).description.spec
    assert (spec.parameter("slopes").tags, spec.parameter("L_g").tags) == (("slopes", "z"), ("r",))
    assert spec.parameter("sigma").tags == ("",)


def test_validating_says_where_each_prior_comes_from():
    found = table(prior("normal(0, 1)", coef="x"), prior("exponential(1)", "sd", group="g"))
    assert found.loc[("b", "x", ""), "source"] == "user"
    assert found.loc[("b", "z", ""), "source"] == "default"
    assert found.loc[("sd", "", "g"), "source"] == "user"
    assert found.loc[("sd", "x", "g"), "source"] == "(vectorized)"


def test_validating_asks_for_proper_priors_where_draws_are_wanted():
    assert len(table(default_priors="brms"))
    with pytest.raises(PriorError, match='class "b" is flat'):
        table(default_priors="brms", sample_prior="only")
    assert len(table(prior("normal(0, 1)"), default_priors="brms", sample_prior="only"))
    with pytest.raises(ModelError, match="`sample_prior` is"):
        table(sample_prior="maybe")


def test_validating_lists_what_there_is():
    with pytest.raises(PriorError, match=r'did you mean `sigma`\?\)(.|\n)*class_="sd", coef="x", group="g"'):
        table(prior("normal(0, 1)", "sgima"))
