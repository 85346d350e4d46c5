"""An interaction is a set of factors: `a:b` and `b:a` are one wherever columns or text are matched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesml
from bayesml.errors import ModelError, PriorError
from bayesml.fit import describe_problem
from bayesml.names import brms_alias, find_coefficient, reorderings

ROWS, GROUPS = 240, 12


def make_data() -> dict[str, Any]:
    rng = np.random.default_rng(20250808)
    group = rng.permutation(np.arange(ROWS) % GROUPS)
    a, b = rng.normal(size=ROWS), rng.normal(size=ROWS)
    effects = rng.normal(size=(GROUPS, 4))
    columns = np.column_stack([np.ones(ROWS), a, b, a * b])
    y = 1 + 0.5 * a + 2 * a * b + (columns * effects[group]).sum(axis=1) + rng.normal(size=ROWS)
    return {"y": y, "a": a, "b": b, "f": np.array(list("uvw"))[rng.integers(0, 3, ROWS)], "g": group.astype(str)}


DATA = make_data()


@pytest.fixture(scope="module")
def fit() -> Any:
    return bayesml.fit("y ~ b + a*b + (a*b || g)", DATA, method="reml")


def test_coef_adds_what_varies(fit: Any) -> None:
    table = fit.coef()["g"]
    assert list(table.columns) == ["Intercept", "b", "a", "b:a"]
    other = bayesml.fit("y ~ b*a + (b*a || g)", DATA, method="reml").coef()["g"]
    np.testing.assert_allclose(table.to_numpy(), other.to_numpy(), rtol=1e-4, atol=1e-5)
    assert table["b:a"].std() > 0.3


def test_elements_are_found_in_any_order(fit: Any) -> None:
    assert fit["b_a:b"] == fit["b_b:a"] == fit.fixef()["Estimate"]["b:a"]
    assert fit["sd_g__b:a"] == fit["sd_g__a:b"] > 0
    assert fit["r_g[3,b:a]"] == fit["r_g[3,a:b]"] != 0
    assert list(fit.confint(parameters=["b_a:b", "sd_g__b:a"]).index) == ["b_b:a", "sd_g__a:b"]


def test_text_of_contrasts(fit: Any) -> None:
    for text in ("a:b = 0", "b_a:b", "b:a", "b_b:a = 0"):
        assert fit.contrast(text)["Estimate"].iloc[0] == pytest.approx(fit["b_b:a"])


def test_re_formula(fit: Any) -> None:
    expected = fit.predict(DATA, re_formula="~ (0 + a:b | g)")
    np.testing.assert_array_equal(fit.predict(DATA, re_formula="~ (0 + b:a | g)"), expected)
    assert not np.allclose(expected, fit.predict(DATA, re_formula="NA"))
    whole = fit.predict(DATA, re_formula="~ (b*a || g)")
    np.testing.assert_allclose(whole, fit.predict(DATA), rtol=1e-12)


@pytest.mark.parametrize(
    ("coef", "options", "row"),
    [
        ("b:a", {}, ("b", "a:b", "")),
        ("f[v]:a", {}, ("b", "a:f[v]", "")),
        ("fv:a", {}, ("b", "a:f[v]", "")),
        ("f[v]:b:a", {}, ("b", "a:b:f[v]", "")),
        ("b:a", {"class_": "sd", "group": "g"}, ("sd", "a:b", "g")),
        ("b:a", {"class_": "sd", "group": "g:f"}, ("sd", "a:b", "f:g")),
    ],
)
def test_priors(coef: str, options: dict[str, str], row: tuple[str, str, str]) -> None:
    formula = "y ~ a*b*f + (0 + a:b | g) + (0 + a:b | f:g)"
    problem = describe_problem(formula, DATA, prior=[bayesml.prior("normal(0, 7)", coef=coef, **options)])
    found = [(r.prior_class, r.coef, r.group) for r in problem.description.priors.rows if r.source == "user"]
    assert found == [row]


def test_order_of_factors_is_not_a_matter_of_their_levels() -> None:
    labels = ("x", "a[u:v]:b", "b:c[u]:v", "flag[True]:x", "a:b")
    assert find_coefficient("b:a[u:v]", labels) == 1
    assert find_coefficient("x:flagTRUE", labels) == 3
    assert find_coefficient("b:a", labels) == 4
    assert find_coefficient("a", labels) is None
    assert reorderings("a[u:v]:I(x == 'p:q')") == ("I(x == 'p:q'):a[u:v]",)
    assert reorderings("a[u]]:b") == ()
    assert len(reorderings("a:b:c")) == 5
    assert brms_alias("r_g[1,flag[True]]") == "r_g[1,flagTRUE]"


def test_a_key_that_fits_two_labels_fits_none() -> None:
    assert find_coefficient("b:a:c", ("a:b:c",)) == 0
    assert find_coefficient("c:ab:a", ("ab:a:c", "a:c:ab")) is None


def test_contrasts_of_coefficients_with_a_comparison_in_their_names() -> None:
    fit = bayesml.fit("y ~ (a >= 0)*b + I(f == 'u')", DATA, method="laplace")
    table = fit.contrast(["a >= 0[True] = 1", "b_b:a >= 0[True] - b_b = 0", "b_I(f == 'u')[True] = 2 * b_b"])
    expected = [
        fit["b_a >= 0[True]"] - 1,
        fit["b_a >= 0[True]:b"] - fit["b_b"],
        fit["b_I(f == 'u')[True]"] - 2 * fit["b_b"],
    ]
    np.testing.assert_allclose(table["Estimate"], expected, atol=1e-12)
    assert fit["b_a>=0TRUE"] == fit["b_a >= 0[True]"]


def test_a_spelling_that_fits_two_coefficients_fits_none() -> None:
    data = {"y": [1.0, 2.5, 2.0, 4.0, 3.5, 5.0], "f": ["aa", "ab"] * 3, "fa": list("aabbab")}
    fit = bayesml.fit("y ~ f + fa", data, method="laplace")
    assert find_coefficient("fab", ("f[ab]", "fa[b]")) is None
    for name in ("fab", "b_fab"):
        with pytest.raises(ModelError, match="no population-level coefficient"):
            fit.contrast(name)
    assert fit.contrast("fa[b]")["Estimate"].iloc[0] == fit.fixef()["Estimate"]["fa[b]"]
    with pytest.raises(PriorError, match="matches no parameter"):
        bayesml.fit("y ~ f + fa", data, prior=bayesml.prior("normal(0, 1)", coef="fab"), method="map")
