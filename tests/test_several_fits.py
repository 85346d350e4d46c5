"""Chains of several fits as one: of one model, and of several imputed data sets."""

from __future__ import annotations

import numpy as np
import pytest

import bayesml
from bayesml.convergence import convergence
from bayesml.errors import DataError, ModelError
from bayesml.results.fits.combining import combine
from bayesml.results.fits.multiple import fit_multiple

FORMULA = "Reaction ~ Days"
TINY = {"draws": 500, "warmup": 200, "chains": 2, "progress": False}


@pytest.fixture(scope="module")
def sleep():
    return bayesml.load_dataset("sleepstudy")


@pytest.fixture(scope="module")
def pair(sleep):
    return [bayesml.fit(FORMULA, sleep, seed=seed, **TINY) for seed in (1, 2)]


@pytest.fixture(scope="module")
def imputed(sleep):
    """Three data sets whose slopes are 0, 10 and 20 ms apart: each converges, together they do not agree."""
    return [sleep.assign(Reaction=sleep["Reaction"] + shift * sleep["Days"]) for shift in (0.0, 10.0, 20.0)]


@pytest.fixture(scope="module")
def several(imputed):
    return fit_multiple(FORMULA, imputed, seed=3, **TINY)


def test_chains_stand_one_after_the_other(pair):
    both = combine(pair)
    assert (both.draws_record.n_chains, both.draws_record.n_draws, both.diagnostics.chains) == (4, 500, 4)
    for group in ("values", "statistics"):
        for name, values in getattr(both.draws_record, group).items():
            parts = [getattr(fit.draws_record, group)[name] for fit in pair]
            np.testing.assert_array_equal(values, np.concatenate(parts))
    assert "4 chains, each with iter = 700" in str(both)
    assert np.isclose(both.timing.total, sum(fit.timing.total for fit in pair))
    assert combine((both, bayesml.fit(FORMULA, both_data(both), seed=9, **TINY))).draws_record.n_chains == 6
    with pytest.raises(ModelError, match="no chains to extend"):
        both.extend(10)


def both_data(fit):
    return {name: column.values for name, column in fit.frame.columns.items()}


def test_moments_of_effects_are_put_together(sleep):
    asked = {"keep_group_effects": "summary", "precondition": False, **TINY}
    fits = [bayesml.fit("Reaction ~ (1 | Subject)", sleep, seed=seed, **asked) for seed in (1, 2)]
    effects = combine(fits).draws_record.reduced["r_Subject"]
    means = [fit.draws_record.reduced["r_Subject"].mean() for fit in fits]
    np.testing.assert_allclose(effects.mean(), np.mean(means, axis=0))


@pytest.mark.slow
def test_other_models_are_refused(sleep, pair):
    first = pair[0]
    others = {
        "formula": first.update(". ~ 1", **TINY, seed=5),
        "family": first.update(family="student", **TINY, seed=5),
        "priors": first.update(prior=bayesml.prior("normal(0, 5)", class_="b"), **TINY, seed=5),
        "data": first.update(data=sleep.assign(Days=sleep["Days"] + 1.0), **TINY, seed=5),
    }
    for part, other in others.items():
        with pytest.raises(ModelError, match=f"fit 2 differs from the first in {part}"):
            combine([first, other])


def test_what_cannot_be_combined(sleep, pair):
    point = bayesml.fit("Reaction ~ (1 | Subject)", sleep, method="ml")
    with pytest.raises(ModelError, match="entry 2 of the list is a PointFit"):
        combine([pair[0], point])
    with pytest.raises(ModelError, match="same draws"):
        combine([pair[0], pair[0]])
    with pytest.raises(ModelError, match="have 600 draws, those of the first 500"):
        combine([pair[0], pair[1].extend(100)])
    for wrong in ([pair[0]], [], pair[0], "fits", None):
        with pytest.raises(ModelError, match="list of two or more fits"):
            combine(wrong)


def test_each_data_set_is_measured_alone(several):
    assert (several.draws_record.n_chains, several.outcome.data_sets) == (6, 3)
    rhats = several.rhats()
    assert list(rhats.index) == [1, 2, 3]
    assert rhats["b_Days"].max() < 1.1
    assert convergence(several.draws_record.values["b"]).rhat[1] > 2  # of all chains at once
    shown = several.summary().to_pandas()
    np.testing.assert_allclose(shown["Rhat"], rhats[shown.index].max())
    assert "3 fits, one for each imputed data set, with 2 chains each" in " ".join(str(several).split())
    assert "do not agree" not in str(several)


def test_the_draws_are_those_of_each_fit(several, imputed):
    separate = fit_multiple(FORMULA, imputed, seed=3, combine=False, **TINY)
    assert [fit.seed for fit in separate] == [3, 4, 5]
    expected = np.concatenate([fit.draws_record.values["b"] for fit in separate])
    np.testing.assert_array_equal(several.draws_record.values["b"], expected)
    # total variance is that within data sets and that between them (Rubin 1987)
    slopes = [fit.draws_record.values["b"][..., 1] for fit in separate]
    total = np.mean([each.var() for each in slopes]) + np.var([each.mean() for each in slopes])
    assert several.draws_record.values["b"][..., 1].var() == pytest.approx(total)


def test_it_is_saved(several, tmp_path):
    several.save(tmp_path / "m.nc")
    again = bayesml.load(tmp_path / "m.nc")
    assert str(again) == str(several)
    with pytest.raises(ModelError, match="of 3 data sets already"):
        combine([several, again])


def test_point_estimates_come_as_a_list(imputed):
    fits = fit_multiple("Reaction ~ Days + (1 | Subject)", tuple(imputed), method="reml", combine=False)
    slopes = [fit["b_Days"] for fit in fits]
    np.testing.assert_allclose(np.diff(slopes), 10.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"data": "first"}, DataError, "a list of data sets"),
        ({"data": []}, DataError, "an empty list"),
        ({"combine": "yes"}, ModelError, "`combine` is True or False"),
        ({"method": "laplace"}, ModelError, "combine=False"),
        ({"checkpoint": "run"}, ModelError, "folder of one run"),
        ({"target_ess": 400}, ModelError, "`target_ess`"),
        ({"max_seconds": 4}, ModelError, "`max_seconds`"),
    ],
)
def test_mistakes_are_told_before_any_fit(imputed, change, error, message):
    data = {"first": imputed[0]}.get(str(change.get("data")), change.get("data", imputed))
    with pytest.raises(error, match=message):
        fit_multiple(FORMULA, data, **{name: value for name, value in change.items() if name != "data"})


def test_data_sets_of_other_columns_or_levels(sleep):
    formula = "Reaction ~ Days + (1 | Subject)"
    with pytest.raises(DataError, match="Data set 2 differs from the first in columns of the data or levels"):
        fit_multiple(formula, [sleep, sleep[sleep["Subject"] != sleep["Subject"].iloc[0]]])
    with pytest.raises(bayesml.BayesmlError, match="Days"):
        fit_multiple(formula, [sleep, sleep.drop(columns="Days")])
