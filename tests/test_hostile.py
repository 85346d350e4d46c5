"""What a demanding user tries: wrong types, odd names, impossible data. Nothing but ``BayesmlError`` may come out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bayesml.errors import ModelError
from bayesml.formula import bf
from bayesml.results.fit_object import Fit
from bayesml.results.loo import loo_compare
from tests.handmade import handmade_fit, sleep

ROWS = 60


def plain(**columns: Any) -> dict[str, Any]:
    """Return 60 rows of every kind of column; keywords replace or add some."""
    rng = np.random.default_rng(7)
    made = {
        "y": rng.normal(size=ROWS),
        "x": rng.normal(size=ROWS),
        "z": rng.normal(size=ROWS),
        "f": np.tile(["p", "q", "r"], ROWS // 3),
        "g": np.repeat(np.arange(6), 10),
        "h": np.tile(list("abcde"), 12),
        "positive": rng.gamma(2.0, 1.0, ROWS),
        "count": rng.poisson(3.0, ROWS),
        "n": np.full(ROWS, 10),
        "s": rng.integers(0, 10, ROWS),
    }
    return {**made, **columns}


@pytest.fixture(scope="module")
def fit() -> Fit:
    return handmade_fit("Reaction ~ Days * Dose + (Days | Subject)", sleep())


# Arguments of the methods ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("probs", [0.5, None, "a", (2,), (0.1, "a"), True])
@pytest.mark.parametrize("method", ["fixef", "ranef", "coef", "varcorr"])
def test_probs_of_a_wrong_kind(fit: Fit, method: str, probs: Any) -> None:
    with pytest.raises(ModelError, match="`probs` holds numbers between 0 and 1"):
        getattr(fit, method)(probs=probs)


@pytest.mark.parametrize("variable", [3, [], ["b_Days", 3], {}])
@pytest.mark.parametrize("method", ["draws", "plot", "pairs", "forest"])
def test_variables_of_a_wrong_kind(fit: Fit, method: str, variable: Any) -> None:
    with pytest.raises(ModelError, match="is a name or a list of names"):
        getattr(fit, method)(variable)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"effects": 3}, '`effects` is a name such as "x"'),
        ({"effects": []}, '`effects` is a name such as "x"'),
        ({"conditions": 3}, "`conditions` is a dict"),
        ({"int_conditions": 3}, "`int_conditions` is a dict"),
        ({"int_conditions": []}, "`int_conditions` is a dict"),
    ],
)
def test_conditional_effects_of_a_wrong_kind(fit: Fit, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        fit.conditional_effects(ndraws=5, resolution=5, **options)


def test_a_group_term_in_two_predictors_is_listed_once() -> None:
    both = handmade_fit(bf("y ~ x + (1 | g)", sigma="~ (1 | g)"), plain())
    with pytest.raises(ValueError, match=r"The group-level terms of the model are `\(1 \| g\)`\."):
        both.epred(re_formula="~ (1 | h)", ndraws=3)


@pytest.mark.filterwarnings("ignore:.*Pareto k", "ignore:invalid value:RuntimeWarning")
def test_loo_compare_without_names(fit: Fit) -> None:
    other = handmade_fit("Reaction ~ Days", sleep())
    assert set(loo_compare(fit, other).index) == {"fit1", "fit2"}
    assert set(loo_compare({"a": fit, "b": other}).index) == {"a", "b"}


@pytest.mark.parametrize("arguments", [lambda f: (), lambda f: (f,), lambda f: (f, 3), lambda f: ({"a": f, "b": 3},)])
def test_loo_compare_of_strangers(fit: Fit, arguments: Callable[[Fit], Any]) -> None:
    with pytest.raises(ModelError, match="takes at least two fits"):
        loo_compare(*arguments(fit))


@pytest.mark.filterwarnings("ignore:.*Pareto k", "error::RuntimeWarning")
def test_loo_compare_of_a_fit_with_itself(fit: Fit) -> None:
    table = loo_compare(fit, fit)
    np.testing.assert_array_equal(table["elpd_diff"], 0.0)
