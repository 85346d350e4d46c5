"""NUTS against long brms runs: every mean and sd within four Monte Carlo standard errors, prior tables row by row."""

from __future__ import annotations

import pytest

import bayesml
from bayesml.errors import BayesmlError
from bayesml.names import brms_alias
from tests.reference import assert_agrees, frame, gold

MODELS = {
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", "gaussian"),
    "cbpp": ("incidence | trials(size) ~ period + (1 | herd)", "cbpp", "binomial"),
    "epilepsy": ("count ~ zAge + zBase * Trt + (1 | patient) + (1 | obs)", "epilepsy", "poisson"),
    "sleepstudy_sigma": (
        bayesml.bf("Reaction ~ Days + (Days | Subject)", sigma="~ Days"),
        "sleepstudy",
        "gaussian",
    ),
    "inhaler_cumulative": ("rating ~ period + carry + treat + (1 | subject)", "inhaler", "cumulative"),
}
# Runs of models that cannot be fitted yet, with what the error names. Whoever adds a feature removes its line.
NOT_YET: dict[str, str] = {}
READY = [name for name in MODELS if name not in NOT_YET]


SLOW = ("inhaler_cumulative",)


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in READY]
)
def pair(request):
    formula, data, family = MODELS[request.param]
    record = gold(request.param)
    fit = bayesml.fit(
        formula, frame(data), family, default_priors="brms", draws=3000, seed=20, target_accept=0.9, progress=False
    )
    return record, fit


def test_means_and_sds_agree_with_brms(pair):
    record, fit = pair
    table = fit.draws()
    for row in estimated(record):
        name = next(c for c in table.columns if brms_alias(c) == row["variable"])
        assert_agrees(fit[name].values, row, name)


def test_nothing_reported_is_missing_from_brms(pair):
    record, fit = pair
    ours = {brms_alias(c) for c in fit.draws().columns if not c.startswith(("r_", "."))}
    assert ours == {row["variable"] for row in estimated(record)}


def estimated(record):
    """Leave out constants, which brms reports too: `disc` of ordinal models."""
    return [row for row in record["summary"] if row["sd"] > 0]


@pytest.mark.filterwarnings("ignore:.*Pareto:bayesml.FitWarning")
def test_loo_agrees_with_brms(pair):
    record, fit = pair
    elpd = fit.loo(pointwise=True)
    value = getattr(elpd, "elpd_loo", None) if hasattr(elpd, "elpd_loo") else elpd.elpd
    # Pareto smoothing with k near 0.7 (one group effect for each row in epilepsy) has an error of its own, which the
    # standard error of the difference between two runs of brms puts near 1.
    assert abs(float(value) - record["loo"]["elpd_loo"]) < 0.1 * record["loo"]["p_loo"]


@pytest.mark.parametrize("name", READY)
def test_prior_tables_equal_those_of_brms(name):
    formula, data, family = MODELS[name]
    ours = bayesml.default_prior(formula, frame(data), family, default_priors="brms")
    # brms stores correlations under the name of their Cholesky factor (class L, lkj_corr_cholesky).
    theirs = [
        (
            row["prior"].replace("lkj_corr_cholesky", "lkj"),
            row["class"].replace("L", "cor"),
            row["coef"],
            row["group"],
            row["dpar"],
            row["lb"],
            row["ub"],
        )
        for row in gold(name)["prior"]
    ]
    columns = ["prior", "class", "coef", "group", "dpar", "lb", "ub"]
    mine = [(r[0], r[1], brms_alias(r[2]), *r[3:]) for r in ours[columns].itertuples(index=False, name=None)]
    assert sorted(mine) == sorted(theirs)


@pytest.mark.parametrize("name", NOT_YET)
def test_what_is_not_there_yet_is_named_in_an_error(name):
    formula, data, family = MODELS[name]
    with pytest.raises(BayesmlError, match=NOT_YET[name]):
        bayesml.default_prior(formula, frame(data), family)
