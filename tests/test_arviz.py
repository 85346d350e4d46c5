"""``fit.idata`` and ArviZ itself, on the version that is installed: tables, plots, files; leave-one-out comparisons."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import arviz
import numpy as np
import pytest
from matplotlib import pyplot
from scipy import stats

import bayesml
from bayesml import bf
from bayesml.engines import NUTS
from bayesml.errors import ModelError
from bayesml.results.checks.log_lik import log_lik, log_lik_by_rows
from bayesml.results.checks.loo import left_out, relative_efficiency
from bayesml.results.checks.psis import leave_one_out
from tests.handmade import handmade_fit, sleep

ROOT = Path(__file__).resolve().parents[1]
OLD = arviz.__version__.startswith("0.")
ENGINE = NUTS(draws=60, warmup=40, chains=4, max_treedepth=5, seed=1)
README = "Reaction ~ Days + (Days | Subject)"
pytestmark = pytest.mark.filterwarnings("ignore:.*Pareto k", "ignore:Estimated shape parameter")


@cache
def readme() -> Any:
    """The README's model with draws from its normal approximation."""
    data = bayesml.load_dataset("sleepstudy")
    normal = bayesml.fit(README, data, method="reml").to_normal_draws(4 * 60, seed=1)
    prior = replace(ENGINE, sample_prior="yes")
    return handmade_fit(README, data, engine=prior, change=normal.draws_record.values)


@cache
def several() -> Any:
    """Student, two grouping factors, an interaction, effects of a group on sigma; draws near the data."""
    formula = "Reaction ~ Days * Dose + (Days + Dose | Subject) + (1 | Dose:Subject)"
    rng = np.random.default_rng(5)
    change = {
        "nu": rng.uniform(3.0, 9.0, (4, 60)),
        "b": rng.normal([300.0, 0.0, 0.0, 0.0, 0.0, 0.0], 1.0, (4, 60, 6)),
        "b_sigma": rng.normal([4.0, 0.0], 0.01, (4, 60, 2)),
        "r_Subject__sigma": rng.normal(0.0, 0.01, (4, 60, 6, 2)),
    }
    return handmade_fit(
        bf(formula, sigma="~ Days + (Days | Subject)"), sleep(), "student", engine=ENGINE, change=change
    )


@cache
def plain() -> Any:
    return shifted(0.0)


def counting(family: str, formula: str = "y ~ Days + (1 | Subject)") -> Any:
    data = sleep()
    data["y"] = np.random.default_rng(1).integers(0, 2, 60)
    change = {"b": np.random.default_rng(2).normal(0.0, 0.1, (4, 60, 2))}
    return handmade_fit(formula, data, family, engine=ENGINE, change=change)


FITS: dict[str, Callable[[], Any]] = {"readme": readme, "several": several, "plain": plain}


def hyper(fit: Any) -> list[str]:
    return [v.name for v in fit.variables if v.kind != "r"]


def group_names(idata: Any) -> list[str]:
    return list(idata.groups() if OLD else idata.children)


def loo_of(fit: Any) -> Any:
    return arviz.loo(fit.idata, pointwise=True)


# Tables ---------------------------------------------------------------------------------------------------------------


@pytest.mark.smoke
@pytest.mark.parametrize("kind", FITS)
def test_every_row_of_arviz_summary_is_the_parameter_it_is_called(kind: str) -> None:
    fit = FITS[kind]()
    chosen = [v.name for v in reversed(fit.variables)] if kind == "several" else None
    table = arviz.summary(fit.idata, var_names=chosen, round_to="none")
    assert not table.isna().any(axis=None)
    expected = {}
    for variable in fit.variables:
        values = fit.draws_record.values[variable.name].mean(axis=(0, 1))
        for index, _ in variable.texts:
            label = ", ".join(variable.coords[axis][place] for axis, place in enumerate(index))
            expected[f"{variable.name}[{label}]" if label else variable.name] = float(values[index])
    assert set(table.index) == set(expected)
    np.testing.assert_allclose(table["mean"], [expected[name] for name in table.index], rtol=1e-9)


