"""Convergence measures, diagnostics, the printed summary, tables and the data for ArviZ."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.special import chdtri

from bayesml.convergence import convergence
from bayesml.engines import NUTS
from bayesml.errors import FitWarning, ModelError
from bayesml.formula import bf
from bayesml.priors import prior
from bayesml.results.checks.diagnostics import (
    chi_squared_limit,
    diagnose,
    energy_fraction,
    warn_about,
    watched_elements,
)
from bayesml.results.storage.export import to_arviz as to_idata
from bayesml.results.tables import tables
from bayesml.results.tables.statistics import center_and_error, summarise
from bayesml.results.tables.summary import Block, Row, Summary, summary
from tests.handmade import CHAINS, DRAWS, ENGINE, handmade_fit, sleep

CORRELATED = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture
def fit():
    return handmade_fit(CORRELATED, sleep(), data_name="sleepstudy")


# Convergence ---------------------------------------------------------------------------------------------------------


def walks(rng, chains, draws, persistence, count=6):
    values = rng.normal(size=(chains, draws, count))
    for t in range(1, draws):
        values[:, t] += persistence * values[:, t - 1]
    return values


@pytest.mark.parametrize("chains, draws", [(4, 1000), (2, 101), (3, 7), (4, 8), (2, 9), (2, 10), (2, 11), (4, 4)])
@pytest.mark.parametrize("persistence", [-0.7, 0.0, 0.9, 1.0])
@pytest.mark.parametrize("rounded", [False, True])
def test_convergence_is_that_of_arviz_stats(rng, chains, draws, persistence, rounded):
    array_stats = pytest.importorskip("arviz_stats.base").array_stats
    values = walks(rng, chains, draws, persistence)
    values = np.round(values) if rounded else values
    axes = {"chain_axis": 0, "draw_axis": 1}
    found = convergence(values)
    expected = {
        "rhat": array_stats.rhat(values, **axes),
        "bulk_ess": array_stats.ess(values, method="bulk", **axes),
        "tail_ess": array_stats.ess(values, method="tail", prob=(0.05, 0.95), **axes),
        "mcse": array_stats.mcse(values, method="mean", **axes),
    }
    varies = np.ptp(values.reshape(-1, values.shape[2]), axis=0) > 0
    for name, theirs in expected.items():
        ours = getattr(found, name)
        # An indicator that is constant in the halves has no autocorrelation: NaN here, the number of draws there.
        defined = varies & ~np.isnan(ours) if name == "tail_ess" else varies
        np.testing.assert_allclose(ours[defined], np.asarray(theirs)[defined], rtol=1e-10)
        assert defined.any()


def test_convergence_of_one_chain_is_that_of_its_halves(rng):
    values = walks(rng, 1, 200, 0.5)
    halves = np.concatenate([values[:, :100], values[:, 100:]])
    found = convergence(values)
    # Splitting once more must change something, so that this test can fail.
    assert not np.allclose(found.rhat, convergence(halves).rhat)
    assert np.all((found.rhat > 0.98) & (found.rhat < 1.2))


@pytest.mark.parametrize("value", [0.0, 3.7, np.nan, np.inf])
def test_convergence_of_what_does_not_vary_or_is_not_finite_is_nan(rng, value):
    values = rng.normal(size=(4, 100, 3))
    values[:, :, 1] = value
    found = convergence(values)
    for measure in (found.rhat, found.bulk_ess, found.tail_ess, found.mcse):
        assert np.isnan(measure[1])
        assert np.isfinite(measure[[0, 2]]).all()


def test_convergence_notices_chains_that_stand_still(rng):
    values = np.repeat(np.arange(4.0)[:, None, None], 100, axis=1)
    found = convergence(values)
    assert found.rhat[0] > 1e6
    assert found.bulk_ess[0] < 10


def test_convergence_does_not_depend_on_how_parameters_are_batched(rng, monkeypatch):
    values = rng.normal(size=(2, 50, 23))
    whole = convergence(values)
    monkeypatch.setattr("bayesml.convergence.CHUNK", 300)
    parts = convergence(values)
    np.testing.assert_array_equal(whole.bulk_ess, parts.bulk_ess)
    np.testing.assert_array_equal(whole.rhat, parts.rhat)


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_convergence_of_too_few_draws_is_nan(rng, draws):
    assert np.isnan(convergence(rng.normal(size=(4, draws, 2))).rhat).all()


# Diagnostics ---------------------------------------------------------------------------------------------------------


def healthy(**changes):
    engine = replace(ENGINE, draws=400)
    return handmade_fit(CORRELATED, sleep(), engine=engine, **changes)


def test_healthy_run_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_about(healthy())


def test_diagnostics_read_the_statistics():
    depth = np.full((CHAINS, 400), 3)
    depth[1, :4] = ENGINE.max_treedepth
    diverging = np.zeros((CHAINS, 400), dtype=bool)
    diverging[0, 7:10] = True
    found = diagnose(healthy(statistics={"tree_depth": depth, "diverging": diverging}))
    assert (found.divergences, found.treedepth_hits, found.leapfrog_steps) == (3, 4, 7 * CHAINS * 400)
    assert found.step_size == (0.4,) * CHAINS
    assert "divergent transitions:" in str(found)
    cures = " ".join(found.problems)
    assert "3 of 1200 transitions" in cures and "`target_accept` from 0.8 to 0.9" in cures
    assert "4 of 1200 transitions" in cures and "`max_treedepth` to 7" in cures


def test_worst_parameter_is_named():
    base = healthy()
    effects = base.draws_record.values["r_Subject"].copy()
    effects[0, :, 2, 1] += 1.5
    found = diagnose(healthy(change={"r_Subject": effects}))
    assert found.max_rhat.name == "r_Subject[310,Days]"
    assert found.max_rhat.value > 1.05
    assert any(re.search(r"Rhat is 1\.\d+ for `r_Subject\[310,Days\]`", text) for text in found.problems)


def test_low_effective_sample_size_is_warned_about():
    texts = diagnose(handmade_fit(CORRELATED, sleep())).problems
    assert any("at least 300 are needed" in text for text in texts)


def test_low_energy_fraction_is_warned_about(rng):
    energy = np.cumsum(rng.normal(size=(CHAINS, 400)), axis=1)
    with pytest.warns(FitWarning, match=f"below 0.3 in {CHAINS} of {CHAINS} chains"):
        warn_about(healthy(statistics={"energy": energy}))


def test_energy_fraction_by_hand():
    # mean(diff^2) = (1 + 4 + 9) / 3; var with n - 1 of 0, 1, 3, 6 is 7.
    energy = np.array([[0.0, 1.0, 3.0, 6.0]])
    assert energy_fraction(energy)[0] == pytest.approx(14 / 3 / 7)
    assert energy_fraction(1e200 * energy)[0] == pytest.approx(14 / 3 / 7)  # of a posterior that runs away


@pytest.mark.parametrize("degrees", [1, 3, 7, 127])
@pytest.mark.parametrize("probability", [0.5, 0.01, 1e-9])
def test_chi_squared_limits_are_scipys(degrees, probability):
    assert chi_squared_limit(degrees, probability) == pytest.approx(chdtri(degrees, probability), rel=1e-12)


def test_interrupted_run_is_warned_about():
    fit = handmade_fit(CORRELATED, sleep(), engine=replace(ENGINE, draws=400), incomplete=True)
    short = {name: values[:, :350] for name, values in fit.draws_record.values.items()}
    statistics = {name: values[:, :350] for name, values in fit.draws_record.statistics.items()}
    fit = handmade_fit(
        CORRELATED, sleep(), engine=replace(ENGINE, draws=400), incomplete=True, change=short, statistics=statistics
    )
    with pytest.warns(FitWarning, match="350 of 400 draws"):
        warn_about(fit)
    assert f"total post-warmup draws = {CHAINS * 350} (interrupted: {CHAINS * 400} were asked for)" in str(summary(fit))


def test_prior_draws_need_no_diagnosis():
    fit = handmade_fit(CORRELATED, sleep(), engine=replace(ENGINE, sample_prior="only"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_about(fit)
    assert diagnose(fit).independent
    text = str(summary(fit))
    assert "Rhat " not in text.split("Draws were")[0]
    assert f"{CHAINS * DRAWS} independent draws from the prior" in text


def test_constant_parameters_are_left_out():
    fit = healthy(change={"sigma": np.ones((CHAINS, 400))})
    assert diagnose(fit).max_rhat.name != "sigma"
    assert re.search(r"^sigma +1.00 +0.00 +1.00 +1.00 +NA +NA +NA$", str(summary(fit)), re.MULTILINE)


def test_draws_that_are_not_finite_are_named():
    days = healthy().draws_record.values["b"].copy()
    days[1, 7, 1] = np.inf
    found = diagnose(healthy(change={"b": days}))
    assert found.not_finite == ("b_Days",)
    assert any("`b_Days` are not finite" in text for text in found.problems)


def test_many_group_effects_are_looked_at_in_part():
    groups = 1300
    data = {"y": np.arange(2.0 * groups), "g": np.repeat(np.arange(groups), 2)}
    fit = handmade_fit("y ~ 1 + (1 | g)", data, engine=replace(ENGINE, draws=10, chains=2))
    watched = watched_elements(fit.draws_record.values, fit.variables)
    effects = [name for name in watched.names if name.startswith("r_g[")]
    assert len(effects) == 1000
    assert {"b_Intercept", "sd_g__Intercept", "sigma"} <= set(watched.names)
    assert {"r_g[0,Intercept]", "r_g[1299,Intercept]"} <= set(effects)


# Statistics ----------------------------------------------------------------------------------------------------------


def test_quantiles_are_those_of_r():
    # quantile(c(1, 2, 3, 4, 10), c(.025, .5, .975)): 1.1 3.0 9.4; sd: 3.535534; mad: 1.4826
    table = summarise(np.array([[1.0], [2.0], [3.0], [4.0], [10.0]]), probs=(0.025, 0.5, 0.975))
    assert list(table.columns) == ["Estimate", "Est.Error", "Q2.5", "Q50", "Q97.5"]
    np.testing.assert_allclose(table.to_numpy()[0], [4.0, 3.535534, 1.1, 3.0, 9.4], rtol=1e-6)
    center, error = center_and_error(np.array([[1.0], [2.0], [3.0], [4.0], [10.0]]), robust=True)
    assert (center[0], error[0]) == (3.0, 1.4826)


@pytest.mark.parametrize("probs", [(1.5,), (-0.1,), ("a",), (True,)])
def test_impossible_probabilities_are_refused(fit, probs):
    with pytest.raises(ModelError, match="between 0 and 1"):
        tables.fixef(fit, probs=probs)


# Summary -------------------------------------------------------------------------------------------------------------

# The epilepsy example of the README of brms 2.23, whose last sentence names Stan's sampler.
EPILEPSY = """\
 Family: poisson
  Links: mu = log
