"""REML estimates from the bases of `bayesml.smooths`, by dense algebra, against mgcv: ``facts/smooths.R``.

They show that functions, constraint and scale of the penalty are mgcv's, whatever engine fits a smooth in the end.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.smooths import Block, Dense, Estimate, as_columns, dense, facts, read_formula, reml, with_best_scale

FITS = facts()["fits"]
NAMES = [fact["formula"] for fact in FITS]
# mgcv finds the eigenvectors of the matrix of distances by Lanczos' method and stops early, so that functions, relative
# to the largest, differ by up to 1e-10; cubic regression splines differ by rounding errors alone.
ALGEBRA = 1e-9
# Both searches stop where the criterion is flat: a gradient of 1e-7 of a criterion with a curvature of order 1.
SEARCH = 1e-4
STRAIGHT = 1e6  # a smoothing parameter beyond which the smooth is a straight line


def model_of(fact: dict[str, Any]) -> tuple[tuple[Block, ...], Dense, np.ndarray]:
    return built(fact["formula"], fact["data"])


@cache
def built(formula: str, name: str) -> tuple[tuple[Block, ...], Dense, np.ndarray]:
    rows = as_columns(facts()["data"][name])
    blocks = read_formula(formula, rows)
    return blocks, dense(blocks, formula, rows), rows[formula.split(" ~ ")[0]].astype(float)


def at_mgcv(fact: dict[str, Any], factor: float = 1.0) -> Estimate:
    """Estimate at the smoothing parameters that mgcv found, times a factor."""
    _, model, y = model_of(fact)
    return with_best_scale(model, fact["family"], y, np.log(np.atleast_1d(fact["sp"]) * factor))


def by_smooth(values: np.ndarray, model: Dense) -> np.ndarray:
    return np.bincount(model.owner + 1, values)[1:]


@pytest.mark.parametrize("fact", FITS, ids=NAMES)
def test_fitted_values_at_mgcvs_smoothing_parameters(fact: dict[str, Any]) -> None:
    _, model, _ = model_of(fact)
    fitted = model.matrix @ at_mgcv(fact).coefficients
    assert np.abs(fitted - fact["fitted"]).max() <= ALGEBRA * np.abs(fact["fitted"]).max()


@pytest.mark.parametrize("fact", FITS, ids=NAMES)
def test_reml_finds_mgcvs_smoothing_parameters(fact: dict[str, Any]) -> None:
    _, model, y = model_of(fact)
    log_sp, estimate = reml(model, fact["family"], y)
    sp, wanted = np.exp(log_sp), np.atleast_1d(fact["sp"])
    curved = wanted < STRAIGHT
    np.testing.assert_allclose(sp[curved], wanted[curved], rtol=SEARCH)
    assert (sp[~curved] > STRAIGHT).all()
    np.testing.assert_allclose(by_smooth(estimate.edf, model), np.atleast_1d(fact["edf"]), rtol=SEARCH)
    fitted = model.matrix @ estimate.coefficients
    assert np.abs(fitted - fact["fitted"]).max() <= SEARCH * np.abs(fact["fitted"]).max()
    np.testing.assert_allclose(estimate.scale, fact["reml_scale"], rtol=SEARCH)


@pytest.mark.parametrize("fact", FITS, ids=NAMES)
def test_predictions_and_their_errors_on_new_rows(fact: dict[str, Any]) -> None:
    blocks, model, _ = model_of(fact)
    estimate = at_mgcv(fact)
    new = dense(blocks, fact["formula"], as_columns(facts()["new"][fact["data"]])).matrix
    assert np.abs(new @ estimate.coefficients - fact["new"]).max() <= ALGEBRA * np.abs(fact["new"]).max()
    errors = np.sqrt(np.sum((new @ estimate.covariance) * new, axis=1))
    # mgcv's errors of a gamma model take another estimate of the dispersion than its smoothing parameters do.
    errors *= np.sqrt(fact["scale"] / estimate.scale)
    np.testing.assert_allclose(errors, fact["new_se"], rtol=ALGEBRA)


@pytest.mark.parametrize("fact", FITS, ids=NAMES)
def test_criterion_changes_as_mgcvs(fact: dict[str, Any]) -> None:
    # mgcv's criterion holds a constant of its own coordinates, which differences are free of.
    ours = np.array([at_mgcv(fact, factor).reml for factor in (1.0, 0.2, 5.0)])
    theirs = np.array([fact["reml"], *fact["reml_at"]])
    np.testing.assert_allclose(ours - ours[0], theirs - theirs[0], atol=1e-8)
