"""Levels that depend on each other, have heavier tails, or of which a row has several: gr(cov=), gr(dist=), mm()."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from scipy.optimize import minimize

import bayesml
from bayesml.errors import DataError, FormulaError, ModelError
from bayesml.fit import describe_problem

LEVELS = np.array(list("abcdefghij"))
COUNT, ROWS = len(LEVELS), 100


def simulated() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    g = LEVELS[np.r_[np.arange(COUNT), rng.integers(0, COUNT, ROWS - COUNT)]]
    x = rng.normal(size=ROWS) + 1
    place = np.searchsorted(LEVELS, g)
    y = 1 + 0.5 * x + (rng.normal(size=COUNT) + 0.5 * np.multiply.outer(x, rng.normal(size=COUNT)))[range(ROWS), place]
    y = y + 0.7 * rng.normal(size=ROWS)
    return pd.DataFrame(
        {
            "y": y,
            "x": x,
            "z": rng.normal(size=ROWS),
            "g": g,
            "h": rng.permutation(g),
            "k": rng.poisson(np.exp(0.3 * y)),
            "by": np.where(np.isin(g, list("abcd")), "u", "v"),
            "one": 1.0,
            "zero": 0.0,
            "w1": rng.uniform(0.1, 1, ROWS),
            "w2": rng.uniform(0.1, 1, ROWS),
        }
    )


DATA = simulated()
IDENTITY = {"A": (np.eye(COUNT), LEVELS)}


def relatives() -> np.ndarray:
    """Return a covariance matrix in which levels that stand near each other are alike."""
    place = np.arange(COUNT)
    return 0.6 ** np.abs(place[:, None] - place) * np.sqrt(np.multiply.outer(1 + 0.1 * place, 1 + 0.1 * place))


A = pd.DataFrame(relatives(), LEVELS, LEVELS)


def formula(left: str, right: str, response: str = "y") -> str:
    bar = "||" if left.endswith("|") else "|"
    return f"{response} ~ x + ({left.rstrip('|')} {bar} {right})"


@pytest.mark.parametrize(("response", "family", "method"), [("y", "gaussian", "reml"), ("k", "poisson", "laplace")])
@pytest.mark.parametrize("left", ["1", "x", "x|"])
@pytest.mark.parametrize(
    ("right", "plain"),
    [
        ("gr(g, cov=A)", "g"),
        ("gr(g, by=by, cov=A)", "gr(g, by=by)"),
        ("mm(g, h, weights=cbind(one, zero))", "g"),
    ],
)
def test_point_estimates_of_independent_levels_are_those_of_a_plain_term(response, family, method, left, right, plain):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)  # of a singular fit, in both
        ours = bayesml.fit(formula(left, right, response), DATA, family, method=method, data2=IDENTITY)
        theirs = bayesml.fit(formula(left, plain, response), DATA, family, method=method)
    # 2e-3: both searches end where the criterion is flat to 1e-9, which leaves its optimum open by about 1e-4
    assert ours.logLik == pytest.approx(theirs.logLik, rel=1e-8)
    numbers = ours.fixef().select_dtypes("number")
    np.testing.assert_allclose(numbers, theirs.fixef()[numbers.columns], rtol=2e-3, atol=2e-3)
    for own, other in zip(ours.ranef().values(), theirs.ranef().values(), strict=True):
        columns = own.select_dtypes("number").columns
        np.testing.assert_allclose(own[columns], other[columns], rtol=2e-3, atol=2e-3)
    for newdata in (None, DATA.head(7)):
        found, expected = ours.linpred(newdata=newdata), theirs.linpred(newdata=newdata)
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)


def one_hot(column: str) -> np.ndarray:
    return (DATA[column].to_numpy()[:, None] == LEVELS).astype(float)


def restricted_likelihood(designs: list[np.ndarray]) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """Maximise the restricted likelihood of ``y ~ x`` with V = sum_j s_j^2 Z_j Z_j' + sigma^2 I by dense algebra."""
    X, y = np.column_stack([np.ones(ROWS), DATA["x"]]), DATA["y"].to_numpy()

    def solved(logs: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        V = np.exp(2 * logs[-1]) * np.eye(ROWS)
        for each, Z in zip(logs, designs, strict=False):
            V = V + np.exp(2 * each) * Z @ Z.T
        inverse = np.linalg.inv(V)
        information = X.T @ inverse @ X
        beta = np.linalg.solve(information, X.T @ inverse @ y)
        r = y - X @ beta
        total = np.linalg.slogdet(V)[1] + np.linalg.slogdet(information)[1] + r @ inverse @ r
        value = 0.5 * (total + (ROWS - 2) * np.log(2 * np.pi))
        return value, beta, np.linalg.inv(information), inverse @ r

    found = minimize(
        lambda logs: solved(logs)[0], np.zeros(len(designs) + 1), method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-11, "maxiter": 4000, "maxfev": 4000},
    )  # fmt: skip
    value, beta, covariance, weighted = solved(found.x)
    effects = [np.exp(2 * each) * Z.T @ weighted for each, Z in zip(found.x, designs, strict=False)]
    return np.exp(found.x), -value, np.array([beta, np.sqrt(np.diag(covariance))]), effects[0]