Formula: count ~ zAge + zBase * Trt + (1 | patient)
   Data: epilepsy (Number of observations: 236)
  Draws: 4 chains, each with iter = 2000; warmup = 1000; thin = 1;
         total post-warmup draws = 4000

Multilevel Hyperparameters:
~patient (Number of levels: 59)
              Estimate Est.Error l-95% CI u-95% CI Rhat Bulk_ESS Tail_ESS
sd(Intercept)     0.59      0.07     0.46     0.74 1.01      566     1356

Regression Coefficients:
           Estimate Est.Error l-95% CI u-95% CI Rhat Bulk_ESS Tail_ESS
Intercept      1.78      0.12     1.55     2.01 1.00      771     1595
zAge           0.09      0.09    -0.08     0.27 1.00      590     1302
zBase          0.71      0.12     0.47     0.96 1.00      848     1258
Trt1          -0.27      0.16    -0.60     0.05 1.01      749     1172
zBase:Trt1     0.05      0.17    -0.30     0.38 1.00      833     1335
"""


def row(label, *values):
    return Row(label, label, values)


def test_summary_has_the_layout_of_brms():
    regression = (
        row("Intercept", 1.78, 0.12, 1.55, 2.01, 1.0, 771.0, 1595.0),
        row("zAge", 0.09, 0.09, -0.08, 0.27, 1.0, 590.0, 1302.0),
        row("zBase", 0.71, 0.12, 0.47, 0.96, 1.0, 848.0, 1258.0),
        row("Trt1", -0.27, 0.16, -0.60, 0.05, 1.01, 749.0, 1172.0),
        row("zBase:Trt1", 0.05, 0.17, -0.30, 0.38, 1.0, 833.0, 1335.0),
    )
    sd = (row("sd(Intercept)", 0.59, 0.07, 0.46, 0.74, 1.01, 566.0, 1356.0),)
    made = Summary(
        (
            ("Family", ("poisson",)),
            ("Links", ("mu = log",)),
            ("Formula", ("count ~ zAge + zBase * Trt + (1 | patient)",)),
            ("Data", ("epilepsy (Number of observations: 236)",)),
            ("Draws", ("4 chains, each with iter = 2000; warmup = 1000; thin = 1;", "total post-warmup draws = 4000")),
        ),
        ("Estimate", "Est.Error", "l-95% CI", "u-95% CI", "Rhat", "Bulk_ESS", "Tail_ESS"),
        (
            Block("Multilevel Hyperparameters", "~patient (Number of levels: 59)", sd),
            Block("Regression Coefficients", "", regression),
        ),
        (),
    )
    assert f"{made}\n" == EPILEPSY


def test_summary_of_a_fit(fit):
    text = str(summary(fit))
    head, groups, regression, family, closing = text.split("\n\n")[:5]
    assert head == (
        " Family: gaussian\n  Links: mu = identity\nFormula: Reaction ~ Days + (Days | Subject)\n"
        "   Data: sleepstudy (Number of observations: 60)\n"
        f"  Draws: {CHAINS} chains, each with iter = {40 + DRAWS}; warmup = 40; thin = 1;\n"
        f"         total post-warmup draws = {CHAINS * DRAWS}"
    )
    assert groups.splitlines()[:2] == ["Multilevel Hyperparameters:", "~Subject (Number of levels: 6)"]
    assert [line.split()[0] for line in groups.splitlines()[3:]] == ["sd(Intercept)", "sd(Days)", "cor(Intercept,Days)"]
    assert [line.split()[0] for line in regression.splitlines()] == ["Regression", "Estimate", "Intercept", "Days"]
    assert family.startswith("Further Distributional Parameters:\n      Estimate")
    assert closing.startswith("Draws were sampled using NUTS") and closing.endswith("(at convergence, Rhat = 1).")
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_summary_of_several_parameters_and_groups():
    data = sleep()
    formula = bf("Reaction ~ Days * Dose + (1 | Subject) + (Days || Dose)", sigma="~ Days + (1 | Subject)")
    found = summary(handmade_fit(formula, data))
    text = str(found)
    assert "  Links: mu = identity; sigma = log\n" in text
    main = "Formula: Reaction ~ Days * Dose + (1 | Subject) + (Days || Dose)\n"
    assert f"{main}         sigma ~ Days + (1 | Subject)\n" in text
    subject = next(block for block in found.blocks if block.subtitle.startswith("~Subject"))
    assert [r.label for r in subject.rows] == ["sd(Intercept)", "sd(sigma_Intercept)"]
    dose = next(block for block in found.blocks if block.subtitle.startswith("~Dose"))
    assert [r.label for r in dose.rows] == ["sd(Intercept)", "sd(Days)"]
    regression = next(block for block in found.blocks if block.title == "Regression Coefficients")
    labels = [r.label for r in regression.rows]
    assert labels[:2] == ["Intercept", "sigma_Intercept"] and labels[-1] == "sigma_Days"
    assert "Further" not in text
    assert "\n\n~Dose (Number of levels: 3)\n" in text


def test_summary_options(fit):
    found = summary(fit, prob=0.8, robust=True).to_pandas()
    assert list(found.columns[:4]) == ["Estimate", "Est.Error", "l-80% CI", "u-80% CI"]
    days = fit.draws_record.values["b"][..., 1].ravel()
    deviation = 1.4826 * np.median(np.abs(days - np.median(days)))
    np.testing.assert_allclose(
        found.loc["b_Days"].to_numpy()[:4], [np.median(days), deviation, *np.quantile(days, [0.1, 0.9])]
    )


@pytest.mark.parametrize("prob", [0, 1, -0.5, "0.9", True, None])
def test_summary_refuses_an_impossible_probability(fit, prob):
    with pytest.raises(ModelError, match="`prob` lies between 0 and 1"):
        summary(fit, prob=prob)


@pytest.mark.parametrize(
    ("estimate", "error", "expected"),
    [
        (0.0012, 0.00034, ("0.0012", "0.00034")),
        (-1.2e-05, 3.4e-06, ("-1.2e-05", "3.4e-06")),
        (0.0012, 0.02, ("0.00", "0.02")),
        (0.5, 0.001, ("0.50", "0.00")),
        (-0.004, 0.3, ("-0.00", "0.30")),
        (0.0, 0.0, ("0.00", "0.00")),
        (np.nan, np.nan, ("NA", "NA")),
    ],
)
def test_small_numbers_keep_their_digits(estimate, error, expected):
    assert row("x", estimate, error).cells(2) == expected


def test_html_is_well_formed_and_escaped():
    data = sleep()
    data["a<b"] = data["Days"]
    html = summary(handmade_fit("Reaction ~ `a<b` + (1 | Subject)", data, data_name="<data> & more"))._repr_html_()
    tree = ElementTree.fromstring(html.replace("<br>", "<br/>"))
    texts = [cell.text for cell in tree.iter("th")]
    assert "a<b" in texts and "Estimate" in texts
    assert "<data> & more (Number of observations: 60)" in [cell.text for cell in tree.iter("td")]
    assert "script" not in html


# Tables --------------------------------------------------------------------------------------------------------------


def test_fixef(fit):
    values = fit.draws_record.values["b"].reshape(-1, 2)
    table = tables.fixef(fit)
    assert list(table.index) == ["Intercept", "Days"]
    assert list(table.columns) == ["Estimate", "Est.Error", "Q2.5", "Q97.5"]
    np.testing.assert_allclose(table["Est.Error"], values.std(axis=0, ddof=1))
    np.testing.assert_array_equal(tables.fixef(fit, summary=False)["Days"], values[:, 1])


def test_ranef_and_coef_agree_draw_by_draw(fit):
    effects = tables.ranef(fit, summary=False)["Subject"]
    total = tables.coef(fit, summary=False)["Subject"]
    population = tables.fixef(fit, summary=False)
    for column in effects.columns:
        np.testing.assert_allclose(total[column], effects[column] + population[column[1]])
    table = tables.ranef(fit)["Subject"]
    assert list(table.columns[:3]) == ["level", "coef", "Estimate"]
    chosen = table[(table["level"] == "310") & (table["coef"] == "Days")]
    assert chosen["Estimate"].item() == pytest.approx(fit.draws_record.values["r_Subject"][:, :, 2, 1].mean())


def test_coef_of_effects_on_one_side_only():
    fit = handmade_fit(bf("Reaction ~ Dose + (0 + Days | Subject)", sigma="~ 1 + (1 | Subject)"), sleep())
    total = tables.coef(fit, summary=False)["Subject"]
    population = tables.fixef(fit, summary=False)
    np.testing.assert_array_equal(total[("308", "Intercept")], population["Intercept"])
    np.testing.assert_array_equal(total[("308", "Days")], fit.draws_record.values["r_Subject"][:, :, 0, 0].ravel())
    sigma = population["sigma_Intercept"] + fit.draws_record.values["r_Subject__sigma"][:, :, 0, 0].ravel()
    np.testing.assert_allclose(total[("308", "sigma_Intercept")], sigma)


def test_models_without_groups():
    fit = handmade_fit("Reaction ~ Days", sleep())
    with pytest.raises(ModelError, match="no group-level effects"):
        tables.ranef(fit)
    with pytest.raises(ModelError, match="no group-level effects"):
        tables.coef(fit)
    assert list(tables.varcorr(fit)) == ["residual__"]
    assert "Multilevel" not in str(summary(fit))


def test_varcorr(fit):
    found = tables.varcorr(fit)["Subject"]
    sd = fit.draws_record.values["sd_Subject"].reshape(-1, 2)
    cor = fit.draws_record.values["cor_Subject"].reshape(-1)
    np.testing.assert_allclose(found.sd["Estimate"], sd.mean(axis=0))
    np.testing.assert_allclose(found.cor_matrix.loc["Days", "Intercept"], cor.mean())
    np.testing.assert_array_equal(np.diag(found.cor_matrix), 1.0)
    np.testing.assert_allclose(found.cov_matrix.loc["Intercept", "Days"], (sd[:, 0] * sd[:, 1] * cor).mean())
    np.testing.assert_allclose(found.cov_matrix.loc["Days", "Days"], (sd[:, 1] ** 2).mean())
    assert list(found.cov_matrix.index) == ["Intercept", "Days"]
    residual = tables.varcorr(fit)["residual__"]
    assert residual.cor is None
    assert residual.sd.loc["sigma", "Estimate"] == pytest.approx(fit.draws_record.values["sigma"].mean())


def test_varcorr_has_no_correlation_where_the_model_has_none():
    fit = handmade_fit(bf("Reaction ~ Days + (Days || Subject)", sigma="~ 1 + (1 | Subject)"), sleep())
    found = tables.varcorr(fit)
    np.testing.assert_array_equal(found["Subject"].cor_matrix, np.eye(3))
    assert list(found["Subject"].sd.index) == ["Intercept", "Days", "sigma_Intercept"]
    assert "residual__" not in found


def test_vcov(fit):
    values = fit.draws_record.values["b"].reshape(-1, 2)
    table = tables.vcov(fit)
    np.testing.assert_allclose(table, np.cov(values.T))
    assert table.loc["Days", "Intercept"] == table.loc["Intercept", "Days"]
    np.testing.assert_allclose(tables.vcov(fit, correlation=True), np.corrcoef(values.T))
    one = handmade_fit("Reaction ~ 1", sleep())
    assert tables.vcov(one).shape == (1, 1)


def test_draws(fit):
    frame = tables.draws(fit)
    assert list(frame.columns[:4]) == [".chain", ".draw", "b_Intercept", "b_Days"]
    assert "cor_Subject__Intercept__Days" in frame and "r_Subject[314,Days]" not in frame
    assert frame.shape == (CHAINS * DRAWS, 2 + 2 + 2 + 1 + 1 + 12)
    effects = fit.draws_record.values["r_Subject"]
    np.testing.assert_array_equal(frame["r_Subject[309,Days]"], effects[:, :, 1, 1].ravel())
    last = frame[(frame[".chain"] == 2) & (frame[".draw"] == DRAWS - 1)]
    assert last["sigma"].item() == fit.draws_record.values["sigma"][2, -1]


def test_draws_of_chosen_parameters(fit):
    assert list(tables.draws(fit, "b_Days").columns[2:]) == ["b_Days"]
    assert list(tables.draws(fit, ["sigma", "b"]).columns[2:]) == ["b_Intercept", "b_Days", "sigma"]
    assert list(tables.draws(fit, "^sd_|sigma", regex=True).columns[2:]) == [
        "sd_Subject__Intercept",
        "sd_Subject__Days",
        "sigma",
    ]
    with pytest.raises(ModelError, match="did you mean `b_Days`"):
        tables.draws(fit, "b_Dyas")
    with pytest.raises(ModelError, match="not a regular expression"):
        tables.draws(fit, "(", regex=True)
    with pytest.raises(ModelError, match="No parameter matches"):
        tables.draws(fit, "nothing", regex=True)


def test_get_by_text_name_and_by_variable(fit):
    element = tables.get(fit, "r_Subject[309,Days]")
    assert element.dims == ("chain", "draw")
    np.testing.assert_array_equal(element, fit.draws_record.values["r_Subject"][:, :, 1, 1])
    whole = tables.get(fit, "r_Subject")
    np.testing.assert_array_equal(whole.sel(Subject="309", Subject_coef="Days"), element)
    assert tables.get(fit, "sigma").dims == ("chain", "draw")
    with pytest.raises(ModelError, match="did you mean `sigma`"):
        tables.get(fit, "sgima")
    with pytest.raises(ModelError, match="by its name"):
        tables.get(fit, 3)


def test_get_understands_the_spelling_of_brms():
    fit = handmade_fit("Reaction ~ Dose + I(Days ** 2) + (1 | Dose)", sleep())
    np.testing.assert_array_equal(tables.get(fit, "b_Dosenone"), tables.get(fit, "b_Dose[none]"))
    np.testing.assert_array_equal(tables.get(fit, "b_IDaysE2"), tables.get(fit, "b_I(Days ** 2)"))
    assert tables.get(fit, "r_Dose[low dose,Intercept]").shape == (CHAINS, DRAWS)


def test_prior_summary():
    fit = handmade_fit(CORRELATED, sleep(), priors=(prior("normal(0, 7)", coef="Days"),))
    table = tables.prior_summary(fit)
    chosen = table[table["coef"].eq("Days") & table["class"].eq("b")]
    assert chosen["prior"].item() == "normal(0, 7)" and chosen["source"].item() == "user"


# ArviZ ---------------------------------------------------------------------------------------------------------------


def test_idata_holds_draws_statistics_and_data(fit):
    idata = to_idata(fit)
    posterior, statistics = idata["posterior"], idata["sample_stats"]
    assert posterior["r_Subject"].dims == ("chain", "draw", "Subject", "Subject_coef")
    assert set(statistics.data_vars) == {
        "lp",
        "energy",
        "acceptance_rate",
        "n_steps",
        "tree_depth",
        "diverging",
        "step_size",
        "reached_max_tree_depth",
    }
    np.testing.assert_array_equal(
        posterior["cor_Subject"].sel(Subject_cor="Intercept__Days"), fit.draws_record.values["cor_Subject"][:, :, 0]
    )
    np.testing.assert_array_equal(idata["observed_data"]["Reaction"], sleep()["Reaction"])
    assert list(idata["constant_data"].data_vars) == ["Days", "Subject"]
    assert idata["constant_data"]["Subject"].values[-1] == "313"
    assert posterior.attrs["modeling_interface"] == "bayesml" and posterior.attrs["formula"] == CORRELATED
    assert "prior" not in list(idata.groups() if callable(idata.groups) else idata.children)


def test_arviz_agrees_with_the_summary(fit):
    arviz = pytest.importorskip("arviz")
    ours = summary(fit).to_pandas()
    theirs = arviz.ess(to_idata(fit), var_names=["b"], method="bulk")
    np.testing.assert_allclose(theirs["b"].sel(coef="Days"), ours.loc["b_Days", "Bulk_ESS"], rtol=1e-10)


@pytest.mark.parametrize("kind", ["yes", "only"])
def test_idata_with_prior_draws(kind):
    fit = handmade_fit(CORRELATED, sleep(), engine=replace(ENGINE, sample_prior=kind))
    idata = to_idata(fit)
    assert idata["prior"]["b"].shape == idata["posterior"]["b"].shape
    assert idata["posterior"].attrs["sample_prior"] == kind
    assert np.array_equal(idata["prior"]["b"], idata["posterior"]["b"]) == (kind == "only")


def test_idata_of_awkward_names():
    data = sleep()
    days, dose = data["Days"], data["Dose"]
    data |= {"a/b": data["Subject"], "sigma": dose, "obs": days, "chain": dose, "draw": days}
    formula = "Reaction ~ obs + draw + (1 | `a/b`) + (obs | sigma) + (1 | chain) + (1 | Dose:Subject)"
    fit = handmade_fit(formula, data)
    idata = to_idata(fit)
    names = [*idata["posterior"].variables, *idata["constant_data"].variables]
    assert not any("/" in name for name in names)
    assert idata["posterior"]["r_sigma"].shape == (CHAINS, DRAWS, 3, 2)
    assert idata["posterior"]["sigma"].shape == (CHAINS, DRAWS)
    assert tables.get(fit, "r_chain[größer,Intercept]").shape == (CHAINS, DRAWS)
    assert tables.get(fit, "sd_a/b__Intercept").shape == (CHAINS, DRAWS)


def test_dimensions_of_one_name_and_different_labels_are_kept_apart():
    data = sleep()
    data["sigma"] = data["Dose"]
    fit = handmade_fit(bf("Reaction ~ 1 + (Days | sigma)", sigma="~ Dose"), data)
    posterior = to_idata(fit)["posterior"]
    assert posterior["sd_sigma"].shape == (CHAINS, DRAWS, 2)
    assert posterior["b_sigma"].shape == (CHAINS, DRAWS, 3)
    assert not any(posterior[name].isnull().any() for name in posterior.data_vars)


def test_trials_and_weights_are_constant_data():
    rng = np.random.default_rng(0)
    data = {"s": rng.integers(0, 5, 30), "n": np.full(30, 6), "w": rng.uniform(0.5, 1, 30), "g": list("abc") * 10}
    fit = handmade_fit("s | trials(n) + weights(w) ~ 1 + (1 | g)", data, "binomial")
    constant = to_idata(fit)["constant_data"]
    np.testing.assert_array_equal(constant["trials"], data["n"])
    np.testing.assert_array_equal(constant["weights"], data["w"])
    np.testing.assert_array_equal(to_idata(fit)["observed_data"]["s"], data["s"])


def test_engine_without_statistics_is_summarised():
    fit = handmade_fit(CORRELATED, sleep(), engine=NUTS(draws=5, chains=1, warmup=0, sample_prior="only"))
    assert summary(fit).to_pandas().shape == (6, 4)
