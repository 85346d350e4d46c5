"""Regressions of posteriordb (version 1.0, BSD-3) against its reference draws: means and sds within four MCSE."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import bayesml
from bayesml.convergence import convergence
from tests.conftest import SHARED, shared_path
from tests.reference import mcse_of_sd


def _models() -> dict[str, dict[str, Any]]:
    path = SHARED / "reference" / "posteriordb_models.json"
    return json.loads(path.read_text())["models"] if path.exists() else {}


MODELS = _models()
EIGHT_SCHOOLS = "eight_schools-eight_schools_noncentered"


def columns(name: str) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Return the columns of a data set and its single numbers."""
    data = json.loads(shared_path("data", "posteriordb", f"{name}.json").read_text())
    rows = max(len(v) for v in data.values() if isinstance(v, list))
    rows = len(data["y"]) if "y" in data else data.get("N", rows)
    found = {k: np.array(v, dtype=float) for k, v in data.items() if isinstance(v, list) and len(v) == rows}
    for key in [k for k, v in found.items() if v.ndim == 2]:
        matrix = found.pop(key)
        found |= {f"{key}{j + 1}": matrix[:, j] for j in range(matrix.shape[1])}
    if name == "eight_schools":
        found["school"] = np.array([f"school {j + 1}" for j in range(rows)])
    return found, {k: float(v) for k, v in data.items() if not isinstance(v, list)}


def priors(record: dict[str, Any], numbers: dict[str, float]) -> list[bayesml.Prior]:
    """Write the priors of the record in our language: its ``half`` follows from the bound of sds and sigma."""
    found = []
    for target, text in record["priors"].items():
        class_, _, coef = target.partition(" ")
        for name, value in numbers.items():
            text = text.replace(name, repr(value))
        found.append(bayesml.prior(text.replace("half ", ""), class_, coef=coef))
    return found


@pytest.fixture(scope="module", params=MODELS)
def pair(request) -> tuple[str, dict[str, Any], bayesml.Fit]:
    record = MODELS[request.param]
    data, numbers = columns(record["data"])
    family_priors = priors(record, numbers)
    present = set(bayesml.default_prior(record["formula"], data)["class"])
    fit = bayesml.fit(
        record["formula"],
        data,
        prior=[p for p in family_priors if p.prior_class in present],
        default_priors="brms",
        draws=2500,
        seed=3,
        target_accept=0.95,
        progress=False,
    )
    facts = json.loads(shared_path("reference", "posteriordb_facts.json").read_text())[request.param]
    return request.param, facts, fit


def ours(name: str, fit: bayesml.Fit) -> dict[str, np.ndarray]:
    """Return our draws under the names of the reference: coefficients in the order of the columns."""
    if name == EIGHT_SCHOOLS:
        effects, mu = fit.idata.posterior["r_school"].values[..., 0], fit["b_Intercept"].values
        thetas = {f"theta[{j + 1}]": mu + effects[..., j] for j in range(effects.shape[-1])}
        return thetas | {"mu": mu, "tau": fit["sd_school__Intercept"].values}
    coefficients = fit.idata.posterior["b"].values
    k = coefficients.shape[-1]
    labels = ["alpha", "beta"] if name.startswith("kilpisjarvi") else [f"beta[{j + 1}]" for j in range(k)]
    named = {label: coefficients[..., j] for j, label in enumerate(labels)}
    return named | {"sigma": fit["sigma"].values}


def test_moments_agree_with_the_reference(pair):
    name, facts, fit = pair
    found = ours(name, fit)
    assert found.keys() == facts["params"].keys()
    labels = list(fit.idata.posterior["coef"].values)
    assert labels == MODELS[name].get("order", labels)
    for parameter, reference in facts["params"].items():
        draws = found[parameter]
        measured = convergence(draws[:, :, None])
        mean_error = np.hypot(measured.mcse[0], reference["sd"] / np.sqrt(facts["min_ess"]))
        assert abs(draws.mean() - reference["mean"]) < 4 * mean_error, parameter
        sd_error = np.hypot(mcse_of_sd(draws), mcse_of_sd(draws, facts["min_ess"]))
        assert abs(draws.std(ddof=1) - reference["sd"]) < 4 * sd_error, parameter


def test_quantiles_agree_with_the_reference(pair):
    name, facts, fit = pair
    found = ours(name, fit)
    for parameter, reference in facts["params"].items():
        draws = found[parameter].reshape(-1)
        ess = float(convergence(found[parameter][:, :, None]).tail_ess[0])
        for key, p in (("q5", 0.05), ("q95", 0.95)):
            # An order statistic: the share of our draws below the reference's quantile is binomial.
            share = (draws < reference[key]).mean()
            error = np.sqrt(p * (1 - p) * (1 / ess + 1 / facts["min_ess"]))
            assert abs(share - p) < 4 * error, (parameter, key)
