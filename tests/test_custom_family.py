"""``custom_family``: densities of the user against those of brms, SciPy and glmmTMB; errors; storage; the page."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from jax import numpy as jnp
from scipy import stats

import bayesml
from bayesml.engines.programs.structure import structure_key
from bayesml.errors import BayesmlError, DataError, FormulaError, ModelError
from bayesml.families import RawResponse, mixture
from bayesml.families.automatic import automatic_curvature
from bayesml.fit import describe_problem
from bayesml.links import between_name, get_link
from tests.brms_calls import our_call
from tests.brms_models import FACTS, BrmsModel, _read, joint_log_densities
from tests.test_brms_default_priors import COLUMNS, spelled_as_brms

ROOT = Path(__file__).resolve().parents[1]


def gumbel(y, mu, spread, tilt, n, w):
    z = (y - mu - tilt * n) / (spread * w)
    return -z - jnp.exp(-z) - jnp.log(spread * w)


GUMBEL = bayesml.custom_family(
    "scaled_gumbel",
    gumbel,
    ("mu", "spread", "tilt"),
    ("identity", "log", "identity"),
    lb=(None, 0, -1),
    ub=(None, None, 1),
)
CBPP = bayesml.load_dataset("cbpp")
FORMULA = "incidence | vint(size) ~ period + (1 | herd)"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "custom_families.md").read_text(), re.M | re.S)
PAGE: dict[str, Any] = {"__name__": "page"}
exec(BLOCKS[0], PAGE)  # defines the family
bb2 = PAGE["beta_binomial2"]
BINOMIAL2: dict[str, Any] = dict(dpars=("mu", "phi"), links=("logit", "log"), type="int", lb=0, ub=(1, None))
FAMILIES = {"beta_binomial2": bb2, "scaled_gumbel": GUMBEL}


def test_density_mean_variance_and_draws_are_those_of_scipy() -> None:
    y, size = np.array([0.0, 3.0, 7.0]), np.array([5, 4, 7])
    response = bb2.encode(RawResponse("k", y, additions={"vint1": size}))
    values = {"mu": 0.3, "phi": 2.5}
    reference = stats.betabinom(size, 0.3 * 2.5, 0.7 * 2.5)
    with jax.enable_x64(True):
        found = bb2.log_prob(y, values, response.arrays)
    np.testing.assert_allclose(found, reference.logpmf(y), rtol=1e-12)
    np.testing.assert_allclose(bb2.mean(values, response.arrays), reference.mean())
    np.testing.assert_allclose(bb2.variance(values, response.arrays), reference.var())
    many = bb2.draw(
        np.random.default_rng(1), {"mu": np.full((40_000, 3), 0.3), "phi": np.full((40_000, 1), 2.5)}, response.arrays
    )
    error = np.sqrt(reference.var() / len(many))
    assert np.all(np.abs(many.mean(axis=0) - reference.mean()) < 5 * error)


MODELS = list(_read(FACTS / "custom_families.json", FACTS / "brms_density_more.csv"))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_joint_log_density_equals_that_of_brms(model: BrmsModel) -> None:
    formula, _ = our_call(model.formula, "gaussian")
    problem = describe_problem(formula, model.frame, FAMILIES[model.family], default_priors="brms")
    found = joint_log_densities(model, problem)
    # a flat prior between two bounds, that of tilt, has the density 1 in brms and 1/2 here
    constant = np.log(2.0) if "tilt" in model.points[0].par else 0.0
    np.testing.assert_allclose(np.add(found, constant), [point.lp for point in model.points], rtol=1e-9)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_default_priors_equal_those_of_brms(model: BrmsModel) -> None:
    formula, _ = our_call(model.formula, "gaussian")
    table = bayesml.default_prior(formula, model.frame, FAMILIES[model.family], default_priors="brms")
    ours = table[COLUMNS].itertuples(index=False, name=None)
    theirs = [tuple(row[column] for column in COLUMNS) for row in model.default_prior]
    assert sorted(spelled_as_brms(row) for row in ours) == sorted(theirs)


def test_defaults_of_the_other_style_are_proper() -> None:
    frame = pd.DataFrame({"y": [1.0, 2.0, 4.0], "n": 1, "e": 1.0, "x": [0.0, 1.0, 3.0]})
    table = bayesml.default_prior("y | vint(n) + vreal(e) ~ x", frame, GUMBEL).set_index("class")
    assert table.loc["spread", "prior"] == "student_t(3, 0, 2.5)"
    assert table.loc["tilt", "prior"] == "uniform(-1, 1)"


@pytest.mark.slow
def test_laplace_is_that_of_glmmtmb() -> None:
    # glmmTMB 1.1.5: glmmTMB(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, family = betabinomial)
    # finds a standard deviation of 0 for herd, as a fit with (1 | herd) does here, too
    fit = bayesml.fit("incidence | vint(size) ~ period", CBPP, bb2, method="laplace")
    assert fit.logLik == pytest.approx(-88.04164683, abs=1e-6)
    np.testing.assert_allclose(fit.fixef()["Estimate"], [-1.3188, -0.9689, -1.2509, -1.4725], atol=6e-5)
    assert "phi    10.84" in str(fit)
    assert "Scaled residuals" in str(fit)


def test_derivatives_are_those_of_the_density() -> None:
    data = bb2.encode(RawResponse("k", np.array([0.0, 3.0, 7.0]), additions={"vint1": np.array([5, 4, 7])})).arrays
    eta, step = np.array([-0.4, 0.2, 1.1]), 1e-5
    found = automatic_curvature(bb2, eta, data, {"phi": 3.0}, 1)

    def log_density(at: np.ndarray) -> np.ndarray:
        p = 1.0 / (1.0 + np.exp(-at))
        return stats.betabinom.logpmf(data["y"], data["vint1"], 3 * p, 3 * (1 - p))

    np.testing.assert_allclose(found.log_density, log_density(eta), rtol=1e-10)
    np.testing.assert_allclose(found.d1, (log_density(eta + step) - log_density(eta - step)) / (2 * step), rtol=1e-7)


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory) -> bayesml.Fit:
    """The fit of the page, all of which runs as it is printed."""
    assert len(BLOCKS) == 4
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.chdir(tmp_path_factory.mktemp("page"))
        warnings.simplefilter("ignore", bayesml.FitWarning)  # two observations have a large Pareto k
        exec(BLOCKS[1], PAGE)
        sampled = PAGE["fit"]
        exec(BLOCKS[2], PAGE)
        exec(BLOCKS[3], PAGE)
    np.testing.assert_array_equal(PAGE["fit"].log_lik(), sampled.log_lik())
    return sampled


@pytest.fixture(scope="module")
def estimate() -> bayesml.PointFit:
    return bayesml.fit(
        "y ~ x", ROWS, bayesml.custom_family("mine", normal, **NORMAL, epred=lambda mu, sigma: mu), method="map"
    )


def test_posterior_is_that_of_the_vignette(fit: bayesml.Fit) -> None:
    # brms's vignette on custom families: Intercept -1.35, period -1.00 -1.26 -1.54, sd 0.39, elpd_loo -94.9; the
    # vignette rounds to two digits and has a Monte Carlo error of about 0.01 itself
    assert "preconditioned" in str(fit.plan)
    assert not fit.diagnostics.divergences
    coefficients = fit.fixef()
    error = coefficients["Est.Error"] / np.sqrt(400)
    assert np.all(np.abs(coefficients["Estimate"] - [-1.35, -1.00, -1.26, -1.54]) < 4 * error + 0.02)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)  # two observations have a large Pareto k
        assert float(fit.loo().elpd_loo) == pytest.approx(-94.9, abs=1.0)


def test_log_likelihood_and_predictions_are_those_of_scipy(fit: bayesml.Fit) -> None:
    new = {"period": ["1", "3"], "herd": ["2", "9"], "size": [12, 20], "incidence": [4, 0]}
    mu = fit.linpred(new, transform=True).to_numpy()
    phi = fit.idata.posterior["phi"].to_numpy()[..., None]
    size = np.array(new["size"])
    reference = stats.betabinom(size, mu * phi, (1 - mu) * phi)
    np.testing.assert_allclose(fit.log_lik(new), reference.logpmf(np.array(new["incidence"])), rtol=1e-8)
    np.testing.assert_allclose(fit.epred(new), mu * size)
    drawn = fit.predict(new, seed=2).to_numpy()
    assert np.all((drawn >= 0) & (drawn <= size))
    pearson = fit.residuals(new, type="pearson").to_numpy()
    np.testing.assert_allclose(pearson, (np.array(new["incidence"]) - mu * size) / reference.std(), rtol=1e-8)


def test_conditional_effects_hold_vint_at_an_observed_number(fit: bayesml.Fit) -> None:
    table = fit.conditional_effects("period")["period"]
    assert set(table["size"]) == {15.0}  # the mean is 15.04
    at = fit.epred({"period": CBPP["period"].cat.categories.tolist(), "size": [15] * 4}, re_formula="NA")
    np.testing.assert_allclose(table["estimate__"], at.median(("chain", "draw")), rtol=1e-8)


def test_a_saved_fit_needs_its_family(fit: bayesml.Fit, tmp_path: Path) -> None:
    path = tmp_path / "fit.nc"
    fit.save(path)
    with pytest.raises(ModelError, match=r"beta_binomial2\.log_prob `page\.log_prob`.*family=custom_family"):
        bayesml.load(path)
    again = bayesml.load(path, family=bb2)
    np.testing.assert_array_equal(again.log_lik(), fit.log_lik())
    np.testing.assert_array_equal(again.predict(seed=3), fit.predict(seed=3))
    other = bayesml.custom_family("beta_binomial2", PAGE["log_prob"], **{**BINOMIAL2, "links": ("probit", "log")})
    with pytest.raises(ModelError, match="another family"):
        bayesml.load(path, family=other)
    changed = bayesml.custom_family("beta_binomial2", lambda *a: PAGE["log_prob"](*a) - 0.1, **BINOMIAL2)
    with pytest.raises(ModelError, match="density of the response"):
        bayesml.load(path, family=changed)
    with pytest.raises(ModelError, match="`family` is the family"):
        bayesml.load(path, family="poisson")  # type: ignore[arg-type]


def test_a_saved_estimate(estimate: bayesml.PointFit, tmp_path: Path) -> None:
    estimate.save(tmp_path / "fit.nc")
    again = bayesml.load(tmp_path / "fit.nc", family=estimate.family)
    pd.testing.assert_series_equal(again.fitted, estimate.fitted)


def test_a_family_of_functions_of_a_module_is_pickled() -> None:
    family = bayesml.custom_family("mine", normal, **NORMAL)
    assert pickle.loads(pickle.dumps(family)) == family


def test_a_checkpoint_is_resumed_with_the_family(tmp_path: Path) -> None:
    family, folder = bayesml.custom_family("mine", normal, **NORMAL), tmp_path / "run"
    options: dict[str, Any] = {"seed": 2, "draws": 30, "warmup": 60, "chains": 1, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)
        first = bayesml.fit("y ~ x", ROWS, family, checkpoint=str(folder), **options)
        with pytest.raises(ModelError, match="family=custom_family"):
            bayesml.resume(folder)
        again = bayesml.resume(folder, family=family)
    np.testing.assert_array_equal(again["sigma"], first["sigma"])


def test_programs_of_such_models_are_not_stored() -> None:
    assert structure_key(bb2) is None
    assert structure_key(bayesml.families.poisson()) is not None


def test_a_mixture_with_a_family_of_ones_own(tmp_path: Path) -> None:
    family = mixture(bb2, "poisson")
    problem = describe_problem("incidence | vint(size) ~ 1", CBPP, family)
    assert [p.name for p in problem.likelihood.dpars] == ["mu1", "phi1", "mu2"]
    assert problem.likelihood.probe(problem.design.response.arrays) is not None


# What cannot be used -------------------------------------------------------------------------------------------------


def normal(y, mu, sigma):
    return -0.5 * ((y - mu) / sigma) ** 2 - jnp.log(sigma)


NORMAL: dict[str, Any] = dict(dpars=("mu", "sigma"), links=("identity", "log"), lb=(None, 0))
ROWS = pd.DataFrame(
    {
        "y": [0.5, 1.0, -2.0, 0.7],
        "x": [0.0, 1.0, 2.0, 5.0],
        "n": [1, 2, 3, 4],
        "w": [0.5, 1.5, 2.5, 1.0],
        "c": [0, 1, 0, -1],
    }
)


def attempt(function: Any, formula: str = "y ~ x", **options: Any) -> Any:
    family = bayesml.custom_family("mine", function, **{**NORMAL, **options})
    return bayesml.fit(formula, ROWS, family, method="map")


CURES = {
    "summed": (lambda y, mu, sigma: jnp.sum(normal(y, mu, sigma)), r"shape \(\).*without summing"),
    "several": (lambda y, mu, sigma: normal(y, mu, sigma)[:, None], r"shape \(4, 1\)"),
    "nothing": (lambda y, mu, sigma: None, "returned None; it has to return real numbers"),
    "truth values": (lambda y, mu, sigma: y > mu, "returned an array of bool"),
    "NumPy": (lambda y, mu, sigma: stats.norm.logpdf(y, mu, sigma), "function of NumPy or SciPy.*jax"),
    "a branch": (lambda y, mu, sigma: normal(y, mu, sigma) if sigma > 1 else y, r"jnp\.where"),
    "a selection": (lambda y, mu, sigma: normal(y[y > 0], mu, sigma), r"jnp\.where"),
    "a number": (lambda y, mu, sigma: normal(y, mu, float(sigma)), "one number.*jax.numpy"),
    "its own error": (lambda y, mu, sigma: normal(y, mu, sigm), "failed: NameError: name 'sigm' is not defined"),  # noqa: F821
    "not a number": (
        lambda y, mu, sigma: normal(y, jnp.log(-1 - jnp.abs(mu)), sigma),
        r"returned nan at y=0\.5, mu=.*row 1",
    ),
    "too few": (lambda y, mu: y - mu, r"has the arguments \(y, mu\); this model calls it as f\(y, mu, sigma\)"),
    "too many": (lambda y, mu, sigma, size: y, r"\(y, mu, sigma, size\); this model calls it as f\(y, mu, sigma\)"),
    "another order": (lambda y, sigma, mu: y, "has `sigma` as its argument number 2, where it is given `mu`"),
    "by name": (lambda y, mu, sigma, *, size: y, r"this model calls it as f\(y, mu, sigma\)"),
}


@pytest.mark.parametrize("case", CURES)
def test_a_function_that_cannot_be_used_is_named_with_its_cure(case: str) -> None:
    function, message = CURES[case]
    with pytest.raises(ModelError, match=rf"(?s)[Tt]he function `<lambda>`, log_prob of the family mine,.*{message}"):
        attempt(function)


def test_columns_for_the_functions_are_checked() -> None:
    with pytest.raises(ModelError, match=r"calls it as f\(y, mu, sigma, vint1, vreal1\)"):
        attempt(normal, "y | vint(n) + vreal(w) ~ x")
    with pytest.raises(DataError, match=r"`vint\(w\)` is 0\.5 in row 1.*vreal"):
        attempt(lambda y, mu, sigma, n: normal(y, mu, sigma), "y | vint(w) ~ x")
    with pytest.raises(FormulaError, match=r"gaussian has no response term `vint\(\)`"):
        bayesml.fit("y | vint(n) ~ x", ROWS, method="ml")
    with pytest.raises(DataError, match='must be a whole number.*type="int"'):
        attempt(normal, type="int")
    with pytest.raises(FormulaError, match=r"mine has no response term `cens\(\)`"):
        attempt(normal, "y | cens(c) ~ x")


def test_integers_arrive_as_integers() -> None:
    table = np.array([0.0, 1.0, 2.0, 3.0, 4.0])

    def shifted(y, mu, sigma, n, m):
        return normal(y, mu + jnp.asarray(table)[n] * m, sigma)

    family = bayesml.custom_family("mine", shifted, **NORMAL)
    data = family.encode(
        RawResponse(
            "y", ROWS["y"].to_numpy(), additions={"vint1": np.array([1, 2, 3, 4]), "vint2": np.array([2, 2, 2, 2])}
        )
    )
    assert data.arrays["vint1"].dtype.kind == "i"
    mean = 0.4 + np.array([2.0, 4.0, 6.0, 8.0])
    with jax.enable_x64(True):
        found = family.log_prob(data.arrays["y"], {"mu": 0.4, "sigma": 2.0}, data.arrays)
    np.testing.assert_allclose(found, -0.5 * ((ROWS["y"] - mean) / 2.0) ** 2 - np.log(2.0))


BAD: Mapping[str, tuple[dict[str, Any], str]] = {
    "no mu": ({"dpars": ("sigma", "mu")}, "first of `dpars`.*is `mu`"),
    "underscore": ({"dpars": ("mu", "my_sigma")}, "letters and digits"),
    "twice": ({"dpars": ("mu", "mu")}, "name a parameter twice"),
    "taken": ({"dpars": ("mu", "b")}, "`b` cannot be a parameter"),
    "data": ({"dpars": ("mu", "vint1")}, "`vint1` cannot be a parameter"),
    "link": ({"links": "lgo"}, "no link 'lgo'"),
    "links": ({"links": ("identity",) * 3}, "one value for all parameters, or one for each of mu, sigma"),
    "bounds": ({"lb": (None, 3), "ub": (None, 2)}, "leave no value"),
    "bound": ({"lb": "zero"}, "number or None"),
    "type": ({"type": "count"}, '"real" or "int"'),
    "epred": ({"epred": 3}, "`epred` .* is a function"),
    "one tail": ({"log_cdf": normal}, "only one tail"),
}


@pytest.mark.parametrize("case", BAD)
def test_impossible_options_are_refused(case: str) -> None:
    options, message = BAD[case]
    with pytest.raises(ModelError, match=f"(?s){message}"):
        bayesml.custom_family("mine", normal, **{**NORMAL, **options})
    with pytest.raises(ModelError):
        bayesml.custom_family("", normal)
    with pytest.raises(ModelError, match="`log_prob`"):
        bayesml.custom_family("mine", None)  # type: ignore[arg-type]


def test_what_needs_a_function_that_is_not_there_says_so() -> None:
    fit = attempt(normal)
    assert "sigma" in str(fit)
    for verb, role in (
        (lambda: fit.epred(), "epred"),
        (lambda: fit.fitted, "epred"),
        (lambda: fit.conditional_effects(), "epred"),
        (lambda: fit.simulate(seed=1), "posterior_predict"),
    ):
        with pytest.raises(ModelError, match=rf"custom_family\(\.\.\., {role}=f\)"):
            verb()


def test_wrong_answers_of_the_functions_of_numpy_are_named() -> None:
    fit = attempt(normal, epred=lambda mu, sigma: mu.sum(), posterior_predict=lambda rng, mu, sigma: mu[..., :1])
    with pytest.raises(ModelError, match="epred of the family mine, returned an array of shape"):
        fit.epred()
    with pytest.raises(ModelError, match="posterior_predict of the family mine, returned an array of shape"):
        fit.simulate(seed=1)


def test_censoring_with_the_tails_of_the_user_is_that_of_the_family_here() -> None:
    def tails(sign: float) -> Any:
        return lambda y, mu, sigma: jax.scipy.stats.norm.logcdf(sign * (y - mu) / sigma)

    full = lambda y, mu, sigma: jax.scipy.stats.norm.logpdf(y, mu, sigma)  # noqa: E731
    family = bayesml.custom_family("mine", full, **NORMAL, log_cdf=tails(1.0), log_survival=tails(-1.0))
    ours, known = (bayesml.fit("y | cens(c) ~ x", ROWS, f, method="map") for f in (family, "gaussian"))
    np.testing.assert_allclose(ours.fixef()["Estimate"], known.fixef()["Estimate"], rtol=1e-5)


@pytest.mark.parametrize("bounds", [(-1.0, 1.0), (2.0, np.inf), (-np.inf, 3.0), (-np.inf, np.inf)])
def test_links_between_bounds(bounds: tuple[float, float]) -> None:
    link, eta, step = get_link(between_name(*bounds)), np.linspace(-3, 3, 7), 1e-4
    mu = link.inverse(eta)
    assert np.all((bounds[0] < mu) & (mu < bounds[1]))
    np.testing.assert_allclose(link.forward(mu), eta, rtol=1e-12, atol=1e-12)
    for order in (1, 2, 3):
        lower = link.inverse if order == 1 else lambda e, order=order: link.inverse_derivative(e, order - 1)
        slope = (lower(eta + step) - lower(eta - step)) / (2 * step)
        np.testing.assert_allclose(link.inverse_derivative(eta, order), slope, rtol=1e-5, atol=1e-7)


def test_names_of_the_family_point_to_the_constructor() -> None:
    with pytest.raises(BayesmlError, match=r"bayesml\.custom_family"):
        bayesml.fit("y ~ x", ROWS, "custom_family")
