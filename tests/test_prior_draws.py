"""Draws from priors, beside those from the posterior."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy import stats

import bayesml
from bayesml import prior
from bayesml.engines import NUTS
from bayesml.errors import FitWarning, ModelError, PriorError
from tests.handmade import CHAINS, DRAWS, handmade_fit, sleep
from tests.pictures import assert_shows, panels

FORMULA = "Reaction ~ Days + (Days | Subject)"
PRIORS = (
    prior("normal(5, 2)", class_="b"),
    prior("exponential(0.1)", class_="sigma"),
    prior("normal(300, 20)", class_="Intercept"),
)


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def fit(**options) -> bayesml.Fit:
    return handmade_fit(FORMULA, sleep(), priors=options.pop("priors", PRIORS), **options)


def test_they_have_their_distributions():
    made = fit()
    drawn = made.prior_draws(ndraws=4000, seed=3)
    names = [text for v in made.variables if v.kind != "r" for _, text in v.texts]
    assert list(drawn) == names and len(drawn) == 4000
    # The Intercept has its prior where predictors have their means, here Days = 4.5.
    centered = drawn["b_Intercept"] + 4.5 * drawn["b_Days"]
    for values, distribution in (
        (drawn["b_Days"], stats.norm(5, 2)),
        (drawn["sigma"], stats.expon(scale=10)),
        (centered, stats.norm(300, 20)),
        (drawn["cor_Subject__Intercept__Days"], stats.uniform(-1, 2)),
    ):
        assert stats.kstest(values, distribution.cdf).pvalue > 0.001
    again = made.prior_draws(["sigma", "b_Days"], ndraws=4000, seed=3)
    np.testing.assert_array_equal(again["sigma"], drawn["sigma"])
    assert len(made.prior_draws()) == CHAINS * DRAWS


def test_effects_of_levels_are_drawn_where_they_are_named():
    made = fit()
    effects = made.prior_draws("r_Subject", ndraws=50, seed=1)
    assert effects.shape == (50, 12)
    assert list(made.prior_draws("^sd_", regex=True, ndraws=5)) == ["sd_Subject__Intercept", "sd_Subject__Days"]


@pytest.mark.parametrize("kept", ["yes", "only"])
def test_draws_that_the_fit_holds_are_returned(kept):
    made = fit(engine=NUTS(draws=DRAWS, chains=CHAINS, sample_prior=kept, seed=1))
    held = made.draws_record.prior if kept == "yes" else made.draws_record.values
    np.testing.assert_array_equal(made.prior_draws("sigma")["sigma"], held["sigma"].ravel())
    other = made.prior_draws("sigma", ndraws=10, seed=1)["sigma"]
    assert len(other) == 10 and not np.isin(other, held["sigma"]).any()


def test_what_has_no_prior_is_told():
    made = fit(priors=(prior("flat", class_="b"),))
    with pytest.warns(FitWarning, match="`b_Intercept`, `b_Days` cannot be drawn: they have flat priors"):
        drawn = made.prior_draws(ndraws=10)
    assert "sigma" in drawn and "b_Days" not in drawn
    with pytest.raises(PriorError, match="`b_Days` cannot be drawn: it has a flat prior"):
        made.prior_draws("b_Days")
    every = fit(priors=tuple(prior("flat", class_=name) for name in ("b", "Intercept", "sd", "sigma")))
    with pytest.warns(FitWarning, match="sigma"):
        assert list(every.prior_draws(ndraws=10)) == ["cor_Subject__Intercept__Days"]
    with pytest.raises(PriorError, match="proper priors"):
        made.pp_check(prior=True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"variable": "b_Dayz"}, "did you mean `b_Days`"),
        ({"ndraws": 0}, "`ndraws` is a whole number"),
        ({"ndraws": 1.5}, "`ndraws` is a whole number"),
        ({"seed": -3}, "`seed` is a whole number"),
        ({"seed": "a"}, "`seed` is a whole number"),
        ({"variable": "[", "regex": True}, "regular expression"),
    ],
)
def test_impossible_draws(options, told):
    with pytest.raises(ModelError, match=told):
        fit().prior_draws(**options)


def test_priors_beside_posteriors():
    made = fit()
    figure = made.plot_prior_posterior(seed=1)
    assert_shows(figure, 6)
    assert [axes.get_title(loc="left") for axes in panels(figure)][:2] == ["b_Intercept", "b_Days"]
    assert [text.get_text() for text in panels(figure)[3].get_legend().get_texts()] == ["prior", "posterior"]
    assert_shows(made.plot_prior_posterior("sigma"), 1)
    flat = fit(priors=(prior("flat", class_="b"),)).plot_prior_posterior(["b_Days", "sigma"])
    assert [text.get_text() for text in panels(flat)[0].texts] == ["flat prior"]
    with pytest.raises(ModelError, match="did you mean"):
        made.plot_prior_posterior("sigmaa")
    with pytest.raises(ModelError, match="there is no posterior"):
        fit(engine=NUTS(draws=5, chains=1, sample_prior="only")).plot_prior_posterior()
