"""Continuous families against mpmath far into their tails, over grids of parameters, and against R."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from jax import numpy as jnp

import bayesml
from bayesml.engines.precision import double_precision
from bayesml.errors import DataError, FormulaError, ModelError
from bayesml.families import AbstractLikelihood, RawResponse, get_family
from bayesml.fit import describe_problem

FACTS = Path(__file__).parent / "facts"
EXACT = json.loads((FACTS / "continuous_families.json").read_text())


def likelihood_of(family: str, parameters: dict, y: list[float]) -> tuple[AbstractLikelihood, dict, dict]:
    """The likelihood, its parameters as the densities take them, and the arrays of a response."""
    positive = [value for value in y if value > 0] or [1.0]
    likelihood = get_family(family).bind(RawResponse("y", np.array(positive)))
    given = {k: np.array([float(v)]) for k, v in parameters.items() if k != "dec"}
    values = likelihood.values({p.name: likelihood.link(p.name).forward(given[p.name]) for p in likelihood.dpars}, {})
    data = {"y": np.array(y, dtype=float)}
    if "dec" in parameters:
        data["dec"] = np.full(len(y), float(parameters["dec"]))
    return likelihood, values, data


LONGEST = max(len(fact["y"]) for fact in EXACT)


def everything(likelihood: AbstractLikelihood, has_tails: bool) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """Return the compiled log density and tails of rows, ``(1 or 3, rows)``, and the slopes of their sums."""

    def parts(values: dict, data: dict) -> jax.Array:
        tails = likelihood.log_tails(data["y"], values, data) if has_tails else ()
        return jnp.stack([likelihood.log_prob(data["y"], values, data), *tails])

    return jax.jit(lambda v, d: (parts(v, d), jax.jacrev(lambda at: parts(at, d).sum(axis=1))(v)))


@pytest.mark.parametrize("family", dict.fromkeys(fact["family"] for fact in EXACT))
def test_densities_and_tails_are_those_of_mpmath(family: str) -> None:
    """Relative errors of logarithms, absolute ones of those near 0; and the slopes in all parameters are finite."""
    facts = [fact for fact in EXACT if fact["family"] == family]
    compiled = everything(likelihood_of(family, facts[0]["parameters"], [1.0])[0], "below" in facts[0])
    for fact in facts:
        y = fact["y"] + fact["y"][-1:] * (LONGEST - len(fact["y"]))
        _, values, data = likelihood_of(family, fact["parameters"], y)
        with double_precision():
            found, slopes = compiled(values, data)
        exact = [fact[name] for name in ("log_density", "below", "above") if name in fact]
        np.testing.assert_allclose(found[:, : len(fact["y"])], exact, rtol=1e-9, atol=1e-9, err_msg=str(fact))
        assert all(np.isfinite(slope).all() for slope in slopes.values()), fact


GRIDS = {
    "skew_normal": ({"mu": (-1.0, 2.0), "sigma": (0.2, 3.0), "alpha": (-8.0, 0.0, 1.5)}, "real"),
    "inverse_gaussian": ({"mu": (0.3, 4.0), "shape": (0.3, 2.0, 40.0)}, "positive"),
    "exgaussian": ({"mu": (-1.0, 2.0), "sigma": (0.1, 2.0), "beta": (0.1, 3.0)}, "real"),
    "shifted_lognormal": ({"mu": (-1.0, 1.0), "sigma": (0.3, 1.2), "ndt": (0.4,)}, "positive"),
    "asym_laplace": ({"mu": (-1.0, 2.0), "sigma": (0.2, 2.0), "quantile": (0.05, 0.5, 0.8)}, "real"),
    "von_mises": ({"mu": (-2.9, 0.0, 1.0), "kappa": (1e-3, 2.0, 150.0)}, "circle"),
    "frechet": ({"mu": (0.5, 3.0), "nu": (1.2, 3.0, 10.0)}, "positive"),
    "gen_extreme_value": ({"mu": (-1.0, 2.0), "sigma": (0.3, 2.0), "xi": (-0.6, 0.0, 0.4)}, "real"),
    "loglogistic": ({"mu": (0.5, 3.0), "shape": (0.6, 2.0, 9.0)}, "positive"),
    "wiener": ({"mu": (-2.0, 0.0, 1.0), "bs": (0.7, 3.0), "ndt": (0.2,), "bias": (0.1, 0.5, 0.9)}, "positive"),
    "tweedie": ({"mu": (0.3, 4.0), "phi": (0.05, 2.0), "power": (1.1, 1.5, 1.9)}, "positive"),
}


def places(kind: str, parameters: dict) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights that hold all the mass of the grids: panels of Gauss and Legendre, dense about the middle."""
    if kind == "circle":
        peak = parameters["mu"] + np.linspace(-0.5, 0.5, 40)
        edges = np.unique(np.concatenate([np.linspace(-np.pi, np.pi, 60), peak]))
        edges = edges[np.abs(edges) <= np.pi]
    elif kind == "positive":
        low = parameters.get("ndt", 0.0)
        least = -330 if "power" in parameters else -35  # the density of tweedie may have a pole at 0
        edges = low + np.concatenate([[0.0], np.exp(np.linspace(least, 45, 900))])
    else:
        steps = np.exp(np.linspace(-9, 30, 250))
        edges = parameters["mu"] + np.concatenate([-steps[::-1], [0.0], steps])
        if parameters.get("xi"):
            end = parameters["mu"] - parameters["sigma"] / parameters["xi"]
            near = end + np.sign(parameters["xi"]) * np.exp(np.linspace(-9, 5, 60))
            edges = np.unique(np.concatenate([edges, [end], near]))
    nodes, weights = np.polynomial.legendre.leggauss(8)
    left, width = edges[:-1, None], np.diff(edges)[:, None]
    return np.ravel(left + 0.5 * width * (nodes + 1)), np.ravel(0.5 * width * weights)


