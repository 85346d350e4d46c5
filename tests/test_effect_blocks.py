"""Blocks with every kind of covariance matrix, also those that every row touches: against dense algebra, and mgcv."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from bayesml.engines.generalised_mixed import FamilyResponse, fit_generalised_mixed
from bayesml.engines.linear_mixed import (
    LinearMixedFit,
    Parameter,
    fit_linear_mixed,
    kenward_roger,
    prepare,
    profiler,
    refit,
    satterthwaite,
)
from bayesml.engines.point.arrays import PointArrays
from bayesml.engines.point.joint import JointEffects, NewRows
from bayesml.errors import DataError, ModelError
from bayesml.families import get_family
from bayesml.linalg import AbstractBlock, DenseBlock, GroupBlock, coupling, row_blocks
from tests.smooths import as_columns, dense, facts, read_formula

ROWS = 110


def of(block: AbstractBlock, factor: np.ndarray) -> np.ndarray:
    """Return the covariance over the rows of what a block contributes, for a factor of its covariance matrix."""
    half = block.Z @ factor if block.is_factor else block.Z * factor[0, 0]
    return half @ half.T * (block.codes[:, None] == block.codes)


@dataclass(frozen=True)
class DenseModel:
    """``y = X b + sum_j Z_j u_j + e``, all as matrices over the rows."""

    blocks: tuple[AbstractBlock, ...]
    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray

    def covariance(self, factors: Any, sigma: float) -> np.ndarray:
        own = sum((of(block, factor) for block, factor in zip(self.blocks, factors, strict=True)), np.zeros(()))
        return sigma**2 * (np.diag(1.0 / self.weights) + own)

    def reml(self, factors: Any, sigma: float) -> float:
        V = self.covariance(factors, sigma)
        inverse = np.linalg.inv(V)
        M = self.X.T @ inverse @ self.X
        rest = self.y - self.X @ np.linalg.solve(M, self.X.T @ inverse @ self.y)
        constant = (len(self.y) - self.X.shape[1]) * np.log(2.0 * np.pi)
        return float(np.linalg.slogdet(V)[1] + np.linalg.slogdet(M)[1] + rest @ inverse @ rest + constant)

    def hat(self, factors: Any, sigma: float) -> np.ndarray:
        """Return the matrix from the response to the fitted values: rows that the residuals do not take."""
        inverse = np.linalg.inv(self.covariance(factors, sigma) / sigma**2)
        M = np.linalg.inv(self.X.T @ inverse @ self.X)
        P = inverse - inverse @ self.X @ M @ self.X.T @ inverse
        return np.eye(len(self.y)) - P / self.weights[:, None]


def models() -> dict[str, DenseModel]:
    rng = np.random.default_rng(7)
    x, w = rng.uniform(0.0, 1.0, ROWS), rng.normal(size=ROWS)
    leaf, other = rng.integers(0, 12, ROWS), rng.integers(0, 5, ROWS)
    one = np.ones((ROWS, 1))
    spline = DenseBlock.of("s(x)", np.maximum(x[:, None] - np.linspace(0.1, 0.9, 7), 0.0) ** 2)
    anything = DenseBlock.of("any", rng.normal(size=(ROWS, 4)) * [0.1, 1.0, 5.0, 1.0])
    slopes = GroupBlock("leaf", leaf, 12, np.column_stack([one, w]), (2,))
    groups = (GroupBlock("other", other, 5, one, (1,)), slopes, GroupBlock("top", leaf % 4, 4, one, (1,)))
    X = np.column_stack([np.ones(ROWS), x, x**2])
    y = 3.0 + np.sin(6.0 * x) + rng.normal(0, 0.4, 12)[leaf] + rng.normal(0, 0.3, 12)[leaf] * w
    y += rng.normal(0, 0.4, 5)[other] + anything.Z @ rng.normal(0, 0.3, 4) + rng.normal(0, 0.3, ROWS)
    weights = rng.uniform(0.5, 2.0, ROWS)
    strata = tuple(
        GroupBlock(f"leaf of {k}", leaf, 12, slopes.Z * (leaf % 2 == k)[:, None], sizes)
        for k, sizes in enumerate([(2,), (1, 1)])
    )
    return {
        "alone": DenseModel((spline,), X, y, np.ones(ROWS)),
        "two": DenseModel((spline, anything), X, y, weights),
        "beside a factor": DenseModel((spline, slopes), X, y, weights),
        "a matrix for each stratum of levels": DenseModel((*strata, spline), X, y, weights),
        "beside nested and crossed factors": DenseModel((groups[0], spline, *groups[1:], anything), X, y, weights),
    }


@pytest.fixture(params=["dense", "sparse"])
def storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store the block between a factor and the tail in both ways."""
    if request.param == "sparse":
        monkeypatch.setattr(row_blocks, "DENSE_ELEMENTS", (0, 0))
        monkeypatch.setattr(row_blocks, "DENSE_SHARE", (2.0, 2.0))
        monkeypatch.setattr(coupling, "LARGEST_PAIR_TABLE", 0)


