"""Predictions, simulation, refits, normal draws and pictures of point estimates."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import bayesml
from bayesml import DataError, Fit, FitWarning, FormulaError, ModelError, PointFit
from bayesml.linalg import row_blocks
from tests.reference import frame


@pytest.fixture(scope="module")
def sleep() -> PointFit:
    return bayesml.fit("Reaction ~ Days + (Days | Subject)", frame("sleepstudy"), method="reml")


@pytest.fixture(scope="module")
def cbpp() -> PointFit:
    return bayesml.fit("incidence | trials(size) ~ period + (1 | herd)", frame("cbpp"), "binomial", method="laplace")


def test_predictions_of_each_level_by_hand(sleep: PointFit) -> None:
    new = {"Days": [0.0, 4.5, 10.0], "Subject": ["308", "335", "372"]}
    found = sleep.predict(new)
    for value, days, subject in zip(found, new["Days"], new["Subject"], strict=True):
        intercept = sleep["b_Intercept"] + sleep[f"r_Subject[{subject},Intercept]"]
        assert value == pytest.approx(intercept + days * (sleep["b_Days"] + sleep[f"r_Subject[{subject},Days]"]))


def test_own_rows_are_the_fitted_values(sleep: PointFit, cbpp: PointFit) -> None:
    for fit in (sleep, cbpp):
        np.testing.assert_allclose(fit.predict(), fit.fitted)
        np.testing.assert_allclose(fit.predict(fit.frame.to_pandas()), fit.fitted)
        y = fit.problem.design.response.arrays["y"]
        np.testing.assert_allclose(fit.residuals(), y - fit.fitted)


def test_a_subset_of_the_group_effects(sleep: PointFit) -> None:
    new = {"Days": [3.0], "Subject": ["308"]}
    some = sleep.linpred(new, re_formula="~ (1 | Subject)")
    wanted = sleep["b_Intercept"] + 3 * sleep["b_Days"] + sleep["r_Subject[308,Intercept]"]
    assert some[0] == pytest.approx(wanted)
    assert sleep.linpred({"Days": [3.0]}, re_formula="NA")[0] == pytest.approx(
        wanted - sleep["r_Subject[308,Intercept]"]
    )
    with pytest.raises(FormulaError, match="no group-level effects"):
        sleep.linpred(new, re_formula="~ (1 | Days)")


def test_standard_errors_come_from_the_joint_covariance(sleep: PointFit) -> None:
    new = {"Days": [3.0, 8.0], "Subject": ["308", "352"]}
    C = sleep.vcov(full=True)
    for row, (days, subject) in enumerate(zip(new["Days"], new["Subject"], strict=True)):
        weights = pd.Series(0.0, index=C.index)
        weights[["b_Intercept", f"r_Subject[{subject},Intercept]"]] = 1.0
        weights[["b_Days", f"r_Subject[{subject},Days]"]] = days
        wanted = np.sqrt(weights @ C @ weights)
        assert sleep.predict(new, se=True)["Std.Error"].iloc[row] == pytest.approx(wanted)
    table = sleep.predict(new, interval="prediction", prob=0.8)
    half = norm.ppf(0.9) * np.sqrt(sleep.predict(new, se=True)["Std.Error"] ** 2 + sleep.sigma**2)
    np.testing.assert_allclose(table["Upper"] - table["Estimate"], half)


def test_population_standard_errors_come_from_vcov(sleep: PointFit, cbpp: PointFit) -> None:
    # predict(lmer(...), newdata, re.form = NA, se.fit = TRUE): se = sqrt(x' vcov x)
    table = sleep.linpred({"Days": [0.0, 9.0]}, re_formula="NA", interval="confidence")
    X = np.array([[1.0, 0.0], [1.0, 9.0]])
    np.testing.assert_allclose(table["Std.Error"], np.sqrt(np.diag(X @ sleep.vcov().to_numpy() @ X.T)))
    first = cbpp.linpred({"period": ["1"]}, re_formula="NA", se=True)
    assert first["Std.Error"].iloc[0] == pytest.approx(cbpp.fixef().loc["Intercept", "Std.Error"])


def test_new_levels(sleep: PointFit) -> None:
    new = {"Days": [0.0, 2.0], "Subject": ["308", "nobody"]}
    with pytest.raises(DataError, match='`nobody`.*new_levels="zero"'):
        sleep.predict(new)
    found = sleep.predict(new, new_levels="zero", se=True)
    assert found["Estimate"].iloc[1] == pytest.approx(sleep["b_Intercept"] + 2 * sleep["b_Days"])
    z, x = np.array([1.0, 2.0]), np.array([1.0, 2.0])
    variance = z @ sleep.varcorr()["Subject"].cov_matrix @ z + x @ sleep.vcov() @ x
    assert found["Std.Error"].iloc[1] == pytest.approx(np.sqrt(variance))
    with pytest.raises(DataError, match="grouping column `Subject`"):
        sleep.predict({"Days": [0.0]})
    assert sleep.predict({"Days": [0.0]}, new_levels="zero")[0] == pytest.approx(sleep["b_Intercept"])
    with pytest.raises(ModelError, match='"error" or "zero"'):
        sleep.predict(new, new_levels="gaussian")


def test_expected_counts_and_their_delta_method(cbpp: PointFit) -> None:
    new = {"period": ["1", "3"], "herd": ["1", "4"], "size": [10, 20]}
    eta = cbpp.linpred(new, se=True)
    mu = 1 / (1 + np.exp(-eta["Estimate"]))
    found = cbpp.epred(new, interval="confidence")
    np.testing.assert_allclose(found["Estimate"], mu * new["size"])
    np.testing.assert_allclose(found["Std.Error"], mu * (1 - mu) * new["size"] * eta["Std.Error"], rtol=1e-6)
    upper = 1 / (1 + np.exp(-eta["Estimate"] - norm.ppf(0.975) * eta["Std.Error"]))
    np.testing.assert_allclose(found["Upper"], upper * new["size"])
    drawn = cbpp.predict(new, interval="prediction")
    assert np.all((drawn["Lower"] <= found["Lower"]) & (drawn["Upper"] >= found["Upper"]))
    assert np.all(drawn[["Lower", "Upper"]] == np.round(drawn[["Lower", "Upper"]]))


def test_options_of_predictions_are_checked(sleep: PointFit) -> None:
    for options in ({"interval": "credible"}, {"prob": 1.0}, {"prob": "a"}):
        with pytest.raises(ModelError):
            sleep.predict(**options)
    with pytest.raises(ModelError, match="prediction"):
        sleep.epred(interval="prediction")
    with pytest.raises(ModelError, match="response"):
        sleep.residuals("student")


def test_residuals_of_a_generalised_model(cbpp: PointFit) -> None:
    y, n = (cbpp.problem.design.response.arrays[k] for k in ("y", "trials"))
    p = cbpp.fitted / n
    np.testing.assert_allclose(cbpp.residuals("pearson"), (y - n * p) / np.sqrt(n * p * (1 - p)))
    np.testing.assert_allclose(cbpp.residuals("working"), (y / n - p) / (p * (1 - p)))
    # deviance(glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial)): 73.4717; the exact
    # optimum is a little off glmer's
    assert (cbpp.residuals("deviance") ** 2).sum() == pytest.approx(73.4717239458, rel=1e-4)
    assert np.array_equal(np.sign(cbpp.residuals("deviance")), np.sign(cbpp.residuals()))


@pytest.mark.parametrize("use_u", [False, True])
def test_simulated_responses_have_the_models_mean_and_variance(sleep: PointFit, use_u: bool) -> None:
    count = 4000
    drawn = sleep.simulate(count, seed=1, use_u=use_u)
    data = frame("sleepstudy")
    Z = np.column_stack([np.ones(180), data["Days"]])
    S = sleep.varcorr()["Subject"].cov_matrix.to_numpy()
    mean = sleep.fitted if use_u else sleep.predict(re_formula="NA")
    variance = sleep.sigma**2 + (0.0 if use_u else np.einsum("nq,qr,nr->n", Z, S, Z))
    z = (drawn.mean(axis=0) - mean) / np.sqrt(variance / count)
    assert np.abs(z).max() < 5.0  # 180 standard normal numbers
    assert np.abs(drawn.var(axis=0) / variance - 1).max() < 5.0 * np.sqrt(2 / count)
    same = data["Subject"].to_numpy() == "308"
    covariance = np.cov(drawn[:, same][:, :2].T)[0, 1]
    wanted = 0.0 if use_u else float(Z[same][0] @ S @ Z[same][1])
    assert abs(covariance - wanted) < 5.0 * np.max(variance) / np.sqrt(count)


def test_simulate_keeps_what_it_is_told_to_keep(sleep: PointFit) -> None:
    assert np.array_equal(sleep.simulate(2, seed=3), sleep.simulate(2, seed=3))
    kept = sleep.simulate(4000, seed=2, re_formula="~ (1 | Subject)").mean(axis=0)
    wanted = sleep.predict(re_formula="~ (1 | Subject)")
    spread = np.sqrt(sleep.sigma**2 + frame("sleepstudy")["Days"] ** 2 * sleep["sd_Subject__Days"] ** 2)
    assert np.abs((kept - wanted) / spread * np.sqrt(4000)).max() < 5.0
    with pytest.raises(ModelError, match="at least 1"):
        sleep.simulate(0)


def test_refit_is_a_fit_of_the_other_response(sleep: PointFit, cbpp: PointFit) -> None:
    y = sleep.simulate(1, seed=4)[0]
    again = sleep.refit(y)
    fresh = bayesml.fit("Reaction ~ Days + (Days | Subject)", frame("sleepstudy").assign(Reaction=y), method="reml")
    assert again.criterion == pytest.approx(fresh.criterion, abs=1e-6)
    assert again["b_Days"] == pytest.approx(fresh["b_Days"], rel=1e-5)
    np.testing.assert_allclose(again.residuals(), y - again.fitted)
    assert again.frame.column("Reaction").values[0] == y[0]
    counts = cbpp.simulate(1, seed=4)[0]
    fresh = bayesml.fit(
        "incidence | trials(size) ~ period + (1 | herd)", frame("cbpp").assign(incidence=counts), "binomial",
        method="laplace",
    )  # fmt: skip
    assert cbpp.refit(counts).logLik == pytest.approx(fresh.logLik, abs=1e-8)
    with pytest.raises(DataError, match="179 values"):
        sleep.refit(y[1:])


# Normal draws ------------------------------------------------------------------------------------------------------


def within_monte_carlo(draws: np.ndarray, center: float, sd: float | None = None) -> None:
    flat = np.asarray(draws).reshape(-1)
    own = flat.std(ddof=1)
    assert abs(flat.mean() - center) < 5.0 * own / np.sqrt(len(flat))
    if sd is not None:
        assert abs(own / sd - 1) < 5.0 / np.sqrt(2 * len(flat))


def test_normal_draws_reproduce_the_estimates(sleep: PointFit, cbpp: PointFit) -> None:
    for fit in (sleep, cbpp):
        draws = fit.to_normal_draws(8000, seed=1)
        assert isinstance(draws, Fit)
        for name, row in fit.fixef().iterrows():
            within_monte_carlo(draws[f"b_{name}"], row["Estimate"], row["Std.Error"])
        again = fit.to_normal_draws(8000, seed=1)
        assert np.array_equal(draws.draws_record.values["b"], again.draws_record.values["b"])
    draws = sleep.to_normal_draws(8000, seed=2)
    C = np.diag(sleep.vcov(full=True))[2:].reshape(18, 2)
    effects = draws.draws_record.values["r_Subject"].reshape(8000, 18, 2)
    for j in range(18):
        for k, label in enumerate(("Intercept", "Days")):
            level = sleep.coef()["Subject"].index[j]
            within_monte_carlo(effects[:, j, k], sleep[f"r_Subject[{level},{label}]"], np.sqrt(C[j, k]))


def test_normal_draws_predict_as_the_point_estimate_does(sleep: PointFit) -> None:
    new = {"Days": [2.0, 9.0], "Subject": ["308", "309"]}
    wanted = sleep.linpred(new, se=True)
    drawn = sleep.to_normal_draws(8000, seed=3).linpred(new).to_numpy().reshape(-1, 2)
    for row in range(2):
        within_monte_carlo(drawn[:, row], wanted["Estimate"].iloc[row], wanted["Std.Error"].iloc[row])


def test_variances_are_normal_on_the_unconstrained_scale() -> None:
    # One-way balanced design, J levels of m rows: by REML the mean squares are independent, so log sigma has variance
    # 1 / (2 J (m - 1)) and, with rho = J(m-1), sd_g^2 = (MSB - MSE) / m has a delta-method variance in closed form.
    rng = np.random.default_rng(5)
    J, m = 40, 6
    data = {
        "g": np.repeat(np.arange(J), m).astype(str),
        "y": np.repeat(rng.normal(size=J) * 2, m) + rng.normal(size=J * m),
    }
    fit = bayesml.fit("y ~ 1 + (1 | g)", data, method="reml")
    draws = fit.to_normal_draws(20_000, seed=1).draws_record.values
    tau, sigma = fit["sd_g__Intercept"], fit.sigma
    within = 2 * sigma**4 / (J * (m - 1))
    between = 2 * (m * tau**2 + sigma**2) ** 2 / (J - 1)
    within_monte_carlo(np.log(draws["sigma"]), np.log(sigma), np.sqrt(within) / (2 * sigma**2))
    sd_of_log_tau = np.sqrt(between + within) / m / (2 * tau**2)
    within_monte_carlo(np.log(draws["sd_g"]), np.log(tau), sd_of_log_tau)


def test_correlations_stay_correlations() -> None:
    rng = np.random.default_rng(6)
    data = pd.DataFrame(rng.normal(size=(400, 2)), columns=["x", "z"])
    data["g"] = np.repeat([f"g{i}" for i in range(20)], 20)
    effects = rng.multivariate_normal(np.zeros(3), np.array([[1, 0.5, 0.3], [0.5, 1, 0.4], [0.3, 0.4, 1]]), 20)
    E = np.repeat(effects, 20, axis=0)
    data["y"] = E[:, 0] + E[:, 1] * data["x"] + E[:, 2] * data["z"] + rng.normal(size=400)
    fit = bayesml.fit("y ~ x + z + (x + z | g)", data, method="reml")
    group = fit.problem.design.schema.predictors[0].groups()[0]
    correlations = fit.to_normal_draws(4000, seed=1).draws_record.values["cor_g"].reshape(-1, 3)
    assert np.linalg.eigvalsh(group.correlation_matrix(correlations)).min() > -1e-12
    middle = np.tanh(np.median(np.arctanh(correlations[:, 0])))
    assert middle == pytest.approx(fit["cor_g__Intercept__x"], abs=0.02)


def test_a_variance_of_zero_stays_zero() -> None:
    with pytest.warns(FitWarning, match="Singular fit"):
        fit = bayesml.fit("Yield ~ 1 + (1 | Batch)", frame("Dyestuff2"), method="reml")
    draws = fit.to_normal_draws(400, seed=1).draws_record.values
    assert np.all(draws["sd_Batch"] == 0.0) and np.all(draws["r_Batch"] == 0.0)
    assert all(np.isfinite(v).all() for v in draws.values())


def test_every_draw_based_method_works_on_normal_draws(sleep: PointFit, tmp_path) -> None:
    draws = sleep.to_normal_draws(400, seed=1)
    assert draws.idata.posterior["b"].shape == (4, 100, 2)
    assert "independent" in str(draws)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        assert np.isfinite(draws.loo().elpd_loo)
    draws.pp_check(seed=1)
    draws.save(tmp_path / "fit.nc")
    again = bayesml.load(tmp_path / "fit.nc")
    assert np.array_equal(again.draws_record.values["b"], draws.draws_record.values["b"])
    for ndraws in (3, 401, 0, 4.5):
        with pytest.raises(ModelError, match="multiple of 4"):
            sleep.to_normal_draws(ndraws)


# Families and pictures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["poisson", "negbinomial", "gamma", "beta", "student", "bernoulli", "lognormal"])
def test_every_family_answers_every_question(family: str) -> None:
    rng = np.random.default_rng(7)
    g = np.repeat(np.arange(30), 12)
    x = rng.normal(size=360)
    eta = 0.5 * x + 0.8 * rng.normal(size=30)[g]
    y = {
        "poisson": rng.poisson(np.exp(eta)),
        "negbinomial": rng.negative_binomial(2, 2 / (2 + np.exp(eta))),
        "gamma": rng.gamma(3, np.exp(eta) / 3),
        "beta": np.clip(rng.beta(6 / (1 + np.exp(-eta)), 6 / (1 + np.exp(eta))), 1e-3, 1 - 1e-3),
        "student": eta + rng.standard_t(4, size=360),
        "bernoulli": rng.random(360) < 1 / (1 + np.exp(-eta)),
        "lognormal": np.exp(eta + rng.normal(size=360)),
    }[family]
    made = bayesml.fit("y ~ x + (1 | g)", {"y": y, "x": x, "g": g.astype(str)}, family, method="laplace")
    assert abs(made["b_x"] - 0.5) < 5 * made.fixef().loc["x", "Std.Error"]
    for kind in ("response", "pearson", "deviance", "working", "scaled"):
        assert np.isfinite(made.residuals(kind)).all(), kind
    table = made.predict({"x": [0.0, 1.0], "g": ["0", "1"]}, interval="prediction")
    assert np.isfinite(table.to_numpy()).all()
    assert made.simulate(3, seed=1).shape == (3, 360)
    drawn = made.to_normal_draws(400, seed=1)
    assert np.isfinite(drawn.log_lik().to_numpy()).all()
    assert made.family.name in str(made) or family == "lognormal"


def test_pictures(sleep: PointFit, cbpp: PointFit) -> None:
    from matplotlib import pyplot as plt

    figure = sleep.ranef_plot("Subject")
    assert [a.get_title() for a in figure.axes] == ["Intercept", "Days"]
    with pytest.raises(ModelError, match="did you mean `Subject`"):
        sleep.ranef_plot("subject")
    effects = sleep.conditional_effects("Days")
    table = effects["Days"]
    np.testing.assert_allclose(table["estimate__"], sleep.predict({"Days": table["Days"]}, re_formula="NA"))
    effects.plot(points=True)
    shares = cbpp.conditional_effects()["period"]
    first = 1 / (1 + np.exp(-cbpp["b_Intercept"]))
    assert shares["estimate__"].iloc[0] == pytest.approx(first)
    wide = sleep.conditional_effects("Days", method="predict")["Days"]
    assert np.all(wide["upper__"] > table["upper__"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plt.close("all")


@pytest.mark.parametrize("elements", [10**9, 0], ids=["dense", "sparse"])
@pytest.mark.parametrize(
    "groups", ["(x | g)", "(x | g) + (1 | h)", "(1 | g) + (1 | g:h) + (0 + x | h)", "(1|g) + (x|k)"]
)
def test_standard_errors_are_those_of_the_joint_covariance(
    groups: str, elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_blocks, "DENSE_ELEMENTS", (elements, elements))
    monkeypatch.setattr(row_blocks, "DENSE_SHARE", (2.0, 2.0))
    rng = np.random.default_rng(3)
    n = 150
    g, h, x = rng.integers(0, 12, n), rng.integers(0, 5, n), rng.normal(size=n)
    y = x + rng.normal(size=12)[g] * (1 + x) + rng.normal(size=5)[h] * (1 - x) + rng.normal(size=(12, 5))[g, h]
    data = pd.DataFrame({"y": y + 0.5 * rng.normal(size=n), "x": x, "g": g.astype(str), "h": h.astype(str)})
    data["k"] = data["g"] + data["h"].where(data["h"] < "3", "3")  # nested in g
    fit = bayesml.fit(f"y ~ x + {groups}", data, method="reml")
    assert isinstance(fit, PointFit)
    # The dense covariance matrix of coefficients and effects, and the rows of the whole design; also rows that combine
    # levels as no row of the data does, where a level of k may stand in another level of g than its own.
    mixed = data.assign(h=rng.permutation(data["h"]), k=rng.permutation(data["k"]))
    for rows in (data, mixed):
        known = rows if ":" not in groups else rows[(rows["g"] + rows["h"]).isin(data["g"] + data["h"])]
        design = [np.column_stack([np.ones(len(known)), known["x"]])]
        for term, block in zip(fit.estimate.arrays.terms, fit.estimate.arrays.blocks, strict=True):
            levels = known[list(term.factors)].agg("_".join, axis=1)
            code = [list(term.levels.labels).index(level) for level in levels]
            chosen = np.zeros((len(known), block.n_levels, block.q))
            columns = {"Intercept": np.ones(len(known)), "x": known["x"].to_numpy()}
            chosen[np.arange(len(known)), code] = np.column_stack([columns[c] for c in term.coefs])
            design.append(chosen.reshape(len(known), -1))
        whole = np.hstack(design)
        wanted = np.sqrt(np.einsum("ni,ij,nj->n", whole, fit.estimate.joint.covariance(), whole))
        np.testing.assert_allclose(fit.linpred(known, se=True)["Std.Error"], wanted, rtol=1e-8)
    few = fit.linpred(data.iloc[[7, 3]], se=True)["Std.Error"]
    np.testing.assert_allclose(few, fit.linpred(se=True)["Std.Error"].to_numpy()[[7, 3]], rtol=1e-8)