@pytest.mark.parametrize("family", GRIDS)
def test_every_density_of_a_grid_has_mass_one(family: str) -> None:
    grid, kind = GRIDS[family]
    some = get_family(family).bind(RawResponse("y", np.ones(2)))
    rows = jax.jit(lambda v, d: some.log_prob(d["y"], v, d))
    for chosen in product(*grid.values()):
        parameters = dict(zip(grid, chosen, strict=True))
        y, weights = places(kind, parameters)
        mass = 0.0
        for answer in (0, 1) if family == "wiener" else (None,):
            of = parameters if answer is None else {**parameters, "dec": answer}
            _, values, data = likelihood_of(family, of, list(y))
            with double_precision():
                mass += float(np.exp(np.asarray(rows(values, data))) @ weights)
                if family == "tweedie":
                    mass += float(np.exp(rows(values, {"y": np.zeros(1)}))[0])
        assert mass == pytest.approx(1.0, abs=1e-6), parameters


def test_moments_and_draws_of_first_passage_times_over_a_grid() -> None:
    """Means and variances against the density; means and shares of draws within five standard errors."""
    from bayesml.families.first_passage import draw_passages, time_moments

    rng, n = np.random.default_rng(8), 20_000
    for drift, separation, start in product((-6.0, 0.0, 0.01, 1.5), (0.8, 2.5), (0.1, 0.6)):
        parameters = {"mu": drift, "bs": separation, "ndt": 0.0 + 1e-12, "bias": start}
        y, weights = places("positive", parameters)
        density = np.zeros(len(y))
        for answer in (0, 1):
            likelihood, values, data = likelihood_of("wiener", {**parameters, "dec": answer}, list(y))
            with double_precision():
                density += np.exp(np.asarray(likelihood.log_prob(data["y"], values, data)))
        mean = (density * y) @ weights
        variance = (density * (y - mean) ** 2) @ weights
        np.testing.assert_allclose(time_moments(drift, separation, start), (mean, variance), rtol=1e-6)
        drawn, upper = draw_passages(rng, np.full(n, drift), separation, start)
        below, above = (1.0 - np.exp(-2 * drift * end) if drift else end for end in (start * separation, separation))
        share = below / above  # of processes that reach the upper boundary, by optional stopping of exp(-2 v x)
        assert abs(upper.mean() - share) < 5 * np.sqrt(share * (1.0 - share) / n) + 1e-12
        assert abs(drawn.mean() - mean) < 5 * np.sqrt(variance / n)
        cdf = np.cumsum(density * weights)
        for p in (0.05, 0.5, 0.95):
            assert abs(np.mean(drawn <= y[np.searchsorted(cdf, p)]) - p) < 5 * np.sqrt(0.25 / n) + 0.01


# Point estimates of R -------------------------------------------------------------------------------------------------

POINTS = json.loads((FACTS / "continuous_points.json").read_text())