@pytest.mark.smoke
def test_what_the_summary_shows_comes_first() -> None:
    rows = list(arviz.summary(readme().idata).index)
    assert rows[:6] == [
        *("b[Intercept]", "b[Days]", "sd_Subject[Intercept]", "sd_Subject[Days]"),
        *("cor_Subject[Intercept__Days]", "sigma"),
    ]
    assert all(row.startswith("r_Subject[") for row in rows[6:])


# ArviZ 1.x smooths the largest floor(3 sqrt(S / efficiency)) ratios, ArviZ 0.x, R and we the ceiling of that: of 240
# draws one more of 46, which moves the sum over 180 rows by a few tenths of its error of 22.
TOLERANCE = {"rel": 1e-9} if OLD else {"abs": 0.3}


def test_smoothing_is_that_of_arviz_stats(rng: np.random.Generator) -> None:
    """Of 400 draws 3 sqrt(400) = 60 are in the tail, whichever way it is rounded."""
    array_stats = pytest.importorskip("arviz_stats.base").array_stats
    values = rng.normal(size=(60, 400)) * rng.uniform(0.1, 3.0, (60, 1)) - 900.0
    weights, k = array_stats.psislw(values.copy(), r_eff=1.0, axis=-1)
    found = leave_one_out(values, 1.0)
    np.testing.assert_allclose(found.pareto_k, k, rtol=1e-9)
    np.testing.assert_allclose(found.elpd, np.logaddexp.reduce(weights + values, axis=1), rtol=1e-12)
    np.testing.assert_allclose(found.lppd, np.logaddexp.reduce(values, axis=1) - np.log(400), rtol=1e-12)


@pytest.mark.skipif(not OLD, reason="ArviZ 1.x counts ratios equal to the cutoff to the tail")
def test_smoothing_of_ties_is_that_of_arviz(rng: np.random.Generator) -> None:
    values = np.round(rng.normal(size=(20, 300)), 1) - 9.0
    weights, k = arviz.psislw(-values, 0.9)
    found = leave_one_out(values, 0.9)
    np.testing.assert_allclose(found.pareto_k, k, rtol=1e-9)
    np.testing.assert_allclose(found.elpd, np.logaddexp.reduce(weights + values, axis=1), rtol=1e-12)


@pytest.mark.parametrize("draws", [1, 2, 5, 30])
def test_smoothing_of_few_draws_and_of_equal_ones(draws: int) -> None:
    found = leave_one_out(np.full((3, draws), -7.0))
    for values in (found.elpd, found.lppd):
        np.testing.assert_allclose(values, -7.0, rtol=1e-12)
    np.testing.assert_array_equal(found.pareto_k, 0.0)
    assert np.isfinite(leave_one_out(np.linspace(-9.0, -1.0, 2 * draws).reshape(2, draws)).elpd).all()