def fitted(model: DenseModel) -> LinearMixedFit:
    return fit_linear_mixed(prepare(model.blocks, model.X, model.y, model.weights), tolerance=1e-7)


@pytest.mark.parametrize("name", models())
def test_reml_is_that_of_dense_algebra(name: str, storage: None) -> None:
    model = models()[name]
    fit = fitted(model)
    layout = fit.problem.layout
    assert fit.criterion == pytest.approx(model.reml(layout.matrices(fit.theta), fit.sigma), abs=1e-8)

    def value(place: np.ndarray) -> float:
        return model.reml(layout.matrices(place[:-1]), float(np.exp(place[-1])))

    # The estimate is a minimum of the dense criterion: in no direction does it fall by more than rounding.
    place = np.append(fit.theta, np.log(fit.sigma))
    for step in np.concatenate([np.eye(len(place)), -np.eye(len(place))]):
        assert value(place + 1e-3 * step) > fit.criterion - 1e-8


@pytest.mark.parametrize("name", models())
def test_fitted_values_leverages_and_degrees_of_freedom_are_those_of_dense_algebra(name: str, storage: None) -> None:
    model = models()[name]
    fit = fitted(model)
    factors = fit.problem.layout.matrices(fit.theta)
    hat = model.hat(factors, fit.sigma)
    np.testing.assert_allclose(fit.fitted, hat @ model.y, atol=1e-9)
    np.testing.assert_allclose(fit.leverages, np.diag(hat), atol=1e-9)
    assert fit.effective_degrees.sum() + fit.rank == pytest.approx(np.trace(hat), abs=1e-8)
    # Best linear unbiased predictions u = G Z'P y, and a block's degrees of freedom tr(Z G Z'P).
    inverse = np.linalg.inv(model.covariance(factors, fit.sigma))
    M = np.linalg.inv(model.X.T @ inverse @ model.X)
    P = inverse - inverse @ model.X @ M @ model.X.T @ inverse
    for place, (block, factor) in enumerate(zip(model.blocks, factors, strict=True)):
        own = fit.sigma**2 * of(block, factor) @ P
        assert fit.effective_degrees[place] == pytest.approx(np.trace(own), abs=1e-8)
        np.testing.assert_allclose(block.contribution(fit.conditional_modes[place]), own @ model.y, atol=1e-8)


def test_conditional_variances_are_the_diagonal_of_the_posterior_covariance(storage: None) -> None:
    model = models()["beside a factor"]
    fit = fitted(model)
    spline, factors = model.blocks[0], fit.problem.layout.matrices(fit.theta)
    prior = (fit.sigma * factors[0][0, 0]) ** 2
    half = prior * spline.Z.T
    covariance = prior * np.eye(spline.n_levels) - half @ np.linalg.solve(model.covariance(factors, fit.sigma), half.T)
    np.testing.assert_allclose(fit.conditional_variances[0][:, 0, 0], np.diag(covariance), rtol=1e-7)


def test_what_follows_from_a_fit_knows_dense_blocks() -> None:
    model = models()["beside a factor"]
    fit = fitted(model)
    again = refit(fit, model.y + 1.0)
    np.testing.assert_allclose(again.theta, fit.theta, atol=1e-4)
    for df in (satterthwaite(fit).df(np.eye(3)), kenward_roger(fit).df(np.eye(3))):
        assert ((df > 1.0) & (df < ROWS)).all()
    likelihood = fit_linear_mixed(fit.problem, reml=False)
    low, high = profiler(likelihood).interval(Parameter("sd", 0, 0))
    assert low < likelihood.groups[0].sd[0] < high


def test_a_block_that_the_fixed_effects_contain_is_refused() -> None:
    model = models()["alone"]
    with pytest.raises(DataError, match=r"`sd` over `s\(x\)` cannot be estimated"):
        prepare([DenseBlock.of("s(x)", model.X[:, 1:])], model.X, model.y)
    with pytest.raises(DataError, match=r"block `none`: Z has shape"):
        prepare([DenseBlock.of("none", np.zeros((ROWS, 0)))], model.X, model.y)


def test_quadrature_needs_a_factor() -> None:
    model = models()["alone"]
    response = FamilyResponse(get_family("poisson"), {"y": np.round(model.y)})
    with pytest.raises(ModelError, match="exactly one grouping factor"):
        fit_generalised_mixed(response, model.X, model.blocks, quadrature_points=5)