@pytest.fixture(scope="module")
def points() -> pd.DataFrame:
    data = pd.read_csv(FACTS / "continuous_points.csv")
    return data.assign(censored=1 - data["event"])


def test_tweedie_is_that_of_glmmtmb(points: pd.DataFrame) -> None:
    fit, theirs = bayesml.fit("t ~ x + (1 | g)", points, "tweedie", method="laplace"), POINTS["tweedie"]
    np.testing.assert_allclose(fit.logLik, theirs["logLik"], rtol=1e-8)
    np.testing.assert_allclose(fit.fixef()["Estimate"], theirs["fixef"], atol=1e-5)
    np.testing.assert_allclose(fit.fixef().iloc[:, 1], theirs["se"], rtol=1e-3)
    np.testing.assert_allclose([fit["phi"], fit["power"]], [theirs["sigma"], theirs["power"]], rtol=1e-5)


def test_loglogistic_is_that_of_survreg(points: pd.DataFrame) -> None:
    fit = bayesml.fit("p | cens(censored) ~ x", points, "loglogistic", method="laplace")
    theirs = POINTS["loglogistic"]
    np.testing.assert_allclose(fit.logLik, theirs["logLik"], rtol=1e-8)
    np.testing.assert_allclose(fit.fixef()["Estimate"], theirs["fixef"], atol=1e-5)
    np.testing.assert_allclose(fit.fixef().iloc[:, 1], theirs["se"], rtol=1e-3)
    np.testing.assert_allclose(1 / fit["shape"], theirs["scale"], rtol=1e-5)


def test_the_mode_of_the_asymmetric_laplace_density_is_quantile_regression() -> None:
    """The linear programme of quantile regression has the highest density; its neighbours have less."""
    from scipy import optimize

    rng = np.random.default_rng(4)
    x = rng.normal(size=80)
    y, X = 1 + 0.5 * x + rng.standard_t(3, size=80), np.stack([np.ones(80), x], axis=1)
    q = 0.8
    cost = np.concatenate([np.zeros(4), np.full(80, q), np.full(80, 1 - q)])
    solved = optimize.linprog(cost, A_eq=np.hstack([X, -X, np.eye(80), -np.eye(80)]), b_eq=y, bounds=(0, None))
    best = solved.x[:2] - solved.x[2:4]
    likelihood = get_family("asym_laplace")

    def density(b: np.ndarray) -> float:
        values = {"mu": X @ b, "sigma": 0.7, "quantile": q}
        with double_precision():
            return float(likelihood.log_prob(jnp.asarray(y), values, {"y": y}).sum())

    assert density(best) == pytest.approx(80 * np.log(q * (1 - q) / 0.7) - solved.fun / 0.7, rel=1e-9)
    assert all(density(best + step) < density(best) for step in 1e-4 * rng.normal(size=(50, 2)))


