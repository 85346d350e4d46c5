"""Conditional autoregression of areas, ``car(W, gr=area)``: distributions, estimates, predictions, refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import bayesml
from bayesml.errors import DataError, FitWarning, FormulaError
from bayesml.fit import describe_problem
from bayesml.terms.areas import KINDS
from bayesml.terms.car import Car

SIDE = 4
AREAS = [f"{row}{column}" for row in "abcd" for column in range(SIDE)]
COUNT = len(AREAS)


def grid() -> np.ndarray:
    """Return the neighbours of the squares of a grid, without one corner's diagonal symmetry."""
    W = np.zeros((COUNT, COUNT))
    for i in range(COUNT):
        for j in (i + 1, i + SIDE):
            if j < COUNT and (j != i + 1 or j % SIDE):
                W[i, j] = W[j, i] = 1
    W[0, SIDE + 1] = W[SIDE + 1, 0] = 1
    return W


W = pd.DataFrame(grid(), AREAS, AREAS)


def simulated() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    area = np.r_[np.arange(COUNT), rng.integers(0, COUNT, 60)]
    x = rng.normal(size=len(area))
    r = np.linalg.cholesky(np.linalg.inv(np.diag(W.sum()) - 0.9 * W)) @ rng.normal(size=COUNT)
    y = 1 + 0.5 * x + r[area] + 0.6 * rng.normal(size=len(area))
    return pd.DataFrame({"y": y, "x": x, "area": np.array(AREAS)[area], "k": rng.poisson(np.exp(0.4 * y))})


DATA = simulated()


def covariance(kind: str, further: float) -> np.ndarray:
    """Return the covariance matrix of the effects at sdcar = 1 from the precision matrices of brms's programs."""
    D, neighbours = np.diag(W.sum()), W.to_numpy()
    if kind == "escar":
        return np.linalg.inv(D - further * neighbours)
    exact = np.linalg.pinv(D - neighbours)
    if kind == "esicar":
        return exact
    # normal_lpdf(sum(z) | 0, 0.001 n)
    soft = np.linalg.inv(D - neighbours + np.ones((COUNT, COUNT)) / (0.001 * COUNT) ** 2)
    if kind == "icar":
        return soft
    scale = np.exp(np.log(np.diag(exact)).mean())
    return (1 - further) * np.eye(COUNT) + further / scale * soft


@pytest.mark.parametrize("further", [0.1, 0.7, 0.99])
@pytest.mark.parametrize("kind", KINDS)
def test_effects_have_the_covariance_matrix_of_brms(kind, further):
    problem = describe_problem(f'y ~ x + car(W, gr=area, type="{kind}")', DATA, data2={"W": W})
    (term,) = (t for t in problem.design.schema.predictors[0].terms if isinstance(t, Car))
    values = {"sdcar": 2.0, "car": further, "rhocar": further}
    columns = [term.derive({**values, "zcar": unit})["rcar"] for unit in np.eye(term.graph.size)]
    root = np.stack(columns, axis=1)
    np.testing.assert_allclose(root @ root.T, 4 * covariance(kind, further), atol=1e-8)


