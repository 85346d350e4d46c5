"""What a demanding user tries: wrong types, odd names, impossible data. Nothing but ``BayesmlError`` may come out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import bayesml
from bayesml import normal, prior
from bayesml.errors import ModelError, PriorError
from bayesml.fit import describe_problem
from bayesml.formula import bf
from bayesml.priors import Prior, as_priors
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


# Priors ---------------------------------------------------------------------------------------------------------------

MODEL = "y ~ x + f + (x | g) + (1 | h)"


def slopes(*priors: Prior) -> tuple[str, ...]:
    """Return the priors of the population-level slopes x, f[q], f[r]."""
    problem = describe_problem(MODEL, plain(), prior=priors)
    return tuple(str(p) for p in problem.description.spec.parameter("slopes").priors)


@pytest.mark.parametrize(
    "value", ["normal(0, 1)", 3, normal(0, 1), {"b": 1}, ["normal(0, 1)"], [[prior("normal(0, 1)")]], b"x"]
)
def test_prior_of_a_wrong_kind(value: Any) -> None:
    with pytest.raises(PriorError, match=r'`prior` takes prior\("normal'):
        bayesml.fit(MODEL, plain(), prior=value, sample_prior="only", progress=False)


def test_prior_as_a_list_a_tuple_a_generator_one_or_none() -> None:
    one = prior("normal(0, 1)")
    for value in ([one], (one,), (each for each in [one]), one):
        assert as_priors(value) == (one,)
    assert as_priors(None) == as_priors([]) == ()


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"class_": "sigme"}, "did you mean `sigma`"),
        ({"class_": "b", "coef": "ff[q]"}, r"did you mean `f\[q\]`"),
        ({"class_": "sd", "group": "gg"}, "did you mean `g`"),
        ({"class_": "sd", "group": "g", "coef": "intercept"}, "did you mean `Intercept`"),
        ({"class_": "b", "coef": "Intercept"}, 'class_="Intercept"'),
        ({"class_": "L"}, 'class_="cor"'),
    ],
)
def test_hint_for_a_prior_that_matches_nothing(options: dict[str, str], hint: str) -> None:
    with pytest.raises(PriorError, match=f"matches no parameter of the model.*{hint}"):
        slopes(prior("normal(0, 1)", **options))


def test_no_hint_where_the_class_alone_is_known() -> None:
    with pytest.raises(PriorError, match=r"matches no parameter of the model\. Priors can be set on"):
        slopes(prior("normal(0, 1)", class_="b", coef="wholly different"))


def test_prior_summary_shows_the_prior_that_is_used() -> None:
    """A prior on the class replaces the default of each coefficient, in the table too."""
    table = describe_problem(MODEL, plain(), prior=[prior("normal(0, 7)")]).description.priors.to_pandas()
    rows = table[table["class"] == "b"].set_index("coef")
    assert rows.loc["", "prior"] == "normal(0, 7)"
    assert set(rows.drop(index="")["prior"]) == {""}
    assert set(rows.drop(index="")["source"]) == {"(vectorized)"}


def test_bounds_of_a_class_hold_for_a_coefficient_with_its_own_prior() -> None:
    """As in brms, whose bounds belong to the vector ``b`` as a whole."""
    assert slopes(prior("normal(0, 1)", lb=0), prior("normal(0, 2)", coef="x")) == (
        "normal(0, 2) T[0, ]",
        "normal(0, 1) T[0, ]",
        "normal(0, 1) T[0, ]",
    )
    assert slopes(prior("normal(0, 1)", lb=0), prior("normal(0, 2)", coef="x", lb=-1))[0] == "normal(0, 2) T[-1, ]"
    with pytest.raises(PriorError, match="with the bounds of the whole class"):
        slopes(prior("normal(0, 1)", lb=0), prior("normal(0, 2)", coef="x", ub=-1))
