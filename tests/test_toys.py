"""A toy of every kind, one file and one registry line each: what it needs to be fitted, printed, stored and compared.

``CONTRIBUTING.md`` shows the files of ``tests/toys`` as worked examples; a test holds the two equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesml
from bayesml.convergence import convergence
from bayesml.engines import ENGINES
from bayesml.engines.dispatch import EngineEntry
from bayesml.errors import DataError, FormulaError, ModelError, PriorError
from bayesml.families import FAMILIES
from bayesml.priors import JOINT_PRIORS
from bayesml.response_terms import RESPONSE_TERMS
from bayesml.terms import TERMS, TermKind
from tests import test_engines, test_family_examples
from tests.toys import hyperbolic_secant, importance, ridge, rounded, step

ROOT = Path(__file__).resolve().parents[1]
TOYS = sorted(path.name for path in (ROOT / "tests" / "toys").glob("*.py") if path.stem != "__init__")
pytestmark = pytest.mark.filterwarnings("ignore:.*(Rhat|effective):bayesml.errors.FitWarning")  # of short chains
SAMPLED = {"chains": 2, "draws": 150, "warmup": 150, "seed": 1, "progress": False}


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    """One line in the registry of each kind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TERMS, "step", TermKind(step, calls=step.CLAIMS))
        patch.setitem(test_family_examples.EXAMPLES, "hyperbolic_secant", hyperbolic_secant.EXAMPLE)
        patch.setitem(FAMILIES, "hyperbolic_secant", hyperbolic_secant.hyperbolic_secant)
        patch.setitem(RESPONSE_TERMS, "rounded", rounded.Rounding)
        patch.setitem(JOINT_PRIORS, "ridge", ridge.Ridge)
        patch.setitem(ENGINES, "importance", EngineEntry(importance.Importance(), importance.run_importance))
        yield


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    n = 60
    x, z, w = rng.normal(size=(3, n))
    exact = 1.0 + 2.0 * (x > 0.3) + 0.5 * z + 0.5 * rng.standard_normal(n)
    g = rng.integers(0, 5, n)
    return pd.DataFrame({"y": exact, "r": np.round(exact), "x": x, "z": z, "w": w, "g": [f"g{i}" for i in g]})


@pytest.fixture(scope="module")
def fit(frame: pd.DataFrame) -> bayesml.Fit:
    """Term, family, response term and joint prior in one model."""
    shrunk = [bayesml.prior("ridge(2)", class_="b")]
    formula = "r | rounded(1) ~ z + w + step(x, at=0.3)"
    return bayesml.fit(formula, frame, family="hyperbolic_secant", prior=shrunk, **SAMPLED)


# Worked examples ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TOYS)
def test_contributing_shows_the_file(name: str) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    shown = re.findall(rf"^`tests/toys/{name}`:\n\n```python\n(.*?)^```$", text, flags=re.M | re.S)
    assert shown == [(ROOT / "tests" / "toys" / name).read_text()]


# Term, family and joint prior -----------------------------------------------------------------------------------------


def test_parameters_of_every_toy_are_recovered(fit: bayesml.Fit) -> None:
    """Within four posterior standard deviations of the values behind the data."""
    truth = {"bstep_step(x, at=0.3)": 2.0, "b_z": 0.5, "b_w": 0.0, "b_Intercept": 1.0, "sigma": 0.5}
    for name, value in truth.items():
        draws = fit[name].values
        assert draws.shape == (2, 150)
        assert abs(draws.mean() - value) < 4.0 * draws.std(), name


def test_the_summary_shows_them(fit: bayesml.Fit) -> None:
    text = str(fit)
    assert "step(x, at=0.3)" in text and "hyperbolic_secant" in text and "sigma" in text


def test_a_prediction_is_computed_from_new_rows(fit: bayesml.Fit) -> None:
    new = {"x": [0.0, 0.3, 0.4], "z": [1.0, 0.0, 2.0], "w": [0.0, 0.0, 1.0]}
    b = {name: fit[name].values for name in ("b_Intercept", "b_z", "b_w", "bstep_step(x, at=0.3)")}
    expected = [
        b["b_Intercept"] + b["b_z"],
        b["b_Intercept"],
        b["b_Intercept"] + 2.0 * b["b_z"] + b["b_w"] + b["bstep_step(x, at=0.3)"],
    ]
    np.testing.assert_allclose(fit.epred(new), np.stack(expected, axis=-1), rtol=1e-10)
    assert fit.predict(new, seed=1).shape == (2, 150, 3)