def members() -> np.ndarray:
    w = DATA[["w1", "w2"]].to_numpy()
    return one_hot("g") * (w[:, :1] / w.sum(1, keepdims=True)) + one_hot("h") * (w[:, 1:] / w.sum(1, keepdims=True))


ROOT = np.linalg.cholesky(A.to_numpy())
DENSE = {
    "y ~ x + (1 | gr(g, cov=A))": (one_hot("g") @ ROOT, ROOT),
    "y ~ x + (1 | mm(g, h))": (0.5 * one_hot("g") + 0.5 * one_hot("h"), np.eye(COUNT)),
    "y ~ x + (1 | mm(g, h, weights=cbind(w1, w2)))": (members(), np.eye(COUNT)),
    "y ~ x + (1 | mm(g, h, weights=cbind(w1, 2 * w2), scale=FALSE))": (
        one_hot("g") * DATA[["w1"]].to_numpy() + 2 * one_hot("h") * DATA[["w2"]].to_numpy(),
        np.eye(COUNT),
    ),
    "y ~ x + (1 | mm(g, h, weights=cbind(w1, w2), cov=A))": (members() @ ROOT, ROOT),
    "y ~ x + (0 + mmc(x, z) | mm(g, h))": (
        0.5 * one_hot("g") * DATA[["x"]].to_numpy() + 0.5 * one_hot("h") * DATA[["z"]].to_numpy(),
        np.eye(COUNT),
    ),
}


@pytest.mark.parametrize("text", DENSE)
def test_reml_equals_generalised_least_squares(text):
    Z, root = DENSE[text]
    sds, value, beta, standard = restricted_likelihood([Z])
    fit = bayesml.fit(text, DATA, method="reml", data2={"A": A})
    (name,) = fit.ranef()
    assert fit.logLik == pytest.approx(value, abs=1e-6)
    np.testing.assert_allclose(fit.varcorr()[name].sd, sds[:1], rtol=1e-4)
    np.testing.assert_allclose(fit["sigma"], sds[1], rtol=1e-4)
    np.testing.assert_allclose(fit.fixef().iloc[:, :2].to_numpy().T, beta, rtol=1e-3)
    modes = fit.ranef()[name].select_dtypes("number").iloc[:, 0]
    np.testing.assert_allclose(modes, root @ standard, rtol=1e-3, atol=1e-4)


def test_matrices_of_any_kind_and_order_give_one_fit():
    order = [3, 1, 0, 9, 8, 2, 4, 5, 7, 6]
    larger = pd.DataFrame(np.eye(COUNT + 2), [*LEVELS, "p", "q"], [*LEVELS, "p", "q"])
    larger.loc[LEVELS, LEVELS] = A
    kinds: list[Any] = [A, A.iloc[order, order], (scipy.sparse.csr_array(A.to_numpy()), LEVELS), larger]
    found = [bayesml.fit("y ~ x + (1 | gr(g, cov=A))", DATA, method="reml", data2={"A": kind}) for kind in kinds]
    for fit in found[1:]:
        assert fit.logLik == pytest.approx(found[0].logLik, rel=1e-9)