GAUSSIAN = [fact for fact in facts()["fits"] if fact["family"] == "gaussian"]


@pytest.mark.parametrize("fact", GAUSSIAN, ids=[f"{fact['formula']}, {fact['data']}" for fact in GAUSSIAN])
def test_reml_of_splines_is_that_of_mgcv(fact: dict[str, Any]) -> None:
    """mgcv's ``gam(method = "REML")``, ``facts/smooths.R``: smoothing parameters, degrees of freedom, fitted values."""
    rows = as_columns(facts()["data"][fact["data"]])
    smooths = read_formula(fact["formula"], rows)
    model = dense(smooths, fact["formula"], rows)
    y = rows[fact["formula"].split(" ~ ")[0]].astype(float)
    penalised = [model.matrix[:, model.penalised & (model.owner == i)] for i in range(len(smooths))]
    blocks = [DenseBlock.of(f"s{i}", Z) for i, Z in enumerate(penalised)]
    fit = fit_linear_mixed(prepare(blocks, model.matrix[:, ~model.penalised], y), tolerance=1e-7)
    wanted, curved = np.atleast_1d(fact["sp"]), np.atleast_1d(fact["sp"]) < 1e6
    relative = np.array([factor[0, 0] for factor in fit.problem.layout.matrices(fit.theta)])
    # Both searches stop where the criterion is flat: a Newton decrement of 1e-7, a curvature of order 1.
    np.testing.assert_allclose(1.0 / relative[curved] ** 2, wanted[curved], rtol=1e-4)
    assert (relative[~curved] < 1e-3).all()
    free = np.array([np.sum(~model.penalised & (model.owner == i)) for i in range(len(smooths))])
    np.testing.assert_allclose(fit.effective_degrees + free, np.atleast_1d(fact["edf"]), rtol=1e-4)
    assert np.abs(fit.fitted - fact["fitted"]).max() <= 1e-4 * np.abs(fact["fitted"]).max()
    assert fit.sigma**2 == pytest.approx(fact["reml_scale"], rel=1e-4)


def test_laplace_of_a_spline_is_that_of_mgcv() -> None:
    """The poisson model of ``facts/smooths.R``, nearly: mgcv integrates the coefficients without a penalty too."""
    (fact,) = (fact for fact in facts()["fits"] if fact["family"] == "poisson")
    rows = as_columns(facts()["data"][fact["data"]])
    model = dense(read_formula(fact["formula"], rows), fact["formula"], rows)
    y = rows[fact["formula"].split(" ~ ")[0]].astype(float)
    block = DenseBlock.of("s(x2)", model.matrix[:, model.penalised])
    response = FamilyResponse(get_family("poisson"), {"y": y})
    fit = fit_generalised_mixed(response, model.matrix[:, ~model.penalised], [block])
    # Restricted and full likelihood differ by a degree of freedom of 8 penalised coefficients: a variance by 1 in 8.
    assert 1.0 / fit.groups[0].sd[0] ** 2 == pytest.approx(fact["sp"], rel=0.25)
    assert np.abs(fit.eta - fact["fitted"]).max() < 0.05


def test_the_joint_distribution_gives_the_degrees_of_freedom_of_reml() -> None:
    """Two routes: sums over rows of leverages, and the trace of the penalty times the covariance."""
    model = models()["beside nested and crossed factors"]
    fit = fitted(model)
    arrays = PointArrays(None, (), (), model.X, (), model.blocks, None, model.weights)
    factors = tuple(fit.sigma * factor for factor in fit.problem.layout.matrices(fit.theta))
    root = np.linalg.cholesky(fit.vcov)
    joint = JointEffects(arrays, factors, model.weights / fit.sigma**2, fit.kept, fit.vcov, root, np.zeros((3, 0)))
    found = [joint.effective_degrees(place) for place in range(len(model.blocks))]
    np.testing.assert_allclose(found, fit.effective_degrees, rtol=1e-8)
    errors = joint.standard_errors(NewRows(model.X, model.blocks))
    np.testing.assert_allclose(errors**2 * model.weights / fit.sigma**2, fit.leverages, rtol=1e-8)
    draws = [part.std(axis=0) for part in joint.draw_effects(np.random.default_rng(2), np.zeros((4000, 3)))]
    for place, own in enumerate(draws):
        # Given the coefficients of X; the relative variance of a sample variance of 4000 draws is 2 / 4000.
        wanted = np.sqrt(np.einsum("jqq->jq", fit.conditional_variances[place]))
        np.testing.assert_allclose(own, wanted, rtol=5.0 * np.sqrt(0.5 / 4000), atol=1e-9)
