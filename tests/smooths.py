"""Smooth terms for the tests of their bases: the calls of ``facts/smooths.R`` as columns, and dense REML estimates."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import gammaln

from bayesml.smooths import Request, SmoothBasis, fitted_basis, known_kind

PATH = Path(__file__).parent / "facts" / "smooths.json"
Columns = Mapping[str, np.ndarray]


def fit_basis(
    covariates: Columns, kind: str = "tp", k: int | None = None, *, centred: bool = True, penalised: bool = True,
    label: str | None = None, **options: Any,
) -> SmoothBasis:  # fmt: skip
    """Return the basis of ``s()`` of some covariates; options are those of ``Request``."""
    names = tuple(covariates)
    request = Request(label or f"s({', '.join(names)})", names, known_kind(kind, label), k, **options)
    return fitted_basis(covariates, request, centred=centred, penalised=penalised).basis


@cache
def facts() -> dict[str, Any]:
    return json.loads(PATH.read_text())


def as_columns(values: Mapping[str, list[Any]]) -> dict[str, np.ndarray]:
    return {name: np.asarray(column) for name, column in values.items()}


@dataclass(frozen=True)
class Block:
    """One smooth, or that of one level of ``by``.

    Attributes:
        basis: its basis.
        by: what it is multiplied by, if anything.
        level: the level of ``by`` it belongs to, where that is a factor.
    """

    basis: SmoothBasis
    by: str | None = None
    level: str | None = None

    def columns(self, rows: Columns) -> tuple[np.ndarray, np.ndarray]:
        weights = np.ones(1) if self.by is None else rows[self.by]
        weights = weights if self.level is None else (weights == self.level).astype(float)
        free, penalised = self.basis.columns(rows)
        return free * weights[:, None], penalised * weights[:, None]


def read_call(text: str, rows: Columns) -> tuple[Block, ...]:
    """Read a call such as ``s(x, bs = "cr", by = g)``."""
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    covariates = {name.id: rows[name.id] for name in call.args if isinstance(name, ast.Name)}
    words = {w.arg: w.value.id if isinstance(w.value, ast.Name) else ast.literal_eval(w.value) for w in call.keywords}
    by = words.get("by")
    is_number = by is not None and rows[by].dtype.kind == "f"
    basis = fit_basis(covariates, words.get("bs", "tp"), words.get("k"), order=words.get("m"), centred=not is_number)
    if by is None:
        return (Block(basis),)
    if is_number:
        return (Block(basis.multiplied_by(rows, rows[by]), by),)
    levels = [str(level) for level in np.unique(rows[by])]
    scaled = basis.multiplied_by(rows, rows[by] == levels[0])  # mgcv finds the size of free columns on the first level
    return tuple(Block(scaled, by, level) for level in levels)


def read_formula(formula: str, rows: Columns) -> tuple[Block, ...]:
    return tuple(block for call in re.findall(r"s\([^)]*\)", formula) for block in read_call(call, rows))


@dataclass(frozen=True)
class Dense:
    """``y ~ X b + sum_j Z_j u_j``, ``u_j ~ N(0, scale / sp_j)``, as one matrix with a penalty on some coefficients.

    Attributes:
        matrix: ``(rows, coefficients)``.
        owner: of each coefficient, the number of its block; -1 for the intercept and factors.
        penalised: of each coefficient, whether it has a penalty.
    """

    matrix: np.ndarray
    owner: np.ndarray
    penalised: np.ndarray

    def penalty(self, sp: np.ndarray) -> np.ndarray:
        return np.where(self.penalised, sp[np.maximum(self.owner, 0)], 0.0)

    def log_pseudo_determinant(self, sp: np.ndarray) -> float:
        return float(np.log(self.penalty(sp)[self.penalised]).sum())

    @property
    def fixed(self) -> int:
        return int((~self.penalised).sum())


def dense(blocks: tuple[Block, ...], formula: str, rows: Columns) -> Dense:
    count = len(next(iter(rows.values())))
    parts, owner, penalised = [np.ones((count, 1))], [-1], [False]
    if "fac +" in formula:
        parts += [(rows["fac"] == level).astype(float)[:, None] for level in ("2", "3")]
        owner, penalised = [-1] * 3, [False] * 3
    for number, block in enumerate(blocks):
        for is_penalised, part in zip((False, True), block.columns(rows), strict=True):
            parts.append(part)
            owner += [number] * part.shape[1]
            penalised += [is_penalised] * part.shape[1]
    return Dense(np.column_stack(parts), np.array(owner), np.array(penalised))


@dataclass(frozen=True)
class Estimate:
    """Coefficients at given smoothing parameters.

    Attributes:
        coefficients: the coefficients.
        covariance: the Bayesian one of mgcv's ``Vp``.
        edf: effective degrees of freedom of each coefficient.
        scale: the dispersion.
        reml: the negative log restricted likelihood, by Laplace's approximation where the response is not normal.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    edf: np.ndarray
    scale: float
    reml: float


