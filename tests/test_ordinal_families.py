"""Sequential and adjacent category families, and categories beside a hurdle; the densities against brms's elsewhere."""

from __future__ import annotations

import json
import warnings

import jax
import numpy as np
import pandas as pd
import pytest
from jax import numpy as jnp

import bayesml
from bayesml import bf
from bayesml.engines.precision import double_precision
from bayesml.errors import DataError, FormulaError, ModelError
from bayesml.families import RawResponse, acat, bernoulli, cratio, cumulative, hurdle_cumulative, sratio
from bayesml.fit import describe_problem
from tests.brms_models import FACTS

MAKERS = {"cumulative": cumulative, "sratio": sratio, "cratio": cratio, "acat": acat}
WINE = pd.read_csv(FACTS / "wine.csv")
TAU = np.array([-1.2, 0.4, -0.3])
TAILS = json.loads((FACTS / "ordinal_tails.json").read_text())
LINKS = ("logit", "probit", "probit_approx", "cloglog", "cauchit")


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("name", ["sratio", "cratio", "acat"])
def test_probabilities_keep_their_digits_in_the_tails(name: str, link: str) -> None:
    likelihood, y = MAKERS[name](link).bind(RawResponse("y", np.arange(1.0, 5.0))), jnp.arange(1.0, 5.0)
    chosen = [r for r in TAILS["records"] if (r["family"], r["link"]) == (name, link)]

    def rows(eta: jax.Array) -> tuple[jax.Array, jax.Array]:
        values = {"mu": eta, "disc": TAILS["disc"], "b_Intercept": jnp.asarray(TAILS["tau"])[None]}
        found = likelihood.log_prob(y, values, {})
        return found.sum(), found

    density = jax.jit(jax.value_and_grad(rows, has_aux=True))
    with double_precision():
        for record in chosen:
            at = jnp.full(4, record["eta"])
            (_, found), slope = density(at)
            np.testing.assert_allclose(found, record["log_probabilities"], rtol=1e-11, atol=1e-14)
            assert np.isfinite(slope).all()


@pytest.mark.parametrize("link", (*LINKS, "softit"))
@pytest.mark.parametrize("name", MAKERS)
def test_probabilities_sum_to_one_in_groups_of_thresholds(name: str, link: str) -> None:
    if link == "softit" and name in ("sratio", "cratio"):
        with pytest.raises(ModelError, match="softit"):
            MAKERS[name](link)
        return
    additions = {"thres_gr": np.array(["a", "a", "a", "b", "b"])}
    raw = RawResponse("y", np.array([1.0, 2.0, 3.0, 1.0, 2.0]), additions=additions)
    likelihood = MAKERS[name](link).bind(raw)
    values = {"mu": np.linspace(-1, 1, 5), "disc": 1.2, "b_Intercept": np.array([[-0.7, 0.4, 0.2]])}
    p = likelihood.mean(values, additions)
    np.testing.assert_allclose(p.sum(-1), 1.0, rtol=1e-13)
    assert np.all(p[:3] > 0) and np.all(p[3:, :2] > 0) and np.all(p[3:, 2] == 0)
    data = likelihood.encode(raw).arrays
    with double_precision():
        found = jax.jit(lambda d: likelihood.log_prob(d["y"], values, d))(data)
    np.testing.assert_allclose(found, np.log(p[np.arange(5), raw.values.astype(int) - 1]), rtol=1e-10)


def test_a_stopping_ratio_model_is_a_series_of_yes_and_no() -> None:
    """Each threshold that a row meets is a row of a logistic regression: whether it stops there."""
    steps = [(row, k) for row in range(len(WINE)) for k in range(1, 5) if k <= WINE["rating"].iloc[row]]
    long = WINE.iloc[[row for row, _ in steps]].assign(k=[str(k) for _, k in steps])
    long["stop"] = (long["rating"].to_numpy() == long["k"].astype(int)).astype(int)
    for link in ("logit", "cloglog"):
        ordinal = bayesml.fit("rating ~ temp + contact + (1 | judge)", WINE, sratio(link), method="laplace")
        binary = bayesml.fit("stop ~ 0 + k + temp + contact + (1 | judge)", long, bernoulli(link), method="laplace")
        assert ordinal.logLik == pytest.approx(binary.logLik, abs=1e-6)
        signs = np.repeat([1.0, -1.0], [4, 2])  # F(tau - eta)
        np.testing.assert_allclose(ordinal.fixef()["Estimate"], signs * binary.fixef()["Estimate"], atol=2e-4)
        np.testing.assert_allclose(ordinal.fixef()["Std.Error"], binary.fixef()["Std.Error"], rtol=1e-3)