# Responses, bounds and terms ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "y", "message"),
    [
        ("von_mises", [0.1, 3.5, 0.2], "must lie between -pi and pi; it is 3.5 in row 2"),
        ("inverse.gaussian", [0.1, 0.0, 2.0], "must be larger than 0; it is 0 in row 2"),
        ("shifted_lognormal", [0.1, -1.0, 2.0], "must be larger than 0; it is -1 in row 2"),
        ("frechet", [0.1, 2.0, -2.0], "must be larger than 0; it is -2 in row 3"),
        ("tweedie", [0.1, -0.5, 2.0], "must not be negative; it is -0.5 in row 2"),
        ("tweedie", [0.0, 0.0, 0.0], "must be larger than 0 in some row"),
        ("skew_normal", [1.0, 1.0, 1.0], "is 1 in every row"),
        ("wiener", [0.4, 0.5, 0.6], "needs the decision beside each response time"),
    ],
)
def test_impossible_responses_are_named(family: str, y: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        describe_problem("y ~ 1", {"y": y}, family)


def test_decisions_are_numbers_texts_or_truth_values() -> None:
    data = {"y": [0.4, 0.5, 0.6], "n": [1, 0, 1], "t": ["upper", "Lower", "upper"], "b": [True, False, True]}
    for column in "ntb":
        problem = describe_problem(f"y | dec({column}) ~ 1", data, "wiener")
        np.testing.assert_array_equal(problem.design.response.arrays["dec"], [1, 0, 1])
    with pytest.raises(DataError, match=r"`dec\(n\)` is '2' in row 2"):
        describe_problem("y | dec(n) ~ 1", {**data, "n": [1, 2, 1]}, "wiener")
    with pytest.raises(FormulaError, match=r"gaussian has no response term `dec\(\)`"):
        describe_problem("y | dec(n) ~ 1", data, "gaussian")


def upper_bound(problem: object) -> float:
    (ndt,) = (p for p in problem.description.spec.parameters if p.name == "ndt")  # type: ignore[attr-defined]
    return ndt.bounds[1]


def test_the_bound_of_the_shift_is_the_smallest_response() -> None:
    data = {"y": [0.4, 0.5, 0.9], "x": [1.0, 2.0, 4.0]}
    assert upper_bound(describe_problem("y ~ x", data, "shifted_lognormal")) == 0.4
    assert upper_bound(describe_problem("y ~ x", {**data, "y": [0.6, 0.7, 0.9]}, "shifted_lognormal")) == 0.6
    predicted = describe_problem(bayesml.bf("y ~ 1", ndt="~ x"), data, "shifted_lognormal")
    assert predicted.likelihood.dpar("ndt").bounds == (0.0, np.inf)


def test_a_kink_leaves_no_laplace_approximation() -> None:
    with pytest.raises(ModelError, match="has a kink; use method"):
        bayesml.fit("y ~ 1", {"y": [1.0, 2.0, 4.0]}, "asym_laplace", method="laplace")


@pytest.fixture(scope="module")
def shifted() -> bayesml.Fit:
    rng = np.random.default_rng(9)
    x = rng.normal(size=60)
    data = {"y": 0.3 + np.exp(-0.7 + 0.3 * x + 0.4 * rng.normal(size=60)), "x": x}
    return bayesml.fit("y ~ x", data, "shifted_lognormal", draws=1000, chains=2, seed=2, progress=False)


def test_the_bound_follows_other_data_and_files(shifted: bayesml.Fit, tmp_path: Path) -> None:
    path = tmp_path / "fit"
    shifted.save(path)
    back = bayesml.load(path)
    assert back.likelihood == shifted.likelihood
    np.testing.assert_array_equal(back.epred(), shifted.epred())
    y = np.asarray(shifted.problem.design.response.arrays["y"])
    moved = shifted.update(data={"y": y + 1.0, "x": np.asarray(shifted.frame.columns["x"].values)})
    assert upper_bound(moved.problem) == pytest.approx(upper_bound(shifted.problem) + 1.0)
    assert np.mean(moved["ndt"].values) > 1.0


def test_results_of_a_shifted_family(shifted: bayesml.Fit) -> None:
    new = {"x": [0.0, 1.0]}
    epred = np.asarray(shifted.epred(new))
    mean = shifted["b_Intercept"].values.ravel() + 0.5 * shifted["sigma"].values.ravel() ** 2
    np.testing.assert_allclose(epred.reshape(-1, 2)[:, 0], shifted["ndt"].values.ravel() + np.exp(mean), rtol=1e-10)
    drawn = np.asarray(shifted.predict(new, seed=1)).reshape(-1, 2)
    assert np.all(drawn > shifted["ndt"].values.ravel()[:, None])
    assert np.isfinite(np.asarray(shifted.log_lik())).all()
    assert np.isfinite(np.asarray(shifted.log_lik({"y": [0.31], "x": [0.0]}))).any()


def test_the_mean_of_a_truncated_response_is_that_of_its_density() -> None:
    data = {"y": [0.4, 0.5, 0.9, 1.2], "x": [1.0, 2.0, 4.0, 3.0]}
    likelihood = describe_problem("y | trunc(ub = 2) ~ x", data, "exgaussian").likelihood
    parameters = {"mu": np.array([[0.7]]), "sigma": np.array([[0.3]]), "beta": np.array([[0.5]])}
    bounds = {"lb": np.array([-np.inf]), "ub": np.array([2.0])}
    nodes, weights = np.polynomial.legendre.leggauss(80)
    y = 2.0 - 2.5 * (nodes + 1.0)
    values = {name: value[0] for name, value in parameters.items()}
    with double_precision():
        density = np.exp(np.asarray(jax.jit(lambda y: likelihood.log_prob(y, values, {"y": y, **bounds}))(y)))
    np.testing.assert_allclose(likelihood.mean(parameters, bounds)[0, 0], 2.5 * weights @ (y * density), rtol=1e-6)