def test_pointwise_densities_are_those_of_scipy(fit: bayesml.Fit, frame: pd.DataFrame) -> None:
    found = fit.log_lik().values
    exact = stats.hypsecant(fit.epred().values, 2.0 / np.pi * fit["sigma"].values[..., None])
    r = frame["r"].to_numpy()
    np.testing.assert_allclose(found, np.log(exact.cdf(r + 0.5) - exact.cdf(r - 0.5)), rtol=1e-7)
    assert np.isfinite(fit.loo().elpd_loo)


def test_a_saved_fit_is_read_back(fit: bayesml.Fit, frame: pd.DataFrame, tmp_path: Path) -> None:
    fit.save(tmp_path / "toys.nc")
    again = bayesml.load(tmp_path / "toys.nc")
    np.testing.assert_array_equal(again.epred(frame[:3]), fit.epred(frame[:3]))
    assert str(again) == str(fit)


def test_prior_tables_list_them(fit: bayesml.Fit, frame: pd.DataFrame) -> None:
    table = bayesml.default_prior("y ~ step(x) + step(x, at=1)", frame, family="hyperbolic_secant")
    rows = table[table["class"] == "step"]
    assert list(rows["coef"]) == ["", "step(x)", "step(x, at=1)"]
    assert rows["prior"].iloc[0].startswith("normal(0, ")
    assert "ridge(2)" in set(fit.prior_summary()["prior"])


def test_what_a_toy_cannot_do_is_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(FormulaError, match="cannot be multiplied"):
        bayesml.default_prior("y ~ step(x):z", frame)
    with pytest.raises(FormulaError, match="place of the step"):
        bayesml.default_prior("y ~ step(x, at=w)", frame)
    with pytest.raises(PriorError, match="larger than 0"):
        bayesml.prior("ridge(-1)", class_="b")
    with pytest.raises(PriorError, match="prior of all coefficients"):
        bayesml.fit("y ~ z", frame, prior=[bayesml.prior("ridge(1)", class_="b", coef="z")], method="map")
    with pytest.raises(DataError, match="larger than 0"):
        bayesml.default_prior("y | rounded(0) ~ x", frame)
    with pytest.raises(FormulaError, match=r"no response term `rounded\(\)`"):
        bayesml.default_prior("y | rounded(1) ~ x", frame.assign(y=frame["g"] == "g1"), family="bernoulli")


# Other methods --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["laplace", "map"])
def test_a_log_density_is_enough_for_point_estimates(method: str, frame: pd.DataFrame) -> None:
    fit = bayesml.fit("y ~ z + (1 | g)", frame, family="hyperbolic_secant", method=method)
    assert np.isfinite(fit.logLik)
    assert fit["b_z"] == pytest.approx(0.5, abs=0.5)
    assert "hyperbolic_secant" in str(fit.summary())


@pytest.mark.parametrize(
    "law",
    [
        test_family_examples.test_densities_are_those_of_the_source,
        test_family_examples.test_the_density_has_mass_one_and_the_stated_moments,
        test_family_examples.test_draws_have_the_distribution_of_the_density,
        test_family_examples.test_derivatives_are_those_of_the_density,
        test_family_examples.test_a_response_that_is_accepted_has_a_density_at_the_start,
    ],
)
def test_laws_of_families(law: Callable[[str], None]) -> None:
    law("hyperbolic_secant")


# Engine ---------------------------------------------------------------------------------------------------------------


def test_the_engine_samples_the_posterior(frame: pd.DataFrame, tmp_path: Path) -> None:
    """Means of coefficients are least-squares estimates within four Monte Carlo errors; wide priors add 1e-3 here."""
    toy = bayesml.fit("y ~ z", frame, method="importance", seed=2)
    assert toy.engine == importance.Importance(seed=2)
    exact = bayesml.fit("y ~ z", frame, method="laplace")
    for name in ("b_Intercept", "b_z"):
        draws = toy[name].values
        error = float(convergence(draws[..., None]).mcse[0])
        assert abs(draws.mean() - exact[name]) < 4.0 * error + 2e-3, name
    test_engines.test_entries_agree_with_their_engines("importance")
    assert np.isfinite(toy.loo().elpd_loo)
    toy.save(tmp_path / "toy.nc")
    again = bayesml.load(tmp_path / "toy.nc")
    assert again.engine == toy.engine
    np.testing.assert_array_equal(again.epred({"z": [1.0]}), toy.epred({"z": [1.0]}))
    with pytest.raises(ModelError, match="no option `warmup`"):
        bayesml.fit("y ~ z", frame, method="importance", warmup=5)