def test_a_continuation_ratio_model_asks_whether_a_row_goes_on() -> None:
    steps = [(row, k) for row in range(len(WINE)) for k in range(1, 5) if k <= WINE["rating"].iloc[row]]
    long = WINE.iloc[[row for row, _ in steps]].assign(k=[str(k) for _, k in steps])
    long["on"] = (long["rating"].to_numpy() > long["k"].astype(int)).astype(int)
    ordinal = bayesml.fit("rating ~ temp + contact", WINE, cratio("cloglog"), method="laplace")
    binary = bayesml.fit("on ~ 0 + k + temp + contact", long, bernoulli("cloglog"), method="laplace")
    assert ordinal.logLik == pytest.approx(binary.logLik, abs=1e-7)
    signs = np.repeat([-1.0, 1.0], [4, 2])
    np.testing.assert_allclose(ordinal.fixef()["Estimate"], signs * binary.fixef()["Estimate"], atol=1e-5)


def test_adjacent_categories_with_specific_effects_are_multinomial() -> None:
    """With an effect for each threshold any odds of neighbours are possible, as in a multinomial model."""
    frame = simulated("acat")
    ordinal = bayesml.fit("y ~ cs(x)", frame, "acat", method="laplace")
    nominal = bayesml.fit("y ~ x", frame, "categorical", method="laplace")
    assert ordinal.logLik == pytest.approx(nominal.logLik, abs=1e-7)
    # log p_2 / p_1 is eta - tau_1 and mu_2
    own, other = ordinal.fixef(), nominal.fixef()
    for ours, theirs, sign in (("x[1]", "mu2_x", 1.0), ("Intercept[1]", "mu2_Intercept", -1.0)):
        assert own.loc[ours, "Estimate"] == pytest.approx(sign * other.loc[theirs, "Estimate"], abs=1e-5)
        assert own.loc[ours, "Std.Error"] == pytest.approx(other.loc[theirs, "Std.Error"], rel=1e-4)


