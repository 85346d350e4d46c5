"""Leave-one-out with group effects integrated out: against closed forms, a dense grid, and a brute-force average."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

import bayesml
from bayesml.errors import FitWarning, ModelError
from bayesml.results.checks.integrated import integrated, integration_of
from tests.handmade import handmade_fit

N = 32
GRID = np.linspace(-10.0, 10.0, 4001)
LOG_GRID = stats.norm.logpdf(GRID) + np.log(GRID[1] - GRID[0])
"""Log weights of a sum over the grid; of smooth functions that vanish at its ends it is exact to rounding."""


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    g = rng.permutation(np.concatenate([np.repeat(np.arange(5), 4), np.full(12, 5)]))  # the last has many rows
    return {
        "y": rng.normal(size=N),
        "x": rng.normal(size=N),
        "g": g,
        "h": rng.integers(0, 3, N),
        "c": rng.poisson(3, N),
        "w": rng.uniform(0.5, 2.0, N),
    }


def densities(fit: bayesml.Fit, unit: str, group: str | None = None) -> np.ndarray:
    integration = integration_of(fit, group)
    draws = fit.draws_record.n_chains * fit.draws_record.n_draws
    out = np.full((draws, fit.nobs if unit == "obs" else len(integration.occurring)), np.nan)
    for part, values in integrated(fit, integration, unit):
        out[:, part] = values
    return out


def parameters(fit: bayesml.Fit, draw: int) -> dict[str, np.ndarray]:
    return {name: values.reshape(-1, *values.shape[2:])[draw] for name, values in fit.draws_record.values.items()}


def by_group(fit: bayesml.Fit) -> list[np.ndarray]:
    index = integration_of(fit, "g").index
    return [np.flatnonzero(index == level) for level in np.unique(index)]


def test_normal_responses_have_the_closed_form(data) -> None:
    fit = handmade_fit("y ~ x + (x | g)", data)
    rows_given, groups = densities(fit, "obs"), densities(fit, "group")
    for draw in (0, 77):
        p = parameters(fit, draw)
        root = np.diag(p["sd_g"])
        covariance = root @ np.array([[1.0, p["cor_g"][0]], [p["cor_g"][0], 1.0]]) @ root
        for place, rows in enumerate(by_group(fit)):
            Z = np.column_stack([np.ones(len(rows)), data["x"][rows]])
            V = Z @ covariance @ Z.T + p["sigma"] ** 2 * np.eye(len(rows))
            mean, y = p["b"][0] + p["b"][1] * data["x"][rows], data["y"][rows]
            joint = stats.multivariate_normal.logpdf(y, mean, V)
            assert groups[draw, place] == pytest.approx(joint, abs=1e-9)
            for i, row in enumerate(rows):
                o = np.delete(np.arange(len(rows)), i)
                others = stats.multivariate_normal.logpdf(y[o], mean[o], V[np.ix_(o, o)])
                assert rows_given[draw, row] == pytest.approx(joint - others, abs=1e-8)


def test_effects_of_other_factors_stay(data) -> None:
    """Given the effects of h the rows of a group are normal; standard errors and lognormal responses count too."""
    positive = {**data, "z": np.exp(data["y"]), "s": data["w"]}
    fit = handmade_fit("y | se(s, sigma=TRUE) ~ x + (1 | g) + (1 | h)", positive)
    log = handmade_fit("z ~ x + (1 | g)", positive, "lognormal")
    for one, of_g in ((fit, densities(fit, "group", "g")), (log, densities(log, "group"))):
        p = parameters(one, 5)
        for place, rows in enumerate(by_group(one)):
            mean = p["b"][0] + p["b"][1] * data["x"][rows]
            extra = data["w"][rows] ** 2 if one is fit else 0.0
            mean = mean + (p["r_h"][data["h"][rows], 0] if one is fit else 0.0)
            V = p["sd_g"][0] ** 2 + np.diag(np.full(len(rows), p["sigma"] ** 2) + extra)
            expected = stats.multivariate_normal.logpdf(data["y"][rows], mean, V)
            if one is log:
                expected -= data["y"][rows].sum()  # of z = exp(y) the density is that of y over z
            assert of_g[5, place] == pytest.approx(expected, abs=1e-9)


CASES = {
    "poisson": ("c ~ x + (1 | g)", lambda d, eta, p: stats.poisson.logpmf(d["c"], np.exp(eta)), 1e-6),
    # powers of a normal density go the way of other families
    "gaussian": (
        "y | weights(w) ~ x + (1 | g)",
        lambda d, eta, p: d["w"] * stats.norm.logpdf(d["y"], eta, p["sigma"]),
        1e-8,
    ),
}


@pytest.mark.parametrize("family", CASES)
def test_quadrature_agrees_with_a_dense_grid(data, family: str) -> None:
    formula, density, tolerance = CASES[family]
    fit = handmade_fit(formula, data, family)
    rows_given, groups = densities(fit, "obs"), densities(fit, "group")
    for draw in (3, 50, 120):
        p = parameters(fit, draw)
        eta = p["b"][0] + p["b"][1] * data["x"] + p["sd_g"][0] * GRID[:, None]
        of_rows = density(data, eta, p)
        for place, rows in enumerate(by_group(fit)):
            together = logsumexp(of_rows[:, rows].sum(axis=1) + LOG_GRID)
            assert groups[draw, place] == pytest.approx(together, abs=tolerance)
            for row in rows:
                others = logsumexp(of_rows[:, rows].sum(axis=1) - of_rows[:, row] + LOG_GRID)
                assert rows_given[draw, row] == pytest.approx(together - others, abs=10 * tolerance)


@pytest.mark.slow
def test_a_row_that_decides_its_group_is_found(data) -> None:
    """One count of 4,000 among eleven small exposures: without it next to nothing is known of the group."""
    count, exposure = np.where(np.arange(12) == 0, 4000, 0), np.where(np.arange(12) == 0, 1000.0, 0.01)
    rows = {"c": np.concatenate([count, [1, 2]]), "e": np.concatenate([exposure, [1.0, 1.0]])}
    rows["g"] = np.repeat(["a", "b"], [12, 2])
    fit = handmade_fit("c | rate(e) ~ 1 + (1 | g)", rows, "poisson")
    found = densities(fit, "obs")
    for draw in (3, 50):
        p = parameters(fit, draw)
        own = GRID * 1.0
        eta = p["b"][0] + p["sd_g"][0] * own
        of_rows = stats.poisson.logpmf(rows["c"][:12], np.exp(eta)[:, None] * rows["e"][:12])
        # the grid is too coarse for the count, whose own density is narrow: it is left out exactly, and added by hand
        others = logsumexp(of_rows[:, 1:].sum(axis=1) + LOG_GRID)
        fine = np.linspace(-10.0, 10.0, 200_001)
        log = stats.poisson.logpmf(rows["c"][:12], np.exp(p["b"][0] + p["sd_g"][0] * fine)[:, None] * rows["e"][:12])
        together = logsumexp(log.sum(axis=1) + stats.norm.logpdf(fine) + np.log(fine[1] - fine[0]))
        assert found[draw, 0] == pytest.approx(together - others, abs=1e-4)


@pytest.mark.slow
def test_effects_in_two_predictors_are_averaged_together(data) -> None:
    """Brute force: 200,000 pairs of effects, correlated across mean and log standard deviation."""
    lead = (3, 60, 1)
    change = {"sd_g": np.full(lead, 0.8), "sd_g__sigma": np.full(lead, 0.4), "b_sigma": np.full(lead, -0.2)}
    fit = handmade_fit(bayesml.bf("y ~ x + (1 | p | g)", sigma="~ 1 + (1 | p | g)"), data, change=change)
    found = densities(fit, "group")
    p = parameters(fit, 9)
    rho = float(np.ravel(next(v for name, v in p.items() if name.startswith("cor_")))[0])
    rng = np.random.default_rng(1)
    z = rng.standard_normal((2, 200_000))
    u, v = 0.8 * z[0], 0.4 * (rho * z[0] + np.sqrt(1.0 - rho**2) * z[1])
    for place, rows in enumerate(by_group(fit)):
        mean = p["b"][0] + p["b"][1] * data["x"][rows][:, None] + u
        log = stats.norm.logpdf(data["y"][rows][:, None], mean, np.exp(p["b_sigma"][0] + v)).sum(axis=0)
        values = np.exp(log - log.max())
        expected, error = np.log(values.mean()) + log.max(), values.std() / values.mean() / np.sqrt(len(values))
        assert found[9, place] == pytest.approx(expected, abs=5.0 * error + 0.001)


@pytest.mark.parametrize("unit", ["obs", "group"])
def test_loo_of_a_fit(data, unit: str) -> None:
    """With the hyperparameters known the density of a row given all others is that of the multivariate normal."""
    priors = [
        bayesml.prior("normal(0, 2)", "Intercept"),
        bayesml.prior("constant(1)", "sigma"),
        bayesml.prior("constant(1.5)", "sd"),
    ]
    chosen = {name: data[name] for name in ("y", "g")}
    fit = bayesml.fit("y ~ 1 + (1 | g)", chosen, prior=priors, chains=2, draws=1000, seed=1, progress=False)
    found = fit.loo(groups="integrate", unit=unit)
    same = data["g"][:, None] == data["g"]
    V = 4.0 + 1.5**2 * same + np.eye(N)
    y = data["y"]
    if unit == "obs":
        precision = np.linalg.inv(V)
        q = np.diag(precision)
        expected = stats.norm.logpdf(precision @ y / np.sqrt(q)) + 0.5 * np.log(q)
    else:
        whole = stats.multivariate_normal.logpdf(y, cov=V)
        expected = np.empty(6)
        for level in range(6):
            o = np.flatnonzero(data["g"] != level)
            expected[level] = whole - stats.multivariate_normal.logpdf(y[o], cov=V[np.ix_(o, o)])
    # The log density of a row varies by .1 over the posterior of the mean, that of a group by .5; of 1,000 independent
    # draws the mean has errors of .003 and .016.
    np.testing.assert_allclose(found.evidence.found.elpd, expected, atol=0.02 if unit == "obs" else 0.1)
    assert (found.evidence.found.pareto_k < 0.7).all()
    if unit == "group":
        assert found.evidence.unit == "g" and list(found.evidence.labels) == [str(k) for k in range(6)]
        with pytest.raises(ModelError, match="of the levels of `g` and of single rows"):
            bayesml.loo_compare(found, fit)
        with pytest.raises(ModelError, match="leaves out rows"):
            fit.loo(groups="integrate", unit="group", reloo=True)
        with pytest.raises(ModelError, match="with the densities of rows"):
            fit.reloo(found)


def test_warnings_name_levels(data) -> None:
    fit = handmade_fit("y ~ x + (1 | g)", data)
    with pytest.warns(FitWarning, match=r'levels of `g` with a Pareto k above 0.01 \(.*kfold\(group="g", K=None'):
        fit.loo(groups="integrate", unit="group", k_threshold=0.01)


@pytest.mark.parametrize(
    ("formula", "arguments", "message"),
    [
        ("y ~ x", {"groups": "integrate"}, "no group-level effects"),
        ("y ~ x + (1 | g) + (1 | h)", {"groups": "integrate"}, "`g`, `h`: say over whose"),
        ("y ~ x + (1 | g)", {"groups": "integrate", "group": "G"}, "no grouping factor 'G'; it has `g`"),
        ("y ~ x + (1 | g)", {"groups": "population"}, '"conditional" or "integrate"'),
        ("y ~ x + (1 | g)", {"unit": "group"}, 'groups="integrate" averages: write that too'),
        ("y ~ x + (1 | g)", {"groups": "integrate", "unit": "row"}, '"obs" or "group"'),
        ("y ~ x + (1 | mm(g, h))", {"groups": "integrate"}, "several memberships"),
        ('y ~ x + (1 | gr(g, dist = "student"))', {"groups": "integrate"}, "heavier tails"),
        ("y ~ x + ar(p = 1) + (1 | g)", {"groups": "integrate"}, "depend on each other"),
    ],
)
def test_what_cannot_be_integrated_is_refused(data, formula: str, arguments, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        handmade_fit(formula, data).loo(**arguments)
