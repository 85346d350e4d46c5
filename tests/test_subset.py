"""Rows of some of several responses, ``subset()``: densities, missing values elsewhere, residual correlations."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesml
from bayesml.compile import compile_model
from bayesml.engines.density import data_of
from bayesml.engines.precision import double_precision
from bayesml.errors import DataError, FormulaError, ModelError
from bayesml.fit import describe_problem

N = 24
RNG = np.random.default_rng(3)
FIRST = np.arange(N) < 16
SECOND = np.arange(N) >= 6
DATA = pd.DataFrame(
    {
        "y": np.where(FIRST, RNG.normal(size=N), np.nan),
        "z": np.where(SECOND, RNG.normal(size=N), np.nan),
        "x": np.where(FIRST, RNG.normal(size=N), np.nan),
        "w": RNG.normal(size=N),
        "first": FIRST,
        "second": SECOND.astype(int),
        "g": np.arange(N) % 4,
    }
)


def formula(rescor: bool, first: str = "y | subset(first) ~ x", second: str = "z | subset(second) ~ w"):
    return bayesml.bf(first) + bayesml.bf(second) + bayesml.set_rescor(rescor)


def log_likelihood(problem, values):
    """Return the log density of the NumPyro model without that of its priors."""
    from numpyro import handlers

    model = compile_model(problem.description.spec, problem.design.schema, problem.likelihood)
    with double_precision():
        arguments = (data_of(problem), problem.design.response.arrays["y"])
        trace = handlers.trace(handlers.substitute(handlers.seed(model, 0), data=values)).get_trace(*arguments)
        site = trace["y"]
        return np.asarray(site["fn"].log_prob(site["value"]))


VALUES = {
    "Intercept_y": 0.3, "slopes_y": np.array([0.5]), "sigma_y": 1.3,
    "Intercept_z": -0.2, "slopes_z": np.array([-0.4]), "sigma_z": 0.7,
}  # fmt: skip
FACTOR = np.linalg.cholesky(np.array([[1.0, 0.6], [0.6, 1.0]]))


def means() -> tuple[np.ndarray, np.ndarray]:
    x, w = DATA["x"].to_numpy(), DATA["w"].to_numpy()
    return 0.3 + 0.5 * (x - x[FIRST].mean()), -0.2 - 0.4 * (w - w[SECOND].mean())


def test_each_response_counts_in_its_rows_alone():
    ours = log_likelihood(describe_problem(formula(False), DATA), VALUES)
    of_y, of_z = means()
    expected = np.where(FIRST, stats.norm(of_y, 1.3).logpdf(DATA["y"]), 0.0)
    expected = expected + np.where(SECOND, stats.norm(of_z, 0.7).logpdf(DATA["z"]), 0.0)
    np.testing.assert_allclose(ours, expected, rtol=1e-9)


@pytest.mark.parametrize("family", ["gaussian", "student"])
def test_correlated_residuals_of_the_responses_that_a_row_has(family):
    """Where one is missing the other has its marginal distribution: normal, or Student t with the same nu."""
    problem = describe_problem(formula(True), DATA, family)
    nu = {"nu": 5.0} if family == "student" else {}
    ours = log_likelihood(problem, VALUES | nu | {"Lrescor": FACTOR})
    of_y, of_z = means()
    scales = np.array([1.3, 0.7])
    cov = FACTOR @ FACTOR.T * np.outer(scales, scales)
    for row in range(N):
        pair = np.array([DATA["y"][row] - of_y[row], DATA["z"][row] - of_z[row]])
        has = np.flatnonzero([FIRST[row], SECOND[row]])
        part = cov[np.ix_(has, has)]
        if nu:
            expected = stats.multivariate_t(shape=part, df=5.0).logpdf(pair[has])
        else:
            expected = stats.multivariate_normal(cov=part).logpdf(pair[has])
        assert ours[row] == pytest.approx(float(expected), rel=1e-8)


def test_three_responses_may_overlap_in_any_way():
    """The factor of part of the correlations is that of the part of the matrix."""
    from bayesml.families.correlated import sub_factor

    root = np.linalg.cholesky(np.array([[1.0, 0.3, -0.5], [0.3, 1.0, 0.2], [-0.5, 0.2, 1.0]]))
    for places in ([0], [1], [2], [0, 2], [1, 2], [0, 1], [0, 1, 2]):
        rows = sub_factor(root, places)
        factor = np.array([[float(rows[i][j]) if j <= i else 0.0 for j in range(len(rows))] for i in range(len(rows))])
        np.testing.assert_allclose(factor @ factor.T, (root @ root.T)[np.ix_(places, places)], rtol=1e-6, atol=1e-7)


def test_missing_values_matter_in_the_rows_of_the_response_alone():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert describe_problem(formula(False), DATA).design.n_rows == N
    gaps = DATA.assign(x=DATA["x"].mask(np.arange(N) == 2))
    with pytest.warns(UserWarning, match="1 of 24 rows"):
        assert describe_problem(formula(False), gaps).design.n_rows == N - 1


def test_one_response_alone_loses_the_other_rows():
    problem = describe_problem("w | subset(second) ~ 1 + (1 | g)", DATA)
    assert problem.design.n_rows == SECOND.sum()


def test_predictors_are_centred_over_the_rows_of_the_response():
    problem = describe_problem(formula(False), DATA)
    term = problem.design.schema.predictors[0].terms[0]
    assert term.means[0] == pytest.approx(DATA["x"][FIRST].mean())


@pytest.fixture(scope="module")
def fit():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.errors.FitWarning)
        options = {"seed": 1, "draws": 200, "warmup": 300, "chains": 2, "progress": False}
        return bayesml.fit(formula(True, "y | subset(first) ~ x + (1 | g)"), DATA, **options)


def test_results_are_missing_where_the_response_is(fit):
    residuals = fit.residuals(resp="y")
    assert np.isnan(np.asarray(residuals)[..., ~FIRST]).all()
    assert (fit.log_lik(resp="y").values[..., ~FIRST] == 0).all()
    assert np.isfinite(fit.log_lik().values).all() and np.isfinite(fit.epred(resp="z").values).all()
    new = fit.epred(pd.DataFrame({"x": [0.0], "g": [1]}), resp="y")
    assert new.shape[-1] == 1


def test_saved_fits_come_back(fit, tmp_path):
    fit.save(tmp_path / "fit.nc")
    again = bayesml.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.log_lik().values, fit.log_lik().values)


@pytest.mark.parametrize(
    ("first", "data", "error", "words"),
    [
        ("y | subset(w) ~ x", DATA, DataError, "True"),
        ("y | subset(first) ~ x", DATA.assign(first=False), DataError, "False in all rows"),
        ("y | subset(first) + index(g) ~ x", DATA, DataError, "a number of its own"),
        ("y | subset(first, w) ~ x", DATA, FormulaError, "one column"),
        ("y | subset(first) ~ x", DATA.assign(first=[None, *FIRST[1:]]), DataError, "missing"),
    ],
)
def test_what_is_no_subset_is_said(first, data, error, words):
    with pytest.raises(error, match=words):
        describe_problem(formula(False, first), data)


@pytest.mark.parametrize("method", ["laplace", "map"])
def test_point_estimates_refuse(method):
    with pytest.raises(ModelError, match="subset"):
        bayesml.fit(formula(False), DATA, method=method)


def test_a_predictor_is_found_by_number():
    """`mi(x, idx)` takes the value of the row of x whose `index()` it names."""
    gaps = [np.nan] * 3
    data = pd.DataFrame(
        {
            "y": np.arange(6.0) ** 1.5,
            "ask": [3, 1, 2, 3, 1, 2],
            "x": [5.0, np.nan, 7.0, *gaps],
            "id": [1, 2, 3, *gaps],
            "s": [True] * 3 + [False] * 3,
        }
    )
    both = bayesml.bf("y ~ mi(x, ask)") + bayesml.bf("x | mi() + subset(s) + index(id) ~ 1") + bayesml.set_rescor(False)
    problem = describe_problem(both, data)
    design = problem.design
    arrays = next(a for key, a in design.arrays.items() if key.resp == "y")["special"]
    assert arrays["observed0"].tolist() == [7.0, 5.0, 0.0, 7.0, 5.0, 0.0]
    assert arrays["place0"].tolist() == [-1, -1, 0, -1, -1, 0]
    with pytest.raises(DataError, match="which no row of `x` has"):
        describe_problem(both, data.assign(ask=[9, 1, 2, 3, 1, 2]))