@pytest.mark.parametrize(("response", "family", "method"), [("y", "gaussian", "reml"), ("k", "poisson", "laplace")])
@pytest.mark.parametrize("kind", ["icar", "esicar"])
def test_point_estimates_are_those_of_levels_with_that_covariance_matrix(response, family, method, kind):
    """``icar`` is a group-level term with a known covariance matrix; so is nearly ``esicar``."""
    A = pd.DataFrame(covariance("icar", 0.0), AREAS, AREAS)
    text = f'{response} ~ x + car(W, gr=area, type="{kind}")'
    ours = bayesml.fit(text, DATA, family, method=method, data2={"W": W})
    theirs = bayesml.fit(f"{response} ~ x + (1 | gr(area, cov=A))", DATA, family, method=method, data2={"A": A})
    # Of esicar the mean of the effects is 0, of icar it has a standard deviation of 0.001 sdcar: the Intercept takes it
    # up, so that both have the same criterion. A search ends with a Newton decrement below 1e-3 standard errors, which
    # the last step makes its square, 1e-6; the criterion is off by the square of that, and by rounding.
    assert ours.logLik == pytest.approx(theirs.logLik, abs=1e-9)
    np.testing.assert_allclose(ours["sdcar"], theirs["sd_area__Intercept"], rtol=1e-6)
    np.testing.assert_allclose(ours.linpred(), theirs.linpred(), atol=1e-6)
    new = DATA.iloc[[5, 2, 70]]
    np.testing.assert_allclose(ours.linpred(newdata=new), ours.linpred()[[5, 2, 70]], rtol=1e-9)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[] if kind == "escar" else [pytest.mark.slow]) for kind in KINDS]
)
def test_forms_of_the_sampler_have_one_posterior(kind):
    """Few areas are integrated out exactly in a gaussian model; means agree with sampled effects."""
    text = f'y ~ x + car(W, gr=area, type="{kind}")'
    common = {"data2": {"W": W}, "seed": 3, "draws": 500, "chains": 2, "progress": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # of short runs
        collapsed = bayesml.fit(text, DATA, **common)
        sampled = bayesml.fit(text, DATA, precondition=True, **common)
    assert (collapsed.plan.split()[0], sampled.plan.split()[0]) == ("collapsed", "preconditioned")
    for name in ("sigma", "sdcar", "b_x"):
        first, second = np.asarray(collapsed[name]).ravel(), np.asarray(sampled[name]).ravel()
        # effective sample sizes of both are above 200, so that the difference has a sd of 0.1 sd at most
        assert abs(first.mean() - second.mean()) < 4 * np.sqrt(2 / 200) * first.std(), name


def test_names_and_default_priors_are_those_of_brms():
    for kind, names in {
        "escar": {"car", "sdcar"}, "bym2": {"rhocar", "sdcar"}, "icar": {"sdcar"}, "esicar": {"sdcar"},
    }.items():  # fmt: skip
        table = bayesml.default_prior(f"y ~ x + car(W, gr=area, type='{kind}')", DATA, data2={"W": W})
        assert set(table["class"]) >= names
        assert not set(table["class"]) & ({"car", "rhocar", "sdcar"} - names)
    problem = describe_problem("y ~ car(W, area)", DATA, data2={"W": (scipy.sparse.csr_array(W.to_numpy()), AREAS)})
    assert [p.name for p in problem.description.spec.parameters] == ["Intercept", "sdcar", "car", "zcar", "sigma"]


def test_every_row_may_be_an_area():
    once = DATA.head(COUNT).reset_index(drop=True)
    named = bayesml.fit('y ~ x + car(W, gr=area, type="icar")', once, method="ml", data2={"W": W})
    order = [AREAS.index(area) for area in once["area"]]
    bare = W.to_numpy()[np.ix_(order, order)]
    rows = bayesml.fit('y ~ x + car(M, type="icar")', once, method="ml", data2={"M": bare})
    assert rows.logLik == pytest.approx(named.logLik, rel=1e-8)
    with pytest.raises(DataError, match="an area for each row of the fit"):
        rows.linpred(newdata=once.head(3))


def test_a_fit_with_areas_is_saved_and_refuses_new_ones(tmp_path):
    fit = bayesml.fit('y ~ x + car(W, gr=area, type="icar")', DATA, method="reml", data2={"W": W})
    fit.save(tmp_path / "fit.nc")
    loaded = bayesml.load(tmp_path / "fit.nc")
    pd.testing.assert_series_equal(loaded.linpred(newdata=DATA.head(3)), fit.linpred(newdata=DATA.head(3)))
    with pytest.raises(DataError, match="`elsewhere` of `area` is an area that"):
        loaded.linpred(newdata=pd.DataFrame({"x": [0.0], "area": ["elsewhere"]}))


def changed(changes: dict[tuple[str, str], float]) -> pd.DataFrame:
    out = W.copy()
    for (row, column), value in changes.items():
        out.loc[row, column] = value
    return out


def without(*areas: str) -> pd.DataFrame:
    """Return the graph in which some areas have no neighbours but each other."""
    inside = pd.Series(AREAS).isin(areas).to_numpy()
    return W.where(inside[:, None] == inside[None, :], 0.0)


@pytest.mark.parametrize(
    ("matrix", "kind", "message"),
    [
        (changed({("a0", "a1"): np.nan}), "escar", r"missing value \(NaN\) at row 1, column 2"),
        (changed({("a0", "a1"): 0}), "escar", r"needs a symmetric matrix, but `W` has 1 at \[a1, a0\]"),
        (changed({("a0", "a0"): 1}), "escar", r"`a0` is its own neighbour"),
        (changed({("a0", "a1"): -1, ("a1", "a0"): -1}), "escar", "negative entries"),
        (W.to_numpy(), "escar", "have no names"),
        (W.iloc[1:, 1:], "escar", "has no row for `a0`"),
        (without("b2"), "escar", "`b2` has none in `W`"),
        (without("b2"), "bym2", "`b2` has none in `W`"),
        (without("a0", "a1"), "icar", r"fall into 2 parts that no neighbours join \(2, 14 areas"),
        (without("a0", "a1"), "esicar", 'use type="escar"'),
        (without("a0", "a1"), "bym2", "fall into 2 parts"),
    ],
)
def test_graphs_on_which_there_is_no_distribution_are_refused(matrix, kind, message):
    with pytest.raises(DataError, match=message):
        describe_problem(f'y ~ x + car(W, gr=area, type="{kind}")', DATA, data2={"W": matrix})


def test_parts_of_a_graph_may_be_apart_where_the_distribution_is_proper():
    problem = describe_problem("y ~ car(W, gr=area)", DATA, data2={"W": without("a0", "a1")})
    assert problem.design.schema.predictors[0].terms[-1].graph.neighbours.sum() == without("a0", "a1").to_numpy().sum()


def test_weights_of_neighbours_count_as_one_with_a_warning():
    with pytest.warns(FitWarning, match="all that are not 0 count as 1"):
        weighted = describe_problem("y ~ car(W, gr=area)", DATA, data2={"W": 2 * W})
    plain = describe_problem("y ~ car(W, gr=area)", DATA, data2={"W": W})
    first, second = (p.design.schema.predictors[0].terms[-1].graph.neighbours for p in (weighted, plain))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y ~ car(W, gr=area, type='car')", 'is one of "escar"'),
        ("y ~ car(W, gr=area) + car(W, gr=x)", "has one `car"),
        ("y ~ x * car(W, gr=area)", "stands alone"),
        ("y ~ car(W, gr=area, sd=2)", "has no argument `sd`"),
        ("y ~ car(gr=area)", "takes the name of a matrix"),
        ("y ~ car(V, gr=area)", "`data2` has none of that name"),
    ],
)
def test_calls_that_mean_nothing_are_refused(text, message):
    with pytest.raises(FormulaError, match=message):
        describe_problem(text, DATA, data2={"W": W})