def gaussian(model: Dense, y: np.ndarray, log_sp: np.ndarray) -> Estimate:
    """Estimate by penalised least squares; the residual variance is profiled out of the restricted likelihood."""
    sp = np.exp(log_sp)
    cross, penalty = model.matrix.T @ model.matrix, model.penalty(sp)
    inverse = np.linalg.inv(cross + np.diag(penalty))
    coefficients = inverse @ (model.matrix.T @ y)
    deviance = np.sum((y - model.matrix @ coefficients) ** 2) + penalty @ coefficients**2
    freedom = len(y) - model.fixed
    scale = deviance / freedom
    reml = freedom * (1 + np.log(2 * np.pi * scale)) - np.linalg.slogdet(inverse)[1] - model.log_pseudo_determinant(sp)
    return Estimate(coefficients, scale * inverse, np.diag(inverse @ cross), float(scale), float(reml / 2))


@dataclass(frozen=True)
class Likelihood:
    """A log-likelihood and its derivatives in eta, the logarithm of the mean.

    Attributes:
        value: the sum over rows.
        slope: the first derivative in each row.
        observed: minus the second derivative.
        expected: the expectation of ``observed``.
    """

    value: float
    slope: np.ndarray
    observed: np.ndarray
    expected: np.ndarray


def likelihood(family: str, y: np.ndarray, eta: np.ndarray, scale: float) -> Likelihood:
    mu = np.exp(eta)
    if family == "poisson":
        return Likelihood(float(np.sum(y * eta - mu - gammaln(y + 1))), y - mu, mu, mu)
    shape = 1 / scale
    value = shape * np.log(shape / mu) - gammaln(shape) + (shape - 1) * np.log(y) - shape * y / mu
    return Likelihood(float(value.sum()), shape * (y / mu - 1), shape * y / mu, np.full(len(y), shape))


def laplace(model: Dense, family: str, y: np.ndarray, log_sp: np.ndarray, scale: float = 1.0) -> Estimate:
    """Estimate by Newton's method from the mean; ``-log integral exp(l(b) - b' S b / 2)`` by Laplace.

    The criterion takes the observed information; degrees of freedom and covariance, as mgcv's, the expected one.
    """
    sp = np.exp(log_sp) / scale
    penalty = model.penalty(sp)
    coefficients = np.zeros(model.matrix.shape[1])
    coefficients[0] = np.log(y.mean())
    for _ in range(200):
        at = likelihood(family, y, model.matrix @ coefficients, scale)
        inverse = np.linalg.inv(information(model, at.observed) + np.diag(penalty))
        step = inverse @ (model.matrix.T @ at.slope - penalty * coefficients)
        coefficients = coefficients + step
        if np.abs(model.matrix @ step).max() < 1e-12:
            break
    at = likelihood(family, y, model.matrix @ coefficients, scale)
    volume = -np.linalg.slogdet(inverse)[1] - model.log_pseudo_determinant(sp) - model.fixed * np.log(2 * np.pi)
    criterion = volume / 2 - at.value + penalty @ coefficients**2 / 2
    expected = information(model, at.expected)
    covariance = np.linalg.inv(expected + np.diag(penalty))
    return Estimate(coefficients, covariance, np.diag(covariance @ expected), scale, float(criterion))


def information(model: Dense, weights: np.ndarray) -> np.ndarray:
    product: np.ndarray = (model.matrix * weights[:, None]).T @ model.matrix
    return product


def with_best_scale(model: Dense, family: str, y: np.ndarray, log_sp: np.ndarray) -> Estimate:
    """Estimate at given smoothing parameters and the dispersion that minimises the criterion there."""
    if family == "gaussian":
        return gaussian(model, y, log_sp)
    if family == "poisson":
        return laplace(model, family, y, log_sp)
    found = minimize_scalar(lambda s: laplace(model, family, y, log_sp, float(np.exp(s))).reml, bounds=(-5.0, 3.0))
    return laplace(model, family, y, log_sp, float(np.exp(found.x)))


def reml(model: Dense, family: str, y: np.ndarray) -> tuple[np.ndarray, Estimate]:
    """Search the smoothing parameters, and the dispersion of a gamma model; return the former's logs and the fit."""
    smooths = int(model.owner.max()) + 1

    def estimate(parameters: np.ndarray) -> Estimate:
        if family == "gaussian":
            return gaussian(model, y, parameters)
        return laplace(model, family, y, parameters[:smooths], float(np.exp(parameters[smooths:].sum())))

    start = np.zeros(smooths + (family == "Gamma"))
    first = minimize(lambda p: estimate(p).reml, start, method="Nelder-Mead", options={"maxiter": 2000})
    found = minimize(lambda p: estimate(p).reml, first.x, method="BFGS", jac="3-point", options={"gtol": 1e-7})
    return found.x[:smooths], estimate(found.x)
