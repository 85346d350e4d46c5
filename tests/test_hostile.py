"""What a demanding user tries: wrong types, odd names, impossible data. Nothing but ``BayesmlError`` may come out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from matplotlib import pyplot

import bayesml
from bayesml import normal, prior
from bayesml.describe import check_slopes
from bayesml.errors import DataError, FitWarning, FormulaError, ModelError, PriorError
from bayesml.families import FAMILIES, bernoulli, binomial, poisson
from bayesml.families.gamma import draw_gamma
from bayesml.fit import describe_problem
from bayesml.formula import bf
from bayesml.keys import MU
from bayesml.priors import Prior, as_priors
from bayesml.priors.defaults import round_like_r
from bayesml.results.checks.loo_compare import loo_compare
from bayesml.results.fits.fit_object import Fit
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


# Columns that the data cannot tell apart ------------------------------------------------------------------------------


def identified(formula: Any, data: dict[str, Any] | None = None, **options: Any) -> None:
    problem = describe_problem(formula, plain() if data is None else data, **options)
    check_slopes(problem.design, problem.description)


@pytest.mark.parametrize(
    ("formula", "named"),
    [
        ("y ~ x + I(2 * x)", r"`I\(2 \* x\)` \(from `x`\)"),
        ("y ~ x + n", r"`n` \(constant\)"),
        ("y ~ 0 + Intercept + n", r"`n` \(from `Intercept`\)"),
        ("y ~ 0 + f + n", r"`n` \(from `f\[p\]`, `f\[q\]`, `f\[r\]`\)"),
        ("y ~ poly(x, 2) + x + z", r"`x` \(from `poly\(x, 2\)\[1\]`\)"),
        ("y ~ f + I(f == 'q')", r"`I\(f == 'q'\)\[True\]` \(from `f\[q\]`\)"),
        (bf("y ~ x", sigma="~ z + I(z + 1)"), r"`I\(z \+ 1\)` \(from `z`\) .* in the formula of `sigma`"),
    ],
)
def test_collinear_columns(formula: Any, named: str) -> None:
    with pytest.warns(FitWarning, match=f"{named}.*the prior alone decides"):
        identified(formula)
    with pytest.raises(PriorError, match=f"{named}.*no finite integral"):
        identified(formula, default_priors="brms")


def test_more_coefficients_than_rows() -> None:
    data = {name: values[:4] for name, values in plain().items()}
    with pytest.warns(FitWarning, match="`s` .*linear combination"):
        identified("y ~ x + z + positive + s", data)


@pytest.mark.parametrize("formula", ["y ~ x * f", "y ~ 0 + n", "y ~ year + I(year**2) + I(year**3)", "y ~ I(x + 1e9)"])
@pytest.mark.parametrize("style", ["bayesml", "brms"])
@pytest.mark.filterwarnings("error")
def test_columns_that_only_look_alike(formula: str, style: str) -> None:
    identified(formula, plain(year=2000.0 + np.arange(ROWS) % 20), default_priors=style)


@pytest.mark.filterwarnings("error")
def test_one_proper_or_constant_prior_is_enough() -> None:
    fixed = prior("constant(1)", coef="x")
    identified("y ~ x + I(2 * x)", prior=[fixed], default_priors="brms")
    proper = prior("normal(0, 1)", coef="x")
    with pytest.warns(FitWarning, match="the prior alone decides"):
        identified("y ~ x + I(2 * x)", prior=[proper], default_priors="brms")


# Formulas and data ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        (3, "`functions` is a dict"),
        ([abs], "`functions` is a dict"),
        ({"f": 3}, "`f` in `functions` is not a function"),
        ({3: abs}, "ordinary name"),
        ({"a b": abs}, "ordinary name"),
    ],
)
def test_functions_of_a_wrong_kind(functions: Any, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        bayesml.default_prior("y ~ x", plain(), functions=functions)


@pytest.mark.parametrize(
    "formula",
    ["y ~ y", "y ~ x * y", "log(positive) ~ log( positive )", "cbind(s, n - s) ~ s", bf("y~x", sigma="~y")],
)
def test_response_among_its_predictors(formula: Any) -> None:
    with pytest.raises(FormulaError, match="stands among the predictors"):
        bayesml.default_prior(formula, plain())


def test_response_inside_another_expression_of_a_predictor() -> None:
    with pytest.raises(FormulaError, match="stands among the predictors"):
        bayesml.default_prior("y ~ I(y**2)", plain())


def test_standard_errors_of_zero() -> None:
    zero = plain(e=np.r_[0.0, np.ones(ROWS - 1)])
    with pytest.raises(DataError, match=r"`se\(e\)` is 0 in row 1"):
        bayesml.default_prior("y | se(e) ~ x", zero)
    assert "sigma" in set(bayesml.default_prior("y | se(e, sigma=TRUE) ~ x", zero)["class"])


@pytest.mark.parametrize("formula", ["y ~ big", "y ~ (big | g)", "big ~ x", "y ~ exp(x * 400)", "y ~ I(big * big):x"])
@pytest.mark.filterwarnings("error")
def test_numbers_whose_squares_overflow(formula: str) -> None:
    values = np.linspace(-1.0, 1.0, ROWS)
    with pytest.raises(DataError, match="rescale|change the expression"):
        bayesml.default_prior(formula, plain(x=values, big=1e200 * values if "*" not in formula else 1e80 * values))


@pytest.mark.parametrize(
    ("formula", "extra"),
    [
        (bf("y ~ (1 | g) + (1 | g__sigma)", sigma="~ (1 | g)"), {"g__sigma": np.tile(np.arange(5), 12)}),
        (bf("y ~ sigma_x", sigma="~ x"), {"sigma_x": np.arange(60.0)}),
        ("y ~ (1 | g:h) + (1 | `g:h`)", {"g:h": np.tile(np.arange(5), 12)}),
        ("y ~ (1 | `a/b`) + (1 | `a∕b`)", {"a/b": np.arange(60) % 5, "a∕b": np.arange(60) % 6}),
        ("y ~ (x | g) + (0 + z + n | g) + (x | g_2)", {"g_2": np.arange(60) % 5}),
    ],
)
def test_parameters_that_would_share_a_name(formula: Any, extra: dict[str, Any]) -> None:
    with pytest.raises(FormulaError, match="would both be called"):
        bayesml.default_prior(formula, plain(**extra))


# Default priors -------------------------------------------------------------------------------------------------------


# R 4.2.2: x <- c(0.05, 0.45, 1.05, 4.55, 16.05, 16.95, 288.65, -0.45, -0.35, 2.25, 0.15, 0.65); dput(round(x, 1))
ROUNDED = {
    0.05: 0.0, 0.45: 0.4, 1.05: 1.0, 4.55: 4.6, 16.05: 16.0, 16.95: 17.0, 288.65: 288.6, -0.45: -0.4, -0.35: -0.3,
    2.25: 2.2, 0.15: 0.1, 0.65: 0.7,
}  # fmt: skip


@pytest.mark.parametrize("value", ROUNDED)
def test_rounding_as_in_r(value: float) -> None:
    """brms rounds with R's round(), which is not Python's."""
    assert round_like_r(value) == ROUNDED[value]


def test_default_prior_of_a_median_between_two_digits() -> None:
    table = bayesml.default_prior("y ~ 1", {"y": [0.4, 0.45, 0.5]})
    assert table.set_index("class").loc["Intercept", "prior"] == f"student_t(3, {ROUNDED[0.45]:g}, 2.5)"


# Column expressions ---------------------------------------------------------------------------------------------------


def matrix(formula: str, data: dict[str, Any]) -> np.ndarray:
    return describe_problem(formula, data).design.arrays[MU]["population"]["X"]


# R 4.2.2: x <- c(1.5, 2, 3.7, 4, 5.1, 6); splines::bs(x, knots = c(2.5, 4.5), degree = 1)
HATS = [
    [0, 0, 0],
    [0.5, 0, 0],
    [0.4, 0.6, 0],
    [0.25, 0.75, 0],
    [0, 0.6, 0.4],
    [0, 0, 1],
]


def test_knots_as_in_r() -> None:
    x = [1.5, 2.0, 3.7, 4.0, 5.1, 6.0]
    data = {"y": [1.0, 2.0, 3.0, 1.0, 2.0, 3.0], "x": x}
    for knots in ("c(2.5, 4.5)", "[2.5, 4.5]", "(2.5, 4.5)"):
        got = matrix(f"y ~ bs(x, knots={knots}, degree=1)", data)
        np.testing.assert_allclose(got[:, 1:], HATS, atol=1e-12)
    np.testing.assert_array_equal(matrix("y ~ bs(x, knots=c(4))", data), matrix("y ~ bs(x, knots=4)", data))


def test_levels_in_the_order_of_a_vector() -> None:
    labels = describe_problem("y ~ C(f, levels=c('q', 'p', 'r'))", plain()).design.schema.predictors[0].terms[0].coefs
    assert [label[-3:] for label in labels[1:]] == ["[p]", "[r]"]


@pytest.mark.parametrize("formula", ["y ~ c(x, z)", "y ~ c(x)", "y ~ bs(x, knots=c(0, x))", "y ~ I(c(1) + x)"])
def test_a_vector_is_no_column(formula: str) -> None:
    with pytest.raises(FormulaError, match="a list"):
        describe_problem(formula, plain())


def test_a_column_and_a_function_may_be_called_c() -> None:
    data = plain(c=np.arange(60.0))
    np.testing.assert_array_equal(matrix("y ~ c + I(c + 1)", data)[:, 2], data["c"] + 1)
    own = bayesml.default_prior("y ~ c(x)", data, functions={"c": np.abs})
    assert "c(x)" in set(own["coef"])


@pytest.mark.parametrize("call", ["bs(x, df=2)", "bs(x, df=3, include_intercept=True)", "bs(x, df=1, degree=2)"])
def test_too_few_degrees_of_freedom(call: str) -> None:
    with pytest.raises(FormulaError, match="`df` lies between"):
        describe_problem(f"y ~ {call}", plain())


# Draws far out --------------------------------------------------------------------------------------------------------

# Priors so wide that the inverse link overflows, and links that do not keep a parameter inside its range.
FAR_OUT: dict[str, tuple[Any, Any]] = {
    "overflowing rate": ("count ~ x", "poisson"),
    "overflowing rate and shape": (bf("count ~ x", shape="~ x"), "negbinomial"),
    "overflowing mean": (bf("positive ~ x", shape="~ x"), "gamma"),
    "vanishing shape": ("positive ~ x", "gamma"),
    "overflowing scale": (bf("positive ~ x", sigma="~ x"), "lognormal"),
    "negative rate": ("count ~ x", poisson(link="identity")),
    "probability above one": ("two ~ x", bernoulli(link="log")),
    "extreme probability": (bf("share ~ x", phi="~ x"), "beta"),
}


@pytest.mark.parametrize("story", FAR_OUT)
@pytest.mark.filterwarnings("error", "ignore:.*could not be drawn:bayesml.FitWarning")
def test_predictions_of_wild_priors(story: str) -> None:
    formula, family = FAR_OUT[story]
    data = plain(two=np.tile([0, 1], 30), share=np.linspace(0.1, 0.9, ROWS))
    wide = [prior("normal(0, 300)"), prior("normal(0, 300)", class_="Intercept")]
    fit = bayesml.fit(
        formula, data, family, prior=wide, sample_prior="only", draws=150, chains=2, seed=1, progress=False
    )
    for method in ("linpred", "epred", "predict", "residuals"):
        getattr(fit, method)(summary=True)
    assert not np.isnan(fit.log_lik().values).any()
    for kind in ("bars", "dens_overlay", "hist", "stat", "intervals", "ecdf_overlay"):
        if not (kind == "dens_overlay" and fit.family.name == "bernoulli"):
            fit.pp_check(kind=kind, seed=1)
    for method in ("epred", "predict", "linpred"):
        fit.conditional_effects(method=method, resolution=5, seed=1)
    pyplot.close("all")


def test_responses_that_cannot_be_drawn_are_nan_and_counted() -> None:
    fit = handmade_fit("count ~ x", plain(), poisson(link="identity"))
    mean = fit.epred().values
    impossible = int((mean < -1e-9).sum())
    assert 0 < impossible < mean.size
    with pytest.warns(FitWarning, match=f"{impossible} of {mean.size} responses could not be drawn.*mu = identity"):
        drawn = fit.predict(seed=1).values
    np.testing.assert_array_equal(np.isnan(drawn), mean < -1e-9)
    np.testing.assert_array_equal(np.isneginf(fit.log_lik().values), mean < 0)


def test_gamma_draws_at_the_edges(rng: np.random.Generator) -> None:
    shape = np.array([1e-320, 1e-5, np.inf, 4.0])
    drawn = draw_gamma(rng, np.array([np.inf, 1e300, 3.0, 2.0]), np.tile(shape, (2000, 1)))
    assert np.all(drawn[:, 0] == 0) and np.all(drawn[:, 2] == 3.0) and not np.isnan(drawn).any()
    assert abs(drawn[:, 3].mean() - 2.0) < 5 * np.sqrt(2.0**2 / 4 / 2000)
    assert abs(drawn[:, 3].var() - 1.0) < 5 * np.sqrt((2 + 6 / 4) / 2000)  # kurtosis of a gamma: 3 + 6 / shape


@pytest.mark.parametrize("value", ["a", True, 2, [1.5]])
def test_prob_of_conditional_effects(fit: Fit, value: Any) -> None:
    with pytest.raises(ModelError, match="`prob` lies between 0 and 1"):
        fit.conditional_effects(prob=value)


def test_bars_of_two_categories_carry_their_names() -> None:
    two = handmade_fit("two ~ x", plain(two=np.tile(["no/never", "yes"], 30)), "bernoulli")
    figure = two.pp_check(ndraws=5, seed=1)
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["no/never", "yes"]
    pyplot.close("all")


EDGES = {"poisson": [0.0, 3.0], "bernoulli": [0.0, 1.0], "binomial": [0.0, 4.0, 10.0], "negbinomial": [0.0, 3.0],
         "gamma": [0.5], "beta": [0.3]}  # fmt: skip
LEAKY = [
    (name, link) for name in EDGES for link in ("identity", "log", "inverse") if link in FAMILIES[name]().dpars[0].links
]


@pytest.mark.parametrize(("name", "link"), LEAKY)
def test_no_density_where_the_mean_leaves_its_range(name: str, link: str) -> None:
    """Else rows at the edge (no successes, no events) would reward a negative mean or a probability above 1."""
    family = FAMILIES[name](link=link)
    lower, upper = family.dpars[0].bounds
    eta = np.linspace(-3.0, 3.0, 121)
    with np.errstate(divide="ignore"):
        mean = family.link("mu").inverse(eta)
    outside = (mean < lower - 1e-9) | (mean > upper + 1e-9)
    others = {p.name: np.full(121, 2.0) for p in family.dpars[1:]}
    for y in EDGES[name]:
        data = {"y": np.full(121, y), "trials": np.full(121, 10.0)}
        density = jax.jit(lambda e, d=data: family.log_prob(d["y"], family.values({"mu": e}, others), d))(eta)
        assert not np.any(np.asarray(density)[outside] > -np.inf)
        assert np.isfinite(np.asarray(density)[~outside & (mean > 0.05) & (mean < 0.95)]).all()
        with np.errstate(all="ignore"):
            closed = family.curvature(eta, data, dict.fromkeys(others, 2.0), order=0).log_density
        assert not np.any(closed[outside] > -np.inf)


def test_default_prior_of_shares() -> None:
    """Successes out of trials are measured as shares; brms measures the counts."""
    options = {"family": binomial(link="identity")}
    data = plain(s=np.tile([3, 4, 5, 6], 15))
    ours = bayesml.default_prior("s | trials(n) ~ x", data, **options).set_index("class")
    assert ours.loc["Intercept", "prior"] == "student_t(3, 0.4, 2.5)"  # median 0.45, rounded as R does
    theirs = bayesml.default_prior("s | trials(n) ~ x", data, default_priors="brms", **options).set_index("class")
    assert theirs.loc["Intercept", "prior"] == "student_t(3, 4.5, 2.5)"