def test_a_fit_with_a_matrix_is_saved_updated_and_predicts(tmp_path):
    fit = bayesml.fit("y ~ x + (1 | gr(g, cov=A))", DATA, method="reml", data2={"A": A})
    fit.save(tmp_path / "fit.nc")
    loaded = bayesml.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(loaded.recipe.data2["A"].dense, A)
    pd.testing.assert_series_equal(loaded.linpred(newdata=DATA.head(3)), fit.linpred(newdata=DATA.head(3)))
    again = loaded.update(data=DATA.head(90))
    expected = bayesml.fit("y ~ x + (1 | gr(g, cov=A))", DATA.head(90), method="reml", data2={"A": A})
    assert again.logLik == pytest.approx(expected.logLik, rel=1e-9)
    other = fit.update(data2=IDENTITY)
    assert other.logLik == pytest.approx(bayesml.fit("y ~ x + (1 | g)", DATA, method="reml").logLik, rel=1e-8)
    assert fit.update(method="ml").recipe.data2["A"].size == COUNT


def test_a_new_level_that_has_relatives_has_their_mean():
    """The conditional mode of a level without data is ``A_no A_oo^-1`` times those of the others."""
    seen = DATA[DATA["g"] != "e"]
    fit = bayesml.fit("y ~ x + (1 | gr(g, cov=A))", seen, method="reml", data2={"A": A})
    modes = fit.ranef()["g"].select_dtypes("number").iloc[:, 0].to_numpy()
    rest = [label for label in LEVELS if label != "e"]
    expected = A.loc["e", rest].to_numpy() @ np.linalg.solve(A.loc[rest, rest].to_numpy(), modes)
    new = pd.DataFrame({"x": [1.0, 1.0], "g": ["e", "unrelated"]})
    with_effects = fit.linpred(newdata=new, new_levels="zero")
    without = fit.linpred(newdata=new, re_formula="NA")
    np.testing.assert_allclose(with_effects - without, [expected, 0.0], atol=1e-10)


@pytest.fixture(scope="module")
def drawn():
    seen = DATA[DATA["g"] != "e"]
    text = "y ~ x + (1 | gr(g, cov=A))"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)  # of a short run
        return bayesml.fit(text, seen, data2={"A": A}, seed=1, draws=250, chains=2, progress=False)


def test_draws_for_a_relative_are_conditional_on_the_known_levels(drawn):
    values = drawn.draws_record.values
    rest = [label for label in LEVELS if label != "e"]
    weights = A.loc["e", rest].to_numpy() @ np.linalg.inv(A.loc[rest, rest].to_numpy())
    own = float(A.loc["e", "e"] - weights @ A.loc[rest, "e"].to_numpy())
    means = values["r_g"][..., 0] @ weights
    new = pd.DataFrame({"x": [1.0], "g": ["e"]})
    for policy in ("gaussian", "uncertainty"):
        with_effects = np.asarray(drawn.linpred(newdata=new, new_levels=policy, seed=2, summary=False)).ravel()
        without = np.asarray(drawn.linpred(newdata=new, re_formula="NA", summary=False)).ravel()
        standard = (with_effects - without - means.ravel()) / (values["sd_g"][..., 0].ravel() * np.sqrt(own))
        # 500 standard normal numbers: their mean and variance within 4 standard errors
        assert abs(standard.mean()) < 4 / np.sqrt(500)
        assert abs(standard.var() - 1) < 4 * np.sqrt(2 / 500)


def test_new_levels_of_members_and_tails_are_drawn():
    new = pd.DataFrame({"x": [1.0, 1.0], "g": ["a", "new"], "h": ["new", "newer"]})
    for text in ("y ~ x + (1 | mm(g, h))", 'y ~ x + (1 | gr(g, dist="student"))'):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", bayesml.FitWarning)  # of a short run
            fit = bayesml.fit(text, DATA, seed=1, draws=100, chains=1, progress=False)
        for policy in ("gaussian", "uncertainty", "old"):
            assert np.isfinite(np.asarray(fit.linpred(newdata=new, new_levels=policy, seed=1, summary=False))).all()
        with pytest.raises(DataError, match="levels in the new data that the fit has not seen: `new`"):
            fit.linpred(newdata=new)