def simulated(name: str, rows: int = 400, seed: int = 4, **others: float) -> pd.DataFrame:
    """Categories of a family with thresholds -1.2, 0.4, -0.3 and effects of x and of groups."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=rows), "z": rng.normal(size=rows), "g": np.arange(rows) % 20})
    eta = 0.8 * frame["x"].to_numpy() + rng.normal(0.0, 0.6, 20)[frame["g"]]
    maker = {**MAKERS, "hurdle_cumulative": hurdle_cumulative}[name]
    first = 0 if name == "hurdle_cumulative" else 1
    tau = np.sort(TAU) if "cumulative" in name else TAU
    likelihood = maker().bind(RawResponse("y", np.arange(float(first), 5.0)))
    values = {"mu": eta[None], "disc": 1.0, "b_Intercept": tau[None, None], **others}
    return frame.assign(y=likelihood.draw(rng, values, {})[0].astype(int))


@pytest.fixture(scope="module")
def hurdle() -> bayesml.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)  # a short run
        return bayesml.fit(
            bf("y ~ x + (1 | g)", hu="~ z"), simulated("hurdle_cumulative", hu=0.25), "hurdle_cumulative", seed=1,
            draws=400, chains=2, progress=False,
        )  # fmt: skip


def test_a_hurdle_is_the_category_before_the_others(hurdle: bayesml.Fit, tmp_path) -> None:
    table = hurdle.summary().to_pandas()
    truth = dict(zip(("b_Intercept[1]", "b_Intercept[2]", "b_Intercept[3]"), np.sort(TAU), strict=True))
    for name, value in {**truth, "b_x": 0.8, "b_hu_Intercept": np.log(1 / 3), "b_hu_z": 0.0}.items():
        assert abs(table.loc[name, "Estimate"] - value) < 4 * table.loc[name, "Est.Error"], name
    rows = {"x": [0.2, 0.2], "z": [0.0, 1.0]}
    p = hurdle.epred(rows, re_formula="NA")
    assert tuple(p["category"].values) == ("0", "1", "2", "3", "4")
    np.testing.assert_allclose(p.sum("category"), 1.0, rtol=1e-12)
    hu = 1 / (1 + np.exp(-hurdle["b_hu_Intercept"].to_numpy()))
    np.testing.assert_allclose(p.to_numpy()[:, :, 0, 0], hu, rtol=1e-10)
    drawn = hurdle.predict(seed=1).to_numpy()
    assert set(np.unique(drawn)) == {0.0, 1.0, 2.0, 3.0, 4.0}
    effects = hurdle.conditional_effects("z", resolution=3)["z"]
    assert list(effects["cats__"].cat.categories) == ["0", "1", "2", "3", "4"]
    log_lik = hurdle.log_lik({**rows, "y": [0, 3], "g": [0, 1]}).to_numpy()
    both = hurdle.epred({**rows, "g": [0, 1]}).to_numpy()
    np.testing.assert_allclose(log_lik, np.log(np.stack([both[:, :, 0, 0], both[:, :, 1, 3]], -1)), rtol=1e-9)
    figure = hurdle.pp_check(seed=1)
    assert figure.axes[0].get_xlim()[0] <= 0
    hurdle.save(tmp_path / "fit.nc")
    np.testing.assert_array_equal(bayesml.load(tmp_path / "fit.nc").epred(rows, re_formula="NA"), p)


@pytest.mark.parametrize("name", ["sratio", "acat"])
def test_effects_are_recovered(name: str) -> None:
    frame = simulated(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bayesml.FitWarning)  # a short run
        fit = bayesml.fit("y ~ x + cs(z) + (1 | g)", frame, name, seed=1, draws=400, chains=2, progress=False)
    table = fit.summary().to_pandas()
    truth = {f"b_Intercept[{k}]": tau for k, tau in enumerate(TAU, 1)}
    for key, value in {**truth, "b_x": 0.8, "sd_g__Intercept": 0.6, **{f"bcs_z[{k}]": 0.0 for k in (1, 2, 3)}}.items():
        assert abs(table.loc[key, "Estimate"] - value) < 4 * table.loc[key, "Est.Error"], key
    assert fit.diagnostics.divergences == 0
    rows = frame.iloc[:5]
    p = fit.epred(rows).to_numpy()
    observed = np.take_along_axis(p, (rows["y"].to_numpy() - 1)[None, None, :, None], axis=-1)[..., 0]
    np.testing.assert_allclose(fit.log_lik(rows), np.log(observed), rtol=1e-9)


def test_a_factor_gives_the_hurdle_its_first_level() -> None:
    answers = ("none", "low", "mid", "high")
    frame = pd.DataFrame({"y": pd.Categorical.from_codes([0, 1, 2, 3, 2], answers, ordered=True), "x": range(5)})
    likelihood = describe_problem("y ~ x", frame, "hurdle_cumulative").likelihood
    assert likelihood.event_labels == answers and likelihood.thresholds == 2
    problem = describe_problem("y ~ x", frame.assign(y=[0, 1, 2, 3, 2]), "hurdle_cumulative")
    assert problem.likelihood.event_labels == ("0", "1", "2", "3")
    np.testing.assert_array_equal(problem.design.response.arrays["y"], [0, 1, 2, 3, 2])


REFUSED = {
    "negative": ("hurdle_cumulative", "y - 1 ~ x", DataError, "must be at least 0; it is -1 in row 1"),
    "one": ("hurdle_cumulative", "one ~ x", DataError, "one category only"),
    "zero": ("sratio", "y ~ x", DataError, r"must be at least 1; it is 0 in row 1.*Number the categories from 1"),
    "half": ("acat", "y + 0.5 ~ x", DataError, "must be a whole number"),
    "intercept": ("cratio", "y + 1 ~ 0 + x", FormulaError, "stand for the intercept"),
    "trials": ("acat", "y + 1 | trials(9) ~ x", FormulaError, r"acat has no response term `trials\(\)`"),
    "cens": ("sratio", "y + 1 | cens(one) ~ x", FormulaError, r"sratio has no response term `cens\(\)`"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_impossible_responses_are_refused(case: str) -> None:
    family, formula, kind, message = REFUSED[case]
    frame = {"y": [0, 1, 2, 3, 2, 1], "one": [0, 1, 0, 1, 0, 1], "x": [0.1, 0.4, -1.0, 2.0, 0.0, 0.3]}
    with pytest.raises(kind, match=f"(?s){message}"):
        describe_problem(formula, frame, family)