@pytest.mark.parametrize("kind", FITS)
def test_rows_in_parts_give_what_all_rows_give(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = FITS[kind]()
    whole = log_lik(fit).values.reshape(240, -1)
    parts = np.full_like(whole, np.nan)
    for part, values in log_lik_by_rows(fit, 240 * 7):
        assert values.shape == (240, 7)
        parts[:, part] = values
    np.testing.assert_allclose(parts, whole, rtol=1e-10)
    together = left_out(fit).found
    monkeypatch.setattr("bayesml.results.checks.loo.NUMBERS_AT_ONCE", 240 * 7)
    apart = left_out(fit).found
    np.testing.assert_allclose(apart.elpd, together.elpd, rtol=1e-8)
    np.testing.assert_allclose(apart.pareto_k, together.pareto_k, rtol=1e-6)


MEASURED = """
import resource, warnings
import numpy as np
from bayesml.engines import NUTS
from tests.handmade import handmade_fit

rows, draws = 20_000, 4000
rng = np.random.default_rng(1)
data = {"y": rng.normal(size=rows), "x": rng.normal(size=rows), "g": rng.integers(0, 500, rows)}
fit = handmade_fit("y ~ x + (x | g)", data, engine=NUTS(draws=draws // 4, chains=4))
warnings.simplefilter("ignore")
handmade_fit("y ~ x", {"y": data["y"][:50], "x": data["x"][:50]}, engine=NUTS(draws=10, chains=4)).loo()
resident = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
fit.loo()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - resident)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's measures of memory")
def test_memory_does_not_grow_with_the_rows() -> None:
    """The matrix of 20,000 rows would take 640 MB; 100,000 rows took 216 MiB with 500 levels, 267 MiB with 10,000."""
    run = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(run.stdout) < 400 * 2**20


def test_arviz_loo_and_ours_are_one() -> None:
    efficiency = relative_efficiency(readme())
    ours, theirs = readme().loo(), arviz.loo(readme().idata, pointwise=True, reff=efficiency)
    for name in ("elpd_loo", "se", "p_loo", "n_samples", "n_data_points", "good_k", "warning"):
        key = name if OLD else name.removesuffix("_loo")
        assert float(getattr(ours, key)) == pytest.approx(float(getattr(theirs, key)), **TOLERANCE), name
    assert isinstance(ours, type(theirs))
    assert ours.pareto_k.dims == theirs.pareto_k.dims and str(ours).splitlines()[0] == str(theirs).splitlines()[0]


@pytest.mark.skipif(not OLD, reason="ArviZ 1.x has no waic")
@pytest.mark.filterwarnings("ignore:For one or more samples the posterior variance")
def test_waic() -> None:
    assert np.isfinite(arviz.waic(plain().idata).elpd_waic)


# Plots ----------------------------------------------------------------------------------------------------------------

Call = Callable[[Any], Any]


def of_parameters(name: str, **options: Any) -> Call:
    return lambda fit: getattr(arviz, name)(fit.idata, var_names=hyper(fit), **options)


def of_all(name: str, **options: Any) -> Call:
    return lambda fit: getattr(arviz, name)(fit.idata, **options)


COMMON: dict[str, Call] = {
    "plot_trace": of_parameters("plot_trace"),
    "plot_forest": of_parameters("plot_forest"),
    "plot_forest of all": of_all("plot_forest"),
    "plot_autocorr": lambda fit: arviz.plot_autocorr(fit.idata, var_names=["b"]),
    "plot_ess": of_parameters("plot_ess"),
    "plot_mcse": of_parameters("plot_mcse"),
    "plot_rank": of_parameters("plot_rank"),
    "plot_pair": lambda fit: arviz.plot_pair(fit.idata, var_names=["b", "sigma" if "sigma" in hyper(fit) else "b"]),
    "plot_parallel": of_parameters("plot_parallel"),
    "plot_energy": of_all("plot_energy"),
    "plot_khat": lambda fit: arviz.plot_khat(loo_of(fit)),
    "plot_khat of ours": lambda fit: arviz.plot_khat(fit.loo()),
}
OLD_PLOTS: dict[str, Call] = {
    "plot_posterior": of_parameters("plot_posterior"),
    "plot_density": of_parameters("plot_density"),
    "plot_violin": of_parameters("plot_violin"),
    "plot_trace of all": of_all("plot_trace", compact=True),
    "plot_posterior without effects": lambda fit: arviz.plot_posterior(fit.to_arviz(group_effects=False)),
    "plot_ppc": of_all("plot_ppc", num_pp_samples=10),
    "plot_bpv": of_all("plot_bpv"),
    "plot_loo_pit": lambda fit: arviz.plot_loo_pit(fit.idata, y="Reaction"),
    "plot_lm": lambda fit: arviz.plot_lm("Reaction", idata=fit.idata, x="Days", num_samples=10),
    "plot_elpd": lambda fit: arviz.plot_elpd({"a": fit.idata, "b": fit.idata}),
}
NEW_PLOTS: dict[str, Call] = {
    "plot_dist": of_parameters("plot_dist"),
    "plot_trace_dist": of_parameters("plot_trace_dist"),
    "plot_rank_dist": of_parameters("plot_rank_dist"),
    "plot_trace without effects": lambda fit: arviz.plot_trace(fit.to_arviz(group_effects=False)),
    "plot_ridge": of_parameters("plot_ridge"),
    "plot_ess_evolution": lambda fit: arviz.plot_ess_evolution(fit.idata, var_names=["b"]),
    "plot_convergence_dist": of_all("plot_convergence_dist"),
    "plot_ppc_dist": of_all("plot_ppc_dist", num_samples=10),
    "plot_ppc_pit": of_all("plot_ppc_pit"),
    "plot_ppc_tstat": of_all("plot_ppc_tstat"),
    "plot_ppc_interval": of_all("plot_ppc_interval"),
    "plot_loo_pit": of_all("plot_loo_pit"),
    "plot_loo_interval": of_all("plot_loo_interval"),
    "plot_lm": of_all("plot_lm"),
    "plot_psense_dist": lambda fit: arviz.plot_psense_dist(fit.idata, var_names=["b"]),
    "plot_psense_quantities": lambda fit: arviz.plot_psense_quantities(fit.idata, var_names=["b"]),
}
PLOTS = COMMON | (OLD_PLOTS if OLD else NEW_PLOTS)
QUICK = {"plot_trace", "plot_forest", "plot_energy", "plot_posterior", "plot_dist", "plot_ppc", "plot_ppc_dist"}


SLOW = {"plot_trace of all", "plot_forest of all", "plot_autocorr", "plot_ess_evolution", "plot_convergence_dist"}


def marks(name: str) -> Any:
    return pytest.mark.smoke if name in QUICK else pytest.mark.slow if name in SLOW else ()


@pytest.fixture
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    pyplot.close("all")


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in PLOTS])
def test_plots_of_the_readme_model(name: str) -> None:
    PLOTS[name](readme())


@pytest.mark.slow
@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("kind", ["several", "plain"])
@pytest.mark.parametrize("name", PLOTS)
def test_plots_of_other_models(kind: str, name: str) -> None:
    PLOTS[name](FITS[kind]())


@pytest.mark.usefixtures("quiet")
def test_plots_of_the_prior() -> None:
    if OLD:
        arviz.plot_dist_comparison(readme().idata, var_names=["b"])
        arviz.plot_bf(readme().to_arviz(group_effects=False), var_name="sigma", ref_val=30.0)
    else:
        arviz.plot_prior_posterior(readme().idata, var_names=["b", "sigma"])


@pytest.mark.usefixtures("quiet")
def test_plots_of_counts() -> None:
    bernoulli, poisson = counting("bernoulli"), counting("poisson")
    assert {fit.idata[g]["y"].dtype for fit in (bernoulli, poisson) for g in PREDICTED} == {np.dtype("int64")}
    if OLD:
        arviz.plot_separation(bernoulli.idata, y="y", y_hat="y")
        arviz.plot_ppc(poisson.idata, num_pp_samples=5)
    else:
        arviz.plot_ppc_pava(bernoulli.idata)
        arviz.plot_ppc_rootogram(poisson.idata)


PREDICTED = ("observed_data", "posterior_predictive")


@pytest.mark.usefixtures("quiet")
def test_plot_ppc_of_draws_from_the_prior() -> None:
    fit = handmade_fit("Reaction ~ Days", sleep(), engine=replace(ENGINE, sample_prior="only"))
    assert "log_likelihood" not in group_names(fit.idata)
    if OLD:
        arviz.plot_ppc(fit.idata, group="prior", num_pp_samples=5)
    else:
        arviz.plot_ppc_dist(fit.idata, group="prior_predictive", num_samples=5)


@pytest.mark.usefixtures("quiet")
def test_what_is_done_to_the_arrays_leaves_the_fit_as_it_is() -> None:
    fit = handmade_fit(README, sleep(), engine=replace(ENGINE, sample_prior="yes"))
    before = {name: drawn.copy() for name, drawn in fit.draws_record.values.items()}
    table, columns = str(fit.summary()), {name: column.values.copy() for name, column in fit.frame.columns.items()}
    if OLD:  # it sorts what it is given
        arviz.plot_ecdf(fit.idata["posterior"]["b"].values.ravel())
    for name in group_names(fit.idata):
        for array in fit.idata[name].data_vars.values():
            array.values[...] = array.values.ravel()[0]
    for name in ("b", "b_Days", "r_Subject", "prior_b_Days", "prior_b"):
        fit[name].values[...] = 0.0
    fit.draws().iloc[:, :] = 0.0
    for name, drawn in before.items():
        np.testing.assert_array_equal(fit.draws_record.values[name], drawn)
    for name, values in columns.items():
        np.testing.assert_array_equal(fit.frame.columns[name].values, values)
    assert str(fit.summary()) == table


# Groups ---------------------------------------------------------------------------------------------------------------


def test_groups_are_computed_when_they_are_read() -> None:
    fit = handmade_fit(README, sleep(), engine=ENGINE)
    array = fit.idata["log_likelihood"]["Reaction"].variable._data.array
    arviz.summary(fit.idata, var_names=["b"])
    assert "values" not in array.__dict__
    np.testing.assert_array_equal(fit.idata["log_likelihood"]["Reaction"], fit.log_lik())
    assert "values" in array.__dict__
    np.testing.assert_array_equal(fit.idata["posterior_predictive"]["Reaction"], fit.predict(seed=fit.seed))
    some = fit.idata["log_likelihood"]["Reaction"].sel(chain=1).isel(draw=slice(2, 9, 3), obs=[5, 3])
    np.testing.assert_array_equal(some, fit.log_lik().values[1, 2:9:3][:, [5, 3]])


def test_groups_can_be_left_out_or_computed_now() -> None:
    fit = plain()
    assert set(group_names(fit.to_arviz(log_likelihood=False, posterior_predictive=False))) == {
        *("posterior", "sample_stats", "log_prior", "observed_data", "constant_data")
    }
    np.testing.assert_array_equal(
        fit.to_arviz(posterior_predictive=True, seed=5)["posterior_predictive"]["Reaction"], fit.predict(seed=5)
    )
    for name in ("log_likelihood", "posterior_predictive", "group_effects"):
        with pytest.raises(ModelError, match=f"`{name}` is True or False"):
            fit.to_arviz(**{name: "yes"})


def test_a_group_that_is_too_large_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bayesml.results.storage.on_demand.LARGEST", 100)
    fit = handmade_fit(README, sleep(), engine=ENGINE)
    with pytest.raises(ModelError, match=r'log_likelihood=True.*log_likelihood=False.*the page "ArviZ"'):
        arviz.loo(fit.idata)
    assert np.isfinite(fit.to_arviz(log_likelihood=True)["log_likelihood"]["Reaction"]).all()


@pytest.mark.smoke
def test_a_file_holds_every_group(tmp_path: Path) -> None:
    fit = several()
    fit.idata.to_netcdf(str(tmp_path / "idata.nc"), **({} if OLD else {"engine": "h5netcdf"}))
    read = arviz.from_netcdf(str(tmp_path / "idata.nc"))
    assert set(group_names(read)) == set(group_names(fit.idata))
    for group in group_names(read):
        for name, array in fit.idata[group].data_vars.items():
            assert "/" not in str(name)
            assert read[group][name].dims == array.dims
            np.testing.assert_array_equal(read[group][name], array)
            for dim in array.dims:
                np.testing.assert_array_equal(read[group][name][dim], array[dim])


def test_prior_and_posterior_have_one_form() -> None:
    prior, posterior = readme().idata["prior"], readme().idata["posterior"]
    assert list(prior.data_vars) == list(posterior.data_vars)
    for name in posterior.data_vars:
        assert prior[name].dims == posterior[name].dims and prior[name].dtype == posterior[name].dtype == np.float64
    assert {"lp", "energy", "diverging", "tree_depth", "acceptance_rate", "step_size", "n_steps"} <= set(
        readme().idata["sample_stats"].data_vars
    )
    assert readme().idata["sample_stats"]["diverging"].dtype == bool


@pytest.mark.usefixtures("quiet")
def test_sensitivity_to_the_prior() -> None:
    if OLD:
        assert np.isfinite(arviz.psens(readme().idata, component="prior", var_names=["b"])).all()
    else:
        assert np.isfinite(arviz.psense_summary(readme().idata, var_names=["b"])[["prior", "likelihood"]]).all(
            axis=None
        )


def test_log_prior_is_that_of_the_priors() -> None:
    """Against SciPy's densities of brms's default priors with other numbers: all but the slope are written here."""
    priors = (
        bayesml.prior("normal(250, 50)", class_="Intercept"),
        bayesml.prior("normal(10, 20)", class_="b"),
        bayesml.prior("exponential(0.1)", class_="sd"),
        bayesml.prior("lkj(3)", class_="cor"),
        bayesml.prior("constant(25)", class_="sigma"),
    )
    fit = handmade_fit(README, sleep(), engine=ENGINE, priors=priors)
    found, draws = fit.idata["log_prior"], fit.draws_record.values
    assert set(found.data_vars) == {"Intercept", "b", "sd", "cor"}
    b, sd, cor = draws["b"], draws["sd_Subject"], draws["cor_Subject"][..., 0]
    np.testing.assert_allclose(found["b"], stats.norm.logpdf(b[..., 1], 10, 20))
    centred = b[..., 0] + b[..., 1] * sleep()["Days"].mean()
    np.testing.assert_allclose(found["Intercept"], stats.norm.logpdf(centred, 250, 50))
    np.testing.assert_allclose(found["sd"], stats.expon.logpdf(sd, scale=10).sum(axis=-1))
    # With two columns L_21 is the correlation r, and (1 + r) / 2 is beta(eta, eta).
    np.testing.assert_allclose(found["cor"], stats.beta.logpdf((1 + cor) / 2, 3, 3) - np.log(2))


# Prior draws ----------------------------------------------------------------------------------------------------------


def test_prior_draws_are_columns() -> None:
    fit = readme()
    frame = fit.draws()
    assert [name for name in frame.columns if name.startswith("prior_")] == [
        *("prior_b_Intercept", "prior_b_Days", "prior_sd_Subject__Intercept", "prior_sd_Subject__Days"),
        *("prior_cor_Subject__Intercept__Days", "prior_sigma"),
    ]
    np.testing.assert_array_equal(frame["prior_b_Days"], fit.draws_record.prior["b"][:, :, 1].ravel())
    np.testing.assert_array_equal(fit["prior_b_Days"].values.ravel(), frame["prior_b_Days"])
    assert fit["prior_b"].shape == (4, 60, 2)
    assert list(fit.draws("prior_sigma").columns) == [".chain", ".draw", "prior_sigma"]
    assert list(fit.draws("^prior_sd", regex=True).columns[2:]) == [
        "prior_sd_Subject__Intercept",
        "prior_sd_Subject__Days",
    ]
    assert not [name for name in plain().draws().columns if name.startswith("prior_")]


# Comparisons ----------------------------------------------------------------------------------------------------------

COLUMNS = ["elpd_loo", "se_elpd_loo", "p_loo", "elpd_diff", "se_diff", "weight"]


def shifted(by: float, data: Any = None, formula: str = "Reaction ~ Days", **options: Any) -> Any:
    base = handmade_fit(formula, sleep() if data is None else data, engine=ENGINE, **options)
    y = base.problem.design.response.arrays["y"]
    b = np.random.default_rng(3).normal([y.mean() + by, 0.0], 1.0, (4, 60, 2))
    sigma = (
        {"sigma": y.std() * np.random.default_rng(4).uniform(0.95, 1.05, (4, 60))}
        if "sigma" in base.draws_record.values
        else {}
    )
    return handmade_fit(formula, sleep() if data is None else data, engine=ENGINE, change={"b": b, **sigma}, **options)


@pytest.mark.smoke
def test_the_table_of_a_comparison() -> None:
    fits = {"far": shifted(40.0), "near": shifted(0.0), "middle": shifted(20.0)}
    table = bayesml.loo_compare(fits)
    assert list(table.columns) == COLUMNS
    assert list(table.index) == ["near", "middle", "far"]
    pointwise = {name: np.asarray(getattr(fit.loo(), "loo_i" if OLD else "elpd_i")) for name, fit in fits.items()}
    for name in table.index:
        difference = pointwise[name] - pointwise["near"]
        row = table.loc[name]
        assert row["elpd_loo"] == pytest.approx(pointwise[name].sum(), rel=1e-12)
        assert row["se_elpd_loo"] == pytest.approx(math.sqrt(60) * pointwise[name].std(), rel=1e-12)
        assert row["elpd_diff"] == pytest.approx(difference.sum(), abs=1e-9)
        assert row["se_diff"] == pytest.approx(math.sqrt(60) * difference.std(), abs=1e-9)
    assert table["elpd_diff"].iloc[0] == 0.0 and (table["elpd_diff"].iloc[1:] < 0).all()


def test_stacking_weights_are_the_optimum() -> None:
    """At the optimum the mean of p_ik / sum_l w_l p_il is 1 where w_k > 0, and at most 1 elsewhere."""
    from bayesml.results.checks.loo_compare import stacking_weights

    rng = np.random.default_rng(7)
    for spread in (0.1, 1.0, 5.0):
        densities = rng.normal(0.0, spread, (200, 4)) + [0.0, -0.05, -0.1, -3.0 * spread] - 900.0
        weights = stacking_weights(densities)
        p = np.exp(densities + 900.0)
        slope = (p / (p @ weights)[:, None]).mean(axis=0)
        assert weights.sum() == pytest.approx(1.0) and (weights >= 0).all()
        assert slope.max() < 1.0 + 1e-4 and np.abs(slope[weights > 1e-3] - 1.0).max() < 1e-3
    np.testing.assert_allclose(stacking_weights(np.zeros((10, 2))), 0.5)


def test_arviz_compares_what_we_hand_it() -> None:
    fits = {"near": shifted(0.0), "far": shifted(40.0)}
    ours = bayesml.loo_compare(fits)
    options = {"round_to": "none"} if int(arviz.__version__.split(".")[0]) >= 1 else {}  # ArviZ 0.x does not round
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = [
            arviz.compare({k: f.idata for k, f in fits.items()}, **options),
            arviz.compare({k: f.loo() for k, f in fits.items()}, **options),
        ]
    for table in theirs:
        assert list(table.index) == list(ours.index)
        # ArviZ 1.x smooths one draw fewer of each tail, which moves the difference by 7e-5 of itself here.
        np.testing.assert_allclose(np.abs(table["elpd_diff"]), -ours["elpd_diff"], rtol=1e-3)
        np.testing.assert_allclose(table["weight"], ours["weight"], atol=0.02)


def test_sensible_ways_to_name_fits() -> None:
    near, far = shifted(0.0), shifted(40.0)
    for given in ((near, far), ([near, far],), ({"fit1": near, "fit2": far},)):
        assert list(bayesml.loo_compare(*given).index) == ["fit1", "fit2"]
    twice = bayesml.loo_compare(near, near)
    assert (twice["elpd_diff"] == 0.0).all() and (twice["se_diff"] == 0.0).all()
    np.testing.assert_allclose(twice["weight"], 0.5)
    for given in ((), (near,), ({"a": near},)):
        with pytest.raises(ModelError, match="at least two fits"):
            bayesml.loo_compare(*given)
    point = bayesml.fit("Reaction ~ Days", sleep(), method="laplace")
    with pytest.raises(ModelError, match=r"`fit2` is a point estimate.*compare_models\(\)"):
        bayesml.loo_compare(near, point)


@pytest.mark.filterwarnings("default:.*Pareto k")
def test_warnings_name_the_model() -> None:
    bad = handmade_fit(README, sleep(), engine=ENGINE)
    with pytest.warns(bayesml.FitWarning, match="^`wild`: .* with a Pareto k above"):
        bayesml.loo_compare({"wild": bad, "tame": shifted(0.0)})


def test_other_responses_are_refused() -> None:
    other = sleep() | {"Reaction": sleep()["Reaction"] + 1.0}
    with pytest.raises(ModelError, match="different responses, other values of `Reaction`"):
        bayesml.loo_compare(shifted(0.0), shifted(0.0, other))
    with pytest.raises(ModelError, match=r"`Reaction` and `log\(Reaction\)`.*family lognormal"):
        bayesml.loo_compare(shifted(0.0), shifted(0.0, formula="log(Reaction) ~ Days"))


def test_other_rows_are_refused() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(sleep())
    frame["Reaction"] = np.tile(frame["Reaction"].to_numpy()[:10], 6)
    first, second = frame.iloc[:30], frame.iloc[30:]
    with pytest.raises(ModelError, match="same response, but on different rows"):
        bayesml.loo_compare(shifted(0.0, frame.iloc[20:50]), shifted(0.0, second))
    with pytest.raises(ModelError, match="on different rows: the index of their data differs, and the column `Days`"):
        bayesml.loo_compare(shifted(0.0, first), shifted(0.0, second.assign(Days=1.0 + second["Days"])))
    with pytest.raises(ModelError, match="different numbers of observations, 30 and 60"):
        bayesml.loo_compare(shifted(0.0, first), shifted(0.0, frame))
    with pytest.warns(bayesml.FitWarning, match="the index of their data differs"):
        bayesml.loo_compare(shifted(0.0, second), shifted(0.0, second.reset_index(drop=True)))
    moved = second.assign(Days=second["Days"] - 4.5)
    with pytest.warns(bayesml.FitWarning, match="the column `Days` has other values"):
        bayesml.loo_compare(shifted(0.0, second), shifted(0.0, moved))


def test_other_weights_are_refused() -> None:
    data = sleep() | {"w": np.linspace(0.5, 1.5, 60), "u": np.ones(60)}
    weighted = shifted(0.0, data, "Reaction | weights(w) ~ Days")
    with pytest.raises(ModelError, match="different likelihood weights"):
        bayesml.loo_compare({"a": shifted(0.0, data), "b": weighted})
    assert len(bayesml.loo_compare(shifted(0.0, data), shifted(9.0, data, "Reaction | weights(u) ~ Days"))) == 2


def test_families_of_one_response() -> None:
    data = sleep() | {"y": np.random.default_rng(1).integers(1, 9, 60).astype(float)}
    student = handmade_fit("y ~ Days", data, "student", engine=ENGINE)
    assert len(bayesml.loo_compare(shifted(0.0, data, "y ~ Days"), student)) == 2
    change = {"b": np.random.default_rng(2).normal([1.4, 0.0], 0.01, (4, 60, 2))}
    counts = handmade_fit("y ~ Days", data, "poisson", engine=ENGINE, change=change)
    with pytest.warns(bayesml.FitWarning, match=r"discrete response \(`counts`\).*continuous one \(`normal`\)"):
        bayesml.loo_compare({"counts": counts, "normal": shifted(0.0, data, "y ~ Days")})


def test_draws_from_the_prior_have_nothing_to_leave_out() -> None:
    prior = handmade_fit("Reaction ~ Days", sleep(), engine=replace(ENGINE, sample_prior="only"))
    with pytest.raises(ModelError, match="come from the prior alone"):
        prior.loo()
    with pytest.raises(ModelError, match="draws of `b` come from the prior alone"):
        bayesml.loo_compare({"a": plain(), "b": prior})
    assert prior.log_lik().shape == (4, 60, 60)