def test_names_of_a_multi_membership_term_are_those_of_brms():
    table = bayesml.default_prior("y ~ x + (1 + mmc(x, z) | mm(g, h))", DATA)
    assert set(table.loc[table["class"] == "sd", "group"]) == {"", "mmgh"}
    assert set(table.loc[table["group"] == "mmgh", "coef"]) == {"", "Intercept", "mmcxz"}
    fit = bayesml.fit("y ~ x + (1 | mm(g, h))", DATA, method="reml")
    assert fit["sd_mmgh__Intercept"] > 0
    assert "mmgh, 10" in str(fit)


def test_degrees_of_freedom_are_shared_by_the_predictors_of_a_group():
    text = bayesml.bf('y ~ x + (1 | gr(g, dist="student"))', sigma='~ (1 | gr(g, dist="student"))')
    names = [p.name for p in describe_problem(text, DATA).description.spec.parameters]
    assert names.count("df_g") == 1
    table = bayesml.default_prior(text, DATA)
    assert table.loc[table["class"] == "df", ["prior", "group", "lb"]].to_numpy().tolist() == [
        ["gamma(2, 0.1)", "g", "1"]
    ]


REFUSED = [
    ("y ~ (1 | gr(g, cov=A))", A.to_numpy(), r"rows of `A` have no names"),
    ("y ~ (1 | gr(g, cov=A))", A.loc["a":"h", "a":"h"], r"has no row for the levels `i`, `j`"),
    ("y ~ (1 | gr(g, cov=A))", A.where(A < 1.3), r"missing value \(NaN\)"),
    ("y ~ (1 | gr(g, cov=A))", A + np.tri(COUNT), r"needs a symmetric matrix"),
    ("y ~ (1 | gr(g, cov=A))", A - 2 * np.eye(COUNT), r"needs a positive definite matrix.*smallest eigenvalue"),
    ("y ~ (1 | gr(g, cov=A))", pd.DataFrame(np.ones((COUNT, COUNT)), LEVELS, LEVELS), r"positive definite"),
    ("y ~ (1 | mm(g, x))", A, r"hold text and others numbers"),
    ("y ~ (1 | mm(g, h, weights=cbind(z, one)))", A, r"not negative. Write scale=False"),
    ("y ~ (1 | mm(g, h, weights=cbind(zero, zero)))", A, r"add up to 0 in row 1"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "matrix", "message"), REFUSED)
def test_impossible_data_are_refused(text, matrix, message):
    with pytest.raises(DataError, match=message):
        bayesml.default_prior(text, DATA, data2={"A": matrix})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y ~ (1 | gr(g, cov=A)) + (0 + x | g)", r"different covariances of its levels. Say cov="),
        ('y ~ (1 | gr(g, dist="student")) + (0 + x | g)', r"different distributions. Say dist="),
        ("y ~ mmc(x, z) + (1 | g)", r"stands left of the bar of a term with `mm\(\)`"),
        ("y ~ (mmc(x, z) | g)", r"`mmc\(...\)` without `mm\(...\)`"),
        ("y ~ (mmc(x) | mm(g, h))", r"one column for each of the 2 members"),
        ("y ~ (1 | mm(g, h)) + (0 + x | mm(g, h, weights=cbind(w1, w2)))", r"different weights"),
    ],
)
def test_impossible_formulas_are_refused(text, message):
    with pytest.raises(FormulaError, match=message):
        bayesml.default_prior(text, DATA, data2={"A": A})


@pytest.mark.parametrize("method", ["reml", "laplace", "map"])
def test_point_estimates_refuse_effects_with_tails_by_name(method):
    with pytest.raises(ModelError, match=r"effects of `g` with Student's t distribution"):
        bayesml.fit('y ~ x + (1 | gr(g, dist="student"))', DATA, method=method)


@pytest.mark.parametrize("inside", ["1 | gr(g, cov=A)", "1 | p | gr(g, cov=A)"])
def test_known_covariances_may_stand_in_the_formula_of_sigma(inside):
    text = bayesml.bf(f"y ~ x + ({inside})", sigma=f"~ ({inside})")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)  # of a short run
        fit = bayesml.fit(text, DATA, data2={"A": A}, seed=1, draws=60, chains=1, progress=False)
    assert np.isfinite(fit.draws()["sd_g__sigma_Intercept"]).all()
